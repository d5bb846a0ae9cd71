"""Headers read: addresses, encoded words and parameters as other programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address
from custom_smtp.header_lines import mailboxes, unstructured
from custom_smtp.header_reading import addresses, decoded, head_at, media, parameters, value_of

ada = Address("ada@example.net", smtputf8=True)


def test_headers_end_with_an_empty_line_or_before_what_is_none() -> None:
    content = b"A: 1\r\n\tmore\r\nb : 2\n\nbody"
    head = head_at(content, 0, len(content))
    assert [one.name for one in head.fields] == ["A", "b"]
    assert [value_of(content, one) for one in head.fields] == ["1\tmore", "2"]
    assert (content[head.body :], head.separated) == (b"body", True)
    for broken, body in [(b"A: 1\nno header\n", b"no header\n"), (b" A: 1\n", b" A: 1\n"), (b"A: 1\n", b"")]:
        head = head_at(broken, 0, len(broken))
        assert (broken[head.body :], head.separated) == (body, False)


@pytest.mark.parametrize(("raw", "value"), [("\xfc".encode(), "\xfc"), (b"\xfc", "\xfc")])
def test_bytes_beyond_ascii_are_utf_8_or_each_a_character(raw: bytes, value: str) -> None:
    assert value_of(b"A: " + raw, head_at(b"A: " + raw, 0, 9).fields[0]) == value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("=?utf-8?q?Gr=C3=BC?= =?UTF-8*de?Q?=C3=9Fe_an?= Ada", "Gr\xfc\xdfe an Ada"),
        ("=?utf-8?b?R3LDvMOfZQ?=", "Gr\xfc\xdfe"),
        ("=?utf-8?b?w?= =?utf-8?b?R3LDvMOfZQ==?=", "Gr\xfc\xdfe"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\xfc"),
        ("=?iso-8859-1?q?=E4?= =?koi8-r?q?=C1?=", "\xe4\u0430"),
        ("=?x-own?q?=E4?=", "\xe4"),
        ("a =?nothing", "a =?nothing"),
        ("=?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"),
    ],
)
def test_encoded_words_are_decoded_as_far_as_they_can_be(value: str, told: str) -> None:
    assert decoded(value) == told


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])))
def test_what_we_encode_is_decoded_again(text: str) -> None:
    written = unstructured("Subject", text).removeprefix("Subject: ").replace("\r\n", "")
    assert decoded(written) == " ".join(text.split())


@given(st.text())
def test_any_value_is_read_somehow(value: str) -> None:
    decoded(value)
    addresses(value)
    media(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("ada@example.net", [ada]),
        (" <ada@example.net>, ", [ada]),
        ("ada@example.net (Ada, at home)", [ada]),
        (
            "friends: ada@example.net, <bob@example.net>; eve@example.org",
            [ada, Address("bob@example.net", smtputf8=True), Address("eve@example.org", smtputf8=True)],
        ),
        ('"Doe, \\"A\\" <x@y>" <ada@example.net>', [Address("ada@example.net", 'Doe, "A" <x@y>', smtputf8=True)]),
        (
            "=?utf-8?q?=C3=84da?= <@relay.example:ada@example.net>",
            [Address("ada@example.net", "\xc4da", smtputf8=True)],
        ),
        ("nobody, <>", [None, None]),
        ("\\<ada@example.net><bob@example.net>", [None]),
        ("\\, <ada@example.net>, ada@example.net", [None, ada]),
        ("CORP\\ada <ada@example.net>", [Address("ada@example.net", "CORPada", smtputf8=True)]),
        ("undisclosed-recipients:;", []),
        ("((a)b", []),
    ],
)
def test_address_lists_are_read_as_they_are_written(value: str, told: list[Address | None]) -> None:
    assert addresses(value) == told


@given(
    st.lists(
        st.builds(
            Address,
            st.just("ada@example.net"),
            st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30),
            smtputf8=st.just(True),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_addresses_that_we_write_are_read_again(several: list[Address]) -> None:
    written = mailboxes("To", several).removeprefix("To: ").replace("\r\n", "")
    again = addresses(written)
    assert [one and " ".join(one.name.split()) for one in again] == [" ".join(one.name.split()) for one in several]


def test_parameters_are_read_and_those_with_two_values_told() -> None:
    assert parameters('text/plain (a; b=c) ; charset = "a\\"b" ; x=1; x=2; y=1; Y=1') == {
        "b": "c)",
        "charset": 'a"b',
        "x": None,
        "y": "1",
    }
    told = media("Text/Plain; charset*0=a")
    assert (told.type, told.sure("charset"), told.sure("other")) == ("text/plain", False, True)
    assert media("text").type == media("text/plain/x").type == ""
