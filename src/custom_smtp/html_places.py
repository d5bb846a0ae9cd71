"""Where a field stands in HTML, and so how its value must be written; refused where no writing would be safe.

Places are told as mail programs read the page: by `html.tags`, Outlook's conditional comments included.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from .checks import MailError
from .html import Tag, decode, tags
from .merge_fields import FoundField, Place
from .urls import followed

_URLS = frozenset(
    name
    for names in (
        "action background cite data formaction href longdesc poster src usemap xlink:href",
        "archive classid codebase dynsrc lowsrc manifest profile",  # of old, which some programs still know
    )
    for name in names.split()
)
_CODE = {
    "style": 'write a style for each case, and choose by the class: class="{{ kind }}"',
    "srcdoc": "leave that out: mail programs do",
    "srcset": "use src, which every mail program knows",
    "imagesrcset": "leave that out: mail programs do",
    "ping": "leave that out: mail programs do",
    "http-equiv": "leave that out: mail programs do",
    "data-track": "write it out, so that the links of all are led alike",
    "data-track-id": "write it out, so that a link has one name in reports, whoever follows it",
}
"""Attributes in which no field may stand, and what to do."""

_CODE_BEGINS = ("on", "[", "data-amp-bind-")
"""How the names of those begin that hold a program, or an expression of AMP's (amp.dev, "amp-bind")."""

_SETTERS = frozenset(["animate", "set"])
"""Elements of SVG that give another one's attribute a value, a link's target for example."""

_REPLACED_TEXT = ("title", "textarea")
_WRITTEN_OUT = "write it out"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BEHIND_THE_HOST = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]{2}[^/\\?#]+[/\\?#]")
_HIERARCHY = ("http", "https")
_ADDRESSES = ("mailto", "tel", "sms", "callto", "smsto")
_SCRIPTS = ("javascript", "vbscript", "data")


def html_places(html: str, found: Sequence[FoundField], what: str) -> list[Place]:
    """The place of each field, in their order.

    Raises:
        MailError: one stands where its value could be more than text; the message says what to do.
    """
    page = list(tags(html))
    starts = [tag.start for tag in page]
    before = [bisect_right(starts, each.start) - 1 for each in found]
    inside = [at >= 0 and each.start < page[at].end for each, at in zip(found, before, strict=True)]
    shown = _shown_as_text(html, [each for each, within in zip(found, inside, strict=True) if not within])
    places = []
    for each, at, within in zip(found, before, inside, strict=True):
        last = page[at] if at >= 0 else None
        try:
            if last is not None and within:
                places.append(_in_tag(html, each, last))
            else:
                places.append(_between_tags(html, each, last, shown=each.start in shown))
        except MailError as error:
            raise MailError(f"{what} has the field {each.name} {error}") from error
    return places


def _shown_as_text(html: str, found: Sequence[FoundField]) -> set[int]:
    """The fields that stand where text is: where a tag would be one."""
    probe = next(name for name in _probes() if f"<{name}>" not in html)
    pieces: list[str] = []
    lengths, at = [0], 0
    for each in found:
        pieces += html[at : each.start], f"<{probe}>"
        lengths.append(lengths[-1] + each.start - at)
        at = each.end
    tried = "".join([*pieces, html[at:]])
    width = len(probe) + 2
    begins = {
        length + width * number: each.start
        for number, (length, each) in enumerate(zip(lengths[1:], found, strict=True))
    }
    return {begins[tag.start] for tag in tags(tried) if tag.name == probe and tag.start in begins}


def _probes() -> Iterator[str]:
    name = "field"
    while True:
        yield name
        name += "-x"


def _between_tags(html: str, found: FoundField, last: Tag | None, *, shown: bool) -> Place:
    if html.startswith("<", found.start - 1) and found.start:
        raise MailError(f"as the name of a tag: {_WRITTEN_OUT}")
    name = "" if last is None or last.closing else last.name
    if name in ("style", "script"):
        raise MailError(f"in a {name}, where it could be anything: {_WRITTEN_OUT}, one for each case")
    if not (shown or name in _REPLACED_TEXT):
        raise MailError("in a comment, or where no text is shown: take it out there")
    return Place.HTML


def _in_tag(html: str, found: FoundField, tag: Tag) -> Place:
    value = next((each for each in tag.values() if each.start <= found.start and found.end <= each.end), None)
    if value is None:
        raise MailError(f"in a tag, and not in a value there: {_WRITTEN_OUT}, or put it into a quoted value")
    if not value.quote:
        raise MailError(f'in the value of {value.name} without quotes: write {value.name}="..."')
    instead = _instead(value.name, tag)
    if instead is not None:
        raise MailError(f"in {value.name}, where it could be more than text: {instead}")
    if value.name not in _URLS:
        return Place.HTML
    return url_place(decode(html[value.start : found.start]), decode(html[found.end : value.end]), Place.HTML_URL)


def _instead(name: str, tag: Tag) -> str | None:
    """What to do in place of a field in the value of an attribute; None where it may stand."""
    if name.startswith(_CODE_BEGINS) or tag.name in _SETTERS:
        return _WRITTEN_OUT
    if name == "content" and "http-equiv" in tag.attributes():  # with "refresh", it leads elsewhere
        return _CODE["http-equiv"]
    return _CODE.get(name)


def url_place(before: str, after: str, whole: Place) -> Place:
    """The place of a field in a URL, given what stands there before and behind it; ``whole`` where that is nothing.

    Raises:
        MailError: it could be the scheme or the host, or code.
    """
    before = followed(f"{before}|")[:-1]
    scheme = _SCHEME.match(before)
    name = scheme[1].lower() if scheme else ""
    if name in _SCRIPTS:
        raise MailError(f"in a link of the scheme {name}: lead it to a page")
    if name in _ADDRESSES:
        return Place.ADDRESS
    if not before and not followed(after):
        return whole
    relative = not scheme and not before.startswith(("//", "/\\", "\\")) and before.startswith(("/", "?", "#"))
    other = scheme is not None and name not in _HIERARCHY and not before.startswith("//", scheme.end())
    if not (relative or other or _BEHIND_THE_HOST.match(before)):
        raise MailError(
            'in a URL\'s scheme or host: write these out, or give the whole URL as one field, as in href="{{ url }}"'
        )
    return Place.QUERY if "?" in before or "#" in before else Place.PATH
