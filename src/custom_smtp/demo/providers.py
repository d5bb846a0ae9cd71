"""The providers behind the two servers, as far as their reports go: each knows a mail only by what stands in it.

They tell everything twice, and a bounce or a complaint before the delivery that it followed.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from attrs import evolve, frozen

from ..testing.webhooks import SendGridSigner, postmark_request
from ..web import Request
from .script import Part, Told

Report = dict[str, Any]

_GONE = "550 5.1.1 The email account that you tried to reach does not exist"

_WHEN = {
    Told.DEFERRED: timedelta(milliseconds=20),
    Told.DELIVERED: timedelta(milliseconds=150),
    Told.BOUNCED: timedelta(milliseconds=900),
    Told.UNSUBSCRIBED: timedelta(milliseconds=1200),
    Told.COMPLAINED: timedelta(milliseconds=1500),
}
"""How long after the mail was sent each thing happened."""


@frozen
class PostmarkReports:
    """What Postmark posts: one report at a time, with a user name and a password."""

    username: str
    password: str

    def requests(self, mails: Sequence[tuple[Part, bytes]]) -> Iterator[Request]:
        """Every report, the last one first."""
        for part, content in mails:
            mail = _headers(content)
            for told in reversed(part.role.told):
                if told in _POSTMARK:
                    yield postmark_request(_of_postmark(mail, told), self.username, self.password)

    def forged(self, mail: bytes) -> Request:
        """A bounce that somebody else made up."""
        return postmark_request(_of_postmark(_headers(mail), Told.BOUNCED), self.username, "a guess")


_POSTMARK: dict[Told, Report] = {
    Told.DELIVERED: {"RecordType": "Delivery", "Details": "250 2.0.0 OK, message accepted for delivery"},
    Told.BOUNCED: {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Description": "The server was unable to deliver your message.",
        "Details": f"smtp;{_GONE}",
        "Inactive": True,
        "CanActivate": True,
        "DumpAvailable": False,
    },
}


def _of_postmark(mail: EmailMessage, told: Told) -> Report:
    delivery_id = str(mail["X-PM-Metadata-delivery-id"])
    at = (_sent(mail) + _WHEN[told]).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    person = _recipient(mail)
    about = (
        {"DeliveredAt": at, "Recipient": person}
        if told is Told.DELIVERED
        else {"BouncedAt": at, "Email": person, "ID": _number(delivery_id), "Subject": str(mail["Subject"])}
    )
    return {
        **_POSTMARK[told],
        **about,
        "MessageID": f"00000000-0000-4000-8000-{_number(delivery_id):012d}",
        "MessageStream": "outbound",
        "ServerID": 23,
        "Tag": "",
        "Metadata": {"delivery-id": delivery_id},
    }


@frozen
class SendGridReports:
    """What SendGrid posts: several reports at a time, signed."""

    signer: SendGridSigner

    def requests(self, mails: Sequence[tuple[Part, bytes]], at: datetime) -> Iterator[Request]:
        """Every report, the last one first, ten in a request."""
        reports = [
            _of_sendgrid(mail, told)
            for part, content in mails
            for mail in (_headers(content),)
            for told in reversed(part.role.told)
        ]
        for start in range(0, len(reports), 10):
            yield self.signer.request(reports[start : start + 10], at=at)

    def forged(self, mail: bytes, at: datetime) -> Request:
        """A report that was altered after it was signed."""
        request = self.signer.request([_of_sendgrid(_headers(mail), Told.DELIVERED)], at=at)
        return evolve(request, body=request.body.replace(b'"delivered"', b'"spamreport"'))


_SENDGRID: dict[Told, Report] = {
    Told.DEFERRED: {"event": "deferred", "response": "451 4.7.1 try again later", "attempt": "1"},
    Told.DELIVERED: {"event": "delivered", "response": "250 2.0.0 OK", "tls": 1},
    Told.BOUNCED: {
        "event": "bounce",
        "type": "bounce",
        "bounce_classification": "Invalid Address",
        "reason": _GONE,
        "status": "5.1.1",
    },
    Told.COMPLAINED: {"event": "spamreport"},
    Told.UNSUBSCRIBED: {"event": "unsubscribe"},
}


def _of_sendgrid(mail: EmailMessage, told: Told) -> Report:
    arguments: dict[str, str] = json.loads(mail["X-SMTPAPI"])["unique_args"]
    number = _number(arguments["csm_id"])
    return {
        "email": _recipient(mail),
        # SendGrid tells whole seconds.
        "timestamp": int((_sent(mail) + _WHEN[told]).timestamp()),
        "smtp-id": str(mail["Message-ID"]),
        "sg_event_id": f"{told.name.lower()}-{number}",
        "sg_message_id": f"{number:022d}.recvd-1",
        **_SENDGRID[told],
        **arguments,
    }


def bounce_mail(content: bytes) -> bytes:
    """What another mail system sends back in the end (RFC 3464), with the headers of the mail it could not deliver."""
    mail = _headers(content)
    head = content.partition(b"\r\n\r\n")[0]
    person, at = _recipient(mail), format_datetime(_sent(mail) + timedelta(seconds=1))
    return _BOUNCE.format(person=person, at=at).encode().replace(b"\n", b"\r\n") + head + b"\r\n\r\n--b1--\r\n"


_BOUNCE = """\
Return-Path: <>
Date: {at}
From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
To: bounces@moewe.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"
Message-ID: <4E5F6.returned@mx.example.net>

This is a MIME-encapsulated message.

--b1
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

<{person}>: host inbox.example.net said: 552 5.2.2 The mailbox is over its
    quota (in reply to RCPT TO command)

--b1
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
X-Postfix-Queue-ID: 4E5F6
Arrival-Date: {at}

Final-Recipient: rfc822; {person}
Original-Recipient: rfc822;{person}
Action: failed
Status: 5.2.2
Remote-MTA: dns; inbox.example.net
Diagnostic-Code: smtp; 552 5.2.2 The mailbox is over its quota

--b1
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

"""


def _headers(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def _recipient(mail: EmailMessage) -> str:
    return str(mail["To"].addresses[0].addr_spec)


def _sent(mail: EmailMessage) -> datetime:
    """When the mail had left: its Date, in whole seconds, rounded up."""
    date: datetime = mail["Date"].datetime
    return date + timedelta(seconds=1)


def _number(delivery_id: str) -> int:
    return int(delivery_id.removeprefix("d"))
