"""Bounce mail to measure with: reports (RFC 3464) made in the forms that Postfix and Exim write.

The samples of the tests are small and old; what comes back today carries signatures, and returns mail that carries its
own. These are made, and said to be: words and fields are those of the two servers (Postfix: ``bounce_notify_util.c``
and ``bounce_templates.c``; Exim: ``deliver.c``), the answers are those that large services give, hosts and people are
made up, and signatures are noise of the right length. Exim says nothing of a server where it reached none. What comes
back is a shop's mail of two alternatives, whole or its header alone.
"""

import base64
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from random import Random
from textwrap import wrap

NUMBER = 1_000
"""So many that nobody is helped by what they remember of the mails before, as they are not in life either: the standard
library keeps its 512 latest patterns, and its parser makes one of each boundary."""

_BEGUN = datetime(2026, 2, 1, 6, 0, tzinfo=UTC)

_ANSWERS = (
    ("5.1.1", "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table"),
    (
        "5.1.1",
        (
            "550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking the "
            "recipient's email address for typos or unnecessary spaces. For more information, go to "
            "https://support.google.com/mail/?p=NoSuchUser {own} - gsmtp"
        ),
    ),
    ("5.2.2", "552 5.2.2 <{to}>: Mailbox full, quota exceeded"),
    (
        "5.7.1",
        (
            "550 5.7.1 Service unavailable, Client host [192.0.2.25] blocked using Spamhaus. To request removal "
            "from this list see https://www.spamhaus.org/query/ip/192.0.2.25 (AS3130) "
            "[{own}.prod.protection.example]"
        ),
    ),
    (
        "5.7.26",
        (
            "550-5.7.26 Your email has been blocked because the sender is unauthenticated. The sender must "
            "authenticate with at least one of SPF or DKIM. {own} - gsmtp"
        ),
    ),
    ("4.4.1", "connect to mx.{host}[192.0.2.77]:25: Connection timed out"),
    ("5.4.4", "Host or domain name not found. Name service error for name={host} type=MX: Host not found"),
    ("5.0.0", "554 delivery error: dd This user doesn't have a {host} account ({to}) [0] - mta{own}.mail.{host}"),
)
_PEOPLE = ("ada", "bob.smith", "cyd_1987", "dan.van.dyke", "eve", "j.martin", "k.yamada", "lou")
_HOSTS = ("example.net", "post.example.org", "kunden.example.de", "univ.example.edu")
_PROSE = (
    "Thank you for your order. We have packed it this morning, and it will be with you in two or three days. "
    "You can see where it is at any time on the page below, and send back what you do not like within a month."
)


def made_reports(number: int = NUMBER) -> list[bytes]:
    """Reports of about 6 KB each, half of each server's; the same ones every time."""
    chance = Random(3464)
    return [(_postfix if place % 2 else _exim)(chance, place) for place in range(number)]


# --- Whom it is about -------------------------------------------------------------------------------------------------


def _failures(chance: Random, place: int) -> list[tuple[str, str, str]]:
    """Address, status and answer of each: mostly one, of every twelfth report three."""
    several = [(f"{name}@{chance.choice(_HOSTS)}", *chance.choice(_ANSWERS)) for name in chance.sample(_PEOPLE, 3)]
    return [
        (
            to,
            status,
            answer.format(
                to=to, host=to.partition("@")[2], own=f"{_letters(chance, 3).lower()}{_queue_id(chance).lower()}"
            ),
        )
        for to, status, answer in islice(several, 3 if place % 12 == 0 else 1)
    ]


def _returned(chance: Random, place: int, person: str) -> tuple[str, str]:
    """The header and the body of the mail that comes back: of a shop, signed, with marks of ours."""
    delivery = chance.randbytes(12).hex()
    written = _date(place, -20)
    head = f"""\
Return-Path: <bounces-{base64.b32encode(chance.randbytes(23)).decode().rstrip("=").lower()}@shop.example>
Received: from app1.shop.example (app1.shop.example [192.0.2.11])
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)
\t(No client certificate requested)
\tby mail.shop.example (Postfix) with ESMTPSA id {_queue_id(chance)}
\tfor <{person}>; {written}
{_dkim_signature(chance, "shop.example")}
From: The Shop <news@shop.example>
To: {person}
Subject: Your order {chance.randrange(100_000, 999_999)} is on its way
Date: {written}
Message-ID: <{delivery}@shop.example>
List-Unsubscribe: <https://shop.example/u/{_noise(chance, 60)}>, <mailto:leave@shop.example>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
X-Delivery: {base64.b32encode(chance.randbytes(23)).decode().rstrip("=").lower()}
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="{delivery}"
"""
    link, times = f"https://shop.example/l/{_noise(chance, 48)}", chance.randrange(1, 4)
    body = f"""\
--{delivery}
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

{_folded(f"{_PROSE} {link} " * times)}
--{delivery}
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

<html><body>
{_folded(f"<p>{_PROSE}</p><p><a href=3D'{link}'>Where it is</a></p> " * times)}
</body></html>
--{delivery}--
"""
    return head, body


def _way_in(chance: Random, place: int, server: str) -> str:
    """What is added on the report's way to us: a trace, a signature, and after a forwarding a seal (RFC 8617)."""
    fields = f"""\
Return-Path: <>
X-Original-To: bounces@shop.example
Delivered-To: bounces@mail.shop.example
Received: from {server} ({server} [192.0.2.80])
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)
\t(No client certificate requested)
\tby mail.shop.example (Postfix) with ESMTPS id {_queue_id(chance)}
\tfor <bounces@shop.example>; {_date(place, 2)}
"""
    if place % 3 != 0:
        return fields
    return f"""{fields}\
ARC-Seal: i=1; a=rsa-sha256; t={1_769_925_600 + place}; cv=none; d=relay.example; s=arc-2026;
{_folded_noise(chance, 344, "b=")}
ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=relay.example; s=arc-2026;
\th=mime-version:message-id:date:to:subject:from;
\tbh={_noise(chance, 43)}=;
{_folded_noise(chance, 344, "b=")}
ARC-Authentication-Results: i=1; relay.example; spf=none smtp.helo={server};
\tdkim=none; dmarc=none header.from={server}
"""


def _dkim_signature(chance: Random, domain: str) -> str:
    return f"""\
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=s2026;
\tt={chance.randrange(1_769_000_000, 1_769_999_999)}; bh={_noise(chance, 43)}=;
\th=Date:To:From:Subject:Message-ID:MIME-Version:Content-Type:From;
{_folded_noise(chance, 344, "b=")}"""


# --- The two forms ----------------------------------------------------------------------------------------------------


def _postfix(chance: Random, place: int) -> bytes:
    server, queue_id = f"mx{place % 7}.relay.example", _queue_id(chance)
    failures = _failures(chance, place)
    head, body = _returned(chance, place, failures[0][0])
    boundary = f"{queue_id}.{1_769_925_600 + place}/{server}"
    words = "\n\n".join(
        _wrapped(f"<{to}>: host mx.{to.partition('@')[2]}[192.0.2.77] said: {answer} (in reply to RCPT TO command)")
        for to, _, answer in failures
    )
    groups = "\n".join(
        f"""\
Final-Recipient: rfc822; {to}
Original-Recipient: rfc822;{to}
Action: failed
Status: {status}
Remote-MTA: dns; mx.{to.partition("@")[2]}
{_wrapped(f"Diagnostic-Code: smtp; {answer}")}
"""
        for to, status, answer in failures
    )
    whole = place % 4 == 1
    return f"""\
{_way_in(chance, place, server)}\
Received: by {server} (Postfix)
\tid {queue_id}; {_date(place)}
{_dkim_signature(chance, server)}
Date: {_date(place)}
From: MAILER-DAEMON@{server} (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: bounces@shop.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="{boundary}"
Content-Transfer-Encoding: 8bit
Message-Id: <20260201060000.{queue_id}@{server}>

This is a MIME-encapsulated message.

--{boundary}
Content-Description: Notification
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

This is the mail system at host {server}.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system

{words}

--{boundary}
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; {server}
X-Postfix-Queue-ID: {_queue_id(chance)}
X-Postfix-Sender: rfc822; bounces@shop.example
Arrival-Date: {_date(place, -10)}

{groups}
--{boundary}
Content-Description: Undelivered {"Message" if whole else "Message Headers"}
Content-Type: {"message/rfc822" if whole else "text/rfc822-headers"}
Content-Transfer-Encoding: 8bit

{head}{chr(10) + body if whole else ""}
--{boundary}--
""".encode()


def _exim(chance: Random, place: int) -> bytes:
    server = f"out{place % 5}.hosting.example"
    failures = _failures(chance, place)
    head, body = _returned(chance, place, failures[0][0])
    boundary = f"{1_769_925_600 + place}-eximdsn-{chance.randrange(10**8, 10**9)}"
    exim_id = f"1v{_letters(chance, 4)}-0000000{_letters(chance, 4)}-{_letters(chance, 4)}"
    words = "\n".join(
        f"""\
  {to}
    host mx.{to.partition("@")[2]} [192.0.2.77]
    SMTP error from remote mail server after RCPT TO:<{to}>:
    {_wrapped(answer, "    ")}"""
        for to, _, answer in failures
    )
    groups = "\n".join(
        f"""\
Action: failed
Final-Recipient: rfc822;{to}
Status: 5.0.0
{_exim_answer(to, answer)}"""
        for to, _, answer in failures
    )
    return f"""\
{_way_in(chance, place, server)}\
{_dkim_signature(chance, server)}
Received: from Debian-exim by {server} with local (Exim 4.98)
\tid {exim_id}
\tfor bounces@shop.example;
\t{_date(place)}
X-Failed-Recipients: {", ".join(to for to, _, _ in failures)}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@{server}>
To: bounces@shop.example
References: <{chance.randbytes(12).hex()}@shop.example>
Content-Type: multipart/report; report-type=delivery-status; boundary={boundary}
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Message-Id: <E{exim_id}@{server}>
Date: {_date(place)}

--{boundary}
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

{words}

--{boundary}
Content-type: message/delivery-status

Reporting-MTA: dns; {server}

{groups}
--{boundary}
Content-type: message/rfc822

{head}
{body}
--{boundary}--
""".encode()


def _exim_answer(to: str, answer: str) -> str:
    if not answer.startswith("5"):
        return ""
    host = to.partition("@")[2]
    return f"Remote-MTA: dns; mx.{host}\n{_wrapped(f'Diagnostic-Code: smtp; {answer}', ' ')}\n"


# --- Small things -----------------------------------------------------------------------------------------------------


def _date(place: int, seconds: int = 0) -> str:
    return format_datetime(_BEGUN + timedelta(minutes=place, seconds=seconds))


def _queue_id(chance: Random) -> str:
    return chance.randbytes(5).hex().upper()


def _letters(chance: Random, number: int) -> str:
    return "".join(chance.choices("abcdefghijkmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", k=number))


def _noise(chance: Random, length: int) -> str:
    return base64.urlsafe_b64encode(chance.randbytes(length)).decode()[:length]


def _folded(words: str) -> str:
    return "\n".join(wrap(words, 74))


def _folded_noise(chance: Random, length: int, name: str) -> str:
    noise = name + _noise(chance, length)
    return "\n".join("\t " + noise[place : place + 70] for place in range(0, len(noise), 70))


def _wrapped(line: str, begin: str = "    ") -> str:
    """A line as both servers fold it."""
    lines: list[str] = [""]
    for word in line.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) > 76:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return f"\n{begin}".join(lines)
