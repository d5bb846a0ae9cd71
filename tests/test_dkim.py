"""Signing by DKIM: every signature is checked by dkimpy, and by our own verifier."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_smtp import Address, Mail, Preparation, Sender
from custom_smtp.dkim import SEALED, SIGNED, UNSIGNED, DkimSigner
from custom_smtp.dkim_canonical import Form, head_and_body
from custom_smtp.dkim_keys import DkimKey, RemoteKey
from custom_smtp.dkim_verification import Reason, verify_signatures
from custom_smtp.errors import ConfigurationError, MailError, SigningError
from custom_smtp.outgoing import WireForm
from custom_smtp.providers import ses
from custom_smtp.tag_lists import read_tags
from custom_smtp.testing import FrozenClock, RecordingTransport, SerialIds

from .dkim_world import MAIL, NOON, dkimpy_verifies, ed25519, pem, resolver, rsa, rsa_key

FORMS = [(headers, body) for headers in Form for body in Form]


def tags(content: bytes) -> dict[str, str]:
    """What the topmost signature says."""
    header = re.split(rb"\r\n(?![ \t])", content, maxsplit=1)[0]
    assert header.startswith(b"DKIM-Signature: ")
    found = read_tags(header.partition(b":")[2].decode())
    assert found
    return found


def named(content: bytes) -> list[str]:
    return tags(content)["h"].replace("\r\n", "").replace(" ", "").split(":")


def right(content: bytes, *keys: DkimKey) -> bool:
    """Whether everybody finds every signature right."""
    ours = verify_signatures(content, resolver(*keys), NOON)
    return (
        len(ours) == len(keys)
        and {each.reason for each in ours} == {Reason.RIGHT}
        and dkimpy_verifies(content, keys, len(keys))
    )


# --- signatures that hold ---------------------------------------------------------------------------------------------


def test_what_amazon_writes_anew_is_left_out() -> None:
    covered = tags(DkimSigner([rsa()], rewritten=ses.REWRITTEN).sign(MAIL, NOON))["h"].lower().split(":")
    assert {"message-id", "date", "return-path", "bounces-to"}.isdisjoint(covered)
    assert "from" in covered


@pytest.mark.parametrize(("headers", "body"), FORMS)
@pytest.mark.parametrize("keys", [[rsa], [ed25519], [rsa, ed25519]])
def test_both_kinds_of_key_sign_in_every_form(keys: Sequence[Callable[[], DkimKey]], headers: Form, body: Form) -> None:
    used = [make() for make in keys]
    signed = DkimSigner(used, headers=headers, body=body).sign(MAIL, NOON)
    assert signed.endswith(MAIL)
    assert tags(signed)["c"] == f"{headers}/{body}"
    assert right(signed, *used)


def test_a_key_of_4096_bits_signs() -> None:
    large = DkimKey(domain="shop.example", selector="large", private_key=pem(rsa_key(4096)))
    assert right(DkimSigner([large]).sign(MAIL, NOON), large)


def test_an_empty_line_below_the_headers_is_needed_by_nobody() -> None:
    assert right(DkimSigner([ed25519()]).sign(b"From: a@shop.example\r\n\r\n", NOON), ed25519())
    assert (
        verify_signatures(DkimSigner([ed25519()]).sign(b"From: a@shop.example\r\n", NOON), resolver(ed25519()), NOON)[
            0
        ].reason
        is Reason.RIGHT
    )


HEAD = MAIL.partition(b"\r\n\r\n")[0] + b"\r\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(HEAD + b"\r\n", id="empty body"),
        pytest.param(HEAD + b"\r\n\r\n\r\n\r\n", id="blank lines alone"),
        pytest.param(HEAD + b"\r\n \t \r\n \r\n", id="blanks alone"),
        pytest.param(MAIL + b"\r\n\r\n", id="blank lines at the end"),
        pytest.param(MAIL + b"a\tb  c \r\n\t\r\n", id="tabs and blanks"),
        pytest.param(MAIL + "Grüße, 世界\r\n".encode(), id="8-bit body"),
        pytest.param(b"X-A: " + "Grüße".encode() + b"\r\n" + MAIL, id="8-bit header"),
        pytest.param(b"Reply-To:\r\nCc: \r\n" + MAIL, id="headers without a value"),
        pytest.param(MAIL.replace(b"Your order", b"Your\r\n\torder\r\n  of  \t 1 May "), id="folded with tabs"),
        pytest.param(MAIL.replace(b"Your order", b"\r\n ".join([b"w" * 900] * 50)), id="a very long header"),
        pytest.param(HEAD + b"\r\n" + b"0123456789 abcdef\r\n" * 55_000, id="a megabyte"),
        pytest.param(HEAD + b"\r\n" + b"  two \t\r\n" * 110_000, id="a megabyte to relax"),
        pytest.param(b".From-a-dot: x\r\n" + MAIL + b".\r\n..\r\n", id="dots"),
        pytest.param(b"Received: a\r\nReceived: b\r\nReferences: <1>\r\nReferences: <2>\r\n" + MAIL, id="repeated"),
    ],
)
@pytest.mark.parametrize(("headers", "body"), FORMS)
def test_mails_from_elsewhere_are_signed_as_they_are(content: bytes, headers: Form, body: Form) -> None:
    signed = DkimSigner([rsa(), ed25519()], headers=headers, body=body).sign(content, NOON)
    assert signed.endswith(content)
    assert right(signed, rsa(), ed25519())


@pytest.mark.parametrize("headers", Form)
def test_blanks_before_the_colon_are_no_part_of_a_name(headers: Form) -> None:
    # dkimpy refuses such a mail as a whole.
    signed = DkimSigner([rsa()], headers=headers).sign(MAIL.replace(b"Subject:", b"SUBJECT \t:"), NOON)
    assert named(signed).count("subject") == 2
    assert verify_signatures(signed, resolver(rsa()), NOON)[0].reason is Reason.RIGHT


names = st.sampled_from(
    ["Subject", "To", "cc", "LIST-ID", "X-A", "References", "Content-Type", "Received", "DKIM-Signatures"]
)
values = st.lists(
    st.sampled_from([" ", "  ", "\t", "\r\n ", "\r\n\t", "a", "é", ":", ";", "=", "<a@b>", "\\"]), max_size=12
)
bodies = st.lists(st.sampled_from([" ", "\t", "\r\n", "a", "é", ".", "=20"]), max_size=30).map("".join)
mails = st.builds(
    lambda fields, place, body: (
        "".join(f"{name}:{''.join(value)}x\r\n" for name, value in fields[:place])
        + "From: Ada <ada@shop.example>\r\n"
        + "".join(f"{name}:{''.join(value)}x\r\n" for name, value in fields[place:])
        + "\r\n"
        + body
        + "\r\n"
    ).encode(),
    st.lists(st.tuples(names, values), max_size=8),
    st.integers(0, 8),
    bodies,
)


@given(mails, st.sampled_from(FORMS))
@settings(max_examples=150)
def test_dkimpy_verifies_whatever_is_signed(content: bytes, forms: tuple[Form, Form]) -> None:
    signer = DkimSigner([rsa(), ed25519()], headers=forms[0], body=forms[1], also=["X-A"])
    signed = signer.sign(content, NOON)
    assert right(signed, rsa(), ed25519())
    # Nobody has to look again.
    assert vars(signed) == vars(WireForm(bytes(signed)))


@given(mails, st.data())
@settings(max_examples=100)
def test_what_is_changed_under_a_signature_breaks_it(content: bytes, data: st.DataObject) -> None:
    signed = DkimSigner([ed25519()], headers=Form.SIMPLE, body=Form.SIMPLE, also=["X-A"]).sign(content, NOON)
    head, body = head_and_body(content)
    covered = body.removesuffix(b"\r\n").rstrip(b"\r\n")
    start = len(signed) - len(body)
    at = data.draw(st.integers(0, len(covered)).filter(lambda at: at < len(covered)) if covered else st.just(-1))
    changed = (
        signed[: start + at] + bytes([signed[start + at] ^ 1]) + signed[start + at + 1 :]
        if covered
        else signed + b"x\r\n"
    )
    assert [each.reason for each in verify_signatures(changed, resolver(ed25519()), NOON)] == [Reason.BODY]
    added = signed[: len(signed) - len(content)] + b"Subject: another\r\n" + content
    assert [each.reason for each in verify_signatures(added, resolver(ed25519()), NOON)] == [Reason.HEADERS]
    assert not dkimpy_verifies(added, [ed25519()], 1)
    assert head in added


# --- what is signed ---------------------------------------------------------------------------------------------------


def test_sealed_headers_are_named_once_more_than_they_stand_there() -> None:
    counted = {name: named(DkimSigner([rsa()]).sign(MAIL, NOON)).count(name) for name in [*SEALED, *SIGNED]}
    there = {"from", "to", "subject", "date", "message-id"}
    assert counted == {name: (name in there) + (name in SEALED or name in there) for name in counted}


@pytest.mark.parametrize("name", SEALED)
def test_no_sealed_header_can_be_added(name: str) -> None:
    signed = DkimSigner([ed25519()]).sign(MAIL, NOON)
    start = len(signed) - len(MAIL)
    for place in (0, start, len(signed) - len(head_and_body(MAIL)[1]) - 2):
        added = signed[:place] + name.encode() + b": eve@evil.example\r\n" + signed[place:]
        assert verify_signatures(added, resolver(ed25519()), NOON)[0].reason is Reason.HEADERS


@pytest.mark.parametrize("name", [*SEALED, *SIGNED])
def test_no_signed_header_can_be_changed_or_taken_out(name: str) -> None:
    content = MAIL if name.encode() in MAIL.lower() else name.encode() + b": x\r\n" + MAIL
    signed = DkimSigner([ed25519()]).sign(content, NOON)
    line = re.search(rb"(?im)^" + name.encode() + rb": .*\r\n", signed)
    assert line
    for instead in (b"", line[0].replace(b"\r\n", b"x\r\n")):
        changed = signed.replace(line[0], instead)
        assert verify_signatures(changed, resolver(ed25519()), NOON)[0].reason is Reason.HEADERS


def test_what_servers_write_on_the_way_breaks_nothing() -> None:
    signed = DkimSigner([rsa(), ed25519()]).sign(b"X-Nobody: signs this\r\n" + MAIL, NOON)
    passed_on = b"".join(f"{name}: x\r\n".encode() for name in sorted(UNSIGNED - {"dkim-signature"})) + signed
    found = verify_signatures(passed_on.replace(b"signs this", b"signs that"), resolver(rsa(), ed25519()), NOON)
    assert [each.reason for each in found] == [Reason.RIGHT] * 2


def test_relaxed_forms_let_white_space_change() -> None:
    signed = DkimSigner([ed25519()]).sign(MAIL, NOON)
    changed = signed.replace(b"Subject: Your order", b"SUBJECT:  Your\r\n\t order ").replace(b"on its", b"on  its ")
    found = verify_signatures(changed.replace(b"its  way.", b"its way. "), resolver(ed25519()), NOON)
    assert [each.reason for each in found] == [Reason.RIGHT]


def test_what_a_provider_writes_anew_is_left_out() -> None:
    signed = DkimSigner([ed25519()], rewritten=["Message-ID", "DATE", "Reply-To"]).sign(MAIL, NOON)
    assert not {"message-id", "date", "reply-to"} & {*named(signed)}
    relayed = signed.replace(b"Message-ID: <d1@", b"Message-ID: <0102@").replace(b"12:00:00", b"12:00:07")
    assert relayed != signed
    assert right(relayed, ed25519())


def test_further_headers_can_be_signed() -> None:
    signed = DkimSigner([ed25519()], also=["X-Campaign", "x-campaign", "X-Other"]).sign(MAIL, NOON)
    assert named(signed)[-2:] == ["x-campaign", "x-campaign"]
    assert "x-other" not in named(signed)


def test_a_signature_says_when_it_was_made_and_how_long_it_counts() -> None:
    signed = DkimSigner([ed25519()], expires_after=timedelta(days=14)).sign(MAIL, NOON)
    assert (tags(signed)["t"], tags(signed)["x"]) == ("1767355200", "1768564800")
    late = NOON + timedelta(days=14)
    assert verify_signatures(signed, resolver(ed25519()), late)[0].reason is Reason.RIGHT
    assert verify_signatures(signed, resolver(ed25519()), late + timedelta(seconds=1))[0].reason is Reason.EXPIRED
    assert "x" not in tags(DkimSigner([ed25519()]).sign(MAIL, NOON))
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-9)))
    assert tags(DkimSigner([ed25519()]).sign(MAIL, elsewhere))["t"] == "1767355200"


def test_a_signature_never_leaves_part_of_the_body_open() -> None:
    assert "l" not in tags(DkimSigner([rsa()]).sign(MAIL, NOON))


def test_headers_are_folded_within_78_octets() -> None:
    signed = DkimSigner([rsa(), ed25519()], also=[f"X-{'a' * 60}{n}" for n in range(9)]).sign(
        b"".join(b"X-%b%d: x\r\n" % (b"a" * 60, n) for n in range(9)) + MAIL, NOON
    )
    assert max(map(len, signed.split(b"\r\n"))) <= 78
    assert b"\r\n\r\n" not in signed[: signed.index(b"X-aaa")]


def test_the_same_mail_at_the_same_time_has_the_same_signature() -> None:
    signer = DkimSigner([rsa(), ed25519()])
    with ThreadPoolExecutor(4) as threads:
        assert len({*threads.map(lambda _: signer.sign(MAIL, NOON), range(40))}) == 1


def test_a_mail_that_has_a_signature_gets_another() -> None:
    once = DkimSigner([rsa()]).sign(MAIL, NOON)
    twice = DkimSigner([ed25519()]).sign(once, NOON)
    assert right(twice, ed25519(), rsa())


def test_the_form_of_the_wire_is_known_of_what_leaves() -> None:
    signed = DkimSigner([rsa()]).sign(MAIL + ".é\r\n".encode(), NOON)
    assert isinstance(signed, WireForm)
    assert (signed.dotted, signed.eight_bit) == (True, True)


# --- who signs --------------------------------------------------------------------------------------------------------


MANY = (rsa(), ed25519(), ed25519("eu.shop.example"), ed25519("xn--bcher-kva.example"), ed25519("other.example"))


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("ada@shop.example", ["shop.example s1", "shop.example s1-ed"]),
        ("ada@SHOP.Example", ["shop.example s1", "shop.example s1-ed"]),
        ("Ada <ada@other.example>", ["other.example s1-ed"]),
        ("ada@news.other.example", ["other.example s1-ed"]),
        ("ada@eu.shop.example", ["eu.shop.example s1-ed"]),
        ("ada@a.b.eu.shop.example", ["eu.shop.example s1-ed"]),
        ("ada@bücher.example", ["xn--bcher-kva.example s1-ed"]),
        ('"x@evil.example" <ada@other.example>', ["other.example s1-ed"]),
        ('"a \\" <x@evil.example>" <ada@other.example>', ["other.example s1-ed"]),
        ('(x@evil.example (nested) ) ada@other.example (")', ["other.example s1-ed"]),
        ("x@evil.example <ada@other.example>", ["other.example s1-ed"]),
        ('"a b"@other.example', ["other.example s1-ed"]),
        ("Doe, Ada <ada@other.example>", ["other.example s1-ed"]),
        ("ada@other.example, bob@evil.example", ["other.example s1-ed"]),
        ("Friends: ada@other.example, bob@evil.example;", ["other.example s1-ed"]),
        ("\r\n Ada\r\n <ada@\r\n other.example>", ["other.example s1-ed"]),
        ("<@relay.example:ada@other.example>", ["other.example s1-ed"]),
    ],
)
@pytest.mark.parametrize("headers", Form)
def test_the_keys_of_the_authors_domain_sign(author: str, expected: list[str], headers: Form) -> None:
    content = f"From: {author}\r\n\r\nx\r\n".encode()
    signed = DkimSigner(MANY, headers=headers).sign(content, NOON)
    found = verify_signatures(signed, resolver(*MANY), NOON)
    assert [f"{each.domain} {each.selector}" for each in found] == expected
    assert {each.reason for each in found} == {Reason.RIGHT}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"From: a@evil.example\r\n\r\n", "no DKIM key is for 'evil.example': add one .* signs for shop.example"),
        (b"From: a@notshop.example\r\n\r\n", "no DKIM key is for 'notshop.example'"),
        (b"From: a@example\r\n\r\n", "no DKIM key is for 'example'"),
        (b"From: a@[192.0.2.1]\r\n\r\n", "no DKIM key is for"),
        (b"From: Ada\r\n\r\n", "names no address"),
        (b"From:\r\n\r\n", "names no address"),
        (b"From: <>\r\n\r\n", "names no address"),
        (b'From: "a@shop.example\r\n\r\n', "names no address"),
        (b"From: a@shop example@\r\n\r\n", "not a domain name"),
        (b"From: a@\xff\xfe\r\n\r\n", "not a domain name"),
        (b"To: a@shop.example\r\n\r\n", "0 From headers"),
        (b"\r\nFrom: a@shop.example\r\n", "0 From headers"),
        (b"From: a@shop.example\r\nfrom : b@shop.example\r\n\r\n", "2 From headers"),
        (b"From: a@shop.example\n\nx", "end every line with CRLF"),
        (b"", "end its last line"),
    ],
)
def test_a_mail_that_nobody_can_sign_for_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(MailError, match=says):
        DkimSigner([rsa()]).sign(content, NOON)


@given(st.text('ab@.<>"\\(),:; é\t[]', max_size=30))
def test_any_author_is_signed_for_or_refused(author: str) -> None:
    try:
        signed = DkimSigner([ed25519()]).sign(f"From:{author}\r\n\r\n".encode(), NOON)
    except MailError:
        return
    assert verify_signatures(signed, resolver(ed25519()), NOON)[0].reason is Reason.RIGHT


@pytest.mark.parametrize("piece", ["(", ")", '"', "\\", "<", ">", "@", ",", "((", "<@"])
def test_an_endless_author_is_read_in_one_go(piece: str) -> None:
    line = piece * (900 // len(piece))
    content = "From: " + "\r\n ".join([line] * 1000) + " <a@evil.example>\r\n\r\n"
    with pytest.raises(MailError):
        DkimSigner([rsa()]).sign(content.encode(), NOON)


def test_a_key_elsewhere_signs_too() -> None:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import SHA256

    service = RemoteKey(
        public_key=rsa_key().public_key(), sign=lambda digest: rsa_key().sign(digest, PKCS1v15(), Prehashed(SHA256()))
    )
    elsewhere = DkimKey(domain="shop.example", selector="s1", private_key=service)
    assert DkimSigner([elsewhere]).sign(MAIL, NOON) == DkimSigner([rsa()]).sign(MAIL, NOON)
    broken = DkimKey(
        domain="shop.example", selector="s1", private_key=RemoteKey(public_key=service.public_key, sign=lambda _: b"")
    )
    with pytest.raises(SigningError):
        DkimSigner([broken]).sign(MAIL, NOON)


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"keys": ()}, "no key"),
        ({"keys": rsa()}, "write \\[DkimKey"),
        ({"keys": [pem(rsa_key())]}, "write DkimKey"),
        ({"keys": pem(rsa_key())}, "write DkimKey"),
        ({"keys": pem(rsa_key()).decode()}, "write DkimKey"),
        ({"keys": [rsa(), ed25519(selector="s1")]}, "a selector of its own, such as 's1' for RSA"),
        ({"keys": [rsa()], "headers": "strict"}, "Form.RELAXED or Form.SIMPLE"),
        ({"keys": [rsa()], "body": None}, "Form.RELAXED or Form.SIMPLE"),
        ({"keys": [rsa()], "also": "X-Campaign"}, "write \\['X-Campaign'\\]"),
        ({"keys": [rsa()], "also": ["X Campaign"]}, "no header's name"),
        ({"keys": [rsa()], "also": ["X-Campaign\r\nBcc"]}, "no header's name"),
        ({"keys": [rsa()], "also": [None]}, "no header's name"),
        ({"keys": [rsa()], "also": ["Received"]}, "changed on the way"),
        ({"keys": [rsa()], "also": ["ARC-Seal"]}, "changed on the way"),
        ({"keys": [rsa()], "rewritten": ["Message-ID", "From"]}, "must cover From"),
        ({"keys": [rsa()], "rewritten": "Date"}, "write \\['Date'\\]"),
        ({"keys": [rsa()], "expires_after": timedelta(0)}, "a span of time"),
        ({"keys": [rsa()], "expires_after": 86400}, "a span of time"),
    ],
)
def test_a_signer_that_cannot_be_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:
        DkimSigner(**fields)
    assert pem(rsa_key()).decode().splitlines()[1] not in str(refused.value)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (datetime(2026, 1, 2), "no time zone"),  # noqa: DTZ001  # that is the point
        (datetime(1969, 12, 31, tzinfo=UTC), "from 1970 on"),
    ],
)
def test_a_signature_needs_a_moment(at: datetime, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        DkimSigner([rsa()]).sign(MAIL, at)


def test_a_signer_shows_no_key() -> None:
    assert "key" not in repr(DkimSigner([rsa()])).replace("keys=(DkimKey(", "")


# --- in the send path -------------------------------------------------------------------------------------------------


def test_a_sender_signs_what_it_sends_and_keeps() -> None:
    transport = RecordingTransport()
    preparation = Preparation(signer=DkimSigner([rsa(), ed25519()]), clock=FrozenClock(NOON), new_id=SerialIds())
    mail = Mail(
        sender=Address("hello@shop.example", "Bücher & mehr"),
        to=Address("ada@example.net"),
        subject="Grüße  aus  Berlin " * 20,
        text="Grüße\n\n\n",
        html="<p>Grüße</p>  \t\n\n",
        headers=(("List-Unsubscribe", "<https://links.shop.example/u/1>"), ("X-Campaign", "news")),
    )
    Sender(transport, preparation).send(mail)
    [sent] = transport.delivered
    assert right(sent.content, rsa(), ed25519())
