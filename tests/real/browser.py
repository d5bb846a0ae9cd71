"""A real Chromium without a window, told what to do by the DevTools protocol over a pipe.

The protocol: https://chromedevtools.github.io/devtools-protocol/. Over a pipe (--remote-debugging-pipe), each message
is JSON with a NUL behind it; the browser reads from its file descriptor 3, and writes to 4.
"""

import json
import os
import select
import shutil
import signal
from base64 import b64decode
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from attrs import define, field, frozen

from .roots import absent

NAMES = ("chromium", "chromium-browser", "google-chrome")
_READS, _WRITES = 3, 4
_PATIENCE = 30.0
"""Seconds in which it starts, or shows a page."""

_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # it may run as root, as in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    # It sees nothing but this machine, and asks nobody anything of its own accord.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--no-proxy-server",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    # That of a person's browser: without a window it would say so, and be judged a machine.
    "--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
)


@define
class Wire:
    """Commands to the browser, and what it says."""

    to_it: int
    from_it: int
    log: Path
    _last: int = 0
    _rest: bytes = b""
    _events: deque[dict[str, Any]] = field(factory=deque)

    def command(self, method: str, session: str | None = None, /, **told: object) -> dict[str, Any]:
        """What the browser answers."""
        self.tell(method, session, **told)
        while (said := self._said()).get("id") != self._last:
            self._events.append(said)
        assert "error" not in said, f"{method}: {said['error']}"
        result: dict[str, Any] = said["result"]
        return result

    def tell(self, method: str, session: str | None = None, /, **told: object) -> None:
        """Say it, and do not wait for the answer."""
        self._last += 1
        message: dict[str, object] = {"id": self._last, "method": method, "params": told}
        if session is not None:
            message["sessionId"] = session
        os.write(self.to_it, json.dumps(message).encode() + b"\0")

    def heard(self, method: str, session: str) -> dict[str, Any]:
        """The next event of this name; whatever came before it is forgotten."""
        while True:
            said = self._events.popleft() if self._events else self._said()
            if said.get("method") == method and said.get("sessionId") == session:
                told: dict[str, Any] = said["params"]
                return told

    def forget(self) -> None:
        """Whatever was said so far has nothing to do with what is done next."""
        self._events.clear()

    def _said(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self.from_it], [], [], _PATIENCE)[0], "the browser says nothing"
            more = os.read(self.from_it, 1 << 16)
            assert more, f"the browser has ended: {self.log.read_text()}"
            self._rest += more
        said, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(said)
        return message


@frozen
class Tab:
    """One page of the browser. Scripts of what it shows do not run, as in mail programs."""

    wire: Wire
    session: str

    def open(self, url: str) -> None:
        """Go there, and wait until everything is there, images included."""
        self.wire.forget()
        went = self.wire.command("Page.navigate", self.session, url=url)
        assert "errorText" not in went, went
        self.loaded()

    def loaded(self) -> None:
        """Wait until the page that comes next is there in whole."""
        self.wire.heard("Page.loadEventFired", self.session)

    def ask(self, expression: str) -> Any:
        """What this JavaScript gives."""
        given = self.wire.command("Runtime.evaluate", self.session, expression=expression, returnByValue=True)
        assert "exceptionDetails" not in given, given["exceptionDetails"]
        return given["result"].get("value")

    def picture(self) -> bytes:
        """What is to be seen, as a PNG: equal pixels give equal bytes."""
        return b64decode(self.wire.command("Page.captureScreenshot", self.session, format="png")["data"])

    def click(self, selector: str) -> None:
        """Press the mouse there, and wait for the page that this leads to."""
        box = self.ask(
            f"(e => {{ const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] }})"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        self.wire.forget()
        for kind in ("mousePressed", "mouseReleased"):
            place = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
            self.wire.command("Input.dispatchMouseEvent", self.session, type=kind, **place)
        self.loaded()


@contextmanager
def running_browser(folder: Path) -> Iterator[Tab]:
    """Start one whose profile is in this folder, with one page; and end it."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        absent("no Chromium is installed (Debian: apt install chromium)")
    (its_in, to_it), (from_it, its_out) = _pipe(), _pipe()
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        process = os.posix_spawn(
            str(program),
            ["chromium", *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, its_in, _READS),
                (os.POSIX_SPAWN_DUP2, its_out, _WRITES),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setpgroup=0,
        )
    finally:
        for descriptor in (its_in, its_out, log):
            os.close(descriptor)
    wire = Wire(to_it, from_it, folder / "log")
    try:
        yield _tab(wire)
    finally:
        with suppress(BrokenPipeError):  # it has ended before
            wire.tell("Browser.close")
        _end(process)
        os.close(to_it)
        os.close(from_it)


def _pipe() -> tuple[int, int]:
    """Both ends, out of the way of the numbers that the browser wants."""
    ends = os.pipe()
    moved = [fcntl(end, F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def _tab(wire: Wire) -> Tab:
    target = wire.command("Target.createTarget", url="about:blank")["targetId"]
    session = wire.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    wire.command("Page.enable", session)
    wire.command("Emulation.setScriptExecutionDisabled", session, value=True)
    size = {"width": 700, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    wire.command("Emulation.setDeviceMetricsOverride", session, **size)
    return Tab(wire, session)


def _end(process: int) -> None:
    """Wait for it and end whatever it leaves behind: it and its children are a process group of their own."""
    ends = monotonic() + 5
    ended = 0
    while not ended and monotonic() < ends:
        ended = os.waitpid(process, os.WNOHANG)[0]
        sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    if not ended:
        os.waitpid(process, 0)
