"""SmtpTransport and its asyncio twin against a server that follows a script: what leaves, and what is told."""

import asyncio
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import define, evolve

from custom_smtp import Address, Credentials, DeliveryId, Outgoing, Receipt, Server, SmtpTransport, Tls
from custom_smtp.edge.smtp_asyncio import AsyncSmtpTransport
from custom_smtp.errors import (
    AuthError,
    ConfigurationError,
    ConnectError,
    InsecureTransportWarning,
    RefusedError,
    Retry,
    Step,
    TlsError,
    TransportError,
    UncertainError,
)
from custom_smtp.outgoing import Envelope
from custom_smtp.servers import Limits
from custom_smtp.testing.certificates import Authority, Certificate
from custom_smtp.testing.scripts import polite
from custom_smtp.testing.server import Answer, Conversation, Script, ScriptedServer, client_context

AUTHORITY = Authority(datetime.now(UTC))
GOOD = AUTHORITY.issue("127.0.0.1", "localhost")
TRUSTED = client_context(AUTHORITY)
PASSWORD = "pa\\ss wörd€"
CREDENTIALS = Credentials("shop", PASSWORD)
SECRETS = (PASSWORD.encode(), b"AHNob3AAcGFcc3Mgd8O2cmTigqw", b"cGFcc3Mgd8O2cmTigqw")
OUTGOING = Outgoing(
    DeliveryId("d1"),
    Envelope(Address("hello@shop.example"), (Address("ada@example.net"),)),
    b"Subject: Hi\r\n\r\n.leading dot\r\n..two\r\nend\r\n",
)
AMPLE = Limits.all_of(8)
"""Where no limit makes the end: a busy machine shall not decide what is found."""
QUICK = Limits.all_of(0.4)
"""Where one does, and whichever it is, the end is the same."""
MARGIN = 3.0


@define
class OnALoop:
    """The asyncio twin, called as the other is."""

    server: Server
    context: ssl.SSLContext

    def deliver(self, outgoing: Outgoing, /) -> Receipt:
        return asyncio.run(AsyncSmtpTransport(self.server, context=self.context).deliver(outgoing))


_DRIVER: list[Callable[..., SmtpTransport | OnALoop]] = [SmtpTransport]


@pytest.fixture(autouse=True, params=[SmtpTransport, OnALoop], ids=["threads", "asyncio"])
def driver(request: pytest.FixtureRequest) -> None:
    """Every test runs with both drivers: the rules are the dialogue's."""
    _DRIVER[0] = request.param


def transport(
    server: ScriptedServer,
    *,
    tls: Tls = Tls.STARTTLS,
    credentials: Credentials | None = CREDENTIALS,
    limits: Limits = AMPLE,
    trust: ssl.SSLContext = TRUSTED,
    host: str = "127.0.0.1",
) -> SmtpTransport | OnALoop:
    where = Server(host, server.port, credentials, tls=tls, limits=limits)
    return _DRIVER[0](where, context=trust)


def deliver(script: Script, outgoing: Outgoing = OUTGOING, **how: object) -> tuple[Receipt, ScriptedServer]:
    with ScriptedServer(script) as server:
        return transport(server, **how).deliver(outgoing), server  # type: ignore[arg-type]  # transport() checks them


def failure(
    script: Script, outgoing: Outgoing = OUTGOING, *, limits: Limits = AMPLE, **how: object
) -> tuple[TransportError, ScriptedServer]:
    with ScriptedServer(script) as server:
        began = time.monotonic()
        with pytest.raises(TransportError) as caught:
            transport(server, limits=limits, **how).deliver(outgoing)  # type: ignore[arg-type]
        assert time.monotonic() - began < MARGIN
    return caught.value, server


# A mail that arrives


def test_a_mail_arrives_byte_for_byte_and_its_receipt_says_how() -> None:
    receipt, server = deliver(polite(certificate=GOOD))
    assert server.contents == [OUTGOING.content]
    assert receipt.delivery_id == "d1"
    assert (receipt.reply.code, receipt.reply.text) == (250, "2.0.0 queued as 4711")
    assert receipt.server == f"127.0.0.1:{server.port}"
    assert receipt.channel is not None
    assert receipt.channel.protocol in {"TLSv1.2", "TLSv1.3"}
    assert receipt.channel.cipher


def test_before_tls_nothing_is_said_but_ehlo_and_starttls() -> None:
    _, server = deliver(polite(certificate=GOOD))
    assert server.heard_in_clear.split(b"\r\n")[:2] == [b"EHLO [127.0.0.1]", b"STARTTLS"]
    handshake = server.heard_in_clear.partition(b"STARTTLS\r\n")[2]
    assert handshake == b""
    assert server.heard_in_secret.startswith(b"EHLO [127.0.0.1]\r\nAUTH PLAIN ")


def test_tls_from_the_first_byte() -> None:
    receipt, server = deliver(polite(certificate=GOOD, implicit=True), tls=Tls.IMPLICIT)
    assert receipt.channel is not None
    assert server.heard_in_clear == b""
    assert server.contents == [OUTGOING.content]


def test_an_authority_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.pem)
    with ScriptedServer(polite(certificate=GOOD)) as server:
        where = Server("127.0.0.1", server.port, CREDENTIALS, ca_file=tmp_path / "ca.pem", limits=AMPLE)
        assert SmtpTransport(where).deliver(OUTGOING).reply.code == 250


def test_a_helo_name_of_ones_own() -> None:
    with ScriptedServer(polite(certificate=GOOD)) as server:
        where = Server("127.0.0.1", server.port, helo_name="web1.shop.example", limits=AMPLE)
        SmtpTransport(where, context=TRUSTED).deliver(OUTGOING)
    assert server.heard_in_clear.startswith(b"EHLO web1.shop.example\r\n")


def test_the_envelope_says_size_body_and_utf8_where_the_server_knows_them() -> None:
    wide = Outgoing(
        DeliveryId("d2"),
        Envelope(Address("hello@shop.example"), (Address("jörg@bücher.example", smtputf8=True),)),
        "Subject: ü\r\n\r\nä\r\n".encode(),
        smtputf8=True,
    )
    _, server = deliver(polite(certificate=GOOD), wide)
    said = server.heard_in_secret.decode()
    assert "MAIL FROM:<hello@shop.example> SIZE=19 BODY=8BITMIME SMTPUTF8\r\n" in said
    assert "RCPT TO:<jörg@xn--bcher-kva.example>\r\n" in said


def test_the_empty_sender() -> None:
    unanswerable = evolve(OUTGOING, envelope=Envelope(None, OUTGOING.envelope.recipients))
    _, server = deliver(polite(certificate=GOOD), unanswerable)
    assert b"MAIL FROM:<> SIZE=" in server.heard_in_secret


def test_a_line_that_breaks_at_goodbye_does_not_unsend_the_mail() -> None:
    receipt, server = deliver(polite({"QUIT": Conversation.drop}, certificate=GOOD))
    assert receipt.reply.code == 250
    assert len(server.contents) == 1


def test_a_goodbye_that_never_comes_is_not_waited_for_long() -> None:
    began = time.monotonic()
    receipt, _ = deliver(polite({"QUIT": Conversation.hear_nothing}, certificate=GOOD))
    assert receipt.reply.code == 250
    assert time.monotonic() - began < MARGIN


# Logging in


def test_plain_is_taken_before_login() -> None:
    _, server = deliver(polite(certificate=GOOD, offers=("AUTH LOGIN CRAM-MD5 PLAIN",)))
    assert server.heard_in_secret.count(b"AUTH") == 1
    assert b"AUTH PLAIN AHNob3AAcGFcc3Mgd8O2cmTigqw\r\n" in server.heard_in_secret.replace(b"=", b"")


def test_login_where_it_is_all_there_is() -> None:
    _, server = deliver(polite(certificate=GOOD, offers=("AUTH LOGIN",)))
    assert b"AUTH LOGIN\r\nc2hvcA==\r\ncGFcc3Mgd8O2cmTigqw=\r\nMAIL FROM" in server.heard_in_secret


def test_a_server_that_asks_for_nothing_gets_no_login() -> None:
    _, server = deliver(polite(certificate=GOOD), credentials=None)
    assert b"AUTH" not in server.heard_in_secret


def test_a_wrong_password_is_tried_once_with_one_mechanism() -> None:
    error, server = failure(polite({"AUTH": "535 5.7.8 no"}, certificate=GOOD))
    assert isinstance(error, AuthError)
    assert error.retry is Retry.NEVER
    assert error.reply is not None
    assert error.reply.enhanced == "5.7.8"
    assert server.heard_in_secret.count(b"AUTH") == 1
    assert b"MAIL" not in server.heard_in_secret


def test_a_login_that_cannot_be_checked_now_can_be_tried_later() -> None:
    error, _ = failure(polite({"AUTH": "454 4.7.0 later"}, certificate=GOOD))
    assert isinstance(error, AuthError)
    assert error.retry is Retry.LATER


def test_no_login_that_we_speak() -> None:
    error, server = failure(polite(certificate=GOOD, offers=("AUTH GSSAPI NTLM",)))
    assert isinstance(error, AuthError)
    assert "GSSAPI, NTLM" in str(error)
    assert "PLAIN, LOGIN" in str(error)
    assert b"AUTH" not in server.heard_in_secret


@pytest.mark.parametrize("offer", ["AUTH PLAIN", "AUTH LOGIN"])
def test_a_server_that_never_stops_asking_is_left(offer: str) -> None:
    def ask_for_ever(conversation: Conversation) -> None:
        while True:
            conversation.say("334 VXNlcm5hbWU6")
            if conversation.hear() == "*":
                conversation.say("501 5.7.0 as you like")
                return

    error, _ = failure(polite({"AUTH": ask_for_ever}, certificate=GOOD, offers=(offer,)))
    assert isinstance(error, AuthError)


def test_a_challenge_that_is_no_base64() -> None:
    error, _ = failure(polite({"AUTH": "334 a"}, certificate=GOOD, offers=("AUTH LOGIN",)))
    assert isinstance(error, AuthError)


@pytest.mark.parametrize("echo", [PASSWORD, "AHNob3AAcGFcc3Mgd8O2cmTigqw=", "cGFcc3Mgd8O2cmTigqw="])
@pytest.mark.parametrize("form", ["535 5.7.8 {} is wrong", "not a reply: {}"])
def test_a_server_that_repeats_the_password_does_not_get_it_into_the_error(echo: str, form: str) -> None:
    error, _ = failure(polite(certificate=GOOD, answers={"AUTH": form.format(echo)}))
    assert isinstance(error, AuthError | ConnectError)
    for secret in (PASSWORD, "AHNob3AAcGFcc3Mgd8O2cmTigqw", "cGFcc3Mgd8O2cmTigqw"):
        assert secret not in f"{error} {error!r}"


# No secret channel, no word


def nothing_secret_was_said(server: ScriptedServer) -> None:
    for told in (*SECRETS, b"AUTH", b"MAIL", b"ada@", b"hello@", b"Subject"):
        assert told not in server.heard_in_clear
    assert not server.contents


def inject(words: bytes) -> Callable[[Conversation], None]:
    def answer(conversation: Conversation) -> None:
        conversation.say_raw(b"220 2.0.0 go ahead\r\n" + words)
        conversation.encrypt(GOOD)

    return answer


def instead_of_a_handshake(then: Callable[[Conversation], None]) -> Callable[[Conversation], None]:
    def answer(conversation: Conversation) -> None:
        conversation.say("220 2.0.0 go ahead")
        conversation._receive()
        then(conversation)

    return answer


STARTTLS_FAULTS: dict[str, tuple[Answer, Retry]] = {
    "refused 454": ("454 4.7.0 TLS not available", Retry.LATER),
    "refused 501": ("501 5.5.4 syntax", Retry.NEVER),
    "refused 502": ("502 5.5.1 not known", Retry.NEVER),
    "answered 250": ("250 ok", Retry.NEVER),
    "malformed": ("go ahead", Retry.LATER),
    "dropped": (Conversation.drop, Retry.LATER),
    "stalled": (Conversation.hear_nothing, Retry.LATER),
    "dripped": (lambda client: client.drip(b"220 go ahead, but slowly\r\n", every=0.1), Retry.LATER),
    "injected reply": (inject(b"250 AUTH PLAIN\r\n"), Retry.NEVER),
    "injected half a line": (inject(b"2"), Retry.NEVER),
    "endless": (lambda client: client.say_raw(b"2" * 100_000), Retry.LATER),
    "no handshake": (instead_of_a_handshake(Conversation.hear_nothing), Retry.LATER),
    "clear text for a handshake": (instead_of_a_handshake(lambda client: client.say("250 ok")), Retry.LATER),
    "dropped in the handshake": (instead_of_a_handshake(Conversation.drop), Retry.LATER),
}


def test_a_server_whose_starttls_was_taken_away_hears_nothing_secret() -> None:
    error, server = failure(polite())
    assert isinstance(error, TlsError)
    assert error.retry is Retry.NEVER
    assert "submissions" in str(error)
    nothing_secret_was_said(server)


@pytest.mark.parametrize("fault", STARTTLS_FAULTS)
def test_a_faulty_starttls_is_a_tls_error_and_not_a_word_is_said(fault: str) -> None:
    answer, retry = STARTTLS_FAULTS[fault]
    limits = Limits.all_of(1) if fault in {"stalled", "dripped", "no handshake"} else AMPLE
    error, server = failure(polite({"STARTTLS": answer}, certificate=GOOD), limits=limits)
    assert isinstance(error, TlsError)
    assert error.retry is retry
    nothing_secret_was_said(server)
    assert not server.heard_in_secret


NOW = datetime.now(UTC)
BAD_CERTIFICATES: dict[str, Certificate] = {
    "wrong host": AUTHORITY.issue("mail.example"),
    "no host": AUTHORITY.issue(),
    "expired": AUTHORITY.issue("127.0.0.1", starts=timedelta(days=-3), lasts=timedelta(days=1)),
    "not yet valid": AUTHORITY.issue("127.0.0.1", starts=timedelta(days=1)),
    "of an authority we do not know": Authority(NOW, "a stranger").issue("127.0.0.1"),
    "of an authority with the same name": Authority(NOW).issue("127.0.0.1"),
}


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit"])
@pytest.mark.parametrize("fault", BAD_CERTIFICATES)
def test_a_certificate_that_is_not_to_be_trusted(fault: str, implicit: bool) -> None:
    error, server = failure(
        polite(certificate=BAD_CERTIFICATES[fault], implicit=implicit), tls=Tls.IMPLICIT if implicit else Tls.STARTTLS
    )
    assert isinstance(error, TlsError)
    assert error.retry is Retry.NEVER
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)
    nothing_secret_was_said(server)
    assert not server.heard_in_secret


@pytest.mark.parametrize("pattern", ["*", "*.*", "l*st", "*.localhost"])
def test_a_wildcard_that_is_too_wide(pattern: str) -> None:
    error, _ = failure(polite(certificate=AUTHORITY.issue(pattern)), host="localhost")
    assert isinstance(error, TlsError)


def test_tls_below_1_2_is_refused() -> None:
    def old(conversation: Conversation) -> None:
        conversation.say("220 go ahead")
        conversation.encrypt(GOOD, versions=(ssl.TLSVersion.TLSv1_1,))

    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        error, server = failure(polite({"STARTTLS": old}, certificate=GOOD))
    assert isinstance(error, TlsError)
    nothing_secret_was_said(server)


# Opportunistic


@pytest.mark.parametrize("kind", [SmtpTransport, AsyncSmtpTransport])
def test_opportunistic_tls_warns_once_where_it_is_set_up(
    kind: Callable[[Server], SmtpTransport | AsyncSmtpTransport],
) -> None:
    with pytest.warns(InsecureTransportWarning, match="clear") as told:
        kind(Server("mail.test", tls=Tls.OPPORTUNISTIC))
    assert [warning.filename for warning in told] == [__file__]


@pytest.mark.filterwarnings("ignore::custom_smtp.errors.InsecureTransportWarning")
class TestOpportunistic:
    def test_it_encrypts_where_it_can(self) -> None:
        receipt, _ = deliver(polite(certificate=GOOD), tls=Tls.OPPORTUNISTIC)
        assert receipt.channel is not None

    def test_it_goes_in_clear_where_it_must_and_says_so(self) -> None:
        receipt, server = deliver(polite(), tls=Tls.OPPORTUNISTIC, credentials=None)
        assert receipt.channel is None
        assert server.contents == [OUTGOING.content]

    def test_it_never_sends_credentials_in_clear(self) -> None:
        error, server = failure(polite(), tls=Tls.OPPORTUNISTIC)
        assert isinstance(error, TlsError)
        assert error.retry is Retry.NEVER
        nothing_secret_was_said(server)

    def test_it_never_falls_back_from_a_bad_certificate(self) -> None:
        error, server = failure(
            polite(certificate=BAD_CERTIFICATES["expired"]), tls=Tls.OPPORTUNISTIC, credentials=None
        )
        assert isinstance(error, TlsError)
        nothing_secret_was_said(server)


# Contexts of one's own


def test_a_context_that_takes_any_certificate_is_refused() -> None:
    careless = ssl.create_default_context()
    careless.check_hostname = False
    with pytest.raises(ConfigurationError, match="any certificate"):
        SmtpTransport(Server("mail.test"), context=careless)


def test_a_context_that_allows_old_tls_is_refused() -> None:
    old = ssl.create_default_context()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ConfigurationError, match=r"1\.2"):
        SmtpTransport(Server("mail.test"), context=old)


def test_a_context_and_an_authority_file_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="both"):
        SmtpTransport(Server("mail.test", ca_file=tmp_path / "ca.pem"), context=TRUSTED)


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_an_authority_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        SmtpTransport(Server("mail.test", ca_file=path))


def test_the_password_does_not_print() -> None:
    assert PASSWORD not in repr(SmtpTransport(Server("mail.test", credentials=CREDENTIALS)))


# Three ends: accepted, refused, uncertain

REFUSALS: dict[str, tuple[dict[str, str], Step, Retry]] = {
    "greeting 421": ({"greeting": "421 4.3.2 busy"}, Step.CONNECT, Retry.LATER),
    "greeting 554": ({"greeting": "554 5.7.1 not you"}, Step.CONNECT, Retry.NEVER),
    "ehlo 421": ({"EHLO": "421 4.3.2 busy"}, Step.EHLO, Retry.LATER),
    "ehlo 550": ({"EHLO": "550 5.7.1 not you"}, Step.EHLO, Retry.NEVER),
    "mail 451": ({"MAIL": "451 4.3.0 later"}, Step.MAIL, Retry.LATER),
    "mail 530": ({"MAIL": "530 5.7.0 log in"}, Step.MAIL, Retry.NEVER),
    "rcpt 450": ({"RCPT": "450 4.2.0 greylisted"}, Step.RCPT, Retry.LATER),
    "rcpt 550": ({"RCPT": "550 5.1.1 no such user"}, Step.RCPT, Retry.NEVER),
    "data 451": ({"DATA": "451 4.3.0 later"}, Step.DATA, Retry.LATER),
    "data 554": ({"DATA": "554 5.5.1 no valid recipients"}, Step.DATA, Retry.NEVER),
    "content 452": ({"CONTENT": "452 4.3.1 full"}, Step.CONTENT, Retry.LATER),
    "content 554": ({"CONTENT": "554 5.7.1 spam\n"}, Step.CONTENT, Retry.NEVER),
    "content 421": ({"CONTENT": "421 4.3.2 closing"}, Step.CONTENT, Retry.LATER),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_who_said_what_where(case: str) -> None:
    answers, step, retry = REFUSALS[case]
    spoken: dict[str, Answer] = {name: answer.removesuffix("\n") for name, answer in answers.items()}
    greeting = spoken.pop("greeting", "220 mail.test")
    error, server = failure(polite(spoken, certificate=GOOD, greeting=greeting))
    assert isinstance(error, RefusedError)
    assert (error.at, error.retry) == (step, retry)
    assert str(error.reply) in next(iter(answers.values()))
    if step is not Step.CONTENT:
        assert not server.contents


def test_a_refusal_in_several_lines_is_kept_whole() -> None:
    error, _ = failure(polite({"RCPT": "550-5.1.1 no such user\n550 5.1.1 see our pages"}, certificate=GOOD))
    assert isinstance(error, RefusedError)
    assert error.reply.text == "5.1.1 no such user\n5.1.1 see our pages"
    assert error.reply.enhanced == "5.1.1"


def test_of_several_recipients_each_is_told_of_apart() -> None:
    def only_ada(conversation: Conversation) -> None:
        refused = b"RCPT TO:<bob@" in conversation.heard_in_secret
        conversation.say("550 5.1.1 no such user" if refused else "250 2.1.5 ok")

    both = evolve(OUTGOING, envelope=Envelope(None, (Address("ada@example.net"), Address("bob@example.net"))))
    receipt, server = deliver(polite({"RCPT": only_ada}, certificate=GOOD), both)
    [refusal] = receipt.refused
    assert refusal.recipient == Address("bob@example.net")
    assert (refusal.error.at, refusal.error.reply.code) == (Step.RCPT, 550)
    assert server.contents == [OUTGOING.content]


def ignore_offers(*offers: str) -> Script:
    return polite(certificate=GOOD, offers=("AUTH PLAIN", *offers))


WIDE = evolve(OUTGOING, content="Subject: x\r\n\r\nä\r\n".encode())
FAR = evolve(OUTGOING, envelope=Envelope(None, (Address("jörg@example.net", smtputf8=True),)))
UNFIT = {
    "too large": (ignore_offers("SIZE 20"), OUTGOING, "552 5.3.4"),
    "8-bit": (ignore_offers("SIZE"), WIDE, "554 5.6.3"),
    "utf-8": (ignore_offers("8BITMIME"), FAR, "550 5.6.7"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_the_server_cannot_take_is_refused_before_a_word_of_it_is_said(case: str) -> None:
    script, outgoing, words = UNFIT[case]
    error, server = failure(script, outgoing)
    assert isinstance(error, RefusedError)
    assert error.at is Step.EHLO
    assert str(error.reply).startswith(words)
    assert b"MAIL" not in server.heard_in_secret


def test_a_size_of_nought_is_no_limit() -> None:
    receipt, _ = deliver(ignore_offers("SIZE 0"))
    assert receipt.reply.code == 250


def say(words: bytes) -> Callable[[Conversation], None]:
    def answer(conversation: Conversation) -> None:
        conversation.say_raw(words)
        conversation.hear_nothing()

    return answer


FAULTS: dict[str, Answer] = {
    "dropped": Conversation.drop,
    "closed": Conversation.close,
    "stalled": Conversation.hear_nothing,
    "dripped": lambda client: client.drip(b"250 as slowly as can be\r\n", every=0.1),
    "dripped lines": lambda client: client.drip(b"2\n5\n0\n", every=0.1),
    "malformed": say(b"ok\r\n"),
    "a code of four digits": say(b"2500 ok\r\n"),
    "a code that is none": say(b"650 ok\r\n"),
    "NUL": say(b"250 o\x00k\r\n"),
    "an empty line": say(b"\r\n"),
    "out of place": say(b"334 \r\n"),
    "half a reply": say(b"250-and then\r\n"),
    "mixed codes": say(b"250-yes\r\n550 no\r\n"),
    "endless line": say(b"250 " + b"x" * 100_000),
    "long line": say(b"250 " + b"x" * 5_000 + b"\r\n"),
    "endless lines": say(b"250-x\r\n" * 5_000),
}


WAITS = {"stalled", "dripped", "dripped lines", "half a reply", "out of place"}
"""What says too little for an end but that of a limit: "334" does where it asks for something."""


@pytest.mark.parametrize("verb", ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_line_that_breaks_before_the_last_byte_has_delivered_nothing(fault: str, verb: str) -> None:
    error, server = failure(polite({verb: FAULTS[fault]}, certificate=GOOD), limits=QUICK if fault in WAITS else AMPLE)
    assert isinstance(error, ConnectError | AuthError)
    assert not server.contents
    assert not any(secret in server.heard_in_clear for secret in SECRETS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_greeting(fault: str) -> None:
    limits = QUICK if fault in WAITS else AMPLE
    error, server = failure(polite(certificate=GOOD, greeting=FAULTS[fault]), limits=limits)
    assert isinstance(error, ConnectError)
    assert not server.heard_in_clear


@pytest.mark.parametrize("fault", FAULTS)
def test_after_the_last_byte_a_broken_line_leaves_it_uncertain(fault: str) -> None:
    limits = evolve(AMPLE, final=0.4) if fault in WAITS else AMPLE
    error, server = failure(polite({"CONTENT": FAULTS[fault]}, certificate=GOOD), limits=limits)
    assert isinstance(error, UncertainError)
    assert error.retry is Retry.RISKY
    assert server.contents == [OUTGOING.content]


def test_a_line_that_breaks_amid_the_content_has_delivered_nothing() -> None:
    def take_a_little(conversation: Conversation) -> None:
        conversation.say("354 go ahead")
        conversation.drop()

    large = evolve(OUTGOING, content=b"x" * 900 + b"\r\n" + (b"y" * 900 + b"\r\n") * 9_000)
    error, server = failure(polite({"DATA": take_a_little}, certificate=GOOD), large)
    assert isinstance(error, ConnectError)
    assert not server.contents


def test_content_that_nobody_takes_in_is_not_waited_for() -> None:
    def take_nothing(conversation: Conversation) -> None:
        conversation.say("354 go ahead")
        conversation._stopped.wait(MARGIN)

    large = evolve(OUTGOING, content=b"x\r\n" * 7_000_000)
    script = polite({"DATA": take_nothing}, certificate=GOOD, offers=("AUTH PLAIN",))
    error, _ = failure(script, large, limits=QUICK)
    assert isinstance(error, ConnectError)


def test_content_that_is_turned_away_half_way_is_refused() -> None:
    def turn_away(conversation: Conversation) -> None:
        conversation.say("354 go ahead", "552 5.3.4 too large after all")
        conversation.hear_nothing()

    error, server = failure(polite({"DATA": turn_away}, certificate=GOOD))
    assert isinstance(error, ConnectError | RefusedError)
    assert not server.contents
    assert b"\r\n.\r\n" not in server.heard_in_secret


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT"])
def test_a_reply_too_many_is_not_credited_to_the_next_command(verb: str) -> None:
    def twice(conversation: Conversation) -> None:
        conversation.say("250 2.0.0 yes", "250 2.0.0 and yes again")

    error, server = failure(polite({verb: twice}, certificate=GOOD))
    assert isinstance(error, ConnectError | TlsError)
    assert not server.contents


def test_nobody_listens() -> None:
    with ScriptedServer(polite()) as server:
        port = server.port
    with pytest.raises(ConnectError, match="cannot be reached") as caught:
        SmtpTransport(Server("127.0.0.1", port, limits=QUICK), context=TRUSTED).deliver(OUTGOING)
    assert caught.value.retry is Retry.LATER
    assert isinstance(caught.value.__cause__, OSError)


def test_what_a_script_itself_gets_wrong_is_raised_in_the_test() -> None:
    def wrong(conversation: Conversation) -> None:
        raise LookupError("the script's own mistake")

    server = ScriptedServer(wrong)
    server.__enter__()
    with pytest.raises(ConnectError):
        transport(server).deliver(OUTGOING)
    with pytest.raises(LookupError):
        server.__exit__(None, None, None)
