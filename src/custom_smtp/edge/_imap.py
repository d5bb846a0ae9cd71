"""A mailbox on a server, read by IMAP through the standard library's client, with everything bounded."""

import imaplib
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import zip_longest
from threading import Timer
from typing import Any

from attrs import Attribute, define, field, frozen

from ..bounces import read as read_bounces
from ..checks import CONTROL, ConfigurationError, a_port, above_zero, seconds_up_to, shown
from ..errors import ArchiveError, AuthError, MailboxError
from ..ports import Journal
from ..sasl import Exchange, begin
from ..servers import Credentials, OAuthCredentials, Tls
from ..system import new_nonce
from ._mailbox_pass import MAILS, OCTETS, Afterwards, Pass, Passed, Read, a_target
from .reaching import words_of
from .trust import trusted_by, verifying

_HOST = re.compile(r"(?:[A-Za-z0-9_:-]{1,63}\.)*[A-Za-z0-9_:-]{1,63}\.?")  # RFC 1035 section 2.3.4: labels, and IPv6


def _a_host(_instance: object, _attribute: "Attribute[Any]", host: str) -> None:
    if not isinstance(host, str) or not _HOST.fullmatch(host):
        raise ConfigurationError(f"{shown(host)} is no host: write its name in ASCII")


def _a_secret_line(_instance: object, _attribute: "Attribute[Any]", tls: Tls) -> None:
    if tls not in (Tls.IMPLICIT, Tls.STARTTLS):
        raise ConfigurationError(f"{tls!r} would send a password in clear: use Tls.IMPLICIT or Tls.STARTTLS")


def _a_folder(_instance: object, attribute: "Attribute[Any]", folder: str) -> None:
    if not isinstance(folder, str) or not folder.isascii() or CONTROL.search(folder):
        raise ConfigurationError(
            f"{attribute.name} is {shown(folder)}: write it as the server lists it, in ASCII (RFC 3501 section 5.1.3)"
        )


def _a_login(_instance: object, _attribute: "Attribute[Any]", login: object) -> None:
    if not isinstance(login, Credentials | OAuthCredentials):
        raise ConfigurationError(
            "credentials are a user name and a password, or a token: Credentials, OAuthCredentials"
        )


@frozen(kw_only=True)
class ImapMailbox:
    """A mailbox on a server, read by IMAP (RFC 3501) over TLS; nothing is said in clear, not even who we are.

    Mails are told apart by their UID, so that others may read and delete beside us. With ``Afterwards.DELETE`` a server
    without UIDPLUS (RFC 4315) keeps what was deleted, as marked so, until somebody expunges it: an EXPUNGE of ours
    could take away what others have marked. A line that breaks may leave some so on any server.

    Attributes:
        host: the server's name.
        credentials: a user name and a password; or a token, for the servers that take no password any more.
        port: where it listens.
        tls: how the line becomes secret.
        folder: the mailbox, as the server lists it.
        afterwards: what becomes of a mail that was understood.
        move_to: the mailbox that it is moved to; it has to be there.
        read: what a mail tells; give ``partial(bounces.read, tokens=tokens)``, and what carries our signature is
            believed.
        mails: how many one pass looks at.
        octets: how much of each is read.
        timeout: for how many seconds to wait for any answer.
        limit: for how many seconds a whole pass may last.
        context: whom to trust, if not the system's authorities.

    Raises:
        ConfigurationError: one of them cannot be; the message says what to write.
    """

    host: str = field(validator=_a_host)
    credentials: Credentials | OAuthCredentials = field(validator=_a_login)
    port: int = field(default=993, validator=a_port("993 with implicit TLS, 143 with STARTTLS"))
    tls: Tls = field(default=Tls.IMPLICIT, validator=_a_secret_line)
    folder: str = field(default="INBOX", validator=_a_folder)
    afterwards: Afterwards = Afterwards.DELETE
    move_to: str = field(default="", validator=[_a_folder, a_target])
    read: Read = read_bounces
    mails: int = field(default=MAILS, validator=above_zero)
    octets: int = field(default=OCTETS, validator=above_zero)
    timeout: float = field(default=30.0, validator=seconds_up_to(3600))
    limit: float = field(default=600.0, validator=seconds_up_to(3600))
    context: ssl.SSLContext | None = field(default=None, validator=verifying)

    def take_in(self, journal: Journal, *, place: str = "") -> Passed:
        """Read what is there, record what is understood, and take that away.

        Args:
            journal: where to.
            place: what the pass before reported. Where the server has numbered its mails anew since, it counts for
                nothing.

        Raises:
            MailboxError: the server cannot be reached, does not let us in, says what is no IMAP, or too much of it.
            ArchiveError: the journal takes nothing any more.
        """
        through = Pass(journal, self.read)
        with self._opened() as mailbox:
            found, reached = mailbox.behind(place)
            try:
                for uid in found:
                    content = mailbox.content(uid)
                    if content is not None:
                        through.look_at(uid, content, mailbox)
            except ArchiveError:
                mailbox.finish()  # what was recorded before need not lie there for ever
                raise
            mailbox.finish()
        return through.report(reached)

    @contextmanager
    def _opened(self) -> Iterator["_OpenImap"]:
        where = f"the mailbox of {self.host}:{self.port}"
        try:
            with _line_to(self) as line:
                yield _OpenImap(self, line)
        except (imaplib.IMAP4.error, OSError, EOFError, AuthError) as error:
            raise MailboxError(f"{where}: {_words(error)}") from error


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not right, so nothing was said: {error.verify_message}"
    return shown(words_of(error))


_ROOM = 4 * 1024 * 1024  # octets, for what a server says beside a mail
_AT_ONCE = 20_000  # mails that one SEARCH looks through: their numbers stay within a line of imaplib's
_LAST_UID = 2**32 - 1
_TOGETHER = 50  # mails that one EXPUNGE takes away


class _Line(imaplib.IMAP4):
    """The standard library's client, that hears only so much after each command, and ends when its time is over."""

    def __init__(self, mailbox: ImapMailbox, context: ssl.SSLContext) -> None:
        self._context = context
        self._implicit = mailbox.tls is Tls.IMPLICIT
        self._most = mailbox.octets + _ROOM
        self._heard = 0
        self._held: socket.socket | None = None
        self._ends = Timer(mailbox.limit, self._cut)
        self._ends.daemon = True
        self._ends.start()
        try:
            super().__init__(mailbox.host, mailbox.port, timeout=mailbox.timeout)
        except BaseException:
            self.let_go()
            raise

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout)
        self._held = plain
        if self._implicit:
            # Its handshake comes later, so that it can be cut as well.
            secret = self._context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
            self._held = secret
            secret.do_handshake()
        return self._held

    def hears(self) -> None:
        """What comes now answers another command; what nobody asked for before is forgotten."""
        self._heard = 0
        self.untagged_responses = {}

    def read(self, size: int) -> bytes:
        """So many octets, unless they are too many: a server says itself how many it sends."""
        self._count(size)
        return super().read(size)

    def readline(self) -> bytes:
        """A line."""
        line = super().readline()
        self._count(len(line))
        return line

    def upgrade(self) -> None:
        """Make the line secret."""
        self.starttls(self._context)
        self._held = self.sock

    def let_go(self) -> None:
        """Close the line, whatever state it is in."""
        self._ends.cancel()
        held, self._held = self._held, None
        if held is not None:
            with suppress(OSError, AttributeError):  # it may be closed, or not have been opened whole
                self.shutdown()
            held.close()

    def _count(self, octets: int) -> None:
        self._heard += octets
        if self._heard > self._most:
            raise self.abort(f"it says more than {self._most} octets to one command")

    def _cut(self) -> None:
        held = self._held
        if held is not None:
            with suppress(OSError):
                # Not the TLS socket's own, which would go on in clear.
                socket.socket.shutdown(held, socket.SHUT_RDWR)


@contextmanager
def _line_to(mailbox: ImapMailbox) -> Iterator[_Line]:
    """A line that is secret before we say who we are, and that we are let in by."""
    with _imap_alone():
        line = _Line(mailbox, trusted_by(mailbox.context))
    try:
        if mailbox.tls is Tls.STARTTLS:
            if line.state != "NONAUTH":
                raise line.error("it lets us in before the line is secret, so nothing was said")
            with _imap_alone():
                line.upgrade()
        _log_in(line, mailbox.credentials)
        yield line
        with suppress(imaplib.IMAP4.error, OSError), _imap_alone():  # all is done
            line.logout()
    finally:
        line.let_go()


@contextmanager
def _imap_alone() -> Iterator[None]:
    """What the standard library's parser stumbles over is an error of the server's."""
    try:
        yield
    except OSError:  # a certificate's error is a ValueError too
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise imaplib.IMAP4.error(f"it says what is no IMAP ({type(error).__name__})") from error


def _log_in(line: _Line, credentials: Credentials | OAuthCredentials) -> None:
    offered = frozenset(name.removeprefix("AUTH=") for name in line.capabilities if name.startswith("AUTH="))
    if not offered and isinstance(credentials, Credentials) and not credentials.mechanism:
        name, password = _quoted(credentials.username), _plain_ascii(credentials.password)
        with _imap_alone():
            line.login(name, password)
        return
    name, exchange = begin(credentials, offered, new_nonce())
    with _imap_alone():
        line.authenticate(name, _answers(exchange))
    if not exchange.complete:
        raise AuthError("the server let us in without its proof, so it may be another")


def _answers(exchange: Exchange) -> Callable[[bytes], bytes]:
    """What is said to each challenge; IMAP asks for what an exchange would say unasked by an empty one."""
    unasked = [exchange.initial]

    def answer(challenge: bytes) -> bytes:
        first = unasked.pop() if unasked else None
        return exchange.respond(challenge) if first is None else first

    return answer


def _plain_ascii(word: str) -> str:
    if not word.isascii() or CONTROL.search(word):
        raise ConfigurationError("the server takes user names and passwords in ASCII alone (RFC 3501 section 9)")
    return word


def _quoted(word: str) -> str:
    escaped = _plain_ascii(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@define
class _OpenImap:
    mailbox: ImapMailbox
    line: _Line
    _validity: str = ""
    _there: int = 0
    _can: frozenset[str] = frozenset()
    _gone: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        # Asked anew: many a server offers more to whom it knows.
        self._can = frozenset(b" ".join(_words_in(self._ask(self.line.capability))).decode("latin-1").upper().split())
        there = self._ask(self.line.select, _quoted(self.mailbox.folder))
        self._there = self._number(there)
        self._validity = str(self._number(self.line.response("UIDVALIDITY")[1]))

    def behind(self, place: str) -> tuple[list[str], str]:
        """The mails of this pass, and where the next one goes on."""
        validity, _, uid = place.partition(":")
        after = int(uid) if validity == self._validity and re.fullmatch("[0-9]{1,10}", uid) else 0
        wanted = ["UNDELETED", *(["UNSEEN"] if self.mailbox.afterwards is Afterwards.MARK else [])]
        found: list[int] = []
        for first in range(1, self._there + 1, _AT_ONCE):
            window = f"{first}:{min(first + _AT_ONCE - 1, self._there)}"
            if after < _LAST_UID:
                found += self._search(window, "UID", f"{after + 1}:{_LAST_UID}", *wanted)
            if len(found) > self.mailbox.mails:
                break
        found = sorted({uid for uid in found if uid > after})
        some = found[: self.mailbox.mails]
        return list(map(str, some)), f"{self._validity}:{some[-1]}" if len(found) > len(some) else ""

    def _search(self, *criteria: str) -> list[int]:
        told = b" ".join(_words_in(self._ask(self.line.uid, "SEARCH", *criteria))).split()
        if not all(map(_A_NUMBER.fullmatch, told)):
            raise self.line.error("it finds mails without a number")
        return [int(uid) for uid in told]

    def content(self, uid: str) -> bytes | None:
        """A mail, up to where it is read; None where it is not there any more."""
        told = self._ask(self.line.uid, "FETCH", uid, f"(BODY.PEEK[]<0.{self.mailbox.octets}>)")
        for part, after in zip_longest(told, told[1:], fillvalue=b""):
            if not isinstance(part, tuple) or b"BODY[]" not in part[0].upper():
                continue
            named = _UID.search(part[0]) or (_UID.search(after) if isinstance(after, bytes) else None)
            if named is not None and int(named[1]) == int(uid):
                return bytes(part[1])[: self.mailbox.octets]
        return None

    def take_away(self, name: str) -> None:
        """Do with a mail what is to be done with those that were understood."""
        if self.mailbox.afterwards is Afterwards.MOVE:
            target = _quoted(self.mailbox.move_to)
            if "MOVE" in self._can:
                self._ask(self.line.uid, "MOVE", name, target)
                return
            self._ask(self.line.uid, "COPY", name, target)
        flag = r"(\Seen)" if self.mailbox.afterwards is Afterwards.MARK else r"(\Deleted)"
        self._ask(self.line.uid, "STORE", name, "+FLAGS.SILENT", flag)
        if self.mailbox.afterwards is not Afterwards.MARK:
            self._gone.append(name)
            if len(self._gone) >= _TOGETHER:
                self.finish()

    def finish(self) -> None:
        """Let the server forget what is marked as deleted: of that ours alone."""
        gone, self._gone = self._gone, []
        if gone and "UIDPLUS" in self._can:
            self._ask(self.line.uid, "EXPUNGE", ",".join(gone))

    def _ask(self, ask: Callable[..., tuple[str, list[Any]]], *arguments: str) -> list[Any]:
        """What the server says to a command that it obeys."""
        self.line.hears()
        with _imap_alone():
            kind, told = ask(*arguments)
        if kind != "OK":
            words = b" ".join(_words_in(told)).decode("utf-8", "replace")
            raise self.line.error(f"it says {kind}: {words}")
        return told

    def _number(self, told: list[Any]) -> int:
        words = _words_in(told or [])
        if not words or not _A_NUMBER.fullmatch(words[-1]):
            raise self.line.error("it does not say how many mails there are, or how they are numbered")
        return int(words[-1])


_A_NUMBER = re.compile(rb"[0-9]{1,10}")  # RFC 3501 section 9: of 32 bits
_UID = re.compile(rb"\bUID (\d{1,10})\b", re.IGNORECASE)


def _words_in(told: list[Any]) -> list[bytes]:
    return [words for words in told if isinstance(words, bytes)]
