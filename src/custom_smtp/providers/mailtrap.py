"""Mailtrap: the marks on a mail, and the reports that come back.

Sources: docs.mailtrap.io, whose texts are kept in github.com/mailtrap/mailtrap-docs ("Webhooks API Overview", "Statuses
and Events", "Bounce Categorization", "Custom Variables", "Bulk Stream", "Static IPs for sending & webhooks"); for the
fields of an event and the name of the signature's header, what django-anymail has met.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from attrs import field, frozen

from ..errors import MailError, MalformedError, UnverifiedError
from ..events import (
    About,
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
    Unrecognised,
    Unsubscribed,
)
from ..identifiers import DeliveryId
from ..ports import Headers
from ..servers import Credentials, Server
from ..web import Request
from ..webhooks import (
    BATCH_LIMIT,
    NO_REPORT,
    came_at,
    delivery_id_in,
    enhanced_status,
    events_of,
    is_hmac_sha256,
    json_reports,
    moment,
    secrets_of,
    some_secrets,
    synthetic_key,
    text_in,
    told_cause,
    with_id,
    with_json_header,
)

Report = dict[str, Any]

VARIABLE = "delivery_id"
"""The custom variable that carries our id."""

VARIABLES_BYTES = 1_000
"""What a mail's custom variables may take up as JSON; Mailtrap ignores the header where they are more."""

CATEGORIES: Mapping[str, tuple[BounceKind, Cause]] = {
    "transientfail": (BounceKind.SOFT, Cause.UNKNOWN),
    "greylisting": (BounceKind.SOFT, Cause.GREYLISTED),
    "badsender": (BounceKind.BLOCK, Cause.SENDER_REFUSED),
    "block": (BounceKind.BLOCK, Cause.POLICY),
    "content": (BounceKind.BLOCK, Cause.CONTENT),
    "dnsfail": (BounceKind.SOFT, Cause.NETWORK),
    "generalfail": (BounceKind.UNDETERMINED, Cause.UNKNOWN),
    "other": (BounceKind.UNDETERMINED, Cause.UNKNOWN),
    "relayfail": (BounceKind.BLOCK, Cause.RELAY_DENIED),
    "serverfail": (BounceKind.SOFT, Cause.SYSTEM_ERROR),
    "spam": (BounceKind.BLOCK, Cause.SPAM),
    "verifyfail": (BounceKind.UNDETERMINED, Cause.UNKNOWN),
    "timeout": (BounceKind.SOFT, Cause.EXPIRED),
    "badrecipient": (BounceKind.HARD, Cause.NO_SUCH_USER),
    "overquota": (BounceKind.SOFT, Cause.MAILBOX_FULL),
    "serverpolicy": (BounceKind.BLOCK, Cause.POLICY),
    "spam_gmail": (BounceKind.BLOCK, Cause.REPUTATION),
}
"""What a bounce says, by its ``bounce_category`` ("Bounce Categorization", its whole table), in lower case."""

SUPPRESSED = "suppression list"
"""What the ``reason`` of a reject names where the person bounced, complained or unsubscribed before."""

_HEADER = "X-MT-Custom-Variables"
_SIGNATURES = ("mailtrap-signature", "x-mailtrap-signature")


class Relay(StrEnum):
    """Which of Mailtrap's servers a mail goes through: the one of its stream."""

    TRANSACTIONAL = "live.smtp.mailtrap.io"
    BULK = "bulk.smtp.mailtrap.io"


def server(api_token: str, *, relay: Relay = Relay.TRANSACTIONAL) -> Server:
    """Mailtrap's server, on port 587. The user name is the word ``api``, and the password an API token."""
    return Server(host=relay.value, port=587, credentials=Credentials("api", api_token))


@frozen
class Mailtrap:
    """Marks mail that goes through Mailtrap, and reads what Mailtrap reports.

    Its webhooks are proven by an HMAC-SHA256 over the body. Several secrets hold at once.

    No time is signed beside the body. A copied request tells the same events with the same keys, and a journal keeps
    each once.

    Attributes:
        signing_secrets: the webhook's, or several.
        name: the source of its events.

    Raises:
        ConfigurationError: a secret is empty, or there is none.
    """

    signing_secrets: tuple[str, ...] = field(
        converter=secrets_of, repr=False, validator=some_secrets("Mailtrap's signing secret")
    )
    name: str = field(default="mailtrap", init=False)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id among the custom variables; those that are there already are kept.

        Mailtrap has no header that turns its tracking off: that is set for the domain.

        Raises:
            MailError: the header that is there is no JSON object, or says otherwise, or becomes too large; or there are
                several.
        """
        marked = with_json_header(headers, _HEADER, lambda asked: with_id(_HEADER, asked, VARIABLE, delivery_id))
        size = next(len(value) for name, value in marked if name.lower() == _HEADER.lower())
        if size > VARIABLES_BYTES:
            raise MailError(f"the header {_HEADER} has {size} bytes: Mailtrap takes {VARIABLES_BYTES}")
        return marked

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by signature, then read every event of the batch, as one JSON object or as one for each line.

        Raises:
            UnverifiedError: the signature is missing or wrong.
            MalformedError: signed, and neither form of JSON.
        """
        self._prove(request)
        came = came_at(request)
        return events_of(
            _events(request.body),
            partial(self._event, came),
            source=self.name,
            kind="event",
            person=("email",),
            came=came,
        )

    def _prove(self, request: Request) -> None:
        signature = next(filter(None, (request.headers.get(name, "") for name in _SIGNATURES)), "").strip()
        if not signature:
            raise UnverifiedError("the request carries no Mailtrap-Signature: it is none of Mailtrap's webhooks")
        if not is_hmac_sha256(request.body, signature, *self.signing_secrets):
            raise UnverifiedError(
                "Mailtrap-Signature fits none of the secrets: copy the webhook's, and see that no proxy alters bodies"
            )

    def _event(self, came: datetime, told: Report) -> Event:
        kind, when, recipient = text_in(told, "event"), told.get("timestamp"), text_in(told, "email")
        variables = told.get("custom_variables")
        about = About(
            delivery_id=delivery_id_in(variables.get(VARIABLE)) if isinstance(variables, dict) else None,
            recipient=recipient,
            at=moment(when, otherwise=came),
            source=self.name,
            key=text_in(told, "event_id")
            or synthetic_key(
                source=self.name,
                kind=kind,
                message=text_in(told, "message_id"),
                recipient=recipient,
                time=str(when),
                url=text_in(told, "url"),
                reader=f"{text_in(told, 'ip')} {text_in(told, 'user_agent')}",
            ),
            raw=told,
        )
        return _READ[kind](about, told) if kind in _READ else Unrecognised(about, kind)


def _events(body: bytes) -> list[Report]:
    try:
        posts = json_reports(body)
    except MalformedError:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        posts = json_reports(b"[" + b",".join(lines) + b"]")
    told = [each for post in posts for each in (post["events"] if isinstance(post.get("events"), list) else [post])]
    if len(told) > BATCH_LIMIT:
        raise MalformedError(f"the body holds {len(told)} events: at most {BATCH_LIMIT} are read")
    if told and dict not in map(type, told):
        raise MalformedError(f"the body holds a {type(told[0]).__name__} where an event should be")
    return [one if isinstance(one, dict) else {NO_REPORT: one} for one in told]


def _words(told: Report) -> tuple[str, str]:
    """What the recipient's server said, with its code, or why Mailtrap did not ask it; and its enhanced status."""
    reason, code = text_in(told, "response", "reason"), text_in(told, "response_code")
    status = enhanced_status(reason)
    return reason if not code or code in reason else f"{code} {reason}".rstrip(), status


def _bounced(about: About, told: Report) -> Event:
    reason, status = _words(told)
    kind, cause = CATEGORIES.get(text_in(told, "bounce_category").lower(), _NOT_KNOWN)
    return Bounced(about, kind, reason, status, told_cause(cause, status))


_NOT_KNOWN = BounceKind.HARD, Cause.UNKNOWN  # a bounce is permanent, as "Statuses and Events" says


def _delayed(about: About, told: Report) -> Event:
    """A soft bounce too: Mailtrap tries ten times more."""
    reason, status = _words(told)
    _, cause = CATEGORIES.get(text_in(told, "bounce_category").lower(), _NOT_KNOWN)
    return Deferred(about, reason, status, told_cause(cause, status))


def _opened(about: About, told: Report) -> Event:
    return Opened(about, user_agent=text_in(told, "user_agent"), client=text_in(told, "ip"), second_hand=True)


def _clicked(about: About, told: Report) -> Event:
    agent, client = text_in(told, "user_agent"), text_in(told, "ip")
    return Clicked(about, told.get("url") or "", user_agent=agent, client=client, second_hand=True)


def _rejected(about: About, told: Report) -> Event:
    reason, status = _words(told)
    kind = DropKind.SUPPRESSED if SUPPRESSED in reason.lower() else DropKind.UNKNOWN
    return Dropped(about, reason, kind, status)


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    "delivery": lambda about, told: Delivered(about, text_in(told, "response")),
    "soft bounce": _delayed,
    "soft_bounce": _delayed,
    "bounce": _bounced,
    "suspension": _delayed,
    "reject": _rejected,
    "spam": lambda about, _: Complained(about),
    "unsubscribe": lambda about, told: Unsubscribed(about, text_in(told, "reason")),
    "open": _opened,
    "click": _clicked,
}
"""What each event of "Statuses and Events" becomes; those of mail that came in and of audits stay unrecognised."""
