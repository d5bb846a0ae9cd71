"""npm's smtp-server on loopback: STARTTLS required, AUTH by password or by XOAUTH2, each mail in a file."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from custom_smtp.testing.certificates import Certificate

from .mailbox import Mailbox
from .roots import FETCHED, absent

PROGRAM = Path(__file__).with_name("smtp_server.js")
TOKEN = "ya29.a-token_of/its~own+kind=="


@contextmanager
def running_smtp_server(folder: Path, certificate: Certificate) -> Iterator[Mailbox]:
    """Start one in this folder, and end it."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        absent("node is not installed (apt install nodejs npm)")
    elif not (FETCHED / "smtp-server" / ".complete").exists():
        absent("npm's smtp-server is not here: run tests/real/fetch smtp-server")
    certificate.write(folder, "server")
    (folder / "new").mkdir()
    log = folder / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [str(node), str(PROGRAM), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={"PATH": os.environ.get("PATH", "")},
        )
    try:
        assert process.stdout is not None
        port = process.stdout.readline()
        assert port, log.read_text()
        yield Mailbox(int(port), folder / "new", (), "X-Original-To", log, line_end=b"\r\n")
    finally:
        process.terminate()
        process.communicate(timeout=10)
