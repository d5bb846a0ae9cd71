"""The DNS, asked through dnspython."""

import ipaddress
from collections.abc import Iterable
from typing import Any

import dns.exception
import dns.resolver
from attrs import Attribute, field, frozen

from ..dns_records import RecordKind, dns_name, known_kind
from ..errors import ConfigurationError, ResolveError


def _ip_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    if isinstance(addresses, str):
        raise ConfigurationError(f"nameservers is one text: write [{addresses!r}]")
    several = tuple(addresses)
    for address in several:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise ConfigurationError(
                f"{address!r} is no name server: write its IP address, such as '192.0.2.53'"
            ) from error
    return several


def _a_port(_instance: object, _attribute: "Attribute[Any]", port: int) -> None:
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise ConfigurationError(f"{port!r} is no port: use 53, or 1 to 65535")


def _some_seconds(seconds: float) -> float:
    if not isinstance(seconds, int | float) or not 0 < seconds <= 60:
        raise ConfigurationError(f"timeout is {seconds!r}: use seconds above 0, up to 60")
    return seconds


@frozen(kw_only=True)
class DnsResolver:
    """A `ports.Resolver`: asks the name servers this machine asks, or those that are named.

    Attributes:
        nameservers: their IP addresses; none to ask those of the system's configuration.
        port: where they listen.
        timeout: for how many seconds a whole lookup may last, all servers and tries together.

    Raises:
        ConfigurationError: such a resolver cannot be; the message says what to write.
    """

    nameservers: tuple[str, ...] = field(default=(), converter=_ip_addresses)
    port: int = field(default=53, validator=_a_port)
    timeout: float = field(default=5.0, converter=_some_seconds)
    _resolver: dns.resolver.Resolver = field(init=False, repr=False, eq=False)

    @_resolver.default
    def _configured(self) -> dns.resolver.Resolver:
        try:
            resolver = dns.resolver.Resolver(configure=not self.nameservers)
        except dns.exception.DNSException as error:
            raise ConfigurationError("this machine names no DNS server: give nameservers=['192.0.2.53']") from error
        if self.nameservers:
            resolver.nameservers = list(self.nameservers)
        resolver.port = self.port
        # Each server gets its turn within the time, and one that lost a datagram another.
        resolver.timeout = min(resolver.timeout, self.timeout / (len(resolver.nameservers) + 1))
        return resolver

    def lookup(self, name: str, kind: RecordKind, /) -> list[str]:
        """The records' values in a zone file's form; none if there are none.

        Of a CNAME, its own target is told. Any other kind is looked for behind it.

        Raises:
            ResolveError: there was no answer within the time, or only broken ones.
            ConfigurationError: no such record can be anywhere.
        """
        asked, kind = dns_name(name), known_kind(kind)
        try:
            answer = self._resolver.resolve(
                f"{asked}.", kind, lifetime=self.timeout, search=False, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise ResolveError(f"no answer about {asked} {kind}: {error}") from error
        return [] if answer.rrset is None else [record.to_text() for record in answer.rrset]
