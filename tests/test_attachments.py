"""What travels with a mail."""

import pickle
from typing import Any

import pytest
from attrs import evolve

from custom_smtp import Attachment
from custom_smtp.attachments import Invitation, Method
from custom_smtp.body_encodings import Encoding
from custom_smtp.errors import MailError

CALENDAR = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


class TestAttachment:
    """A file that travels with a mail."""

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"name": "a\r\nb"}, "the attachment's name holds a line break"),
            ({"name": None}, "the attachment's name is NoneType"),
            ({"content": "text"}, "holds str: give it bytes"),
            ({"content": bytearray(b"a")}, "holds bytearray: give it bytes"),
            ({"content_type": "pdf"}, "'application/pdf'"),
            ({"content_type": "text/plain\r\nBcc: x"}, "is no media type"),
            ({"content_type": 'text/plain; name="a"'}, "is no media type"),
            ({"content_type": None}, "is no media type"),
            ({"content_type": "text/plain; a=" + "b" * 900}, "is no media type"),
            ({"content_type": "text/plain" + "; a=b" * 200}, "is no media type"),
            ({"content_type": "message/rfc822", "content": b"a\nb"}, "end each of its lines with CRLF"),
            ({"content_type": "message/rfc822", "content": b"a\rb\r\n"}, "end each of its lines with CRLF"),
            ({"content_type": "message/rfc822", "content": b"a\r\n\r"}, "end each of its lines with CRLF"),
            ({"content_type": "message/rfc822", "content": b"a\0b\r\n"}, "end each of its lines with CRLF"),
            ({"content_type": "message/rfc822", "content": b"a" * 999}, "a line of over 998 octets"),
            ({"content_type": "message/partial"}, "attach it as application/octet-stream"),
            ({"content_type": "Multipart/mixed"}, "attach it as application/octet-stream"),
            ({"content_id": "<logo>"}, "without angle brackets"),
            ({"content_id": ""}, "is no content id"),
            ({"content_id": "a\nb"}, "is no content id"),
            ({"content_id": "l" * 251}, "is no content id"),
            ({"content_id": 7}, "is no content id"),
        ],
    )
    def test_one_that_cannot_be_written_is_refused_and_told_why(self, fields: dict[str, Any], says: str) -> None:
        with pytest.raises(MailError) as refused:
            Attachment(**{"name": "a.pdf", "content": b"%PDF"} | fields)
        assert says in str(refused.value)

    def test_a_good_one_shows_its_size_and_not_its_bytes(self) -> None:
        logo = Attachment("žlutý logo.png", b"secret", "image/png", "logo@shop.example")
        assert "<6 bytes>" in repr(logo)
        assert "secret" not in repr(logo)
        assert Attachment("a.csv", b"", "text/csv; charset=utf-8; header=present").content == b""

    def test_one_is_encoded_once(self) -> None:
        logo = Attachment("logo.png", b"x" * 100_000)
        assert logo.encoded is logo.encoded
        again = pickle.loads(pickle.dumps(logo))
        assert (again, hash(again), again.encoded) == (logo, hash(logo), logo.encoded)
        assert evolve(logo, content=b"").encoded == ()

    def test_a_mail_inside_is_not_encoded(self) -> None:
        inside = Attachment("m.eml", "Subject: hi\r\n\r\nGrüße".encode(), "message/RFC822")
        assert (inside.encoding, inside.encoded) == (Encoding.EIGHT_BIT, (inside.content,))


class TestInvitation:
    """A calendar object that travels with a mail."""

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"calendar": b"BEGIN:VCALENDAR"}, "the calendar is bytes, not text"),
            ({"calendar": "BEGIN:VEVENT\nEND:VEVENT"}, "begin with BEGIN:VCALENDAR"),
            ({"calendar": CALENDAR + "x"}, "and end with END:VCALENDAR"),
            ({"calendar": CALENDAR.replace("METHOD:REQUEST", "VERSION:2.0")}, "has the methods []"),
            ({"calendar": CALENDAR.replace("REQUEST", "DANCE")}, "has the methods ['DANCE']"),
            ({"calendar": CALENDAR.replace("METHOD:REQUEST\r\n", "METHOD:REQUEST\r\n" * 2)}, "give it one line"),
            ({"calendar": CALENDAR.replace("REQUEST", "REQUEST\r\nSUMMARY:a\x07")}, "control character '\\x07'"),
            ({"calendar": CALENDAR.replace("REQUEST", "REQUEST\r\nSUMMARY:\ud800")}, "half of a surrogate pair"),
            ({"name": "a\nb"}, "the name of the invitation's file holds a line break"),
        ],
    )
    def test_one_that_no_program_would_show_is_refused_and_told_why(self, fields: dict[str, Any], says: str) -> None:
        with pytest.raises(MailError) as refused:
            Invitation(**{"calendar": CALENDAR} | fields)
        assert says in str(refused.value)

    @pytest.mark.parametrize(
        ("calendar", "method"),
        [
            (CALENDAR, Method.REQUEST),
            (CALENDAR.replace("\r\n", "\n"), Method.REQUEST),
            (CALENDAR.replace("\r\n", "\r"), Method.REQUEST),
            ("begin:vcalendar\r\nmethod:cancel \r\nend:vcalendar", Method.CANCEL),
        ],
    )
    def test_its_method_is_the_one_that_it_says_itself(self, calendar: str, method: Method) -> None:
        assert Invitation(calendar).method is method

    def test_its_file_has_the_line_ends_of_calendars(self) -> None:
        file = Invitation(CALENDAR.replace("\r\n", "\n"), "party.ics").file
        assert file == Attachment("party.ics", CALENDAR.encode(), "application/ics")
