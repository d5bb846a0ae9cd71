"""The servers of the demo: the relays of six providers, each as its provider runs it, and a plain one of one's own."""

from collections.abc import Mapping

from ..providers import mailgun, mailjet, mandrill, postmark, sendgrid, sparkpost
from ..servers import Credentials, Server

PLAIN = "plain"
"""The server that reports nothing but by mail."""

_PASS = "a password for the demo"

RELAYS: Mapping[str, Server] = {
    "mailgun": mailgun.server("post@moewe.example", _PASS),
    "mailjet": mailjet.server("moewe", _PASS),
    "mandrill": mandrill.server(_PASS),
    "postmark": postmark.server(_PASS),
    "sendgrid": sendgrid.server(_PASS),
    "sparkpost": sparkpost.server(_PASS),
}
"""By the provider's name: user name, login and pace as its relay wants them. The demo runs each on this machine."""

SERVERS: Mapping[str, Server] = {PLAIN: Server("mail.moewe.example", 587, Credentials("moewe", _PASS)), **RELAYS}
"""All seven."""
