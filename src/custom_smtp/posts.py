"""Reports that we post to somebody's URL, as values: what is posted, what came of it, and what is still owed."""

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

from attrs import Attribute, field, frozen

from .checks import CONTROL, ConfigurationError, aware, shown

_URL = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(?:/[!$-;=@-~]*)?(?:\?[!$-;=?-~]*)?")


def split_url(url: str) -> SplitResult:
    """The parts of a URL that can be posted to.

    Raises:
        ConfigurationError: it is no such URL; the message says what to write.
    """
    if not isinstance(url, str) or not _URL.fullmatch(url):
        raise ConfigurationError(
            f"{shown(url)} cannot be posted to: write 'https://host/path' in ASCII, without user name and fragment"
        )
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ConfigurationError(f"{shown(url)} names no host or port: {error}") from error
    if not usable:
        raise ConfigurationError(f"{shown(url)} names no host or port: write 'https://host/path'")
    return parts


def _a_url(_instance: object, _attribute: "Attribute[Any]", url: str) -> None:
    split_url(url)


def _sendable(_instance: object, _attribute: "Attribute[Any]", headers: tuple[tuple[str, str], ...]) -> None:
    for name, value in headers:
        if not re.fullmatch(r"[a-z0-9-]+", name) or not value.isascii() or CONTROL.search(value):
            raise ConfigurationError(f"{shown(name)}: {shown(value)} is no header: write both in one line of ASCII")


@frozen(kw_only=True)
class Post:
    """One POST, whole: sent as it is, or not at all, since its body is signed.

    Attributes:
        url: where to.
        headers: with names in lower case.
        body: byte for byte.

    Raises:
        ConfigurationError: it could not be sent, or would be read as something else.
    """

    url: str = field(validator=_a_url)
    headers: tuple[tuple[str, str], ...] = field(default=(), validator=_sendable, repr=False)
    body: bytes = field(default=b"", repr=lambda body: f"<{len(body)} bytes>")


@frozen(kw_only=True)
class Posted:
    """What came of a POST.

    Attributes:
        status: of the answer; None where there was none.
        words: why there was none, in the words of whoever met it.
        retry_after: for how long the receiver asked to be left alone (RFC 9110 section 10.2.3); None where it did not.
    """

    status: int | None = None
    words: str = ""
    retry_after: timedelta | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has it now: it answered 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def unwanted(self) -> bool:
        """Whether the receiver wants nothing any more: it answered 410."""
        return self.status == 410


@frozen
class OwedPost:
    """An event that a destination is still to be told of.

    Attributes:
        place: of the event, among all arrivals.
        attempts: how often it was tried.
        due: when it may be tried next; None once it was tried often enough, and waits for somebody to say "again".
    """

    place: int
    attempts: int = 0
    due: datetime | None = field(default=None, validator=aware)


@frozen(kw_only=True)
class Health:
    """How a destination is doing.

    Attributes:
        failures: how many posts in a row it did not take.
        rests_until: it is left alone until then; None where it is not.
        stopped: it said that it wants nothing any more.
    """

    failures: int = 0
    rests_until: datetime | None = field(default=None, validator=aware)
    stopped: bool = False

    def well_at(self, moment: datetime) -> bool:
        """Whether it may be posted to then."""
        return not self.stopped and (self.rests_until is None or self.rests_until <= moment)


@frozen(kw_only=True)
class Standing:
    """How far a destination is.

    Attributes:
        reached: the place of the last arrival that was looked at for it.
        owed: how many events it is still to be told of, and will be.
        given_up: how many were tried often enough, and wait for somebody to say "again".
        health: how it is doing.
    """

    reached: int = 0
    owed: int = 0
    given_up: int = 0
    health: Health = Health()
