"""A real Unbound (Debian's unbound package) that validates one zone, by an anchor of our own, on 127.0.0.1.

The zone is signed here by dnspython and served by a real NSD.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.zone
import pytest
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric import ec

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
  root-hints: "/dev/null"
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
    public = dns.dnssec.make_dnskey(key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
    now = datetime.now(UTC)
    with whole.writer() as changes:
        dns.dnssec.sign_zone(
            whole, changes, [(key, public)], inception=now - timedelta(days=1), expiration=now + timedelta(days=1)
        )
    return SignedZone(whole.to_text(relativize=False), f"{zone}. IN DNSKEY {public.to_text()}\n")
