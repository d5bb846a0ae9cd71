"""The door for mail that comes back: reads a mailbox, records what is understood, and takes away nothing else.

`Maildir` reads a folder on this machine, `ImapMailbox` a mailbox on a server, over TLS alone. Each `take_in` is one
pass: bounded in mails, octets and time, and it may break off anywhere. A mail is deleted, marked or moved only after
everything that it told is in the journal; so what a break leaves is read again, and known by its key. What is not
understood stays as it is: a person may want to read it.

Hand the ``place`` of each pass to the next one. Without it every pass begins at the beginning, and so many mails that
nobody understands would keep it from the others.
"""

import imaplib
import logging
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from itertools import zip_longest
from pathlib import Path
from threading import Timer
from typing import Any, Protocol

from attrs import Attribute, define, field, frozen

from ..bounces import read as read_bounces
from ..checks import CONTROL, ConfigurationError, a_port, above_zero, seconds_up_to, shown
from ..errors import ArchiveError, AuthError, MailboxError
from ..events import Event
from ..ports import Journal
from ..sasl import Exchange, begin
from ..servers import Credentials, OAuthCredentials, Tls
from ..system import new_nonce
from .reaching import words_of
from .trust import trusted_by, verifying

Read = Callable[[bytes], Sequence[Event]]
"""What a mail tells; nothing where it is not understood. To have what carries our signature believed, give
``partial(bounces.read, tokens=tokens)``."""

OCTETS = 1024 * 1024
"""How much of a mail is read: a report stands before the mail that it returns."""

MAILS = 1_000
"""How many mails one pass looks at."""

_OUT_OF_ORDER = 3  # mails in a row that the journal does not take: it is the journal's fault then, not theirs

_logger = logging.getLogger(__name__)


class Afterwards(Enum):
    """What becomes of a mail that was understood and recorded."""

    DELETE = "delete"
    """It is deleted."""
    MARK = "mark"
    """It is marked as seen, and not looked at again."""
    MOVE = "move"
    """It is moved into another folder."""


@frozen(kw_only=True)
class Passed:
    """What one pass over a mailbox came to.

    Attributes:
        looked_at: mails that were read.
        understood: those that told something; all of it is recorded.
        recorded: events that the journal did not know yet.
        left: mails that told nothing, and stay as they are.
        unrecorded: mails that told something that the journal did not take; they stay as well.
        place: where the next pass is to go on; empty when the end was reached.
    """

    looked_at: int = 0
    understood: int = 0
    recorded: int = 0
    left: int = 0
    unrecorded: int = 0
    place: str = ""


def _a_path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _a_target(instance: Any, _attribute: "Attribute[Any]", target: object) -> None:
    if bool(target) is not (instance.afterwards is Afterwards.MOVE):
        raise ConfigurationError("move_to names a folder where afterwards is Afterwards.MOVE, and nothing elsewhere")


# ---- what both do ----------------------------------------------------------------------------------------------------


class _Letters(Protocol):
    """A mailbox that stands open."""

    def take_away(self, name: str) -> None:
        """Do with a mail what is to be done with those that were understood."""
        ...


@define
class _Pass:
    """Counts, and sees to it that a mail is recorded before it is taken away."""

    journal: Journal
    read: Read
    looked_at: int = 0
    understood: int = 0
    recorded: int = 0
    left: int = 0
    unrecorded: int = 0
    _in_a_row: int = 0

    def look_at(self, name: str, content: bytes, mailbox: _Letters) -> None:
        self.looked_at += 1
        told = self.read(content)
        if not told:
            self.left += 1
            return
        try:
            self.recorded += sum([self.journal.record(event) for event in told])
        except ArchiveError as error:
            self._stays(name, error)
            return
        self._in_a_row = 0
        self.understood += 1
        mailbox.take_away(name)

    def _stays(self, name: str, error: ArchiveError) -> None:
        self.unrecorded += 1
        self._in_a_row += 1
        if self._in_a_row >= _OUT_OF_ORDER:
            raise error
        _logger.warning("what the mail %r tells could not be recorded, so it stays: %s", name, error)

    def report(self, place: str) -> Passed:
        return Passed(
            looked_at=self.looked_at,
            understood=self.understood,
            recorded=self.recorded,
            left=self.left,
            unrecorded=self.unrecorded,
            place=place,
        )


# ---- Maildir ---------------------------------------------------------------------------------------------------------


@frozen
class Maildir:
    """A mailbox that is a folder with a file for each mail (https://cr.yp.to/proto/maildir.html).

    Attributes:
        path: the folder that holds ``new`` and ``cur``.
        afterwards: what becomes of a mail that was understood.
        move_to: the Maildir that it is moved to, on the same file system; made where there is none.
        read: what a mail tells.
        mails: how many one pass looks at.
        octets: how much of each is read.

    Raises:
        ConfigurationError: one of them cannot be.
    """

    path: Path = field(converter=Path)
    afterwards: Afterwards = field(default=Afterwards.DELETE, kw_only=True)
    move_to: Path | None = field(default=None, converter=_a_path, validator=_a_target, kw_only=True)
    read: Read = field(default=read_bounces, kw_only=True)
    mails: int = field(default=MAILS, validator=above_zero, kw_only=True)
    octets: int = field(default=OCTETS, validator=above_zero, kw_only=True)

    def take_in(self, journal: Journal, *, place: str = "") -> Passed:
        """Read what is there, record what is understood, and take that away.

        Args:
            journal: where to.
            place: what the pass before reported.

        Raises:
            MailboxError: it is no Maildir, or may not be read or changed.
            ArchiveError: the journal takes nothing any more.
        """
        through = _Pass(journal, self.read)
        with _our_errors(f"the mailbox {self.path}"):
            open_one = _OpenMaildir(self)
            behind = [name for name in open_one.names() if name > place]
            for name in behind[: self.mails]:
                content = open_one.content(name)
                if content is not None:
                    through.look_at(name, content, open_one)
        return through.report(behind[self.mails - 1] if len(behind) > self.mails else "")


@frozen
class _OpenMaildir:
    mailbox: Maildir
    _paths: dict[str, Path] = field(factory=dict, init=False)

    def names(self) -> list[str]:
        """The mails, in their order: a name begins with the time, and keeps up to its flags for ever."""
        for folder in ("new", "cur"):
            for entry in os.scandir(self.mailbox.path / folder):
                name, _, flags = entry.name.partition(":2,")
                if not name.startswith(".") and not self._is_done(flags) and entry.is_file(follow_symlinks=False):
                    self._paths[name] = Path(entry.path)
        return sorted(self._paths)

    def _is_done(self, flags: str) -> bool:
        return "T" in flags or (self.mailbox.afterwards is Afterwards.MARK and "S" in flags)

    def content(self, name: str) -> bytes | None:
        """A mail, up to where it is read; None where another reader took it meanwhile, or it may not be read."""
        try:
            handle = os.open(self._paths[name], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            _logger.warning("the mail %r cannot be read, so it stays: %s", name, error.strerror)
            return None
        with open(handle, "rb") as file:  # noqa: PTH123  # a handle has no path
            return file.read(self.mailbox.octets)

    def take_away(self, name: str) -> None:
        """With a flag it goes into ``cur``, as the form of a Maildir asks."""
        path = self._paths[name]
        with suppress(FileNotFoundError):  # another reader was quicker
            if self.mailbox.afterwards is Afterwards.DELETE:
                path.unlink()
                return
            flags = "".join(sorted({*path.name.partition(":2,")[2], "S"}))
            target = self.mailbox.move_to or self.mailbox.path
            for folder in ("tmp", "new", "cur"):
                (target / folder).mkdir(parents=True, exist_ok=True)
            path.rename(target / "cur" / f"{name}:2,{flags}")


@contextmanager
def _our_errors(mailbox: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MailboxError(f"{mailbox}: {error.strerror or error}") from error


# ---- IMAP ------------------------------------------------------------------------------------------------------------


def _a_host(_instance: object, _attribute: "Attribute[Any]", host: str) -> None:
    if not isinstance(host, str) or not re.fullmatch(r"[A-Za-z0-9._:-]+", host):
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
    could take away what others have marked.

    Attributes:
        host: the server's name.
        credentials: a user name and a password; or a token, for the servers that take no password any more.
        port: where it listens.
        tls: how the line becomes secret.
        folder: the mailbox, as the server lists it.
        afterwards: what becomes of a mail that was understood.
        move_to: the mailbox that it is moved to; it has to be there.
        read: what a mail tells.
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
    move_to: str = field(default="", validator=[_a_folder, _a_target])
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
        through = _Pass(journal, self.read)
        with self._opened() as mailbox:
            found, reached = mailbox.behind(place)
            for uid in found:
                content = mailbox.content(uid)
                if content is not None:
                    through.look_at(uid, content, mailbox)
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
        """What comes now answers another command."""
        self._heard = 0

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
    line = _Line(mailbox, trusted_by(mailbox.context))
    try:
        if mailbox.tls is Tls.STARTTLS:
            if line.state != "NONAUTH":
                raise line.error("it lets us in before the line is secret, so nothing was said")
            line.upgrade()
        _log_in(line, mailbox.credentials)
        yield line
        with suppress(imaplib.IMAP4.error, OSError):  # all is done
            line.logout()
    finally:
        line.let_go()


def _log_in(line: _Line, credentials: Credentials | OAuthCredentials) -> None:
    offered = frozenset(name.removeprefix("AUTH=") for name in line.capabilities if name.startswith("AUTH="))
    if not offered and isinstance(credentials, Credentials) and not credentials.mechanism:
        line.login(_quoted(credentials.username), _plain_ascii(credentials.password))
        return
    name, exchange = begin(credentials, offered, new_nonce())
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
        after = int(uid) if validity == self._validity and uid.isdecimal() else 0
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
        if not all(map(bytes.isdigit, told)):
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
        try:
            kind, told = ask(*arguments)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # What the standard library's parser stumbles over.
            raise self.line.error(f"it says what is no IMAP ({type(error).__name__})") from error
        if kind != "OK":
            words = b" ".join(_words_in(told)).decode("utf-8", "replace")
            raise self.line.error(f"it says {kind}: {words}")
        return told

    def _number(self, told: list[Any]) -> int:
        words = _words_in(told or [])
        if not words or not re.fullmatch(rb"[0-9]{1,10}", words[-1]):
            raise self.line.error("it does not say how many mails there are, or how they are numbered")
        return int(words[-1])


_UID = re.compile(rb"\bUID (\d{1,10})\b", re.IGNORECASE)


def _words_in(told: list[Any]) -> list[bytes]:
    return [words for words in told if isinstance(words, bytes)]
