"""Ways to lead the links of a plain text elsewhere, and texts that make it hard."""

import re
from collections.abc import Callable

from custom_smtp.plain_text import clickable

Rewrite = Callable[[str, str], str]


def _ours(text: str, new: str) -> str:
    pieces: list[str] = []
    at = 0
    for link in clickable(text):
        pieces += text[at : link.start], new
        at = link.end
    return "".join((*pieces, text[at:]))


# What Postal takes for a URL in a text: of these letters, up to a space or the end of a line.
_POSTAL = re.compile(
    r"(?P<url>https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9./+?&_%=~:;()\[\]#-]*+)?)(?=\s|$)",
    re.MULTILINE,
)
_TRAILING = re.compile(r"\W+\Z")


def _postal(text: str, new: str) -> str:
    def led(found: re.Match[str]) -> str:
        url = _TRAILING.sub("", found["url"])
        return new if url else found[0]

    return _POSTAL.sub(led, text)


TEXT_WAYS: dict[str, Rewrite] = {"custom_smtp, text": _ours, "Postal's pattern, text": _postal}
"""Ours, and what it is measured against."""

# Each link that has to be led elsewhere stands between ⟦ and ⟧; every other character has to stay.
HARD_TEXTS = (
    "See ⟦https://a.test/1⟧ for more.",
    "See ⟦https://a.test/1⟧. Then go.",
    "See ⟦https://a.test/1⟧, and ⟦https://b.test/2⟧!",
    "(see ⟦https://a.test/1⟧)",
    "⟦https://a.test/wiki/Python_(language)⟧ is one",
    "(⟦https://a.test/wiki/Python_(language)⟧)",
    "<⟦https://a.test/1⟧>",
    '"⟦https://a.test/1⟧"',
    "⟦https://a.test/?q=a@b&c=1,2;3⟧",
    "⟦https://a.test/#!/deep/link⟧",
    "⟦https://bücher.test/größe⟧",
    "⟦HTTPS://A.TEST/1⟧",
    "Is it ⟦https://a.test/1⟧?",
    "https:// is no link",
)


def hard_texts_right(rewrite: Rewrite) -> int:
    """How many come out as they must, to the letter."""
    return sum(
        rewrite(text.replace("⟦", "").replace("⟧", ""), "\0") == re.sub("⟦[^⟧]*⟧", "\0", text) for text in HARD_TEXTS
    )
