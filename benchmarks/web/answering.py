"""A web server on loopback that answers clicks. Prints its port; ends when it is ended.

python benchmarks/web/answering.py asgi|wsgi ours|bare|constant KEY TARGET

``ours`` is the endpoint behind its door; ``bare`` opens the token and keeps the event, and looks at nothing else of the
request; ``constant`` answers all alike, and keeps nothing. To the client, their answers are the same to the letter.
"""

import logging
import socket
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from custom_smtp import MemoryJournal, Tokens, TrackingEndpoint
from custom_smtp.edge.asgi import asgi
from custom_smtp.edge.wsgi import wsgi
from custom_smtp.events import About, Clicked


def main() -> None:
    kind, manner, key, target = sys.argv[1:]
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listening.getsockname()[1], flush=True)
    tokens, journal = Tokens((bytes.fromhex(key),)), MemoryJournal()
    led = _constant(target) if manner == "constant" else _bare(tokens, journal)
    if kind == "asgi":
        _uvicorn(asgi(TrackingEndpoint(tokens), journal) if manner == "ours" else _asgi(led), listening)
    else:
        _waitress(wsgi(TrackingEndpoint(tokens), journal) if manner == "ours" else _wsgi(led), listening)


WITH_IT = (
    ("referrer-policy", "no-referrer"),
    ("content-type", "text/plain; charset=utf-8"),
    ("cache-control", "no-store"),
    ("x-robots-tag", "noindex"),
    ("content-length", "0"),
)
"""What stands beside the location in the answer of `TrackingEndpoint`; writing headers costs a server most."""

Led = Callable[[str], list[tuple[str, str]]]
"""The headers of the answer to a click, by its path."""


def _headers(target: str) -> list[tuple[str, str]]:
    return [("location", target), *WITH_IT]


def _constant(target: str) -> Led:
    headers = _headers(target)
    return lambda _path: headers


def _bare(tokens: Tokens, journal: MemoryJournal) -> Led:
    def led(path: str) -> list[tuple[str, str]]:
        claim = tokens.read(path.removeprefix("/c/"))
        about = About(
            delivery_id=claim.delivery_id,
            recipient=claim.recipient,
            at=datetime.now(UTC),
            source="bare",
            key=path[-32:],
        )
        journal.record(Clicked(about, claim.url))
        return _headers(claim.url)

    return led


def _asgi(led: Led) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [(name.encode(), value.encode()) for name, value in led(scope["path"])]
            await send({"type": "http.response.start", "status": 302, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            while True:
                await send({"type": f"{(await receive())['type']}.complete"})

    return application


def _wsgi(led: Led) -> Any:
    def application(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("302 Found", led(environ["PATH_INFO"]))
        return [b""]

    return application


def _uvicorn(application: Any, listening: socket.socket) -> None:
    uvicorn: Any = import_module("uvicorn")
    settings = uvicorn.Config(application, loop="asyncio", http="h11", access_log=False, log_level="warning")
    uvicorn.Server(settings).run(sockets=[listening])


def _waitress(application: Any, listening: socket.socket) -> None:
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it tells of every request that waits for a thread
    import_module("waitress").serve(application, sockets=[listening], threads=4, _quiet=True)


if __name__ == "__main__":
    main()
