"""The ASGI door (ASGI 3): any endpoint as an application for any ASGI server or framework, alone or mounted.

It keeps the promises of every door: see `custom_smtp.edge.doors`. Journals wait for their disk, so endpoint and journal
work in a thread, and the event loop goes on meanwhile. A thread costs more than the whole of an answer: those that say
of themselves that they never wait (`custom_smtp.ports.waits`) are called without one, and a journal whose ``record`` is
an ``async def`` is awaited.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, cast

from ..checks import ConfigurationError
from ..ports import AsyncJournal, Clock, Endpoint, Journal, waits
from ..system import utc_now
from ..web import BODY_LIMIT, Request, Response
from .doors import (
    NOT_RECORDED,
    READING,
    answered,
    check_door,
    client_address,
    declared_length,
    first_values,
    has_no_body,
    refusal,
    settled,
    unrecorded,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]
Asked = Callable[[], Request | Response]

_LOG = logging.getLogger("custom_smtp.edge.asgi")


def asgi(
    endpoint: Endpoint,
    journal: Journal | AsyncJournal,
    *,
    body_limit: int = BODY_LIMIT,
    clock: Clock = utc_now,
    trusted_proxies: int = 0,
) -> AsgiApplication:
    """The endpoint as an ASGI application, whose events go to the journal.

    Args:
        endpoint: who answers; `custom_smtp.mounts.Mounts` for several.
        journal: where what happened is written down. It is awaited (`ports.AsyncJournal`), called from threads, one for
            each request, or, where neither it nor the endpoint ever waits, on the event loop.
        body_limit: in bytes; a longer body gets a 413.
        clock: says when a request came.
        trusted_proxies: how many proxies of your own stand in front. The client's address is then taken from
            X-Forwarded-For, that many places from its right end; what stands further left anybody can write. Leave it 0
            where the server does this already.

    Raises:
        ConfigurationError: a limit or a count cannot be.
    """
    check_door(body_limit, trusted_proxies)
    settle = _settling(endpoint, journal)

    async def http(scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        if has_no_body(scope["method"], headers):
            body: bytes | Response | None = b""
        else:
            body = await _body(receive, headers.get("content-length", "0"), body_limit)
        if body is None:
            return
        if isinstance(body, Response):
            response = body
        else:
            asked = partial(_request, scope, headers, body, clock, trusted_proxies)
            response = await settle(asked)
        await _send(response, scope["method"], send)

    spoken = {"http": http, "lifespan": _lifespan, "websocket": _no_websocket}

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in spoken:
            raise ConfigurationError(f"this application speaks http, not {scope['type']!r}: route it elsewhere")
        await spoken[scope["type"]](scope, receive, send)

    return application


def _settling(endpoint: Endpoint, journal: Journal | AsyncJournal) -> Callable[[Asked], Awaitable[Response]]:
    """How a request is settled (see `settled`) so that the event loop is never held up."""

    async def in_thread(asked: Asked) -> Response:
        return await asyncio.to_thread(settled, endpoint, cast(Journal, journal), asked, _LOG)

    async def at_once(asked: Asked) -> Response:
        return settled(endpoint, cast(Journal, journal), asked, _LOG)

    async def awaiting(asked: Asked) -> Response:
        return await _settled(endpoint, cast(AsyncJournal, journal), asked, _LOG)

    if iscoroutinefunction(journal.record):
        return awaiting
    return in_thread if waits(endpoint, journal) else at_once


async def _settled(endpoint: Endpoint, journal: AsyncJournal, asked: Asked, log: logging.Logger) -> Response:
    """What `settled` does, with a journal that is awaited."""
    if waits(endpoint):
        method, answer = await asyncio.to_thread(answered, endpoint, asked, log)
    else:
        method, answer = answered(endpoint, asked, log)
    for event in answer.events:
        try:
            await journal.record(event)
        except Exception as error:
            log.exception(NOT_RECORDED, type(event).__name__, event.about.delivery_id)
            if method not in READING:
                return unrecorded(error)
    return answer.response


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _request(scope: Scope, headers: dict[str, str], body: bytes, clock: Clock, trusted_proxies: int) -> Request:
    peer = scope.get("client")
    return Request.heard(
        method=scope["method"],
        path=_below(scope.get("root_path", "").rstrip("/"), scope["path"]),
        query=first_values(scope.get("query_string", b"").decode("utf-8", "replace")),
        headers=headers,
        body=body,
        client=client_address(peer[0] if peer else "", headers.get("x-forwarded-for", ""), trusted_proxies),
        received_at=clock(),
    )


def _below(mount: str, path: str) -> str:
    """The path below the mount. ASGI has the mount in the path; some servers and middlewares have taken it off."""
    if path == mount or path.startswith(f"{mount}/"):
        path = path[len(mount) :]
    return path or "/"


async def _body(receive: Receive, declared: str, limit: int) -> bytes | Response | None:
    """The body's bytes, the answer to a request that cannot be read, or None where the client has gone."""
    length = declared_length(declared)
    if length is None:
        return refusal(400)
    if length > limit:
        return refusal(413)
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            return refusal(413)
        more = message.get("more_body", False)
    return bytes(body)


async def _send(response: Response, method: str, send: Send) -> None:
    headers = list(response.sent_headers_in_bytes)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.sent_body(method)})


async def _lifespan(_scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing starts and nothing stops here; the server only wants to be told so."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return


async def _no_websocket(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1000})
