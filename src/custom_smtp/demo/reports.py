"""What six providers report, each in its own words: it knows a mail only by what stands in it.

The forms are those of the providers' documentation; see ``docs/providers`` for what each adapter reads in them.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from attrs import frozen

from .script import Part, Told
from .times import told_at

Report = dict[str, Any]

_GONE = "550 5.1.1 The email account that you tried to reach does not exist"
_LATER = "451 4.7.1 try again later"
_TAKEN = "250 2.0.0 OK"


@frozen
class _Mail:
    """A mail as a provider has it.

    Attributes:
        headers: as they came; the marks stand in them.
        person: who it is for.
        at: when what is reported happened.
        number: the provider's own, for its ids.
    """

    headers: EmailMessage
    person: str
    at: datetime
    number: int

    def mark(self, header: str) -> Report:
        """What a header says whose value is JSON."""
        found: Report = json.loads(str(self.headers[header]))
        return found

    @property
    def second(self) -> int:
        """The time as most providers tell it."""
        return int(self.at.timestamp())


def report(provider: str, part: Part, told: Told, content: bytes) -> Report:
    """One report of this provider, about the mail that it was given for this person."""
    headers = message_from_bytes(content, policy=policy.default)
    mail = _Mail(headers, str(headers["To"].addresses[0].addr_spec), told_at(part, told), part.person.number)
    return _WRITTEN_BY[provider](mail, told)


# ---- each provider ---------------------------------------------------------------------------------------------------


_MAILGUN: Mapping[Told, Report] = {
    Told.DELIVERED: {"event": "delivered", "delivery-status": {"code": 250, "message": "OK"}},
    Told.DEFERRED: {
        "event": "failed",
        "severity": "temporary",
        "reason": "generic",
        "delivery-status": {"code": 451, "message": "4.7.1 try again later", "enhanced-code": "4.7.1"},
    },
    Told.BOUNCED: {
        "event": "failed",
        "severity": "permanent",
        "reason": "bounce",
        "delivery-status": {"code": 550, "message": _GONE[4:], "enhanced-code": "5.1.1", "bounce-type": "hard"},
    },
    Told.COMPLAINED: {"event": "complained"},
    Told.UNSUBSCRIBED: {"event": "unsubscribed"},
}


def _mailgun(mail: _Mail, told: Told) -> Report:
    return {
        **_MAILGUN[told],
        "id": f"{told.name.lower()}-{mail.number}",
        "timestamp": mail.at.timestamp(),
        "recipient": mail.person,
        "user-variables": mail.mark("X-Mailgun-Variables"),
        "message": {"headers": {"message-id": str(mail.headers["Message-ID"]).strip("<>")}},
    }


_MAILJET: Mapping[Told, Report] = {
    Told.DELIVERED: {"event": "sent", "smtp_reply": f"sent ({_TAKEN})"},
    Told.DEFERRED: {"event": "bounce", "hard_bounce": False, "error": "greylisted", "comment": _LATER},
    Told.BOUNCED: {
        "event": "bounce",
        "blocked": False,
        "hard_bounce": True,
        "error_related_to": "recipient",
        "error": "user unknown",
        "comment": _GONE,
    },
    Told.COMPLAINED: {"event": "spam", "source": "JMRPP"},
    Told.UNSUBSCRIBED: {"event": "unsub", "mj_list_id": 0},
}


def _mailjet(mail: _Mail, told: Told) -> Report:
    return {
        **_MAILJET[told],
        "time": mail.second,
        "MessageID": 19_421_777_000_000_000 + mail.number,
        "email": mail.person,
        "mj_contact_id": mail.number,
        "CustomID": str(mail.headers["X-MJ-CustomID"]),
        "Payload": "",
    }


_MANDRILL: Mapping[Told, tuple[Report, Report]] = {
    Told.DELIVERED: ({"event": "delivered"}, {"state": "sent", "smtp_events": [{"type": "sent", "diag": _TAKEN}]}),
    Told.DEFERRED: ({"event": "deferral", "diag": _LATER}, {"state": "deferred"}),
    Told.BOUNCED: (
        {"event": "hard_bounce"},
        {"state": "bounced", "bounce_description": "bad_mailbox", "bgtools_code": 10, "diag": f"smtp;{_GONE}"},
    ),
    Told.COMPLAINED: ({"event": "spam"}, {"state": "spam"}),
    Told.UNSUBSCRIBED: ({"event": "unsub"}, {"state": "unsub"}),
}
"""What stands in the event, and what in the mail that it tells of."""


def _mandrill(mail: _Mail, told: Told) -> Report:
    event, about = _MANDRILL[told]
    number = f"{mail.number:032x}"
    metadata = mail.mark("X-MC-Metadata")
    return {
        **event,
        "_id": number,
        "ts": mail.second,
        "msg": {**about, "_id": number, "email": mail.person, "metadata": metadata},
    }


_POSTMARK: Mapping[Told, tuple[str, Report]] = {
    Told.DELIVERED: ("DeliveredAt", {"RecordType": "Delivery", "Details": _TAKEN}),
    Told.DEFERRED: (
        "BouncedAt",
        {"RecordType": "Bounce", "Type": "Transient", "TypeCode": 2, "Details": f"smtp;{_LATER}"},
    ),
    Told.BOUNCED: (
        "BouncedAt",
        {"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "Inactive": True, "Details": f"smtp;{_GONE}"},
    ),
    Told.COMPLAINED: (
        "BouncedAt",
        {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 100001, "Inactive": True},
    ),
    Told.UNSUBSCRIBED: (
        "ChangedAt",
        {
            "RecordType": "SubscriptionChange",
            "Origin": "Recipient",
            "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
        },
    ),
}
"""What its time is called, and what else stands in it."""


def _postmark(mail: _Mail, told: Told) -> Report:
    when, said = _POSTMARK[told]
    return {
        **said,
        when: f"{mail.at:%Y-%m-%dT%H:%M:%SZ}",
        "Email" if when == "BouncedAt" else "Recipient": mail.person,
        "ID": mail.number,
        "MessageID": f"00000000-0000-4000-8000-{mail.number:012d}",
        "MessageStream": "outbound",
        "Metadata": {"delivery-id": str(mail.headers["X-PM-Metadata-delivery-id"])},
    }


_SENDGRID: Mapping[Told, Report] = {
    Told.DELIVERED: {"event": "delivered", "response": _TAKEN, "tls": 1},
    Told.DEFERRED: {"event": "deferred", "response": _LATER, "attempt": "1"},
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


def _sendgrid(mail: _Mail, told: Told) -> Report:
    arguments: Report = mail.mark("X-SMTPAPI")["unique_args"]
    return {
        **_SENDGRID[told],
        "email": mail.person,
        "timestamp": mail.second,
        "smtp-id": str(mail.headers["Message-ID"]),
        "sg_event_id": f"{told.name.lower()}-{mail.number}",
        "sg_message_id": f"{mail.number:022d}.recvd-1",
        **arguments,
    }


_SPARKPOST: Mapping[Told, tuple[str, Report]] = {
    Told.DELIVERED: ("message_event", {"type": "delivery"}),
    Told.DEFERRED: (
        "message_event",
        {"type": "delay", "error_code": "451", "raw_reason": _LATER},
    ),
    Told.BOUNCED: ("message_event", {"type": "bounce", "bounce_class": "10", "error_code": "550", "raw_reason": _GONE}),
    Told.COMPLAINED: ("message_event", {"type": "spam_complaint", "fbtype": "abuse", "report_by": "example.net"}),
    Told.UNSUBSCRIBED: ("unsubscribe_event", {"type": "list_unsubscribe"}),
}
"""The family of each event, and what stands in it."""


def _sparkpost(mail: _Mail, told: Told) -> Report:
    family, said = _SPARKPOST[told]
    about = {
        "event_id": f"{mail.number:017d}",
        "timestamp": str(mail.second),
        "raw_rcpt_to": mail.person,
        "rcpt_to": mail.person.lower(),
        "rcpt_meta": mail.mark("X-MSYS-API")["metadata"],
    }
    return {"msys": {family: {**said, **about}}}


_WRITTEN_BY: Mapping[str, Callable[[_Mail, Told], Report]] = {
    "mailgun": _mailgun,
    "mailjet": _mailjet,
    "mandrill": _mandrill,
    "postmark": _postmark,
    "sendgrid": _sendgrid,
    "sparkpost": _sparkpost,
}

AT_ONCE: Mapping[str, int] = {**dict.fromkeys(_WRITTEN_BY, 10), "mailgun": 1, "postmark": 1}
"""How many reports stand in one post: Mailgun and Postmark make one for each."""
