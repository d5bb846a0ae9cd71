r"""URLs in running text, as mail programs make them clickable.

Programs agree on nearly every URL that people write, and differ about a few. What they agree on is found here, down to
the last character: a sentence's punctuation and brackets are not part of a URL, brackets that close within it are, and
``<https://...>`` is taken whole (RFC 3986 appendix C). Where they differ the URL is doubtful, and better left alone:

- a bracket that opens in it and does not close: ``https://a.example/b(c``;
- one that closes in it, and was not opened before it: ``https://a.example/b)c``;
- a host that runs into other words: ``https://a.example's``, or one whose last label mixes scripts;
- two URLs joined by a comma, or one that is part of another link: ``www.a.example/?to=https://b.example``;
- one that is broken over two lines in angle brackets.
"""

import re
from collections.abc import Iterator

from attrs import frozen

from .urls import PLACEHOLDERS, unfinished


@frozen(slots=False)  # twice as fast to make, and there are many
class TextLink:
    """One URL in a text.

    Attributes:
        start: where it begins.
        end: where it ends, before what belongs to the sentence.
        url: as it stands there.
        doubtful: whether mail programs differ about it.
    """

    start: int
    end: int
    url: str
    doubtful: bool = False


def clickable(text: str, *, doubtful: bool = False) -> Iterator[TextLink]:
    """The URLs that every mail program makes a link of, and of the same extent.

    Args:
        text: what is looked through, in time that grows with its length.
        doubtful: whether to tell of the others, too, and of those that a template has not filled in yet.
    """
    at = 0
    while (mark := text.find("://", at)) >= 0:
        at = mark + 3
        scheme = text[max(mark - 5, 0) : mark].lower()
        start = mark - (5 if scheme == "https" else 4 if scheme.endswith("http") else 0)
        before = text[start - 1] if start else ""
        if start == mark or before in _SCHEME_LETTERS:
            continue
        plain = None if before in _LOOKED_AT_CLOSELY else _PLAIN.match(text, at)
        if plain is not None:
            at = plain.end()
            url = text[start:at].rstrip(_AFTER_A_LINK)
            yield TextLink(start, start + len(url), url)
            continue
        link, at = _looked_at_closely(text, start, at)
        if link is not None and link.doubtful:
            at = _behind_it(text, at)
        if link is not None and (doubtful or not link.doubtful):
            yield link


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SCHEME_LETTERS = frozenset(_LETTERS + "+")
_LOOKED_AT_CLOSELY = frozenset("<_~=/&?%#@")

_PLAIN = re.compile(
    r"""[A-Za-z0-9][A-Za-z0-9.-]*+(?::[0-9]++)?
    (?:[/?#][A-Za-z0-9._~/?#@!$&+,;=-]*+(?:%[0-9A-Fa-f]{2}[A-Za-z0-9._~/?#@!$&+,;=-]*+)*)?(?=[\s>"]|\Z)""",
    re.VERBOSE,
)
"""The usual case, seen at one look: nothing in it or around it that anybody could read in two ways."""

_AFTER_A_LINK = (
    ".,;:!?'*|\\\u2026\u2019"  # and of other scripts: full stops, commas and question marks
    "\u060c\u061b\u061f\u06d4\u0964\u0965\u0589\u055d\u3001\u3002\uff0e"
)
"""What a sentence puts behind a link."""

_ENDS = (
    r"\s\x00-\x1f\x7f<>\"`\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
    # quotation marks; then punctuation and brackets of East Asian scripts
    r"\u00ab\u00bb\u2039\u203a\u201c-\u201f"
    r"\u3001\u3002\u3008-\u3011\u3014-\u301b\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff3b\uff3d\uff5b\uff5d-\uff64"
)
"""What no URL goes on behind, whether or not there is a space."""


def _in_brackets(begin: str, end: str) -> str:
    inner = rf"[^{_ENDS}\{begin}\{end}]*+"
    return rf"\{begin}(?:{inner}\{begin}{inner}\{end})*{inner}\{end}"


_RUN = re.compile(
    rf"(?:[^{_ENDS}()\[\]{{}}]++|{_in_brackets('(', ')')}|{_in_brackets('[', ']')}|{_in_brackets('{', '}')})+"
)
"""Everything up to what ends a URL, or to a bracket that does not close in it. Nothing stands behind the group, so that
none is ever tried twice: whether it can be trusted to end there is asked of what follows."""

_ANGLED = re.compile(r"[^\s<>\x00-\x1f\x7f]++(?=>)")


def _looked_at_closely(text: str, start: int, at: int) -> tuple[TextLink | None, int]:
    """The URL whose scheme begins at ``start`` and ends at ``at``, if there is one, and where to go on."""
    before = text[start - 1] if start else ""
    if before == "<" and (whole := _ANGLED.match(text, at)):
        return _link(text, start, whole.end(), whole.end(), before), whole.end()
    run = _RUN.match(text, at)
    if run is None:
        return None, at
    end = run.end()
    if text.startswith(PLACEHOLDERS, end):
        return TextLink(start, end + 2, text[start : end + 2], doubtful=True), end
    emphasis = before if before in ("_", "~") else ""
    url = text[start:end].rstrip(_AFTER_A_LINK + emphasis)
    return (_link(text, start, start + len(url), end, before) if len(url) > at - start else None), end


def _link(text: str, start: int, end: int, run_end: int, before: str) -> TextLink:
    url = text[start:end]
    doubtful = (
        unfinished(url)
        or not _SURE_HOST.match(url)
        or bool(_JOINED.search(url))
        or (before == "'" and before in url)
        or _goes_on(text, start, run_end)
        or (before == "<" and bool(_BROKEN.match(text, run_end)))
        or (before in _WITHIN_A_LINK and bool(_ANOTHER.search(_just_before(text, start))))
    )
    return TextLink(start, end, url, doubtful)


def _behind_it(text: str, at: int) -> int:
    """The end of what stands around a URL in doubt: whatever is in there is in doubt with it."""
    space = _SPACE.search(text, at)
    return len(text) if space is None else space.start()


_SPACE = re.compile(r"[\s<>\"]")

# Letters of any script; the last label of a name is of ASCII, or of none of it.
_NAME = r"(?:[A-Za-z0-9_-]|[^\x00-\x7f\u2000-\u206f])"
_SURE_HOST = re.compile(
    rf"""[A-Za-z]+://(?:[^/?\#\\@]*+@)?
    (?:\[[0-9A-Fa-f:.]+\]|(?![.-])(?:{_NAME}+\.)*(?:[A-Za-z0-9_-]+|[^\x00-\x7f\u2000-\u206f]+)\.?)
    (?::[0-9]*)?(?=[/?\#\\]|\Z)""",
    re.VERBOSE,
)
_JOINED = re.compile(r"[,;|]https?://", re.IGNORECASE)
_WITHIN_A_LINK = frozenset("=/&?%#@")
_ANOTHER = re.compile(r"www\.|[A-Za-z]:", re.IGNORECASE)
_BROKEN = re.compile(r"\s[^<>]{0,500}>")

_NEAR = 500
"""How far around a URL is looked for what it belongs to; it bounds the work."""


def _just_before(text: str, start: int) -> str:
    """What stands in front of the URL without a space, or a bracket of any kind."""
    return _RUN_BEFORE.split(text[max(start - _NEAR, 0) : start])[-1]


_RUN_BEFORE = re.compile(r"[\s<>\"()\[\]{}]")


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether what follows may belong to the URL, too."""
    follows = text[end : end + 1]
    if follows in ("(", "[", "{"):
        return True
    if follows in _OPENED_BY:
        return bool(_MORE.match(text, end + 1)) and not _opened_before(text, start, _OPENED_BY[follows], follows)
    # A full stop in the host may be a dot of the name, in a script that writes it so.
    return follows == "\u3002" and bool(_ONE_LABEL.fullmatch(text, start, end)) and bool(_MORE.match(text, end + 1))


def _opened_before(text: str, start: int, begin: str, end: str) -> bool:
    near = text[max(start - _NEAR, 0) : start]
    opened = near.rfind(begin)
    # A bracket behind a letter is part of a word, or of another URL.
    return opened > near.rfind(end) and not near[max(opened - 1, 0) : opened].isalnum()


_OPENED_BY = {")": "(", "]": "[", "}": "{"}
_MORE = re.compile(r"\w|/|[?&=#%]\w")
_ONE_LABEL = re.compile(r"[A-Za-z]+://[^/?#.]*")
