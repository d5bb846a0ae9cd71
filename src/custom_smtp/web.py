"""HTTP as values, so that an endpoint is a plain function and any framework can be its door."""

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

from .checks import aware
from .events import Event


def _capitals(method: str) -> str:
    return method.upper()


def _lower_case_names(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@frozen(kw_only=True)
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


@frozen
class Response:
    """What the door sends back. Header names are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@frozen
class Answer:
    """What an endpoint decided: the response to send, once the events are recorded."""

    response: Response
    events: tuple[Event, ...] = ()
