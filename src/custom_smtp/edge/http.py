"""Asks a host by HTTPS, or fetches a small file, through the standard library's client, with everything bounded.

No redirect is followed, nothing is sent but the one question, and the whole of it has one time limit, however slowly an
answer drips in.
"""

import re
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from time import monotonic
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import define, field, frozen

from ..checks import ConfigurationError, MailError, a_port, above_zero, seconds_up_to, shown
from ..dns_records import dns_name
from ..errors import UncheckedError
from ..https_answers import HttpsAnswer, HttpsFailure
from .reaching import words_of
from .trust import trusted_by, verifying

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Dial = Callable[[str, int, float], socket.socket]
"""Opens a connection to a host and port, within so many seconds; raises an OSError where there is none."""

HEAD_LIMIT = 65_536
"""Bytes of an answer's status and headers, and of a file with them; what says more is no answer."""

_PATH = re.compile(r"/[!-\"$-~]*")


def dial(host: str, port: int, seconds: float) -> socket.socket:
    """A connection to the first of the host's addresses that takes one; each gets its share of the time.

    Raises:
        OSError: there is none.
    """
    ends = monotonic() + seconds
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = TimeoutError("timed out")
    for turn, (family, kind, protocol, _name, address) in enumerate(found):
        share = (ends - monotonic()) / (len(found) - turn)
        if share <= 0:
            break
        try:
            return _connected(socket.socket(family, kind, protocol), address, share)
        except OSError as error:
            failure = error
    raise failure


def _connected(connection: socket.socket, address: tuple[Any, ...], seconds: float) -> socket.socket:
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


@frozen(kw_only=True)
class HttpsClient:
    """A `ports.HttpsProbe`: it asks as a browser would, and believes a right certificate alone.

    Where others choose the hosts, hand in a ``dial`` that refuses addresses of your own network, such as
    `custom_smtp.edge.public_dial.PublicDial`.

    Attributes:
        timeout: for how many seconds the whole question and answer may last, but for the look-up of the name, which
            lasts as long as the system's resolver lets it.
        port: where hosts listen.
        context: whom to trust, if not the system's authorities.
        dial: opens the connection, as through a proxy.

    Raises:
        ConfigurationError: a limit cannot be, or the context takes any certificate.
    """

    timeout: float = field(default=10.0, validator=seconds_up_to(60))
    port: int = field(default=443, validator=a_port("443, or 1 to 65535"))
    context: ssl.SSLContext | None = field(default=None, validator=verifying)
    dial: Dial = dial

    def ask(self, host: str, path: str = "/", /) -> HttpsAnswer:
        """What the host says to a GET of this path. That there was no answer is told, too.

        Raises:
            ConfigurationError: such a host or path cannot be asked for.
        """
        name = dns_name(host)
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            raise ConfigurationError(f"{path!r} is no path: begin with '/', and percent-encode what is not ASCII")
        try:
            with _answering(self, name, path) as (response, secret):
                return HttpsAnswer(
                    status=response.status,
                    hsts=response.headers.get("strict-transport-security"),  # the first, where there are several
                    location=response.headers.get("location", ""),
                    certificate_ends=_end_of(secret.getpeercert() or {}),
                )
        except (OSError, HTTPException, ValueError) as error:
            return HttpsAnswer(failure=_failure(error), words=_words(error))


@define(eq=False)
class HttpsFiles:
    """Fetches what is found at a URL, such as the certificate that a message of Amazon SNS's is signed with.

    Each is fetched once, and kept: what is fetched so has a new URL when it changes. Whoever waits for it waits for no
    longer than the client's time limit.

    Attributes:
        client: how to ask.
        capacity: how many files are kept; the oldest goes first.

    Raises:
        ConfigurationError: the capacity is none.
    """

    client: HttpsClient = field(factory=HttpsClient)
    capacity: int = field(default=16, kw_only=True, validator=above_zero)
    _kept: "OrderedDict[str, bytes]" = field(factory=OrderedDict, init=False, repr=False)

    def __call__(self, url: str, /) -> bytes:
        """What is found there.

        Raises:
            UncheckedError: nothing, or the host gave no answer.
            ConfigurationError: that is no URL of a file that may be fetched.
        """
        kept = self._kept.get(url)
        if kept is None:
            kept = self._kept[url] = self._fetched(url)
            while len(self._kept) > self.capacity:
                self._kept.popitem(last=False)
        return kept

    def _fetched(self, url: str) -> bytes:
        host, path = _host_and_path(url)
        try:
            with _answering(self.client, host, path) as (response, _):
                status, content = response.status, response.read()
        except (OSError, HTTPException, ValueError) as error:
            raise UncheckedError(f"{host} gave no answer: {_words(error)}") from error
        if status != HTTPStatus.OK:
            raise UncheckedError(f"{host} answered {status} when it was asked for {path}")
        return content


def _host_and_path(url: str) -> tuple[str, str]:
    refused = ConfigurationError(f"{shown(url)} is no URL of a file: write https://, a host and a path")
    try:
        parts = urlsplit(url)
        host, plain = dns_name(parts.netloc), parts.scheme == "https" and not parts.fragment
    except (AttributeError, TypeError, ValueError, MailError) as error:
        raise refused from error
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not plain or not _PATH.fullmatch(path):
        raise refused
    return host, path


_ASKING = "user-agent: custom_smtp\r\naccept: */*\r\nconnection: close\r\n\r\n"
_LEAST = 0.001  # seconds: a socket takes 0 for "do not wait at all", which is another error


@contextmanager
def _answering(client: HttpsClient, host: str, path: str) -> Iterator[tuple[HTTPResponse, ssl.SSLSocket]]:
    """The beginning of an answer, and the line that it comes by."""
    ends = monotonic() + client.timeout
    with client.dial(host, client.port, client.timeout) as plain:
        plain.settimeout(max(ends - monotonic(), _LEAST))
        with trusted_by(client.context).wrap_socket(plain, server_hostname=host) as secret:
            secret.settimeout(max(ends - monotonic(), _LEAST))
            secret.sendall(f"GET {path} HTTP/1.1\r\nhost: {host}\r\n{_ASKING}".encode("ascii"))
            response = HTTPResponse(_Bounded(secret, ends))  # type: ignore[arg-type]  # all it takes is makefile
            try:
                response.begin()
                yield response, secret
            finally:
                response.close()


def _end_of(certificate: Any) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


@frozen
class _Bounded:
    """A socket that is read for so long and so much, and no more."""

    secret: ssl.SSLSocket
    ends: float

    def makefile(self, _mode: str) -> IO[bytes]:
        """What an `HTTPResponse` reads from."""
        return BufferedReader(_Reading(self.secret, self.ends))


class _Reading(RawIOBase):
    def __init__(self, secret: ssl.SSLSocket, ends: float) -> None:
        self._secret = secret
        self._ends = ends
        self._left = HEAD_LIMIT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        left = self._ends - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        if self._left <= 0:
            raise HTTPException(f"over {HEAD_LIMIT} bytes without an end")
        self._secret.settimeout(left)
        came = self._secret.recv_into(buffer)
        if not came:
            # The standard library would take what came so far for all of it.
            raise HTTPException("cut off before its end")
        self._left -= came
        return came


def _failure(error: Exception) -> HttpsFailure:
    """The first kind that fits, from the narrowest on."""
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return HttpsFailure.SILENT  # it is the name server that was
    return next(failure for kind, failure in _FAILURES if isinstance(error, kind))


_FAILURES = (
    (TimeoutError, HttpsFailure.SILENT),
    (ssl.SSLCertVerificationError, HttpsFailure.CERTIFICATE),
    (ssl.SSLError, HttpsFailure.NO_TLS),
    ((HTTPException, ValueError), HttpsFailure.NOT_HTTP),
    (OSError, HttpsFailure.UNREACHABLE),
)


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return words_of(error)
