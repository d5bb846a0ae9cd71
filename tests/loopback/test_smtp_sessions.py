"""Sessions: lines that are kept, counted, found dead, and left; the scripted server that they are tried on."""

import asyncio
import base64
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice

import pytest
from attrs import evolve

from custom_smtp import Address, Credentials, Outgoing, Receipt, Server, SmtpTransport, Tls
from custom_smtp.edge.smtp_asyncio import AsyncSmtpTransport
from custom_smtp.errors import AuthError, ConfigurationError, ConnectError, RefusedError, Retry
from custom_smtp.outgoing import Envelope, Outcome
from custom_smtp.servers import Limits, OAuthCredentials, Pace
from custom_smtp.testing.scripts import Failed, polite
from custom_smtp.testing.server import Answer, Conversation, Script, ScriptedServer

from .judging import BY_BDAT, BY_DOT, CREDENTIALS, GOOD, LOCK_STEP, TRUSTED, is_safe, mail, mails, speaking, told

WAYS = {"lock step": LOCK_STEP, "by dot": BY_DOT, "by BDAT": BY_BDAT}


def transport(server: ScriptedServer, pace: Pace | None = None, **how: object) -> SmtpTransport:
    where = Server(
        "127.0.0.1",
        server.port,
        how.get("credentials", CREDENTIALS),  # type: ignore[arg-type]
        limits=Limits.all_of(5),
        pace=pace or Pace(),
    )
    return SmtpTransport(where, context=TRUSTED)


def lines(server: ScriptedServer) -> list[int]:
    """How many mails each line took."""
    return [len(each.taken) for each in server.conversations]


# Lines are kept


@pytest.mark.parametrize("way", WAYS)
def test_one_line_takes_many_mails(way: str) -> None:
    with ScriptedServer(speaking(WAYS[way])()) as server, transport(server).session() as session:
        outcomes = list(session.deliver_all(mails(20)))
        assert session.deliver(mail(21)).reply.code == 250
    assert lines(server) == [21]
    assert {told(outcome.result) for outcome in outcomes} == {"accepted"}
    assert server.contents == [mail(number).content for number in range(1, 22)]


def test_nothing_is_opened_before_the_first_mail_and_a_goodbye_is_said_after_the_last() -> None:
    goodbye = threading.Event()
    script = polite({"QUIT": lambda _client: goodbye.set()}, certificate=GOOD, offers=BY_DOT)
    with ScriptedServer(script) as server:
        with transport(server).session() as session:
            assert not server.conversations
            session.deliver(mail(1))
            assert not goodbye.is_set()
        assert goodbye.wait(5)
    assert len(server.conversations) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("connections", [1, 3])
def test_a_line_takes_no_more_mails_than_is_set(way: str, connections: int) -> None:
    pace = Pace(mails_per_connection=3)
    with (
        ScriptedServer(speaking(WAYS[way])()) as server,
        transport(server, pace).session(connections=connections) as session,
    ):
        outcomes = list(session.deliver_all(mails(10)))
    assert max(lines(server)) <= 3
    is_safe(mails(10), outcomes, server.taken, server.contents)
    assert sum(lines(server)) == 10


@pytest.mark.parametrize("way", WAYS)
def test_a_line_takes_no_more_mails_than_the_server_names(way: str) -> None:
    offers = (*WAYS[way], "LIMITS MAILMAX=4 RCPTMAX=2")
    with ScriptedServer(speaking(offers)()) as server, transport(server).session() as session:
        outcomes = list(session.deliver_all(mails(10)))
    assert lines(server) == [4, 4, 2]
    assert {told(outcome.result) for outcome in outcomes} == {"accepted"}


def to_domains(*names: str) -> tuple[Outgoing, ...]:
    """A mail to each, or to several at once: ``"a b"``."""
    return tuple(
        evolve(mail(number), envelope=Envelope(None, tuple(Address(f"r@{name}.example") for name in domains.split())))
        for number, domains in enumerate(names)
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("most", "domains", "expected"),
    [
        (1, "aabba", [2, 2, 1]),
        (2, "aabbaca", [5, 2]),
        (9, "abcabc", [6]),
    ],
)
def test_a_line_takes_mail_for_no_more_domains_than_the_server_names(
    way: str, most: int, domains: str, expected: list[int]
) -> None:
    several, offers = to_domains(*domains), (*WAYS[way], f"LIMITS RCPTDOMAINMAX={most}")
    with ScriptedServer(speaking(offers)()) as server, transport(server).session() as session:
        outcomes = list(session.deliver_all(several))
    assert lines(server) == expected
    is_safe(several, outcomes, server.taken, server.contents)
    assert {told(outcome.result) for outcome in outcomes} == {"accepted"}


def test_on_a_loop_it_is_the_same() -> None:
    several = to_domains(*"aabba")

    async def send(where: Server) -> list[Outcome]:
        async with AsyncSmtpTransport(where, context=TRUSTED).session() as session:
            return [outcome async for outcome in session.deliver_all(several)]

    with ScriptedServer(speaking((*BY_BDAT, "LIMITS RCPTDOMAINMAX=1"))()) as server:
        outcomes = asyncio.run(send(transport(server).server))
    assert lines(server) == [2, 2, 1]
    assert {told(outcome.result) for outcome in outcomes} == {"accepted"}


def test_a_mail_to_more_domains_than_the_server_names_is_refused_without_a_word() -> None:
    several = to_domains("a", "a b", "a")
    with (
        ScriptedServer(speaking((*BY_DOT, "LIMITS RCPTDOMAINMAX=1"))()) as server,
        transport(server).session() as session,
    ):
        outcomes = list(session.deliver_all(several))
    assert [told(outcome.result) for outcome in outcomes] == ["accepted", "refused ehlo 550", "accepted"]
    assert lines(server) == [2]
    assert b"r@b.example" not in server.heard_in_secret


def test_a_mail_with_more_recipients_than_the_server_names_is_refused_without_a_word() -> None:
    with ScriptedServer(speaking((*BY_DOT, "LIMITS RCPTMAX=1"))()) as server, transport(server).session() as session:
        with pytest.raises(RefusedError, match="recipients at once"):
            session.deliver(mail(1, "r2@example.net"))
        session.deliver(mail(3))
    assert b"r2@" not in server.heard_in_secret
    assert lines(server) == [1]


@pytest.mark.parametrize("connections", [0, -1, 1001, "2", 1.5, None])
def test_a_number_of_connections_that_cannot_be(connections: int) -> None:
    with pytest.raises(ConfigurationError, match="connections"):
        SmtpTransport(Server("mail.test")).session(connections=connections)


# Lines that died while nobody looked


def closing_after(count: int, how: Callable[[Conversation], None]) -> Script:
    """Once so many mails are taken, the line goes: in order, by a reset, or with a word."""

    def answer(conversation: Conversation) -> None:
        conversation.say("250 2.0.0 queued")
        how(conversation)

    return polite({"CONTENT": [*(None,) * (count - 1), answer]}, certificate=GOOD, offers=BY_DOT)


def last_words(conversation: Conversation) -> None:
    conversation.say("421 4.4.2 idle for too long")
    conversation.close()


DEATHS: dict[str, Callable[[Conversation], None]] = {
    "closed": Conversation.close,
    "reset": Conversation.drop,
    "421": lambda client: client.say("421 4.4.2 idle for too long"),
    "421 and closed": last_words,
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_line_that_died_is_found_before_it_is_used_and_another_is_opened(death: str) -> None:
    over = threading.Event()

    def die(conversation: Conversation) -> None:
        try:
            DEATHS[death](conversation)
        finally:
            over.set()

    with ScriptedServer(closing_after(1, die)) as server, transport(server).session() as session:
        assert session.deliver(mail(1)).reply.code == 250
        assert over.wait(5)
        assert session.deliver(mail(2)).reply.code == 250
    assert len(server.conversations) == 2
    assert b"r2@" not in server.conversations[0].heard_in_secret


def test_a_line_that_was_idle_for_too_long_is_not_used_again() -> None:
    with ScriptedServer(speaking(BY_DOT)()) as server, transport(server, Pace(idle=0.001)).session() as session:
        session.deliver(mail(1))
        threading.Event().wait(0.01)
        session.deliver(mail(2))
    assert len(server.conversations) == 2


def slowly(seconds: float, count: int) -> Iterator[Outgoing]:
    for outgoing in mails(count):
        threading.Event().wait(seconds)
        yield outgoing


def brief(server: ScriptedServer) -> SmtpTransport:
    where = Server("127.0.0.1", server.port, CREDENTIALS, limits=Limits.all_of(0.5))
    return SmtpTransport(where, context=TRUSTED)


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_came_while_the_caller_was_busy_is_an_answer(way: str) -> None:
    with ScriptedServer(speaking(WAYS[way])()) as server, brief(server).session() as session:
        outcomes = list(session.deliver_all(slowly(0.7, 3)))
        for outcome in session.deliver_all(mails(5)):
            threading.Event().wait(0.7)
            outcomes.append(outcome)
    assert [told(outcome.result) for outcome in outcomes] == ["accepted"] * 8


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("death", [Conversation.close, Conversation.drop])
def test_a_line_that_died_while_the_next_mail_was_waited_for_is_not_used(
    way: str, death: Callable[[Conversation], None]
) -> None:
    def answer(conversation: Conversation) -> None:
        conversation.say("250 2.0.0 queued")
        death(conversation)

    step = "BDAT" if way == "by BDAT" else "CONTENT"
    with ScriptedServer(speaking(WAYS[way], {step: [answer]})()) as server, transport(server).session() as session:
        outcomes = list(session.deliver_all(slowly(0.2, 3)))
    assert [told(outcome.result) for outcome in outcomes] == ["accepted"] * 3


def test_a_mail_is_on_its_way_before_the_next_is_asked_for() -> None:
    heard = threading.Event()

    def answer(conversation: Conversation) -> None:
        heard.set()
        conversation.say("250 2.0.0 queued")

    def waiting() -> Iterator[Outgoing]:
        yield mail(1)
        assert heard.wait(5)
        yield mail(2)

    with ScriptedServer(speaking(BY_BDAT, {"BDAT": [answer]})()) as server, transport(server).session() as session:
        outcomes = list(session.deliver_all(waiting()))
    assert [told(outcome.result) for outcome in outcomes] == ["accepted"] * 2


@pytest.mark.parametrize("way", WAYS)
def test_after_any_doubt_the_line_is_given_up(way: str) -> None:
    step = "BDAT" if way == "by BDAT" else "CONTENT"
    script = polite({step: ["334 what?"]}, certificate=GOOD, offers=WAYS[way])
    with ScriptedServer(script) as server, transport(server).session() as session:
        [outcome] = session.deliver_all([mail(1)])
        assert told(outcome.result) == "uncertain"
        session.deliver(mail(2))
    assert lines(server) == [0, 1]


def test_a_server_that_is_away_fails_each_mail_by_itself() -> None:
    with ScriptedServer(polite()) as server:
        pass
    with transport(server).session() as session:
        outcomes = list(session.deliver_all(mails(3)))
    assert [told(outcome.result) for outcome in outcomes] == ["connect"] * 3


# Several lines


@pytest.mark.parametrize("way", WAYS)
def test_outcomes_come_in_the_order_of_the_mails_whichever_line_is_slow(way: str) -> None:
    def slow(conversation: Conversation) -> None:
        conversation._stopped.wait(0.3)
        conversation.say("250 2.1.0 ok, at last")

    answers: dict[str, Answer | Sequence[Answer | None]] = {
        "MAIL": [slow],
        "RCPT TO:<r5@example.net>": "550 5.1.1 no such user",
    }
    with ScriptedServer(speaking(WAYS[way], answers)()) as server, transport(server).session(connections=4) as session:
        outcomes = list(session.deliver_all(mails(40)))
    assert [outcome.delivery_id for outcome in outcomes] == [f"m{number}" for number in range(1, 41)]
    assert [told(outcome.result) for outcome in outcomes].count("refused rcpt 550") == 1
    is_safe(mails(40), outcomes, server.taken, server.contents)
    assert len(server.conversations) <= 4


def test_four_lines_are_used_at_the_same_time() -> None:
    meeting = threading.Barrier(4, timeout=5)

    def meet(conversation: Conversation) -> None:
        meeting.wait()
        conversation.say("250 2.1.0 ok")

    script = polite({"MAIL": [meet] * 4}, certificate=GOOD, offers=LOCK_STEP)
    with ScriptedServer(script) as server, transport(server).session(connections=4) as session:
        outcomes = list(session.deliver_all(mails(8)))
    assert {told(outcome.result) for outcome in outcomes} == {"accepted"}
    assert len(server.conversations) == 4


# Loops that are left, and mails that do not come


def endless() -> Iterator[Outgoing]:
    number = 0
    while True:
        number += 1
        yield mail(number)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("connections", [1, 4])
def test_a_loop_that_is_left_half_way_leaves_no_mail_untold(way: str, connections: int) -> None:
    asked: list[Outgoing] = []

    def noting() -> Iterator[Outgoing]:
        for outgoing in endless():
            asked.append(outgoing)
            yield outgoing

    with ScriptedServer(speaking(WAYS[way])()) as server, transport(server).session(connections=connections) as session:
        with closing(session.deliver_all(noting())) as outcomes:  # type: ignore[type-var]  # a generator
            claimed = list(islice(outcomes, 5))
        unclaimed = session.take_unclaimed()
        assert session.take_unclaimed() == []
        assert session.deliver(mail(1_000_000)).reply.code == 250
    told_of = {outcome.delivery_id for outcome in (*claimed, *unclaimed)}
    assert len(claimed) == 5
    assert len(told_of) == len(claimed) + len(unclaimed)
    reached = {taken.recipients[0] for taken in server.taken} - {"r1000000@example.net"}
    assert reached == {f"r{which.removeprefix('m')}@example.net" for which in told_of}
    assert told_of <= {outgoing.delivery_id for outgoing in asked}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("connections", [1, 4])
def test_an_iterable_that_fails_takes_no_outcome_with_it(way: str, connections: int) -> None:
    def failing() -> Iterator[Outgoing]:
        yield from mails(7)
        raise LookupError("the address book is away")

    outcomes: list[Outcome] = []
    with ScriptedServer(speaking(WAYS[way])()) as server, transport(server).session(connections=connections) as session:
        with pytest.raises(LookupError):
            outcomes.extend(session.deliver_all(failing()))
        outcomes += session.take_unclaimed()
    assert [outcome.delivery_id for outcome in outcomes] == [f"m{number}" for number in range(1, 8)]
    assert {told(outcome.result) for outcome in outcomes} == {"accepted"}
    is_safe(mails(7), outcomes, server.taken, server.contents)


class Unspeakable(Envelope):
    """A part of somebody else's that breaks when it is used."""

    @property
    def smtputf8(self) -> bool:
        raise LookupError("somebody else's part is broken")


def breaking_at(number: int, several: int) -> Iterator[Outgoing]:
    for place, outgoing in enumerate(mails(several), 1):
        broken = evolve(outgoing, envelope=Unspeakable(outgoing.envelope.sender, outgoing.envelope.recipients))
        yield broken if place == number else outgoing


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("driver", ["threads", "asyncio"])
def test_what_breaks_on_our_own_side_is_raised_and_no_mail_that_left_is_untold(
    driver: str, connections: int, way: str
) -> None:
    outcomes: list[Outcome] = []

    async def on_a_loop(server: Server) -> None:
        sending = AsyncSmtpTransport(server, context=TRUSTED)
        async with sending.session(connections=connections) as session:
            try:
                async with asyncio.timeout(10):
                    async for outcome in session.deliver_all(breaking_at(3, 8)):
                        outcomes.append(outcome)
            finally:
                outcomes.extend(await session.take_unclaimed())

    def in_threads(server: Server) -> None:
        sending = SmtpTransport(server, context=TRUSTED)
        with sending.session(connections=connections) as session:
            try:
                outcomes.extend(session.deliver_all(breaking_at(3, 8)))
            finally:
                outcomes.extend(session.take_unclaimed())

    def send(server: Server) -> None:
        asyncio.run(on_a_loop(server)) if driver == "asyncio" else in_threads(server)

    with ScriptedServer(speaking(WAYS[way])()) as server, pytest.raises(LookupError, match="broken"):
        send(transport(server).server)
    told_of = {str(outcome.delivery_id): told(outcome.result) for outcome in outcomes}
    assert {f"m{taken.recipients[0].partition('@')[0].removeprefix('r')}" for taken in server.taken} <= set(told_of)
    assert told_of.get("m3", "connect") == "connect"


@pytest.mark.parametrize("way", WAYS)
def test_an_interrupted_loop_tells_of_what_was_on_its_way(way: str) -> None:
    def interrupted() -> Iterator[Outgoing]:
        yield from mails(5)
        raise KeyboardInterrupt

    outcomes: list[Outcome] = []
    with ScriptedServer(speaking(WAYS[way])()) as server, transport(server).session() as session:
        with pytest.raises(KeyboardInterrupt):
            outcomes.extend(session.deliver_all(interrupted()))
        outcomes += session.take_unclaimed()
    known = {outcome.delivery_id: told(outcome.result) for outcome in outcomes}
    assert set(known.values()) <= {"accepted", "uncertain"}
    assert {f"m{content[14:15].decode()}" for content in server.contents} <= set(known)


@pytest.mark.parametrize("connections", [1, 4])
def test_the_end_of_a_session_ends_the_loop_that_was_left(connections: int) -> None:
    threads = threading.active_count()
    with ScriptedServer(speaking(BY_BDAT)()) as server:
        with transport(server).session(connections=connections) as session:
            claimed = list(islice(session.deliver_all(endless()), 5))
        assert threading.active_count() <= threads + 2 * connections + 1  # the server's own
        outcomes = [*claimed, *session.take_unclaimed()]
    assert all(b"QUIT" in each.heard_in_secret for each in server.conversations)
    assert len(server.taken) == len(outcomes)


def test_the_end_of_a_session_on_a_loop_ends_the_loop_that_was_left() -> None:
    async def leave(server: Server) -> list[Outcome]:
        async with AsyncSmtpTransport(server, context=TRUSTED).session(connections=2) as session:
            outcomes = []
            async for outcome in session.deliver_all(endless()):
                outcomes.append(outcome)
                if len(outcomes) == 5:
                    break
        assert len(asyncio.all_tasks()) == 1
        return outcomes + await session.take_unclaimed()

    with ScriptedServer(speaking(BY_BDAT)()) as server:
        outcomes = asyncio.run(leave(transport(server).server))
    assert len(server.taken) == len(outcomes)


def test_one_mail_within_a_loop_leaves_the_loop_as_it_is() -> None:
    with ScriptedServer(speaking(BY_DOT)()) as server, transport(server).session() as session:
        claimed = []
        loop = session.deliver_all(mails(6))
        for outcome in loop:
            claimed.append(outcome)
            if len(claimed) == 2:
                session.deliver(mail(99))
                break
        outcomes = [*claimed, *session.take_unclaimed()]
    assert len(server.taken) == len(outcomes) + 1


@pytest.mark.parametrize("connections", [1, 4])
def test_no_mails_need_no_line(connections: int) -> None:
    with ScriptedServer(speaking(BY_BDAT)()) as server, transport(server).session(connections=connections) as session:
        assert list(session.deliver_all([])) == []
    assert not server.conversations


def test_mails_are_asked_for_as_they_can_be_sent() -> None:
    """A generator of a million is never drawn into memory."""
    source = Counting(300)
    with ScriptedServer(speaking(BY_BDAT)()) as server, transport(server).session() as session:
        ahead = [source.asked - count for count, _ in enumerate(session.deliver_all(source))]
    assert max(ahead) <= 24


def test_one_slow_line_does_not_let_the_others_run_away() -> None:
    def wait_for_many(conversation: Conversation) -> None:
        for _ in range(100):
            if len(server.taken) >= 300 or conversation._stopped.wait(0.01):
                break
        conversation.say("250 2.1.0 ok, at last")

    source = Counting(400)
    script = polite({"MAIL": [wait_for_many]}, certificate=GOOD, offers=BY_BDAT)
    with ScriptedServer(script) as server, transport(server).session(connections=4) as session:
        ahead = [source.asked - count for count, _ in enumerate(session.deliver_all(source))]
    assert max(ahead) <= 4 * 24


class Counting:
    """So many mails, and how many were asked for."""

    def __init__(self, count: int) -> None:
        self.asked = 0
        self._mails = iter(mails(count))

    def __iter__(self) -> Iterator[Outgoing]:
        for outgoing in self._mails:
            self.asked += 1
            yield outgoing


# Memory


def sink(conversation: Conversation) -> None:
    """A server as quick as can be, that keeps nothing: every mail by BDAT, whole, in clear."""
    line = conversation._socket
    line.sendall(b"220 mail.test\r\n")
    line.recv(1000)
    line.sendall(b"250-mail.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
    left = b""
    while received := line.recv(1 << 20):
        left += received
        if b"QUIT" in left:
            return
        whole = max(left.rfind(mark) + len(mark) if mark in left else 0 for mark in (b".end\r\n", b"RSET\r\n"))
        heard, left = left[:whole], left[whole:]
        commands = sum(heard.count(verb) for verb in (b"RSET\r\n", b"MAIL ", b"RCPT ", b"BDAT "))
        line.sendall(b"250 ok\r\n" * commands)


@pytest.mark.filterwarnings("ignore::custom_smtp.errors.InsecureTransportWarning")
@pytest.mark.parametrize(("connections", "count"), [(1, 100_000), (4, 20_000)])
def test_memory_stays_flat_however_many_mails_a_generator_gives(connections: int, count: int) -> None:
    content = mail(1)
    with ScriptedServer(sink) as server:
        where = Server("127.0.0.1", server.port, tls=Tls.OPPORTUNISTIC, limits=Limits.all_of(5))
        with SmtpTransport(where).session(connections=connections) as session:
            outcomes = session.deliver_all(
                Outgoing(content.delivery_id, content.envelope, content.content) for _ in range(count)
            )
            taken = sum(isinstance(outcome.result, Receipt) for outcome in islice(outcomes, count // 10))
            before = sys.getallocatedblocks()
            taken += sum(isinstance(outcome.result, Receipt) for outcome in outcomes)
            grown = sys.getallocatedblocks() - before
    assert taken == count
    assert grown < count / 20  # a mail that was kept would hold a dozen blocks


@pytest.mark.filterwarnings("ignore::custom_smtp.errors.InsecureTransportWarning")
def test_memory_stays_flat_in_bytes_too() -> None:
    large = mail(1, size=20_000)
    with ScriptedServer(sink) as server:
        where = Server("127.0.0.1", server.port, tls=Tls.OPPORTUNISTIC, limits=Limits.all_of(5))
        with SmtpTransport(where).session() as session:
            outcomes = session.deliver_all(
                Outgoing(large.delivery_id, large.envelope, bytes(bytearray(large.content))) for _ in range(2_000)
            )
            list(islice(outcomes, 100))
            tracemalloc.start()
            try:
                assert sum(isinstance(outcome.result, Receipt) for outcome in outcomes) == 1_900
                grown, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert grown < 4_000_000  # all of them are 38 million
    assert most < 8_000_000


# Logging in to a server that checks


TOKENS = OAuthCredentials("ada@example.net", lambda: "ya29.a-bearer-token")
LOGINS: dict[str, Credentials | OAuthCredentials] = {
    **{
        name: Credentials("shöp,=", "s3cret pässword", mechanism=name)
        for name in ("PLAIN", "LOGIN", "SCRAM-SHA-256", "CRAM-MD5")
    },
    **{name: OAuthCredentials("ada@example.net", TOKENS.token, mechanism=name) for name in ("OAUTHBEARER", "XOAUTH2")},
}
KNOWN = {"shöp,=": "s3cret pässword", "ada@example.net": "ya29.a-bearer-token"}
WRONG = {"shöp,=": "another", "ada@example.net": "expired"}


def logged_in(credentials: Credentials | OAuthCredentials, logins: dict[str, str]) -> ScriptedServer:
    offers = (*BY_DOT[1:], f"AUTH {credentials.mechanism}")
    script = polite(certificate=GOOD, offers=offers, logins=logins)
    with ScriptedServer(script) as server:
        try:
            transport(server, credentials=credentials).deliver(mail(1))
        except AuthError as error:
            for secret in ("s3cret", "ya29", base64.b64encode(b"s3cret p").decode()[:8]):
                assert secret not in f"{error} {error!r}"
            assert error.retry is Retry.NEVER
    assert server.heard_in_secret.count(b"AUTH ") == 1
    assert b"AUTH" not in server.heard_in_clear
    return server


@pytest.mark.parametrize("mechanism", LOGINS)
def test_every_mechanism_lets_in_whom_the_server_knows(mechanism: str) -> None:
    assert len(logged_in(LOGINS[mechanism], KNOWN).taken) == 1


@pytest.mark.parametrize("mechanism", LOGINS)
@pytest.mark.parametrize("logins", [WRONG, {}], ids=["a wrong secret", "a stranger"])
def test_no_mechanism_lets_in_anybody_else(mechanism: str, logins: dict[str, str]) -> None:
    server = logged_in(LOGINS[mechanism], logins)
    assert not server.taken
    assert b"MAIL" not in server.heard_in_secret


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "CRAM-MD5"])
def test_a_password_that_need_not_travel_does_not(mechanism: str) -> None:
    heard = logged_in(LOGINS[mechanism], KNOWN).heard_in_secret
    password = "s3cret pässword".encode()
    for known in (password, *(base64.b64encode(b"-" * before + password)[4:16] for before in range(3))):
        assert known not in heard


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_the_error_challenge_is_answered_and_the_no_that_follows_is_told(mechanism: str) -> None:
    answer = {"OAUTHBEARER": b"AQ==\r\n", "XOAUTH2": b"\r\n"}[mechanism]
    heard = logged_in(LOGINS[mechanism], WRONG).heard_in_secret
    assert heard.partition(b"AUTH ")[2].partition(b"\r\n")[2].startswith(answer)


def test_a_server_that_talks_on_while_we_write_fills_no_memory_on_a_loop() -> None:
    """It reads nothing, so that the content stands still; what it says waits with it, not with us."""
    said: list[int] = []

    def talk(client: Conversation) -> None:
        client.say("354 go ahead")
        threading.Event().wait(0.3)  # until the content is on its way
        with suppress(OSError):
            while True:
                client._socket.sendall(b"250-and then\r\n" * 1000)
                said.append(14_000)

    large = mail(1, size=20_000_000)
    with ScriptedServer(polite({"DATA": talk}, certificate=GOOD, offers=BY_DOT)) as server:
        where = evolve(transport(server).server, limits=Limits.all_of(2))
        with pytest.raises(ConnectError):
            asyncio.run(AsyncSmtpTransport(where, context=TRUSTED).deliver(large))
        server.conversations[0].cut()
    assert sum(said) < 20_000_000, "more than the system itself may hold"


def test_on_a_loop_a_token_that_takes_its_time_holds_nothing_up() -> None:
    begun, fetched = threading.Event(), threading.Event()

    def fetch() -> str:
        begun.set()
        assert fetched.wait(5), "the loop stands still meanwhile"
        return "ya29.a-bearer-token"

    async def send(where: Server) -> None:
        sending = asyncio.create_task(AsyncSmtpTransport(where, context=TRUSTED).deliver(mail(1)))
        assert await asyncio.to_thread(begun.wait, 5)
        fetched.set()
        assert (await sending).reply.code == 250

    script = polite(certificate=GOOD, offers=("AUTH OAUTHBEARER",), logins=KNOWN)
    with ScriptedServer(script) as server:
        asyncio.run(send(transport(server, credentials=OAuthCredentials("ada@example.net", fetch)).server))


def test_on_a_loop_a_token_that_is_not_to_be_had_is_told() -> None:
    def fetch() -> str:
        raise OSError("the token endpoint is away")

    with ScriptedServer(polite(certificate=GOOD)) as server:
        where = transport(server, credentials=OAuthCredentials("ada@example.net", fetch)).server
        with pytest.raises(AuthError) as caught:
            asyncio.run(AsyncSmtpTransport(where, context=TRUSTED).deliver(mail(1)))
    assert caught.value.retry is Retry.LATER


@pytest.mark.parametrize("connections", [1, 3])
def test_the_token_is_asked_for_anew_by_every_line(connections: int) -> None:
    tokens = iter(range(100))
    credentials = OAuthCredentials("ada@example.net", lambda: f"token-{next(tokens)}")
    with ScriptedServer(speaking((*BY_DOT[1:], "AUTH XOAUTH2"))()) as server:
        pace = Pace(mails_per_connection=2)
        with transport(server, pace, credentials=credentials).session(connections=connections) as session:
            assert {told(outcome.result) for outcome in session.deliver_all(mails(8))} == {"accepted"}
    said = {each.heard_in_secret.partition(b"AUTH XOAUTH2 ")[2].partition(b"\r")[0] for each in server.conversations}
    assert len(said) == len(server.conversations) == next(tokens)


def test_a_scram_server_that_skips_its_proof_is_not_believed() -> None:
    script = polite({"AUTH": "235 2.7.0 welcome, whoever you are"}, certificate=GOOD, offers=("AUTH SCRAM-SHA-256",))
    with ScriptedServer(script) as server, pytest.raises(AuthError, match="proof"):
        transport(server, credentials=LOGINS["SCRAM-SHA-256"]).deliver(mail(1))
    assert b"MAIL" not in server.heard_in_secret


# The scripted server itself


def test_it_is_strict_in_what_it_takes() -> None:
    dialogue = {
        "RCPT TO:<a@example.net>": "503",
        "DATA": "503",
        "BDAT 0 LAST": "503",
        "MAIL FROM:<a@example.net> BODY=8BITMIME": "555",
        "MAIL FROM:<a@example.net> SIZE=2000": "552",
        "MAIL FROM:<a@example.net> SIZE=10": "250",
        "MAIL FROM:<b@example.net>": "503",
        "DATA ": "554",
        "RCPT TO:<b@example.net> NOTIFY=NEVER": "555",
        "RCPT TO:<b@example.net>": "250",
        "RCPT TO:<c@example.net>": "452",
        "RSET": "250",
        "RCPT TO:<d@example.net>": "503",
        "NOOP": "250",
        "VRFY a": "502",
        "STARTTLS": "502",
        "AUTH GSSAPI": "504",
        "AUTH PLAIN ***": "501",
        "HELO here": "250",
        "QUIT": "221",
    }
    with ScriptedServer(polite(offers=("AUTH PLAIN", "SIZE 1000", "CHUNKING", "LIMITS RCPTMAX=1"))) as server:
        assert dict(zip(dialogue, spoken(server.port, *dialogue), strict=True)) == dialogue


def spoken(port: int, *commands: str) -> list[str]:
    async def talk() -> list[str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        codes = []
        for command in commands:
            writer.write(f"{command}\r\n".encode())
            codes.append((await asyncio.wait_for(reader.readline(), 5))[:3].decode())
        writer.close()
        return codes

    return asyncio.run(talk())


def test_it_takes_a_mail_in_several_chunks() -> None:
    commands = ("MAIL FROM:<>", "RCPT TO:<a@b.example>", "BDAT 4\r\nab", "BDAT 0", "BDAT 5 LAST\r\nc\r\n")
    # Each has its line end behind it, which belongs to the chunk where there is one.
    with ScriptedServer(polite(offers=("CHUNKING",))) as server:
        assert spoken(server.port, *commands[:3], *commands[4:]) == ["250"] * 4
    [taken] = server.taken
    assert (taken.sender, taken.recipients, taken.content) == ("", ("a@b.example",), b"ab\r\nc\r\n\r\n")


def test_a_chunk_that_fails_ends_the_transaction_or_not_as_it_is_told() -> None:
    commands = ("MAIL FROM:<>", "RCPT TO:<a@b.example>", "BDAT 4\r\nab", "MAIL FROM:<>", "RSET", "MAIL FROM:<>")
    for failed, again in ((Failed.OVER, "250"), (Failed.OPEN, "503"), (Failed.MERGED, "250")):
        with ScriptedServer(polite({"BDAT": "452 4.3.1 full"}, offers=("CHUNKING",), failed=failed)) as server:
            assert spoken(server.port, *commands) == ["250", "250", "452", again, "250", "250"]


def test_a_merging_server_gives_one_mail_to_the_recipients_of_another() -> None:
    commands = ("MAIL FROM:<>", "RCPT TO:<a@b.example>", "BDAT 4 LAST\r\nab")
    answers = {"BDAT": ["452 4.3.1 full"]}
    with ScriptedServer(polite(answers, offers=("CHUNKING",), failed=Failed.MERGED)) as server:
        spoken(server.port, *commands, "MAIL FROM:<>", "RCPT TO:<c@d.example>", "BDAT 4 LAST\r\ncd")
    assert [taken.recipients for taken in server.taken] == [("a@b.example", "c@d.example")]


def test_together_what_came_at_once_is_answered_in_one_write() -> None:
    async def talk(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        writer.write(b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n")
        said = await asyncio.wait_for(reader.read(1000), 5)
        writer.close()
        return said

    with ScriptedServer(polite(together=True)) as server:
        assert asyncio.run(talk(server.port)).count(b"\r\n") == 3
