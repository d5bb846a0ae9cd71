"""Postmark: the marks on a mail, and the reports that come back.

Sources, on postmarkapp.com: "Webhooks overview" and the page of each webhook ("Bounce webhook", "Subscription change
webhook" ...), "Bounce API" with its bounce types, "Custom metadata FAQ", "Sending email with SMTP".
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from attrs import evolve, field, frozen

from ..events import (
    About,
    AutoReplied,
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
from ..servers import Credentials, Server
from ..web import Request
from ..webhooks import (
    a_secret,
    a_user_name,
    came_at,
    delivery_id_in,
    enhanced_status,
    events_of,
    json_body,
    marked,
    moment,
    require_basic_auth,
    synthetic_key,
    text_in,
)

Report = dict[str, Any]

METADATA = "delivery-id"
"""The metadata field that carries our id; Postmark hands it back with every report of an outbound mail."""

DEFAULT_STREAM = "outbound"
"""The message stream that a report is about which names none: the one there was before there were several."""

KINDS: dict[str, BounceKind] = {
    "HardBounce": BounceKind.HARD,
    "BadEmailAddress": BounceKind.HARD,
    "SoftBounce": BounceKind.SOFT,
    "Blocked": BounceKind.BLOCK,
    "DMARCPolicy": BounceKind.BLOCK,
    "VirusNotification": BounceKind.BLOCK,
    "Unknown": BounceKind.UNDETERMINED,
}
"""The types of a Bounce report ("Bounce API: Bounce types") that are bounces, and what they say about the address."""

DELAYS = ("Transient", "DnsError")
"""Those after which Postmark goes on trying."""

NO_BOUNCES: dict[str, Callable[[About, str], Event]] = {
    "ManuallyDeactivated": Dropped,
    "Unconfirmed": Dropped,
    "SMTPApiError": Dropped,
    "TemplateRenderingFailed": Dropped,
    "AutoResponder": AutoReplied,
    "AddressChange": AutoReplied,
    "ChallengeVerification": AutoReplied,
    "SpamNotification": lambda about, _: Complained(about),
    "SpamComplaint": lambda about, _: Complained(about),
    "Unsubscribe": Unsubscribed,
    "Subscribe": lambda about, _: Resubscribed(about),
}
"""Those that are something else. OpenRelayTest and InboundError, which are about no mail of ours, stay unrecognised."""

SUPPRESSIONS: dict[str, Callable[[About], Event]] = {
    "HardBounce": lambda about: Bounced(about, BounceKind.HARD, "HardBounce"),
    "SpamComplaint": Complained,
    "ManualSuppression": lambda about: Unsubscribed(about, "ManualSuppression"),
}
"""Why an address went onto a stream's suppression list ("Subscription change webhook").

A person's own unsubscription is a ManualSuppression too, and so is a reason not known here.
"""


class Relay(StrEnum):
    """Which of Postmark's servers a mail goes through ("Send email with SMTP")."""

    TRANSACTIONAL = "smtp.postmarkapp.com"
    BROADCAST = "smtp-broadcasts.postmarkapp.com"


def server(token: str, *, relay: Relay = Relay.TRANSACTIONAL) -> Server:
    """Postmark's server, on port 587: it has no 465. The server token is both user name and password.

    For a message stream other than the relay's own, the mail itself names it by the header X-PM-Message-Stream.
    """
    return Server(host=relay.value, port=587, credentials=Credentials(token, token))


@frozen
class Postmark:
    """Marks mail that goes through Postmark, and reads what Postmark reports.

    Its webhooks are proven by a user name and password of your choice, which stand in the webhook's URL:
    ``https://user:password@example.com/hooks/postmark``.

    Attributes:
        username: as in the webhook's URL.
        password: likewise.
        name: the source of its events.

    Raises:
        ConfigurationError: the user name or password is empty, or the name holds a ``:``.
    """

    username: str = field(validator=a_user_name("Postmark's webhook user name"))
    password: str = field(repr=False, validator=a_secret("Postmark's webhook password"))
    name: str = field(default="postmark", init=False)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id as metadata, Postmark's own tracking off, and our Message-ID kept.

        Raises:
            MailError: a header that is there already says otherwise.
        """
        return marked(
            headers,
            (
                (f"X-PM-Metadata-{METADATA}", delivery_id),
                ("X-PM-TrackOpens", "false"),
                ("X-PM-TrackLinks", "None"),
                ("X-PM-KeepID", "true"),
            ),
        )

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by basic auth, then read the one report that Postmark posts (a list of them is read too).

        Raises:
            UnverifiedError: another user name or password, or none.
            MalformedError: the body is not JSON.
        """
        require_basic_auth(request, self.username, self.password)
        return events_of(
            json_body(request),
            partial(self._event, came=came_at(request)),
            source=self.name,
            kind="RecordType",
            person=("Email", "Recipient"),
            came=came_at(request),
        )

    def _event(self, told: Report, *, came: datetime) -> Event:
        record = text_in(told, "RecordType") or _legacy_record(told)
        about = self._about(told, record, came)
        event = _READ[record](about, told) if record in _READ else Unrecognised(about, record)
        return evolve(event, scope=_stream(told)) if isinstance(event, Unsubscribed | Resubscribed) else event

    def _about(self, told: Report, record: str, came: datetime) -> About:
        when = text_in(told, "BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt")
        recipient = text_in(told, "Email", "Recipient")
        kind = text_in(told, "Type", "SuppressionReason") or record
        number = text_in(told, "ID")
        return About(
            delivery_id=_delivery_id(told),
            recipient=recipient,
            at=moment(when, otherwise=came),
            source=self.name,
            # Only bounces and complaints have a number, and one that grows from soft to hard may keep it.
            key=f"{kind}-{number}"
            if number.strip("0")
            else synthetic_key(
                source=self.name,
                kind=f"{record} {kind} {told.get('SuppressSending')}",
                message=text_in(told, "MessageID"),
                recipient=recipient,
                time=when,
                url=text_in(told, "OriginalLink"),
                scope=_stream(told),
                reader=f"{_client(told)} {text_in(told, 'UserAgent')}",
            ),
            raw=told,
        )


def _delivery_id(told: Report) -> DeliveryId | None:
    """Our id among the metadata, which is absent, null or empty where no mail of ours is meant; any letter case."""
    metadata = told.get("Metadata") or {}
    return next((delivery_id_in(value) for name, value in metadata.items() if name.lower() == METADATA), None)


def _stream(told: Report) -> str:
    return text_in(told, "MessageStream") or DEFAULT_STREAM


def _legacy_record(told: Report) -> str:
    """What a report is that has no RecordType, as those of webhooks made before 2018 have none."""
    return next((record for mark, record in _LEGACY_MARKS.items() if mark in told), "")


_LEGACY_MARKS = {
    "FromFull": "Inbound",
    "BouncedAt": "Bounce",
    "DeliveredAt": "Delivery",
    "OriginalLink": "Click",
    "FirstOpen": "Open",
}


def _bounce(about: About, told: Report) -> Event:
    kind, details = text_in(told, "Type"), text_in(told, "Details")
    reason = " ".join(filter(None, (text_in(told, "Description"), details)))
    if kind in KINDS:
        return Bounced(about, KINDS[kind], reason, enhanced_status(details, reason))
    if kind in DELAYS:
        return Deferred(about, reason, enhanced_status(details, reason))
    return NO_BOUNCES[kind](about, reason) if kind in NO_BOUNCES else Unrecognised(about, kind)


def _opened(about: About, told: Report) -> Event:
    return Opened(about, user_agent=text_in(told, "UserAgent"), client=_client(told), second_hand=True)


def _clicked(about: About, told: Report) -> Event:
    agent = text_in(told, "UserAgent")
    return Clicked(about, told["OriginalLink"], user_agent=agent, client=_client(told), second_hand=True)


def _client(told: Report) -> str:
    return text_in(told.get("Geo") or {}, "IP")


def _subscription_change(about: About, told: Report) -> Event:
    suppressed, reason = told["SuppressSending"], text_in(told, "SuppressionReason")
    if not isinstance(suppressed, bool):
        raise TypeError(f"SuppressSending is {type(suppressed).__name__}, neither true nor false")
    if not suppressed:
        return Resubscribed(about)
    return SUPPRESSIONS[reason](about) if reason in SUPPRESSIONS else Unsubscribed(about, reason)


_READ: dict[str, Callable[[About, Report], Event]] = {
    "Delivery": lambda about, told: Delivered(about, text_in(told, "Details")),
    "Bounce": _bounce,
    "SpamComplaint": lambda about, _: Complained(about),
    "Open": _opened,
    "Click": _clicked,
    "SubscriptionChange": _subscription_change,
}
