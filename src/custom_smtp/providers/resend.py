"""Resend: the marks on a mail, and the reports that come back.

Sources: resend.com/docs, "Send emails with SMTP", "Event Types" and the page of each event, "Retries and Replays"; the
types of its events in github.com/resend/resend-node (src/webhooks/interfaces/webhook-event.interface.ts), and of its
bounces in github.com/resend/resend-skills (skills/resend/references/webhooks.md); docs.svix.com, "Verifying Webhooks
Manually".
"""

import base64
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from attrs import Attribute, field, frozen

from ..errors import ConfigurationError, UnverifiedError
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
from ..servers import Credentials, Server, Tls
from ..web import Request
from ..webhooks import (
    an_age,
    bare_address,
    came_at,
    delivery_id_in,
    delivery_id_in_message_id,
    enhanced_status,
    events_of,
    json_body,
    marked,
    moment,
    require_fresh,
    secrets_of,
    text_in,
    told_cause,
)

Report = dict[str, Any]

HEADER = "X-Delivery-ID"
"""The header that carries our id. Its documentation does not promise that reports bring it back; some do."""

HOST = "smtp.resend.com"
"""Resend's relay ("Send emails with SMTP")."""

PORTS: Mapping[int, Tls] = {
    587: Tls.STARTTLS,
    2587: Tls.STARTTLS,
    465: Tls.IMPLICIT,
    2465: Tls.IMPLICIT,
}
"""Its ports (the same page); 25 is left out."""

MAX_AGE = timedelta(minutes=5)
"""How old a request may be. Each try is signed anew, and Svix's own libraries believe it for as long."""

BOUNCES: Mapping[tuple[str, str], tuple[BounceKind, Cause]] = {
    ("Permanent", "General"): (BounceKind.HARD, Cause.UNKNOWN),
    ("Permanent", "NoEmail"): (BounceKind.HARD, Cause.NO_SUCH_USER),
    ("Transient", "General"): (BounceKind.SOFT, Cause.UNKNOWN),
    ("Transient", "MailboxFull"): (BounceKind.SOFT, Cause.MAILBOX_FULL),
    ("Transient", "MessageTooLarge"): (BounceKind.SOFT, Cause.TOO_LARGE),
    ("Transient", "ContentRejected"): (BounceKind.BLOCK, Cause.CONTENT),
    ("Transient", "AttachmentRejected"): (BounceKind.BLOCK, Cause.CONTENT),
}
"""What a bounce says, by its type and subtype (the webhooks.md of resend-skills)."""

TYPES: Mapping[str, BounceKind] = {"Permanent": BounceKind.HARD, "Transient": BounceKind.SOFT}
"""What a bounce says whose subtype is not known here; any other type is undetermined."""

SUPPRESSED = ("Suppressed", "OnAccountSuppressionList")
"""The subtypes for which Resend did not even try: the page of ``email.bounced`` shows the first, Amazon SES, through
which Resend sends, has both."""

SUPPRESSIONS: Mapping[str, Callable[[About], Event]] = {
    "bounce": lambda about: Bounced(about, BounceKind.HARD, "bounce"),
    "complaint": Complained,
    "manual": lambda about: Unsubscribed(about, "manual"),
}
"""Why an address went onto the suppression list, by its ``origin``."""

_STAMP = re.compile(r"[0-9]{1,11}")  # until the year 5138
_VERSION = "v1,"
_RELAYS_OWN = re.compile(r"@(?:[a-z0-9-]+\.)*amazonses\.com>?$", re.IGNORECASE)


def server(api_key: str, *, port: int = 587) -> Server:
    """Resend's server. The user name is the word ``resend``, and the password an API key.

    Raises:
        ConfigurationError: Resend does not listen on this port.
    """
    if port not in PORTS:
        raise ConfigurationError(f"port {port!r} is none of Resend's: use {', '.join(map(str, PORTS))}")
    return Server(host=HOST, port=port, credentials=Credentials("resend", api_key), tls=PORTS[port])


def _keys(secrets: str | Iterable[str]) -> tuple[bytes, ...]:
    return tuple(map(_key, secrets_of(secrets)))


def _key(secret: object) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True) if isinstance(secret, str) else b""
    except ValueError:
        key = b""
    if not key:
        raise ConfigurationError(
            "Resend's signing secret is none: copy it from Webhooks, where it begins with whsec_; without it anybody "
            "is believed"
        )
    return key


def _some_keys(_instance: object, _attribute: "Attribute[Any]", keys: tuple[bytes, ...]) -> None:
    if not keys:
        raise ConfigurationError("Resend's signing secret is missing: copy it from Webhooks")


@frozen
class Resend:
    """Marks mail that goes through Resend, and reads what Resend reports.

    Its webhooks are signed by Svix: over their id, their time and their body. While Resend turns a secret over, it
    signs with both, and several secrets hold here at once, too.

    Attributes:
        signing_secrets: the webhook's, which begins with ``whsec_``; or several. They are held decoded.
        max_age: how long after its signature a request is still believed.
        name: the source of its events.

    Raises:
        ConfigurationError: a secret is none, or there is none.
    """

    signing_secrets: tuple[bytes, ...] = field(converter=_keys, repr=False, validator=_some_keys)
    max_age: timedelta = field(default=MAX_AGE, kw_only=True, validator=an_age)
    name: str = field(default="resend", init=False)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id. Resend has no header that turns its tracking off: that is set for a whole domain.

        Raises:
            MailError: such a header is there already, with another id.
        """
        return marked(headers, ((HEADER, delivery_id),))

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by signature and age, then read the one event that Resend posts (a list of them is read too).

        Raises:
            UnverifiedError: the signature is missing, wrong or too old.
            MalformedError: signed, and not JSON.
        """
        number = self._proven(request)
        came = came_at(request)
        return events_of(
            json_body(request),
            partial(self._event, number, came),
            source=self.name,
            kind="type",
            person=_recipient,
            came=came,
        )

    def _proven(self, request: Request) -> str:
        """The request's id, which stays when it is made again."""
        number, stamp, signatures = (
            request.headers.get(f"svix-{part}") or request.headers.get(f"webhook-{part}", "")
            for part in ("id", "timestamp", "signature")
        )
        if not (number and signatures and _STAMP.fullmatch(stamp)):
            raise UnverifiedError("the request lacks svix-id, svix-timestamp or svix-signature: it is none of Resend's")
        signed = f"{number}.{stamp}.".encode(errors="replace") + request.body
        given = [one.removeprefix(_VERSION) for one in signatures.split() if one.startswith(_VERSION) and one.isascii()]
        expected = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in self.signing_secrets]
        found = [hmac.compare_digest(one, other) for one in expected for other in given]
        if not any(found):
            raise UnverifiedError(
                "svix-signature fits none of the secrets: copy the webhook's, and see that no proxy alters bodies"
            )
        require_fresh(request, datetime.fromtimestamp(int(stamp), UTC), self.max_age)
        return number

    def _event(self, number: str, came: datetime, told: Report) -> Event:
        kind, inside = text_in(told, "type"), told.get("data") or {}
        about = About(
            delivery_id=_delivery_id(inside),
            recipient=_recipient(told),
            at=moment(told.get("created_at"), otherwise=came),
            source=self.name,
            key=f"{number} {kind} {text_in(inside, 'email_id', 'id')}".rstrip(),
            raw=told,
        )
        return _READ[kind](about, inside) if kind in _READ else Unrecognised(about, kind)


def _recipient(told: Report) -> str:
    """Whom an event is about. A mail to several has an event for each, and none says whose it is."""
    inside = told.get("data")
    if not isinstance(inside, dict):
        return ""
    people = inside.get("to")
    person = people[0] if isinstance(people, list) and len(people) == 1 else inside.get("email")
    return bare_address(person)


def _delivery_id(inside: Report) -> DeliveryId | None:
    """Our id: from our header, where headers are told; else from a Message-ID that is not the relay's own."""
    headers = inside.get("headers")
    for header in headers if isinstance(headers, list) else ():
        if isinstance(header, dict) and text_in(header, "name").lower() == HEADER.lower():
            return delivery_id_in(header.get("value"))
    message_id = text_in(inside, "message_id")
    return None if _RELAYS_OWN.search(message_id) else delivery_id_in_message_id(message_id)


def _words(inside: Report, part: str) -> str:
    told = inside.get(part) or {}
    diagnostics = told.get("diagnosticCode")
    said = [one for one in diagnostics if isinstance(one, str)] if isinstance(diagnostics, list) else []
    return " ".join(said) or text_in(told, "diagnosticCode", "message", "reason")


def _bounced(about: About, inside: Report) -> Event:
    bounce = inside.get("bounce") or {}
    kind, subtype, reason = text_in(bounce, "type"), text_in(bounce, "subType"), _words(inside, "bounce")
    if subtype in SUPPRESSED:
        return Dropped(about, reason, DropKind.SUPPRESSED, enhanced_status(reason))
    verdict, cause = BOUNCES.get((kind, subtype)) or (TYPES.get(kind, BounceKind.UNDETERMINED), Cause.UNKNOWN)
    status = enhanced_status(reason)
    return Bounced(about, verdict, reason, status, told_cause(cause, status))


def _delayed(about: About, inside: Report) -> Event:
    reason = _words(inside, "delivery_delayed")
    status = enhanced_status(reason)
    return Deferred(about, reason, status, told_cause(Cause.UNKNOWN, status))


def _opened(about: About, inside: Report) -> Event:
    told = inside.get("open") or {}
    return Opened(about, user_agent=text_in(told, "userAgent"), client=text_in(told, "ipAddress"), second_hand=True)


def _clicked(about: About, inside: Report) -> Event:
    click = inside["click"]
    agent, client = text_in(click, "userAgent"), text_in(click, "ipAddress")
    return Clicked(about, click.get("link") or "", user_agent=agent, client=client, second_hand=True)


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    # Resend took the mail: the relay's own 250, told once more.
    "email.scheduled": lambda about, _: Accepted(about, Reply(250, "email.scheduled")),
    "email.sent": lambda about, _: Accepted(about, Reply(250, "email.sent")),
    "email.delivered": lambda about, _: Delivered(about),
    "email.delivery_delayed": _delayed,
    "email.bounced": _bounced,
    "email.complained": lambda about, _: Complained(about),
    "email.failed": lambda about, inside: Dropped(about, _words(inside, "failed"), DropKind.FAILED),
    "email.suppressed": lambda about, inside: Dropped(about, _words(inside, "suppressed"), DropKind.SUPPRESSED),
    "email.opened": _opened,
    "email.clicked": _clicked,
    "suppression.added": lambda about, inside: SUPPRESSIONS[inside["origin"]](about),
    "suppression.removed": lambda about, _: Resubscribed(about),
}
"""What each event becomes. Those of mail that came in, contacts, domains and inboxes stay unrecognised."""
