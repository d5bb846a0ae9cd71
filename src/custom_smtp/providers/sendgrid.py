"""Twilio SendGrid: the marks on a mail, and the reports that come back.

Sources, on www.twilio.com/docs/sendgrid: "Event Webhook Reference", "Getting Started with the Event Webhook Security
Features", "Building an X-SMTPAPI Header", "SMTP Filters", "Unique Arguments", "Bounce and Block Classifications".
"""

import base64
import json
import re
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
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
    Cause,
    Clicked,
    Complained,
    Deferred,
    Delivered,
    DropKind,
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
    UNKNOWN_TIME,
    an_age,
    bearer_in,
    came_at,
    delivery_id_in,
    delivery_id_in_message_id,
    enhanced_status,
    events_of,
    json_body,
    json_object_in,
    moment,
    require_bearer,
    require_fresh,
    secrets_of,
    some_secrets,
    synthetic_key,
    text_in,
    told_cause,
    with_id,
    with_json_header,
)

Report = dict[str, Any]

ARGUMENT = "csm_id"
"""The unique argument that carries our id. SendGrid lays it flat among a report's own fields, hence its odd name."""

MAX_AGE = timedelta(hours=25)
"""How old a signed request may be: SendGrid tries again for 24 hours, and does not say whether it signs anew."""

CAUSES: Mapping[str, Cause] = {
    "invalid address": Cause.NO_SUCH_USER,
    "invalid": Cause.NO_SUCH_USER,
    "content": Cause.CONTENT,
    "reputation": Cause.REPUTATION,
    "frequency or volume too high": Cause.RATE_LIMITED,
}
"""What a ``bounce_classification`` says by itself ("Bounce and Block Classifications").

Technical, Mailbox Unavailable and Unclassified each stand for several causes.
"""

_BLOCKS = {
    "content": BounceKind.BLOCK,
    "reputation": BounceKind.BLOCK,
    "frequency or volume too high": BounceKind.BLOCK,
}

KINDS: Mapping[str, Mapping[str, BounceKind]] = {
    "": _BLOCKS,
    "bounce": {"": BounceKind.HARD, **_BLOCKS},
    "blocked": {
        "": BounceKind.BLOCK,
        "mailbox unavailable": BounceKind.SOFT,
        "technical": BounceKind.SOFT,
    },
    "expired": {"": BounceKind.SOFT},
}
"""What a bounce says about the address: by its type, then by its classification; ``""`` is any other.

The types stand in the "Event Webhook Reference", but for ``expired``, which a public integration has met
(django-anymail); the classifications in "Bounce and Block Classifications". Where neither says it, as in reports
without a type, its status does.
"""

DROPS: Mapping[str, DropKind] = {
    "bounced address": DropKind.SUPPRESSED,
    "unsubscribed address": DropKind.SUPPRESSED,
    "spam reporting address": DropKind.SUPPRESSED,
    "invalid": DropKind.INVALID,
    "spam content": DropKind.POLICY,
    "recipient list over package quota": DropKind.POLICY,
    "invalid smtpapi header": DropKind.FAILED,
}
"""Why SendGrid did not even try ("Event Webhook Reference": the reasons of a dropped event)."""

_HEADER = "X-SMTPAPI"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_SIGNATURE = "x-twilio-email-event-webhook-signature"
_ALGORITHM = ECDSA(SHA256())
_PROCESSED = Reply(250, "processed")
_MADE_BY_SENDGRID = re.compile(r"ismtpd|@sendgrid\.(?:com|net)\b")  # as its samples of now and of before end
_UNIQUE_ARGUMENTS_BYTES = 10_000  # "Unique Arguments": what they may take up in all
_STAMP_DIGITS = 11  # until the year 5138


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


PublicKeys = str | bytes | Iterable[str | bytes]


def _public_keys(keys: PublicKeys) -> tuple[EllipticCurvePublicKey, ...]:
    several = keys if isinstance(keys, Iterable) and not isinstance(keys, str | bytes) else (keys,)
    return tuple(map(_public_key, several))


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


@frozen
class SendGrid:
    """Marks mail that goes through SendGrid, and reads what SendGrid reports.

    Its webhooks are proven by their signature: switch the Signed Event Webhook on, and copy the verification key. Or by
    an OAuth 2.0 token, which SendGrid fetches from a server of yours. Where both are given here, both are asked for.
    Several keys or tokens hold at once: an old and a new one, those of several accounts.

    Attributes:
        verification_key: the webhook's public key, base64 as SendGrid shows it (or PEM), or several; held loaded.
        token: a token that does not change, or several.
        knows_token: says whether a token is good, where your server gives out ones that expire.
        max_age: how long after its signature a request is still believed.
        name: the source of its events.

    Raises:
        ConfigurationError: a key is none, or not of the P-256 curve; a token is empty; or there is no proof at all.
    """

    verification_key: tuple[EllipticCurvePublicKey, ...] = field(default=(), converter=_public_keys, repr=False)
    token: tuple[str, ...] = field(default=(), converter=secrets_of, repr=False, kw_only=True)
    knows_token: Callable[[str], bool] | None = field(default=None, repr=False, eq=False, kw_only=True)
    max_age: timedelta = field(default=MAX_AGE, kw_only=True, validator=an_age)
    name: str = field(default="sendgrid", init=False)

    @token.validator
    def _are_tokens(self, attribute: "Attribute[Any]", token: tuple[str, ...]) -> None:
        if token:
            some_secrets("SendGrid's webhook token")(self, attribute, token)

    def __attrs_post_init__(self) -> None:
        if not (self.verification_key or self.token or self.knows_token):
            raise ConfigurationError(
                "SendGrid's webhook has no proof: give the verification key of its Signed Event Webhook, a P-256 public"
                " key; without a proof anybody is believed"
            )

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id and SendGrid's own tracking turned off, in the one X-SMTPAPI header there may be.

        What such a header says already is kept. The JSON is ASCII, has blanks only between its tokens, so that it may
        be folded at any of them, and never holds the ``=?`` that an encoded word begins with (RFC 2047 section 2).

        Raises:
            MailError: the header that is there is no JSON object, says otherwise, or becomes too large.
        """
        return with_json_header(headers, _HEADER, lambda asked: _with_marks(asked, delivery_id))

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by signature and age, by token, or by both; then read every report of the batch.

        Raises:
            UnverifiedError: the signature is missing, wrong or too old, or the token missing or another.
            MalformedError: proven, and not JSON.
        """
        if self.verification_key:
            self._prove_signature(request)
        if self.token or self.knows_token:
            self._prove_token(request)
        came = came_at(request)
        return events_of(
            json_body(request),
            partial(self._event, came),
            source=self.name,
            kind="event",
            person=("email",),
            came=came,
        )

    def _prove_signature(self, request: Request) -> None:
        stamp, signature = request.headers.get(_TIMESTAMP, ""), request.headers.get(_SIGNATURE, "")
        for name, value in ((_SIGNATURE, signature), (_TIMESTAMP, stamp)):
            if not value:
                raise UnverifiedError(f"the request has no header {name}: switch the Signed Event Webhook on")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _STAMP_DIGITS):
            raise UnverifiedError(f"the header {_TIMESTAMP} holds no seconds since 1970")
        try:
            signature_bytes = a2b_base64(signature, strict_mode=True)
        except ValueError as error:
            raise UnverifiedError(f"the header {_SIGNATURE} is not base64") from error
        signed = stamp.encode() + request.body
        if not any(_fits(key, signature_bytes, signed) for key in self.verification_key):
            which = "the key" if len(self.verification_key) == 1 else f"any of the {len(self.verification_key)} keys"
            raise UnverifiedError(
                f"the signature does not fit the body under {which}: copy the verification key of this webhook, and "
                "let no proxy alter bodies"
            )
        require_fresh(request, moment(stamp, otherwise=UNKNOWN_TIME), self.max_age)

    def _prove_token(self, request: Request) -> None:
        given = bearer_in(request)
        if given and self.knows_token is not None and self.knows_token(given) is True:
            return
        if self.token:
            require_bearer(request, *self.token)
        else:
            raise UnverifiedError(
                f"the request carries {'another' if given else 'no'} Bearer token", challenge='Bearer realm="reports"'
            )

    def _event(self, came: datetime, told: Report) -> Event:
        kind = told.get("event") or ""
        about = About.told(
            delivery_id=delivery_id_in(told.get(ARGUMENT)) or _delivery_id_of_message(told),
            recipient=told.get("email") or "",
            at=moment(told.get("timestamp"), otherwise=came),
            source=self.name,
            # The samples of its documentation and of its tests give one id to events of all kinds.
            key=f"{kind} {number}" if (number := told.get("sg_event_id")) else self._key(told, kind),
            raw=told,
        )
        read = _READ.get(kind)
        return read(about, told) if read else Unrecognised(about, kind)

    def _key(self, told: Report, kind: str) -> str:
        return synthetic_key(
            source=self.name,
            kind=kind,
            message=text_in(told, "sg_message_id", "smtp-id"),
            recipient=text_in(told, "email"),
            time=str(told.get("timestamp")),
            url=text_in(told, "url"),
            scope=text_in(told, "asm_group_id"),
            reader=f"{text_in(told, 'ip')} {text_in(told, 'useragent')}",
        )


def _fits(key: EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, _ALGORITHM)
    except InvalidSignature:
        return False
    return True


def _with_marks(asked: dict[str, Any], delivery_id: DeliveryId) -> dict[str, Any]:
    """The header's JSON, with the marks laid into it; what was given is left as it was."""
    if "to" in asked:
        raise MailError(f"the header {_HEADER} names recipients in 'to': give each person a mail of their own")
    arguments = with_id(_HEADER, json_object_in(_HEADER, asked, "unique_args"), ARGUMENT, delivery_id)
    size = len(json.dumps(arguments))
    if size > _UNIQUE_ARGUMENTS_BYTES:
        raise MailError(f"unique_args take up {size} bytes: SendGrid takes {_UNIQUE_ARGUMENTS_BYTES}")
    filters = json_object_in(_HEADER, asked, "filters")
    for tracking in ("clicktrack", "opentrack"):
        setting = json_object_in(_HEADER, filters, tracking)
        settings = json_object_in(_HEADER, setting, "settings")
        if settings.get("enable", 0) not in (0, "0", False):
            raise MailError(f"the header {_HEADER} turns {tracking} on, which counts twice: leave it out")
        filters[tracking] = {**setting, "settings": {**settings, "enable": 0}}
    return {**asked, "unique_args": arguments, "filters": filters}


def _delivery_id_of_message(told: Report) -> DeliveryId | None:
    """Our id from the Message-ID, for reports without unique arguments, as late bounces are ("Unique Arguments")."""
    message_id = text_in(told, "smtp-id")
    # SendGrid's own, for a mail that came without one: its left side has an id's shape too.
    return None if _MADE_BY_SENDGRID.search(message_id) else delivery_id_in_message_id(message_id)


def _status(told: Report, words: str) -> str:
    return enhanced_status(told.get("status") or "", words)


def _bounced(about: About, told: Report) -> Event:
    reason = told.get("reason") or told.get("response") or ""
    status = _status(told, reason)
    kind, classification = (told.get("type") or "").lower(), (told.get("bounce_classification") or "").lower()
    verdict = _BY_STATUS.get(status[:1], BounceKind.UNDETERMINED)
    if verdict is not BounceKind.SOFT or kind not in _AS_A_RULE_HARD:
        verdicts = KINDS.get(kind) or {}
        verdict = verdicts.get(classification) or verdicts.get("") or verdict
    return Bounced.told(about, verdict, reason, status, told_cause(CAUSES.get(classification, Cause.UNKNOWN), status))


_AS_A_RULE_HARD = ("bounce", "")
_BY_STATUS = {"4": BounceKind.SOFT, "5": BounceKind.HARD}


def _deferred(about: About, told: Report) -> Event:
    words = told.get("response") or told.get("reason") or ""
    status = _status(told, words)
    return Deferred(about, words, status, told_cause(Cause.UNKNOWN, status))


def _dropped(about: About, told: Report) -> Event:
    reason = told.get("reason") or ""
    return Dropped(about, reason, DROPS.get(reason.lower(), DropKind.UNKNOWN), _status(told, reason))


def _opened(about: About, told: Report) -> Event:
    machine = told.get("sg_machine_open") in (True, "true")
    return Opened.told(
        about,
        prefetched=machine,
        evidence=("sg_machine_open",) if machine else (),
        user_agent=told.get("useragent") or "",
        client=told.get("ip") or "",
    )


def _clicked(about: About, told: Report) -> Event:
    return Clicked.told(
        about,
        told.get("url") or "",
        link=_link(told),
        user_agent=told.get("useragent") or "",
        client=told.get("ip") or "",
    )


def _link(told: Report) -> str:
    """Which link of the mail: ``html-0`` for the first of the HTML."""
    offset = told.get("url_offset")
    if not isinstance(offset, dict):
        return ""
    part, index = offset.get("type"), offset.get("index")
    return f"{part}-{index}" if isinstance(part, str) and isinstance(index, int) else ""


def _resubscribed(about: About, told: Report) -> Event:
    group = text_in(told, "asm_group_id")
    if not group:  # else it would lift the unsubscription from everything
        raise LookupError("a resubscription to no group")
    return Resubscribed(about, scope=group)


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    # SendGrid took the mail and has it ready: the relay's own 250, told once more.
    "processed": lambda about, _: Accepted(about, _PROCESSED),
    "delivered": lambda about, told: Delivered(about, told.get("response") or ""),
    "deferred": _deferred,
    "bounce": _bounced,
    "dropped": _dropped,
    "open": _opened,
    "click": _clicked,
    "spamreport": lambda about, _: Complained(about),
    "unsubscribe": lambda about, _: Unsubscribed(about),
    "group_unsubscribe": lambda about, told: Unsubscribed(about, scope=text_in(told, "asm_group_id")),
    "group_resubscribe": _resubscribed,
}
"""What each event of the "Event Webhook Reference" becomes; ``account_status_change`` is about no mail."""
