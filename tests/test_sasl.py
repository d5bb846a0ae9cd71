"""Logging in, as exchanges of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Credentials
from custom_smtp.errors import AuthError
from custom_smtp.sasl import MECHANISMS, Login, Plain, choose

WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(username=WORD, password=WORD)
def test_plain_says_everything_at_once(username: str, password: str) -> None:
    authorisation, user, word = Plain(Credentials(username, password)).initial.split(b"\0")
    assert (authorisation, user.decode(), word.decode()) == (b"", username, password)


@given(username=WORD, password=WORD, challenge=st.binary())
def test_login_answers_with_the_name_and_then_the_password(username: str, password: str, challenge: bytes) -> None:
    exchange = Login(Credentials(username, password))
    assert exchange.initial is None
    assert [exchange.respond(challenge).decode() for _ in range(2)] == [username, password]


@pytest.mark.parametrize(("name", "questions"), [("PLAIN", 0), ("LOGIN", 2)])
def test_no_mechanism_says_more_than_it_has(name: str, questions: int) -> None:
    exchange = MECHANISMS[name](Credentials("shop", "s3cret"))
    for _ in range(questions):
        exchange.respond(b"?")
    with pytest.raises(AuthError):
        exchange.respond(b"?")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [({"PLAIN", "LOGIN"}, "PLAIN"), ({"LOGIN"}, "LOGIN"), ({"CRAM-MD5", "PLAIN"}, "PLAIN")],
)
def test_the_best_of_what_is_offered_is_chosen(offered: set[str], chosen: str) -> None:
    assert choose(frozenset(offered)) == chosen


@pytest.mark.parametrize("offered", [set(), {"GSSAPI"}])
def test_nothing_that_we_speak(offered: set[str]) -> None:
    with pytest.raises(AuthError, match="PLAIN, LOGIN"):
        choose(frozenset(offered))


@pytest.mark.parametrize("mechanism", MECHANISMS.values())
def test_the_password_does_not_print(mechanism: type[Plain]) -> None:
    assert "s3cret" not in repr(mechanism(Credentials("shop", "s3cret")))
