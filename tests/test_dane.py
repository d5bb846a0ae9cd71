"""What a certificate is compared with: its key found in it, its pin, and TLSA records that name it or do not."""

from base64 import b64decode
from datetime import UTC, datetime
from hashlib import sha256, sha512

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from custom_smtp.dane import Tlsa, pin_of, public_key_of, tlsa_name, tlsa_of, usable
from custom_smtp.errors import Retry, TlsError
from custom_smtp.testing.certificates import Authority, KeyKind

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AUTHORITY = Authority(NOW)
SERVER = AUTHORITY.issue("mail.shop.example").der
OTHER = AUTHORITY.issue("mail.shop.example").der
KEY = sha256(public_key_of(SERVER)).hexdigest()


def key_by_cryptography(certificate: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def with_an_edwards_key() -> bytes:
    key, name = ed25519.Ed25519PrivateKey.generate(), x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    return (
        builder.not_valid_before(NOW)
        .not_valid_after(NOW)
        .public_key(key.public_key())
        .sign(key, None)
        .public_bytes(Encoding.DER)
    )


def element(tag: int, *inside: bytes) -> bytes:
    content = b"".join(inside)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(size)]) + size + content


SEQUENCE, INTEGER, VERSION = 0x30, 0x02, 0xA0
PLAIN_KEY = element(SEQUENCE, b"the key")
FIELDS = (element(INTEGER, b"\1"), *[element(SEQUENCE)] * 4, PLAIN_KEY)


class TestThePublicKey:
    """`public_key_of`: found where a certificate has it, and nowhere else."""

    @pytest.mark.parametrize("kind", KeyKind)
    def test_it_is_found_in_certificates_for_every_kind_of_key(self, kind: KeyKind) -> None:
        certificate = AUTHORITY.issue("mail.shop.example", "192.0.2.1", key_kind=kind).der
        assert public_key_of(certificate) == key_by_cryptography(certificate)

    def test_it_is_found_in_a_small_certificate(self) -> None:
        certificate = with_an_edwards_key()
        assert public_key_of(certificate) == key_by_cryptography(certificate)

    @pytest.mark.parametrize("more", [(), (element(0xA3, b"extensions"),)])
    @pytest.mark.parametrize("version", [(), (element(VERSION, element(INTEGER, b"\2")),)])
    def test_it_is_found_with_and_without_a_version(self, version: tuple[bytes, ...], more: tuple[bytes, ...]) -> None:
        body = element(SEQUENCE, *version, *FIELDS, *more)
        assert public_key_of(element(SEQUENCE, body, element(SEQUENCE), b"\3\2\0\0")) == PLAIN_KEY

    @pytest.mark.parametrize(
        "certificate",
        [
            b"",
            b"\x30",
            b"\x30\x80",
            b"-----BEGIN CERTIFICATE-----",
            SERVER + b"\0",
            SERVER + SERVER,
            b"\0" + SERVER,
            element(SEQUENCE, element(SEQUENCE, *FIELDS[1:])),
            element(SEQUENCE, element(SEQUENCE, *FIELDS[:5])),
            element(SEQUENCE, element(SEQUENCE, *FIELDS[:5], element(INTEGER, b"\1"))),
            element(SEQUENCE, element(SEQUENCE, element(VERSION), element(VERSION), *FIELDS)),
            b"\x30\x82\x00\x05" + element(SEQUENCE, b"abc"),  # a length with a nought in front
            b"\x30\x81\x05" + element(SEQUENCE, b"abc"),  # a long form where the short one is due
            b"\x30\x85\x00\x00\x00\x00\x05" + element(SEQUENCE, b"abc"),
            b"\x30\xff" + b"\xff" * 127,
            b"\x30\x80" + element(SEQUENCE, *FIELDS) + b"\0\0",  # BER's open end
        ],
    )
    def test_what_is_no_certificate_in_der_is_refused(self, certificate: bytes) -> None:
        with pytest.raises(TlsError) as refused:
            public_key_of(certificate)
        assert refused.value.retry is Retry.NEVER

    @given(st.integers(0, len(SERVER) - 1))
    def test_a_certificate_that_was_cut_off_is_refused(self, ends: int) -> None:
        with pytest.raises(TlsError):
            public_key_of(SERVER[:ends])

    @given(st.binary() | st.binary().map(lambda inside: element(SEQUENCE, element(SEQUENCE, inside))))
    def test_whatever_is_shown_has_a_key_of_its_own_or_is_refused(self, shown: bytes) -> None:
        try:
            assert public_key_of(shown) in shown
        except TlsError as error:
            assert error.retry is Retry.NEVER

    @given(st.integers(0, len(SERVER) - 1), st.integers(1, 255))
    @example(3, 1)
    def test_a_byte_that_was_changed_gives_no_key_that_another_reader_does_not_find(self, at: int, by: int) -> None:
        changed = bytearray(SERVER)
        changed[at] ^= by
        try:
            theirs = key_by_cryptography(bytes(changed))
        except Exception:  # noqa: BLE001 - what they do not read is not compared
            return
        try:
            assert public_key_of(bytes(changed)) == theirs
        except TlsError:
            return


class TestPin:
    """`pin_of`: as others reckon it."""

    def test_it_is_the_digest_of_the_key_in_base64(self) -> None:
        assert b64decode(pin_of(SERVER)) == sha256(key_by_cryptography(SERVER)).digest()
        assert len(pin_of(SERVER)) == 44

    def test_another_key_has_another(self) -> None:
        assert pin_of(SERVER) != pin_of(OTHER)


@pytest.mark.parametrize("host", ["smtp.provider.example", "smtp.provider.example."])
def test_records_stand_under_the_port(host: str) -> None:
    assert tlsa_name(host, 587) == "_587._tcp.smtp.provider.example"


MATCHING = [
    f"3 1 1 {KEY}",
    f"3 1 1 {KEY.upper()}",
    f"3  1\t1 {KEY[:10]} {KEY[10:33]} {KEY[33:]}",
    f"1 1 1 {KEY}",
    f"3 1 2 {sha512(public_key_of(SERVER)).hexdigest()}",
    f"3 1 0 {public_key_of(SERVER).hex()}",
    f"3 0 0 {SERVER.hex()}",
    f"3 0 1 {sha256(SERVER).hexdigest()}",
    f"3 0 2 {sha512(SERVER).hexdigest()}",
]


class TestTlsa:
    """`Tlsa`: which certificate a record names."""

    @pytest.mark.parametrize("value", MATCHING)
    def test_it_names_its_certificate_and_no_other(self, value: str) -> None:
        [record] = usable([value])
        assert record.matches(SERVER)
        assert not record.matches(OTHER)

    @pytest.mark.parametrize(
        "value",
        [
            f"0 1 1 {KEY}",  # an authority's
            f"2 1 1 {KEY}",
            f"4 1 1 {KEY}",
            f"255 1 1 {KEY}",
            f"3 2 1 {KEY}",
            f"3 1 3 {KEY}",
            f"3 1 1 {KEY[:-2]}",
            f"3 1 1 {KEY}00",
            f"3 1 2 {KEY}",
            f"3 1 1 {KEY[:-1]}",
            f"3 1 1 {KEY[:-1]}g",
            f"3 1 1 {'é' * 64}",
            f"-3 1 1 {KEY}",
            f"³ 1 1 {KEY}",
            f"3 1 x {KEY}",
            f"{'9' * 5000} 1 1 {KEY}",
            f"311 {KEY}",
            "3 1 1",
            "3 1 0",
            "3 1",
            "",
            r"\# 35 030101" + KEY,
        ],
    )
    def test_one_that_cannot_be_compared_is_passed_over(self, value: str) -> None:
        assert usable([value]) == ()
        assert [record.matches(SERVER) for record in usable([value, MATCHING[0]])] == [True]

    def test_one_that_was_made_by_hand_and_cannot_be_compared_names_nobody(self) -> None:
        assert not Tlsa(2, 1, 1, bytes.fromhex(KEY)).matches(SERVER)
        assert not Tlsa(3, 1, 1, b"").matches(SERVER)

    def test_of_several_digests_the_strongest_counts(self) -> None:
        weak, strong = f"3 1 1 {KEY}", f"3 1 2 {sha512(public_key_of(OTHER)).hexdigest()}"
        whole = f"3 0 1 {sha256(OTHER).hexdigest()}"
        assert {(record.selector, record.matching) for record in usable([weak, strong, whole])} == {(1, 2), (0, 1)}

    def test_a_damaged_record_takes_nothing_from_the_others(self) -> None:
        assert [str(record) for record in usable([f"3 1 2 {KEY}", MATCHING[0]])] == [MATCHING[0]]

    def test_two_keys_may_stand_there_while_one_takes_over(self) -> None:
        records = usable([str(tlsa_of(OTHER)), str(tlsa_of(SERVER))])
        assert [record.matches(SERVER) for record in records] == [False, True]

    def test_the_record_to_publish_names_the_key(self) -> None:
        assert str(tlsa_of(SERVER)) == f"3 1 1 {KEY}"
        assert usable([str(tlsa_of(SERVER))]) == (tlsa_of(SERVER),)

    @given(st.lists(st.text() | st.from_regex(r"[0-4] [0-3] [0-3] ([0-9a-f]{2}){0,70}", fullmatch=True), max_size=5))
    def test_whatever_stands_there_names_nobody_by_chance(self, values: list[str]) -> None:
        for record in usable(values):
            assert record.usable
            assert not record.matches(SERVER)
