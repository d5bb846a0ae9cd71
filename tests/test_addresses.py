"""Addresses are right once they exist."""

import pickle
import re
from ipaddress import IPv4Address, IPv6Address
from unicodedata import normalize

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from custom_smtp import Address
from custom_smtp.addresses import ascii_domain, recipient_key
from custom_smtp.errors import MailError

ATOM = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,12}", fullmatch=True)
LOCAL = st.lists(ATOM, min_size=1, max_size=4).map(".".join)
DOMAIN = st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True), min_size=1, max_size=4).map(
    ".".join
)
EMAIL = st.builds("{}@{}".format, LOCAL, DOMAIN)
LETTER = st.characters(categories=["Ll", "Lo", "Nd"]).filter(lambda letter: normalize("NFKC", letter) == letter)
NAME = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40)


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.net",
        "Ada.Lovelace+news@Example.NET",
        "o'hara!#$%&'*+/=?^_`{|}~-@example.net",
        "=?b@example.net",
        '"a..b"@example.net',
        '"ada lovelace"@example.net',
        '"a\\"b"@example.net',
        "ada@localhost",
        "ada@münchen.example",
        "ada@例え.テスト",
        "ada@xn--mnchen-3ya.example",
        "ada@[192.0.2.1]",
        "ada@[IPv6:2001:db8::1]",
        "a" * 64 + "@example.net",
    ],
)
def test_a_good_address_is_taken_as_it_is(email: str) -> None:
    assert Address(email).email == email
    assert Address(email).wire.isascii()


@pytest.mark.parametrize(
    ("email", "says"),
    [
        ("", "needs one '@'"),
        ("ada", "needs one '@'"),
        ("@example.net", "needs one '@'"),
        ("ada@", "needs one '@'"),
        ("ada@b@example.net", "more than one '@'"),
        ('"a@b"@example.net', "more than one '@'"),
        ("ada@example.net\r\nBcc: eve@example.org", "take it out"),
        ("ada\n@example.net", "take it out"),
        ("ada\x85@example.net", "take it out"),
        ("a\u2028b@example.net", "take it out"),
        ("ada\x00@example.net", "take it out"),
        ("a..b@example.net", "quote it"),
        (".a@example.net", "quote it"),
        ("a.@example.net", "quote it"),
        ("a b@example.net", "quote it"),
        ("<ada@example.net", "quote it"),
        ('""@example.net', "quote it"),
        ('"a"b"@example.net', "quote it"),
        ('"a\\"@example.net', "quote it"),
        ("a\xa0b@example.net", "quote it"),
        ("=?utf-8?q?eve=40evil.example=3e?=@example.net", "an encoded word"),
        ('"=?utf-8?B?eA==?="@example.net', "an encoded word"),
        ("a" * 65 + "@example.net", "shorten it"),
        ("ä" * 33 + "@example.net", "shorten it"),
        ("ada@" + ".".join(["a" * 60] * 5), "shorten it"),
        ("a" * 64 + "@" + ".".join(["a" * 47] * 4), "shorten it"),
        ("ada@example..net", "is not a domain name"),
        ("ada@.example.net", "is not a domain name"),
        ("ada@-example.net", "is not a domain name"),
        ("ada@example-.net", "is not a domain name"),
        ("ada@exa mple.net", "is not a domain name"),
        ("ada@example.net>", "is not a domain name"),
        ("ada@exa_mple.net", "is not a domain name"),
        ("ada@" + "a" * 64 + ".net", "is not a domain name"),
        ("ada@" + "ä" * 100_000 + ".net", "is not a domain name"),
        ("ada@\u0301a.net", "is not a domain name"),
        ("ada@-\xe4.net", "is not a domain name"),
        ("ada@\xe4-.net", "is not a domain name"),
        ("ada@xn--\xe4.net", "is not a domain name"),
        ("ada@a。net", "is not a domain name"),
        ("ada@☃.net", "is not a domain name"),
        ("ada@a\ud800.net", "is not a domain name"),
        ("a\ud800@example.net", "surrogate"),
        ("ada@[192.0.2.300]", "no address literal"),
        ("ada@[2001:db8::1]", "no address literal"),
        ("ada@[IPv6:fe80::1%eth0]", "no address literal"),
        ("ada@[IPv6:fe80::1%> NOTIFY=NEVER]", "no address literal"),
        ("ada@[]", "no address literal"),
        ("jürgen@example.net", "smtputf8=True"),
        (None, "is not an address"),
        (b"ada@example.net", "is not an address"),
    ],
)
def test_a_wrong_address_is_refused_and_told_how_to_mend_it(email: str, says: str) -> None:
    with pytest.raises(MailError) as refused:
        Address(email)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 400


def test_letters_beyond_ascii_are_allowed_by_name() -> None:
    address = Address("jürgen@münchen.example", smtputf8=True)
    assert (address.local, address.domain) == ("jürgen", "xn--mnchen-3ya.example")
    assert address.wire == "jürgen@xn--mnchen-3ya.example"


@pytest.mark.parametrize("name", ["Ada\r\nBcc: eve@example.org", "Ada\x00", "Ada\ud800", None, b"Ada"])
def test_a_display_name_that_cannot_be_written_is_refused(name: str) -> None:
    with pytest.raises(MailError, match="the display name"):
        Address("ada@example.net", name)


@given(st.text(max_size=90))
def test_any_text_is_an_address_that_is_safe_on_the_wire_or_is_refused(text: str) -> None:
    try:
        address = Address(text, smtputf8=True)
    except MailError:
        return
    local, _, domain = address.wire.rpartition("@")
    assert domain == address.wire[len(local) + 1 :]
    assert re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Za-z:.]+\]", domain)
    assert not re.search(r"[\x00-\x1f\x7f]", local)
    assert local.startswith('"') or not re.search(r'[\s<>@,;:"]', local)
    assert len(address.wire.encode()) <= 254


# The corners in which a command or a header could be smuggled.
@given(st.text(st.sampled_from('ab@."\\<> []:%,;()=\r\n\x00ü、.')))
def test_no_mix_of_signs_gets_out_of_the_angle_brackets(text: str) -> None:
    try:
        wire = Address(text, smtputf8=True).wire
    except MailError:
        return
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", wire)
    assert not set(outside) & set('<> \r\n\x00,;"')
    assert outside.count("@") == 1


@given(EMAIL)
def test_every_dot_atom_at_every_domain_is_taken(email: str) -> None:
    assert Address(email).wire == email
    assert Address(email).key == email.lower()


class TestParse:
    """`Address.parse`: one address as people write it."""

    @pytest.mark.parametrize(
        ("text", "name", "email"),
        [
            ("ada@example.net", "", "ada@example.net"),
            ("  ada@example.net ", "", "ada@example.net"),
            ("<ada@example.net>", "", "ada@example.net"),
            ("Ada <ada@example.net>", "Ada", "ada@example.net"),
            ("Ada<ada@example.net>", "Ada", "ada@example.net"),
            ("Dr. Ada O'Hara (work) <ada@example.net>", "Dr. Ada O'Hara (work)", "ada@example.net"),
            ('"Lovelace, Ada" <ada@example.net>', "Lovelace, Ada", "ada@example.net"),
            ('"Ada \\"the\\\\first\\"" <ada@example.net>', 'Ada "the\\first"', "ada@example.net"),
            ('"" <ada@example.net>', "", "ada@example.net"),
            ("Jürgen 例え <ada@example.net>", "Jürgen 例え", "ada@example.net"),
            ('Ada <"a<b"@example.net>', "Ada", '"a<b"@example.net'),
            ('"a..b"@example.net', "", '"a..b"@example.net'),
        ],
    )
    def test_one_address_is_read(self, text: str, name: str, email: str) -> None:
        assert Address.parse(text) == Address(email, name)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "Ada",
            "<>",
            "Ada <>",
            "Ada <ada>",
            "ada@example.net, bob@example.net",
            "Ada <ada@example.net>, Bob <bob@example.net>",
            "Ada <ada@example.net> <bob@example.net>",
            "<<ada@example.net>>",
            "Ada <ada@example.net",
            "Lovelace, Ada <ada@example.net>",
            "ada@example.org <ada@example.net>",
            'Ada "x" <ada@example.net>',
            '"Ada <ada@example.net>',
            "friends: ada@example.net;",
            "friends: <ada@example.net>",
            "alice@example.org)bob@example.net",
            "ada@example.net (Ada)",
            "Ada <ada@example.net>\r\nBcc: <eve@example.org>",
            "Ada\x00 <ada@example.net>",
            'Ada <a"b@example.net>',
            "Ada < ada@example.net>",
        ],
    )
    def test_no_address_or_several_or_half_of_one_are_refused(self, text: str) -> None:
        with pytest.raises(MailError):
            Address.parse(text)

    def test_what_is_no_text_is_refused(self) -> None:
        with pytest.raises(MailError, match="NoneType, not text"):
            Address.parse(None)  # type: ignore[arg-type]  # the slip under test

    def test_a_name_with_punctuation_is_told_to_be_quoted(self) -> None:
        with pytest.raises(MailError, match='"Doe, Ada" <ada@example.net>'):
            Address.parse("Doe, Jane <jane@example.net>")

    def test_smtputf8_goes_through(self) -> None:
        assert Address.parse("J <jürgen@example.net>", smtputf8=True).local == "jürgen"
        with pytest.raises(MailError, match="smtputf8=True"):
            Address.parse("J <jürgen@example.net>")

    @given(NAME, EMAIL)
    def test_a_quoted_name_comes_back(self, name: str, email: str) -> None:
        quoted = re.sub(r'(["\\])', r"\\\1", name)
        assert Address.parse(f'"{quoted}" <{email}>') == Address(email, name)

    @given(NAME | st.text(st.sampled_from('ab@." \\<>,;:()\u00a0ü')), EMAIL | st.just('"a<b\\"> "@example.net'))
    def test_every_address_comes_back_as_it_prints(self, name: str, email: str) -> None:
        address = Address(email, name)
        assert Address.parse(str(address)) == address

    @given(NAME, EMAIL)
    def test_a_plain_name_needs_no_quotes(self, name: str, email: str) -> None:
        assume(not set(name) & set('"<>@,;:\\'))
        assert Address.parse(f" {name} <{email}> ") == Address(email, name.strip())

    @given(st.text())
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            Address.parse(text, smtputf8=True)
        except MailError as refused:
            assert len(str(refused)) < 900

    @given(st.text(st.sampled_from('ab@." \\<>,;:()ü'), max_size=60))
    def test_what_is_read_holds_nothing_that_was_not_there(self, text: str) -> None:
        try:
            address = Address.parse(text, smtputf8=True)
        except MailError:
            return
        assert address.email in text


class TestDomains:
    """`ascii_domain`: a domain as the DNS knows it."""

    @pytest.mark.parametrize(
        ("domain", "name"),
        [
            ("Example.NET", "example.net"),
            ("example.net.", "example.net"),
            ("münchen.example", "xn--mnchen-3ya.example"),
            ("MÜNCHEN.example", "xn--mnchen-3ya.example"),
            ("mu\u0308nchen.example", "xn--mnchen-3ya.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("παράδειγμα.δοκιμή", "xn--hxajbheg2az3al.xn--jxalpdlp"),
            ("l·l.example", "xn--ll-0ea.example"),
            ("モンキー・マジック.example", "xn--ncke0a7b9hwa3jvci.example"),
            ("ｅｘａｍｐｌｅ.net", "example.net"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"),
            ("[IPv6:2001:db8:0::1]", "[ipv6:2001:db8::1]"),
        ],
    )
    def test_names_are_written_as_the_dns_knows_them(self, domain: str, name: str) -> None:
        assert ascii_domain(domain) == name

    @given(st.text(max_size=80))
    def test_any_text_is_a_name_that_stays_itself_or_is_refused(self, text: str) -> None:
        try:
            name = ascii_domain(text)
        except MailError:
            return
        assert name.isascii()
        assert name == name.lower()
        assert ascii_domain(name) == name

    @given(st.lists(st.text(LETTER, min_size=1, max_size=8), min_size=1, max_size=3))
    def test_letters_of_every_script_make_names(self, labels: list[str]) -> None:
        name = ascii_domain(".".join(labels))
        for label in name.split("."):
            assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", label)

    @given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
    def test_every_address_has_a_literal(self, number: IPv4Address | IPv6Address) -> None:
        literal = f"[{number}]" if number.version == 4 else f"[IPv6:{number}]"
        assert Address(f"ada@{literal}").domain == literal.lower()

    @pytest.mark.parametrize("domain", ["a·b.example", "·.example", "・.example", "a・b.example"])
    def test_a_middle_dot_stands_only_where_its_script_has_it(self, domain: str) -> None:
        with pytest.raises(MailError, match="cannot be a part of one"):
            ascii_domain(domain)


class TestKeys:
    """What a person is filed under."""

    def test_letter_case_and_the_form_of_the_domain_do_not_matter(self) -> None:
        assert Address("Ada@MÜNCHEN.example").key == "ada@xn--mnchen-3ya.example"
        assert recipient_key("ADA@xn--mnchen-3ya.example") == Address("ada@münchen.example").key
        assert recipient_key(" ada@example.net. ") == "ada@example.net"

    def test_what_a_provider_reports_needs_not_be_an_address(self) -> None:
        assert recipient_key("Not An Address") == "not an address"
        assert recipient_key("") == ""
        assert recipient_key("Ada@exa mple") == "ada@exa mple"

    @given(st.text())
    def test_a_key_stays_itself(self, text: str) -> None:
        assert recipient_key(recipient_key(text)) == recipient_key(text)


def test_a_last_dot_does_not_get_onto_the_wire() -> None:
    assert Address("ada@example.net.").wire == "ada@example.net"


def test_an_address_prints_as_people_write_it() -> None:
    assert str(Address("ada@example.net", "Ada")) == "Ada <ada@example.net>"
    assert str(Address("ada@example.net")) == "ada@example.net"
    assert str(Address("ada@example.net", 'Doe, "Ada"')) == '"Doe, \\"Ada\\"" <ada@example.net>'
    assert pickle.loads(pickle.dumps(Address("ada@example.net", "Ada"))) == Address("ada@example.net", "Ada")
