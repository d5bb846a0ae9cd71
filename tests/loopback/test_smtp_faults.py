"""A fault at every step, one at a time and amid many mails: each mail's end is told as what it was.

The cases are run side by side, since many of them wait for a limit; each is a test of its own by its name.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, product
from queue import Empty, SimpleQueue
from threading import Thread

import pytest

from custom_smtp import Tls
from custom_smtp.servers import Pace
from custom_smtp.testing.certificates import Authority, Certificate
from custom_smtp.testing.scripts import Failed, polite
from custom_smtp.testing.server import Answer, Conversation

from .judging import (
    AMPLE,
    AUTHORITY,
    BRIEF,
    BY_BDAT,
    BY_DOT,
    CREDENTIALS,
    GOOD,
    LOCK_STEP,
    Case,
    Making,
    Run,
    judge,
    mail,
    mails,
    run,
    run_on_a_loop,
    speaking,
)

Named = Iterator[tuple[str, Case]]
Does = Callable[[Conversation], None]

OK = "accepted"


# What servers do


def say(words: bytes) -> Does:
    """These words, and no more: whatever is said to it then goes unanswered."""

    def answer(conversation: Conversation) -> None:
        conversation.say_raw(words)
        conversation.hear_nothing()

    return answer


def drip(words: bytes) -> Does:
    return lambda conversation: conversation.drip(words, every=0.15)


def last_words(words: str) -> Does:
    """These words, and the line is closed."""

    def answer(conversation: Conversation) -> None:
        conversation.say(words)
        conversation.close()

    return answer


BREAKS: dict[str, Answer] = {
    "drop": Conversation.drop,
    "close": Conversation.close,
    "stall": Conversation.hear_nothing,
    "drip": drip(b"250 as slowly as can be\r\n"),
    "drip lines": drip(b"250-a\r\n" * 30),
    "malformed": say(b"all is well\r\n"),
    "four digits": say(b"2500 ok\r\n"),
    "no such code": say(b"650 ok\r\n"),
    "NUL": say(b"250 o\x00k\r\n"),
    "mixed codes": say(b"250-yes\r\n550 no\r\n"),
    "half a reply": say(b"250-and then\r\n"),
    "endless line": say(b"250 " + b"x" * 100_000),
    "endless lines": say(b"250-x\r\n" * 5_000),
}
"""No reply, in every way."""


def patience(fault: str) -> float:
    """Brief where only a limit makes an end."""
    return BRIEF if fault in {"stall", "endless", "drip", "drip lines", "half a reply"} else AMPLE


# Before any mail: every line fails alike, and no mail is in doubt

OPENING = {
    "greeting": ("connect", "refused connect {code}"),
    "EHLO": ("connect", "refused ehlo {code}"),
    "STARTTLS": ("tls later", "tls {retry}"),
    "EHLO in TLS": ("connect", "refused ehlo {code}"),
    "AUTH": ("connect", "auth {retry}"),
}
"""By step: what a line that breaks there is told as, and what a refusal is."""


def opening() -> Named:
    for step, (broken, refused) in OPENING.items():
        for fault, answer in BREAKS.items():
            yield (
                f"{step}: {fault}",
                Case(
                    script=opening_with(step, answer), expected=(broken,) * 2, mails=mails(2), seconds=patience(fault)
                ),
            )
        for code, retry in {"421": "later", "450": "later", "554": "never"}.items():
            expected = refused.format(code=code, retry=retry)
            script = opening_with(step, last_words(f"{code} no"))
            yield f"{step}: {code}", Case(script=script, expected=(expected,) * 2, mails=mails(2))


TWICE: dict[str, tuple[str, bytes, str]] = {
    "greeting": ("greeting", b"220 mail.test\r\n", "connect"),
    "EHLO": ("EHLO", b"250-mail.test\r\n250 STARTTLS\r\n", "tls later"),
    "EHLO in TLS": ("EHLO in TLS", b"250-mail.test\r\n250 AUTH PLAIN\r\n", "connect"),
    "EHLO in TLS, the last word": ("EHLO in TLS", b"250 mail.test\r\n", "connect"),
    "AUTH, the last word": ("AUTH", b"235 2.7.0 welcome\r\n", "connect"),
}
"""Replies that come twice, in one packet: who is ready for a mail by the first of them is not by the second."""


def opening_twice() -> Named:
    for name, (step, words, told) in TWICE.items():
        anonymous = name == "EHLO in TLS, the last word"
        yield (
            f"{name}: twice",
            Case(
                script=opening_with(step, say(2 * words)),
                expected=(told,) * 2,
                mails=mails(2),
                credentials=None if anonymous else CREDENTIALS,
            ),
        )


def opening_with(step: str, answer: Answer) -> Making:
    if step == "greeting":
        return speaking(BY_BDAT, greeting=answer)
    if step == "EHLO in TLS":
        return speaking(BY_BDAT, {"EHLO": in_secret(answer)})
    return speaking(BY_BDAT, {step: answer})


def in_secret(answer: Answer) -> Does:
    """Only inside TLS."""

    def choose(conversation: Conversation) -> None:
        if not conversation.secret:
            conversation.say("250-mail.test", "250 STARTTLS")
        elif isinstance(answer, str):
            conversation.say(answer)
        else:
            answer(conversation)

    return choose


def instead_of_a_handshake(then: Does) -> Does:
    def answer(conversation: Conversation) -> None:
        conversation.say("220 2.0.0 go ahead")
        conversation.hear_octets(1)
        then(conversation)

    return answer


def injecting(words: bytes) -> Does:
    def answer(conversation: Conversation) -> None:
        conversation.say_raw(b"220 2.0.0 go ahead\r\n" + words)
        conversation.encrypt(GOOD)

    return answer


def ask_for_hello_without_end(conversation: Conversation) -> None:
    """HelloRequests, which a client passes over (RFC 5246 section 7.4.1.1): there is always one more."""
    for _ in range(10):
        conversation.say_raw(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00" * 500_000)


HANDSHAKES: dict[str, tuple[Answer, str]] = {
    "drop": (instead_of_a_handshake(Conversation.drop), "tls later"),
    "close": (instead_of_a_handshake(Conversation.close), "tls later"),
    "stall": (instead_of_a_handshake(Conversation.hear_nothing), "tls later"),
    "drip": (instead_of_a_handshake(drip(b"\x16\x03\x03\x00\x7a" + b"\x02" * 60)), "tls later"),
    "clear text": (instead_of_a_handshake(lambda client: client.say("250 ok")), "tls later"),
    "garbage": (instead_of_a_handshake(say(b"\xff" * 50)), "tls later"),
    "endless": (instead_of_a_handshake(lambda client: client.say_raw(b"\x16" * 200_000)), "tls later"),
    "endless, and well said": (instead_of_a_handshake(ask_for_hello_without_end), "tls later"),
    "a reply injected": (injecting(b"250-mail.test\r\n250 AUTH PLAIN\r\n"), "tls never"),
    "half a reply injected": (injecting(b"25"), "tls never"),
    "an empty line injected": (injecting(b"\r\n"), "tls never"),
}

NOW = datetime.now(UTC)
CERTIFICATES: dict[str, Certificate] = {
    "another host's": AUTHORITY.issue("mail.example"),
    "nobody's": AUTHORITY.issue(),
    "expired": AUTHORITY.issue("127.0.0.1", starts=timedelta(days=-3), lasts=timedelta(days=1)),
    "not yet valid": AUTHORITY.issue("127.0.0.1", starts=timedelta(days=1)),
    "a stranger's": Authority(NOW, "a stranger").issue("127.0.0.1"),
    "a stranger's with our name": Authority(NOW).issue("127.0.0.1"),
    "a wildcard's": AUTHORITY.issue("*"),
}


def no_secret_line() -> Named:
    for fault, (answer, expected) in HANDSHAKES.items():
        script = speaking(BY_BDAT, {"STARTTLS": answer})
        yield f"handshake: {fault}", Case(script=script, expected=(expected,), mails=mails(1), seconds=BRIEF)
    for (whose, certificate), tls in product(CERTIFICATES.items(), (Tls.STARTTLS, Tls.IMPLICIT)):
        script = partial(polite, certificate=certificate, implicit=tls is Tls.IMPLICIT)
        yield f"certificate, {tls.value}: {whose}", Case(script=script, tls=tls, expected=("tls never",) * 3)
    yield "STARTTLS is not offered", Case(script=polite, expected=("tls never",) * 3)
    yield (
        "AUTH in clear is not spoken, though it is all that is offered",
        Case(script=partial(polite, offers=("AUTH PLAIN",)), expected=("tls never",) * 3),
    )


# Amid three mails, once, at the second: whatever befalls it, the first and the third are told as what they are

WAYS = {"lock step": LOCK_STEP, "by dot": BY_DOT, "by BDAT": BY_BDAT}
STEPS = {
    "lock step": ("MAIL", "RCPT", "DATA", "CONTENT"),
    "by dot": ("MAIL", "RCPT", "DATA", "CONTENT"),
    "by BDAT": ("MAIL", "RCPT", "BDAT"),
}
PLACES = tuple((way, step) for way, steps in STEPS.items() for step in steps)

UNTOUCHED, BROKEN, DOUBT = (OK, OK, OK), (OK, "connect", OK), (OK, "uncertain", OK)
TWO_IN_DOUBT = (OK, "uncertain", "uncertain")
ALL_IN_DOUBT = ("uncertain", "uncertain", "uncertain")
SOME_IN_DOUBT = (f"{OK} | uncertain", "uncertain", f"{OK} | uncertain")
"""Where the line is closed: a write may find it so before the first reply is read, and before the third has gone."""

CLOSES = {"drop", "close"}


def spoil_the_line(conversation: Conversation) -> None:
    """Words that nobody encrypted: as of one who writes into the line."""
    socket.socket.sendall(conversation._socket, b"250 2.0.0 queued as 4712\r\n")
    conversation.hear_nothing()


BREAKS_AMID_MAILS = BREAKS | {"clear text in TLS": spoil_the_line}


def after_a_break(way: str, step: str, fault: str = "") -> tuple[str, ...]:
    if way == "by BDAT":
        # All three have gone when the second is answered.
        return SOME_IN_DOUBT if fault in CLOSES else TWO_IN_DOUBT
    if step == "MAIL":
        return UNTOUCHED  # nothing of the second mail was answered: all of it is said again, on another line
    return DOUBT if step == "CONTENT" else BROKEN


def at_the_second(way: str, step: str, answer: Answer, *, together: bool = False) -> Making:
    return speaking(WAYS[way], {step: [None, answer]}, together=together)


OUT_OF_PLACE = {
    "MAIL": "354 go ahead",
    "RCPT": "334 ",
    "DATA": "250 2.0.0 queued",
    "CONTENT": "334 ",
    "BDAT": "354 go ahead",
}


def amid_three() -> Named:
    for (way, step), (fault, answer) in product(PLACES, BREAKS_AMID_MAILS.items()):
        script = at_the_second(way, step, answer)
        yield (
            f"{way}, second {step}: {fault}",
            Case(script=script, expected=after_a_break(way, step, fault), seconds=patience(fault)),
        )
    for way, step in PLACES:
        name = f"{way}, second {step}"
        refused = f"refused {'content' if step in {'CONTENT', 'BDAT'} else step.lower()}"
        for code, together in product(("451", "552"), (False, True)):
            script = at_the_second(way, step, f"{code} 5.0.0 no", together=together)
            yield f"{name}: {code}{written(together)}", Case(script=script, expected=(OK, f"{refused} {code}", OK))
        closing, not_closing = last_words("421 4.3.2 closing"), "421 4.3.2 closing"
        closed = (f"{OK} | uncertain", f"{refused} 421 | uncertain", f"{OK} | uncertain")
        yield (
            f"{name}: 421 and closed",
            Case(
                script=at_the_second(way, step, closing),
                expected=closed if way == "by BDAT" else (OK, f"{refused} 421", OK),
            ),
        )
        yield (
            f"{name}: 421 and not closed",
            Case(script=at_the_second(way, step, not_closing), expected=(OK, f"{refused} 421", OK)),
        )
        expected = BROKEN if step == "MAIL" and way != "by BDAT" else after_a_break(way, step)
        yield f"{name}: out of place", Case(script=at_the_second(way, step, OUT_OF_PLACE[step]), expected=expected)


def written(together: bool) -> str:
    return ", in one write" if together else ""


STALE = {
    ("lock step", "MAIL"): BROKEN,
    ("lock step", "RCPT"): BROKEN,
    ("lock step", "DATA"): BROKEN,
    ("lock step", "CONTENT"): UNTOUCHED,
    ("by dot", "MAIL"): BROKEN,
    ("by dot", "RCPT"): BROKEN,
    ("by dot", "DATA"): BROKEN,
    ("by dot", "CONTENT"): (OK, OK, "connect"),
}


def a_reply_too_many() -> Named:
    for (way, step), expected in STALE.items():
        twice = "354 go ahead\n250 2.0.0 queued" if step == "DATA" else "250 2.0.0 ok\n250 2.0.0 ok"
        yield (
            f"{way}, second {step}: a reply too many",
            Case(script=at_the_second(way, step, twice), expected=expected),
        )
    for step in ("MAIL", "RCPT"):
        answers = {step: [None, "250 2.0.0 ok\n250 2.0.0 ok"], "BDAT": [None, "554 5.7.1 spam"]}
        yield (
            f"by BDAT, second {step}: a reply too many, and its content is refused",
            Case(script=speaking(BY_BDAT, answers), expected=(OK, "connect | uncertain", "connect | uncertain")),
        )


def between_mails() -> Named:
    for fault, answer in BREAKS.items():
        yield (
            f"lock step, RSET after a refusal: {fault}",
            Case(
                script=speaking(LOCK_STEP, {"RCPT": [None, "550 5.1.1 no"], "RSET": [answer]}),
                expected=(OK, "refused rcpt 550", OK),
                seconds=patience(fault),
            ),
        )
        script = speaking(BY_BDAT, {"RSET": [answer]})
        expected = after_a_break("by BDAT", "RSET", fault)
        yield f"by BDAT, RSET between: {fault}", Case(script=script, expected=expected, seconds=patience(fault))
        yield f"QUIT: {fault}", Case(script=speaking(BY_DOT, {"QUIT": answer}), expected=UNTOUCHED)
    for code in ("421", "451", "500"):
        yield (
            f"lock step, RSET after a refusal: {code}",
            Case(
                script=speaking(LOCK_STEP, {"RCPT": [None, "550 5.1.1 no"], "RSET": [f"{code} no"]}),
                expected=(OK, "refused rcpt 550", OK),
            ),
        )
        if code != "421":
            script = speaking(BY_BDAT, {"RSET": [f"{code} no"]})
            yield f"by BDAT, RSET between: {code}", Case(script=script, expected=ALL_IN_DOUBT)
        yield f"QUIT: {code}", Case(script=speaking(BY_DOT, {"QUIT": f"{code} no"}), expected=UNTOUCHED)


def answer_and_end_tls(conversation: Conversation) -> None:
    """The answer to a content, and TLS's goodbye; the line itself stays."""
    conversation.say("250 2.0.0 queued as 4711")
    assert isinstance(conversation._socket, ssl.SSLSocket)
    with suppress(OSError):
        conversation._socket.unwrap()
    conversation._stopped.wait(3 * BRIEF)


def tls_ends_between_mails() -> Named:
    for way in ("lock step", "by dot"):
        script = speaking(WAYS[way], {"CONTENT": [answer_and_end_tls]})
        yield (
            f"{way}: TLS ends behind the first answer, and the line stays",
            Case(script=script, expected=UNTOUCHED, seconds=BRIEF),
        )


def said_and_meant(conversation: Conversation) -> None:
    """A 421, at once, and a while later things go on as if nothing had been said."""
    conversation.drip(b"421 4.3.2 closing\r\n", every=0)
    conversation._stopped.wait(1.5 * BRIEF)


def behind_a_421() -> Named:
    """RFC 5321 section 3.8: who says it closes. What was said behind it is not looked at, or is it?"""
    some = f"{OK} | uncertain"
    yield (
        "by BDAT, RSET between: 421 and closed",
        Case(script=speaking(BY_BDAT, {"RSET": [last_words("421 4.3.2 closing")]}), expected=(some, some, some)),
    )
    yield (
        "by BDAT, RSET between: 421, and all is taken",
        Case(script=speaking(BY_BDAT, {"RSET": ["421 4.3.2 closing"]}, together=True), expected=(some, some, some)),
    )
    yield (
        "by BDAT, second MAIL: 421, and what comes behind is taken when nobody waits any more",
        Case(
            script=speaking(BY_BDAT, {"MAIL": [None, said_and_meant]}, together=True),
            expected=(some, "refused mail 421 | uncertain", "uncertain"),
            seconds=BRIEF,
        ),
    )


LARGE = (mail(1), mail(2, size=12_000_000), mail(3))


def go_ahead_and(how: Does, words: str = "354 go ahead") -> Does:
    """Ask for the content, take in a little of it, and then this."""

    def answer(conversation: Conversation) -> None:
        conversation.say(words)
        conversation.hear_octets(50)
        how(conversation)

    return answer


def take_nothing_in(conversation: Conversation) -> None:
    conversation._stopped.wait(3 * BRIEF)


def flood(conversation: Conversation) -> None:
    """Take nothing in, and never stop talking."""
    while not conversation._stopped.is_set():
        conversation.say_raw(b"250-and so on\r\n" * 4096)


def amid_the_content() -> Named:
    stops = {"drop": Conversation.drop, "close": Conversation.close, "stall": take_nothing_in, "endless": flood}
    for way, (fault, how) in product(("lock step", "by dot"), stops.items()):
        script = at_the_second(way, "DATA", go_ahead_and(how))
        yield (
            f"{way}, amid the content: {fault}",
            Case(script=script, expected=BROKEN, mails=LARGE, seconds=patience(fault)),
        )
    for fault, how in stops.items():
        script = at_the_second("by BDAT", "RCPT", go_ahead_and(how, "250 2.1.5 ok"))
        yield (
            f"by BDAT, amid the content: {fault}",
            Case(script=script, expected=BROKEN, mails=LARGE, seconds=patience(fault)),
        )
    turned_away = go_ahead_and(say(b"552 5.3.4 too large after all\r\n"), "250 2.1.5 ok")
    yield (
        "by BDAT, amid the content: turned away",
        Case(
            script=at_the_second("by BDAT", "RCPT", turned_away),
            expected=(OK, "refused content 552 | connect", f"{OK} | uncertain"),
            mails=LARGE,
            seconds=BRIEF,
        ),
    )
    for way in ("lock step", "by dot"):
        script = at_the_second(way, "DATA", go_ahead_and(say(b"552 5.3.4 too large after all\r\n")))
        yield (
            f"{way}, amid the content: turned away",
            Case(script=script, expected=(OK, "refused content 552 | connect", OK), mails=LARGE, seconds=BRIEF),
        )


# Some recipients taken and some not

PARTLY = (mail(1), mail(2, "r7@example.net", "r8@example.net"), mail(3))

REFUSED: dict[str, tuple[dict[int, str], str]] = {
    "the first of three": ({2: "550 5.1.1 no"}, "accepted but r2 550"),
    "the last of three": ({8: "550 5.1.1 no"}, "accepted but r8 550"),
    "two of three": ({2: "550 5.1.1 no", 8: "553 5.1.3 no"}, "accepted but r2 550 but r8 553"),
    "one for now, one for ever": ({7: "550 5.1.1 no", 8: "450 4.2.0 later"}, "accepted but r7 550 but r8 450"),
    "all three": ({2: "550 5.1.1 no", 7: "450 4.2.0 later", 8: "550 5.1.1 no"}, "refused rcpt 450"),
}


def to(refused: dict[int, str]) -> dict[str, Answer]:
    return {f"RCPT TO:<r{number}@example.net>": reply for number, reply in refused.items()}


def partly() -> Named:
    for (way, offers), (name, (refused, expected)), together in product(WAYS.items(), REFUSED.items(), (False, True)):
        yield (
            f"{way}, recipients refused: {name}{written(together)}",
            Case(script=speaking(offers, to(refused), together=together), expected=(OK, expected, OK), mails=PARTLY),
        )
    for way, offers in WAYS.items():
        content = "BDAT" if way == "by BDAT" else "CONTENT"
        closed = (f"{OK} | uncertain", "refused rcpt 550 | uncertain", f"{OK} | uncertain")
        one, all_but_one = to({7: "550 5.1.1 no"}), to({2: "550 5.1.1 no", 7: "550 5.1.1 no"})
        yield (
            f"{way}, one recipient refused, and then the content",
            Case(
                script=speaking(offers, {**one, content: [None, "554 5.7.1 spam"]}),
                expected=(OK, "refused content 554", OK),
                mails=PARTLY,
            ),
        )
        yield (
            f"{way}, one recipient refused, and then the line breaks",
            Case(
                script=speaking(offers, {**one, content: [None, Conversation.drop]}),
                expected=after_a_break(way, "CONTENT", "drop"),
                mails=PARTLY,
            ),
        )
        yield (
            f"{way}, all recipients refused, and then the line breaks",
            Case(
                script=speaking(offers, {**all_but_one, "RCPT TO:<r8@example.net>": last_words("550 5.1.1 no")}),
                expected=closed if way == "by BDAT" else (OK, "refused rcpt 550", OK),
                mails=PARTLY,
            ),
        )


# Safe in the window


def nobody_got_the_second(done: Run) -> None:
    assert [taken.recipients for taken in done.taken] == [("r1@example.net",), ("r3@example.net",)]


def a_lone_dot(done: Run) -> None:
    nobody_got_the_second(done)
    assert done.contents[1] == b""
    assert b"mail 2" not in done.heard_in_secret


def rset_stands_in_front(done: Run) -> None:
    nobody_got_the_second(done)
    behind_the_first = done.heard_in_secret.partition(b"BDAT")[2]
    assert behind_the_first.count(b"MAIL FROM") == behind_the_first.count(b"RSET\r\nMAIL FROM") >= 2


def three_lines_of_one_recipient(done: Run) -> None:
    assert sorted(taken.recipients for taken in done.taken) == [(f"r{n}@example.net",) for n in (1, 2, 3)]


def in_the_window() -> Named:
    for reply in ("554 5.5.1 no valid recipients", "250 2.0.0 ok", "421 4.3.2 closing"):
        answers = {"RCPT": [None, "550 5.1.1 no"], "DATA": [None, "354 go on"], "CONTENT": [None, reply]}
        yield (
            f"354 after every RCPT was refused, then {reply}",
            Case(script=speaking(BY_DOT, answers), expected=(OK, "refused rcpt 550", OK), check=a_lone_dot),
        )
    for failed, code, together in product(Failed, ("451", "552"), (False, True)):
        yield (
            f"a BDAT fails by {code} in mid-window, its transaction is {failed.value}{written(together)}",
            Case(
                script=speaking(BY_BDAT, {"BDAT": [None, f"{code} 5.0.0 no"]}, failed=failed, together=together),
                expected=(OK, f"refused content {code}", OK),
                check=rset_stands_in_front,
            ),
        )
    for failed in Failed:
        yield (
            f"RCPT is refused in mid-window by BDAT, its transaction is {failed.value}",
            Case(
                script=speaking(BY_BDAT, {"RCPT": [None, "550 5.1.1 no"]}, failed=failed),
                expected=(OK, "refused rcpt 550", OK),
                check=rset_stands_in_front,
            ),
        )
        yield (
            f"a window of one fails, its transaction is {failed.value}",
            Case(
                script=speaking(BY_BDAT, {"BDAT": ["452 4.3.1 full"]}, failed=failed),
                pace=Pace(window=1),
                expected=("refused content 452", OK, OK),
            ),
        )
    for piggyback in (False, True):
        yield (
            f"the content fails by dot, and its transaction stays open, {piggyback=}",
            Case(
                script=speaking(BY_DOT, {"CONTENT": ["552 5.3.4 no"]}, failed=Failed.OPEN),
                pace=Pace(piggyback=piggyback),
                expected=("refused content 552", OK, OK),
            ),
        )
    for (way, offers), failed, code in product(WAYS.items(), Failed, ("451", "552")):
        if way != "by BDAT":
            yield (
                f"{way}, one mail at a time: its content fails by {code}, and its transaction is {failed.value}",
                Case(
                    script=speaking(offers, {"CONTENT": [None, f"{code} 5.3.4 no"]}, failed=failed),
                    pace=Pace.careful(),
                    expected=(OK, f"refused content {code}", OK),
                    check=nobody_got_the_second,
                ),
            )
    for way, words in product(("by dot", "by BDAT"), ("503 5.5.1 nested MAIL", "503 5.5.1 MAIL after BDAT")):
        yield (
            f"{way}, a 503 of our own making: {words}",
            Case(script=speaking(WAYS[way], {"MAIL": [None, words]}), expected=UNTOUCHED),
        )
        yield (
            f"{way}, a 503 that stays: {words}",
            Case(
                script=speaking(WAYS[way], {"MAIL": [None, words, words, words]}),
                expected=(OK, "refused mail 503", f"{OK} | refused mail 503"),
            ),
        )
    yield (
        "a MAIL that is refused, whose DATA is wanted all the same",
        Case(
            script=speaking(BY_DOT, {"MAIL": [None, "503 5.5.1 nested MAIL"], "RCPT": "250 ok", "DATA": "354 go on"}),
            expected=UNTOUCHED,
            check=three_lines_of_one_recipient,
        ),
    )


def lines_that_break() -> Named:
    for window in (2, 4, 8):
        # As many as had been written when it broke: never more than the window, the one that was hit among them.
        ahead, behind = (f"{OK} | uncertain",) * 2, (f"{OK} | uncertain",) * (window - 1)
        yield (
            f"a line breaks with {window} in flight by BDAT",
            Case(
                script=speaking(BY_BDAT, {"BDAT": [None, None, Conversation.drop]}),
                mails=mails(12),
                pace=Pace(window=window),
                expected=(*ahead, "uncertain", *behind, *(OK,) * (9 - len(behind))),
                check=lambda done, window=window: in_doubt(done, least=1, most=window),  # type: ignore[misc]
            ),
        )
    yield (
        "a line breaks with two in flight by dot: only the one that has gone is in doubt",
        Case(
            script=speaking(BY_DOT, {"CONTENT": [None, None, Conversation.drop]}),
            mails=mails(6),
            expected=(OK, OK, "uncertain", OK, OK, OK),
        ),
    )
    yield (
        "careful: at most one in doubt, though BDAT is offered",
        Case(
            script=speaking(BY_BDAT, {"CONTENT": [None, Conversation.drop]}),
            pace=Pace.careful(),
            expected=DOUBT,
            check=lambda done: never_said(done, b"BDAT"),
        ),
    )
    yield (
        "every other line breaks",
        Case(
            script=speaking(BY_DOT, {"CONTENT": [None, Conversation.drop] * 3}),
            mails=mails(6),
            expected=(OK, "uncertain") * 3,
        ),
    )


def never_said(done: Run, words: bytes) -> None:
    assert words not in done.heard_in_secret


def several_lines() -> Named:
    here_and_there: dict[str, Answer | Sequence[Answer | None]] = {
        "RCPT TO:<r3@example.net>": "550 5.1.1 no such user",
        "RCPT TO:<r11@example.net>": "450 4.2.0 later",
        "RCPT TO:<r7@example.net>": [last_words("421 4.3.2 closing")],
    }
    refused = {3: "refused rcpt 550", 7: "refused rcpt 421", 11: "refused rcpt 450"}
    for (way, offers), connections in product(WAYS.items(), (2, 4)):
        content, others = ("BDAT", f"{OK} | uncertain") if way == "by BDAT" else ("CONTENT", OK)
        yield (
            f"{way}, {connections} connections, refusals and a 421",
            Case(
                script=speaking(offers, here_and_there),
                mails=mails(20),
                connections=connections,
                expected=tuple(
                    f"{refused[number]} | uncertain"
                    if number in refused and way == "by BDAT"
                    else refused.get(number, others)
                    for number in range(1, 21)
                ),
                check=lambda done: in_doubt(done, least=0, most=4),
            ),
        )
        yield (
            f"{way}, {connections} connections, one line breaks at its content",
            Case(
                script=speaking(offers, {content: [*(None,) * 9, Conversation.drop]}),
                mails=mails(20),
                connections=connections,
                expected=(f"{OK} | uncertain",) * 20,
                check=lambda done: in_doubt(done, least=1, most=4),
            ),
        )


def in_doubt(done: Run, *, least: int, most: int) -> None:
    """No more than the window of the one line that broke."""
    assert least <= done.told.count("uncertain") <= most


CASES = dict(
    chain(
        opening(),
        opening_twice(),
        no_secret_line(),
        amid_three(),
        a_reply_too_many(),
        between_mails(),
        tls_ends_between_mails(),
        behind_a_421(),
        amid_the_content(),
        partly(),
        in_the_window(),
        lines_that_break(),
        several_lines(),
    )
)

DRIVERS: dict[str, Callable[[Case], Run]] = {"threads": run, "asyncio": run_on_a_loop}


class SideBySide:
    """Runs cases in twenty threads; one that never ends holds up nobody but its own test."""

    def __init__(self, wanted: Iterable[tuple[str, str]]) -> None:
        self._work: SimpleQueue[tuple[str, str]] = SimpleQueue()
        self._done: dict[tuple[str, str], Future[Run]] = {each: Future() for each in wanted}
        for each in self._done:
            self._work.put(each)
        for _ in range(20):
            Thread(target=self._serve, daemon=True).start()

    def result(self, case: str, driver: str) -> Run:
        return self._done[case, driver].result(timeout=50)

    def _serve(self) -> None:
        with suppress(Empty):
            while True:
                case, driver = self._work.get_nowait()
                try:
                    self._done[case, driver].set_result(DRIVERS[driver](CASES[case]))
                except BaseException as error:  # noqa: BLE001 - raised again in the test that waits for it
                    self._done[case, driver].set_exception(error)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> SideBySide:
    """Every case that was asked for, under way side by side."""
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    wanted = [(each["case"], each["driver"]) for each in params if "case" in each and "driver" in each]
    return SideBySide(wanted)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("case", CASES)
def test_each_mail_ends_as_what_it_is(case: str, driver: str, runs: SideBySide) -> None:
    judge(runs.result(case, driver))


def test_no_two_cases_share_a_name() -> None:
    assert len(CASES) > 400
