"""The forms in which DKIM hashes a mail (RFC 6376 section 3.4)."""

import re

import pytest
from dkim.canonicalization import CanonicalizationPolicy  # type: ignore[import-untyped]  # it has no types
from hypothesis import example, given
from hypothesis import strategies as st

from custom_smtp.dkim_canonical import (
    Form,
    canonical_body,
    canonical_fields,
    canonical_header,
    field_name,
    fields_of,
    head_and_body,
)

BODIES = [
    (b"", b"\r\n", b""),
    (b"\r\n", b"\r\n", b""),
    (b"\r\n\r\n\r\n", b"\r\n", b""),
    (b" \t \r\n\r\n", b" \t \r\n", b""),
    (b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n", b" C\r\nD E\r\n"),  # RFC 6376 section 3.4.5
    (b"text", b"text\r\n", b"text\r\n"),
    (b"text ", b"text \r\n", b"text\r\n"),
    (b"text\r\n", b"text\r\n", b"text\r\n"),
    (b"a\tb\r\n", b"a\tb\r\n", b"a b\r\n"),
    (b"a\r\n\r\n b\r\n", b"a\r\n\r\n b\r\n", b"a\r\n\r\n b\r\n"),
    (b"a\r\n\r\n   \r\n", b"a\r\n\r\n   \r\n", b"a\r\n"),
    (b"\xff  \x00\r\n", b"\xff  \x00\r\n", b"\xff \x00\r\n"),
    (b"a\r\r\n\r\n", b"a\r\r\n", b"a\r\r\n"),
    (b"a\n\r\n\r\n", b"a\n\r\n", b"a\n\r\n"),
    (b"a\n", b"a\n\r\n", b"a\n\r\n"),
]


@pytest.mark.parametrize(("body", "simple", "relaxed"), BODIES)
def test_a_body_is_brought_into_its_form(body: bytes, simple: bytes, relaxed: bytes) -> None:
    assert canonical_body(body, Form.SIMPLE) == simple
    assert canonical_body(body, Form.RELAXED) == relaxed


def plainly_relaxed(body: bytes) -> bytes:
    """RFC 6376 section 3.4.4, word by word."""
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"a", b"\xe9"]), max_size=14).map(b"".join))
@example(b" \r\n")
def test_a_relaxed_body_is_what_the_standard_says(body: bytes) -> None:
    assert canonical_body(body, Form.RELAXED) == plainly_relaxed(body)
    assert canonical_body(canonical_body(body, Form.RELAXED), Form.RELAXED) == canonical_body(body, Form.RELAXED)


@given(
    st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"\xe9"]), max_size=14).map(b"".join), st.sampled_from(Form)
)
def test_bodies_are_brought_into_their_form_as_dkimpy_does(body: bytes, form: Form) -> None:
    theirs = CanonicalizationPolicy.from_c_value(f"simple/{form}".encode())
    if not body.endswith((b" ", b"\t")):  # blanks at the end of a line without an end: there it leaves one
        assert canonical_body(body, form) == theirs.canonicalize_body(body)


HEAD = b"A: X \r\nB : Y\t\r\n\tZ  \r\nno header\r\na:\r\n  2"


def test_a_head_is_cut_into_its_fields() -> None:
    assert fields_of(HEAD) == [b"A: X ", b"B : Y\t\r\n\tZ  ", b"no header", b"a:\r\n  2"]
    assert [field_name(each) for each in fields_of(HEAD)] == [b"a", b"b", None, b"a"]
    assert field_name(b"Folded\r\n : x") == b"folded"


def test_header_fields_are_brought_into_their_form() -> None:
    assert canonical_fields(HEAD, Form.SIMPLE) == {b"a": [b"A: X ", b"a:\r\n  2"], b"b": [b"B : Y\t\r\n\tZ  "]}
    assert canonical_fields(HEAD, Form.RELAXED) == {b"a": [b"a:X", b"a:2"], b"b": [b"b:Y Z"]}
    assert canonical_fields(b"", Form.SIMPLE) == canonical_fields(b"", Form.RELAXED) == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"From", b"X-A", b"x-a ", b"To\t"]),
            st.lists(st.sampled_from([b" ", b"\t", b"\r\n ", b"\r\n\t", b"a", b":", b"\xe9"]), max_size=8).map(
                b"".join
            ),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_one_field_has_the_same_form_as_among_others(fields: list[tuple[bytes, bytes]]) -> None:
    head = b"\r\n".join(name + b":" + value for name, value in fields)
    theirs = CanonicalizationPolicy.from_c_value(b"relaxed/simple").canonicalize_headers(
        [(name, value + b"\r\n") for name, value in fields]
    )
    for form in Form:
        together = canonical_fields(head, form)
        assert {
            name: [canonical_header(each, form) for each in fields_of(head) if field_name(each) == name]
            for name in together
        } == together
    assert sorted(b"%b:%b" % each for each in theirs) == sorted(
        each + b"\r\n" for several in canonical_fields(head, Form.RELAXED).values() for each in several
    )


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"A: 1\r\n\r\nbody\r\n", (b"A: 1", b"body\r\n")),
        (b"A: 1\r\n\r\n", (b"A: 1", b"")),
        (b"A: 1\r\n", (b"A: 1", b"")),
        (b"A: 1", (b"A: 1", b"")),
        (b"\r\nbody", (b"", b"body")),
        (b"", (b"", b"")),
        (b"A: 1\r\n \r\n\r\nbody", (b"A: 1\r\n ", b"body")),
    ],
)
def test_a_mail_is_cut_at_its_first_empty_line(content: bytes, parts: tuple[bytes, bytes]) -> None:
    assert head_and_body(content) == parts


@pytest.mark.parametrize("piece", [b" ", b"\t", b"\r\n", b" \r\n", b"\r", b"\n", b" \t", b"a ", b"\r\n "])
def test_a_megabyte_of_anything_is_done_in_one_go(piece: bytes) -> None:
    # Anything but linear would take hours here, and the suite's limit is a minute.
    body = piece * (1_000_000 // len(piece)) + b"x"
    assert canonical_body(body, Form.RELAXED) == plainly_relaxed(body)
    assert canonical_fields(b"A:" + body.replace(b"\r\n\r\n", b"\r\n"), Form.RELAXED)
    assert canonical_fields(b"A:" + body.replace(b"\r\n\r\n", b"\r\n"), Form.SIMPLE)
