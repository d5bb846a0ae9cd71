"""How a conversation opens, word by word. The whole of it, with mails behind, is tested in test_smtp_dialogue."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import AuthError, ConnectError, RefusedError, Retry, TlsError, TransportError
from custom_smtp.outgoing import Channel
from custom_smtp.replies import Reply
from custom_smtp.servers import Credentials, OAuthCredentials, Server, Tls
from custom_smtp.smtp_opening import NOT_TO_BE_HURRIED, Opening

CHANNEL = Channel("TLSv1.3", "TLS_AES_256_GCM_SHA384")
OFFERED = Reply(250, "smtp.example.net\nPIPELINING\nSTARTTLS\nAUTH PLAIN")


def opening(*, credentials: Credentials | None = None, tls: Tls = Tls.STARTTLS) -> Opening:
    port = 465 if tls is Tls.IMPLICIT else 587
    return Opening(Server("smtp.example.net", port, tls=tls, credentials=credentials), "client.example", "nonce")


def said(opening: Opening, *replies: Reply) -> list[bytes | None]:
    return [None if words is None else words.octets for words in map(opening.hear, replies)]


def test_in_clear_it_asks_for_starttls_and_says_nothing_more() -> None:
    begun = opening()
    words = said(begun, Reply(220, "hello"), OFFERED, Reply(220, "go ahead"))
    assert words == [b"EHLO client.example\r\n", b"STARTTLS\r\n", None]
    assert begun.wants_tls
    assert not begun.complete


def test_what_was_offered_in_clear_is_forgotten() -> None:
    begun = opening()
    said(begun, Reply(220, "hello"), OFFERED, Reply(220, "go ahead"))
    words = begun.encrypted(CHANNEL)
    assert words is not None
    assert words.octets == b"EHLO client.example\r\n"
    assert "PIPELINING" not in begun.offers
    assert begun.channel is CHANNEL


def test_it_is_complete_once_the_server_has_said_what_it_offers_in_secret() -> None:
    begun = opening(tls=Tls.IMPLICIT)
    assert begun.encrypted(CHANNEL) is None
    assert said(begun, Reply(220, "hello"), OFFERED) == [b"EHLO client.example\r\n", None]
    assert begun.complete


def test_a_login_is_said_and_not_shown() -> None:
    begun = opening(credentials=Credentials("ann", "long enough"), tls=Tls.IMPLICIT)
    begun.encrypted(CHANNEL)
    begun.hear(Reply(220, "hello"))
    words = begun.hear(OFFERED)
    assert words is not None
    assert words.octets == b"AUTH PLAIN " + base64.b64encode(b"\0ann\0long enough") + b"\r\n"
    assert words.shown == "AUTH PLAIN ..."
    assert "long enough" not in f"{words!r} {begun!r}"
    assert begun.hear(Reply(235, "welcome")) is None
    assert begun.complete


def login(credentials: Credentials | OAuthCredentials, mechanism: str) -> tuple[Opening, bytes]:
    begun = Opening(Server("smtp.example.net", 465, credentials), "client.example", "nonce")
    begun.encrypted(CHANNEL)
    begun.hear(Reply(220, "hello"))
    words = begun.hear(Reply(250, f"smtp.example.net\nAUTH {mechanism}"))
    assert words is not None
    return begun, words.octets


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_that_makes_the_command_too_long_waits_for_an_empty_challenge(mechanism: str) -> None:
    token = "t" * 2000
    begun, command = login(OAuthCredentials("ann@example.net", lambda: token, mechanism=mechanism), mechanism)
    assert command == f"AUTH {mechanism}\r\n".encode()
    words = begun.hear(Reply(334, ""))
    assert words is not None
    assert token.encode() in base64.b64decode(words.octets)
    assert words.shown == "..."
    # What comes then is the server's error, as if it had been said at once.
    [refused] = said(begun, Reply(334, base64.b64encode(b'{"status":"401"}').decode()))
    assert refused in {b"\r\n", b"AQ==\r\n"}
    with pytest.raises(AuthError, match="did not take"):
        begun.hear(Reply(535, "no"))


@given(st.integers(300, 400))
def test_no_command_of_a_login_is_longer_than_a_command_may_be(length: int) -> None:
    begun, command = login(Credentials("ann", "x" * length), "PLAIN")
    at_once = b"AUTH PLAIN " + base64.b64encode(b"\0ann\0" + b"x" * length) + b"\r\n"
    assert command == (at_once if len(at_once) <= 512 else b"AUTH PLAIN\r\n")
    if command != at_once:
        words = begun.hear(Reply(334, ""))
        assert words is not None
        assert b"AUTH PLAIN " + words.octets == at_once
    assert begun.hear(Reply(235, "welcome")) is None


@pytest.mark.parametrize(
    ("code", "retry"),
    [(535, Retry.NEVER), (454, Retry.LATER)],
)
def test_credentials_that_are_not_taken_end_it(code: int, retry: Retry) -> None:
    begun = opening(credentials=Credentials("ann", "long enough"), tls=Tls.IMPLICIT)
    begun.encrypted(CHANNEL)
    said(begun, Reply(220, "hello"), OFFERED)
    with pytest.raises(AuthError) as raised:
        begun.hear(Reply(code, "no"))
    assert raised.value.retry is retry
    assert not begun.complete


def test_a_server_without_starttls_hears_no_more() -> None:
    begun = opening(credentials=Credentials("ann", "long enough"))
    begun.hear(Reply(220, "hello"))
    with pytest.raises(TlsError, match="does not offer STARTTLS"):
        begun.hear(Reply(250, "smtp.example.net\nAUTH PLAIN"))


@pytest.mark.parametrize("name", NOT_TO_BE_HURRIED)
def test_a_greeting_tells_who_is_not_to_be_hurried(name: str) -> None:
    begun = opening()
    begun.hear(Reply(220, f"mail.example.net {name} ready."))
    assert begun.careful


def test_it_awaits_the_greeting_until_it_comes() -> None:
    begun = opening()
    assert begun.awaits_greeting
    begun.hear(Reply(220, "hello"))
    assert not begun.awaits_greeting


def test_a_line_that_breaks_behind_starttls_gave_no_secret_line() -> None:
    begun = opening()
    said(begun, Reply(220, "hello"), OFFERED)
    assert isinstance(begun.ended(ConnectError("closed")), TlsError)


def test_a_line_that_breaks_elsewhere_is_told_as_it_is() -> None:
    broke = ConnectError("closed")
    assert opening().ended(broke) is broke


REPLIES = st.builds(
    Reply,
    st.sampled_from([220, 221, 235, 250, 334, 354, 421, 454, 500, 535, 554]),
    st.sampled_from(["", "ok", OFFERED.text, "smtp.example.net\nAUTH CRAM-MD5 SCRAM-SHA-256 LOGIN", "not base64 !"]),
)


@given(st.lists(REPLIES, max_size=12), st.booleans())
def test_whatever_is_answered_no_password_is_said_in_clear_and_no_error_is_foreign(
    replies: list[Reply], secret: bool
) -> None:
    begun = opening(credentials=Credentials("ann", "long enough"), tls=Tls.IMPLICIT if secret else Tls.STARTTLS)
    if secret:
        begun.encrypted(CHANNEL)
    for reply in replies:
        try:
            words = begun.hear(reply)
        except TransportError as error:
            assert not begun.complete
            assert isinstance(error, AuthError | ConnectError | RefusedError | TlsError)
            return
        if words is not None and begun.channel is None:
            assert words.octets in {b"EHLO client.example\r\n", b"STARTTLS\r\n"}
        if begun.complete or begun.wants_tls:
            return
