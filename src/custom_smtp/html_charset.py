"""What HTML says of its own charset: in ``<meta charset>``, or in ``<meta http-equiv="Content-Type">``.

In a mail the part's own Content-Type counts before it (HTML standard, "Determining the character encoding"), but a page
that is saved, or shown by a program that looks inside, is read by what stands in it: so both have to say the same.
"""

import re
from collections.abc import Iterator

from attrs import frozen

from .html import tags
from .pieces import Cut, cut


@frozen
class SaidCharset:
    """One place in which HTML names a charset.

    Attributes:
        start: where the name begins.
        end: where it ends.
        name: as it stands there.
    """

    start: int
    end: int
    name: str


_IN_CONTENT = re.compile(r"charset\s*=\s*['\"]?([^\s'\";]+)", re.IGNORECASE)
"""The rule of the HTML standard, "Extracting a character encoding from a meta element"."""


def said_charsets(html: str) -> Iterator[SaidCharset]:
    """Every place in which the page names its charset, in their order."""
    for tag in tags(html):
        if tag.name != "meta" or tag.closing:
            continue
        is_type = tag.attributes().get("http-equiv", "").strip().lower() == "content-type"
        for value in tag.values():
            if value.name == "charset":
                yield SaidCharset(value.start, value.end, html[value.start : value.end])
            elif value.name == "content" and is_type and (found := _IN_CONTENT.search(html, value.start, value.end)):
                yield SaidCharset(*found.span(1), found[1])


def saying(html: str, charset: str) -> str:
    """The page with this charset wherever it names one, and all else as it was."""
    return cut(html, [Cut[None](each.start, each.end, charset) for each in said_charsets(html)]).static[0]
