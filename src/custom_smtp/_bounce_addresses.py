"""The addresses in a text that a machine wrote for a person: wherever they stand, whatever stands around them.

They are looked for by their ``@``, which is rare, and from there to both sides.
"""

import re
from collections.abc import Iterator

LIMIT = 400
"""How many are looked for in one text."""

_LOCAL_OCTETS = 64
"""In front of the ``@`` (RFC 5321 section 4.5.3.1.1)."""

_LOCAL = r"\s<>()\[\],;:\"@|\\\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef"  # a Chinese word may stand right before it
_LABEL = r"[A-Za-z0-9_\u00a1-\u1fff][A-Za-z0-9_\u00a1-\u1fff-]{0,62}"
_HOST = re.compile(rf"@({_LABEL}(?:\.{_LABEL}){{1,10}})")
_TO_THE_LAST_OTHER = re.compile(rf"(?s:.*)[{_LOCAL}]")
_QUOTED = re.compile(rf"(?s:.*)(?:^|[{_LOCAL}])(\"[^\"\n@]{{1,{_LOCAL_OCTETS}}}\")\Z")
_X400 = re.compile(r"(?:smtp|to|rcpt|user|account|email|address|orcpt)=", re.IGNORECASE)
_QUOTES = "'`*=\u2018\u2019\u201c\u201d\u00ab\u00bb"


def addresses_in(text: str) -> Iterator[tuple[str, int, int]]:
    """The addresses in a text, as they are written, and where each begins and ends; the first of many."""
    number = behind = 0
    for found in _HOST.finditer(text):
        start = _start(text, behind, found.start())
        if start < 0:
            continue
        behind = found.end()
        local = text[start : found.start()]
        if labelled := _X400.match(local):
            local = local[labelled.end() :]
            start += labelled.end()
        local = local.lstrip(_QUOTES)
        if not local:
            continue
        yield f"{local}@{found[1].rstrip('-_')}", start, behind
        number += 1
        if number == LIMIT:
            return


def _start(text: str, behind: int, at: int) -> int:
    """Where the local part in front of an ``@`` begins; -1 where there is none, or none that an address can have."""
    first = max(behind, at - _LOCAL_OCTETS - 2)
    other = _TO_THE_LAST_OTHER.match(text, first, at)
    start = other.end() if other is not None else first
    if start == at:
        return _start_of_quoted(text, first, at)
    if at - start > _LOCAL_OCTETS or (other is None and behind and first == behind):
        return -1
    return start


def _start_of_quoted(text: str, first: int, at: int) -> int:
    quoted = _QUOTED.match(text, first, at)
    return -1 if quoted is None else quoted.start(1)
