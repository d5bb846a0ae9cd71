"""Finished mails read: what of them may change, what is left alone and why, and what cannot travel."""

import base64
import email
import email.policy
from email.message import EmailMessage, Message
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, Attachment, Mail, Mode, Tracking
from custom_smtp.checks import MailError
from custom_smtp.finished import Untouched
from custom_smtp.mime import render
from custom_smtp.mime_reading import read, read_for_each
from tests.finished_mails import ADA, AT, D1, ORDINARY, finished, mails_of_others, single, written


def test_a_mail_nobody_changes_leaves_byte_for_byte_as_it_came() -> None:
    assert written(finished(ORDINARY)) == ORDINARY


def test_its_texts_and_what_it_says_of_itself_are_read() -> None:
    mail = read(ORDINARY, campaign="receipts", tracking=Tracking(opens=Mode.OFF), unsubscribe=False, bounces_to=ADA)
    assert mail.text == "Gr\xfc\xdfe: https://shop.example/a?b=1 "
    assert mail.html == '<p><a href="https://shop.example/a">Gr\xfc\xdfe</a></p>'
    assert mail.subject == "Gr\xfc\xdfe"
    assert (mail.sender, mail.to) == (Address("hello@shop.example", "The Shop", smtputf8=True), mail.to)
    assert mail.to.email == "ada@example.net"
    assert (mail.campaign, mail.unsubscribe, mail.bounces_to) == ("receipts", False, ADA)
    assert mail.tracking.opens is Mode.OFF
    assert ("X-Odd", "spaced   and\t folded") in mail.headers
    assert (mail.untouched, mail.notes, mail.amp, mail.smtputf8) == (None, (), None, False)


def test_what_we_write_ourselves_is_read_again() -> None:
    mail = Mail(
        sender=Address("hello@shop.example"),
        to=ADA,
        subject="Gr\xfc\xdfe",
        text="Ja\u2009!\n",
        html="<p>Ja</p>\n",
        attachments=[Attachment("a.bin", bytes(range(256)))],
    )
    content = render(mail, D1, AT)
    again = finished(bytes(content))
    assert (again.text, again.html, again.subject) == ("Ja\u2009!\r\n", "<p>Ja</p>\r\n", "Gr\xfc\xdfe")
    assert written(again) == content


@pytest.mark.parametrize("path", mails_of_others(), ids=lambda path: path.stem)
def test_the_mails_that_others_test_with_leave_as_they_came_or_are_refused(path: Path) -> None:
    content = path.read_bytes()
    try:
        mail = finished(content)
    except MailError:
        return
    lines = [line.rstrip(b"\r") for line in content.strip(b"\n").split(b"\n")]
    came = b"\n".join(lines[lines[0].startswith(b"From ") :]).rstrip(b"\n")  # that line is the mailbox file's
    if not came.partition(b"\n\n")[0].isascii():
        came = came.partition(b"\n\n")[2]  # raw letters in a header cannot travel as they are
    if mail.skeleton.fields and not mail.notes:
        assert written(mail).replace(b"\r\n", b"\n").rstrip(b"\n").endswith(came)


# --- Line ends, long lines, NULs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\r\n"])
def test_line_ends_of_any_kind_become_crlf(end: bytes) -> None:
    assert written(finished(ORDINARY.replace(b"\r\n", end))) == ORDINARY


def test_a_last_line_that_is_cut_off_is_ended() -> None:
    assert written(finished(single(b"Hello"))).endswith(b"\r\n\r\nHello\r\n")
    assert written(finished(ORDINARY[:600])).endswith(b"\r\n")


def test_the_line_that_mailbox_files_put_in_front_goes() -> None:
    assert written(finished(b"From ada@example.net Thu Jan  1 00:00:00 2026\r\n" + ORDINARY)) == ORDINARY


def test_a_header_without_a_body_and_a_body_without_an_empty_line_are_told_apart_for_everybody() -> None:
    assert written(finished(single(b"")[:-2])) == single(b"")
    mail = finished(single(b"x")[:-3] + b"no header\r\n")
    assert written(mail).endswith(b"<own@app.example>\r\n\r\nno header\r\n")
    assert mail.text is None
    assert "no empty line" in mail.notes[0]


def test_a_text_with_lines_too_long_or_a_nul_is_encoded_and_says_the_same() -> None:
    mail = finished(single(b"<p>" + b"word " * 400 + b"</p>\r\n", b"Content-Type: text/html"))
    assert mail.html == "<p>" + "word " * 400 + "</p>\r\n"
    assert "encoded anew" in mail.notes[0]
    assert b"Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n" in written(mail)
    again = email.message_from_bytes(written(mail), policy=email.policy.default)
    assert again.get_payload(decode=True) == b"<p>" + b"word " * 400 + b"</p>\r\n"
    nul = finished(single(b"a\0b\r\n"))
    assert nul.text is None
    assert b"a=00b\r\n" in written(nul)


@pytest.mark.parametrize("told", [b"8bit", b"binary", b"7bit"])
def test_data_with_line_ends_of_its_own_keeps_them(told: bytes) -> None:
    body = b"a\nb\rc\r\n\0\xff" + b"x" * 2000
    part = b"\r\nContent-Type: image/x-raw\r\nContent-Transfer-Encoding: " + told + b"\r\n\r\n" + body + b"\r\n"
    content = single(b"--b" + part + b"--b--\r\n", b"Content-Type: multipart/mixed; boundary=b")
    again = email.message_from_bytes(written(finished(content)))
    image = again.get_payload(0)
    assert isinstance(image, Message)
    assert image.get_payload(decode=True) == body
    assert image["Content-Transfer-Encoding"] == "base64"


def test_base64_in_one_line_is_broken_into_lines() -> None:
    body = base64.b64encode(b"Gr\xc3\xbc\xc3\x9fe " * 500)
    mail = finished(single(body, b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: BASE64"))
    assert mail.text == "Gr\xfc\xdfe " * 500
    assert max(map(len, written(mail).split(b"\r\n"))) == 76


def test_a_cr_alone_never_becomes_the_line_end_before_a_boundary() -> None:
    parts = b"--b\r\n\r\na\r--b--\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n"
    mail = finished(single(parts, b"Content-Type: multipart/mixed; boundary=b"))
    assert (mail.text, mail.html) == ("a\r--b--", "<p>")
    assert b"\r\n\r\na=0D--b--\r\n--b\r\n" in written(mail)
    escaped = parts.replace(b"--b\r\n\r\n", b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", 1)
    with pytest.raises(MailError, match="CR alone"):
        finished(single(escaped, b"Content-Type: multipart/mixed; boundary=b"))


def test_a_cr_alone_never_becomes_the_line_end_behind_a_boundary() -> None:
    parts = b"--b\r\n\r\n--b\rmore\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n"
    mail = finished(single(parts, b"Content-Type: multipart/mixed; boundary=b"))
    assert (mail.text, mail.html) == ("--b\rmore", "<p>")
    assert finished(written(mail)).text == mail.text
    escaped = parts.replace(b"--b\r\n\r\n", b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", 1)
    with pytest.raises(MailError, match="CR alone"):
        finished(single(escaped, b"Content-Type: multipart/mixed; boundary=b"))


def test_a_part_that_is_encoded_anew_says_just_what_it_said() -> None:
    body = b"word " * 400 + b"\r\n"
    parts = b"--b\r\n\r\n" + body + b"\r\n--b\r\nContent-Type: text/csv\r\n\r\n" + body + b"\r\n--b--\r\n"
    again = email.message_from_bytes(written(finished(single(parts, b"Content-Type: multipart/mixed; boundary=b"))))
    assert [part.get_payload(decode=True) for part in again.walk() if not part.is_multipart()] == [body, body]


def test_quoted_printable_with_lines_too_long_is_broken_into_lines() -> None:
    body = b"Gr=FC=DFe " * 200 + b"!"
    headers = (b"Content-Type: text/plain; charset=iso-8859-1", b"Content-Transfer-Encoding: quoted-printable")
    assert finished(single(body, *headers)).text == "Gr\xfc\xdfe " * 200 + "!\r\n"


LONG = b"x" * 1000


@pytest.mark.parametrize(
    "content",
    [
        single(LONG, b"Content-Type: message/rfc822"),
        single(LONG, b"Content-Type: multipart/mixed; boundary=b"),
        single(LONG, b"Content-Transfer-Encoding: x-own"),
        single(LONG + b"=ZZ", b"Content-Transfer-Encoding: quoted-printable"),
        single(b"AA\0AA", b"Content-Transfer-Encoding: base64"),
        single(LONG, b"Content-Type: application/pkcs7-mime"),
        single(LONG, b"DKIM-Signature: v=1"),
        single(b"x", b"X-Long: " + LONG),
        single(b"x", b"DKIM-Signature: v=1", b"X-Long: " + b"word " * 300),
        single(b"x", b"X-Two: a\rBcc: eve@example.org"),
        single(b"x", b"X-Nul: a\0b"),
        single(b"x", b"List-Id: \xe4"),
        single(
            b"--b\r\nContent-Type: message/rfc822\r\n\r\n\r--b--\r\n\r\n--b--\r\n",
            b"Content-Type: multipart/mixed; boundary=b",
        ),
        single(b"--b\r\nX: a\rb\r\n\r\nx\r\n--b--\r\n", b"Content-Type: multipart/mixed; boundary=b"),
        single(b"x", b"DKIM-Signature: v=1; h=from:bcc", b"Bcc: ada@example.net"),
    ],
)
def test_what_cannot_travel_without_loss_is_refused(content: bytes) -> None:
    with pytest.raises(MailError, match="octets|NUL|CR alone|encode|Bcc"):
        finished(content)


def test_a_long_header_is_folded_and_says_the_same() -> None:
    mail = finished(single(b"x\r\n", b"X-Long: " + b"word " * 300))
    assert max(map(len, written(mail).split(b"\r\n"))) <= 78
    assert ("X-Long", ("word " * 300).strip()) in mail.headers


# --- What is left alone -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (single(b"x", b"Content-Type: multipart/signed; boundary=b"), Untouched.SIGNED),
        (single(b"x", b"Content-Type: multipart/encrypted; boundary=b"), Untouched.ENCRYPTED),
        (single(b"x", b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data"), Untouched.ENCRYPTED),
        (single(b"-----BEGIN PGP MESSAGE-----\r\n"), Untouched.INLINE_PGP),
        (single(b"Hi\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\n"), Untouched.INLINE_PGP),
        (single(b"https://shop.example/", b"DKIM-Signature: v=1; h=from"), Untouched.DKIM),
        (single(b"https://shop.example/", b"ARC-Message-Signature: i=1; h=from"), Untouched.DKIM),
    ],
)
def test_what_is_signed_or_encrypted_is_left_alone_whole(content: bytes, why: Untouched) -> None:
    mail = finished(content)
    assert (mail.untouched, mail.text, mail.html) == (why, None, None)
    assert written(mail) == content.removesuffix(b"\r\n") + b"\r\n"


def test_a_signed_part_inside_leaves_the_whole_mail_alone() -> None:
    inside = b"--b\r\n\r\nhttps://shop.example/\r\n--b\r\nContent-Type: multipart/signed; boundary=c\r\n\r\n--b--\r\n"
    mail = finished(single(inside, b"Content-Type: multipart/mixed; boundary=b"))
    assert (mail.untouched, mail.text) == (Untouched.SIGNED, None)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x", [b"Content-Type: text/plain; charset=x-own"]),
        (b"x", [b"Content-Type: text/plain; charset=utf-7"]),
        (b"\xe4", [b"Content-Type: text/plain; charset=utf-8"]),
        (b"\xe4", []),
        (b"x", [b"Content-Type: text/plain; charset=utf-8; charset=latin1"]),
        (b"x", [b"Content-Type: text/plain; charset*=utf-8''utf-8"]),
        (b"A", [b"Content-Transfer-Encoding: base64"]),
        (b"AAAA AA!A", [b"Content-Transfer-Encoding: base64"]),
        (b"a=ZZ", [b"Content-Transfer-Encoding: quoted-printable"]),
        (b"x", [b"Content-Transfer-Encoding: 7bit", b"Content-Transfer-Encoding: base64"]),
        (b"x", [b"Content-Transfer-Encoding: x-uuencode"]),
        (b"x", [b"Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ=="]),
    ],
)
def test_a_text_in_doubt_is_left_alone_and_the_reason_told(body: bytes, headers: list[bytes]) -> None:
    content = single(body + b"\r\n", *headers)
    mail = finished(content)
    assert mail.text is None
    assert "text/plain is left alone" in mail.notes[0]
    assert written(mail) == content


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Type: text; charset=utf-8"],
        [b"Content-Type: text/plain", b"Content-Type: text/html"],
        [b"Content-Type: text/plain", b"Content-Disposition: attachment"],
        [b"Content-Type: text/plain", b"Content-Disposition: inline; filename=a.txt"],
        [b"Content-Type: multipart/mixed"],
        [b"Content-Type: multipart/mixed; boundary=b; boundary=c"],
        [b"Content-Type: multipart/mixed; boundary=b", b"Content-Transfer-Encoding: base64"],
        [b"Content-Type: message/rfc822"],
    ],
)
def test_a_part_that_is_no_text_or_may_be_none_is_left_alone(headers: list[bytes]) -> None:
    content = single(b"--b\r\n\r\nhttps://shop.example/\r\n--b--\r\n", *headers)
    assert finished(content).text is None
    assert written(finished(content)) == content


@pytest.mark.parametrize("told", [b"format=flowed; delsp=yes", b"format=flowed; DelSp=Yes; delsp=no"])
def test_a_text_whose_lines_join_without_a_blank_is_left_alone(told: bytes) -> None:
    content = single(b"See https://shop.example/or \r\nders\r\n", b"Content-Type: text/plain; " + told)
    mail = finished(content)
    assert mail.text is None
    assert "delsp" in mail.notes[0]
    assert written(mail) == content
    assert finished(content.replace(told, b"format=flowed; delsp=No")).text


@pytest.mark.parametrize(
    ("told", "text", "untouched"),
    [
        (b"text/html", b"<pre>-----BEGIN PGP SIGNED MESSAGE-----\r\n", Untouched.INLINE_PGP),
        (b"text/html", b"<p>\r\n\t-----BEGIN PGP MESSAGE-----<br>\r\n", Untouched.INLINE_PGP),
        (b"text/html", b"<p>It begins with -----BEGIN PGP MESSAGE-----.\r\n", None),
        (b"text/plain", b"-----BEGIN PGP MESSAGE-----\r\n", Untouched.INLINE_PGP),
        (b"text/plain", b"> -----BEGIN PGP MESSAGE-----\r\n", None),
    ],
)
def test_what_pgp_made_is_seen_where_a_line_begins(told: bytes, text: bytes, untouched: Untouched | None) -> None:
    assert finished(single(text, b"Content-Type: " + told)).untouched is untouched


def test_what_says_it_is_ascii_and_is_utf_8_is_read_as_that_and_goes_on_saying_so() -> None:
    content = single("Gr\xfc\xdfe\r\n".encode(), b"Content-Type: text/plain; charset=us-ascii")
    mail = finished(content)
    assert mail.text == "Gr\xfc\xdfe\r\n"
    changed = written(evolve(mail, text="Gr\xfc\xdfen\r\n"))
    assert b"charset=us-ascii\r\n" in changed
    assert changed.endswith(
        b"Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\nGr=C3=BC=C3=9Fen\r\n"
    )


def test_amp_is_seen_and_never_changed() -> None:
    mail = finished(single(b"<html amp4email></html>\r\n", b"Content-Type: text/x-amp-html"))
    assert mail.amp == "<html amp4email></html>\r\n"


# --- Who it is from, and for ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"From: \r\n",
        b"From: a@b.example\r\nFrom: c@d.example\r\n",
        b"From: a@b.example, c@d.example\r\n",
        b"From: x\r\n",
    ],
)
def test_a_mail_without_one_author_is_refused(headers: bytes) -> None:
    with pytest.raises(MailError, match="one From header with one address"):
        finished(headers + b"\r\nx\r\n")


def test_a_mail_that_names_one_person_goes_there_and_bcc_is_never_sent() -> None:
    mail = read(single(b"x\r\n", b"Bcc: Ada <ada@example.net>", b"Resent-Bcc: x@y.example"), to=ADA)
    assert b"bcc" not in written(mail).lower()
    assert read(single(b"x\r\n", b"bcc: Ada <ada@example.net>")).to == Address("ada@example.net", "Ada", smtputf8=True)


def test_a_mail_to_several_becomes_one_for_each() -> None:
    content = single(
        b"x\r\n", b"To: friends: ada@example.net, Bob <bob@example.net>;", b"Cc: ADA@example.net", b"Bcc: eve@x.example"
    )
    mails = read_for_each(content, campaign="news")
    assert len({id(mail.skeleton) for mail in mails}) == 1  # read once, for however many
    assert [mail.to.email for mail in mails] == ["ada@example.net", "bob@example.net", "eve@x.example"]
    assert len({written(mail) for mail in mails}) == 1
    assert {mail.campaign for mail in mails} == {"news"}
    with pytest.raises(MailError, match="names 3 people"):
        read(content)


def test_nobody_to_send_to_and_who_cannot_be_told_are_refused() -> None:
    with pytest.raises(MailError, match="names nobody"):
        read_for_each(single(b"x\r\n"))
    with pytest.raises(MailError, match="no address"):
        read(single(b"x\r\n", b"To: undisclosed"))
    with pytest.raises(MailError, match="Resent"):
        read(single(b"x\r\n", b"To: a@b.example", b"Resent-To: ada@example.net"))


# --- Messages of the standard library ---------------------------------------------------------------------------------


def test_an_email_message_is_read_and_keeps_what_is_8_bit() -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "hello@shop.example", "ada@example.net", "Gr\xfc\xdfe"
    message.set_content("Gr\xfc\xdfe\n", cte="8bit")
    message.add_alternative("<p>Gr\xfc\xdfe</p>\n", subtype="html", cte="8bit")
    mail = read(message)
    assert (mail.text, mail.html, mail.subject) == ("Gr\xfc\xdfe\r\n", "<p>Gr\xfc\xdfe</p>\r\n", "Gr\xfc\xdfe")
    assert "Gr\xfc\xdfe".encode() in written(mail)


def test_a_message_of_the_older_kind_is_read_as_it_came() -> None:
    body = single(b"x\r\nFrom here on\r\n")
    assert written(read(email.message_from_bytes(body), to=ADA)) == body


@pytest.mark.parametrize("subject", ["a\nBcc: eve@example.org", "a\n\nevil"])
def test_a_message_with_a_line_break_in_a_header_is_refused(subject: str) -> None:
    message = Message()
    message["From"] = "hello@shop.example"
    message["Subject"] = subject
    message["X-Last"] = "1"
    message.set_payload("x\n")
    with pytest.raises(MailError, match="line break|cannot be written"):
        read(message, to=ADA)


def test_a_message_that_cannot_be_written_is_refused_with_our_error() -> None:
    message = Message()
    message["From"] = "hello@shop.example"
    message.set_payload([1, 2])  # type: ignore[list-item]  # what a program with a slip in it does
    with pytest.raises(MailError, match="cannot be written"):
        read(message, to=ADA)
    with pytest.raises(MailError, match="is str"):
        read("From: a@b.example", to=ADA)  # type: ignore[arg-type]  # the slip itself


# --- Whatever comes ---------------------------------------------------------------------------------------------------

_BITS = st.sampled_from(
    [
        *(
            b"--outer",
            b"--inner--",
            b"\r",
            b"\n",
            b"\r\n\r\n",
            b"\0",
            b"\xe4",
            b"=",
            b"x" * 1200,
            b'"',
            b"(",
            b"=?utf-8?q?",
        ),
        *(b"\r\nContent-Type: text/html; charset=utf-8\r\n", b"\nContent-Transfer-Encoding: base64\n"),
        *(
            b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
            b"multipart/signed",
            b"\nDKIM-Signature: h=from\n",
        ),
        b"; boundary=inner",
    ]
)


@given(
    st.lists(st.tuples(st.integers(0, len(ORDINARY)), st.integers(0, 40), _BITS | st.binary(max_size=8)), max_size=6)
)
def test_a_damaged_mail_is_refused_or_leaves_so_that_it_is_read_the_same_again(
    damages: list[tuple[int, int, bytes]],
) -> None:
    content = ORDINARY
    for at, gone, come in damages:
        content = content[:at] + come + content[at + gone :]
    try:
        mail = finished(content)
    except MailError:
        return
    sent = written(mail)
    again = finished(sent)
    assert written(again) == sent
    if not mail.notes:
        assert (again.text or "").rstrip() == (mail.text or "").rstrip()
        assert (again.html or "").rstrip() == (mail.html or "").rstrip()


@given(st.binary(max_size=200))
def test_any_bytes_below_a_from_header_are_refused_or_leave(content: bytes) -> None:
    try:
        mail = finished(b"From: a@b.example\n" + content)
    except MailError:
        return
    assert written(finished(written(mail))) == written(mail)
