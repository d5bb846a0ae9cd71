"""Several transports as one: whom is asked, in which state it goes on, and who rests for how long."""

import gc
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Barrier, Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, DeliveryId, Failover, Outgoing, Receipt, Reply, RoundRobin
from custom_smtp.errors import (
    AuthError,
    ConfigurationError,
    ConnectError,
    Refusal,
    RefusedError,
    Retry,
    Step,
    TlsError,
    TransportError,
    UncertainError,
)
from custom_smtp.failover import Health
from custom_smtp.outgoing import Envelope
from custom_smtp.testing import FrozenClock, RecordingTransport

OUTGOING = Outgoing(DeliveryId("d1"), Envelope(None, (Address("ada@example.net"),)), b"Subject: x\r\n\r\n")
REST, LONGEST = timedelta(minutes=1), timedelta(minutes=5)

Ending = Callable[[], BaseException] | None
"""What becomes of a mail: an error made anew, or None where it is taken."""


@define(eq=False)
class Staged:
    """A transport that does as it is told, and counts how often it was asked."""

    ending: Ending = None
    asked: int = 0

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        self.asked += 1
        if self.ending is not None:
            raise self.ending()
        return Receipt(outgoing.delivery_id, Reply(250, "taken"))


def refused(code: int, at: Step, text: str = "no") -> Ending:
    return lambda: RefusedError(Reply(code, text), at=at)


OUT_OF_REACH: Ending = lambda: ConnectError("no route")  # noqa: E731 - one line of a table, as its neighbours


@define
class House:
    """A failover of staged servers, with its clock."""

    servers: list[Staged]
    clock: FrozenClock = field(factory=FrozenClock)
    failover: Failover = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.failover = Failover(self.servers, rest=REST, longest_rest=LONGEST, clock=self.clock)

    def deliver(self) -> Receipt | BaseException:
        try:
            return self.failover.deliver(OUTGOING)
        except (TransportError, LookupError) as error:
            return error

    def asked(self) -> list[int]:
        return [server.asked for server in self.servers]

    def rests(self) -> list[bool]:
        return [not health.working for health in self.failover.health]


def house(*endings: Ending) -> House:
    return House([Staged(ending) for ending in endings])


# In which state it goes on, and who rests

GOES_ON, STOPS = True, False
RESTS, WORKS = True, False
STATES: dict[str, tuple[Ending, bool, bool]] = {
    "no connection": (OUT_OF_REACH, GOES_ON, RESTS),
    "no secret channel": (lambda: TlsError("stripped", retry=Retry.NEVER), GOES_ON, RESTS),
    "no login": (lambda: AuthError("wrong password", reply=Reply(535, "5.7.8 no")), GOES_ON, RESTS),
    "no login now": (lambda: AuthError("busy", reply=Reply(454, "4.7.0 later")), GOES_ON, RESTS),
    "421 at the door": (refused(421, Step.CONNECT), GOES_ON, RESTS),
    "554 at the door": (refused(554, Step.CONNECT), GOES_ON, RESTS),
    "550 to EHLO": (refused(550, Step.EHLO), GOES_ON, RESTS),
    "502 to EHLO": (refused(502, Step.EHLO, "5.5.1 what?"), GOES_ON, RESTS),
    "454 to STARTTLS": (refused(454, Step.STARTTLS), GOES_ON, RESTS),
    "530 to AUTH": (refused(530, Step.AUTH), GOES_ON, RESTS),
    "too large for its SIZE": (refused(552, Step.EHLO, "5.3.4 too large"), GOES_ON, WORKS),
    "no SMTPUTF8": (refused(550, Step.EHLO, "5.6.7 not offered"), GOES_ON, WORKS),
    "no 8BITMIME": (refused(554, Step.EHLO, "5.6.3 not offered"), GOES_ON, WORKS),
    "no REQUIRETLS": (refused(550, Step.EHLO, "5.7.30 not offered"), GOES_ON, WORKS),
    "more recipients than its RCPTMAX": (refused(550, Step.EHLO, "5.5.3 too many"), GOES_ON, WORKS),
    "421 to MAIL": (refused(421, Step.MAIL), GOES_ON, RESTS),
    "451 to MAIL": (refused(451, Step.MAIL), GOES_ON, WORKS),
    "550 to MAIL": (refused(550, Step.MAIL), STOPS, WORKS),
    "421 to RCPT": (refused(421, Step.RCPT), GOES_ON, RESTS),
    "450 to RCPT": (refused(450, Step.RCPT), GOES_ON, WORKS),
    "452 to RCPT": (refused(452, Step.RCPT), GOES_ON, WORKS),
    "550 to RCPT": (refused(550, Step.RCPT), STOPS, WORKS),
    "553 to RCPT": (refused(553, Step.RCPT), STOPS, WORKS),
    "421 to DATA": (refused(421, Step.DATA), GOES_ON, RESTS),
    "452 to DATA": (refused(452, Step.DATA), GOES_ON, WORKS),
    "554 to DATA": (refused(554, Step.DATA), STOPS, WORKS),
    "421 to the content": (refused(421, Step.CONTENT), STOPS, RESTS),
    "451 to the content": (refused(451, Step.CONTENT), STOPS, WORKS),
    "554 to the content": (refused(554, Step.CONTENT), STOPS, WORKS),
    "uncertain": (lambda: UncertainError("the line broke"), STOPS, RESTS),
    "something unknown": (lambda: TransportError("?"), STOPS, WORKS),
    "a fault of the transport's own": (lambda: LookupError("a slip"), STOPS, WORKS),
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_goes_on_or_stops_and_rests_or_works(state: str) -> None:
    ending, goes_on, rests = STATES[state]
    trying = house(ending, None)
    told = trying.deliver()
    assert trying.asked() == [1, int(goes_on)]
    assert trying.rests() == [rests, WORKS]
    assert isinstance(told, Receipt) is goes_on


@pytest.mark.parametrize("state", STATES)
def test_each_state_of_a_server_that_is_tried_again(state: str) -> None:
    ending, goes_on, rests = STATES[state]
    trying = house(OUT_OF_REACH, None)
    trying.deliver()
    trying.clock.advance(REST)
    trying.servers[0].ending = ending
    trying.deliver()
    assert trying.asked() == [2, 1 + goes_on]
    [health, _] = trying.failover.health
    if ending is None or not state.startswith(("something", "a fault")):
        assert health.working is not rests
        assert not health.probing
        assert health.failures == (2 if rests else 0)
    else:  # nothing was learned: the next mail may try
        assert (health.working, health.probing, health.failures) == (False, False, 1)
        assert not health.rests_at(trying.clock())


def test_a_transports_own_fault_passes_through_as_it_is() -> None:
    assert isinstance(house(lambda: LookupError("a slip"), None).deliver(), LookupError)


def test_bad_recipients_without_number_make_no_server_rest() -> None:
    trying = house(refused(550, Step.RCPT, "5.1.1 no such user"), None)
    for _ in range(100):
        assert isinstance(trying.deliver(), RefusedError)
    assert trying.asked() == [100, 0]
    assert trying.failover.health == (Health(), Health())
    trying.servers[0].ending = None
    assert isinstance(trying.deliver(), Receipt)


# Resting, and coming back


def test_a_server_that_fails_is_passed_over_until_its_rest_is_over() -> None:
    trying = house(OUT_OF_REACH, None)
    for _ in range(5):
        assert isinstance(trying.deliver(), Receipt)
    assert trying.asked() == [1, 5]
    trying.clock.advance(REST - timedelta(microseconds=1))
    trying.deliver()
    assert trying.asked() == [1, 6]
    trying.clock.advance(timedelta(microseconds=1))
    trying.servers[0].ending = None
    for _ in range(3):
        trying.deliver()
    assert trying.asked() == [4, 6]


def test_a_server_that_is_not_back_rests_twice_as_long_up_to_a_most() -> None:
    trying, rests = house(OUT_OF_REACH, None), []
    for _ in range(5):
        trying.deliver()
        health = trying.failover.health[0]
        assert health.resting_since == trying.clock()
        assert health.resting_until is not None
        rests.append(health.resting_until - health.resting_since)
        trying.clock.now = health.resting_until
    assert rests == [REST, 2 * REST, 4 * REST, LONGEST, LONGEST]
    trying.servers[0].ending = None
    trying.deliver()
    trying.servers[0].ending = OUT_OF_REACH
    trying.deliver()
    until = trying.failover.health[0].resting_until
    assert until == trying.clock() + REST  # it had been back: it begins anew


def test_where_all_rest_the_one_whose_rest_ends_first_is_asked_first() -> None:
    trying = house(OUT_OF_REACH, None, None)
    trying.deliver()
    trying.clock.advance(timedelta(seconds=20))
    trying.servers[1].ending = OUT_OF_REACH
    trying.deliver()
    trying.servers[2].ending = OUT_OF_REACH
    trying.deliver()  # the third fails, and the other two rest: they are asked at need
    assert trying.rests() == [RESTS] * 3
    assert trying.asked() == [2, 3, 2]
    for server in trying.servers:
        server.ending = None
    assert isinstance(trying.deliver(), Receipt)
    assert trying.asked() == [3, 3, 2]
    assert trying.rests() == [WORKS, RESTS, RESTS]


def test_a_mail_is_never_refused_because_all_rest() -> None:
    trying = house(OUT_OF_REACH, OUT_OF_REACH)
    trying.deliver()
    trying.servers[1].ending = None
    told = trying.deliver()
    assert isinstance(told, Receipt)
    assert [str(error) for error in told.earlier] == ["no route"]
    assert trying.rests() == [RESTS, WORKS]


def test_to_be_asked_at_need_neither_ends_a_rest_nor_prolongs_it() -> None:
    trying = house(OUT_OF_REACH)
    trying.deliver()
    until = trying.failover.health[0].resting_until
    for _ in range(10):
        trying.clock.advance(timedelta(seconds=1))
        trying.deliver()
    [health] = trying.failover.health
    assert (health.resting_until, health.failures) == (until, 11)
    assert trying.asked() == [11]


def test_a_clock_that_is_set_back_makes_nobody_rest_for_ever() -> None:
    trying = house(OUT_OF_REACH, None)
    trying.deliver()
    trying.servers[0].ending = None
    trying.clock.advance(-timedelta(days=365))
    trying.deliver()
    assert trying.asked() == [2, 1]


def test_a_rest_does_not_change_with_summer_time() -> None:
    before = datetime(2026, 3, 29, 1, 59, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # at 2:00 it will be 3:00
    trying = House([Staged(OUT_OF_REACH), Staged()], FrozenClock(before))
    trying.deliver()
    until = trying.failover.health[0].resting_until
    assert until is not None
    assert until.timestamp() - before.timestamp() == 60


def test_health_is_told_in_words() -> None:
    trying = house(OUT_OF_REACH, None)
    assert [str(health) for health in trying.failover.health] == ["working", "working"]
    trying.deliver()
    assert str(trying.failover.health[0]) == (
        "resting until 2026-01-02T05:01:00+00:00, 1 failed in a row, last with ConnectError: no route"
    )
    trying.clock.advance(REST)
    seen: list[Health] = []

    def look() -> BaseException:
        seen.extend(trying.failover.health)
        return ConnectError("still no route")

    trying.servers[0].ending = look
    trying.deliver()
    assert seen[0].probing
    assert str(seen[0]) == "being tried again, 1 failed in a row, last with ConnectError: no route"


def test_the_last_error_is_still_there_when_it_is_back() -> None:
    trying = house(OUT_OF_REACH, None)
    trying.deliver()
    trying.clock.advance(REST)
    trying.servers[0].ending = None
    trying.deliver()
    [health, _] = trying.failover.health
    assert health.working
    assert health.failures == 0
    assert isinstance(health.last_error, ConnectError)


def test_the_last_error_keeps_no_mail() -> None:
    class Big:
        pass

    kept: list[Any] = []

    def failing() -> BaseException:
        big = Big()
        kept.append(weakref.ref(big))
        error = ConnectError("no route")
        error.__cause__ = OSError(big)
        return error

    trying = house(failing, None)
    trying.deliver()
    gc.collect()
    assert kept[0]() is None
    assert trying.failover.health[0].last_error is not None


@given(st.data())
def test_whatever_happens_it_asks_in_order_each_once_and_never_too_often(data: st.DataObject) -> None:
    several = data.draw(st.integers(1, 4))
    trying = house(*[None] * several)
    for _ in range(data.draw(st.integers(1, 12))):
        states = data.draw(st.lists(st.sampled_from([None, *STATES]), min_size=several, max_size=several))
        for server, state in zip(trying.servers, states, strict=True):
            server.ending = STATES[state][0] if state else None
        trying.clock.advance(data.draw(st.timedeltas(timedelta(), 2 * REST)))
        before, health, now = trying.asked(), trying.failover.health, trying.clock()
        told = trying.deliver()
        asked = [place for place, server in enumerate(trying.servers) if server.asked > before[place]]
        assert asked
        assert max(server.asked - was for server, was in zip(trying.servers, before, strict=True)) == 1
        # One that took it, or after which nobody else may be asked; or else there was nobody left.
        ends = [place for place in asked if (state := states[place]) is None or not STATES[state][1]]
        assert len(ends) <= 1
        assert ends or len(asked) == several
        assert isinstance(told, Receipt) is any(states[place] is None for place in ends)
        fit = [place for place in range(several) if not health[place].rests_at(now)]
        of_fit = [place for place in asked if place in fit]
        assert of_fit == fit[: len(of_fit)]
        assert of_fit in (fit, asked)
        for each in trying.failover.health:
            assert each.working == (each.failures == 0)
            if each.resting_since is not None and each.resting_until is not None:
                assert REST <= each.resting_until - each.resting_since <= LONGEST


# What is told of those before


def failing(error: TransportError) -> RecordingTransport:
    def answer(_outgoing: Outgoing) -> Reply:
        raise error

    return RecordingTransport(answer)


def told(*transports: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        Failover(transports).deliver(OUTGOING)
    return caught.value


def test_where_all_fail_the_last_error_tells_of_the_others() -> None:
    first, second, third = ConnectError("first"), TlsError("second"), ConnectError("third")
    error = told(*map(failing, (first, second, third)))
    assert type(error) is ConnectError
    assert str(error) == "third"
    assert error.earlier == (first, second)


def test_an_error_alone_is_told_as_it_came() -> None:
    error = UncertainError("the line broke")
    assert told(failing(error), RecordingTransport()) is error


def test_errors_that_are_shared_stay_as_they_are() -> None:
    shared = ConnectError("no route")
    failover = Failover((failing(shared), failing(shared)))
    for _ in range(3):
        with pytest.raises(ConnectError) as caught:
            failover.deliver(OUTGOING)
        assert caught.value.earlier == (shared,)
    assert shared.earlier == ()
    receipt = Failover((failing(shared), RecordingTransport())).deliver(OUTGOING)
    assert receipt.earlier == (shared,)
    assert shared.earlier == ()


class Strange(ConnectError):
    """A stranger's error, made of other things than its words."""

    def __init__(self, status: int, /, *, body: str) -> None:
        super().__init__(f"the server said {status}")
        self.status, self.body = status, body


@pytest.mark.parametrize(
    "last",
    [
        Strange(503, body="busy"),
        RefusedError(Reply(550, "5.1.1 no such user"), at=Step.RCPT),
        AuthError("no", reply=Reply(535, "no")),
        UncertainError("the line broke"),
    ],
)
def test_an_error_that_tells_of_others_is_otherwise_the_same(last: TransportError) -> None:
    last.__cause__ = OSError("the reason")
    before, held = ConnectError("first", retry=Retry.NEVER), dict(last.__dict__)
    error = told(failing(before), failing(last))
    assert error is not last
    assert (type(error), str(error), error.args) == (type(last), str(last), last.args)
    assert error.__dict__ == held | {"earlier": (before,)}
    assert error.__cause__ is last.__cause__
    assert last.earlier == ()
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert "answer" in frames  # where it came from


def test_a_failover_in_a_failover_tells_of_each_once() -> None:
    errors = [ConnectError("first"), ConnectError("second"), ConnectError("third")]
    inner = Failover((failing(errors[1]), failing(errors[2])))
    receipt = Failover((failing(errors[0]), inner, RecordingTransport())).deliver(OUTGOING)
    assert list(map(str, receipt.earlier)) == ["first", "second", "third"]


LATER, NEVER, RISKY = ConnectError("away"), TlsError("wrong name", retry=Retry.NEVER), UncertainError("broke")
MAIL_NEVER = RefusedError(Reply(550, "no such user"), at=Step.RCPT)


@pytest.mark.parametrize(
    ("errors", "retry"),
    [
        ((LATER, LATER), Retry.LATER),
        ((NEVER, NEVER), Retry.NEVER),
        ((LATER, NEVER), Retry.LATER),
        ((NEVER, LATER), Retry.LATER),
        ((LATER, MAIL_NEVER), Retry.NEVER),
        ((LATER, RISKY), Retry.RISKY),
    ],
)
def test_another_try_is_judged_by_all_that_were_asked(errors: Sequence[TransportError], retry: Retry) -> None:
    assert told(*map(failing, errors)).retry is retry


def test_the_same_server_may_be_asked_twice() -> None:
    server = failing(ConnectError("no route"))
    receipt = Failover((server, server, RecordingTransport())).deliver(OUTGOING)
    assert len(receipt.earlier) == 2


def test_the_first_that_can_is_the_only_one_asked() -> None:
    first, second = RecordingTransport(), RecordingTransport()
    receipt = Failover((first, second)).deliver(OUTGOING)
    assert receipt.earlier == ()
    assert not second.delivered


# In turns


def test_in_turns_each_is_the_first_as_often_as_the_others() -> None:
    servers = [Staged(), Staged(), Staged()]
    turns = RoundRobin(servers)
    for _ in range(300):
        turns.deliver(OUTGOING)
    assert [server.asked for server in servers] == [100, 100, 100]
    assert turns.health == (Health(), Health(), Health())


def test_in_turns_a_server_that_rests_is_passed_over_and_comes_back() -> None:
    clock, servers = FrozenClock(), [Staged(), Staged(OUT_OF_REACH), Staged()]
    turns = RoundRobin(servers, rest=REST, clock=clock)
    for _ in range(9):
        turns.deliver(OUTGOING)
    assert servers[1].asked == 1
    assert servers[0].asked + servers[2].asked == 9
    servers[1].ending = None
    clock.advance(REST)
    for _ in range(9):
        turns.deliver(OUTGOING)
    assert all(health.working for health in turns.health)
    assert servers[1].asked == 4


@pytest.mark.parametrize("state", STATES)
def test_in_turns_it_goes_on_from_the_same_states(state: str) -> None:
    ending, goes_on, rests = STATES[state]
    servers = [Staged(ending), Staged()]
    turns = RoundRobin(servers, clock=FrozenClock())
    try:
        turns.deliver(OUTGOING)
    except (TransportError, LookupError):
        assert not goes_on
    assert servers[1].asked == int(goes_on)
    assert turns.health[0].working is not rests


# Shared by threads


def at_once(jobs: Iterable[Callable[[], object]]) -> list[object]:
    jobs = list(jobs)
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result(10) for future in [pool.submit(job) for job in jobs]]


def test_one_mail_at_a_time_tries_a_server_whose_rest_is_over() -> None:
    trying = house(OUT_OF_REACH, None)
    trying.deliver()
    trying.clock.advance(REST)
    begun, may_end = Event(), Event()

    def slowly() -> BaseException:
        begun.set()
        assert may_end.wait(10)
        return ConnectError("still no route")

    trying.servers[0].ending = slowly
    with ThreadPoolExecutor(1) as pool:
        probe = pool.submit(trying.deliver)
        assert begun.wait(10)
        for _ in range(20):
            assert isinstance(trying.deliver(), Receipt)
        assert trying.asked() == [2, 21]
        may_end.set()
        assert isinstance(probe.result(10), Receipt)
    assert trying.failover.health[0].failures == 2


def test_a_mail_at_need_beside_the_one_that_tries_leaves_its_end_to_it() -> None:
    trying = house(OUT_OF_REACH)
    trying.deliver()
    trying.clock.advance(REST)
    nested: list[object] = []

    def asks_again() -> BaseException:
        trying.servers[0].ending = OUT_OF_REACH
        nested.append(trying.deliver())  # while the first is on its way
        return ConnectError("still no route")

    trying.servers[0].ending = asks_again
    trying.deliver()
    assert isinstance(nested[0], ConnectError)
    [health] = trying.failover.health
    assert (health.failures, health.probing) == (2, False)
    assert health.resting_until == trying.clock() + 2 * REST


def test_a_mail_at_need_that_is_taken_ends_the_rest_and_the_slower_one_says_nothing_new() -> None:
    trying = house(OUT_OF_REACH)
    trying.deliver()
    trying.clock.advance(REST)

    def asks_again() -> BaseException:
        trying.servers[0].ending = None
        trying.deliver()
        return ConnectError("a line from before")

    trying.servers[0].ending = asks_again
    trying.deliver()
    assert trying.rests() == [WORKS]


def test_a_mail_from_before_an_outage_neither_ends_the_rest_nor_prolongs_it() -> None:
    for late in (None, OUT_OF_REACH):
        trying = house(None, None)

        def fails_for_the_next(late: Ending = late, trying: House = trying) -> BaseException:
            trying.servers[0].ending = OUT_OF_REACH
            trying.deliver()
            trying.clock.advance(timedelta(seconds=30))
            return late() if late else ConnectError("?")

        trying.servers[0].ending = fails_for_the_next
        start = trying.clock()
        trying.deliver()
        [health, _] = trying.failover.health
        assert (health.resting_until, health.failures) == (start + REST, 1)


def test_threads_that_fail_together_are_one_failure() -> None:
    several = 16
    barrier = Barrier(several)

    def together() -> BaseException:
        barrier.wait(10)
        return ConnectError("no route")

    trying = house(together, None)
    receipts = at_once([trying.deliver] * several)
    assert all(isinstance(receipt, Receipt) for receipt in receipts)
    [health, _] = trying.failover.health
    assert health.failures == 1
    assert health.resting_until == trying.clock() + REST


def test_threads_never_try_together_a_server_whose_rest_is_over() -> None:
    for _ in range(20):
        trying = house(OUT_OF_REACH, None)
        trying.deliver()
        trying.clock.advance(REST)
        start = Barrier(8)

        def deliver(start: Barrier = start, trying: House = trying) -> object:
            start.wait(10)
            return trying.deliver()

        receipts = at_once([deliver] * 8)
        assert all(isinstance(receipt, Receipt) for receipt in receipts)
        # Whoever came when the first was done found it resting again.
        assert trying.servers[0].asked == 2
        assert trying.failover.health[0].failures == 2


def test_spells_gone_by_are_forgotten() -> None:
    trying = house(OUT_OF_REACH)
    for _ in range(5000):
        trying.deliver()
    watch = trying.failover._watches[0]
    assert watch.spell.health.failures == 5000
    assert watch._known is watch.spell


# What cannot be

WRONG: dict[str, dict[str, Any]] = {
    "one transport": {"transports": Staged()},
    "none": {"transports": ()},
    "what delivers nothing": {"transports": ["smtp.example"]},
    "no rest": {"rest": timedelta()},
    "a rest without unit": {"rest": 60},
    "a rest of years": {"rest": timedelta(days=366)},
    "a longest rest that is shorter": {"rest": REST, "longest_rest": REST / 2},
    "a longest rest without unit": {"longest_rest": 60},
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", [Failover, RoundRobin])
def test_what_cannot_be_is_refused_where_it_is_made(kind: Any, wrong: str) -> None:
    with pytest.raises(ConfigurationError):
        kind(**{"transports": [Staged()]} | WRONG[wrong])


def test_a_failover_of_none_says_what_to_do() -> None:
    with pytest.raises(
        ConfigurationError, match="a RoundRobin of no transports delivers nothing: give it at least one"
    ):
        RoundRobin(())


def test_the_longest_rest_is_sixteen_rests_unless_said_otherwise() -> None:
    assert Failover([Staged()]).longest_rest == timedelta(minutes=16)
    assert RoundRobin([Staged()], rest=timedelta(days=300)).longest_rest == timedelta(days=365)


def test_a_mail_that_one_recipient_lost_for_good_goes_nowhere_else() -> None:
    """The other recipient's 450 could be tried elsewhere, but the first would be asked for again."""
    error = RefusedError(Reply(450, "4.2.0 later"), at=Step.RCPT)
    lost = RefusedError(Reply(550, "5.1.1 no"), at=Step.RCPT)
    assert _goes_on_after(error)
    error.refused = (Refusal(Address("ada@example.net"), lost),)
    assert not _goes_on_after(error)


def _goes_on_after(error: TransportError) -> bool:
    asked: list[Outgoing] = []

    def never(outgoing: Outgoing) -> Reply:
        asked.append(outgoing)
        return Reply(250)

    def failing(_outgoing: Outgoing) -> Reply:
        raise error

    with suppress(RefusedError):
        Failover((RecordingTransport(failing), RecordingTransport(never))).deliver(OUTGOING)
    return bool(asked)
