"""The merge fields of a mail: found in its headers and texts, and each told its place."""

import re
from collections.abc import Collection, Iterable, Iterator

from attrs import evolve

from .checks import MailError
from .headers import is_free_text
from .html import tags
from .html_places import html_places, url_place
from .html_text import text_of
from .mail import Mail
from .merge_fields import FoundField, Merged, Place, Slot, fields_in
from .merging import MergeMail
from .pieces import Cut, cut
from .stand_ins import StandIns
from .text_places import places_in_text_of_html, text_places


def merge_mail(mail: Mail) -> MergeMail:
    """The mail with every field found, and told where it stands.

    Raises:
        MailError: a field stands where no value could be written safely, or is not well written.
    """
    _require_none_elsewhere(mail)
    html = None if mail.html is None else _in_html(mail.html, "the HTML", [(0, len(mail.html))])
    amp = None if mail.amp is None else _in_html(mail.amp, "the AMP", _outside_templates(mail.amp))
    urls = {slot.name for part in (html, amp) if part for slot in part.slots if slot.place is Place.HTML_URL}
    subject = _in_header(mail.subject, "the subject")
    sender_name = _in_header(mail.sender.name, "the sender's name")
    reply_to_name = _in_header("" if mail.reply_to is None else mail.reply_to.name, "the name in reply_to")
    headers = tuple((name, _in_header(value, f"the header {name}", name)) for name, value in mail.headers)
    return MergeMail(
        mail=_for_everybody(mail, subject, sender_name, reply_to_name, headers),
        subject=subject,
        sender_name=sender_name,
        reply_to_name=reply_to_name,
        headers=headers,
        text=None if mail.text is None else _in_text(mail.text, urls),
        html=html,
        amp=amp,
        text_of_html=None if html is None or mail.text is not None else _text_of(html, urls),
        smtputf8=evolve(mail, to=mail.sender).smtputf8,
    )


def _for_everybody(
    mail: Mail,
    subject: Merged,
    sender_name: Merged,
    reply_to_name: Merged,
    headers: Iterable[tuple[str, Merged]],
) -> Mail:
    """The mail with whatever has no field as everybody gets it: ``{{`` where ``{{{{`` was written."""
    return evolve(
        mail,
        subject=_unless_filled(subject, mail.subject),
        sender=evolve(mail.sender, name=_unless_filled(sender_name, mail.sender.name)),
        reply_to=mail.reply_to and evolve(mail.reply_to, name=_unless_filled(reply_to_name, mail.reply_to.name)),
        headers=[
            (name, _unless_filled(merged, value))
            for (name, value), (_, merged) in zip(mail.headers, headers, strict=True)
        ],
    )


def _unless_filled(merged: Merged, source: str) -> str:
    """The text as everybody gets it; as it was written where it has a field."""
    return source if merged.slots else merged.static[0]


def _require_none_elsewhere(mail: Mail) -> None:
    """No field in what is the same for everybody."""
    people = (mail.sender, mail.reply_to, mail.bounces_to)
    texts = [person.email for person in people if person is not None]
    texts += [text for person in (*mail.shown_to, *mail.shown_cc) for text in (person.email, person.name)]
    texts += [one.name for one in mail.attachments]
    texts += [] if mail.invitation is None else [mail.invitation.calendar, mail.invitation.name]
    for text in texts:
        if found := _FIELD.search(text):
            raise MailError(
                f"the field {found[0]} stands in an address, a file's name or an invitation, which are the same for "
                "everybody: write it out, or make a Mail for each person"
            )


_FIELD = re.compile(r"\{\{ *[A-Za-z_][A-Za-z0-9_]* *\}\}")


def _in_header(text: str, what: str, header: str = "") -> Merged:
    found = tuple(fields_in(text, what))
    return _merged(text, found, [_header_place(text, each, header, what) for each in found if each.name])


def _header_place(text: str, found: FoundField, header: str, what: str) -> Place:
    """Headers for people take any text; those that programs read take it where it cannot be more than that."""
    if not header or is_free_text(header) or header.lower() in _MESSAGE_IDS:
        return Place.HEADER
    if header.lower().startswith("list-") and (place := _place_in_list_url(text, found, what)):
        return place
    if _is_in_quotes(text, found.start):
        return Place.JSON if text.lstrip().startswith(("{", "[")) else Place.QUOTES
    return Place.HEADER if text == text[found.start : found.end] else Place.STRUCTURE


def _is_in_quotes(text: str, at: int) -> bool:
    return _QUOTE.findall(text, 0, at).count('"') % 2 == 1


_QUOTE = re.compile(r'\\.|"')

_MESSAGE_IDS = ("in-reply-to", "references")
"""Headers that a field may add whole ids to, angle brackets and all; nobody is written to for that."""


def _place_in_list_url(text: str, found: FoundField, what: str) -> Place | None:
    """In angle brackets the List headers have URLs (RFC 2369)."""
    begun, end = text.rfind("<", 0, found.start), text.find(">", found.end)
    if begun <= text.rfind(">", 0, found.start) or end < 0:
        return None
    try:
        return url_place(text[begun + 1 : found.start], text[found.end : end], Place.TEXT_URL)
    except MailError as error:
        raise MailError(f"{what} has the field {found.name} {error}") from error


def _in_html(html: str, what: str, stretches: Iterable[tuple[int, int]]) -> Merged:
    found = [each for start, end in stretches for each in fields_in(html, what, start, end)]
    return _merged(html, found, html_places(html, [each for each in found if each.name], what))


def _outside_templates(amp: str) -> Iterator[tuple[int, int]]:
    """The stretches of an AMP part outside of AMP's own templates, whose braces are not ours."""
    begun, inside = 0, ""
    for tag in tags(amp):
        if not inside and not tag.closing and tag.name in ("template", "script"):
            yield begun, tag.end
            inside = tag.name
        elif tag.closing and tag.name == inside:
            begun, inside = tag.start, ""
    if not inside:
        yield begun, len(amp)


def _in_text(text: str, urls: Collection[str]) -> Merged:
    """A field that is a whole URL in the HTML is one in the text too, where programs would make a link of it."""
    found = tuple(fields_in(text, "the text"))
    stand_ins: StandIns[str] = StandIns.beside((text,))
    cuts = [Cut[Slot](each.start, each.end, _stand_in(each.name, urls, stand_ins)) for each in found]
    marked = cut(text, cuts).static[0]
    return _merged(text, found, text_places(marked, tuple(stand_ins.found(marked))))


def _stand_in(name: str, urls: Collection[str], stand_ins: StandIns[str]) -> str:
    if not name:
        return _BRACES
    return stand_ins.url(name) if name in urls else stand_ins.word(name)


def _text_of(html: Merged, urls: Collection[str]) -> Merged | None:
    """The text that the HTML gives; None where it gives none."""
    stand_ins: StandIns[str] = StandIns.beside(html.static)
    addresses: StandIns[str] = StandIns.beside([*html.static, stand_ins.mark])
    text = text_of(html.filled([_in_words(slot, urls, stand_ins, addresses) for slot in html.slots]))
    if not text:
        return None
    found = [*stand_ins.found(text)]
    places = dict(zip(found, places_in_text_of_html(text, found), strict=True))
    places |= dict.fromkeys(addresses.found(text), Place.ADDRESS)
    cuts = [Cut(each.start, each.end, slot=Slot(each.thing, place)) for each, place in places.items()]
    return cut(text, sorted(cuts, key=lambda one: one.start))


def _in_words(slot: Slot, urls: Collection[str], stand_ins: StandIns[str], addresses: StandIns[str]) -> str:
    if slot.place is Place.ADDRESS:
        return addresses.word(slot.name)
    # Only among words, and as a whole URL, can it be shown whole.
    return _stand_in(slot.name, urls if slot.place in (Place.HTML, Place.HTML_URL) else (), stand_ins)


def _merged(text: str, found: Iterable[FoundField], places: Iterable[Place]) -> Merged:
    """The text, cut where its fields are, whose places are told."""
    left = iter(places)
    return cut(
        text,
        [
            Cut(each.start, each.end, slot=Slot(each.name, next(left)))
            if each.name
            else Cut(each.start, each.end, _BRACES)
            for each in found
        ],
    )


_BRACES = "{{"
