"""Which servers are trusted: certificates of every wrong kind, pins, client certificates, names, and DANE."""

import asyncio
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field, frozen

from custom_smtp import Address, Credentials, DeliveryId, Outgoing, Receipt, Server, SmtpTransport, Tls
from custom_smtp.dane import Tlsa, pin_of, tlsa_of
from custom_smtp.dns_records import RecordKind, ValidatedAnswer
from custom_smtp.edge._smtp_tls import (
    _strengthened,
    check_certificate,
    check_resolver,
    published_for,
    verifying_context,
)
from custom_smtp.edge.smtp_asyncio import AsyncSmtpTransport
from custom_smtp.edge.smtp_tls import TlsLayer
from custom_smtp.errors import ConfigurationError, ConnectError, ResolveError, Retry, TlsError
from custom_smtp.outgoing import Envelope
from custom_smtp.ports import ValidatingResolver
from custom_smtp.servers import Dane, Limits
from custom_smtp.testing.certificates import Authority, Certificate, Digest, KeyKind, self_signed
from custom_smtp.testing.scripts import polite
from custom_smtp.testing.server import Conversation, HungUp, Script, ScriptedServer, client_context

NOW = datetime.now(UTC).replace(microsecond=0)
HOST = "mail.shop.example"
AUTHORITY = Authority(NOW)
GOOD = AUTHORITY.issue(HOST)
TRUSTED = client_context(AUTHORITY)
LIMITS = Limits.all_of(5)
CREDENTIALS = Credentials("shop", "s3cret")
OUTGOING = Outgoing(
    DeliveryId("d1"),
    Envelope(Address("hello@shop.example"), (Address("ada@example.net"),)),
    b"Subject: Hi\r\n\r\nHello\r\n",
)
LATER_TLS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def showing(certificate: Certificate) -> Script:
    """A polite server, secret from the first byte, that shows this certificate however weak it is."""

    def serve(conversation: Conversation) -> None:
        conversation.encrypt(certificate, versions=LATER_TLS)
        polite()(conversation)

    return serve


def speaking_as(context: ssl.SSLContext) -> Script:
    """A polite server with TLS settings of its own."""

    def serve(conversation: Conversation) -> None:
        try:
            conversation._socket = context.wrap_socket(conversation._socket, server_side=True)
        except OSError as error:
            raise HungUp from error
        polite()(conversation)

    return serve


def server_context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*certificate.write(Path(folder), "server"))
    return context


def at(server: ScriptedServer, **fields: Any) -> Server:
    settings: dict[str, Any] = {"certificate_name": HOST, "tls": Tls.IMPLICIT, "limits": LIMITS} | fields
    return Server(settings.pop("host", "127.0.0.1"), server.port, CREDENTIALS, **settings)


def deliver(script: Script, *, trust: ssl.SSLContext | None = TRUSTED, **fields: Any) -> Receipt:
    with ScriptedServer(script) as server:
        return SmtpTransport(at(server, **fields), context=trust).deliver(OUTGOING)


def refused(script: Script, *, trust: ssl.SSLContext | None = TRUSTED, **fields: Any) -> TlsError:
    """The error of a server to whom nothing was said."""
    with ScriptedServer(script) as server, pytest.raises(TlsError) as caught:
        SmtpTransport(at(server, **fields), context=trust).deliver(OUTGOING)
    assert not server.heard_in_secret
    assert b"AUTH" not in server.heard_in_clear
    assert b"MAIL" not in server.heard_in_clear
    return caught.value


# --- Certificates that prove nothing ----------------------------------------------------------------------------------


@frozen
class Wrong:
    """A certificate that is not to be trusted, and OpenSSL's numbers for what is wrong with it (X509_V_ERR_...)."""

    certificate: Certificate
    numbers: tuple[int, ...]


EXPIRED, NOT_YET_VALID, OTHER_HOST, UNKNOWN_ISSUER, ITS_OWN, ITS_OWN_ABOVE = 10, 9, 62, 20, 18, 19
BAD_SIGNATURE, NO_AUTHORITY, TOO_LONG, OTHER_PURPOSE, WEAK_KEY, WEAK_AUTHORITY, WEAK_DIGEST = 7, 24, 25, 26, 66, 67, 68
OTHER_NO_AUTHORITY = 79  # what OpenSSL 3 calls it

DAY = timedelta(days=1)
BRANCH = AUTHORITY.below("a branch")
RSA_AUTHORITY = Authority(NOW, "an authority with an RSA key", key_kind=KeyKind.RSA)

WRONG: dict[str, Wrong] = {
    "expired": Wrong(AUTHORITY.issue(HOST, starts=-3 * DAY, lasts=DAY), (EXPIRED,)),
    "not yet valid": Wrong(AUTHORITY.issue(HOST, starts=DAY), (NOT_YET_VALID,)),
    "wrong host": Wrong(AUTHORITY.issue("mail.shop2.example"), (OTHER_HOST,)),
    "the domain and not the host": Wrong(AUTHORITY.issue("shop.example"), (OTHER_HOST,)),
    "a host below": Wrong(AUTHORITY.issue(f"a.{HOST}"), (OTHER_HOST,)),
    "no name": Wrong(AUTHORITY.issue(), (OTHER_HOST,)),
    "an address for a name": Wrong(AUTHORITY.issue("127.0.0.1"), (OTHER_HOST,)),
    "wildcard for everything": Wrong(AUTHORITY.issue("*"), (OTHER_HOST,)),
    "wildcard in the domain": Wrong(AUTHORITY.issue("mail.*.example"), (OTHER_HOST,)),
    "wildcard twice": Wrong(AUTHORITY.issue("*.*.example"), (OTHER_HOST,)),
    "wildcard for two labels": Wrong(AUTHORITY.issue("*.example"), (OTHER_HOST,)),
    "wildcard for part of a label": Wrong(AUTHORITY.issue("m*.shop.example"), (OTHER_HOST,)),
    "wildcard below": Wrong(AUTHORITY.issue(f"*.{HOST}"), (OTHER_HOST,)),
    "authority not known": Wrong(Authority(NOW, "a stranger").issue(HOST), (UNKNOWN_ISSUER, ITS_OWN_ABOVE)),
    "authority of the same name": Wrong(Authority(NOW).issue(HOST), (UNKNOWN_ISSUER, ITS_OWN_ABOVE, BAD_SIGNATURE)),
    "authority of the same name, itself not shown": Wrong(
        Authority(NOW).issue(HOST).alone(), (UNKNOWN_ISSUER, BAD_SIGNATURE)
    ),
    "branch not shown": Wrong(BRANCH.issue(HOST).alone(), (UNKNOWN_ISSUER,)),
    "branch expired": Wrong(AUTHORITY.below("an old branch", lasts=DAY).issue(HOST), (EXPIRED,)),
    "branch not yet valid": Wrong(AUTHORITY.below("a new branch", starts=DAY).issue(HOST), (NOT_YET_VALID,)),
    "branch below a branch that may have none": Wrong(BRANCH.below("a twig").issue(HOST), (TOO_LONG,)),
    "issued by no authority": Wrong(
        AUTHORITY.impostor("other.example").issue(HOST), (NO_AUTHORITY, OTHER_NO_AUTHORITY)
    ),
    "vouched for by itself": Wrong(self_signed(NOW, HOST), (ITS_OWN,)),
    "a client's": Wrong(AUTHORITY.issue_client(HOST), (OTHER_PURPOSE,)),
    "weak key": Wrong(AUTHORITY.issue(HOST, key_kind=KeyKind.RSA_1024), (WEAK_KEY,)),
    "weak key of a branch": Wrong(
        AUTHORITY.below("a weak branch", key_kind=KeyKind.RSA_1024).issue(HOST), (WEAK_AUTHORITY,)
    ),
    "weak signature": Wrong(RSA_AUTHORITY.issue(HOST, digest=Digest.SHA1), (WEAK_DIGEST,)),
    "weak signature of a branch": Wrong(
        RSA_AUTHORITY.below("a branch", digest=Digest.SHA1).issue(HOST), (WEAK_DIGEST,)
    ),
}

ALIKE: dict[str, Certificate] = {
    "good": GOOD,
    "wildcard": AUTHORITY.issue("*.shop.example"),
    "one name of several": AUTHORITY.issue("other.example", HOST, "192.0.2.1"),
    "of a branch": BRANCH.issue(HOST),
    "the authority not shown": AUTHORITY.issue(HOST).alone(),
    "RSA": AUTHORITY.issue(HOST, key_kind=KeyKind.RSA),
    "signed by RSA": RSA_AUTHORITY.issue(HOST),
    "of a branch with an RSA key": AUTHORITY.below("an RSA branch", key_kind=KeyKind.RSA).issue(HOST),
}
"""Like those above, but right: what makes those wrong is nothing else about them."""


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authorities") / "ca.pem"
    path.write_bytes(AUTHORITY.pem + RSA_AUTHORITY.pem)
    return path


@pytest.fixture(params=["given", "our own"])
def trust(request: pytest.FixtureRequest, authorities: Path) -> dict[str, Any]:
    """The two ways to trust authorities."""
    if request.param == "given":
        return {"trust": client_context(AUTHORITY, RSA_AUTHORITY)}
    return {"trust": None, "ca_file": authorities}


@pytest.mark.parametrize("kind", WRONG)
def test_a_certificate_that_proves_nothing_is_refused(kind: str, trust: dict[str, Any]) -> None:
    error = refused(showing(WRONG[kind].certificate), **trust)
    assert error.retry is Retry.NEVER
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)
    assert error.__cause__.verify_code in WRONG[kind].numbers
    of_a_stranger = error.__cause__.verify_code in (UNKNOWN_ISSUER, ITS_OWN, ITS_OWN_ABOVE)
    assert ("name it: Server(ca_file=...)" in str(error)) is of_a_stranger


@pytest.mark.parametrize("kind", ALIKE)
def test_one_that_is_like_it_and_right_is_taken(kind: str, trust: dict[str, Any]) -> None:
    assert deliver(showing(ALIKE[kind]), **trust).reply.code == 250


COMMON_NAMES = {
    "no other names": AUTHORITY.issue(common_name=HOST),
    "an address beside it": AUTHORITY.issue("127.0.0.1", common_name=HOST),
}


@pytest.mark.parametrize("kind", COMMON_NAMES)
def test_a_name_in_the_common_name_alone_is_none(kind: str, authorities: Path) -> None:
    error = refused(showing(COMMON_NAMES[kind]), trust=None, ca_file=authorities)
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)


@pytest.mark.parametrize("kind", COMMON_NAMES)
def test_it_is_none_either_where_the_context_that_was_given_takes_it(kind: str) -> None:
    assert TRUSTED.hostname_checks_common_name
    error = refused(showing(COMMON_NAMES[kind]))
    assert error.retry is Retry.NEVER
    assert "common name" in str(error)


def test_an_address_is_a_name_too() -> None:
    receipt = deliver(showing(AUTHORITY.issue("127.0.0.1", common_name=HOST)), certificate_name="")
    assert receipt.reply.code == 250


def test_a_certificate_that_nobody_vouches_for_can_be_trusted_itself(tmp_path: Path) -> None:
    lonely = self_signed(NOW, HOST)
    lonely.write(tmp_path, "server")
    assert deliver(showing(lonely), trust=None, ca_file=tmp_path / "server.pem").reply.code == 250
    refused(showing(self_signed(NOW, HOST)), trust=None, ca_file=tmp_path / "server.pem")


def test_only_an_rsa_key_signs_weakly_here() -> None:
    with pytest.raises(ConfigurationError, match=r"KeyKind\.RSA"):
        AUTHORITY.issue(HOST, digest=Digest.SHA1)


# --- Settings of TLS --------------------------------------------------------------------------------------------------


def test_a_context_that_leaves_the_least_version_to_openssl_is_refused() -> None:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.raises(ConfigurationError, match=r"set its minimum_version to ssl\.TLSVersion\.TLSv1_2"):
        SmtpTransport(Server(HOST), context=context)


def test_a_servers_context_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode, context.check_hostname = ssl.CERT_REQUIRED, True
    with pytest.raises(ConfigurationError, match="is a server's"):
        SmtpTransport(Server(HOST), context=context)


@pytest.mark.parametrize("level", [0, 1])
def test_a_context_that_takes_weak_keys_is_refused(level: int) -> None:
    context = client_context(AUTHORITY)
    context.set_ciphers(f"DEFAULT:@SECLEVEL={level}")
    with pytest.raises(ConfigurationError, match="weak keys"):
        SmtpTransport(Server(HOST), context=context)


def test_a_context_that_says_what_it_should_is_taken_as_it_is() -> None:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    assert verifying_context(Server(HOST), context) is context


def test_our_own_context_is_strong_whatever_python_was_built_with() -> None:
    weak = ssl.create_default_context()
    weak.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    weak.set_ciphers("DEFAULT:@SECLEVEL=1")
    for context in (_strengthened(weak), verifying_context(Server(HOST), None)):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.security_level >= 2
        assert not context.hostname_checks_common_name
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def shaken(certificate: Certificate, trust: ssl.SSLContext, *versions: ssl.TLSVersion) -> ssl.SSLObject:
    """Our side of a connection, hands just shaken."""
    theirs = server_context(certificate)
    if versions:
        theirs.minimum_version, theirs.maximum_version = min(versions), max(versions)
        theirs.set_ciphers("DEFAULT:@SECLEVEL=0")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(back, there, server_hostname=HOST)
    server = theirs.wrap_bio(there, back, server_side=True)
    waiting = [client, server]
    while waiting:
        side = waiting.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(side)
    return client


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_a_context_that_was_weakened_later_gets_no_old_tls_either() -> None:
    context = client_context(AUTHORITY)
    server = Server(HOST)
    assert verifying_context(server, context) is context
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(TlsError, match=r"it speaks TLSv1\.1, and TLS 1\.2 is the least") as caught:
        check_certificate(server, shaken(GOOD, context, ssl.TLSVersion.TLSv1_1))
    assert caught.value.retry is Retry.NEVER


@pytest.mark.parametrize("version", LATER_TLS, ids=lambda version: str(version.name))
def test_what_was_agreed_on_is_told_with_the_certificates_end(version: ssl.TLSVersion) -> None:
    channel = check_certificate(Server(HOST), shaken(GOOD, TRUSTED, version))
    assert channel.protocol == version.name.replace("_", ".")
    assert channel.cipher
    assert channel.certificate_ends == NOW + DAY


def test_the_receipt_says_when_the_certificate_ends() -> None:
    channel = deliver(showing(GOOD)).channel
    assert channel is not None
    assert channel.certificate_ends == NOW + DAY


# --- Pins -------------------------------------------------------------------------------------------------------------


def test_the_pinned_key_is_taken_and_another_is_not() -> None:
    other = AUTHORITY.issue(HOST)
    assert deliver(showing(GOOD), certificate_pin=pin_of(GOOD.der)).reply.code == 250
    error = refused(showing(other), certificate_pin=pin_of(GOOD.der))
    assert error.retry is Retry.NEVER
    assert pin_of(other.der) in str(error)


def test_a_pin_stands_in_for_nothing_else() -> None:
    lonely = self_signed(NOW, HOST)
    assert isinstance(
        refused(showing(lonely), certificate_pin=pin_of(lonely.der)).__cause__, ssl.SSLCertVerificationError
    )


# --- Names and clients ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "asked_for"),
    [
        ({"certificate_name": HOST}, HOST),
        ({"certificate_name": f"{HOST}."}, HOST),
        ({"certificate_name": "", "host": "localhost"}, "localhost"),
        ({"certificate_name": ""}, None),
    ],
)
def test_the_server_is_asked_for_the_name_its_certificate_must_show(
    fields: dict[str, Any], asked_for: str | None
) -> None:
    asked: list[str | None] = []
    context = server_context(AUTHORITY.issue(HOST, "localhost", "127.0.0.1"))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    assert deliver(speaking_as(context), **fields).reply.code == 250
    assert asked == [asked_for]


def demanding(heard: list[object]) -> Script:
    """A server that takes nobody without a certificate, and keeps who it was."""
    context = server_context(GOOD)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=AUTHORITY.pem.decode())
    speak = speaking_as(context)

    def serve(conversation: Conversation) -> None:
        try:
            speak(conversation)
        finally:
            if isinstance(conversation._socket, ssl.SSLSocket):
                heard.append((conversation._socket.getpeercert() or {}).get("subject"))

    return serve


def test_a_client_shows_the_certificate_of_its_context(tmp_path: Path) -> None:
    trust = client_context(AUTHORITY)
    trust.load_cert_chain(*AUTHORITY.issue_client("the shop").write(tmp_path, "client"))
    heard: list[object] = []
    # Whoever is named by a certificate needs no password.
    assert deliver(demanding(heard), trust=trust).reply.code == 250
    assert heard == [((("commonName", "the shop"),),)]


@pytest.mark.parametrize("version", LATER_TLS, ids=lambda version: str(version.name))
def test_a_client_without_one_is_turned_away_and_has_said_nothing_in_clear(version: ssl.TLSVersion) -> None:
    """By TLS 1.3 it hears of it only when its own handshake is done: that is no broken line, but no TLS either."""
    trust = client_context(AUTHORITY)
    trust.maximum_version = version
    with ScriptedServer(demanding([])) as server:
        for deliver in DRIVERS.values():
            with pytest.raises(TlsError, match="nothing was said") as caught:
                deliver(at(server), trust)
            assert caught.value.retry is Retry.LATER
    assert not server.heard_in_clear
    assert not server.contents


DRIVERS: dict[str, Callable[[Server, ssl.SSLContext], Receipt]] = {
    "sync": lambda server, trust: SmtpTransport(server, context=trust).deliver(OUTGOING),
    "asyncio": lambda server, trust: asyncio.run(AsyncSmtpTransport(server, context=trust).deliver(OUTGOING)),
}


def shaking_hands_and(version: ssl.TLSVersion, last: Callable[[ssl.SSLObject], None], behind: bytes = b"") -> Script:
    """STARTTLS, and in one packet with the handshake's end these last words, and what is not encrypted at all."""

    def serve(conversation: Conversation) -> None:
        conversation.say("220 mail.test ESMTP")
        conversation.hear()
        conversation.say("250-mail.test", "250 STARTTLS")
        conversation.hear()
        conversation.say("220 go ahead")
        context = server_context(GOOD)
        context.maximum_version = version
        came, leaves = ssl.MemoryBIO(), ssl.MemoryBIO()
        encrypted = context.wrap_bio(came, leaves, server_side=True)
        while True:
            try:
                encrypted.do_handshake()
                break
            except ssl.SSLWantReadError:
                conversation._socket.sendall(leaves.read())
                came.write(conversation._receive())
        last(encrypted)
        conversation._socket.sendall(leaves.read() + behind)
        conversation.hear_nothing()

    return serve


def goodbye(encrypted: ssl.SSLObject) -> None:
    with suppress(ssl.SSLError):
        encrypted.unwrap()


@pytest.mark.parametrize("deliver", DRIVERS.values(), ids=DRIVERS)
@pytest.mark.parametrize("version", LATER_TLS, ids=lambda version: str(version.name))
def test_a_goodbye_in_one_packet_with_the_handshake_is_no_injection(
    version: ssl.TLSVersion, deliver: Callable[[Server, ssl.SSLContext], Receipt]
) -> None:
    with ScriptedServer(shaking_hands_and(version, goodbye)) as server, pytest.raises(ConnectError) as caught:
        deliver(at(server, tls=Tls.STARTTLS), TRUSTED)
    assert caught.value.retry is Retry.LATER


@pytest.mark.parametrize("deliver", DRIVERS.values(), ids=DRIVERS)
@pytest.mark.parametrize("version", LATER_TLS, ids=lambda version: str(version.name))
def test_clear_text_behind_the_handshake_is_no_tls(
    version: ssl.TLSVersion, deliver: Callable[[Server, ssl.SSLContext], Receipt]
) -> None:
    script = shaking_hands_and(version, lambda _encrypted: None, b"250-mail.test\r\n250 AUTH PLAIN\r\n")
    with ScriptedServer(script) as server, pytest.raises(TlsError, match="nothing was said"):
        deliver(at(server, tls=Tls.STARTTLS), TRUSTED)
    assert b"AUTH" not in server.heard_in_clear


@pytest.mark.parametrize("version", LATER_TLS, ids=lambda version: str(version.name))
@pytest.mark.parametrize("end", ["goodbye", "tampered with"])
def test_what_was_said_before_the_end_of_tls_counts_and_nothing_is_written_behind_it(
    version: ssl.TLSVersion, end: str
) -> None:
    layer, encrypted, leaves = both_sides(version)
    encrypted.write(b"250 queued\r\n")
    if end == "goodbye":
        goodbye(encrypted)
    last = leaves.read() + (b"" if end == "goodbye" else b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert layer.opened(last) == b"250 queued\r\n"
    with pytest.raises(ConnectError):
        layer.opened(b"")
    with pytest.raises(ConnectError):
        layer.sealed(b"MAIL FROM:<>\r\n")


@pytest.mark.parametrize("version", LATER_TLS, ids=lambda version: str(version.name))
def test_records_that_came_together_are_read_together(version: ssl.TLSVersion) -> None:
    layer, encrypted, leaves = both_sides(version)
    for word in (b"250 one\r\n", b"250 two\r\n", b"250 three\r\n"):
        encrypted.write(word)
    came = leaves.read()
    assert layer.opened(came[:-1]) == b"250 one\r\n250 two\r\n"
    assert layer.opened(came[-1:]) == b"250 three\r\n"


def both_sides(version: ssl.TLSVersion) -> tuple[TlsLayer, ssl.SSLObject, ssl.MemoryBIO]:
    """Our side and the server's, hands shaken; and what the server's writes."""
    context = server_context(GOOD)
    context.maximum_version = version
    came, leaves = ssl.MemoryBIO(), ssl.MemoryBIO()
    encrypted = context.wrap_bio(came, leaves, server_side=True)
    layer = TlsLayer(Server(HOST, 587), TRUSTED)
    words = layer.shake_hands(b"")
    while layer.channel is None:
        came.write(words)
        with suppress(ssl.SSLWantReadError):
            encrypted.do_handshake()
        words = layer.shake_hands(leaves.read())
    came.write(words)
    with suppress(ssl.SSLWantReadError):
        encrypted.do_handshake()
    return layer, encrypted, leaves


# --- DANE -------------------------------------------------------------------------------------------------------------


@define
class Says:
    """A resolver that always says the same, and keeps what it was asked."""

    answer: ValidatedAnswer | ResolveError
    asked: list[tuple[str, RecordKind]] = field(factory=list)
    before: Callable[[], None] = lambda: None

    def lookup_validated(self, name: str, kind: RecordKind, /) -> ValidatedAnswer:
        self.before()
        self.asked.append((name, kind))
        if isinstance(self.answer, ResolveError):
            raise self.answer
        return self.answer


def proven(*records: Tlsa | str) -> Says:
    return Says(ValidatedAnswer(tuple(map(str, records)), authentic=True))


def unproven(*records: Tlsa | str) -> Says:
    return Says(ValidatedAnswer(tuple(map(str, records)), authentic=False))


OURS, ANOTHERS = tlsa_of(GOOD.der), tlsa_of(AUTHORITY.issue(HOST).der)
AN_AUTHORITYS = Tlsa(2, 1, 1, OURS.association)
NEVER_TOLD = Says(ResolveError("no answer about it: the signatures are wrong"))


@pytest.mark.parametrize("dane", Dane)
def test_what_is_proven_counts(dane: Dane) -> None:
    resolver = proven(ANOTHERS, AN_AUTHORITYS, OURS)
    assert published_for(Server(HOST, dane=dane), resolver) == (ANOTHERS, OURS)
    assert resolver.asked == [(f"_587._tcp.{HOST}", "TLSA")]


NOT_PROVEN = {
    "not signed": (unproven(OURS), "not proven by DNSSEC"),
    "not signed, and not there": (unproven(), "not proven by DNSSEC"),
    "not there": (proven(), "not there"),
    "an authority's": (proven(AN_AUTHORITYS, "3 1 9 00"), "of no kind that names the server's own certificate"),
}


@pytest.mark.parametrize("case", NOT_PROVEN)
def test_where_it_is_required_what_is_not_proven_is_the_end(case: str) -> None:
    resolver, why = NOT_PROVEN[case]
    with pytest.raises(TlsError, match=f"_465._tcp.{HOST} TLSA is {why}") as caught:
        published_for(Server(HOST, 465, dane=Dane.REQUIRED), resolver)
    assert caught.value.retry is Retry.NEVER


@pytest.mark.parametrize("case", NOT_PROVEN)
def test_where_it_counts_if_published_what_is_not_proven_is_nothing(case: str) -> None:
    assert published_for(Server(HOST, dane=Dane.IF_PUBLISHED), NOT_PROVEN[case][0]) == ()


@pytest.mark.parametrize("dane", Dane)
def test_no_answer_is_never_taken_for_nothing_published(dane: Dane) -> None:
    with pytest.raises(TlsError, match="the signatures are wrong") as caught:
        published_for(Server(HOST, dane=dane), NEVER_TOLD)
    assert caught.value.retry is Retry.LATER
    assert isinstance(caught.value.__cause__, ResolveError)


def test_a_resolver_that_breaks_is_one_that_gives_no_answer() -> None:
    resolver = proven(OURS)

    def break_down() -> None:
        raise RuntimeError("out of file handles")

    resolver.before = break_down
    with pytest.raises(TlsError, match="out of file handles") as caught:
        published_for(Server(HOST, dane=Dane.REQUIRED), resolver)
    assert caught.value.retry is Retry.LATER


def test_nobody_is_asked_where_it_is_not_set() -> None:
    assert published_for(Server(HOST), None) == ()


@pytest.mark.parametrize(
    ("dane", "resolver", "says"),
    [(Dane.REQUIRED, None, "resolver=DnsValidatingResolver"), (None, proven(), "dane=Dane.REQUIRED")],
)
def test_dane_and_a_resolver_go_together(dane: Dane | None, resolver: Says | None, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        check_resolver(Server(HOST, dane=dane), resolver)


@pytest.mark.parametrize(("dane", "resolver"), [(Dane.REQUIRED, proven()), (Dane.IF_PUBLISHED, proven()), (None, None)])
def test_what_goes_together_is_taken(dane: Dane | None, resolver: Says | None) -> None:
    check_resolver(Server(HOST, dane=dane), resolver)


def test_a_certificate_must_be_one_of_those_that_are_published() -> None:
    encrypted = shaken(GOOD, TRUSTED)
    assert check_certificate(Server(HOST), encrypted, (ANOTHERS, OURS)).protocol
    with pytest.raises(TlsError, match=f"would be {OURS}") as caught:
        check_certificate(Server(HOST), encrypted, (ANOTHERS,))
    assert caught.value.retry is Retry.NEVER


@pytest.fixture
def local() -> Iterator[ScriptedServer]:
    with ScriptedServer(polite(certificate=LOCAL)) as server:
        yield server


LOCAL = AUTHORITY.issue("localhost")


def with_dane(server: ScriptedServer, resolver: ValidatingResolver, dane: Dane = Dane.REQUIRED) -> SmtpTransport:
    where = at(server, host="localhost", certificate_name="", tls=Tls.STARTTLS, dane=dane)
    handed_in: dict[str, Any] = {"resolver": resolver}
    return SmtpTransport(where, context=TRUSTED, **handed_in)


@pytest.mark.parametrize("dane", Dane)
def test_a_mail_goes_to_a_server_whose_certificate_is_published(local: ScriptedServer, dane: Dane) -> None:
    resolver = proven(tlsa_of(LOCAL.der))
    assert with_dane(local, resolver, dane).deliver(OUTGOING).reply.code == 250
    assert resolver.asked == [(f"_{local.port}._tcp.localhost", "TLSA")]


@pytest.mark.parametrize("dane", Dane)
def test_a_server_whose_certificate_is_not_published_hears_nothing(local: ScriptedServer, dane: Dane) -> None:
    with pytest.raises(TlsError, match="does not publish") as caught:
        with_dane(local, proven(OURS), dane).deliver(OUTGOING)
    assert caught.value.retry is Retry.NEVER
    assert not local.heard_in_secret
    assert [line.split()[0] for line in local.heard_in_clear.splitlines()] == [b"EHLO", b"STARTTLS"]


@pytest.mark.parametrize(
    "resolver", [unproven(OURS), proven(), NEVER_TOLD], ids=["not signed", "not there", "no answer"]
)
def test_a_server_that_cannot_be_known_is_not_even_called(local: ScriptedServer, resolver: Says) -> None:
    with pytest.raises(TlsError):
        with_dane(local, resolver).deliver(OUTGOING)
    assert local.conversations == []


def test_nothing_is_said_before_the_answer_is_there(local: ScriptedServer) -> None:
    resolver = proven(tlsa_of(LOCAL.der))
    seen: list[int] = []
    resolver.before = lambda: seen.append(len(local.conversations))
    with_dane(local, resolver).deliver(OUTGOING)
    assert seen == [0]


def test_if_published_and_not_signed_the_chain_alone_decides(local: ScriptedServer) -> None:
    assert with_dane(local, unproven(OURS), Dane.IF_PUBLISHED).deliver(OUTGOING).reply.code == 250


def test_what_is_published_stands_in_for_nothing_else() -> None:
    lonely = self_signed(NOW, "localhost")
    with ScriptedServer(polite(certificate=lonely)) as server, pytest.raises(TlsError) as caught:
        with_dane(server, proven(tlsa_of(lonely.der))).deliver(OUTGOING)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


def test_each_line_asks_anew_and_each_mail_does_not(local: ScriptedServer) -> None:
    resolver = proven(tlsa_of(LOCAL.der))
    with with_dane(local, resolver).session() as session:
        for _ in range(3):
            session.deliver(OUTGOING)
    assert len(resolver.asked) == len(local.conversations) == 1


@pytest.mark.parametrize("kind", [SmtpTransport, AsyncSmtpTransport])
def test_dane_without_a_resolver_is_no_transport(kind: type[SmtpTransport] | type[AsyncSmtpTransport]) -> None:
    with pytest.raises(ConfigurationError, match="resolver=DnsValidatingResolver"):
        kind(Server(HOST, dane=Dane.REQUIRED))


@pytest.mark.parametrize(("record", "taken"), [(tlsa_of(LOCAL.der), True), (OURS, False)], ids=["right", "wrong"])
def test_on_an_event_loop_it_is_the_same(local: ScriptedServer, record: Tlsa, taken: bool) -> None:
    where = at(local, host="localhost", certificate_name="", tls=Tls.STARTTLS, dane=Dane.REQUIRED)
    handed_in: dict[str, Any] = {"resolver": proven(record)}
    transport = AsyncSmtpTransport(where, context=TRUSTED, **handed_in)
    if taken:
        assert asyncio.run(transport.deliver(OUTGOING)).reply.code == 250
        return
    with pytest.raises(TlsError, match="does not publish"):
        asyncio.run(transport.deliver(OUTGOING))
    assert not local.heard_in_secret


def test_on_an_event_loop_a_pin_is_a_pin() -> None:
    with ScriptedServer(showing(GOOD)) as server:
        where = at(server, certificate_pin=pin_of(LOCAL.der))
        with pytest.raises(TlsError, match="pinned"):
            asyncio.run(AsyncSmtpTransport(where, context=TRUSTED).deliver(OUTGOING))
    assert not server.heard_in_secret
