"""DANE with real parts: a zone of our own, signed, served by NSD, validated by Unbound; and a server that it names."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from custom_smtp import Address, DeliveryId, Outgoing, Server, SmtpTransport
from custom_smtp.dane import tlsa_of
from custom_smtp.dns_records import ValidatedAnswer
from custom_smtp.edge._smtp_tls import published_for
from custom_smtp.edge.dnspython import DnsResolver, DnsValidatingResolver
from custom_smtp.errors import ResolveError, Retry, TlsError
from custom_smtp.outgoing import Envelope
from custom_smtp.servers import Dane, Limits
from custom_smtp.testing.certificates import Authority
from custom_smtp.testing.scripts import polite
from custom_smtp.testing.server import ScriptedServer, client_context

from .nsd import nsd
from .unbound import signed, unbound

HOSTS = ("mail.shop.example", "old.shop.example", "forged.shop.example", "mail.plain.example")
AUTHORITY = Authority(datetime.now(UTC))
CERTIFICATE, RETIRED = AUTHORITY.issue(*HOSTS), AUTHORITY.issue(*HOSTS)
OURS, OLD = tlsa_of(CERTIFICATE.der), tlsa_of(RETIRED.der)
WHOLE = f"3 0 0 {CERTIFICATE.der.hex()}"  # more than fits into one datagram, with its signature
OUTGOING = Outgoing(DeliveryId("d1"), Envelope(None, (Address("ada@example.net"),)), b"Subject: Hi\r\n\r\nHello\r\n")

BEGINNING = """
@ 60 IN SOA ns hostmaster 1 60 60 60 60
@ 60 IN NS ns
ns 60 IN A 127.0.0.1
"""
SIGNED = f"""{BEGINNING}
mail 60 IN A 127.0.0.1
_587._tcp.mail 60 IN TLSA {OURS}
_465._tcp.mail 60 IN CNAME _tlsa.mail
_tlsa.mail 60 IN TLSA {OURS}
_2525._tcp.mail 60 IN TLSA {WHOLE}
_2525._tcp.mail 60 IN TLSA {WHOLE.replace("3 0 0", "1 0 0")}
_587._tcp.old 60 IN TLSA {OLD}
_587._tcp.forged 60 IN TLSA {OLD}
away 60 IN CNAME mail.plain.example.
_587._tcp.away 60 IN CNAME _587._tcp.mail.plain.example.
"""
PLAIN = f"{BEGINNING}_587._tcp.mail 60 IN TLSA {OURS}\n"


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DnsValidatingResolver]:
    shop = signed("shop.example", SIGNED)
    # Somebody on the way puts the key of a server of theirs into the answer; sign it they cannot.
    genuine = f"_587._tcp.forged.shop.example. 60 IN TLSA {OLD}"
    assert genuine in shop.text
    forged = shop.text.replace(genuine, f"_587._tcp.forged.shop.example. 60 IN TLSA {OURS}")
    first, second, third = (tmp_path_factory.mktemp(name) for name in ("shop", "plain", "unbound"))
    with (
        nsd(first, "shop.example", forged) as shop_port,
        nsd(second, "plain.example", f"$ORIGIN plain.example.\n{PLAIN}") as plain_port,
        unbound(third, shop.anchor, {"shop.example": shop_port, "plain.example": plain_port}) as port,
    ):
        yield DnsValidatingResolver(nameservers=["127.0.0.1"], port=port, timeout=10)


@pytest.mark.parametrize("name", ["_587._tcp.mail.shop.example", "_465._tcp.mail.shop.example"])
def test_what_is_signed_is_proven(resolver: DnsValidatingResolver, name: str) -> None:
    assert resolver.lookup_validated(name, "TLSA") == ValidatedAnswer((str(OURS),), authentic=True)


def test_a_whole_certificate_comes_whole(resolver: DnsValidatingResolver) -> None:
    answer = resolver.lookup_validated("_2525._tcp.mail.shop.example", "TLSA")
    assert answer.authentic
    assert {value[:5] for value in answer.values} == {"3 0 0", "1 0 0"}
    [one, other] = published_for(Server("mail.shop.example", 2525, dane=Dane.REQUIRED), resolver)
    assert one.matches(CERTIFICATE.der)
    assert other.matches(CERTIFICATE.der)


@pytest.mark.parametrize("name", ["_587._tcp.nobody.shop.example", "mail.shop.example"])
def test_that_there_is_nothing_is_proven_too(resolver: DnsValidatingResolver, name: str) -> None:
    assert resolver.lookup_validated(name, "TLSA") == ValidatedAnswer((), authentic=True)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("_587._tcp.mail.plain.example", (str(OURS),)),
        ("_587._tcp.away.shop.example", (str(OURS),)),  # signed as far as the alias, and no farther
        ("_587._tcp.nobody.plain.example", ()),
    ],
)
def test_what_is_not_signed_is_not_proven(resolver: DnsValidatingResolver, name: str, values: tuple[str, ...]) -> None:
    assert resolver.lookup_validated(name, "TLSA") == ValidatedAnswer(values, authentic=False)


def test_a_wrong_signature_is_no_answer(resolver: DnsValidatingResolver) -> None:
    with pytest.raises(ResolveError):
        resolver.lookup_validated("_587._tcp.forged.shop.example", "TLSA")
    with pytest.raises(TlsError) as caught:
        published_for(Server("forged.shop.example", dane=Dane.IF_PUBLISHED), resolver)
    assert caught.value.retry is Retry.LATER


def test_a_name_server_that_does_not_validate_proves_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("authoritative")
    with nsd(folder, "shop.example", signed("shop.example", SIGNED).text) as port:
        asked = DnsValidatingResolver(nameservers=["127.0.0.1"], port=port)
        assert asked.lookup_validated("_587._tcp.mail.shop.example", "TLSA").authentic is False
        assert DnsResolver(nameservers=["127.0.0.1"], port=port).lookup("_587._tcp.mail.shop.example", "TLSA") == [
            str(OURS)
        ]


def send(host: str, dane: Dane, resolver: DnsValidatingResolver) -> ScriptedServer:
    """Send a mail to a server that has our certificate, whatever the DNS says where it is."""
    with ScriptedServer(polite(certificate=CERTIFICATE)) as server:
        handed_in: dict[str, Any] = {
            "resolver": resolver,
            "dial": lambda _server: socket.create_connection(("127.0.0.1", server.port)),
        }
        where = Server(host, dane=dane, limits=Limits.all_of(10))
        SmtpTransport(where, context=client_context(AUTHORITY), **handed_in).deliver(OUTGOING)
    return server


@pytest.mark.parametrize(
    ("host", "dane"),
    [
        ("mail.shop.example", Dane.REQUIRED),
        ("mail.shop.example", Dane.IF_PUBLISHED),
        ("mail.plain.example", Dane.IF_PUBLISHED),
    ],
)
def test_a_mail_arrives_at_the_server_that_is_published(resolver: DnsValidatingResolver, host: str, dane: Dane) -> None:
    assert send(host, dane, resolver).contents == [OUTGOING.content]


@pytest.mark.parametrize(
    ("host", "dane", "retry"),
    [
        ("old.shop.example", Dane.REQUIRED, Retry.NEVER),
        ("old.shop.example", Dane.IF_PUBLISHED, Retry.NEVER),
        ("forged.shop.example", Dane.IF_PUBLISHED, Retry.LATER),
        ("mail.plain.example", Dane.REQUIRED, Retry.NEVER),
    ],
)
def test_no_mail_goes_to_another(resolver: DnsValidatingResolver, host: str, dane: Dane, retry: Retry) -> None:
    with pytest.raises(TlsError) as caught:
        send(host, dane, resolver)
    assert caught.value.retry is retry
