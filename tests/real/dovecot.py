"""A real Dovecot submission service on loopback, in front of another real server: SCRAM-SHA-256, and tokens."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve

from custom_smtp.testing.certificates import Certificate

from .mailbox import Mailbox
from .roots import free_port, own_root

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
