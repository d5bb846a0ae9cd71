"""A real Exim on loopback: STARTTLS required, AUTH after TLS alone, mail delivered into a Maildir."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from custom_smtp.testing.certificates import Certificate

from .mailbox import Mailbox
from .roots import free_port, own_root

_USER = "Debian-exim"

_CONFIG = """\
keep_environment =
primary_hostname = mail.test
qualify_domain = mail.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
pid_file_path = /run/exim.pid
tls_advertise_hosts = *
tls_certificate = /etc/exim4/server.pem
tls_privatekey = /etc/exim4/server.key
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
domainlist local_domains = *
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
smtp_accept_queue_per_connection = 0

begin acl
acl_mail:
  deny message = 5.7.0 TLS required
       condition = ${{if eq{{$tls_in_cipher}}{{}}{{yes}}{{no}}}}
  deny message = 5.7.1 not you
       senders = banned@shop.example
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
       condition = ${{if or{{{{match{{$message_body}}{{GTUBE}}}}{{eq{{$h_x-spam:}}{{yes}}}}}}}}
  accept

begin routers
everybody:
  driver = accept
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = /var/mail/inbox
  maildir_format
  create_directory
  envelope_to_add
  user = Debian-exim

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{shop}}}}{{eq{{$auth3}}{{s3cret}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if and{{{{eq{{$auth1}}{{shop}}}}{{eq{{$auth2}}{{s3cret}}}}}}}}
  server_set_id = $auth1
"""


@contextmanager
def running_exim(folder: Path, certificate: Certificate) -> Iterator[Mailbox]:
    """Start one in this folder, and end it."""
    port = free_port()
    with own_root("exim", folder, [_USER]) as root:
        root.write({"etc/exim4/exim4.conf": _CONFIG.format(port=port), "etc/exim4/server.pem": certificate.chain})
        root.write({"etc/exim4/server.key": certificate.key})
        spool, log, mail = (root.folder(f"var/{name}", _USER) for name in ("spool/exim4", "log/exim4", "mail"))
        root.folder("run")
        with root.serving(["exim4", "-bdf", "-q30m"], port, log / "mainlog"):
            yield Mailbox(port, mail / "inbox" / "new", (spool / "input",), "Envelope-to", log / "mainlog")
