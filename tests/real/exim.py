"""A real Exim on loopback: STARTTLS required, AUTH after TLS alone, mail delivered into a Maildir."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from attrs import frozen

from custom_smtp.testing.certificates import Certificate

_TRUSTED = Path("/etc/exim4/trusted_configs")
_USER = "Debian-exim"
_START = 20.0

_CONFIG = """\
keep_environment =
primary_hostname = mail.test
qualify_domain = mail.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
exim_user = {user}
exim_group = {user}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
tls_advertise_hosts = *
tls_certificate = {folder}/exim.pem
tls_privatekey = {folder}/exim.key
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
domainlist local_domains = *
smtputf8_advertise_hosts = *

begin acl
acl_mail:
  deny message = 5.7.0 TLS required
       condition = ${{if eq{{$tls_in_cipher}}{{}}{{yes}}{{no}}}}
  accept authenticated = *
  deny message = 5.7.0 authentication required
acl_rcpt:
  deny message = 5.1.1 no such user
       local_parts = nosuch
  defer message = 4.2.0 greylisted
        local_parts = grey
  accept
acl_data:
  deny message = 5.7.1 spam
       condition = ${{if match{{$message_body}}{{GTUBE}}{{yes}}{{no}}}}
  accept

begin routers
everybody:
  driver = accept
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  create_directory
  user = {user}

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{shop}}}}{{eq{{$auth3}}{{s3cret}}}}}}}}
  server_set_id = $auth2
{login}
"""

LOGIN = """\
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${if and{{eq{$auth1}{shop}}{eq{$auth2}{s3cret}}}}
  server_set_id = $auth1
"""


@frozen
class Exim:
    """One that is running."""

    port: int
    folder: Path

    def mails(self, count: int) -> list[bytes]:
        """What it has delivered, once there are so many."""
        new = self.folder / "mail" / "new"
        ends = monotonic() + _START
        while monotonic() < ends:
            found = sorted(new.glob("*")) if new.is_dir() else []
            if len(found) >= count:
                return [path.read_bytes() for path in found]
            sleep(0.05)
        raise AssertionError((self.folder / "log" / "mainlog").read_text())


def absent() -> str:
    """Why Exim cannot run here; empty where it can."""
    if shutil.which("exim4", path="/usr/sbin:/usr/bin") is None:
        return "exim4 is not installed (apt install exim4-daemon-light)"
    if os.geteuid() != 0:
        return "Exim needs root to change to its own user"
    return ""


@contextmanager
def running_exim(folder: Path, certificate: Certificate, *, login_only: bool = False) -> Iterator[Exim]:
    """Start one in this folder, and end it."""
    user = pwd.getpwnam(_USER)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for name in ("spool", "log"):
        (folder / name).mkdir()
    config = folder / "exim.conf"
    text = _CONFIG.format(folder=folder, port=port, user=_USER, login=LOGIN)
    if login_only:
        text = text.replace("public_name = PLAIN", "public_name = X-NOTHING")
    config.write_text(text)
    certificate.write(folder, "exim")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    os.chown(config, 0, 0)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    before = _TRUSTED.read_text() if _TRUSTED.exists() else None
    _TRUSTED.write_text(f"{before or ''}{config}\n")
    process = subprocess.Popen(
        ["/usr/sbin/exim4", "-C", str(config), "-bdf", "-q30m"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        _wait_for(port, process)
        yield Exim(port, folder)
    finally:
        process.terminate()
        process.communicate(timeout=_START)
        if before is None:
            _TRUSTED.unlink()
        else:
            _TRUSTED.write_text(before)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    ends = monotonic() + _START
    while monotonic() < ends and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            sleep(0.05)
        else:
            return
    process.kill()
    raise AssertionError(process.communicate()[0].decode())
