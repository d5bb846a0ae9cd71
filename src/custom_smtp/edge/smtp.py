"""Hands mail to an SMTP server: greeting, TLS, login, one mail, goodbye."""

import re
import ssl
import warnings
from base64 import b64decode, b64encode

from attrs import field, frozen

from ..errors import (
    AuthError,
    ConfigurationError,
    ConnectError,
    InsecureTransportWarning,
    RefusedError,
    Retry,
    Step,
    TlsError,
    UncertainError,
)
from ..outgoing import Envelope, Outgoing, Receipt
from ..replies import Reply
from ..sasl import MECHANISMS, choose
from ..servers import Credentials, Server, Tls
from ._smtp_line import SmtpLine

_LINE_START_DOT = re.compile(rb"^\.", re.MULTILINE)


@frozen
class SmtpTransport:
    """A `Transport` to one server: a connection for each mail, always over TLS.

    It may be shared by threads. Nothing is opened until the first mail.

    Attributes:
        server: where, as whom, and how long to wait.
        context: TLS settings of your own, such as a private authority or a client certificate, in place of
            ``server.ca_file`` and the system's trust.

    Raises:
        ConfigurationError: the authority's file cannot be read, or the context would take any certificate.

    Warns:
        InsecureTransportWarning: the server is set to `Tls.OPPORTUNISTIC`.
    """

    server: Server
    context: ssl.SSLContext | None = field(default=None, kw_only=True, repr=False)
    _context: ssl.SSLContext = field(init=False, repr=False, eq=False)

    @_context.default
    def _loaded(self) -> ssl.SSLContext:
        # Once for all mails: reading the system's authorities takes longer than sending.
        return _verifying(self.server, self.context)

    def __attrs_post_init__(self) -> None:
        if self.server.tls is Tls.OPPORTUNISTIC:
            warnings.warn(
                f"mail to {self.server} travels in clear whenever the server, or somebody on the line, "
                "leaves STARTTLS out of its offer",
                InsecureTransportWarning,
                stacklevel=3,
            )

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        """Hand one mail over. Where it has several recipients, all get it or, if one is refused, none.

        Raises:
            ConnectError: there was no conversation, or it broke before the last byte.
            TlsError: there is no secret channel; nothing was said.
            AuthError: the credentials were not taken.
            RefusedError: the server said no.
            UncertainError: the line broke after the last byte: the mail may have arrived.
        """
        line = SmtpLine(self.server, self._context)
        try:
            _open(line, self.server)
            reply = _hand_over(line, outgoing)
        except (RefusedError, AuthError):
            line.leave()
            raise
        except BaseException:
            # After a doubt, not a word more.
            line.close()
            raise
        line.leave()
        return Receipt(outgoing.delivery_id, reply, str(self.server), line.channel)


# Opening


def _open(line: SmtpLine, server: Server) -> None:
    greeting = line.open()
    if greeting.code != 220:
        raise RefusedError(_as_refusal(greeting), at=Step.CONNECT)
    _introduce(line)
    if _to_be_upgraded(line, server):
        line.upgrade()
        _introduce(line)
    if server.credentials is not None:
        if line.channel is None:
            raise TlsError(
                f"{server} does not offer STARTTLS, and credentials never travel in clear: nothing was said",
                retry=Retry.NEVER,
            )
        _log_in(line, server.credentials)


def _introduce(line: SmtpLine) -> None:
    code, text = line.ehlo()
    if code != 250:
        raise RefusedError(_as_refusal(Reply(code, text.decode())), at=Step.EHLO)


def _to_be_upgraded(line: SmtpLine, server: Server) -> bool:
    match server.tls:
        case Tls.STARTTLS:
            return True
        case Tls.IMPLICIT:
            return False
        case Tls.OPPORTUNISTIC:
            return line.has_extn("starttls")


def _log_in(line: SmtpLine, credentials: Credentials) -> None:
    mechanism = choose(frozenset(line.esmtp_features.get("auth", "").upper().split()))
    exchange = MECHANISMS[mechanism](credentials)
    line.secrets = [credentials.password, *_spellings(credentials)]
    initial = exchange.initial
    reply = line.ask(f"AUTH {mechanism}" if initial is None else f"AUTH {mechanism} {_base64(initial)}")
    while reply.code == 334:
        try:
            answer = exchange.respond(_challenge(reply))
        except AuthError:
            line.ask("*")
            raise
        reply = line.ask(_base64(answer))
    if reply.code != 235:
        raise AuthError(f"the server did not take the credentials of {credentials.username!r}: {reply}", reply=reply)


def _spellings(credentials: Credentials) -> list[str]:
    plain = f"\0{credentials.username}\0{credentials.password}"
    return [_base64(plain.encode()), _base64(credentials.password.encode())]


def _base64(said: bytes) -> str:
    # RFC 4954 section 4: an empty response is a single "=".
    return b64encode(said).decode() or "="


def _challenge(reply: Reply) -> bytes:
    try:
        return b64decode(reply.text)
    except ValueError as error:
        raise AuthError(f"the server's challenge is not base64: {reply}", reply=reply) from error


# One mail


def _hand_over(line: SmtpLine, outgoing: Outgoing) -> Reply:
    _require_fit(line, outgoing)
    _expect(line.ask(_mail_command(line, outgoing)), Step.MAIL)
    for recipient in outgoing.envelope.recipients:
        _expect(line.ask(f"RCPT TO:<{recipient.wire}>"), Step.RCPT)
    go_ahead = line.ask("DATA")
    if go_ahead.code != 354:
        raise RefusedError(_as_refusal(go_ahead), at=Step.DATA)
    _say_content(line, _LINE_START_DOT.sub(b"..", outgoing.content))
    return _finish(line)


def _require_fit(line: SmtpLine, outgoing: Outgoing) -> None:
    """What the server's EHLO rules out is refused in the words that its standard has for it, before a word is said."""
    size, limit = len(outgoing.content), line.esmtp_features.get("size", "")
    if limit.isdecimal() and 0 < int(limit) < size:  # 0 means no fixed limit (RFC 1870 section 4)
        raise RefusedError(Reply(552, f"5.3.4 {size} octets are over the server's SIZE of {limit}"), at=Step.EHLO)
    if _needs_utf8(outgoing) and not line.has_extn("smtputf8"):
        raise RefusedError(Reply(550, "5.6.7 the server does not offer SMTPUTF8, which an address needs"), at=Step.EHLO)
    if outgoing.eight_bit and not line.has_extn("8bitmime"):
        raise RefusedError(
            Reply(554, "5.6.3 the server does not offer 8BITMIME, which the content needs"), at=Step.EHLO
        )


def _needs_utf8(outgoing: Outgoing) -> bool:
    return outgoing.smtputf8 or outgoing.envelope.smtputf8


def _mail_command(line: SmtpLine, outgoing: Outgoing) -> str:
    envelope: Envelope = outgoing.envelope
    command = f"MAIL FROM:<{envelope.sender.wire if envelope.sender else ''}>"
    if line.has_extn("size"):
        command += f" SIZE={len(outgoing.content)}"
    if outgoing.eight_bit:
        command += " BODY=8BITMIME"
    if _needs_utf8(outgoing):
        command += " SMTPUTF8"
    return command


def _say_content(line: SmtpLine, stuffed: bytes) -> None:
    """Everything but the final dot: if the line breaks here, the mail has not arrived."""
    line.require_silence()
    try:
        line.say(stuffed)
        line.require_silence()
    except ConnectError as broken:
        # A server may turn the content away before it has all of it; its reply is worth more than the broken line.
        try:
            reply = line.hear(1)
        except ConnectError:
            raise broken from None
        raise RefusedError(_as_refusal(reply), at=Step.CONTENT) from broken


def _finish(line: SmtpLine) -> Reply:
    """The final dot. From its first byte on, only the server's reply says what became of the mail (RFC 1047)."""
    try:
        line.say(b".\r\n")
        reply = line.hear(line.server.limits.final)
    except ConnectError as error:
        raise UncertainError(f"the mail was sent whole, and then: {error}") from error
    if reply.positive:
        return reply
    if reply.code >= 400:
        raise RefusedError(reply, at=Step.CONTENT)
    raise UncertainError(f"the mail was sent whole, and its answer is none: {reply}")


def _expect(reply: Reply, step: Step) -> None:
    if not reply.positive:
        raise RefusedError(_as_refusal(reply), at=step)


def _as_refusal(reply: Reply) -> Reply:
    """A refusal's reply. What is out of place (a 2xx or 3xx where neither means anything) ends the conversation."""
    if reply.code >= 400:
        return reply
    raise ConnectError(f"the server answered out of place: {reply}")


def _verifying(server: Server, given: ssl.SSLContext | None) -> ssl.SSLContext:
    if given is not None:
        if server.ca_file is not None:
            raise ConfigurationError("both a context and a ca_file were given: load the authority into the context")
        if given.verify_mode is not ssl.CERT_REQUIRED or not given.check_hostname:
            raise ConfigurationError(
                "this SSLContext takes any certificate: make it with ssl.create_default_context(), "
                "and trust a private authority by its load_verify_locations()"
            )
        if ssl.TLSVersion.MINIMUM_SUPPORTED < given.minimum_version < ssl.TLSVersion.TLSv1_2:
            raise ConfigurationError("this SSLContext allows TLS below 1.2: set its minimum_version to TLSv1_2")
        return given
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
    except OSError as error:
        raise ConfigurationError(f"the authority file {server.ca_file} cannot be read: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # RFC 6125 section 6.4.4; RFC 9525 has no common names at all
    return context
