"""Brevo (Sendinblue, before 2023): the marks on a mail, and the reports that come back.

Sources: developers.brevo.com, "Transactional webhooks", "Getting started" with webhooks, "Create a webhook"; and where
they end, what two public integrations have met (django-anymail, Symfony).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from attrs import field, frozen

from ..errors import ConfigurationError, MalformedError
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
    a_user_name,
    bearer_in,
    came_at,
    delivery_id_in,
    delivery_id_in_message_id,
    enhanced_status,
    events_of,
    if_given,
    json_body,
    json_reports,
    moment,
    require_basic_auth,
    require_bearer,
    secrets_of,
    some_secrets,
    synthetic_key,
    text_in,
    told_cause,
    with_id,
    with_json_header,
)

Report = dict[str, Any]

CUSTOM = "delivery_id"
"""What carries our id in ``X-Mailin-custom``, which Brevo hands back with every report of a mail."""

HOST = "smtp-relay.brevo.com"
"""Brevo's relay."""

PORTS = (587, 2525, 465)
"""Its ports: STARTTLS on the first two, TLS from the first byte on 465; only 587 is certain."""

_HEADER = "X-Mailin-custom"
_RELAYS_OWN = re.compile(r"@(?:[a-z0-9-]+\.)*(?:mailin\.fr|sendinblue\.com|brevo\.com)>?\s*$", re.IGNORECASE)


def server(login: str, smtp_key: str, *, port: int = 587) -> Server:
    """Brevo's server. The user name is the SMTP login, and the password an SMTP key, which is no API key.

    Raises:
        ConfigurationError: Brevo does not listen on this port.
    """
    if port not in PORTS:
        raise ConfigurationError(f"port {port!r} is none of Brevo's: use {', '.join(map(str, PORTS))}")
    return Server(host=HOST, port=port, credentials=Credentials(login, smtp_key))


@frozen(kw_only=True)
class Brevo:
    """Marks mail that goes through Brevo, and reads what Brevo reports.

    Brevo signs nothing. Its webhooks are proven by a user name and password of your choice, which stand in the
    webhook's URL, or by a token that is given when the webhook is made by the API; or by either. Several passwords or
    tokens hold at once.

    Attributes:
        username: as in the webhook's URL.
        password: likewise; one, or several.
        token: the one of the webhook's ``auth``, or several.
        name: the source of its events.

    Raises:
        ConfigurationError: there is no proof, or a part of one is empty.
    """

    username: str = field(default="", validator=if_given(a_user_name("Brevo's webhook user name")))
    password: tuple[str, ...] = field(
        default=(), converter=secrets_of, repr=False, validator=if_given(some_secrets("Brevo's webhook password"))
    )
    token: tuple[str, ...] = field(
        default=(), converter=secrets_of, repr=False, validator=if_given(some_secrets("Brevo's webhook token"))
    )
    name: str = field(default="brevo", init=False)

    def __attrs_post_init__(self) -> None:
        if bool(self.username) != bool(self.password):
            raise ConfigurationError("Brevo's webhook has half of its basic auth: give user name and password")
        if not (self.username or self.token):
            raise ConfigurationError(
                "Brevo's webhook has no proof: give the user name and password of its URL, or a token; without one "
                "anybody is believed"
            )

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id in ``X-Mailin-custom``, beside what such a header holds as JSON.

        Brevo has no header that turns its tracking off: that is set for the account.

        Raises:
            MailError: the header that is there is no JSON object, or says otherwise; or there are several.
        """
        return with_json_header(headers, _HEADER, lambda custom: with_id(_HEADER, custom, CUSTOM, delivery_id))

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by basic auth or token, then read the one report that Brevo posts, or several of a batch.

        Raises:
            UnverifiedError: another user name, password or token, or none.
            MalformedError: the body is not JSON.
        """
        if self.token and (bearer_in(request) or not self.username):
            require_bearer(request, *self.token)
        else:
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
        kind, message = text_in(told, "event"), text_in(told, "message-id")
        stamp, recipient = _stamp(told), text_in(told, "email")
        about = About(
            delivery_id=_delivery_id(told, message),
            recipient=recipient,
            at=moment(stamp, otherwise=came),
            source=self.name,
            # The number in "id" is the webhook's.
            key=synthetic_key(
                source=self.name,
                kind=kind,
                message=message,
                recipient=recipient,
                time=str(stamp),
                url=text_in(told, "link"),
                reader=f"{text_in(told, 'ip')} {text_in(told, 'user_agent')}",
            ),
            raw=told,
        )
        return _READ[kind](about, told) if kind in _READ else Unrecognised(about, kind)


def _stamp(told: Report) -> object:
    """The one time that is UTC whatever the account's time zone is, in milliseconds; else one that may be."""
    return told.get("ts_epoch") or told.get("ts_event") or told.get("ts")


def _delivery_id(told: Report, message: str) -> DeliveryId | None:
    """Our id: from what we asked to have back, else from a Message-ID that is not the relay's own."""
    custom = text_in(told, _HEADER)
    if CUSTOM in custom and (named := _in_custom(custom)):
        return named
    return None if _RELAYS_OWN.search(message) else delivery_id_in_message_id(message)


def _in_custom(custom: str) -> DeliveryId | None:
    try:
        [told] = json_reports(custom.encode())
    except (MalformedError, ValueError):
        return None  # any format is allowed there
    return delivery_id_in(told.get(CUSTOM))


def _bounced(kind: BounceKind, cause: Cause, about: About, told: Report) -> Event:
    reason = text_in(told, "reason")
    status = enhanced_status(reason)
    if status.startswith("5.7."):  # RFC 3463 section 3.8: security or policy
        return Bounced(about, BounceKind.BLOCK, reason, status, cause=Cause.POLICY)
    return Bounced(about, kind, reason, status, told_cause(cause, status))


def _delayed(about: About, told: Report) -> Event:
    reason = text_in(told, "reason")
    status = enhanced_status(reason)
    return Deferred(about, reason, status, told_cause(Cause.UNKNOWN, status))


def _dropped(kind: DropKind, about: About, told: Report) -> Event:
    reason = text_in(told, "reason")
    return Dropped(about, reason, kind, enhanced_status(reason))


def _opened(about: About, told: Report) -> Event:
    return Opened(about, user_agent=text_in(told, "user_agent"), client=text_in(told, "ip"), second_hand=True)


def _opened_by_proxy(about: About, told: Report) -> Event:
    """Loaded ahead by a mail program's own servers, whether or not a person ever looks."""
    return Opened(
        about,
        proxied=True,
        prefetched=True,
        evidence=(text_in(told, "event"),),
        user_agent=text_in(told, "user_agent"),
        client=text_in(told, "ip"),
        second_hand=True,
    )


def _clicked(about: About, told: Report) -> Event:
    agent, client = text_in(told, "user_agent"), text_in(told, "ip")
    return Clicked(about, told.get("link") or "", user_agent=agent, client=client, second_hand=True)


def _complained(about: About, _told: Report) -> Event:
    return Complained(about)


def _unsubscribed(about: About, _told: Report) -> Event:
    return Unsubscribed(about)


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    # Brevo took the mail: the relay's own 250, told once more.
    "request": lambda about, _: Accepted(about, Reply(250, "request")),
    "delivered": lambda about, told: Delivered(about, text_in(told, "reason")),
    "deferred": _delayed,
    "hard_bounce": partial(_bounced, BounceKind.HARD, Cause.UNKNOWN),
    "invalid_email": partial(_bounced, BounceKind.HARD, Cause.NO_SUCH_USER),
    "soft_bounce": partial(_bounced, BounceKind.SOFT, Cause.UNKNOWN),
    "blocked": partial(_dropped, DropKind.SUPPRESSED),
    "error": partial(_dropped, DropKind.FAILED),
    "spam": _complained,
    "complaint": _complained,
    "unsubscribed": _unsubscribed,
    "unsubscribe": _unsubscribed,
    "opened": _opened,
    "unique_opened": _opened,
    "proxy_open": _opened_by_proxy,
    "unique_proxy_open": _opened_by_proxy,
    "click": _clicked,
}
"""What each event of "Transactional webhooks" becomes; those of marketing and text messages stay unrecognised."""
