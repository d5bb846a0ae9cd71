"""What every part of a kind must hold, as functions that a part's own tests call."""

import json
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NoReturn

from attrs import evolve

from ..errors import CustomSmtpError, MalformedError, UnverifiedError
from ..events import Clicked, Event, Opened, Unrecognised
from ..identifiers import DeliveryId
from ..ports import Feedback
from ..web import Request

MALFORMED = (
    b"",
    b"{",
    b'[{"a": 1}, {"b"',
    b'{"a": NaN}',
    b'"a report"',
    b"[1, 2]",
    b"null",
    b"\xff\xfe{}",
    b"[" * 100_000,
    b'{"a": ' * 100 + b"1" + b"}" * 100,
)
"""Bodies that are no JSON reports, in the ways that they come."""

ODD = {"told by": "nobody we know"}
"""A report of no kind at all."""

ODD_VALUES: tuple[object, ...] = ({"a": 1}, [1], 5, True, None)
"""What may stand in a report's field, against all documentation."""


def feedback_contract(
    adapter: Feedback,
    samples: Sequence[Request],
    *,
    prove: Callable[[bytes], Request] | None = None,
    forge: Callable[[bytes], Request] | None = None,
    proof_in_body: bool = False,
    reports: Callable[[Request], bytes] = attrgetter("body"),
) -> None:
    """Check that an adapter holds what `custom_smtp.ports.Feedback` promises.

    Args:
        adapter: the adapter.
        samples: proven requests, each of which tells at least one event.
        prove: makes a proven request of any body; then bodies that are no reports are tried too.
        forge: makes a request of any body that is proven by another secret, as that of somebody else's account.
        proof_in_body: the proof stands in the body, so that a request without headers is proven as well.
        reports: finds the JSON in a sample that is more than that, such as a form; ``prove`` is given what it finds.

    Raises:
        AssertionError: a promise is broken; the message says which.
    """
    if not samples:
        _broken("there is nothing to check it by: give at least one sample")
    _marks(adapter)
    for sample in samples:
        _reads_alike(adapter, sample)
        _refuses_the_unproven(adapter, evolve(sample, headers={}, body=b""))
        if forge is not None:
            _refuses_the_unproven(adapter, forge(reports(sample)))
        if not proof_in_body:
            _refuses_the_unproven(adapter, evolve(sample, headers={}))
        for cut in (sample.body.rstrip()[:-1], sample.body[: len(sample.body) // 2]):
            _refuses(adapter, evolve(sample, body=cut), (MalformedError, UnverifiedError))
    if not any(event.about.delivery_id for sample in samples for event in adapter.read(sample)):
        _broken("no sample tells a delivery id: what mark writes has to come back")
    if prove is not None:
        for body in MALFORMED:
            _refuses(adapter, prove(body), (MalformedError,))
        for sample in samples:
            batch = _batch(reports(sample))
            _keeps_what_is_odd(adapter, batch, prove)
            _survives_odd_values(adapter, batch, prove)


def _broken(promise: str) -> NoReturn:
    raise AssertionError(promise)


def _marks(adapter: Feedback) -> None:
    given = (("X-Campaign", "spring"),)
    marked = adapter.mark(given, DeliveryId("contract-1"))
    if marked[: len(given)] != given:
        _broken("mark loses or moves a header that was there")
    if not any("contract-1" in value for _, value in marked):
        _broken("mark does not write the delivery id")
    if not all(name.isascii() and value.isascii() and value.isprintable() for name, value in marked):
        _broken("mark writes a header that is not printable ASCII")
    if adapter.mark(marked, DeliveryId("contract-1")) != marked:
        _broken("mark doubles a mark that is there already")


def _reads_alike(adapter: Feedback, sample: Request) -> None:
    events = tuple(adapter.read(sample))
    if not events:
        _broken("a proven sample tells no event")
    if tuple(adapter.read(sample)) != events:
        _broken("the same request read twice tells different events, or different keys")
    if len({event.about.key for event in events}) != len(events):
        _broken("two events of one request have the same key")
    for event in events:
        if event.about.source != adapter.name:
            _broken(f"an event's source is {event.about.source!r}, and the adapter's name is {adapter.name!r}")
        if isinstance(event, Opened | Clicked) and not event.second_hand:
            _broken("an open or a click does not say second_hand=True, and is counted beside what we saw ourselves")
    _raw_is_one_event(events)


def _raw_is_one_event(events: Sequence[Event]) -> None:
    reports = [event.about.raw for event in events]
    for place, report in enumerate(reports):
        if report is None:
            _broken("an event keeps no raw report")
        inside = list(_values(report))
        if any(other in inside or other == report for at, other in enumerate(reports) if at != place):
            _broken("an event's raw report holds another event's too: keep that event alone")


def _values(told: object) -> Iterator[object]:
    """Everything inside a report, at any depth."""
    children: Any = told.values() if isinstance(told, dict) else told if isinstance(told, list | tuple) else ()
    for child in children:
        yield child
        yield from _values(child)


def _refuses_the_unproven(adapter: Feedback, request: Request) -> None:
    _refuses(adapter, request, (UnverifiedError,))


def _refuses(adapter: Feedback, request: Request, expected: tuple[type[CustomSmtpError], ...]) -> None:
    names = " or ".join(error.__name__ for error in expected)
    shown = f"{request.body[:30]!r} with {len(request.headers)} headers"
    try:
        adapter.read(request)
    except expected:
        return
    except Exception as error:
        raise AssertionError(f"{shown} is {type(error).__name__}, not {names}") from error
    _broken(f"{shown} is read, and should be {names}")


def _keeps_what_is_odd(adapter: Feedback, batch: list[dict[str, Any]], prove: Callable[[bytes], Request]) -> None:
    """A report of no known kind becomes `Unrecognised`, alone and in a batch; the others are read as ever."""
    before = {event.about.key for event in adapter.read(prove(json.dumps(batch).encode()))}
    try:
        alone = adapter.read(prove(json.dumps(ODD).encode()))
        after = {event.about.key for event in adapter.read(prove(json.dumps([ODD, *batch]).encode()))}
    except Exception as error:
        raise AssertionError(f"a report of no known kind is {type(error).__name__}, and loses its batch") from error
    if [type(event) for event in alone] != [Unrecognised]:
        _broken("a report of no known kind does not become Unrecognised")
    if not before < after:
        _broken("a report of no known kind loses its batch")


def _survives_odd_values(adapter: Feedback, batch: list[dict[str, Any]], prove: Callable[[bytes], Request]) -> None:
    """Whatever stands in a report's field, there is an event for each report."""
    for name in {name: None for report in batch for name in report}:
        for value in ODD_VALUES:
            odd = [{**report, name: value} if name in report else report for report in batch]
            try:
                adapter.read(prove(json.dumps(odd).encode()))
            except Exception as error:
                raise AssertionError(f"{value!r} as {name!r} is {type(error).__name__}, and loses its batch") from error


def _batch(text: bytes) -> list[dict[str, Any]]:
    told = json.loads(text)
    return told if isinstance(told, list) else [told]
