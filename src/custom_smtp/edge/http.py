"""Asks a host by HTTPS, through the standard library's client, with everything bounded.

No redirect is followed, no body is read, nothing is sent but the one question, and the whole of it has one time limit,
however slowly an answer drips in.
"""

import re
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

from attrs import Attribute, field, frozen

from ..checks import ConfigurationError
from ..dns_records import dns_name
from ..https_answers import HttpsAnswer, HttpsFailure

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Dial = Callable[[str, int, float], socket.socket]
"""Opens a connection to a host and port, within so many seconds; raises an OSError where there is none."""

HEAD_LIMIT = 65_536
"""Bytes of an answer's status and headers; what says more is no answer."""

_PATH = re.compile(r"/[!-\"$-~]*")


def _some_seconds(_instance: object, attribute: "Attribute[Any]", seconds: float) -> None:
    if not isinstance(seconds, int | float) or not 0 < seconds <= 60:
        raise ConfigurationError(f"{attribute.name} is {seconds!r}: use seconds above 0, up to 60")


def _a_port(_instance: object, _attribute: "Attribute[Any]", port: int) -> None:
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise ConfigurationError(f"{port!r} is no port: use 443, or 1 to 65535")


def _verifying(_instance: object, _attribute: "Attribute[Any]", context: ssl.SSLContext | None) -> None:
    if context is not None and (context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname):
        raise ConfigurationError(
            "this SSLContext takes any certificate: make it with ssl.create_default_context(), "
            "and trust a private authority by its load_verify_locations()"
        )


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

    Where others choose the hosts, hand in a ``dial`` that refuses addresses of your own network.

    Attributes:
        timeout: for how many seconds the whole question and answer may last, but for the look-up of the name, which
            lasts as long as the system's resolver lets it.
        port: where hosts listen.
        context: whom to trust, if not the system's authorities.
        dial: opens the connection, as through a proxy.

    Raises:
        ConfigurationError: a limit cannot be, or the context takes any certificate.
    """

    timeout: float = field(default=10.0, validator=_some_seconds)
    port: int = field(default=443, validator=_a_port)
    context: ssl.SSLContext | None = field(default=None, validator=_verifying)
    dial: Dial = dial

    def ask(self, host: str, path: str = "/", /) -> HttpsAnswer:
        """What the host says to a GET of this path. That there was no answer is told, too.

        Raises:
            ConfigurationError: such a host or path cannot be asked for.
        """
        name = dns_name(host)
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            raise ConfigurationError(f"{path!r} is no path: begin with '/', and percent-encode what is not ASCII")
        ends = monotonic() + self.timeout
        try:
            with self.dial(name, self.port, self.timeout) as plain:
                plain.settimeout(max(ends - monotonic(), _LEAST))
                with self._context().wrap_socket(plain, server_hostname=name) as secret:
                    return _answer(secret, f"GET {path} HTTP/1.1\r\nhost: {name}\r\n{_ASKING}", ends)
        except (OSError, HTTPException, ValueError) as error:
            return HttpsAnswer(failure=_failure(error), words=_words(error))

    def _context(self) -> ssl.SSLContext:
        if self.context is not None:
            return self.context
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


_ASKING = "user-agent: custom_smtp\r\naccept: */*\r\nconnection: close\r\n\r\n"
_LEAST = 0.001  # seconds: a socket takes 0 for "do not wait at all", which is another error


def _answer(secret: ssl.SSLSocket, question: str, ends: float) -> HttpsAnswer:
    shown = secret.getpeercert() or {}
    secret.settimeout(max(ends - monotonic(), _LEAST))
    secret.sendall(question.encode("ascii"))
    response = HTTPResponse(_Bounded(secret, ends))  # type: ignore[arg-type]  # all it takes of a socket is makefile
    try:
        response.begin()
        return HttpsAnswer(
            status=response.status,
            hsts=response.headers.get("strict-transport-security"),  # the first, where there are several
            location=response.headers.get("location", ""),
            certificate_ends=datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC),
        )
    finally:
        response.close()


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
            raise HTTPException(f"over {HEAD_LIMIT} bytes without an end of the headers")
        self._secret.settimeout(left)
        came = self._secret.recv_into(buffer)
        if not came:
            # The standard library would take the headers so far for all of them.
            raise HTTPException("cut off before the end of its headers")
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
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
