"""The WSGI door behind a real HTTP server on 127.0.0.1."""

import http.client
import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from custom_smtp import MemoryJournal, Tokens, TrackingEndpoint
from custom_smtp.edge.wsgi import wsgi
from custom_smtp.events import Clicked, Opened
from custom_smtp.identifiers import DeliveryId
from custom_smtp.mounts import Mounts
from custom_smtp.tokens import Claim, Purpose
from custom_smtp.tracking_endpoint import PIXEL

D1 = DeliveryId("d1")
TOKENS = Tokens((b"key of 32 bytes, from your vault",))


class Quiet(WSGIRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Say nothing on standard error."""


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def line(journal: MemoryJournal) -> Iterator[http.client.HTTPConnection]:
    application = wsgi(Mounts({"/t": TrackingEndpoint(TOKENS)}), journal)
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        line = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        try:
            yield line
        finally:
            line.close()
            server.shutdown()
            thread.join(10)


def test_a_reader_clicks_and_opens_over_http(line: http.client.HTTPConnection, journal: MemoryJournal) -> None:
    target = "https://b\u00fccher.example/\u00e4 b"
    click, pixel = (
        TOKENS.issue(Claim(D1, "ada@example.net", target)),
        TOKENS.issue(Claim(D1, "ada@example.net"), Purpose.OPEN),
    )

    line.request("GET", f"/t/c/{click}", headers={"User-Agent": "Firefox"})
    with line.getresponse() as response:
        assert (response.status, response.read()) == (302, b"")
        assert response.headers["Location"] == "https://xn--bcher-kva.example/%C3%A4%20b"
    line.request("HEAD", f"/t/o/{pixel}")
    with line.getresponse() as response:
        assert (response.status, response.read(), response.headers["Content-Length"]) == (200, b"", str(len(PIXEL)))
    line.request("GET", f"/t/c/{click[:-1]}")
    with line.getresponse() as response:
        assert response.status == 404
        response.read()

    clicked, opened = sorted(journal.of_delivery(D1), key=lambda event: isinstance(event, Opened))
    assert isinstance(clicked, Clicked)
    assert isinstance(opened, Opened)
    assert (clicked.url, clicked.machine, clicked.user_agent, clicked.client) == (target, False, "Firefox", "127.0.0.1")
    assert opened.prefetched
