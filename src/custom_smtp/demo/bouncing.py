"""What comes back to a plain server: the mails in its bounce mailbox, as other systems write them."""

from datetime import datetime
from email.utils import format_datetime
from mailbox import Maildir
from pathlib import Path

from .script import Part, Told
from .times import told_at


def put_into(folder: Path, mails: list[bytes]) -> None:
    """Deliver them into this Maildir, as the server of bounces.moewe.example does; made where there is none."""
    mailbox = Maildir(folder, create=True)
    for mail in mails:
        mailbox.add(mail)
    mailbox.close()


def returned(part: Part, told: Told, content: bytes, return_path: str) -> bytes:
    """The mail that tells this of the one that the server was given, sent to its own return address.

    A bounce brings back neither the mail nor its headers: by its return address alone it is matched and proven.
    """
    head = content.partition(b"\r\n\r\n")[0].decode("ascii")
    person, at = part.person.address.email, format_datetime(told_at(part, told))
    return _FORMS[told].format(person=person, to=return_path, at=at, head=head).encode()


def forged(person: str, at: datetime) -> bytes:
    """A bounce of a mail that never came back: the signature in its return address is made up."""
    made_up = f"bounces-{'a' * 40}@bounces.moewe.example"
    return _FORMS[Told.BOUNCED].format(person=person, to=made_up, at=format_datetime(at)).encode()


def letter(person: str, at: datetime) -> bytes:
    """What somebody wrote who answered the wrong address; a person is to read it."""
    return _LETTER.format(person=person, at=format_datetime(at)).encode()


_NOTICE = """\
Return-Path: <>
Date: {{at}}
From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
To: {{to}}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

<{{person}}>: host inbox.example.net said: {said}

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: {{at}}

Final-Recipient: rfc822; {{person}}
Action: failed
Status: {status}
Remote-MTA: dns; inbox.example.net
Diagnostic-Code: smtp; {said}

--b1--
"""
"""A delivery status notification (RFC 3464)."""

_COMPLAINT = """\
Date: {at}
From: Feedback Loop <fbl@example.net>
To: {to}
Subject: Complaint about a mail from moewe.example
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b1"

--b1
Content-Type: text/plain; charset=us-ascii

Somebody called this mail spam.

--b1
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: ExampleLoop/1.0
Version: 1
Original-Rcpt-To: {person}
Arrival-Date: {at}

--b1
Content-Type: text/rfc822-headers

{head}

--b1--
"""
"""A complaint in the Abuse Reporting Format (RFC 5965)."""

_AWAY = """\
Date: {at}
From: {person}
To: {to}
Subject: Automatic reply: Your order is on its way
Auto-Submitted: auto-replied

I am away until Monday.
"""
"""An automatic answer (RFC 3834): no bounce."""

_LETTER = """\
Date: {at}
From: {person}
To: bounces@bounces.moewe.example
Subject: The Huila

Is there any left? I should like two bags.
"""

_FORMS = {
    Told.BOUNCED: _NOTICE.format(status="5.1.1", said="550 5.1.1 no such user here"),
    Told.FULL: _NOTICE.format(status="5.2.2", said="552 5.2.2 The mailbox is over its quota"),
    Told.COMPLAINED: _COMPLAINT,
    Told.AWAY: _AWAY,
}
