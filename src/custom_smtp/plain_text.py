"""URLs in running text, as mail programs make them clickable."""

import re
from collections.abc import Iterator

from attrs import frozen

from .urls import PLACEHOLDERS, unfinished


@frozen
class TextLink:
    """One URL in a text.

    Attributes:
        start: where it begins.
        end: where it ends, before what belongs to the sentence.
        url: as it stands there.
    """

    start: int
    end: int
    url: str


def clickable(text: str) -> Iterator[TextLink]:
    """The URLs that every mail program makes a link of, and of the same extent."""
    for found in _TEXT_URL.finditer(text):
        if not (
            unfinished(found[0]) or text.startswith(PLACEHOLDERS, found.end()) or _IN_DOUBT.match(text, found.end())
        ):
            url = found[0].rstrip(_AFTER_A_LINK)
            yield TextLink(found.start(), found.start() + len(url), url)


def _in_brackets(begin: str, end: str) -> str:
    inner = rf"[^{_NEVER}\{begin}\{end}]*+"
    return rf"\{begin}(?:{inner}\{begin}{inner}\{end})*{inner}\{end}"


_NEVER = r"\s\x00-\x1f\x7f<>\"\u200b"
_TEXT_URL = re.compile(
    rf"""(?<![A-Za-z0-9+])[hH][tT][tT][pP][sS]?://
    (?:[^{_NEVER}()\[\]{{}}]++|{_in_brackets("(", ")")}|{_in_brackets("[", "]")}|{_in_brackets("{", "}")})+""",
    re.VERBOSE,
)
"""A URL in running text, up to a bracket that does not close in it. Nothing stands behind the group, so that none is
ever tried twice: whether it can be trusted to end there is asked of what follows, and the search goes on behind it."""

_IN_DOUBT = re.compile(r"[(\[{]|[)\]}][\w/]")
"""What may or may not belong to the URL before it: mail programs differ, so the link is left alone."""

_AFTER_A_LINK = (
    ".,;:!?'*`|\\\u2026\u3001\u3002\uff01\uff0c\uff0e\uff1a\uff1b\uff1f\u2019\u201d\u00bb\uff09\u300d\u300f\u3011"
)
"""What a sentence puts behind a link."""
