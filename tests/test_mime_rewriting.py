"""Finished mails written again: what was changed in them, tracked and sent, and nothing else."""

import asyncio
import email
import email.policy
from email.message import EmailMessage

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import (
    AsyncSender,
    ByCampaign,
    MemoryArchive,
    MemoryJournal,
    Mode,
    Preparation,
    Sender,
    Tokens,
    Tracker,
    Tracking,
    Unsubscribe,
)
from custom_smtp.checks import MailError
from custom_smtp.edge.threads import InThread
from custom_smtp.finished import FinishedMail
from custom_smtp.mime_reading import read
from custom_smtp.providers.postmark import Postmark
from custom_smtp.testing import FrozenClock, RecordingTransport, SerialIds
from custom_smtp.unsubscribe import PLACEHOLDER
from tests.finished_mails import ADA, D1, ORDINARY, finished, single, written

TOKENS = Tokens((b"k" * 32,))
TRACKER = Tracker("https://links.shop.example", TOKENS)


def parsed(mail: FinishedMail) -> EmailMessage:
    message = email.message_from_bytes(written(mail), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_tracking_changes_the_texts_and_not_one_other_byte() -> None:
    mail = TRACKER.track(finished(ORDINARY), D1)
    assert mail.text is not None
    assert mail.html is not None
    assert "links.shop.example/c/" in mail.text
    assert "links.shop.example/o/" in mail.html
    sent = written(mail)
    begin, behind = sent.split(b"Gr=FC=DFe: ")[0], sent.rpartition(b"--inner--")[2]
    assert ORDINARY.startswith(begin)
    assert ORDINARY.endswith(behind)
    again = finished(sent)
    assert (again.text, again.html) == (mail.text, mail.html)
    assert TRACKER.preview(finished(ORDINARY)).links[0].url == "https://shop.example/a"


@pytest.mark.parametrize("charset", [b"utf-8", b"iso-8859-1", b"us-ascii"])
@pytest.mark.parametrize("encoding", [b"", b"\r\nContent-Transfer-Encoding: 7bit"])
def test_a_7bit_text_that_gets_letters_beyond_ascii_still_travels_in_7_bits(charset: bytes, encoding: bytes) -> None:
    mail = finished(single(b"Hello\r\n", b"Content-Type: text/plain; charset=" + charset + encoding))
    sent = written(evolve(mail, text="Gr\xfc\xdfe\r\n"))
    assert sent.isascii()
    assert finished(sent).text == "Gr\xfc\xdfe\r\n"


def test_html_that_had_to_become_utf_8_says_so_itself() -> None:
    html = '<meta charset="iso-8859-1">\r\n<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1">\r\n'
    mail = finished(single(f"{html}<p>Price</p>\r\n".encode(), b"Content-Type: text/html; charset=iso-8859-1"))
    assert finished(written(evolve(mail, html=f"{html}<p>5 \xa3</p>\r\n"))).html == f"{html}<p>5 \xa3</p>\r\n"
    again = finished(written(evolve(mail, html=f"{html}<p>5 \u20ac</p>\r\n")))
    assert again.html == f"{html.replace('iso-8859-1', 'utf-8')}<p>5 \u20ac</p>\r\n"


@pytest.mark.parametrize("line", ["--inner", "--inner--", "--inner \t", "--innermost", "--inner-- x"])
def test_no_line_of_a_new_text_begins_as_a_boundary(line: str) -> None:
    mail = evolve(finished(ORDINARY), text=f"before\r\n{line}\r\nbehind")
    assert line.encode() not in written(mail).replace(b"\r\n--inner\r\n", b"").replace(b"\r\n--inner--\r\n", b"")
    assert finished(written(mail)).text == mail.text


def test_what_is_changed_back_leaves_as_it_came_but_for_how_its_lines_are_broken() -> None:
    mail = finished(ORDINARY)
    assert written(evolve(evolve(mail, text="other", html="other"), text=mail.text, html=mail.html)) == ORDINARY


def test_a_text_that_no_longer_fits_gets_another_charset_and_encoding_and_its_headers_stay() -> None:
    mail = finished(
        single(
            b"old\r\n",
            b"Content-Type: text/plain; format=flowed;\r\n charset=us-ascii",
            b"Content-Transfer-Encoding: 7bit",
        )
    )
    sent = written(evolve(mail, text="\u20ac\nzwei"))
    assert b"Content-Type: text/plain; format=flowed;\r\n charset=utf-8\r\n" in sent
    assert sent.endswith(
        b"Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\n=E2=82=AC\r\nzwei=\r\n"
    )


def test_a_text_that_says_nothing_of_itself_says_it_once_it_must() -> None:
    sent = written(evolve(finished(single(b"old\r\n")), text="\u20ac\r\n"))
    assert b'\r\nContent-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n' in sent
    told = written(evolve(finished(single(b"old\r\n", b"Content-Type: text/plain")), text="\u20ac\r\n"))
    assert b"\r\nContent-Type: text/plain; charset=utf-8\r\n" in told


def test_a_line_that_grows_too_long_is_encoded() -> None:
    mail = parsed(evolve(finished(single(b"old\r\n")), text="x" * 2000 + "\r\n"))
    assert mail["Content-Transfer-Encoding"] == "quoted-printable"
    assert mail.get_payload(decode=True) == b"x" * 2000 + b"\r\n"


def test_a_text_with_a_line_like_a_boundary_is_hidden_in_base64() -> None:
    mail = evolve(finished(ORDINARY), text="a\r\n--outer--\r\nb")
    again = finished(written(mail))
    assert again.text == "a\r\n--outer--\r\nb"
    assert again.html == mail.html


def test_an_empty_part_that_gets_a_text_gets_a_line_end_before_its_boundary() -> None:
    content = single(b"--b\r\nContent-Type: text/html\r\n\r\n--b--\r\n", b"Content-Type: multipart/mixed; boundary=b")
    mail = evolve(finished(content), html="<p>now</p>")
    assert written(mail).endswith(b"\r\n\r\n<p>now</p>\r\n--b--\r\n")
    assert written(finished(content)) == content


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.sampled_from(["text", "html"]))
def test_any_text_is_read_again_as_it_was_written(text: str, role: str) -> None:
    mail = finished(ORDINARY)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    changed = evolve(mail, text=text) if role == "text" else evolve(mail, html=text)
    again = finished(written(changed))
    assert (again.text if role == "text" else again.html) == lines
    assert (again.html if role == "text" else again.text) == (mail.html if role == "text" else mail.text)


# --- Headers ----------------------------------------------------------------------------------------------------------


def test_new_headers_stand_in_front_and_one_left_out_goes() -> None:
    mail = finished(single(b"x\r\n", b"X-Old: 1", b"X-Twice: a", b"X-Twice: a"))
    headers = tuple(pair for pair in mail.headers if pair[0] != "X-Old")
    sent = written(evolve(mail, headers=(*headers, ("X-New", "Gr\xfc\xdfe"), ("List-Id", "<a.example>"))))
    assert sent.startswith(b"X-New: =?utf-8?b?R3LDvMOfZQ==?=\r\nList-Id: <a.example>\r\nFrom: hello")
    assert sent.count(b"X-Twice: a\r\n") == 2
    assert b"X-Old" not in sent


def test_a_date_and_a_message_id_are_added_where_there_are_none() -> None:
    sent = written(finished(b"From: hello@shop.example\r\n\r\nx\r\n"))
    assert sent == (
        b"Date: Fri, 02 Jan 2026 03:04:05 +0000\r\nMessage-ID: <d1@shop.example>\r\n"
        b"From: hello@shop.example\r\n\r\nx\r\n"
    )


def test_a_header_that_a_dkim_signature_covers_is_never_added_nor_taken_out() -> None:
    signed = b"DKIM-Signature: v=1; a=rsa-sha256;\r\n h=From:Subject:\r\n List-Unsubscribe:message-id; b="
    mail = finished(b"From: hello@shop.example\r\n" + signed + b"\r\n\r\nx\r\n")
    sent = written(evolve(mail, headers=(*mail.headers, ("X-Mark", "1"))))
    begin = b"Date: Fri, 02 Jan 2026 03:04:05 +0000\r\nX-Mark: 1\r\nFrom: hello@shop.example\r\n"
    assert sent == begin + signed + b"\r\n\r\nx\r\n"
    with pytest.raises(MailError, match="covers List-Unsubscribe"):
        written(evolve(mail, headers=(*mail.headers, ("List-Unsubscribe", "<https://a.example/>"))))
    with pytest.raises(MailError, match="covers From"):
        written(evolve(mail, headers=mail.headers[1:]))


# --- On its way -------------------------------------------------------------------------------------------------------


def test_a_finished_mail_is_sent_as_any_other() -> None:
    transport, archive, journal = RecordingTransport(), MemoryArchive(), MemoryJournal()
    preparation = Preparation(
        tracker=TRACKER,
        unsubscribe=Unsubscribe("https://links.shop.example/u", TOKENS),
        feedback=Postmark("pm", "hook"),
        domains=["shop.example"],
        clock=FrozenClock(),
        new_id=SerialIds(),
    )
    plan = ByCampaign(all_emails=Sender(transport, preparation, archive=archive, journal=journal))
    plan.send(finished(ORDINARY))
    [outgoing] = transport.delivered
    assert outgoing.content.startswith(b"List-Unsubscribe: <https://links.shop.example/u/")
    assert b"X-PM-Metadata-delivery-id: d1" in outgoing.content
    assert outgoing.envelope.recipients == (ADA,)
    [copy] = archive.find("ada@example.net")
    assert (copy.subject, copy.content) == ("Gr\xfc\xdfe", outgoing.content)
    assert len(journal.of_delivery(D1)) == 1
    asyncio.run(AsyncSender(InThread(transport)).send(finished(ORDINARY)))
    assert transport.delivered[1].content == ORDINARY


def test_it_gets_no_text_that_it_does_not_have_and_its_unsubscribe_link() -> None:
    transport = RecordingTransport()
    preparation = Preparation(
        unsubscribe=Unsubscribe("https://links.shop.example/u", TOKENS), clock=FrozenClock(), new_id=SerialIds()
    )
    Sender(transport, preparation).send(
        finished(single(f'<a href="{PLACEHOLDER}">x</a>\r\n'.encode(), b"Content-Type: text/html"))
    )
    assert b'\r\n\r\n<a href="https://links.shop.example/u/' in transport.delivered[0].content


def test_what_it_allows_of_tracking_holds() -> None:
    mail = read(ORDINARY, tracking=Tracking(opens=Mode.OFF, clicks=Mode.OFF))
    assert TRACKER.track(mail, D1) is mail


def test_a_signed_mail_goes_through_a_tracker_untouched() -> None:
    content = single(b"https://shop.example/\r\n", b"DKIM-Signature: v=1; h=from")
    assert written(TRACKER.track(finished(content), D1)) == content
