"""What every web door does: it asks an endpoint, records what happened, and only then answers.

Where the journal fails, it matters who asked. A provider that posts a report gets a 503, and tells it again later. A
reader, who asks with GET or HEAD, gets the answer all the same, since a link in a mail has to work; what was lost is
logged. No traceback ever reaches a client.
"""

import logging
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import parse_qsl

from ..checks import ConfigurationError
from ..errors import ArchiveError
from ..ports import Endpoint, Journal
from ..web import Answer, Request, Response


def check_door(body_limit: int, trusted_proxies: int) -> None:
    """Refuse limits that cannot be.

    Raises:
        ConfigurationError: the message says which.
    """
    if body_limit < 1:
        raise ConfigurationError(f"body_limit is {body_limit}: give it the bytes that a body may have")
    if trusted_proxies < 0:
        raise ConfigurationError(f"trusted_proxies is {trusted_proxies}: count the proxies in front of the server")


def settled(
    endpoint: Endpoint, journal: Journal, asked: Callable[[], Request | Response], log: logging.Logger
) -> Response:
    """Ask the endpoint, record what happened, and say what to send; whatever goes wrong is logged.

    Args:
        endpoint: who answers.
        journal: where what happened is written down.
        asked: makes the request of what the server told, or the answer to one that cannot be read.
        log: the door's own.
    """
    method, answer = answered(endpoint, asked, log)
    for event in answer.events:
        try:
            journal.record(event)
        except Exception as error:
            log.exception(NOT_RECORDED, type(event).__name__, event.about.delivery_id)
            if method not in READING:
                return unrecorded(error)
    return answer.response


def answered(endpoint: Endpoint, asked: Callable[[], Request | Response], log: logging.Logger) -> tuple[str, Answer]:
    """The first half of `settled`: the method that was asked with, and the answer, nothing of which is recorded yet."""
    try:
        request = asked()
        return ("", Answer(request)) if isinstance(request, Response) else (request.method, endpoint.answer(request))
    except Exception:
        log.exception("%s gave no answer", type(endpoint).__name__)
        return "", Answer(refusal(500))


NOT_RECORDED = "%s of delivery %s is not recorded"
"""What is logged where the journal failed: the event's kind, and whose it was."""

READING = ("GET", "HEAD")
"""Methods that get their answer though the journal failed: a link has to work."""


def unrecorded(error: Exception) -> Response:
    """What whoever asked with another method gets where the journal failed so."""
    return refusal(503 if isinstance(error, ArchiveError) else 500)


def refusal(status: int) -> Response:
    """A door's own answer: a status, and nothing that helps anybody guess."""
    words = f"{phrase(status)}.\n".encode("ascii")
    return Response(status, (("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store")), words)


def has_no_body(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request says by its headers that it is over, as readers' do.

    Where one that asks with GET or HEAD does not, in HTTP/2, its body means nothing (RFC 9110 section 9.3.1).
    """
    return method in READING and "content-length" not in headers and "transfer-encoding" not in headers


def declared_length(text: str) -> int | None:
    """What a Content-Length header says; None where it is not one (RFC 9110 section 8.6)."""
    return int(text) if _LENGTH.fullmatch(text) else None


_LENGTH = re.compile(r"[0-9]{1,18}")


def first_values(query: str) -> dict[str, str]:
    """A query string's parameters, each with its first value."""
    return dict(reversed(parse_qsl(query, keep_blank_values=True))) if query else {}


def client_address(peer: str, forwarded: str, trusted_proxies: int) -> str:
    """Who asked: the peer itself, or behind proxies of ours what the outermost of them wrote down."""
    if not trusted_proxies:
        return peer
    chain = [*(hop.strip() for hop in forwarded.split(",") if hop.strip()), peer]
    hop = chain[max(0, len(chain) - 1 - trusted_proxies)]
    with_port = _WITH_PORT.fullmatch(hop)
    return (with_port["v6"] or with_port["v4"]) if with_port else hop


_WITH_PORT = re.compile(r"\[(?P<v6>[0-9a-fA-F:.]+)\](?::[0-9]+)?|(?P<v4>[0-9.]+):[0-9]+")


@lru_cache(maxsize=128)
def phrase(status: int) -> str:
    """The words that go with a status (RFC 9110 section 15)."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unnamed"
