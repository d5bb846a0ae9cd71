"""The delivery id in a short signed form: in the return address (VERP), the envelope id and a header of each mail.

What comes back about a mail, a bounce or a complaint, brings one of them back. The form is short enough for the local
part of an address, survives being folded to lower case or capitals on its way, and cannot be made by anybody else: so a
report that carries one speaks of a mail of ours. Its form::

    base32( how the id is packed (1 byte) | the id | HMAC-SHA256 of both (the first 10 bytes) )

Eighty bits of a MAC that can only be tried by sending a mail for each try are not to be guessed (RFC 2104 section 5).
"""

import re
from base64 import b32decode, b32encode
from binascii import Error as NotBase32
from functools import lru_cache
from hmac import compare_digest, digest

from attrs import frozen
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .addresses import Address
from .checks import ConfigurationError, MailError
from .headers import Headers
from .identifiers import DeliveryId
from .tokens import Tokens

LONGEST_ENVELOPE_ID = 100
"""Octets of an ENVID (RFC 3461 section 4.4)."""

LONGEST_LOCAL_PART = 64
"""Octets in front of the ``@`` (RFC 5321 section 4.5.3.1.1)."""

HEADER = "X-Delivery"
"""Where the signed form travels with a mail, for reports that bring nothing back but its header."""

_MAC_OCTETS = 10
_TEXT, _HEX, _UUID = 0, 1, 2

_HEX_ID = re.compile(r"(?:[0-9a-f]{2})+")
_UUID_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SHORTEST = 20  # letters of the shortest form: twelve octets
_FORM = re.compile(rf"(?<![a-z2-7])[a-z2-7]{{{_SHORTEST},{LONGEST_ENVELOPE_ID}}}(?![a-z2-7])")
_LOOKED_AT = 4096  # characters of a text that is looked through
_MOST_TRIED = 20


def signed(delivery_id: DeliveryId, tokens: Tokens) -> str:
    """The short signed form of an id: lower-case letters and the digits 2 to 7. The first of the tokens' keys signs."""
    content = _packed(delivery_id)
    return b32encode(content + _mac(content, _derived(tokens)[0])).decode().rstrip("=").lower()


def return_address(delivery_id: DeliveryId, domain: str, tokens: Tokens, *, prefix: str = "bounces") -> Address:
    """The address that failures of this mail are reported to, such as ``bounces-ae3d...@bounces.shop.example``.

    Args:
        delivery_id: which mail.
        domain: where that mail is taken in. Give it a mailbox for every local part, or for all with this prefix.
        tokens: whose first key signs.
        prefix: what stands in front, so that the mailbox's own server can tell these addresses from others.

    Raises:
        MailError: the id is too long for an address, or prefix and domain make none.
    """
    local = f"{prefix}-{signed(delivery_id, tokens)}"
    if len(local) > LONGEST_LOCAL_PART:
        raise MailError(
            f"the delivery id {delivery_id} is too long for a return address, whose local part would have {len(local)} "
            f"octets of {LONGEST_LOCAL_PART}: use ids of hexadecimal digits, as new_delivery_id makes, or UUIDs"
        )
    return Address(f"{local}@{domain}")


def envelope_id(delivery_id: DeliveryId, tokens: Tokens) -> str:
    """What a server with DSN gives back as Original-Envelope-Id; the id as it is where its form would be too long."""
    form = signed(delivery_id, tokens)
    return form if len(form) <= LONGEST_ENVELOPE_ID else delivery_id


def delivery_id_in(text: str, tokens: Tokens) -> DeliveryId | None:
    """The id whose signed form stands in a text, whatever became of its case; None where none of ours does."""
    keys = _derived(tokens)
    for number, found in enumerate(_FORM.finditer(text[:_LOOKED_AT].lower())):
        if number == _MOST_TRIED:
            break
        if (delivery_id := _opened(found[0], keys)) is not None:
            return delivery_id
    return None


@frozen
class ReturnAddresses:
    """Gives each mail a return address, an envelope id and a header of its own: a part of `Preparation`.

    Attributes:
        domain: where what comes back is taken in; see `return_address`.
        tokens: whose first key signs; `custom_smtp.bounces.read` takes them too.
        prefix: what the addresses begin with.

    Raises:
        ConfigurationError: they make no address, or one too long for our own ids.
    """

    domain: str
    tokens: Tokens
    prefix: str = "bounces"

    def __attrs_post_init__(self) -> None:
        try:
            self.address(DeliveryId("0" * 24))
        except MailError as error:
            raise ConfigurationError(f"no return address can be made with these: {error}") from error

    def address(self, delivery_id: DeliveryId) -> Address:
        """Where failures of this mail are reported.

        Raises:
            MailError: the id is too long.
        """
        return return_address(delivery_id, self.domain, self.tokens, prefix=self.prefix)

    def mark(self, headers: Headers, delivery_id: DeliveryId, /) -> Headers:
        """The headers with the signed form among them."""
        return (*headers, (HEADER, signed(delivery_id, self.tokens)))


def _packed(delivery_id: DeliveryId) -> bytes:
    if _HEX_ID.fullmatch(delivery_id):
        return bytes((_HEX,)) + bytes.fromhex(delivery_id)
    if _UUID_ID.fullmatch(delivery_id):
        return bytes((_UUID,)) + bytes.fromhex(delivery_id.replace("-", ""))
    return bytes((_TEXT,)) + delivery_id.encode("ascii")


def _unpacked(content: bytes) -> DeliveryId | None:
    how, packed = content[0], content[1:]
    if how == _HEX:
        return DeliveryId(packed.hex())
    if how == _UUID:
        digits = packed.hex()
        return DeliveryId("-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])))
    return DeliveryId(packed.decode("ascii"))


def _opened(form: str, keys: tuple[bytes, ...]) -> DeliveryId | None:
    try:
        sealed = b32decode(form.upper() + "=" * (-len(form) % 8))
    except NotBase32:
        return None
    content, mac = sealed[:-_MAC_OCTETS], sealed[-_MAC_OCTETS:]
    if b32encode(sealed).decode().rstrip("=").lower() != form:
        # Of the last letter some bits may count for nothing: one way only to write a form.
        return None
    if any(compare_digest(_mac(content, key), mac) for key in keys):
        return _unpacked(content)
    return None


def _mac(content: bytes, key: bytes) -> bytes:
    return digest(key, content, "sha256")[:_MAC_OCTETS]


@lru_cache(maxsize=16)
def _derived(tokens: Tokens) -> tuple[bytes, ...]:
    """Keys of its own, so that no token of a link is ever good for a bounce (RFC 5869)."""
    return tuple(HKDF(SHA256(), 32, None, b"custom_smtp return address 1").derive(key) for key in tokens.keys)
