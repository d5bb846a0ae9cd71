"""The addresses we send from, published so that others may let them in, and never changed without notice."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations
from typing import Any

from attrs import Attribute, evolve, field, frozen

from .errors import ConfigurationError
from .ports import Clock
from .system import utc_now
from .web import Answer, Request, Response

Network = IPv4Network | IPv6Network

NOTICE = timedelta(days=7)
"""How long before it takes effect any change is told."""

_REGION = re.compile(r"[a-z0-9]{1,32}(?:-[a-z0-9]{1,32}){0,3}")


def _network(network: Network | str) -> Network:
    if isinstance(network, Network):
        return network
    try:
        return ip_network(network)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{network!r} is no network: write one such as '192.0.2.7/32'") from error


def _a_region(_instance: object, _attribute: "Attribute[Any]", region: str) -> None:
    if not isinstance(region, str) or not _REGION.fullmatch(region):
        raise ConfigurationError(f"{region!r} is no region: write a short name in lower case, such as 'eu'")


def _in_utc(moment: datetime) -> datetime:
    # Two moments of one zone would be told apart by the wall clock, and seven days may last 167 hours by that.
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise ConfigurationError(f"{moment!r} is no moment with a time zone: use datetime(2026, 1, 1, tzinfo=UTC)")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ConfigurationError(f"{moment!r} is too far away: use a moment between the years 1 and 9999") from error


def _in_utc_or_none(moment: datetime | None) -> datetime | None:
    return None if moment is None else _in_utc(moment)


@frozen
class Egress:
    """A network that we send from, and when.

    Attributes:
        network: its addresses; one alone is a /32 or /128. Text such as ``192.0.2.7/32`` will do.
        region: whose mail goes out from there: a short name in lower case, such as ``eu``.
        since: the first moment it may be used.
        until: the first moment it is not used any more; None for no end.

    Raises:
        ConfigurationError: one of them cannot be; the message says what to write.
    """

    network: Network = field(converter=_network)
    region: str = field(validator=_a_region)
    since: datetime = field(converter=_in_utc)
    until: datetime | None = field(default=None, converter=_in_utc_or_none)

    def __attrs_post_init__(self) -> None:
        if self.until is not None and self.until <= self.since:
            raise ConfigurationError(f"{self.network} ends at {self.until}, before it begins: use a later until")

    def holds_at(self, moment: datetime) -> bool:
        """Whether it is in use at the moment."""
        return self.since <= _in_utc(moment) and not self.ended_by(moment)

    def ended_by(self, moment: datetime) -> bool:
        """Whether it is not used any more."""
        return self.until is not None and self.until <= _in_utc(moment)


def _entries(entries: Iterable[Egress]) -> tuple[Egress, ...]:
    return tuple(entries)


def _apart(_instance: object, _attribute: "Attribute[Any]", entries: tuple[Egress, ...]) -> None:
    for entry in entries:
        if not isinstance(entry, Egress):
            raise ConfigurationError(f"the plan holds {entry!r}: give it Egress values")
    for one, other in combinations(entries, 2):
        at_once = not one.ended_by(other.since) and not other.ended_by(one.since)
        if at_once and one.network.overlaps(other.network):
            raise ConfigurationError(
                f"{one.network} ({one.region}) and {other.network} ({other.region}) overlap: name each address once"
            )


@frozen
class EgressPlan:
    """Every network that we send from, have told of, or used before.

    Attributes:
        entries: in the order they shall be shown.

    Raises:
        ConfigurationError: two entries hold an address at the same time.
    """

    entries: tuple[Egress, ...] = field(default=(), converter=_entries, validator=_apart)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions named in the plan."""
        return tuple(dict.fromkeys(entry.region for entry in self.entries))

    def adding(self, egress: Egress, /, *, announced_at: datetime) -> "EgressPlan":
        """The plan with one network more, told of at ``announced_at``.

        Raises:
            ConfigurationError: that is less than 7 days before it begins, or its addresses are in use.
        """
        _with_notice(f"adding {egress.network}", egress.since, announced_at)
        return EgressPlan((*self.entries, egress))

    def removing(self, network: Network | str, /, *, until: datetime, announced_at: datetime) -> "EgressPlan":
        """The plan with an end to one network, told of at ``announced_at``.

        Raises:
            ConfigurationError: that is less than 7 days before its end, or the plan has no such network at that time.
        """
        network = _network(network)
        _with_notice(f"removing {network}", until, announced_at)
        # What ends by itself at or before that moment is not removed then, and an end told of is not put off.
        found = [entry for entry in self.entries if entry.network == network and entry.holds_at(until)]
        if not found:
            raise ConfigurationError(
                f"{network} is not in use at {until}: name a network of the plan, as it stands there, and a moment "
                "between its beginning and its end"
            )
        return EgressPlan(tuple(evolve(entry, until=until) if entry in found else entry for entry in self.entries))

    def at(self, moment: datetime, region: str | None = None) -> list[Network]:
        """The networks in use at the moment, of one region or of all.

        Raises:
            ConfigurationError: the plan does not name the region.
        """
        return [entry.network for entry in self.of(region) if entry.holds_at(moment)]

    def announced(self, moment: datetime, region: str | None = None) -> list[Egress]:
        """What is going to change after the moment, the next change first: networks that begin or end.

        Raises:
            ConfigurationError: the plan does not name the region.
        """
        coming = [(change, entry) for entry in self.of(region) if (change := _next_change(entry, moment)) is not None]
        return [entry for _, entry in sorted(coming, key=_when)]

    def of(self, region: str | None) -> tuple[Egress, ...]:
        """The entries of one region, or of all.

        Raises:
            ConfigurationError: the plan does not name the region. (An empty answer would close a firewall.)
        """
        if region is None:
            return self.entries
        if region not in self.regions:
            raise ConfigurationError(f"the plan names no such region: use one of {', '.join(self.regions)}")
        return tuple(entry for entry in self.entries if entry.region == region)


def _with_notice(change: str, at: datetime, announced_at: datetime) -> None:
    at, announced_at = _in_utc(at), _in_utc(announced_at)
    if at - announced_at < NOTICE:
        raise ConfigurationError(
            f"{change} needs {NOTICE.days} days' notice, so that others can let it in or out: "
            f"{at} is {at - announced_at} after {announced_at}; choose a later moment"
        )


def _next_change(entry: Egress, moment: datetime) -> datetime | None:
    if entry.since > _in_utc(moment):
        return entry.since
    return None if entry.ended_by(moment) else entry.until


def _when(coming: tuple[datetime, Egress]) -> datetime:
    return coming[0]


_HEADERS = (("content-type", "application/json"), ("x-content-type-options", "nosniff"))
_KEPT = ("cache-control", "public, max-age=300")  # seconds: against a notice of days, five minutes are nothing
_NOT_KEPT = ("cache-control", "no-store")


@frozen(kw_only=True)
class EgressEndpoint:
    """Publishes a plan.

    ``/info/ip_addresses`` is what is in use now, as one flat list of text: a network of one address without its
    ``/32``. ``/info/egress`` tells regions and times too, and the changes to come. Both take ``?region=``.

    Attributes:
        plan: what to publish.
        clock: says what is now, where a request does not say when it came.
    """

    plan: EgressPlan
    clock: Clock = utc_now

    def answer(self, request: Request, /) -> Answer:
        """Answer with JSON: the document, or why there is none."""
        return Answer(self._response(request))

    def _response(self, request: Request) -> Response:
        documents = {"/info/ip_addresses": self._addresses, "/info/egress": self._changes}
        if request.path not in documents:
            return _refusal(404, f"nothing here; there is {' and '.join(documents)}")
        if request.method not in ("GET", "HEAD"):
            return _refusal(405, "use GET", ("allow", "GET, HEAD"))
        region = request.query.get("region")
        if region is not None and region not in self.plan.regions:
            return _refusal(400, f"no such region; use one of {', '.join(self.plan.regions)}")
        now = request.received_at or self.clock()
        return Response(200, (*_HEADERS, _KEPT), _json(documents[request.path](now, region)))

    def _addresses(self, now: datetime, region: str | None) -> dict[str, object]:
        return {"ip_addresses": [_shortest(network) for network in self.plan.at(now, region)]}

    def _changes(self, now: datetime, region: str | None) -> dict[str, object]:
        return {
            "now": [_told(entry) for entry in self.plan.of(region) if entry.holds_at(now)],
            "announced": [_told(entry) for entry in self.plan.announced(now, region)],
        }


def _refusal(status: int, why: str, *headers: tuple[str, str]) -> Response:
    return Response(status, (*_HEADERS, _NOT_KEPT, *headers), _json({"error": why}))


def _json(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode()


def _shortest(network: Network) -> str:
    return str(network.network_address if network.num_addresses == 1 else network)


def _told(entry: Egress) -> dict[str, object]:
    return {
        "network": str(entry.network),
        "region": entry.region,
        "since": entry.since.isoformat(),
        "until": None if entry.until is None else entry.until.isoformat(),
    }


_READ_IN = datetime(2026, 11, 1, tzinfo=UTC)
_US = (
    "35.188.196.183 104.198.177.219 104.154.232.87 130.211.229.195 104.198.221.24 "
    "104.197.27.15 35.194.9.154 104.154.144.51 104.197.210.12 35.225.6.73"
)
_EU = "34.76.143.229 34.78.91.47 34.77.94.252 35.187.188.242 34.78.122.90 35.195.137.235"

EXAMPLE_PLAN_2026_11 = EgressPlan(
    Egress(network, region, since=_READ_IN)
    for region, networks in (("us", _US), ("eu", _EU))
    for network in networks.split()
)
"""An example, never a default: the addresses that one hosted service (Customer.io) named for custom SMTP servers.

Source: customer.io/docs/use-your-smtp-server, as gathered in November 2026. The page does not say since when each
address is used, so ``since`` is the month of reading and no more. Other copies of the page list four, six and ten
addresses for the EU: do not let anybody in by this list.
"""
