"""Postal, the mail server that you run yourself: the marks on a mail, and the reports that come back.

Sources: docs.postalserver.io, whose texts are kept in github.com/postalserver/docs ("Webhooks", "SMTP Authentication",
"SMTP TLS", "Mail Server Settings", "Click & Open Tracking"); and where they end, Postal's own code,
github.com/postalserver/postal (app/lib/message_dequeuer, app/senders/smtp_sender.rb, lib/postal/message_db/message.rb).
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from attrs import Attribute, field, frozen
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ..errors import ConfigurationError, UnverifiedError
from ..events import (
    About,
    Bounced,
    BounceKind,
    Cause,
    Clicked,
    Deferred,
    Delivered,
    DropKind,
    Dropped,
    Event,
    Opened,
    Unrecognised,
)
from ..identifiers import DeliveryId
from ..ports import Headers
from ..servers import Credentials, Server
from ..web import Request
from ..webhooks import (
    came_at,
    delivery_id_in,
    delivery_id_in_message_id,
    enhanced_status,
    events_of,
    json_body,
    marked,
    moment,
    synthetic_key,
    text_in,
    told_cause,
)

Report = dict[str, Any]

TAG = "delivery_id="
"""What the tag begins with that carries our id, so that a tag of yours is not taken for one."""

STATUSES: Mapping[str, tuple[BounceKind, Cause]] = {
    "5.1.1": (BounceKind.HARD, Cause.NO_SUCH_USER),
    "5.1.2": (BounceKind.HARD, Cause.NO_SUCH_DOMAIN),
    "5.1.6": (BounceKind.HARD, Cause.MOVED),
    "5.1.10": (BounceKind.HARD, Cause.NO_MAIL_TAKEN),  # RFC 7505 section 4.2
    "5.2.1": (BounceKind.HARD, Cause.MAILBOX_DISABLED),
    "5.2.2": (BounceKind.SOFT, Cause.MAILBOX_FULL),
    "5.2.3": (BounceKind.SOFT, Cause.TOO_LARGE),
    "5.3.4": (BounceKind.SOFT, Cause.TOO_LARGE),
}
"""What a failure says, by the enhanced status of the recipient's server (RFC 3463 section 3).

Postal has no classes of its own. Any other 5.7 is a block, since it is about security or policy; any other is hard.
"""

REFUSED_BY_POSTAL: Mapping[str, DropKind] = {
    "Message is likely spam": DropKind.POLICY,
    "Message's domain no longer exist": DropKind.FAILED,
    "Message doesn't have an RCPT to": DropKind.FAILED,
    "Raw message has been removed": DropKind.FAILED,
}
"""How ``details`` begins where Postal gave up without trying.

See ``outgoing_message_processor.rb`` and ``single_message_processor.rb`` in its source.
"""

OUT_OF_ATTEMPTS = "Maximum number of delivery attempts"
"""How they begin where it tried until it had tried often enough (single_message_processor.rb)."""

SUPPRESSED = "is on the suppression list"
"""What they say of a mail that is held since its recipient failed before ("Held messages")."""

_HEADER = "X-Postal-Tag"
_TRACKING_OFF = ("X-AMP", "skip")
_DKIM_KEY = re.compile(r"(?:^|;)\s*p=([A-Za-z0-9+/=\s]+)")


def server(host: str, credential: str, *, port: int = 587, username: str = "postal") -> Server:
    """Your Postal server. The password is the key of an SMTP credential; the user name may be any.

    Postal listens on port 25 unless told otherwise, and speaks TLS once it has a certificate: set ``default_port`` and
    ``tls_enabled`` of its ``smtp_server``.
    """
    return Server(host=host, port=port, credentials=Credentials(username, credential))


def _public_keys(given: "str | bytes | Iterable[str | bytes]") -> tuple[RSAPublicKey, ...]:
    several = (given,) if isinstance(given, str | bytes) or not isinstance(given, Iterable) else given
    return tuple(key for one in several for key in _loaded(one))


def _loaded(given: object) -> list[RSAPublicKey]:
    refused = ConfigurationError(
        "Postal's public key is none: give what https://your-postal/.well-known/jwks.json holds, or the key as PEM, or "
        "what 'postal default-dkim-record' prints"
    )
    try:
        text = given.decode("ascii") if isinstance(given, bytes) else given
        if not isinstance(text, str):
            raise refused
        keys = _of_a_set(text) if text.lstrip().startswith("{") else [load_der_public_key(_der(text))]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, UnsupportedAlgorithm) as error:
        raise refused from error
    found = [key for key in keys if isinstance(key, RSAPublicKey)]
    if not found or len(found) < len(keys):
        raise refused
    return found


def _of_a_set(text: str) -> list[RSAPublicKey]:
    """The keys of a JSON Web Key Set, or the one JSON Web Key that it is (RFC 7517, RFC 7518 section 6.3.1)."""
    told = json.loads(text)
    keys = told.get("keys", [told])
    return [RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key() for key in keys]


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def _der(text: str) -> bytes:
    """The key in a PEM file, in a DKIM record (RFC 6376 section 3.6.1), or in base64."""
    record = _DKIM_KEY.search(text)
    lines = (record[1] if record else text).splitlines()
    body = "".join("".join(line.split()) for line in lines if not line.startswith("-----"))
    return base64.b64decode(body, validate=True)


def _some_keys(_instance: object, _attribute: "Attribute[Any]", keys: tuple[object, ...]) -> None:
    if not keys:
        raise ConfigurationError("Postal's public key is missing: without one anybody is believed")


@frozen
class Postal:
    """Marks mail that goes through Postal, and reads what Postal reports.

    Its requests are signed with the server's own key, which its JSON Web Key Set shows. Several keys hold at once: the
    old and the new, those of several servers.

    What is signed is the body alone. A copied request tells the same event with the same key, and a journal keeps it
    once.

    Attributes:
        public_keys: the text of the server's ``/.well-known/jwks.json``, or the key as PEM, in base64 or in the DKIM
            record that Postal prints; or several. Held loaded.
        sha1: whether a request that is signed by SHA-1 alone is believed, as an old Postal signs.
        name: the source of its events.

    Raises:
        ConfigurationError: a key is none, or no RSA key; or there is none.
    """

    public_keys: tuple[RSAPublicKey, ...] = field(converter=_public_keys, repr=False, validator=_some_keys)
    sha1: bool = field(default=False, kw_only=True)
    name: str = field(default="postal", init=False)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id as the tag, and Postal's own tracking off.

        A mail with a tag of yours keeps it, and is found by its Message-ID, which Postal keeps.

        Raises:
            MailError: a header that is there already turns tracking on.
        """
        tagged = any(name.lower() == _HEADER.lower() for name, _ in headers)
        return marked(headers, (_TRACKING_OFF,) if tagged else ((_HEADER, f"{TAG}{delivery_id}"), _TRACKING_OFF))

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by signature, then read the one event that Postal posts (a list of them is read too).

        Raises:
            UnverifiedError: the signature is missing or wrong.
            MalformedError: signed, and not JSON.
        """
        self._prove(request)
        came = came_at(request)
        return events_of(
            json_body(request),
            partial(self._event, came),
            source=self.name,
            kind="event",
            person=_recipient,
            came=came,
        )

    def _prove(self, request: Request) -> None:
        signature, algorithm = self._signature(request)
        try:
            signed = base64.b64decode(signature, validate=True)
        except ValueError as error:
            raise UnverifiedError("the signature is no base64") from error
        if not any(_fits(key, signed, request.body, algorithm) for key in self.public_keys):
            raise UnverifiedError(
                "the signature fits none of the keys: read the server's jwks.json anew, and see that no proxy alters "
                "bodies"
            )

    def _signature(self, request: Request) -> tuple[str, HashAlgorithm]:
        """A request that is signed by SHA-256 is judged by that, whatever else it carries."""
        by_sha256, by_sha1 = (
            request.headers.get("x-postal-signature-256", ""),
            request.headers.get("x-postal-signature", ""),
        )
        if by_sha256:
            return by_sha256, SHA256()
        if by_sha1 and self.sha1:
            return by_sha1, SHA1()  # noqa: S303  # only where it was asked for
        raise UnverifiedError(
            "the request is signed by SHA-1 alone: update Postal, or give sha1=True"
            if by_sha1
            else "the request carries no X-Postal-Signature-256: it is none of Postal's"
        )

    def _event(self, came: datetime, told: Report) -> Event:
        kind, inside = text_in(told, "event"), told.get("payload") or {}
        message = _message(inside)
        stamp = inside.get("timestamp") or told.get("timestamp")
        about = About(
            delivery_id=_delivery_id(message),
            recipient=text_in(message, "to"),
            at=moment(stamp, otherwise=came),
            source=self.name,
            key=text_in(told, "uuid")
            or synthetic_key(
                source=self.name,
                kind=kind,
                message=f"{text_in(message, 'id')} {text_in(message, 'token')}",
                recipient=text_in(message, "to"),
                time=str(stamp),
                url=text_in(inside, "url"),
                reader=f"{text_in(inside, 'ip_address')} {text_in(inside, 'user_agent')}",
            ),
            raw=told,
        )
        ours = message.get("direction") != "incoming"
        return _READ[kind](about, inside) if ours and kind in _READ else Unrecognised(about, kind)


def _fits(key: RSAPublicKey, signature: bytes, body: bytes, algorithm: HashAlgorithm) -> bool:
    try:
        key.verify(signature, body, PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True


def _message(inside: Report) -> Report:
    return inside.get("message") or inside.get("original_message") or {}


def _recipient(told: Report) -> str:
    inside = told.get("payload")
    for part in ("message", "original_message"):
        message = inside.get(part) if isinstance(inside, dict) else None
        if isinstance(message, dict):
            return text_in(message, "to")
    return ""


def _delivery_id(message: Report) -> DeliveryId | None:
    tag = text_in(message, "tag")
    if tag.startswith(TAG):
        return delivery_id_in(tag.removeprefix(TAG))
    return delivery_id_in_message_id(message.get("message_id"))


def _words(inside: Report) -> str:
    """The other server's words; what Postal itself says where there are none."""
    return text_in(inside, "output") or text_in(inside, "details")


def _delayed(about: About, inside: Report) -> Event:
    words = _words(inside)
    status = enhanced_status(words)
    return Deferred(about, words, status, told_cause(Cause.UNKNOWN, status))


def _failed(about: About, inside: Report) -> Event:
    details, words = text_in(inside, "details"), _words(inside)
    if refused := [kind for begins, kind in REFUSED_BY_POSTAL.items() if details.startswith(begins)]:
        return Dropped(about, details, refused[0])
    status = enhanced_status(words)
    if details.startswith(OUT_OF_ATTEMPTS):
        return Bounced(about, BounceKind.SOFT, words, status, cause=Cause.EXPIRED)
    kind, cause = STATUSES.get(status) or (_BLOCKED if status.startswith("5.7.") else _FAILED)
    return Bounced(about, kind, words, status, told_cause(cause, status))


_BLOCKED = BounceKind.BLOCK, Cause.POLICY
_FAILED = BounceKind.HARD, Cause.UNKNOWN


def _held(about: About, inside: Report) -> Event:
    details = text_in(inside, "details")
    return Dropped(about, details, DropKind.SUPPRESSED) if SUPPRESSED in details else Deferred(about, details)


def _bounced(about: About, inside: Report) -> Event:
    """A bounce mail came later. Postal tells what it is called, and not what it says."""
    return Bounced(about, BounceKind.UNDETERMINED, text_in(inside["bounce"], "subject"))


def _opened(about: About, inside: Report) -> Event:
    agent, client = text_in(inside, "user_agent"), text_in(inside, "ip_address")
    return Opened(about, user_agent=agent, client=client, second_hand=True)


def _clicked(about: About, inside: Report) -> Event:
    return Clicked(
        about,
        inside.get("url") or "",
        link=text_in(inside, "token"),
        user_agent=text_in(inside, "user_agent"),
        client=text_in(inside, "ip_address"),
        second_hand=True,
    )


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    "MessageSent": lambda about, inside: Delivered(about, _words(inside)),
    "MessageDelayed": _delayed,
    "MessageDeliveryFailed": _failed,
    "MessageHeld": _held,
    "MessageBounced": _bounced,
    "MessageLinkClicked": _clicked,
    "MessageLoaded": _opened,
}
"""What each event of "Webhooks" becomes. Those about mail that came in, DNS and send limits stay unrecognised."""
