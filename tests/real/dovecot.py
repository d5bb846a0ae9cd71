"""A real Dovecot on loopback: its submission service in front of another real server, and its mailboxes by IMAP."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, frozen

from custom_smtp.testing.certificates import Certificate

from .mailbox import Mailbox
from .roots import Root, free_port, own_root

_CONFIG = """\
protocols = submission
listen = 127.0.0.1
hostname = mail.test
log_path = /var/log/dovecot.log
mail_location = maildir:/tmp/%u
ssl = required
ssl_cert = </etc/dovecot/server.pem
ssl_key = </etc/dovecot/server.key
disable_plaintext_auth = yes
auth_failure_delay = 0
auth_mechanisms = plain login cram-md5 scram-sha-256 oauthbearer xoauth2
passdb {{
  driver = passwd-file
  mechanisms = plain login cram-md5 scram-sha-256
  args = /etc/dovecot/users
}}
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = /etc/dovecot/oauth2.conf
}}
userdb {{
  driver = static
  args = uid=reader gid=reader home=/tmp
}}
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
submission_relay_ssl = starttls
submission_relay_ssl_verify = no
submission_relay_user = shop
submission_relay_password = s3cret
service submission-login {{
  inet_listener submission {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""

_TOKENS = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=/etc/dovecot/keys/
username_attribute = sub
"""

_KEY = b"what signs the tokens of this server's users"


def token(user: str, ends: int, key: bytes = _KEY) -> str:
    """A signed token (RFC 7519, HS256) for this user, good until this second of Unix time."""
    said = [{"alg": "HS256", "typ": "JWT"}, {"sub": user, "iat": 1_700_000_000, "exp": ends}]
    words = b".".join(_spelled(json.dumps(part).encode()) for part in said)
    return b".".join([words, _spelled(hmac.digest(key, words, hashlib.sha256))]).decode()


def _spelled(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


@contextmanager
def running_dovecot(folder: Path, certificate: Certificate, behind: Mailbox) -> Iterator[Mailbox]:
    """Start one in this folder that hands its mail on to the server of this mailbox, and end it."""
    port = free_port()
    with own_root("dovecot", folder, ["dovecot", "dovenull", "reader"]) as root:
        root.write(
            {
                "etc/dovecot/dovecot.conf": _CONFIG.format(port=port, relay=behind.port),
                "etc/dovecot/oauth2.conf": _TOKENS,
                "etc/dovecot/users": "shop:{PLAIN}s3cret\n",
                "etc/dovecot/keys/default/HS256/default": base64.b64encode(_KEY),
                "etc/dovecot/server.pem": certificate.chain,
                "etc/dovecot/server.key": certificate.key,
            }
        )
        root.folder("run")
        root.folder("var/run")
        root.folder("var/log")
        log = root.path / "var/log/dovecot.log"
        with root.serving(["dovecot", "-F"], port, log):
            yield evolve(behind, port=port, log=log)


_IMAP = """\
protocols = imap
listen = 127.0.0.1
hostname = mail.test
log_path = /var/log/dovecot.log
mail_location = maildir:/tmp/mail
ssl = required
ssl_cert = </etc/dovecot/server.pem
ssl_key = </etc/dovecot/server.key
disable_plaintext_auth = yes
auth_failure_delay = 0
auth_mechanisms = {mechanisms}
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = static
  args = uid=reader gid=reader home=/tmp
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {plain}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {secret}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


@frozen
class ImapServer:
    """A Dovecot that is running: where it listens, and the folder of its one mailbox."""

    plain: int
    secret: int
    root: Root

    @property
    def new(self) -> Path:
        return self.root.path / "tmp/mail/new"

    def make(self, folder: str = "tmp/mail") -> None:
        """Make a mailbox, empty."""
        self.root.folder(folder, "reader", 0o700)
        for each in ("cur", "new", "tmp"):
            self.root.folder(f"{folder}/{each}", "reader", 0o700)

    def put(self, name: str, content: bytes) -> None:
        """A mail comes into the mailbox."""
        path = self.new / name
        path.write_bytes(content)
        self.root.hand_over(path, "reader")

    def there(self) -> list[bytes]:
        """What is in the mailbox."""
        return [path.read_bytes() for each in ("new", "cur") for path in (self.new.parent / each).iterdir()]


@contextmanager
def running_imap(folder: Path, certificate: Certificate, mechanisms: str = "plain login") -> Iterator[ImapServer]:
    """Start one in this folder, with one mailbox, and end it."""
    plain, secret = free_port(), free_port()
    with own_root("dovecot", folder, ["dovecot", "dovenull", "reader"]) as root:
        root.write(
            {
                "etc/dovecot/dovecot.conf": _IMAP.format(plain=plain, secret=secret, mechanisms=mechanisms),
                "etc/dovecot/users": "shop:{PLAIN}s3cret\n",
                "etc/dovecot/server.pem": certificate.chain,
                "etc/dovecot/server.key": certificate.key,
            }
        )
        for each in ("run", "var/run", "var/log"):
            root.folder(each)
        with root.serving(["dovecot", "-F"], secret, root.path / "var/log/dovecot.log"):
            yield ImapServer(plain, secret, root)
