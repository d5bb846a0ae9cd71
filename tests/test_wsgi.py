"""The WSGI door, called without a server."""

import logging
from collections.abc import Sequence
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from attrs import define, field

from custom_smtp import MemoryJournal, Tokens, TrackingEndpoint
from custom_smtp.edge.doors import client_address
from custom_smtp.edge.threads import JournalInThread
from custom_smtp.edge.wsgi import wsgi
from custom_smtp.egress import EgressEndpoint, EgressPlan
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
HEARD = Response(200, (("content-type", "text/plain"),), b"heard")


@define
class Hears:
    """Takes any report, and keeps the request."""

    response: Response = HEARD
    heard: list[Request] = field(factory=list)

    def answer(self, request: Request, /) -> Answer:
        self.heard.append(request)
        about = About(delivery_id=D1, recipient="ada@example.net", at=CLOCK.now, source="test", key="1")
        return Answer(self.response, (Complained(about),))


class Breaks:
    def answer(self, _request: Request, /) -> Answer:
        raise ZeroDivisionError("the secret of the house")


@define
class BrokenJournal(MemoryJournal):
    error: Exception

    def record(self, event: Event, /) -> bool:
        raise self.error


Answered = tuple[int, dict[str, str], bytes]


def ask(
    endpoint: Endpoint,
    journal: Any = None,
    *,
    method: str = "GET",
    body: bytes | None = None,
    door: Any = (),
    **environ: Any,
) -> Answered:
    """Call the door as a server would, held to PEP 3333 by the standard library's validator."""
    asked: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "192.0.2.1",
        "SCRIPT_NAME": "",
    }
    if body is not None:
        asked |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    asked |= environ
    setup_testing_defaults(asked)
    told: list[tuple[str, Sequence[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
        told.append((status, headers))
        return lambda _piece: None

    application = wsgi(endpoint, journal or MemoryJournal(), **dict[str, Any](clock=CLOCK) | dict(door))
    answer = validator(application)(asked, start_response)
    content = b"".join(answer)
    answer.close()  # type: ignore[attr-defined]  # the validator's answer has it, and asks for it
    [(status, headers)] = told
    return int(status.split()[0]), dict(headers), content


def test_a_click_is_recorded_and_led_on() -> None:
    journal = MemoryJournal()
    status, headers, body = ask(TrackingEndpoint(TOKENS), journal, PATH_INFO=CLICK)
    assert (status, headers["location"], body) == (302, "https://shop.example/7", b"")
    [event] = journal.of_delivery(D1)
    assert event.about.at == CLOCK.now


def test_head_has_the_length_and_no_body() -> None:
    got, asked = (ask(TrackingEndpoint(TOKENS), method=method, PATH_INFO=OPEN) for method in ("GET", "HEAD"))
    assert got[1] == asked[1]
    assert asked[2] == b""
    assert got[1]["content-length"] == str(len(got[2]))


def test_head_of_any_endpoint_tells_the_length_of_get() -> None:
    endpoint = EgressEndpoint(plan=EgressPlan())
    got, asked = (ask(endpoint, method=method, PATH_INFO="/info/egress") for method in ("GET", "HEAD"))
    assert (asked[0], asked[1], asked[2]) == (200, got[1], b"")
    assert int(asked[1]["content-length"]) == len(got[2]) > 0


def test_head_has_no_body_whatever_the_endpoint_says() -> None:
    status, headers, body = ask(Hears(), method="HEAD")
    assert (status, headers["content-length"], body) == (200, "5", b"")


def test_below_a_mount_the_path_is_what_the_server_left() -> None:
    endpoint = Hears()
    ask(endpoint, SCRIPT_NAME="/t", PATH_INFO="/c/abc")
    ask(endpoint, SCRIPT_NAME="/t", PATH_INFO="")
    assert [request.path for request in endpoint.heard] == ["/c/abc", "/"]


def test_the_request_is_handed_on_as_it_came() -> None:
    endpoint = Hears()
    ask(
        endpoint,
        method="POST",
        body=b"\x00\xff a=b",
        PATH_INFO="/hooks/\u00c3\u00bc",
        QUERY_STRING="a=1&a=2&b=&c=%C3%BC&d=\u00c3\u00bc",
        CONTENT_TYPE="application/json",
        HTTP_X_PROOF="abc",
        HTTP_AUTHORIZATION="Basic eDp5",
    )
    [request] = endpoint.heard
    assert (request.method, request.path, request.body) == ("POST", "/hooks/\u00fc", b"\x00\xff a=b")
    assert request.query == {"a": "1", "b": "", "c": "\u00fc", "d": "\u00fc"}
    headers = {
        "content-type": "application/json",
        "content-length": "6",
        "x-proof": "abc",
        "authorization": "Basic eDp5",
    }
    assert headers.items() <= request.headers.items()
    assert (request.client, request.received_at) == ("192.0.2.1", CLOCK.now)


def test_each_request_has_its_own_headers_though_their_names_are_the_same() -> None:
    endpoint = Hears()
    for proof, kind in (("abc", "a/b"), ("", ""), ("def", "c/d")):
        ask(endpoint, method="POST", body=b"x", HTTP_X_PROOF=proof, CONTENT_TYPE=kind)
    told = [(request.headers.get("x-proof"), request.headers.get("content-type")) for request in endpoint.heard]
    assert told == [("abc", "a/b"), ("", None), ("def", "c/d")]


def test_bytes_that_are_no_text_do_not_break_the_door() -> None:
    endpoint = Hears()
    ask(endpoint, PATH_INFO="/\u00ff", QUERY_STRING="a=\u00ff&%FF=%")
    [request] = endpoint.heard
    assert request.path == "/\ufffd"
    assert request.query == {"a": "\ufffd", "\ufffd": "%"}


@pytest.mark.parametrize("length", ["-1", "+1", "1.0", "1, 1", "x", "0x1", "\u0661", " 5", "1" * 19])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    # The validator itself refuses such requests.
    environ = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": length, "wsgi.input": BytesIO(b"body")}
    told: list[str] = []

    def start_response(status: str, _headers: Any, _exc_info: Any = None) -> Any:
        told.append(status)

    list(wsgi(Hears(), MemoryJournal())(environ, start_response))
    assert told == ["400 Bad Request"]


def test_a_body_of_the_limit_is_taken_and_a_longer_one_is_not() -> None:
    limit = {"body_limit": 10}
    endpoint = Hears()
    assert ask(endpoint, method="POST", body=b"x" * 10, door=limit)[0] == 200
    assert ask(endpoint, method="POST", body=b"x" * 11, door=limit)[0] == 413
    assert [len(request.body) for request in endpoint.heard] == [10]


def test_a_body_in_many_pieces_is_whole() -> None:
    endpoint = Hears()
    ask(endpoint, method="POST", body=b"0123456789" * 20_000)
    assert endpoint.heard[0].body == b"0123456789" * 20_000


def test_no_more_is_read_than_was_declared() -> None:
    endpoint = Hears()
    ask(endpoint, method="POST", CONTENT_LENGTH="4", **coming(BytesIO(b"body and the next request")))
    assert endpoint.heard[0].body == b"body"


def test_a_body_cut_off_is_refused() -> None:
    endpoint = Hears()
    assert ask(endpoint, method="POST", CONTENT_LENGTH="9", **coming(BytesIO(b"body")))[0] == 400
    assert endpoint.heard == []


def coming(stream: BytesIO) -> dict[str, Any]:
    return {"wsgi.input": stream}


class GoneAway(BytesIO):
    def read(self, _size: int | None = -1, /) -> bytes:
        raise ConnectionResetError


def test_a_client_that_goes_away_is_heard_no_further() -> None:
    endpoint = Hears()
    assert ask(endpoint, method="POST", CONTENT_LENGTH="9", **coming(GoneAway()))[0] == 400
    assert endpoint.heard == []


def chunked(body: bytes, *, terminated: bool = True) -> dict[str, Any]:
    return {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": terminated, "wsgi.input": BytesIO(body)}


def test_a_chunked_body_is_read_to_its_end_and_its_limit() -> None:
    endpoint = Hears()
    assert ask(endpoint, method="POST", door={"body_limit": 9}, **chunked(b"123456789"))[0] == 200
    assert ask(endpoint, method="POST", door={"body_limit": 8}, **chunked(b"123456789"))[0] == 413
    assert [request.body for request in endpoint.heard] == [b"123456789"]


def test_a_chunked_body_without_an_end_is_refused() -> None:
    assert ask(Hears(), method="POST", **chunked(b"x", terminated=False))[0] == 411


@pytest.mark.parametrize(
    ("error", "status"), [(ArchiveError("the disk is full"), 503), (ZeroDivisionError("the secret of the house"), 500)]
)
def test_a_report_that_cannot_be_recorded_is_asked_for_again(
    error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    told, _, body = ask(Hears(), BrokenJournal(error), method="POST", body=b"{}")
    assert told == status
    assert b"secret" not in body
    [logged] = caplog.records
    assert (logged.name, logged.levelno) == ("custom_smtp.edge.wsgi", logging.ERROR)
    assert logged.getMessage() == "Complained of delivery d1 is not recorded"


@pytest.mark.parametrize("error", [ArchiveError("the disk is full"), ZeroDivisionError()])
@pytest.mark.parametrize(("path", "status"), [(CLICK, 302), (OPEN, 200)])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_reader_is_led_on_though_nothing_can_be_recorded(
    error: Exception, path: str, status: int, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(TrackingEndpoint(TOKENS), BrokenJournal(error), method=method, PATH_INFO=path)[0] == status
    assert "of delivery d1 is not recorded" in caplog.text


def test_an_endpoint_that_breaks_is_a_500_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    status, headers, body = ask(Breaks())
    assert (status, body) == (500, b"Internal Server Error.\n")
    assert headers["cache-control"] == "no-store"
    assert "Breaks gave no answer" in caplog.text
    assert "the secret of the house" in caplog.text


def test_a_request_that_cannot_be_made_is_a_500_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    door = {"clock": lambda: CLOCK.now.replace(tzinfo=None)}
    status, _, body = ask(Hears(), door=door)
    assert (status, body) == (500, b"Internal Server Error.\n")
    assert "with no time zone" in caplog.text


def test_a_body_that_breaks_is_a_500_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Torn(BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise ZeroDivisionError("the secret of the house")

    status, _, body = ask(Hears(), method="POST", CONTENT_LENGTH="9", **coming(Torn()))
    assert (status, body) == (500, b"Internal Server Error.\n")
    assert "the secret of the house" in caplog.text


def test_what_happened_is_recorded_before_the_answer_begins() -> None:
    order: list[str] = []

    class Journal(MemoryJournal):
        def record(self, event: Event, /) -> bool:
            order.append("recorded")
            return super().record(event)

    def start_response(_status: str, _headers: Any, _exc_info: Any = None) -> Any:
        order.append("answered")

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    list(wsgi(Hears(), Journal())(environ, start_response))
    assert order == ["recorded", "answered"]


@pytest.mark.parametrize(
    ("response", "status", "length"),
    [
        (Response(204), 204, None),
        (Response(304, (), b"never sent"), 304, None),
        (Response(299, (("content-type", "text/plain"),), b"odd"), 299, "3"),
        (Response(200, (("content-type", "text/plain"), ("content-length", "1")), b"own"), 200, "3"),
        (Response(204, (("content-length", "0"),)), 204, None),
    ],
)
def test_every_response_has_the_length_that_http_wants(response: Response, status: int, length: str | None) -> None:
    told, headers, body = ask(Hears(response))
    assert (told, headers.get("content-length"), len(body)) == (status, length, int(length or 0))


@pytest.mark.parametrize(
    ("forwarded", "proxies", "client"),
    [
        ("", 0, "192.0.2.1"),
        ("198.51.100.7", 0, "192.0.2.1"),
        ("", 1, "192.0.2.1"),
        ("198.51.100.7", 1, "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7", 1, "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7", 2, "203.0.113.9"),
        ("203.0.113.9,,  198.51.100.7 ,", 2, "203.0.113.9"),
        ("198.51.100.7", 5, "198.51.100.7"),
        ("198.51.100.7:4711", 1, "198.51.100.7"),
        ("[2001:db8::7]:4711", 1, "2001:db8::7"),
        ("[2001:db8::7]", 1, "2001:db8::7"),
        ("2001:db8::7", 1, "2001:db8::7"),
        ("unknown", 1, "unknown"),
    ],
)
def test_the_client_is_who_the_trusted_proxies_say(forwarded: str, proxies: int, client: str) -> None:
    assert client_address("192.0.2.1", forwarded, proxies) == client
    endpoint = Hears()
    ask(endpoint, HTTP_X_FORWARDED_FOR=forwarded, door={"trusted_proxies": proxies})
    assert endpoint.heard[0].client == client


@pytest.mark.parametrize("wrong", [{"body_limit": 0}, {"body_limit": -1}, {"trusted_proxies": -1}])
def test_a_door_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"{next(iter(wrong))} is {next(iter(wrong.values()))}"):
        wsgi(Hears(), MemoryJournal(), **wrong)


def test_a_journal_that_has_to_be_awaited_is_refused() -> None:
    journal: Any = JournalInThread(MemoryJournal())
    with pytest.raises(ConfigurationError, match=r"JournalInThread\.record is an async def, which WSGI cannot await"):
        wsgi(TrackingEndpoint(TOKENS), journal)
