"""Postmark: the marks on a mail, and the reports that come back.

Sources, on postmarkapp.com: "Webhooks overview" and the page of each webhook ("Bounce webhook", "Subscription change
webhook" ...), "Bounce API" with its bounce types, "Custom metadata FAQ", "Sending email with SMTP".
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from attrs import Attribute, field, frozen

from ..errors import ConfigurationError, UnverifiedError
from ..events import (
    About,
    AutoReplied,
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
from ..servers import Credentials, Server
from ..web import Request
from ..webhooks import (
    a_user_name,
    came_at,
    delivery_id_in,
    enhanced_status,
    events_of,
    is_one_of,
    json_body,
    marked,
    moment,
    require_basic_auth,
    secrets_of,
    some_secrets,
    synthetic_key,
    text_in,
    told_cause,
)

Report = dict[str, Any]

METADATA = "delivery-id"
"""The metadata field that carries our id; Postmark hands it back with every report of an outbound mail."""

DEFAULT_STREAM = "outbound"
"""The message stream that a report is about which names none: the one there was before there were several."""

TYPE_CODES: Mapping[int, str] = {
    1: "HardBounce",
    2: "Transient",
    16: "Unsubscribe",
    32: "Subscribe",
    64: "AutoResponder",
    128: "AddressChange",
    256: "DnsError",
    512: "SpamNotification",
    1024: "OpenRelayTest",
    2048: "Unknown",
    4096: "SoftBounce",
    8192: "VirusNotification",
    16384: "ChallengeVerification",
    100000: "BadEmailAddress",
    100001: "SpamComplaint",
    100002: "ManuallyDeactivated",
    100003: "Unconfirmed",
    100006: "Blocked",
    100007: "SMTPApiError",
    100008: "InboundError",
    100009: "DMARCPolicy",
    100010: "TemplateRenderingFailed",
}
"""Every type of a Bounce report by its code ("Bounce API: Bounce types"), for a report that names the code alone."""

KINDS: Mapping[str, tuple[BounceKind, Cause]] = {
    "HardBounce": (BounceKind.HARD, Cause.UNKNOWN),
    "BadEmailAddress": (BounceKind.HARD, Cause.NO_SUCH_USER),
    "SoftBounce": (BounceKind.SOFT, Cause.UNKNOWN),
    "Blocked": (BounceKind.BLOCK, Cause.POLICY),
    "DMARCPolicy": (BounceKind.BLOCK, Cause.AUTHENTICATION),
    "VirusNotification": (BounceKind.BLOCK, Cause.VIRUS),
    "Unknown": (BounceKind.UNDETERMINED, Cause.UNKNOWN),
}
"""The types of a Bounce report (likewise) that are bounces, and what they say about the address.

A hard bounce stands for several causes, and its details say which; so does a soft one.
"""

DELAYS: Mapping[str, Cause] = {"Transient": Cause.UNKNOWN, "DnsError": Cause.NETWORK}
"""Those after which Postmark goes on trying."""

NO_BOUNCES: Mapping[str, Callable[[About, str, str], Event]] = {
    "ManuallyDeactivated": lambda about, reason, _: Dropped(about, reason, DropKind.SUPPRESSED),
    "Unconfirmed": lambda about, reason, _: Dropped(about, reason, DropKind.POLICY),
    "SMTPApiError": lambda about, reason, _: Dropped(about, reason, DropKind.FAILED),
    "TemplateRenderingFailed": lambda about, reason, _: Dropped(about, reason, DropKind.FAILED),
    "AutoResponder": lambda about, reason, _: AutoReplied(about, reason),
    "AddressChange": lambda about, reason, _: AutoReplied(about, reason),
    "ChallengeVerification": lambda about, reason, _: AutoReplied(about, reason),
    "SpamNotification": lambda about, _reason, _stream: Complained(about),
    "SpamComplaint": lambda about, _reason, _stream: Complained(about),
    "Unsubscribe": lambda about, reason, stream: Unsubscribed(about, reason, scope=stream),
    "Subscribe": lambda about, _, stream: Resubscribed(about, scope=stream),
}
"""Those that are something else. OpenRelayTest and InboundError, which are about no mail of ours, stay unrecognised."""

SUPPRESSIONS: Mapping[str, Callable[[About, str], Event]] = {
    "HardBounce": lambda about, _: Bounced(about, BounceKind.HARD, "HardBounce"),
    "SpamComplaint": lambda about, _: Complained(about),
    "ManualSuppression": lambda about, stream: Unsubscribed(about, "ManualSuppression", scope=stream),
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

    Postmark signs nothing. Its webhooks are proven by a user name and password of your choice, which stand in the
    webhook's URL: ``https://user:password@example.com/hooks/postmark``. A header of your choice, which a webhook may
    have too, can be asked for beside them. Several passwords and several values hold at once, as while an old one gives
    way to a new one.

    Attributes:
        username: as in the webhook's URL.
        password: likewise; one, or several.
        header: the name of the webhook's own header, if it has one.
        secret: its value; one, or several.
        name: the source of its events.

    Raises:
        ConfigurationError: the user name or a password is empty, or the name holds a ``:``; or the header is without a
            secret, or the secret without a header.
    """

    username: str = field(validator=a_user_name("Postmark's webhook user name"))
    password: tuple[str, ...] = field(
        converter=secrets_of, repr=False, validator=some_secrets("Postmark's webhook password")
    )
    header: str = field(default="", kw_only=True)
    secret: tuple[str, ...] = field(default=(), converter=secrets_of, repr=False, kw_only=True)
    name: str = field(default="postmark", init=False)

    @secret.validator
    def _belongs_to_a_header(self, attribute: "Attribute[Any]", secret: tuple[str, ...]) -> None:
        if bool(secret) != bool(self.header):
            raise ConfigurationError("Postmark's webhook header is given by halves: give its name and its secret")
        if secret:
            some_secrets("the secret of Postmark's webhook header")(self, attribute, secret)

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
        """Prove by basic auth, and by the header; then read the one report that Postmark posts, or a list of them.

        Raises:
            UnverifiedError: another user name or password, or none; or another header.
            MalformedError: the body is not JSON.
        """
        require_basic_auth(request, self.username, *self.password)
        if self.header:
            self._prove_header(request)
        came = came_at(request)
        return events_of(
            json_body(request),
            partial(self._event, came),
            source=self.name,
            kind="RecordType",
            person=("Email", "Recipient"),
            came=came,
        )

    def _prove_header(self, request: Request) -> None:
        given = request.headers.get(self.header.lower(), "")
        if not is_one_of(given, *self.secret):
            differs = f"carries another {self.header}" if given else f"carries no header {self.header}"
            raise UnverifiedError(f"the request {differs}: enter it under the webhook's custom headers")

    def _event(self, came: datetime, told: Report) -> Event:
        record = told.get("RecordType") or _legacy_record(told)
        about = self._about(came, told, record)
        read = _READ.get(record)
        return read(about, told) if read else Unrecognised(about, record)

    def _about(self, came: datetime, told: Report, record: str) -> About:
        when = told.get(_WHEN.get(record, "")) or text_in(told, *_WHEN.values())
        number, kind = told.get("ID"), told.get("Type") or told.get("SuppressionReason") or record
        recipient = told.get("Email") or told.get("Recipient") or ""
        return About.told(
            delivery_id=_delivery_id(told),
            recipient=recipient,
            at=moment(when, otherwise=came),
            source=self.name,
            # Only bounces and complaints have a number, and one that grows from soft to hard may keep it.
            key=f"{kind}-{number}" if number else self._key(told, f"{record} {kind}", recipient, when),
            raw=told,
        )

    def _key(self, told: Report, kind: str, recipient: str, when: str) -> str:
        return synthetic_key(
            source=self.name,
            kind=f"{kind} {told.get('SuppressSending')}",
            message=f"{told.get('MessageID') or ''}",
            recipient=recipient,
            time=when,
            url=told.get("OriginalLink") or "",
            scope=_stream(told),
            reader=f"{_client(told)} {told.get('UserAgent') or ''}",
        )


_WHEN = {
    "Bounce": "BouncedAt",
    "SpamComplaint": "BouncedAt",
    "Delivery": "DeliveredAt",
    "Open": "ReceivedAt",
    "Click": "ReceivedAt",
    "SubscriptionChange": "ChangedAt",
}
"""Where each record tells its time."""


def _delivery_id(told: Report) -> DeliveryId | None:
    """Our id among the metadata, which is absent, null or empty where no mail of ours is meant; any letter case."""
    metadata = told.get("Metadata")
    if not isinstance(metadata, dict):
        return None
    if METADATA in metadata:
        return delivery_id_in(metadata[METADATA])
    return next((delivery_id_in(value) for name, value in metadata.items() if name.lower() == METADATA), None)


def _stream(told: Report) -> str:
    return told.get("MessageStream") or DEFAULT_STREAM


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
    kind = told.get("Type") or TYPE_CODES.get(told.get("TypeCode", 0), "")
    description, details = told.get("Description") or "", told.get("Details") or ""
    reason = f"{description} {details}" if description and details else description or details
    if kind in KINDS:
        verdict, cause = KINDS[kind]
        status = enhanced_status(details, description)
        return Bounced.told(about, verdict, reason, status, told_cause(cause, status))
    if kind in DELAYS:
        status = enhanced_status(details, description)
        return Deferred(about, reason, status, told_cause(DELAYS[kind], status))
    return NO_BOUNCES[kind](about, reason, _stream(told)) if kind in NO_BOUNCES else Unrecognised(about, kind)


def _opened(about: About, told: Report) -> Event:
    return Opened.told(about, user_agent=told.get("UserAgent") or "", client=_client(told))


def _clicked(about: About, told: Report) -> Event:
    agent = told.get("UserAgent") or ""
    return Clicked.told(about, told.get("OriginalLink") or "", user_agent=agent, client=_client(told))


def _client(told: Report) -> str:
    place = told.get("Geo")
    return place.get("IP") or "" if place else ""


_YES_OR_NO: Mapping[object, bool] = {True: True, "true": True, False: False, "false": False}


def _subscription_change(about: About, told: Report) -> Event:
    suppressed, reason, stream = told["SuppressSending"], told.get("SuppressionReason") or "", _stream(told)
    if not _YES_OR_NO[suppressed]:
        return Resubscribed(about, scope=stream)
    return SUPPRESSIONS[reason](about, stream) if reason in SUPPRESSIONS else Unsubscribed(about, reason, scope=stream)


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    "Delivery": lambda about, told: Delivered(about, told.get("Details") or ""),
    "Bounce": _bounce,
    "SpamComplaint": lambda about, _: Complained(about),
    "Open": _opened,
    "Click": _clicked,
    "SubscriptionChange": _subscription_change,
}
"""What each record becomes ("Webhooks overview"); mail that came in, ``Inbound``, stays unrecognised."""
