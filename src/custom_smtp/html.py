"""Where the links of an HTML mail stand, found without changing a character of it.

One pass over the text, after the tokenizer of the HTML standard (https://html.spec.whatwg.org/#tokenization), in time
that grows with its length whatever stands in it. No tree is built and nothing is written out again: what comes back are
places, so that whoever changes a link leaves every other character as it was.

One rule goes beyond the standard, since mail programs do: the inside of ``<!--[if mso]> ... <![endif]-->`` is a comment
to a browser and the mail itself to Outlook, so it is read as well. Every other comment is not, nor is the text of
``style``, ``script`` and the like.
"""

import re
from html.entities import html5

from attrs import define, field, frozen

_SPACE = r"\t\n\f\r "


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in word)


_RAW = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "plaintext")
"""Elements whose content is text, whatever it looks like."""

_NAME_ENDS = rf"(?=[{_SPACE}/>])"
_LINK_NAME = rf"(?:{_any_case('a')}|{_any_case('area')}|{_any_case('v')}:[^{_SPACE}/>]*+)"
_RAW_NAME = rf"(?:{'|'.join(map(_any_case, _RAW))})"
_BODY = _any_case("body")

_VALUE = rf"""(?:"[^"]*+"|'[^']*+'|[^{_SPACE}>"'][^{_SPACE}>]*+|(?=>))"""
_EQUALS = rf"[{_SPACE}]*+="
# An "=" whose value never ends leaves the tag without an end: it must not be read as part of the next name. No text can
# be read by two of the choices, so that a tag without an end costs one look back over its attributes, not more. (That
# the group itself is not possessive is for Python before 3.11.5, which gets such groups wrong: CPython issue 106052.)
_ATTRIBUTES = rf"""(?:
    [{_SPACE}/]*+[^{_SPACE}/>][^{_SPACE}/>=]*+(?:="[^"]*+"|(?!="){_EQUALS}[{_SPACE}]*+{_VALUE}|(?!{_EQUALS}))
)*[{_SPACE}/]*+"""

# Most tags can be told from the ones that matter by two letters; the second line is for the rest.
_MAY_MATTER = "[aAvVxX]|[tT][eEiI]|[sS][cCtT]|[iI][fF]|[nN][oO]|[pP][lL]"
_DULL = rf"""(?:
    [^<]++
  | <(?!{_MAY_MATTER})[A-Za-z][^{_SPACE}/>]*+{_ATTRIBUTES}>
  | </(?![bB][oO])[A-Za-z][A-Za-z0-9:]*+>
  | </(?!{_BODY}{_NAME_ENDS})[A-Za-z][^{_SPACE}/>]*+{_ATTRIBUTES}>
  | <(?!{_LINK_NAME}{_NAME_ENDS}|{_RAW_NAME}{_NAME_ENDS})[A-Za-z][^{_SPACE}/>]*+{_ATTRIBUTES}>
  | <(?:!(?!--)|\?|/(?![A-Za-z]))[^>]*+>
  | <(?![A-Za-z/!?])
)*"""
"""Everything that is passed over: text, tags without links, declarations and bogus comments."""

_NEXT = re.compile(
    rf"""{_DULL}(?:
    (?P<link><{_LINK_NAME}(?P<attributes>{_NAME_ENDS}{_ATTRIBUTES})>)
  | (?P<raw><(?P<raw_name>{_RAW_NAME}){_NAME_ENDS}{_ATTRIBUTES}>)
  | (?P<comment><!--)
  | (?P<body></{_BODY}{_NAME_ENDS}{_ATTRIBUTES}>)
)?""",
    re.VERBOSE,
)

_ATTRIBUTE = re.compile(
    rf"""(?P<name>[^{_SPACE}/>][^{_SPACE}/>=]*+)
    (?:{_EQUALS}[{_SPACE}]*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?P<bare>[^{_SPACE}>"'][^{_SPACE}>]*+)|(?=>)))?""",
    re.VERBOSE,
)
_QUOTE_OF = {"double": '"', "single": "'", "bare": ""}

_COMMENT_END = re.compile(r"--!?>")
_CONDITIONAL = re.compile(rf"<!--\[{_any_case('if')}[^\]>]*+\]>")
_RAW_END = {name: re.compile(rf"</{_any_case(name)}{_NAME_ENDS}") for name in _RAW if name != "plaintext"}

_SCRIPT_MARK = re.compile(
    rf"(?P<opened><!(?=--))|(?P<closed>-->)|(?P<start><{_any_case('script')}{_NAME_ENDS})"
    rf"|(?P<end></{_any_case('script')}{_NAME_ENDS})"
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
    """

    links: tuple[Link, ...]
    opt_outs: tuple[tuple[int, int], ...]
    end: int


def scan(html: str) -> Page:
    """Find the links of an HTML text, and its end."""
    return _Scanner(html, len(html)).page()


def decode(value: str) -> str:
    """An attribute's value as programs take it.

    A named reference without its ``;`` stays as it is where ``=``, a letter or a digit follows, as the standard says
    for attributes (its section 13.2.5.73): ``?a=1&copy=2`` holds no copyright sign.
    """
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    return _REFERENCE.sub(_referred, value) if "&" in value else value


def encode(text: str, quote: str) -> str:
    """Text as an attribute's value between these quotes (or none), with no more references than it takes."""
    return text.translate(_ESCAPES[quote])


@define
class _Scanner:
    """One pass. Inside a conditional comment ``limit`` is its end, and ``resume`` where the page goes on."""

    html: str
    limit: int
    at: int = 0
    resume: int | None = None
    links: list[Link] = field(factory=list)
    opt_outs: list[tuple[int, int]] = field(factory=list)
    body_end: int | None = None
    content_end: int | None = None

    def page(self) -> Page:
        while self.content_end is None:
            self._step()
        end = self.content_end if self.body_end is None else self.body_end
        return Page(tuple(self.links), tuple(self.opt_outs), end)

    def _step(self) -> None:
        found = _NEXT.match(self.html, self.at, self.limit)
        if found is None:
            raise AssertionError("the pattern matches nothing at all, too")
        self.at = found.end()
        match found.lastgroup:
            case "link":
                self._link(*found.span("attributes"))
            case "comment":
                self._comment(found.start("comment"))
            case "raw":
                self._raw(found.start("raw"), found["raw_name"].lower())
            case "body":
                if self.resume is None:
                    self.body_end = found.start("body")
            case _:
                self._nothing_more(self.at)

    def _link(self, start: int, end: int) -> None:
        first: dict[str, re.Match[str]] = {}
        for attribute in _ATTRIBUTE.finditer(self.html, start, end + 1):
            first.setdefault(attribute["name"].lower(), attribute)
        opted_out = "data-track" in first and _value(first["data-track"]).strip().lower() == "off"
        if opted_out:
            self.opt_outs.append(self._removable(first["data-track"]))
        if "href" in first and (quoted := first["href"].lastgroup) in _QUOTE_OF:
            span = first["href"].span(quoted)
            self.links.append(Link(*span, _QUOTE_OF[quoted], _value(first["href"]), opted_out))

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
        if condition := _CONDITIONAL.match(self.html, start, end.start()):
            self.at, self.limit, self.resume = condition.end(), end.start(), end.end()

    def _comment_in_condition(self, start: int) -> None:
        # The limit is the first "-->": a comment that begins here can only run up to it.
        if condition := _CONDITIONAL.match(self.html, start, self.limit):
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


def _raw_end(html: str, name: str, at: int, limit: int) -> int | None:
    if name == "plaintext":
        return None
    depth = 0
    for mark in (_SCRIPT_MARK if name == "script" else _RAW_END[name]).finditer(html, at, limit):
        if depth < 2 and mark.lastgroup in ("end", None):
            return mark.start()
        depth = _SCRIPT_DEPTH.get((mark.lastgroup, depth), depth)
    return None


def _value(attribute: re.Match[str]) -> str:
    return decode(attribute["double"] or attribute["single"] or attribute["bare"] or "")


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


_ESCAPES = {
    '"': str.maketrans({"&": "&amp;", '"': "&quot;"}),
    "'": str.maketrans({"&": "&amp;", "'": "&#39;"}),
    "": str.maketrans({mark: f"&#{ord(mark)};" for mark in "\t\n\f\r \"'<=>`"} | {"&": "&amp;"}),
}
