"""A real OpenSMTPD on loopback: STARTTLS and AUTH required, mail delivered into a Maildir. It has no PIPELINING."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from custom_smtp.testing.certificates import Certificate

from .mailbox import Mailbox
from .roots import free_port, own_root

_CONFIG = """\
pki mail.test cert "/etc/ssl/server.pem"
pki mail.test key "/etc/ssl/server.key"
table logins {{ shop = "{hashed}" }}
table everybody {{ "@" = reader }}
table nosuch {{ "nosuch@example.net" }}
table grey {{ "grey@example.net" }}
table banned {{ "banned@shop.example" }}
filter nosuch phase rcpt-to match rcpt-to <nosuch> reject "550 5.1.1 no such user"
filter grey phase rcpt-to match rcpt-to <grey> reject "451 4.2.0 greylisted"
filter banned phase mail-from match mail-from <banned> reject "550 5.7.1 not you"
filter all chain {{ nosuch, grey, banned }}
listen on 127.0.0.1 port {port} tls-require pki mail.test hostname mail.test auth <logins> filter all
action "keep" maildir "/var/mail/inbox" virtual <everybody>
match auth from any for any action "keep"
"""


@contextmanager
def running_opensmtpd(folder: Path, certificate: Certificate) -> Iterator[Mailbox]:
    """Start one in this folder, and end it."""
    port = free_port()
    with own_root("opensmtpd", folder, ["opensmtpd", "opensmtpq", "reader"]) as root:
        hashed = root.run("/usr/libexec/opensmtpd/encrypt", "s3cret").strip()
        root.write(
            {"etc/smtpd.conf": _CONFIG.format(port=port, hashed=hashed), "etc/ssl/server.pem": certificate.chain}
        )
        # It does not start without authorities to trust, though it calls nobody.
        root.write({"etc/ssl/certs/ca-certificates.crt": certificate.chain})
        root.write({"etc/ssl/server.key": certificate.key}, mode=0o600)
        root.folder("var/lib/opensmtpd/empty", mode=0o711)
        root.folder("var/spool")
        root.folder("var/run")
        mail = root.folder("var/mail", "reader")
        queue = root.path / "var/spool/smtpd/queue"
        with root.serving(["smtpd", "-d", "-f", "/etc/smtpd.conf"], port):
            yield Mailbox(port, mail / "inbox" / "new", (queue,), "Delivered-To", folder / "output")
