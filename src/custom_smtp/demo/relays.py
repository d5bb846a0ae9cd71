"""The servers of the demo: the relays of six providers, each as its provider runs it, and a plain one of one's own."""

from collections.abc import Mapping

from ..providers import mailgun, mailjet, mandrill, postmark, sendgrid, sparkpost
from ..servers import Credentials, Server

PLAIN = "plain"
"""The server that reports nothing but by mail."""

_LOGIN = Credentials("moewe", "a password for the demo")

RELAYS: Mapping[str, Server] = {
    "mailgun": mailgun.server("post@moewe.example", _LOGIN.password),
    "mailjet": mailjet.server("moewe", _LOGIN.password),
    "mandrill": mandrill.server(_LOGIN.password),
    "postmark": postmark.server(_LOGIN.password),
    "sendgrid": sendgrid.server(_LOGIN.password),
    "sparkpost": sparkpost.server(_LOGIN.password),
}
"""By the provider's name: user name, login and pace as its relay wants them. The demo runs each on this machine."""

SERVERS: Mapping[str, Server] = {PLAIN: Server("mail.moewe.example", 587, _LOGIN), **RELAYS}
"""All seven."""
