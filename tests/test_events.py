"""What can happen to a mail."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import attrs
import pytest

from custom_smtp import DeliveryId, Reply, events
from custom_smtp.errors import ConfigurationError, Step
from custom_smtp.events import (
    About,
    Bounced,
    BounceKind,
    Cause,
    Clicked,
    Deferred,
    Delivered,
    Dropped,
    Event,
    Opened,
    Refused,
)

NOW = datetime(2026, 1, 2, 5, tzinfo=UTC)
ABOUT = About(
    delivery_id=DeliveryId("d1"), recipient="ada@example.net", at=NOW, source="postmark", key="k1", raw={"a": "hidden"}
)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"at": datetime(2026, 1, 2)}, "no time zone"),  # noqa: DTZ001  # the slip under test
        ({"at": "2026-01-02"}, "no time zone"),
        ({"source": ""}, "source is '': a report without one could not be told from another"),
        ({"key": ""}, "key is ''"),
        ({"key": None}, "key is None"),
        ({"recipient": None}, "recipient is None: give the address as text"),
        ({"recipient": 7}, "recipient is 7"),
    ],
)
def test_a_report_that_could_not_be_filed_is_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        attrs.evolve(ABOUT, **changed)


def test_every_event_is_about_something_and_never_changes() -> None:
    kinds = get_args(Event)
    assert len(kinds) == 15
    for kind in kinds:
        assert attrs.fields(kind)[0].name == "about"
        assert attrs.fields(kind).about.type is About
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            object.__new__(kind).about = ABOUT


def test_every_event_of_the_module_is_one_that_can_happen() -> None:
    defined = {kind for kind in vars(events).values() if attrs.has(kind) and kind.__module__ == events.__name__}
    assert defined - {About} == set(get_args(Event))


def test_a_report_does_not_print_what_the_provider_wrote() -> None:
    assert "hidden" not in repr(Clicked(ABOUT, "https://shop.example/"))


def test_evidence_is_kept_as_it_was_told() -> None:
    opened = Opened(ABOUT, proxied=True, evidence=["agent"])
    assert opened.evidence == ("agent",)


TEXTS = [(kind, one.name) for kind in get_args(Event) for one in attrs.fields(kind) if one.type is str]


@pytest.mark.parametrize(("kind", "name"), TEXTS)
@pytest.mark.parametrize("told", [None, 10, ["news"], b"news"])
def test_what_is_no_text_never_stands_where_an_event_has_text(kind: Any, name: str, told: Any) -> None:
    others = {"about": ABOUT, "kind": BounceKind.HARD, "url": "", "error": "", "name": ""}
    given = {one.name: others[one.name] for one in attrs.fields(kind) if one.name in others}

    assert getattr(kind(**given), name) == ""
    with pytest.raises(ConfigurationError, match=f"{name} is .*: give it as text"):
        kind(**{**given, name: told})


class Words(str):
    """A kind of text of one's own."""

    __slots__ = ()


def test_a_kind_of_text_of_ones_own_is_text() -> None:
    about = attrs.evolve(ABOUT, recipient=Words("ada@example.net"), key=Words("k1"))

    assert about == ABOUT
    assert Bounced(about, BounceKind.HARD, Words("gone")) == Bounced(ABOUT, BounceKind.HARD, "gone")


ALIKE: list[tuple[Any, Any]] = [
    (
        About.told(delivery_id=ABOUT.delivery_id, recipient="r", at=NOW, source="s", key="k", raw={"a": 1}),
        About(delivery_id=ABOUT.delivery_id, recipient="r", at=NOW, source="s", key="k", raw={"a": 1}),
    ),
    (
        Bounced.told(ABOUT, BounceKind.HARD, "gone", "5.1.1", Cause.MOVED),
        Bounced(ABOUT, BounceKind.HARD, "gone", "5.1.1", cause=Cause.MOVED),
    ),
    (Opened.told(ABOUT, user_agent="a", client="c"), Opened(ABOUT, user_agent="a", client="c", second_hand=True)),
    (
        Opened.told(ABOUT, user_agent="a", client="c", evidence=("e",), prefetched=True, proxied=True),
        Opened(ABOUT, user_agent="a", client="c", evidence=["e"], prefetched=True, proxied=True, second_hand=True),
    ),
    (
        Clicked.told(ABOUT, "u", user_agent="a", client="c", link="l", evidence=("e",), machine=True),
        Clicked(ABOUT, "u", user_agent="a", client="c", link="l", evidence=["e"], machine=True, second_hand=True),
    ),
]


@pytest.mark.parametrize(("told", "made"), ALIKE)
def test_what_is_made_faster_is_the_same(told: Any, made: Any) -> None:
    assert told == made
    assert repr(told) == repr(made)
    assert attrs.evolve(told) == made
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        told.about = None


FAST: list[tuple[Any, dict[str, Any]]] = [
    (About.told, {"delivery_id": None, "recipient": "r", "at": NOW, "source": "s", "key": "k", "raw": None}),
    (Opened.told, {"about": ABOUT, "user_agent": "", "client": ""}),
    (Clicked.told, {"about": ABOUT, "url": "", "user_agent": "", "client": "", "link": ""}),
    (
        lambda reason, status: Bounced.told(ABOUT, BounceKind.HARD, reason, status, Cause.UNKNOWN),
        {"reason": "", "status": ""},
    ),
]


@pytest.mark.parametrize(
    ("make", "given", "name"),
    [(make, given, name) for make, given in FAST for name in given if name not in ("about", "delivery_id", "raw")],
)
@pytest.mark.parametrize("wrong", [None, 7, ["x"], b"x", datetime(2026, 1, 2)])  # noqa: DTZ001  # the slip under test
def test_what_is_made_faster_is_checked_alike(make: Any, given: dict[str, Any], name: str, wrong: Any) -> None:
    assert make(**given)
    with pytest.raises(ConfigurationError, match=name):
        make(**{**given, name: wrong})


def test_what_is_made_faster_takes_any_zone_and_kind_of_text() -> None:
    zoned = NOW.astimezone(timezone(timedelta(hours=2)))
    about = About.told(delivery_id=None, recipient=Words("r"), at=zoned, source="s", key=Words("k"), raw=None)

    assert about == About(delivery_id=None, recipient="r", at=NOW, source="s", key="k")


def test_equal_reports_are_equal_events() -> None:
    assert Bounced(ABOUT, BounceKind.HARD, "gone") == Bounced(attrs.evolve(ABOUT), BounceKind.HARD, "gone")


@pytest.mark.parametrize(("code", "permanent"), [(451, False), (550, True)])
def test_a_refusal_says_whether_it_is_for_good(code: int, permanent: bool) -> None:
    assert Refused(ABOUT, Reply(code), Step.RCPT).permanent is permanent


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("550 5.1.1 no such user", 550),
        ("550-5.1.1 no such user", 550),
        ("451", 451),
        ("smtp;550 5.1.1 no", 550),
        ("bad_mailbox smtp; 552 full", 552),
        ("sent (250 2.0.0 OK 1498093527)", 250),
        ("user unknown: 550 no", 550),
        ("host mx.example.net said 554 5.7.1 no", 554),
        ("suppress-bounce: 605 Not delivering to previously bounced address", None),
        ("5.1.1 no such user", None),
        ("more than 500 messages", None),
        ("queued as 4501A", None),
        ("4500 no", None),
        ("192.0.2.250 5.1.1", None),
        ("", None),
    ],
)
def test_the_smtp_code_is_told_where_the_words_tell_it(said: str, code: int | None) -> None:
    told = Delivered(ABOUT, said), Deferred(ABOUT, said), Bounced(ABOUT, BounceKind.HARD, said), Dropped(ABOUT, said)

    assert [event.smtp_code for event in told] == [code] * 4
