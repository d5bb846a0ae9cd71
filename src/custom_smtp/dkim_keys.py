"""DKIM's keys: what signs, the record that receivers look for, and when one key gives way to the next.

Private keys are RSA of 2048 to 4096 bits or Ed25519 (RFC 8301, RFC 8463), and may stay where they are: see `RemoteKey`.
"""

import binascii
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from hashlib import sha256
from typing import Any

from attrs import Attribute, field, frozen
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from .checks import aware, one_of
from .dns_records import Record, dns_name
from .domains import DomainReport, Finding, verify_key
from .errors import ConfigurationError, SigningError
from .ports import Resolver

PublicKey = RSAPublicKey | Ed25519PublicKey

_FEWEST_BITS, _MOST_BITS = 2048, 4096  # RFC 8301 section 3.2: what signers should use, and receivers must understand
_ED25519_OCTETS = 32
_ED25519_BASE64 = 44
_SEVERAL_DAYS = timedelta(days=14)  # mail waits in queues for five (RFC 5321 section 4.5.4.1), and is read later still


class KeyType(StrEnum):
    """What kind a key is, as its record's ``k=`` says it."""

    RSA = "rsa"
    ED25519 = "ed25519"


class Takes(Enum):
    """What a `RemoteKey` is handed."""

    DIGEST = "digest"
    """The SHA-256 digest, 32 octets. An RSA key pads and signs it as such (RSASSA-PKCS1-v1_5); for an Ed25519 key it is
    the message itself (RFC 8463 section 3)."""
    MESSAGE = "message"
    """The headers as they are hashed, often under 4,096 octets; an RSA key hashes them with SHA-256 itself."""


def _public_key(told: "str | bytes | PublicKey") -> PublicKey:
    key: object = told
    if isinstance(told, str | bytes):
        raw = _octets(told)
        try:
            key = load_pem_public_key(raw) if b"-----BEGIN" in raw else load_der_public_key(raw)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(
                "no public key can be read: give it in PEM or DER, as the service exports it"
            ) from error
    if not isinstance(key, RSAPublicKey | Ed25519PublicKey):
        raise ConfigurationError(f"the public key is {type(key).__name__}: DKIM signs with RSA or Ed25519")
    return _of_good_size(key)


def _octets(told: str | bytes) -> bytes:
    return told.encode("utf-8", "replace") if isinstance(told, str) else told


def _of_good_size(key: PublicKey) -> PublicKey:
    if isinstance(key, RSAPublicKey) and not _FEWEST_BITS <= key.key_size <= _MOST_BITS:
        raise ConfigurationError(
            f"the RSA key has {key.key_size} bits: make one of {_FEWEST_BITS} (up to {_MOST_BITS}), since receivers "
            "distrust smaller ones and need not understand larger ones (RFC 8301 section 3.2)"
        )
    return key


def _can_be_called(_instance: object, _attribute: "Attribute[Any]", sign: object) -> None:
    if not callable(sign):
        raise ConfigurationError(f"sign is {type(sign).__name__}: give a function that takes octets and returns octets")


@frozen(kw_only=True)
class RemoteKey:
    """A private key that stays where it is kept (a KMS, an HSM), and signs what it is handed.

    Every signature it gives is checked with the public key before it is used, so that a wrong key, a wrong padding
    (PSS) or a wrong `takes` shows at the first mail.

    Attributes:
        public_key: in PEM or DER, as the service exports it.
        sign: asks the service: octets in, the bare signature out. It is called on whatever thread signs. Whatever it
            raises becomes a `SigningError`.
        takes: what it is handed: the digest, or the message where the service hashes for itself.

    Raises:
        ConfigurationError: no such key can sign; the message says what to give.
    """

    public_key: PublicKey = field(converter=_public_key)
    sign: Callable[[bytes], bytes] = field(validator=_can_be_called, repr=False)
    takes: Takes = field(default=Takes.DIGEST, validator=one_of(Takes))

    def __attrs_post_init__(self) -> None:
        if self.takes is Takes.MESSAGE and isinstance(self.public_key, Ed25519PublicKey):
            raise ConfigurationError(
                "an Ed25519 key signs the SHA-256 digest (RFC 8463 section 3): use Takes.DIGEST, whose 32 octets are "
                "the message that the service signs"
            )


PrivateKey = RSAPrivateKey | Ed25519PrivateKey | RemoteKey


def _private_key(told: "str | bytes | PrivateKey") -> PrivateKey:
    key: object = _read(_octets(told)) if isinstance(told, str | bytes) else told
    if isinstance(key, RSAPrivateKey):
        _of_good_size(key.public_key())
    elif not isinstance(key, Ed25519PrivateKey | RemoteKey):
        raise ConfigurationError(
            f"the private key is {type(key).__name__}: DKIM signs with RSA or Ed25519; give such a key in PEM, or a "
            "RemoteKey"
        )
    return key


def _read(raw: bytes) -> object:
    """A key from PEM, DER, or the 32 octets of an Ed25519 key, bare or in base64."""
    if len(seed := _seed(raw)) == _ED25519_OCTETS:
        return Ed25519PrivateKey.from_private_bytes(seed)
    if b"PUBLIC KEY-----" in raw:
        raise ConfigurationError("that is a public key, which cannot sign: give the private one")
    try:
        if b"-----BEGIN" in raw:
            return load_pem_private_key(raw, password=None)
        return load_der_private_key(raw, password=None)
    except TypeError as error:  # there is a password on it
        raise ConfigurationError(
            "the private key is encrypted: load it with its password (cryptography's load_pem_private_key) and give "
            "what that returns, or decrypt the file ('openssl pkey -in key.pem -out plain.pem')"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            "no private key can be read: give it in PEM ('openssl genrsa 2048', 'openssl genpkey -algorithm "
            "ed25519'), in DER, or as the 32 octets of an Ed25519 key"
        ) from error


def _seed(raw: bytes) -> bytes:
    if len(raw.strip()) != _ED25519_BASE64:
        return raw
    try:
        return binascii.a2b_base64(raw.strip(), strict_mode=True)
    except ValueError:
        return raw


def _domain(name: str) -> str:
    domain = dns_name(name)
    if "." not in domain or "_" in domain:
        raise ConfigurationError(f"{name!r} is no full domain name: write one such as 'shop.example'")
    return domain


@frozen(kw_only=True)
class DkimKey:
    """A key, and where its record stands.

    Attributes:
        domain: who vouches for the mail (``d=``): the From address's domain, or one above it.
        selector: under which name of that domain the record stands (``s=``). A key of each kind needs its own.
        private_key: in PEM or DER, not encrypted; or the 32 octets of an Ed25519 key, bare or in base64; or a key that
            ``cryptography`` has loaded; or a `RemoteKey`.

    Raises:
        ConfigurationError: no such key can sign; the message says what to give.
    """

    domain: str = field(converter=_domain)
    selector: str = field(converter=dns_name)
    private_key: PrivateKey = field(converter=_private_key, repr=False)
    sign: Callable[[bytes], bytes] = field(init=False, repr=False, eq=False)
    """The bare signature over headers as they are hashed.

    Raises:
        SigningError: the key is elsewhere, and gave none.
    """

    @sign.default
    def _ready_to_sign(self) -> Callable[[bytes], bytes]:
        key = self.private_key
        if isinstance(key, RSAPrivateKey):
            return _rsa(key)
        return _ed25519(key) if isinstance(key, Ed25519PrivateKey) else _remote(key)

    def __attrs_post_init__(self) -> None:
        dns_name(self.host)

    @property
    def public_key(self) -> PublicKey:
        """What receivers check signatures with."""
        return self.private_key.public_key if isinstance(self.private_key, RemoteKey) else self.private_key.public_key()

    @property
    def type(self) -> KeyType:
        """What kind of key it is."""
        return KeyType.RSA if isinstance(self.public_key, RSAPublicKey) else KeyType.ED25519

    @property
    def host(self) -> str:
        """The name at which its record stands."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> Record:
        """What to publish (RFC 6376 section 3.6.1, RFC 8463 section 4)."""
        if isinstance(self.public_key, RSAPublicKey):
            raw = self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            raw = self.public_key.public_bytes_raw()
        told = binascii.b2a_base64(raw, newline=False).decode()
        return Record(
            "TXT", self.host, f"v=DKIM1; k={self.type}; p={told}", "DKIM: receivers check our signature with this key"
        )


def each_on_its_own(keys: Iterable[DkimKey]) -> None:
    """Raise `ConfigurationError` unless each of several keys has a name of its own for its record."""
    seen: set[str] = set()
    for key in keys:
        if key.host in seen:
            raise ConfigurationError(
                f"two keys would stand at {key.host}, where receivers expect one (RFC 6376 section 3.6.2.2): give each "
                "a selector of its own, such as 's1' for RSA and 's1-ed' for Ed25519"
            )
        seen.add(key.host)


def _rsa(key: RSAPrivateKey) -> Callable[[bytes], bytes]:
    padding, algorithm = PKCS1v15(), SHA256()
    return lambda signed: key.sign(signed, padding, algorithm)


def _ed25519(key: Ed25519PrivateKey) -> Callable[[bytes], bytes]:
    return lambda signed: key.sign(sha256(signed).digest())


def _remote(key: RemoteKey) -> Callable[[bytes], bytes]:
    def sign(signed: bytes) -> bytes:
        asked = signed if key.takes is Takes.MESSAGE else sha256(signed).digest()
        try:
            signature = key.sign(asked)
        except Exception as error:
            raise SigningError(f"the key elsewhere gave no signature ({type(error).__name__}: {error})") from error
        if not (isinstance(signature, bytes) and is_signature(signature, signed, key.public_key)):
            raise SigningError(
                "what the key elsewhere gave is no signature of its public key: let it sign by RSASSA-PKCS1-v1_5 with "
                f"SHA-256 (not PSS), or pure Ed25519; and see whether it takes the {key.takes.value}"
            )
        return signature

    return sign


def is_signature(signature: bytes, signed: bytes, key: PublicKey) -> bool:
    """Whether a bare signature over headers as they are hashed was made with this key."""
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature, signed, PKCS1v15(), SHA256())
        else:
            key.verify(signature, sha256(signed).digest())
    except InvalidSignature:
        return False
    return True


# --- one key after the other ------------------------------------------------------------------------------------------

Published = Mapping[str, datetime]
"""Since when records are known to stand in the DNS as they should, by their names."""


def _a_key(_instance: object, _attribute: "Attribute[Any]", key: object) -> None:
    if not isinstance(key, DkimKey):
        raise ConfigurationError(f"the planned key is {type(key).__name__}: write DkimKey(...)")


@frozen
class PlannedKey:
    """A key, and from when on it shall sign.

    Attributes:
        key: the key.
        begins: the first moment at which it may sign. It does so once its record is there, and not before.
    """

    key: DkimKey = field(validator=_a_key)
    begins: datetime = field(validator=aware)


def _planned(keys: Iterable[PlannedKey]) -> tuple[PlannedKey, ...]:
    several = tuple(keys)
    for each in several:
        if not isinstance(each, PlannedKey):
            raise ConfigurationError(f"the plan holds {type(each).__name__}: write PlannedKey(key, begins)")
    return several


def _a_while(_instance: object, _attribute: "Attribute[Any]", keep: timedelta) -> None:
    if not isinstance(keep, timedelta) or keep < timedelta(0):
        raise ConfigurationError(f"keep is {keep!r}: give a span of time such as timedelta(days=14)")


@frozen
class KeyPlan:
    """Which keys sign, which records must stand, and which may go: of several domains, kinds and generations.

    For each domain and kind of key the newest that has begun signs, if its record is known to stand; else the one
    before it. It decides from what it is handed, and keeps nothing: hold on to what `seen` returns, and ask again from
    time to time::

        report = plan.verify(published, resolver, at)
        published = seen(report, at, published)
        signer = DkimSigner(plan.signing(published, at))

    Attributes:
        keys: every key, in any order.
        keep: how long the record of a key stays after the last mail it signed, so that this mail can be checked.

    Raises:
        ConfigurationError: two keys would share a record, or begin at once.
    """

    keys: tuple[PlannedKey, ...] = field(converter=_planned)
    keep: timedelta = field(default=_SEVERAL_DAYS, validator=_a_while)

    def __attrs_post_init__(self) -> None:
        each_on_its_own(planned.key for planned in self.keys)
        starts: set[tuple[str, KeyType, datetime]] = set()
        for each in self.keys:
            start = (each.key.domain, each.key.type, each.begins)
            if start in starts:
                raise ConfigurationError(
                    f"two {each.key.type} keys of {each.key.domain} begin at {each.begins}: let one begin later"
                )
            starts.add(start)

    def signing(self, published: Published, at: datetime) -> tuple[DkimKey, ...]:
        """The keys that sign at the moment, in the plan's order; a domain whose records are all missing has none."""
        newest: dict[tuple[str, KeyType], PlannedKey] = {}
        for each in self.keys:
            line = (each.key.domain, each.key.type)
            usable = each.begins <= at and each.key.host in published
            if usable and (line not in newest or newest[line].begins < each.begins):
                newest[line] = each
        return tuple(each.key for each in self.keys if each in newest.values())

    def standing(self, published: Published, at: datetime) -> tuple[Record, ...]:
        """The records that must stand: of keys to come, keys that sign, and keys that signed until lately."""
        gone = self.retired(published, at)
        return tuple(each.key.record for each in self.keys if each.key.record not in gone)

    def retired(self, published: Published, at: datetime) -> tuple[Record, ...]:
        """The records that may be taken down: a newer key has signed in place of theirs for as long as `keep`."""
        return tuple(each.key.record for each in self.keys if self._is_retired(each, published, at))

    def _is_retired(self, old: PlannedKey, published: Published, at: datetime) -> bool:
        line = (old.key.domain, old.key.type)
        return any(
            max(new.begins, published[new.key.host]) + self.keep <= at
            for new in self.keys
            if (new.key.domain, new.key.type) == line and new.begins > old.begins and new.key.host in published
        )

    def verify(self, published: Published, resolver: Resolver, at: datetime) -> DomainReport:
        """Look up every record that must stand."""
        return DomainReport(verify_key(record, resolver) for record in self.standing(published, at))


def seen(report: DomainReport, at: datetime, before: Published) -> dict[str, datetime]:
    """Since when records are known to stand, after another look; a DNS that gave no answer changes nothing."""
    after: dict[str, datetime] = {}
    for check in report.checks:
        name = check.record.name
        if check.finding is Finding.OK or (check.finding is Finding.UNKNOWN and name in before):
            after[name] = before.get(name, at)
    return after
