"""Tracking: a `Tracker` changes the links of a mail; a `TrackingEndpoint` answers whoever follows them.

A link is changed only where it is understood: its value is replaced, and no other character of the mail. Whatever is
left alone works as it did. A click leads where the mail led and nowhere else, since the target is sealed in the token.
"""

import re
from collections.abc import Callable
from typing import Any

from attrs import Attribute, evolve, field, frozen

from .checks import ConfigurationError
from .html import encode, scan
from .identifiers import DeliveryId
from .mail import Headers, Mail
from .plain_text import clickable
from .tokens import Claim, Purpose, Tokens, are_tokens
from .urls import followed, location, unfinished

LONGEST_TARGET = 5_600
"""Characters of a link's target; a longer one is left alone, since web servers take request lines of about 8,000."""

_Rewrite = Callable[[str], str | None]


def _base(url: str) -> str:
    return url.rstrip("/") if isinstance(url, str) else url


def _a_base(_instance: object, _attribute: "Attribute[Any]", url: str) -> None:
    if not isinstance(url, str) or not _BASE.fullmatch(url) or location(url) is None:
        # Nothing of it is repeated: it may hold a password.
        raise ConfigurationError(
            "the base URL cannot be one: write http or https, a host in ASCII, and a path if need be, such as "
            "'https://links.shop.example/t', without credentials, query, fragment or spaces"
        )


# RFC 3986 section 3.3 for the path; letters beyond ASCII would have to be encoded anew in each mail.
_BASE = re.compile(r"[hH][tT][tT][pP][sS]?://[A-Za-z0-9._\[\]:-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")


@frozen
class Tracker:
    """Leads the links of a mail over our own host, and lets its HTML load a pixel when it is opened.

    Tracked are links with ``http`` or ``https`` and a host, in the HTML (Outlook's conditional comments and VML
    included) and in the plain text. Left alone are all others, template placeholders, links to ``base_url`` itself,
    what the mail's List-Unsubscribe header names, and tags with ``data-track="off"`` (which is taken out).

    Attributes:
        base_url: where the `TrackingEndpoint` is found, such as ``https://links.shop.example``. Links to it are never
            tracked, so give it a host, or a path, of its own.
        tokens: what seals the links.
        opens: whether to add the pixel.
        clicks: whether to change the links.

    Raises:
        ConfigurationError: the base URL cannot be one.
    """

    base_url: str = field(converter=_base, validator=_a_base)
    tokens: Tokens = field(validator=are_tokens)
    opens: bool = field(default=True, kw_only=True)
    clicks: bool = field(default=True, kw_only=True)

    def track(self, mail: Mail, delivery_id: DeliveryId) -> Mail:
        """The mail with its links and pixel led over ``base_url``; tracked a second time, it stays as it is."""
        rewrite = self._rewrite(mail, delivery_id)
        html = None if mail.html is None else self._html(mail.html, rewrite, Claim(delivery_id, mail.to.email))
        text = None if mail.text is None else self._text(mail.text, rewrite)
        return mail if (html, text) == (mail.html, mail.text) else evolve(mail, html=html, text=text)

    def _rewrite(self, mail: Mail, delivery_id: DeliveryId) -> _Rewrite:
        """What becomes of a link in this mail: its new URL, or None to leave it alone."""
        kept = _unsubscribe_links(mail.headers)
        made: dict[str, str | None] = {}

        def rewrite(link: str) -> str | None:
            if link not in made:
                made[link] = self._tracked(link, kept, delivery_id, mail.to.email)
            return made[link]

        return rewrite

    def _tracked(self, link: str, kept: frozenset[str], delivery_id: DeliveryId, recipient: str) -> str | None:
        target = followed(link)
        if not self.clicks or target in kept or self._is_ours(target) or unfinished(target):
            return None
        leads_to = location(target)
        if leads_to is None or len(leads_to) > LONGEST_TARGET:
            return None
        return f"{self.base_url}/c/{self.tokens.issue(Claim(delivery_id, recipient, target))}"

    def _is_ours(self, target: str) -> bool:
        base = self.base_url
        return target[: len(base)].lower() == base.lower() and target[len(base) : len(base) + 1] in ("", *"/?#")

    def _html(self, html: str, rewrite: _Rewrite, claim: Claim) -> str:
        page = scan(html)
        edits = [(start, end, "") for start, end in page.opt_outs]
        edits += [
            (link.start, link.end, encode(url, link.quote))
            for link in page.links
            if not link.opted_out and (url := rewrite(link.url))
        ]
        if self.opens and (pixel := self._pixel(claim)) not in html:
            edits.append((page.end, page.end, pixel))
        return _spliced(html, sorted(edits))

    def _pixel(self, claim: Claim) -> str:
        url = encode(f"{self.base_url}/o/{self.tokens.issue(claim, Purpose.OPEN)}", _QUOTE)
        return f'<img src="{url}" width="1" height="1" alt="" style="border:0">'

    def _text(self, text: str, rewrite: _Rewrite) -> str:
        return _spliced(text, [(at.start, at.end, url) for at in clickable(text) if (url := rewrite(at.url))])


_QUOTE = '"'


def _spliced(text: str, edits: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end, new in edits:
        pieces += text[at:start], new
        at = end
    return "".join((*pieces, text[at:])) if edits else text


def _unsubscribe_links(headers: Headers) -> frozenset[str]:
    """The links of the mail's List-Unsubscribe header (RFC 2369): one click there must stay one click."""
    values = (value for name, value in headers if name.lower() == "list-unsubscribe")
    return frozenset(followed(link) for value in values for link in re.findall(r"<([^<>]*)>", value))
