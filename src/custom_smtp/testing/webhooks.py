"""Webhook requests as providers send them, validly signed, for tests of what takes them in."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from attrs import evolve, field, frozen
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from ..web import Request
from .certificates import Authority, Certificate, KeyKind

Payload = Mapping[str, Any] | Sequence[Mapping[str, Any]] | bytes
"""One report, several, or a body as it shall be."""


# ---- proven by a user name and a password, or by a token -------------------------------------------------------------


def postmark_request(
    payload: Payload,
    username: str,
    password: str,
    *,
    path: str = "/hooks/postmark",
    received_at: datetime | None = None,
) -> Request:
    """A POST as Postmark makes it to ``https://username:password@...``."""
    return _authorized(payload, _basic(username, password), path, received_at)


def mailjet_request(
    payload: Payload,
    username: str,
    password: str,
    *,
    path: str = "/hooks/mailjet",
    received_at: datetime | None = None,
) -> Request:
    """A POST as Mailjet makes it to ``https://username:password@...``: one event, or an array of them."""
    return _authorized(payload, _basic(username, password), path, received_at)


def brevo_request(
    payload: Payload,
    username: str = "",
    password: str = "",
    *,
    token: str = "",
    path: str = "/hooks/brevo",
    received_at: datetime | None = None,
) -> Request:
    """A POST as Brevo makes it, with the user name and password of the webhook's URL, or with its token."""
    return _authorized(payload, f"Bearer {token}" if token else _basic(username, password), path, received_at)


def sparkpost_request(
    payload: Payload,
    username: str = "",
    password: str = "",
    *,
    token: str = "",
    path: str = "/hooks/sparkpost",
    received_at: datetime | None = None,
) -> Request:
    """A POST as SparkPost makes it, with the webhook's user name and password, or with its OAuth 2.0 token."""
    request = _authorized(payload, f"Bearer {token}" if token else _basic(username, password), path, received_at)
    batch = hashlib.sha256(request.body).hexdigest()[:32]
    return evolve(request, headers={**request.headers, "x-messagesystems-batch-id": batch})


def _basic(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def _authorized(payload: Payload, authorization: str, path: str, received_at: datetime | None) -> Request:
    return Request(
        method="POST",
        path=path,
        headers={"content-type": "application/json", "authorization": authorization},
        body=_body(payload),
        received_at=received_at,
    )


# ---- signed with a secret that both sides know -----------------------------------------------------------------------


def mandrill_request(
    payload: Payload,
    url: str,
    key: str,
    *,
    received_at: datetime | None = None,
) -> Request:
    """A POST as Mandrill makes it to the webhook of this URL: a form, signed with the webhook's key.

    Args:
        payload: the events, or what the form's field ``mandrill_events`` shall hold.
        url: as it stands in Mandrill's settings.
        key: the webhook's key.
        received_at: when it came.
    """
    told = _body(payload)
    signature = hmac.digest(key.encode(), url.encode() + b"mandrill_events" + told, "sha1")
    return Request(
        method="POST",
        path=urlsplit(url).path or "/",
        headers={
            "content-type": "application/x-www-form-urlencoded",
            "x-mandrill-signature": base64.b64encode(signature).decode(),
        },
        body=urlencode({"mandrill_events": told}).encode(),
        received_at=received_at,
    )


@frozen
class MailgunSigner:
    """Signs requests as Mailgun does, in their body. Never for real use.

    Attributes:
        key: the HTTP webhook signing key; another one is another account.
        parent_key: the primary account's, where a subaccount reports; empty where there is none.
    """

    key: str = field(default="a-signing-key-for-tests", repr=False)
    parent_key: str = field(default="", repr=False, kw_only=True)

    def request(
        self,
        payload: Payload,
        *,
        at: datetime,
        path: str = "/hooks/mailgun",
        received_at: datetime | None = None,
    ) -> Request:
        """A POST of JSON that was signed ``at`` this time, and came then too unless ``received_at`` says otherwise.

        Args:
            payload: an event's data, or several, each of which is signed; a whole post, which is signed anew; or a body
                as it shall be, signed where it is a JSON object or an array of them.
            at: when it was signed.
            path: where it is posted to.
            received_at: when it came.
        """
        return Request(
            method="POST",
            path=path,
            headers={"content-type": "application/json"},
            body=self._signed_json(payload, at),
            received_at=at if received_at is None else received_at,
        )

    def form(
        self,
        fields: Mapping[str, str | Sequence[str]],
        *,
        at: datetime,
        path: str = "/hooks/mailgun",
        received_at: datetime | None = None,
        boundary: str = "",
    ) -> Request:
        """A POST as the webhooks of before 2018 made it: a form, multipart where a boundary is given."""
        pairs = [
            (name, value) for name, told in fields.items() for value in ([told] if isinstance(told, str) else told)
        ]
        pairs += self.signature(json.dumps(pairs), at).items()
        kind, body = "application/x-www-form-urlencoded", urlencode(pairs)
        if boundary:
            kind = f'multipart/form-data; boundary="{boundary}"'
            body = "".join(
                f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                for name, value in pairs
            )
            body += f"--{boundary}--\r\n"
        return Request(
            method="POST",
            path=path,
            headers={"content-type": kind},
            body=body.encode(),
            received_at=at if received_at is None else received_at,
        )

    def signature(self, seed: str, at: datetime) -> dict[str, str]:
        """What proves a post: its token is made of the seed, so that each has its own."""
        stamp = str(int(at.timestamp()))
        token = hashlib.sha256(f"{stamp}{seed}".encode()).hexdigest()[:50]
        keys = {"signature": self.key, "parent-signature": self.parent_key}
        signed = {
            name: hmac.digest(key.encode(), f"{stamp}{token}".encode(), "sha256").hex()
            for name, key in keys.items()
            if key
        }
        return {"timestamp": stamp, "token": token, **signed}

    def _signed_json(self, payload: Payload, at: datetime) -> bytes:
        told: Any = payload
        if isinstance(payload, bytes):
            try:
                told = json.loads(payload)
            except (ValueError, RecursionError):
                return payload
        several = told if isinstance(told, list | tuple) else [told]
        if not all(isinstance(post, Mapping) for post in several):
            return _body(payload)
        whole = isinstance(payload, bytes)
        posts = [self._post(post, at, whole=whole or "event-data" in post) for post in several]
        return json.dumps(posts if several is told else posts[0]).encode()

    def _post(self, told: Mapping[str, Any], at: datetime, *, whole: bool) -> dict[str, Any]:
        post = {**told} if whole else {"event-data": told}
        return {**post, "signature": self.signature(json.dumps(told, sort_keys=True), at)}


def resend_request(
    payload: Payload,
    secret: str,
    *others: str,
    at: datetime,
    number: str = "",
    path: str = "/hooks/resend",
    received_at: datetime | None = None,
) -> Request:
    """A POST that Svix signed for Resend ``at`` this time, and that came then unless ``received_at`` says otherwise.

    Args:
        payload: the event, or a body as it shall be.
        secret: the webhook's signing secret, which begins with ``whsec_``.
        others: further secrets that it is signed with, as while Resend turns one over.
        at: when it was signed.
        number: the request's id; left out, it is made of the body.
        path: where it is posted to.
        received_at: when it came.
    """
    body, stamp = _body(payload), str(int(at.timestamp()))
    number = number or f"msg_{hashlib.sha256(body).hexdigest()[:27]}"
    signed = f"{number}.{stamp}.".encode() + body
    keys = [base64.b64decode(one.removeprefix("whsec_")) for one in (secret, *others)]
    signatures = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    return Request(
        method="POST",
        path=path,
        headers={
            "content-type": "application/json",
            "svix-id": number,
            "svix-timestamp": stamp,
            "svix-signature": " ".join(f"v1,{signature}" for signature in signatures),
        },
        body=body,
        received_at=at if received_at is None else received_at,
    )


def mailersend_request(
    payload: Payload,
    secret: str,
    *,
    path: str = "/hooks/mailersend",
    received_at: datetime | None = None,
) -> Request:
    """A POST as MailerSend makes it, signed with the webhook's secret."""
    return _with_hmac("signature", payload, secret, path, received_at)


def mailtrap_request(
    payload: Payload,
    secret: str,
    *,
    path: str = "/hooks/mailtrap",
    received_at: datetime | None = None,
) -> Request:
    """A POST as Mailtrap makes it, signed with the webhook's secret."""
    return _with_hmac("mailtrap-signature", payload, secret, path, received_at)


def _with_hmac(header: str, payload: Payload, secret: str, path: str, received_at: datetime | None) -> Request:
    body = _body(payload)
    return Request(
        method="POST",
        path=path,
        headers={"content-type": "application/json", header: hmac.digest(secret.encode(), body, "sha256").hex()},
        body=body,
        received_at=received_at,
    )


# ---- signed with a key of which we know the public half --------------------------------------------------------------


@frozen
class SendGridSigner:
    """Signs requests as SendGrid's Signed Event Webhook does, with a key pair made of a number. Never for real use.

    Attributes:
        number: the private key's number; another one is another account.
    """

    number: int = field(default=20260102, repr=False)

    @property
    def verification_key(self) -> str:
        """The public key as SendGrid's settings show it: base64 of its DER form."""
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(public).decode()

    def request(
        self,
        payload: Payload,
        *,
        at: datetime,
        path: str = "/hooks/sendgrid",
        received_at: datetime | None = None,
    ) -> Request:
        """A POST that was signed ``at`` this time, and came then too unless ``received_at`` says otherwise."""
        body = _body(payload)
        stamp = str(int(at.timestamp()))
        signature = self._key.sign(stamp.encode() + body, ECDSA(SHA256()))
        return Request(
            method="POST",
            path=path,
            headers={
                "content-type": "application/json",
                "x-twilio-email-event-webhook-timestamp": stamp,
                "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
            },
            body=body,
            received_at=at if received_at is None else received_at,
        )

    @property
    def _key(self) -> EllipticCurvePrivateKey:
        return derive_private_key(self.number, SECP256R1())


@frozen(eq=False)
class SesSigner:
    """Signs messages as Amazon SNS does for Amazon SES, by a certificate made on the spot. Never for real use.

    Attributes:
        now: the time that the certificate holds around, for a day.
        topic: the ARN of the topic.
        version: of the signature: ``1`` for SHA-1, ``2`` for SHA-256.
        certificate_name: whom the certificate is for.
        authority: who issues it.
    """

    now: datetime
    topic: str = field(default="arn:aws:sns:eu-west-1:123456789012:mail", kw_only=True)
    version: str = field(default="2", kw_only=True)
    certificate_name: str = field(default="sns.amazonaws.com", kw_only=True)
    authority: Authority = field(kw_only=True, repr=False)
    _issued: Certificate = field(init=False, repr=False)
    _key: RSAPrivateKey = field(init=False, repr=False)

    @authority.default
    def _authority_of_today(self) -> Authority:
        return Authority(self.now)

    @_issued.default
    def _issued_by_it(self) -> Certificate:
        return self.authority.issue(self.certificate_name, key_kind=KeyKind.RSA)

    @_key.default
    def _key_of_the_certificate(self) -> RSAPrivateKey:
        key = load_pem_private_key(self._issued.key, None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError(f"SNS signs by RSA, and the key is {type(key).__name__}")
        return key

    @property
    def certificate_url(self) -> str:
        """Where SNS says that the certificate is."""
        region = self.topic.split(":")[3]
        suffix = ".cn" if region.startswith("cn-") else ""
        return f"https://sns.{region}.amazonaws.com{suffix}/SimpleNotificationService-{'0' * 32}.pem"

    def certificate(self, _url: str, /) -> bytes:
        """What is found there: the certificate alone, as SNS serves it."""
        return self._issued.alone().chain

    def request(
        self,
        payload: Payload,
        *,
        at: datetime,
        path: str = "/hooks/ses",
        received_at: datetime | None = None,
    ) -> Request:
        """A POST of a notification that was published ``at`` this time, and came then unless ``received_at`` is given.

        A payload of bytes that is no JSON object or array becomes the body as it is.
        """
        told = _body(payload)
        body = told
        if told.lstrip()[:1] in (b"{", b"["):
            body = json.dumps(self.message("Notification", told.decode(), at=at)).encode()
        return self._posted("Notification", body, path, at if received_at is None else received_at)

    def confirmation(
        self,
        kind: str = "SubscriptionConfirmation",
        *,
        at: datetime,
        path: str = "/hooks/ses",
        received_at: datetime | None = None,
    ) -> Request:
        """A POST that asks to confirm a subscription, or tells that there is none any more."""
        told = self.message(kind, "You have chosen to subscribe to the topic.", at=at)
        return self._posted(kind, json.dumps(told).encode(), path, at if received_at is None else received_at)

    def message(self, kind: str, text: str, *, at: datetime, **fields: str) -> dict[str, Any]:
        """What SNS posts, signed with all these fields."""
        number = hashlib.sha256(f"{kind}{text}{at}".encode()).hexdigest()
        region = self.topic.split(":")[3]
        told = {
            "Type": kind,
            "MessageId": f"{number[:8]}-{number[8:12]}-5{number[13:16]}-8{number[17:20]}-{number[20:32]}",
            "TopicArn": self.topic,
            "Message": text,
            "Timestamp": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",
        }
        if kind != "Notification":
            told["Token"] = number
            told["SubscribeURL"] = f"https://sns.{region}.amazonaws.com/?Action=ConfirmSubscription&Token={number}"
        told |= fields
        signed = "".join(f"{name}\n{told[name]}\n" for name in sorted(told)).encode()
        algorithm = SHA1() if self.version == "1" else SHA256()  # noqa: S303  # as SNS does
        signature = self._key.sign(signed, PKCS1v15(), algorithm)
        return told | {
            "SignatureVersion": self.version,
            "Signature": base64.b64encode(signature).decode(),
            "SigningCertURL": self.certificate_url,
        }

    def _posted(self, kind: str, body: bytes, path: str, received_at: datetime) -> Request:
        return Request(
            method="POST",
            path=path,
            headers={"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": kind},
            body=body,
            received_at=received_at,
        )


@frozen(eq=False)
class PostalSigner:
    """Signs requests as a Postal server does, with a key made on the spot. Never for real use."""

    _key: RSAPrivateKey = field(init=False, repr=False)

    @_key.default
    def _new_key(self) -> RSAPrivateKey:
        return generate_private_key(65537, 2048)

    @property
    def public_key(self) -> str:
        """The public key as PEM."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def jwks(self) -> str:
        """What the server has at ``/.well-known/jwks.json``."""
        numbers = self._key.public_key().public_numbers()
        parts = {"e": _base64_of(numbers.e), "kty": "RSA", "n": _base64_of(numbers.n)}
        thumb = hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
        return json.dumps({"keys": [{**parts, "kid": thumb, "use": "sig", "alg": "RS256"}]})

    def request(
        self,
        payload: Payload,
        *,
        sha256: bool = True,
        path: str = "/hooks/postal",
        received_at: datetime | None = None,
    ) -> Request:
        """A POST, signed by SHA-1 and, unless an old Postal is meant, by SHA-256."""
        body = _body(payload)
        headers = {"x-postal-signature": self._signature(body, SHA1())}  # noqa: S303  # as Postal does
        if sha256:
            headers["x-postal-signature-256"] = self._signature(body, SHA256())
            headers["x-postal-signature-kid"] = json.loads(self.jwks)["keys"][0]["kid"]
        return Request(
            method="POST",
            path=path,
            headers={"content-type": "application/json", **headers},
            body=body,
            received_at=received_at,
        )

    def _signature(self, body: bytes, algorithm: SHA1 | SHA256) -> str:
        return base64.b64encode(self._key.sign(body, PKCS1v15(), algorithm)).decode()


def _base64_of(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


# ---- all of them -----------------------------------------------------------------------------------------------------


def _body(payload: Payload) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()
