"""A record that the owner of a domain must publish."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.dns_records import KINDS, Record, dns_name, known_kind, txt_text
from custom_smtp.errors import ConfigurationError


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_each_kind_can_be(kind: Any) -> None:
    assert known_kind(kind) == kind
    assert Record(kind, "s1._domainkey.shop.example", "v=DKIM1; p=", "a key").kind == kind


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (("SRV", "shop.example", "x"), "use one of A, AAAA, CNAME, MX, TXT"),
        ((None, "shop.example", "x"), "use one of A"),
        (("TXT", "", "x"), "write a full name"),
        (("TXT", "shop.example.", "x"), "write a full name"),
        (("TXT", "shop..example", "x"), "write a full name"),
        (("TXT", "shop example", "x"), "write a full name"),
        (("TXT", "shop.example\n", "x"), "write a full name"),
        (("TXT", "ü.example", "x"), "write a full name"),
        (("TXT", "a" * 64 + ".example", "x"), "write a full name"),
        (("TXT", ".".join(["a" * 50] * 6), "x"), "write a full name"),
        (("TXT", None, "x"), "write a full name"),
        (("TXT", "shop.example", ""), "write it in one line"),
        (("TXT", "shop.example", " "), "write it in one line"),
        (("TXT", "shop.example", "a\nMX 10 evil.example"), "write it in one line"),
        (("TXT", "shop.example", None), "write it in one line"),
    ],
)
def test_a_record_that_cannot_be_published_is_refused(fields: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Record(*fields)


@given(st.text(), st.text())
def test_a_record_is_one_line_of_a_zone_or_refused(name: str, value: str) -> None:
    try:
        record = Record("TXT", name, value)
    except ConfigurationError:
        return
    assert len(f"{record.name} {record.value}".splitlines()) == 1
    assert len(record.name) <= 253


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("Shop.Example.", "shop.example"),
        ("s1._DomainKey.shop.example", "s1._domainkey.shop.example"),
        ("_dmarc.münchen.example", "_dmarc.xn--mnchen-3ya.example"),
    ],
)
def test_a_name_is_written_as_the_dns_knows_it(told: str, name: str) -> None:
    assert dns_name(told) == name
    assert Record("TXT", dns_name(told), "x").name == name


@pytest.mark.parametrize(
    "told",
    ["", ".", "shop..example", "[192.0.2.1]", "shop example", "_.example", "☃.example", ".".join(["a" * 60] * 5), None],
)
def test_a_name_at_which_no_record_can_stand_is_refused(told: Any) -> None:
    with pytest.raises(ConfigurationError, match="is no name in the DNS|over 253 octets"):
        dns_name(told)


@given(st.text())
def test_any_name_is_one_that_a_record_can_have_or_is_refused(told: str) -> None:
    try:
        name = dns_name(told)
    except ConfigurationError:
        return
    assert Record("TXT", name, "x").name == name == dns_name(name)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=600).filter(str.strip))
def test_a_text_is_published_in_pieces_of_255_octets_that_are_read_as_one(text: str) -> None:
    record = Record("TXT", "s1.shop.example", text)
    assert max(len(piece.encode()) for piece in record.strings) <= 255
    assert "".join(record.strings) == text
    start = "s1.shop.example. IN TXT ( "
    assert record.zone_line.startswith(start)
    assert txt_text(record.zone_line.removeprefix(start).removesuffix(" )")) == text


def test_other_records_are_one_piece() -> None:
    record = Record("MX", "send.shop.example", "10 mx.example.")
    assert record.strings == ("10 mx.example.",)
    assert record.zone_line == "send.shop.example. IN MX 10 mx.example."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain text", "plain text"),
        ('"one" "two"', "onetwo"),
        (' "one"two"three" ', "onethree"),
        ('"a\\"b\\\\c" "\\059\\d"', 'a"b\\c;d'),
        ("a\\059b\\", "a;b\\"),
        ('"one" "without an end', "one"),
        ('"', ""),
        ("", ""),
        ('""', ""),
    ],
)
def test_a_text_is_read_as_a_zone_file_writes_it(value: str, text: str) -> None:
    assert txt_text(value) == text
