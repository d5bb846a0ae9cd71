"""Amazon SES: the marks on a mail, and the reports that come back through Amazon SNS.

Sources, on docs.aws.amazon.com: of the SES Developer Guide, "Connecting to an Amazon SES SMTP endpoint", "Specify your
configuration set when you send email", "Contents of event data that Amazon SES publishes to Amazon SNS" with its
"Examples", "Amazon SNS notification contents for Amazon SES"; of the SES API, "MessageTag"; of the SNS Developer Guide,
"Verifying the signatures of Amazon SNS messages", "Message and JSON formats", "Message delivery retries", "Raw message
delivery". What a signing certificate may be called is told by Amazon's own code alone (github.com/aws/aws-sdk-java-v2,
sns-message-manager).
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from ..checks import shown
from ..errors import ConfigurationError, MailError, UncheckedError, UnverifiedError
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
    UNKNOWN_TIME,
    an_age,
    bare_address,
    came_at,
    delivery_id_in,
    delivery_id_in_message_id,
    enhanced_status,
    events_of,
    json_body,
    json_reports,
    marked,
    moment,
    require_fresh,
    secrets_of,
    synthetic_key,
    text_in,
    told_cause,
)

Report = dict[str, Any]

TAG = "delivery_id"
"""The message tag that carries our id; event publishing hands it back in ``mail.tags``."""

HEADER = "X-Delivery-ID"
"""The header that carries our id; reports that are to include the original headers hand it back in ``mail.headers``."""

REWRITTEN = ("Message-ID", "Date", "Return-Path", "Bounces-To")
"""What SES writes anew, so that a signature over it would break ("Manual DKIM signing in Amazon SES"): sign with
``DkimSigner(keys, rewritten=ses.REWRITTEN)``."""

MAX_AGE = timedelta(days=1)
"""How old a message may be. SNS tries again for an hour at most, and what is told twice is kept once."""

PORTS: Mapping[int, Tls] = {
    587: Tls.STARTTLS,
    2587: Tls.STARTTLS,
    465: Tls.IMPLICIT,
    2465: Tls.IMPLICIT,
}
"""The ports of the SMTP endpoints ("Connecting to an Amazon SES SMTP endpoint"); 25 is left out."""

PARTS: Mapping[str, str] = {
    "Bounce": "bounce",
    "Complaint": "complaint",
    "Delivery": "delivery",
    "Send": "send",
    "Reject": "reject",
    "Open": "open",
    "Click": "click",
    "Rendering Failure": "failure",
    "DeliveryDelay": "deliveryDelay",
    "Subscription": "subscription",
}
"""Each kind of event, and where a report tells of it ("Top-level JSON object")."""

BOUNCES: Mapping[tuple[str, str], tuple[BounceKind, Cause]] = {
    ("Undetermined", "Undetermined"): (BounceKind.UNDETERMINED, Cause.UNKNOWN),
    ("Permanent", "General"): (BounceKind.HARD, Cause.UNKNOWN),
    ("Permanent", "NoEmail"): (BounceKind.HARD, Cause.NO_SUCH_USER),
    ("Transient", "General"): (BounceKind.SOFT, Cause.UNKNOWN),
    ("Transient", "MailboxFull"): (BounceKind.SOFT, Cause.MAILBOX_FULL),
    ("Transient", "MessageTooLarge"): (BounceKind.SOFT, Cause.TOO_LARGE),
    ("Transient", "ContentRejected"): (BounceKind.BLOCK, Cause.CONTENT),
    ("Transient", "AttachmentRejected"): (BounceKind.BLOCK, Cause.CONTENT),
    ("Transient", "CustomTimeoutExceeded"): (BounceKind.SOFT, Cause.EXPIRED),
}
"""What a bounce says, by its type and subtype ("Bounce types", its whole table but for `SUPPRESSED`)."""

SUPPRESSED = (
    "Suppressed",
    "OnAccountSuppressionList",
    "OnTenantSuppressionList",
    "EmailValidationSuppressed",
    "UnsubscribedRecipient",
)
"""The subtypes of bounces and complaints for which SES did not even try (the same tables)."""

TYPES: Mapping[str, BounceKind] = {"Permanent": BounceKind.HARD, "Transient": BounceKind.SOFT}
"""What a bounce says whose subtype is not known here; any other type is undetermined."""

NO_ROUTE = "5.4.4"
"""RFC 3463: there is no way to the domain. SES calls it transient, as a public integration has met (listmonk)."""

DELAYS: Mapping[str, Cause] = {
    "InternalFailure": Cause.SYSTEM_ERROR,
    "General": Cause.UNKNOWN,
    "MailboxFull": Cause.MAILBOX_FULL,
    "SpamDetected": Cause.SPAM,
    "RecipientServerError": Cause.SYSTEM_ERROR,
    "IPFailure": Cause.REPUTATION,
    "TransientCommunicationFailure": Cause.NETWORK,
    "BYOIPHostNameLookupUnavailable": Cause.AUTHENTICATION,
    "Undetermined": Cause.UNKNOWN,
    "SendingDeferral": Cause.UNKNOWN,
}
"""Why a delivery is late, by its ``delayType`` ("DeliveryDelay object")."""

NO_COMPLAINTS = ("not-spam", "auth-failure")
"""Values of ``complaintFeedbackType`` by which nobody complains: a mail taken out of the spam, a failed DKIM or SPF."""

PINGS = ("Successfully validated SNS topic for Amazon SES event publishing.",)
"""What SES says to a topic when it is chosen as an event's destination: no event (met by django-anymail)."""

CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
"""The messages that ask for an answer, and get none by themselves: see `subscribe_url`."""

_TAGS = "X-SES-MESSAGE-TAGS"
_TAG_VALUE = re.compile(r"[A-Za-z0-9_-]{1,256}")  # "MessageTag"
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]{1,12}){1,3}-[0-9]{1,2}")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?")
_CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem")
_HASHES: Mapping[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}  # noqa: S303  # what SNS signs by, unless told
_CONFIRMATION_FIELDS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Mapping[str, Sequence[str]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(CONFIRMATIONS, _CONFIRMATION_FIELDS),
}
_OPTIONAL = "Subject"
_WORTH_STEALING = ("Signature", "UnsubscribeURL")


def server(username: str, password: str, *, region: str, port: int = 587) -> Server:
    """The SMTP endpoint of a region, such as ``eu-west-1``. User name and password are SES's SMTP credentials.

    Raises:
        ConfigurationError: that is no region, or no port of it.
    """
    if not isinstance(region, str) or not _REGION.fullmatch(region):
        raise ConfigurationError(f"{shown(region)} is no AWS region: write one such as 'eu-west-1'")
    if port not in PORTS:
        raise ConfigurationError(f"port {port!r} is none of SES's: use {', '.join(map(str, PORTS))}")
    host = f"email-smtp.{region}.amazonaws.com{_suffix(region)}"
    return Server(host=host, port=port, credentials=Credentials(username, password), tls=PORTS[port])


def _suffix(region: str) -> str:
    return ".cn" if region.startswith("cn-") else ""


def _some_topics(_instance: object, _attribute: "Attribute[Any]", topics: tuple[object, ...]) -> None:
    if not topics:
        raise ConfigurationError(
            "there is no topic: give the ARN of each that SES publishes to, or anybody is believed"
        )
    for topic in topics:
        if not isinstance(topic, str) or not _TOPIC.fullmatch(topic):
            raise ConfigurationError(
                f"{shown(topic)} is no topic's ARN: write one such as 'arn:aws:sns:eu-west-1:123456789012:mail'"
            )


def _a_fetcher(_instance: object, _attribute: "Attribute[Any]", certificate: object) -> None:
    if not callable(certificate):
        raise ConfigurationError(
            "certificate fetches the certificate at a URL: give a callable, such as custom_smtp.edge.http.HttpsFiles()"
        )


def _authorities(given: bytes) -> tuple[x509.Certificate, ...]:
    if not given:
        return ()
    try:
        return tuple(x509.load_pem_x509_certificates(given))
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            "authorities are no certificates: give the bytes of a PEM file, or leave them out"
        ) from error


def _a_name(_instance: object, _attribute: "Attribute[Any]", name: str) -> None:
    if not isinstance(name, str) or (name and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)):
        raise ConfigurationError(f"{shown(name)} is no configuration set: use its 1 to 64 letters, digits, '_' and '-'")


@frozen
class Ses:
    """Marks mail that goes through Amazon SES, and reads what SES reports through Amazon SNS.

    A message is proven by its signature, made with the key of a certificate that its ``SigningCertURL`` leads to. That
    URL must be one of SNS's own, in the topic's region; the certificate must be SNS's and hold when the message came.
    Since every AWS account may have SNS sign something, the topic must be one of yours, too.

    A topic asks for a confirmation before it posts anything else. Nothing is confirmed by itself: the request becomes
    an `Unrecognised` event, of which `subscribe_url` tells the URL to visit.

    Attributes:
        topics: the ARN of the topic that SES publishes to, or of several.
        certificate: fetches what is found at a URL, as `custom_smtp.edge.http.HttpsFiles` does; it is asked for
            URLs of SNS alone.
        max_age: how long after it was published a message is still believed.
        authorities: as PEM, who must have issued the certificate. By default HTTPS alone vouches for where it came
            from, as in Amazon's own code: SNS serves the certificate without those above it, so give these too.
        configuration_set: the one to name in each mail; left out, the account's or the mail's own holds.
        name: the source of its events.

    Raises:
        ConfigurationError: there is no topic, or one is no ARN; or another part cannot be.
    """

    topics: tuple[str, ...] = field(converter=secrets_of, validator=_some_topics)
    certificate: Callable[[str], bytes] = field(repr=False, eq=False, validator=_a_fetcher)
    max_age: timedelta = field(default=MAX_AGE, kw_only=True, validator=an_age)
    authorities: tuple[x509.Certificate, ...] = field(default=b"", kw_only=True, repr=False, converter=_authorities)
    configuration_set: str = field(default="", kw_only=True, validator=_a_name)
    name: str = field(default="ses", init=False)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with our id as a message tag and in a header of its own, and the configuration set.

        SES has no header that turns its tracking off: leave opens and clicks out of the configuration set. An id with
        a ``.`` in it, which no tag may hold, is in the header alone.

        Raises:
            MailError: the tags that are there already say otherwise, or a header does.
        """
        marks: Headers = ((HEADER, delivery_id),)
        if self.configuration_set:
            marks = (*marks, ("X-SES-CONFIGURATION-SET", self.configuration_set))
        if _TAG_VALUE.fullmatch(delivery_id):
            headers = _with_tag(headers, delivery_id)
        return marked(headers, marks)

    def read(self, request: Request, /) -> Sequence[Event]:
        """Prove by signature, topic and age, then read what SES told. What it says to try a topic tells nothing.

        The proof stands in the body, so that this much is parsed before it. A report about several people becomes an
        event for each of them.

        Raises:
            UnverifiedError: the signature, the certificate, the topic or the age is wrong, or there is none of it.
            UncheckedError: the certificate could not be fetched.
            MalformedError: the body is no JSON.
        """
        if "x-amz-sns-message-type" not in request.headers:
            raise UnverifiedError("the request is no message of SNS's: it lacks the headers of one")
        if request.headers.get("x-amz-sns-rawdelivery", "").lower() == "true":
            raise UnverifiedError("raw messages are not signed: turn raw message delivery off in the subscription")
        posts = json_body(request)
        if len(posts) != 1:
            raise UnverifiedError(f"the request holds {len(posts)} messages, and SNS posts one at a time")
        [post] = posts
        self._prove(post, request)
        came = came_at(request)
        return events_of(
            _reports(post),
            partial(self._event, post),
            source=self.name,
            kind="eventType",
            person=_recipient,
            came=came,
        )

    def _prove(self, post: Report, request: Request) -> None:
        said = {name: post[name] for name in _SIGNED.get(text_in(post, "Type"), ()) if post.get(name) is not None}
        missing = [name for name in _SIGNED.get(text_in(post, "Type"), ("Type",)) if name not in said]
        if missing not in ([], [_OPTIONAL]) or not all(isinstance(value, str) for value in said.values()):
            raise UnverifiedError("the request is no message of SNS's: one of the fields that it signs is missing")
        topic, url = said["TopicArn"], text_in(post, "SigningCertURL")
        if topic not in self.topics:
            raise UnverifiedError("the message is of another topic: give its ARN too, if it is yours")
        region = _region_of(topic)
        if not _is_of_sns(url, region) or not _CERTIFICATE_PATH.fullmatch(urlsplit(url).path):
            raise UnverifiedError(f"the certificate is not to be found at SNS in {region}: somebody else has signed it")
        algorithm = _HASHES.get(text_in(post, "SignatureVersion"))
        if algorithm is None:
            raise UnverifiedError("the signature is of another version than 1 and 2")
        require_fresh(request, _published(said), self.max_age)
        key = self._key(url, region, came_at(request))
        signed = "".join(f"{name}\n{value}\n" for name, value in said.items()).encode()
        try:
            signature = base64.b64decode(text_in(post, "Signature"), validate=True)
            key.verify(signature, signed, PKCS1v15(), algorithm)
        except (ValueError, InvalidSignature) as error:
            raise UnverifiedError("the signature does not fit the message: see that no proxy alters bodies") from error

    def _key(self, url: str, region: str, came: datetime) -> RSAPublicKey:
        try:
            pem = self.certificate(url)
        except OSError as error:
            raise UncheckedError(f"the certificate at {url} could not be fetched") from error
        certificate, *above = _loaded(pem)
        if not certificate.not_valid_before_utc <= came <= certificate.not_valid_after_utc:
            raise UnverifiedError("the certificate of the signature does not hold now")
        name = next((name for name in _names(certificate) if name in _names_of_sns(region)), None)
        key = certificate.public_key()
        if name is None or not isinstance(key, RSAPublicKey):
            raise UnverifiedError("the certificate of the signature is not that of SNS")
        if self.authorities:
            verifier = (
                PolicyBuilder()
                .store(Store(list(self.authorities)))
                .time(came)
                .build_server_verifier(x509.DNSName(name))
            )
            try:
                verifier.verify(certificate, above)
            except VerificationError as error:
                raise UnverifiedError("none of the authorities has issued the certificate of the signature") from error
        return key

    def _event(self, post: Report, told: Report) -> Event:
        kind = text_in(told, "eventType", "notificationType")
        if not kind:
            kind = post["Type"] if post["Type"] in CONFIRMATIONS else ""
        part = told.get(PARTS.get(kind, ""), {})
        about = About(
            delivery_id=_delivery_id(told.get("mail") or {}),
            recipient=_recipient(told),
            at=_when(_stamp(told, part), post),
            source=self.name,
            # A message that SNS sends again has the same id.
            key=synthetic_key(
                source=self.name,
                kind=kind,
                message=post["MessageId"],
                recipient=_recipient(told),
                time=str(_stamp(told, part)),
                scope=_scope(part),
            ),
            raw=told,
        )
        return _READ[kind](about, part) if kind in _READ else Unrecognised(about, kind)


def subscribe_url(event: Event) -> str:
    """Where to confirm what a topic asks for, by visiting it; empty where an event is no such request.

    It is a URL of SNS, whatever the request says. After an ``UnsubscribeConfirmation`` it subscribes again.
    """
    if not isinstance(event, Unrecognised) or event.name not in CONFIRMATIONS or event.about.raw is None:
        return ""
    url, topic = text_in(event.about.raw, "SubscribeURL"), text_in(event.about.raw, "TopicArn")
    return url if _TOPIC.fullmatch(topic) and _is_of_sns(url, _region_of(topic)) else ""


def _with_tag(headers: Headers, delivery_id: DeliveryId) -> Headers:
    places = [place for place, (name, _) in enumerate(headers) if name.lower() == _TAGS.lower()]
    if len(places) > 1:
        raise MailError(f"there are {len(places)} {_TAGS} headers: merge them, as 'name=value, name=value'")
    if not places:
        return (*headers, (_TAGS, f"{TAG}={delivery_id}"))
    [place] = places
    name, tags = headers[place]
    there = dict(tag.strip().partition("=")[::2] for tag in tags.split(","))
    if there.get(TAG, delivery_id) != delivery_id:
        raise MailError(f"the header {_TAGS} sets {TAG} to {there[TAG]!r}: leave it out")
    value = tags if TAG in there else f"{tags.rstrip(', ')}, {TAG}={delivery_id}".lstrip(", ")
    return (*headers[:place], (name, value), *headers[place + 1 :])


def _published(said: Mapping[str, str]) -> datetime:
    published = moment(said["Timestamp"], otherwise=UNKNOWN_TIME)
    if published == UNKNOWN_TIME:
        raise UnverifiedError("the message's time is none")
    return published


# ---- certificates ----------------------------------------------------------------------------------------------------


def _region_of(topic: str) -> str:
    return topic.split(":", 4)[3]


def _is_of_sns(url: str, region: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and parts.netloc == f"sns.{region}.amazonaws.com{_suffix(region)}"
        and not parts.fragment
        and url.isascii()
        and url.isprintable()
    )


def _names_of_sns(region: str) -> tuple[str, ...]:
    """What its certificates are called there (SnsHostProvider in Amazon's code)."""
    if region.startswith("cn-"):
        return (f"sns-{region}.amazonaws.com.cn",)
    if region.startswith("us-gov-"):
        return ("sns-us-gov-west-1.amazonaws.com",)
    return ("sns.amazonaws.com", f"sns-signing.{region}.amazonaws.com")


@lru_cache(maxsize=16)
def _loaded(pem: bytes) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise UncheckedError("what was fetched for the signature is no certificate") from error


def _names(certificate: x509.Certificate) -> Iterable[str]:
    """The hosts that a certificate is for; its common name where it is of the kind that lists none."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.DNSName
        )
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


# ---- what is told ----------------------------------------------------------------------------------------------------


def _reports(post: Report) -> list[Report]:
    """What SES said, inside what SNS posted, one report for each person; or what SNS asks for itself."""
    message = post["Message"]
    if post["Type"] == "Notification":
        if message in PINGS:
            return []
        if message.lstrip()[:1] in ("{", "["):
            return [each for told in json_reports(message.encode()) for each in _one_by_one(told)]
    return [{name: value for name, value in post.items() if name not in _WORTH_STEALING}]


_RECIPIENTS: Mapping[str, str] = {
    "bounce": "bouncedRecipients",
    "complaint": "complainedRecipients",
    "delivery": "recipients",
    "deliveryDelay": "delayedRecipients",
}


def _one_by_one(told: Report) -> list[Report]:
    """A report for each person, or topic of a subscription, that one is about."""
    for part, names in (*_RECIPIENTS.items(), ("subscription", "newTopicPreferences")):
        inside = told.get(part)
        several = inside.get(names) if isinstance(inside, dict) else None
        if part == "subscription" and isinstance(several, dict) and isinstance(inside, dict):
            topics = _changed_topics(inside)
            if len(topics) > 1:
                return [
                    {**told, part: {**inside, names: {**several, "topicSubscriptionStatus": [topic]}}}
                    for topic in topics
                ]
        elif isinstance(several, list) and len(several) > 1 and isinstance(inside, dict):
            return [{**told, part: {**inside, names: [person]}} for person in several]
    return [told]


def _recipient(told: Report) -> str:
    """Whom a report is about; empty where it does not say, as of an open of a mail that went to several."""
    for part, names in _RECIPIENTS.items():
        inside = told.get(part)
        if isinstance(inside, dict) and isinstance(inside.get(names), list):
            return _only(inside[names])
    mail = told.get("mail")
    destination = mail.get("destination") if isinstance(mail, dict) else None
    return _only(destination) if isinstance(destination, list) else ""


def _only(people: list[object]) -> str:
    if len(people) != 1:
        return ""
    [person] = people
    return bare_address(person.get("emailAddress") if isinstance(person, dict) else person)


def _delivery_id(mail: Report) -> DeliveryId | None:
    tags, headers = mail.get("tags"), mail.get("headers")
    values = tags.get(TAG) if isinstance(tags, dict) else None
    if isinstance(values, list) and values and (tagged := delivery_id_in(values[0])):
        return tagged
    there = {}
    for header in reversed(headers) if isinstance(headers, list) else ():
        if isinstance(header, dict):
            there[text_in(header, "name").lower()] = header.get("value")
    common = mail.get("commonHeaders")
    told = common.get("messageId") if isinstance(common, dict) else None
    # The headers are those that we gave; SES puts a Message-ID of its own into the mail.
    return (
        delivery_id_in(there.get(HEADER.lower()))
        or delivery_id_in_message_id(there.get("message-id"))
        or (None if told == mail.get("messageId") else delivery_id_in_message_id(told))
    )


def _stamp(told: Report, part: object) -> object:
    """When it happened, as it was told; of what has no time of its own, when the mail was sent."""
    stamps = [one.get("timestamp") for one in (part, told.get("mail")) if isinstance(one, dict)]
    return next(filter(None, stamps), None)


def _when(stamp: object, post: Report) -> datetime:
    if isinstance(stamp, str):
        stamp = stamp.replace(" +", "+")  # "2018-10-08T14:05:45 +0000" is among its samples
    return moment(stamp, otherwise=moment(post["Timestamp"], otherwise=UNKNOWN_TIME))


def _scope(part: object) -> str:
    """Which topic of a contact list a subscription is about."""
    topics = _changed_topics(part) if isinstance(part, dict) and "newTopicPreferences" in part else []
    return text_in(topics[0], "topicName") if topics else ""


def _first(part: Report, names: str) -> Report:
    people = part.get(names) or [{}]
    return people[0] if isinstance(people[0], dict) else {}


def _bounced(about: About, part: Report) -> Event:
    kind, subtype, person = (
        text_in(part, "bounceType"),
        text_in(part, "bounceSubType"),
        _first(part, "bouncedRecipients"),
    )
    reason = text_in(person, "diagnosticCode") or f"{kind} {subtype}".strip()
    if subtype in SUPPRESSED:
        return Dropped(about, reason, DropKind.SUPPRESSED, enhanced_status(text_in(person, "status"), reason))
    status = enhanced_status(text_in(person, "status"), reason)
    if status == NO_ROUTE and kind == "Transient":
        return Bounced(about, BounceKind.HARD, reason, status, cause=Cause.NO_SUCH_DOMAIN)
    verdict, cause = BOUNCES.get((kind, subtype)) or (TYPES.get(kind, BounceKind.UNDETERMINED), Cause.UNKNOWN)
    return Bounced(about, verdict, reason, status, told_cause(cause, status))


def _delayed(about: About, part: Report) -> Event:
    person, kind = _first(part, "delayedRecipients"), text_in(part, "delayType")
    reason = text_in(person, "diagnosticCode") or kind
    status = enhanced_status(text_in(person, "status"), reason)
    return Deferred(about, reason, status, told_cause(DELAYS.get(kind, Cause.UNKNOWN), status))


def _complained(about: About, part: Report) -> Event:
    kind, subtype = text_in(part, "complaintFeedbackType").lower(), text_in(part, "complaintSubType")
    if subtype in SUPPRESSED:
        return Dropped(about, subtype, DropKind.SUPPRESSED)
    return Unrecognised(about, kind) if kind in NO_COMPLAINTS else Complained(about)


def _opened(about: About, part: Report) -> Event:
    return Opened(about, user_agent=text_in(part, "userAgent"), client=text_in(part, "ipAddress"), second_hand=True)


def _clicked(about: About, part: Report) -> Event:
    agent, client = text_in(part, "userAgent"), text_in(part, "ipAddress")
    return Clicked(about, part.get("link") or "", user_agent=agent, client=client, second_hand=True)


def _changed_topics(part: Report) -> list[Report]:
    """Those whose status is another than it was."""
    before = {text_in(topic, "topicName"): text_in(topic, "subscriptionStatus") for topic in _topics(part, "old")}
    return [
        topic
        for topic in _topics(part, "new")
        if text_in(topic, "subscriptionStatus") != before.get(text_in(topic, "topicName"))
    ]


def _topics(part: Report, which: str) -> list[Report]:
    preferences = part.get(f"{which}TopicPreferences")
    topics = preferences.get("topicSubscriptionStatus") if isinstance(preferences, dict) else None
    return [topic for topic in topics if isinstance(topic, dict)] if isinstance(topics, list) else []


def _subscription(about: About, part: Report) -> Event:
    source, now, before = text_in(part, "source"), part["newTopicPreferences"], part.get("oldTopicPreferences") or {}
    if now["unsubscribeAll"] is True:
        return Unsubscribed(about, source)
    [topic] = _changed_topics(part) or [{}]
    status, scope = text_in(topic, "subscriptionStatus"), text_in(topic, "topicName")
    if status == "OptOut" and scope:
        return Unsubscribed(about, source, scope=scope)
    if status == "OptIn" and scope:
        return Resubscribed(about, scope=scope)
    return Resubscribed(about) if before.get("unsubscribeAll") is True else Unrecognised(about, "Subscription")


_READ: Mapping[str, Callable[[About, Report], Event]] = {
    # SES took the mail: the relay's own 250, told once more.
    "Send": lambda about, _: Accepted(about, Reply(250, "Send")),
    "Delivery": lambda about, part: Delivered(about, text_in(part, "smtpResponse")),
    "DeliveryDelay": _delayed,
    "Bounce": _bounced,
    "Complaint": _complained,
    "Reject": lambda about, part: Dropped(about, text_in(part, "reason"), DropKind.POLICY),
    "Rendering Failure": lambda about, part: Dropped(about, text_in(part, "errorMessage"), DropKind.FAILED),
    "Open": _opened,
    "Click": _clicked,
    "Subscription": _subscription,
}
"""What each kind of event becomes; mail that came in, ``Received``, stays unrecognised."""
