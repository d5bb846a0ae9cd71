"""A campaign from the first field to the server's answer: written, links tracked, signed, kept, handed over.

Called as every client is (`job`), with `benchmarks` on PYTHONPATH, and a folder of a disk as FOLDER. MANNER is how:

- template-BATCH: ours, a template; so many copies are kept together before the first of them leaves
- mail-BATCH: ours, a `Mail` for each person
- peers: EmailMessage, pytracking, dkimpy, sqlite3, smtplib, put together as their pages show it

There is a thread for each connection. Once the clock has stopped, every copy is counted, and one is looked at.
"""

import os
import smtplib
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from email import message_from_bytes, policy
from importlib import import_module
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from job import HOST as SERVER
from job import PASSWORD, USER, Job
from letters import HOST, LINKS, NAME, SENDER, SUBJECT, TARGETS, bodies, email_message, for_person, mail_with_fields
from letters import name_of as name

from custom_smtp import Address, Credentials, Mail, Preparation, Receipt, Sender, Server, SmtpTransport, Tokens, Tracker
from custom_smtp.dkim import DkimSigner
from custom_smtp.dkim_keys import DkimKey
from custom_smtp.edge.smtp import SmtpSession
from custom_smtp.edge.sqlite import SqliteArchive
from custom_smtp.merging import ToSend
from custom_smtp.templates import Template

FIRST = 8
"""Mails on each line before the clock starts."""

KEY = generate_private_key(65537, 2048)
SIGNING = DkimKey(domain=SENDER.domain, selector="s1", private_key=KEY)
Send = Callable[[range], None]
"""Sends the mails of these numbers, over a line of its own."""


def main() -> None:
    job = Job.told()
    file = Path(os.environ["FOLDER"], "mail.db")
    manner, _, batch = job.manner.partition("-")
    with ExitStack() as parts:
        sends = list(peers(job, file, parts) if manner == "peers" else ours(job, file, manner, int(batch), parts))
        ends = list(accumulate([FIRST] * len(sends) + job.shares(), initial=0))
        numbers = [range(*pair) for pair in pairwise(ends)]
        first, shares = numbers[: len(sends)], numbers[len(sends) :]
        for send, some in zip(sends, first, strict=True):
            send(some)
        with job.clock(), ThreadPoolExecutor(len(sends)) as pool:
            for _ in pool.map(lambda send, share: send(share), sends, shares):
                pass
    check(file, ends[-1], packed=manner != "peers")


def person(number: int) -> Address:
    return Address(f"p{number}@example.net", name(number))


# --- Ours -------------------------------------------------------------------------------------------------------------


def ours(job: Job, file: Path, manner: str, batch: int, parts: ExitStack) -> Iterator[Send]:
    """One sender and one archive, and a session for each thread."""
    server = Server(SERVER, job.port, Credentials(USER, PASSWORD))
    transport = SmtpTransport(server, context=job.context)
    preparation = Preparation(tracker=Tracker(HOST, Tokens((b"benchmark " * 4,))), signer=DkimSigner([SIGNING]))
    sender = Sender(transport, preparation, archive=parts.enter_context(SqliteArchive(file)))
    make = filled if manner == "template" else written
    for _ in range(job.connections):
        yield over_a_line(sender, parts.enter_context(transport.session()), make, batch)


def over_a_line(sender: Sender, session: SmtpSession, make: Callable[[int], ToSend], batch: int) -> Send:
    def send(numbers: range) -> None:
        for outcome in sender.send_all(map(make, numbers), through=session, batch=batch):
            if not isinstance(outcome.result, Receipt):
                raise outcome.result

    return send


TEMPLATE = Template(mail_with_fields())
TEXT, HTML = bodies(TARGETS, NAME)


def filled(number: int) -> ToSend:
    return TEMPLATE.fill(person(number), {"name": name(number)})


def written(number: int) -> ToSend:
    return Mail(
        sender=SENDER,
        to=person(number),
        subject=f"{SUBJECT} {name(number)}",
        text=for_person(TEXT, number, is_html=False),
        html=for_person(HTML, number, is_html=True),
    )


# --- The peers --------------------------------------------------------------------------------------------------------


def peers(job: Job, file: Path, parts: ExitStack) -> Iterator[Send]:
    """A line and a connection to the database for each thread, as both libraries ask for."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE copies (id TEXT PRIMARY KEY, recipient TEXT, at TEXT, content BLOB)")
        database.execute("CREATE INDEX copies_by_recipient ON copies (recipient)")
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    tracking: Any = import_module("pytracking.html")
    configuration = import_module("pytracking").Configuration(
        base_click_tracking_url=f"{HOST}/c/", base_open_tracking_url=f"{HOST}/o/"
    )
    for _ in range(job.connections):
        smtp = parts.enter_context(smtplib.SMTP(SERVER, job.port, local_hostname="client.test"))
        smtp.starttls(context=job.context)
        smtp.login(USER, PASSWORD)
        assert smtp.sock is not None
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        database = sqlite3.connect(file, timeout=60, check_same_thread=False)
        parts.callback(database.close)
        yield put_together(smtp, database, pem, tracking.adapt_html, configuration)


def put_together(
    smtp: smtplib.SMTP, database: sqlite3.Connection, pem: bytes, adapt_html: Callable[..., str], configuration: object
) -> Send:
    dkim: Any = import_module("dkim")

    def send(numbers: range) -> None:
        for number in numbers:
            to = person(number)
            html = adapt_html(
                for_person(HTML, number, is_html=True),
                extra_metadata={"delivery": number, "recipient": to.email},
                click_tracking=True,
                open_tracking=True,
                configuration=configuration,
            )
            content = email_message(number, to, for_person(TEXT, number, is_html=False), html)
            signed = (
                dkim.sign(content, b"s1", SENDER.domain.encode(), pem, canonicalize=(b"relaxed", b"relaxed")) + content
            )
            row = (str(number), to.email, datetime.now(UTC).isoformat(), signed)
            database.execute("INSERT INTO copies VALUES (?, ?, ?, ?)", row)
            database.commit()
            smtp.sendmail(SENDER.email, [to.email], signed)

    return send


# --- What was kept ----------------------------------------------------------------------------------------------------


def check(file: Path, mails: int, *, packed: bool) -> None:
    """Every mail has its copy; one has its links and a signature that dkimpy verifies."""
    with closing(sqlite3.connect(file)) as database:
        [(kept,)] = database.execute("SELECT count(*) FROM copies")
        [(content,)] = database.execute("SELECT content FROM copies LIMIT 1")
    if packed:
        with SqliteArchive(file) as archive:
            content = archive.find("p0@example.net")[0].content
    assert kept == mails, f"{kept} copies of {mails} mails"
    assert is_verified(content), "the signature is wrong"
    body = message_from_bytes(content, policy=policy.default).get_body(["html"])
    assert body is not None
    assert str(body.get_content()).count(f'href="{HOST}/c/') == LINKS


def is_verified(content: bytes) -> bool:
    dkim: Any = import_module("dkim")

    def look_up(_name: bytes, timeout: int = 0) -> bytes:  # noqa: ARG001  # dkimpy names it
        return SIGNING.record.value.encode()

    return bool(dkim.verify(content, dnsfunc=look_up))


if __name__ == "__main__":
    main()
