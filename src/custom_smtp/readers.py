"""Who is at the other end of a tracked link or pixel: a person, a proxy in a person's stead, or a machine.

What is known of programs stands in tables: each row has its source and the month in which that was read. What is not
known for sure is not listed. Proofpoint, Mimecast, Cisco, Symantec and Microsoft's Safe Links are not: no source was
found that says for sure by what name they come, and some were seen under those of common browsers. Only what they do
gives them away (see `custom_smtp.verdicts`).
"""

from collections.abc import Iterable, Mapping
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from attrs import Attribute, field, frozen

from .checks import ConfigurationError
from .web import Request

HASHED = "hashed:"
"""How an address or a User-Agent begins of which only a keyed hash was kept."""


@frozen(kw_only=True)
class Row:
    """What is known of somebody who reads mails.

    Attributes:
        evidence: the name it goes by in an event.
        proxied: it loads pictures in the stead of a person who looks.
        prefetched: it loads pictures whether or not a person looks.
        machine: it follows links that no person followed, and loads pictures likewise.
        source: where this is known from.
        as_of: the month in which the source was read, such as ``2026-11``.
    """

    evidence: str
    proxied: bool = False
    prefetched: bool = False
    machine: bool = False
    source: str
    as_of: str


@frozen(kw_only=True)
class Agent(Row):
    """A program known by its User-Agent: by the whole of it, by its beginning, or by a part of it.

    Attributes:
        whole: the complete User-Agent, or
        begins: what it begins with, or
        part: what stands in it.

    Raises:
        ConfigurationError: none of the three is told, or more than one.
    """

    whole: str = ""
    begins: str = ""
    part: str = ""

    def __attrs_post_init__(self) -> None:
        if sum(map(bool, (self.whole, self.begins, self.part))) != 1:
            raise ConfigurationError(f"the program {self.evidence!r} is known by one of whole=, begins= and part=")

    def made(self, user_agent: str) -> bool:
        """Whether it made a request with this User-Agent."""
        if self.part:
            return self.part in user_agent
        return user_agent.startswith(self.begins) if self.begins else user_agent == self.whole


def _ranges(several: Iterable[str]) -> tuple[str, ...]:
    return tuple(several)


def _are_ranges(_instance: object, _attribute: "Attribute[Any]", several: tuple[str, ...]) -> None:
    for text in several:
        try:
            ip_network(text)
        except ValueError as error:
            raise ConfigurationError(f"{text!r} is no range of addresses: write one such as '192.0.2.0/24'") from error


@frozen(kw_only=True)
class Network(Row):
    """Somebody known by the addresses their requests come from.

    Attributes:
        ranges: in CIDR notation, such as ``192.0.2.0/24``.

    Raises:
        ConfigurationError: a range is none.
    """

    ranges: tuple[str, ...] = field(converter=_ranges, validator=_are_ranges)


_AS_OF = "2026-11"
_CRAWLERS = "https://github.com/monperrus/crawler-user-agents (release 1.67.0)"
_PREVIEWS = "https://webmasterid.com/user-agents/social-preview-bot-user-agents"

_machine = partial(Agent, machine=True, as_of=_AS_OF)

AGENTS = (
    # Proxies of mailbox providers, and programs that load a mail's pictures by themselves.
    Agent(
        evidence="GoogleImageProxy",
        part="GoogleImageProxy",
        proxied=True,
        source="https://github.com/browscap/browscap/issues/1108",
        as_of=_AS_OF,
    ),
    Agent(
        evidence="YahooMailProxy",
        part="YahooMailProxy",
        proxied=True,
        source="https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        as_of=_AS_OF,
    ),
    Agent(
        evidence="Apple Mail Privacy Protection",
        whole="Mozilla/5.0",
        prefetched=True,
        source="https://support.clickdimensions.com/hc/en-us/articles/15707875851917-Introduction-to-Adjusted-Opens",
        as_of=_AS_OF,
    ),
    # Scanners that say who they are.
    Agent(
        evidence="Gmail-content-sampling",
        part="Gmail-content-sampling",
        prefetched=True,
        machine=True,
        source="https://github.com/mssola/user_agent/issues/71",
        as_of=_AS_OF,
    ),
    _machine(
        evidence="Barracuda Sentinel",
        part="Barracuda Sentinel",
        source="https://github.com/JayBizzle/Crawler-Detect/issues/552",
    ),
    _machine(
        evidence="Google-Safety",
        part="Google-Safety",
        source="https://developers.google.com/search/docs/crawling-indexing/overview-google-crawlers",
    ),
    _machine(evidence="VirusTotal", part="virustotalcloud", source=_CRAWLERS),
    _machine(evidence="CloudflareRadarURLScanner", part="CloudflareRadarURLScanner", source=_CRAWLERS),
    # Previews of links that somebody passed on: of the page's title, before anybody looks at the page.
    _machine(evidence="facebookexternalhit", part="facebookexternalhit", source=_PREVIEWS),
    _machine(evidence="Twitterbot", begins="Twitterbot", source=_PREVIEWS),
    _machine(evidence="LinkedInBot", part="LinkedInBot", source=_PREVIEWS),
    _machine(evidence="Discordbot", part="Discordbot", source=_PREVIEWS),
    _machine(
        evidence="Slackbot",
        begins="Slackbot",
        source="https://netspinnr.com/blog/arcane-tech-stuff-working-with-large-csvs-in-sqlite/",
    ),
    _machine(evidence="WhatsApp", begins="WhatsApp/", source="https://opengraphplus.com/consumers/whatsapp/crawling"),
    _machine(evidence="TelegramBot", begins="TelegramBot", source=_CRAWLERS),
    _machine(evidence="SkypeUriPreview", part="SkypeUriPreview", source=_CRAWLERS),
    _machine(evidence="MicrosoftPreview", part="MicrosoftPreview/", source=_CRAWLERS),
    _machine(evidence="BingPreview", part="BingPreview/", source=_CRAWLERS),
    _machine(evidence="Mattermost-Bot", part="Mattermost-Bot/", source=_CRAWLERS),
    _machine(evidence="SnapURLPreview", part="SnapURLPreview/", source=_CRAWLERS),
    _machine(evidence="Iframely", begins="Iframely/", source=_CRAWLERS),
    _machine(evidence="Embedly", part="Embedly", source=_CRAWLERS),
    _machine(evidence="redditbot", part="redditbot/", source=_CRAWLERS),
    # Search engines, where a link was put on a page.
    _machine(evidence="Googlebot", part="Googlebot/", source=_CRAWLERS),
    _machine(evidence="bingbot", part="bingbot/", source=_CRAWLERS),
    # Tools, and browsers that show nothing to anybody. Libraries with which apps for people load pictures, such as
    # okhttp and CFNetwork, are no sign of a machine.
    _machine(evidence="HeadlessChrome", part="HeadlessChrome/", source=_CRAWLERS),
    _machine(evidence="PhantomJS", part="PhantomJS/", source=_CRAWLERS),
    _machine(evidence="curl", begins="curl/", source=_CRAWLERS),
    _machine(evidence="Wget", begins="Wget/", source=_CRAWLERS),
    _machine(evidence="python-requests", begins="python-requests/", source=_CRAWLERS),
    _machine(evidence="Python-urllib", begins="Python-urllib/", source=_CRAWLERS),
    _machine(evidence="python-httpx", begins="python-httpx/", source=_CRAWLERS),
    _machine(evidence="aiohttp", part="aiohttp/", source=_CRAWLERS),
    _machine(evidence="Go-http-client", begins="Go-http-client/", source=_CRAWLERS),
    _machine(evidence="node-fetch", begins="node-fetch/", source=_CRAWLERS),
    _machine(evidence="axios", begins="axios/", source=_CRAWLERS),
    _machine(evidence="libwww-perl", part="libwww-perl/", source=_CRAWLERS),
    _machine(evidence="Scrapy", begins="Scrapy/", source=_CRAWLERS),
)
"""Programs that are not what they seem."""

NETWORKS: tuple[Network, ...] = ()
"""Addresses known to be a proxy's or a scanner's: none, since a list that is not renewed each week is soon wrong.

Bring your own, as ``Tables(networks=...)``. Lists are published by Google for its proxies and fetchers
(https://developers.google.com/crawling/docs/crawlers-fetchers/google-user-triggered-fetchers) and by Apple for Private
Relay (https://developer.apple.com/support/prepare-your-network-for-icloud-private-relay/), behind which people click.
"""

_MOST_SEEN = 1024

RETIRED: frozenset[str] = frozenset()
"""Names of rows that were taken out of the tables: what rested on them alone is judged as if they had never been."""


@frozen
class Tables:
    """What is known of programs and of networks.

    Attributes:
        agents: programs, by User-Agent.
        networks: proxies and scanners, by address; any number of ranges.
        agent_names: by which an event's evidence names a program, now or formerly.
        network_names: by which it names a network.
    """

    agents: tuple[Agent, ...] = AGENTS
    networks: tuple[Network, ...] = NETWORKS
    agent_names: frozenset[str] = field(init=False, repr=False, eq=False)
    network_names: frozenset[str] = field(init=False, repr=False, eq=False)
    _wholes: frozenset[str] = field(init=False, repr=False, eq=False)
    _begins: tuple[str, ...] = field(init=False, repr=False, eq=False)
    _parts: tuple[str, ...] = field(init=False, repr=False, eq=False)
    _by_range: Mapping[tuple[int, int], Mapping[int, Network]] = field(init=False, repr=False, eq=False)
    _seen: dict[str, tuple[Agent, ...]] = field(init=False, repr=False, eq=False, factory=dict)

    @agent_names.default
    def _all_agent_names(self) -> frozenset[str]:
        return frozenset(agent.evidence for agent in self.agents) | RETIRED

    @network_names.default
    def _all_network_names(self) -> frozenset[str]:
        return frozenset(network.evidence for network in self.networks)

    @_wholes.default
    def _all_wholes(self) -> frozenset[str]:
        return frozenset(agent.whole for agent in self.agents if agent.whole)

    @_begins.default
    def _all_begins(self) -> tuple[str, ...]:
        return tuple(agent.begins for agent in self.agents if agent.begins)

    @_parts.default
    def _all_parts(self) -> tuple[str, ...]:
        return tuple(agent.part for agent in self.agents if agent.part)

    @_by_range.default
    def _all_ranges(self) -> Mapping[tuple[int, int], Mapping[int, Network]]:
        found: dict[tuple[int, int], dict[int, Network]] = {}
        for network in self.networks:
            for text in network.ranges:
                at = ip_network(text)
                found.setdefault((at.version, at.prefixlen), {})[int(at.network_address)] = network
        return found

    def rows(self, user_agent: str, client: str) -> tuple[Row, ...]:
        """What is known of whoever came with this User-Agent from this address (or from this range of addresses)."""
        agents = self._seen.get(user_agent)
        if agents is None:
            # Readers are many, the programs that they read with are few.
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            agents = self._seen[user_agent] = self._agents(user_agent)
        return agents + self._networks(client) if self.networks else agents

    def _agents(self, user_agent: str) -> tuple[Agent, ...]:
        # Most are not known, which is much faster to see for all programs at once.
        known = user_agent and (
            user_agent.startswith(self._begins)
            or user_agent in self._wholes
            or any(part in user_agent for part in self._parts)
        )
        return tuple(agent for agent in self.agents if agent.made(user_agent)) if known else ()

    def _networks(self, client: str) -> tuple[Network, ...]:
        at = range_of(client)
        if at is None:
            return ()
        first, most = int(at.network_address), at.max_prefixlen
        return tuple(
            rows[start]
            for (version, length), rows in sorted(self._by_range.items())
            if version == at.version and length <= at.prefixlen
            if (start := first >> (most - length) << (most - length)) in rows
        )


TABLES = Tables()
"""What this version knows."""


def range_of(client: str) -> IPv4Network | IPv6Network | None:
    """The addresses that a text stands for: one, or a range; None where it is neither.

    An IPv4 address written as IPv6 (``::ffff:192.0.2.1``, RFC 4291 section 2.5.5.2) is the IPv4 address it is.
    """
    try:
        at = ip_network(client, strict=False)
    except ValueError:
        return None
    if isinstance(at, IPv4Network) or at.prefixlen < at.max_prefixlen:
        return at
    mapped = at.network_address.ipv4_mapped
    return at if mapped is None else IPv4Network(mapped)


PREFETCH_HEADERS = ("Sec-Purpose", "Purpose", "X-Moz")
"""Headers whose value ``prefetch`` says that nobody has asked for the page yet.

The first is the Fetch standard's (https://fetch.spec.whatwg.org/#sec-purpose-header), the second was Chrome's, and the
third Firefox's (https://developer.mozilla.org/en-US/docs/Web/HTTP/Headers/Sec-Purpose).
"""

_LONGEST_FACT = 512


@frozen(kw_only=True, slots=False)  # `of` fills it at once
class Facts:
    """What one request says about whoever made it.

    Attributes:
        user_agent: what it calls itself.
        client: the address it came from.
        signs: what in the request says that no person waits for the answer.
    """

    user_agent: str
    client: str
    signs: tuple[str, ...]

    @classmethod
    def of(cls, request: Request, client: str | None = None) -> "Facts":
        """What this request says; the address can be told apart, where it was a proxy of ours that asked."""
        facts = cls.__new__(cls)
        held = facts.__dict__
        held["user_agent"] = _fact(request.headers.get("user-agent", ""))
        held["client"] = _fact(request.client if client is None else client)
        held["signs"] = _signs(request)
        return facts


HEAD = "HEAD"
"""The sign of a request that asks for nothing but the headers."""


def _signs(request: Request) -> tuple[str, ...]:
    asked = (HEAD,) if request.method == "HEAD" else ()
    headers = request.headers
    if _PREFETCH.isdisjoint(headers):
        return asked
    return asked + tuple(
        f"{name}: prefetch" for name in PREFETCH_HEADERS if headers.get(name.lower(), "").lower().startswith("prefetch")
    )


_PREFETCH = frozenset(name.lower() for name in PREFETCH_HEADERS)


def _fact(text: str) -> str:
    """Text from outside, short enough to keep, and such that any journal can write it."""
    short = text[:_LONGEST_FACT]
    return short if short.isascii() else short.encode("utf-8", "replace").decode()
