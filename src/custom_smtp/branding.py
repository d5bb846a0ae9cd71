"""Which host the links of a mail lead over: its own domain's where that is proven to be ours, else the default one.

A domain's host of links is used while its MX and its CNAME are both right, and, for https links, while it answers by
HTTPS (`custom_smtp.domains.verify` and `custom_smtp.https_report.verify_https` find out). Links already sent need
nothing of this: what they carry is a token, and an endpoint answers it under every name that leads there.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from attrs import Attribute, field, frozen

from .checks import ConfigurationError, MailError, one_of
from .dns_records import dns_name
from .domains import DomainReport, Finding, SendingDomain
from .https_report import HttpsReport
from .link_rules import LinkRule
from .urls import location


@frozen
class LinkReport:
    """What was last found of a domain, as far as its links go.

    Attributes:
        records: what its DNS says.
        https: what its host of links says; None where nobody asked, so that links by https do not lead over it.
    """

    records: DomainReport
    https: HttpsReport | None = None

    def why_not(self, scheme: str) -> str:
        """Why links of this scheme (``http`` or ``https``) must not lead over the host; empty where they may."""
        if not self.records.links_verified:
            wrong = [each for each in self.records.checks if each.record.kind in _PROOF and each.finding is not _OK]
            return "; ".join(each.advice for each in wrong) or "its MX and its CNAME were not both looked up"
        if self.https is not None:
            return self.https.why_not(scheme)
        return "nobody asked whether it answers by https: use verify_https" if scheme == "https" else ""

    def after(self, earlier: "LinkReport | None") -> "LinkReport":
        """What is known now: this, but for what a DNS or a host that gave no answer had said before.

        So one look-up that was lost does not move the links of a domain to another host.
        """
        if earlier is None:
            return self
        known = {each.record: each for each in earlier.records.checks}
        checks = [
            known.get(each.record, each) if each.finding is Finding.UNKNOWN else each for each in self.records.checks
        ]
        unheard = self.https is None or self.https.https is Finding.UNKNOWN
        return LinkReport(DomainReport(checks), (earlier.https or self.https) if unheard else self.https)


_PROOF = ("MX", "CNAME")
_OK = Finding.OK

Latest = Callable[[str], LinkReport | None]
"""The last report on a domain, by its name; None where there is none. A dict's ``get`` is one."""


class Otherwise(Enum):
    """What becomes of a mail whose domain may not lead its links."""

    DEFAULT = "default"
    """They lead over the base URLs that the `Tracker` and the `Unsubscribe` were given."""
    REFUSE = "refuse"
    """It is not sent."""


def _by_name(domains: Iterable[SendingDomain] | Mapping[str, SendingDomain]) -> Mapping[str, SendingDomain]:
    if isinstance(domains, str | SendingDomain) or not isinstance(domains, Iterable):
        raise ConfigurationError("domains takes several: write LinkDomains(domains=[SendingDomain(...)], ...)")
    found: dict[str, SendingDomain] = {}
    for one in domains.values() if isinstance(domains, Mapping) else domains:
        if not isinstance(one, SendingDomain):
            raise ConfigurationError(f"domains holds {one!r}: give SendingDomain values")
        if one.name in found:
            raise ConfigurationError(f"{one.name} stands twice in domains: leave one")
        found[one.name] = one
    return found


def _hosts(hosts: Iterable[str]) -> tuple[str, ...]:
    if isinstance(hosts, str) or not isinstance(hosts, Iterable):
        raise ConfigurationError(f"former_hosts is {hosts!r}, not several: write ['links.former.example']")
    return tuple(map(dns_name, hosts))


def _a_callable(_instance: object, attribute: "Attribute[Any]", latest: Latest) -> None:
    if not callable(latest):
        raise ConfigurationError(f"{attribute.name} is {latest!r}: give what says the last report, such as reports.get")


@frozen(kw_only=True)
class LinkDomains:
    """Chooses the host of a mail's links by its From domain. Scheme and path stay those of the default base URL.

    Attributes:
        domains: the sending domains, each with its host of links.
        latest: says what was last found of one. Look anew every few hours, and whenever its owner asks.
        otherwise: what becomes of mail from a domain that is not among them, or not as it must be.
        former_hosts: hosts that links already sent lead over, such as those of before a rename. Let them go on leading
            to the endpoint, for as long as those mails may be read; new links never lead over them.

    Raises:
        ConfigurationError: a domain stands twice, or a part is of another kind.
    """

    domains: Mapping[str, SendingDomain] = field(converter=_by_name, hash=False)
    latest: Latest = field(validator=_a_callable)
    otherwise: Otherwise = field(default=Otherwise.DEFAULT, validator=one_of(Otherwise))
    former_hosts: tuple[str, ...] = field(default=(), converter=_hosts)

    def base_url(self, default: str, domain: str) -> str:
        """The base URL for mail from this domain: the default one, or the same on the domain's own host.

        Raises:
            MailError: its own host may not be used, and `Otherwise.REFUSE` was chosen.
        """
        scheme, path = _scheme_and_path(default)
        why_not = self.why_not(domain, scheme)
        if not why_not:
            return f"{scheme}://{self.domains[domain].link_host}{path}"
        if self.otherwise is Otherwise.DEFAULT:
            return default
        raise MailError(f"the links of {domain} have no host to lead over: {why_not}")

    def rules(self, default: str) -> tuple[LinkRule, ...]:
        """The rules by which a tracker knows links that are ours already, whichever of these hosts they lead over."""
        _scheme, path = _scheme_and_path(default)
        ours = {one.link_host for one in self.domains.values()} | set(self.former_hosts)
        host = default.partition("://")[2].partition("/")[0].partition(":")[0]
        if not host.startswith("["):  # an address in brackets is no name, and a rule is about names
            ours.add(f"{host}{path}/*" if path else host)
        return tuple(map(LinkRule, sorted(ours)))

    def why_not(self, domain: str, scheme: str = "https") -> str:
        """Why the domain's own host is not used; empty where it is."""
        known = self.domains.get(domain)
        if known is None:
            return f"{domain} is not among the domains of LinkDomains"
        report = self.latest(domain)
        if report is None:
            return f"{domain} was not looked up yet: use verify, and verify_https"
        why_not = report.why_not(scheme)
        if not why_not and not _is_of(report, known):
            return f"what was looked up is not what {domain} needs now: use verify again"
        return why_not


def _is_of(report: LinkReport, domain: SendingDomain) -> bool:
    """Whether the report is on these hosts: those of before a rename prove nothing of the new ones."""
    looked_up = {(each.record.kind, each.record.name) for each in report.records.checks}
    asked = report.https is None or report.https.host == domain.link_host
    return asked and looked_up >= {("MX", domain.mail_host), ("CNAME", domain.link_host)}


def _scheme_and_path(base_url: str) -> tuple[str, str]:
    if location(base_url) is None:
        raise ConfigurationError("the default base URL is none: write one such as 'https://links.example/t'")
    scheme, _, rest = base_url.partition("://")
    _host, slash, path = rest.partition("/")
    return scheme.lower(), slash + path
