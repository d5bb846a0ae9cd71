"""Those who read the mails, people and machines: each takes the links and the pixel from the mail that was received."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from html.parser import HTMLParser
from itertools import count

from attrs import frozen

from ..html import scan
from ..testing.fakes import FrozenClock
from .script import Part, Reads
from .times import BETWEEN, PREFETCHED, SCANNED, read_at, sent_at
from .web import ask

_BROWSER = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1"
)
_GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
_APPLE = "Mozilla/5.0"
_FILTER = "Mozilla/5.0 (compatible; MailFilter/7.2)"

_LOADS_THE_PIXEL_AS = {Reads.IN_A_BROWSER: _BROWSER, Reads.BY_GMAIL: _GMAIL, Reads.PREFETCHED: _APPLE}

_URL = re.compile(r"https?://[^\s)]+")


def read(part: Part, content: bytes, clock: FrozenClock) -> Iterator[str]:
    """Play this person's part with the mail they received; tell of each link that led elsewhere than it was written.

    Args:
        part: the person, and what they do.
        content: the mail.
        clock: what the tracking endpoint takes for the time.

    Raises:
        OSError: the tracking endpoint cannot be reached.
    """
    moments = iter(read_at(part) + BETWEEN * number for number in count())
    for way in part.role.reads:
        clock.now = sent_at(part) + _MACHINES[way] if way in _MACHINES else next(moments)
        if agent := _LOADS_THE_PIXEL_AS.get(way):
            yield from _load(_html(_body(content, "html")).pixel, agent)
        if way is Reads.SCANNED:
            yield from _scan(part, content)
    for words in part.role.follows:
        clock.now = next(moments)
        yield from _follow(_received(part, content, words), "GET", _BROWSER)


_MACHINES = {Reads.SCANNED: SCANNED, Reads.PREFETCHED: PREFETCHED}
"""How long after it was sent a machine looks at a mail."""


def _load(pixel: str, agent: str) -> Iterator[str]:
    if (status := ask(pixel, user_agent=agent).status) != 200:
        yield f"the pixel {pixel or 'is not there:'} answered {status}"


def leads_to(part: Part, words: str) -> str:
    """Where the link with these words leads, as the mail was written."""
    mail = part.mail
    if Reads.AS_TEXT in part.role.reads:
        return next(found[0] for found in _URL.finditer(mail.text or "") if found[0].startswith(words))
    return _html(mail.html or "").links[words]


@frozen
class _Link:
    """A link as it was received, and where it was written to lead."""

    url: str
    leads_to: str


def _received(part: Part, content: bytes, words: str) -> _Link:
    """The link with these words, as the mail that was received holds it; without a URL if it does not."""
    target = leads_to(part, words)
    if Reads.AS_TEXT in part.role.reads:
        written = _URL.findall(part.mail.text or "")
        return _Link(_URL.findall(_body(content, "plain"))[written.index(target)], target)
    return _Link(_html(_body(content, "html")).links.get(words, ""), target)


def _scan(part: Part, content: bytes) -> Iterator[str]:
    """A filter looks at every link there is, those for Outlook included."""
    written = scan(part.mail.html or "").links
    received = scan(_body(content, "html")).links
    for link in {_Link(now.url, then.url) for now, then in zip(received, written, strict=True)}:
        if link.leads_to.startswith("http"):
            yield from _follow(link, "HEAD", _FILTER)


def _follow(link: _Link, method: str, agent: str) -> Iterator[str]:
    reply = ask(link.url, method, user_agent=agent)
    if (reply.status, reply.location) != (302, link.leads_to):
        yield f"{method} {link.url} answered {reply.status} {reply.location}, and not {link.leads_to}"


def _body(content: bytes, kind: str) -> str:
    part = message_from_bytes(content, policy=policy.default).get_body((kind,))
    return "" if part is None else str(part.get_content())


def _html(text: str) -> "_Page":
    page = _Page()
    page.feed(text)
    page.close()
    return page


class _Page(HTMLParser):
    """A mail's HTML as a browser reads it: its links by the words on them, and its pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.pixel = ""
        self._href = ""
        self._words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "a":
            self._href, self._words = told.get("href") or "", ""
        elif tag == "img" and told.get("width") == "1":
            self.pixel = told.get("src") or ""

    def handle_data(self, data: str) -> None:
        self._words += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self.links[" ".join(self._words.split())] = self._href
