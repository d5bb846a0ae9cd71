"""Which server a mail goes through."""

import asyncio
from typing import Any

import pytest
from attrs import define, evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import (
    Address,
    AsyncSender,
    ByCampaign,
    CampaignType,
    DomainReport,
    Failover,
    Mail,
    Preparation,
    RoundRobin,
    Sender,
    SendingDomain,
    Server,
    SmtpTransport,
)
from custom_smtp.dns_records import Record
from custom_smtp.domains import Check, Finding
from custom_smtp.edge.threads import InThread
from custom_smtp.errors import ConfigurationError, RouteError
from custom_smtp.merging import ToSend
from custom_smtp.routing import (
    DomainNotAdded,
    DomainNotVerified,
    Reason,
    ServerShared,
    ServerUnused,
    TypesAlike,
    TypeWithoutServer,
)
from custom_smtp.testing import RecordingTransport

MAIL = Mail(sender=Address("hello@shop.example"), to=Address("ada@example.net"), subject="News", text="...")


@define(eq=False)
class Named:
    """A sender that says which it is."""

    name: str

    def send(self, _mail: ToSend, /) -> str:
        return self.name


MAIN, BULK, FRESH = Named("main"), Named("bulk"), Named("fresh")


# The plan


def test_each_type_goes_to_its_server_and_the_rest_to_the_fallback() -> None:
    plan = ByCampaign(
        all_emails=MAIN, assigned={CampaignType.NEWSLETTER: BULK, "receipts": FRESH}, declared=("audits",)
    )
    routes = {campaign: plan.send(evolve(MAIL, campaign=campaign)) for campaign in (*plan.types, None)}
    assert routes == {
        "segment_triggered": "main",
        "event_triggered": "main",
        "newsletter": "bulk",
        "triggered_broadcast": "main",
        "receipts": "fresh",
        "audits": "main",
        None: "main",
    }


def test_a_type_may_be_named_by_its_text() -> None:
    plan = ByCampaign(all_emails=MAIN, assigned={"newsletter": BULK})
    assert plan.send(evolve(MAIL, campaign=CampaignType.NEWSLETTER)) == "bulk"
    assert plan.send(evolve(MAIL, campaign="newsletter")) == "bulk"


def test_a_type_that_nobody_declared_is_a_mistake() -> None:
    plan = ByCampaign(all_emails=MAIN, assigned={"receipts": BULK})
    with pytest.raises(RouteError, match=r"'reciepts'.*newsletter.*receipts") as caught:
        plan.send(evolve(MAIL, campaign="reciepts"))
    assert caught.value.campaign == "reciepts"


@given(
    campaign=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).filter(
        lambda name: name not in {*CampaignType, "receipts"}
    )
)
def test_no_undeclared_type_is_ever_sent(campaign: str) -> None:
    plan = ByCampaign(all_emails=MAIN, assigned={"receipts": BULK})
    with pytest.raises(RouteError):
        plan.send(evolve(MAIL, campaign=campaign))


def test_a_server_just_added_sends_nothing() -> None:
    fresh = RecordingTransport()
    plan = ByCampaign(all_emails=Sender(RecordingTransport()), unassigned=(Sender(fresh),))
    for campaign in (*plan.types, None):
        plan.send(evolve(MAIL, campaign=campaign))
    assert not fresh.delivered


WRONG_PLANS: dict[str, dict[str, Any]] = {
    "no fallback": {},
    "no fallback, but a type": {"assigned": {"newsletter": BULK}},
    "a fallback that is none": {"all_emails": None},
    "a type with no name": {"all_emails": MAIN, "assigned": {"": BULK}},
    "a declared type with no name": {"all_emails": MAIN, "declared": ("",)},
    "assigned as a list": {"all_emails": MAIN, "assigned": [("audits", BULK)]},
    "declared as a number": {"all_emails": MAIN, "declared": 7},
    "unassigned as one sender": {"all_emails": MAIN, "unassigned": BULK},
    "declared as one text": {"all_emails": MAIN, "declared": "audits"},
    "a type with no sender": {"all_emails": MAIN, "assigned": {"newsletter": None}},
    "both assigned and not": {"all_emails": MAIN, "assigned": {"newsletter": BULK}, "unassigned": (BULK,)},
    "the fallback not assigned": {"all_emails": MAIN, "unassigned": (MAIN,)},
}


@pytest.mark.parametrize("wrong", WRONG_PLANS)
def test_a_plan_that_cannot_be_is_refused_when_it_is_made(wrong: str) -> None:
    with pytest.raises(ConfigurationError):
        ByCampaign(**WRONG_PLANS[wrong])


def test_the_missing_fallback_is_named() -> None:
    with pytest.raises(ConfigurationError, match="all_emails"):
        ByCampaign(assigned={"newsletter": BULK})


def test_a_plan_of_async_senders_is_awaited() -> None:
    bulk = RecordingTransport()
    plan = ByCampaign(
        all_emails=AsyncSender(InThread(RecordingTransport())), assigned={"newsletter": AsyncSender(InThread(bulk))}
    )
    receipt = asyncio.run(plan.send(evolve(MAIL, campaign="newsletter")))
    assert receipt.reply.code == 250
    assert len(bulk.delivered) == 1


def test_a_plan_may_stand_in_a_plan() -> None:
    inner = ByCampaign(all_emails=BULK)
    assert (
        ByCampaign(all_emails=MAIN, assigned={"newsletter": inner}).send(evolve(MAIL, campaign="newsletter")) == "bulk"
    )


# The plan, explained


def through(host: str, *domains: str) -> Sender:
    return Sender(SmtpTransport(Server(host)), Preparation(domains=domains or None))


PLAN = ByCampaign(
    all_emails=through("main.example", "shop.example", "news.example"),
    assigned={CampaignType.NEWSLETTER: through("bulk.example", "news.example"), "receipts": through("fast.example")},
    declared=("audits",),
)
RECORD = Record("TXT", "shop.example", "v=spf1 -all")
RIGHT, MISSING = DomainReport([Check(RECORD, Finding.OK)]), DomainReport([Check(RECORD, Finding.MISSING)])

NEWS = SendingDomain(
    name="news.example",
    mail_host="mail.news.example",
    link_host="links.news.example",
    link_target="links.shop.example",
    mail_exchange="10 mx.example.",
    spf_include="spf.example",
    dkim_selector="s1",
    dkim_record="v=DKIM1; p=MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
)

EXPLAINED: dict[str, tuple[str | None, Reason, str]] = {
    "assigned": (
        "receipts",
        Reason.ASSIGNED,
        "A mail of the type 'receipts' goes through fast.example:587, which is assigned to that type.",
    ),
    "declared": (
        "audits",
        Reason.DECLARED,
        (
            "A mail of the type 'audits' goes through main.example:587, the one for all emails, since the type is "
            "declared and has no server of its own. shop.example is one of its sending domains."
        ),
    ),
    "fallback": (
        CampaignType.EVENT_TRIGGERED,
        Reason.FALLBACK,
        (
            "A mail of the type 'event_triggered' goes through main.example:587, the one for all emails, since no "
            "server is assigned to that type. shop.example is one of its sending domains."
        ),
    ),
    "no type": (
        None,
        Reason.FALLBACK,
        (
            "A mail of no campaign type goes through main.example:587, the one for all emails. "
            "shop.example is one of its sending domains."
        ),
    ),
    "unknown": (
        "reciepts",
        Reason.UNKNOWN,
        (
            "A mail of the type 'reciepts' goes nowhere: nobody declared that type; this plan knows segment_triggered, "
            "event_triggered, newsletter, triggered_broadcast, receipts, audits."
        ),
    ),
    "a domain that was not added": (
        "newsletter",
        Reason.ASSIGNED,
        (
            "A mail of the type 'newsletter' goes through bulk.example:587, which is assigned to that type. Yet it "
            "would be refused: shop.example is none of its sending domains, which are news.example."
        ),
    ),
}


@pytest.mark.parametrize("case", EXPLAINED)
def test_a_mails_way_is_told_in_words(case: str) -> None:
    campaign, reason, words = EXPLAINED[case]
    explanation = PLAN.explain(evolve(MAIL, campaign=campaign))
    assert explanation.reason is reason
    assert str(explanation) == words


@pytest.mark.parametrize("campaign", [*PLAN.types, None, "reciepts"])
def test_what_is_explained_is_what_happens(campaign: str | None) -> None:
    mail = evolve(MAIL, campaign=campaign)
    explanation = PLAN.explain(mail)
    try:
        sender = PLAN.sender_for(mail)
    except RouteError:
        assert (explanation.sender, explanation.reason) == (None, Reason.UNKNOWN)
    else:
        assert explanation.sender is sender


@pytest.mark.parametrize(("report", "words"), [(RIGHT, "are right."), (MISSING, "are not all right.")])
def test_what_the_dns_says_is_told_where_it_was_asked(report: DomainReport, words: str) -> None:
    explanation = PLAN.explain(evolve(MAIL, campaign="receipts"), report=report)
    assert explanation.domain_verified is report.verified
    assert str(explanation).endswith(f"The DNS records of shop.example {words}")


def test_a_plan_in_a_plan_is_explained_to_the_end() -> None:
    outer = ByCampaign(all_emails=MAIN, assigned={"receipts": PLAN})
    assert str(outer.explain(evolve(MAIL, campaign="receipts"))) == (
        "A mail of the type 'receipts' goes through a plan of its own, which is assigned to that type. There: "
        "A mail of the type 'receipts' goes through fast.example:587, which is assigned to that type."
    )


@pytest.mark.parametrize(
    ("sender", "named"),
    [
        (
            Sender(Failover((SmtpTransport(Server("a.example")), RecordingTransport()))),
            "a.example:587 or else Recording",
        ),
        (
            Sender(RoundRobin((SmtpTransport(Server("a.example", 465)), SmtpTransport(Server("b.example"))))),
            "a.example:465 in turns with b.example:587",
        ),
        (AsyncSender(InThread(SmtpTransport(Server("a.example")))), "a.example:587"),
        (MAIN, "Named"),
    ],
)
def test_a_server_is_told_as_people_know_it(sender: Any, named: str) -> None:
    assert f" goes through {named}" in str(ByCampaign(all_emails=sender).explain(MAIL))


# The plan, looked over


def test_a_plan_in_which_each_type_has_its_server_raises_no_brow() -> None:
    plan = ByCampaign(all_emails=MAIN, assigned={campaign: Named(campaign) for campaign in CampaignType})
    assert plan.lint() == ()
    assert plan.lint(domains=["shop.example"]) == ()


def test_a_type_without_a_server_of_its_own_is_found() -> None:
    plan = ByCampaign(
        all_emails=MAIN,
        assigned={campaign: Named(campaign) for campaign in CampaignType if campaign != "newsletter"}
        | {"receipts": MAIN},
        declared=("audits",),
    )
    assert plan.lint() == tuple(map(TypeWithoutServer, ("newsletter", "receipts", "audits")))
    assert (
        str(plan.lint()[0])
        == "The type 'newsletter' has no server of its own, and goes through the one for all emails."
    )


def found(plan: ByCampaign[Any], kind: type, **asked: Any) -> list[str]:
    return [str(finding) for finding in plan.lint(**asked) if isinstance(finding, kind)]


def test_a_server_that_sends_nothing_is_found() -> None:
    plan = ByCampaign(all_emails=MAIN, unassigned=(through("new.example"),))
    assert found(plan, ServerUnused) == ["new.example:587 sends nothing: no type is assigned to it."]


def test_a_server_for_two_types_is_found() -> None:
    bulk = through("bulk.example")
    plan = ByCampaign(all_emails=PLAN, assigned={"newsletter": bulk, "receipts": through("x.example"), "offers": bulk})
    assert found(plan, ServerShared) == [
        "bulk.example:587 sends several types, 'newsletter', 'offers': their reputation is one."
    ]
    twice = ByCampaign(all_emails=MAIN, assigned={"newsletter": PLAN, "offers": PLAN})
    assert found(twice, ServerShared)[0].startswith("A plan of its own sends")


def test_two_names_for_one_type_are_found() -> None:
    plan = ByCampaign(all_emails=MAIN, assigned={"News-Letter": BULK}, declared=("ой", "???", "!"))
    assert found(plan, TypesAlike) == [
        "The types 'newsletter' and 'News-Letter' are two to this plan: are they not one?"
    ]


def test_a_domain_that_a_server_would_refuse_is_found() -> None:
    assert found(PLAN, DomainNotAdded, domains=["Shop.Example", NEWS]) == [
        (
            "bulk.example:587 would refuse mail from shop.example: add it to its Preparation(domains=...), "
            "or send that mail elsewhere."
        )
    ]
    assert found(PLAN, DomainNotAdded) == []


def test_a_plan_in_a_plan_is_looked_over_for_domains_too() -> None:
    outer = ByCampaign(all_emails=MAIN, assigned={"receipts": PLAN, "offers": PLAN})
    assert found(outer, DomainNotAdded, domains=["shop.example"]) == found(
        PLAN, DomainNotAdded, domains=["shop.example"]
    )


def test_a_domain_whose_records_are_not_right_is_found() -> None:
    reports = {"NEWS.example": RIGHT, "shop.example": MISSING}
    assert found(PLAN, DomainNotVerified, reports=reports) == [
        "The DNS records of shop.example are not all right: see its report."
    ]
    # Whoever asks about a domain sends from it.
    assert len(found(PLAN, DomainNotAdded, reports=reports)) == 1


@pytest.mark.parametrize("asked", [{"domains": "shop.example"}, {"domains": ["a b"]}, {"reports": {"a@b": RIGHT}}])
def test_what_is_no_domain_cannot_be_asked_about(asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        PLAN.lint(**asked)
