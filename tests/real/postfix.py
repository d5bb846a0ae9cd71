"""A real Postfix on loopback: STARTTLS required, AUTH by Cyrus SASL, mail delivered into a Maildir."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from custom_smtp.testing.certificates import Certificate

from .mailbox import Mailbox
from .roots import free_port, own_root

_MAIN = """\
compatibility_level = 3.6
myhostname = mail.test
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = /var/log/postfix.log
biff = no
local_header_rewrite_clients =
virtual_mailbox_domains = static:all
virtual_mailbox_base = /var/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:61004
virtual_gid_maps = static:61004
smtpd_peername_lookup = no
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = /etc/postfix/server.pem
smtpd_tls_key_file = /etc/postfix/server.key
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = mail.test
smtpd_sasl_security_options = noanonymous
cyrus_sasl_config_path = /etc/postfix/sasl
smtpd_delay_reject = no
smtpd_error_sleep_time = 0
smtpd_sender_restrictions = check_sender_access inline:{ { banned@shop.example = 550 5.7.1 not you } }
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{
    { nosuch@example.net = 550 5.1.1 no such user } { grey@example.net = 451 4.2.0 greylisted } },
    permit_sasl_authenticated, reject
header_checks = regexp:{ { /^X-Spam: yes/ REJECT 5.7.1 spam } }
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

_SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256
"""

_QUEUES = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt")


@contextmanager
def running_postfix(folder: Path, certificate: Certificate) -> Iterator[Mailbox]:
    """Start one in this folder, and end it."""
    port = free_port()
    with own_root("postfix", folder, ["postfix", "sasl"], ["postdrop", "mail"]) as root:
        root.write(
            {
                "etc/postfix/main.cf": _MAIN,
                "etc/postfix/master.cf": _MASTER.format(port=port),
                "etc/postfix/server.pem": certificate.chain,
                "etc/postfix/sasl/smtpd.conf": _SASL,
            }
        )
        root.write({"etc/postfix/server.key": certificate.key}, mode=0o600)
        root.run("saslpasswd2", "-p", "-c", "-u", "mail.test", "shop", told=b"s3cret")
        root.hand_over(root.path / "etc/sasldb2", "postfix")
        root.folder("var/lib/postfix", "postfix")
        mail = root.folder("var/mail", mode=0o777)
        queues = tuple(root.path / "var/spool/postfix" / name for name in _QUEUES)
        root.run("postfix", "check")
        log = root.path / "var/log/postfix.log"
        with root.serving(["/usr/lib/postfix/sbin/master", "-s"], port, log):
            yield Mailbox(port, mail / "inbox" / "new", queues, "X-Original-To", log)
