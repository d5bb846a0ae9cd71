"""The ASGI door, called without a server."""

import asyncio
import logging
import threading
from typing import Any

import pytest
from attrs import define, field

from custom_smtp import MemoryJournal, Tokens, TrackingEndpoint
from custom_smtp.edge.asgi import asgi
from custom_smtp.errors import ArchiveError, ConfigurationError
from custom_smtp.events import About, Complained, Event
from custom_smtp.identifiers import DeliveryId
from custom_smtp.ports import Endpoint
from custom_smtp.testing import FrozenClock
from custom_smtp.tokens import Claim, Purpose
from custom_smtp.web import Answer, Request, Response

D1 = DeliveryId("d1")
TOKENS = Tokens((b"key of 32 bytes, from your vault",))
CLICK = "/c/" + TOKENS.issue(Claim(D1, "ada@example.net", "https://shop.example/7"))
OPEN = "/o/" + TOKENS.issue(Claim(D1, "ada@example.net"), Purpose.OPEN)
CLOCK = FrozenClock()


@define
class Hears:
    """Takes any report, and keeps the request."""

    heard: list[Request] = field(factory=list)

    def answer(self, request: Request, /) -> Answer:
        self.heard.append(request)
        about = About(delivery_id=D1, recipient="ada@example.net", at=CLOCK.now, source="test", key="1")
        return Answer(Response(200, (("content-type", "text/plain"),), b"heard"), (Complained(about),))


class Breaks:
    def answer(self, _request: Request, /) -> Answer:
        raise ZeroDivisionError("the secret of the house")


class FullDisk(MemoryJournal):
    def record(self, event: Event, /) -> bool:
        raise ArchiveError("the disk is full")


Message = dict[str, Any]


def talk(
    endpoint: Endpoint, scope: Message, received: list[Message], journal: Any = None, **door: Any
) -> list[Message]:
    """What the application sends when it is called as a server would, and hears these messages."""
    sent: list[Message] = []
    coming = iter(received)

    async def receive() -> Any:
        return next(coming)

    async def send(message: Any) -> None:
        sent.append(message)

    application = asgi(endpoint, journal or MemoryJournal(), **{"clock": CLOCK} | door)
    asyncio.run(application(scope, receive, send))  # type: ignore[arg-type]  # an Awaitable that is a coroutine
    return sent


def a_scope(**changed: Any) -> Message:
    scope = {"type": "http", "method": "GET", "path": "/", "root_path": "", "query_string": b"", "headers": []}
    return scope | {"client": ("192.0.2.1", 4711)} | changed


def body(*pieces: bytes) -> list[Message]:
    return [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, 1)
    ]


def ask(
    endpoint: Endpoint, received: list[Message] | None = None, journal: Any = None, door: Any = (), **scope: Any
) -> tuple[int, dict[str, str], bytes]:
    start, content = talk(endpoint, a_scope(**scope), received or body(b""), journal, **dict(door))
    assert (start["type"], content["type"]) == ("http.response.start", "http.response.body")
    headers = {name.decode("ascii"): value.decode("ascii") for name, value in start["headers"]}
    return start["status"], headers, content["body"]


def test_a_click_is_recorded_and_led_on() -> None:
    journal = MemoryJournal()
    status, headers, content = ask(TrackingEndpoint(TOKENS), journal=journal, path=CLICK)
    assert (status, headers["location"], content) == (302, "https://shop.example/7", b"")
    [event] = journal.of_delivery(D1)
    assert event.about.at == CLOCK.now


def test_head_has_the_length_and_no_body() -> None:
    got, asked = (ask(TrackingEndpoint(TOKENS), method=method, path=OPEN) for method in ("GET", "HEAD"))
    assert got[1] == asked[1]
    assert asked[2] == b""
    assert ask(Hears(), method="HEAD")[1:] == ({"content-type": "text/plain", "content-length": "5"}, b"")


@pytest.mark.parametrize(
    ("root_path", "path", "below"),
    [
        ("", "/c/abc", "/c/abc"),
        ("", "/", "/"),
        ("", "", "/"),
        ("/t", "/t/c/abc", "/c/abc"),
        ("/t/", "/t/c/abc", "/c/abc"),
        ("/t", "/t", "/"),
        ("/t", "/t/", "/"),
        ("/t", "/c/abc", "/c/abc"),
        ("/t", "/tt/c", "/tt/c"),
        ("/a/t", "/a/t/c/abc", "/c/abc"),
    ],
)
def test_below_a_mount_the_prefix_is_taken_off_where_it_is_there(root_path: str, path: str, below: str) -> None:
    endpoint = Hears()
    ask(endpoint, root_path=root_path, path=path)
    assert endpoint.heard[0].path == below


def test_the_request_is_handed_on_as_it_came() -> None:
    endpoint = Hears()
    headers = [
        (b"x-proof", b"abc"),
        (b"Accept", b"a"),
        (b"accept", b"b"),
        (b"x-name", b"\xfc"),
        (b"content-length", b"5"),
    ]
    ask(
        endpoint,
        body(b"\x00\xff", b"", b"a=b"),
        method="POST",
        query_string=b"a=1&a=2&b=&c=%C3%BC&d=\xff",
        headers=headers,
    )
    [request] = endpoint.heard
    assert (request.method, request.body) == ("POST", b"\x00\xffa=b")
    assert request.query == {"a": "1", "b": "", "c": "\u00fc", "d": "\ufffd"}
    assert request.headers == {"x-proof": "abc", "accept": "a, b", "x-name": "\u00fc", "content-length": "5"}
    assert (request.client, request.received_at) == ("192.0.2.1", CLOCK.now)


@pytest.mark.parametrize("missing", ["client", "root_path", "query_string"])
def test_what_a_server_may_leave_out_is_not_missed(missing: str) -> None:
    endpoint, scope = Hears(), a_scope()
    del scope[missing]
    talk(endpoint, scope, [{"type": "http.request"}])
    assert endpoint.heard[0].client == ("" if missing == "client" else "192.0.2.1")


def test_a_client_without_an_address_has_none() -> None:
    endpoint = Hears()
    ask(endpoint, client=None)
    assert endpoint.heard[0].client == ""


def test_trusted_proxies_name_the_client() -> None:
    endpoint = Hears()
    ask(endpoint, headers=[(b"x-forwarded-for", b"203.0.113.9, 198.51.100.7")], door={"trusted_proxies": 1})
    assert endpoint.heard[0].client == "198.51.100.7"


@pytest.mark.parametrize("length", [b"-1", b"1.0", b"x", b"", b"\xb2"])
def test_a_length_that_is_none_is_refused(length: bytes) -> None:
    assert ask(Hears(), method="POST", headers=[(b"content-length", length)])[0] == 400


def test_two_lengths_are_refused() -> None:
    assert ask(Hears(), headers=[(b"content-length", b"1"), (b"content-length", b"1")])[0] == 400


def test_a_body_of_the_limit_is_taken_and_a_longer_one_is_not() -> None:
    limit, endpoint = {"body_limit": 10}, Hears()
    assert ask(endpoint, body(b"01234", b"56789"), method="POST", door=limit)[0] == 200
    assert ask(endpoint, body(b"01234", b"56789", b"x"), method="POST", door=limit)[0] == 413
    assert ask(endpoint, [], headers=[(b"content-length", b"11")], door=limit)[0] == 413
    assert [len(request.body) for request in endpoint.heard] == [10]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_reader_is_answered_without_a_look_for_a_body(method: str) -> None:
    endpoint = Hears()
    nothing_to_receive: list[Message] = []
    start, _ = talk(endpoint, a_scope(method=method), nothing_to_receive)
    assert start["status"] == 200
    assert endpoint.heard[0].body == b""


@pytest.mark.parametrize("header", [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")])
def test_a_body_that_a_reader_sends_is_heard_to_its_end(header: tuple[bytes, bytes]) -> None:
    endpoint = Hears()
    assert ask(endpoint, body(b"a", b"bc"), headers=[header])[0] == 200
    assert endpoint.heard[0].body == b"abc"


def test_a_client_that_goes_away_gets_no_answer_and_leaves_no_trace() -> None:
    endpoint = Hears()
    half = {"type": "http.request", "body": b"half", "more_body": True}
    assert talk(endpoint, a_scope(method="POST"), [half, {"type": "http.disconnect"}]) == []
    assert endpoint.heard == []


def test_a_report_that_cannot_be_recorded_is_asked_for_again(caplog: pytest.LogCaptureFixture) -> None:
    assert ask(Hears(), journal=FullDisk(), method="POST")[0] == 503
    [logged] = caplog.records
    assert (logged.name, logged.levelno) == ("custom_smtp.edge.asgi", logging.ERROR)


@pytest.mark.parametrize(("path", "status"), [(CLICK, 302), (OPEN, 200)])
def test_a_reader_is_led_on_though_nothing_can_be_recorded(path: str, status: int) -> None:
    assert ask(TrackingEndpoint(TOKENS), journal=FullDisk(), path=path)[0] == status


def test_an_endpoint_that_breaks_is_a_500_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    status, _, content = ask(Breaks())
    assert (status, content) == (500, b"Internal Server Error.\n")
    assert "Breaks gave no answer" in caplog.text


def test_the_loop_goes_on_while_the_journal_writes() -> None:
    writes, seen = threading.Event(), threading.Event()

    class Slow(MemoryJournal):
        def record(self, event: Event, /) -> bool:
            writes.set()
            assert seen.wait(10), "the event loop stood still"
            return super().record(event)

    sent: list[Any] = []

    async def receive() -> Any:
        return body(b"")[0]

    async def send(message: Any) -> None:
        sent.append(message)

    async def both() -> None:
        asked = asyncio.ensure_future(asgi(Hears(), Slow())(a_scope(), receive, send))
        await asyncio.to_thread(writes.wait, 10)
        assert sent == [], "answered before it was recorded"
        seen.set()
        await asked

    asyncio.run(both())
    assert sent[0]["status"] == 200


@define
class Thread:
    """An endpoint that tells in which thread it answers."""

    waits: bool
    answered: list[int] = field(factory=list)

    def answer(self, request: Request, /) -> Answer:
        self.answered.append(threading.get_ident())
        return Hears().answer(request)


@define
class Diary:
    """An `AsyncJournal` that tells in which thread it is awaited."""

    full: bool = False
    events: list[Event] = field(factory=list)
    awaited: list[int] = field(factory=list)

    async def record(self, event: Event, /) -> bool:
        await asyncio.sleep(0)
        self.awaited.append(threading.get_ident())
        if self.full:
            raise ArchiveError("the disk is full")
        self.events.append(event)
        return True


def test_nothing_waits_for_a_thread_where_nothing_waits() -> None:
    quick, slow = Thread(waits=False), Thread(waits=True)
    for endpoint in (quick, slow):
        assert ask(endpoint)[2] == b"heard"
    assert quick.answered == [threading.get_ident()]
    assert slow.answered != [threading.get_ident()]


def test_a_journal_that_says_nothing_of_itself_is_called_in_a_thread() -> None:
    class Records:
        called: tuple[int, ...] = ()

        def record(self, _event: Event, /) -> bool:
            self.called += (threading.get_ident(),)
            return True

    endpoint, journal = Thread(waits=False), Records()
    ask(endpoint, journal=journal)
    assert journal.called == tuple(endpoint.answered)
    assert journal.called != (threading.get_ident(),)


@pytest.mark.parametrize("waits", [True, False])
def test_a_journal_is_awaited_on_the_loop_wherever_the_endpoint_answers(waits: bool) -> None:
    endpoint, journal = Thread(waits=waits), Diary()
    assert ask(endpoint, journal=journal, method="POST")[2] == b"heard"
    assert [type(event) for event in journal.events] == [Complained]
    assert journal.awaited == [threading.get_ident()]
    assert (endpoint.answered == journal.awaited) is not waits


def test_what_an_awaited_journal_cannot_record_is_asked_for_again(caplog: pytest.LogCaptureFixture) -> None:
    assert ask(Hears(), journal=Diary(full=True), method="POST")[0] == 503
    assert "the disk is full" in caplog.text
    assert ask(TrackingEndpoint(TOKENS), journal=Diary(full=True), path=CLICK)[0] == 302


def test_a_request_that_cannot_be_made_is_a_500_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    door = {"clock": lambda: CLOCK.now.replace(tzinfo=None)}
    status, _, content = ask(Hears(), door=door)
    assert (status, content) == (500, b"Internal Server Error.\n")
    assert "with no time zone" in caplog.text


def test_starting_and_stopping_is_agreed_to() -> None:
    sent = talk(Hears(), {"type": "lifespan"}, [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    assert sent == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]


def test_a_websocket_is_refused() -> None:
    sent = talk(Hears(), a_scope(type="websocket"), [{"type": "websocket.connect"}])
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_what_is_not_http_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="speaks http, not 'gopher'"):
        talk(Hears(), {"type": "gopher"}, [])


@pytest.mark.parametrize("wrong", [{"body_limit": 0}, {"trusted_proxies": -1}])
def test_a_door_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"{next(iter(wrong))} is"):
        asgi(Hears(), MemoryJournal(), **wrong)
