"""Where a field stands in plain text: in a URL that mail programs make a link of, as one, or among words."""

from collections.abc import Iterator, Sequence

from .checks import MailError
from .html_places import url_place
from .merge_fields import Place
from .plain_text import TextLink, clickable
from .stand_ins import StandIn


def text_places(marked: str, found: Sequence[StandIn[str]]) -> list[Place]:
    """The place of each field, in their order.

    Args:
        marked: the text, with a stand-in for each field: for a whole URL where it can be one.
        found: these stand-ins, with the names of the fields.

    Raises:
        MailError: one stands in the scheme or the host of a URL.
    """
    places = []
    for each, place in zip(found, _places(marked, found), strict=True):
        if isinstance(place, MailError):
            raise MailError(f"the text has the field {each.thing} {place}") from place
        places.append(place)
    return places


def places_in_text_of_html(marked: str, found: Sequence[StandIn[str]]) -> list[Place]:
    """The same in a text that was made of HTML, in which a field that cannot be part of a URL is a word."""
    return [place if place in _OF_URLS else Place.WORDS for place in _places(marked, found)]


_OF_URLS = (Place.PATH, Place.QUERY, Place.TEXT_URL)


def _places(marked: str, found: Sequence[StandIn[str]]) -> Iterator[Place | MailError]:
    links = clickable(marked, doubtful=True)
    link: TextLink | None = next(links, None)
    for each in found:
        while link is not None and link.end <= each.start:
            link = next(links, None)
        if link is None or each.start < link.start:
            yield Place.TEXT
            continue
        try:
            yield url_place(marked[link.start : each.start], marked[each.end : link.end], Place.TEXT_URL)
        except MailError as error:
            yield error
