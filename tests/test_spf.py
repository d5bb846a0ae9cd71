"""SPF records, read as receivers read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.spf import SpfRecord, Term, is_domain_spec


def read(text: str) -> SpfRecord:
    record = SpfRecord.read(text)
    assert record is not None
    return record


@pytest.mark.parametrize("text", ["", "v=spf10 -all", "v=spf2 -all", "spf1 -all", " v=spf1 -all", "v=spf1\t-all"])
def test_what_says_no_such_version_is_no_record(text: str) -> None:
    assert SpfRecord.read(text) is None


def test_a_record_without_terms_is_one() -> None:
    record = read("V=SPF1  ")
    assert (record.terms, record.unreadable, record.closing, record.lookups) == ((), (), None, 0)


def test_a_term_says_what_it_lets_pass() -> None:
    assert [term.lets_pass for term in read("v=spf1 a +mx -ptr ~ip4:192.0.2.1 ?all").terms] == [
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "included"),
    [
        ("v=spf1 include:a.example -all", True),
        ("v=spf1 +INCLUDE:A.example. -all", True),
        ("v=spf1 ?include:a.example -all", False),
        ("v=spf1 include:b.a.example -all", False),
        ("v=spf1 -all include:a.example", False),
        ("v=spf1 redirect=a.example", False),
    ],
)
def test_an_include_counts_where_it_lets_pass_and_is_reached(text: str, included: bool) -> None:
    assert read(text).includes("a.example") is included


@pytest.mark.parametrize(
    ("text", "lookups"),
    [
        ("v=spf1 ip4:192.0.2.1 -all", 0),
        ("v=spf1 a mx ptr exists:a.example include:a.example -all", 5),
        ("v=spf1 a -all mx a", 1),
        ("v=spf1 a redirect=a.example", 2),
        ("v=spf1 a redirect=a.example -all", 1),
    ],
)
def test_the_terms_that_ask_the_dns_are_counted_as_far_as_they_are_reached(text: str, lookups: int) -> None:
    assert read(text).lookups == lookups


def test_the_first_all_closes() -> None:
    closing = read("v=spf1 a ~all -all").closing
    assert closing is not None
    assert closing.text == "~all"


def test_a_modifier_that_stands_twice_is_told() -> None:
    assert read("v=spf1 redirect=a.example exp=b.example redirect=a.example x=1 x=1").repeated == ("redirect=",)


@pytest.mark.parametrize(
    "term",
    [
        *(
            "ip4:192.0.2.1",
            "ip4:192.0.2.0/24",
            "ip4:0.0.0.0/0",
            "ip6:2001:db8::1",
            "ip6:::/0",
            "ip6:::ffff:192.0.2.1/128",
        ),
        *("a", "A/32", "a//64", "a/24//64", "a:x.example", "a:x.example/0//0", "mx", "mx/24", "mx:x.example//128"),
        *(
            "ptr",
            "ptr:x.example",
            "?exists:%{ir}.%{v}._spf.%{d2}",
            "exists:%{l1r-}.x.example.",
            "exists:%%.%_.%-.x.example",
        ),
        *("-include:x.123-4", "include:x.example.", "include:%{d}", "include:_a/b.x.example", "~include:x.example"),
        *(
            "redirect=x.example",
            "redirect=%{D}",
            "exp=why.%{d}",
            "x-tag=",
            "x=%{s}=:/",
            "ip4=1.2.3",
            "all=no",
            "redirect=a.b exp=a.b",
        ),
    ],
)
def test_a_term_that_receivers_can_read_does_no_harm(term: str) -> None:
    record = read(f"v=spf1 {term} include:_spf.eu.example -all")
    assert record.unreadable == ()
    assert record.includes("_spf.eu.example")


@pytest.mark.parametrize(
    "term",
    [
        *("ip4", "ip4:", "ip4:1.2.3", "ip4:999.1.1.1/99", "ip4:192.0.2.1/33", "ip4:192.0.2.1/", "ip4:192.0.2.1/024"),
        *("ip4:192.0.2.01", "ip4:::1", "ip4192.0.2.1", "ip4/24", "ip4:192.0.2.1//24", "ip4:192.0.2.\u0661"),
        *("ip6", "ip6:", "ip6:192.0.2.1", "ip6:::1/129", "ip6:fe80::1%eth0", "ip6:[::1]"),
        *(
            "a/99",
            "a/33",
            "a//129",
            "a/",
            "a//",
            "a/24/64",
            "a//64/24",
            "a/024",
            "a:",
            "a:x",
            "a:x.123",
            "a:x.example/",
            "a24",
        ),
        *("mx:/24", "mx:x.example/33", "mx::x", "ptr:", "ptr/24", "ptr:x", "exists", "exists:", "exists:x"),
        *("include", "include:", "include:example", "include:x..example", "include:.x.example", "include:x.example/24"),
        *(
            "include:x.-a",
            "include:x.a-",
            "include:" + "a" * 64 + ".example",
            "include:ü.example",
            "include:x.example..",
        ),
        *(
            "include:%{d",
            "include:%{x}.example",
            "include:%d.example",
            "include:%{d0}",
            "include:%{dr1}",
            "include:%{d}.",
        ),
        *(
            "redirect=",
            "redirect=x",
            "exp=",
            "exp=%",
            "x=%",
            "x=%{z}",
            "+redirect=x.example",
            "-x=y",
            "redirect:x.example",
        ),
        *("all:x", "all/24", "-all.", "=x", ":x", "_a=x", "--all", "a:x.example\x00b.example"),
    ],
)
def test_a_term_that_receivers_cannot_read_is_told(term: str) -> None:
    record = read(f"v=spf1 include:_spf.eu.example {term} -all")
    assert record.unreadable == (term,)
    assert [each.text for each in record.terms] == ["include:_spf.eu.example", "-all"]


MACROS = st.from_regex(r"%%|%_|%-|%\{[slodiphvSLODIPHV]([1-9][0-9]?)?[rR]?[-.+,/_=]{0,3}\}", fullmatch=True)
LITERALS = st.from_regex(r"[!-$&-,/-~-]{1,9}", fullmatch=True)
TOP_LABELS = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}|[0-9]{1,3}-[a-z0-9]{1,3}", fullmatch=True)
DOMAIN_SPECS = st.builds(
    "{}{}".format,
    st.lists(MACROS | LITERALS, min_size=1, max_size=4).map("".join),
    MACROS | st.builds(".{}{}".format, TOP_LABELS, st.sampled_from(["", "."])),
)
SIZES = st.builds(
    "{}{}".format,
    st.just("") | st.integers(0, 32).map("/{}".format),
    st.just("") | st.integers(0, 128).map("//{}".format),
)
TERMS = st.one_of(
    st.builds(
        "{}{}:{}".format,
        st.sampled_from(["", "+", "-", "~", "?"]),
        st.sampled_from(["include", "exists", "ptr"]),
        DOMAIN_SPECS,
    ),
    st.builds("{}:{}{}".format, st.sampled_from(["a", "MX"]), DOMAIN_SPECS, SIZES),
    st.builds("{}{}".format, st.sampled_from(["a", "MX"]), SIZES),
    st.builds("ip4:{}/{}".format, st.ip_addresses(v=4), st.integers(0, 32)),
    st.builds("ip6:{}/{}".format, st.ip_addresses(v=6), st.integers(0, 128)),
    st.builds("{}={}".format, st.sampled_from(["redirect", "EXP"]), DOMAIN_SPECS),
)


@given(TERMS)
def test_every_term_of_the_grammar_is_taken(term: str) -> None:
    found = Term.read(term)
    assert found is not None
    assert f"{found.qualifier}{term[len(found.qualifier) :][: len(found.name)]}{found.argument}" == term


@given(st.text(st.sampled_from("v=spf1 ainclude:%{}/.-+~?\u0130\x00"), max_size=40))
def test_any_text_is_a_record_or_none(text: str) -> None:
    record = SpfRecord.read(f"v=spf1 {text}")
    assert record is not None
    assert sorted([*(term.text for term in record.terms), *record.unreadable]) == sorted(filter(None, text.split(" ")))


def test_a_domain_spec_has_two_labels_or_a_macro() -> None:
    assert is_domain_spec("_spf.a.example")
    assert is_domain_spec("%{d}")
    assert not is_domain_spec("example")
