"""MailerSend: the marks on a mail, and the reports that come back.

Sources: developers.mailersend.com, "Webhooks" (its payloads of version 2, and of version 1, which end with 2026), as
far as two public integrations that were written from it tell (django-anymail, laravel-postmaster); Symfony's bridge,
for the relay and its header.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from attrs import field, frozen

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
    Unrecognised,
    Unsubscribed,
)
from ..identifiers import DeliveryId
from ..ports import Headers
from ..replies import Reply
from ..servers import Credentials, Server
from ..web import Request
from ..webhooks import (
    came_at,
    delivery_id_in,
    enhanced_status,
    events_of,
    is_hmac_sha256,
    json_body,
    moment,
    secrets_of,
    some_secrets,
    synthetic_key,
    text_in,
    told_cause,
)

Report = dict[str, Any]

TAG = "delivery_id="
"""What the tag begins with that carries our id, so that a tag of yours is not taken for one."""

TAGS = 5
"""How many tags a mail may have."""

HOST = "smtp.mailersend.net"
"""MailerSend's relay."""

PORTS = (587, 2525)
"""Its ports, both with STARTTLS."""

TEST_TYPE = "webhook.test"
"""What MailerSend posts while a webhook is made, before it has a secret of its own."""

TEST_SECRET = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"  # noqa: S105  # published, and believed for that request alone
"""What it signs that with; everybody knows it."""

REASONS = ("bounce_reason", "reject_reason", "suppression_reason", "unsubscribe_reason", "readable_reason", "reason")
"""Where a report says why: the first in ``meta`` (version 2), the last two in ``morph`` (version 1)."""

_HEADER = "X-MailerSend-Tags"
_SIGNATURES = ("signature", "x-mailersend-signature")


def server(username: str, password: str, *, port: int = 587) -> Server:
    """MailerSend's server. User name and password are those of an SMTP user of the domain.

    Raises:
        ConfigurationError: MailerSend does not listen on this port.
    """
    if port not in PORTS:
        raise ConfigurationError(f"port {port!r} is none of MailerSend's: use {', '.join(map(str, PORTS))}")
    return Server(host=HOST, port=port, credentials=Credentials(username, password))


@frozen
class MailerSend:
    """Marks mail that goes through MailerSend, and reads what MailerSend reports.

    Its webhooks are proven by an HMAC-SHA256 over the body. Several secrets hold at once: the old and the new one,
    those of several domains.

    No time is signed beside the body. A copied request tells the same event with the same key, and a journal keeps it
    once.

    Attributes:
        signing_secrets: the webhook's, or several.
        name: the source of its events.

    Raises:
        ConfigurationError: a secret is empty, or there is none.
    """

    signing_secrets: tuple[str, ...] = field(
        converter=secrets_of, repr=False, validator=some_secrets("MailerSend's signing secret")
    )
    name: str = field(default="mailersend", init=False)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id as one more tag.

        MailerSend has no header that turns its tracking off: that is set for the domain.

        Raises:
            MailError: there are five tags already, or another id among them.
        """
        ours = f"{TAG}{delivery_id}"
        places = [place for place, (name, _) in enumerate(headers) if name.lower() == _HEADER.lower()]
        if not places:
            return (*headers, (_HEADER, ours))
        tags = [tag.strip() for place in places for tag in headers[place][1].split(",") if tag.strip()]
        if any(tag.startswith(TAG) and tag != ours for tag in tags):
            raise MailError(f"the header {_HEADER} names another mail: leave what begins with {TAG!r} out")
        if ours in tags:
            return headers
        if len(tags) >= TAGS:
            raise MailError(f"the header {_HEADER} has {len(tags)} tags, and MailerSend takes {TAGS}: leave one out")
        name, value = headers[places[0]]
        value = f"{value.strip()},{ours}" if value.strip() else ours
        return (*headers[: places[0]], (name, value), *headers[places[0] + 1 :])

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by signature, then read the one event that MailerSend posts (a list of them is read too).

        The request by which MailerSend tries a URL tells nothing.

        Raises:
            UnverifiedError: the signature is missing or wrong.
            MalformedError: signed, and not JSON.
        """
        signature = next(filter(None, (request.headers.get(name, "") for name in _SIGNATURES)), "").strip()
        if not signature:
            raise UnverifiedError("the request carries no Signature: it is none of MailerSend's webhooks")
        proven = is_hmac_sha256(request.body, signature, *self.signing_secrets)
        if not proven and not is_hmac_sha256(request.body, signature, TEST_SECRET):
            raise UnverifiedError(
                "Signature fits none of the secrets: copy the webhook's, and see that no proxy alters bodies"
            )
        reports, came = json_body(request), came_at(request)
        told = [report for report in reports if report.get("type") != TEST_TYPE]
        if told and not proven:
            raise UnverifiedError("Signature is made with MailerSend's test secret, which everybody knows")
        return events_of(told, partial(self._event, came), source=self.name, kind="type", person=_recipient, came=came)

    def _event(self, came: datetime, told: Report) -> Event:
        inside = told.get("data") or {}
        kind = (text_in(told, "type") or text_in(inside, "type")).removeprefix("activity.")
        details, number, stamp = _details(inside), text_in(inside, "id"), _stamp(told, inside)
        about = About(
            delivery_id=_delivery_id(inside),
            recipient=_recipient(told),
            at=moment(stamp, otherwise=came),
            source=self.name,
            # One open is told as "opened" and as "opened_unique".
            key=f"{kind} {number}"
            if number
            else synthetic_key(
                source=self.name,
                kind=kind,
                message=text_in(inside, "message_id"),
                recipient=_recipient(told),
                time=str(stamp),
                url=text_in(details, "url"),
                reader=f"{text_in(details, 'ip')} {text_in(details, 'user_agent')}",
            ),
            raw=told,
        )
        return _READ[kind](about, details) if kind in _READ else Unrecognised(about, text_in(told, "type") or kind)


def _details(inside: Report) -> Report:
    """What belongs to this kind alone: ``meta`` in version 2, an empty list where there is none; ``morph`` before."""
    return inside.get("meta") or inside.get("morph") or {}


def _stamp(told: Report, inside: Report) -> object:
    """When it happened: version 1 says so in its data."""
    return inside.get("created_at") or told.get("created_at")


def _recipient(told: Report) -> str:
    inside = told.get("data")
    if not isinstance(inside, dict):
        return ""
    mail = inside.get("email")  # version 1
    person = mail.get("recipient") if isinstance(mail, dict) else None
    return text_in(person, "email") if isinstance(person, dict) else text_in(inside, "recipient", "email")


def _delivery_id(inside: Report) -> DeliveryId | None:
    mail = inside.get("email")
    tags = mail.get("tags") if isinstance(mail, dict) else inside.get("tags")
    ours = [tag for tag in tags if isinstance(tag, str) and tag.startswith(TAG)] if isinstance(tags, list) else []
    return delivery_id_in(ours[0].removeprefix(TAG)) if ours else None


def _reason(details: Report) -> str:
    """The words, and the other server's code where they lack it."""
    words, code = text_in(details, *REASONS), text_in(details, "bounce_code")
    return words if not code or code in words else f"{code} {words}".rstrip()


def _bounced(kind: BounceKind, about: About, details: Report) -> Event:
    reason = _reason(details)
    status = enhanced_status(reason)
    if status.startswith("5.7."):  # RFC 3463 section 3.8: security or policy
        return Bounced(about, BounceKind.BLOCK, reason, status, cause=Cause.POLICY)
    return Bounced(about, kind, reason, status, told_cause(Cause.UNKNOWN, status))


def _delayed(about: About, details: Report) -> Event:
    reason = _reason(details)
    status = enhanced_status(reason)
    return Deferred(about, reason, status, told_cause(Cause.UNKNOWN, status))


def _opened(about: About, details: Report) -> Event:
    return Opened(about, user_agent=text_in(details, "user_agent"), client=text_in(details, "ip"), second_hand=True)


def _clicked(about: About, details: Report) -> Event:
    agent, client = text_in(details, "user_agent"), text_in(details, "ip")
    return Clicked(about, details.get("url") or "", user_agent=agent, client=client, second_hand=True)


def _complained(about: About, _details: Report) -> Event:
    return Complained(about)


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    # MailerSend took the mail: the relay's own 250, told once more.
    "sent": lambda about, _: Accepted(about, Reply(250, "sent")),
    "delivered": lambda about, _: Delivered(about),
    "deferred": _delayed,
    "hard_bounced": partial(_bounced, BounceKind.HARD),
    "soft_bounced": partial(_bounced, BounceKind.SOFT),
    "suppressed": lambda about, details: Dropped(about, _reason(details), DropKind.SUPPRESSED),
    "spam_complaint": _complained,
    "spam_complaints": _complained,
    "unsubscribed": lambda about, details: Unsubscribed(about, _reason(details)),
    "opened": _opened,
    "opened_unique": _opened,
    "clicked": _clicked,
    "clicked_unique": _clicked,
}
"""What each activity becomes. Surveys, maintenance, identities and mail that came in stay unrecognised."""
