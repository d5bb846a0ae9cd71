"""The words of one mail."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, DeliveryId, Outgoing
from custom_smtp.outgoing import Envelope, Notify, Returned, WireForm
from custom_smtp.smtp_commands import mail_command, rcpt_command, stuffed, unfit, xtext
from custom_smtp.smtp_offers import Offers

ADA = Address("ada+x=1@example.net")
OUTGOING = Outgoing(DeliveryId("d1"), Envelope(Address("hello@shop.example"), (ADA,)), b"Subject: x\r\n\r\n")
ALL = Offers(dict.fromkeys(("SIZE", "8BITMIME", "SMTPUTF8", "DSN", "REQUIRETLS"), ""))


def test_nothing_is_said_that_was_not_offered() -> None:
    assert mail_command(OUTGOING, Offers()) == b"MAIL FROM:<hello@shop.example>\r\n"
    assert rcpt_command(OUTGOING, ADA, Offers()) == b"RCPT TO:<ada+x=1@example.net>\r\n"


def test_a_report_names_our_delivery() -> None:
    asked = evolve(
        OUTGOING,
        envelope=evolve(OUTGOING.envelope, notify=(Notify.FAILURE, Notify.DELAY), returned=Returned.FULL),
        require_tls=True,
    )
    assert mail_command(asked, ALL) == b"MAIL FROM:<hello@shop.example> SIZE=14 REQUIRETLS RET=FULL ENVID=d1\r\n"
    assert rcpt_command(asked, ADA, ALL) == (
        b"RCPT TO:<ada+x=1@example.net> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ada+2Bx+3D1@example.net\r\n"
    )


def test_an_address_beyond_ascii_has_no_orcpt_of_the_old_kind() -> None:
    far = Address("jörg@example.net", smtputf8=True)
    assert rcpt_command(OUTGOING, far, ALL) == "RCPT TO:<jörg@example.net>\r\n".encode()


def test_what_does_not_fit_says_why() -> None:
    many = evolve(OUTGOING, envelope=Envelope(None, tuple(Address(f"p{n}@example.net") for n in range(3))))
    cases = {
        "5.3.4": (OUTGOING, Offers({"SIZE": "5"})),
        "5.6.7": (evolve(OUTGOING, smtputf8=True), Offers()),
        "5.6.3": (evolve(OUTGOING, content="ä\r\n".encode()), Offers()),
        "5.7.30": (evolve(OUTGOING, require_tls=True), Offers()),
        "5.5.3": (many, Offers({"LIMITS": "RCPTMAX=2"})),
    }
    for code, (outgoing, offers) in cases.items():
        refusal = unfit(outgoing, offers, secret=True)
        assert refusal is not None
        assert refusal.reply.enhanced == code
    assert unfit(OUTGOING, ALL, secret=True) is None
    assert unfit(evolve(OUTGOING, require_tls=True), ALL, secret=False) is not None


@given(st.lists(st.sampled_from([b".", b"..", b"a", b"\r\n", b"\r\n.", b"\r\n..\r\n"])).map(b"".join))
def test_stuffing_is_undone_by_whoever_reads(raw: bytes) -> None:
    content = WireForm(raw + b"\r\n")
    sent = stuffed(content)
    lines = sent.split(b"\r\n")
    assert b"." not in lines
    assert b"\r\n".join(line.removeprefix(b".") for line in lines) == content


@given(st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x20)))
def test_xtext_can_be_read_back(text: str) -> None:
    from re import sub

    written = xtext(text)
    assert sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), written) == text
    assert all("!" <= letter <= "~" for letter in written)
