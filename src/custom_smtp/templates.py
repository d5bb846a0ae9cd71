"""Templates: one mail for many people, compiled once and filled in for each.

``{{ name }}`` in a mail's subject, its texts, the names of its sender and of whom answers go to, and the values of its
further headers is a field. There is nothing else: no conditions and no loops; what needs them is rendered before, by
Jinja2 for example, and comes as a mail of its own. A value is escaped for where it stands, which is found out once.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from attrs import evolve, field, frozen

from .addresses import Address
from .checks import ConfigurationError, MailError, shown
from .headers import Headers, is_free_text
from .html import tags
from .html_places import html_places, url_place
from .html_text import text_of
from .mail import Mail
from .merge_fields import (
    FoundField,
    Merged,
    Place,
    Slot,
    Value,
    fields_in,
    filled,
    one_line_value,
    plain_value,
    text_of_value,
)
from .merging import FilledMail, MergeMail
from .pieces import Cut, cut
from .stand_ins import StandIns
from .text_places import places_in_text_of_html, text_places
from .urls import followed, location


def _a_mail(mail: Mail) -> Mail:
    # Checked before anything is looked for in it, which attrs' validators come too late for.
    if not isinstance(mail, Mail):
        raise MailError(f"a template is made of a Mail, and this is {type(mail).__name__}: write Template(Mail(...))")
    return mail


def _names(fields: Iterable[str] | None) -> frozenset[str] | None:
    if fields is None:
        return None
    if isinstance(fields, str) or not isinstance(fields, Iterable):
        raise ConfigurationError(f"fields is {shown(fields)}, not several names: write fields=['name']")
    return frozenset(fields)


@frozen(eq=False)
class Template:
    """A mail with fields, such as ``{{ name }}``, that is filled in for each person.

    All that is the same for everybody is found out and written once; hand what `fill` gives to a sender. ``{{{{`` is
    what stands for two braces, and ``{{unsubscribe_url}}`` is no field (see `Unsubscribe`).

    Attributes:
        mail: the mail, fields and all. Its addressee plays no part.
        fields: the fields that may stand in it; None for any.

    Raises:
        MailError: a field stands where its value could not be written safely, is none of ``fields``, or is not well
            written; the message says what to do.
    """

    mail: Mail = field(converter=_a_mail)
    fields: frozenset[str] | None = field(default=None, converter=_names)
    merge: MergeMail = field(init=False, repr=False)
    names: tuple[str, ...] = field(init=False)
    """The fields that each person must have a value for."""
    _in_headers: frozenset[str] = field(init=False, repr=False)
    _in_structure: frozenset[str] = field(init=False, repr=False)
    _as_urls: frozenset[str] = field(init=False, repr=False)
    _in_paths: frozenset[str] = field(init=False, repr=False)
    _fills_headers: bool = field(init=False, repr=False)

    @merge.default
    def _found(self) -> MergeMail:
        return _merge_mail(self.mail)

    @names.default
    def _of_fields(self) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(slot.name for slot in self.merge.slots))
        if self.fields is not None and (unknown := [name for name in names if name not in self.fields]):
            raise MailError(
                f"the mail has the field {unknown[0]}, which is none of {', '.join(sorted(self.fields)) or 'no fields'}"
                ": correct it, or add it to Template(fields=...)"
            )
        return names

    @_in_headers.default
    def _names_in_headers(self) -> frozenset[str]:
        return self._names_in(Place.HEADER, Place.STRUCTURE, Place.QUOTES, Place.JSON)

    @_in_structure.default
    def _names_in_structure(self) -> frozenset[str]:
        return self._names_in(Place.STRUCTURE)

    @_as_urls.default
    def _names_as_urls(self) -> frozenset[str]:
        return self._names_in(Place.HTML_URL, Place.TEXT_URL)

    @_in_paths.default
    def _names_in_paths(self) -> frozenset[str]:
        return self._names_in(Place.PATH)

    @_fills_headers.default
    def _a_header_has_a_field(self) -> bool:
        return any(value.slots for _, value in self.merge.headers)

    def _names_in(self, *places: Place) -> frozenset[str]:
        return frozenset(slot.name for slot in self.merge.slots if slot.place in places)

    def fill(self, to: Address, values: Mapping[str, Value], /) -> FilledMail:
        """The mail for one person.

        Args:
            to: who it is for.
            values: what the fields say, by their names. What is not a field of this mail is passed over.

        Raises:
            MailError: a field has no value, or one that cannot stand where it has to; the message names it.
        """
        if not isinstance(to, Address):
            raise MailError(f"the mail is to {shown(to)}: write Address.parse('Ada <ada@example.net>')")
        said = {name: self._said(name, values) for name in self.names}
        merge, mail = self.merge, self.merge.mail
        return FilledMail(
            merge=merge,
            values=said,
            to=to,
            sender=_named(mail.sender, merge.sender_name, said),
            reply_to=None if mail.reply_to is None else _named(mail.reply_to, merge.reply_to_name, said),
            subject=filled(merge.subject, said) if merge.subject.slots else mail.subject,
            headers=self._headers(said),
        )

    def _headers(self, said: Mapping[str, str]) -> Headers:
        if not self._fills_headers:
            return self.merge.mail.headers
        return tuple((name, filled(value, said)) for name, value in self.merge.headers)

    def _said(self, name: str, values: Mapping[str, Value]) -> str:
        try:
            value = text_of_value(name, values[name])
        except KeyError as error:
            raise MailError(f"the field {name} has no value: give one, even if that is an empty text") from error
        if name in self._in_headers:
            one_line_value(name, value)
        if name in self._in_structure:
            plain_value(name, value)
        if name in self._as_urls:
            _require_url(name, value)
        if name in self._in_paths and value in (".", ".."):
            raise MailError(
                f"the field {name} is {value!r} in the path of a URL, and would lead to another: correct it"
            )
        return value


def _require_url(name: str, value: str) -> None:
    if followed(value) != value or " " in value or location(value) is None or not set(value).isdisjoint('<>"'):
        raise MailError(
            f"the field {name} is {shown(value)}, and stands where a URL must be: give one whole, with http or https, "
            "spaces percent-encoded"
        )


def _named(address: Address, name: Merged, values: Mapping[str, str]) -> Address:
    return evolve(address, name=filled(name, values)) if name.slots else address


# --- The fields, found ------------------------------------------------------------------------------------------------


def _merge_mail(mail: Mail) -> MergeMail:
    _require_none_elsewhere(mail)
    html = None if mail.html is None else _in_html(mail.html, "the HTML", [(0, len(mail.html))])
    amp = None if mail.amp is None else _in_html(mail.amp, "the AMP", _outside_templates(mail.amp))
    urls = {slot.name for part in (html, amp) if part for slot in part.slots if slot.place is Place.HTML_URL}
    subject = _in_header(mail.subject, "the subject")
    sender_name = _in_header(mail.sender.name, "the sender's name")
    reply_to_name = _in_header("" if mail.reply_to is None else mail.reply_to.name, "the name in reply_to")
    headers = tuple((name, _in_header(value, f"the header {name}", name)) for name, value in mail.headers)
    same = evolve(
        mail,
        subject=_unless_filled(subject, mail.subject),
        sender=evolve(mail.sender, name=_unless_filled(sender_name, mail.sender.name)),
        reply_to=mail.reply_to and evolve(mail.reply_to, name=_unless_filled(reply_to_name, mail.reply_to.name)),
        headers=[
            (name, _unless_filled(merged, value))
            for (name, value), (_, merged) in zip(mail.headers, headers, strict=True)
        ],
    )
    return MergeMail(
        mail=same,
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


def _unless_filled(merged: Merged, source: str) -> str:
    """What is the same for everybody."""
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
