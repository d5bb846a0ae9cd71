"""Keys, mails and a DNS to try DKIM with, and dkimpy as a second opinion."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache

import dkim  # type: ignore[import-untyped]  # it has no types
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from custom_smtp.dkim_keys import DkimKey
from custom_smtp.errors import ResolveError
from custom_smtp.testing import StaticResolver

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SEED = bytes(range(32))

MAIL = (
    b"From: Shop <hello@shop.example>\r\n"
    b"To: Ada <ada@example.net>\r\n"
    b"Subject: Your order\r\n"
    b"Date: Fri, 02 Jan 2026 12:00:00 +0000\r\n"
    b"Message-ID: <d1@shop.example>\r\n"
    b"X-Campaign: news\r\n"
    b"\r\n"
    b"It is on its way.\r\n"
)


@cache
def rsa_key(bits: int = 2048) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


def ed25519_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(SEED)


def rsa(domain: str = "shop.example", selector: str = "s1") -> DkimKey:
    return DkimKey(domain=domain, selector=selector, private_key=rsa_key())


def ed25519(domain: str = "shop.example", selector: str = "s1-ed") -> DkimKey:
    return DkimKey(domain=domain, selector=selector, private_key=ed25519_key())


def pem(key: RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def resolver(*keys: DkimKey, **told: Sequence[str] | ResolveError) -> StaticResolver:
    """A DNS with the records of these keys; by a selector's name, with something else at shop.example."""
    records: dict[str, Sequence[str] | ResolveError] = {key.host: [_in_strings(key)] for key in keys}
    records |= {f"{selector}._domainkey.shop.example": values for selector, values in told.items()}
    return StaticResolver({(name, "TXT"): values for name, values in records.items()})


def _in_strings(key: DkimKey) -> str:
    return " ".join(f'"{string}"' for string in key.record.strings)


def dkimpy_verifies(content: bytes, keys: Iterable[DkimKey], signatures: int) -> bool:
    """Whether dkimpy finds each of so many signatures right."""
    records = {f"{key.host}.".encode(): key.record.value.encode() for key in keys}

    def look_up(name: bytes, timeout: int = 0) -> bytes | None:
        return records.get(name)

    return all(dkim.DKIM(content).verify(idx=index, dnsfunc=look_up) for index in range(signatures))
