"""The host of a mail's links: the domain's own where it is proven, else the default one, else no mail."""

from typing import Any

import pytest
from attrs import evolve

from custom_smtp import Address, DeliveryId, Mail, Preparation, SendingDomain, Tokens, Tracker, TrackingEndpoint
from custom_smtp.branding import LinkDomains, LinkReport, Otherwise
from custom_smtp.claims import Claim, Purpose
from custom_smtp.dns_records import RecordKind
from custom_smtp.domains import DomainReport, Finding, verify
from custom_smtp.errors import ConfigurationError, MailError
from custom_smtp.https_answers import HttpsAnswer, HttpsFailure
from custom_smtp.https_report import HttpsReport
from custom_smtp.link_rules import LinkRule
from custom_smtp.testing import FrozenClock, SerialIds
from custom_smtp.testing.resolver import StaticResolver
from custom_smtp.unsubscribe import Unsubscribe
from custom_smtp.web import Request

SHOP = SendingDomain(
    name="shop.example",
    mail_host="send.shop.example",
    link_host="links.shop.example",
    link_target="track.eu.example",
    mail_exchange="10 mx.eu.example.",
    spf_include="_spf.eu.example",
    dkim_selector="s1",
    dkim_record="v=DKIM1; k=ed25519; p=11qYAYKx",
)
PUBLISHED: dict[tuple[str, RecordKind], list[str]] = {
    ("send.shop.example", "MX"): ["10 mx.eu.example."],
    ("links.shop.example", "CNAME"): ["track.eu.example."],
}
RECORDS = verify(SHOP, StaticResolver(PUBLISHED))
HTTPS = HttpsReport(
    host="links.shop.example",
    https=Finding.OK,
    hsts=Finding.MISSING,
    policy=None,
    answer=HttpsAnswer(status=404),
)
NO_HTTPS = evolve(
    HTTPS, https=Finding.WRONG, advice="get a certificate", answer=HttpsAnswer(failure=HttpsFailure.CERTIFICATE)
)
WELL = LinkReport(RECORDS, HTTPS)
DEFAULT = "https://links.default.example/t"
OWN = "https://links.shop.example/t"


def without(*kinds: RecordKind) -> DomainReport:
    return verify(SHOP, StaticResolver({place: values for place, values in PUBLISHED.items() if place[1] not in kinds}))


def links(report: LinkReport | None, otherwise: Otherwise = Otherwise.DEFAULT) -> LinkDomains:
    latest = {} if report is None else {"shop.example": report}
    return LinkDomains(domains=[SHOP], latest=latest.get, otherwise=otherwise)


# --- Which base URL ---------------------------------------------------------------------------------------------------


def test_a_domain_with_mx_cname_and_https_leads_its_own_links() -> None:
    assert links(WELL).base_url(DEFAULT, "shop.example") == OWN
    assert links(WELL).why_not("shop.example") == ""


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (None, "was not looked up yet"),
        (LinkReport(without("MX"), HTTPS), "publish MX 10 mx.eu.example. at send.shop.example"),
        (LinkReport(without("CNAME"), HTTPS), "publish CNAME track.eu.example. at links.shop.example"),
        (LinkReport(without("MX", "CNAME"), HTTPS), "send.shop.example; publish CNAME"),
        (LinkReport(DomainReport(()), HTTPS), "not both looked up"),
        (LinkReport(RECORDS), "nobody asked whether it answers by https"),
        (LinkReport(RECORDS, NO_HTTPS), "get a certificate"),
        (LinkReport(RECORDS, evolve(HTTPS, host="links.former.example")), "use verify again"),
    ],
)
def test_anything_less_is_not_enough(report: LinkReport | None, why: str) -> None:
    assert links(report).base_url(DEFAULT, "shop.example") == DEFAULT
    with pytest.raises(MailError) as caught:
        links(report, Otherwise.REFUSE).base_url(DEFAULT, "shop.example")
    assert why in str(caught.value)
    assert str(caught.value).startswith("the links of shop.example have no host to lead over: ")


def test_what_was_found_of_the_host_before_a_rename_proves_nothing_of_the_new_one() -> None:
    renamed = evolve(SHOP, link_host="click.shop.example")
    choice = LinkDomains(domains=[renamed], latest={"shop.example": LinkReport(RECORDS)}.get)
    assert "use verify again" in choice.why_not("shop.example", "http")
    assert choice.base_url("http://default.example", "shop.example") == "http://default.example"


def test_a_domain_that_is_not_known_has_the_default() -> None:
    assert links(WELL).base_url(DEFAULT, "other.example") == DEFAULT
    with pytest.raises(MailError, match=r"other\.example is not among the domains"):
        links(WELL, Otherwise.REFUSE).base_url(DEFAULT, "other.example")


@pytest.mark.parametrize("https", [None, NO_HTTPS])
def test_links_in_clear_need_no_https(https: HttpsReport | None) -> None:
    report = LinkReport(RECORDS, https)
    assert links(report).base_url("http://default.example/t", "shop.example") == "http://links.shop.example/t"


def test_links_in_clear_do_not_lead_where_browsers_are_told_to_use_https() -> None:
    forced = LinkReport(RECORDS, evolve(NO_HTTPS, forced_by="shop.example"))
    assert links(forced).base_url("http://default.example/t", "shop.example") == "http://default.example/t"


@pytest.mark.parametrize(
    ("default", "own"),
    [
        ("https://links.default.example", "https://links.shop.example"),
        ("https://links.default.example:8443/a/b", "https://links.shop.example/a/b"),
        ("HTTPS://links.default.example/t", "https://links.shop.example/t"),
    ],
)
def test_scheme_and_path_stay(default: str, own: str) -> None:
    assert links(WELL).base_url(default, "shop.example") == own


def test_a_default_that_is_no_base_url_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        links(WELL).base_url("links.default.example", "shop.example")


# --- Reports that stay ------------------------------------------------------------------------------------------------


def unanswered(kind: RecordKind) -> DomainReport:
    checks = [evolve(c, finding=Finding.UNKNOWN) if c.record.kind == kind else c for c in RECORDS.checks]
    return DomainReport(checks)


@pytest.mark.parametrize("kind", ["MX", "CNAME"])
def test_a_look_up_that_was_lost_moves_no_links(kind: RecordKind) -> None:
    newest = LinkReport(unanswered(kind), HTTPS)
    assert newest.why_not("https")
    assert newest.after(WELL).why_not("https") == ""
    assert newest.after(None) is newest


def test_a_record_that_is_gone_moves_them() -> None:
    assert "publish MX" in LinkReport(without("MX"), HTTPS).after(WELL).why_not("https")


def test_a_silent_host_is_taken_at_its_last_word() -> None:
    silent = evolve(HTTPS, https=Finding.UNKNOWN, advice="ask again", answer=HttpsAnswer(failure=HttpsFailure.SILENT))
    assert LinkReport(RECORDS, silent).after(WELL).https is HTTPS
    assert LinkReport(RECORDS).after(WELL).https is HTTPS
    assert LinkReport(RECORDS, silent).after(LinkReport(RECORDS)).https is silent
    assert LinkReport(RECORDS, NO_HTTPS).after(WELL).https is NO_HTTPS


# --- In Preparation ---------------------------------------------------------------------------------------------------

TOKENS = Tokens((b"key of 32 bytes, from your vault",))
MAIL = Mail(
    sender=Address("hello@shop.example"),
    to=Address("ada@example.net"),
    subject="News",
    text="See https://shop.example/7 and {{unsubscribe_url}}",
)


def written(mail: Mail, choice: LinkDomains | None) -> str:
    preparation = Preparation(
        tracker=Tracker("https://links.default.example/t", TOKENS),
        unsubscribe=Unsubscribe("https://links.default.example/u", TOKENS),
        links=choice,
        clock=FrozenClock(),
        new_id=SerialIds(),
    )
    return bytes(preparation.prepare(mail).outgoing.content).decode()


@pytest.mark.parametrize(
    ("choice", "host"),
    [(None, "links.default.example"), (links(None), "links.default.example"), (links(WELL), "links.shop.example")],
)
def test_every_link_of_a_mail_leads_over_the_host_of_its_from_domain(choice: LinkDomains | None, host: str) -> None:
    content = written(MAIL, choice)
    assert content.count(f"https://{host}/u/") == 2
    assert content.count(f"https://{host}/t/c/") == 1
    assert content.count("https://") == 3


def test_mail_from_another_domain_keeps_the_default() -> None:
    other = evolve(MAIL, sender=Address("hello@other.example"))
    assert "links.shop.example" not in written(other, links(WELL))


def test_a_refused_mail_is_not_prepared() -> None:
    with pytest.raises(MailError, match="have no host to lead over"):
        written(MAIL, links(None, Otherwise.REFUSE))


def test_the_newest_report_is_asked_for_each_mail() -> None:
    reports: dict[str, LinkReport] = {}
    choice = LinkDomains(domains=[SHOP], latest=reports.get)
    assert "links.default.example" in written(MAIL, choice)
    reports["shop.example"] = WELL
    assert "links.default.example" not in written(MAIL, choice)


@pytest.mark.parametrize("report", [WELL, None])
@pytest.mark.parametrize(
    "ours",
    [
        "https://links.shop.example/t/c/token",
        "https://links.default.example/t/c/token",
        "http://links.former.example/t/c/token",
        "https://LINKS.former.example:8443/anything",
    ],
)
def test_links_that_are_ours_already_are_not_tracked_again(report: LinkReport | None, ours: str) -> None:
    choice = evolve(links(report), former_hosts=["Links.Former.example."])
    assert ours in written(evolve(MAIL, text=ours), choice)
    assert ours not in written(evolve(MAIL, text=ours), None) or "links.default.example" in ours


def test_other_pages_of_the_default_host_are_tracked() -> None:
    page = "https://links.default.example/about"
    assert page not in written(evolve(MAIL, text=page), links(WELL))


def test_a_default_that_is_an_address_works_too() -> None:
    tracker = Tracker("http://[::1]:8080/t", TOKENS)
    prepared = Preparation(tracker=tracker, links=links(None)).prepare(MAIL)
    assert b"http://[::1]:8080/t/c/" in bytes(prepared.outgoing.content)


def test_a_rule_of_ones_own_still_holds() -> None:
    tracker = Tracker("https://links.default.example/t", TOKENS, rules=[LinkRule("shop.example")])
    prepared = Preparation(tracker=tracker, links=links(WELL)).prepare(evolve(MAIL, text="https://shop.example/7"))
    assert b"https://shop.example/7" in bytes(prepared.outgoing.content)


def test_links_already_sent_work_under_every_name() -> None:
    token = TOKENS.issue(Claim(DeliveryId("d1"), "ada@example.net", "https://shop.example/7"), Purpose.CLICK)
    for host in ("links.shop.example", "click.shop.example", "links.default.example"):
        answer = TrackingEndpoint(TOKENS).answer(Request(path=f"/c/{token}", headers={"host": host}))
        assert dict(answer.response.headers)["location"] == "https://shop.example/7"


# --- What cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [
        {"domains": SHOP},
        {"domains": "shop.example"},
        {"domains": ["shop.example"]},
        {"domains": [SHOP, evolve(SHOP, link_host="l.shop.example")]},
        {"domains": 7},
        {"latest": {}},
        {"otherwise": "default"},
        {"former_hosts": "links.former.example"},
        {"former_hosts": ["a b"]},
        {"former_hosts": 7},
    ],
)
def test_a_choice_that_cannot_be_is_refused(parts: dict[str, Any]) -> None:
    told: dict[str, Any] = {"domains": [SHOP], "latest": nothing_known} | parts
    with pytest.raises(ConfigurationError):
        LinkDomains(**told)


def nothing_known(_domain: str) -> LinkReport | None:
    return None


def test_domains_may_be_given_by_name() -> None:
    assert LinkDomains(domains={"shop.example": SHOP}, latest=nothing_known).domains == {"shop.example": SHOP}
