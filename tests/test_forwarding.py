"""What is in the journal is forwarded: at least once, to each destination, whatever the others do."""

import base64
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import ArchiveError, ConfigurationError
from custom_smtp.events import About, Bounced, BounceKind, Delivered, Event, Opened
from custom_smtp.forwarding import RESTS, SCHEDULE, Forwarded, Forwarding, Settled
from custom_smtp.identifiers import DeliveryId
from custom_smtp.memory import MemoryJournal, MemoryOwedPosts
from custom_smtp.posts import Health, OwedPost, Post, Posted
from custom_smtp.testing import FrozenClock
from custom_smtp.testing.receivers import RecordingPosts, StandardReceiver
from custom_smtp.webhooks_out import StandardWebhook

START = datetime(2026, 1, 2, 5, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CRM = StandardWebhook(name="crm", url="https://crm.example/hooks", secrets=SECRET)
BILLING = StandardWebhook(name="billing", url="https://billing.example/hooks", secrets=SECRET, kinds=[Bounced])


def delivered(number: int) -> Delivered:
    name = f"d{number}"
    return Delivered(
        About(delivery_id=DeliveryId(name), recipient="ada@example.net", at=START, source="postmark", key=name)
    )


def bounced(number: int) -> Bounced:
    return Bounced(evolve(delivered(number).about, key=f"b{number}"), BounceKind.HARD)


@define
class Setting:
    """A journal, a store, a clock and somebody who answers."""

    answers: Callable[[Post], int | Posted] = lambda _post: 200
    destinations: tuple[StandardWebhook, ...] = (CRM,)
    options: dict[str, Any] = field(factory=dict)
    journal: MemoryJournal = field(factory=MemoryJournal)
    owed: MemoryOwedPosts = field(factory=MemoryOwedPosts)
    clock: FrozenClock = field(factory=FrozenClock)
    posts: RecordingPosts = field(init=False)
    forwarding: Forwarding = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.posts = RecordingPosts(lambda post: self.answers(post))
        self.forwarding = Forwarding(self.journal, self.owed, self.destinations, **self.options)

    def record(self, *events: Event) -> None:
        for event in events:
            self.journal.record(event)

    def forward(self, **options: Any) -> Forwarded:
        return self.forwarding.forward(self.posts, self.clock, **options)

    def told(self, url: str = CRM.url) -> list[str]:
        """The keys of what was posted to a URL, tried or taken, in order."""
        posted = [post for post in self.posts.posted if post.url == url]
        return [body["data"]["key"] for body in RecordingPosts.bodies(_having(posted))]


def _having(posted: list[Post]) -> RecordingPosts:
    posts = RecordingPosts()
    posts.posted.extend(posted)
    return posts


def test_what_is_recorded_is_forwarded_once_and_in_order() -> None:
    setting = Setting()
    setting.record(*map(delivered, range(5)))

    assert setting.forward() == Forwarded(taken=5)
    assert setting.told() == ["d0", "d1", "d2", "d3", "d4"]
    assert setting.forward() == Forwarded()
    setting.record(delivered(5), delivered(5))
    assert setting.forward() == Forwarded(taken=1)
    assert setting.forwarding.standing("crm").owed == 0


def test_what_is_posted_is_signed_for_the_moment_of_each_try() -> None:
    setting = Setting(lambda _post: 500)
    setting.record(delivered(0))
    setting.forward()
    setting.clock.advance(timedelta(hours=1))
    setting.forward()

    first, second = setting.posts.posted
    assert StandardReceiver(SECRET).read(first, START) == StandardReceiver(SECRET).read(second, setting.clock.now)


def test_each_destination_is_told_of_what_it_wants() -> None:
    setting = Setting(destinations=(CRM, BILLING))
    setting.record(delivered(0), bounced(0), delivered(1))

    assert setting.forward() == Forwarded(taken=4)
    assert setting.told(BILLING.url) == ["b0"]
    assert setting.forwarding.standing("billing").reached == 3


def test_one_that_fails_holds_up_no_other() -> None:
    setting = Setting(lambda post: 500 if post.url == BILLING.url else 200, (BILLING, CRM))
    for number in range(60):
        setting.record(bounced(number))
        setting.forward()

    assert len(setting.told(CRM.url)) == 60
    assert len(setting.told(BILLING.url)) == 3
    assert setting.forwarding.standing("billing").owed == 60


def test_one_event_that_is_not_taken_holds_up_no_other() -> None:
    setting = Setting(lambda post: 500 if b'"d2"' in post.body else 200)
    setting.record(*map(delivered, range(8)))
    setting.forward()

    assert setting.told() == [f"d{n}" for n in range(8)]
    assert setting.forwarding.standing("crm") == evolve(setting.forwarding.standing("crm"), owed=1, health=Health())


def test_an_event_is_tried_by_the_schedule_and_then_given_up() -> None:
    setting = Setting(lambda _post: 500, options={"schedule": SCHEDULE})
    setting.record(delivered(0))
    tries: list[timedelta] = []
    for _ in range(30):
        before = len(setting.posts.posted)
        report = setting.forward()
        if len(setting.posts.posted) > before:
            tries.append(setting.clock.now - START)
        waiting = setting.owed.claim("crm", at=START + timedelta(days=99), until=START + timedelta(days=99), limit=1)
        if not waiting:
            break
        assert waiting[0].due is not None
        setting.owed.settle("crm", waiting[0], paid=False, health=setting.owed.standing("crm").health)
        rests = setting.owed.standing("crm").health.rests_until
        setting.clock.now = max(waiting[0].due, rests or START)

    assert report == Forwarded(given_up=1)
    assert len(tries) == len(SCHEDULE) + 1
    waits = [later - earlier for earlier, later in pairwise(tries)]
    for wait, asked, rest in zip(waits, SCHEDULE, (*RESTS, RESTS[-1]), strict=True):
        assert max(asked, rest) <= wait <= max(asked * 1.1, rest)
    assert setting.forwarding.standing("crm").given_up == 1
    setting.clock.advance(timedelta(days=9))
    assert setting.forward() == Forwarded()


def test_what_was_given_up_is_tried_again_when_somebody_says_so() -> None:
    setting = Setting(lambda _post: 500, options={"schedule": ()})
    setting.record(delivered(0), delivered(1))
    assert setting.forward() == Forwarded(given_up=2)
    setting.answers = lambda _post: 200

    assert setting.forwarding.again("crm", setting.clock()) == 2
    assert setting.forward() == Forwarded(taken=2)


def test_a_destination_that_fails_rests_and_is_tried_by_one_event() -> None:
    setting = Setting(lambda _post: Posted(words="no route"))
    setting.record(*map(delivered, range(50)))
    assert setting.forward() == Forwarded(failed=3)
    assert setting.forward() == Forwarded()
    for failures in range(3, 12):
        setting.clock.advance(RESTS[min(failures, len(RESTS)) - 1] - timedelta(microseconds=1))
        assert setting.forward() == Forwarded()
        setting.clock.advance(timedelta(microseconds=1))
        assert setting.forward() == Forwarded(failed=1)
    setting.clock.advance(RESTS[-1])
    setting.answers = lambda _post: 200
    assert setting.forward() == Forwarded(taken=1)
    assert setting.forward().taken == 20

    for _ in range(5):
        setting.clock.advance(timedelta(days=1))
        setting.forward()
    assert Counter(setting.told()).keys() == {f"d{n}" for n in range(50)}
    assert setting.forwarding.standing("crm").owed == 0


def test_a_batch_ends_with_the_failure_that_makes_the_destination_rest() -> None:
    setting = Setting(lambda _post: 503)
    setting.record(*map(delivered, range(10)))
    setting.forward()
    setting.answers = lambda _post: 200
    setting.clock.advance(RESTS[2])
    setting.forward()
    setting.forward()

    assert setting.told()[:3] == ["d0", "d1", "d2"]
    assert setting.told()[3:10] == [f"d{n}" for n in range(3, 10)], "what was not tried was due at once"
    assert sorted(setting.told()[10:]) == ["d0", "d1", "d2"]
    assert setting.forwarding.standing("crm").owed == 0


def test_whoever_says_gone_is_posted_to_no_more_and_loses_nothing() -> None:
    setting = Setting(lambda _post: 410)
    setting.record(*map(delivered, range(3)))
    assert setting.forward() == Forwarded(failed=1)
    setting.answers = lambda _post: 200
    setting.clock.advance(timedelta(days=30))
    setting.record(delivered(3))
    assert setting.forward() == Forwarded()
    assert setting.forwarding.standing("crm").health.stopped

    setting.forwarding.again("crm", setting.clock())
    assert setting.forward() == Forwarded(taken=4)


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_may_say_for_how_long_it_wants_to_be_left_alone(status: int) -> None:
    setting = Setting(lambda _post: Posted(status=status, retry_after=timedelta(minutes=20)))
    setting.record(delivered(0), delivered(1))
    assert setting.forward() == Forwarded(failed=1)
    setting.answers = lambda _post: 200
    setting.clock.advance(timedelta(minutes=20) - timedelta(microseconds=1))
    assert setting.forward() == Forwarded()
    setting.clock.advance(timedelta(minutes=3))
    assert setting.forward() == Forwarded(taken=2)


def test_nobody_is_left_alone_for_ever() -> None:
    setting = Setting(lambda _post: Posted(status=503, retry_after=timedelta(days=99_999)))
    setting.record(delivered(0))
    setting.forward()
    setting.clock.advance(timedelta(hours=27))
    assert setting.forward() == Forwarded(failed=1)


def test_no_more_is_noted_than_was_asked_for_and_nothing_is_lost() -> None:
    setting = Setting(lambda _post: 500, options={"most_owed": 5})
    setting.record(*map(delivered, range(12)))
    setting.forward()
    setting.forward()
    assert setting.forwarding.standing("crm").owed == 5
    assert setting.forwarding.standing("crm").reached == 5

    setting.answers = lambda _post: 200
    for _ in range(12):
        setting.clock.advance(timedelta(hours=1))
        setting.forward()
    assert set(setting.told()) == {f"d{n}" for n in range(12)}


def test_of_two_workers_each_has_its_own_and_what_one_leaves_is_due_again() -> None:
    setting = Setting(options={"batch": 2, "lease": timedelta(minutes=1)})
    setting.record(*map(delivered, range(4)))
    one, other = setting.forwarding.due(setting.clock()), setting.forwarding.due(setting.clock())

    assert [due.owed.place for due in one] == [1, 2]
    assert [due.owed.place for due in other] == [3, 4]
    for due in other:
        setting.forwarding.settle(due, Posted(status=200), setting.clock())
    assert setting.forwarding.due(setting.clock()) == []
    setting.clock.advance(timedelta(minutes=1))
    assert [due.owed.place for due in setting.forwarding.due(setting.clock())] == [1, 2]


def test_what_another_worker_posted_meanwhile_is_not_posted_again_by_one_that_was_too_slow() -> None:
    setting = Setting(options={"lease": timedelta(minutes=1)})
    setting.record(delivered(0))
    [slow] = setting.forwarding.due(setting.clock())
    setting.clock.advance(timedelta(minutes=1))
    [quick] = setting.forwarding.due(setting.clock())
    setting.forwarding.settle(quick, Posted(status=200), setting.clock())
    setting.forwarding.settle(slow, Posted(words="timed out"), setting.clock())
    setting.clock.advance(timedelta(days=1))
    assert setting.forwarding.due(setting.clock()) == []


def test_what_was_not_tried_is_due_at_once() -> None:
    setting = Setting()
    setting.record(delivered(0))
    [due] = setting.forwarding.due(setting.clock())

    assert setting.forwarding.settle(due, None, setting.clock()) == Settled(owed=OwedPost(1, 0, START), well=True)
    assert [again.owed.attempts for again in setting.forwarding.due(setting.clock())] == [0]


def test_an_event_that_is_not_there_any_more_is_passed_over() -> None:
    setting = Setting()
    setting.record(delivered(0))
    setting.owed.owe("crm", since=0, up_to=7, places=[1, 7], due=START)

    assert setting.forward() == Forwarded(taken=1)
    assert setting.forwarding.standing("crm").owed == 0


def test_an_event_that_is_not_wanted_any_more_is_passed_over() -> None:
    setting = Setting(lambda _post: 500)
    setting.record(delivered(0), bounced(1))
    setting.forward()
    fewer = Forwarding(setting.journal, setting.owed, (evolve(CRM, kinds=[Bounced]),))
    setting.clock.advance(timedelta(hours=1))
    setting.answers = lambda _post: 200

    assert fewer.forward(setting.posts, setting.clock) == Forwarded(taken=1)
    assert fewer.standing("crm").owed == 0


def test_a_new_destination_may_begin_with_what_is_new() -> None:
    setting = Setting()
    setting.record(*map(delivered, range(3)))
    setting.forwarding.skip_history("crm", setting.clock())
    setting.forwarding.skip_history("crm", setting.clock())
    setting.record(delivered(3))
    setting.forward()

    assert setting.told() == ["d3"]


def test_one_destination_can_be_driven_alone() -> None:
    setting = Setting(destinations=(CRM, BILLING))
    setting.record(bounced(0))

    assert setting.forward(only="billing") == Forwarded(taken=1)
    assert setting.told(CRM.url) == []
    for ask in (
        lambda: setting.forward(only="nobody"),
        lambda: setting.forwarding.standing("nobody"),
        lambda: setting.forwarding.again("nobody", START),
        lambda: setting.forwarding.skip_history("nobody", START),
        lambda: setting.forwarding.due(START, only="nobody"),
    ):
        with pytest.raises(ConfigurationError, match="there is crm, billing"):
            ask()


@pytest.mark.parametrize("wrong", [
    {"destinations": (CRM, evolve(BILLING, name="crm"))}, {"batch": 0}, {"batch": True}, {"most_owed": 0},
    {"lease": timedelta(0)}, {"lease": 5},
])  # fmt: skip
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="give each a name|use a"):
        Forwarding(MemoryJournal(), MemoryOwedPosts(), **({"destinations": (CRM,)} | wrong))


class Breaking(MemoryOwedPosts):
    """A store that breaks at some of its calls, before or after it has written."""

    def __init__(self, breaks: list[bool | None]) -> None:
        super().__init__()
        self.breaks = breaks

    def settle(self, destination: str, owed: OwedPost, /, *, paid: bool, health: Health) -> None:
        after = self.breaks.pop() if self.breaks else None
        if after is False:
            raise ArchiveError("the disk is full")
        super().settle(destination, owed, paid=paid, health=health)
        if after is True:
            raise ArchiveError("killed")


@given(
    st.lists(st.sampled_from([True, False, None]), max_size=8),
    # Fewer failures than tries: an event that is never taken is given up.
    st.lists(st.sampled_from([200, 200, 500, None, 429, 301]), max_size=len(SCHEDULE)),
    st.integers(1, 8),
)
def test_whatever_breaks_every_event_is_taken_at_least_once(
    breaks: list[bool | None], statuses: list[int | None], number: int
) -> None:
    taken: Counter[str] = Counter()

    def answers(post: Post) -> Posted:
        status = statuses.pop() if statuses else 200
        if status == 200:
            taken[dict(post.headers)["webhook-id"]] += 1
        return Posted(status=status)

    setting = Setting(answers, owed=Breaking(breaks), options={"lease": timedelta(minutes=1)})
    setting.record(*map(delivered, range(number)))
    broke = 0
    for _ in range(60):
        try:
            setting.forward()
        except ArchiveError:
            broke += 1
        setting.clock.advance(timedelta(hours=4))

    assert len(taken) == number
    assert sum(taken.values()) <= number + broke
    assert setting.forwarding.standing("crm").owed == 0


def test_an_open_by_a_machine_is_forwarded_with_its_flags() -> None:
    setting = Setting()
    setting.record(Opened(delivered(0).about, prefetched=True))
    setting.forward()

    assert setting.posts.bodies()[0]["data"]["prefetched"] is True
