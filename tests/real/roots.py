"""Servers from Debian packages that are not installed: each runs with a root folder of its own (chroot).

`tests/real/fetch` unpacks them. Mail servers cannot be installed beside each other, and their packages make users;
here they meet neither each other nor this system.
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import pytest
from attrs import frozen

FETCHED = Path(__file__).parents[2] / ".cache" / "real"

_PATIENCE = 20.0
"""Seconds in which a server starts, delivers everything, or ends."""
_NODES = {"null": 3, "random": 8, "urandom": 9}
_FIRST_ID = 61_001


@frozen
class Root:
    """The folder that a server takes for the whole system."""

    path: Path

    def run(self, *command: str, told: bytes = b"") -> str:
        """Run a command of its own, to its end."""
        done = subprocess.run(
            ["chroot", str(self.path), *command],
            input=told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin"},
        )
        words = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, f"{' '.join(command)}: {words}"
        return words

    def write(self, files: Mapping[str, str | bytes], *, mode: int = 0o644) -> None:
        """Write its configuration."""
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            path.chmod(mode)

    def folder(self, name: str, user: str = "root", mode: int = 0o755) -> Path:
        """Make a folder that belongs to this user."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        self.hand_over(path, user)
        path.chmod(mode)
        return path

    def hand_over(self, path: Path, user: str) -> None:
        """Make it this user's."""
        for line in (self.path / "etc/passwd").read_text().splitlines():
            name, _, number, group, *_ = line.split(":")
            if name == user:
                os.chown(path, int(number), int(group))

    @contextmanager
    def serving(self, command: Sequence[str], port: int, log: Path | None = None) -> Iterator[None]:
        """The server runs in the foreground, and answers on this port."""
        output = self.path.parent / "output"
        with output.open("wb") as sink:
            process = subprocess.Popen(
                ["chroot", str(self.path), *command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={"PATH": "/usr/sbin:/usr/bin"},
            )
        try:
            if not wait_for_port(port, process):
                words = [path.read_text() for path in (output, log) if path is not None and path.exists()]
                raise AssertionError("\n".join(words))
            yield
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def require(name: str) -> Path:
    """Where `fetch` has put it. Without it, or without root, the test is skipped, or in CI fails."""
    reason = ""
    if not (FETCHED / name / ".complete").exists():
        reason = f"{name} is not here: run tests/real/fetch {name}"
    elif os.geteuid() != 0:
        reason = f"{name} needs root, for a root folder and users of its own"
    if reason:
        absent(reason)
    return FETCHED / name


def absent(reason: str) -> None:
    """What a test needs is not here."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def own_root(name: str, folder: Path, users: Sequence[str], groups: Sequence[str] = ()) -> Iterator[Root]:
    """A fresh copy of what was fetched, with these users in it; it is gone afterwards."""
    fetched = require(name)
    path = folder.resolve() / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", fetched, path], check=True, timeout=_PATIENCE)
    root = Root(path)
    numbered = {user: _FIRST_ID + place for place, user in enumerate([*users, *groups])}
    root.write(
        {
            "etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
            + "".join(f"{user}:x:{numbered[user]}:{numbered[user]}::/:/bin/sh\n" for user in users),
            "etc/group": "root:x:0:\nnogroup:x:65534:\n"
            + "".join(f"{group}:x:{number}:\n" for group, number in numbered.items()),
            "etc/hosts": "127.0.0.1 localhost mail.test\n",
        }
    )
    (path / "dev").mkdir(exist_ok=True)
    for node, minor in _NODES.items():
        os.mknod(path / "dev" / node, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        (path / "dev" / node).chmod(0o666)
    root.folder("tmp", mode=0o1777)
    # The server's own users are nobody here, so every folder on the way must let them through.
    path.chmod(0o755)
    try:
        yield root
    finally:
        _end_all_in(path)
        shutil.rmtree(path)


def _end_all_in(root: Path) -> None:
    """A server may leave children behind; whatever still runs in this root folder was started by it."""
    for place in Path("/proc").glob("[0-9]*/root"):
        with suppress(OSError):  # it has ended meanwhile
            if place.readlink() == root:
                os.kill(int(place.parent.name), signal.SIGKILL)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> bool:
    """Whether something answers there, before the process or our patience ends."""
    ends = monotonic() + _PATIENCE
    while monotonic() < ends and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            sleep(0.02)
        else:
            return True
    return False
