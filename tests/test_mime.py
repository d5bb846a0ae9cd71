"""What we write is read back equal by the standard library's parser."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header
from email.message import EmailMessage, MIMEPart
from email.utils import parseaddr, parsedate_to_datetime
from typing import Literal

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from custom_smtp import Address, Attachment, DeliveryId, Mail
from custom_smtp.attachments import Invitation
from custom_smtp.errors import MailError
from custom_smtp.mime import render
from custom_smtp.outgoing import WireForm

AT = datetime(2026, 1, 2, 5, tzinfo=UTC)
D1 = DeliveryId("d1")
MAIL = Mail(
    sender=Address("hello@shop.example", "Shop"),
    to=Address("ada@example.net", "Ada"),
    subject="Your order",
    text="It is on its way.",
)


def written(mail: Mail) -> bytes:
    content = render(mail, D1, AT)
    # What the writer promises is looked through here, as if it came from a stranger.
    assert WireForm(bytes(content)).dotted == content.dotted
    return content


def read(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def read_text(part: MIMEPart) -> str:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode(part.get_content_charset() or "")


def lines_of(text: str) -> str:
    """Text as it comes back: with the wire's line ends, and its last line ended."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return text if text.endswith("\r\n") else text + "\r\n"


def test_a_plain_mail_to_the_letter() -> None:
    assert written(MAIL) == (
        b"From: Shop <hello@shop.example>\r\n"
        b"To: Ada <ada@example.net>\r\n"
        b"Subject: Your order\r\n"
        b"Date: Fri, 02 Jan 2026 05:00:00 +0000\r\n"
        b"Message-ID: <d1@shop.example>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"It is on its way.\r\n"
    )


def test_the_same_mail_id_and_time_give_the_same_bytes() -> None:
    assert written(MAIL) == written(MAIL)


def test_the_message_id_stands_on_the_senders_domain_in_ascii() -> None:
    content = render(evolve(MAIL, sender=Address("hello@bücher.example")), D1, AT)
    assert content.count(b"\r\nMessage-ID: <d1@xn--bcher-kva.example>\r\n") == 1


def test_a_zone_that_no_date_can_say_becomes_utc() -> None:
    at = datetime(1900, 1, 1, 12, tzinfo=timezone(timedelta(minutes=53, seconds=28)))
    assert read(render(MAIL, D1, at))["Date"] == "Mon, 01 Jan 1900 11:06:32 +0000"


def test_the_date_keeps_its_zone() -> None:
    at = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert parsedate_to_datetime(read(render(MAIL, D1, at))["Date"]) == at


def test_text_and_html_are_alternatives_the_richer_one_last() -> None:
    message = read(written(evolve(MAIL, html="<p>It is <b>on its way</b>.</p>")))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_pictures_stand_beside_the_html_and_files_beside_everything() -> None:
    mail = evolve(
        MAIL,
        html='<img src="cid:logo">',
        attachments=(
            Attachment("logo.png", b"\x89PNG", "image/png", content_id="logo"),
            Attachment("Rechnung März.pdf", b"%PDF" * 1000, "application/pdf"),
        ),
    )
    message = read(written(mail))
    assert message.get_content_type() == "multipart/mixed"
    body, file = message.iter_parts()
    text, related = body.iter_parts()
    html, picture = related.iter_parts()
    assert [part.get_content_type() for part in (text, related, html, picture)] == [
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
    ]
    assert (picture["Content-ID"], picture.get_content_disposition()) == ("<logo>", "inline")
    assert (file.get_filename(), file.get_content(), file.get_content_disposition()) == (
        "Rechnung März.pdf",
        b"%PDF" * 1000,
        "attachment",
    )


def test_a_picture_without_html_is_a_file() -> None:
    message = read(written(evolve(MAIL, attachments=(Attachment("logo.png", b"x", "image/png", content_id="logo"),))))
    assert message.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "image/png"]
    assert list(message.iter_parts())[1].get_content_disposition() == "attachment"


def test_html_alone_needs_no_multipart() -> None:
    assert read(written(evolve(MAIL, text=None, html="<p>Hi"))).get_content_type() == "text/html"


def test_what_is_shown_is_not_whom_it_goes_to() -> None:
    shown = evolve(
        MAIL,
        shown_to=(Address("team@example.net", "The Team"), Address("bob@example.net")),
        shown_cc=(Address("carol@example.net"),),
        reply_to=Address("desk@shop.example"),
        headers=(("List-Unsubscribe", "<https://shop.example/u>"), ("X-Number", "7")),
    )
    message = read(written(shown))
    assert message["To"] == "The Team <team@example.net>, bob@example.net"
    assert message["Cc"] == "carol@example.net"
    assert message["Reply-To"] == "desk@shop.example"
    assert message["List-Unsubscribe"] == "<https://shop.example/u>"
    assert "ada@example.net" not in str(message)


def types(part: MIMEPart) -> object:
    """A part's type, with those of the parts inside."""
    inside = [types(one) for one in part.iter_parts()] if part.is_multipart() else []
    return (part.get_content_type(), inside) if inside else part.get_content_type()


CALENDAR = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nSUMMARY:Frühstück\nEND:VCALENDAR\n"


def test_amp_stands_between_the_text_and_the_html() -> None:
    message = read(written(evolve(MAIL, html="<p>Hi", amp="<!doctype html><html ⚡4email>")))
    assert types(message) == ("multipart/alternative", ["text/plain", "text/x-amp-html", "text/html"])
    amp = list(message.iter_parts())[1]
    assert (amp.get_content_charset(), read_text(amp)) == ("utf-8", "<!doctype html><html ⚡4email>\r\n")


def test_an_invitation_is_shown_and_can_be_saved() -> None:
    message = read(written(evolve(MAIL, html="<p>Hi", invitation=Invitation(CALENDAR))))
    assert types(message) == (
        "multipart/mixed",
        [("multipart/alternative", ["text/plain", "text/html", "text/calendar"]), "application/ics"],
    )
    readable, file = message.iter_parts()
    shown = list(readable.iter_parts())[-1]
    assert dict(shown["Content-Type"].params) == {"charset": "utf-8", "method": "REQUEST"}
    assert read_text(shown) == lines_of(CALENDAR)
    assert (file.get_filename(), file.get_content()) == ("invite.ics", lines_of(CALENDAR).encode())


def test_everything_at_once_stands_in_its_place() -> None:
    mail = evolve(
        MAIL,
        html='<img src="cid:logo">',
        amp="<html amp4email>",
        invitation=Invitation(CALENDAR),
        attachments=(
            Attachment("logo.png", b"\x89PNG", "image/png", content_id="logo"),
            Attachment("old.eml", b"Subject: old\r\n\r\nold", "message/rfc822"),
        ),
    )
    related = ("multipart/related", ["text/html", "image/png"])
    assert types(read(written(mail))) == (
        "multipart/mixed",
        [
            ("multipart/alternative", ["text/plain", "text/x-amp-html", related, "text/calendar"]),
            ("message/rfc822", ["text/plain"]),
            "application/ics",
        ],
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Subject: hi\r\n\r\n",
        b"Subject: hi\r\n\r\nwithout an end",
        b"Subject: hi\r\n\r\n.\r\n..\r\nFrom me \r\n",
        ".dot first: Grüße\r\n\r\nGrüße\r\n".encode(),
    ],
)
def test_a_mail_inside_stays_as_it_is(content: bytes) -> None:
    mail = evolve(MAIL, attachments=(Attachment("old.eml", content, "message/rfc822"),))
    whole = written(mail)
    assert b"\r\n\r\n" + content + b"\r\n--=_m_d1--\r\n" in whole
    _, inside = read(whole).iter_parts()
    assert inside["Content-Transfer-Encoding"] == ("7bit" if content.isascii() else "8bit")


def test_only_a_mail_inside_may_have_lines_with_dots_or_eight_bits() -> None:
    text = evolve(MAIL, text=".\n.ü", html=".<p>\n.")
    assert not render(text, D1, AT).dotted
    inside = evolve(text, attachments=(Attachment("old.eml", "Subject: hi\r\n\r\n.ü".encode(), "message/rfc822"),))
    assert (render(inside, D1, AT).dotted, render(inside, D1, AT).eight_bit) == (True, True)


def test_a_mail_of_ours_may_stand_in_a_mail_of_ours() -> None:
    first = written(evolve(MAIL, html="<p>Hi", attachments=(Attachment("a", b"a"),)))
    second = written(evolve(MAIL, html="<p>Hi", attachments=(Attachment("old.eml", first, "message/rfc822"),)))
    third = written(evolve(MAIL, html="<p>Hi", attachments=(Attachment("old.eml", second, "message/rfc822"),)))
    readable: object = ("multipart/alternative", ["text/plain", "text/html"])
    inside: object = ("multipart/mixed", [readable, "application/octet-stream"])
    for _ in range(2):
        inside = ("multipart/mixed", [readable, ("message/rfc822", [inside])])
    assert types(read(third)) == inside
    [mail] = list(list(read(third).iter_parts())[1].iter_parts())
    assert mail.get_boundary() != read(third).get_boundary()
    assert second in third


def test_a_shared_file_is_encoded_once_by_any_number_of_threads() -> None:
    shared = Attachment("a.bin", bytes(range(256)) * 1000)
    mails = [evolve(MAIL, attachments=(shared,), subject=f"{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        contents = list(threads.map(written, mails))
    for content in contents:
        _, file = read(content).iter_parts()
        assert file.get_content() == shared.content


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain", "7bit"),
        ("a" * 998, "7bit"),
        ("a" * 999, "quoted-printable"),
        ("ends in space ", "quoted-printable"),
        ("--=_a_d1--", "quoted-printable"),
        ("bell \x07", "quoted-printable"),
        ("Viele Grüße aus dem Norden " * 20, "quoted-printable"),
        ("Grüße " * 20, "base64"),
        ("Привет", "base64"),
    ],
)
def test_the_encoding_suits_the_text(text: str, encoding: str) -> None:
    message = read(written(evolve(MAIL, text=text)))
    assert message["Content-Transfer-Encoding"] == encoding
    assert read_text(message) == lines_of(text)


def test_the_largest_mail_is_still_clean() -> None:
    content = written(evolve(MAIL, text="é" * 200_000, attachments=(Attachment("x", bytes(range(256)) * 4_000),)))
    assert content.isascii()
    file = list(read(content).iter_parts())[1]
    assert file.get_content() == bytes(range(256)) * 4_000


def test_an_address_beyond_ascii_is_the_only_thing_in_raw_utf8() -> None:
    mail = evolve(MAIL, to=Address("jörg@bücher.example", "Jörg", smtputf8=True), subject="Grüße")
    content = written(mail)
    raw = [line for line in content.split(b"\r\n") if not line.isascii()]
    assert raw == ["To: =?utf-8?b?SsO2cmc=?= <jörg@xn--bcher-kva.example>".encode()]


def printable(characters: st.SearchStrategy[str], *, most: int) -> st.SearchStrategy[str]:
    return st.text(characters, max_size=most)


# The parser that reads back folds these itself; all else comes back as it went in.
ONE_LINE = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\x85\u2028\u2029")
CONTROL: tuple[Literal["Cs"]] = ("Cs",)
ANY_TEXT = st.characters(exclude_categories=CONTROL, exclude_characters="\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")


def unfolded(content: bytes, name: str) -> str:
    """A header's value, its lines put together again (RFC 5322 section 2.2.3)."""
    head = content.partition(b"\r\n\r\n")[0].decode()
    [line] = [line for line in head.replace("\r\n ", " ").split("\r\n") if line.startswith(f"{name}: ")]
    return line.removeprefix(f"{name}: ")


def words_decoded(value: str) -> str:
    """As a mail program shows it."""
    return "".join(
        piece.decode(charset or "ascii") if isinstance(piece, bytes) else piece
        for piece, charset in decode_header(value)
    )


def decoded(content: bytes, name: str) -> str:
    return words_decoded(unfolded(content, name))


@given(subject=printable(ONE_LINE, most=400))
@example(subject="word " * 60)
@example(subject="x" * 2000)
@example(subject="ü" * 200)
@example(subject="=?utf-8?q?not_ours?=")
@example(subject="🎉" * 50)
@example(subject="  two  spaces  ")
@example(subject="a" + " " * 1200 + "b")
@example(subject=" " * 1200)
@example(subject="")
def test_any_subject_comes_back(subject: str) -> None:
    content = written(evolve(MAIL, subject=subject))
    assert decoded(content, "Subject") == subject
    head = content.partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))


@given(subject=st.text(ONE_LINE, min_size=1, max_size=200))
def test_no_encoded_word_is_too_long_or_splits_a_character(subject: str) -> None:
    content = written(evolve(MAIL, subject="é" + subject))
    head = content.partition(b"\r\n\r\n")[0].decode("ascii")
    words = re.findall(r"=\?utf-8\?[qb]\?[^ \r\n]*\?=", head.partition("Subject: ")[2].partition("\r\nDate:")[0])
    assert words
    for word in words:
        assert len(word) <= 75
        [(raw, charset)] = decode_header(word)
        assert isinstance(raw, bytes)
        raw.decode(charset or "ascii")
    assert all(len(line) <= 78 for line in head.split("\r\n"))


@given(name=printable(ONE_LINE, most=200))
@example(name='Ada "the first" Lovelace, Ltd. \\')
@example(name="x" * 300)
@example(name="=?utf-8?q?x?=")
@example(name=" ")
def test_any_display_name_comes_back(name: str) -> None:
    phrase, email = parseaddr(unfolded(written(evolve(MAIL, to=Address("ada@example.net", name))), "To"))
    assert email == "ada@example.net"
    # Around and between quoted words, white space is one space or none.
    assert words_decoded(phrase).split() == name.split()


@given(text=printable(ANY_TEXT, most=500), html=st.none() | printable(ANY_TEXT, most=500))
@example(text="\n.\n..\nFrom me\n", html="line\r\rline\r\n")
@example(text="x " * 1000, html="ä" * 2000)
@example(text=" \n\t\n =\n", html="=_")
def test_any_body_comes_back(text: str, html: str | None) -> None:
    message = read(written(evolve(MAIL, text=text, html=html)))
    parts = list(message.iter_parts()) if html is not None else [message]
    assert [read_text(part) for part in parts] == [lines_of(body) for body in (text, html) if body is not None]


@given(name=printable(ONE_LINE, most=200), content=st.binary(max_size=500))
@example(name='a"b\\c.pdf', content=b"")
@example(name='"a"', content=b"")
@example(name="ü" * 100, content=b"\r\n.\r\n")
@example(name="x" * 200 + ".pdf", content=b"x")
def test_any_file_comes_back(name: str, content: bytes) -> None:
    message = read(written(evolve(MAIL, attachments=(Attachment(name, content),))))
    _, file = message.iter_parts()
    assert file.get_payload(decode=True) == content
    # Not get_filename(), which takes quotes off twice.
    assert file["content-disposition"].params["filename"].split() == name.split()


@given(
    words=st.lists(
        st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=120),
        min_size=1,
        max_size=40,
    )
)
def test_a_long_header_is_folded_and_comes_back(words: list[str]) -> None:
    value = " ".join(words)
    content = written(evolve(MAIL, headers=(("X-Long", value), ("X-SMTPAPI", value))))
    assert decoded(content, "X-Long") == value
    assert unfolded(content, "X-SMTPAPI") == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("List-Unsubscribe", "<https://u.example/x?id=?1>"),
        ("List-Unsubscribe", "<https://u.example/=?utf-8?q?x?=>, <mailto:leave@u.example>"),
        ("References", "<=?utf-8?q?x?=@u.example>"),
        ("X-SMTPAPI", '{"category": "a=?b"}'),
        ("X-Campaign", "a=?b"),
    ],
)
def test_what_a_program_reads_is_never_encoded(name: str, value: str) -> None:
    assert f"\r\n{name}: {value}\r\n".encode() in written(evolve(MAIL, headers=((name, value),)))


@pytest.mark.parametrize("subject", ["Is a=?b", "=?", "?=", "=?utf-8?x?y?="])
def test_what_no_program_takes_for_an_encoded_word_is_written_as_it_is(subject: str) -> None:
    assert f"\r\nSubject: {subject}\r\n".encode() in written(evolve(MAIL, subject=subject))


@pytest.mark.parametrize("subject", ["=?utf-8?q?x?=", "see =?x?B?YQ==?= there", "=??Q??=", "=?utf-8*en?q?a b"])
def test_what_some_program_might_take_for_one_is_encoded(subject: str) -> None:
    content = written(evolve(MAIL, subject=subject))
    assert subject.encode() not in content
    assert decoded(content, "Subject") == subject


# Hostile fields: refused by our own error, or written so that they mean what they say and nothing else


HOSTILE = [
    *(f"a{chr(code)}b" for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xD800, 0xDBFF, 0xDC00, 0xDFFF)),
    *(f"a{end}Bcc: eve@example.net{end}{end}b" for end in ("\r", "\n", "\r\n", "\u2028", "\x85")),
    *("x" * 1000, "ü" * 1000, "\U0001f389" * 1000, "x " * 1000, '"' * 1000, "\\" * 1000, "=?utf-8?q?" * 100),
    *("<", ">", '"', "\\", "a@b", "a,b", "a;b:c", "(a)", "=?utf-8?q?=0D=0ABcc:_e@x?=", "\ufeff", "\u202e", "\xad"),
]
REFUSED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
LIKELY = [*(text for text in HOSTILE if not REFUSED.search(text)), "Ada", "Grüße", " ", "=", "?="]
hostile_text = st.lists(st.sampled_from(LIKELY), max_size=4).map("".join) | st.text(ONE_LINE)

FIELDS: dict[str, Callable[[str], Mail]] = {
    "subject": lambda text: evolve(MAIL, subject=text),
    "name": lambda text: evolve(MAIL, to=Address("ada@example.net", text)),
    "shown name": lambda text: evolve(MAIL, shown_cc=(Address("ada@example.net", text),)),
    "file": lambda text: evolve(MAIL, attachments=(Attachment(text, b"content"),)),
    "header": lambda text: evolve(MAIL, headers=(("X-Free", text),)),
    "strict header": lambda text: evolve(MAIL, headers=(("References", text),)),
    "header name": lambda text: evolve(MAIL, headers=((text, "value"),)),
    "local part": lambda text: evolve(MAIL, to=Address(f"{text}@example.net", smtputf8=True)),
    "domain": lambda text: evolve(MAIL, sender=Address(f"ada@{text}")),
    "content type": lambda text: evolve(MAIL, attachments=(Attachment("a", b"content", text),)),
    "content id": lambda text: evolve(MAIL, html="<p>", attachments=(Attachment("a", b"b", content_id=text),)),
    "invitation": lambda text: evolve(MAIL, invitation=Invitation(CALENDAR, text)),
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_field_is_refused_by_our_error_or_adds_no_header(field: str, text: str) -> None:
    try:
        content = written(FIELDS[field](text))
    except MailError:
        return
    assert not REFUSED.search(text)
    names = read(content).keys()
    assert set(names) <= {
        *("From", "To", "Cc", "Subject", "Date", "Message-ID", "MIME-Version", "X-Free", "References"),
        *("Content-Type", "Content-Transfer-Encoding", text),
    }
    assert len(names) == len(set(names))
    assert b"eve@example.net" not in content
    for line in content.split(b"\r\n"):
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line)


@given(subject=hostile_text, name=hostile_text, file=hostile_text, value=hostile_text.map(lambda text: text[:900]))
def test_whatever_the_fields_hold_they_are_read_as_they_are(subject: str, name: str, file: str, value: str) -> None:
    content = written(
        evolve(
            MAIL,
            to=Address("ada@example.net", name),
            subject=subject,
            headers=(("X-Free", value),),
            attachments=(Attachment(file, b"content"),),
        )
    )
    assert decoded(content, "Subject") == subject
    assert decoded(content, "X-Free") == value
    phrase, email = parseaddr(unfolded(content, "To"))
    assert (words_decoded(phrase).split(), email) == (name.split(), "ada@example.net")
    _, attached = read(content).iter_parts()
    # Not get_filename(), which takes quotes off the name that are part of it.
    assert attached["Content-Disposition"].params.get("filename", "").split() == file.split()


@given(name=printable(ONE_LINE, most=80), local=st.text("abc", min_size=1, max_size=64))
def test_a_name_and_a_long_address_are_folded_between(name: str, local: str) -> None:
    content = written(evolve(MAIL, to=Address(f"{local}@example.net", name)))
    head = content.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78
    assert parseaddr(unfolded(content, "To"))[1] == f"{local}@example.net"
