"""Logging in, as exchanges of bytes."""

import base64

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from custom_smtp import Credentials, Reply
from custom_smtp.errors import AuthError, Retry
from custom_smtp.sasl import (
    BY_PASSWORD,
    BY_TOKEN,
    CramMd5,
    Exchange,
    Login,
    OAuthBearer,
    Plain,
    ScramSha256,
    XOAuth2,
    begin,
    challenge_of,
    spelled,
)
from custom_smtp.servers import OAuthCredentials

WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
SHOP = Credentials("shop", "s3cret")
ADA = OAuthCredentials("ada@example.net", lambda: "ya29.token")
NONCE = "rOprNGfwEbeRWgbNEkqO"
EVERY = frozenset({*BY_PASSWORD, *BY_TOKEN})


def exchanges() -> list[Exchange]:
    return [*(make(SHOP, NONCE) for make in BY_PASSWORD.values()), *(make(ADA) for make in BY_TOKEN.values())]


# Which one


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ({"PLAIN", "LOGIN"}, "PLAIN"),
        ({"LOGIN"}, "LOGIN"),
        ({"CRAM-MD5", "SCRAM-SHA-256", "PLAIN"}, "PLAIN"),
        ({"CRAM-MD5", "SCRAM-SHA-256"}, "SCRAM-SHA-256"),
        ({"XOAUTH2", "OAUTHBEARER", "LOGIN"}, "LOGIN"),
    ],
)
def test_the_first_of_ours_that_is_offered_is_chosen(offered: set[str], chosen: str) -> None:
    name, exchange = begin(SHOP, frozenset(offered), NONCE)
    assert (name, type(exchange)) == (chosen, type(BY_PASSWORD[chosen](SHOP, NONCE)))


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [({"XOAUTH2", "OAUTHBEARER"}, "OAUTHBEARER"), ({"XOAUTH2", "PLAIN"}, "XOAUTH2")],
)
def test_a_token_has_mechanisms_of_its_own(offered: set[str], chosen: str) -> None:
    assert begin(ADA, frozenset(offered), NONCE)[0] == chosen


@pytest.mark.parametrize("name", BY_PASSWORD)
def test_the_one_that_was_asked_for_is_taken(name: str) -> None:
    assert begin(Credentials("shop", "s3cret", mechanism=name), EVERY, NONCE)[0] == name


@pytest.mark.parametrize(
    ("credentials", "offered", "says"),
    [
        (SHOP, set(), "it has none, and we have PLAIN, LOGIN"),
        (SHOP, {"GSSAPI", "NTLM"}, "it has GSSAPI, NTLM"),
        (SHOP, {"CRAM-MD5"}, "CRAM-MD5"),
        (SHOP, {"XOAUTH2"}, "XOAUTH2"),
        (Credentials("shop", "s3cret", mechanism="SCRAM-SHA-256"), {"PLAIN"}, "we have SCRAM-SHA-256"),
        (ADA, {"PLAIN"}, "OAUTHBEARER, XOAUTH2"),
    ],
)
def test_nothing_that_we_may_speak(credentials: Credentials, offered: set[str], says: str) -> None:
    with pytest.raises(AuthError, match=says) as caught:
        begin(credentials, frozenset(offered), NONCE)
    assert caught.value.retry is Retry.NEVER


# What is said


@given(username=WORD, password=WORD)
def test_plain_says_everything_at_once(username: str, password: str) -> None:
    authorisation, user, word = Plain(Credentials(username, password)).initial.split(b"\0")
    assert (authorisation, user.decode(), word.decode()) == (b"", username, password)


@given(username=WORD, password=WORD, challenge=st.binary())
def test_login_answers_with_the_name_and_then_the_password(username: str, password: str, challenge: bytes) -> None:
    exchange = Login(Credentials(username, password))
    assert [exchange.respond(challenge).decode() for _ in range(2)] == [username, password]


def test_cram_md5_as_in_rfc_2195() -> None:
    exchange = CramMd5(Credentials("tim", "tanstaaftanstaaf", mechanism="CRAM-MD5"))
    answer = exchange.respond(b"<1896.697170952@postoffice.reston.mci.net>")
    assert answer == b"tim b913a602c7eda7a495b4e6e7334d3890"


SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
SERVER_LAST = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_scram_as_in_rfc_7677() -> None:
    exchange = ScramSha256(Credentials("user", "pencil"), NONCE)
    assert exchange.initial == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert exchange.respond(SERVER_FIRST) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert exchange.respond(SERVER_LAST) == b""


@given(username=WORD)
def test_a_name_cannot_add_an_attribute_to_scram(username: str) -> None:
    assert ScramSha256(Credentials(username, "pencil"), NONCE).initial.count(b",") == 3


@pytest.mark.parametrize(
    ("typed", "same"),
    [("pen\u00a0cil", "pen cil"), ("pe\u2168", "peIX"), ("p\ufb01", "pfi"), ("pen\u00adcil", "pencil")],
)
def test_scram_takes_other_ways_to_write_a_password_as_the_same(typed: str, same: str) -> None:
    one, other = (ScramSha256(Credentials("user", word), NONCE) for word in (typed, same))
    assert one.respond(SERVER_FIRST) == other.respond(SERVER_FIRST)


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"\xff\xfe",
        b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=anothernonce,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=*,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4095",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=1",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=-4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=1000001",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=9999999999999999999999",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=04096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=00000409699999999999",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=٤٠٩٦".encode(),
        b"m=new,r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22Z",
        b"e=unknown-user",
    ],
)
def test_a_scram_challenge_that_is_none_is_not_answered(challenge: bytes) -> None:
    with pytest.raises(AuthError):
        ScramSha256(Credentials("user", "pencil"), NONCE).respond(challenge)


@given(last=st.binary() | st.binary().map(lambda proof: b"v=" + base64.b64encode(proof)))
def test_a_server_that_cannot_prove_itself_is_left(last: bytes) -> None:
    assume(last != SERVER_LAST)
    exchange = ScramSha256(Credentials("user", "pencil"), NONCE)
    exchange.respond(SERVER_FIRST)
    with pytest.raises(AuthError, match="prove"):
        exchange.respond(last)


def test_a_proof_that_comes_before_the_challenge_is_none() -> None:
    with pytest.raises(AuthError):
        ScramSha256(Credentials("user", "pencil"), NONCE).respond(b"v=")


def test_a_server_has_to_prove_itself_before_scram_is_complete() -> None:
    exchange = ScramSha256(Credentials("user", "pencil"), NONCE)
    assert [exchange.complete, bool(exchange.respond(SERVER_FIRST)), exchange.complete] == [False, True, False]
    exchange.respond(SERVER_LAST)
    assert exchange.complete


def test_xoauth2_as_google_has_it() -> None:
    exchange = XOAuth2(
        OAuthCredentials("someuser@example.com", lambda: "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")
    )
    assert spelled(exchange.initial) == (
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cB"
        "AQ=="
    )
    assert exchange.respond(b'{"status":"401"}') == b""


def test_oauthbearer_as_in_rfc_7628() -> None:
    exchange = OAuthBearer(OAuthCredentials("us=er,@example.com", lambda: "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="))
    assert exchange.initial == (
        b"n,a=us=3Der=2C@example.com,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
    )
    assert exchange.respond(b'{"status":"invalid_token"}') == b"\x01"


def test_a_token_is_asked_for_once_for_each_login() -> None:
    tokens = iter(["first", "second"])
    credentials = OAuthCredentials("ada", lambda: next(tokens))
    said = [exchange.initial for exchange in (XOAuth2(credentials), OAuthBearer(credentials))]
    assert b"first" in said[0]
    assert b"second" in said[1]


@pytest.mark.parametrize("token", ["", "a b", "a\r\nb", "ä", "a\x01auth=Bearer other", None, b"bytes"])
@pytest.mark.parametrize("mechanism", BY_TOKEN.values())
def test_a_token_that_cannot_be_one_is_not_said(mechanism: type[XOAuth2], token: str) -> None:
    with pytest.raises(AuthError, match="token"):
        mechanism(OAuthCredentials("ada", lambda: token))


@pytest.mark.parametrize("mechanism", BY_TOKEN.values())
def test_a_token_that_cannot_be_had_now_may_be_had_later(mechanism: type[XOAuth2]) -> None:
    def fetch() -> str:
        raise OSError("the token endpoint is away")

    with pytest.raises(AuthError) as caught:
        mechanism(OAuthCredentials("ada", fetch))
    assert caught.value.retry is Retry.LATER
    assert isinstance(caught.value.__cause__, OSError)


QUESTIONS = {"PLAIN": 0, "LOGIN": 2, "CRAM-MD5": 1, "OAUTHBEARER": 1, "XOAUTH2": 1}


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_mechanism_says_more_than_it_has(name: str) -> None:
    exchange = BY_PASSWORD[name](SHOP, NONCE) if name in BY_PASSWORD else BY_TOKEN[name](ADA)
    for _ in range(QUESTIONS[name]):
        exchange.respond(b"?")
    with pytest.raises(AuthError):
        exchange.respond(b"?")


# On the wire, and in sight


@given(said=st.binary())
def test_what_is_said_is_read_as_it_was(said: bytes) -> None:
    assert challenge_of(Reply(334, spelled(said))) == said


@pytest.mark.parametrize("text", ["a", "ä", "YQ", "Y Q=", "YQ==x"])
def test_a_challenge_that_is_no_base64_is_none(text: str) -> None:
    with pytest.raises(AuthError, match="base64"):
        challenge_of(Reply(334, text))


@pytest.mark.parametrize("exchange", exchanges(), ids=lambda exchange: type(exchange).__name__)
def test_no_secret_prints_and_every_spelling_of_it_is_named(exchange: Exchange) -> None:
    secret = b"s3cret" if isinstance(exchange, Plain | Login | CramMd5 | ScramSha256) else b"ya29.token"
    assert secret.decode() not in repr(exchange)
    assert secret in exchange.secrets
    said = exchange.initial or b""
    if secret in said:
        assert any(each in spelled(said).encode() for each in exchange.secrets)
