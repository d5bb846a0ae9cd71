"""What is written into a mail's headers, so that a provider's reports find it again."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import MailError
from .identifiers import DeliveryId
from .ports import Headers


def marked(headers: Headers, marks: Headers) -> Headers:
    """The headers with these marks behind them. One that is there already, with this value, is not doubled.

    Raises:
        MailError: one is there with another value.
    """
    there = {name.lower(): value.strip() for name, value in headers}
    for name, value in marks:
        if there.get(name.lower(), value) != value:
            raise MailError(f"the header {name} is set to {there[name.lower()]!r}, and must be {value!r}: leave it out")
    return (*headers, *((name, value) for name, value in marks if name.lower() not in there))


def with_json_header(headers: Headers, name: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Headers:
    """The headers with the one that holds a JSON object changed so; where there is none, it comes behind them.

    Args:
        headers: as they are.
        name: the header's.
        change: what its object becomes; of one that is not there, what an empty object becomes.

    Raises:
        MailError: there are several of that name, or what is there is no JSON object; or what ``change`` raises.
    """
    places = [place for place, (given, _) in enumerate(headers) if given.lower() == name.lower()]
    if len(places) > 1:
        raise MailError(f"there are {len(places)} {name} headers, and one is read: merge them")
    if not places:
        return (*headers, (name, folding_json(name, change({}))))
    [place] = places
    given, value = headers[place]
    changed = folding_json(name, change(json_header(name, value)))
    return (*headers[:place], (given, changed), *headers[place + 1 :])


def with_id(header: str, asked: Mapping[str, Any], name: str, delivery_id: DeliveryId) -> dict[str, Any]:
    """A JSON object of a header, with our id under this name.

    Raises:
        MailError: another id stands there.
    """
    if asked.get(name, delivery_id) != delivery_id:
        raise MailError(f"the header {header} sets {name} to {asked[name]!r}: leave it out")
    return {**asked, name: delivery_id}


def json_header(name: str, value: str) -> dict[str, Any]:
    """What a header asks for that is there already, and that holds a JSON object.

    Raises:
        MailError: it holds something else.
    """
    try:
        asked = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise MailError(f"the header {name} is not JSON: write an object, or leave it out") from error
    if not isinstance(asked, dict):
        raise MailError(f"the header {name} holds a {type(asked).__name__}: write a JSON object, or leave it out")
    return asked


def json_object_in(header: str, asked: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One object of those that a header's JSON holds, to be added to; an empty one where it is not there.

    Raises:
        MailError: it is something else.
    """
    found = asked.get(name, {})
    if not isinstance(found, dict):
        raise MailError(f"the header {header} has a {type(found).__name__} as {name!r}: write a JSON object")
    return dict(found)


def folding_json(name: str, asked: Mapping[str, Any]) -> str:
    """JSON for a header: ASCII, with no blank inside a string, so that it may be folded at any of them.

    Nor is there a ``=?`` in it, which a renderer or a relay would take for an encoded word's beginning (RFC 2047
    section 2).

    Raises:
        MailError: one of its texts is too long for a line.
    """
    text = _JSON_STRING.sub(lambda found: _one_piece(found[0]), json.dumps(asked))
    longest = max(map(len, text.split(" ")))
    if longest > _LONGEST_PIECE:
        raise MailError(
            f"the header {name} has {longest} characters that cannot be folded, and a line carries {_LONGEST_PIECE}: "
            "shorten its texts"
        )
    return text


_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

_LONGEST_PIECE = 900  # RFC 5322 section 2.1.1 ends a line at 998, and the header's name stands on it too


def _one_piece(string: str) -> str:
    return string.replace(" ", r"\u0020").replace("=?", r"=\u003f")
