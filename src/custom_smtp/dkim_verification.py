"""Checks the DKIM signatures of a mail as receivers do: RFC 6376 section 6, RFC 8301, RFC 8463.

Whatever the mail and the DNS hold, the answer is a verdict with its reason, never an exception, in linear time.
"""

import binascii
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from attrs import define, evolve, field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from .checks import shown
from .dkim_canonical import (
    Fields,
    Form,
    canonical_body,
    canonical_fields,
    canonical_header,
    field_name,
    fields_of,
    head_and_body,
)
from .dkim_keys import KeyType, PublicKey, is_signature
from .dns_records import dns_name, txt_text
from .errors import ConfigurationError, ResolveError
from .ports import Resolver
from .tag_lists import listed, read_key, read_tags, solid

MOST_SIGNATURES = 10
"""How many signatures of one mail are looked at; each costs a lookup and a hash of the body."""

_FEWEST_BITS, _MOST_BITS = 1024, 8192  # RFC 8301 section 3.2; the upper end bounds the work
_SECONDS = re.compile(r"[0-9]{1,12}")  # RFC 6376 section 3.5
_OCTETS = re.compile(r"[0-9]{1,76}")
_NAME = re.compile(r"[!-9;-~]+")
_SIGNATURE = b"dkim-signature"
_ODD = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")


class Verdict(StrEnum):
    """What receivers make of a signature, in the words of RFC 8601 section 2.7.1."""

    PASSED = "pass"
    FAILED = "fail"
    """It was right once, and mail or key have changed; or it never was."""
    PERMANENT_ERROR = "permerror"
    """It cannot be checked, and never will."""
    TEMPORARY_ERROR = "temperror"
    """It cannot be checked just now."""


class Reason(StrEnum):
    """Why."""

    RIGHT = "the signature is right"
    UNREADABLE = "the signature cannot be read"
    VERSION = "its version is not 1"
    ALGORITHM = "its algorithm is not known, or not secure any more"
    FORM = "its form is not known"
    QUERY = "its key is looked up in a way that is not known"
    LENGTH = "it covers more of the body than there is"
    AUTHOR = "it does not cover From"
    IDENTITY = "who signed (i=) is not of the domain that signed (d=)"
    EXPIRED = "it has expired"
    MALFORMED = "its headers hold a CR or LF alone, or a NUL, and programs may read others than those that were signed"
    TOO_MANY = "too many signatures stand before it"
    NO_ANSWER = "the DNS gave no answer"
    NO_KEY = "there is no key"
    SEVERAL_KEYS = "there are several keys at one name"
    KEY_UNREADABLE = "the key cannot be read"
    KEY_REVOKED = "the key is revoked"
    KEY_TYPE = "the key is of another kind than the signature"
    KEY_USE = "the key is not for mail, or not for this hash"
    KEY_SIZE = "the key is too small, or too large"
    BODY = "the body is not the one that was signed"
    HEADERS = "the headers are not those that were signed, or the key is another one"


_VERDICT_OF = {
    Reason.RIGHT: Verdict.PASSED,
    Reason.NO_ANSWER: Verdict.TEMPORARY_ERROR,
    Reason.BODY: Verdict.FAILED,
    Reason.HEADERS: Verdict.FAILED,
    Reason.EXPIRED: Verdict.FAILED,
}
"""What a reason makes of a signature; any other is a permanent error."""


@frozen(kw_only=True)
class Verification:
    """One signature of a mail, and what receivers make of it.

    Attributes:
        reason: why it is right, or wrong.
        detail: what of it, in words; may be empty.
        domain: who signed (``d=``); empty where that cannot be read, as with all that follows.
        selector: which of the domain's keys (``s=``).
        identity: for whom (``i=``); the domain itself unless told.
        algorithm: such as ``rsa-sha256``.
        names: the headers that it says it covers, in lower case and its own order.
        trial: the domain's owner is only trying keys out (``t=y``): it counts as little as none.
        uncovered: how many octets at the end of the body it leaves open (``l=``); anybody may have added them.
    """

    reason: Reason
    detail: str = ""
    domain: str = ""
    selector: str = ""
    identity: str = ""
    algorithm: str = ""
    names: tuple[str, ...] = ()
    trial: bool = False
    uncovered: int = 0

    @property
    def verdict(self) -> Verdict:
        """What receivers make of it."""
        return _VERDICT_OF.get(self.reason, Verdict.PERMANENT_ERROR)


class _Stop(Exception):
    """The verdict stands: nothing further need be looked at."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def verify_signatures(content: bytes, resolver: Resolver, at: datetime) -> tuple[Verification, ...]:
    """Check every DKIM signature of a mail, the topmost first; none if it has none.

    Args:
        content: the whole mail, as it came. Line ends of LF alone throughout, as in a file, are taken for CRLF.
        resolver: asks for the keys.
        at: now, with a time zone, to tell what has expired.

    Raises:
        ConfigurationError: ``at`` has no time zone.
    """
    if at.utcoffset() is None:
        raise ConfigurationError(f"at is {at!r}, with no time zone: use datetime.now(UTC)")
    if b"\r\n" not in content:
        content = content.replace(b"\n", b"\r\n")
    head, body = head_and_body(content)
    mail = _Mail(head, body)
    return tuple(_verification(mail, number, resolver, at) for number in range(len(mail.signatures)))


@define
class _Mail:
    """A mail, with what several signatures would have to work out again."""

    head: bytes
    body: bytes
    signatures: list[bytes] = field(init=False)
    _fields: dict[Form, Fields] = field(init=False, factory=dict)
    _bodies: dict[Form, bytes] = field(init=False, factory=dict)

    @signatures.default
    def _found(self) -> list[bytes]:
        return [header for header in fields_of(self.head) if field_name(header) == _SIGNATURE]

    def fields(self, form: Form) -> Fields:
        if form not in self._fields:
            self._fields[form] = canonical_fields(self.head, form)
        return self._fields[form]

    def hashed_body(self, form: Form) -> bytes:
        if form not in self._bodies:
            self._bodies[form] = canonical_body(self.body, form)
        return self._bodies[form]


def _verification(mail: _Mail, number: int, resolver: Resolver, at: datetime) -> Verification:
    if number >= MOST_SIGNATURES:
        return Verification(reason=Reason.TOO_MANY)
    if _ODD.search(mail.head):
        return Verification(reason=Reason.MALFORMED)
    tags = read_tags(mail.signatures[number].partition(b":")[2].decode("utf-8", "replace"))
    if tags is None:
        return Verification(reason=Reason.UNREADABLE, detail="it is no list of tags")
    told = Verification(
        reason=Reason.RIGHT,
        domain=tags.get("d", "").lower(),
        selector=tags.get("s", "").lower(),
        identity=tags.get("i", "") or f"@{tags.get('d', '')}",
        algorithm=tags.get("a", "").lower(),
        names=_names(tags.get("h", "")),
    )
    try:
        signature = _read(tags, told)
        _require_in_time(tags, at)
        key = _look_up(signature, resolver)
        told = evolve(told, trial="y" in listed(key.get("t", "")))
        public_key = _public_key(key, signature)
        told = evolve(told, uncovered=_compare_body(mail, signature))
        right = is_signature(signature.proof, _signed(mail, number, signature), public_key)
    except _Stop as stop:
        return evolve(told, reason=stop.reason, detail=stop.detail)
    return told if right else evolve(told, reason=Reason.HEADERS)


# --- the signature (section 6.1.1) ------------------------------------------------------------------------------------

_ALGORITHMS = {"rsa-sha256": KeyType.RSA, "ed25519-sha256": KeyType.ED25519}  # RFC 8301 section 3.1, RFC 8463
_REQUIRED = ("v", "a", "b", "bh", "d", "h", "s")


@frozen
class _Signature:
    """What a signature says of itself, read."""

    type: KeyType
    proof: bytes
    body_hash: bytes
    names: tuple[str, ...]
    headers: Form
    body: Form
    length: int | None
    host: str
    for_subdomain: bool


def _read(tags: Mapping[str, str], told: Verification) -> _Signature:
    for name in _REQUIRED:
        if name not in tags:
            raise _Stop(Reason.UNREADABLE, f"it has no {name}=")
    if tags["v"] != "1":
        raise _Stop(Reason.VERSION, shown(tags["v"]))
    if told.algorithm not in _ALGORITHMS:
        raise _Stop(Reason.ALGORITHM, shown(told.algorithm))
    if "dns/txt" not in listed(tags.get("q", "dns/txt").lower()):
        raise _Stop(Reason.QUERY, shown(tags["q"]))
    if not all(_NAME.fullmatch(name) for name in told.names):
        raise _Stop(Reason.UNREADABLE, "h= holds what is no header's name")
    if "from" not in told.names:
        raise _Stop(Reason.AUTHOR)
    domain = _dns_name(told.domain, "d=")
    headers, body = _forms(tags.get("c", "simple/simple"))
    return _Signature(
        type=_ALGORITHMS[told.algorithm],
        proof=_base64(tags["b"], "b="),
        body_hash=_base64(tags["bh"], "bh="),
        names=told.names,
        headers=headers,
        body=body,
        length=_number(tags, "l", _OCTETS),
        host=_dns_name(f"{told.selector}._domainkey.{domain}", "s="),
        for_subdomain=_is_for_subdomain(told.identity, domain),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip(" \t\r\n").lower() for name in text.split(":"))


def _dns_name(name: str, tag: str) -> str:
    try:
        return dns_name(name)
    except ConfigurationError as error:
        raise _Stop(Reason.UNREADABLE, f"{tag} is no name in the DNS") from error


def _is_for_subdomain(identity: str, domain: str) -> bool:
    """Whether ``i=`` is of a domain below ``d=``; both may be the same (section 3.5)."""
    _, at, name = identity.rpartition("@")
    own = _dns_name(name, "i=") if at else ""
    if own != domain and not own.endswith(f".{domain}"):
        raise _Stop(Reason.IDENTITY, shown(identity))
    return own != domain


def _forms(text: str) -> tuple[Form, Form]:
    headers, _, body = text.lower().partition("/")
    try:
        return Form(headers), Form(body or Form.SIMPLE)
    except ValueError as error:
        raise _Stop(Reason.FORM, shown(text)) from error


def _base64(text: str, tag: str) -> bytes:
    try:
        return binascii.a2b_base64(solid(text), strict_mode=True)
    except ValueError as error:
        raise _Stop(Reason.UNREADABLE, f"{tag} is no base64") from error


def _number(tags: Mapping[str, str], name: str, kind: re.Pattern[str]) -> int | None:
    if name not in tags:
        return None
    if not kind.fullmatch(tags[name]):
        raise _Stop(Reason.UNREADABLE, f"{name}= is {shown(tags[name])}")
    return int(tags[name])


def _require_in_time(tags: Mapping[str, str], at: datetime) -> None:
    made, ends = _number(tags, "t", _SECONDS), _number(tags, "x", _SECONDS)
    if ends is None:
        return
    if made is not None and ends <= made:
        raise _Stop(Reason.UNREADABLE, "it expires before it was made")
    if at.timestamp() > ends:
        raise _Stop(Reason.EXPIRED)


# --- the key (section 6.1.2) ------------------------------------------------------------------------------------------


def _look_up(signature: _Signature, resolver: Resolver) -> Mapping[str, str]:
    try:
        values = resolver.lookup(signature.host, "TXT")
    except ResolveError as error:
        raise _Stop(Reason.NO_ANSWER, str(error)) from error
    if not values:
        raise _Stop(Reason.NO_KEY, signature.host)
    if len(values) > 1:
        raise _Stop(Reason.SEVERAL_KEYS, signature.host)
    key = read_key(txt_text(values[0]))
    if key is None:
        raise _Stop(Reason.KEY_UNREADABLE, "it is no DKIM key")
    return key


def _public_key(key: Mapping[str, str], signature: _Signature) -> PublicKey:
    if "sha256" not in listed(key.get("h", "sha256")):
        raise _Stop(Reason.KEY_USE, f"h={shown(key['h'])}")
    if not {"*", "email"} & listed(key.get("s", "*")):
        raise _Stop(Reason.KEY_USE, f"s={shown(key['s'])}")
    if key.get("k", "rsa") != signature.type:
        raise _Stop(Reason.KEY_TYPE, shown(key.get("k", "rsa")))
    if not key["p"]:
        raise _Stop(Reason.KEY_REVOKED)
    if "s" in listed(key.get("t", "")) and signature.for_subdomain:
        raise _Stop(Reason.IDENTITY, "the key is for its own domain alone (t=s)")
    try:
        return _LOADED[signature.type](binascii.a2b_base64(solid(key["p"]), strict_mode=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _Stop(Reason.KEY_UNREADABLE, "p= is no such key") from error


def _rsa(raw: bytes) -> RSAPublicKey:
    key = load_der_public_key(raw)
    if not isinstance(key, RSAPublicKey):
        raise _Stop(Reason.KEY_UNREADABLE, "p= is no RSA key")
    if not _FEWEST_BITS <= key.key_size <= _MOST_BITS:
        raise _Stop(Reason.KEY_SIZE, f"{key.key_size} bits")
    return key


_LOADED: Mapping[KeyType, Callable[[bytes], PublicKey]] = {
    KeyType.RSA: _rsa,
    KeyType.ED25519: Ed25519PublicKey.from_public_bytes,
}


# --- the mail (section 6.1.3) -----------------------------------------------------------------------------------------


def _compare_body(mail: _Mail, signature: _Signature) -> int:
    """How many octets the signature leaves open, if those it covers are right."""
    body = mail.hashed_body(signature.body)
    covered = len(body) if signature.length is None else signature.length
    if covered > len(body):
        raise _Stop(Reason.LENGTH, f"{covered} of {len(body)} octets")
    if sha256(body[:covered]).digest() != signature.body_hash:
        raise _Stop(Reason.BODY)
    return len(body) - covered


def _signed(mail: _Mail, number: int, signature: _Signature) -> bytes:
    """What was signed: the headers that ``h=`` names, from the last up, then the signature's own without its proof."""
    fields = mail.fields(signature.headers)
    own = fields[_SIGNATURE]
    fields = {**fields, _SIGNATURE: [*own[:number], *own[number + 1 :]]}
    used = Counter[bytes]()
    chosen: list[bytes] = []
    for name in signature.names:
        key = name.encode()
        used[key] += 1
        there = fields.get(key, ())
        if used[key] <= len(there):
            chosen.append(there[-used[key]])
    chosen.append(canonical_header(_without_proof(mail.signatures[number]), signature.headers))
    return b"\r\n".join(chosen)


def _without_proof(header: bytes) -> bytes:
    """The header with nothing behind its ``b=``."""
    name, colon, value = header.partition(b":")
    return name + colon + b";".join(map(_emptied_if_proof, value.split(b";")))


def _emptied_if_proof(tag: bytes) -> bytes:
    name, equals, _ = tag.partition(b"=")
    return name + equals if name.strip(b" \t\r\n") == b"b" else tag
