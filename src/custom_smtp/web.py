"""HTTP as values, so that an endpoint is a plain function and any framework can be its door."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from attrs import Attribute, field, fields, frozen

from .checks import ConfigurationError, aware, shown
from .events import Event

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a request's body, unless told otherwise; the providers' largest batches stay below one MiB."""


def _capitals(method: str) -> str:
    return method.upper()


def _lower_case_names(headers: Mapping[str, str]) -> Mapping[str, str]:
    names = "".join(headers)
    return dict(headers) if names == names.lower() else {name.lower(): value for name, value in headers.items()}


@frozen(kw_only=True, slots=False)  # `heard` fills it at once
class Request:
    """A request as the door saw it.

    Attributes:
        method: in capitals.
        path: percent-decoded, below the place where the door is mounted, beginning with ``/``.
        query: the first value of each parameter.
        headers: by lower-case name.
        body: exactly the bytes that came: proofs are over these.
        client: the address of whoever asked, as far as the door knows; may be empty.
        received_at: when it came; None where the endpoint's own clock shall say.
    """

    method: str = field(default="GET", converter=_capitals)
    path: str = "/"
    query: Mapping[str, str] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict, converter=_lower_case_names)
    body: bytes = field(default=b"", repr=lambda body: f"<{len(body)} bytes>")
    client: str = ""
    received_at: datetime | None = field(default=None, validator=aware)

    @classmethod
    def heard(
        cls,
        *,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
        client: str,
        received_at: datetime,
    ) -> Self:
        """The same, made in half the time: for doors, which have the headers' names in lower case already."""
        request = cls.__new__(cls)
        held = request.__dict__
        held["method"] = method.upper()
        held["path"] = path
        held["query"] = query
        held["headers"] = headers
        held["body"] = body
        held["client"] = client
        held["received_at"] = received_at
        if type(received_at) is not datetime or received_at.tzinfo is not UTC:
            aware(request, fields(cls).received_at, received_at)
        return request


def _a_status(_instance: object, _attribute: "Attribute[Any]", status: int) -> None:
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise ConfigurationError(f"{status!r} is no final HTTP status: use 200 to 599 (RFC 9110 section 15)")


def _sendable(_instance: object, _attribute: "Attribute[Any]", headers: tuple[tuple[str, str], ...]) -> None:
    # A line break here would let whoever wrote a link write headers and a body of their own. It is much faster to see
    # for all at once that there is none; what is not printable in ASCII is a control character.
    names = "".join([name for name, _ in headers])
    values = "".join([value for _, value in headers])
    if names.isascii() and names.isprintable() and names == names.lower() and values.isascii() and values.isprintable():
        return
    for name, value in headers:
        if not (name.isascii() and name.isprintable() and name == name.lower()):
            raise ConfigurationError(f"{shown(name)} is no header name: write it in lower-case ASCII")
        if not (value.isascii() and value.isprintable()):
            raise ConfigurationError(f"the header {name} is {shown(value)}: percent-encode what is not printable ASCII")


@frozen(slots=False)  # so that it can remember how it goes out
class Response:
    """What the door sends back. Header names are lower case.

    Raises:
        ConfigurationError: it could not be sent, or would be read as something else.
    """

    status: int = field(validator=_a_status)
    headers: tuple[tuple[str, str], ...] = field(default=(), validator=_sendable)
    body: bytes = field(default=b"", repr=lambda body: f"<{len(body)} bytes>")

    @cached_property
    def sent_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers as they go out: with the length, where a response has one (RFC 9110 section 8.6)."""
        told = tuple(header for header in self.headers if header[0] != "content-length")
        return told if self.status in _WITHOUT_CONTENT else (*told, ("content-length", str(len(self.body))))

    @cached_property
    def sent_headers_in_bytes(self) -> tuple[tuple[bytes, bytes], ...]:
        """The same, in ASCII."""
        return tuple((name.encode(), value.encode()) for name, value in self.sent_headers)

    def sent_body(self, method: str) -> bytes:
        """The body as it goes out: nothing of it where HTTP has none (RFC 9110 section 6.4.1)."""
        return b"" if method.upper() == "HEAD" or self.status in _WITHOUT_CONTENT else self.body


_WITHOUT_CONTENT = (204, 304)


@frozen(slots=False)  # quicker to make
class Answer:
    """What an endpoint decided: the response to send, once the events are recorded."""

    response: Response
    events: tuple[Event, ...] = ()
