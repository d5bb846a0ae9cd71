"""Why a request was refused, as a value to print."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from .checks import shown
from .errors import MalformedError, UncheckedError, UnverifiedError, WebhookError
from .events import Event
from .web import Request

Refusal = tuple[str, WebhookError]
"""Which provider's adapter, and what it raised."""

_HARMLESS = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding"})
"""Headers that are shown whole: they hold no secret, and decide how a body is read."""

_MOST_HEADERS = 50
_STAMP_DIGITS = 11


@frozen
class Inspection:
    """What became of a request and why, for the eyes of whoever runs the place: print it.

    It names the part that is missing or differs, and holds no secret, nor what was sent in place of one. Never send it
    to whoever made the request.

    Attributes:
        status: what the request is answered.
        findings: what there is to say, a line each.
    """

    status: int
    findings: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((f"answered {self.status}", *(f"  {line}" for line in self.findings)))


def what_came(request: Request) -> Iterator[str]:
    """The request, without the values that may be secret."""
    came = (
        "at a time that nobody says"
        if request.received_at is None
        else f"at {request.received_at:%Y-%m-%d %H:%M:%S %Z}"
    )
    yield f"{shown(request.method)[1:-1]} {shown(request.path)}, {len(request.body)} bytes, came {came}"
    for name, value in list(request.headers.items())[:_MOST_HEADERS]:
        yield f"header {shown(name)[1:-1]}: {_told(name, value)}{_age(name, value, request.received_at)}"
    if len(request.headers) > _MOST_HEADERS:
        yield f"and {len(request.headers) - _MOST_HEADERS} headers more"


def _told(name: str, value: str) -> str:
    if name in _HARMLESS:
        return shown(value)
    scheme, blank, _ = value.partition(" ")
    if name == "authorization" and blank and scheme.isalpha():
        return f"{shown(scheme)[1:-1]}, {len(value)} characters"
    return f"{len(value)} characters" if value else "empty"


def _age(name: str, value: str, came: datetime | None) -> str:
    """How old a timestamp is that stands in a header."""
    if "timestamp" not in name or came is None:
        return ""
    if not (value.isascii() and value.isdigit() and len(value) <= _STAMP_DIGITS):
        return ", which are no seconds since 1970"
    seconds = round(came.timestamp()) - int(value)
    return f", {abs(seconds)} seconds {'before' if seconds >= 0 else 'after'} it came"


def why_refused(refusals: Sequence[Refusal], *, accounts: int) -> Iterator[str]:
    """What each of so many accounts said."""
    for place, (name, error) in enumerate(refusals, start=1):
        account = f" (account {place})" if accounts > 1 else ""
        yield f"{name}{account}: {_WORDS.get(type(error), 'refused')}: {error}"


_WORDS: Mapping[type[WebhookError], str] = {
    UnverifiedError: "not proven",
    UncheckedError: "not checked",
    MalformedError: "not understood",
}


def what_was_told(events: Sequence[Event]) -> str:
    """How many events of which kinds."""
    kinds = [type(event).__name__ for event in events]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    return f"events: {counted}" if counted else "no event"
