"""Which links are tracked: the table, reason by reason, and rules for hosts and paths."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import ConfigurationError
from custom_smtp.link_rules import LONGEST_TARGET, Choice, LinkChooser, LinkRule, Skip, Way

BASE = "https://links.shop.example/t"
CHOOSER = LinkChooser(base_url=BASE)


@pytest.mark.parametrize(
    ("link", "skipped"),
    [
        ("", Skip.EMPTY),
        (" \n", Skip.EMPTY),
        ("#", Skip.FRAGMENT),
        ("#top", Skip.FRAGMENT),
        ("/orders/7", Skip.RELATIVE),
        ("orders/7", Skip.RELATIVE),
        ("//shop.example/", Skip.RELATIVE),
        ("?a=1", Skip.RELATIVE),
        ("mailto:ada@example.net", Skip.MAILTO),
        ("MAILTO:ada@example.net?body=https://shop.example", Skip.MAILTO),
        ("mailto:?subject={{ subject }}", Skip.MAILTO),
        ("tel:+4930123", Skip.TEL),
        ("callto:+4930123", Skip.TEL),
        ("sms:+4930123", Skip.SMS),
        ("data:text/html,https://shop.example", Skip.DATA),
        ("cid:logo", Skip.CID),
        ("javascript:location='https://shop.example'", Skip.JAVASCRIPT),
        ("java\nscript:alert(1)", Skip.JAVASCRIPT),
        ("ftp://shop.example/", Skip.OTHER_SCHEME),
        ("shop://orders/7", Skip.OTHER_SCHEME),
        ("git+https://shop.example/", Skip.OTHER_SCHEME),
        ("https:shop.example", Skip.NO_HOST),
        ("https:/shop.example", Skip.NO_HOST),
        ("https:///shop.example", Skip.NO_HOST),
        ("https://", Skip.NO_HOST),
        ("https://?a", Skip.NO_HOST),
        ("https://:80/", Skip.NO_HOST),
        ("https://ada@/", Skip.NO_HOST),
        ("https://shop.example:99999/", Skip.NOT_UNDERSTOOD),
        ("https://sh op.example/", Skip.NOT_UNDERSTOOD),
        ("https://%73hop.example/", Skip.NOT_UNDERSTOOD),
        ("https://shop.example/\x01a", Skip.NOT_UNDERSTOOD),
        ("https://shop.example/{{ id }}", Skip.PLACEHOLDER),
        ("{{ link }}", Skip.PLACEHOLDER),
        ("#{link}", Skip.PLACEHOLDER),
        ("https://%%host%%/", Skip.PLACEHOLDER),
        ("https://shop.example/%recipient.id%", Skip.PLACEHOLDER),
        (f"https://shop.example/{'a' * LONGEST_TARGET}", Skip.TOO_LONG),
        ("https://shop.example/" + "\u00fc" * (LONGEST_TARGET // 6), Skip.TOO_LONG),
        (BASE, Skip.OURS),
        (f"{BASE}/c/abc", Skip.OURS),
        (f"{BASE}?a", Skip.OURS),
        ("HTTPS://LINKS.shop.example/t#a", Skip.OURS),
        ("http://links.shop.example/t/c/abc", Skip.OURS),
    ],
)
def test_each_link_that_is_left_alone_has_its_reason(link: str, skipped: Skip) -> None:
    assert CHOOSER.choose(link) == Choice(skipped)


@pytest.mark.parametrize(
    "link",
    [
        "https://shop.example",
        "http://shop.example/a?b#c",
        "HTTPS://U:P@shop.example:8443/\u00e4 b",
        "https://links.shop.example/",
        "https://links.shop.example/tt",
        "https://links.shop.example.evil.example/t",
        "https://shop.example/" + "a" * (LONGEST_TARGET - 21),
    ],
)
def test_all_else_leads_where_it_led(link: str) -> None:
    assert CHOOSER.choose(f" {link}\n") == Choice(None, Way.REDIRECT, link)


def test_the_way_to_unsubscribe_is_kept() -> None:
    chooser = LinkChooser(base_url=BASE, kept=frozenset({"https://shop.example/%C3%A4", f"{BASE}/u/abc"}))
    assert chooser.choose("https://shop.example/\u00e4").skipped is Skip.UNSUBSCRIBE
    assert chooser.choose(f"{BASE}/u/abc").skipped is Skip.UNSUBSCRIBE


def test_where_clicks_are_off_the_other_reasons_are_told_all_the_same() -> None:
    off = LinkChooser(base_url=BASE, clicks=False, rules=(LinkRule("bank.example"),))
    links = ("https://shop.example", "mailto:a@b.example", "https://bank.example/", BASE)
    assert [off.choose(link).skipped for link in links] == [Skip.CLICKS_OFF, Skip.MAILTO, Skip.RULE, Skip.OURS]


def test_every_reason_and_every_way_says_what_it_is() -> None:
    assert all(each.value for each in (*Skip, *Way))


# --- Rules


@pytest.mark.parametrize(
    ("pattern", "url", "fits"),
    [
        ("shop.example", "https://shop.example", True),
        ("shop.example", "https://u:p@SHOP.example:8443/a/b?c#d", True),
        ("shop.example", "https://www.shop.example/", False),
        ("shop.example", "https://shop.example.evil.example/", False),
        ("SHOP.example/", "https://shop.example", True),
        ("shop.example/", "https://shop.example/a", False),
        ("*.shop.example", "https://www.shop.example/", True),
        ("*.shop.example", "https://shop.example/", False),
        ("*shop.example", "https://shop.example/", True),
        ("*/reset/*", "https://shop.example/reset/7?token=1", True),
        ("*/reset/*", "https://shop.example/Reset/7", False),
        ("shop.example/reset", "https://shop.example/reset?token=1", True),
        ("shop.example/reset", "https://shop.example/reset/", False),
        ("shop.example/*/b*c", "https://shop.example/a/bxc", True),
        ("shop.example/*/b*c", "https://shop.example/a/b", False),
        ("shop.example/*x*y*", "https://shop.example/1y2x3", False),
        ("shop.example/a*a", "https://shop.example/a", False),
        ("b\u00fccher.example/\u00e4*", "https://xn--bcher-kva.example/%C3%A4", True),
        ("127.0.0.1", "http://127.0.0.1:8000/", True),
    ],
)
def test_a_pattern_fits_hosts_and_paths(pattern: str, url: str, fits: bool) -> None:
    assert LinkRule(pattern)(url) is (Way.ALONE if fits else None)


def test_a_rule_answers_urls_only() -> None:
    assert LinkRule("*")("no url") is None


@given(st.text("a*", min_size=1, max_size=6), st.text("ab", max_size=8))
def test_a_star_stands_for_anything(pattern: str, path: str) -> None:
    fits = st_fits(pattern, path)
    assert (LinkRule(f"shop.example/{pattern}")(f"https://shop.example/{path}") is Way.ALONE) == fits


def st_fits(pattern: str, text: str) -> bool:
    """The same, the slow way."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return st_fits(pattern[1:], text) or (bool(text) and st_fits(pattern, text[1:]))
    return text[:1] == pattern[0] and st_fits(pattern[1:], text[1:])


@pytest.mark.parametrize(
    "pattern", ["", "/", "/reset", "https://shop.example", "shop.example:80", "shop.example/?a", "a b", "a@b", None, 7]
)
def test_what_is_no_pattern_is_refused(pattern: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"no pattern for links: write a host"):
        LinkRule(pattern)


def test_what_is_no_way_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"use Way\.ALONE"):
        LinkRule("shop.example", "alone")  # type: ignore[arg-type]  # as an untyped caller would
    chooser = LinkChooser(base_url=BASE, rules=(lambda _: False,))  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigurationError, match=r"False is no way to lead a link"):
        chooser.choose("https://shop.example")


def test_the_first_rule_that_answers_holds() -> None:
    def no_tokens(url: str) -> Way | None:
        return Way.ALONE if "token=" in url else None

    chooser = LinkChooser(
        base_url=BASE, rules=(no_tokens, LinkRule("app.example", Way.APP), LinkRule("*", Way.REDIRECT_AS_IT_IS))
    )
    ways = [chooser.choose(f"https://{end}").way for end in ("app.example/?token=1", "app.example/", "b.example")]
    assert ways == [Way.ALONE, Way.APP, Way.REDIRECT_AS_IT_IS]
    assert chooser.choose("https://app.example/?token=1").skipped is Skip.RULE


def test_rules_are_asked_by_the_url_that_programs_ask_for() -> None:
    asked: list[str] = []
    rule: Callable[[str], Way | None] = asked.append  # it answers None
    chooser = LinkChooser(base_url=BASE, rules=(rule,))
    chooser.choose(" https://b\u00fccher.example\\\u00e4")
    assert asked == ["https://xn--bcher-kva.example/%C3%A4"]


# --- What is added


def test_parameters_are_added_and_the_link_is_named() -> None:
    chooser = LinkChooser(base_url=BASE, parameters=(("utm_source", ("shop",)), ("utm_content", ("", ""))))
    assert (
        chooser.choose("https://a.example/?b#c", "t3").target == "https://a.example/?b&utm_source=shop&utm_content=t3#c"
    )
    assert (
        chooser.choose("https://a.example/?utm_source=x", "t3").target
        == "https://a.example/?utm_source=x&utm_content=t3"
    )


def test_a_signed_url_stays_as_it_is() -> None:
    rules = (LinkRule("files.example", Way.REDIRECT_AS_IT_IS),)
    chooser = LinkChooser(base_url=BASE, parameters=(("utm_source", ("shop",)),), rules=rules)
    assert chooser.choose("https://files.example/?sig=1").target == "https://files.example/?sig=1"


def test_a_target_that_grows_too_long_is_left_alone() -> None:
    chooser = LinkChooser(base_url=BASE, parameters=(("utm_source", ("shop",)),))
    assert chooser.choose("https://shop.example/" + "a" * (LONGEST_TARGET - 30)).skipped is Skip.TOO_LONG


def test_an_app_link_with_an_id_is_ours() -> None:
    chooser = LinkChooser(base_url=BASE, app_parameter="id", rules=(LinkRule("app.example", Way.APP),))
    assert chooser.choose("https://app.example/?id=abc").skipped is Skip.OURS
    assert chooser.choose("https://b.example/?id=abc").skipped is None
