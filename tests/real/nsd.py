"""A real NSD (Debian's nsd package), with a zone of our own, on a free port of 127.0.0.1."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

CONFIGURATION = """
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  database: ""
  logfile: "{folder}/nsd.log"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: {zone}
  zonefile: zone
"""


@contextmanager
def nsd(folder: Path, zone: str, records: str) -> Iterator[int]:
    """Serve the zone; yield the port. Without an nsd the test is skipped, or in CI fails."""
    command = shutil.which("nsd", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    if command is None:
        missing = "nsd is not installed: on Debian, apt install nsd"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    port = free_port()
    (folder / "zone").write_text(records)
    (folder / "nsd.conf").write_text(CONFIGURATION.format(folder=folder, port=port, zone=zone))
    server = subprocess.Popen([command, "-d", "-c", folder / "nsd.conf"], stderr=subprocess.PIPE)
    try:
        _wait_until_it_answers(server, port, zone, folder / "nsd.log")
        yield port
    finally:
        server.terminate()
        server.communicate(timeout=10)


def free_port() -> int:
    """A port that nobody listens on."""
    # NSD listens on both kinds of socket, so the port must be free for both.
    with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        stream.bind(("127.0.0.1", 0))
        datagrams.bind(stream.getsockname())
        port: int = stream.getsockname()[1]
        return port


def _wait_until_it_answers(server: "subprocess.Popen[bytes]", port: int, zone: str, log: Path) -> None:
    question = dns.message.make_query(zone, "SOA")
    for _ in range(50):
        if server.poll() is not None:
            break
        try:
            if dns.query.udp(question, "127.0.0.1", timeout=0.2, port=port).answer:
                return
        except (dns.exception.DNSException, OSError):
            continue
    pytest.fail(f"nsd does not answer: {log.read_text() if log.exists() else server.returncode}")
