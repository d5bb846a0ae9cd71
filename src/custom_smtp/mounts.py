"""Several endpoints behind one door, each below a path of its own."""

import re
from collections.abc import Mapping
from typing import Any

from attrs import Attribute, evolve, field, frozen

from .checks import ConfigurationError
from .ports import Endpoint, waits
from .web import Answer, Request, Response

_PREFIX = re.compile(r"(?:/[^/\x00-\x20\x7f?#]+)+")

_NOTHING_HERE = Response(404, (("content-type", "text/plain; charset=utf-8"),), b"Not found.\n")


def _longest_first(endpoints: Mapping[str, Endpoint]) -> Mapping[str, Endpoint]:
    if not isinstance(endpoints, Mapping):
        raise ConfigurationError('Mounts takes a mapping: write Mounts({"/t": TrackingEndpoint(...)})')
    return {prefix: endpoints[prefix] for prefix in sorted(endpoints, key=lambda prefix: (-len(str(prefix)), prefix))}


def _prefixes(_instance: object, _attribute: "Attribute[Any]", endpoints: Mapping[str, Endpoint]) -> None:
    if not endpoints:
        raise ConfigurationError('nothing is mounted: write Mounts({"/t": TrackingEndpoint(...)})')
    for prefix in endpoints:
        if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
            raise ConfigurationError(f"{prefix!r} is no place to mount at: write '/t' or '/hooks/postmark'")


@frozen
class Mounts:
    """An endpoint made of endpoints: the longest prefix that ends where a part of the path ends answers.

    What it answers sees the path below its prefix, as if it stood alone; a path under none of them is a 404::

        Mounts({"/t": TrackingEndpoint(tokens), "/hooks/postmark": FeedbackEndpoint(postmark)})

    Raises:
        ConfigurationError: a prefix is empty, does not begin with ``/``, or ends with one.
    """

    endpoints: Mapping[str, Endpoint] = field(converter=_longest_first, validator=_prefixes, hash=False)

    @property
    def waits(self) -> bool:
        """Where one of them does (see `ports.waits`)."""
        return waits(*self.endpoints.values())

    def answer(self, request: Request, /) -> Answer:
        """Hand the request on to whoever is mounted at its path."""
        for prefix, endpoint in self.endpoints.items():
            if request.path == prefix or request.path.startswith(f"{prefix}/"):
                return endpoint.answer(evolve(request, path=request.path[len(prefix) :] or "/"))
        return Answer(_NOTHING_HERE)
