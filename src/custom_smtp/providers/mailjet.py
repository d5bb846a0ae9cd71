"""Mailjet: the marks on a mail, and the reports that come back.

Sources: dev.mailjet.com, "Webhooks" and "SMTP Relay: Custom Headers", whose texts are kept in
github.com/mailjet/api-documentation (guides/_event-api.md, guides/_SMTP_relay.md); documentation.mailjet.com, "Event
Tracking API"; www.mailjet.com, "Which SMTP port should I use with Mailjet?".
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from attrs import field, frozen

from ..errors import ConfigurationError
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
    a_user_name,
    came_at,
    delivery_id_in,
    enhanced_status,
    events_of,
    json_body,
    marked,
    moment,
    require_basic_auth,
    secrets_of,
    some_secrets,
    synthetic_key,
    text_in,
    told_cause,
    with_id,
    with_json_header,
)

Report = dict[str, Any]

PAYLOAD = "delivery_id"
"""What carries our id in the event payload, where the custom id is yours."""

HOST = "in-v3.mailjet.com"
"""Mailjet's relay; older pages call it in.mailjet.com."""

PORTS = (587, 588, 2525, 465)
"""The ports on which it speaks TLS ("Which SMTP port should I use with Mailjet?"); 25 and 80 are left out."""

AS_IT_SAYS: BounceKind | None = None
"""Whether ``hard_bounce`` decides if such an error is hard or soft."""

ERRORS: Mapping[str, tuple[BounceKind | None, Cause]] = {
    # recipient
    "user unknown": (AS_IT_SAYS, Cause.NO_SUCH_USER),
    "mailbox inactive": (AS_IT_SAYS, Cause.MAILBOX_DISABLED),
    "quota exceeded": (AS_IT_SAYS, Cause.MAILBOX_FULL),
    # domain
    "invalid domain": (AS_IT_SAYS, Cause.NO_SUCH_DOMAIN),
    "no mail host": (AS_IT_SAYS, Cause.NO_SUCH_DOMAIN),
    "relay/access denied": (BounceKind.BLOCK, Cause.RELAY_DENIED),
    "greylisted": (BounceKind.SOFT, Cause.GREYLISTED),
    "typofix": (AS_IT_SAYS, Cause.NO_SUCH_DOMAIN),
    # content
    "bad or empty template": (BounceKind.BLOCK, Cause.CONTENT),
    "error in template language": (BounceKind.BLOCK, Cause.CONTENT),
    # spam
    "sender blocked": (BounceKind.BLOCK, Cause.REPUTATION),
    "content blocked": (BounceKind.BLOCK, Cause.SPAM),
    "policy issue": (BounceKind.BLOCK, Cause.POLICY),
    # system, which never is permanent
    "system issue": (BounceKind.SOFT, Cause.SYSTEM_ERROR),
    "protocol issue": (BounceKind.SOFT, Cause.PROTOCOL),
    "connection issue": (BounceKind.SOFT, Cause.NETWORK),
}
"""What a bounce's ``error`` says ("Webhooks: Possible values for errors")."""

NOT_TRIED: Mapping[str, DropKind] = {
    "blacklisted": DropKind.SUPPRESSED,
    "spam reporter": DropKind.SUPPRESSED,
    "preblocked": DropKind.SUPPRESSED,
    "duplicate in campaign": DropKind.POLICY,
}
"""The rest of that table: the errors for which Mailjet did not even try, whatever the event is called."""

BLOCKED: Mapping[str, DropKind] = {
    "recipient": DropKind.SUPPRESSED,
    "domain": DropKind.INVALID,
    "content": DropKind.FAILED,
    "spam": DropKind.POLICY,
    "mailjet": DropKind.POLICY,
}
"""Why Mailjet did not even try, by ``error_related_to`` ("Webhooks"), for an error that is not in the table above."""

RELATED: Mapping[str, tuple[BounceKind | None, Cause]] = {
    "content": (BounceKind.BLOCK, Cause.CONTENT),
    "spam": (BounceKind.BLOCK, Cause.POLICY),
    "system": (BounceKind.SOFT, Cause.SYSTEM_ERROR),
}
"""What ``error_related_to`` says of an error that is not in the table."""

_CUSTOM_ID, _EVENT_PAYLOAD = "X-MJ-CustomID", "X-MJ-EventPayload"
_TRACKING_OFF = (("X-Mailjet-TrackOpen", "0"), ("X-Mailjet-TrackClick", "0"))
_HARD = {True: BounceKind.HARD, "1": BounceKind.HARD, "true": BounceKind.HARD}
_HARD_OR_SOFT = _HARD | {False: BounceKind.SOFT, "0": BounceKind.SOFT, "false": BounceKind.SOFT}


def server(api_key: str, secret_key: str, *, port: int = 587) -> Server:
    """Mailjet's server. The API key is the user name, and the secret key the password.

    Raises:
        ConfigurationError: Mailjet does not listen on this port, or without TLS.
    """
    if port not in PORTS:
        raise ConfigurationError(f"port {port!r} is none of Mailjet's with TLS: use {', '.join(map(str, PORTS))}")
    return Server(host=HOST, port=port, credentials=Credentials(api_key, secret_key))


@frozen
class Mailjet:
    """Marks mail that goes through Mailjet, and reads what Mailjet reports.

    Mailjet signs nothing: its webhooks are proven by a user name and password of your choice, which stand in the
    webhook's URL: ``https://user:password@example.com/hooks/mailjet``.

    Attributes:
        username: as in the webhook's URL.
        password: likewise; several, while a new one takes the place of an old one.
        name: the source of its events.

    Raises:
        ConfigurationError: the user name or a password is empty, or the name holds a ``:``.
    """

    username: str = field(validator=a_user_name("Mailjet's webhook user name"))
    password: tuple[str, ...] = field(
        converter=secrets_of, repr=False, validator=some_secrets("Mailjet's webhook password")
    )
    name: str = field(default="mailjet", init=False)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id as the custom id, and Mailjet's own tracking off.

        Where the mail has a custom id of yours, ours goes into the event payload, a JSON object, beside what it holds.

        Raises:
            MailError: the custom id is yours and the event payload no JSON object, or a header says otherwise.
        """
        there = {name.lower(): value.strip() for name, value in headers}
        if there.get(_CUSTOM_ID.lower(), delivery_id) == delivery_id:
            return marked(headers, ((_CUSTOM_ID, delivery_id), *_TRACKING_OFF))
        with_payload = with_json_header(
            headers, _EVENT_PAYLOAD, lambda payload: with_id(_EVENT_PAYLOAD, payload, PAYLOAD, delivery_id)
        )
        return marked(with_payload, _TRACKING_OFF)

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by basic auth, then read one event (version 1 of its Event API) or several (version 2).

        Raises:
            UnverifiedError: another user name or password, or none.
            MalformedError: the body is not JSON.
        """
        require_basic_auth(request, self.username, *self.password)
        came = came_at(request)
        return events_of(
            json_body(request),
            partial(self._event, came),
            source=self.name,
            kind="event",
            person=("email",),
            came=came,
        )

    def _event(self, came: datetime, told: Report) -> Event:
        kind = told.get("event") or ""
        payload = told.get("Payload")
        about = About.told(
            delivery_id=_in_event_payload(payload, told) if payload else delivery_id_in(told.get("CustomID")),
            recipient=told.get("email") or "",
            at=moment(told.get("time"), otherwise=came),
            source=self.name,
            key=self._key(told, kind),
            raw=told,
        )
        read = _READ.get(kind)
        return read(about, told) if read else Unrecognised(about, kind)

    def _key(self, told: Report, kind: str) -> str:
        # A 64-bit number as a rule, and text in groups of events (mj_message_id); 0 in the events of a test.
        message = told.get("MessageID") or text_in(told, "mj_message_id", "Message_GUID")
        if message and kind in _ONCE_A_SECOND:
            return f"{kind}-{message}-{told.get('mj_contact_id')}-{told.get('time')}"
        return synthetic_key(
            source=self.name,
            kind=kind,
            message=str(message),
            recipient=told.get("email") or "",
            time=str(told.get("time")),
            url=told.get("url") or "",
            scope=str(told.get("mj_list_id")),
            reader=f"{told.get('ip')} {told.get('agent')}",
        )


def _in_event_payload(payload: object, told: Report) -> DeliveryId | None:
    """Our id: from the event payload, where that names it; else the custom id, or a payload that is nothing else."""
    if isinstance(payload, str) and PAYLOAD in payload and (named := _in_payload(payload)):
        return named
    return delivery_id_in(told.get("CustomID")) or delivery_id_in(payload)


def _in_payload(payload: str) -> DeliveryId | None:
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        return None  # any format is allowed there
    return delivery_id_in(parsed.get(PAYLOAD)) if isinstance(parsed, dict) else None


def _reason(told: Report) -> str:
    error, comment = told.get("error"), told.get("comment")
    return f"{error}: {comment}" if error and comment else error or comment or ""


def _bounced(about: About, told: Report) -> Event:
    error, permanent, reason = (told.get("error") or "").lower(), told.get("hard_bounce"), _reason(told)
    status = enhanced_status(told.get("comment") or "", error)
    if error in NOT_TRIED:
        return Dropped(about, reason, NOT_TRIED[error], status)
    if error == "greylisted" and permanent not in _HARD:  # Mailjet tries again
        return Deferred(about, reason, status, Cause.GREYLISTED)
    kind, cause = ERRORS.get(error) or RELATED.get((told.get("error_related_to") or "").lower(), _NOT_KNOWN)
    kind = kind or _HARD_OR_SOFT.get(permanent, BounceKind.UNDETERMINED)
    return Bounced.told(about, kind, reason, status, told_cause(cause, status))


_NOT_KNOWN = AS_IT_SAYS, Cause.UNKNOWN


def _blocked(about: About, told: Report) -> Event:
    error, related = text_in(told, "error").lower(), text_in(told, "error_related_to").lower()
    kind = NOT_TRIED.get(error) or BLOCKED.get(related, DropKind.UNKNOWN)
    return Dropped(about, _reason(told), kind, enhanced_status(text_in(told, "comment")))


def _opened(about: About, told: Report) -> Event:
    return Opened.told(about, user_agent=told.get("agent") or "", client=told.get("ip") or "")


def _clicked(about: About, told: Report) -> Event:
    return Clicked.told(about, told.get("url") or "", user_agent=told.get("agent") or "", client=told.get("ip") or "")


def _unsubscribed(about: About, told: Report) -> Event:
    contact_list = text_in(told, "mj_list_id")
    return Unsubscribed(about, scope=contact_list if contact_list.strip("0") else "")  # 0 is no list


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    "sent": lambda about, told: Delivered(about, told.get("smtp_reply") or ""),
    "open": _opened,
    "click": _clicked,
    "bounce": _bounced,
    "blocked": _blocked,
    "spam": lambda about, _: Complained(about),
    "unsub": _unsubscribed,
}
"""What each event of "Webhooks" becomes."""

_ONCE_A_SECOND = frozenset(_READ) - {"open", "click", "unsub"}
"""What happens to one mail no more than once in a second, so that its ids and its time tell it from any other."""
