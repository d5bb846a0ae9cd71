"""Domains: which records they need, and whether they are there."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.dns_records import Record, RecordKind, dns_name
from custom_smtp.domains import Check, DomainReport, Finding, SendingDomain, names_of, verify
from custom_smtp.errors import ConfigurationError, ResolveError
from custom_smtp.testing.resolver import StaticResolver

KEY = "11qYAYKx"
DOMAIN = SendingDomain(
    name="shop.example",
    mail_host="send.shop.example",
    link_host="links.shop.example",
    link_target="track.eu.example.",
    mail_exchange="10 mx.eu.example.",
    spf_include="_spf.eu.example",
    dkim_selector="s1",
    dkim_record=f"v=DKIM1; k=ed25519; p={KEY}",
)
MX: tuple[str, RecordKind] = ("send.shop.example", "MX")
SPF: tuple[str, RecordKind] = ("send.shop.example", "TXT")
CNAME: tuple[str, RecordKind] = ("links.shop.example", "CNAME")
DKIM: tuple[str, RecordKind] = ("s1._domainkey.shop.example", "TXT")
RIGHT: dict[tuple[str, RecordKind], list[str]] = {
    MX: ["10 mx.eu.example."],
    SPF: ['"v=spf1 include:_spf.eu.example -all"'],
    CNAME: ["track.eu.example."],
    DKIM: [f'"v=DKIM1; k=ed25519; p={KEY}"'],
}
PLACES = (MX, SPF, CNAME, DKIM)


def found(place: tuple[str, RecordKind], *values: str, domain: SendingDomain = DOMAIN) -> Check:
    """What is said of one record when its place holds these values and every other place is right."""
    report = verify(domain, StaticResolver({**RIGHT, place: list(values)}))
    others = [check.finding for at, check in zip(PLACES, report.checks, strict=False) if at != place]
    assert others == [Finding.OK] * 3
    return report.checks[PLACES.index(place)]


def test_a_domain_says_what_to_publish_and_what_for() -> None:
    assert [(record.kind, record.name, record.value) for record in DOMAIN.records] == [
        ("MX", "send.shop.example", "10 mx.eu.example."),
        ("TXT", "send.shop.example", "v=spf1 include:_spf.eu.example -all"),
        ("CNAME", "links.shop.example", "track.eu.example."),
        ("TXT", "s1._domainkey.shop.example", f"v=DKIM1; k=ed25519; p={KEY}"),
    ]
    assert all(record.purpose for record in DOMAIN.records)


def test_a_domain_with_all_its_records_is_verified() -> None:
    report = verify(DOMAIN, StaticResolver(RIGHT))
    assert report.verified
    assert report.links_verified
    assert report.to_do == []
    assert {check.advice for check in report.checks} == {""}


def test_a_domain_without_records_has_everything_to_do() -> None:
    report = verify(DOMAIN, StaticResolver())
    assert report.to_do == list(DOMAIN.records)
    assert [check.advice for check in report.checks] == [
        f"publish {record.kind} {record.value} at {record.name}" for record in DOMAIN.records
    ]
    assert not report.verified


@pytest.mark.parametrize("place", PLACES)
def test_a_missing_record_is_to_be_published(place: tuple[str, RecordKind]) -> None:
    check = found(place)
    assert check.finding is Finding.MISSING
    assert "publish" in check.advice


@pytest.mark.parametrize("place", [MX, CNAME])
def test_links_need_mx_and_cname(place: tuple[str, RecordKind]) -> None:
    assert not verify(DOMAIN, StaticResolver({**RIGHT, place: []})).links_verified


@pytest.mark.parametrize("place", [SPF, DKIM])
def test_links_need_nothing_else(place: tuple[str, RecordKind]) -> None:
    report = verify(DOMAIN, StaticResolver({**RIGHT, place: []}))
    assert report.links_verified
    assert not report.verified


@pytest.mark.parametrize("place", PLACES)
def test_no_answer_is_unknown_and_nothing_to_do(place: tuple[str, RecordKind]) -> None:
    report = verify(DOMAIN, StaticResolver({**RIGHT, place: ResolveError("timed out")}))
    check = report.checks[PLACES.index(place)]
    assert check.finding is Finding.UNKNOWN
    assert check.advice == "ask again later: timed out"
    assert report.to_do == []
    assert not report.verified
    assert report.links_verified is (place in (SPF, DKIM))


def test_a_report_of_nothing_verifies_nothing() -> None:
    assert not DomainReport(()).verified
    assert not DomainReport(()).links_verified


def test_a_check_shows_what_was_found() -> None:
    assert found(MX, "10 mx.other.example.").found == ("10 mx.other.example.",)


# --- MX -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        ["10 mx.eu.example."],
        ["10 MX.EU.Example"],
        ["10   mx.eu.example."],
        ["20 backup.example.", "10 mx.eu.example."],
    ],
)
def test_a_right_mx(values: list[str]) -> None:
    assert found(MX, *values).finding is Finding.OK


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["10 mx.other.example."], "publish 10 mx.eu.example."),
        (["20 mx.eu.example."], "publish 10 mx.eu.example."),
        (["10 mx.eu.example.evil.example."], "publish"),
        (["0 ."], "publish"),
        (["mx.eu.example."], "publish"),
        (["110 mx.eu.example."], "publish"),
        (["5 mx.other.example.", "10 mx.eu.example."], "take out mx.other.example"),
        (["10 mx.eu.example.", "10 mx.other.example."], "take out mx.other.example"),
    ],
)
def test_a_wrong_mx(values: list[str], says: str) -> None:
    check = found(MX, *values)
    assert check.finding is Finding.WRONG
    assert says in check.advice


# --- CNAME ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [["track.eu.example."], ["TRACK.eu.Example"], ["track.eu.example"] * 2])
def test_a_right_cname(values: list[str]) -> None:
    assert found(CNAME, *values).finding is Finding.OK


@pytest.mark.parametrize("value", ["track.us.example.", "x.track.eu.example.", "eu.example.", "."])
def test_a_wrong_cname(value: str) -> None:
    check = found(CNAME, value)
    assert check.finding is Finding.WRONG
    assert "track.eu.example." in check.advice


def test_two_cnames_are_one_too_many() -> None:
    assert found(CNAME, "track.eu.example.", "old.example.").finding is Finding.DUPLICATE


# --- SPF ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        ['"v=spf1 include:_spf.eu.example -all"'],
        ['"v=spf1 include:_spf.eu.example ~all"'],
        ['"v=spf1 include:_spf.eu.example ?all"'],
        ['"v=spf1 include:_spf.eu.example"'],
        ['"v=spf1   +include:_SPF.EU.example.   -all "'],
        ['"V=SPF1 INCLUDE:_spf.eu.example -ALL"'],
        ['"v=spf1 ip4:192.0.2.0/24 a mx/24 a:x.example ip6:2001:db8::/32 include:_spf.eu.example -all"'],
        ['"v=spf1 include:other.example include:_spf.eu.example exp=why.shop.example my-tag=1 -all"'],
        ['"v=spf1 include:_spf" ".eu.example -all"'],
        ['"v=sp" "f1 include:_spf.eu.example -all"'],
        ['"v=spf1 include:_spf.eu.example -all"', '"v=spf10 -all"', '"spf2.0/mfrom -all"', '"hello"', '""'],
        ["v=spf1 include:_spf.eu.example -all"],
        ['"v=spf1 exists:%{i}._spf.shop.example include:_spf.eu.example -all"'],
        ['"v=spf1 ' + "a " * 9 + 'include:_spf.eu.example redirect=x.example -all a a a"'],
    ],
)
def test_a_right_spf(values: list[str]) -> None:
    assert found(SPF, *values).finding is Finding.OK


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("v=spf1 -all", "put include:_spf.eu.example"),
        ("v=spf1", "put include:_spf.eu.example"),
        ("v=spf1 include:_spf.eu.example.evil.example -all", "put include"),
        ("v=spf1 include:x_spf.eu.example -all", "put include"),
        ("v=spf1 include:my_spf.eu.example -all", "put include"),
        ("v=spf1 -include:_spf.eu.example ~all", "put include"),
        ("v=spf1 ~include:_spf.eu.example ~all", "put include"),
        ("v=spf1 include=_spf.eu.example -all", "put include"),
        ("v=spf1 exp=include:_spf.eu.example -all", "put include"),
        ("v=spf1 -all include:_spf.eu.example", "put include"),
        ("v=spf1 redirect=_spf.eu.example", "put include"),
        ("v=spf1 include:_spf.eu.example +all", "which lets anybody send"),
        ("v=spf1 include:_spf.eu.example all", "which lets anybody send"),
        ("v=spf1 all include:_spf.eu.example -all", "which lets anybody send"),
        ("v=spf1 includes:_spf.eu.example -all", "correct 'includes:_spf.eu.example'"),
        ("v=spf1 include:_spf.eu.example, -all", "correct 'include:_spf.eu.example,'"),
        ("v=spf1 include:_spf.eu.example -all ip4:1.2.3", "correct 'ip4:1.2.3'"),
        ("v=spf1 include:_spf.eu.example redirect=a.example redirect=b.example", "leave one redirect="),
        ("v=spf1 include:_spf.eu.example exp=a.example -all exp=b.example", "leave one exp="),
        ("v=spf1 " + "a " * 9 + "include:_spf.eu.example redirect=x.example", "11 terms ask the DNS"),
        ("v=spf1 include:_spf.eu.example ipv4:192.0.2.1 -all", "correct 'ipv4:192.0.2.1'"),
        ("v=spf1 include:_spf.eu.example 192.0.2.1 -all", "correct '192.0.2.1'"),
        ("v=spf1 include:_spf.eu.example - all", "correct '-'"),
        ("v=spf1 " + "a " * 10 + "include:_spf.eu.example -all", "11 terms ask the DNS"),
    ],
)
def test_a_wrong_spf(text: str, says: str) -> None:
    check = found(SPF, f'"{text}"')
    assert check.finding is Finding.WRONG
    assert says in check.advice


def test_a_term_that_receivers_cannot_read_makes_the_record_wrong() -> None:
    check = found(SPF, '"v=spf1 include:_spf.eu.example ip4:1.2.3 -all"')
    assert check.finding is Finding.WRONG
    assert check.advice == "correct 'ip4:1.2.3', which SPF cannot read: the whole record counts as none"


@pytest.mark.parametrize("text", ["v=spf2 include:_spf.eu.example -all", "spf1 include:_spf.eu.example", "", " v=spf1"])
def test_what_is_no_spf_is_none(text: str) -> None:
    check = found(SPF, f'"{text}"')
    assert check.finding is Finding.MISSING
    assert check.found == (f'"{text}"',)


def test_two_spf_records_count_as_none() -> None:
    check = found(SPF, '"v=spf1 include:_spf.eu.example -all"', '"v=spf1 -all"')
    assert check.finding is Finding.DUPLICATE
    assert "leave one" in check.advice


# --- DKIM -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        f'"v=DKIM1; k=ed25519; p={KEY}"',
        f'"v=DKIM1;k=ed25519;p={KEY};"',
        f'"v=DKIM1; p={KEY}; k=ed25519"',
        f'"k=ed25519; p={KEY}"',
        f'" v = DKIM1 ; k = ed25519 ; p = {KEY[:4]} {KEY[4:]} ; "',
        f'"v=DKIM1; k=ed25519; p={KEY[:4]}" "{KEY[4:]}"',
        f'"v=DKIM1\\; k=ed25519\\; p={KEY}"',
        f'"v=DKIM1\\059 k=ed25519; p={KEY}"',
        f'"v=DKIM1; k=ed25519; n=a\\"quoted\\" note; t=s; s=email; h=sha1:sha256; x=new; p={KEY}"',
        f'"v=DKIM1; k=ed25519; s=*; p={KEY}"',
        f"v=DKIM1; k=ed25519; p={KEY}",
    ],
)
def test_a_right_key(value: str) -> None:
    assert found(DKIM, value).finding is Finding.OK


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("v=DKIM1; k=ed25519; p=", "revoked"),
        (f"v=DKIM1; k=ed25519; p={KEY[:-1]}y", "another key"),
        (f"v=DKIM1; k=ed25519; p={KEY.lower()}", "another key"),
        (f"v=DKIM1; p={KEY}", "another key"),
        (f"v=DKIM1; k=rsa; p={KEY}", "another key"),
        (f"v=DKIM1; k=ed25519; h=sha1; p={KEY}", "take h= out"),
        (f"v=DKIM1; k=ed25519; s=tlsrpt; p={KEY}", "take s= out"),
        (f"v=DKIM1; k=ed25519; t=y:s; p={KEY}", "take t=y out"),
        ("v=DKIM1; k=ed25519", "no DKIM key"),
        (f"k=ed25519; v=DKIM1; p={KEY}", "no DKIM key"),
        (f"v=DKIM2; k=ed25519; p={KEY}", "no DKIM key"),
        (f"v=DKIM1; k=ed25519; p={KEY}; p={KEY}", "no DKIM key"),
        (f"v=DKIM1;; k=ed25519; p={KEY}", "no DKIM key"),
        (f"v=DKIM1 k=ed25519 p={KEY}", "no DKIM key"),
        ("hello", "no DKIM key"),
        ("", "no DKIM key"),
        (";", "no DKIM key"),
    ],
)
def test_a_wrong_key(text: str, says: str) -> None:
    check = found(DKIM, f'"{text}"')
    assert check.finding is Finding.WRONG
    assert says in check.advice


def test_an_rsa_key_needs_no_k() -> None:
    domain = evolve(DOMAIN, dkim_record=f"v=DKIM1; k=rsa; p={KEY}")
    assert found(DKIM, f'"p={KEY}"', domain=domain).finding is Finding.OK


def test_a_trial_key_may_be_what_we_asked_for() -> None:
    domain = evolve(DOMAIN, dkim_record=f"v=DKIM1; k=ed25519; t=y; p={KEY}")
    assert found(DKIM, f'"v=DKIM1; k=ed25519; t=y; p={KEY}"', domain=domain).finding is Finding.OK


def test_two_keys_under_one_selector_are_one_too_many() -> None:
    assert found(DKIM, *RIGHT[DKIM], '"v=DKIM1; p="').finding is Finding.DUPLICATE


@given(st.lists(st.integers(0, 30), max_size=5).map(sorted), st.permutations(["k=ed25519", f"p={KEY}", "t=s"]))
def test_order_spaces_and_splitting_of_a_key_do_not_matter(cuts: list[int], tags: list[str]) -> None:
    text = "; ".join(["v=DKIM1", *tags])
    parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert found(DKIM, " ".join(f'"{part}"' for part in parts)).finding is Finding.OK


@given(st.sampled_from(PLACES), st.lists(st.text(max_size=40), max_size=3))
def test_whatever_stands_there_is_judged(place: tuple[str, RecordKind], values: list[str]) -> None:
    assert found(place, *values).finding in Finding
    assert found(place, *(f'"{value}"' for value in values)).finding in Finding


# --- DMARC ----------------------------------------------------------------------------------------------------------

WITH_DMARC = evolve(DOMAIN, dmarc="v=DMARC1; p=quarantine")


def dmarc(records: dict[str, list[str]], domain: SendingDomain = WITH_DMARC) -> Check:
    table = {(name, "TXT"): values for name, values in records.items()}
    report = verify(domain, StaticResolver({**RIGHT, **table}))  # type: ignore[dict-item]  # mypy widens "TXT" to str
    return report.checks[4]


def test_dmarc_is_asked_for_only_where_it_is_wanted() -> None:
    assert len(DOMAIN.records) == 4
    assert WITH_DMARC.records[4].name == "_dmarc.shop.example"
    assert WITH_DMARC.records[4].value == "v=DMARC1; p=quarantine"


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=quarantine",
        "v=DMARC1;p=reject;rua=mailto:d@shop.example",
        "v = DMARC1 ; p = Quarantine ; sp=none",
    ],
)
def test_a_dmarc_record_as_strict_or_stricter_is_right(text: str) -> None:
    assert dmarc({"_dmarc.shop.example": [f'"{text}"', '"a note"']}).finding is Finding.OK


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("v=DMARC1; p=none", "write p=quarantine"),
        ("v=DMARC1; p=maybe; rua=mailto:d@shop.example", "it asks for none"),
        ("v=DMARC1; rua=mailto:d@shop.example", "it asks for none"),
        ("v=DMARC1; p=maybe", "nothing that counts"),
        ("v=DMARC1", "nothing that counts"),
        ("v=DMARC1; p=reject; p=none", "nothing that counts"),
    ],
)
def test_a_wrong_dmarc_record(text: str, says: str) -> None:
    check = dmarc({"_dmarc.shop.example": [f'"{text}"']})
    assert check.finding is Finding.WRONG
    assert says in check.advice


@pytest.mark.parametrize("text", ["p=reject; v=DMARC1", "v=DMARC12; p=reject", "v=dmarc1; p=reject", "hello"])
def test_what_is_no_dmarc_record_is_none(text: str) -> None:
    check = dmarc({"_dmarc.shop.example": [f'"{text}"']})
    assert check.finding is Finding.MISSING
    assert check.found == (f'"{text}"',)


def test_two_dmarc_records_count_as_none() -> None:
    assert dmarc({"_dmarc.shop.example": ['"v=DMARC1; p=reject"'] * 2}).finding is Finding.DUPLICATE


NEWS = evolve(WITH_DMARC, name="news.eu.shop.example")
PARENT = "_dmarc.shop.example"
NEWS_KEY = {"s1._domainkey.news.eu.shop.example": RIGHT[DKIM]}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("v=DMARC1; p=reject", Finding.OK),
        ("v=DMARC1; p=none; sp=quarantine", Finding.OK),
        ("v=DMARC1; p=reject; sp=none", Finding.WRONG),
        ("v=DMARC1; p=none", Finding.WRONG),
    ],
)
def test_a_dmarc_record_of_a_domain_above_counts_for_those_below(text: str, finding: Finding) -> None:
    assert dmarc({**NEWS_KEY, PARENT: [f'"{text}"']}, NEWS).finding is finding


def test_the_nearest_dmarc_record_counts() -> None:
    records = {"_dmarc.eu.shop.example": ['"v=DMARC1; p=none"'], PARENT: ['"v=DMARC1; p=reject"']}
    assert dmarc({**NEWS_KEY, **records}, NEWS).finding is Finding.WRONG


def test_a_domain_above_that_gives_no_answer_is_unknown() -> None:
    resolver = StaticResolver({**RIGHT, (PARENT, "TXT"): ResolveError("timed out")})
    assert verify(NEWS, resolver).checks[4].finding is Finding.UNKNOWN


def test_no_top_level_is_asked_and_the_questions_are_bounded() -> None:
    resolver = StaticResolver()
    verify(evolve(WITH_DMARC, name=".".join("abcdefghijkl") + ".shop.example"), resolver)
    asked = [name for name, _ in resolver.asked if name.startswith("_dmarc.")]
    assert len(asked) == 7
    assert asked[-1] == "_dmarc.shop.example"


# --- the values -----------------------------------------------------------------------------------------------------


def test_names_are_written_as_the_dns_knows_them() -> None:
    domain = evolve(DOMAIN, name="Bücher.Example.", mail_host="SEND.bücher.example", dkim_selector="S1.eu")
    assert domain.name == "xn--bcher-kva.example"
    assert domain.records[0].name == "send.xn--bcher-kva.example"
    assert domain.records[3].name == "s1.eu._domainkey.xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "no name in the DNS"),
        ("name", "shop", "no full domain name"),
        ("name", "192.0.2.1", "no full domain name"),
        ("name", "[192.0.2.1]", "no name in the DNS"),
        ("name", "_dmarc.shop.example", "no full domain name"),
        ("name", "https://shop.example", "no name in the DNS"),
        ("name", None, "no name in the DNS"),
        ("name", b"shop.example", "no name in the DNS"),
        ("mail_host", "shop.example", "use a host such as send.shop.example"),
        ("mail_host", "SHOP.example.", "use a host such as send.shop.example"),
        ("link_host", "shop.example", "use a host such as links.shop.example"),
        ("link_host", "Send.shop.example", "nothing may stand beside a CNAME"),
        ("link_target", "links.shop.example.", "link_target is link_host itself"),
        ("link_target", "https://track.eu.example/", "no name in the DNS"),
        ("mail_exchange", "mx.eu.example.", "preference and host"),
        ("mail_exchange", "70000 mx.eu.example.", "preference and host"),
        ("mail_exchange", "-1 mx.eu.example.", "preference and host"),
        ("mail_exchange", "0 .", "no name in the DNS"),
        ("mail_exchange", None, "preference and host"),
        ("spf_include", "include:_spf.eu.example", "no name in the DNS"),
        ("spf_include", "", "no name in the DNS"),
        ("spf_include", "spf", "no domain that SPF can name"),
        ("spf_include", "_spf.eu.123", "no domain that SPF can name"),
        ("dkim_selector", "s 1", "no name in the DNS"),
        ("dkim_selector", ".".join(["a" * 60] * 4), "over 253 octets"),
        ("dkim_record", "", "write it as"),
        ("dkim_record", None, "write it as"),
        ("dkim_record", "p", "write it as"),
        ("dkim_record", "v=DKIM1; k=rsa", "write it as"),
        ("dkim_record", f"v=DKIM2; p={KEY}", "write it as"),
        ("dkim_record", f"p={KEY}; v=DKIM1", "write it as"),
        ("dkim_record", f"v=DKIM1;\np={KEY}", "write it as"),
        ("dkim_record", f"v=DKIM1; k=dsa; p={KEY}", "use rsa or ed25519"),
        ("dkim_record", "v=DKIM1; p=", "no public key"),
        ("dkim_record", "v=DKIM1; p=not base64", "no public key"),
        ("dkim_record", "v=DKIM1; p=schlüssel", "no public key"),
        ("dmarc", "p=none", "write it as"),
        ("dmarc", "v=DMARC1; p=perhaps", "write it as"),
        ("dmarc", "v=DMARC1;\r\np=none", "write it as"),
        ("dmarc", None, "write it as"),
    ],
)
def test_what_could_never_be_published_is_refused(field: str, value: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        evolve(DOMAIN, **{field: value})


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("s1._domainkey.Shop.example.", "s1._domainkey.shop.example"),
        ("_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example"),
        ("_465._tcp.shop.example", "_465._tcp.shop.example"),
        ("localhost", "localhost"),
    ],
)
def test_a_records_name_may_have_underscores(name: str, written: str) -> None:
    assert dns_name(name) == written


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "a b.example", "_.example", "a_b.example", "_a-.example", "a" * 64, "\0"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no name in the DNS"):
        dns_name(name)


@given(st.text(max_size=80))
def test_any_name_is_written_once_and_for_all_or_refused(name: str) -> None:
    try:
        written = dns_name(name)
    except ConfigurationError:
        return
    assert written.isascii()
    assert dns_name(written) == written
    assert Record("A", written, "192.0.2.1").name == written


# --- a DNS that answers from a table --------------------------------------------------------------------------------


def test_a_static_resolver_takes_names_as_the_dns_does() -> None:
    resolver = StaticResolver({("Links.Shop.example.", "CNAME"): ["track.eu.example."]})
    assert resolver.lookup("LINKS.shop.example", "CNAME") == ["track.eu.example."]
    assert resolver.lookup("links.shop.example", "TXT") == []
    assert resolver.asked == [("links.shop.example", "CNAME"), ("links.shop.example", "TXT")]


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ({("a.example", "SRV"): []}, "kind of record"),
        ({("a b", "TXT"): []}, "no name in the DNS"),
        ({("a.example", "TXT"): '"x"'}, "put it into a list"),
        ({("a.example", "TXT"): [], ("A.example", "TXT"): []}, "stands there twice"),
    ],
)
def test_a_wrong_table_is_refused(records: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        StaticResolver(records)


def test_a_question_that_cannot_be_is_refused() -> None:
    kind: Any = "SRV"
    with pytest.raises(ConfigurationError, match="kind of record"):
        StaticResolver().lookup("a.example", kind)


def test_sending_domains_are_named_as_the_dns_has_them() -> None:
    assert names_of([DOMAIN, "Müller.example"]) == ("shop.example", "xn--mller-kva.example")
    assert names_of([]) == ()


@pytest.mark.parametrize(
    ("domains", "why"),
    [
        ("shop.example", "domains is one text, 'shop.example': give a list"),
        (["shop..example"], "'shop..example' is named as a sending domain"),
        ([None], "None stands among the domains: give a SendingDomain"),
    ],
)
def test_what_is_no_sending_domain_is_refused_with_a_way_out(domains: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        names_of(domains)
