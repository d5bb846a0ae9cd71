"""Sealed tokens: what a tracked link carries, so that nobody can read it, alter it or make one.

A token holds which mail, which person and where the link leads. It is sealed with AES-SIV (RFC 5297): no address can
be read in it, the same claim always gives the same token, and one changed bit makes it worthless. Its form::

    base64url( version (1 byte) | key id (4) | synthetic IV (16) | sealed claim )

The version, the key id and the purpose are authenticated with it, so that an open's token is no click's. Keys rotate
by id: put a new key in front, keep the old ones as long as their mails may be read, and take out a leaked one.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from enum import Enum
from typing import Any

from attrs import Attribute, field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .checks import ConfigurationError, MailError
from .errors import TokenError
from .identifiers import DeliveryId

LONGEST_TOKEN = 16_384
"""Characters; anything longer is refused unread. Web servers take request lines of about 8,000."""

_VERSION = b"\x01"
_KEY_OCTETS = 32
_KEY_ID_OCTETS = 4
_HEAD = len(_VERSION) + _KEY_ID_OCTETS

_UNCLEAN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_URL = re.compile(r"[hH][tT][tT][pP][sS]?://[^/?#\\]")

# A token is a multiple of four characters, so each of its bits counts, and there is one way only to write it. What is
# not in its alphabet becomes what no base64 has.
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")


class Purpose(bytes, Enum):
    """What a token is good for; it is refused everywhere else."""

    CLICK = b"click"
    OPEN = b"open"


@frozen
class Claim:
    """What a token says: this mail, to this person, leading there.

    Attributes:
        delivery_id: which mail.
        recipient: whom it was for.
        url: where the link leads, with ``http`` or ``https``; empty for a pixel.
        link: which link of the mail, where links are told apart; may be empty.

    Raises:
        MailError: a field cannot stand in a token; the message says what to change.
    """

    delivery_id: DeliveryId
    recipient: str
    url: str = ""
    link: str = ""

    def __attrs_post_init__(self) -> None:
        if type(self.delivery_id) is not DeliveryId:
            raise MailError(f"the delivery id {self.delivery_id!r} is no DeliveryId: write DeliveryId('...')")
        try:
            together = self.recipient + self.link + self.url
            # Whatever is printable is clean, and much faster to see.
            clean = together.isprintable() or not _UNCLEAN.search(together)
        except (TypeError, AttributeError) as error:
            raise MailError("a claim's recipient, link and url are text: decode them first") from error
        if not clean:
            raise MailError("a claim holds a control character, or half of a surrogate pair: take it out")
        if not self.recipient:
            raise MailError("a claim needs a recipient: say whom the mail was for")
        if self.url and not _URL.match(self.url):
            raise MailError(f"{self.url[:80]!r} is no link to follow: use http or https, with a host")


@frozen
class _Seal:
    """One key, ready for use: what its tokens begin with, and its cipher."""

    head: bytes
    cipher: AESSIV


def _keys(keys: Iterable[bytes]) -> tuple[bytes, ...]:
    # Checked before anything is derived from them, which attrs' validators come too late for.
    given: object = keys
    if isinstance(given, (bytes, bytearray, str)):
        raise ConfigurationError("Tokens takes several keys, the newest first: write Tokens((key,))")
    several = tuple(keys)
    if not several:
        raise ConfigurationError("Tokens needs a key: make one with secrets.token_bytes(32), and keep it secret")
    for number, key in enumerate(several, 1):
        if not isinstance(key, bytes):
            raise ConfigurationError(f"token key {number} is {type(key).__name__}: keys are bytes")
        if len(key) < _KEY_OCTETS:
            raise ConfigurationError(
                f"token key {number} has {len(key)} bytes: use at least {_KEY_OCTETS}, as secrets.token_bytes(32) makes"
            )
    return several


@frozen
class Tokens:
    """Issues and reads tokens. The first key seals; every key opens.

    Attributes:
        keys: secrets of at least 32 bytes, the newest first.

    Raises:
        ConfigurationError: there is no key, one is too short, or one is given twice.
    """

    keys: tuple[bytes, ...] = field(converter=_keys, repr=False)
    _seals: dict[bytes, _Seal] = field(init=False, repr=False, eq=False)
    _first: _Seal = field(init=False, repr=False, eq=False)

    @_seals.default
    def _all_seals(self) -> dict[bytes, _Seal]:
        seals = {seal.head: seal for seal in map(_seal, self.keys)}
        if len(seals) < len(self.keys):
            raise ConfigurationError("a token key is given twice: give each key once")
        return seals

    @_first.default
    def _sealing(self) -> _Seal:
        return next(iter(self._seals.values()))

    def issue(self, claim: Claim, /, purpose: Purpose = Purpose.CLICK) -> str:
        """The token for this claim: letters, digits, ``-`` and ``_``; always the same one.

        Raises:
            TokenError: the claim is too long to travel in a URL.
        """
        content = f"{claim.delivery_id}\0{claim.recipient}\0{claim.link}\0{claim.url}".encode()
        seal = self._first
        sealed = seal.head + seal.cipher.encrypt(content + _PADDING[len(content) % 3], [seal.head, purpose])
        token = b2a_base64(sealed, newline=False).translate(_URL_SAFE).decode("ascii")
        if len(token) > LONGEST_TOKEN:
            raise TokenError(f"the claim is too long for a token of {LONGEST_TOKEN} characters: shorten its URL")
        return token

    def read(self, token: str, /, purpose: Purpose = Purpose.CLICK) -> Claim:
        """What a token of ours says.

        Raises:
            TokenError: it is not one, for whatever reason; the reasons are not told apart.
        """
        if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
            raise TokenError(_NOT_OURS)
        try:
            sealed = a2b_base64(token.encode("ascii").translate(_STANDARD), strict_mode=True)
            seal = self._seals[sealed[:_HEAD]]
            content = seal.cipher.decrypt(sealed[_HEAD:], [seal.head, purpose])
        except (ValueError, KeyError, InvalidTag) as error:
            raise TokenError(_NOT_OURS) from error
        delivery_id, recipient, link, url = content.decode().split("\0", 4)[:4]
        return Claim(DeliveryId(delivery_id), recipient, url, link)


def are_tokens(_instance: object, _attribute: "Attribute[Any]", tokens: Tokens) -> None:
    """Refuse what is no `Tokens`; a validator for those that take them."""
    if not isinstance(tokens, Tokens):
        raise ConfigurationError(f"tokens is {type(tokens).__name__}: give it Tokens((key,))")


_NOT_OURS = "not a token of ours"

# Up to a multiple of three bytes, which base64 writes without padding; 21 bytes stand in front of it.
_PADDING = (b"", b"\0\0", b"\0")


def _seal(key: bytes) -> _Seal:
    """Derive what is used from what is given (RFC 5869): an id that may be seen, and a key for AES-256-SIV."""
    derived = HKDF(SHA256(), length=_KEY_ID_OCTETS + 64, salt=None, info=b"custom_smtp token 1").derive(key)
    head = _VERSION + derived[:_KEY_ID_OCTETS]
    return _Seal(head, AESSIV(derived[_KEY_ID_OCTETS:]))
