"""Which DNS records a sending domain needs, and whether they are there.

Records are read as the standards read them, not compared as text: SPF by its terms (RFC 7208), DKIM and DMARC by their
tags (RFC 6376, RFC 7489), hosts without regard to case and the last dot. Whether a given mail passes SPF is another
question, and not asked here.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from attrs import Attribute, field, frozen

from .addresses import ascii_domain
from .checks import CONTROL, MailError, shown
from .dns_records import Record, dns_name, txt_text
from .errors import ConfigurationError, ResolveError
from .ports import Resolver
from .spf import MOST_LOOKUPS, SpfRecord, is_domain_spec
from .tag_lists import listed, read_key, read_tags, solid


class Finding(Enum):
    """What the DNS says about a record."""

    OK = "ok"
    MISSING = "missing"
    """There is none of its kind."""
    WRONG = "wrong"
    """There is one, and it does not do what it must."""
    DUPLICATE = "duplicate"
    """There are several where only one may be: the standards then count none."""
    UNKNOWN = "unknown"
    """The DNS gave no answer: ask again."""


def _values(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@frozen
class Check:
    """One record, and what was found of it.

    Attributes:
        record: what must be published.
        finding: whether it is.
        found: what stands there instead or beside it, in a zone file's form.
        advice: what its owner should do; empty where all is well.
    """

    record: Record
    finding: Finding
    found: tuple[str, ...] = field(default=(), converter=_values)
    advice: str = ""


def _checks(checks: Iterable[Check]) -> tuple[Check, ...]:
    return tuple(checks)


@frozen
class DomainReport:
    """Every record of a domain, checked.

    Attributes:
        checks: one for each of the domain's records, in their order.
    """

    checks: tuple[Check, ...] = field(converter=_checks)

    @property
    def verified(self) -> bool:
        """Whether every record is right."""
        return bool(self.checks) and all(check.finding is Finding.OK for check in self.checks)

    @property
    def links_verified(self) -> bool:
        """Whether tracked links may use the domain: its MX and its CNAME are both right. A CNAME alone is no proof."""
        findings = {kind: [c.finding for c in self.checks if c.record.kind == kind] for kind in ("MX", "CNAME")}
        return all(found and set(found) == {Finding.OK} for found in findings.values())

    @property
    def to_do(self) -> list[Record]:
        """The records that their owner has to publish or mend; not the unknown ones, which may well be right."""
        return [check.record for check in self.checks if check.finding not in (Finding.OK, Finding.UNKNOWN)]


def _host(name: str) -> str:
    """A host's name in the DNS's form, without the last dot."""
    host = dns_name(name)
    *_, last = labels = host.split(".")
    if len(labels) < 2 or last.isdigit() or "_" in host:
        raise ConfigurationError(f"{name!r} is no full domain name: write one such as 'shop.example'")
    return host


def _spf_domain(name: str) -> str:
    domain = dns_name(name)
    if not is_domain_spec(domain):
        raise ConfigurationError(f"{name!r} is no domain that SPF can name: write one such as '_spf.shop.example'")
    return domain


def _mail_exchange(text: str) -> str:
    exchange = _exchange(text) if isinstance(text, str) else None
    if exchange is None:
        raise ConfigurationError(f"mail_exchange is {text!r}: write preference and host, as in '10 mx.eu.example.'")
    preference, host = exchange
    return f"{preference} {_host(host)}."


def _a_dkim_record(_instance: object, _attribute: "Attribute[Any]", text: str) -> None:
    key = read_key(text) if isinstance(text, str) and not CONTROL.search(text) else None
    if key is None:
        raise ConfigurationError(f"dkim_record is {shown(text)}: write it as 'v=DKIM1; k=ed25519; p=...' (RFC 6376)")
    if key.get("k", "rsa") not in ("rsa", "ed25519"):
        raise ConfigurationError(f"dkim_record has the key type {shown(key['k'])}: use rsa or ed25519")
    try:
        good = bool(base64.b64decode(solid(key["p"]), validate=True))
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError("dkim_record holds no public key: give the whole key in base64, as p=...")


_STRICTNESS = {"none": 0, "quarantine": 1, "reject": 2}
"""What DMARC asks receivers to do with mail that fails, from the mildest on."""


def _a_dmarc_record(_instance: object, _attribute: "Attribute[Any]", text: str) -> None:
    if text == "":
        return
    if not isinstance(text, str) or CONTROL.search(text) or _policy(text, inherited=False) is None:
        raise ConfigurationError(f"dmarc is {text!r}: write it as 'v=DMARC1; p=none; rua=mailto:...' (RFC 7489)")


@frozen(kw_only=True)
class SendingDomain:
    """A domain to send from, with the records that its owner must publish.

    Attributes:
        name: the domain of From addresses.
        mail_host: where bounces come in and SPF stands; a host of its own, since the domain's mail goes elsewhere.
        link_host: the host of tracked links.
        link_target: what ``link_host`` is an alias of. Nothing else may stand beside an alias (RFC 1034 section
            3.6.2), so ``link_host`` is neither ``mail_host`` nor the domain itself.
        mail_exchange: the MX of ``mail_host``, as ``10 mx.eu.example.``.
        spf_include: the domain whose SPF names our servers.
        dkim_selector: under which name the DKIM key stands.
        dkim_record: the key's record, as ``v=DKIM1; k=ed25519; p=...``.
        dmarc: a DMARC record, as ``v=DMARC1; p=none``, if one shall be asked for. The owner may publish a stricter one,
            and one of a domain above counts too.

    Raises:
        ConfigurationError: it could never be published so; the message says what to write.
    """

    name: str = field(converter=_host)
    mail_host: str = field(converter=_host)
    link_host: str = field(converter=_host)
    link_target: str = field(converter=_host)
    mail_exchange: str = field(converter=_mail_exchange)
    spf_include: str = field(converter=_spf_domain)
    dkim_selector: str = field(converter=dns_name)
    dkim_record: str = field(validator=_a_dkim_record)
    dmarc: str = field(default="", validator=_a_dmarc_record)

    def __attrs_post_init__(self) -> None:
        if self.mail_host == self.name:
            raise ConfigurationError(
                f"mail_host is {self.name} itself, whose mail goes elsewhere: use a host such as send.{self.name}"
            )
        if self.link_host in (self.name, self.mail_host):
            raise ConfigurationError(
                f"link_host is {self.link_host}, where other records stand, and nothing may stand beside a CNAME: "
                f"use a host such as links.{self.name}"
            )
        if self.link_target == self.link_host:
            raise ConfigurationError(
                f"link_target is link_host itself: name the host that answers for {self.link_host}"
            )
        dns_name(_key_host(self))

    @property
    def records(self) -> tuple[Record, ...]:
        """What its owner must publish, with what each record is for."""
        return tuple(requirement.record for requirement in _requirements(self))


def names_of(domains: Iterable[SendingDomain | str]) -> tuple[str, ...]:
    """The names of sending domains, given as what they are or by name; those in Unicode as the DNS has them.

    Raises:
        ConfigurationError: one of them is no domain, or one text stands where several belong.
    """
    if isinstance(domains, str):
        raise ConfigurationError(f"domains is one text, {shown(domains)}: give a list, even of one")
    return tuple(map(_name_of, domains))


def _name_of(domain: SendingDomain | str) -> str:
    if isinstance(domain, SendingDomain):
        return domain.name
    if not isinstance(domain, str):
        raise ConfigurationError(
            f"{domain!r} stands among the domains: give a SendingDomain, or a name such as 'shop.example'"
        )
    try:
        return ascii_domain(domain)
    except MailError as error:
        raise ConfigurationError(f"{shown(domain)} is named as a sending domain: {error}") from error


def _key_host(domain: SendingDomain) -> str:
    return f"{domain.dkim_selector}._domainkey.{domain.name}"


def verify(domain: SendingDomain, resolver: Resolver) -> DomainReport:
    """Look up each record, and say what is to do. A DNS that gives no answer is a finding, too."""
    return DomainReport(_check(requirement, resolver) for requirement in _requirements(domain))


_Verdict = tuple[Finding, str]
_FINE: _Verdict = (Finding.OK, "")


def verify_key(record: Record, resolver: Resolver) -> Check:
    """Look up a DKIM key's record, and say whether receivers find that very key there, and may use it."""
    return _check(_Requirement(record, lambda values, _: _judge_key(record.value, values)), resolver)


@frozen
class _Requirement:
    """A record, with how to judge what is found: first where it belongs, then at the places that stand in for it."""

    record: Record
    judge: Callable[[Sequence[str], bool], _Verdict]
    stand_ins: tuple[str, ...] = ()


def _requirements(domain: SendingDomain) -> tuple[_Requirement, ...]:
    spf = f"v=spf1 include:{domain.spf_include} -all"
    required = (
        _Requirement(
            Record(
                "MX", domain.mail_host, domain.mail_exchange, "bounces come back to us, and the host is shown as ours"
            ),
            lambda values, _: _judge_exchange(domain.mail_exchange, values),
        ),
        _Requirement(
            Record("TXT", domain.mail_host, spf, "SPF: our servers may send for this host"),
            lambda values, _: _judge_spf(domain.spf_include, values),
        ),
        _Requirement(
            Record("CNAME", domain.link_host, f"{domain.link_target}.", "tracked links lead to us under your name"),
            lambda values, _: _judge_alias(domain.link_target, values),
        ),
        _Requirement(
            Record("TXT", _key_host(domain), domain.dkim_record, "DKIM: receivers check our signature with this key"),
            lambda values, _: _judge_key(domain.dkim_record, values),
        ),
    )
    if not domain.dmarc:
        return required
    dmarc = _Requirement(
        Record("TXT", f"_dmarc.{domain.name}", domain.dmarc, "DMARC: what receivers do with mail that is not yours"),
        lambda values, inherited: _judge_policy(domain.dmarc, values, inherited=inherited),
        tuple(f"_dmarc.{parent}" for parent in _parents(domain.name)),
    )
    return (*required, dmarc)


def _check(requirement: _Requirement, resolver: Resolver) -> Check:
    record, own = requirement.record, requirement.record.name
    seen: list[tuple[str, ...]] = []
    for place in (own, *requirement.stand_ins):
        try:
            seen.append(tuple(resolver.lookup(place, record.kind)))
        except ResolveError as error:
            return Check(record, Finding.UNKNOWN, (), f"ask again later: {error}")
        finding, advice = requirement.judge(seen[-1], place != own)
        if finding is not Finding.MISSING:
            return Check(record, finding, seen[-1], advice)
    return Check(record, Finding.MISSING, seen[0], f"publish {record.kind} {record.value} at {own}")


def _parents(name: str) -> Iterable[str]:
    # Seven at most, however deep the name is; the last label alone is nobody's to publish under.
    labels = name.split(".")
    return (".".join(labels[-length:]) for length in range(min(len(labels) - 1, 7), 1, -1))


# --- MX and CNAME ---------------------------------------------------------------------------------------------------

_EXCHANGE = re.compile(r"\s*([0-9]{1,5})\s+(\S+)\s*")


def _exchange(text: str) -> tuple[int, str] | None:
    found = _EXCHANGE.fullmatch(text)
    return (int(found[1]), _bare(found[2])) if found and int(found[1]) <= 65535 else None


def _bare(host: str) -> str:
    return host.strip().removesuffix(".").lower()


def _judge_exchange(wanted: str, values: Sequence[str]) -> _Verdict:
    if not values:
        return Finding.MISSING, ""
    ours = _exchange(wanted)
    found = [exchange for value in values if (exchange := _exchange(value)) is not None]
    if ours is None or ours not in found:
        return Finding.WRONG, f"publish {wanted} in place of what stands there"
    rivals = [host for preference, host in found if preference <= ours[0] and host != ours[1]]
    if rivals:
        return Finding.WRONG, f"take out {', '.join(rivals)}: bounces would go there"
    return _FINE


def _judge_alias(target: str, values: Sequence[str]) -> _Verdict:
    if not values:
        return Finding.MISSING, ""
    found = {_bare(value) for value in values}
    if len(found) > 1:
        return Finding.DUPLICATE, f"a name has one alias: leave only {target}."
    if found != {target}:
        return Finding.WRONG, f"let it lead to {target}. instead"
    return _FINE


# --- SPF ------------------------------------------------------------------------------------------------------------


def _judge_spf(wanted: str, values: Sequence[str]) -> _Verdict:
    records = [record for value in values if (record := SpfRecord.read(txt_text(value))) is not None]
    if not records:
        return Finding.MISSING, ""
    if len(records) > 1:
        return Finding.DUPLICATE, f"two SPF records count as none: leave one, with include:{wanted} in it"
    fault = _spf_fault(wanted, records[0])
    return _FINE if fault is None else (Finding.WRONG, fault)


def _spf_fault(wanted: str, record: SpfRecord) -> str | None:
    """What is wrong with it, as what to do; None where all is well."""
    if record.unreadable:
        return f"correct {shown(record.unreadable[0])}, which SPF cannot read: the whole record counts as none"
    if record.repeated:
        return f"leave one {record.repeated[0]} in it: two make the whole record count as none"
    if record.closing is not None and record.closing.lets_pass:
        return f"write -all in place of {record.closing.text}, which lets anybody send in your name"
    if not record.includes(wanted):
        return f"put include:{wanted} into the record that stands there, before its all; add no second one"
    if record.lookups > MOST_LOOKUPS:
        return f"take out some: {record.lookups} terms ask the DNS, and over {MOST_LOOKUPS} count as none"
    return None


# --- DKIM and DMARC: tag lists (RFC 6376 section 3.2) -----------------------------------------------------------------


_Tags = Mapping[str, str]

_FAULTS: tuple[tuple[Callable[[_Tags, _Tags], bool], str], ...] = (
    (lambda key, _: not key["p"], "an empty p= says that the key is revoked: publish ours in its place"),
    (
        lambda key, ours: solid(key["p"]) != solid(ours["p"]) or key.get("k", "rsa") != ours.get("k", "rsa"),
        "another key stands there: publish ours in its place",
    ),
    (
        lambda key, _: "h" in key and "sha256" not in listed(key["h"]),
        "h= leaves out sha256, which we sign with: take h= out",
    ),
    (lambda key, _: not {"*", "email"} & listed(key.get("s", "*")), "s= leaves out email: take s= out"),
    (
        lambda key, ours: "y" in listed(key.get("t", "")) - listed(ours.get("t", "")),
        "t=y says that the key is a trial, and its signatures prove nothing: take t=y out",
    ),
)
"""How a published key can fail ours, and what to do (RFC 6376 section 3.6.1)."""


def _judge_key(wanted: str, values: Sequence[str]) -> _Verdict:
    if not values:
        return Finding.MISSING, ""
    if len(values) > 1:
        return Finding.DUPLICATE, "receivers may take either (RFC 6376 section 3.6.2.2): leave only ours"
    key, ours = read_key(txt_text(values[0])), read_key(wanted)
    if key is None or ours is None:
        return Finding.WRONG, "what stands there is no DKIM key: publish ours in its place"
    faults = [advice for fails, advice in _FAULTS if fails(key, ours)]
    return (Finding.WRONG, faults[0]) if faults else _FINE


_DMARC = re.compile(r"v\s*=\s*DMARC1\s*(?:;|$)")


def _policy(text: str, *, inherited: bool) -> str | None:
    """What a DMARC record asks for (RFC 7489 section 6.6.3); None where it asks for nothing that counts."""
    tags = read_tags(text)
    if tags is None or not _DMARC.match(text):
        return None
    policy = tags.get("p", "").lower()
    if inherited:
        policy = tags.get("sp", policy).lower()
    if policy in _STRICTNESS:
        return policy
    return "none" if "rua" in tags else None


def _judge_policy(wanted: str, values: Sequence[str], *, inherited: bool) -> _Verdict:
    texts = [text for value in values if _DMARC.match(text := txt_text(value))]
    if not texts:
        return Finding.MISSING, ""
    if len(texts) > 1:
        return Finding.DUPLICATE, "two DMARC records count as none: leave one"
    ours, theirs = _policy(wanted, inherited=False), _policy(texts[0], inherited=inherited)
    if theirs is None:
        return Finding.WRONG, "it asks for nothing that counts: write p=none, p=quarantine or p=reject"
    if _STRICTNESS[theirs] < _STRICTNESS[ours or "none"]:
        return Finding.WRONG, f"it asks for {theirs}: write p={ours}"
    return _FINE
