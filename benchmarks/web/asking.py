"""Asks a web server on loopback, over several connections that stay open, until its time is over.

    python benchmarks/web/asking.py PORT SECONDS CONNECTIONS LOCATION < PATHS

Every answer is read to its end, and has to be a 302 to LOCATION. Prints how many came, in how many
seconds, and how many came with those before the clock started.
"""

import asyncio
import sys
from functools import partial
from itertools import cycle
from time import perf_counter

_WARM_UP = 0.3


class Asker(asyncio.Protocol):
    """One connection: the next request goes out when the answer before it is in."""

    def __init__(self, requests: "cycle[bytes]", location: bytes, over: "asyncio.Future[None]") -> None:
        self.requests = requests
        self.location = location
        self.over = over
        self.answers = 0
        self.heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.heard += data
        if not self.heard.endswith(b"\r\n\r\n"):
            return
        head = self.heard.lower()
        if not head.startswith(b"http/1.1 302") or self.location not in head or b"content-length: 0" not in head:
            self.fail(f"not the answer that was due: {self.heard!r}")
            return
        self.heard = b""
        self.answers += 1
        self.transport.write(next(self.requests))

    def connection_lost(self, error: Exception | None) -> None:
        self.fail(f"the server closed a connection: {error}")

    def fail(self, why: str) -> None:
        if not self.over.done():
            self.over.set_exception(ConnectionError(why))


async def main() -> None:
    port, seconds, connections = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    location = f"\r\nlocation: {sys.argv[4]}\r\n".lower().encode()
    requests = cycle(
        f"GET {path} HTTP/1.1\r\nHost: links.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0\r\n"
        "Accept: text/html\r\nAccept-Language: de\r\n\r\n".encode()
        for path in sys.stdin.read().split()
    )
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    asker = partial(Asker, requests, location, over)
    askers = [(await loop.create_connection(asker, "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.wait([over], timeout=_WARM_UP)
    before, begun = sum(asker.answers for asker in askers), perf_counter()
    await asyncio.wait([over], timeout=seconds)
    answers, took = sum(asker.answers for asker in askers) - before, perf_counter() - begun
    if over.done():
        over.result()
    over.cancel()
    print(answers, took, before + answers)


if __name__ == "__main__":
    asyncio.run(main())
