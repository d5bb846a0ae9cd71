"""A domain's records, published by a real name server and checked through dnspython."""

from collections.abc import Iterator

import pytest
from attrs import evolve

from custom_smtp.domains import Finding, SendingDomain, verify
from custom_smtp.edge.dnspython import DnsResolver
from custom_smtp.errors import ResolveError

from .nsd import nsd

KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 12  # longer than one string of a TXT record

ZONE = f"""
$ORIGIN shop.example.
$TTL 60
@ IN SOA ns1 hostmaster 1 60 60 60 60
@ IN NS ns1
ns1 IN A 127.0.0.1
@ IN TXT "v=spf1 -all"
send IN MX 10 MX.eu.example.
send IN TXT "a note"
send IN TXT "v=spf1 ip4:192.0.2.0/24 include:_spf.eu.example ~all"
links IN CNAME track.eu.example.
s1._domainkey IN TXT "v=DKIM1; " "k=rsa; t=s; p={KEY[:200]}" "{KEY[200:]}"
_dmarc IN TXT "v=DMARC1; p=reject; rua=mailto:d@shop.example"
old._domainkey IN TXT "v=DKIM1; p="
two IN TXT "v=spf1 include:_spf.eu.example -all"
two IN TXT "v=spf1 -all"
two IN MX 10 mx.other.example.
"""

DOMAIN = SendingDomain(
    name="shop.example",
    mail_host="send.shop.example",
    link_host="links.shop.example",
    link_target="track.eu.example.",
    mail_exchange="10 mx.eu.example.",
    spf_include="_spf.eu.example",
    dkim_selector="s1",
    dkim_record=f"v=DKIM1; k=rsa; p={KEY}",
    dmarc="v=DMARC1; p=quarantine",
)


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DnsResolver]:
    with nsd(tmp_path_factory.mktemp("nsd"), "shop.example", ZONE) as port:
        yield DnsResolver(nameservers=["127.0.0.1"], port=port, timeout=5)


def test_a_domain_with_all_its_records_is_verified(resolver: DnsResolver) -> None:
    report = verify(DOMAIN, resolver)
    assert {check.record.name: check.advice for check in report.checks if check.finding is not Finding.OK} == {}
    assert report.verified
    assert report.links_verified


def test_what_is_wrong_or_missing_is_told(resolver: DnsResolver) -> None:
    domain = evolve(DOMAIN, mail_host="two.shop.example", link_host="click.shop.example", dkim_selector="old")
    assert [check.finding for check in verify(domain, resolver).checks] == [
        Finding.WRONG,
        Finding.DUPLICATE,
        Finding.MISSING,
        Finding.WRONG,
        Finding.OK,
    ]


def test_a_name_below_the_domain_inherits_its_dmarc(resolver: DnsResolver) -> None:
    assert verify(evolve(DOMAIN, name="news.shop.example"), resolver).checks[4].finding is Finding.OK


def test_a_zone_it_does_not_serve_is_no_answer(resolver: DnsResolver) -> None:
    with pytest.raises(ResolveError):
        resolver.lookup("elsewhere.example", "MX")
