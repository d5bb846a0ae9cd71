"""Which server a mail goes through."""

import asyncio
from collections.abc import Callable
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
    DeliveryId,
    Failover,
    Mail,
    Outgoing,
    Reply,
    Sender,
)
from custom_smtp.edge.threads import InThread
from custom_smtp.errors import (
    AuthError,
    ConfigurationError,
    ConnectError,
    RefusedError,
    RouteError,
    Step,
    TlsError,
    TransportError,
    UncertainError,
)
from custom_smtp.outgoing import Envelope
from custom_smtp.testing import RecordingTransport

MAIL = Mail(sender=Address("hello@shop.example"), to=Address("ada@example.net"), subject="News", text="...")
OUTGOING = Outgoing(DeliveryId("d1"), Envelope(None, (Address("ada@example.net"),)), b"Subject: x\r\n\r\n")


@define(eq=False)
class Named:
    """A sender that says which it is."""

    name: str

    def send(self, _mail: Mail, /) -> str:
        return self.name


MAIN, BULK, FRESH = Named("main"), Named("bulk"), Named("fresh")


# By campaign


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


# Failover


def failing(error: TransportError) -> RecordingTransport:
    def answer(_outgoing: Outgoing) -> Reply:
        raise error

    return RecordingTransport(answer)


def refused(code: int, at: Step) -> Callable[[], TransportError]:
    return lambda: RefusedError(Reply(code, "no"), at=at)


GO_ON: dict[str, Callable[[], TransportError]] = {
    "no connection": lambda: ConnectError("no route"),
    "no secret channel": lambda: TlsError("stripped"),
    "no login": lambda: AuthError("wrong password"),
    "421 at the door": refused(421, Step.CONNECT),
    "554 at the door": refused(554, Step.CONNECT),
    "550 to EHLO": refused(550, Step.EHLO),
    "451 to MAIL": refused(451, Step.MAIL),
    "450 to RCPT": refused(450, Step.RCPT),
    "452 to DATA": refused(452, Step.DATA),
}
STOP: dict[str, Callable[[], TransportError]] = {
    "uncertain": lambda: UncertainError("the line broke"),
    "550 to MAIL": refused(550, Step.MAIL),
    "550 to RCPT": refused(550, Step.RCPT),
    "554 to DATA": refused(554, Step.DATA),
    "451 to the content": refused(451, Step.CONTENT),
    "554 to the content": refused(554, Step.CONTENT),
    "something unknown": lambda: TransportError("?"),
}


@pytest.mark.parametrize("case", GO_ON)
def test_it_goes_on_where_the_mail_cannot_have_been_taken(case: str) -> None:
    spare, error = RecordingTransport(), GO_ON[case]()
    receipt = Failover((failing(error), spare)).deliver(OUTGOING)
    assert receipt.earlier == (error,)
    assert spare.delivered == [OUTGOING]


@pytest.mark.parametrize("case", STOP)
def test_it_never_goes_on_where_a_second_mail_or_a_second_refusal_would_come_of_it(case: str) -> None:
    spare, error = RecordingTransport(), STOP[case]()
    with pytest.raises(TransportError) as caught:
        Failover((failing(error), spare)).deliver(OUTGOING)
    assert caught.value is error
    assert not spare.delivered


def test_where_all_fail_the_last_error_tells_of_the_others() -> None:
    first, second, third = ConnectError("first"), TlsError("second"), ConnectError("third")
    with pytest.raises(ConnectError, match="third") as caught:
        Failover([failing(first), failing(second), failing(third)]).deliver(OUTGOING)
    assert caught.value.earlier == (first, second)


def test_a_failover_in_a_failover_tells_of_each_once() -> None:
    errors = [ConnectError("first"), ConnectError("second"), ConnectError("third")]
    inner = Failover((failing(errors[1]), failing(errors[2])))
    receipt = Failover((failing(errors[0]), inner, RecordingTransport())).deliver(OUTGOING)
    assert list(receipt.earlier) == errors


def test_the_same_server_may_be_asked_twice() -> None:
    error = ConnectError("no route")
    server = failing(error)
    receipt = Failover((server, server, RecordingTransport())).deliver(OUTGOING)
    assert receipt.reply.code == 250


def test_the_first_that_can_is_the_only_one_asked() -> None:
    first, second = RecordingTransport(), RecordingTransport()
    receipt = Failover((first, second)).deliver(OUTGOING)
    assert receipt.earlier == ()
    assert not second.delivered


def test_a_failover_of_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one"):
        Failover(())
