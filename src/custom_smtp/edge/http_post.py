"""Posts what is forwarded to others, once, with everything bounded: a `ports.Posts`.

No redirect is followed, no body is read, and the whole of it has one time limit. Whoever may name a URL could name one
inside your own network; so addresses that are not public are refused, after the name was looked up and for the very
connection that is used, unless they are allowed by name of their network.
"""

import re
import socket
import ssl
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from time import monotonic

from attrs import field, frozen

from ..checks import ConfigurationError, seconds_up_to, shown
from ..posts import Post, Posted, split_url
from .http import HEAD_LIMIT, Dial, dial
from .reaching import words_of
from .trust import trusted_by, verifying

_Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address


def _networks(several: Iterable[str]) -> tuple[_Network, ...]:
    if isinstance(several, str):
        raise ConfigurationError(f"allowed takes several networks: write allowed=({several!r},)")
    return tuple(map(_network, several))


def _network(text: str) -> _Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{shown(text)} is no network: write one such as '10.0.0.0/8' or '10.1.2.3'"
        ) from error


@frozen
class PublicDial:
    """A `Dial` that reaches addresses of the public internet alone: the others are refused, whatever name they have.

    Attributes:
        allowed: networks that are reached too, such as ``10.1.2.0/24``.

    Raises:
        ConfigurationError: a network is none.
    """

    allowed: tuple[_Network, ...] = field(default=(), converter=_networks)

    def __call__(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection to the first of the host's addresses that may be reached and takes one.

        Raises:
            OSError: there is none.
        """
        ends = monotonic() + seconds
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        reachable = [address for address in addresses if self.reaches(address)]
        failure: OSError = PermissionError(f"{host} has no public address: allow its network, if you mean it")
        for turn, address in enumerate(reachable):
            share = (ends - monotonic()) / (len(reachable) - turn)
            if share <= 0:
                raise TimeoutError("timed out")
            try:
                return dial(address, port, share)
            except OSError as error:
                failure = error
        raise failure

    def reaches(self, address: str) -> bool:
        """Whether this address may be reached."""
        try:
            told = ip_address(address)
        except ValueError:
            return False
        inner = _inner(told)
        return any(told in network or inner in network for network in self.allowed) or (
            _is_public(told) and _is_public(inner)
        )


_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 section 2.1
_WITHIN = tuple(
    map(
        ip_network,
        (
            "::/96",  # RFC 4291 section 2.5.5.1: an IPv4 address, deprecated
            "64:ff9b:1::/48",  # RFC 8215: a network's own translation
            "2001::/32",  # RFC 4380: a tunnel to a host behind a router
            "2002::/16",  # RFC 3056: a tunnel to an IPv4 address
            "fec0::/10",  # RFC 3879: one site's own
            "192.0.0.0/24",  # RFC 6890: for protocols
        ),
    )
)
"""What Python's `ipaddress` takes for global, and what may lead into one's own network."""


def _inner(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address stands for; any other is itself."""
    if not isinstance(address, IPv6Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def _is_public(address: _Address) -> bool:
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None  # then its inner one counts
    return mapped or (
        address.is_global and not address.is_multicast and not any(address in network for network in _WITHIN)
    )


@frozen(kw_only=True)
class HttpPosts:
    """A `ports.Posts`: each post on a connection of its own, and a right certificate alone is believed.

    Attributes:
        timeout: for how many seconds a whole post may last, but for the look-up of the name, which lasts as long as
            the system's resolver lets it. Standard Webhooks asks for 15 to 30; Customer.io gave its receivers 4.
        context: whom to trust, if not the system's authorities.
        dial: opens the connection; see `PublicDial`.

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
