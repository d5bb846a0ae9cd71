"""Twilio SendGrid: the marks on a mail, and the reports that come back.

Sources, on www.twilio.com/docs/sendgrid: "Event Webhook Reference", "Getting Started with the Event Webhook Security
Features", "Building an X-SMTPAPI Header", "SMTP Filters", "Unique Arguments", "Bounce and Block Classifications".
"""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from attrs import Attribute, field, frozen
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ..errors import ConfigurationError, MailError, UnverifiedError
from ..events import (
    About,
    Accepted,
    Bounced,
    BounceKind,
    Clicked,
    Complained,
    Deferred,
    Delivered,
    Dropped,
    Event,
    Opened,
    Resubscribed,
    Unrecognised,
    Unsubscribed,
)
from ..identifiers import DeliveryId
from ..ports import Headers
from ..replies import Reply
from ..servers import Credentials, Pace, Server
from ..web import Request
from ..webhooks import (
    came_at,
    delivery_id_in,
    delivery_id_in_message_id,
    enhanced_status,
    events_of,
    json_body,
    moment,
    require_fresh,
    synthetic_key,
    text_in,
)

Report = dict[str, Any]

ARGUMENT = "csm_id"
"""The unique argument that carries our id. SendGrid lays it flat among a report's own fields, hence its odd name."""

MAX_AGE = timedelta(hours=25)
"""How old a signed request may be: SendGrid tries again for 24 hours, and does not say whether it signs anew."""

KINDS: dict[str, dict[str, BounceKind]] = {
    "bounce": {
        "": BounceKind.HARD,
        "content": BounceKind.BLOCK,
        "reputation": BounceKind.BLOCK,
        "frequency or volume too high": BounceKind.BLOCK,
    },
    "blocked": {
        "": BounceKind.BLOCK,
        "mailbox unavailable": BounceKind.SOFT,
        "technical": BounceKind.SOFT,
    },
    "expired": {"": BounceKind.SOFT},
}
"""What a bounce says about the address: by its type, then by its classification; ``""`` is any other."""

_HEADER = "X-SMTPAPI"
_UNIQUE_ARGUMENTS_BYTES = 10_000  # "Unique Arguments": what they may take up in all
_TOKEN = 900  # RFC 5322 section 2.1.1 ends a line at 998; nothing longer can be folded onto one with its header's name
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_STAMP = re.compile(r"[0-9]{1,11}")  # until the year 5138


class Relay(StrEnum):
    """Which of SendGrid's servers a mail goes through ("Integrating with the SMTP API")."""

    GLOBAL = "smtp.sendgrid.net"
    EU = "smtp.eu.sendgrid.net"


MAILS_PER_CONNECTION = 100
"""What an older text of that page allows on one connection; its text of 2026 allows 5,000. The lower does no harm."""

CONNECTIONS = 10
"""How many connections that older text allows from one address; the text of 2026 allows 10,000."""


def server(api_key: str, *, relay: Relay = Relay.GLOBAL) -> Server:
    """SendGrid's server, on port 587. The user name is the word ``apikey``, and the password an API key."""
    pace = Pace(mails_per_connection=MAILS_PER_CONNECTION)
    return Server(host=relay.value, port=587, credentials=Credentials("apikey", api_key), pace=pace)


def _public_key(key: str | bytes) -> EllipticCurvePublicKey:
    refused = ConfigurationError(
        "SendGrid's verification key is no P-256 public key: copy it from Settings, Mail Settings, Event Webhooks, "
        "where it begins with MFkw"
    )
    try:
        text = key if isinstance(key, str) else key.decode("ascii")
        body = "".join(line.strip() for line in text.splitlines() if not line.startswith("-----"))
        loaded = load_der_public_key(base64.b64decode(body, validate=True))
    except (AttributeError, ValueError, UnsupportedAlgorithm) as error:
        raise refused from error
    if not isinstance(loaded, EllipticCurvePublicKey) or not isinstance(loaded.curve, SECP256R1):
        raise refused
    return loaded


def _a_span(_instance: object, attribute: "Attribute[Any]", span: timedelta) -> None:
    if not isinstance(span, timedelta) or span <= timedelta(0):
        raise ConfigurationError(f"{attribute.name} is {span!r}: give a timedelta above zero, such as {MAX_AGE!r}")


@frozen
class SendGrid:
    """Marks mail that goes through SendGrid, and reads what SendGrid reports.

    Its webhooks are proven by their signature: switch the Signed Event Webhook on, and copy the verification key.

    Attributes:
        verification_key: the webhook's public key, base64 as SendGrid shows it (or PEM); held loaded.
        max_age: how long after its signature a request is still believed.
        name: the source of its events.

    Raises:
        ConfigurationError: the key is none, or not of the P-256 curve.
    """

    verification_key: EllipticCurvePublicKey = field(converter=_public_key, repr=False)
    max_age: timedelta = field(default=MAX_AGE, kw_only=True, validator=_a_span)
    name: str = field(default="sendgrid", init=False)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id and SendGrid's own tracking turned off, in the one X-SMTPAPI header there may be.

        What such a header says already is kept. The JSON is ASCII, has blanks only between its tokens, so that it may
        be folded at any of them, and never holds the ``=?`` that an encoded word begins with (RFC 2047 section 2).

        Raises:
            MailError: the header that is there is no JSON object, says otherwise, or becomes too large.
        """
        there = [value for name, value in headers if name.lower() == _HEADER.lower()]
        if len(there) > 1:
            raise MailError(f"there are {len(there)} {_HEADER} headers, and SendGrid reads the first alone: merge them")
        value = _folding(_with_marks(_instructions(there), delivery_id))
        if not there:
            return (*headers, (_HEADER, value))
        return tuple((name, value if name.lower() == _HEADER.lower() else kept) for name, kept in headers)

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by signature and age, then read every report of the batch.

        Raises:
            UnverifiedError: the signature is missing, wrong or too old.
            MalformedError: signed, and not JSON.
        """
        self._prove(request)
        return events_of(
            json_body(request),
            partial(self._event, came=came_at(request)),
            source=self.name,
            kind="event",
            person=("email",),
            came=came_at(request),
        )

    def _prove(self, request: Request) -> None:
        stamp = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
        signature = request.headers.get("x-twilio-email-event-webhook-signature", "")
        if not (_STAMP.fullmatch(stamp) and signature):
            raise UnverifiedError("the request carries no signature: switch the Signed Event Webhook on")
        try:
            signed = base64.b64decode(signature, validate=True)
            self.verification_key.verify(signed, stamp.encode() + request.body, ECDSA(SHA256()))
        except (ValueError, InvalidSignature) as error:
            raise UnverifiedError(
                "the signature does not fit the body: check the key, and that no proxy alters bodies"
            ) from error
        require_fresh(request, datetime.fromtimestamp(int(stamp), UTC), self.max_age)

    def _event(self, told: Report, *, came: datetime) -> Event:
        kind = text_in(told, "event")
        about = self._about(told, kind, came)
        return _READ[kind](about, told) if kind in _READ else Unrecognised(about, kind)

    def _about(self, told: Report, kind: str, came: datetime) -> About:
        recipient = text_in(told, "email")
        when = told.get("timestamp")
        return About(
            delivery_id=delivery_id_in(told.get(ARGUMENT)) or _delivery_id_of_message(told),
            recipient=recipient,
            at=moment(when, otherwise=came),
            source=self.name,
            key=text_in(told, "sg_event_id")
            or synthetic_key(
                source=self.name,
                kind=kind,
                message=text_in(told, "sg_message_id", "smtp-id"),
                recipient=recipient,
                time=str(when),
                url=text_in(told, "url"),
                scope=text_in(told, "asm_group_id"),
                reader=f"{text_in(told, 'ip')} {text_in(told, 'useragent')}",
            ),
            raw=told,
        )


def _instructions(headers: list[str]) -> dict[str, Any]:
    """What the header that is there already asks of SendGrid."""
    if not headers:
        return {}
    try:
        asked = json.loads(headers[0])
    except (ValueError, RecursionError) as error:
        raise MailError(f"the header {_HEADER} is not JSON: write an object, or leave it out") from error
    if not isinstance(asked, dict):
        raise MailError(f"the header {_HEADER} holds a {type(asked).__name__}: write a JSON object, or leave it out")
    if "to" in asked:
        raise MailError(f"the header {_HEADER} names recipients in 'to': give each person a mail of their own")
    return asked


def _with_marks(asked: dict[str, Any], delivery_id: DeliveryId) -> dict[str, Any]:
    """The header's JSON, with the marks laid into it; what was given is left as it was."""
    arguments = _object(asked, "unique_args")
    if arguments.get(ARGUMENT, delivery_id) != delivery_id:
        raise MailError(f"the header {_HEADER} sets {ARGUMENT} to {arguments[ARGUMENT]!r}: leave it out")
    arguments[ARGUMENT] = delivery_id
    size = len(json.dumps(arguments))
    if size > _UNIQUE_ARGUMENTS_BYTES:
        raise MailError(f"unique_args take up {size} bytes: SendGrid takes {_UNIQUE_ARGUMENTS_BYTES}")
    filters = _object(asked, "filters")
    for tracking in ("clicktrack", "opentrack"):
        setting = _object(filters, tracking)
        settings = _object(setting, "settings")
        if settings.get("enable", 0) not in (0, "0", False):
            raise MailError(f"the header {_HEADER} turns {tracking} on, which counts twice: leave it out")
        filters[tracking] = {**setting, "settings": {**settings, "enable": 0}}
    return {**asked, "unique_args": arguments, "filters": filters}


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    found = parent.get(name, {})
    if not isinstance(found, dict):
        raise MailError(f"the header {_HEADER} has a {type(found).__name__} as {name!r}: write a JSON object")
    return dict(found)


def _folding(asked: dict[str, Any]) -> str:
    """The JSON in ASCII, no blank inside a string: folding at any blank changes nothing, whatever unfolds it.

    Nor is there a ``=?`` in it, which a renderer or a relay would take for an encoded word's beginning.
    """
    text = _STRING.sub(lambda found: _one_token(found[0]), json.dumps(asked))
    longest = max(map(len, text.split(" ")))
    if longest > _TOKEN:
        raise MailError(
            f"the header {_HEADER} has {longest} characters that cannot be folded, and a line carries {_TOKEN}: "
            "shorten its texts"
        )
    return text


def _one_token(string: str) -> str:
    return string.replace(" ", r"\u0020").replace("=?", r"=\u003f")


def _delivery_id_of_message(told: Report) -> DeliveryId | None:
    """Our id from the Message-ID, for reports without unique arguments, as late bounces are ("Unique Arguments")."""
    message_id = text_in(told, "smtp-id")
    # SendGrid's own, for a mail that came without one: its left side has an id's shape too.
    return None if "ismtpd" in message_id else delivery_id_in_message_id(message_id)


def _status(told: Report) -> str:
    return enhanced_status(text_in(told, "status"), text_in(told, "reason"), text_in(told, "response"))


def _bounced(about: About, told: Report) -> Event:
    status = _status(told)
    by_status = {"4": BounceKind.SOFT, "5": BounceKind.HARD}.get(status[:1], BounceKind.UNDETERMINED)
    kind, classification = text_in(told, "type").lower(), text_in(told, "bounce_classification").lower()
    if kind not in KINDS or (kind == "bounce" and by_status is BounceKind.SOFT):
        verdict = by_status
    else:
        verdict = KINDS[kind].get(classification, KINDS[kind][""])
    return Bounced(about, verdict, text_in(told, "reason", "response"), status)


def _opened(about: About, told: Report) -> Event:
    evidence = [mark for mark in ("sg_machine_open",) if told.get(mark) in (True, "true")]
    return Opened(
        about,
        prefetched=bool(evidence),
        evidence=evidence,
        user_agent=text_in(told, "useragent"),
        client=text_in(told, "ip"),
        second_hand=True,
    )


def _clicked(about: About, told: Report) -> Event:
    return Clicked(
        about,
        told["url"],
        link=_link(told),
        user_agent=text_in(told, "useragent"),
        client=text_in(told, "ip"),
        second_hand=True,
    )


def _link(told: Report) -> str:
    """Which link of the mail: ``html-0`` for the first of the HTML."""
    match told.get("url_offset"):
        case {"type": str(part), "index": int(index)}:
            return f"{part}-{index}"
    return ""


def _resubscribed(about: About, told: Report) -> Event:
    group = text_in(told, "asm_group_id")
    if not group:  # else it would lift the unsubscription from everything
        raise LookupError("a resubscription to no group")
    return Resubscribed(about, scope=group)


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    # SendGrid took the mail and has it ready: the relay's own 250, told once more.
    "processed": lambda about, _: Accepted(about, Reply(250, "processed")),
    "delivered": lambda about, told: Delivered(about, text_in(told, "response")),
    "deferred": lambda about, told: Deferred(about, text_in(told, "response", "reason"), _status(told)),
    "bounce": _bounced,
    "dropped": lambda about, told: Dropped(about, text_in(told, "reason")),
    "open": _opened,
    "click": _clicked,
    "spamreport": lambda about, _: Complained(about),
    "unsubscribe": lambda about, _: Unsubscribed(about),
    "group_unsubscribe": lambda about, told: Unsubscribed(about, scope=text_in(told, "asm_group_id")),
    "group_resubscribe": _resubscribed,
}
"""What each event of the "Event Webhook Reference" becomes; ``account_status_change`` is about no mail."""
