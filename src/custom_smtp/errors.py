"""Every error that leaves this library, and the one question that each branch answers: what can the caller do?

::

    CustomSmtpError
    |- ConfigurationError (ValueError)    a server, a plan or a key that cannot be: mend the settings
    |- MailError          (ValueError)    a mail that cannot be written: mend the mail
    |- RouteError         (LookupError)   no server for this campaign type: mend the plan or the mail
    |- TransportError                     the mail did not go: .retry says what another try would do
    |   |- ConnectError                   no conversation, or none until the end
    |   |   `- NoAnswerError              the line stands, and no answer came in time
    |   |- TlsError                       no secret channel; nothing was said
    |   |- AuthError                      the password was not taken
    |   |- RefusedError                   the server said no: .reply, and .at which step
    |   `- UncertainError                 the line broke after the last byte: only the server knows
    |- SigningError                       a key that is kept elsewhere gave no signature: nothing has left, try later
    |- UnrecordedError                    it is known what became of the mail, but it could not be written down
    |- TokenError         (ValueError)    a token that is not ours
    |- WebhookError
    |   |- UnverifiedError                the sender was not proven: answer 401
    |   |- MalformedError                 proven, and not understood: answer 400
    |   `- UncheckedError                 the proof could not be looked at just now: answer 503
    |- ArchiveError                       a copy, an event or a link could not be kept or read
    |- MailboxError                       a mailbox could not be read: what was understood so far is recorded
    `- ResolveError                       the DNS gave no answer (no such record is a finding, not an error)

What a provider or a server merely *reports* is an event, not an error.
"""

from collections.abc import Callable
from enum import Enum, StrEnum
from functools import partial
from typing import Any

from attrs import frozen

from .addresses import Address
from .checks import ConfigurationError, CustomSmtpError, MailError
from .replies import Reply

__all__ = [
    "ArchiveError",
    "AuthError",
    "ConfigurationError",
    "ConnectError",
    "CustomSmtpError",
    "InsecureTransportWarning",
    "MailError",
    "MailboxError",
    "MalformedError",
    "NoAnswerError",
    "Refusal",
    "RefusedError",
    "ResolveError",
    "Retry",
    "RouteError",
    "SigningError",
    "Step",
    "TlsError",
    "TokenError",
    "TransportError",
    "UncertainError",
    "UncheckedError",
    "UnrecordedError",
    "UnverifiedError",
    "WebhookError",
]


class Retry(Enum):
    """What sending the same mail again would do."""

    LATER = "later"
    """Nothing has left; another try may succeed."""
    NEVER = "never"
    """Nothing has left, and another try would be refused alike."""
    RISKY = "risky"
    """The mail may have arrived: another try may mail the person twice."""


class Step(StrEnum):
    """Where in the conversation a server refused."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"
    """The reply to the final dot."""


class RouteError(CustomSmtpError, LookupError):
    """No server answers for this campaign type; the message names the types that exist."""

    def __init__(self, message: str, /, *, campaign: str = "") -> None:
        super().__init__(message)
        self.campaign = campaign


class TransportError(CustomSmtpError):
    """The mail was not accepted.

    Attributes:
        retry: what another try would do.
        earlier: what other servers said before this one, where several were tried.
        refused: of a mail to several, the recipients whom the server did not take, whatever became of the others. What
            holds for the others is the error's own word.
    """

    def __init__(self, message: str, /, *, retry: Retry = Retry.LATER) -> None:
        super().__init__(message)
        self.retry = retry
        self.earlier: tuple[TransportError, ...] = ()
        self.refused: tuple[Refusal, ...] = ()


class ConnectError(TransportError):
    """There was no conversation, or it broke before the mail's last byte: nothing has arrived."""


class NoAnswerError(ConnectError):
    """The server did not answer in time, though the line itself did not break."""


class TlsError(TransportError):
    """There is no secret channel, so nothing was said: neither credentials nor mail."""


class AuthError(TransportError):
    """The server did not take the credentials. Carries its ``reply``, where it gave one."""

    def __init__(self, message: str, /, *, reply: Reply | None = None, retry: Retry | None = None) -> None:
        wait = reply is not None and reply.temporary
        super().__init__(message, retry=retry or (Retry.LATER if wait else Retry.NEVER))
        self.reply = reply


class RefusedError(TransportError):
    """The server refused the mail: ``reply`` holds its words, ``at`` the step it answered.

    4xx can be tried later, 5xx never. Where the server's own EHLO already rules the mail out (RFC 1870, RFC 6152,
    RFC 6531), nothing is sent, ``at`` is ``Step.EHLO`` and the reply is the one those standards name.
    """

    def __init__(self, reply: Reply, /, *, at: Step) -> None:
        super().__init__(f"refused at {at}: {reply}", retry=Retry.LATER if reply.temporary else Retry.NEVER)
        self.reply = reply
        self.at = at

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...], dict[str, Any]]:
        return partial(type(self), at=self.at), (self.reply,), self.__dict__


@frozen
class Refusal:
    """One recipient of several whom the server did not take, and its words."""

    recipient: Address
    error: RefusedError


class UncertainError(TransportError):
    """The line broke after the last byte and before the answer (RFC 1047): the mail may have arrived."""

    def __init__(self, message: str, /) -> None:
        super().__init__(message, retry=Retry.RISKY)


class SigningError(CustomSmtpError):
    """A key that is kept elsewhere gave no signature, or a wrong one; nothing has left, and another try may succeed."""


class UnrecordedError(CustomSmtpError):
    """The journal failed after the transport had answered: write ``outcome`` down by other means.

    Where that is a `Receipt`, or an error whose ``retry`` is RISKY, do not send the mail again.

    Attributes:
        outcome: the `Receipt` or the `TransportError` that could not be recorded.
    """

    def __init__(self, message: str, /, *, outcome: object) -> None:
        super().__init__(message)
        self.outcome = outcome

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...], dict[str, Any]]:
        return partial(type(self), outcome=self.outcome), self.args, self.__dict__


class TokenError(CustomSmtpError, ValueError):
    """A token that we did not issue for this purpose, or that was altered, or that is too old.

    Attributes:
        expired: it is ours and unaltered, and older than its age limit. Say it to whoever runs the place, never to
            whoever brought the token.
    """

    def __init__(self, message: str, /, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


class WebhookError(CustomSmtpError):
    """A webhook request that is not taken in."""


class UnverifiedError(WebhookError):
    """The proof is missing, wrong or too old: answer 401, and believe nothing of it.

    Attributes:
        challenge: the ``WWW-Authenticate`` value that asks for the proof (RFC 9110 section 11.6.1); empty where there
            is no such scheme, as with signatures.
    """

    def __init__(self, message: str, /, *, challenge: str = "") -> None:
        super().__init__(message)
        self.challenge = challenge


class MalformedError(WebhookError):
    """The sender is proven, but the body cannot be read: answer 400."""


class UncheckedError(WebhookError):
    """What the proof is checked with could not be had: answer 503, so that the request is made again."""


class ArchiveError(CustomSmtpError):
    """A copy, an event or a link could not be kept or read back."""


class MailboxError(CustomSmtpError):
    """A mailbox could not be read, or not to its end: what was understood so far is recorded, and the rest is there."""


class ResolveError(CustomSmtpError):
    """The DNS gave no answer: a time-out or a broken server, not an absent record."""


class InsecureTransportWarning(UserWarning):
    """A server was set up so that mail may travel unencrypted."""
