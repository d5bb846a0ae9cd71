"""A real Unbound (Debian's unbound package) that validates one zone, by an anchor of our own, on 127.0.0.1.

The zone is signed here by dnspython and served by a real NSD.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.dnssec
import dns.exception
import dns.message
import dns.query
import dns.zone
import pytest
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm

from .nsd import free_port

CONFIGURATION = """
server:
  interface: 127.0.0.1
  port: {port}
  do-ip6: no
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: "{folder}/unbound.pid"
  logfile: "{folder}/unbound.log"
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  module-config: "validator iterator"
  trust-anchor-file: "{folder}/anchor"
{stubs}
remote-control:
  control-enable: no
"""

STUB = """
stub-zone:
  name: {zone}
  stub-addr: 127.0.0.1@{port}
"""


@frozen
class SignedZone:
    """A zone with its signatures, and the key that vouches for it."""

    text: str
    anchor: str


def signed(zone: str, records: str) -> SignedZone:
    """Sign a zone as its owner would."""
    whole = dns.zone.from_text(records, origin=f"{zone}.", relativize=False)
    key = ec.generate_private_key(ec.SECP256R1())
    public = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
    now = datetime.now(UTC)
    with whole.writer() as changes:
        dns.dnssec.sign_zone(
            whole, changes, [(key, public)], inception=now - timedelta(days=1), expiration=now + timedelta(days=1)
        )
    return SignedZone(whole.to_text(relativize=False), f"{zone}. IN DNSKEY {public.to_text()}\n")


@contextmanager
def unbound(folder: Path, anchor: str, zones: Mapping[str, int]) -> Iterator[int]:
    """Validate by this anchor, and ask for each zone at its port; yield the port.

    Without an unbound the test is skipped, or in CI fails.
    """
    command = shutil.which("unbound", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    if command is None:
        missing = "unbound is not installed: on Debian, apt install unbound"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    port = free_port()
    stubs = "".join(STUB.format(zone=zone, port=where) for zone, where in zones.items())
    (folder / "anchor").write_text(anchor)
    (folder / "unbound.conf").write_text(CONFIGURATION.format(folder=folder, port=port, stubs=stubs))
    server = subprocess.Popen([command, "-d", "-c", folder / "unbound.conf"], stderr=subprocess.PIPE)
    try:
        _wait_until_it_answers(server, port, next(iter(zones)), folder / "unbound.log")
        yield port
    finally:
        server.terminate()
        server.communicate(timeout=10)


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
    pytest.fail(f"unbound does not answer: {log.read_text() if log.exists() else server.communicate()[1]!r}")
