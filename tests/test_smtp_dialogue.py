"""The conversation with a server, driven by bytes: no sockets, no clock, no waiting."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from custom_smtp import Address, Credentials, DeliveryId, Outgoing, Receipt, Server, Tls
from custom_smtp.errors import (
    AuthError,
    ConnectError,
    NoAnswerError,
    RefusedError,
    Retry,
    Step,
    TlsError,
    TransportError,
    UncertainError,
)
from custom_smtp.outgoing import Channel, Envelope, Outcome
from custom_smtp.servers import Limits, OAuthCredentials, Pace
from custom_smtp.smtp_commands import stuffed
from custom_smtp.smtp_dialogue import Dialogue

SECRET = Channel("TLSv1.3", "TLS_AES_256_GCM_SHA384")
LOCK_STEP = ("SIZE 1000000", "8BITMIME")
BY_DOT = (*LOCK_STEP, "PIPELINING")
BY_BDAT = (*BY_DOT, "CHUNKING")
WAYS = {"lock step": LOCK_STEP, "by dot": BY_DOT, "by BDAT": BY_BDAT}


def mail(number: int, recipients: int = 1, *, size: int = 0) -> Outgoing:
    content = b"Subject: mail %d\r\n\r\n..two\r\n%b.end\r\n" % (number, b"x" * 70 + b"\r\n" if size else b"")
    people = tuple(Address(f"r{number}-{each}@example.net") for each in range(recipients))
    content += (b"y" * 70 + b"\r\n") * (size // 72)
    return Outgoing(DeliveryId(f"m{number}"), Envelope(Address("hello@shop.example"), people), content)


def dialogue_with(**how: Any) -> Dialogue:
    """A conversation on a line that is secret already, before the greeting."""
    made = Dialogue(Server("mail.test", tls=Tls.IMPLICIT, **how), "here.test", "nonce", 0.0)
    made.encrypted(SECRET)
    return made


def opened(offers: tuple[str, ...] = BY_BDAT, **how: Any) -> Dialogue:
    """A conversation in which mails can be submitted."""
    made = dialogue_with(**how)
    made.hear(b"220 mail.test\r\n", 0)
    assert made.next_piece(0) == b"EHLO here.test\r\n"
    made.hear(hello(offers), 0)
    assert made.ready
    return made


def hello(offers: tuple[str, ...]) -> bytes:
    return "".join(f"250-{each}\r\n" for each in ("mail.test", *offers)).encode() + b"250 HELP\r\n"


def pieces(dialogue: Dialogue, now: float = 0) -> list[bytes]:
    return list(iter(lambda: dialogue.next_piece(now), None))


def ends(dialogue: Dialogue) -> dict[int, Receipt | TransportError]:
    return {ended.ticket: ended.outcome.result for ended in dialogue.take_ended()}


# Opening


def test_nothing_is_said_before_the_greeting() -> None:
    dialogue = dialogue_with()
    assert pieces(dialogue) == []
    assert dialogue.listening
    assert not dialogue.room


def test_starttls_is_asked_for_and_what_was_learnt_before_is_forgotten() -> None:
    dialogue = Dialogue(Server("mail.test"), "here.test", "nonce", 0.0)
    dialogue.hear(b"220 mail.test\r\n", 0)
    assert pieces(dialogue) == [b"EHLO here.test\r\n"]
    dialogue.hear(hello(("STARTTLS", "CHUNKING")), 0)
    assert pieces(dialogue) == [b"STARTTLS\r\n"]
    dialogue.hear(b"220 go ahead\r\n", 0)
    assert (dialogue.wants_tls, pieces(dialogue)) == (True, [])
    dialogue.encrypted(SECRET)
    assert "CHUNKING" not in dialogue.offers
    assert pieces(dialogue) == [b"EHLO here.test\r\n"]
    dialogue.hear(hello(LOCK_STEP), 0)
    assert (dialogue.ready, dialogue.channel) == (True, SECRET)


@pytest.mark.parametrize("words", [b"2", b"\r\n", b"250 injected\r\n", b"220 more\r\n250"])
@pytest.mark.parametrize("apart", [False, True])
def test_words_behind_the_starttls_reply_are_never_taken(words: bytes, apart: bool) -> None:
    dialogue = Dialogue(Server("mail.test"), "here.test", "nonce", 0.0)
    dialogue.hear(b"220 mail.test\r\n", 0)
    pieces(dialogue)
    dialogue.hear(hello(("STARTTLS",)), 0)
    pieces(dialogue)
    if apart:
        dialogue.hear(b"220 go ahead\r\n", 0)
    with pytest.raises((TlsError, ConnectError)) as caught:
        dialogue.hear(words if apart else b"220 go ahead\r\n" + words, 0)
    told = dialogue.broken(caught.value) if isinstance(caught.value, ConnectError) else caught.value
    assert isinstance(told, TlsError)
    assert told.retry is Retry.NEVER


def test_a_line_that_breaks_at_starttls_is_a_tls_error() -> None:
    dialogue = Dialogue(Server("mail.test"), "here.test", "nonce", 0.0)
    dialogue.hear(b"220 mail.test\r\n", 0)
    dialogue.hear(b"", 0)
    pieces(dialogue)
    dialogue.hear(hello(("STARTTLS",)), 0)
    pieces(dialogue)
    assert isinstance(dialogue.broken(ConnectError("gone")), TlsError)


@pytest.mark.parametrize(
    ("tls", "credentials", "offers", "error"),
    [
        (Tls.STARTTLS, None, LOCK_STEP, TlsError),
        (Tls.OPPORTUNISTIC, Credentials("shop", "s3cret"), ("AUTH PLAIN",), TlsError),
    ],
)
def test_without_a_secret_line_nothing_is_said(
    tls: Tls, credentials: Credentials | None, offers: tuple[str, ...], error: type[TransportError]
) -> None:
    dialogue = Dialogue(Server("mail.test", 587, credentials, tls=tls), "here.test", "nonce", 0.0)
    dialogue.hear(b"220 mail.test\r\n", 0)
    pieces(dialogue)
    with pytest.raises(error) as caught:
        dialogue.hear(hello(offers), 0)
    assert caught.value.retry is Retry.NEVER
    assert pieces(dialogue) == []


def test_opportunistic_goes_on_in_clear_without_credentials() -> None:
    dialogue = Dialogue(Server("mail.test", tls=Tls.OPPORTUNISTIC), "here.test", "nonce", 0.0)
    dialogue.hear(b"220 mail.test\r\n", 0)
    pieces(dialogue)
    dialogue.hear(hello(LOCK_STEP), 0)
    assert dialogue.ready
    assert dialogue.channel is None


@pytest.mark.parametrize(
    ("words", "step", "retry"),
    [
        ([b"554 5.7.1 not you\r\n"], Step.CONNECT, Retry.NEVER),
        ([b"421 4.3.2 busy\r\n"], Step.CONNECT, Retry.LATER),
        ([b"220 hi\r\n", b"550 no\r\n"], Step.EHLO, Retry.NEVER),
        ([b"220 hi\r\n", b"451 later\r\n"], Step.EHLO, Retry.LATER),
    ],
)
def test_a_server_may_refuse_at_the_door(words: list[bytes], step: Step, retry: Retry) -> None:
    dialogue = dialogue_with()
    for each in words[:-1]:
        dialogue.hear(each, 0)
        pieces(dialogue)
    with pytest.raises(RefusedError) as caught:
        dialogue.hear(words[-1], 0)
    assert (caught.value.at, caught.value.retry) == (step, retry)


@pytest.mark.parametrize("greeting", [b"250 hi\r\n", b"354 hi\r\n", b"hi\r\n", b"220-a\r\n250 b\r\n"])
def test_a_greeting_that_is_none_is_no_refusal(greeting: bytes) -> None:
    with pytest.raises(ConnectError):
        dialogue_with().hear(greeting, 0)


def test_two_greetings_are_one_too_many() -> None:
    with pytest.raises(ConnectError, match="out of turn"):
        dialogue_with().hear(b"220 hi\r\n220 hi\r\n", 0)


# Logging in


def logging_in(*said: bytes, offers: str = "AUTH PLAIN", credentials: object = None) -> tuple[Dialogue, list[bytes]]:
    """A conversation up to the server's last word, and what was said."""
    dialogue = dialogue_with(credentials=credentials or Credentials("shop", "s3cret-word"))
    heard: list[bytes] = []
    for words in (b"220 hi\r\n", hello((offers,)), *said):
        dialogue.hear(words, 0)
        heard += pieces(dialogue)
    return dialogue, heard


def test_plain_in_one_breath() -> None:
    dialogue, said = logging_in(b"235 welcome\r\n")
    assert said[1:] == [b"AUTH PLAIN AHNob3AAczNjcmV0LXdvcmQ=\r\n"]
    assert dialogue.ready


def test_login_by_question_and_answer() -> None:
    dialogue, said = logging_in(b"334 VXNlcg==\r\n", b"334 UGFzcw==\r\n", b"235 welcome\r\n", offers="AUTH LOGIN")
    assert said[1:] == [b"AUTH LOGIN\r\n", b"c2hvcA==\r\n", b"czNjcmV0LXdvcmQ=\r\n"]
    assert dialogue.ready


@pytest.mark.parametrize("question", [b"334 a\r\n", b"334 VXNlcg==\r\n"])
def test_what_cannot_be_answered_is_cancelled_and_told_as_what_it_was(question: bytes) -> None:
    dialogue, said = logging_in(question)
    assert said[-1] == b"*\r\n"
    with pytest.raises(AuthError):
        dialogue.hear(b"501 as you like\r\n", 0)


def test_a_cancelled_login_that_is_let_in_all_the_same_is_no_login() -> None:
    dialogue, _ = logging_in(b"334 VXNlcg==\r\n")
    with pytest.raises(AuthError):
        dialogue.hear(b"235 welcome\r\n", 0)
    assert not dialogue.ready


@pytest.mark.parametrize(("words", "retry"), [(b"535 no\r\n", Retry.NEVER), (b"454 later\r\n", Retry.LATER)])
def test_credentials_that_are_not_taken(words: bytes, retry: Retry) -> None:
    with pytest.raises(AuthError) as caught:
        logging_in(words)
    assert caught.value.retry is retry
    assert caught.value.reply is not None


@pytest.mark.parametrize("echo", ["s3cret-word", "AHNob3AAczNjcmV0LXdvcmQ=", "czNjcmV0LXdvcmQ="])
@pytest.mark.parametrize("form", ["535 5.7.8 {} is wrong\r\n", "what is {}?\r\n", "250 {}\r\n"])
def test_a_server_that_repeats_the_password_does_not_get_it_into_the_error(echo: str, form: str) -> None:
    with pytest.raises(TransportError) as caught:
        logging_in(form.format(echo).encode())
    for secret in ("s3cret-word", "AHNob3AAczNjcmV0LXdvcmQ", "czNjcmV0LXdvcmQ"):
        assert secret not in f"{caught.value} {caught.value!r}"


def test_a_token_and_the_error_challenge() -> None:
    token = OAuthCredentials("ada@example.net", lambda: "ya29.token")
    dialogue, said = logging_in(b"334 eyJzdGF0dXMiOiI0MDEifQ==\r\n", offers="AUTH OAUTHBEARER", credentials=token)
    assert said[1].startswith(b"AUTH OAUTHBEARER ")
    assert said[2] == b"AQ==\r\n"
    with pytest.raises(AuthError):
        dialogue.hear(b"535 5.7.8 expired\r\n", 0)


def test_the_transcript_holds_every_line_but_no_secret_and_no_content() -> None:
    lines: list[str] = []
    server = Server("mail.test", 465, Credentials("shop", "s3cret-word", mechanism="LOGIN"))
    dialogue = Dialogue(server, "here.test", "nonce", 0.0, lines.append)
    dialogue.encrypted(SECRET)
    for words in (
        b"220 hi\r\n",
        hello((*BY_DOT, "AUTH LOGIN")),
        b"334 VXNlcg==\r\n",
        b"334 UGFzcw==\r\n",
        b"235 in\r\n",
    ):
        dialogue.hear(words, 0)
        pieces(dialogue)
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue)
    dialogue.hear(b"250 a\r\n250 b\r\n354 c\r\n", 0)
    pieces(dialogue)
    dialogue.hear(b"250 s3cret-word taken\r\n", 0)
    told = "\n".join(lines)
    assert "> AUTH LOGIN ..." in told
    assert "> MAIL FROM:<hello@shop.example>" in told
    assert "< 354 c" in told
    for hidden in ("s3cret", "czNjcmV0", "c2hvcA", "VXNlcg", "mail 1", "two"):
        assert hidden not in told


# One mail


def test_mail_rcpt_and_data_go_in_one_write() -> None:
    dialogue = opened(BY_DOT)
    dialogue.submit(mail(1, 2), 1, 0)
    [said] = pieces(dialogue)
    assert said.split(b"\r\n") == [
        b"MAIL FROM:<hello@shop.example> SIZE=32",
        b"RCPT TO:<r1-0@example.net>",
        b"RCPT TO:<r1-1@example.net>",
        b"DATA",
        b"",
    ]


def test_without_pipelining_each_command_waits_for_the_answer_to_the_one_before() -> None:
    dialogue = opened(LOCK_STEP)
    dialogue.submit(mail(1), 1, 0)
    said = pieces(dialogue)
    for words in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
        dialogue.hear(words, 0)
        said.append(b"".join(pieces(dialogue)))
    assert [words.partition(b" ")[0].partition(b"\r")[0] for words in said] == [b"MAIL", b"RCPT", b"DATA", b"Subject:"]
    assert said[-1] == stuffed(mail(1).content) + b".\r\n"


def test_without_pipelining_mail_waits_for_the_answer_to_rset() -> None:
    dialogue = opened(LOCK_STEP)
    dialogue.submit(mail(1), 1, 0)
    for words in (b"250 ok\r\n", b"550 no such user\r\n"):
        pieces(dialogue)
        dialogue.hear(words, 0)
    dialogue.submit(mail(2), 2, 0)
    assert pieces(dialogue) == [b"RSET\r\n"]
    dialogue.hear(b"250 ok\r\n", 0)
    assert b"".join(pieces(dialogue)).startswith(b"MAIL FROM")


def test_pipelining_can_be_left_out() -> None:
    dialogue = opened(BY_BDAT, pace=Pace(pipelining=False))
    dialogue.submit(mail(1), 1, 0)
    assert pieces(dialogue) == [b"MAIL FROM:<hello@shop.example> SIZE=32\r\n"]


def test_the_next_envelope_goes_behind_the_final_dot() -> None:
    dialogue = opened(BY_DOT)
    dialogue.submit(mail(1), 1, 0)
    dialogue.submit(mail(2), 2, 0)
    pieces(dialogue)
    dialogue.hear(b"250 a\r\n250 b\r\n354 c\r\n", 0)
    said = b"".join(pieces(dialogue))
    assert said.startswith(stuffed(mail(1).content) + b".\r\nMAIL FROM")
    assert said.endswith(b"DATA\r\n")


def test_piggyback_can_be_left_out() -> None:
    dialogue = opened(BY_DOT, pace=Pace(piggyback=False))
    dialogue.submit(mail(1), 1, 0)
    dialogue.submit(mail(2), 2, 0)
    pieces(dialogue)
    dialogue.hear(b"250 a\r\n250 b\r\n354 c\r\n", 0)
    assert b"".join(pieces(dialogue)) == stuffed(mail(1).content) + b".\r\n"


@pytest.mark.parametrize("window", [1, 2, 4])
def test_no_more_go_by_bdat_than_the_window_holds(window: int) -> None:
    dialogue = opened(BY_BDAT, pace=Pace(window=window))
    submitted = 0
    while dialogue.room:
        submitted += 1
        dialogue.submit(mail(submitted), submitted, 0)
    said = b"".join(pieces(dialogue))
    assert said.count(b"BDAT") == window == submitted - 1
    assert said.count(b"RSET\r\nMAIL") == window - 1


def test_a_content_goes_by_bdat_as_it_is() -> None:
    dialogue = opened(BY_BDAT)
    dialogue.submit(mail(1), 1, 0)
    assert b"".join(pieces(dialogue)).endswith(b"BDAT 32 LAST\r\n" + mail(1).content)
    dialogue.rest()
    assert pieces(dialogue) == [b"RSET\r\n"]
    dialogue.hear(b"250 a\r\n250 b\r\n250 2.0.0 queued\r\n", 0)
    assert ends(dialogue) == {}, "an answer too many would look like this"
    dialogue.hear(b"250 reset\r\n", 0)
    [result] = ends(dialogue).values()
    assert isinstance(result, Receipt)
    assert (result.reply.text, result.server, result.channel) == ("2.0.0 queued", "mail.test:587", SECRET)


def test_before_the_dot_of_a_large_mail_a_look_is_wanted() -> None:
    dialogue = opened(BY_DOT)
    dialogue.submit(mail(1, size=200_000), 1, 0)
    pieces(dialogue)
    dialogue.hear(b"250 a\r\n250 b\r\n354 c\r\n", 0)
    while dialogue.next_piece(0) is not None and not dialogue.wants_a_look:
        pass
    assert dialogue.wants_a_look
    with pytest.raises(ConnectError):
        dialogue.hear(b"552 5.3.4 too large\r\n", 0)
    [result] = ends(dialogue).values()
    assert isinstance(result, RefusedError)
    assert result.at is Step.CONTENT


def test_a_good_answer_before_the_mail_is_whole_is_not_its_answer() -> None:
    dialogue = opened(BY_DOT)
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue)
    with pytest.raises(ConnectError, match="before the mail was whole"):
        dialogue.hear(b"250 a\r\n250 b\r\n354 c\r\n250 queued\r\n", 0)
    dialogue.broken(ConnectError("gone"))
    assert [type(result) for result in ends(dialogue).values()] == [ConnectError]


@pytest.mark.parametrize(
    ("offers", "outgoing", "words"),
    [
        (("SIZE 20",), mail(1), "552 5.3.4"),
        ((), evolve(mail(1), require_tls=True), "550 5.7.30"),
        (("LIMITS RCPTMAX=1",), mail(1, 2), "550 5.5.3"),
    ],
)
def test_what_the_offers_rule_out_is_refused_without_a_word(
    offers: tuple[str, ...], outgoing: Outgoing, words: str
) -> None:
    dialogue = opened(offers)
    dialogue.submit(outgoing, 1, 0)
    assert pieces(dialogue) == []
    [result] = ends(dialogue).values()
    assert isinstance(result, RefusedError)
    assert str(result.reply).startswith(words)
    assert dialogue.idle
    assert dialogue.room


# Ends


def test_a_line_that_breaks_tells_each_mail_as_what_it_is() -> None:
    dialogue = opened(BY_DOT)
    for number in (1, 2, 3):
        dialogue.submit(mail(number), number, 0)
    pieces(dialogue)
    dialogue.hear(b"250 a\r\n250 b\r\n354 c\r\n", 0)
    pieces(dialogue)
    dialogue.hear(b"250 queued\r\n250 a\r\n250 b\r\n354 c\r\n", 0)
    assert [type(result) for result in ends(dialogue).values()] == [Receipt]
    pieces(dialogue)
    told = dialogue.broken(ConnectError("gone"))
    assert isinstance(told, ConnectError)
    assert {ticket: type(result) for ticket, result in ends(dialogue).items()} == {2: UncertainError}
    assert [ticket for ticket, _ in dialogue.unattempted()] == [3]
    assert dialogue.over
    assert not dialogue.room
    assert dialogue.unattempted() == []


def test_what_was_not_handed_out_has_not_gone() -> None:
    dialogue = opened(BY_BDAT)
    for number in (1, 2, 3):
        dialogue.submit(mail(number), number, 0)
    assert dialogue.next_piece(0) is not None
    dialogue.broken(ConnectError("gone"))
    assert {ticket: type(result) for ticket, result in ends(dialogue).items()} == {1: UncertainError}
    assert [ticket for ticket, _ in dialogue.unattempted()] == [2, 3]


def test_the_first_mail_of_a_line_that_breaks_before_it_is_not_tried_for_ever() -> None:
    dialogue = opened(BY_DOT)
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue)
    dialogue.broken(ConnectError("gone"))
    assert [type(result) for result in ends(dialogue).values()] == [ConnectError]


def test_a_mail_that_somebody_took_may_have_arrived_though_its_sender_was_refused() -> None:
    dialogue = opened(BY_BDAT)
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue)
    dialogue.hear(b"503 nested MAIL\r\n250 taken all the same\r\n", 0)
    dialogue.broken(ConnectError("gone"))
    assert [type(result) for result in ends(dialogue).values()] == [UncertainError]


def test_a_mail_of_which_something_was_answered_is_not_said_again() -> None:
    dialogue = opened(BY_DOT)
    dialogue.submit(mail(1), 1, 0)
    dialogue.submit(mail(2), 2, 0)
    pieces(dialogue)
    dialogue.hear(b"250 a\r\n250 b\r\n354 c\r\n", 0)
    pieces(dialogue)
    dialogue.hear(b"250 queued\r\n250 a\r\n", 0)
    dialogue.broken(ConnectError("gone"))
    assert [type(result) for result in ends(dialogue).values()] == [Receipt, ConnectError]
    assert dialogue.unattempted() == []


@pytest.mark.parametrize("way", ["by dot", "by BDAT"])
def test_a_503_of_our_own_making_is_no_refusal_and_the_mail_goes_again_alone(way: str) -> None:
    dialogue = opened(WAYS[way])
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue)
    dialogue.hear(b"250 a\r\n250 b\r\n354 c\r\n" if way == "by dot" else b"250 a\r\n250 b\r\n250 queued\r\n", 0)
    pieces(dialogue)
    if way == "by dot":
        dialogue.hear(b"250 queued\r\n", 0)
    dialogue.submit(mail(2), 2, 0)
    pieces(dialogue)
    reset = b"" if way == "by dot" else b"250 reset\r\n"
    dialogue.hear(reset + b"503 nested MAIL\r\n503 MAIL first\r\n503 MAIL first\r\n", 0)
    assert list(ends(dialogue)) == [1]
    assert not dialogue.idle
    assert b"".join(pieces(dialogue)).startswith(b"RSET\r\nMAIL FROM")
    dialogue.hear(b"250 reset\r\n503 nested MAIL\r\n503 MAIL first\r\n503 MAIL first\r\n", 0)
    [result] = ends(dialogue).values()
    assert isinstance(result, RefusedError)
    assert (result.at, result.reply.code) == (Step.MAIL, 503)


@pytest.mark.parametrize("answer", [b"500 what?\r\n", b"451 later\r\n", b"354 go\r\n"])
def test_a_server_that_does_not_begin_anew_is_left_before_it_gets_a_content(answer: bytes) -> None:
    dialogue = opened(BY_DOT)
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue)
    dialogue.hear(b"250 a\r\n550 b\r\n554 c\r\n", 0)
    dialogue.submit(mail(2), 2, 0)
    assert b"".join(pieces(dialogue)).startswith(b"RSET\r\nMAIL FROM")
    with pytest.raises(ConnectError, match="anew"):
        dialogue.hear(answer, 0)
    dialogue.broken(ConnectError("gone"))
    assert [ticket for ticket, _ in dialogue.unattempted()] == [2]


def test_after_a_421_nothing_new_is_begun() -> None:
    dialogue = opened(BY_BDAT)
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue)
    dialogue.hear(b"421 4.3.2 closing\r\n", 0)
    assert dialogue.closing
    assert not dialogue.room


@pytest.mark.parametrize("way", WAYS)
def test_what_waits_behind_a_421_is_handed_back_at_once(way: str) -> None:
    dialogue = opened(WAYS[way], pace=Pace(window=1))
    dialogue.submit(mail(1), 1, 0)
    dialogue.submit(mail(2), 2, 0)
    for words in (b"250 a\r\n", b"421 4.3.2 closing\r\n", b"503 a\r\n" if way != "lock step" else b""):
        pieces(dialogue)
        dialogue.hear(words, 0)
    assert not dialogue.listening
    assert dialogue.over or dialogue.idle, "a driver would turn round for ever"


@pytest.mark.parametrize(
    ("pace", "offers", "most"),
    [
        (Pace(mails_per_connection=2), BY_BDAT, 2),
        (Pace(), (*BY_BDAT, "LIMITS MAILMAX=2"), 2),
        (Pace(mails_per_connection=3), (*BY_BDAT, "LIMITS MAILMAX=2"), 2),
        (Pace(mails_per_connection=2), (*BY_BDAT, "LIMITS MAILMAX=5"), 2),
    ],
)
def test_a_line_takes_no_more_mails_than_it_may(pace: Pace, offers: tuple[str, ...], most: int) -> None:
    dialogue = opened(offers, pace=pace)
    submitted = 0
    while dialogue.room:
        submitted += 1
        dialogue.submit(mail(submitted), submitted, 0)
    assert submitted == most
    assert dialogue.closing


def test_after_four_refused_mails_in_a_row_the_line_is_changed() -> None:
    dialogue = opened(LOCK_STEP)
    for number in range(1, 10):
        assert (dialogue.room, dialogue.closing) == (True, False)
        dialogue.submit(mail(number), number, 0)
        while not dialogue.idle:
            accepted = number == 3 and dialogue.listening
            said = b"".join(pieces(dialogue))
            refused = said.startswith(b"RCPT") and not accepted
            dialogue.hear(b"550 no\r\n" if refused else b"354 go\r\n" if said.startswith(b"DATA") else b"250 ok\r\n", 0)
        if dialogue.closing:
            break
    assert number == 7


def test_goodbye_is_said_when_nothing_is_on_its_way() -> None:
    dialogue = opened()
    dialogue.quit()
    assert pieces(dialogue) == [b"QUIT\r\n"]
    assert dialogue.listening
    dialogue.hear(b"221 bye\r\n", 0)
    assert (dialogue.over, dialogue.listening) == (True, False)
    dialogue.quit()
    assert pieces(dialogue) == []


def test_goodbye_is_not_said_in_the_middle_of_something() -> None:
    dialogue = opened()
    dialogue.submit(mail(1), 1, 0)
    dialogue.quit()
    assert dialogue.over


# How long is waited


def test_each_step_has_its_own_limit() -> None:
    limits = Limits(greeting=1, reply=2, final=3, transaction=100)
    dialogue = dialogue_with(limits=limits)
    assert dialogue.deadline == 1
    dialogue.hear(b"220 hi\r\n", 10)
    pieces(dialogue, 10)
    assert dialogue.deadline == 12
    dialogue.hear(hello(BY_DOT), 20)
    dialogue.submit(mail(1), 1, 20)
    pieces(dialogue, 30)
    assert dialogue.deadline == 32
    dialogue.hear(b"250 a\r\n250 b\r\n354 c\r\n", 31)
    pieces(dialogue, 40)
    assert dialogue.deadline == 43


def test_a_mail_as_a_whole_has_a_limit_too() -> None:
    dialogue = opened(BY_DOT, limits=Limits(reply=50, final=50, transaction=60))
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue, 0)
    dialogue.hear(b"250 a\r\n", 40)
    assert dialogue.deadline == 60


def test_half_a_reply_gains_no_time() -> None:
    dialogue = opened(BY_DOT, limits=Limits(reply=5))
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue, 0)
    dialogue.hear(b"250-a\r\n25", 4)
    assert dialogue.deadline == 5


def test_half_a_reply_is_none_when_its_time_is_over() -> None:
    dialogue = opened(BY_DOT, limits=Limits(reply=5))
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue, 0)
    dialogue.hear(b"250-a\r\n", 5)
    with pytest.raises(NoAnswerError):
        dialogue.hear(b"250-b\r\n", 5.1)


def test_a_whole_reply_is_one_however_late_it_is_heard() -> None:
    dialogue = opened(BY_DOT, limits=Limits(reply=5))
    dialogue.submit(mail(1), 1, 0)
    pieces(dialogue, 0)
    dialogue.hear(b"250 a\r\n250-b\r\n", 60)
    dialogue.hear(b"250 b\r\n", 64)
    assert dialogue.deadline == 69


# A model of a server that may refuse, fail or break at any point


@define
class Model:
    """A strict server, as bytes in and bytes out.

    Attributes:
        decide: what it says at a step instead of being polite; empty for polite. ``!`` closes the line.
        keeps_failed: a BDAT that failed leaves its transaction open until RSET (RFC 3030 section 4.2).
        taken: what it has answered for: content, and to whom.
        for_nobody: what it was given by DATA without a recipient.
    """

    decide: Callable[[str], str]
    keeps_failed: bool = False
    for_nobody: list[bytes] = field(factory=list)
    taken: list[tuple[bytes, tuple[str, ...]]] = field(factory=list)
    said: bytes = b""
    closed: bool = False
    _heard: bytes = b""
    _sender: bool = False
    _people: list[str] = field(factory=list)
    _content: bool = False

    def hear(self, words: bytes) -> None:
        self._heard += words
        while not self.closed and self._step():
            pass

    def hear_another_line(self) -> None:
        """The client has called anew."""
        self._heard, self._content = b"", False
        self._clear()

    def _step(self) -> bool:
        if self._content:
            return self._take_content()
        line, end, rest = self._heard.partition(b"\r\n")
        if not end:
            return False
        verb = line[:4].decode()
        if verb == "BDAT":
            size = int(line.split()[1])
            if len(rest) < size:
                return False
            self._heard = rest[size:]
            self._end_content("BDAT", rest[:size])
            return True
        self._heard = rest
        getattr(self, f"_{verb.lower()}")(line.decode())
        return True

    def _say(self, step: str, polite: str) -> bool:
        """Whether what is said is a yes."""
        words = self.decide(step) or polite
        self.closed = words.endswith("!")
        self.said += f"{words.removesuffix('!')}\r\n".encode()
        return words[0] in "23"

    def _mail(self, _line: str) -> None:
        if self._sender:
            self.said += b"503 5.5.1 nested MAIL\r\n"
        elif self._say("MAIL", "250 2.1.0 ok"):
            self._sender = True

    def _rcpt(self, line: str) -> None:
        if not self._sender:
            self.said += b"503 5.5.1 MAIL first\r\n"
        elif self._say("RCPT", "250 2.1.5 ok"):
            self._people.append(line.partition("<")[2].partition(">")[0])

    def _data(self, _line: str) -> None:
        if not self._sender:
            self._content = self._say("DATA without MAIL", "503 5.5.1 MAIL first")
        elif not self._people:
            self._content = self._say("DATA for nobody", "554 5.5.1 no valid recipients")
        else:
            self._content = self._say("DATA", "354 go ahead")

    def _take_content(self) -> bool:
        whole = b"\r\n" + self._heard
        content, end, rest = whole.partition(b"\r\n.\r\n")
        if not end:
            return False
        self._heard, self._content = rest, False
        self._end_content("CONTENT", (content + b"\r\n").replace(b"\r\n.", b"\r\n")[2:])
        return True

    def _end_content(self, step: str, content: bytes) -> None:
        if not self._people:
            self.for_nobody += [content] if step == "CONTENT" else []
            self._say("content for nobody", "554 5.5.1 no valid recipients")
        elif self._say(step, "250 2.0.0 queued"):
            self.taken.append((content, tuple(self._people)))
            self._clear()
            return
        if step == "CONTENT" or not self.keeps_failed:
            self._clear()

    def _clear(self) -> None:
        self._sender, self._people = False, []

    def _rset(self, _line: str) -> None:
        if self._say("RSET", "250 2.0.0 ok"):
            self._clear()

    def _quit(self, _line: str) -> None:
        self._say("QUIT", "221 2.0.0 bye")


CHOICES = {
    "MAIL": ("451 4.3.0 later", "550 5.7.1 no", "421 4.3.2 closing!", "503 5.5.1 nested MAIL", "!", "garbage"),
    "RCPT": ("450 4.2.0 later", "550 5.1.1 no", "421 4.3.2 closing!", "354 go ahead", "!"),
    "DATA": ("451 4.3.0 later", "554 5.7.1 no", "421 4.3.2 closing!", "!"),
    "DATA for nobody": ("354 go ahead", "451 4.3.0 later", "!"),
    "DATA without MAIL": ("354 go ahead", "!"),
    "content for nobody": ("250 2.0.0 queued nowhere", "!"),
    "CONTENT": ("452 4.3.1 full", "554 5.7.1 spam", "421 4.3.2 closing!", "!", "garbage"),
    "BDAT": ("452 4.3.1 full", "554 5.7.1 spam", "421 4.3.2 closing!", "!", "garbage"),
    "RSET": ("421 4.3.2 closing!", "!"),  # RFC 5321 section 4.1.1.5 knows no other refusal
    "QUIT": (),
}
"""What the model may say for once; ``!`` alone closes the line without a word."""


class Sending(RuleBasedStateMachine):
    """Mails are submitted, written, carried and answered in any order, and the line may break at any point."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[int, Outgoing] = {}
        self.queue: list[int] = []
        self.outcomes: dict[int, Outcome] = {}
        self.models: list[Model] = []
        self.gone: set[int] = set()
        self.polite = False

    @initialize(
        way=st.sampled_from(sorted(WAYS)),
        pace=st.builds(
            Pace,
            window=st.integers(1, 4),
            piggyback=st.booleans(),
            mails_per_connection=st.none() | st.integers(1, 4),
        ),
        keeps_failed=st.booleans(),
        data=st.data(),
    )
    def begin(self, way: str, pace: Pace, keeps_failed: bool, data: st.DataObject) -> None:
        self.offers, self.data, self.keeps_failed = WAYS[way], data, keeps_failed
        self.pace = pace
        self.connect()

    def connect(self) -> None:
        self.dialogue = opened(self.offers, pace=self.pace)
        self.model = Model(self.decide, self.keeps_failed)
        self.models.append(self.model)
        self.up = self.down = b""
        self.feed()

    def decide(self, step: str) -> str:
        if self.polite:
            return ""
        odd = st.sampled_from(CHOICES[step] or ("",))
        return self.data.draw(st.one_of(st.just(""), st.just(""), odd), label=step)

    @rule(recipients=st.integers(1, 3))
    def submit(self, recipients: int) -> None:
        ticket = len(self.sent)
        self.sent[ticket] = mail(ticket, recipients)
        self.queue.append(ticket)
        self.feed()

    def feed(self) -> None:
        while self.dialogue.room and self.queue:
            ticket = self.queue.pop(0)
            self.dialogue.submit(self.sent[ticket], ticket, 0)
        self.collect()

    def collect(self) -> None:
        for ended in self.dialogue.take_ended():
            assert ended.ticket not in self.outcomes, "a mail ends once"
            self.outcomes[ended.ticket] = ended.outcome

    @rule()
    def write(self) -> None:
        """As a driver does: look where a look is wanted, then write a piece."""
        if not self.dialogue.pieces and not self.dialogue.over:
            self.dialogue.rest()
        if self.dialogue.wants_a_look and self.down:
            self.carry_down(len(self.down))
        elif (piece := self.dialogue.next_piece(0)) is not None:
            self.up += piece
            for ticket, outgoing in self.sent.items():
                if max(map(piece.find, (outgoing.content, stuffed(outgoing.content)))) >= 0:
                    self.gone.add(ticket)

    @precondition(lambda self: self.up)
    @rule(octets=st.integers(1, 400))
    def carry_up(self, octets: int) -> None:
        words, self.up = self.up[:octets], self.up[octets:]
        self.model.hear(words)
        self.down += self.model.said
        self.model.said = b""

    @precondition(lambda self: self.down)
    @rule(octets=st.integers(1, 60))
    def carry_down(self, octets: int) -> None:
        words, self.down = self.down[:octets], self.down[octets:]
        try:
            self.dialogue.hear(words, 0)
        except ConnectError as error:
            self.lose_the_line(error)
        else:
            self.feed()
            self.go_on()

    @rule(up=st.integers(0, 300), down=st.integers(0, 100))
    def break_the_line(self, up: int, down: int) -> None:
        """Some of what is on the wire still arrives, on either side."""
        line = self.dialogue
        if self.up and up:
            self.carry_up(up)
        if self.down and down:
            self.carry_down(down)
        if self.dialogue is line:
            self.lose_the_line(ConnectError("the line broke"))

    def lose_the_line(self, error: ConnectError) -> None:
        self.dialogue.broken(error)
        self.hand_back()

    def hand_back(self) -> None:
        self.collect()
        left = [ticket for ticket, _ in self.dialogue.unattempted()]
        self.gone.difference_update(left)
        self.queue[:0] = left
        self.connect()

    def go_on(self) -> None:
        """On another line, where there is nothing more to be said or heard on this one."""
        at_rest = not self.dialogue.listening and not self.dialogue.wants_a_look and self.dialogue.idle
        if self.dialogue.closing and at_rest and not self.down:
            self.hand_back()
        elif self.model.closed and not self.down:
            self.lose_the_line(ConnectError("the server closed the line"))

    def teardown(self) -> None:
        if not self.models:
            return
        self.polite = True
        for _ in range(200 * (len(self.sent) + 1)):
            if len(self.outcomes) == len(self.sent):
                break
            self.write()
            if self.up:
                self.carry_up(len(self.up))
            if self.down:
                self.carry_down(len(self.down))
            self.go_on()
        self.check()

    def check(self) -> None:
        assert sorted(self.outcomes) == sorted(self.sent), "every mail ends"
        taken = Counter(
            (content, person) for model in self.models for content, people in model.taken for person in people
        )
        assert not taken or max(taken.values()) == 1, "nothing twice"
        assert not any(any(model.for_nobody) for model in self.models), "nothing is said of a mail that nobody gets"
        for ticket, outgoing in self.sent.items():
            people = {address.wire for address in outgoing.envelope.recipients}
            reached = {person for content, person in taken if content == outgoing.content}
            assert reached <= people, "nobody gets another's mail"
            match self.outcomes[ticket].result:
                case Receipt(refused=refused):
                    assert reached == people - {refusal.recipient.wire for refusal in refused}
                case UncertainError():
                    assert ticket in self.gone, "only what has gone is in doubt"
                case error:
                    assert not reached, error


Sending.TestCase.settings = settings(max_examples=300, stateful_step_count=40)
test_every_mail_ends_as_what_the_server_did_with_it = Sending.TestCase


# Where replies are cut does not matter

REFUSALS = {
    "MAIL": ("451 4.3.0 later", "550 5.7.1 no"),
    "RCPT": ("450 4.2.0 later", "550 5.1.1 no"),
    "DATA": ("451 4.3.0 later", "554 5.7.1 no"),
    "DATA for nobody": ("354 go ahead",),
    "CONTENT": ("452 4.3.1 full", "554 5.7.1 spam"),
    "BDAT": ("452 4.3.1 full", "554 5.7.1 spam"),
}
answers = st.fixed_dictionaries(
    {step: st.lists(st.sampled_from(("", "", *refusals)), max_size=6) for step, refusals in REFUSALS.items()}
)


@given(
    told=answers,
    way=st.sampled_from(sorted(WAYS)),
    recipients=st.lists(st.integers(1, 3), min_size=1, max_size=5),
    cuts=st.lists(st.integers(1, 40), min_size=1),
    keeps_failed=st.booleans(),
)
def test_where_replies_are_cut_changes_nothing(
    told: dict[str, list[str]], way: str, recipients: list[int], cuts: list[int], keeps_failed: bool
) -> None:
    outgoings = [mail(number, count) for number, count in enumerate(recipients)]
    whole = sent_over(Model(in_turn(told), keeps_failed), WAYS[way], outgoings, lambda: 1 << 30)
    place = iter(range(1 << 30))
    cut = sent_over(Model(in_turn(told), keeps_failed), WAYS[way], outgoings, lambda: cuts[next(place) % len(cuts)])
    assert whole == cut


def in_turn(told: dict[str, list[str]]) -> Callable[[str], str]:
    left: dict[str, Iterator[str]] = {step: iter(replies) for step, replies in told.items()}
    return lambda step: next(left.get(step, iter(())), "")


def sent_over(model: Model, offers: tuple[str, ...], outgoings: list[Outgoing], size: Callable[[], int]) -> object:
    """What is told of each mail, and what the server took."""
    dialogue = opened(offers)
    waiting = list(enumerate(outgoings))
    told: dict[int, str] = {}
    while len(told) < len(outgoings):
        if dialogue.closing and dialogue.idle:
            waiting = [*dialogue.unattempted(), *waiting]
            dialogue = opened(offers)
            model.hear_another_line()
        while waiting and dialogue.room:
            ticket, outgoing = waiting.pop(0)
            dialogue.submit(outgoing, ticket, 0)
        model.hear(b"".join(pieces(dialogue)))
        dialogue.rest()
        model.hear(b"".join(pieces(dialogue)))
        words, model.said = model.said, b""
        while words:
            octets = size()
            dialogue.hear(words[:octets], 0)
            words = words[octets:]
        for ended in dialogue.take_ended():
            told[ended.ticket] = re.sub(r" at 0x\w+", "", repr(ended.outcome.result))
    return told, model.taken


# Several recipients


def to_two(second: bytes, content: bytes, way: str = "by dot") -> list[Receipt | TransportError]:
    """What is told of a mail to two people, the first of whom is refused for good."""
    dialogue = opened(WAYS[way])
    dialogue.submit(mail(1, 2), 1, 0)
    pieces(dialogue)
    dialogue.hear(b"250 a\r\n550 5.1.1 no\r\n" + second, 0)
    pieces(dialogue)
    if content:
        dialogue.hear(content, 0)
    else:
        dialogue.broken(ConnectError("gone"))
    return list(ends(dialogue).values())


def test_where_one_may_be_taken_later_the_mail_may_and_who_may_not_is_told() -> None:
    [error] = to_two(b"450 4.2.0 later\r\n554 no valid recipients\r\n", b"")
    assert isinstance(error, RefusedError)
    assert (error.retry, error.reply.code) == (Retry.LATER, 450)
    assert [(refusal.recipient.local, refusal.error.retry) for refusal in error.refused] == [
        ("r1-0", Retry.NEVER),
        ("r1-1", Retry.LATER),
    ]


def test_a_refused_recipient_is_told_though_the_others_are_in_doubt() -> None:
    [error] = to_two(b"250 b\r\n354 go\r\n", b"")
    assert isinstance(error, UncertainError)
    assert [refusal.error.reply.code for refusal in error.refused] == [550]
