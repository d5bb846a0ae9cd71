"""The words of one mail's envelope and content, as the server's offers allow them."""

import re

from .addresses import Address
from .errors import RefusedError, Step
from .outgoing import Outgoing, WireForm
from .replies import Reply
from .smtp_offers import Offers

_LINE_START_DOT = re.compile(rb"\n\.")
_XTEXT = re.compile(r"[^!-*,-<>-~]")  # RFC 3461 section 4: printable ASCII but "+" and "="


def mail_command(outgoing: Outgoing, offers: Offers) -> bytes:
    """MAIL, with the parameters that the mail needs and the server knows (RFC 5321 section 4.1.1.2)."""
    envelope, known = outgoing.envelope, offers.parameters
    words = f"MAIL FROM:<{envelope.sender.wire if envelope.sender else ''}>"
    if "SIZE" in known:
        words += f" SIZE={len(outgoing.content)}"
    if WireForm(outgoing.content).eight_bit:
        words += " BODY=8BITMIME"
    if "SMTPUTF8" in known and (outgoing.smtputf8 or envelope.smtputf8):
        words += " SMTPUTF8"
    if outgoing.require_tls:
        words += " REQUIRETLS"
    if "DSN" in known:
        words += f" RET={envelope.returned} ENVID={envelope.envelope_id or outgoing.delivery_id}"
    return f"{words}\r\n".encode()


def rcpt_command(outgoing: Outgoing, recipient: Address, offers: Offers) -> bytes:
    """RCPT for one recipient (RFC 5321 section 4.1.1.3, RFC 3461 sections 4.1 and 4.2)."""
    words = f"RCPT TO:<{recipient.wire}>"
    if "DSN" in offers.parameters:
        if outgoing.envelope.notify:
            words += f" NOTIFY={','.join(outgoing.envelope.notify)}"
        if recipient.wire.isascii():
            words += f" ORCPT=rfc822;{xtext(recipient.wire)}"
    return f"{words}\r\n".encode()


def stuffed(content: bytes) -> bytes:
    """The content with every line that begins with a dot given another (RFC 5321 section 4.5.2)."""
    form = WireForm(content)
    if not form.dotted:
        return form
    doubled = _LINE_START_DOT.sub(b"\n..", form)
    return b"." + doubled if doubled.startswith(b".") else doubled


def unfit(outgoing: Outgoing, offers: Offers, *, secret: bool) -> RefusedError | None:
    """What the server's offers rule out, in the words that its standard has for it; None where the mail may go."""
    size, known = len(outgoing.content), offers.parameters
    most, most_domains = offers.recipients, offers.recipient_domains
    reply = None
    if offers.size is not None and size > offers.size:
        reply = Reply(552, f"5.3.4 {size} octets are over the server's SIZE of {offers.size}")
    elif "SMTPUTF8" not in known and needs_utf8(outgoing):
        reply = Reply(550, "5.6.7 the server does not offer SMTPUTF8, which an address needs")
    elif "8BITMIME" not in known and WireForm(outgoing.content).eight_bit:
        reply = Reply(554, "5.6.3 the server does not offer 8BITMIME, which the content needs")
    elif outgoing.require_tls and not (secret and "REQUIRETLS" in known):
        reply = Reply(550, "5.7.30 the server does not offer REQUIRETLS, which the mail asks for")
    elif most is not None and len(outgoing.envelope.recipients) > most:
        reply = Reply(550, f"5.5.3 the server takes {most} recipients at once: send in several")
    elif most_domains is not None and len(domains_of(outgoing)) > most_domains:
        reply = Reply(550, f"5.5.3 the server takes recipients of {most_domains} domains at once: send in several")
    return None if reply is None else RefusedError(reply, at=Step.EHLO)


def domains_of(outgoing: Outgoing) -> frozenset[str]:
    """The domains of its recipients."""
    return frozenset(recipient.domain for recipient in outgoing.envelope.recipients)


def needs_utf8(outgoing: Outgoing) -> bool:
    """Whether the mail needs a server with SMTPUTF8 (RFC 6531)."""
    return outgoing.smtputf8 or outgoing.envelope.smtputf8


def xtext(text: str) -> str:
    """Text as a DSN parameter's value (RFC 3461 section 4)."""
    return _XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)
