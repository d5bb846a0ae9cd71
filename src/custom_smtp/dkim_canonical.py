"""The forms in which DKIM hashes a mail, so that what servers do to it on the way breaks no signature (RFC 6376, 3.4).

The signer and the verifier both take them from here. Everything runs in linear time, whatever the mail holds.
"""

import re
from enum import StrEnum


class Form(StrEnum):
    """How much may change on the way (RFC 6376 section 3.4)."""

    SIMPLE = "simple"
    """Nothing, but for empty lines at the very end."""
    RELAXED = "relaxed"
    """How much white space stands in a place that has some, letter case of header names, and how headers are folded."""


_FIELD_END = re.compile(rb"\r\n(?![ \t])")
_BLANKS = re.compile(rb"[ \t]+")
_RUN = re.compile(rb"  +")
_BLANK = b" \t"

Fields = dict[bytes, list[bytes]]
"""Header fields by their names in lower case: each as it is hashed, without its CRLF, in the order of the mail."""


def head_and_body(content: bytes) -> tuple[bytes, bytes]:
    """A mail's header, without its last CRLF, and its body. A mail without an empty line is all header."""
    if content.startswith(b"\r\n"):
        return b"", content[2:]
    head, end, body = content.partition(b"\r\n\r\n")
    return (head, body) if end else (content.removesuffix(b"\r\n"), b"")


def fields_of(head: bytes) -> list[bytes]:
    """Header fields as they stand, folded, without the last CRLF of each."""
    return _FIELD_END.split(head)


def field_name(header: bytes) -> bytes | None:
    """A header field's name in lower case; None for a line that is none."""
    name, colon, _ = header.partition(b":")
    return name.replace(b"\r\n", b"").rstrip(_BLANK).lower() if colon else None


def canonical_fields(head: bytes, form: Form) -> Fields:
    """Every header field as it is hashed (RFC 6376 sections 3.4.1 and 3.4.2). A line without a colon is none."""
    named: Fields = {}
    if form is Form.SIMPLE:
        for header in fields_of(head):
            if (name := field_name(header)) is not None:
                named.setdefault(name, []).append(header)
        return named
    for line in _relaxed(head).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            name = name.rstrip(b" ").lower()
            named.setdefault(name, []).append(name + b":" + value.strip(b" "))
    return named


def canonical_header(header: bytes, form: Form) -> bytes:
    """One header field as it is hashed, without its CRLF."""
    if form is Form.SIMPLE:
        return header
    name, _, value = _relaxed(header).partition(b":")
    return name.rstrip(b" ").lower() + b":" + value.strip(b" ")


def _relaxed(head: bytes) -> bytes:
    """Headers in one line each, and one space for all blanks that stand together."""
    head = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    return _BLANKS.sub(b" ", head) if b"\t" in head or b"  " in head else head


def canonical_body(body: bytes, form: Form) -> bytes:
    """A body as it is hashed (RFC 6376 sections 3.4.3 and 3.4.4)."""
    if form is Form.RELAXED and has_blanks_to_relax(body):
        body = _RUN.sub(b" ", body.replace(b"\t", b" ")).replace(b" \r\n", b"\r\n").removesuffix(b" ")
    if body.endswith(b"\r\n") and not body.endswith(b"\n\r\n") and len(body) > 2:
        return body
    end = _end_of_text(body)
    return body[:end] + b"\r\n" if end or form is Form.SIMPLE else b""


def has_blanks_to_relax(body: bytes) -> bool:
    """Whether the relaxed form of a body has fewer blanks."""
    # Most bodies have none, and are hashed as they stand. A CR made a space, one search finds both: blanks that stand
    # together, and those that end a line. (From behind it is twice as quick.)
    return b"\t" in body or body.endswith(b" ") or body.replace(b"\r", b" ").rfind(b"  ") >= 0


def _end_of_text(body: bytes) -> int:
    """Where the CRLFs begin that are the last things in a body; a CR or LF alone is text."""
    text = len(body.rstrip(b"\r\n"))
    return text + len(body[text:].replace(b"\r\n", b"  ").rstrip(b" "))
