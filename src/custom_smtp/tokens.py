"""Sealed tokens: what a tracked link carries, so that nobody can read it, alter it or make one.

A token holds which mail, which person and where the link leads. It is sealed with AES-SIV (RFC 5297): no address can
be read in it, the same claim always gives the same token, and one changed bit makes it worthless. Its form::

    base64url( version (1 byte) | key id (4) | synthetic IV (16) | sealed claim )

Each purpose has a key of its own, derived from the one that is given, so that an open's token is no click's.

Keys rotate by id: the first one seals, every one opens. To rotate, give all that read the new key behind the old one,
then put it in front where tokens are issued, and keep the old one for as long as its mails may be read. To retire a key
that leaked, do the same and take the leaked one out: what it sealed is refused from then on, whoever made it, and every
other link keeps working.

Where a URL must be short, see `custom_smtp.short_tokens`.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from attrs import Attribute, field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .checks import ConfigurationError, MailError
from .claims import Claim, Lead, Purpose
from .errors import TokenError
from .ports import Clock, LinkTokens
from .system import EPOCH, utc_now

__all__ = ["AGING", "LONGEST_TOKEN", "Claim", "Purpose", "Tokens", "are_tokens"]

LONGEST_TOKEN = 16_384
"""Characters; anything longer is refused unread. Web servers take request lines of about 8,000."""

AGING = frozenset({Purpose.CLICK, Purpose.OPEN})
"""What an age limit holds for: whoever finds an old mail may still unsubscribe by it."""

_VERSION = b"\x01"
_KEY_OCTETS = 32
_KEY_ID_OCTETS = 4
_CIPHER_OCTETS = 64  # AES-256-SIV takes two keys of 32
_HEAD = len(_VERSION) + _KEY_ID_OCTETS
_DAY = timedelta(days=1)


@frozen
class _Seal:
    """One key, ready for use: what its tokens begin with, and how it seals and opens them for each purpose."""

    head: bytes
    encrypt: dict[bytes, Callable[[bytes, None], bytes]]
    decrypt: dict[bytes, Callable[[bytes, None], bytes]]


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


def _whole_days(_instance: object, _attribute: "Attribute[Any]", limit: timedelta | None) -> None:
    if limit is not None and not (isinstance(limit, timedelta) and limit >= _DAY and not limit % _DAY):
        raise ConfigurationError(f"the age limit is {limit!r}: use whole days, such as timedelta(days=90), or None")


@frozen
class Tokens:
    """Issues and reads tokens (see `ports.LinkTokens`). The first key seals; every key opens.

    With an age limit, the day of issue (UTC) is sealed in, and a click's or an open's token is refused when more days
    have passed than that. Tokens that were issued without a limit bear no day and never grow old.

    Attributes:
        keys: secrets of at least 32 bytes, the newest first.
        age_limit: whole days; None, so that the same claim gives the same token on every day.
        clock: says which day it is, where there is a limit.

    Raises:
        ConfigurationError: there is no key, one is too short, or one is given twice; or the limit is not in days.
    """

    keys: tuple[bytes, ...] = field(converter=_keys, repr=False)
    age_limit: timedelta | None = field(default=None, validator=_whole_days, kw_only=True)
    clock: Clock = field(default=utc_now, kw_only=True)
    _seals: dict[bytes, _Seal] = field(init=False, repr=False, eq=False)
    _first: _Seal = field(init=False, repr=False, eq=False)

    @property
    def waits(self) -> bool:
        """Never (see `ports.waits`)."""
        return False

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
            MailError: that is no purpose.
        """
        content = claim.packed()
        if self.age_limit is not None:
            [(content, _)] = self._dated([(content, purpose)])
        try:
            sealed = self._first.encrypt[purpose](content + _PADDING[len(content) % 3], None)
        except (KeyError, TypeError) as error:
            raise MailError(_NO_PURPOSE) from error
        token = b2a_base64(self._first.head + sealed, newline=False).translate(_URL_SAFE).decode()
        if len(token) > LONGEST_TOKEN:
            raise TokenError(_TOO_LONG)
        return token

    def issue_all(self, asked: Iterable[tuple[Claim, Sequence[Lead]]], /) -> list[str]:
        """The tokens of one mail, or of several, in the order of their leads.

        Args:
            asked: which mail and whom it is for, and the leads of its tokens. The claim's own link plays no part.

        Raises:
            TokenError: a claim is too long to travel in a URL.
            MailError: a lead is for no purpose.
        """
        contents: list[tuple[bytes, Purpose]] = []
        for claim, leads in asked:
            before, behind = claim.around()
            contents += [(before + lead.packed + behind, lead.purpose) for lead in leads]
        return self._sealed(contents)

    def _sealed(self, contents: Iterable[tuple[bytes, Purpose]]) -> list[str]:
        """The token for each content and purpose; all of them are written in one go."""
        head, encrypt = self._first.head, self._first.encrypt
        if self.age_limit is not None:
            contents = self._dated(contents)
        try:
            lines = [
                b2a_base64(head + encrypt[purpose](content + _PADDING[len(content) % 3], None))
                for content, purpose in contents
            ]
        except (KeyError, TypeError) as error:
            raise MailError(_NO_PURPOSE) from error
        together = b"".join(lines)
        if len(together) > LONGEST_TOKEN and any(len(line.rstrip()) > LONGEST_TOKEN for line in lines):
            raise TokenError(_TOO_LONG)
        return together.translate(_URL_SAFE).decode().split("\n")[:-1]

    def _dated(self, contents: Iterable[tuple[bytes, Purpose]]) -> Iterator[tuple[bytes, Purpose]]:
        """With the day of issue in front, where that counts."""
        day = b"%d%b" % (self._today(), _DATED)
        for content, purpose in contents:
            yield (day + content if purpose in AGING else content), purpose

    def read(self, token: str, /, purpose: Purpose = Purpose.CLICK) -> Claim:
        """What a token of ours says.

        Raises:
            TokenError: it is not one. The reasons are not told apart, but for ``expired``: ours, and too old.
        """
        try:
            if len(token) > LONGEST_TOKEN:
                raise TokenError(_NOT_OURS)
            sealed = a2b_base64(token.encode().translate(_STANDARD), strict_mode=True)
            seal = self._seals[sealed[:_HEAD]]
            content = seal.decrypt[purpose](sealed[_HEAD:], None)
        except (ValueError, KeyError, InvalidTag, TypeError, AttributeError) as error:
            raise TokenError(_NOT_OURS) from error
        return Claim.unpacked(self._of_age(content) if _DATED in content else content)

    def _of_age(self, content: bytes) -> bytes:
        """The claim in a content with the day of its issue in front; `TokenError` if that is too long ago."""
        day, _, claim = content.partition(_DATED)
        if self.age_limit is not None and self._today() - int(day) > self.age_limit // _DAY:
            raise TokenError(_NOT_OURS, expired=True)
        return claim

    def _today(self) -> int:
        return (self.clock() - EPOCH) // _DAY


def are_tokens(_instance: object, _attribute: "Attribute[Any]", tokens: LinkTokens) -> None:
    """Refuse what cannot issue and read tokens; a validator for those that take them."""
    if not all(callable(getattr(tokens, name, None)) for name in ("issue", "issue_all", "read")):
        raise ConfigurationError(f"tokens is {type(tokens).__name__}: give it Tokens((key,)), or ShortTokens")


_NOT_OURS = "not a token of ours"
_NO_PURPOSE = "that is no purpose: use Purpose.CLICK, OPEN or UNSUBSCRIBE"
_TOO_LONG = f"the claim is too long for a token of {LONGEST_TOKEN} characters: shorten its URL"

# Between the day of issue, in days since 1970, and its claim, in which no line break can be.
_DATED = b"\n"

# Up to a multiple of three bytes, which base64 writes without padding; 21 bytes stand in front of it.
_PADDING = (b"", b"\0\0", b"\0")

# So each bit of a token counts, and there is one way only to write it. What is not in its alphabet becomes what no
# base64 has.
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")


def _seal(key: bytes) -> _Seal:
    """Derive what is used from what is given (RFC 5869): an id that may be seen, and keys for AES-256-SIV."""

    def derived(name: bytes, octets: int) -> bytes:
        return HKDF(SHA256(), length=octets, salt=None, info=b"custom_smtp token 1 " + name).derive(key)

    ciphers: dict[bytes, AESSIV] = {purpose: AESSIV(derived(purpose, _CIPHER_OCTETS)) for purpose in Purpose}
    return _Seal(
        _VERSION + derived(b"id", _KEY_ID_OCTETS),
        {purpose: cipher.encrypt for purpose, cipher in ciphers.items()},
        {purpose: cipher.decrypt for purpose, cipher in ciphers.items()},
    )
