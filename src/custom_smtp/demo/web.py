"""A web server for the tracking and feedback endpoints on 127.0.0.1, and requests to it."""

import threading
from contextlib import AbstractContextManager
from http.client import HTTPConnection
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

from attrs import frozen

from ..web import Request

_SECONDS = 10.0


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    # All of a scanner's requests may come at once.
    request_queue_size = 64


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base class calls it so
        """Say nothing: the demo prints what it has to say."""


class Site(AbstractContextManager["Site"]):
    """A web server that runs inside a ``with`` block. Its address is known before it has anything to serve."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="demo-web", daemon=True)

    @property
    def url(self) -> str:
        """Where it is found."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def serve(self, application: WSGIApplication) -> None:
        """What to answer with."""
        self._server.set_app(application)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join(_SECONDS)
        self._server.server_close()


@frozen
class Reply:
    """What a web server answered: its status, and where it led on."""

    status: int
    location: str = ""


NOT_ASKED = Reply(0)


def ask(url: str, method: str = "GET", *, user_agent: str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0") -> Reply:
    """Ask for a URL, and follow nothing; one that is not on this machine is not asked for at all."""
    if urlsplit(url).hostname != "127.0.0.1":
        return NOT_ASKED
    return _exchange(url, Request(method=method, headers={"user-agent": user_agent}))


def post(site: Site, request: Request) -> int:
    """Post a request over the wire as it is; return the status."""
    return _exchange(site.url + request.path, request).status


def _exchange(url: str, request: Request) -> Reply:
    parts = urlsplit(url)
    # Straight to it, whatever proxies the environment names.
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(request.method, path, body=request.body or None, headers=dict(request.headers))
        response = connection.getresponse()
        response.read()
        return Reply(response.status, response.getheader("location", ""))
    finally:
        connection.close()
