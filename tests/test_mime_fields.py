"""Headers on the wire: as they came, or encoded and folded so that they say the same."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.body_encodings import Encoding
from custom_smtp.checks import MailError
from custom_smtp.header_reading import addresses, decoded, head_at, parameters
from custom_smtp.mime_fields import adjusted, field_of, signed_names, wire_field


def wire(name: str, value: bytes) -> bytes:
    return wire_field(name, name.encode() + b":" + value, as_it_is=False).wire


def test_a_header_that_can_travel_stays() -> None:
    assert wire("X-Odd", b"  a \n\t b  \r\r\n") == b"X-Odd:  a \r\n\t b  \r\n"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Subject", " Gr\xfc\xdfe an Ada".encode(), b"Subject: =?utf-8?b?R3LDvMOfZQ==?= an Ada\r\n"),
        ("Subject", b" Gr\xfc\xdfe an Ada", b"Subject: =?unknown-8bit?b?R3L832U=?= an Ada\r\n"),
        ("Subject", " a \xfc  \xfc b".encode(), b"Subject: a =?utf-8?b?w7wgIMO8?= b\r\n"),
        (
            "To",
            ' "D\xfc, A" <a@b.example>, \xdf x (\xe4) <c@d.example>'.encode(),
            b"To: =?utf-8?b?RMO8LCBB?= <a@b.example>, =?utf-8?b?w58=?= x (=?utf-8?b?w6Q=?=)\r\n <c@d.example>\r\n",
        ),
        ("To", " D\xfc  <a@b.example>".encode(), b"To: =?utf-8?b?RMO8?=  <a@b.example>\r\n"),
        ("To", ' "D\xfc"<a@b.example>'.encode(), b"To: =?utf-8?b?RMO8?= <a@b.example>\r\n"),
        ("To", " <\xfc@b.example>".encode(), "To: <\xfc@b.example>\r\n".encode()),
        ("To", " \xfc@b.example".encode(), "To: \xfc@b.example\r\n".encode()),
        ("Content-Description", " \xfc".encode(), "Content-Description: \xfc\r\n".encode()),
        ("List-Id", " \xfc".encode(), "List-Id: \xfc\r\n".encode()),
    ],
)
def test_what_is_beyond_ascii_is_encoded_where_it_may_be(name: str, value: bytes, expected: bytes) -> None:
    assert wire(name, value) == expected
    assert wire_field(name, name.encode() + b":" + value, as_it_is=True).wire == name.encode() + b":" + value + b"\r\n"


@pytest.mark.parametrize("name", ["To", "List-Id", "Content-Description"])
def test_what_is_beyond_ascii_and_cannot_be_encoded_nor_is_utf_8_is_refused(name: str) -> None:
    with pytest.raises(MailError, match="no UTF-8"):
        wire(name, b" <\xfc@b.example>")


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="=?"), min_size=1)
    )
)
def test_words_are_read_as_they_were(words: list[str]) -> None:
    text = " ".join(words)
    try:
        written = wire("Subject", b" " + text.encode())
    except MailError:
        assert any(len(word) > 900 for word in words)
        return
    assert written.isascii()
    assert decoded(written.decode().removeprefix("Subject:").replace("\r\n", "")) == text


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="=?\\"),
        min_size=1,
        max_size=60,
    )
)
def test_names_are_read_as_they_were(name: str) -> None:
    quoted = '"' + name.replace('"', '\\"') + '"'
    written = wire("From", f" {quoted} <a@b.example>".encode()).decode().removeprefix("From:").replace("\r\n", "")
    [address] = addresses(written)
    assert address is not None
    assert address.name == name
    assert email.message_from_string("From:" + written, policy=email.policy.default)["From"] is not None


def test_encoding_and_charset_are_changed_and_nothing_else() -> None:
    fields = (field_of("content-type", 'text/plain; charset="x"; format=flowed'), field_of("X-Other", "1"))
    changed = adjusted(fields, Encoding.BASE64, media_type="text/plain", charset="utf-8", of_the_mail=True)
    assert [one.wire for one in changed] == [
        b'content-type: text/plain; charset="utf-8"; format=flowed\r\n',
        b"X-Other: 1\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"MIME-Version: 1.0\r\n",
    ]
    assert adjusted(fields, None, media_type="text/plain") is fields


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('text/plain; name="a; charset=x"; charset=x', 'text/plain; name="a; charset=x"; charset=utf-8'),
        ('text/plain; charset="x"y; format=z', 'text/plain; charset="utf-8"y; format=z'),
        (r'text/plain; name="a\"; charset=x"', r'text/plain; name="a\"; charset=x"; charset=utf-8'),
        ('text/plain;charset = "x";', 'text/plain;charset = "utf-8";'),
        (r'text/plain; charset="i\"s\o"', 'text/plain; charset="utf-8"'),
        ("text/plain; charset=", "text/plain; charset=utf-8"),
        ("text/plain;", "text/plain; charset=utf-8"),
        ("text/plain; charset=x (a word)", "text/plain; charset=utf-8 (a word)"),
    ],
)
def test_a_charset_is_changed_where_it_is_one(value: str, expected: str) -> None:
    [changed] = adjusted((field_of("Content-Type", value),), None, media_type="text/plain", charset="utf-8")
    assert changed == field_of("Content-Type", expected)


@given(st.text('chars et=;"\\()x/\t\r\n', max_size=40))
def test_however_odd_a_content_type_is_it_stays_one_header_with_one_charset(value: str) -> None:
    one = wire_field(
        "Content-Type", f"Content-Type:{value}".encode().replace(b"\r", b"").replace(b"\n", b"\r\n "), as_it_is=False
    )
    [changed] = adjusted((one,), None, media_type="text/plain", charset="koi8-r")
    assert changed.wire.endswith(b"koi8-r\r\n") or "charset" in parameters(one.value)
    head = head_at(changed.wire + b"\r\n", 0, len(changed.wire) + 2)
    assert [(each.name, each.end) for each in head.fields] == [("Content-Type", len(changed.wire))]
    assert head.separated
    if "charset" in parameters(one.value):
        assert parameters(changed.value)["charset"] == "koi8-r"


def test_what_signatures_cover_is_told() -> None:
    signatures = (
        field_of("DKIM-Signature", "v=1; h = From : To;b="),
        field_of("ARC-Message-Signature", "h=Subject"),
        field_of("X-Signature", "h=date"),
    )
    assert signed_names(signatures) == {"from", "to", "subject"}
