"""A way to a host that keeps out of your own network, whoever names the URL.

Addresses that are not public are refused after the name was looked up, and for the very connection that is used, unless
they are allowed by name of their network. A check of the URL, or of a look-up before it, would not do: a name may lead
elsewhere the second time.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from time import monotonic

from attrs import field, frozen

from ..checks import ConfigurationError, shown
from .http import dial

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
    """A `custom_smtp.edge.http.Dial` that reaches public addresses alone: others are refused, whatever name they have.

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
_UNICAST = IPv6Network("2000::/3")  # IANA's registry of the IPv6 address space: none is assigned to anybody beyond
_WITHIN = tuple(
    map(
        ip_network,
        (
            "2001::/32",  # RFC 4380: a tunnel to a host behind a router
            "2002::/16",  # RFC 3056: a tunnel to an IPv4 address
            "3fff::/20",  # RFC 9637: for documentation
            "192.0.0.0/24",  # RFC 6890: for protocols
            "192.88.99.0/24",  # RFC 7526: the nearest end of such a tunnel
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
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None or address in _NAT64:
            return True  # its inner one counts
        if address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _WITHIN)
