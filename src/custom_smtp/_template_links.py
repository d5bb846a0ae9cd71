"""The links of a template that differ from person to person: those with fields in them, and the one to unsubscribe."""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

from attrs import evolve, frozen

from .claims import Lead, Purpose
from .compiled_mail import CompiledMail
from .html import Link
from .link_rules import Choice, LinkChooser, Skip
from .mail import Mail
from .mail_links import Change, Part, SeenLink, led
from .merge_fields import Merged, Place, Slot, filled
from .pieces import Pieces
from .plain_text import TextLink
from .stand_ins import StandIns


class UnsubscribeLink(Enum):
    """The link to unsubscribe, as it stands in each part."""

    HTML = "html"
    TEXT = "text"


Thing = Slot | Lead | UnsubscribeLink
"""What is filled in for each person."""


@frozen(kw_only=True)
class PersonalLink(Lead):
    """A link with fields in it: only with a person's values is it known where it leads, and so what becomes of it.

    Attributes:
        seen: where it stands, and in which quotes.
        written: its value as it stands there.
        meant: its value as programs take it.
    """

    seen: Link | TextLink
    written: Merged
    meant: Merged

    def chosen(self, chooser: LinkChooser, values: Mapping[str, str]) -> Choice:
        """What becomes of it for one person."""
        return chooser.choose(filled(self.meant, values), self.link)

    def led(self, chooser: LinkChooser, choice: Choice, values: Mapping[str, str], tokens: Iterator[str]) -> str:
        """What stands in its place, with the next of the tokens if it is tracked."""
        if choice.skipped is not None:
            return filled(self.written, values)
        change = led(self.seen, self.link, choice, chooser)
        return f"{change.before}{next(tokens)}{change.after}"


def with_personal_links(compiled: CompiledMail, mail: Mail, stand_ins: StandIns[Thing]) -> CompiledMail:
    """A mail that was looked through, its links with fields in them left open."""
    found = compiled.found
    return evolve(
        compiled,
        found=evolve(
            found,
            in_html=_changes(found.in_html, mail.html or "", found.links, stand_ins, Part.HTML),
            in_text=_changes(found.in_text, mail.text or "", found.links, stand_ins, Part.TEXT),
        ),
    )


def _changes(
    changes: Iterable[Change], source: str, links: Iterable[SeenLink], stand_ins: StandIns[Thing], part: Part
) -> tuple[Change, ...]:
    """The changes of a part, those of links with fields in them made anew."""
    same = [each for each in changes if not any(stand_ins.found(source[each.start : each.end]))]
    personal = [
        Change(seen.start, seen.end, slot=link)
        for seen in links
        if seen.part is part and (link := _personal(seen, source, stand_ins)) is not None
    ]
    return tuple(sorted([*same, *personal], key=lambda change: change.start))


def _personal(seen: SeenLink, source: str, stand_ins: StandIns[Thing]) -> PersonalLink | None:
    """A link with fields in it; None where it has none, or is left alone whatever they say."""
    in_html = seen.part is Part.HTML
    written = _of_fields(stand_ins.cut(source[seen.start : seen.end]), Place.HTML_URL if in_html else Place.TEXT_URL)
    meant = _of_fields(stand_ins.cut(seen.url), Place.TEXT_URL)
    if written is None or meant is None or seen.skipped in _LEFT_ALONE:
        return None
    quote = source[seen.start - 1] if in_html else ""
    return PersonalLink(
        purpose=Purpose.CLICK,
        link=seen.link,
        seen=Link(seen.start, seen.end, quote, seen.url) if in_html else TextLink(seen.start, seen.end, seen.url),
        written=written,
        meant=meant,
    )


_LEFT_ALONE = frozenset({Skip.AMP_PART, Skip.OPTED_OUT, Skip.DOUBTFUL, Skip.UNSUBSCRIBE})
"""For a reason that no value changes."""

_IN_URLS = frozenset({Place.PATH, Place.QUERY, Place.ADDRESS, Place.HTML_URL})


def _of_fields(pieces: Pieces[str, Thing], whole: Place) -> Merged | None:
    """A link in pieces, if there are fields in it, and all of them where they belong."""
    slots = [thing for thing in pieces.slots if isinstance(thing, Slot) and thing.place in _IN_URLS]
    if not slots or len(slots) < len(pieces.slots):
        return None
    return Pieces(
        pieces.static, tuple(evolve(slot, place=whole) if slot.place is Place.HTML_URL else slot for slot in slots)
    )
