"""Mandrill (Mailchimp Transactional): the marks on a mail, and the reports that come back.

Sources: on mailchimp.com/developer/transactional/docs, "SMTP Integration", "Webhooks", "Reputation and Rejections";
on mandrill.zendesk.com, "Webhook Format", "Message Event Webhook Format", the formats of sync events (article
360039233253) and of inbound mail (360039234813), "How to Authenticate Webhook Requests", "Using Custom Message
Metadata", "How to Use SMTP Headers to Customize Your Messages", "How to View the Rejection Blacklist for a Subaccount".
"""

import hmac
import json
from base64 import b64encode
from binascii import a2b_qp
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import Attribute, field, frozen

from ..checks import CONTROL
from ..errors import ConfigurationError, MailError, MalformedError, UnverifiedError
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
from ..servers import Credentials, Server
from ..web import Request
from ..webhooks import (
    came_at,
    delivery_id_in,
    enhanced_status,
    events_of,
    folding_json,
    json_header,
    json_reports,
    marked,
    moment,
    secrets_of,
    some_secrets,
    synthetic_key,
    text_in,
    told_cause,
)

Report = dict[str, Any]

METADATA = "delivery_id"
"""The metadata field that carries our id; Mandrill hands it back with every report of a mail."""

METADATA_BYTES = 250
"""What a mail's metadata may take up as JSON ("Using Custom Message Metadata"; 200 in an older text)."""

NO_TRACKING = "none"
"""``X-MC-Track`` names what is to be tracked; this is nothing of it. Without it the account's default holds."""

HOST = "smtp.mandrillapp.com"
"""Mandrill's relay ("SMTP Integration")."""

PORTS = (587, 2525, 465)
"""Its ports: STARTTLS, which we insist on and Mandrill does not, and TLS from the first byte on 465. 25 is left out."""

TEST_KEY = "test-webhook"
"""What Mandrill signs the empty batch with by which it tries a URL before the webhook, and so its key, exists.

Its pages do not say so; two public integrations have met it (Symfony, django-anymail).
"""

CODES: Mapping[str, tuple[BounceKind | None, Cause]] = {
    "10": (None, Cause.NO_SUCH_USER),  # hard bounce, as for an unknown user
    "20": (None, Cause.UNKNOWN),  # soft bounce
    "21": (None, Cause.NETWORK),  # DNS failure
    "22": (None, Cause.MAILBOX_FULL),
    "23": (None, Cause.TOO_LARGE),
    "30": (None, Cause.UNKNOWN),  # bounce without an address
    "40": (None, Cause.UNKNOWN),  # general bounce
    "50": (BounceKind.BLOCK, Cause.POLICY),  # mail block
    "51": (BounceKind.BLOCK, Cause.REPUTATION),  # known spammer
    "52": (BounceKind.BLOCK, Cause.SPAM),  # spam detected
    "53": (BounceKind.BLOCK, Cause.CONTENT),  # attachment detected
    "54": (BounceKind.BLOCK, Cause.RELAY_DENIED),  # relay denied
    "70": (None, Cause.UNKNOWN),  # transient bounce
}
"""What ``bgtools_code`` says of a bounce: whether it is a block, where it is no matter of hard or soft, and why.

The code is that of BoogieTools' BounceStudio, which Mandrill's samples show (boogietools.com, "Email Bounce Return
Codes").
"""

AUTO_REPLIES = ("60", "100")
"""The codes of the same table that are no bounce: an automatic reply, and a challenge."""

DESCRIPTIONS: Mapping[str, Cause] = {
    "bad_mailbox": Cause.NO_SUCH_USER,
    "invalid_domain": Cause.NO_SUCH_DOMAIN,
    "mailbox_full": Cause.MAILBOX_FULL,
}
"""The values of ``bounce_description`` that Mandrill's pages and test events show; it goes before the code."""

REJECTIONS: Mapping[str, DropKind] = {
    "hard-bounce": DropKind.SUPPRESSED,
    "soft-bounce": DropKind.SUPPRESSED,
    "spam": DropKind.SUPPRESSED,
    "unsub": DropKind.SUPPRESSED,
    "custom": DropKind.SUPPRESSED,
    "invalid": DropKind.INVALID,
    "invalid-sender": DropKind.POLICY,
    "test-mode-limit": DropKind.POLICY,
    "unsigned": DropKind.POLICY,
    "rule": DropKind.POLICY,
}
"""Why Mandrill did not even try ("Reputation and Rejections", and the API's ``reject_reason``)."""

ROBOT = "robot"
"""The type of a user agent that is no person ("Message Event Webhook Format": ``user_agent_parsed``)."""

_METADATA_HEADER = "X-MC-Metadata"
_FIELD = "mandrill_events"
_FIELD_BEGINS = b"mandrill_events="
_FORM_FIELDS = 100
_SENT = Reply(250, "send")


def server(api_key: str, *, username: str = "mandrill", port: int = 587) -> Server:
    """Mandrill's server. The password is an API key; the user name may be any, and Mandrill advises your address.

    Raises:
        ConfigurationError: Mandrill does not listen on this port.
    """
    if port not in PORTS:
        raise ConfigurationError(f"port {port!r} is none of Mandrill's: use {', '.join(map(str, PORTS))}")
    return Server(host=HOST, port=port, credentials=Credentials(username, api_key))


def _a_url(_instance: object, _attribute: "Attribute[Any]", url: str) -> None:
    refused = ConfigurationError(
        "Mandrill's webhook URL is no http URL: copy it from Settings, Webhooks, to the letter, with user name, "
        "password and query if it has them"
    )
    if not isinstance(url, str) or CONTROL.search(url) or " " in url:
        raise refused
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise refused from error
    if parts.scheme.lower() not in ("https", "http") or not parts.hostname:
        raise refused


@frozen
class Mandrill:
    """Marks mail that goes through Mandrill, and reads what Mandrill reports.

    Its webhooks are proven by their signature, which is over the URL as well. It must be the one that stands in
    Mandrill's settings, to the letter; the one that a request seems to come by will not do, since a proxy may have
    changed it.

    Attributes:
        url: the webhook's URL, as it stands in Mandrill's settings. It does not print, since a password may be in it.
        key: the webhook's key; several, while it is reset, or where several webhooks have this URL.
        name: the source of its events.

    Raises:
        ConfigurationError: the URL is none, a key is empty, or there is none.
    """

    url: str = field(validator=_a_url, repr=False)
    key: tuple[str, ...] = field(converter=secrets_of, repr=False, validator=some_secrets("Mandrill's webhook key"))
    name: str = field(default="mandrill", init=False)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id among the metadata, and Mandrill's own tracking off.

        Metadata that is there already is kept, in one header or in several, as where one is for a single recipient.

        Raises:
            MailError: the metadata is no JSON object, is nested, says otherwise or takes up too much; or tracking is
                turned on.
        """
        return marked(_with_metadata(headers, delivery_id), (("X-MC-Track", NO_TRACKING),))

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by signature, then read every event of the batch; that of a test is empty.

        Raises:
            UnverifiedError: the signature is missing or wrong.
            MalformedError: signed, and not Mandrill's form, or not JSON.
        """
        came = came_at(request)
        return events_of(
            json_reports(self._proven(request)),
            partial(self._event, came),
            source=self.name,
            kind="event",
            person=_recipient,
            came=came,
        )

    def _proven(self, request: Request) -> bytes:
        """What the form's field holds, if the signature is right."""
        signature = request.headers.get("x-mandrill-signature", "").strip().encode(errors="replace")
        if not signature:
            raise UnverifiedError("the request carries no X-Mandrill-Signature: only Mandrill's own webhooks do")
        body = request.body
        if body.startswith(_FIELD_BEGINS) and b"&" not in body:  # Mandrill's form has this one field
            told = _quickly_decoded(body[len(_FIELD_BEGINS) :])
            if self._signed({_FIELD: told}, signature):
                return told
        fields = _fields(body)
        if not self._signed(fields, signature):
            raise UnverifiedError(
                f"the signature does not fit: give the URL {self._shown_url} to the letter as it stands in Mandrill's "
                "settings, with its query and last slash, whatever a proxy makes of it; and the key of that webhook"
            )
        if _FIELD not in fields:
            raise MalformedError(f"the form has no field {_FIELD}")
        return fields[_FIELD]

    def _signed(self, fields: Mapping[str, bytes], signature: bytes) -> bool:
        """Whether one of the keys made this signature, over the URL and each field's name and value, by name."""
        keys = (*self.key, TEST_KEY) if fields == {_FIELD: b"[]"} else self.key
        signed = self.url.encode(errors="surrogatepass") + b"".join(
            name.encode("latin-1") + fields[name] for name in sorted(fields)
        )
        fits = [
            hmac.compare_digest(signature, b64encode(hmac.digest(key.encode(errors="surrogatepass"), signed, "sha1")))
            for key in keys
        ]
        return any(fits)

    @property
    def _shown_url(self) -> str:
        """The URL without what may be secret in it: user name, password and query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{parts.path}" + ("?..." if parts.query else "")

    def _event(self, came: datetime, told: Report) -> Event:
        kind = told.get("event") or text_in(told, "type")
        mail = told.get("msg") or {}
        number, when, metadata = told.get("_id") or mail.get("_id"), told.get("ts"), mail.get("metadata")
        about = About.told(
            delivery_id=delivery_id_in(metadata.get(METADATA)) if isinstance(metadata, dict) else None,
            recipient=mail.get("email") or _recipient(told),
            at=moment(when, otherwise=came),
            source=self.name,
            # The id is that of the mail to this person.
            key=f"{number}-{kind}-{when}"
            if number and kind in _ONCE_A_SECOND
            else self._key(told, mail, f"{kind} {told.get('action') or ''}"),
            raw=told,
        )
        read = _READ.get(kind)
        return read(about, told, mail) if read else Unrecognised(about, kind)

    def _key(self, told: Report, mail: Report, kind: str) -> str:
        return synthetic_key(
            source=self.name,
            kind=kind,
            message=told.get("_id") or mail.get("_id") or "",
            recipient=mail.get("email") or _recipient(told),
            time=str(told.get("ts")),
            url=told.get("url") or "",
            scope=_subaccount(told, mail) if "reject" in told else mail.get("subaccount") or "",
            reader=f"{told.get('ip')} {told.get('user_agent')}",
        )


def _with_metadata(headers: Headers, delivery_id: DeliveryId) -> Headers:
    places = [place for place, (name, _) in enumerate(headers) if name.lower() == _METADATA_HEADER.lower()]
    written = {place: json_header(_METADATA_HEADER, headers[place][1]) for place in places}
    whole: dict[str, Any] = {}
    for metadata in written.values():
        whole |= metadata
        if metadata.get(METADATA, delivery_id) != delivery_id:
            raise MailError(f"the header {_METADATA_HEADER} sets {METADATA} to {metadata[METADATA]!r}: leave it out")
    _check_metadata({**whole, METADATA: delivery_id})
    # One with _rcpt holds for that recipient alone; ours stands where it holds for whoever gets the mail.
    place = next((place for place, metadata in written.items() if "_rcpt" not in metadata), None)
    if place is None:
        return (*headers, (_METADATA_HEADER, folding_json(_METADATA_HEADER, {METADATA: delivery_id})))
    written[place] = {**written[place], METADATA: delivery_id}
    return tuple(
        (name, folding_json(_METADATA_HEADER, written[place]) if place in written else value)
        for place, (name, value) in enumerate(headers)
    )


def _check_metadata(metadata: dict[str, Any]) -> None:
    for name, value in metadata.items():
        if isinstance(value, dict | list):
            raise MailError(
                f"the header {_METADATA_HEADER} nests {name!r}, which Mandrill does not take: write it flat"
            )
    size = len(json.dumps({name: metadata[name] for name in metadata if name != "_rcpt"}, separators=(",", ":")))
    if size > METADATA_BYTES:
        raise MailError(f"the metadata in {_METADATA_HEADER} takes up {size} bytes: Mandrill takes {METADATA_BYTES}")


# ---- the form --------------------------------------------------------------------------------------------------------


def _quickly_decoded(value: bytes) -> bytes:
    """A form's value, decoded by what decodes quoted-printable, which is alike but for its signs, and ten times faster.

    A ``%`` that begins no pair of digits comes out otherwise than in a form, so that the signature does not fit, and
    `_fields` decodes it again.
    """
    return a2b_qp(value.replace(b"=", b"=3D").translate(_AS_QUOTED_PRINTABLE))


_AS_QUOTED_PRINTABLE = bytes.maketrans(b"+%", b" =")


def _fields(body: bytes) -> dict[str, bytes]:
    """A form's fields, exactly (Latin-1 keeps every byte); of several with one name the last, as PHP and Django do."""
    try:
        pairs = parse_qsl(
            body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=_FORM_FIELDS
        )
    except ValueError as error:
        raise UnverifiedError(f"the request is a form of over {_FORM_FIELDS} fields, and Mandrill's has one") from error
    return {name: value.encode("latin-1") for name, value in pairs}


# ---- reports ---------------------------------------------------------------------------------------------------------


def _recipient(told: Report) -> str:
    for name in ("msg", "reject", "entry"):
        part = told.get(name)
        if isinstance(part, dict) and (recipient := text_in(part, "email")):
            return recipient
    return ""


def _subaccount(told: Report, mail: Report) -> str:
    """Whose it is: a subaccount has a denylist of its own."""
    entry = told.get("reject")
    return text_in(mail, "subaccount") or (text_in(entry, "subaccount") if isinstance(entry, dict) else "")


def _server_said(told: Report, mail: Report) -> str:
    """The other server's words; those of a delay stand beside the mail, or among what happened to it by SMTP."""
    words: str = told.get("diag") or mail.get("diag") or ""
    if words:
        return words
    dialogue = mail.get("smtp_events")
    last = dialogue[-1] if isinstance(dialogue, list) and dialogue else None
    return text_in(last, "diag") if isinstance(last, dict) else ""


def _delayed(about: About, told: Report, mail: Report) -> Event:
    words = _server_said(told, mail)
    status = enhanced_status(words)
    return Deferred(about, words, status, told_cause(Cause.UNKNOWN, status))


def _bounced(about: About, told: Report, mail: Report) -> Event:
    words = mail.get("diag") or _server_said(told, mail)
    description, code = mail.get("bounce_description") or "", str(mail.get("bgtools_code"))
    reason = f"{description} {words}" if description and words else description or words
    if code in AUTO_REPLIES:
        return AutoReplied(about, reason)
    kind, cause = CODES.get(code, _NOT_TOLD)
    kind = kind or (BounceKind.HARD if (told.get("event") or told.get("type")) in _HARD else BounceKind.SOFT)
    status = enhanced_status(words)
    return Bounced.told(about, kind, reason, status, told_cause(DESCRIPTIONS.get(description, cause), status))


_NOT_TOLD = None, Cause.UNKNOWN
_HARD = ("hard_bounce", "hard-bounce")


def _rejected(about: About, told: Report, mail: Report) -> Event:
    reason = _why_rejected(told, mail)
    return Dropped(about, reason, REJECTIONS.get(reason.lower(), DropKind.UNKNOWN), enhanced_status(reason))


def _why_rejected(told: Report, mail: Report) -> str:
    """Why it was not even tried, where that is told; often nothing is."""
    for reject in (mail.get("reject"), told.get("reject")):
        if isinstance(reject, dict) and (reason := text_in(reject, "reason", "detail")):
            return reason
        if isinstance(reject, str) and reject:
            return reject
    return text_in(mail, "reject_reason", "bounce_description") or _server_said(told, mail)


def _by_robot(told: Report) -> tuple[str, ...]:
    parsed = told.get("user_agent_parsed")
    robot = isinstance(parsed, dict) and str(parsed.get("type")).lower() == ROBOT
    return ("user_agent_parsed",) if robot else ()


def _opened(about: About, told: Report, _mail: Report) -> Event:
    evidence = _by_robot(told)
    return Opened.told(
        about,
        prefetched=bool(evidence),
        evidence=evidence,
        user_agent=told.get("user_agent") or "",
        client=told.get("ip") or "",
    )


def _clicked(about: About, told: Report, mail: Report) -> Event:
    evidence = _by_robot(told)
    return Clicked.told(
        about,
        told.get("url") or _last_followed(mail),
        machine=bool(evidence),
        evidence=evidence,
        user_agent=told.get("user_agent") or "",
        client=told.get("ip") or "",
    )


def _last_followed(mail: Report) -> str:
    """The last link of the mail's own clicks, for a click that names none, as those of its tests do."""
    clicks = mail.get("clicks")
    last = clicks[-1] if isinstance(clicks, list) and clicks else None
    return text_in(last, "url") if isinstance(last, dict) else ""


def _denylisted(about: About, told: Report, mail: Report) -> Event:
    """A change of the denylist. What was added was reported by its bounce, complaint or unsubscription already."""
    if told["action"] != "remove":
        return Unrecognised(about, text_in(told, "type"))
    # An entry for one sender lifts nothing for the others: it has a scope that no unsubscription has.
    return Resubscribed(about, scope=" ".join(filter(None, (_subaccount(told, mail), _sender(told["reject"])))))


def _sender(entry: Report) -> str:
    sender = entry.get("sender")
    return text_in(sender, "address") if isinstance(sender, dict) else text_in(entry, "sender")


_READ: Mapping[str, Callable[[About, Report, Report], Event]] = {
    # Mandrill has sent it on its way; that it arrived is told by "delivered".
    "send": lambda about, _told, _mail: Accepted(about, _SENT),
    "delivered": lambda about, told, mail: Delivered(about, _server_said(told, mail)),
    "deferral": _delayed,
    "hard_bounce": _bounced,
    "hard-bounce": _bounced,  # as its pages write it
    "soft_bounce": _bounced,
    "soft-bounce": _bounced,  # likewise
    "reject": _rejected,
    "spam": lambda about, _told, _mail: Complained(about),
    "unsub": lambda about, told, mail: Unsubscribed(about, scope=_subaccount(told, mail)),
    "open": _opened,
    "click": _clicked,
    "blacklist": _denylisted,
    "denylist": _denylisted,
}
"""What each event of "Webhooks" becomes. The allowlist and inbound mail say nothing of a mail or a person of ours."""

_ONCE_A_SECOND = frozenset(_READ) - {"open", "click", "blacklist", "denylist"}
"""What happens to one mail no more than once in a second, so that its id and its time tell it from any other."""
