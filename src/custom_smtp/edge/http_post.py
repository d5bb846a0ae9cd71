"""Posts what is forwarded to others, once, with everything bounded: a `ports.Posts`.

No redirect is followed, no body is read, and the whole of it has one time limit. Whoever may name a URL could name one
inside your own network; so it is posted to public addresses alone, unless another ``dial`` is handed in.
"""

import re
import socket
import ssl
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic

from attrs import field, frozen

from ..checks import seconds_up_to
from ..posts import Post, Posted, split_url
from .http import HEAD_LIMIT, Dial
from .public_dial import PublicDial
from .reaching import words_of
from .trust import trusted_by, verifying


@frozen(kw_only=True)
class HttpPosts:
    """A `ports.Posts`: each post on a connection of its own, and a right certificate alone is believed.

    Attributes:
        timeout: for how many seconds a whole post may last, but for the look-up of the name, which lasts as long as
            the system's resolver lets it. Standard Webhooks asks for 15 to 30; Customer.io gave its receivers 4.
        context: whom to trust, if not the system's authorities.
        dial: opens the connection; see `custom_smtp.edge.public_dial.PublicDial`.

    Raises:
        ConfigurationError: the limit cannot be, or the context takes any certificate.
    """

    timeout: float = field(default=15.0, validator=seconds_up_to(60))
    context: ssl.SSLContext | None = field(default=None, validator=verifying)
    dial: Dial = field(factory=PublicDial)

    def post(self, post: Post, /) -> Posted:
        """What came of it. That there was no answer is told, too, and raises nothing."""
        parts = split_url(post.url)
        host, secret = parts.hostname or "", parts.scheme == "https"
        ends = monotonic() + self.timeout
        try:
            with self.dial(host, parts.port or (443 if secret else 80), self.timeout) as plain:
                plain.settimeout(_left(ends))
                if not secret:
                    return _exchanged(plain, post, ends)
                with trusted_by(self.context).wrap_socket(plain, server_hostname=host) as line:
                    return _exchanged(line, post, ends)
        except (OSError, ValueError) as error:  # a name that cannot be looked up is a ValueError too
            return Posted(words=_words(error))


def _exchanged(line: socket.socket, post: Post, ends: float) -> Posted:
    line.settimeout(_left(ends))
    line.sendall(_request(post))
    heard = b""
    while (head := _HEAD.match(heard)) is None:
        if len(heard) > HEAD_LIMIT or not _BEGINNING.match(heard):
            raise ValueError("the answer is no HTTP, or never ends")
        line.settimeout(_left(ends))
        came = line.recv(65_536)
        if not came:
            raise ConnectionError("cut off before the end of the answer's headers")
        heard += came
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (told.partition(":") for told in head["headers"].decode("latin-1").split("\n"))
        if colon
    }
    return Posted(
        status=int(head["status"]), retry_after=_wait(headers.get("retry-after", ""), headers.get("date", ""))
    )


_BEGINNING = re.compile(rb"(?=HTTP/1\.[01] |.{0,8}\Z)", re.DOTALL)
_HEAD = re.compile(
    rb"(?:HTTP/1\.[01] 1\d\d\b[^\n]*\n(?:[^\r\n]+\r?\n)*\r?\n)*"  # RFC 9110 section 15.2: to be passed over
    rb"HTTP/1\.[01] (?P<status>[2-5]\d\d)\b[^\n]*\n(?P<headers>(?:[^\r\n]+\r?\n)*)\r?\n"
)


def _request(post: Post) -> bytes:
    parts = split_url(post.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = (
        ("host", parts.netloc),
        ("user-agent", "custom_smtp"),
        ("content-length", str(len(post.body))),
        ("connection", "close"),
        *post.headers,
    )
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("ascii") + post.body


def _wait(told: str, date: str) -> timedelta | None:
    """A Retry-After: seconds, or a moment that is counted from the answer's own (RFC 9110 section 10.2.3)."""
    if re.fullmatch(r"[0-9]{1,9}", told):
        return timedelta(seconds=int(told))
    until, said = _moment(told), _moment(date)
    return None if until is None or said is None else max(until - said, timedelta(0))


def _moment(told: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(told)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return None if moment.utcoffset() is None else moment


def _left(ends: float) -> float:
    left = ends - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not right: {error.verify_message}"
    return words_of(error)
