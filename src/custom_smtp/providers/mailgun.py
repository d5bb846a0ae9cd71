"""Mailgun: the marks on a mail, and the reports that come back.

Sources, on documentation.mailgun.com: "Webhooks", "Webhook Payloads", "Securing Webhooks", "Event types", "Tracking
Failures", "Open and Click Bot Detection", "Sending Messages: Send via SMTP" and "Attaching Metadata to Messages"; for
the webhooks of before 2018, the user manual kept in github.com/mailgun/documentation (source/user_manual.rst, "Tracking
Messages") and the help page "Legacy Webhooks".
"""

import hashlib
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from attrs import define, field, frozen

from ..checks import above_zero
from ..errors import MailError, MalformedError, UnverifiedError
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
from ..web import BODY_LIMIT, Request
from ..webhooks import (
    UNKNOWN_TIME,
    an_age,
    came_at,
    delivery_id_in,
    delivery_id_in_message_id,
    enhanced_status,
    events_of,
    folding_json,
    json_body,
    json_header,
    marked,
    moment,
    require_fresh,
    secrets_of,
    some_secrets,
    synthetic_key,
    text_in,
    told_cause,
)

Report = dict[str, Any]

VARIABLE = "csm_id"
"""The user variable that carries our id. The old webhooks lay it flat among their own fields, hence its odd name."""

MAX_AGE = timedelta(hours=9)
"""How old a signature may be: Mailgun tries again for 8 hours ("Webhooks"), and does not say whether it signs anew."""

REASONS: Mapping[str, tuple[BounceKind, Cause]] = {
    "espblock": (BounceKind.BLOCK, Cause.POLICY),
    "old": (BounceKind.SOFT, Cause.EXPIRED),
}
"""What a failure's ``reason`` says by itself.

They stand in the sample of the Stats API (source/api-stats.rst) and in the user manual, "Tracking Failures".
"""

BOUNCES = ("bounce", "delayed-bounce")
"""The reasons that the recipient's server said no, at once or later (the same sources)."""

SUPPRESSED = ("suppress-bounce", "suppress-complaint", "suppress-unsubscribe")
"""The reasons that Mailgun did not even try (the same sources)."""

SUPPRESSED_CODES = (605, 606, 607, 625)
"""The same, as codes: bounced, unsubscribed or complained before, and a poor list.

Mailgun's pages do not list them; they are what two public integrations have met (django-anymail, Symfony).
"""

BOUNCE_TYPES: Mapping[str, BounceKind] = {"hard": BounceKind.HARD, "soft": BounceKind.SOFT}
"""Mailgun's own verdict, where ``delivery-status`` holds one ("Webhook Payloads")."""

_HEADER = "X-Mailgun-Variables"
_ACCEPTED = Reply(250, "accepted")
_DIGESTS = ("signature", "parent-signature")
_SWITCHES = ("x-mailgun-track-clicks", "x-mailgun-track-opens")
_STAMP_DIGITS = 11  # until the year 5138
_MADE_BY_MAILGUN = re.compile(r"<?[0-9]{14}\.")  # as every Message-ID of its own in its documentation begins
_ADDRESS = re.compile(r"[^\s<>,@]+@[^\s<>,@]+")
_FORM_FIELDS = 1000
_PART_HEAD = 8 * 1024
_TO = 998  # RFC 5322 section 2.1.1
_BOUNDARY = re.compile(r';\s*boundary="?([^";]{1,70})"?', re.IGNORECASE)  # RFC 2046 section 5.1.1
_FIELD_NAME = re.compile(rb'[;\s]name="([^"]*)"')
_FILE_NAME = re.compile(rb"[;\s]filename\*?=")


class Relay(StrEnum):
    """Which of Mailgun's servers a mail goes through: the one of the region that the domain was made in."""

    US = "smtp.mailgun.org"
    EU = "smtp.eu.mailgun.org"


def server(username: str, password: str, *, relay: Relay = Relay.US) -> Server:
    """Mailgun's server, on port 587. User name and password are SMTP credentials of the sending domain."""
    return Server(host=relay.value, port=587, credentials=Credentials(username, password))


Vouches = Callable[[str, str], bool]
"""Says whether this token may vouch for this event, named by its digest: True for the first, and for it again."""


@define(eq=False)
class Tokens:
    """Remembers which event each token came with, in this process: a token vouches for one event alone.

    Attributes:
        capacity: how many tokens are remembered; the oldest is forgotten first.

    Raises:
        ConfigurationError: the capacity is none.
    """

    capacity: int = field(default=100_000, validator=above_zero)
    _seen: OrderedDict[str, str] = field(factory=OrderedDict, init=False, repr=False)

    def __call__(self, token: str, digest: str, /) -> bool:
        """Whether the token was new, or came with this very event before."""
        first = self._seen.setdefault(token, digest)
        if len(self._seen) > self.capacity:
            self._seen.popitem(last=False)
        return first == digest


@frozen
class Mailgun:
    """Marks mail that goes through Mailgun, and reads what Mailgun reports.

    Its webhooks are proven by a signature in their body, made with the HTTP webhook signing key. Several keys hold at
    once: the old and the new one, those of several accounts; a subaccount's report is proven by the primary account's
    key too.

    The signature covers a timestamp and a token, and not the report. The same request sent again tells the same event,
    which a journal keeps once. Whoever got hold of a signature could put another report beside it until it is too old:
    `Tokens` refuses that within one process, and a function of yours, over what your processes share, within all.

    Attributes:
        signing_keys: the key, or several.
        max_age: how long after its signature a request is still believed.
        tokens: says whether a token may vouch for an event; None believes every token until it is too old.
        name: the source of its events.

    Raises:
        ConfigurationError: a key is empty, or there is none.
    """

    signing_keys: tuple[str, ...] = field(
        converter=secrets_of, repr=False, validator=some_secrets("Mailgun's webhook signing key")
    )
    max_age: timedelta = field(default=MAX_AGE, kw_only=True, validator=an_age)
    tokens: Vouches | None = field(default=None, kw_only=True, repr=False, eq=False)
    name: str = field(default="mailgun", init=False)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id among the user variables, and Mailgun's own tracking off.

        Variables that are there already are kept, in one header or in several, which Mailgun combines.

        Raises:
            MailError: a header that is there is no JSON object, or says otherwise.
        """
        for name, value in headers:
            if name.lower() in _SWITCHES and value.strip().lower() not in ("no", "false"):
                raise MailError(f"the header {name} turns tracking on, which counts twice: leave it out")
        return marked(_with_variable(headers, delivery_id), (("X-Mailgun-Track", "no"),))

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by signature and age, then read the one event that Mailgun posts, as JSON or as a form.

        The proof stands in the body, so that this much is parsed before it: JSON or form, within the limits.

        Raises:
            UnverifiedError: the signature is missing, wrong or too old, or was used for another event.
            MalformedError: the body is neither JSON nor a form.
        """
        came = came_at(request)
        if _is_json(request):
            posts = json_body(request) or [{}]  # nobody signed an empty array
            reports = [self._proven(request, post) for post in posts]
            read = partial(self._event, came)
        else:
            form = _form(request)
            last = {name: values[-1] for name, values in form.items()}
            reports = [_as_report(form)]
            self._prove(request, last, reports[0])
            read = partial(self._old_event, token=last["token"], came=came)
        return events_of(reports, read, source=self.name, kind="event", person=_recipient, came=came)

    def _proven(self, request: Request, post: Report) -> Report:
        told = _event_data(post)
        self._prove(request, post.get("signature"), told)
        return told

    def _prove(self, request: Request, proof: object, told: Report) -> None:
        """Return if what the event is signed with holds: by any key, for the account or for the primary account."""
        if not isinstance(proof, dict):
            raise UnverifiedError("the request carries no signature: point a webhook of Mailgun's here, and no route")
        stamp, token = text_in(proof, "timestamp"), text_in(proof, "token")
        digests = [digest for name in _DIGESTS if isinstance(digest := proof.get(name), str) and digest]
        if not (digests and token and stamp.isascii() and stamp.isdigit() and len(stamp) <= _STAMP_DIGITS):
            raise UnverifiedError("the request's signature lacks its timestamp, its token or itself")
        if not _fits(f"{stamp}{token}", digests, self.signing_keys):
            which = "the key" if len(self.signing_keys) == 1 else f"any of the {len(self.signing_keys)} keys"
            raise UnverifiedError(f"the signature does not fit {which}: copy the HTTP webhook signing key")
        require_fresh(request, moment(stamp, otherwise=UNKNOWN_TIME), self.max_age)
        if self.tokens is not None and not self.tokens(token, _digest(told)):
            raise UnverifiedError("the signature was used for another event before: somebody has copied it")

    def _event(self, came: datetime, told: Report) -> Event:
        kind, when, number = told.get("event") or "", told.get("timestamp"), told.get("id")
        at = moment(when, otherwise=came)
        variables = told.get("user-variables")
        named = delivery_id_in(variables.get(VARIABLE)) if isinstance(variables, dict) else None
        about = About.told(
            delivery_id=named or _delivery_id_of_message(told, kind),
            recipient=told.get("recipient") or _recipient(told),
            at=at,
            source=self.name,
            # Its documentation promises that an id is not given twice on one day, and no more.
            key=(f"{number} {at.toordinal()}" if when else number) if number else self._synthetic_key(told, kind),
            raw=told,
        )
        read = _READ.get(kind)
        return read(about, told) if read else Unrecognised(about, kind)

    def _synthetic_key(self, told: Report, kind: str) -> str:
        return synthetic_key(
            source=self.name,
            kind=f"{kind} {text_in(told, 'severity')} {text_in(told, 'reason')}",
            message=text_in(_headers(told), "message-id"),
            recipient=_recipient(told),
            time=str(told.get("timestamp")),
            url=text_in(told, "url"),
            reader=f"{text_in(told, 'ip')} {text_in(_part(told, 'client-info'), 'user-agent')}",
        )

    def _old_event(self, told: Report, *, token: str, came: datetime) -> Event:
        # A user variable by the name of a field comes behind it, but before what the request is signed with.
        first = {name: value if isinstance(value, str) else value[0] for name, value in told.items()}
        stamp = told["timestamp"]
        when = stamp if isinstance(stamp, str) else stamp[-1]
        kind, recipient, message = (
            text_in(first, "event"),
            _recipient(first),
            text_in(first, "Message-Id", "message-id"),
        )
        about = About(
            delivery_id=delivery_id_in(first.get(VARIABLE)) or _delivery_id_of(message) or _in_old_headers(first),
            recipient=recipient,
            at=moment(when, otherwise=came),
            source=self.name,
            key=synthetic_key(
                source=self.name,
                kind=f"{kind} {text_in(first, 'code')}",
                message=message,
                recipient=recipient,
                time=when,
                url=text_in(first, "url"),
                reader=token,
            ),
            raw=told,
        )
        return _READ_OLD[kind](about, first) if kind in _READ_OLD else Unrecognised(about, kind)


def _fits(signed: str, digests: Sequence[str], keys: Sequence[str]) -> bool:
    """Whether one of the keys made one of the digests, each compared in constant time."""
    message = signed.encode(errors="replace")
    for key in keys:
        expected = hmac.digest(key.encode(errors="surrogatepass"), message, "sha256").hex()
        for digest in digests:
            if digest.isascii() and hmac.compare_digest(expected, digest.lower()):
                return True
    return False


def _digest(told: Report) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _with_variable(headers: Headers, delivery_id: DeliveryId) -> Headers:
    places = [place for place, (name, _) in enumerate(headers) if name.lower() == _HEADER.lower()]
    if not places:
        return (*headers, (_HEADER, folding_json(_HEADER, {VARIABLE: delivery_id})))
    written = [json_header(_HEADER, headers[place][1]) for place in places]
    for variables in written:
        if variables.get(VARIABLE, delivery_id) != delivery_id:
            raise MailError(f"the header {_HEADER} sets {VARIABLE} to {variables[VARIABLE]!r}: leave it out")
    if not any(VARIABLE in variables for variables in written):
        written[0] = {**written[0], VARIABLE: delivery_id}
    values = {place: folding_json(_HEADER, variables) for place, variables in zip(places, written, strict=True)}
    return tuple((name, values.get(place, value)) for place, (name, value) in enumerate(headers))


# ---- bodies ----------------------------------------------------------------------------------------------------------


def _is_json(request: Request) -> bool:
    """Whether it says so; and where it says nothing, whether it looks so."""
    kind = request.headers.get("content-type", "").lower()
    if "json" in kind:
        return True
    return "form" not in kind and request.body.lstrip()[:1] in (b"{", b"[")


def _event_data(post: Report) -> Report:
    """What happened, without the signature, which would be worth stealing for as long as it holds."""
    told = post.get("event-data")
    return told if isinstance(told, dict) else {name: value for name, value in post.items() if name != "signature"}


def _form(request: Request) -> dict[str, list[str]]:
    """The fields of a form, each with its values in their order; files are left out.

    Raises:
        MalformedError: it is too large, cut off, or no form.
    """
    if len(request.body) > BODY_LIMIT:
        raise MalformedError(f"the body has {len(request.body)} bytes: at most {BODY_LIMIT} are read")
    kind = request.headers.get("content-type", "")
    pairs = _parts(kind, request.body) if kind.lower().startswith("multipart/") else _pairs(request.body)
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=_FORM_FIELDS)
    except ValueError as error:
        raise MalformedError(f"the form has more than {_FORM_FIELDS} fields") from error


def _parts(kind: str, body: bytes) -> Iterable[tuple[str, str]]:
    """RFC 7578: what stands between the boundaries."""
    boundary = _BOUNDARY.search(kind)
    if not boundary:
        raise MalformedError("the form names no boundary")
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode(errors="replace"), _FORM_FIELDS + 2)
    if len(parts) > _FORM_FIELDS + 2:
        raise MalformedError(f"the form has more than {_FORM_FIELDS} fields")
    if not parts[-1].startswith(b"--"):
        raise MalformedError("the form is cut off")
    for part in parts[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head[:_PART_HEAD])
        if name and not _FILE_NAME.search(head[:_PART_HEAD]):
            yield name[1].decode(errors="replace"), value.decode(errors="replace")


def _as_report(form: Mapping[str, list[str]]) -> Report:
    """A form as an event's raw report, without what it was signed with."""
    return {
        name: values[0] if len(values) == 1 else values
        for name, values in form.items()
        if name not in ("signature", "token", "parent-signature")
    }


# ---- reports ---------------------------------------------------------------------------------------------------------


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside a report; an empty one where it is missing, null, or the ``[]`` that stands for none."""
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _headers(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of the mail's headers that are told, by lower-case name."""
    return _part(_part(told, "message"), "headers")


def _recipient(told: Report) -> str:
    """Whom it is about; a rejection names nobody but in the mail's own To."""
    recipient = text_in(told, "recipient")
    if not recipient and told.get("event") == "rejected":
        named = _ADDRESS.findall(text_in(_headers(told), "to")[:_TO])
        return named[0] if len(named) == 1 else ""
    return recipient


def _delivery_id_of_message(told: Report, kind: str) -> DeliveryId | None:
    """Our id from the Message-ID, but of a mail that came in."""
    return _delivery_id_of(text_in(_headers(told), "message-id")) if kind in _READ else None


def _delivery_id_of(message_id: str) -> DeliveryId | None:
    """Our id from the Message-ID; one that Mailgun made, for a mail that came without, has an id's shape too."""
    return None if _MADE_BY_MAILGUN.match(message_id) else delivery_id_in_message_id(message_id)


def _in_old_headers(told: Report) -> DeliveryId | None:
    """Our id from the mail's own headers, which are told as a JSON list of pairs."""
    try:
        headers = [(name.lower(), value) for name, value in json.loads(told.get("message-headers", "[]"))]
        variables = [json.loads(value) for name, value in headers if name == _HEADER.lower()]
        given = [delivery_id_in(several[VARIABLE]) for several in variables if VARIABLE in several]
    except (AttributeError, RecursionError, TypeError, ValueError):
        return None  # it is a second best: without it, the report is about a mail that is not known
    return next(filter(None, given), None)


def _words(code: str, said: str) -> str:
    """The code and what was said, as a server says it; 0 stands for no code."""
    return said if code in ("", "0") or code in said else f"{code} {said}".rstrip()


def _answer(told: Report) -> str:
    outcome = told.get("delivery-status")
    if not isinstance(outcome, dict):
        return ""
    return _words(text_in(outcome, "code"), outcome.get("message") or outcome.get("description") or "")


def _code(text: str) -> int:
    return int(text) if len(text) == 3 and text.isascii() and text.isdigit() else 0


def _failed(about: About, told: Report) -> Event:
    outcome, reason = _part(told, "delivery-status"), told.get("reason") or ""
    number, said = text_in(outcome, "code"), outcome.get("message") or outcome.get("description") or ""
    answer, code = _words(number, said), _code(number)
    enhanced = outcome.get("enhanced-code")
    status = enhanced_status(enhanced, said) if enhanced else enhanced_status(said)
    if reason in SUPPRESSED or code in SUPPRESSED_CODES:
        words = f"{reason}: {answer}" if reason and answer else reason or answer
        return Dropped(about, words, DropKind.SUPPRESSED, status)
    if told.get("severity") == "temporary":
        cause = Cause.GREYLISTED if reason == "greylisted" else REASONS.get(reason, (None, Cause.UNKNOWN))[1]
        return Deferred(about, answer or reason, status, told_cause(cause, status))
    kind, cause = _verdict(reason, status, code, text_in(outcome, "bounce-type"))
    return Bounced.told(about, kind, answer or reason, status, cause)


def _verdict(reason: str, status: str, code: int, bounce_type: str = "") -> tuple[BounceKind, Cause]:
    """What a failure says of the address: Mailgun's own word first, then the status (RFC 3463), then the code."""
    if reason in REASONS:
        return REASONS[reason]
    cause = told_cause(Cause.UNKNOWN, status)
    if bounce_type in BOUNCE_TYPES:
        return BOUNCE_TYPES[bounce_type], cause
    if status.startswith("4.") or status[2:] == "2.2" or (not status and 400 <= code < 500):
        return BounceKind.SOFT, cause
    if status.startswith("5.7."):
        return BounceKind.BLOCK, Cause.POLICY
    if reason in BOUNCES or 500 <= code < 600:
        return BounceKind.HARD, cause
    return BounceKind.UNDETERMINED, cause


def _rejected(about: About, told: Report) -> Event:
    why = _part(told, "reject")
    words = text_in(why, "reason", "description") or text_in(told, "reason") or _answer(told)
    return Dropped(about, words, DropKind.POLICY, enhanced_status(words))


def _opened(about: About, told: Report) -> Event:
    bot = _bot(told)
    return Opened.told(
        about,
        prefetched=bool(bot),
        evidence=bot,
        user_agent=_part(told, "client-info").get("user-agent") or "",
        client=told.get("ip") or "",
    )


def _clicked(about: About, told: Report) -> Event:
    bot = _bot(told)
    return Clicked.told(
        about,
        told.get("url") or "",  # the older samples of this event have none
        machine=bool(bot),
        evidence=bot,
        user_agent=_part(told, "client-info").get("user-agent") or "",
        client=told.get("ip") or "",
    )


def _bot(told: Report) -> tuple[str, ...]:
    """Who did it instead of a person: apple, gmail or generic ("Open and Click Bot Detection"); a new one alike."""
    bot = text_in(_part(told, "client-info"), "bot")
    return (f"client-info.bot: {bot}",) if bot else ()


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    # Mailgun took the mail and has it in its queue: the relay's own 250, told once more.
    "accepted": lambda about, _: Accepted(about, _ACCEPTED),
    "rejected": _rejected,
    "delivered": lambda about, told: Delivered(about, _answer(told)),
    "failed": _failed,
    "opened": _opened,
    "clicked": _clicked,
    "unsubscribed": lambda about, _: Unsubscribed(about),
    "complained": lambda about, _: Complained(about),
}
"""What each event of "Event types" becomes; ``stored`` is about a mail that came in, and stays unrecognised."""


def _old_answer(told: Report) -> tuple[str, str]:
    """What was said and its enhanced status, for which ``code`` stands as often as for the three digits."""
    code, said = text_in(told, "code"), text_in(told, "error", "description", "notification")
    return _words(code, said), enhanced_status(code, said)


def _dropped(about: About, told: Report) -> Event:
    reason, code = text_in(told, "reason"), _code(text_in(told, "code"))
    answer, status = _old_answer(told)
    if reason != "old" and not 400 <= code < 600:
        suppressed = code in SUPPRESSED_CODES or reason in SUPPRESSED
        return Dropped(about, answer or reason, DropKind.SUPPRESSED if suppressed else DropKind.UNKNOWN, status)
    kind, cause = _verdict(reason, status, code)
    return Bounced.told(about, kind, answer or reason, status, cause)


def _bounced(about: About, told: Report) -> Event:
    answer, status = _old_answer(told)
    kind, cause = _verdict("bounce", status, _code(text_in(told, "code")))
    return Bounced.told(about, kind, answer, status, cause)


def _old_opened(about: About, told: Report) -> Event:
    return Opened.told(about, user_agent=text_in(told, "user-agent"), client=text_in(told, "ip"))


def _old_clicked(about: About, told: Report) -> Event:
    agent = text_in(told, "user-agent")
    return Clicked.told(about, text_in(told, "url"), user_agent=agent, client=text_in(told, "ip"))


_READ_OLD: Mapping[str, Callable[[About, Report], Event]] = {
    "delivered": lambda about, _: Delivered(about),
    "dropped": _dropped,
    "bounced": _bounced,
    "complained": lambda about, _: Complained(about),
    "unsubscribed": lambda about, _: Unsubscribed(about),
    "opened": _old_opened,
    "clicked": _old_clicked,
}
"""What each event of the webhooks of before 2018 becomes ("Tracking Messages" in the user manual)."""
