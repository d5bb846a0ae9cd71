"""Asking a host by HTTPS: whom it believes, and how little a bad answer can do to whoever asks."""

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest

from custom_smtp import SendingDomain
from custom_smtp.domains import Finding
from custom_smtp.edge.http import HEAD_LIMIT, HttpsClient, HttpsFiles, _Reading, dial
from custom_smtp.errors import ConfigurationError, UncheckedError
from custom_smtp.https_answers import HttpsAnswer, HttpsFailure
from custom_smtp.https_report import Hsts, verify_https
from custom_smtp.testing.certificates import Authority, Certificate
from custom_smtp.testing.server import Conversation, Script, ScriptedServer, client_context

NOW = datetime.now(UTC).replace(microsecond=0)
HOST = "links.shop.example"
AUTHORITY = Authority(NOW)
GOOD = AUTHORITY.issue(HOST, "shop.example")
TRUSTED = client_context(AUTHORITY)


def saying(answer: bytes, certificate: Certificate = GOOD) -> Script:
    """A web server that says this to whatever is asked, and then waits for the client to go."""

    def serve(conversation: Conversation) -> None:
        conversation.encrypt(certificate)
        while conversation.hear():
            pass
        conversation.say_raw(answer)
        conversation.hear_nothing()

    return serve


def client(server: ScriptedServer, **parts: Any) -> HttpsClient:
    def to_the_server(_host: str, _port: int, seconds: float) -> socket.socket:
        return socket.create_connection(("127.0.0.1", server.port), seconds)

    told: dict[str, Any] = {"dial": to_the_server, "context": TRUSTED, "timeout": 5.0} | parts
    return HttpsClient(**told)


def ask(script: Script, **parts: Any) -> HttpsAnswer:
    with ScriptedServer(script) as server:
        return client(server, **parts).ask(HOST)


# --- Answers ----------------------------------------------------------------------------------------------------------


def test_an_answer_is_told() -> None:
    answer = ask(saying(b"HTTP/1.1 404 Not Found\r\nstrict-TRANSPORT-security: max-age=5\r\ncontent-length: 9\r\n\r\n"))
    assert (answer.status, answer.hsts, answer.location, answer.failure) == (404, "max-age=5", "", None)
    assert answer.certificate_ends is not None
    assert NOW < answer.certificate_ends < NOW + timedelta(days=30)


def test_of_several_policies_the_first_counts() -> None:
    answer = ask(
        saying(b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: first\r\nStrict-Transport-Security: 2nd\r\n\r\n")
    )
    assert answer.hsts == "first"


def test_no_redirect_is_followed() -> None:
    with ScriptedServer(saying(b"HTTP/1.1 301 Moved\r\nlocation: https://elsewhere.example/\r\n\r\n")) as server:
        answer = client(server).ask(HOST)
    assert (answer.status, answer.location) == (301, "https://elsewhere.example/")
    assert len(server.conversations) == 1


def test_one_question_is_asked_and_nothing_else() -> None:
    with ScriptedServer(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as server:
        client(server).ask("Links.Shop.Example.", "/t/%20?x=1")
    assert server.heard_in_secret == (
        b"GET /t/%20?x=1 HTTP/1.1\r\nhost: links.shop.example\r\n"
        b"user-agent: custom_smtp\r\naccept: */*\r\nconnection: close\r\n\r\n"
    )


def test_an_endless_body_is_not_read() -> None:
    def serve(conversation: Conversation) -> None:
        conversation.encrypt(GOOD)
        while conversation.hear():
            pass
        conversation.say("HTTP/1.1 200 OK", "")
        while True:
            conversation.say_raw(b"x" * 65536)

    assert ask(serve).status == 200


def test_a_continue_before_the_answer_is_passed_over() -> None:
    assert ask(saying(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")).status == 200


# --- Answers that are none --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"220 mail.shop.example ESMTP\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 20\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\n\r\n",
        b"\x00\xff" * 100 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * HEAD_LIMIT * 2,
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    ],
    ids=lambda said: repr(said[:20]),
)
def test_what_is_no_http_is_no_answer(said: bytes) -> None:
    assert ask(saying(said)).failure is HttpsFailure.NOT_HTTP


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nstrict-", b"HTTP/1.1 200 OK\r\nx: y\r\n"])
def test_an_answer_cut_off_before_its_headers_end_is_none(said: bytes) -> None:
    def serve(conversation: Conversation) -> None:
        conversation.encrypt(GOOD)
        while conversation.hear():
            pass
        conversation.say_raw(said)

    assert ask(serve).failure is HttpsFailure.NOT_HTTP


def test_a_silent_server_is_left_in_time() -> None:
    began = monotonic()
    answer = ask(saying(b""), timeout=0.3)
    assert answer.failure is HttpsFailure.SILENT
    assert monotonic() - began < 3


def test_a_server_that_drips_is_left_in_time() -> None:
    def serve(conversation: Conversation) -> None:
        conversation.encrypt(GOOD)
        while conversation.hear():
            pass
        conversation.drip(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000, every=0.05)

    began = monotonic()
    answer = ask(serve, timeout=0.5)
    assert answer.failure is HttpsFailure.SILENT
    assert monotonic() - began < 3


def test_no_more_is_read_when_the_time_is_over() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        late = _Reading(ours, monotonic() - 1)  # type: ignore[arg-type]  # reading is all it does with a socket
        with pytest.raises(TimeoutError):
            late.read(1)


def test_a_server_that_never_shakes_hands_is_left_in_time() -> None:
    began = monotonic()
    assert ask(lambda conversation: conversation.hear_nothing(), timeout=0.3).failure is HttpsFailure.SILENT
    assert monotonic() - began < 3


# --- Trust ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "certificate",
    [
        AUTHORITY.issue("other.shop.example"),
        AUTHORITY.issue(HOST, starts=timedelta(days=-3), lasts=timedelta(days=1)),
        Authority(NOW).issue(HOST),
    ],
    ids=["another name", "expired", "another authority"],
)
def test_a_wrong_certificate_is_a_failure_and_nothing_is_asked(certificate: Certificate) -> None:
    with ScriptedServer(saying(b"HTTP/1.1 200 OK\r\n\r\n", certificate)) as server:
        answer = client(server).ask(HOST)
    assert answer.failure is HttpsFailure.CERTIFICATE
    assert answer.words
    assert server.heard_in_secret == b""


def test_the_systems_authorities_are_asked_where_no_context_is_given() -> None:
    assert ask(saying(b"HTTP/1.1 200 OK\r\n\r\n"), context=None).failure is HttpsFailure.CERTIFICATE


def test_what_speaks_no_tls_is_a_failure() -> None:
    answer = ask(lambda conversation: conversation.say_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10))
    assert answer.failure in (HttpsFailure.NO_TLS, HttpsFailure.UNREACHABLE)


def test_old_tls_is_a_failure() -> None:
    def serve(conversation: Conversation) -> None:
        conversation.encrypt(GOOD, versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))
        conversation.hear_nothing()

    newer = client_context(AUTHORITY)
    newer.minimum_version = ssl.TLSVersion.TLSv1_3
    assert ask(serve, context=newer).failure is HttpsFailure.NO_TLS


# --- Reaching ---------------------------------------------------------------------------------------------------------


def test_a_port_where_nobody_listens_is_out_of_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = HttpsClient(port=port, timeout=2).ask("localhost.localdomain")
    assert answer.failure in (HttpsFailure.UNREACHABLE, HttpsFailure.SILENT)
    with pytest.raises(OSError, match=r".+"):
        dial("127.0.0.1", port, 2)


def test_a_name_with_several_addresses_is_tried_at_each() -> None:
    with ScriptedServer(lambda conversation: conversation.hear_nothing()) as server:
        dial("localhost", server.port, 2).close()
        with pytest.raises(TimeoutError):
            dial("localhost", server.port, 0)


@pytest.mark.parametrize(
    ("number", "failure"), [(socket.EAI_NONAME, HttpsFailure.UNREACHABLE), (socket.EAI_AGAIN, HttpsFailure.SILENT)]
)
def test_a_name_without_an_address_is_told_from_one_that_could_not_be_asked_for(
    number: int, failure: HttpsFailure
) -> None:
    def no_address(*_where: object) -> socket.socket:
        raise socket.gaierror(number, "no address")

    answer = HttpsClient(dial=no_address).ask(HOST)
    assert (answer.failure, answer.words) == (failure, "no address")


# --- What cannot be ---------------------------------------------------------------------------------------------------


def test_a_context_that_takes_any_certificate_is_refused() -> None:
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    with pytest.raises(ConfigurationError, match="takes any certificate"):
        HttpsClient(context=anybody)


@pytest.mark.parametrize("parts", [{"timeout": 0}, {"timeout": 61}, {"timeout": "5"}, {"port": 0}, {"port": "443"}])
def test_a_limit_that_cannot_be_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        HttpsClient(**parts)


@pytest.mark.parametrize("host", ["", "a b", "[::1]", "x\r\nhost: y", "shop..example", None])
def test_a_host_that_cannot_be_is_not_asked(host: Any) -> None:
    with pytest.raises(ConfigurationError):
        HttpsClient(dial=nobody).ask(host)


@pytest.mark.parametrize("path", ["", "t", "/ x", "/\r\nx: y", "/é", "/#x", None])
def test_a_path_that_cannot_be_is_not_asked_for(path: Any) -> None:
    with pytest.raises(ConfigurationError, match="is no path"):
        HttpsClient(dial=nobody).ask(HOST, path)


def nobody(*_where: object) -> socket.socket:
    raise AssertionError("somebody was asked")


# --- Files ------------------------------------------------------------------------------------------------------------

FILE = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


def test_a_file_is_fetched_once() -> None:
    with ScriptedServer(saying(FILE)) as server:
        files = HttpsFiles(client(server))
        assert [files(f"https://{HOST}/a.pem?x=1"), files(f"https://{HOST}/a.pem?x=1")] == [b"hello", b"hello"]
    assert server.heard_in_secret.startswith(b"GET /a.pem?x=1 HTTP/1.1\r\nhost: links.shop.example\r\n")
    assert len(server.conversations) == 1


def test_the_oldest_file_goes_first() -> None:
    with ScriptedServer(saying(FILE)) as server:
        files = HttpsFiles(client(server), capacity=1)
        for name in ("a", "b", "b", "a"):
            assert files(f"https://{HOST}/{name}") == b"hello"
    assert len(server.conversations) == 3


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n" + b"x" * 70_000,
        b"220 mail.shop.example ESMTP\r\n",
    ],
    ids=lambda said: repr(said[:20]),
)
def test_what_is_no_file_is_not_kept(said: bytes) -> None:
    with ScriptedServer(saying(said)) as server:
        files = HttpsFiles(client(server))
        for _ in range(2):
            with pytest.raises(UncheckedError, match=HOST):
                files(f"https://{HOST}/a.pem")
    assert len(server.conversations) == 2


@pytest.mark.parametrize("cut", [FILE[:-1], b"HTTP/1.1 200 OK\r\n\r\nhello"])
def test_a_file_that_may_be_cut_off_is_none(cut: bytes) -> None:
    def serve(conversation: Conversation) -> None:
        conversation.encrypt(GOOD)
        while conversation.hear():
            pass
        conversation.say_raw(cut)

    with ScriptedServer(serve) as server, pytest.raises(UncheckedError):
        HttpsFiles(client(server))(f"https://{HOST}/a.pem")


def test_a_host_that_is_not_there_has_no_file() -> None:
    def refuse(_host: str, _port: int, _seconds: float) -> socket.socket:
        raise ConnectionRefusedError

    with pytest.raises(UncheckedError, match="no answer"):
        HttpsFiles(HttpsClient(dial=refuse))("https://sns.example/a.pem")


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.example/a.pem", "sns.example/a.pem", "https:///a.pem", "https://u@sns.example/a.pem", "https://[",
        "https://sns.example:8443/a.pem", "https://sns.example/a b", "https://sns.example/a#b", "", None, 5,
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_file_is_not_asked_for(url: Any) -> None:
    with pytest.raises(ConfigurationError):
        HttpsFiles(HttpsClient(dial=nobody))(url)


@pytest.mark.parametrize("capacity", [0, True, "16"])
def test_files_are_kept_in_numbers(capacity: Any) -> None:
    with pytest.raises(ConfigurationError, match="capacity"):
        HttpsFiles(capacity=capacity)


# --- The whole way ----------------------------------------------------------------------------------------------------


def by_name(answers: dict[str, bytes]) -> Callable[[Conversation], None]:
    def serve(conversation: Conversation) -> None:
        conversation.encrypt(GOOD)
        lines = []
        while line := conversation.hear():
            lines.append(line)
        conversation.say_raw(answers[lines[1].removeprefix("host: ")])
        conversation.hear_nothing()

    return serve


def test_a_domain_is_verified_by_its_answers() -> None:
    domain = SendingDomain(
        name="shop.example",
        mail_host="send.shop.example",
        link_host=HOST,
        link_target="track.eu.example",
        mail_exchange="10 mx.eu.example.",
        spf_include="_spf.eu.example",
        dkim_selector="s1",
        dkim_record="v=DKIM1; k=ed25519; p=11qYAYKx",
    )
    answers = {
        HOST: b"HTTP/1.1 404 Not Found\r\nstrict-transport-security: max-age=31536000\r\n\r\n",
        "shop.example": b"HTTP/1.1 200 OK\r\nstrict-transport-security: max-age=9; includeSubDomains\r\n\r\n",
    }
    with ScriptedServer(by_name(answers)) as server:
        report = verify_https(domain, client(server))
    assert (report.https, report.hsts, report.policy) == (Finding.OK, Finding.OK, Hsts(31_536_000))
    assert report.forced_by == "shop.example"
