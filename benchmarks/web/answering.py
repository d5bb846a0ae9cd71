"""A web server on loopback that answers clicks: by our endpoint, or all alike. Prints its port; ends when it is ended.

python benchmarks/web/answering.py asgi|wsgi ours|constant KEY TARGET
"""

import logging
import socket
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from custom_smtp import MemoryJournal, Tokens, TrackingEndpoint
from custom_smtp.edge.asgi import asgi
from custom_smtp.edge.wsgi import wsgi


def main() -> None:
    kind, manner, key, target = sys.argv[1:]
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listening.getsockname()[1], flush=True)
    endpoint, journal = TrackingEndpoint(Tokens((bytes.fromhex(key),))), MemoryJournal()
    if kind == "asgi":
        _uvicorn(asgi(endpoint, journal) if manner == "ours" else _constant_asgi(target), listening)
    else:
        _waitress(wsgi(endpoint, journal) if manner == "ours" else _constant_wsgi(target), listening)


def _headers(target: str) -> list[tuple[str, str]]:
    return [("location", target), ("cache-control", "no-store"), ("content-length", "0")]


def _constant_asgi(target: str) -> Any:
    headers = [(name.encode(), value.encode()) for name, value in _headers(target)]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 302, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            while True:
                await send({"type": f"{(await receive())['type']}.complete"})

    return application


def _constant_wsgi(target: str) -> Any:
    headers = _headers(target)

    def application(_environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("302 Found", headers)
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
