"""What stands in a part is read back equal, and no line of it surprises anybody."""

import base64 as standard_base64
import quopri
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from custom_smtp.body_encodings import SOFT_BREAK, Encoding, base64, encode_text, quoted_printable

DECODE: dict[Encoding, Callable[[bytes], bytes]] = {
    Encoding.SEVEN_BIT: bytes,
    Encoding.QUOTED_PRINTABLE: quopri.decodestring,
    Encoding.BASE64: standard_base64.b64decode,
}

any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=400)
# What breaks lines, escapes and edges, closer together than chance would put it.
hard_text = st.lists(
    st.sampled_from(
        [
            "=",
            ".",
            "F",
            "From ",
            " ",
            "\t",
            "\n",
            "\r\n",
            "\r",
            "ü",
            "–",
            "🎉",
            "x" * 70,
            "word ",
            "=3D",
            "--=_",
            "\x07",
        ]
    ),
    max_size=80,
).map("".join)


def on_the_wire(text: str) -> bytes:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()


def quoted_printable_lines(encoded: bytes) -> list[bytes]:
    """Its lines, looked through: RFC 2045 section 6.7 by a grammar of its own."""
    lines = encoded.split(b"\r\n")
    for line in lines:
        assert len(line) <= 76
        assert re.fullmatch(rb"(?:[\t !-<>-~]|=[0-9A-F]{2})*=?", line)
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))
    return lines


@given(any_text | hard_text)
@example("")
@example("\n")
@example("." * 200)
@example("F" * 200)
@example("=" * 200)
@example("ü" * 200)
@example("x" * 72 + "=.")
@example("x" * 73 + ".x" * 40)
@example("x" * 70 + "EF" + "=" * 70 + "F" * 10)
@example("".join(map(chr, range(0xA1, 0x400))))
@example(("ü" * 3 + "x" * 31) * 400)
@example(" ")
@example("a \nb\t\n.c\nFrom d\n" + "e" * 300)
def test_quoted_printable_comes_back(text: str) -> None:
    encoded = quoted_printable(text)
    quoted_printable_lines(encoded)
    assert quopri.decodestring(encoded) == on_the_wire(text)


@given(any_text | hard_text, any_text | hard_text)
def test_quoted_printable_can_be_written_in_pieces(first: str, second: str) -> None:
    both = quoted_printable(first) + SOFT_BREAK + quoted_printable(second)
    quoted_printable_lines(both)
    assert quopri.decodestring(both) == on_the_wire(first) + on_the_wire(second)


def test_quoted_printable_to_the_letter() -> None:
    assert quoted_printable("Grüße = 1\n.\nFrom me \n" + "word " * 16) == (
        b"Gr=C3=BC=C3=9Fe =3D 1\r\n=2E\r\n=46rom me=20\r\n"
        b"word word word word word word word word word word word word word word wor=\r\nd word=20"
    )


def test_a_line_that_fits_is_not_cut_though_others_are() -> None:
    fits = "x" * 75
    assert quoted_printable(f"{fits}\n{'y' * 76}\n{fits}\n").decode().split("\r\n") == [
        fits,
        "y" * 73 + "=",
        "yyy",
        fits,
        "",
    ]


@given(any_text | hard_text)
@example("plain")
@example("=3D is plain")
@example("x" * 999)
@example("\x7f")
def test_any_text_comes_back_in_the_encoding_that_suits_it(text: str) -> None:
    encoding, encoded = encode_text(text)
    decoded = DECODE[encoding](encoded)
    assert decoded == on_the_wire(text if text.endswith(("\n", "\r")) else text + "\n")
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 998
        assert re.fullmatch(rb"[\t -~]*", line)
        assert not line.startswith((b".", b"--=_"))
        assert encoding is Encoding.BASE64 or not line.startswith(b"From ")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain = plain", Encoding.SEVEN_BIT),
        ("a" * 998, Encoding.SEVEN_BIT),
        ("a" * 999, Encoding.QUOTED_PRINTABLE),
        (".", Encoding.QUOTED_PRINTABLE),
        ("a\n.b", Encoding.QUOTED_PRINTABLE),
        ("From me", Encoding.QUOTED_PRINTABLE),
        ("a\r\nFrom me", Encoding.QUOTED_PRINTABLE),
        ("a\rFrom me", Encoding.QUOTED_PRINTABLE),
        ("From: me", Encoding.SEVEN_BIT),
        ("a \nb", Encoding.QUOTED_PRINTABLE),
        ("a\t", Encoding.QUOTED_PRINTABLE),
        ("--=_a_d1", Encoding.QUOTED_PRINTABLE),
        ("see --=_a_d1", Encoding.SEVEN_BIT),
        ("\x07 rings", Encoding.QUOTED_PRINTABLE),
        ("Viele Grüße aus dem Norden", Encoding.QUOTED_PRINTABLE),
        ("Grüße", Encoding.BASE64),
        ("Привет", Encoding.BASE64),
    ],
)
def test_the_encoding_is_chosen_by_what_the_text_holds(text: str, encoding: Encoding) -> None:
    assert encode_text(text)[0] is encoding


@given(st.binary(max_size=300))
@example(b"")
@example(b"x" * 57)
@example(b"x" * 58)
@example(bytes(range(256)) * 100)
@example(b"y" * 57 * 128)
@example(b"y" * (57 * 256 + 1))
def test_base64_comes_back(content: bytes) -> None:
    encoded = base64(content)
    assert standard_base64.b64decode(encoded) == content
    assert encoded == b"".join(
        standard_base64.b64encode(content[at : at + 57]) + b"\r\n" for at in range(0, len(content), 57)
    )
