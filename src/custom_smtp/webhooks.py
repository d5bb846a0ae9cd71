"""The way in for what providers report: the proofs and readings that adapters share, and the endpoint.

It knows no provider. An adapter proves a request first (`require_basic_auth`, `require_hmac_sha256`, `require_fresh`),
then reads its body (`json_body`) and turns each report into an event (`events_of`). Nothing of a request is believed,
parsed or logged before its proof.
"""

import base64
import hashlib
import hmac
import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from attrs import Attribute, evolve, field, fields, frozen

from .checks import SURROGATE, Check
from .errors import ConfigurationError, MailError, MalformedError, UnverifiedError
from .events import About, Event, Unrecognised
from .identifiers import DeliveryId
from .ports import Clock, Feedback, Headers
from .system import EPOCH, utc_now
from .web import BODY_LIMIT, Answer, Request, Response

BATCH_LIMIT = 5_000
"""Reports in one body."""

DEPTH_LIMIT = 32
"""Levels of arrays and objects inside each other."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of ours a sender's clock may run."""

UNKNOWN_TIME = EPOCH
"""The time of what nobody dates: neither the report nor the door that took it."""

_logger = logging.getLogger(__name__)


# ---- the endpoint ----------------------------------------------------------------------------------------------------


def _a_size(_instance: object, attribute: "Attribute[Any]", size: int) -> None:
    if not isinstance(size, int) or size < 1:
        raise ConfigurationError(f"{attribute.name} is {size!r}: give a number of bytes, such as {BODY_LIMIT}")


@frozen
class FeedbackEndpoint:
    """Answers one provider's webhook.

    Many providers look whether a URL is there before they use it, so GET and HEAD are answered 200. What is posted is
    answered 200 with its events, which the door records before it responds; 401 where the sender is not proven; 400
    where the body is no report; 413 where it is too large. Anything else is a 405.

    Attributes:
        feedback: the provider's adapter.
        clock: says when a request came, where its door did not.
        body_limit: bytes of a body that are looked at.
    """

    feedback: Feedback
    clock: Clock = field(default=utc_now, kw_only=True)
    body_limit: int = field(default=BODY_LIMIT, kw_only=True, validator=_a_size)

    def answer(self, request: Request, /) -> Answer:
        """Prove, read and answer; nothing is recorded here."""
        if request.method in ("GET", "HEAD"):
            return Answer(Response(200))
        if request.method != "POST":
            return Answer(Response(405, (("allow", "GET, HEAD, POST"),)))
        if len(request.body) > self.body_limit:
            _logger.warning("%s: a body of %d bytes is refused", self.feedback.name, len(request.body))
            return Answer(Response(413))
        if request.received_at is None:
            request = evolve(request, received_at=self.clock())
        try:
            events = self.feedback.read(request)
        except UnverifiedError as error:
            _logger.warning("%s: not proven: %s", self.feedback.name, error)
            return Answer(Response(401, (("www-authenticate", error.challenge),) if error.challenge else ()))
        except MalformedError as error:
            _logger.warning("%s: not understood: %s", self.feedback.name, error)
            return Answer(Response(400))
        return Answer(Response(200), tuple(events))


# ---- proofs ----------------------------------------------------------------------------------------------------------


def a_secret(what: str, kind: type[str] | type[bytes] = str) -> Check:
    """The attrs validator for an adapter's secret: an empty one would let everybody in, so it cannot be."""

    def check(_instance: object, _attribute: "Attribute[Any]", secret: object) -> None:
        _not_empty(secret, what, kind)

    return check


def a_user_name(what: str) -> Check:
    """The attrs validator for the user name of basic auth: not empty, and without a ``:`` (RFC 7617 section 2)."""

    def check(_instance: object, _attribute: "Attribute[Any]", name: object) -> None:
        _not_empty(name, what, str)
        if ":" in str(name):
            raise ConfigurationError(f"{what} holds a ':', which basic auth cannot carry: take it out")

    return check


def _not_empty(secret: object, what: str, kind: type[str] | type[bytes]) -> None:
    if not isinstance(secret, kind):
        raise ConfigurationError(f"{what} is {type(secret).__name__}: give it as {kind.__name__}")
    if not secret.strip():
        raise ConfigurationError(
            f"{what} is empty: take it from the provider's settings; without it anybody is believed"
        )


def require_basic_auth(request: Request, username: str, password: str) -> None:
    """Return if the request carries this user name and password (RFC 7617), compared in constant time.

    Raises:
        UnverifiedError: it carries others, or none.
        ConfigurationError: the user name or password to compare with is empty.
    """
    _not_empty(username, "the webhook's user name", str)
    _not_empty(password, "the webhook's password", str)
    scheme, _, encoded = request.headers.get("authorization", "").strip().partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:
        given = b""
    known = hmac.compare_digest(given, f"{username}:{password}".encode(errors="surrogatepass"))
    if scheme.lower() != "basic" or not known:
        raise UnverifiedError(
            "the request carries another user name or password" if scheme else "the request carries no user name",
            challenge='Basic realm="reports", charset="UTF-8"',
        )


def require_hmac_sha256(key: bytes, body: bytes, hex_digest: str) -> None:
    """Return if the digest is the HMAC-SHA256 of the body under this key, compared in constant time.

    Raises:
        UnverifiedError: it is not.
        ConfigurationError: the key is empty.
    """
    _not_empty(key, "the webhook's key", bytes)
    expected = hmac.new(key, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), hex_digest.strip().lower().encode(errors="replace")):
        raise UnverifiedError(
            "the request's digest does not match its body: check the key, and that no proxy alters bodies"
        )


def require_fresh(request: Request, stamped: datetime, max_age: timedelta) -> None:
    """Return if the request was stamped at most ``max_age`` before it came, and not ahead of our clock.

    Raises:
        UnverifiedError: it is older, or from the future, or nobody said when it came.
    """
    if request.received_at is None:
        raise UnverifiedError(
            "nobody says when the request came: hand it to a FeedbackEndpoint, or give the Request a received_at"
        )
    age = request.received_at - stamped
    if age > max_age:
        raise UnverifiedError(f"the request was stamped {age} before it came, and at most {max_age} is believed")
    if -age > min(max_age, CLOCK_SKEW):
        raise UnverifiedError(f"the request was stamped {-age} after it came: check the clocks")


# ---- reading ---------------------------------------------------------------------------------------------------------


def json_body(request: Request) -> list[dict[str, Any]]:
    """The reports in a JSON body: an array's objects, or the one object that it is.

    Where an object names a key twice, the last one holds. Half a surrogate pair, which no store can keep, is replaced
    by U+FFFD.

    Raises:
        MalformedError: it is cut off, not UTF-8 or not JSON, holds anything but objects, or exceeds `BODY_LIMIT`,
            `BATCH_LIMIT` or `DEPTH_LIMIT`.
    """
    if len(request.body) > BODY_LIMIT:
        raise MalformedError(f"the body has {len(request.body)} bytes: at most {BODY_LIMIT} are read")
    try:
        parsed = json.loads(request.body.decode(), parse_constant=_no_number, parse_float=_a_finite_number)
    except UnicodeDecodeError as error:
        raise MalformedError(f"the body is not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise MalformedError(f"the body is nested deeper than {DEPTH_LIMIT} levels") from error
    except ValueError as error:
        raise MalformedError(f"the body is not JSON, or cut off: {type(error).__name__}") from error
    reports = parsed if isinstance(parsed, list) else [parsed]
    if len(reports) > BATCH_LIMIT:
        raise MalformedError(f"the body holds {len(reports)} reports: at most {BATCH_LIMIT} are read")
    for report in reports:
        if not isinstance(report, dict):
            raise MalformedError(f"the body holds a {type(report).__name__} where a report should be")
        if not _CONTAINERS.isdisjoint(map(type, report.values())) and _deeper_than(report, DEPTH_LIMIT):
            raise MalformedError(f"the body is nested deeper than {DEPTH_LIMIT} levels")
    if _ESCAPED_SURROGATE.search(request.body):
        reports = [_storable(report) for report in reports]
    return reports


_CONTAINERS = {dict, list}

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259 section 6)")


def _a_finite_number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number too large to be kept")
    return number


def _deeper_than(report: dict[str, Any], limit: int) -> bool:
    level: list[Any] = [report]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent) if type(child) in _CONTAINERS]
        if not level:
            return False
    return True


def _children(parent: Any) -> Iterable[Any]:
    return parent.values() if isinstance(parent, dict) else parent


def _storable(parsed: Any) -> Any:
    match parsed:
        case str():
            return SURROGATE.sub("\ufffd", parsed)
        case dict():
            return {_storable(name): _storable(value) for name, value in parsed.items()}
        case list():
            return [_storable(value) for value in parsed]
    return parsed


def events_of(
    reports: Iterable[dict[str, Any]],
    read: Callable[[dict[str, Any]], Event],
    *,
    source: str,
    kind: str,
    person: tuple[str, ...],
    came: datetime,
) -> tuple[Event, ...]:
    """One event for each report; one that ``read`` stumbles over is kept as `Unrecognised`, and no other is lost.

    So is one that holds something else where an event has text: a link that is a number, a reason that is a list.

    Args:
        reports: what `json_body` found.
        read: the adapter's own conversion; it may raise what an unexpected report makes Python raise.
        source: the adapter's name.
        kind: the field that names a report's kind.
        person: the fields that may name the recipient.
        came: when the request came: the time of a report whose own cannot be read.
    """

    def one_by_one() -> Iterator[Event]:
        for report in reports:
            try:
                yield _with_texts(read(report))
            except _ODD as error:
                # The class of the error alone: its message may quote an address.
                _logger.warning("%s: a report is kept unrecognised (%s)", source, type(error).__name__)
                about = About(
                    delivery_id=None,
                    recipient=text_in(report, *person),
                    at=came,
                    source=source,
                    key=_fingerprint(report),
                    raw=report,
                )
                yield Unrecognised(about, text_in(report, kind))

    return tuple(one_by_one())


_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a report of an unexpected shape raises: ours that are a ValueError too, and Python's."""


def _with_texts(event: Event) -> Event:
    for part in (event.about, event):
        for one in fields(type(part)):
            if one.type is str and not isinstance(text := getattr(part, one.name), str):
                raise TypeError(f"{one.name} is {type(text).__name__}, not text")
    return event


def _fingerprint(report: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(report, sort_keys=True).encode()).hexdigest()[:32]


def text_in(report: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that says something, as text; empty where none does."""
    for name in names:
        match report.get(name):
            case str() as text if text:
                return text
            case bool():
                continue
            case int() as number:
                return str(number)
    return ""


def came_at(request: Request) -> datetime:
    """When the request came; `UNKNOWN_TIME` where nobody says."""
    return request.received_at or UNKNOWN_TIME


def moment(stamp: object, *, otherwise: datetime) -> datetime:
    """A time as providers tell it, in UTC: seconds since 1970 (a number, or its digits), or ISO 8601.

    A time without a zone is UTC; fractions of a second may have any number of digits. Where none is told (null, or no
    text), it is ``otherwise``.

    Raises:
        ArithmeticError, TypeError, ValueError: it is neither; `events_of` knows what to do.
    """
    if stamp is None or stamp == "":
        return otherwise
    if isinstance(stamp, str) and _SECONDS.fullmatch(stamp):
        stamp = float(stamp)
    if isinstance(stamp, int | float) and not isinstance(stamp, bool):
        return EPOCH + timedelta(seconds=stamp)
    if not isinstance(stamp, str):
        raise TypeError(f"a time told as {type(stamp).__name__}")
    read = datetime.fromisoformat(stamp)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)


_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


def enhanced_status(*texts: str) -> str:
    """The first enhanced status code (RFC 3463), such as ``5.1.1``, in these texts; empty where there is none."""
    for text in texts:
        if found := _STATUS.search(text):
            return found[0]
    return ""


_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)", re.ASCII)


def synthetic_key(
    *,
    source: str,
    kind: str,
    message: str,
    recipient: str,
    time: str,
    url: str = "",
    scope: str = "",
    reader: str = "",
) -> str:
    """A key for a report that has none of its own: the same report told again has the same one.

    Everything belongs into it that tells two reports of one second apart.

    Args:
        source: the adapter's name.
        kind: what the report is.
        message: the provider's id for the mail.
        recipient: whom it is about.
        time: when, as it was told.
        url: the link that was followed.
        scope: the group or stream that it holds for.
        reader: who opened or clicked: an address, a program.
    """
    parts = [source, kind, message, recipient, time, url, scope, reader]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def delivery_id_in(value: object) -> DeliveryId | None:
    """Our id, if that is what came back."""
    if not isinstance(value, str):
        return None
    try:
        return DeliveryId(value)
    except MailError:
        return None


def delivery_id_in_message_id(value: object) -> DeliveryId | None:
    """Our id from a Message-ID of ours, ``<id@domain>``; None where it cannot be one."""
    if not isinstance(value, str):
        return None
    return delivery_id_in(value.strip().removeprefix("<").partition("@")[0])


# ---- marking ---------------------------------------------------------------------------------------------------------


def marked(headers: Headers, marks: Headers) -> Headers:
    """The headers with these marks behind them. One that is there already, with this value, is not doubled.

    Raises:
        MailError: one is there with another value.
    """
    there = {name.lower(): value.strip() for name, value in headers}
    for name, value in marks:
        if there.get(name.lower(), value) != value:
            raise MailError(f"the header {name} is set to {there[name.lower()]!r}, and must be {value!r}: leave it out")
    return (*headers, *((name, value) for name, value in marks if name.lower() not in there))
