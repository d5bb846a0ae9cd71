"""Who asked, where proxies of our own stand in front: the address that the first proxy we trust saw.

Anybody can write into ``X-Forwarded-For`` or ``Forwarded`` (RFC 7239); a proxy adds to its right end whom it was asked
by. So the chain is read from the right, for as long as each hop is a proxy of ours, and no further.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network

from attrs import field, frozen

from .checks import ConfigurationError, one_of
from .readers import range_of
from .web import Request


class Header(Enum):
    """Where a proxy writes whom it was asked by. The other header may come from anybody, and is not looked at."""

    X_FORWARDED_FOR = "x-forwarded-for"
    FORWARDED = "forwarded"
    """RFC 7239."""


def _networks(several: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    given: object = several
    if isinstance(given, str):
        raise ConfigurationError(f"Proxies takes several networks: write Proxies(({several!r},))")
    return tuple(map(_network, several))


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no network: write one such as '10.0.0.0/8' or '10.1.2.3'") from error


@frozen
class Proxies:
    """Proxies of our own, which tell the truth about whom they were asked by.

    Leave a door's ``trusted_proxies`` at 0 with these: the door is to hand over the address of whoever asked it.

    Attributes:
        networks: the addresses they have, as ``10.0.0.0/8`` or ``10.1.2.3``.
        header: where they write.

    Raises:
        ConfigurationError: a network is none, or the header no `Header`.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = field(converter=_networks)
    header: Header = field(default=Header.X_FORWARDED_FOR, kw_only=True, validator=one_of(Header))

    def client(self, request: Request) -> str:
        """The address of whoever asked: the right-most hop that is no proxy of ours.

        Empty where one of our proxies did not say, or said something that is no address. Where every hop is ours, it is
        the one furthest away.
        """
        hop = request.client
        if not self._ours(hop):
            return hop
        told = request.headers.get(self.header.value, "")
        hops = _forwarded(told) if self.header is Header.FORWARDED else told.split(",")
        for entry in reversed([*hops] if told.strip() else []):
            hop = _address(entry)
            if not self._ours(hop):
                break
        return hop

    def _ours(self, hop: str) -> bool:
        at = range_of(hop)
        return at is not None and any(
            at.network_address in network for network in self.networks if network.version == at.version
        )


# RFC 7239 section 4: elements separated by commas, in each of them pairs separated by semicolons. One that is cut off,
# or holds anything else, says nothing about whom the proxy was asked by.
_PAIR = re.compile(r'\s*(?P<name>[A-Za-z]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s",;]*))\s*(?P<end>[,;]|$)')


def _forwarded(told: str) -> Iterator[str]:
    """The ``for`` of each element, empty where it has none."""
    hop, at = "", 0
    while at < len(told):
        pair = _PAIR.match(told, at)
        if pair is None:
            yield ""
            return
        if pair["name"].lower() == "for":
            hop = pair["token"] if pair["quoted"] is None else re.sub(r"\\(.)", r"\1", pair["quoted"])
        at = pair.end()
        if pair["end"] != ";":
            yield hop
            hop = ""


_WITH_PORT = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](?::[0-9]+)?|(?P<v4>[0-9.]+):[0-9]+")


def _address(entry: str) -> str:
    """The address in one entry, without its port; nothing for ``unknown`` and other names (RFC 7239 section 6)."""
    hop = entry.strip()
    with_port = _WITH_PORT.fullmatch(hop)
    address = (with_port["v6"] or with_port["v4"]) if with_port else hop
    # Neither a range nor a zone, which is any text at all and means nothing elsewhere (RFC 4007 section 6).
    return address if {"/", "%"}.isdisjoint(address) and range_of(address) is not None else ""
