"""Which links of a campaign's mails are the same link, though each person's has a URL of its own.

Two mails made from one template have their links in the same places. So a link is told by its place wherever the links
of a mail look like those of the first mail: the same hosts, the same depth of path, the same names of parameters, in
the same order. Elsewhere it is told by its URL.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from attrs import field, frozen

from ._report_preview import readable
from .archive import Copy
from .errors import TokenError
from .html import scan
from .identifiers import DeliveryId
from .tokens import Claim, Tokens


def claim_of(url: str, tokens: Tokens | None) -> Claim | None:
    """What a tracked link of ours says; None for any other."""
    if tokens is None:
        return None
    try:
        return tokens.read(url.rpartition("/")[2])
    except TokenError:
        return None


@frozen
class SameLinks:
    """Knows each link of a campaign by the URL that it has in the first mail.

    Attributes:
        copies: the campaign's mails, the first of which is shown.
        tokens: what sealed their links.
    """

    copies: tuple[Copy, ...] = field(repr=False)
    tokens: Tokens | None = None
    _by_id: Mapping[DeliveryId, Copy] = field(init=False, repr=False)
    _first: Sequence[str] = field(init=False, repr=False)
    _renamed: dict[DeliveryId, dict[str, str]] = field(factory=dict, init=False, repr=False)

    @_by_id.default
    def _each(self) -> Mapping[DeliveryId, Copy]:
        return {copy.delivery_id: copy for copy in self.copies}

    @_first.default
    def _shown(self) -> Sequence[str]:
        return self._targets(self.copies[0]) if self.copies else ()

    def name(self, delivery_id: DeliveryId | None, url: str) -> str:
        """The URL that this link of this mail has in the first one."""
        copy = None if delivery_id is None else self._by_id.get(delivery_id)
        if copy is None or url in self._first:
            return url
        if copy.delivery_id not in self._renamed:
            self._renamed[copy.delivery_id] = self._names_in(copy)
        return self._renamed[copy.delivery_id].get(url, url)

    def _names_in(self, copy: Copy) -> dict[str, str]:
        targets = self._targets(copy)
        alike = list(map(_looks, targets)) == list(map(_looks, self._first))
        return dict(zip(targets, self._first, strict=True)) if alike else {}

    def _targets(self, copy: Copy) -> Sequence[str]:
        """Where the mail's tracked links lead, in order, each once."""
        if self.tokens is None:
            return ()
        _, text = readable(copy.content)
        claims = (claim_of(link.url, self.tokens) for link in scan(text).links)
        return tuple(dict.fromkeys(claim.url for claim in claims if claim is not None))


def _looks(url: str) -> object:
    try:
        parts = urlsplit(url)
        return parts.netloc, parts.path.count("/"), [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    except ValueError:
        return url
