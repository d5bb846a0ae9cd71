"""The DNS through dnspython, asked of a small server on 127.0.0.1."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest

from custom_smtp.dns_records import RecordKind, ValidatedAnswer
from custom_smtp.edge.dnspython import DnsResolver, DnsValidatingResolver
from custom_smtp.errors import ConfigurationError, ResolveError
from custom_smtp.ports import Resolver, ValidatingResolver

ZONE = dns.zone.from_text(
    r"""
$ORIGIN example.
$TTL 60
@ IN SOA ns hostmaster 1 60 60 60 60
@ IN NS ns
ns IN A 192.0.2.53
send.shop IN MX 10 MX.eu.example.
send.shop IN MX 20 backup.eu.example.
send.shop IN TXT "v=spf1 include:_spf.eu.example -all"
links.shop IN CNAME track.eu.example.
track.eu IN A 192.0.2.7
track.eu IN AAAA 2001:db8::7
s1._domainkey.shop IN TXT "v=DKIM1; k=rsa; p=MIIB" "Bgk" "a\"b\\c"
xn--bcher-kva IN TXT "books"
_dmarc.shop IN CNAME _dmarc.nowhere
_587._tcp.mail IN TLSA 3 1 1 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
_465._tcp.mail IN CNAME _587._tcp.mail
""",
    origin="example.",
    relativize=False,
)

Answers = Callable[[dns.message.Message], bytes | None]


def authoritative(question: dns.message.Message) -> bytes:
    [asked] = question.question
    response = dns.message.make_response(question)
    response.flags |= dns.flags.AA
    name = asked.name
    while True:
        node = ZONE.get_node(name)
        if node is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
            break
        if (own := node.get_rdataset(asked.rdclass, asked.rdtype)) is not None:
            response.answer.append(dns.rrset.from_rdata_list(name, 60, list(own)))
            break
        alias = node.get_rdataset(asked.rdclass, dns.rdatatype.CNAME)
        if alias is None:
            break
        response.answer.append(dns.rrset.from_rdata_list(name, 60, list(alias)))
        name = alias[0].target
    return response.to_wire()


def says_that_it_is_proven(question: dns.message.Message) -> bytes:
    """As a resolver that validates: AD to those who ask for it (RFC 6840 section 5.7)."""
    response = dns.message.from_wire(authoritative(question))
    response.flags |= question.flags & dns.flags.AD
    return response.to_wire()


def refuses(question: dns.message.Message) -> bytes:
    response = dns.message.make_response(question)
    response.set_rcode(dns.rcode.SERVFAIL)
    return response.to_wire()


def is_silent(_question: dns.message.Message) -> None:
    return None


def talks_nonsense(_question: dns.message.Message) -> bytes:
    return b"\x00\x01nonsense"


def answers_another_question(question: dns.message.Message) -> bytes:
    question.id ^= 1
    return authoritative(question)


def cuts_its_answer_off(question: dns.message.Message) -> bytes:
    response = dns.message.make_response(question)
    response.flags |= dns.flags.TC
    return response.to_wire()


@contextmanager
def server(answers: Answers) -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(listening, answers))
        thread.start()
        try:
            yield port
        finally:
            listening.sendto(b"", ("127.0.0.1", port))  # an empty datagram ends it
            thread.join()


def _serve(listening: socket.socket, answers: Answers) -> None:
    while True:
        asked, who = listening.recvfrom(4096)
        if not asked:
            return
        if (answer := answers(dns.message.from_wire(asked))) is not None:
            listening.sendto(answer, who)


@pytest.fixture(scope="module")
def resolver() -> Iterator[Resolver]:
    with server(authoritative) as port:
        yield DnsResolver(nameservers=["127.0.0.1"], port=port, timeout=5)


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("send.shop.example", "MX", ["10 MX.eu.example.", "20 backup.eu.example."]),
        ("send.shop.example", "TXT", ['"v=spf1 include:_spf.eu.example -all"']),
        ("SEND.shop.Example.", "TXT", ['"v=spf1 include:_spf.eu.example -all"']),
        ("s1._domainkey.shop.example", "TXT", [r'"v=DKIM1; k=rsa; p=MIIB" "Bgk" "a\"b\\c"']),
        ("links.shop.example", "CNAME", ["track.eu.example."]),
        ("track.eu.example", "CNAME", []),
        ("track.eu.example", "A", ["192.0.2.7"]),
        ("track.eu.example", "AAAA", ["2001:db8::7"]),
        ("bücher.example", "TXT", ['"books"']),
        ("send.shop.example", "CNAME", []),
        ("shop.example", "MX", []),
        ("nowhere.example", "TXT", []),
    ],
)
def test_records_are_told_as_a_zone_file_writes_them(
    resolver: Resolver, name: str, kind: RecordKind, values: list[str]
) -> None:
    assert sorted(resolver.lookup(name, kind)) == values


def test_other_kinds_are_looked_for_behind_an_alias(resolver: Resolver) -> None:
    assert resolver.lookup("links.shop.example", "A") == ["192.0.2.7"]
    assert resolver.lookup("links.shop.example", "MX") == []
    assert resolver.lookup("_dmarc.shop.example", "TXT") == []


@pytest.mark.parametrize(
    "answers", [refuses, is_silent, talks_nonsense, answers_another_question], ids=lambda answers: answers.__name__
)
def test_a_broken_server_is_no_answer_within_the_time(answers: Answers) -> None:
    with server(answers) as port:
        begun = time.monotonic()
        with pytest.raises(ResolveError, match=r"no answer about shop\.example MX") as caught:
            DnsResolver(nameservers=("127.0.0.1",), port=port, timeout=0.4).lookup("shop.example", "MX")
        assert time.monotonic() - begun < 5
        assert caught.value.__cause__ is not None


def test_an_answer_cut_off_is_asked_for_again_by_tcp_and_nobody_listens() -> None:
    with server(cuts_its_answer_off) as port, pytest.raises(ResolveError):
        DnsResolver(nameservers=("127.0.0.1",), port=port, timeout=0.4).lookup("shop.example", "MX")


def test_one_server_of_two_is_enough() -> None:
    with server(authoritative) as port:
        resolver = DnsResolver(nameservers=("127.0.0.2", "127.0.0.1"), port=port, timeout=1.5)
        assert resolver.lookup("track.eu.example", "A") == ["192.0.2.7"]


@pytest.mark.parametrize("name", ["", "a b.example", "a..b", "x" * 64 + ".example", "[192.0.2.1]"])
def test_a_name_that_cannot_be_is_refused_and_nobody_asked(name: str) -> None:
    resolver = DnsResolver(nameservers=["127.0.0.1"], port=1, timeout=0.1)
    with pytest.raises(ConfigurationError, match="no name in the DNS"):
        resolver.lookup(name, "TXT")


def test_a_kind_that_is_not_known_is_refused() -> None:
    kind: Any = "ANY"
    with pytest.raises(ConfigurationError, match="kind of record"):
        DnsResolver(nameservers=["127.0.0.1"]).lookup("shop.example", kind)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"nameservers": "127.0.0.1"}, "write \\['127.0.0.1'\\]"),
        ({"nameservers": ["ns.example"]}, "its IP address"),
        ({"nameservers": ["https://dns.example/q"]}, "its IP address"),
        ({"nameservers": ["127.0.0.1"], "port": 0}, "no port"),
        ({"nameservers": ["127.0.0.1"], "port": "53"}, "no port"),
        ({"nameservers": ["127.0.0.1"], "timeout": 0}, "seconds above 0"),
        ({"nameservers": ["127.0.0.1"], "timeout": 61}, "seconds above 0"),
        ({"nameservers": ["127.0.0.1"], "timeout": float("nan")}, "seconds above 0"),
        ({"nameservers": ["127.0.0.1"], "timeout": None}, "seconds above 0"),
    ],
)
def test_a_resolver_that_cannot_be_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        DnsResolver(**settings)


def test_without_name_servers_it_asks_those_of_the_system() -> None:
    if not Path("/etc/resolv.conf").exists():
        with pytest.raises(ConfigurationError, match="nameservers="):
            DnsResolver()
    else:
        assert DnsResolver().nameservers == ()


def test_equal_settings_are_equal_resolvers() -> None:
    assert DnsResolver(nameservers=["127.0.0.1"]) == DnsResolver(nameservers=("127.0.0.1",))
    assert "127.0.0.1" in repr(DnsResolver(nameservers=["127.0.0.1"]))


# Answers that are proven, by what a resolver says

TLSA = "3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("_587._tcp.mail.example", "TLSA", (TLSA,)),
        ("_465._tcp.Mail.example.", "TLSA", (TLSA,)),
        ("mail.example", "TLSA", ()),
        ("nowhere.example", "TLSA", ()),
        ("track.eu.example", "A", ("192.0.2.7",)),
    ],
)
@pytest.mark.parametrize(("answers", "authentic"), [(says_that_it_is_proven, True), (authoritative, False)])
def test_what_is_proven_is_told_with_the_values(
    answers: Answers, authentic: bool, name: str, kind: RecordKind, values: tuple[str, ...]
) -> None:
    with server(answers) as port:
        resolver: ValidatingResolver = DnsValidatingResolver(nameservers=["127.0.0.1"], port=port, timeout=5)
        assert resolver.lookup_validated(name, kind) == ValidatedAnswer(values, authentic=authentic)


def test_a_resolver_that_is_asked_for_records_alone_is_not_asked_for_proof() -> None:
    asked: list[int] = []

    def keep(question: dns.message.Message) -> bytes:
        asked.append(question.flags & dns.flags.AD)
        return authoritative(question)

    with server(keep) as port:
        DnsResolver(nameservers=["127.0.0.1"], port=port).lookup("track.eu.example", "A")
        DnsValidatingResolver(nameservers=["127.0.0.1"], port=port).lookup_validated("track.eu.example", "A")
    assert asked == [0, dns.flags.AD]


@pytest.mark.parametrize(
    "answers", [refuses, is_silent, talks_nonsense, answers_another_question], ids=lambda answers: answers.__name__
)
def test_a_broken_server_proves_nothing_either(answers: Answers) -> None:
    with server(answers) as port:
        resolver = DnsValidatingResolver(nameservers=("127.0.0.1",), port=port, timeout=0.4)
        with pytest.raises(ResolveError, match=r"no answer about _587\._tcp\.mail\.example TLSA"):
            resolver.lookup_validated("_587._tcp.mail.example", "TLSA")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"nameservers": []}, "name the resolver whose word shall count"),
        ({"nameservers": "127.0.0.1"}, "write \\['127.0.0.1'\\]"),
        ({"nameservers": ["localhost"]}, "its IP address"),
        ({"nameservers": ["127.0.0.1"], "port": 0}, "no port"),
        ({"nameservers": ["127.0.0.1"], "timeout": 0}, "seconds above 0"),
    ],
)
def test_a_validating_resolver_that_cannot_be_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        DnsValidatingResolver(**settings)


def test_a_validating_resolver_never_asks_whom_the_system_names() -> None:
    settings: dict[str, Any] = {}
    with pytest.raises(TypeError, match="nameservers"):
        DnsValidatingResolver(**settings)
