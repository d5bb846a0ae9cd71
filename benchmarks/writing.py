"""How fast mails are written, filled in and signed, and our peers.

    python benchmarks/writing.py [--rounds N] [--seconds S] [--only SECTION ...]

In each round every contestant has its turn, in an order that rotates, so that whatever else the machine does falls on
all of them. Ratios are taken within a round; what is printed is the median of the rounds, with the least and the most.
The clock is the CPU's; for two threads, the wall's. Every contestant writes a new mail each time, with a subject that
no mail before had; whether the standard library's parser reads back what it was given is found out in the same run.

Sections are text, attachment, template and dkim.

It needs Node.js with npm, and ``pip install -r benchmarks/writing.peers.txt``.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from base64 import b64decode, b64encode
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email import message_from_bytes, policy
from functools import partial
from html import escape
from importlib import import_module
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from contests import (
    Bound,
    Round,
    asked,
    bounds_table,
    conditions,
    in_turns,
    rates_of,
    ratios_of,
    require_peers,
    times_a_second,
    together,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from figures import spread
from letters import (
    AT,
    DELIVERY_ID,
    HOST,
    HTML,
    LINKS,
    NAME,
    SENDER,
    SUBJECT,
    TEXT,
    TO,
    bodies,
    email_message,
    for_person,
    mail_with_fields,
    name_of,
)

from custom_smtp import Address, Attachment, Mail, Preparation, Tokens, Tracker
from custom_smtp.claims import Claim, Lead, Purpose
from custom_smtp.dkim import DkimSigner
from custom_smtp.dkim_keys import DkimKey
from custom_smtp.errors import TokenError
from custom_smtp.mime import render
from custom_smtp.outgoing import WireForm
from custom_smtp.templates import Template

HERE = Path(__file__).parent
NODEMAILER = "nodemailer@10.6.0"
PEERS = {"Django": "django", "dkimpy": "dkim", "emails": "emails", "PyNaCl": "nacl"}


# --- What is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contestant:
    """One way to do a piece of work; how often in a second of CPU, and what it makes."""

    name: str
    rate: Callable[[float], float]
    made: Callable[[], bytes] = bytes


OURS, EMAIL, DJANGO, EMAILS, NODE = (
    "custom_smtp",
    "EmailMessage",
    "Django",
    "python-emails",
    "Nodemailer's MailComposer",
)
HALF_A_SECOND = "10,000 in half a second"
BOUNDS = (
    Bound("text and HTML, times EmailMessage", f"{OURS}, text", f"{EMAIL}, text", 8, 15),
    Bound("text and HTML, times Django", f"{OURS}, text", f"{DJANGO}, text", 2.5, 5),
    Bound("1 MB attachment, times EmailMessage", f"{OURS}, attachment", f"{EMAIL}, attachment", 7, 10),
    Bound("template for each person, times EmailMessage", f"{OURS}, template", f"{EMAIL}, template", 40, 80),
    Bound("template for 10,000, of half a second", f"{OURS}, template", HALF_A_SECOND, None, 1),
    Bound("RSA-2048, of raw key.sign", f"{OURS}, RSA-2048", "key.sign, RSA-2048", 0.8, 0.93),
    Bound("RSA-2048, times dkimpy", f"{OURS}, RSA-2048", "dkimpy, RSA-2048", 18, 23),
    Bound("Ed25519, of raw key.sign", f"{OURS}, Ed25519", "key.sign, Ed25519", 0.35, 0.6),
    Bound(
        "RSA-2048 on two threads, times one",
        f"two threads of {OURS}, RSA-2048",
        f"one thread of {OURS}, RSA-2048",
        1.5,
        1.75,
    ),
)


def main() -> int:
    told = asked(
        "Measure how fast mails are written, filled in and signed.", SECTIONS, "section", rounds=7, seconds=0.5
    )
    require_peers(PEERS, "writing.peers.txt")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        _install_nodemailer(folder)
        print(f"{conditions(PEERS, told.rounds, NODEMAILER)}\n", flush=True)
        sections = [SECTIONS[name](told.rounds, told.seconds) for name in told.only or SECTIONS]
    print("\n".join(bounds_table(BOUNDS, together(sections))))
    return 0


def _install_nodemailer(folder: str) -> None:
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, NODEMAILER]
    if subprocess.run(npm, check=False).returncode:
        sys.exit(f"missing: {NODEMAILER}, which npm could not install")
    os.environ["NODEMAILER"] = folder


def contest(contestants: Sequence[Contestant], rounds: int, seconds: float) -> list[Round]:
    """How often each did it in a second, in every round."""
    return list(in_turns({each.name: partial(each.rate, seconds) for each in contestants}, rounds))


def doing(name: str, once: Callable[[int], object], kind: str) -> Contestant:
    """A contestant in this process: ``once`` is told a number that it was never told before."""
    numbers = count()

    def rate(seconds: float) -> float:
        for _ in range(2):
            once(next(numbers))
        return times_a_second(lambda: once(next(numbers)), seconds)

    def made() -> bytes:
        written = once(0)
        return bytes(written) if isinstance(written, bytes) else b""

    return Contestant(f"{name}, {kind}", rate, made)


# --- The mails --------------------------------------------------------------------------------------------------------

FILE = Random(7).randbytes(1_000_000)


def _ours(number: int, *files: Attachment) -> WireForm:
    mail = Mail(sender=SENDER, to=TO, subject=f"{SUBJECT} {number}", text=TEXT, html=HTML, attachments=files)
    return render(mail, DELIVERY_ID, AT)


def _with_file(number: int) -> WireForm:
    return _ours(number, Attachment("catalogue.pdf", FILE, "application/pdf"))


def _django(number: int, file: bytes = b"") -> bytes:
    mail: Any = import_module("django.core.mail")
    sender, to = f"{SENDER.name} <{SENDER.email}>", f"{TO.name} <{TO.email}>"
    # Its own Message-ID would look up the name of this machine.
    headers = {"Message-ID": f"<{DELIVERY_ID}.{number}@shop.example>"}
    message = mail.EmailMultiAlternatives(f"{SUBJECT} {number}", TEXT, sender, [to], headers=headers)
    message.attach_alternative(HTML, "text/html")
    if file:
        message.attach("catalogue.pdf", file, "application/pdf")
    written: bytes = message.message().as_bytes(linesep="\r\n")
    return written


def _python_emails(number: int, file: bytes = b"") -> bytes:
    emails: Any = import_module("emails")
    message = emails.Message(
        subject=f"{SUBJECT} {number}",
        text=TEXT,
        html=HTML,
        mail_from=(SENDER.name, SENDER.email),
        mail_to=(TO.name, TO.email),
        date=AT,
    )
    if file:
        message.attach(data=file, filename="catalogue.pdf", mime_type="application/pdf")
    written: bytes = message.as_bytes()
    return written


def _nodemailer(kind: str, file: bytes = b"") -> Contestant:
    told = json.dumps(
        {
            "from": {"name": SENDER.name, "address": SENDER.email},
            "to": {"name": TO.name, "address": TO.email},
            "subject": SUBJECT,
            "text": TEXT,
            "html": HTML,
            "attachment": b64encode(file).decode(),
        }
    )

    def ran(seconds: float) -> list[str]:
        words = ["node", str(HERE / "clients" / "nodemailer_composer.mjs"), str(seconds)]
        return subprocess.run(words, input=told, check=True, capture_output=True, text=True).stdout.split()

    return Contestant(f"{NODE}, {kind}", lambda seconds: float(ran(seconds)[0]), lambda: b64decode(ran(0.01)[1]))


def _set_up_django() -> None:
    settings: Any = import_module("django.conf").settings
    if not settings.configured:
        settings.configure(USE_TZ=True)


# --- Text and HTML ----------------------------------------------------------------------------------------------------


def text_section(rounds: int, seconds: float) -> list[Round]:
    _set_up_django()
    print(f"### Text and HTML\n\n{len(TEXT.encode()):,} and {len(HTML.encode()):,} octets, German.\n")
    contestants = [
        doing(OURS, _ours, "text"),
        doing(EMAIL, email_message, "text"),
        doing(DJANGO, _django, "text"),
        doing(EMAILS, _python_emails, "text"),
        _nodemailer("text"),
        doing("encode and line ends", _encoded, "text"),
    ]
    return _written(contestants, rounds, seconds, lambda content: reads_back(content, TEXT, HTML))


def _encoded(_number: int) -> tuple[bytes, bytes]:
    return TEXT.replace("\n", "\r\n").encode(), HTML.replace("\n", "\r\n").encode()


def _written(
    contestants: Sequence[Contestant], rounds: int, seconds: float, is_right: Callable[[bytes], bool]
) -> list[Round]:
    ours, theirs, limit = contestants[0].name, contestants[1].name, contestants[-1].name
    done = contest(contestants, rounds, seconds)
    columns = ["", "mails/s", "/ EmailMessage", f"/ {limit.rpartition(', ')[0]}", "octets", "encodings", "reads back"]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for each in contestants:
        content = each.made()
        told = [f"{len(content):,}", encodings(content), "yes" if is_right(content) else "no"] if content else [""] * 3
        ratios = [spread(ratios_of(done, each.name, peer), ".2f") for peer in (theirs, limit)]
        print(f"| {' | '.join([each.name.rpartition(', ')[0], rates_of(done, each.name), *ratios, *told])} |")
    print(flush=True)
    assert is_right(contestants[0].made()), ours
    return done


def reads_back(content: bytes, text: str, html: str, file: bytes = b"") -> bool:
    """Whether the standard library's parser finds just this in it."""
    message = message_from_bytes(content, policy=policy.default)
    found = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
    wanted: dict[str, object] = {"text/plain": text.strip(), "text/html": html.strip()}
    if file:
        wanted["application/pdf"] = file
    lines = {
        kind: each.replace("\r\n", "\n").strip() if isinstance(each, str) else each for kind, each in found.items()
    }
    return lines == wanted and str(message["Subject"]).startswith(SUBJECT)


def encodings(content: bytes) -> str:
    """How its parts travel."""
    message = message_from_bytes(content, policy=policy.default)
    return ", ".join(
        str(part.get("Content-Transfer-Encoding", "7bit")) for part in message.walk() if not part.is_multipart()
    )


# --- An attachment ----------------------------------------------------------------------------------------------------


def attachment_section(rounds: int, seconds: float) -> list[Round]:
    _set_up_django()
    print("### The same with an attachment of 1 MB\n")
    shared = Attachment("catalogue.pdf", FILE, "application/pdf")
    kind = "attachment"
    contestants = [
        doing(OURS, _with_file, kind),
        doing(EMAIL, lambda number: email_message(number, file=FILE), kind),
        doing(f"{OURS}, shared by the campaign", lambda number: _ours(number, shared), kind),
        doing(DJANGO, lambda number: _django(number, FILE), kind),
        doing(EMAILS, lambda number: _python_emails(number, FILE), kind),
        _nodemailer(kind, FILE),
        doing("b2a_base64, one line", lambda _number: (b2a_base64(FILE),), kind),
    ]
    return _written(contestants, rounds, seconds, lambda content: reads_back(content, TEXT, HTML, FILE))


# --- A template, for each person --------------------------------------------------------------------------------------

TOKENS = Tokens((b"benchmark " * 4,))


def template_section(rounds: int, seconds: float) -> list[Round]:
    template = Template(mail_with_fields())
    preparation = Preparation(tracker=Tracker(HOST, TOKENS), clock=lambda: AT)

    def ours(number: int) -> bytes:
        to = Address(f"p{number}@example.net")
        return preparation.prepare(template.fill(to, {"name": name_of(number)})).outgoing.content

    ready = [f"{HOST}/c/{'x' * 190}{number}" for number in range(LINKS)]
    text, html = bodies(ready, NAME)

    def theirs(number: int) -> bytes:
        said = for_person(text, number, is_html=False), for_person(html, number, is_html=True)
        return email_message(number, TO, *said)

    message = message_from_bytes(ours(7), policy=policy.default)
    filled = str(message.get_body(["html"]).get_content())  # type: ignore[union-attr]  # it has one
    assert filled.count(f"{HOST}/c/") == LINKS
    assert f"Guten Tag {escape(name_of(7))}<" in filled
    unsealed = Preparation(tracker=Tracker(HOST, ReadyTokens()), clock=lambda: AT)

    def ours_unsealed(number: int) -> bytes:
        to = Address(f"p{number}@example.net")
        return unsealed.prepare(template.fill(to, {"name": name_of(number)})).outgoing.content

    contestants = [
        doing(OURS, ours, "template"),
        doing(f"{OURS} with tokens that are there already", ours_unsealed, "template"),
        doing(EMAIL, theirs, "template"),
    ]
    done = contest(contestants, rounds, seconds)
    print(f"### A template, for each person\n\n20 KB, a name, {LINKS} links.\n")
    print("| | mails/s | / EmailMessage | 10,000 take |\n|---|---|---|---|")
    for each in contestants:
        ratio = spread(ratios_of(done, each.name, f"{EMAIL}, template"), ".1f")
        took = spread([10_000 / one[each.name] for one in done], ".2f")
        print(f"| {each.name.rpartition(', ')[0]} | {rates_of(done, each.name)} | {ratio} | {took} s |")
    print(flush=True)
    return [{**each, HALF_A_SECOND: 20_000} for each in done]


class ReadyTokens:
    """A token that is there already, as the peers have it; nobody could read it."""

    waits = False

    def issue(self, _claim: Claim, /, purpose: Purpose = Purpose.CLICK) -> str:
        return f"{purpose}{'x' * 190}"

    def issue_all(self, asked: Iterable[tuple[Claim, Sequence[Lead]]], /) -> list[str]:
        return [self.issue(claim, lead.purpose) for claim, leads in asked for lead in leads]

    def read(self, token: str, /, purpose: Purpose = Purpose.CLICK) -> Claim:
        raise TokenError(f"{token} is no {purpose}")


# --- DKIM -------------------------------------------------------------------------------------------------------------


def dkim_section(rounds: int, seconds: float) -> list[Round]:
    content = _ours(0)
    plain = bytes(content)
    rsa, ed25519 = generate_private_key(65537, 2048), Ed25519PrivateKey.generate()
    dkim: Any = import_module("dkim")
    signers = {
        "RSA-2048": DkimSigner([DkimKey(domain="shop.example", selector="s1", private_key=rsa)]),
        "Ed25519": DkimSigner([DkimKey(domain="shop.example", selector="s1", private_key=ed25519)]),
    }
    secrets = {
        "RSA-2048": rsa.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "Ed25519": b64encode(ed25519.private_bytes_raw()),
    }
    algorithms = {"RSA-2048": b"rsa-sha256", "Ed25519": b"ed25519-sha256"}
    raw: dict[str, Callable[[int], object]] = {
        "RSA-2048": lambda _number: (rsa.sign(plain[:600], PKCS1v15(), SHA256()),),
        "Ed25519": lambda _number: (ed25519.sign(plain[:32]),),
    }

    def ours(kind: str) -> Callable[[int], bytes]:
        return lambda _number: signers[kind].sign(content, AT)

    def theirs(kind: str) -> Callable[[int], bytes]:
        def sign(_number: int) -> bytes:
            signature: bytes = dkim.sign(
                plain,
                b"s1",
                b"shop.example",
                secrets[kind],
                canonicalize=(b"relaxed", b"relaxed"),
                signature_algorithm=algorithms[kind],
            )
            return signature + plain

        return sign

    contestants = []
    for kind in signers:
        contestants += [
            doing(OURS, ours(kind), kind),
            doing("dkimpy", theirs(kind), kind),
            doing("key.sign", raw[kind], kind),
        ]
    threaded: dict[str, Callable[[], object]] = {
        f"{OURS}, RSA-2048": lambda: signers["RSA-2048"].sign(content, AT),
        # What the machine lets two threads do while others share it.
        "key.sign, RSA-2048": lambda: raw["RSA-2048"](0),
    }
    for name, once in threaded.items():
        contestants += [
            Contestant(f"one thread of {name}", partial(_by_threads, 1, once)),
            Contestant(f"two threads of {name}", partial(_by_threads, 2, once)),
        ]
    done = contest(contestants, rounds, seconds)
    print(f"### DKIM\n\n{len(plain):,} octets, relaxed/relaxed; threads by the wall's clock.\n")
    print("| | mails/s | / key.sign | / dkimpy |\n|---|---|---|---|")
    for each in contestants:
        kind = each.name.rpartition(", ")[2]
        ratios = [spread(ratios_of(done, each.name, f"{peer}, {kind}"), ".2f") for peer in ("key.sign", "dkimpy")]
        print(f"| {each.name} | {rates_of(done, each.name)} | {' | '.join(ratios)} |")
    print(flush=True)
    return done


def _by_threads(threads: int, once: Callable[[], object], seconds: float) -> float:
    def work(ends: float) -> int:
        times = 0
        while time.perf_counter() < ends:
            once()
            times += 1
        return times

    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        return sum(pool.map(work, [begun + seconds] * threads)) / (time.perf_counter() - begun)


# --- Telling ----------------------------------------------------------------------------------------------------------

SECTIONS: dict[str, Callable[[int, float], list[Round]]] = {
    "text": text_section,
    "attachment": attachment_section,
    "template": template_section,
    "dkim": dkim_section,
}


if __name__ == "__main__":
    sys.exit(main())
