"""How a conversation with an SMTP server opens, in lock step: greeting, EHLO, STARTTLS, EHLO again, login.

Each reply brings the next words, until the server takes mail, or the error for which it never will.
"""

from collections.abc import Callable

from attrs import define, field, frozen

from .errors import AuthError, ConnectError, RefusedError, Retry, Step, TlsError, TransportError
from .outgoing import Channel
from .replies import Reply
from .sasl import Exchange, begin, challenge_of, spelled
from .servers import Credentials, OAuthCredentials, Server, Tls
from .smtp_offers import Offers

NOT_TO_BE_HURRIED = ("Dovecot",)
"""Words in a greeting that stand for a server which loses its way when it is spoken to ahead of its answers, whatever
it offers: each mail waits for the one before. (Seen of Dovecot 2.3.19's submission service, which crashes.)"""

_LONGEST_COMMAND = 512
"""Octets of a command, with its line end (RFC 5321 section 4.5.3.1.4)."""

_LONG_ENOUGH = 6  # octets of a secret that is looked for in every reply


@frozen
class Words:
    """A command.

    Attributes:
        octets: what is said, with its line end.
        shown: what stands for it in a transcript, where it holds a secret.
    """

    octets: bytes = field(repr=False)
    shown: str = ""


@define(eq=False)
class Opening:
    """A conversation until mail is taken; its first word is the server's.

    Attributes:
        server: with whom.
        name: what we call ourselves in EHLO.
        nonce: what no conversation had before, for mechanisms that need it.
        offers: what the server offers, once it has said so.
        channel: how secret the line is; None in clear.
        secrets: what no reply may repeat to a transcript or an error.
        wants_tls: the line is to be made secret now, and `encrypted` to be called.
        careful: the greeting names one of `NOT_TO_BE_HURRIED`.
        complete: the server takes mail.
    """

    server: Server
    name: str
    nonce: str = field(repr=False)
    offers: Offers = field(factory=Offers, init=False)
    channel: Channel | None = field(default=None, init=False)
    secrets: tuple[bytes, ...] = field(default=(), init=False, repr=False)
    wants_tls: bool = field(default=False, init=False)
    careful: bool = field(default=False, init=False)
    complete: bool = field(default=False, init=False)
    _heard_by: Callable[[Reply], Words | None] = field(init=False, repr=False)
    _exchange: Exchange | None = field(default=None, init=False, repr=False)
    _kept_back: bytes | None = field(default=None, init=False, repr=False)
    _cancelled: AuthError | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._heard_by = self._greeted

    @property
    def awaits_greeting(self) -> bool:
        """Whether the server has said nothing yet."""
        return self._heard_by == self._greeted

    def hear(self, reply: Reply) -> Words | None:
        """What to say next; nothing where the line is to be made secret first, or the server takes mail.

        Raises:
            RefusedError: the server takes nobody, or not us.
            TlsError: there will be no secret line, and one is needed.
            AuthError: the credentials were not taken.
            ConnectError: the reply means nothing here.
        """
        return self._heard_by(reply)

    def encrypted(self, channel: Channel) -> Words | None:
        """The line is secret now. What was learnt in clear is forgotten (RFC 3207 section 4.2)."""
        self.channel, self.wants_tls, self.offers = channel, False, Offers()
        return None if self.awaits_greeting else self._introduce()

    def ended(self, error: ConnectError) -> TransportError:
        """The line broke: the error, as it is to be told."""
        if self.wants_tls:
            return self.injected()
        if self._cancelled is not None:
            return self._cancelled
        return TlsError(f"no STARTTLS: {error}") if self._heard_by == self._starttls_answered else error

    def injected(self) -> TlsError:
        """Somebody else's words stand where the secret line should begin (CVE-2011-0411 and its kin)."""
        return TlsError(
            f"{self.server} spoke in clear behind its STARTTLS reply: somebody is putting words into the line",
            retry=Retry.NEVER,
        )

    def _greeted(self, reply: Reply) -> Words:
        if reply.code != 220:
            raise RefusedError(refusal_of(self.server, reply), at=Step.CONNECT)
        self.careful = any(name in reply.text for name in NOT_TO_BE_HURRIED)
        return self._introduce()

    def _introduce(self) -> Words:
        return self._say(f"EHLO {self.name}", self._introduced)

    def _introduced(self, reply: Reply) -> Words | None:
        if reply.code != 250:
            raise RefusedError(refusal_of(self.server, reply), at=Step.EHLO)
        self.offers = Offers.of(reply)
        if self.channel is None and self._is_to_be_upgraded():
            return self._say("STARTTLS", self._starttls_answered)
        if self.server.credentials is not None:
            return self._log_in(self.server.credentials)
        self.complete = True
        return None

    def _is_to_be_upgraded(self) -> bool:
        if "STARTTLS" in self.offers:
            return True
        if self.server.tls is not Tls.OPPORTUNISTIC:
            raise TlsError(
                f"{self.server} does not offer STARTTLS, so nothing was said: use submissions:// on port 465, "
                "or find out who takes the offer away",
                retry=Retry.NEVER,
            )
        return False

    def _starttls_answered(self, reply: Reply) -> None:
        if reply.code != 220:
            raise TlsError(
                f"{self.server} refused STARTTLS, so nothing was said: {reply}",
                retry=Retry.LATER if reply.temporary else Retry.NEVER,
            )
        self.wants_tls = True

    def _log_in(self, credentials: Credentials | OAuthCredentials) -> Words:
        if self.channel is None:
            raise TlsError(
                f"{self.server} does not offer STARTTLS, and credentials never travel in clear: nothing was said",
                retry=Retry.NEVER,
            )
        mechanism, self._exchange = begin(credentials, self.offers.mechanisms, self.nonce)
        self.secrets = self._exchange.secrets
        initial = self._exchange.initial
        # RFC 4954 section 4: an initial response of nothing is a single "=".
        opening = f"AUTH {mechanism}" if initial is None else f"AUTH {mechanism} {spelled(initial) or '='}"
        if len(opening) + len("\r\n") > _LONGEST_COMMAND:
            # The same section: what makes the command too long, as a token may, waits for an empty challenge.
            opening, self._kept_back = f"AUTH {mechanism}", initial
        return self._say(opening, self._login_answered, shown=f"AUTH {mechanism} ...")

    def _login_answered(self, reply: Reply) -> Words | None:
        if reply.code == 334 and self._exchange is not None:
            return self._say(self._response(self._exchange, reply), self._login_answered, shown="...")
        if self._cancelled is not None:
            raise self._cancelled
        if reply.code != 235:
            raise AuthError(
                f"{self.server} did not take the credentials: {reply}",
                reply=reply,
                retry=Retry.LATER if reply.temporary else Retry.NEVER,
            )
        if self._exchange is not None and not self._exchange.complete:
            raise AuthError(f"{self.server} lets us in without a proof that it knows the password")
        # A short password would take pieces out of harmless words for as long as the line lasts.
        self.secrets = tuple(secret for secret in self.secrets if len(secret) >= _LONG_ENOUGH)
        self.complete = True
        return None

    def _response(self, exchange: Exchange, challenge: Reply) -> str:
        if self._kept_back is not None:
            initial, self._kept_back = self._kept_back, None
            return spelled(initial)
        try:
            return spelled(exchange.respond(challenge_of(challenge)))
        except AuthError as error:
            # RFC 4954 section 4: a client that cannot go on cancels, and hears a refusal.
            self._exchange, self._cancelled = None, error
            return "*"

    def _say(self, command: str, heard_by: Callable[[Reply], Words | None], *, shown: str = "") -> Words:
        self._heard_by = heard_by
        return Words(f"{command}\r\n".encode(), shown)


def refusal_of(server: Server, reply: Reply) -> Reply:
    """A refusal's reply.

    Raises:
        ConnectError: it is out of place, a 2xx or 3xx where neither means anything: nothing that follows could be read.
    """
    if reply.code >= 400:
        return reply
    raise ConnectError(f"{server} answered out of place: {reply!s}")
