"""The plain text of an HTML mail, for readers and programs that show no HTML: readable, with its links kept.

Text, lists, quotations, tables and headings keep their order and their lines; what no reader sees (styles, comments,
hidden preheaders, what is for Outlook alone) is left out. A link stands behind its words: ``Your order <https://...>``.
"""

import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Self

from attrs import define, field

from .html import Tag, tags
from .urls import followed, unfinished

_SPACE = re.compile(r"[ \t\n\f\r]+")
_COMMENT_END = re.compile(r"--!?>")
_NOT_SHOWN = re.compile(r"<(?:[!?/][^>]*>|[!?/][^>]*\Z)")
_WITHOUT_TEXT = frozenset(
    [
        "head",
        "style",
        "script",
        "title",
        "textarea",
        "select",
        "option",
        "template",
        "object",
        "iframe",
        "noembed",
        "noframes",
        "audio",
        "video",
        "canvas",
        "svg",
        "math",
        "map",
    ]
)
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_HIDDEN = re.compile(
    r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all"
    r"|(?:max-height|font-size)\s*:\s*0+(?:\.0+)?(?:px|pt|em|rem|%)?\s*(?:!important\s*)?(?:;|$))",
    re.IGNORECASE,
)
"""Styles by which newsletters hide the words that stand beside the subject in a list of mails."""

_LINES_AROUND = dict.fromkeys(
    [
        "address",
        "article",
        "aside",
        "body",
        "center",
        "dd",
        "details",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "html",
        "legend",
        "li",
        "main",
        "nav",
        "optgroup",
        "section",
        "summary",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "caption",
    ],
    1,
) | dict.fromkeys(["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "menu", "ol", "p", "pre", "table", "ul"], 2)
"""Elements that stand on lines of their own: 1 for a new line before and after, 2 for an empty one."""

_CELLS = frozenset(("td", "th"))
_LISTS = frozenset(("ul", "ol", "menu", "dir"))
_PLACEHOLDER = re.compile(r"\{\{[^{}<>]*\}\}")
_LEADING_OUT = re.compile(r"(?:https?://|mailto:|tel:|sms:)[^\s<>]+", re.IGNORECASE)
"""What leads out of the mail."""

_DEEPEST = 20  # levels of lists and quotations that are still indented


def text_of(html: str) -> str:
    """The text of an HTML page or of a part of one, in lines that end with a line feed; empty where it has none.

    Time grows with the length alone, whatever the HTML is like. Lines are as long as the paragraphs: mail programs
    wrap them.
    """
    page = _without_comments(html)
    writer = _Writer()
    at = 0
    for tag in tags(page):
        if tag.start >= at:
            writer.read(page[at : tag.start])
            writer.meet(tag)
        at = max(at, tag.end)
    if not writer.left_out:
        writer.read(page[at:])
    return writer.whole()


def _without_comments(html: str) -> str:
    """Comments are gone, with what is for Outlook alone; what stands between two revealed conditions stays."""
    pieces: list[str] = []
    at = 0
    while (begin := html.find("<!--", at)) >= 0:
        pieces.append(html[at:begin])
        if html.startswith((">", "->"), begin + 4):
            end = html.index(">", begin) + 1
        else:
            found = _COMMENT_END.search(html, begin + 4)
            if found is None:
                return "".join(pieces)
            end = found.end()
        at = end
    return "".join((*pieces, html[at:]))


@define
class _Link:
    """A link that is open: where it leads, and the words that were written since it began."""

    href: str
    words: list[str] = field(factory=list)


@define
class _List:
    """A list that is open: the number of its next item, or None where its items have bullets."""

    number: int | None

    @classmethod
    def of(cls, tag: Tag) -> Self:
        """As its start tag has it."""
        if tag.name != "ol":
            return cls(None)
        start = tag.attributes().get("start", "")
        return cls(int(start) if re.fullmatch(r"[0-9]{1,6}", start) else 1)

    @property
    def width(self) -> int:
        """How far its items are indented behind their bullets."""
        return 2 if self.number is None else 3

    def next_bullet(self) -> str:
        """What stands in front of the next item."""
        if self.number is None:
            return "- "
        self.number += 1
        return f"{self.number - 1}. "


@define
class _Writer:
    """Takes a page's text and tags in turn, and writes lines.

    Attributes:
        left_out: the element that is being passed over, and how many of its name are open; empty for none.
    """

    left_out: str = ""
    _open: int = 0
    _lines: list[str] = field(factory=list)
    _line: list[str] = field(factory=list)
    _gap: int = 0
    _space: bool = False
    _margins: list[str] = field(factory=list)
    _lists: "list[_List]" = field(factory=list)
    _bullet: str = ""
    _link: _Link | None = None
    _as_it_is: int = 0

    def read(self, text: str) -> None:
        """Text between two tags."""
        if self.left_out or not text:
            return
        if "<" in text:
            text = _NOT_SHOWN.sub("", text)
        text = unescape(text) if "&" in text else text
        if self._as_it_is:
            first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self._write(first)
            for line in others:
                self._break()
                self._write(line)
            return
        words = _SPACE.split(text)
        self._space = self._space or not words[0]
        for number, word in enumerate(words):
            if word:
                self._space = self._space or number > 0
                self._write(word)
        self._space = self._space or (len(words) > 1 and not words[-1])

    def meet(self, tag: Tag) -> None:
        """A tag."""
        name = tag.name
        if self.left_out and not self._ends_unclosed_paragraph(tag):
            if name == self.left_out:
                self._open += -1 if tag.closing else 1
            if not self._open or (self.left_out == "head" and name == "body"):
                self.left_out = ""
            return
        if not tag.closing and self._begins_unseen(tag):
            return
        if name in _LINES_AROUND:
            self._gap = max(self._gap, _LINES_AROUND[name])
        if name in _CELLS:
            self._space = True
        meaning = _MEANING.get(name)
        if meaning is not None:
            meaning(self, tag)

    def whole(self) -> str:
        """All that was written."""
        if self._link is not None:
            self._finish_link(self._link)
        self._end_line()
        return "".join(f"{line}\n" for line in self._lines)

    def _begins_unseen(self, tag: Tag) -> bool:
        if tag.name in _VOID:
            return False
        if tag.name in _WITHOUT_TEXT or self._is_hidden(tag):
            self.left_out, self._open = tag.name, 1
            return True
        return False

    def _ends_unclosed_paragraph(self, tag: Tag) -> bool:
        """A paragraph that is passed over ends without a tag of its own where another block begins, or its own ends."""
        begins_or_ends = tag.name in _LINES_AROUND or tag.name in _CELLS
        if self.left_out != "p" or not begins_or_ends or (tag.closing and tag.name == "p"):
            return False
        self.left_out = ""
        return True

    def _is_hidden(self, tag: Tag) -> bool:
        if "hid" not in (head := tag.html[tag.start : tag.end].lower()) and "style" not in head:
            return False
        attributes = tag.attributes()
        return "hidden" in attributes or _HIDDEN.search(attributes.get("style", "")) is not None

    # What elements mean

    def anchor(self, tag: Tag) -> None:
        if self._link is not None:
            self._finish_link(self._link)
        if not tag.closing:
            self._link = _Link(tag.attributes().get("href", "").strip())

    def _finish_link(self, link: _Link) -> None:
        self._link = None
        words, href = " ".join(link.words), _in_one_piece(link.href)
        if not words or not _leads_out(href):
            return
        plain = re.sub(r"^(?:mailto|tel|sms):", "", href, flags=re.IGNORECASE)
        if words.rstrip("/").lower() not in _ways_to_write(plain):
            # On the line of its words, though a paragraph within the link may have ended.
            gap, self._gap, self._space = self._gap, 0, True
            self._write(f"<{plain}>")
            self._gap = gap

    def picture(self, tag: Tag) -> None:
        words = _SPACE.sub(" ", tag.attributes().get("alt", "")).strip()
        if words:
            self._space = self._space or bool(self._line)
            self._write(words)
            self._space = True

    def line_break(self, _tag: Tag) -> None:
        self._break()

    def rule(self, _tag: Tag) -> None:
        self._write("-" * 20)
        self._gap = 2

    def list_(self, tag: Tag) -> None:
        if tag.closing:
            self._bullet = ""
            if self._lists:
                self._lists.pop()
        else:
            self._lists.append(_List.of(tag))
        # A list within a list keeps to it.
        if len(self._lists) > (0 if tag.closing else 1):
            self._gap = min(self._gap, 1)

    def item(self, tag: Tag) -> None:
        self._bullet = self._lists[-1].next_bullet() if self._lists and not tag.closing else ""

    def quotation(self, tag: Tag) -> None:
        self._end_line()
        if not tag.closing:
            self._begin_paragraph()
            self._margins.append("> ")
        elif self._margins:
            self._margins.pop()

    def preformatted(self, tag: Tag) -> None:
        self._as_it_is = max(0, self._as_it_is + (-1 if tag.closing else 1))

    # Lines

    def _write(self, words: str) -> None:
        if not words:
            return
        if self._gap:
            self._begin_paragraph()
        if not self._line:
            self._line.append(self._margin(self._bullet))
            self._bullet = ""
        elif self._space and not self._line[-1].endswith(" "):
            self._line.append(" ")
        self._space = False
        self._line.append(words)
        if self._link is not None:
            self._link.words.append(words)

    def _margin(self, bullet: str) -> str:
        above, own = self._lists[:-1][:_DEEPEST], self._lists[-1:]
        indent = "".join(" " * each.width for each in above) + (bullet or "".join(" " * each.width for each in own))
        return "".join(self._margins[:_DEEPEST]) + indent

    def _begin_paragraph(self) -> None:
        """What comes next begins a line, with an empty one before it where there is to be one."""
        self._end_line()
        if self._gap > 1 and self._lines and self._lines[-1].strip("> "):
            self._lines.append("".join(self._margins[:_DEEPEST]).rstrip())
        self._gap = 0

    def _break(self) -> None:
        if self._gap:
            self._begin_paragraph()
        if self._line:
            self._end_line()
        elif self._lines and self._lines[-1].strip("> "):
            self._lines.append("".join(self._margins[:_DEEPEST]).rstrip())

    def _end_line(self) -> None:
        if self._line:
            self._lines.append("".join(self._line).rstrip(" "))
            self._line = []
        self._space = False


_MEANING: Mapping[str, Callable[[_Writer, Tag], None]] = {
    "a": _Writer.anchor,
    "img": _Writer.picture,
    "br": _Writer.line_break,
    "hr": _Writer.rule,
    "li": _Writer.item,
    "blockquote": _Writer.quotation,
    "pre": _Writer.preformatted,
} | dict.fromkeys(_LISTS, _Writer.list_)


def _leads_out(href: str) -> bool:
    """Whether a link leads out of the mail, or will once its placeholders are filled in."""
    return bool(_PLACEHOLDER.fullmatch(href) or _LEADING_OUT.fullmatch(_PLACEHOLDER.sub("_", href)))


def _in_one_piece(href: str) -> str:
    """A link as programs follow it, with nothing in it that would end it in a text; what a placeholder is, stays."""
    return href if unfinished(href) else followed(href).translate(_ENDING)


_ENDING = {ord(sign): f"%{ord(sign):02X}" for sign in " <>"}


def _ways_to_write(href: str) -> frozenset[str]:
    """How the words of a link may be its URL: whole, without a scheme, without ``www.``; no slash at the end."""
    whole = href.rstrip("/").lower()
    bare = re.sub(r"^https?://", "", whole)
    return frozenset((whole, bare, bare.removeprefix("www.")))
