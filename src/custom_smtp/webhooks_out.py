"""The forms in which events are forwarded to an application's own URLs: each an event made one signed POST.

Two of them: `StandardWebhook`, by the specification of that name (https://www.standardwebhooks.com), and
`CustomerIoWebhook`, for a receiver that was written for Customer.io's reporting webhooks and is to stay as it is. When
a post is made, and how often, is decided in `custom_smtp.forwarding`.
"""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, get_args

import attrs
from attrs import Attribute, field, frozen

from .checks import SURROGATE, ConfigurationError, shown
from .errors import Retry
from .events import (
    Accepted,
    Attempted,
    AutoReplied,
    Bounced,
    Clicked,
    Complained,
    Deferred,
    Delivered,
    Dropped,
    Event,
    Opened,
    Refused,
    Resubscribed,
    Uncertain,
    Unrecognised,
    Unsubscribed,
)
from .posts import Post, split_url
from .system import EPOCH

TEXT_LIMIT = 4_000
"""Characters of a reason or a server's words that are forwarded: a receiver should get well below 20 kB (Standard
Webhooks, "Payload size"). Addresses, ids and links are never cut."""

_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)
_NEVER_CUT = frozenset({"delivery_id", "recipient", "key", "url", "href"})


# ---- what the forms share --------------------------------------------------------------------------------------------


def _a_name(_instance: object, _attribute: "Attribute[Any]", name: str) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(f"{shown(name)} names no destination: give it a name that stays when its URL changes")


def _a_secret_url(instance: Any, _attribute: "Attribute[Any]", url: str) -> None:
    if split_url(url).scheme != "https" and not instance.in_clear:
        raise ConfigurationError(
            f"{shown(url)} would tell of people in clear: use https, or in_clear=True on a line that nobody else reads"
        )


def _kinds(kinds: Iterable[type[Event]] | None) -> frozenset[type[Event]] | None:
    return None if kinds is None else frozenset(kinds)


def _known_kinds(_instance: object, _attribute: "Attribute[Any]", kinds: Collection[type[Event]] | None) -> None:
    for kind in kinds or ():
        if kind not in get_args(Event):
            raise ConfigurationError(f"{kind!r} is no kind of event: take the classes of custom_smtp.events")


def _json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()


def _plain(_instance: object, attribute: "Attribute[Any] | None", value: object) -> object:
    """A value as JSON has it; half a surrogate pair, which many a receiver stumbles over, is replaced."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        text = SURROGATE.sub("\ufffd", value)
        return text if attribute is not None and attribute.name in _NEVER_CUT else text[:TEXT_LIMIT]
    return value


def _seconds(at: datetime) -> int:
    return (at - EPOCH) // _SECOND


def _name_of(event: Event) -> bytes:
    """The same for the same event, whenever it is posted: a digest of what tells it from all others."""
    told = json.dumps([event.about.source, event.about.key])
    return hashlib.sha256(told.encode()).digest()


# ---- Standard Webhooks -----------------------------------------------------------------------------------------------

TYPE_OF: Mapping[type[Event], str] = {
    Attempted: "email.attempted",
    Accepted: "email.accepted",
    Refused: "email.refused",
    Uncertain: "email.uncertain",
    Delivered: "email.delivered",
    Deferred: "email.deferred",
    Bounced: "email.bounced",
    Dropped: "email.dropped",
    Opened: "email.opened",
    Clicked: "email.clicked",
    Complained: "email.complained",
    Unsubscribed: "email.unsubscribed",
    Resubscribed: "email.resubscribed",
    AutoReplied: "email.auto_replied",
    Unrecognised: "email.unrecognised",
}
"""What each event is called in a Standard Webhook: names of letters, digits and ``_``, between full stops."""

SECRET_PREFIX = "whsec_"  # noqa: S105  # how secrets begin, no secret
_SECRET_OCTETS = range(24, 65)  # Standard Webhooks, "Signature scheme": 192 to 512 bits


def _secrets(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)


def _good_secrets(_instance: object, _attribute: "Attribute[Any]", secrets: tuple[str, ...]) -> None:
    if not secrets:
        raise ConfigurationError("there is no secret: make one of 32 random bytes")
    for secret in secrets:
        if not isinstance(secret, str) or len(_key(secret)) not in _SECRET_OCTETS:
            raise ConfigurationError(
                f"a secret is 'whsec_' and base64 of {_SECRET_OCTETS[0]} to {_SECRET_OCTETS[-1]} random bytes: "
                "make one with 'whsec_' + base64.b64encode(secrets.token_bytes(32)).decode()"
            )


def _key(secret: str) -> bytes:
    try:
        return b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        return b""


@frozen(kw_only=True)
class StandardWebhook:
    """A destination that is told as Standard Webhooks has it (https://www.standardwebhooks.com, version 1.0.0).

    The body is ``{"type": "email.bounced", "timestamp": ..., "data": {...}}``, with the names of `TYPE_OF` and the
    fields of the event, but for its ``raw``.

    Attributes:
        name: what it is owed is kept under this name.
        url: where it is posted to.
        secrets: one, or several while an old one gives way to a new one: each signs. Every URL should have its own.
        kinds: the events that it is told of; None for all of `TYPE_OF`.
        in_clear: a URL that begins with ``http:`` is meant.

    Raises:
        ConfigurationError: one of them cannot be; the message says what to write.
    """

    name: str = field(validator=_a_name)
    url: str = field(validator=_a_secret_url)
    secrets: tuple[str, ...] = field(converter=_secrets, validator=_good_secrets, repr=False)
    kinds: frozenset[type[Event]] | None = field(default=None, converter=_kinds, validator=_known_kinds)
    in_clear: bool = False

    def wants(self, event: Event, /) -> bool:
        """Whether it is told of such an event."""
        return self.kinds is None or type(event) in self.kinds

    def post(self, event: Event, at: datetime, /) -> Post:
        """What to post about an event, signed for this moment."""
        body = _json(
            {"type": TYPE_OF[type(event)], "timestamp": _iso(event.about.at), "data": _all_of(event)},
        )
        identifier, stamp = f"msg_{_name_of(event).hex()[:32]}", str(_seconds(at))
        signed = f"{identifier}.{stamp}.".encode() + body
        signatures = [b64encode(hmac.digest(_key(secret), signed, "sha256")).decode() for secret in self.secrets]
        return Post(
            url=self.url,
            headers=(
                ("content-type", "application/json"),
                ("webhook-id", identifier),
                ("webhook-timestamp", stamp),
                ("webhook-signature", " ".join(f"v1,{signature}" for signature in signatures)),
            ),
            body=body,
        )


def _all_of(event: Event) -> dict[str, Any]:
    told = attrs.asdict(event, value_serializer=_plain)
    about = told.pop("about")
    return {name: about[name] for name in ("delivery_id", "recipient", "source", "key")} | told


def _iso(at: datetime) -> str:
    try:
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # at an end of the calendar, in another zone
        return at.isoformat()


# ---- Customer.io's reporting webhooks --------------------------------------------------------------------------------

Facts = Callable[[Event], Mapping[str, Any]]
"""Says what an application knows of an event beyond us, in values that JSON has; it must not raise."""


def _nothing_more(_event: Event) -> Mapping[str, Any]:
    return {}


def _failed(event: Attempted | Refused) -> str:
    """Whether another try is to come, as far as the event says."""
    if isinstance(event, Refused):
        return "failed" if event.permanent else "attempted"
    return "failed" if event.retry is Retry.NEVER else "attempted"


METRIC_OF: Mapping[type[Event], str | Callable[[Any], str]] = {
    Attempted: _failed,
    Accepted: "sent",
    Refused: _failed,
    Delivered: "delivered",
    Bounced: "bounced",
    Dropped: "dropped",
    Opened: "opened",
    Clicked: "clicked",
    Complained: "spammed",
    Unsubscribed: "unsubscribed",
    Resubscribed: "subscribed",
}
"""What each event is called in a Customer.io reporting webhook (docs.customer.io/api/webhooks, as of November 2026).

``attempted`` is told where another try is to come, ``failed`` where none is. Its other metrics for mail, ``drafted``,
``converted`` and ``undeliverable``, have no event here; and of `Uncertain`, `Deferred`, `AutoReplied` and
`Unrecognised` it tells nothing.
"""

_WORDS_OF: Mapping[type[Event], Callable[[Any], str]] = {
    Attempted: lambda event: str(event.error),
    Refused: lambda event: str(event.reply),
    Bounced: lambda event: str(event.reason),
    Dropped: lambda event: str(event.reason),
}
"""The ``failure_message`` of the metrics that have one."""


def _signing_key(_instance: object, _attribute: "Attribute[Any]", key: str) -> None:
    if not isinstance(key, str) or not key.strip():
        raise ConfigurationError("the signing key is empty: take the one that your receiver was given")


@frozen(kw_only=True)
class CustomerIoWebhook:
    """A destination that is told as by Customer.io's reporting webhooks, so that a receiver of those need not change.

    The body is ``{"event_id", "object_type", "metric", "timestamp", "data"}``, with the metrics of `METRIC_OF`; it is
    signed in ``X-CIO-Signature``, by HMAC-SHA256 over ``v0:<timestamp>:<body>`` (docs.customer.io/api/webhooks,
    "Securely verifying requests"). An event id has the form of a ULID, as theirs has, and stays when it is posted
    again.

    What only an application knows, ``customer_id``, ``identifiers``, ``subject``, ``campaign_id`` and the like, is what
    ``facts`` says. Without it ``customer_id`` and ``subject`` are empty, and the person is named by the address.

    Attributes:
        name: what it is owed is kept under this name.
        url: where it is posted to.
        signing_key: the receiver's.
        facts: what to add to an event's ``data``, or put in the place of ours.
        kinds: the events that it is told of; None for all of `METRIC_OF`.
        in_clear: a URL that begins with ``http:`` is meant.

    Raises:
        ConfigurationError: one of them cannot be; the message says what to write.
    """

    name: str = field(validator=_a_name)
    url: str = field(validator=_a_secret_url)
    signing_key: str = field(validator=_signing_key, repr=False)
    facts: Facts = _nothing_more
    kinds: frozenset[type[Event]] | None = field(default=None, converter=_kinds, validator=_known_kinds)
    in_clear: bool = False

    def wants(self, event: Event, /) -> bool:
        """Whether it is told of such an event: lifting one group's unsubscription would read as lifting all."""
        if isinstance(event, Resubscribed) and event.scope:
            return False
        return type(event) in METRIC_OF and (self.kinds is None or type(event) in self.kinds)

    def post(self, event: Event, at: datetime, /) -> Post:
        """What to post about an event that it wants, signed for this moment."""
        metric = METRIC_OF[type(event)]
        body = _json(
            {
                "event_id": _ulid(event),
                "object_type": "customer" if _is_of_a_person_alone(event) else "email",
                "metric": metric if isinstance(metric, str) else metric(event),
                "timestamp": _seconds(event.about.at),
                "data": {**_customer_io(event), **self.facts(event)},
            }
        )
        stamp = str(_seconds(at))
        signature = hmac.digest(self.signing_key.encode(), f"v0:{stamp}:".encode() + body, "sha256").hex()
        return Post(
            url=self.url,
            headers=(
                ("content-type", "application/json"),
                ("x-cio-timestamp", stamp),
                ("x-cio-signature", signature),
            ),
            body=body,
        )


def _is_of_a_person_alone(event: Event) -> bool:
    """Whether no mail triggered it: then the object is the customer ("Customer Events" of the page)."""
    return isinstance(event, Resubscribed) or (isinstance(event, Unsubscribed) and event.about.delivery_id is None)


def _customer_io(event: Event) -> dict[str, Any]:
    """The ``data`` of an event, by the schema of its metric."""
    address = str(_plain(None, None, event.about.recipient))
    told: dict[str, Any] = {"customer_id": "", "identifiers": {"id": None, "email": address}}
    if _is_of_a_person_alone(event):
        return {**told, "email_address": address}
    told |= {"delivery_id": event.about.delivery_id or "", "recipient": address, "subject": ""}
    if words := _WORDS_OF.get(type(event)):
        told["failure_message"] = _plain(None, None, words(event))
    match event:
        case Opened():
            told |= {"proxied": event.proxied, "prefetched": event.prefetched, "synthetic": event.synthetic}
        case Clicked():
            told |= {"href": SURROGATE.sub("\ufffd", event.url), "link_id": _link_id(event), "machine": event.machine}
    return told


def _link_id(click: Clicked) -> int:
    """A number for the link, as theirs have: ours where it is one, else one made of it, the same for the same link."""
    if click.link.isdecimal() and len(click.link) <= 9:
        return int(click.link)
    told = hashlib.sha256((click.link or click.url).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(told[:4]) >> 1


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _ulid(event: Event) -> str:
    """48 bits of milliseconds and 80 of the event's name, in Crockford's base32 (github.com/ulid/spec)."""
    milliseconds = min(max((event.about.at - EPOCH) // _MILLISECOND, 0), 2**48 - 1)
    number = milliseconds << 80 | int.from_bytes(_name_of(event)[:10])
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
