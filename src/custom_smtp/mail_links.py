"""A mail looked through once: every link of its HTML, its text and its AMP parts, and what tracking changes in it."""

import re
from collections.abc import Iterable
from enum import Enum

from attrs import define, field, frozen

from .claims import HONEYPOT, Lead, Purpose
from .finished import Sendable
from .html import Link, encode, scan, tags
from .link_rules import Choice, LinkChooser, Skip, Way
from .mail import Mail
from .pieces import Cut
from .plain_text import TextLink, clickable
from .urls import around_a_parameter


class Part(Enum):
    """Where in a mail a link stands."""

    HTML = "html"
    TEXT = "text"
    AMP = "amp"


@frozen(kw_only=True)
class SeenLink:
    """One link of a mail, and what becomes of it.

    Attributes:
        part: where it stands.
        start: where its value begins there.
        end: where that ends.
        url: the value, as programs take it.
        link: its id, by which reports tell it from the others, even from those to the same URL: what its tag says in
            ``data-track-id``, or else its place in its part, ``3`` in the HTML, ``t3`` in the text.
        skipped: why it is left alone; None where it is tracked.
        way: how it is led.
        target: where it leads in the end, with what is added to it; empty where it is left alone.
    """

    part: Part
    start: int
    end: int
    url: str
    link: str
    skipped: Skip | None
    way: Way
    target: str

    @property
    def tracked(self) -> bool:
        """Whether clicks on it are counted."""
        return self.skipped is None

    def __str__(self) -> str:
        done = f"tracked, {self.way.value}" if self.skipped is None else f"left alone: {self.skipped.value}"
        return f"{self.part.value} link {self.link}, {self.url}: {done}"


PIXEL = Lead(Purpose.OPEN)
"""What the pixel's token is for."""

TRAP = Lead(Purpose.CLICK, link=HONEYPOT)
"""The hidden link, which leads nowhere."""

Change = Cut[Lead]


@frozen(kw_only=True)
class MailLinks:
    """What is found in a mail, and what tracking changes there.

    Attributes:
        chooser: what became of each was asked of it.
        links: every link, in the order of the HTML, the text, and AMP parts.
        removals: opt-outs in the HTML, which no reader has to see.
        in_html: what changes where clicks are tracked.
        in_text: the same, in the text.
        pixel: what changes where opens are tracked; None where the HTML takes no pixel, or there is none.
        trap: what changes where a hidden link is asked for; None where there is no pixel either.
    """

    chooser: LinkChooser
    links: tuple[SeenLink, ...]
    removals: tuple[Change, ...]
    in_html: tuple[Change, ...]
    in_text: tuple[Change, ...]
    pixel: Change | None
    trap: Change | None


def look_through(mail: Sendable, chooser: LinkChooser) -> MailLinks:
    """Find every link of a mail, ask what becomes of it, and note what tracking changes."""
    search = _Search(chooser)
    if mail.html is not None:
        search.html(mail.html)
    if mail.text is not None:
        search.text(mail.text)
    if mail.amp is not None:
        search.amp(mail.amp)
    for attachment in mail.attachments if isinstance(mail, Mail) else ():
        if attachment.content_type.lower().startswith(_AMP_TYPE):
            search.amp(attachment.content.decode("utf-8", "replace"))
    return MailLinks(
        chooser=chooser,
        links=tuple(search.links),
        removals=tuple(search.removals),
        in_html=tuple(search.in_html),
        in_text=tuple(search.in_text),
        pixel=search.pixel,
        trap=search.trap,
    )


@define
class _Search:
    """A mail while it is looked through, part by part."""

    chooser: LinkChooser
    links: list[SeenLink] = field(factory=list)
    removals: list[Change] = field(factory=list)
    in_html: list[Change] = field(factory=list)
    in_text: list[Change] = field(factory=list)
    pixel: Change | None = None
    trap: Change | None = None

    def html(self, html: str) -> None:
        if _is_amp(html):
            self.amp(html, Part.HTML)
            return
        page = scan(html)
        self.removals += [Cut(start, end) for start, end in page.opt_outs]
        names = _names(html, page.links)
        for place, link in enumerate(page.links, 1):
            name = names.get(link.start) or str(place)
            self._take(Part.HTML, link, name, Skip.OPTED_OUT if link.opted_out else None)
        self.pixel = _PIXEL_TAG.at(page.end, self.chooser.base_url)
        self.trap = _TRAP_TAG.at(page.end, self.chooser.base_url)

    def text(self, text: str) -> None:
        for place, link in enumerate(clickable(text, doubtful=True), 1):
            self._take(Part.TEXT, link, f"t{place}")

    def amp(self, html: str, part: Part = Part.AMP) -> None:
        for place, link in enumerate(scan(html).links, 1):
            self._take(part, link, f"a{place}" if part is Part.AMP else str(place), Skip.AMP_PART)

    def _take(self, part: Part, link: Link | TextLink, name: str, skipped: Skip | None = None) -> None:
        choice = self.chooser.choose(link.url, name) if skipped is None else Choice(skipped)
        if choice.skipped is None and isinstance(link, TextLink) and link.doubtful:
            choice = Choice(Skip.DOUBTFUL)
        if choice.skipped is None:
            changes = self.in_html if part is Part.HTML else self.in_text
            changes.append(led(link, name, choice, self.chooser))
        self.links.append(
            SeenLink(
                part=part,
                start=link.start,
                end=link.end,
                url=link.url,
                link=name,
                skipped=choice.skipped,
                way=choice.way,
                target=choice.target,
            )
        )


def led(link: Link | TextLink, name: str, choice: Choice, chooser: LinkChooser) -> Change:
    """What leads a link as it was chosen.

    Args:
        link: where it stands.
        name: its id.
        choice: what becomes of it.
        chooser: who chose.
    """
    front, back = f"{chooser.base_url}/c/", ""
    if choice.way is Way.APP:
        front, back = around_a_parameter(choice.target)
        front += f"{chooser.app_parameter}="
    if isinstance(link, Link):
        front, back = encode(front, link.quote), encode(back, link.quote)
    return Cut(link.start, link.end, front, Lead(Purpose.CLICK, choice.target, name), back)


def _names(html: str, links: Iterable[Link]) -> dict[int, str]:
    """What the tags of links say in ``data-track-id``, by where the link's value begins."""
    if _ID_ATTRIBUTE not in html:
        return {}
    names: dict[int, str] = {}
    left = iter(tags(html))
    for link in links:
        tag = next((each for each in left if each.end > link.start), None)
        if tag is not None:
            name = tag.attributes().get(_ID_ATTRIBUTE, "").strip()
            names[link.start] = name if name.isprintable() and name != HONEYPOT else ""
    return names


_ID_ATTRIBUTE = "data-track-id"

_AMP_TYPE = "text/x-amp-html"
# https://amp.dev/documentation/guides-and-tutorials/email/learn/email-spec/amp-email-format: the mark on its root.
_AMP_MARK = "4email"
_NEAR_THE_BEGINNING = 4_000
_AMP = re.compile(rf"<html\s(?:[^<>]*[\s\"'])?(?:\u26a1\ufe0f?|amp){_AMP_MARK}(?![\w-])", re.IGNORECASE)


def _is_amp(html: str) -> bool:
    """Whether its root says so, which stands near the beginning."""
    return html.find(_AMP_MARK, 0, _NEAR_THE_BEGINNING) >= 0 and _AMP.search(html, 0, _NEAR_THE_BEGINNING) is not None


@frozen
class _Tag:
    """A tag of ours, around the token of its slot."""

    front: str
    path: str
    slot: Lead
    back: str

    def at(self, place: int, base_url: str) -> Change:
        return Cut(place, place, self._front(base_url), self.slot, self.back)

    def tokens_in(self, html: str, base_url: str) -> list[str]:
        front = self._front(base_url)
        return re.findall(f"{re.escape(front)}([A-Za-z0-9_-]+){re.escape(self.back)}", html) if front in html else []

    def _front(self, base_url: str) -> str:
        return self.front + encode(f"{base_url}{self.path}", '"')


# Not hidden, which keeps some programs from loading it; no wider and higher than it must be, and silent when read out.
_PIXEL_TAG = _Tag('<img src="', "/o/", PIXEL, '" width="1" height="1" alt="" style="border:0">')

# Without any extent, whatever the mail's own styles make of links; nobody gets there by keys, and none is read out.
_TRAP_TAG = _Tag(
    '<a href="',
    "/c/",
    TRAP,
    '" aria-hidden="true" tabindex="-1" '
    'style="display:inline-block;width:0;height:0;margin:0;border:0;padding:0;overflow:hidden"></a>',
)


def pixel_tokens(html: str, base_url: str) -> list[str]:
    """The tokens of the pixels that stand in it already: a mail that was tracked, or one that quotes such a mail."""
    return _PIXEL_TAG.tokens_in(html, base_url)


def trap_tokens(html: str, base_url: str) -> list[str]:
    """The tokens of the hidden links that stand in it already."""
    return _TRAP_TAG.tokens_in(html, base_url)
