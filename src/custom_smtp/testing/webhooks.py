"""Webhook requests as providers send them, validly signed, for tests of what takes them in."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..web import Request

Payload = Mapping[str, Any] | Sequence[Mapping[str, Any]] | bytes
"""One report, several, or a body as it shall be."""


def postmark_request(
    payload: Payload,
    username: str,
    password: str,
    *,
    path: str = "/hooks/postmark",
    received_at: datetime | None = None,
) -> Request:
    """A POST as Postmark makes it to ``https://username:password@...``."""
    credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
    return Request(
        method="POST",
        path=path,
        headers={"content-type": "application/json", "authorization": f"Basic {credentials}"},
        body=_body(payload),
        received_at=received_at,
    )


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


def _body(payload: Payload) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()
