"""What a certificate is compared with beyond its chain: a pinned key, and the TLSA records of its domain (DANE).

Here are the comparisons of RFC 6698 and RFC 7671 alone. Whose answers from the DNS are believed, and what follows from
them, is decided where the line is made secret.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256, sha512
from hmac import compare_digest

from attrs import frozen

from .errors import Retry, TlsError

# A certificate is read (RFC 5280 section 4.1) as far as its public key: so little takes no library.

_INTEGER, _SEQUENCE, _VERSION = 0x02, 0x30, 0xA0

_BEFORE_THE_KEY = (_INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE)
"""Serial number, signature algorithm, issuer, validity, subject."""


def public_key_of(certificate: bytes) -> bytes:
    """A certificate's public key, with what it says of itself: the SubjectPublicKeyInfo, in DER.

    Raises:
        TlsError: this is no certificate in DER. It is read strictly, so that there is no second way to read it.
    """
    try:
        return _public_key(_inside(_all_inside(certificate), 0, _SEQUENCE)[0])
    except (IndexError, ValueError) as error:
        raise TlsError("the server's certificate is not written as certificates are", retry=Retry.NEVER) from error


def _public_key(body: bytes) -> bytes:
    place = _inside(body, 0, _VERSION)[1] if body[0] == _VERSION else 0
    for tag in _BEFORE_THE_KEY:
        place = _inside(body, place, tag)[1]
    return body[place : _inside(body, place, _SEQUENCE)[1]]


def _all_inside(certificate: bytes) -> bytes:
    inside, ends = _inside(certificate, 0, _SEQUENCE)
    if ends != len(certificate):
        raise ValueError("something stands behind it")
    return inside


def _inside(der: bytes, place: int, tag: int) -> tuple[bytes, int]:
    """What is inside the element with this tag, and where the next begins (X.690 sections 8.1 and 10.1)."""
    if der[place] != tag:
        raise ValueError("another element than was due")
    size, begins = der[place + 1], place + 2
    if size >= 0x80:
        digits = der[begins : begins + (size & 0x7F)]
        size, begins = int.from_bytes(digits), begins + len(digits)
        if len(digits) > 4 or size < 0x80 or digits[0] == 0:
            raise ValueError("a length that is not in its shortest form")
    ends = begins + size
    if ends > len(der):
        raise ValueError("it is cut off")
    return der[begins:ends], ends


def pin_of(certificate: bytes) -> str:
    """The pin of a certificate's key: the SHA-256 of its public key, in base64 (RFC 7469 section 2.4).

    Raises:
        TlsError: this is no certificate in DER.
    """
    return b64encode(sha256(public_key_of(certificate)).digest()).decode()


def tlsa_name(host: str, port: int) -> str:
    """Where the TLSA records of a server stand (RFC 6698 section 3): ``_587._tcp.smtp.provider.example``."""
    return f"_{port}._tcp.{host.removesuffix('.')}"


ENDS = frozenset({1, 3})
"""The usages that name the server's own certificate: PKIX-EE and DANE-EE (RFC 6698 section 2.1.1, RFC 7218)."""

MATCHINGS: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: lambda selected: sha256(selected).digest(),
    2: lambda selected: sha512(selected).digest(),
}
"""The matching types: what is compared as it is, by its SHA-256, by its SHA-512 (RFC 6698 section 2.1.3)."""

SELECTORS: dict[int, Callable[[bytes], bytes]] = {0: bytes, 1: public_key_of}
"""What of a certificate is compared: all of it, or its public key (RFC 6698 section 2.1.2)."""

_SIZES = {1: 32, 2: 64}


@frozen
class Tlsa:
    """One TLSA record (RFC 6698 section 2.1).

    Attributes:
        usage: whose certificate it names: 1 and 3 the server's own, 0 and 2 an authority's.
        selector: 0 for the whole certificate, 1 for its public key.
        matching: 0 for the thing itself, 1 for its SHA-256, 2 for its SHA-512.
        association: what is compared.
    """

    usage: int
    selector: int
    matching: int
    association: bytes

    @property
    def usable(self) -> bool:
        """Whether the server's own certificate can be compared with it."""
        known = self.usage in ENDS and self.selector in SELECTORS and self.matching in MATCHINGS
        size = len(self.association)
        return known and size > 0 and size == _SIZES.get(self.matching, size)

    def matches(self, certificate: bytes) -> bool:
        """Whether it names this certificate, in DER.

        Raises:
            TlsError: this is no certificate in DER.
        """
        if not self.usable:
            return False
        selected = SELECTORS[self.selector](certificate)
        return compare_digest(MATCHINGS[self.matching](selected), self.association)

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.association.hex()}"


def tlsa_of(certificate: bytes) -> Tlsa:
    """The record to publish for a certificate: ``3 1 1``, which stays right as long as its key does.

    Raises:
        TlsError: this is no certificate in DER.
    """
    return Tlsa(3, 1, 1, sha256(public_key_of(certificate)).digest())


def usable(values: Iterable[str]) -> tuple[Tlsa, ...]:
    """The records, in a zone file's form, that a server's own certificate can be compared with.

    The others are passed over, as RFC 6698 section 4.1 has it: those that name an authority, and those of a kind that
    is not known or that are damaged. Where a key stands there by several digests, only the strongest counts (RFC 7671
    section 9).
    """
    read = [record for record in map(_read, values) if record is not None and record.usable]
    strongest: dict[tuple[int, int], int] = {}
    for record in read:
        kind = (record.usage, record.selector)
        strongest[kind] = max(strongest.get(kind, 0), record.matching)
    return tuple(record for record in read if record.matching in {0, strongest[record.usage, record.selector]})


def _read(value: str) -> Tlsa | None:
    """A record as a zone file writes it: three numbers, and hexadecimal digits with spaces as one likes."""
    numbers, digits = value.split()[:3], "".join(value.split()[3:])
    try:
        usage, selector, matching = (int(number) for number in numbers if number.isascii() and number.isdigit())
        return Tlsa(usage, selector, matching, bytes.fromhex(digits))
    except ValueError:
        return None
