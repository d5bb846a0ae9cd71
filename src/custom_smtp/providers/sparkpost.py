"""SparkPost: the marks on a mail, and the reports that come back.

Sources, on developers.sparkpost.com: "SMTP API" and "Webhooks" with its event types; on support.sparkpost.com: "Bounce
Classification Codes", "SparkPost Events", "Event Webhook Authentication and Security", "Best Practices for Managing
Webhook Data Streams".
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from attrs import field, frozen

from ..errors import ConfigurationError, MailError, UnverifiedError
from ..events import (
    About,
    Accepted,
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
from ..replies import Reply
from ..servers import Credentials, Pace, Server
from ..web import Request
from ..webhooks import (
    a_user_name,
    bearer_in,
    came_at,
    delivery_id_in,
    enhanced_status,
    events_of,
    if_given,
    is_one_of,
    json_body,
    json_object_in,
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

METADATA = "delivery-id"
"""The metadata field that carries our id; SparkPost hands it back in ``rcpt_meta``."""

BOUNCE_CLASSES: Mapping[str, tuple[BounceKind, Cause]] = {
    "1": (BounceKind.UNDETERMINED, Cause.UNKNOWN),
    "10": (BounceKind.HARD, Cause.NO_SUCH_USER),
    "20": (BounceKind.SOFT, Cause.UNKNOWN),
    "21": (BounceKind.SOFT, Cause.NETWORK),
    "22": (BounceKind.SOFT, Cause.MAILBOX_FULL),
    "23": (BounceKind.SOFT, Cause.TOO_LARGE),
    "24": (BounceKind.SOFT, Cause.EXPIRED),
    "25": (BounceKind.BLOCK, Cause.POLICY),
    "30": (BounceKind.HARD, Cause.UNKNOWN),
    "40": (BounceKind.SOFT, Cause.UNKNOWN),
    "50": (BounceKind.BLOCK, Cause.UNKNOWN),
    "51": (BounceKind.BLOCK, Cause.REPUTATION),
    "52": (BounceKind.BLOCK, Cause.SPAM),
    "53": (BounceKind.BLOCK, Cause.CONTENT),
    "54": (BounceKind.BLOCK, Cause.RELAY_DENIED),
    "70": (BounceKind.SOFT, Cause.UNKNOWN),
}
"""What a bounce says, by its class ("Bounce Classification Codes", its whole table but for `NO_BOUNCES`).

Hard, soft, block and undetermined are the categories of that page. Its admin category, where SparkPost's own policies
let a mail fail (25), is a block: it says nothing of the address.
"""

NO_BOUNCES: Mapping[str, Callable[[About, str], Event]] = {
    "60": AutoReplied,
    "80": lambda about, _: Resubscribed(about),
    "90": Unsubscribed,
    "100": AutoReplied,
}
"""The classes that are something else: an auto-reply, a request to subscribe or not to, a challenge-response."""

SUPPRESSED = "recipient address suppressed"
"""What SparkPost says of a mail that it did not try since the address is on a suppression list: its error 1902.

Two public integrations have met it (django-anymail, CiviCRM), the second in a bounce of class `ADMIN`.
"""

ADMIN = "25"
"""The class of what SparkPost's own policies let fail."""

_HEADER = "X-MSYS-API"
_INJECTED = Reply(250, "injection")
_RECIPIENTS = ("cc", "bcc", "archive")
_OPTIONS = ("open_tracking", "click_tracking")
_OLD_HEADER = "x-messagesystems-webhook-token"


class Relay(StrEnum):
    """Which of SparkPost's servers a mail goes through ("SMTP API: Client Configuration")."""

    US = "smtp.sparkpostmail.com"
    EU = "smtp.eu.sparkpostmail.com"


MAILS_PER_CONNECTION = 100
"""After how many an older text of that page asks for a new connection; its later text says 10,000. Fewer do no harm."""


def server(api_key: str, *, relay: Relay = Relay.US, subaccount: int | None = None) -> Server:
    """SparkPost's server, on port 587. The password is an API key that may "Send via SMTP".

    Args:
        api_key: the key.
        relay: the region of the account.
        subaccount: on whose behalf, if it is not the account itself.
    """
    username = "SMTP_Injection" if subaccount is None else f"SMTP_Injection:X-MSYS-SUBACCOUNT={subaccount}"
    pace = Pace(mails_per_connection=MAILS_PER_CONNECTION)
    # AUTH LOGIN is the one that its page names.
    return Server(host=relay.value, port=587, credentials=Credentials(username, api_key, mechanism="LOGIN"), pace=pace)


@frozen(kw_only=True)
class SparkPost:
    """Marks mail that goes through SparkPost, and reads what SparkPost reports.

    SparkPost signs nothing. Its webhooks are proven by a user name and password of your choice, or by an OAuth 2.0
    token that it fetches from a server of yours; or by either. Several passwords or tokens hold at once, as while an
    old one gives way to a new one.

    Attributes:
        username: as in the webhook's basic auth.
        password: likewise; one, or several.
        token: a token that does not change, or several; also for the older webhooks that carry it in
            ``X-MessageSystems-Webhook-Token``.
        knows_token: says whether a token is good, where your server gives out ones that expire.
        name: the source of its events.

    Raises:
        ConfigurationError: there is no proof, or a part of one is empty.
    """

    username: str = field(default="", validator=if_given(a_user_name("SparkPost's webhook user name")))
    password: tuple[str, ...] = field(
        default=(),
        converter=secrets_of,
        repr=False,
        validator=if_given(some_secrets("SparkPost's webhook password")),
    )
    token: tuple[str, ...] = field(
        default=(), converter=secrets_of, repr=False, validator=if_given(some_secrets("SparkPost's webhook token"))
    )
    knows_token: Callable[[str], bool] | None = field(default=None, repr=False, eq=False)
    name: str = field(default="sparkpost", init=False)

    def __attrs_post_init__(self) -> None:
        if bool(self.username) != bool(self.password):
            raise ConfigurationError("SparkPost's webhook has half of its basic auth: give user name and password")
        if not (self.username or self.token or self.knows_token):
            raise ConfigurationError(
                "SparkPost's webhook has no proof: give the user name and password of its basic auth, or a token; "
                "without one anybody is believed"
            )

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id as metadata and SparkPost's own tracking off, in the one X-MSYS-API header.

        What such a header says already is kept. Our id comes first in the metadata, of which opens and clicks bring
        back the first 1000 bytes alone, and once brought back 200.

        Raises:
            MailError: the header that is there is no JSON object, says otherwise, names further recipients, or becomes
                too long for a line.
        """
        return with_json_header(headers, _HEADER, lambda asked: _with_marks(asked, delivery_id))

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by basic auth or token, then read every event of the batch. A ping tells none.

        Raises:
            UnverifiedError: another user name, password or token, or none.
            MalformedError: the body is not JSON.
        """
        self._prove(request)
        came = came_at(request)
        return events_of(
            [post for post in json_body(request) if post.get("msys") != {}],
            partial(self._event, came),
            source=self.name,
            kind="type",
            person=_recipient_of_post,
            came=came,
        )

    def _prove(self, request: Request) -> None:
        token = bearer_in(request) or request.headers.get(_OLD_HEADER, "")
        if token and self._knows(token):
            return
        if self.username:
            require_basic_auth(request, self.username, *self.password)
        else:
            raise UnverifiedError(
                "the request carries another token" if token else "the request carries no token",
                challenge='Bearer realm="reports"',
            )

    def _knows(self, token: str) -> bool:
        if self.token and is_one_of(token, *self.token):
            return True
        return self.knows_token is not None and self.knows_token(token) is True

    def _event(self, came: datetime, post: Report) -> Event:
        [(family, told)] = post["msys"].items()
        kind = told.get("type") or family
        number, metadata = told.get("event_id"), told.get("rcpt_meta")
        about = About.told(
            delivery_id=delivery_id_in(metadata.get(METADATA)) if isinstance(metadata, dict) else None,
            recipient=told.get("raw_rcpt_to") or told.get("rcpt_to") or "",  # the second is in lower case
            at=moment(told.get("timestamp"), otherwise=came),
            source=self.name,
            # The samples of its own tests give one id to events of all kinds.
            key=f"{kind} {number}" if number else self._key(told, kind),
            raw=post,
        )
        read = _READ.get(kind)
        return read(about, told) if read else Unrecognised(about, kind)

    def _key(self, told: Report, kind: str) -> str:
        return synthetic_key(
            source=self.name,
            kind=f"{kind} {text_in(told, 'bounce_class')}",
            message=f"{text_in(told, 'transmission_id')} {text_in(told, 'message_id')}",
            recipient=_recipient(told),
            time=str(told.get("timestamp")),
            url=text_in(told, "target_link_url"),
            scope=text_in(told, "num_retries"),
            reader=f"{text_in(told, 'ip_address')} {text_in(told, 'user_agent')}",
        )


def _with_marks(asked: dict[str, Any], delivery_id: DeliveryId) -> dict[str, Any]:
    """The header's JSON, with the marks laid into it; what was given is left as it was."""
    for name in _RECIPIENTS:
        if asked.get(name):
            raise MailError(f"the header {_HEADER} names recipients in {name!r}: give each person a mail of their own")
    metadata = with_id(_HEADER, json_object_in(_HEADER, asked, "metadata"), METADATA, delivery_id)
    options = json_object_in(_HEADER, asked, "options")
    for tracking in _OPTIONS:
        if options.get(tracking, False) is not False:
            raise MailError(f"the header {_HEADER} turns {tracking} on, which counts twice: leave it out")
        options[tracking] = False
    return {**asked, "metadata": {METADATA: delivery_id, **metadata}, "options": options}


def _recipient(told: Mapping[str, Any]) -> str:
    """The address as it was given; ``rcpt_to`` has it in lower case."""
    return text_in(told, "raw_rcpt_to", "rcpt_to")


def _recipient_of_post(post: Report) -> str:
    """Whom an odd post is about, as far as it can be found."""
    families = post.get("msys")
    inside = [told for told in families.values() if isinstance(told, dict)] if isinstance(families, dict) else []
    return next(filter(None, map(_recipient, inside)), "")


def _said(told: Report) -> tuple[str, str]:
    """What the recipient's server said, with its code, and its enhanced status."""
    classified, code = told.get("reason") or "", told.get("error_code")
    reason = told.get("raw_reason") or classified
    status = enhanced_status(reason) or enhanced_status(classified)
    if not code or (code := str(code)) in reason:
        return reason, status
    return f"{code} {reason}".rstrip(), status


def _bounced(about: About, told: Report) -> Event:
    number = text_in(told, "bounce_class")
    reason, status = _said(told)
    if number == ADMIN and SUPPRESSED in reason:
        return Dropped(about, reason, DropKind.SUPPRESSED, status)
    if number in BOUNCE_CLASSES:
        kind, cause = BOUNCE_CLASSES[number]
        return Bounced.told(about, kind, reason, status, told_cause(cause, status))
    if number in NO_BOUNCES:
        return NO_BOUNCES[number](about, reason)
    kind = _BY_STATUS.get(status[:1], BounceKind.UNDETERMINED)
    return Bounced(about, kind, reason, status, told_cause(Cause.UNKNOWN, status))


_BY_STATUS = {"4": BounceKind.SOFT, "5": BounceKind.HARD}


def _delayed(about: About, told: Report) -> Event:
    reason, status = _said(told)
    _, cause = BOUNCE_CLASSES.get(text_in(told, "bounce_class"), _NOT_TOLD)
    return Deferred(about, reason, status, told_cause(cause, status))


_NOT_TOLD = BounceKind.UNDETERMINED, Cause.UNKNOWN


def _dropped(kind: DropKind, about: About, told: Report) -> Event:
    reason, status = _said(told)
    return Dropped(about, reason, DropKind.SUPPRESSED if SUPPRESSED in reason else kind, status)


def _complained(about: About, told: Report) -> Event:
    # RFC 5965 section 7.3: such a report takes a mail out of the spam.
    return Unrecognised(about, "not-spam") if told.get("fbtype") == "not-spam" else Complained(about)


def _opened(about: About, told: Report) -> Event:
    prefetched, proxied = _marks_of_a_machine(told)
    return Opened.told(
        about,
        prefetched=prefetched,
        proxied=proxied,
        evidence=_evidence(prefetched, proxied),
        user_agent=told.get("user_agent") or "",
        client=told.get("ip_address") or "",
    )


def _clicked(about: About, told: Report) -> Event:
    prefetched, _ = _marks_of_a_machine(told)
    return Clicked.told(
        about,
        told.get("target_link_url") or "",
        link=told.get("target_link_name") or "",
        machine=prefetched,
        evidence=_evidence(prefetched, proxied=False),
        user_agent=told.get("user_agent") or "",
        client=told.get("ip_address") or "",
    )


def _marks_of_a_machine(told: Report) -> tuple[bool, bool]:
    """Whether it was fetched ahead, and whether by a proxy.

    ``user_agent_parsed`` says so in the events of later accounts; no page of the sources above describes it.
    """
    parsed = told.get("user_agent_parsed")
    agent = parsed if isinstance(parsed, dict) else told
    return agent.get("is_prefetched") is True, agent.get("is_proxy") is True


def _evidence(prefetched: bool, proxied: bool) -> tuple[str, ...]:
    return ("is_prefetched",) * prefetched + ("is_proxy",) * proxied


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    # SparkPost took the mail: the relay's own 250, told once more.
    "injection": lambda about, _: Accepted(about, _INJECTED),
    "delivery": lambda about, _: Delivered(about),
    "delay": _delayed,
    "bounce": _bounced,
    "out_of_band": _bounced,
    "policy_rejection": partial(_dropped, DropKind.POLICY),
    "generation_failure": partial(_dropped, DropKind.FAILED),
    "generation_rejection": partial(_dropped, DropKind.POLICY),
    "spam_complaint": _complained,
    "open": _opened,
    "initial_open": _opened,
    "amp_open": _opened,
    "amp_initial_open": _opened,
    "click": _clicked,
    "amp_click": _clicked,
    "list_unsubscribe": lambda about, _: Unsubscribed(about, "list_unsubscribe"),
    "link_unsubscribe": lambda about, _: Unsubscribed(about, "link_unsubscribe"),
}
"""What each event of "SparkPost Events" becomes, and the AMP kinds that "Webhooks" lists beside them.

Those about mail that came in (``relay_*``), about text messages, A/B tests and ingested events stay unrecognised.
"""
