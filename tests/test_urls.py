"""URLs: where a link leads, to the letter, and parameters that are put behind it."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.urls import (
    PLACEHOLDERS,
    around_a_parameter,
    followed,
    location,
    parameter,
    parameter_names,
    unfinished,
    with_parameters,
)

# --- Where a click leads


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("https://shop.example/orders/7", "https://shop.example/orders/7"),
        ("https://shop.example", "https://shop.example"),
        (
            "https://shop.example/\u00e4 b?q=\u00f6&r=%C3%B6#\u00fc",
            "https://shop.example/%C3%A4%20b?q=%C3%B6&r=%C3%B6#%C3%BC",
        ),
        ('https://shop.example/"<>"', "https://shop.example/%22%3C%3E%22"),
        ("https://shop.example/%zz%41{}|^`'", "https://shop.example/%zz%41{}|^`'"),
        ("https://b\u00fccher.example:8080/x", "https://xn--bcher-kva.example:8080/x"),
        ("https://B\u00dcCHER.example/", "https://xn--bcher-kva.example/"),
        ("https://fa\u00df.example/", "https://xn--fa-hia.example/"),
        ("https://\U0001f4a9.example/", "https://xn--ls8h.example/"),
        ("https://\uff25\uff38\uff0e\uff43om/", "https://ex.com/"),
        ("https://\u4f8b\u3002example/", "https://xn--fsq.example/"),
        ("https://a\u00adb\u00fc.example/", "https://xn--ab-yka.example/"),
        ("https://\u0392\u038c\u039b\u039f\u03a3.example/", "https://xn--nxasmq6b.example/"),
        ("https://u\u00fc:p\u00fc@shop.example/", "https://u%C3%BC:p%C3%BC@shop.example/"),
        ("https://shop.example?a", "https://shop.example?a"),
        ("https://shop.example:8443?a#b", "https://shop.example:8443?a#b"),
        ("https://shop.example:65535/", "https://shop.example:65535/"),
        ("https://shop.example:/", "https://shop.example:/"),
        ("https://shop.example/\U0001f600", "https://shop.example/%F0%9F%98%80"),
        ("https://[2001:DB8::1]/a", "https://[2001:DB8::1]/a"),
        (" https://shop.example/\ta\n ", "https://shop.example/a"),
        ("HTTPS://SHOP.example/A", "HTTPS://SHOP.example/A"),
        ("https://shop.example/?to=https://b.example/%3Fx%3D1&y=a+b#!/c?d", None),
    ],
)
def test_a_redirect_leads_where_the_link_would_have(target: str, leads_to: str | None) -> None:
    assert location(target) == (leads_to or target)


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        # By the URL standard a backslash is a slash in the path; other readers of URLs would see another host.
        ("https://shop.example\\a\\b?c\\d#e\\f", "https://shop.example/a/b?c\\d#e\\f"),
        ("https://shop.example\\@evil.example/", "https://shop.example/@evil.example/"),
        ("https://shop.example#@evil.example/", "https://shop.example#@evil.example/"),
        ("https://a@b@shop.example/", "https://a%40b@shop.example/"),
    ],
)
def test_no_reader_of_a_location_sees_another_host(target: str, leads_to: str) -> None:
    assert location(target) == leads_to
    assert urlsplit(leads_to).hostname == "shop.example"


@pytest.mark.parametrize(
    "link",
    [
        "https://a.example\uff1a80/",
        "https://a.example:\uff18\uff10/",
        "https://\uff3b::1\uff3d/",
        "https://a\u202eb.example/",
        "https://a.example\ufffd/",
        "https://\u00ad/",
        "https://shop.example/\x01a",
        "https://shop.example/\x85",
        "https://shop.example/\u2028",
        "https://shop.example/\ud800",
        "javascript:alert(1)",
        "//a",
        "https://a\u2100b.example/",
        "https://a:b/",
        "https://a:65536/",
        "https://a b/",
        "https://u@/",
        "https://" + "\u00fc" * 64 + ".example/",
    ],
)
def test_what_no_program_follows_has_no_location(link: str) -> None:
    assert location(link) is None


@given(st.text().map("https://shop.example/".__add__) | st.text().map("https://".__add__))
def test_a_location_is_one_line_of_ascii_and_leads_to_the_same_host(target: str) -> None:
    leads_to = location(target)
    if leads_to is not None:
        assert re.fullmatch(r"https://[\x21-\x7e]+", leads_to)
        assert location(leads_to) == leads_to
        if target.startswith("https://shop.example/"):
            assert urlsplit(leads_to).hostname == "shop.example"


# --- What is not finished


@pytest.mark.parametrize("begin", PLACEHOLDERS)
def test_a_link_with_a_placeholder_is_not_finished(begin: str) -> None:
    assert unfinished(f"https://shop.example/{begin}id")


@pytest.mark.parametrize("link", ["https://a.example/%recipient.id%", "https://%host_name%/", "%url%"])
def test_a_named_placeholder_is_seen(link: str) -> None:
    assert unfinished(link)


@pytest.mark.parametrize(
    "link",
    [
        "https://a.example/{name}",
        "https://{host}/",
        "https://a.example/?id={0}&n={}",
        "https://a.example/{user.name!r:>10}",
        "https://a.example/{!Contact.Id}",
        "https://a.example/{contactfield=email}",
        "https://a.example/{subtag:email|ucfirst}",
        "https://a.example/?v=%{id}",
        "https://a.example/[% id %]",
        "https://a.example/[%id%]",
        "https://a.example/?n={first name}&b",
    ],
)
def test_a_placeholder_in_single_brackets_is_seen(link: str) -> None:
    assert unfinished(link)


@pytest.mark.parametrize("mark", ["-{}-", "${}$", "~{}~", "[{}]", "[{},fallback=there]", "#{}#", "##{}##", "@@{}@@"])
@pytest.mark.parametrize("name", ["email", "EMAIL", "first_name", "SUBSCRIBER.EMAIL"])
def test_a_placeholder_that_is_all_of_a_value_is_seen(mark: str, name: str) -> None:
    placeholder = mark.format(name)
    assert unfinished(f"https://a.example/?a={placeholder}")
    assert unfinished(f"https://a.example/?a={placeholder}&b=1#c")
    assert unfinished(f"https://a.example/{placeholder}/b")


@pytest.mark.parametrize(
    "link",
    [
        "https://a.example/?a=%7B%7Bemail%7D%7D",
        "https://a.example/%7b%7b%20email%20%7d%7d",
        "https://a.example/%7B%25%20if%20a%20%25%7D",
        "https://a.example/?a=*%7CEMAIL%7C*",
    ],
)
def test_a_placeholder_that_an_editor_has_encoded_is_seen(link: str) -> None:
    assert unfinished(link)


@pytest.mark.parametrize(
    "link",
    [
        "https://a.example/a-b-c/-/d",
        "https://a.example/-b-c",
        "https://a.example/?v=-b-c&w=--&x=-7-",
        "https://a.example/?$top=1&$skip=2&a=$",
        "https://a.example/~ada/~",
        "https://a.example/?a=[1,2]&b=[]",
        "https://a.example/[a].html",
        "https://a.example/#a",
        "https://a.example/?mail=ada@b.example",
        "https://a.example/?q=%7B%22a%22:%7B%22b%22:1%7D%7D",
    ],
)
def test_marks_that_some_urls_have_are_no_placeholder(link: str) -> None:
    assert not unfinished(link)


@pytest.mark.parametrize(
    "link",
    [
        "https://a.example/?List={F2504E04-F89D-11D3-9A0C-0305E82C3301}",
        "https://a.example/?list={f2504e04f89d11d39a0c0305e82c3301}",
        'https://a.example/?q={"a":1}',
        "https://a.example/?filter={'a':1}",
        "https://a.example/?f[name]=x&g[]=1&h[%24lt]=2",
        "https://a.example/{a",
        "https://a.example/a}",
        "https://a.example/{a,b}",
        "https://a.example/{123}",
    ],
)
def test_brackets_that_some_urls_have_are_no_placeholder(link: str) -> None:
    assert not unfinished(link)


@pytest.mark.parametrize("link", ["https://a.example/%C3%A4%20b", "https://a.example/100%", "a%b%20", "%ab%"])
def test_percent_encoded_bytes_are_no_placeholder(link: str) -> None:
    assert not unfinished(link)


# --- Parameters


UTM = (("utm_source", "shop news"), ("utm_medium", "e-mail"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://a.example", "https://a.example?utm_source=shop%20news&utm_medium=e-mail"),
        ("https://a.example/b", "https://a.example/b?utm_source=shop%20news&utm_medium=e-mail"),
        ("https://a.example/?", "https://a.example/?utm_source=shop%20news&utm_medium=e-mail"),
        ("https://a.example/?c=d", "https://a.example/?c=d&utm_source=shop%20news&utm_medium=e-mail"),
        ("https://a.example/?c=d&", "https://a.example/?c=d&utm_source=shop%20news&utm_medium=e-mail"),
        ("https://a.example/?z=%2f+&a=%zz#t?x=1", "https://a.example/?z=%2f+&a=%zz&{}#t?x=1"),
        ("https://a.example/#top", "https://a.example/?{}#top"),
        ("https://a.example/?utm_source=x", "https://a.example/?utm_source=x&utm_medium=e-mail"),
        ("https://a.example/?utm_medium&utm_source=", "https://a.example/?utm_medium&utm_source="),
        ("https://a.example/?utm%5Fmedium=x&utm_source", "https://a.example/?utm%5Fmedium=x&utm_source"),
        ("https://a.example/#utm_source=x", "https://a.example/?{}#utm_source=x"),
        ("https://a.example/\u00e4?\u00f6=\u00fc", "https://a.example/\u00e4?\u00f6=\u00fc&{}"),
    ],
)
def test_parameters_come_last_and_nothing_else_changes(before: str, after: str) -> None:
    added = "utm_source=shop%20news&utm_medium=e-mail"
    assert with_parameters(before, UTM) == after.replace("{}", added)


@pytest.mark.parametrize("value", ["a&b=c", "#", "?", "\u00fc", "%41", "+", " ", "/", "="])
def test_a_value_stays_one_value(value: str) -> None:
    url = with_parameters("https://a.example/?x=1#y", [("q", value)])
    assert parse_qsl(urlsplit(url).query) == [("x", "1"), ("q", value)]
    assert parameter(url, "q") == value


urls = st.text("?&#=/a%", max_size=12).map("https://a.example/".__add__)


@given(urls, st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.just("v"))))
def test_parameters_are_never_added_twice(url: str, parameters: list[tuple[str, str]]) -> None:
    parameters = list(dict(parameters).items())
    once = with_parameters(url, parameters)
    assert with_parameters(once, parameters) == once
    assert parameter_names(once) == parameter_names(url) | {name for name, _ in parameters}
    before, _, fragment = url.partition("#")
    assert once.startswith(before)
    assert once.partition("#")[2] == fragment


@given(urls)
def test_around_a_parameter_stands_the_url(url: str) -> None:
    front, back = around_a_parameter(url)
    assert front[-1] in "?&"
    assert parameter(f"{front}id=7{back}", "id") == "7"
    assert url in (front + back, front[:-1] + back)


def test_a_parameter_that_is_not_there_is_none() -> None:
    assert parameter("https://a.example/?a=b", "b") is None
    assert parameter("no url", "b") is None


def test_a_link_is_followed_without_the_space_around_it_and_line_breaks_in_it() -> None:
    assert followed(" \thttps://a.example/b\r\n c\t\x00") == "https://a.example/b c"
