"""A fault at every step, one at a time and amid many mails: each mail's end is told as what it was.

The cases are run side by side, since many of them wait for a limit; each is a test of its own by its name.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from custom_smtp import Tls
from custom_smtp.servers import Pace
from custom_smtp.testing.certificates import Authority, Certificate
from custom_smtp.testing.server import Answer, Conversation, Failed, polite

from .judging import (
    AUTHORITY,
    BRIEF,
    BY_BDAT,
    BY_DOT,
    GOOD,
    LOCK_STEP,
    Case,
    Run,
    judge,
    mail,
    mails,
    run,
    speaking,
)

CASES: dict[str, Case] = {}
ALL = "accepted"


def say(words: bytes) -> Callable[[Conversation], None]:
    """These words, and no more: whatever is said to it then goes unanswered."""

    def answer(conversation: Conversation) -> None:
        conversation.say_raw(words)
        conversation.hear_nothing()

    return answer


def drip(words: bytes) -> Callable[[Conversation], None]:
    return lambda conversation: conversation.drip(words, every=0.15)


def last_words(words: str) -> Callable[[Conversation], None]:
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
"""No reply, in every way; a stop at a time: the next line finds a polite server."""

WAITING = {"stall", "drip", "drip lines", "half a reply"}
"""Those of which only a limit makes an end."""


def seconds(fault: str) -> dict[str, float]:
    return {"seconds": BRIEF} if fault in WAITING else {}


# Before any mail: every line fails alike, and no mail is in doubt.

OPENING = {
    "greeting": ("connect", "connect"),
    "EHLO": ("connect", "ehlo"),
    "STARTTLS": ("tls later", "starttls"),
    "EHLO in TLS": ("connect", "ehlo"),
    "AUTH": ("connect", "auth"),
}
"""By step: what a line that breaks there is told as, and the step that a refusal names."""


def in_secret(answer: Answer) -> Answer:
    """Only inside TLS."""

    def choose(conversation: Conversation) -> None:
        if not conversation.secret:
            conversation.say("250-mail.test", "250 STARTTLS")
        elif isinstance(answer, str):
            conversation.say(answer)
        else:
            answer(conversation)

    return choose


def opening(step: str, answer: Answer) -> Callable[[Conversation], None]:
    if step == "greeting":
        return speaking(BY_BDAT, greeting=answer)
    if step == "EHLO in TLS":
        return speaking(BY_BDAT, {"EHLO": in_secret(answer)})
    return speaking(BY_BDAT, {step: answer})


for step, (broken, named) in OPENING.items():
    for fault, answer in BREAKS.items():
        CASES[f"{step}: {fault}"] = Case(
            script=opening(step, answer), expected=(broken,) * 2, mails=mails(2), **seconds(fault)
        )
    for code, later in {"421": "later", "450": "later", "554": "never"}.items():
        refused = {
            "starttls": f"tls {later}",
            "auth": f"auth {later}",
        }.get(named, f"refused {named} {code}")
        CASES[f"{step}: {code}"] = Case(
            script=opening(step, last_words(f"{code} no")), expected=(refused,) * 2, mails=mails(2)
        )


def instead_of_a_handshake(then: Callable[[Conversation], None]) -> Callable[[Conversation], None]:
    def answer(conversation: Conversation) -> None:
        conversation.say("220 2.0.0 go ahead")
        conversation.hear_octets(1)
        then(conversation)

    return answer


def injecting(words: bytes) -> Callable[[Conversation], None]:
    def answer(conversation: Conversation) -> None:
        conversation.say_raw(b"220 2.0.0 go ahead\r\n" + words)
        conversation.encrypt(GOOD)

    return answer


HANDSHAKES: dict[str, tuple[Answer, str]] = {
    "drop": (instead_of_a_handshake(Conversation.drop), "tls later"),
    "close": (instead_of_a_handshake(Conversation.close), "tls later"),
    "stall": (instead_of_a_handshake(Conversation.hear_nothing), "tls later"),
    "drip": (instead_of_a_handshake(drip(b"\x16\x03\x03\x00\x7a" + b"\x02" * 60)), "tls later"),
    "clear text": (instead_of_a_handshake(lambda client: client.say("250 ok")), "tls later"),
    "garbage": (instead_of_a_handshake(say(b"\xff" * 50)), "tls later"),
    "endless": (instead_of_a_handshake(lambda client: client.say_raw(b"\x16" * 200_000)), "tls later"),
    "a reply injected": (injecting(b"250-mail.test\r\n250 AUTH PLAIN\r\n"), "tls never"),
    "half a reply injected": (injecting(b"25"), "tls never"),
    "an empty line injected": (injecting(b"\r\n"), "tls never"),
}

for fault, (answer, expected) in HANDSHAKES.items():
    CASES[f"handshake: {fault}"] = Case(
        script=speaking(BY_BDAT, {"STARTTLS": answer}), expected=(expected,), mails=mails(1), seconds=BRIEF
    )


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

for whose, certificate in CERTIFICATES.items():
    for tls in (Tls.STARTTLS, Tls.IMPLICIT):
        CASES[f"certificate, {tls.value}: {whose}"] = Case(
            script=polite(certificate=certificate, implicit=tls is Tls.IMPLICIT),
            tls=tls,
            expected=("tls never",) * 2,
            mails=mails(2),
        )

CASES["STARTTLS is not offered"] = Case(script=polite(), expected=("tls never",) * 3)
CASES["AUTH in clear is not spoken though it is all that is offered"] = Case(
    script=polite(offers=("AUTH PLAIN",)), expected=("tls never",) * 3
)


# Amid three mails, once, at the second.

UNTOUCHED, BROKEN, DOUBT = (ALL, ALL, ALL), (ALL, "connect", ALL), (ALL, "uncertain", ALL)
ALL_IN_DOUBT = (ALL, "uncertain", "uncertain")

WAYS = {"lock step": LOCK_STEP, "by dot": BY_DOT, "by BDAT": BY_BDAT}

STEPS = {
    "lock step": ("MAIL", "RCPT", "DATA", "CONTENT"),
    "by dot": ("MAIL", "RCPT", "DATA", "CONTENT"),
    "by BDAT": ("MAIL", "RCPT", "BDAT"),
}

AFTER_A_BREAK = {
    # Of the second mail nothing was answered: the whole of it is said again, on another line.
    "MAIL": UNTOUCHED,
    "RCPT": BROKEN,
    "DATA": BROKEN,
    "CONTENT": DOUBT,
}


def at_the_second(way: str, step: str, answer: Answer) -> Callable[[Conversation], None]:
    return speaking(WAYS[way], {step: [None, answer]})


for way, steps in STEPS.items():
    for step in steps:
        for fault, answer in BREAKS.items():
            CASES[f"{way}, second {step}: {fault}"] = Case(
                script=at_the_second(way, step, answer),
                # By BDAT all three have gone when the second is answered.
                expected=ALL_IN_DOUBT if way == "by BDAT" else AFTER_A_BREAK[step],
                **seconds(fault),
            )
        named = {"CONTENT": "content", "BDAT": "content"}.get(step, step.lower())
        for code in ("451", "552"):
            for together in (False, True):
                CASES[f"{way}, second {step}: {code}{', in one write' if together else ''}"] = Case(
                    script=speaking(WAYS[way], {step: [None, f"{code} 5.0.0 no"]}, together=together),
                    expected=(ALL, f"refused {named} {code}", ALL),
                )
        CASES[f"{way}, second {step}: 421 and closed"] = Case(
            script=at_the_second(way, step, last_words("421 4.3.2 closing")),
            expected=(ALL, f"refused {named} 421", "uncertain" if way == "by BDAT" else ALL),
        )
        CASES[f"{way}, second {step}: 421 and not closed"] = Case(
            script=at_the_second(way, step, "421 4.3.2 closing"),
            expected=(ALL, f"refused {named} 421", ALL),
        )

OUT_OF_PLACE = {
    "MAIL": "354 go ahead",
    "RCPT": "334 ",
    "DATA": "250 2.0.0 queued",
    "CONTENT": "334 ",
    "BDAT": "354 go ahead",
}

for way, steps in STEPS.items():
    for step in steps:
        CASES[f"{way}, second {step}: out of place"] = Case(
            script=at_the_second(way, step, OUT_OF_PLACE[step]),
            expected=ALL_IN_DOUBT if way == "by BDAT" else DOUBT if step == "CONTENT" else BROKEN,
        )

STALE = {
    ("lock step", "MAIL"): BROKEN,
    ("lock step", "RCPT"): BROKEN,
    ("lock step", "DATA"): BROKEN,
    ("lock step", "CONTENT"): UNTOUCHED,
    ("by dot", "MAIL"): BROKEN,
    ("by dot", "RCPT"): BROKEN,
    ("by dot", "DATA"): BROKEN,
    ("by dot", "CONTENT"): (ALL, ALL, "connect"),
}

for (way, step), expected in STALE.items():
    twice = "354 go ahead\n250 2.0.0 queued" if step == "DATA" else "250 2.0.0 ok\n250 2.0.0 ok"
    CASES[f"{way}, second {step}: a reply too many"] = Case(script=at_the_second(way, step, twice), expected=expected)

for fault, answer in BREAKS.items():
    CASES[f"lock step, RSET after a refusal: {fault}"] = Case(
        script=speaking(LOCK_STEP, {"RCPT": [None, "550 5.1.1 no"], "RSET": [answer]}),
        expected=(ALL, "refused rcpt 550", ALL),
        **seconds(fault),
    )
    CASES[f"by BDAT, RSET between: {fault}"] = Case(
        script=speaking(BY_BDAT, {"RSET": [answer]}), expected=ALL_IN_DOUBT, **seconds(fault)
    )
    for way, offers in WAYS.items():
        CASES[f"{way}, QUIT: {fault}"] = Case(
            script=speaking(offers, {"QUIT": answer}), expected=UNTOUCHED, **seconds(fault)
        )

for code in ("421", "451", "500"):
    CASES[f"lock step, RSET after a refusal: {code}"] = Case(
        script=speaking(LOCK_STEP, {"RCPT": [None, "550 5.1.1 no"], "RSET": [f"{code} no"]}),
        expected=(ALL, "refused rcpt 550", ALL),
    )
    CASES[f"by BDAT, RSET between: {code}"] = Case(
        script=speaking(BY_BDAT, {"RSET": [f"{code} no"]}), expected=ALL_IN_DOUBT
    )


def break_within(octets: int, how: Callable[[Conversation], None]) -> Callable[[Conversation], None]:
    """Go ahead, take in a little, and break."""

    def answer(conversation: Conversation) -> None:
        conversation.say("354 go ahead")
        conversation.hear_octets(octets)
        how(conversation)

    return answer


LARGE = (mail(1), mail(2, size=12_000_000), mail(3))


def wait(conversation: Conversation) -> None:
    """Take nothing in, until the client is gone for good."""
    conversation._stopped.wait(3 * BRIEF)


for way in ("lock step", "by dot"):
    for fault, how in {"drop": Conversation.drop, "close": Conversation.close, "stall": wait}.items():
        CASES[f"{way}, amid the content: {fault}"] = Case(
            script=at_the_second(way, "DATA", break_within(50, how)), expected=BROKEN, mails=LARGE, **seconds(fault)
        )
    CASES[f"{way}, amid the content: turned away"] = Case(
        script=at_the_second(way, "DATA", break_within(50, say(b"552 5.3.4 too large after all\r\n"))),
        expected=frozenset({(ALL, "refused content 552", ALL), BROKEN}),
        mails=LARGE,
        seconds=BRIEF,
    )


# Partial recipients


def to(*numbers: int) -> dict[str, str]:
    return {f"RCPT TO:<r{number}@example.net>": "550 5.1.1 no such user" for number in numbers}


PARTLY = (mail(1), mail(2, "r7@example.net", "r8@example.net"), mail(3))

for way, offers in WAYS.items():
    for together in (False, True):
        behind = ", in one write" if together else ""
        for name, refused, expected in (
            ("the first of three", (2,), "accepted but r2 550"),
            ("the last of three", (8,), "accepted but r8 550"),
            ("two of three", (2, 8), "accepted but r2 550 but r8 550"),
            ("all three", (2, 7, 8), "refused rcpt 550"),
        ):
            CASES[f"{way}, recipients refused: {name}{behind}"] = Case(
                script=speaking(offers, to(*refused), together=together), expected=(ALL, expected, ALL), mails=PARTLY
            )
        CASES[f"{way}, one recipient refused for now, one for ever{behind}"] = Case(
            script=speaking(offers, {**to(7), "RCPT TO:<r8@example.net>": "450 4.2.0 later"}, together=together),
            expected=(ALL, "accepted but r7 550 but r8 450", ALL),
            mails=PARTLY,
        )
    CASES[f"{way}, one recipient refused, and then the content"] = Case(
        script=speaking(offers, {**to(7), ("BDAT" if way == "by BDAT" else "CONTENT"): [None, "554 5.7.1 spam"]}),
        expected=(ALL, "refused content 554", ALL),
        mails=PARTLY,
    )
    CASES[f"{way}, one recipient refused, and then the line breaks"] = Case(
        script=speaking(offers, {**to(7), ("BDAT" if way == "by BDAT" else "CONTENT"): [None, Conversation.drop]}),
        expected=ALL_IN_DOUBT if way == "by BDAT" else DOUBT,
        mails=PARTLY,
    )
    CASES[f"{way}, all recipients refused, and then the line breaks"] = Case(
        script=speaking(offers, {**to(2, 7), "RCPT TO:<r8@example.net>": last_words("550 5.1.1 no such user")}),
        expected=(ALL, "refused rcpt 550", "uncertain" if way == "by BDAT" else ALL),
        mails=PARTLY,
    )


# Safe in the window: named cases


def nobody_got_the_second(done: Run) -> None:
    assert [taken.recipients for taken in done.taken] == [("r1@example.net",), ("r3@example.net",)]


def a_lone_dot(done: Run) -> None:
    nobody_got_the_second(done)
    assert done.contents[1] == b""
    assert done.heard_in_secret.count(b"mail 2") == 0


for way in ("by dot", "lock step"):
    for reply in ("554 5.5.1 no valid recipients", "250 2.0.0 ok", "421 4.3.2 closing"):
        CASES[f"{way}, 354 after every RCPT was refused, then {reply}"] = Case(
            script=speaking(
                WAYS[way], {"RCPT": [None, "550 5.1.1 no"], "DATA": [None, "354 go on"], "CONTENT": [None, reply]}
            ),
            expected=(ALL, "refused rcpt 550", ALL),
            check=a_lone_dot if way == "by dot" else nobody_got_the_second,
        )


def rset_stands_in_front(done: Run) -> None:
    nobody_got_the_second(done)
    said = done.heard_in_secret
    assert b"RSET\r\nMAIL FROM" in said[said.index(b"BDAT") :]


for failed in Failed:
    for code in ("451", "552"):
        for together in (False, True):
            CASES[f"a BDAT fails by {code} in mid-window, its transaction {failed.value}, {together=}"] = Case(
                script=speaking(BY_BDAT, {"BDAT": [None, f"{code} 5.0.0 no"]}, failed=failed, together=together),
                expected=(ALL, f"refused content {code}", ALL),
                check=rset_stands_in_front,
            )
    CASES[f"RCPT refused in mid-window by BDAT, its transaction {failed.value}"] = Case(
        script=speaking(BY_BDAT, {"RCPT": [None, "550 5.1.1 no"]}, failed=failed),
        expected=(ALL, "refused rcpt 550", ALL),
        check=rset_stands_in_front,
    )
    CASES[f"the last of a window fails, its transaction {failed.value}"] = Case(
        script=speaking(BY_BDAT, {"BDAT": ["452 4.3.1 full"]}, failed=failed),
        pace=Pace(window=1),
        expected=("refused content 452", ALL, ALL),
    )
    CASES[f"the content fails by dot, its transaction {failed.value}"] = Case(
        script=speaking(BY_DOT, {"CONTENT": ["552 5.3.4 no"]}, failed=failed),
        pace=Pace(piggyback=False),
        expected=("refused content 552", ALL, ALL),
    )

for words in ("503 5.5.1 nested MAIL", "503 5.5.1 MAIL after BDAT"):
    for way in ("by dot", "by BDAT"):
        CASES[f"{way}, a 503 of our own making: {words}"] = Case(
            script=speaking(WAYS[way], {"MAIL": [None, words]}), expected=UNTOUCHED
        )
        CASES[f"{way}, a 503 that stays: {words}"] = Case(
            script=speaking(WAYS[way], {"MAIL": [None, words, words, words]}),
            expected=frozenset(
                {
                    (ALL, "refused mail 503", ALL),
                    (ALL, "refused mail 503", "refused mail 503"),
                }
            ),
        )

CASES["by dot, a nested MAIL that is refused and whose DATA is taken all the same"] = Case(
    script=speaking(BY_DOT, {"MAIL": [None, "503 5.5.1 nested MAIL"], "RCPT": "250 ok", "DATA": "354 go ahead"}),
    expected=UNTOUCHED,
    check=lambda done: is_alone_in_its_content(done),
)


def is_alone_in_its_content(done: Run) -> None:
    assert sorted(taken.recipients for taken in done.taken) == [(f"r{n}@example.net",) for n in (1, 2, 3)]


for window in (2, 4, 8):
    many = 12
    CASES[f"a line breaks with {window} in flight by BDAT"] = Case(
        script=speaking(BY_BDAT, {"BDAT": [None, None, Conversation.drop]}),
        mails=mails(many),
        pace=Pace(window=window),
        expected=frozenset(
            # As many as had been written when it broke: never more than the window, the one that was hit among them.
            (ALL, ALL, *("uncertain",) * doubtful, *(ALL,) * (many - 2 - doubtful))
            for doubtful in range(1, window + 1)
        ),
    )
CASES["a line breaks with two in flight by dot: only the one that has gone is in doubt"] = Case(
    script=speaking(BY_DOT, {"CONTENT": [None, None, Conversation.drop]}),
    mails=mails(6),
    expected=(ALL, ALL, "uncertain", ALL, ALL, ALL),
)
CASES["careful: at most one in doubt, though BDAT is offered"] = Case(
    script=speaking(BY_BDAT, {"CONTENT": [None, Conversation.drop]}),
    pace=Pace.careful(),
    expected=DOUBT,
    check=lambda done: has_no(done, b"BDAT"),
)
CASES["every other line breaks"] = Case(
    script=speaking(BY_DOT, {"CONTENT": [None, Conversation.drop] * 3}),
    mails=mails(6),
    expected=(ALL, "uncertain") * 3,
)


def has_no(done: Run, words: bytes) -> None:
    assert words not in done.heard_in_secret


for way, offers in WAYS.items():
    for connections in (2, 4):
        CASES[f"{way}, {connections} connections, refusals and breaks here and there"] = Case(
            script=speaking(
                offers,
                {
                    "RCPT TO:<r3@example.net>": "550 5.1.1 no such user",
                    "RCPT TO:<r11@example.net>": "450 4.2.0 later",
                    "RCPT TO:<r7@example.net>": [last_words("421 4.3.2 closing")],
                },
            ),
            mails=mails(20),
            connections=connections,
            expected=frozenset(),
        )


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Run]]]:
    """Every case that was asked for, under way side by side."""
    wanted = {item.callspec.params.get("case") for item in request.session.items if hasattr(item, "callspec")}
    with ThreadPoolExecutor(max_workers=12) as pool:
        yield {name: pool.submit(run, CASES[name]) for name in CASES if name in wanted}


@pytest.mark.parametrize("case", CASES)
def test_each_mail_ends_as_what_it_is(case: str, runs: dict[str, Future[Run]]) -> None:
    judge(runs[case].result())


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 200
