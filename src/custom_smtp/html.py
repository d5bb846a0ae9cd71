"""Where the links of an HTML mail stand, found without changing a character of it.

One pass over the text, after the tokenizer of the HTML standard (https://html.spec.whatwg.org/#tokenization), in time
that grows with its length whatever stands in it. No tree is built and nothing is written out again: what comes back are
places, so that whoever changes a link leaves every other character as it was.

One rule goes beyond the standard, since mail programs do: the inside of ``<!--[if mso]> ... <![endif]-->`` is a comment
to a browser and the mail itself to Outlook, so it is read as well. Every other comment is not, nor is the text of
``style``, ``script`` and the like; that of ``noscript`` is, since mail programs run no scripts. Inside ``svg`` and
``math`` some tags mean other things, as in a browser. A link is the ``href`` of ``a``, ``area`` and VML's ``v:``
elements; ``xlink:href`` is left alone, since the mail programs that show SVG at all do not agree on it.

Most of a mail need not be read to know all that: see `_Scanner._surely_text_before`.
"""

import re
from collections.abc import Iterator
from html.entities import html5
from string import ascii_lowercase, ascii_uppercase

from attrs import define, field, frozen

_SPACE = r"\t\n\f\r "


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in word)


def _one_of(*names: str) -> str:
    return rf"(?:{'|'.join(map(_any_case, names))})(?=[{_SPACE}/>])"


_RAW = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "plaintext")
"""Elements whose content is text, whatever it looks like."""

_VALUE = rf"""(?:"[^"]*+"|'[^']*+'|[^{_SPACE}>"'][^{_SPACE}>]*+)"""
_EQUALS = rf"[{_SPACE}]*+="


def _attribute(name: str) -> str:
    # An "=" whose value never ends leaves the tag without an end: it must not be read as part of the next name. No text
    # can be read by two of the choices, so that a tag without an end costs one look back over its attributes, not more.
    return rf"""[{_SPACE}/]*+{name}(?:="[^"]*+"|(?!="){_EQUALS}[{_SPACE}]*+(?:{_VALUE}|(?=>))|(?!{_EQUALS}))"""


# That the groups are not possessive is for Python before 3.11.5, which gets such groups wrong: CPython issue 106052.
_NAME = rf"[^{_SPACE}/>][^{_SPACE}/>=]*+"
_ATTRIBUTES = rf"(?:{_attribute(_NAME)})*[{_SPACE}/]*+"
_HREF = rf"{_any_case('href')}(?=[{_SPACE}/>=])"
_WITH_HREF = rf"""(?:{_attribute(f"(?!{_HREF}){_NAME}")})*
    (?:[{_SPACE}/]*+{_HREF}(?:{_EQUALS}[{_SPACE}]*+(?:(?P<href>{_VALUE})|(?=>))|(?!{_EQUALS})){_ATTRIBUTES})?[{_SPACE}/]*+"""
"""The attributes of a tag; the group is the value of the first ``href``, the one that counts."""

_LINK = rf"(?:{_one_of('a', 'area')}|{_any_case('v')}:[^{_SPACE}/>]*+)"
_EVENTS = rf"""
    (?P<link><(?P<link_name>{_LINK}){_WITH_HREF}>)
  | (?P<comment><!--)
  | (?P<raw><(?P<raw_name>{_one_of(*_RAW)}){_ATTRIBUTES}>)
  | (?P<body></{_one_of("body")}{_ATTRIBUTES}>)
  | (?P<base><{_one_of("base")}{_WITH_HREF.replace("<href>", "<base_href>")}>)
  | (?P<island><(?P<island_name>{_one_of("svg", "math")}){_ATTRIBUTES}>)
"""
_LINK_NAME = re.compile(r"a|area|v:.*", re.DOTALL)
_IF = rf"\[{_any_case('if')}[^\]<>]*+\]>"
_OPENS = rf"{_LINK}|{_one_of('base', 'svg', 'math', *_RAW)}|/{_one_of('body')}"

# Most tags can be told from the ones that matter by two letters.
_MAY_MATTER = rf"[aA][rR{_SPACE}/>]|[vV]:|/[bB]|!-|[sS][cCtTvV]|[tT][eEiI]|[bBmM][aA]|[xXiInNpP][mMfFoOlL]"
_QUICK = r"""(?:[ ][A-Za-z:-]++="[^"]*+")*[ ]?/?"""
"""Attributes as nearly all are written, seen at one look."""

_DULL = rf"""[^<]*+(?:<(?:
    (?!{_MAY_MATTER})[A-Za-z0-9:]++{_QUICK}>
  | /(?![bB])[A-Za-z][A-Za-z0-9:]*+>
  | (?!{_OPENS})/?[A-Za-z][^{_SPACE}/>]*+{_ATTRIBUTES}>
  | (?:!(?!--)|\?|/(?![A-Za-z]))[^>]*+>
  | (?![A-Za-z/!?])
)[^<]*+)*"""
"""Everything that is passed over: text, tags without links, declarations and bogus comments."""

_EVENT = re.compile(_EVENTS, re.VERBOSE)
_NEXT = re.compile(rf"{_DULL}(?:{_EVENTS})?", re.VERBOSE)

# First goes what half of all tags are: ends, "td" and "tr". Comments and raw text without "<" in them are not looked
# for, since they are over before anything else begins; conditions neither, since their inside is read.
_CANDIDATE = re.compile(
    rf"""<(?![/tT][^bBeEiI])(?={_MAY_MATTER})(?:
    {_LINK}
  | !--(?!-?>|[^<]*-->|<!\[endif\]-->|{_IF})
  | (?P<raw_name>{_one_of(*_RAW)})(?!(?<!{_any_case("plaintext")}){_QUICK}>[^<]*+</(?P=raw_name)[{_SPACE}/>])
  | /{_one_of("body")}
  | {_one_of("base", "svg", "math")}
)""",
    re.VERBOSE,
)

_MARK = re.compile(
    rf"""[^<]*+(?:<(?![A-Za-z/!?])[^<]*+)*(?:
    (?P<start><(?P<start_name>[A-Za-z][^{_SPACE}/>]*+){_ATTRIBUTES}>)
  | (?P<end></(?P<end_name>[A-Za-z][^{_SPACE}/>]*+){_ATTRIBUTES}>)
  | (?P<data><!\[CDATA\[)
  | (?P<comment><!--)
  | (?P<bogus><(?:[!?]|/(?![A-Za-z]))[^>]*+>)
)?""",
    re.VERBOSE,
)
"""The next markup of any kind."""

_BREAKS_OUT = re.compile(
    "b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|embed|h[1-6]|head|hr|i|img|li|listing|menu|meta|nobr|ol|p|pre"
    "|ruby|s|small|span|strong|strike|sub|sup|table|tt|u|ul|var"
)
"""HTML that ends the ``svg`` or ``math`` it stands in (section 13.2.6.5)."""

_HTML_INSIDE = {"svg": ("foreignobject", "desc", "title"), "math": ("mi", "mo", "mn", "ms", "mtext")}
"""Elements whose content is HTML again."""

_DEEPEST = 512
"""How many elements stand in each other for a browser (Chromium's limit)."""

_QUOTES = ('"', "'")
_BEFORE_A_VALUE = "=\t\n\f\r "

_ATTRIBUTE = re.compile(
    rf"(?P<name>{_NAME})(?:{_EQUALS}[{_SPACE}]*+(?:(?P<value>{_VALUE})|(?=>)))?",
)

_BEGIN_CONDITION = re.compile(f"<!--{_IF}")
_CONDITION_MARK = re.compile(rf"<!(?:--)?(?:(?P<begin>{_IF})|(?:<!)?\[{_any_case('endif')}\])")
_COMMENT_END = re.compile(r"--!?>")
_RAW_END = {name: re.compile(rf"</{_one_of(name)}") for name in _RAW if name != "plaintext"}

_SCRIPT_MARK = re.compile(
    rf"(?P<opened><!(?=--))|(?P<closed>-->)|(?P<start><{_one_of('script')})|(?P<end></{_one_of('script')})"
)
_SCRIPT_DEPTH: dict[tuple[str | None, int], int] = {
    ("opened", 0): 1,
    ("closed", 1): 0,
    ("closed", 2): 0,
    ("start", 1): 2,
    ("end", 2): 1,
}
"""A script hides its own end tag in a comment that holds another script's start (section 13.2.5.17 and after)."""


@frozen
class Link:
    """One link attribute's value.

    Attributes:
        start: where the value begins in the text, behind its quote.
        end: where it ends.
        quote: the quote it stands in: ``"``, ``'`` or none.
        url: the value as a reader's program takes it, character references decoded.
        opted_out: whether its tag says ``data-track="off"``.
    """

    start: int
    end: int
    quote: str
    url: str
    opted_out: bool = False


@frozen
class Page:
    """What was found.

    Attributes:
        links: in the order of the text.
        opt_outs: where each ``data-track="off"`` stands, with the space that can go with it, as start and end.
        end: where something can be added that is shown at the end: before the last ``</body>``, or else at the end of
            what a reader sees.
        base: what relative links are relative to, if the page says so in ``<base href>``; the first counts.
    """

    links: tuple[Link, ...]
    opt_outs: tuple[tuple[int, int], ...]
    end: int
    base: str | None = None


@frozen
class AttributeValue:
    """Where the value of an attribute stands.

    Attributes:
        name: of the attribute, in lower case.
        start: where the value begins in the text, behind its quote.
        end: where it ends.
        quote: the quote it stands in: ``"``, ``'`` or none.
    """

    name: str
    start: int
    end: int
    quote: str


@frozen
class Tag:
    """One start or end tag.

    Attributes:
        html: the text it stands in.
        start: where its ``<`` stands.
        end: where it ends, behind its ``>``.
        name: in lower case.
        closing: whether it is an end tag.
    """

    html: str = field(repr=False)
    start: int
    end: int
    name: str
    closing: bool = field(default=False, kw_only=True)

    def attributes(self) -> dict[str, str]:
        """The attributes by their names in lower case, decoded; the first of each name counts."""
        values: dict[str, str] = {}
        for attribute in self._found():
            values.setdefault(_lower(attribute["name"]), _unquoted(attribute["value"] or ""))
        return values

    def values(self) -> Iterator[AttributeValue]:
        """Where the attributes' values stand, in their order; those of a name that comes again, too."""
        for attribute in self._found():
            if attribute["value"]:
                start, end = attribute.span("value")
                quote = self.html[start] if self.html[start] in _QUOTES else ""
                yield AttributeValue(_lower(attribute["name"]), start + len(quote), end - len(quote), quote)

    def _found(self) -> Iterator[re.Match[str]]:
        return _ATTRIBUTE.finditer(self.html, self.start + self.closing + len(self.name) + 1, self.end)


def scan(html: str) -> Page:
    """Find the links of an HTML text, and its end."""
    return _Scanner(html, len(html)).page()


def tags(html: str) -> Iterator[Tag]:
    """Every tag that a reader's program sees, in order; slower than `scan`, which passes over most of them."""
    scanner = _Scanner(html, len(html))
    while scanner.content_end is None:
        if tag := scanner.next_tag():
            yield tag


def loose_conditions(html: str) -> tuple[int, ...]:
    """Where conditions begin that never end (``<!--[if mso]>``, ``<![if !mso]>``), and ends without a beginning."""
    begun: list[int] = []
    loose: list[int] = []
    for mark in _CONDITION_MARK.finditer(html):
        if mark["begin"]:
            begun.append(mark.start())
        elif begun:
            begun.pop()
        else:
            loose.append(mark.start())
    return tuple(sorted(begun + loose))


def decode(value: str) -> str:
    """An attribute's value as programs take it.

    A named reference without its ``;`` stays as it is where ``=``, a letter or a digit follows, as the standard says
    for attributes (its section 13.2.5.73): ``?a=1&copy=2`` holds no copyright sign.
    """
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    if value.count("&") == value.count("&amp;"):
        return value.replace("&amp;", "&")
    return _REFERENCE.sub(_referred, value)


def encode(text: str, quote: str) -> str:
    """Text as an attribute's value between these quotes (or none), with no more references than it takes."""
    if not quote:
        return text.translate(_ESCAPES)
    return text.replace("&", "&amp;").replace(quote, _ESCAPES[ord(quote)])


@define
class _Scanner:
    """One pass.

    Inside a conditional comment ``limit`` is its end, and ``resume`` where the page goes on. ``inside`` names the
    ``svg`` and ``math`` that are open, and their elements with HTML inside; ``outside`` what is open around a
    conditional comment, to which it is a comment.
    """

    html: str
    limit: int
    at: int = 0
    ahead: int = -1
    resume: int | None = None
    inside: list[str] = field(factory=list)
    outside: list[str] = field(factory=list)
    links: list[Link] = field(factory=list)
    opt_outs: list[tuple[int, int]] = field(factory=list)
    base: str | None = None
    body_end: int | None = None
    content_end: int | None = None

    def page(self) -> Page:
        while self.content_end is None:
            if self.inside:
                self.next_tag()
            elif self.resume is not None or not self._leap():
                self._step()
        end = self.content_end if self.body_end is None else self.body_end
        return Page(tuple(self.links), tuple(self.opt_outs), end, self.base)

    def _leap(self) -> bool:
        """Go on behind the next thing that looks as if it mattered, if it surely does."""
        if self.ahead < self.at:
            candidate = _CANDIDATE.search(self.html, self.at)
            self.ahead = len(self.html) if candidate is None else candidate.start()
        if not self._surely_text_before(self.ahead):
            return False
        if event := _EVENT.match(self.html, self.ahead):
            self._take(event)
        elif self.ahead == len(self.html):
            self.content_end = self.ahead
        return event is not None or self.content_end is not None

    def _surely_text_before(self, start: int) -> bool:
        """Whether what begins here is markup, told without reading all that stands before it.

        Nothing since ``at`` can have begun a comment or raw text, or it would have been the candidate. So the last
        ``>`` ended whatever tag it stands in, unless it is part of a quoted value; then the last such quote before it
        stands behind a ``=``. If no ``<`` stands since, all since is text. And a condition that has begun has ended.
        """
        html, at = self.html, self.at
        closed = html.rfind(">", at, start)
        if closed < 0:
            return html.find("<", at, start) < 0
        return (
            html.find("<", closed, start) < 0
            and ((double := html.rfind('"', at, closed)) < 0 or html[double - 1] not in _BEFORE_A_VALUE)
            and ((single := html.rfind("'", at, closed)) < 0 or html[single - 1] not in _BEFORE_A_VALUE)
            and ((condition := html.rfind("<!--[", at, closed)) < 0 or html.find("-->", condition, start) > 0)
        )

    def _step(self) -> None:
        """Go on behind the next thing that matters, reading all that stands before it."""
        found = _NEXT.match(self.html, self.at, self.limit)
        if found is None:
            raise AssertionError("the pattern matches the empty text, so it always matches")
        if found.lastgroup is None:
            self._nothing_more(found.end())
        else:
            self._take(found)

    def _take(self, found: re.Match[str]) -> None:
        self.at = found.end()
        match found.lastgroup:
            case "link":
                self._link(found)
            case "comment":
                self._comment(found.start("comment"))
            case "raw":
                self._raw(found.start("raw"), found["raw_name"].lower())
            case "island":
                if not found["island"].endswith("/>"):
                    self._enter(found["island_name"].lower())
            case "body" if self.resume is None:
                self.body_end = found.start("body")
            case "base" if self.base is None and self.resume is None and found["base_href"]:
                self.base = _unquoted(found["base_href"])
            case _:
                pass

    def _link(self, found: re.Match[str]) -> None:
        opted_out = "data-track" in found[0].lower() and self._opted_out(found.end("link_name"), found.end())
        start, end = found.span("href")
        if end > 0:
            quote = self.html[start]
            if quote in "\"'":
                start, end = start + 1, end - 1
            else:
                quote = ""
            self.links.append(Link(start, end, quote, decode(self.html[start:end]), opted_out))

    def _opted_out(self, start: int, end: int) -> bool:
        for attribute in _ATTRIBUTE.finditer(self.html, start, end):
            if _lower(attribute["name"]) == "data-track":
                if _unquoted(attribute["value"] or "").strip().lower() != "off":
                    return False
                self.opt_outs.append(self._removable(attribute))
                return True
        return False

    def _removable(self, attribute: re.Match[str]) -> tuple[int, int]:
        start, end = attribute.span()
        if self.html[end] in "\t\n\f\r >":
            while self.html[start - 1] in "\t\n\f\r ":
                start -= 1
        return start, end

    def _comment(self, start: int) -> None:
        if self.resume is not None:
            self._comment_in_condition(start)
            return
        if self.html.startswith((">", "->"), start + 4):
            self.at = self.html.index(">", start) + 1
            return
        end = _COMMENT_END.search(self.html, start + 4)
        if end is None:
            self._nothing_more(start)
            return
        self.at = end.end()
        if condition := _BEGIN_CONDITION.match(self.html, start):
            self.at, self.limit, self.resume = condition.end(), end.start(), end.end()
            self.inside, self.outside = [], self.inside

    def _comment_in_condition(self, start: int) -> None:
        # The limit is the first "-->": a comment that begins here can only run up to it.
        if condition := _BEGIN_CONDITION.match(self.html, start, self.limit):
            self.at = condition.end()
        else:
            self._nothing_more(start)

    def _raw(self, start: int, name: str) -> None:
        end = _raw_end(self.html, name, self.at, self.limit)
        if end is None:
            self._nothing_more(start)
        else:
            self.at = end

    def _nothing_more(self, at: int) -> None:
        """Nothing from here to the limit is shown: it is the end, or something that never ends begins."""
        if self.resume is None:
            self.content_end = at
        else:
            self.at, self.limit, self.resume = self.resume, len(self.html), None
            self.inside, self.outside = self.outside, []

    def next_tag(self) -> Tag | None:
        """Go on behind the next markup, whatever it is; its tag, if it is one."""
        found = _MARK.match(self.html, self.at, self.limit)
        if found is None:
            raise AssertionError("the pattern matches the empty text, so it always matches")
        self.at = found.end()
        match found.lastgroup:
            case "start" | "end" as side:
                tag = Tag(self.html, *found.span(side), _lower(found[f"{side}_name"]), closing=side == "end")
                return self._tag(tag)
            case "data":
                self._data(found.start("data"))
            case "comment":
                self._comment(found.start("comment"))
            case None:
                self._nothing_more(self.at)
        return None

    def _tag(self, tag: Tag) -> Tag:
        if self._is_foreign() and _breaks_out(tag):
            while self._is_foreign():
                self.inside.pop()
        if tag.closing:
            self._close(tag)
        elif not self._is_foreign() or tag.name == self.inside[-1] or _LINK_NAME.fullmatch(tag.name):
            if event := _EVENT.match(self.html, tag.start, self.limit):
                self._take(event)
        elif tag.name in _HTML_INSIDE[self.inside[-1]] and not self.html.startswith("/>", tag.end - 2):
            self._enter(tag.name)
        return tag

    def _close(self, tag: Tag) -> None:
        if tag.name in self.inside:
            while self.inside.pop() != tag.name:
                pass
        elif tag.name == "body" and self.resume is None:
            self.body_end = tag.start

    def _enter(self, name: str) -> None:
        if len(self.inside) < _DEEPEST:
            self.inside.append(name)

    def _is_foreign(self) -> bool:
        return bool(self.inside) and self.inside[-1] in _HTML_INSIDE

    def _data(self, start: int) -> None:
        """What looks like a CDATA section is one in XML; in HTML it is a comment up to the next ``>``."""
        mark = "]]>" if self._is_foreign() else ">"
        end = self.html.find(mark, self.at, self.limit)
        if end < 0:
            self._nothing_more(start)
        else:
            self.at = end + len(mark)


def _breaks_out(tag: Tag) -> bool:
    if tag.closing:
        return tag.name in ("p", "br")
    return _BREAKS_OUT.fullmatch(tag.name) is not None or (
        tag.name == "font" and not {"color", "face", "size"}.isdisjoint(tag.attributes())
    )


def _raw_end(html: str, name: str, at: int, limit: int) -> int | None:
    if name == "plaintext":
        return None
    depth = 0
    for mark in (_SCRIPT_MARK if name == "script" else _RAW_END[name]).finditer(html, at, limit):
        if depth < 2 and mark.lastgroup in ("end", None):
            return mark.start()
        depth = _SCRIPT_DEPTH.get((mark.lastgroup, depth), depth)
    return None


def _lower(name: str) -> str:
    return name.translate(_LOWER_CASE)


_LOWER_CASE = str.maketrans(ascii_uppercase, ascii_lowercase)
"""Of ASCII alone, as the standard has it: Python's own turns a Kelvin sign into a ``k``."""


def _unquoted(value: str) -> str:
    return decode(value[1:-1] if value[:1] in _QUOTES else value)


_REFERENCE = re.compile(
    r"&(?:#(?:[xX](?P<hex>[0-9a-fA-F]++)|(?P<decimal>[0-9]++));?|(?P<name>[a-zA-Z][a-zA-Z0-9]*+;?))"
)

_INSTEAD_OF = {
    number: bytes((number,)).decode("cp1252")
    for number in range(0x80, 0xA0)
    if number not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
"""What the references to C1 controls stand for (section 13.2.5.80)."""


def _referred(reference: re.Match[str]) -> str:
    if name := reference["name"]:
        bare = not name.endswith(";")
        if name not in html5 or (bare and reference.string.startswith("=", reference.end())):
            return reference[0]
        return html5[name]
    base, digits = (16, reference["hex"]) if reference["hex"] else (10, reference["decimal"])
    digits = digits.lstrip("0")
    number = int(digits or "0", base) if len(digits) <= 7 else 0
    if not 0 < number <= 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return "\ufffd"
    return _INSTEAD_OF.get(number) or chr(number)


_ESCAPES = str.maketrans({mark: f"&#{ord(mark)};" for mark in "\t\n\f\r '<=>`"} | {"&": "&amp;", '"': "&quot;"})
"""What takes the place of the marks that end an unquoted value, or are not allowed in one."""
