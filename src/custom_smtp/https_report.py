"""Whether a host of tracked links answers by HTTPS, and what browsers were told about it (HSTS, RFC 6797).

Who asks is handed in, as `custom_smtp.edge.http.HttpsClient`; here is what the answers mean.
"""

import re

from attrs import frozen

from .checks import shown
from .domains import Finding, SendingDomain
from .https_answers import HttpsAnswer, HttpsFailure
from .ports import HttpsProbe

_LONGEST_AGE = 10**12
"""Seconds; more says no more."""

_MOST_DIGITS = len(str(_LONGEST_AGE))


@frozen
class Hsts:
    """What a Strict-Transport-Security header says: for how long a host is to be asked by HTTPS alone.

    Attributes:
        max_age: for how many seconds; 0 takes back what was said before.
        include_sub_domains: whether it holds for every host below, too.
    """

    max_age: int
    include_sub_domains: bool = False

    @classmethod
    def read(cls, header: str) -> "Hsts | None":
        """What the header says; None where browsers must pass over it (RFC 6797 section 6.1)."""
        directives = _directives(header)
        if directives is None or not _DIGITS.fullmatch(age := directives.get("max-age") or ""):
            return None
        digits = age.lstrip("0")[:_MOST_DIGITS] or "0"  # all the digits that may be sent would take int() its time
        return cls(min(int(digits), _LONGEST_AGE), "includesubdomains" in directives)


_DIGITS = re.compile(r"[0-9]+")
_DIRECTIVE = re.compile(
    r"""[ \t]*+(?:(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]++)
    (?:[ \t]*+=[ \t]*+(?:(?P<token>[!#$%&'*+.^_`|~0-9A-Za-z-]++)|"(?P<quoted>(?:[^"\\]|\\.)*)"))?)?[ \t]*+(?:;|\Z)""",
    re.VERBOSE,
)


def _directives(header: str) -> dict[str, str | None] | None:
    """Each directive's value by its lower-case name; None where the header breaks the grammar or says one twice."""
    found: dict[str, str | None] = {}
    at = 0
    while at < len(header):
        directive = _DIRECTIVE.match(header, at)
        if directive is None:
            return None
        at = directive.end()
        if directive["name"] is None:
            continue
        name = directive["name"].lower()
        if name in found:
            return None
        found[name] = directive["token"] if directive["quoted"] is None else directive["quoted"]
    return found


@frozen(kw_only=True)
class HttpsReport:
    """What was found of a host of links.

    Attributes:
        host: which.
        https: whether it answers by HTTPS, itself, with a right certificate.
        advice: what its owner should do for that; empty where all is well.
        hsts: whether browsers are told to ask it by HTTPS alone. Links work without, but may be followed in clear.
        policy: what they are told; None where it is nothing that counts.
        forced_by: the domain above whose own policy makes browsers ask this host by HTTPS alone; empty where there is
            none.
        answer: what the host said.
    """

    host: str
    https: Finding
    advice: str = ""
    hsts: Finding
    policy: Hsts | None
    forced_by: str = ""
    answer: HttpsAnswer

    def why_not(self, scheme: str) -> str:
        """Why links of this scheme (``http`` or ``https``) must not lead over the host; empty where they may."""
        if self.https is Finding.OK:
            return ""
        if scheme == "https":
            return self.advice
        if self.forced_by:
            return f"{self.forced_by} makes browsers ask it by https alone (HSTS), where {self.advice}"
        return ""


def verify_https(domain: SendingDomain, probe: HttpsProbe, *, path: str = "/") -> HttpsReport:
    """Ask a domain's host of links by HTTPS, and say what is to do.

    The domain itself is asked too, where the host is below it: a policy with ``includeSubDomains`` there holds here.

    Args:
        domain: whose ``link_host`` to ask.
        probe: who asks.
        path: what to ask for, such as the path of your base URL. Any answer but a redirect, a 421 and a failure of the
            server is well, so it need not lead anywhere.
    """
    host = domain.link_host
    answer = probe.ask(host, path)
    https, advice = _judged(host, answer)
    policy = Hsts.read(answer.hsts) if answer.hsts is not None else None
    return HttpsReport(
        host=host,
        https=https,
        advice=advice,
        hsts=_judged_policy(answer, policy),
        policy=policy,
        forced_by=_forced_by(domain, probe),
        answer=answer,
    )


_FINDING_OF = {
    HttpsFailure.UNREACHABLE: Finding.MISSING,
    HttpsFailure.SILENT: Finding.UNKNOWN,
    HttpsFailure.NO_TLS: Finding.WRONG,
    HttpsFailure.CERTIFICATE: Finding.WRONG,
    HttpsFailure.NOT_HTTP: Finding.WRONG,
}

_ADVICE_FOR = {
    HttpsFailure.UNREACHABLE: "nobody answers https://{host}: let a server listen there on port 443",
    HttpsFailure.SILENT: "https://{host} gave no answer in time: ask again later",
    HttpsFailure.NO_TLS: "https://{host} speaks no TLS of today: let it speak TLS 1.2 or 1.3",
    HttpsFailure.CERTIFICATE: "https://{host} shows a wrong certificate: get one for this name, with its whole chain",
    HttpsFailure.NOT_HTTP: "https://{host} answers what is no HTTP: let a web server listen there",
}


def _judged(host: str, answer: HttpsAnswer) -> tuple[Finding, str]:
    if answer.failure is not None:
        words = f" ({answer.words})" if answer.words else ""
        return _FINDING_OF[answer.failure], _ADVICE_FOR[answer.failure].format(host=host) + words
    status = answer.status or 0
    if 300 <= status <= 399:
        return Finding.WRONG, (
            f"https://{host} leads on to {shown(answer.location)}: let it answer itself, since an unsubscription that "
            "is redirected is lost (RFC 8058 section 3.1)"
        )
    if status == 421:
        return Finding.WRONG, f"the server at https://{host} does not know this name (421): add it to its settings"
    if status < 200 or status >= 500:
        return Finding.WRONG, f"the server at https://{host} fails ({status}): look into its log"
    return Finding.OK, ""


def _judged_policy(answer: HttpsAnswer, policy: Hsts | None) -> Finding:
    if answer.failure is not None:
        return Finding.UNKNOWN
    if answer.hsts is None:
        return Finding.MISSING
    return Finding.OK if policy is not None and policy.max_age > 0 else Finding.WRONG


def _forced_by(domain: SendingDomain, probe: HttpsProbe) -> str:
    if not domain.link_host.endswith(f".{domain.name}"):
        return ""
    told = probe.ask(domain.name, "/").hsts
    policy = Hsts.read(told) if told is not None else None
    return domain.name if policy is not None and policy.max_age > 0 and policy.include_sub_domains else ""
