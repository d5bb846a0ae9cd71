"""The words of an envelope and its content."""

import re

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, DeliveryId, Outgoing, Reply
from custom_smtp.errors import MailError, Step
from custom_smtp.outgoing import Envelope, Notify, Returned, WireForm
from custom_smtp.smtp_commands import mail_command, needs_utf8, rcpt_command, stuffed, unfit, xtext
from custom_smtp.smtp_offers import Offers

SHOP, ADA, JOERG = (
    Address("hello@shop.example"),
    Address("ada+7=a@example.net"),
    Address("jörg@bücher.example", smtputf8=True),
)
PLAIN = Outgoing(DeliveryId("d1"), Envelope(SHOP, (ADA,)), b"Subject: a\r\n\r\nb\r\n")
WIDE = evolve(PLAIN, content="Subject: a\r\n\r\nä\r\n".encode())
FAR = evolve(PLAIN, envelope=Envelope(SHOP, (JOERG,)))


def offers(*lines: str) -> Offers:
    return Offers.of(Reply(250, "\n".join(("mail.test", *lines))))


EVERYTHING = offers("SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN", "REQUIRETLS")


@pytest.mark.parametrize(
    ("outgoing", "offered", "words"),
    [
        (PLAIN, offers(), "MAIL FROM:<hello@shop.example>"),
        (PLAIN, offers("SIZE"), "MAIL FROM:<hello@shop.example> SIZE=17"),
        (PLAIN, offers("8BITMIME", "SMTPUTF8"), "MAIL FROM:<hello@shop.example>"),
        (WIDE, offers("8BITMIME"), "MAIL FROM:<hello@shop.example> BODY=8BITMIME"),
        (FAR, offers("SMTPUTF8"), "MAIL FROM:<hello@shop.example> SMTPUTF8"),
        (evolve(PLAIN, smtputf8=True), offers("SMTPUTF8"), "MAIL FROM:<hello@shop.example> SMTPUTF8"),
        (evolve(PLAIN, require_tls=True), offers("REQUIRETLS"), "MAIL FROM:<hello@shop.example> REQUIRETLS"),
        (evolve(PLAIN, envelope=Envelope(None, (ADA,))), offers(), "MAIL FROM:<>"),
        (PLAIN, offers("DSN"), "MAIL FROM:<hello@shop.example> RET=HDRS ENVID=d1"),
        (
            evolve(PLAIN, envelope=Envelope(SHOP, (ADA,), returned=Returned.FULL)),
            offers("DSN", "SIZE"),
            "MAIL FROM:<hello@shop.example> SIZE=17 RET=FULL ENVID=d1",
        ),
    ],
)
def test_mail_says_what_the_mail_needs_and_the_server_knows(outgoing: Outgoing, offered: Offers, words: str) -> None:
    assert mail_command(outgoing, offered) == f"{words}\r\n".encode()


@pytest.mark.parametrize(
    ("notify", "recipient", "offered", "words"),
    [
        ((), ADA, offers(), "RCPT TO:<ada+7=a@example.net>"),
        ((Notify.NEVER,), ADA, offers(), "RCPT TO:<ada+7=a@example.net>"),
        ((), ADA, offers("DSN"), "RCPT TO:<ada+7=a@example.net> ORCPT=rfc822;ada+2B7+3Da@example.net"),
        (
            (Notify.FAILURE, Notify.DELAY),
            ADA,
            offers("DSN"),
            "RCPT TO:<ada+7=a@example.net> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ada+2B7+3Da@example.net",
        ),
        ((Notify.NEVER,), JOERG, offers("DSN"), "RCPT TO:<jörg@xn--bcher-kva.example> NOTIFY=NEVER"),
    ],
)
def test_rcpt_says_when_to_report(notify: tuple[Notify, ...], recipient: Address, offered: Offers, words: str) -> None:
    outgoing = evolve(PLAIN, envelope=Envelope(SHOP, (recipient,), notify=notify))
    assert rcpt_command(outgoing, recipient, offered) == f"{words}\r\n".encode()


@given(st.text(st.characters(min_codepoint=0, max_codepoint=126)))
def test_xtext_is_one_word_that_can_be_read_back(text: str) -> None:
    spelled = xtext(text)
    assert re.fullmatch(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*", spelled)
    assert re.sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), spelled) == text


lines = st.lists(st.binary(max_size=8).map(lambda line: re.sub(rb"[\r\n\0]", b".", line)), min_size=1)


@given(lines)
def test_dots_are_doubled_and_no_line_is_a_dot_alone(parts: list[bytes]) -> None:
    content = WireForm(b"\r\n".join([*parts, b""]))
    sent = stuffed(content)
    assert b".\r\n" not in (sent[:3], *(sent[place : place + 3] for place in line_starts(sent)))
    undone = (b"\r\n" + sent).replace(b"\r\n.", b"\r\n")[2:]
    assert undone == content


def line_starts(content: bytes) -> list[int]:
    return [found.end() for found in re.finditer(rb"\r\n", content)]


def test_a_content_without_dots_is_not_copied() -> None:
    content = PLAIN.content
    assert stuffed(content) is content


@pytest.mark.parametrize(
    ("outgoing", "offered", "secret", "words"),
    [
        (PLAIN, offers("SIZE 17"), True, ""),
        (PLAIN, offers("SIZE 16"), True, "552 5.3.4"),
        (PLAIN, offers("SIZE 0"), True, ""),
        (PLAIN, offers("SIZE"), True, ""),
        (WIDE, offers(), True, "554 5.6.3"),
        (WIDE, offers("8BITMIME"), True, ""),
        (FAR, offers("8BITMIME"), True, "550 5.6.7"),
        (FAR, offers("SMTPUTF8"), True, ""),
        (evolve(PLAIN, smtputf8=True), offers(), True, "550 5.6.7"),
        (evolve(PLAIN, require_tls=True), offers(), True, "550 5.7.30"),
        (evolve(PLAIN, require_tls=True), offers("REQUIRETLS"), True, ""),
        (evolve(PLAIN, require_tls=True), offers("REQUIRETLS"), False, "550 5.7.30"),
        (PLAIN, offers("LIMITS RCPTMAX=1"), True, ""),
        (evolve(PLAIN, envelope=Envelope(SHOP, (ADA, SHOP))), offers("LIMITS RCPTMAX=1"), True, "550 5.5.3"),
        (evolve(PLAIN, envelope=Envelope(SHOP, (ADA, SHOP))), offers("LIMITS RCPTDOMAINMAX=1"), True, "550 5.5.3"),
        (evolve(PLAIN, envelope=Envelope(SHOP, (ADA, SHOP))), offers("LIMITS RCPTDOMAINMAX=2"), True, ""),
        (
            evolve(PLAIN, envelope=Envelope(SHOP, (ADA, Address("bob@Example.net")))),
            offers("LIMITS RCPTDOMAINMAX=1"),
            True,
            "",
        ),
    ],
)
def test_what_the_offers_rule_out_is_known_beforehand(
    outgoing: Outgoing, offered: Offers, secret: bool, words: str
) -> None:
    refusal = unfit(outgoing, offered, secret=secret)
    assert str(refusal.reply if refusal else "").startswith(words)
    assert (refusal is None) == (not words)
    assert refusal is None or refusal.at is Step.EHLO


@given(
    local=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    given_id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
)
def test_no_address_and_no_id_can_add_a_command(local: str, given_id: str) -> None:
    try:
        person = Address(f"{local}@example.net", smtputf8=True)
    except ValueError:
        return
    outgoing = Outgoing(DeliveryId(given_id), Envelope(person, (person,)), PLAIN.content)
    for words in (mail_command(outgoing, EVERYTHING), rcpt_command(outgoing, person, EVERYTHING)):
        assert words.count(b"\r\n") == words.count(b"\n") == words.count(b"\r") == 1
        assert words.endswith(b"\r\n")


def test_utf8_is_needed_for_its_address_or_its_headers() -> None:
    assert [needs_utf8(each) for each in (PLAIN, WIDE, FAR, evolve(PLAIN, smtputf8=True))] == [False, False, True, True]


def test_an_envelope_id_of_its_own_goes_in_the_delivery_ids_place() -> None:
    envelope = Envelope(Address("shop@a.example"), (Address("ada@example.net"),), envelope_id="ab2c3")
    outgoing = Outgoing(DeliveryId("d1"), envelope, b"Subject: x\r\n\r\n")
    assert b" ENVID=ab2c3\r\n" in mail_command(outgoing, Offers({"DSN": ""}))


@pytest.mark.parametrize("text", ["a b", "a" * 101, "a\r\nb", "+41", "ä"])
def test_what_is_no_envelope_id_is_refused(text: str) -> None:
    with pytest.raises(MailError, match="envelope id"):
        Envelope(None, (Address("ada@example.net"),), envelope_id=text)
