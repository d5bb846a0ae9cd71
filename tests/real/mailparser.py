"""npm's mailparser, to read what we write."""

import json
import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen

from .roots import FETCHED, absent

PROGRAM = Path(__file__).with_name("mailparser.js")
Person = tuple[str, str]


@frozen(kw_only=True)
class Found:
    """What it finds in a mail."""

    sender: list[Person]
    to: list[Person]
    reply_to: list[Person]
    subject: str
    message_id: str
    date: str
    text: str | None
    html: str | None
    note: str | None
    files: list[tuple[str | None, str, str | None, bytes]]


@frozen
class MailParser:
    """The program, while it runs."""

    _process: "subprocess.Popen[bytes]" = field(repr=False)

    def read(self, content: bytes) -> Found:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b64encode(content) + b"\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        return Found(
            sender=[(name, address) for name, address in told["from"]],
            to=[(name, address) for name, address in told["to"]],
            reply_to=[(name, address) for name, address in told["reply_to"]],
            subject=told["subject"],
            message_id=told["message_id"],
            date=told["date"],
            text=told["text"],
            html=told["html"],
            note=told["note"],
            files=[(name, kind, cid, b64decode(content)) for name, kind, cid, content in told["files"]],
        )


@contextmanager
def running_mailparser() -> Iterator[MailParser]:
    """Start it, and end it."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        absent("node is not installed (apt install nodejs npm)")
    elif not (FETCHED / "mailparser" / ".complete").exists():
        absent("npm's mailparser is not here: run tests/real/fetch mailparser")
    process = subprocess.Popen(
        [str(node), str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", "")},
    )
    try:
        yield MailParser(process)
    finally:
        process.communicate(timeout=10)
