"""Why a mail came back: the tables of `custom_smtp.bounce_phrases` put to what a report says."""

import re
from collections import Counter
from collections.abc import Iterable

from .bounce_phrases import (
    CAUSE_OF_STATUS,
    CAUSE_OF_SUBJECT,
    KIND_OF_CAUSE,
    KIND_OF_CODE,
    KIND_OF_STATUS,
    PHRASES,
    VAGUE_PHRASES,
    Phrases,
)
from .events import BounceKind, Cause

SAID_LIMIT = 2_000
"""How much of what a server answered is looked at, in characters."""


def cause_of(said: str, status: str = "") -> Cause:
    """Why, by a server's own words and by the enhanced status code (RFC 3463), whichever says it more exactly."""
    words = _words(said[:SAID_LIMIT])
    each = {*words.split()}
    if exact := _first(words, each, _EXACT):
        return exact
    by_status = CAUSE_OF_STATUS.get(status[2:])
    if by_status is not None and not _is_vague(status):
        return by_status
    return _first(words, each, _VAGUE) or by_status or CAUSE_OF_SUBJECT.get(status[2:3], Cause.UNKNOWN)


def kind_of(status: str) -> BounceKind:
    """What a final failure with this enhanced status code (RFC 3463) says about the address.

    ``4.x.x`` is soft: it was tried until time ran out. ``5.x.x`` stands in `KIND_OF_STATUS`, and is hard otherwise.
    """
    category, _, rest = status.partition(".")
    if category == "4":
        return BounceKind.SOFT
    if category != "5":
        return BounceKind.UNDETERMINED
    return KIND_OF_STATUS.get(rest) or KIND_OF_STATUS.get(rest.partition(".")[0], BounceKind.HARD)


def kind_of_failure(cause: Cause, said: str, status: str) -> BounceKind:
    """What a final failure says about the address: by its cause, else by its status, else by its SMTP reply code."""
    code = None if status else _CODE.search(said)
    if status.startswith("4.") or (code is not None and code[0][0] == "4"):
        return BounceKind.SOFT  # it was tried until time ran out
    if (kind := KIND_OF_CAUSE.get(cause)) is not None:
        return kind
    if code is None:
        return kind_of(status)
    # Of any other code the first digit alone is known.
    return KIND_OF_CODE.get(code[0], kind_of(f"{code[0][0]}.5"))


_CODE = re.compile(r"[45](?<![\d.].)\d\d(?![\d.])", re.ASCII)
"""A reply code that stands alone. The digit comes first, since a search for one is quick."""
_Glued = list[tuple[int, str, Cause]]
_Index = dict[str, _Glued]
"""By one word of it, each phrase with its place in the table."""


def _words(said: str) -> str:
    """Words alone, one blank between them and at both ends: no addresses and no codes, which no table knows."""
    if not said.isascii():
        return _normal(_ADDRESS.sub(" ", said) if "@" in said else said)
    raw = said.encode()
    if b"@" in raw:
        raw = b" ".join([word for word in raw.translate(_PRINTED).split() if b"@" not in word])
    return _in_ascii(raw)


_ADDRESS = re.compile(r"(?<![!-~])[!-~]*@[!-~]*")
"""An address, and what stands around it without a blank; in Chinese and the like the sentence may go on behind it."""


def _normal(said: str) -> str:
    if said.isascii():
        return _in_ascii(said.encode())
    words = _WORD.findall(said.lower().replace("'", "").replace("\u2019", ""))
    return f" {' '.join(words)} "


_WORD = re.compile(r"\b[^\W\d]\w*")


def _in_ascii(said: bytes) -> str:
    """The same for what is ASCII alone, as most answers are: quicker by far."""
    words = said.translate(_LETTERS, b"'").decode().split()
    return f" {' '.join([word for word in words if word > ':'])} "  # digits stand before it


_PRINTED = bytes(code if 32 < code < 127 else 32 for code in range(256))
_LETTERS = bytes(code if chr(code).isalnum() or chr(code) == "_" else 32 for code in range(128)).lower() + bytes(128)


def _is_vague(status: str) -> bool:
    """Whether servers give this status for everything: the other of its kind, the protocol, the security ones."""
    return status.endswith(".0") or status[2:] == "7.1" or status[2:4] == "5."


def _first(words: str, each: set[str], table: tuple[_Index, _Glued]) -> Cause | None:
    """The cause of the first row of a table whose phrase stands there."""
    index, glued = table
    found: tuple[int, Cause] | None = None
    for word in each & index.keys():
        for place, phrase, cause in index[word]:
            if (found is None or place < found[0]) and phrase in words:
                found = place, cause
    if not words.isascii():
        for place, phrase, cause in glued:
            if (found is None or place < found[0]) and phrase in words:
                found = place, cause
    return None if found is None else found[1]


def _indexed(rows: Iterable[Phrases]) -> tuple[_Index, _Glued]:
    """The phrases by their rarest word; and those of scripts that put no blanks between words, for themselves."""
    index: _Index = {}
    glued: _Glued = []
    place = 0
    rows = tuple(rows)
    often = Counter(word for row in rows for phrase in row.phrases for word in _normal(phrase).split())
    for row in rows:
        for phrase in row.phrases:
            place += 1
            normal = _normal(phrase)
            if _GLUED.search(normal):
                glued.append((place, normal.strip(), row.cause))
            else:
                rarest = min(normal.split(), key=lambda word: (often[word], -len(word), word))
                index.setdefault(rarest, []).append((place, normal, row.cause))
    return index, glued


_GLUED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_EXACT = _indexed(PHRASES)
_VAGUE = _indexed(VAGUE_PHRASES)
