"""What finished mails are tried with: a small one with everything usual, and those that others test their own with."""

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from custom_smtp import Address, DeliveryId
from custom_smtp.finished import FinishedMail
from custom_smtp.mime_reading import read
from custom_smtp.mime_rewriting import rewrite

ADA = Address("ada@example.net")
D1 = DeliveryId("d1")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

ORDINARY = b"""\
Return-Path: <bounces@shop.example>
Received: from app (localhost) by shop.example;
\tThu, 1 Jan 2026 00:00:00 +0000
Message-ID: <own@app.example>
Date: Thu, 1 Jan 2026 00:00:00 +0000
From: "The Shop" <hello@shop.example>
To: Ada <ada@example.net>
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
X-Odd:   spaced   and
\t folded
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

A preamble.

--outer
Content-Type: multipart/alternative;
 boundary=inner

--inner
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe: https://shop.example/a?b=3D1=20
--inner
Content-Type: text/html; charset=UTF-8
Content-Transfer-Encoding: base64

PHA+PGEgaHJlZj0iaHR0cHM6Ly9zaG9wLmV4YW1wbGUvYSI+R3LDvMOfZTwvYT48L3A+
--inner--
--outer
Content-Type: application/pdf
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="a.pdf"

JVBERi0xLjQ=
--outer
Content-Type: message/rfc822

From: x@y.example
Content-Type: text/html

<a href="https://inside.example/">x</a>
--outer--
An epilogue.
""".replace(b"\n", b"\r\n")


def finished(content: bytes) -> FinishedMail:
    return read(content, to=ADA)


def written(mail: FinishedMail) -> bytes:
    return bytes(rewrite(mail, D1, AT))


def single(body: bytes, *headers: bytes) -> bytes:
    """A mail of one part."""
    own = (b"From: hello@shop.example", b"Date: Thu, 1 Jan 2026 00:00:00 +0000", b"Message-ID: <own@app.example>")
    return b"\r\n".join([*own, *headers, b"", body])


def mails_of_others() -> list[Path]:
    """The mails of CPython's own tests, where this Python has its tests with it, and those of flufl.bounce."""
    found = find_spec("test.test_email") if find_spec("test") else None
    folder = Path(found.origin).parent / "data" if found is not None and found.origin else None
    of_python = sorted(folder.glob("*.txt")) if folder is not None else []
    return [*of_python, *sorted((Path(__file__).parent / "bounces" / "flufl").glob("*.txt"))]
