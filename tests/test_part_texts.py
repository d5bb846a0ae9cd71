"""The text of a part: read only where writing it again gives the same bytes."""

import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.body_encodings import Encoding
from custom_smtp.part_texts import (
    codec_of,
    crlf,
    crlf_alone,
    encoded,
    encoding_of,
    ended,
    octets,
    quoted_printable,
    text,
)


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("UTF8", "utf_8"),
        ("ISO-8859-1", "latin_1"),
        ("windows-1252", "cp1252"),
        ("gb2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("Shift_JIS", "cp932"),
        ("US-ASCII", "ascii"),
    ],
)
def test_the_charsets_of_mail_are_known(charset: str, codec: str) -> None:
    assert codec_of(charset) == codec


@pytest.mark.parametrize(
    "charset", ["utf-7", "rot13", "base64", "idna", "unicode_escape", "x\0", "\xfc", "", "undefined", "../x"]
)
def test_what_is_no_charset_of_mail_is_not(charset: str) -> None:
    assert codec_of(charset) is None
    assert text(b"x", charset) is None


def test_encodings_are_known_by_their_names() -> None:
    assert encoding_of(" Base64 ") is Encoding.BASE64
    assert encoding_of("") is Encoding.SEVEN_BIT
    assert encoding_of("binary") is Encoding.EIGHT_BIT
    assert encoding_of("x-uuencode") is None


@given(
    st.binary(),
    st.sampled_from(Encoding),
    st.sampled_from(["utf-8", "iso-8859-1", "gbk", "iso-2022-jp", "koi8-r", "big5"]),
)
def test_a_text_that_is_read_is_written_as_the_same_bytes(content: bytes, encoding: Encoding, charset: str) -> None:
    raw = octets(crlf(content), encoding)
    told = None if raw is None else text(raw, charset)
    if told is None:
        return
    again, how, codec = encoded(told[0], encoding, told[1], like=told[0])
    assert codec == told[1]
    assert octets(again, how) == raw


@given(st.binary())
def test_quoted_printable_is_read_as_what_it_was_made_of(raw: bytes) -> None:
    coded = quoted_printable(raw)
    assert binascii.a2b_qp(coded) == raw == octets(coded, Encoding.QUOTED_PRINTABLE)
    assert crlf_alone(coded) == coded
    assert max(map(len, coded.split(b"\r\n"))) <= 76
    assert quopri.decodestring(coded.replace(b"\r\n", b"\n")) == raw.replace(b"\r\n", b"\n") or b"\r\n" in raw


def test_white_space_at_the_end_of_a_line_is_none_of_quoted_printable() -> None:
    assert octets(b"a= \t\r\nb \t\r\nc=20\r\n", Encoding.QUOTED_PRINTABLE) == b"ab\r\nc \r\n"


def test_new_line_ends_are_those_of_mail_unless_the_text_had_others() -> None:
    assert encoded("a\nb\r", Encoding.SEVEN_BIT, "ascii", like="x\r\n")[0] == b"a\r\nb\r\n"
    assert encoded("a\nb", Encoding.BASE64, "ascii", like="x\n")[0] == b"YQpi\r\n"


def test_a_last_line_is_ended_where_it_must_be() -> None:
    assert ended(b"", Encoding.SEVEN_BIT) == b""
    assert ended(b"a", Encoding.QUOTED_PRINTABLE) == b"a=\r\n"
    assert ended(b"a", Encoding.EIGHT_BIT) == ended(b"a\r\n", Encoding.BASE64) == b"a\r\n"


@given(st.binary())
def test_after_that_crlf_is_the_only_line_end(content: bytes) -> None:
    alone = crlf_alone(content)
    assert alone.replace(b"\r\n", b"").count(b"\n") == alone.replace(b"\r\n", b"").count(b"\r") == 0
    assert crlf_alone(alone) == alone
