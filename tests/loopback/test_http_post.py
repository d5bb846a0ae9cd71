"""Posting to somebody's URL: whom it reaches, whom it believes, and how little a bad answer can do."""

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest

from custom_smtp.edge.http import HEAD_LIMIT
from custom_smtp.edge.http_post import HttpPosts
from custom_smtp.edge.public_dial import PublicDial
from custom_smtp.errors import ConfigurationError
from custom_smtp.posts import Post, Posted
from custom_smtp.testing.certificates import Authority, Certificate
from custom_smtp.testing.server import Conversation, Script, ScriptedServer, client_context

NOW = datetime.now(UTC).replace(microsecond=0)
HOST = "crm.example"
AUTHORITY = Authority(NOW)
GOOD = AUTHORITY.issue(HOST)
TRUSTED = client_context(AUTHORITY)
BODY = b'{"type":"email.bounced"}'


def hear_a_post(conversation: Conversation) -> list[str]:
    lines = []
    while line := conversation.hear():
        lines.append(line)
    [length] = [line.split(": ")[1] for line in lines if line.startswith("content-length")]
    conversation.hear_octets(int(length))
    return lines


def saying(answer: bytes, certificate: Certificate | None = GOOD) -> Script:
    def serve(conversation: Conversation) -> None:
        if certificate is not None:
            conversation.encrypt(certificate)
        hear_a_post(conversation)
        conversation.say_raw(answer)
        conversation.hear_nothing()

    return serve


def post(script: Script, url: str = f"https://{HOST}/hooks?t=1", **parts: Any) -> Posted:
    with ScriptedServer(script) as server:
        return posts_to(server, **parts).post(a_post(url))


def a_post(url: str) -> Post:
    return Post(url=url, headers=(("content-type", "application/json"), ("webhook-id", "msg_1")), body=BODY)


def posts_to(server: ScriptedServer, **parts: Any) -> HttpPosts:
    def to_the_server(_host: str, _port: int, seconds: float) -> socket.socket:
        return socket.create_connection(("127.0.0.1", server.port), seconds)

    told: dict[str, Any] = {"dial": to_the_server, "context": TRUSTED, "timeout": 5.0} | parts
    return HttpPosts(**told)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


# --- Posts and answers ------------------------------------------------------------------------------------------------


def test_what_is_posted_is_what_was_given() -> None:
    with ScriptedServer(saying(OK)) as server:
        assert posts_to(server).post(a_post(f"https://{HOST}:8443/hooks?t=1&u=%20")) == Posted(status=200)
    assert server.heard_in_clear == b""
    assert server.heard_in_secret == (
        b"POST /hooks?t=1&u=%20 HTTP/1.1\r\nhost: crm.example:8443\r\nuser-agent: custom_smtp\r\ncontent-length: 24\r\n"
        b"connection: close\r\ncontent-type: application/json\r\nwebhook-id: msg_1\r\n\r\n" + BODY
    )


def test_a_line_in_clear_is_used_where_the_url_says_so() -> None:
    with ScriptedServer(saying(OK, None)) as server:
        assert posts_to(server).post(a_post(f"http://{HOST}")) == Posted(status=200)
    assert server.heard_in_clear.startswith(b"POST / HTTP/1.1\r\nhost: crm.example\r\n")


@pytest.mark.parametrize("status", [200, 202, 301, 307, 401, 410, 429, 500, 599])
def test_the_status_is_told_and_no_redirect_followed(status: int) -> None:
    answer = f"HTTP/1.1 {status} Word\r\nlocation: https://elsewhere.example/\r\n\r\n".encode()
    assert post(saying(answer)).status == status


def test_what_comes_before_the_answer_is_passed_over() -> None:
    said = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n" + OK
    assert post(saying(said)).status == 200


def test_an_answer_may_drip_in() -> None:
    def serve(conversation: Conversation) -> None:
        conversation.encrypt(GOOD)
        hear_a_post(conversation)
        conversation.drip(OK, every=0.01)
        conversation.hear_nothing()

    assert post(serve).status == 200


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("retry-after: 120", timedelta(minutes=2)),
        ("Retry-After:0", timedelta(0)),
        ("date: Fri, 02 Jan 2026 05:00:00 GMT\r\nretry-after: Fri, 02 Jan 2026 06:00:00 GMT", timedelta(hours=1)),
        ("date: Fri, 02 Jan 2026 05:00:00 GMT\r\nretry-after: Fri, 02 Jan 2026 04:00:00 GMT", timedelta(0)),
        ("retry-after: Fri, 02 Jan 2026 06:00:00 GMT", None),
        ("retry-after: soon", None),
        ("retry-after: -5", None),
        ("retry-after: 99999999999999999999", None),
        ("date: x\r\nretry-after: Fri, 99 Jan 2026 06:00:00 GMT", None),
        ("x: y", None),
    ],
)
def test_a_wish_to_be_left_alone_is_told(said: str, wait: timedelta | None) -> None:
    answer = f"HTTP/1.1 503 Busy\r\n{said}\r\n\r\n".encode()
    assert post(saying(answer)) == Posted(status=503, retry_after=wait)


# --- Answers that are none --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"220 mail.shop.example ESMTP\r\n",
        b"\x00\xff" * 100,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * HEAD_LIMIT * 2,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    ],
    ids=lambda said: repr(said[:20]),
)
def test_what_is_no_http_is_no_answer(said: bytes) -> None:
    assert post(saying(said)).words == "the answer is no HTTP, or never ends"


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 2", b"HTTP/1.1 700 Odd\r\n\r\n", b"HTTP/1.1 20\r\n\r\n"]
)
def test_an_answer_that_is_cut_off_is_none(said: bytes) -> None:
    def serve(conversation: Conversation) -> None:
        conversation.encrypt(GOOD)
        hear_a_post(conversation)
        conversation.say_raw(said)

    assert post(serve).status is None


def breaking(conversation: Conversation) -> None:
    conversation.encrypt(GOOD)
    hear_a_post(conversation)
    conversation.drop()


def test_a_line_that_breaks_is_told() -> None:
    assert post(breaking).words
    assert post(Conversation.drop).words


def test_the_whole_of_it_has_one_limit() -> None:
    def serve(conversation: Conversation) -> None:
        conversation.encrypt(GOOD)
        hear_a_post(conversation)
        conversation.drip(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000, every=0.05)

    began = monotonic()
    assert "timed out" in post(serve, timeout=0.5).words
    assert monotonic() - began < 3


@pytest.mark.parametrize("silent", [lambda c: c.hear_nothing(), lambda c: (c.encrypt(GOOD), c.hear_nothing())])
def test_nobody_is_waited_for_longer(silent: Callable[[Conversation], None]) -> None:
    assert "timed out" in post(silent, timeout=0.3).words


# --- Whom it believes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "certificate",
    [
        AUTHORITY.issue("other.example"),
        Authority(NOW).issue(HOST),
        Authority(NOW - timedelta(days=999)).issue(HOST),
    ],
    ids=["another host", "another authority", "expired"],
)
def test_a_wrong_certificate_is_told_nothing(certificate: Certificate) -> None:
    with ScriptedServer(saying(OK, certificate)) as server:
        assert "certificate is not right" in posts_to(server).post(a_post(f"https://{HOST}/")).words
    assert server.heard_in_secret == b""


def test_a_server_without_tls_is_told_nothing() -> None:
    def serve(conversation: Conversation) -> None:
        conversation.say("HTTP/1.1 200 OK", "")
        conversation.hear_nothing()

    with ScriptedServer(serve) as server:
        assert posts_to(server).post(a_post(f"https://{HOST}/")).status is None
    assert b"POST" not in server.heard_in_clear


def test_a_context_that_takes_any_certificate_is_refused() -> None:
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    with pytest.raises(ConfigurationError, match="takes any certificate"):
        HttpPosts(context=careless)
    assert HttpPosts(context=None).context is None


@pytest.mark.parametrize("timeout", [0, -1, 61, True, "5"])
def test_a_limit_that_cannot_be_is_refused(timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match="up to 60"):
        HttpPosts(timeout=timeout)


# --- Whom it reaches --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_this_machine_is_not_posted_to_whatever_it_is_called(host: str) -> None:
    with ScriptedServer(saying(OK, None)) as server:
        answer = HttpPosts(timeout=2).post(a_post(f"http://{host}:{server.port}/"))
    assert answer.status is None
    assert server.conversations == []


def test_this_machine_is_posted_to_where_it_is_allowed() -> None:
    with ScriptedServer(saying(OK, None)) as server:
        answer = HttpPosts(timeout=2, dial=PublicDial(["127.0.0.1"])).post(a_post(f"http://127.0.0.1:{server.port}/"))
    assert answer == Posted(status=200)


def test_where_nobody_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert HttpPosts(dial=PublicDial(["127.0.0.1"])).post(a_post(f"http://127.0.0.1:{port}/")).words


def test_a_name_that_is_none_is_told() -> None:
    assert HttpPosts(timeout=2).post(a_post("https://..invalid..:443/")).words
