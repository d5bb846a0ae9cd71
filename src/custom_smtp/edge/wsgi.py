"""The WSGI door (PEP 3333): any endpoint as an application for any WSGI server, alone or mounted under a prefix.

It keeps the promises of every door: see `custom_smtp.edge.doors`.
"""

import logging
from collections.abc import Iterable
from functools import lru_cache, partial
from inspect import iscoroutinefunction
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from ..checks import ConfigurationError
from ..ports import Clock, Endpoint, Journal
from ..system import utc_now
from ..web import BODY_LIMIT, Request, Response
from .doors import check_door, client_address, declared_length, first_values, phrase, refusal, settled

_LOG = logging.getLogger("custom_smtp.edge.wsgi")
_CHUNK = 65_536


def wsgi(
    endpoint: Endpoint,
    journal: Journal,
    *,
    body_limit: int = BODY_LIMIT,
    clock: Clock = utc_now,
    trusted_proxies: int = 0,
) -> WSGIApplication:
    """The endpoint as a WSGI application, whose events go to the journal.

    Args:
        endpoint: who answers; `custom_smtp.mounts.Mounts` for several.
        journal: where what happened is written down. It is called from the server's threads.
        body_limit: in bytes; a longer body gets a 413.
        clock: says when a request came.
        trusted_proxies: how many proxies of your own stand in front. The client's address is then taken from
            X-Forwarded-For, that many places from its right end; what stands further left anybody can write.

    Raises:
        ConfigurationError: a limit or a count cannot be.
    """
    check_door(body_limit, trusted_proxies)
    if iscoroutinefunction(journal.record):
        raise ConfigurationError(
            f"{type(journal).__name__}.record is an async def, which WSGI cannot await: use asgi()"
        )

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = partial(_request, environ, body_limit, clock, trusted_proxies)
        response = settled(endpoint, journal, asked, _LOG)
        # A list of its own: a server may change it (PEP 3333).
        start_response(f"{response.status} {phrase(response.status)}", list(response.sent_headers))
        return [response.sent_body(environ["REQUEST_METHOD"])]

    return application


def _request(environ: WSGIEnvironment, body_limit: int, clock: Clock, trusted_proxies: int) -> Request | Response:
    has_body = environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING")
    body = _body(environ, body_limit) if has_body else b""
    if isinstance(body, Response):
        return body
    headers = {
        name: value
        for key, name in _headers_among(tuple(environ))
        if (value := environ[key]) or key not in _BARE_HEADERS  # which a server may leave empty where there is none
    }
    return Request.heard(
        method=environ["REQUEST_METHOD"],
        path=_utf8(environ.get("PATH_INFO", "")) or "/",
        query=first_values(_utf8(environ.get("QUERY_STRING", ""))),
        headers=headers,
        body=body,
        client=client_address(environ.get("REMOTE_ADDR", ""), headers.get("x-forwarded-for", ""), trusted_proxies),
        received_at=clock(),
    )


_BARE_HEADERS = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}


@lru_cache(maxsize=128)  # readers are many, the programs that they read with are few, and each sends the same headers
def _headers_among(keys: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Which entries of an environ are headers, and by what name."""
    told = [(key, key[5:].replace("_", "-").lower()) for key in keys if key.startswith("HTTP_")]
    return (*told, *((key, name) for key, name in _BARE_HEADERS.items() if key in keys))


def _utf8(text: str) -> str:
    """WSGI hands bytes over as if they were Latin-1 (PEP 3333, "Unicode Issues")."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "replace")


def _body(environ: WSGIEnvironment, limit: int) -> bytes | Response:
    """The body's bytes, or the answer to a request that does not hold what it says."""
    chunked = environ.get("HTTP_TRANSFER_ENCODING", "").lower() not in ("", "identity")
    if chunked and not environ.get("wsgi.input_terminated"):
        # PEP 3333 has no end of input without a length, unless the server says that it keeps one.
        return refusal(411)
    length = limit + 1 if chunked else declared_length(environ.get("CONTENT_LENGTH") or "0")
    if length is None:
        return refusal(400)
    if length > limit and not chunked:
        return refusal(413)
    pieces: list[bytes] = []
    missing = length
    try:
        while missing and (piece := environ["wsgi.input"].read(min(missing, _CHUNK))):
            pieces.append(piece)
            missing -= len(piece)
    except OSError:
        return refusal(400)
    if chunked:
        return b"".join(pieces) if missing else refusal(413)
    return refusal(400) if missing else b"".join(pieces)
