"""The DNS, asked through dnspython."""

import ipaddress
from collections.abc import Iterable
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.resolver
from attrs import Attribute, field, frozen

from ..checks import a_port
from ..dns_records import RecordKind, ValidatedAnswer, dns_name, known_kind
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


def _some_seconds(seconds: float) -> float:
    # A converter, since the resolver is made of it before any validator is asked.
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
    port: int = field(default=53, validator=a_port("53, or 1 to 65535"))
    timeout: float = field(default=5.0, converter=_some_seconds)
    _resolver: dns.resolver.Resolver = field(init=False, repr=False, eq=False)

    @_resolver.default
    def _configured(self) -> dns.resolver.Resolver:
        return _resolver_of(self.nameservers, self.port, self.timeout)

    def lookup(self, name: str, kind: RecordKind, /) -> list[str]:
        """The records' values in a zone file's form; none if there are none.

        Of a CNAME, its own target is told. Any other kind is looked for behind it.

        Raises:
            ResolveError: there was no answer within the time, or only broken ones.
            ConfigurationError: no such record can be anywhere.
        """
        return _asked(self._resolver, name, kind, self.timeout)[0]


@frozen(kw_only=True)
class DnsValidatingResolver:
    """A `ports.ValidatingResolver`: believes what name servers of yours say of signatures (DNSSEC).

    It checks no signature itself and takes their word, the AD bit (RFC 4035 section 3.2.3). So they must be resolvers
    that validate, such as Unbound, that you trust, and nobody may be able to answer in their place: let one run on this
    machine, or reach it by a line that is protected otherwise. For the same reason they are named here, and never taken
    from the system's configuration, which whoever runs the network may write.

    Attributes:
        nameservers: their IP addresses, such as ``["127.0.0.1"]``.
        port: where they listen.
        timeout: for how many seconds a whole lookup may last, all servers and tries together.

    Raises:
        ConfigurationError: such a resolver cannot be; the message says what to write.
    """

    nameservers: tuple[str, ...] = field(converter=_ip_addresses)
    port: int = field(default=53, validator=a_port("53, or 1 to 65535"))
    timeout: float = field(default=5.0, converter=_some_seconds)
    _resolver: dns.resolver.Resolver = field(init=False, repr=False, eq=False)

    @nameservers.validator
    def _some(self, _attribute: "Attribute[Any]", nameservers: tuple[str, ...]) -> None:
        if not nameservers:
            raise ConfigurationError("name the resolver whose word shall count: nameservers=['127.0.0.1']")

    @_resolver.default
    def _asking_for_proof(self) -> dns.resolver.Resolver:
        resolver = _resolver_of(self.nameservers, self.port, self.timeout)
        resolver.flags = dns.flags.RD | dns.flags.AD  # RFC 6840 section 5.7: a question with AD asks for it in return
        return resolver

    def lookup_validated(self, name: str, kind: RecordKind, /) -> ValidatedAnswer:
        """The records' values in a zone file's form, and whether they, or their absence, are said to be proven.

        Raises:
            ResolveError: there was no answer within the time, or its signatures are wrong, which looks alike.
            ConfigurationError: no such record can be anywhere.
        """
        values, response = _asked(self._resolver, name, kind, self.timeout)
        return ValidatedAnswer(tuple(values), authentic=bool(response.flags & dns.flags.AD))


def _resolver_of(nameservers: tuple[str, ...], port: int, timeout: float) -> dns.resolver.Resolver:
    try:
        resolver = dns.resolver.Resolver(configure=not nameservers)
    except dns.exception.DNSException as error:
        raise ConfigurationError("this machine names no DNS server: give nameservers=['192.0.2.53']") from error
    if nameservers:
        resolver.nameservers = list(nameservers)
    resolver.port = port
    # Each server gets its turn within the time, and one that lost a datagram another.
    resolver.timeout = min(resolver.timeout, timeout / (len(resolver.nameservers) + 1))
    return resolver


def _asked(
    resolver: dns.resolver.Resolver, name: str, kind: RecordKind, timeout: float
) -> tuple[list[str], dns.message.Message]:
    """The values, and the message that told them, or that there are none."""
    asked, kind = dns_name(name), known_kind(kind)
    try:
        answer = resolver.resolve(f"{asked}.", kind, lifetime=timeout, search=False, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN as absent:
        [response] = absent.kwargs["responses"].values()
        return [], response
    except (dns.exception.DNSException, OSError) as error:
        raise ResolveError(f"no answer about {asked} {kind}: {error}") from error
    return [] if answer.rrset is None else [record.to_text() for record in answer.rrset], answer.response
