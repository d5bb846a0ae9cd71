"""A mailbox that is a folder on this machine."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path

from attrs import field, frozen

from ..bounces import read as read_bounces
from ..checks import above_zero
from ..errors import MailboxError
from ..ports import Journal
from ._mailbox_pass import MAILS, OCTETS, Afterwards, Pass, Passed, Read, a_target

_logger = logging.getLogger("custom_smtp.edge.mailboxes")


def _a_path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


@frozen
class Maildir:
    """A mailbox that is a folder with a file for each mail (https://cr.yp.to/proto/maildir.html).

    Attributes:
        path: the folder that holds ``new`` and ``cur``.
        afterwards: what becomes of a mail that was understood.
        move_to: the Maildir that it is moved to, on the same file system; made where there is none.
        read: what a mail tells; give ``partial(bounces.read, tokens=tokens)``, and what carries our signature is
            believed.
        mails: how many one pass looks at.
        octets: how much of each is read.

    Raises:
        ConfigurationError: one of them cannot be.
    """

    path: Path = field(converter=Path)
    afterwards: Afterwards = field(default=Afterwards.DELETE, kw_only=True)
    move_to: Path | None = field(default=None, converter=_a_path, validator=a_target, kw_only=True)
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
        through = Pass(journal, self.read)
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
            with open(self._paths[name], "rb", opener=_a_file_alone) as file:
                return file.read(self.mailbox.octets)
        except FileNotFoundError:
            return None
        except OSError as error:
            _logger.warning("the mail %r cannot be read, so it stays: %s", name, error.strerror)
            return None

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
            path.rename(_free(target / "cur", name, flags, path))


def _a_file_alone(path: str, flags: int) -> int:
    """Opens it, if nobody put a link there meanwhile; and waits for nobody to write into it."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _free(folder: Path, name: str, flags: str, own: Path) -> Path:
    """Where a mail may stand in that folder: a rename would write over another mail of that name."""
    names = chain([name], (f"{name}_{number}" for number in count(1)))
    paths = (folder / f"{each}:2,{flags}" for each in names)
    return next(path for path in paths if path == own or not os.path.lexists(path))


@contextmanager
def _our_errors(mailbox: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MailboxError(f"{mailbox}: {error.strerror or error}") from error
