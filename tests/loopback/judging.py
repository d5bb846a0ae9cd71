"""What every session must hold, whatever its server does: the judge of the fault suite.

A `Case` is a server, some mails and what is to be told of each. `run` sends them; the `Run` that it gives is judged
against what the server really took.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from attrs import field, frozen

from custom_smtp import Address, Credentials, DeliveryId, Outgoing, Receipt, Server, SmtpTransport, Tls
from custom_smtp.edge.smtp_asyncio import AsyncSmtpTransport
from custom_smtp.errors import (
    AuthError,
    ConnectError,
    RefusedError,
    Retry,
    TlsError,
    TransportError,
    UncertainError,
)
from custom_smtp.outgoing import Envelope, Outcome
from custom_smtp.servers import Limits, OAuthCredentials, Pace
from custom_smtp.testing.certificates import Authority
from custom_smtp.testing.scripts import Failed, polite
from custom_smtp.testing.server import Answer, Script, ScriptedServer, Taken, client_context

AUTHORITY = Authority(datetime.now(UTC))
GOOD = AUTHORITY.issue("127.0.0.1")
TRUSTED = client_context(AUTHORITY)
CREDENTIALS = Credentials("shop", "s3cret-pässword")
SECRETS = (CREDENTIALS.password.encode(), b"czNjcmV0LXDDpHNzd29yZ", b"AHNob3AAczNjcmV0LXDDpHNzd29yZ", b"bearer-token")

LOCK_STEP = ("AUTH PLAIN", "SIZE 20000000", "8BITMIME")
BY_DOT = (*LOCK_STEP, "PIPELINING")
BY_BDAT = (*BY_DOT, "CHUNKING")

Making = Callable[[], Script]

BRIEF = 1.0
"""Seconds for each step where a case waits for a limit to end."""

AMPLE = 8.0
"""Seconds for each step in all other cases: a busy machine shall not decide what is found."""


def mail(number: int, *others: str, size: int = 0) -> Outgoing:
    """A mail that cannot be taken for another, with dots where they hurt."""
    filler = (b"x" * 70 + b"\r\n") * (size // 72)
    content = b"Subject: mail %d\r\n\r\n.\r\n..%d\r\n%b.end\r\n" % (number, number, filler)
    recipients = tuple(map(Address, (f"r{number}@example.net", *others)))
    return Outgoing(DeliveryId(f"m{number}"), Envelope(Address("hello@shop.example"), recipients), content)


def mails(count: int) -> tuple[Outgoing, ...]:
    return tuple(map(mail, range(1, count + 1)))


@frozen(kw_only=True)
class Case:
    """A server that does something, and what is to be told of each mail, in order.

    Attributes:
        script: makes the server's script, anew for every run.
        expected: in the words of `told`; where it depends on how far something had come, ``accepted | uncertain``.
    """

    script: Making
    expected: tuple[str, ...]
    mails: tuple[Outgoing, ...] = field(factory=lambda: mails(3))
    seconds: float = AMPLE
    connections: int = 1
    pace: Pace = field(factory=Pace)
    tls: Tls = Tls.STARTTLS
    credentials: Credentials | OAuthCredentials | None = CREDENTIALS
    check: Callable[["Run"], None] = lambda _run: None


@frozen
class Run:
    """What became of a case."""

    case: Case
    outcomes: list[Outcome]
    unclaimed: list[Outcome]
    took: float
    taken: list[Taken]
    contents: list[bytes]
    heard_in_clear: bytes
    heard_in_secret: bytes
    lines: int

    @property
    def told(self) -> tuple[str, ...]:
        return tuple(told(outcome.result) for outcome in self.outcomes)


def run(case: Case) -> Run:
    """Send a case's mails in one session."""

    def send(server: Server) -> tuple[list[Outcome], list[Outcome]]:
        with SmtpTransport(server, context=TRUSTED).session(connections=case.connections) as session:
            return list(session.deliver_all(case.mails)), session.take_unclaimed()

    return _run(case, send)


def run_on_a_loop(case: Case) -> Run:
    """Send a case's mails in one session of the asynchronous twin."""

    async def send(server: Server) -> tuple[list[Outcome], list[Outcome]]:
        async with AsyncSmtpTransport(server, context=TRUSTED).session(connections=case.connections) as session:
            return [outcome async for outcome in session.deliver_all(case.mails)], await session.take_unclaimed()

    return _run(case, lambda server: asyncio.run(send(server)))


def _run(case: Case, send: Callable[[Server], tuple[list[Outcome], list[Outcome]]]) -> Run:
    each = case.seconds
    limits = Limits(connect=each, greeting=each, reply=each, final=each, transaction=60)
    with ScriptedServer(case.script()) as server:
        where = Server("127.0.0.1", server.port, case.credentials, tls=case.tls, limits=limits, pace=case.pace)
        began = time.monotonic()
        outcomes, unclaimed = send(where)
        took = time.monotonic() - began
    return Run(
        case,
        outcomes,
        unclaimed,
        took,
        server.taken,
        server.contents,
        server.heard_in_clear,
        server.heard_in_secret,
        len(server.conversations),
    )


def judge(done: Run) -> None:
    """Hold a run against its case, and against what the server took."""
    wrong = [
        (outcome.delivery_id, found, expected)
        for outcome, found, expected in zip(done.outcomes, done.told, done.case.expected, strict=True)
        if found not in expected.split(" | ")
    ]
    assert not wrong, wrong
    assert not done.unclaimed
    is_safe(done.case.mails, done.outcomes, done.taken, done.contents)
    assert not any(secret in done.heard_in_clear for secret in SECRETS)
    assert b"AUTH" not in done.heard_in_clear
    # Every mail may find a line of its own, and each of those waits twice at the most: for its fault, and at goodbye.
    assert done.took < done.case.seconds * (len(done.case.mails) + 1) + 4
    done.case.check(done)


def is_safe(
    sent: Sequence[Outgoing], outcomes: Sequence[Outcome], taken: Iterable[Taken], contents: Sequence[bytes]
) -> None:
    """Nothing twice, nothing to a stranger, nothing claimed that is not so, and one outcome for each, in order."""
    assert [outcome.delivery_id for outcome in outcomes] == [outgoing.delivery_id for outgoing in sent]
    copies = Counter((mail.content, person) for mail in taken for person in mail.recipients)
    assert not [copy for copy, times in copies.items() if times > 1]
    for outgoing, outcome in zip(sent, outcomes, strict=True):
        addressed = {address.wire for address in outgoing.envelope.recipients}
        reached = {person for content, person in copies if content == outgoing.content}
        assert reached <= addressed
        match outcome.result:
            case Receipt(refused=refused):
                assert reached == addressed - {refusal.recipient.wire for refusal in refused}
            case UncertainError():
                assert contents.count(outgoing.content) <= 1
            case _:
                assert not reached
    assert {content for content, _ in copies} <= {outgoing.content for outgoing in sent}


def told(result: Receipt | TransportError) -> str:
    """An outcome in a few words: ``accepted``, ``accepted but r9 550``, ``refused mail 451``, ``uncertain`` ..."""
    match result:
        case Receipt(refused=refused):
            without = "".join(f" but {each.recipient.local} {each.error.reply.code}" for each in refused)
            return f"accepted{without}"
        case RefusedError(at=step, reply=reply):
            assert result.retry is (Retry.LATER if reply.temporary else Retry.NEVER)
            return f"refused {step} {reply.code}"
        case UncertainError():
            assert result.retry is Retry.RISKY
            return "uncertain"
        case ConnectError():
            assert result.retry is Retry.LATER
            return "connect"
        case TlsError():
            return f"tls {result.retry.value}"
        case AuthError():
            return f"auth {result.retry.value}"
        case other:
            raise AssertionError(other)


def speaking(
    offers: Iterable[str],
    answers: Mapping[str, Answer | Sequence[Answer | None]] | None = None,
    *,
    greeting: Answer = "220 mail.test ESMTP",
    failed: Failed = Failed.OVER,
    together: bool = False,
) -> Making:
    """A polite server with STARTTLS."""
    return partial(
        polite, answers, certificate=GOOD, offers=offers, greeting=greeting, failed=failed, together=together
    )
