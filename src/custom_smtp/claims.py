"""What a tracked link says of itself: which mail, which person, where it leads; and what it is good for."""

import re
from enum import Enum
from typing import Self

from attrs import field, frozen

from .checks import MailError
from .identifiers import DeliveryId

_UNCLEAN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_URL = re.compile(r"[hH][tT][tT][pP][sS]?://[^/?#\\]")


HONEYPOT = "honeypot"
"""The `Claim.link` of a link that no person sees: whoever follows it is a machine."""


class Purpose(bytes, Enum):
    """What a token is good for; it is refused everywhere else."""

    CLICK = b"click"
    OPEN = b"open"
    UNSUBSCRIBE = b"unsubscribe"

    __hash__ = bytes.__hash__  # an Enum's own is asked for with each token, and slower


@frozen
class Lead:
    """What a link of a mail is good for, and where it leads: what its token says beside whom it was for.

    Attributes:
        purpose: what its token is for.
        url: where it leads; empty for the pixel.
        link: the id of the link; empty for the pixel.
        packed: the id and the URL, as `Claim.packed` has them.

    Raises:
        MailError: a field cannot stand in a token; the message says what to change.
    """

    purpose: Purpose
    url: str = ""
    link: str = ""
    packed: bytes = field(init=False, repr=False, eq=False)

    @packed.default
    def _together(self) -> bytes:
        _require_sealable(self.url, self.link)
        return f"{self.link}\0{self.url}".encode()


@frozen(slots=False)  # `unpacked` fills it at once
class Claim:
    """What a token says: this mail, to this person, leading there.

    An individual claim names the mail and the person. An aggregate one names neither, so that its token is the same
    for everybody and nobody can be told from it: ``Claim(None, url=..., campaign=...)``.

    Attributes:
        delivery_id: which mail; None in an aggregate claim.
        recipient: whom it was for; empty in an aggregate claim.
        url: where the link leads, with ``http`` or ``https``; empty for a pixel.
        link: which link of the mail, where links are told apart; may be empty.
        campaign: of which campaign the mail was; may be empty.

    Raises:
        MailError: a field cannot stand in a token; the message says what to change.
    """

    delivery_id: DeliveryId | None
    recipient: str = ""
    url: str = ""
    link: str = ""
    campaign: str = ""

    def __attrs_post_init__(self) -> None:
        _require_sealable(self.url, self.link, self.recipient, self.campaign)
        if type(self.delivery_id) is not DeliveryId or not self.recipient:
            _must_be_aggregate(self.delivery_id, self.recipient)

    def packed(self) -> bytes:
        """Its words with a NUL between them, for a seal to hide; no byte of it is a line break."""
        words = "\0".join((self.delivery_id or "", self.recipient, self.link, self.url))
        return (f"{words}\0{self.campaign}" if self.campaign else words).encode()

    def around(self) -> tuple[bytes, bytes]:
        """What `packed` has before and behind a `Lead`, whatever this claim's own link is."""
        whom = f"{self.delivery_id or ''}\0{self.recipient}\0".encode()
        return whom, f"\0{self.campaign}".encode() if self.campaign else b""

    @classmethod
    def unpacked(cls, content: bytes, /) -> Self:
        """What was `packed`, with any number of NULs behind it.

        It was checked when it was made, and is not again: only what a seal has proven may be given.
        """
        words = content.decode().split("\0")
        claim = _made(cls)
        fields = claim.__dict__
        fields["delivery_id"] = _written(DeliveryId, words[0]) if words[0] else None
        fields["recipient"] = words[1]
        fields["url"] = words[3]
        fields["link"] = words[2]
        fields["campaign"] = words[4] if len(words) > 4 else ""
        return claim


# Each asked for once, and not with each token.
_made, _written = object.__new__, str.__new__


def _require_sealable(url: str, *words: str) -> None:
    try:
        together = "".join((url, *words))
        # Whatever is printable is clean, and much faster to see.
        clean = together.isprintable() or not _UNCLEAN.search(together)
    except TypeError as error:
        raise MailError("a claim's recipient, url, link and campaign are text: decode them first") from error
    if not clean:
        raise MailError("a claim holds a control character, or half of a surrogate pair: take it out")
    if url and not _URL.match(url):
        raise MailError(f"{url[:80]!r} is no link to follow: use http or https, with a host")


def _must_be_aggregate(delivery_id: object, recipient: str) -> None:
    if delivery_id is None and not recipient:
        return
    if delivery_id is None:
        raise MailError("a claim with a recipient needs its delivery id too; an aggregate claim has neither")
    if type(delivery_id) is not DeliveryId:
        raise MailError(f"the delivery id {delivery_id!r} is no DeliveryId: write DeliveryId('...')")
    raise MailError("a claim with a delivery id needs its recipient too: say whom the mail was for")
