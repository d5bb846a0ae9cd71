"""A template as a sender writes it: everything that is the same for everybody in its final bytes, cut where it differs.

Who gets links tracked, a pixel or a link to unsubscribe is the sender's to say, so a template is compiled for the parts
of one `Preparation`. Its texts travel in quoted-printable, since that can be written in pieces; its links keep their
ids, whatever a person's values make of their URLs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from html import escape
from itertools import accumulate
from operator import itemgetter
from struct import Struct
from typing import Self

from attrs import evolve, field, frozen

from .body_encodings import QP_LINE, SOFT_BREAK, Encoding, in_lines, quoted_printable
from .claims import Lead, Purpose
from .compiled_mail import CompiledMail, Reader
from .dkim_canonical import has_blanks_to_relax
from .html import Link
from .identifiers import DeliveryId
from .link_rules import Choice, LinkChooser, Skip
from .mail import Headers, Mail, require_writable
from .mail_links import Change, MailLinks, SeenLink
from .mail_links import Part as Where
from .merging import FilledMail, Merged, MergeMail, Place, Slot, filled
from .mime import Part, body, boundary_mark, header, is_dotted, text_part
from .outgoing import WireForm
from .pieces import Pieces
from .plain_text import TextLink
from .ports import Marks
from .stand_ins import StandIns
from .tracking import Tracker
from .unsubscribe import Unsubscribe, require_no_placeholder, with_link


class Leaving(Enum):
    """The link to unsubscribe, as it stands in each part."""

    HTML = "html"
    TEXT = "text"


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

    def led(self, found: MailLinks, choice: Choice, values: Mapping[str, str], tokens: Iterator[str]) -> str:
        """What stands in its place, with the next of the tokens if it is tracked."""
        if choice.skipped is not None:
            return filled(self.written, values)
        change = found.change(self.seen, self.link, choice)
        return f"{change.before}{next(tokens)}{change.after}"


Thing = Slot | Lead | Leaving
"""What is filled in for each person."""


class _Gap(bytes):
    """Where something is filled in, among the bytes of a mail."""

    thing: Thing

    @classmethod
    def of(cls, thing: Thing) -> Self:
        gap = cls()
        gap.thing = thing
        return gap


@frozen
class Layout:
    """The bytes of a mail's body in pieces, and what is filled in between them, each thing in lines of its own.

    Attributes:
        static: the bytes that are the same for everybody.
        row: the whole body: the numbers of pieces, and of things behind these, in the order of the next four.
        tokens: what the tokens are for that stand there.
        links: the links with fields in them.
        fields: the values.
        leaving: the links to unsubscribe.
    """

    static: tuple[bytes, ...]
    row: tuple[int, ...]
    tokens: tuple[Lead, ...]
    links: tuple[PersonalLink, ...]
    fields: tuple[Slot, ...]
    leaving: tuple[Leaving, ...]
    canonical: bool = field(init=False)
    """Whether what is the same for everybody stands in every form that DKIM hashes (see `WireForm`)."""
    _lines_of: Callable[[tuple[int, ...]], "_Lines"] = field(init=False, repr=False, eq=False)

    @classmethod
    def of(cls, content: Iterable[bytes]) -> Self:
        """Of bytes with gaps among them."""
        row: list[bytes | Thing] = []
        run: list[bytes] = []
        for piece in content:
            if isinstance(piece, _Gap):
                row += [b"".join(run), piece.thing] if any(run) else [piece.thing]
                run = []
            else:
                run.append(piece)
        row.append(b"".join(run))
        static = tuple(each for each in row if isinstance(each, bytes))
        things = dict.fromkeys(each for each in row if not isinstance(each, bytes))
        tokens = tuple(each for each in things if isinstance(each, Lead) and not isinstance(each, PersonalLink))
        links = tuple(each for each in things if isinstance(each, PersonalLink))
        fields = tuple(each for each in things if isinstance(each, Slot))
        leaving = tuple(each for each in things if isinstance(each, Leaving))
        behind = {thing: place for place, thing in enumerate((*tokens, *links, *fields, *leaving), len(static))}
        pieces = iter(range(len(static)))
        numbers = tuple(next(pieces) if isinstance(each, bytes) else behind[each] for each in row)
        return cls(static, numbers, tokens, links, fields, leaving)

    def joined(self, head: bytes, tokens: Sequence[str], values: Iterable[bytes]) -> bytes:
        """The whole mail: its head, and its body with each thing wherever it stands.

        Args:
            head: the headers that stand in front of those of the body.
            tokens: one for each of ``tokens``.
            values: the links, fields and links to unsubscribe, in quoted-printable.
        """
        static = self.static
        if not self.row[1:]:
            return head + static[0]
        lines = self._lines_of(tuple(map(len, tokens)))
        whole = (head + static[0], *static[1:], *lines.cut("".join(tokens).encode()), *values)
        return SOFT_BREAK.join(lines.in_order(whole))

    @canonical.default
    def _hashed_as_it_stands(self) -> bool:
        ends_once = not (SOFT_BREAK + self.static[-1]).endswith(b"\n\r\n")  # all that is written here ends with CRLF
        return ends_once and not any(has_blanks_to_relax(piece + SOFT_BREAK) for piece in self.static)

    @_lines_of.default
    def _of_few_lengths(self) -> Callable[[tuple[int, ...]], "_Lines"]:
        # Tokens of one mail are as long as those of another whose recipient's address is.
        return lru_cache(maxsize=256)(self._lines)

    def _lines(self, lengths: tuple[int, ...]) -> "_Lines":
        """Tokens of these lengths in lines, and the row then: the numbers of pieces, lines and values."""
        lines = [[QP_LINE] * (length // QP_LINE) + [length % QP_LINE] * (length % QP_LINE > 0) for length in lengths]
        values = len(self.links) + len(self.fields) + len(self.leaving)
        counts = [1] * len(self.static) + [len(each) for each in lines] + [1] * values
        ends = [*accumulate(counts, initial=0)]
        numbers = [number for each in self.row for number in range(ends[each], ends[each + 1])]
        cutter = Struct("".join([f"{octets}s" for each in lines for octets in each]))
        return _Lines(cutter.unpack, itemgetter(*numbers))


@frozen
class _Lines:
    """Cuts all tokens into lines at one go, and puts all in order, which is quicker than one by one."""

    cut: Callable[[bytes], tuple[bytes, ...]]
    in_order: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]


@frozen(kw_only=True)
class CompiledTemplate:
    """A template for the parts of one sender: `compile_template` makes it.

    Attributes:
        mail: its mail, with stand-ins for the fields.
        stand_ins: what these stand for.
        tracked: its mail looked through for links; None where none are tracked.
        unsubscribe: gives it the headers and the link to unsubscribe.
        marks: mark it for the provider, and for what comes back by mail.
    """

    mail: Mail
    stand_ins: StandIns[Thing] = field(repr=False)
    tracked: CompiledMail | None = field(repr=False)
    unsubscribe: Unsubscribe | None
    marks: tuple[Marks, ...]
    _mark: str = field(init=False, repr=False)
    _dotted: bool = field(init=False, repr=False)
    _layouts: dict[tuple[bool, bool, bool], Layout] = field(init=False, repr=False, eq=False, factory=dict)

    @_mark.default
    def _mark_of_all(self) -> str:
        told = "\0".join((self.mail.subject, self.mail.text or "", self.mail.html or ""))
        return boundary_mark(self.mail, sha256(told.encode()).hexdigest()[:16])

    @_dotted.default
    def _dotted_for_all(self) -> bool:
        return is_dotted(self.mail)

    def written(self, mail: FilledMail, delivery_id: DeliveryId, at: datetime) -> WireForm:
        """The whole mail for one person, as it is archived, signed and sent.

        Raises:
            MailError: a header contradicts the provider's mark.
            TokenError: a link is too long for a token.
            ArchiveError: what a short token stands for could not be kept.
        """
        leaving = None if self.unsubscribe is None else self.unsubscribe.token(mail, delivery_id)
        reader = None if self.tracked is None else self.tracked.reader(delivery_id, mail.to.email)
        layout = self._layout(reader)
        head = header(mail, self._headers(mail, delivery_id, leaving), delivery_id, at)
        tokens, links = self._tokens_and_links(layout, reader, mail.values)
        fields = [slot.place.written(mail.values[slot.name]) for slot in layout.fields]
        links_to_leave = [self._link_to_leave(each, leaving) for each in layout.leaving]
        values = [*map(quoted_printable, (*links, *fields, *links_to_leave))]
        canonical = layout.canonical and _has_single_blanks(b"\n".join(values))
        return WireForm.written(layout.joined(head, tokens, values), dotted=self._dotted, canonical=canonical)

    def _headers(self, mail: FilledMail, delivery_id: DeliveryId, leaving: str | None) -> Headers:
        headers = mail.headers
        if self.unsubscribe is not None and leaving is not None:
            headers = self.unsubscribe.headers(headers, leaving)
        for part in self.marks:
            headers = part.mark(headers, delivery_id)
        if headers is not mail.headers:
            require_writable(headers)
        return headers

    def _link_to_leave(self, where: Leaving, token: str | None) -> str:
        if self.unsubscribe is None or token is None:
            raise AssertionError("a layout has this link only where there is one")
        link = self.unsubscribe.link(token)
        return escape(link) if where is Leaving.HTML else link

    def _tokens_and_links(
        self, layout: Layout, reader: Reader | None, values: Mapping[str, str]
    ) -> tuple[list[str], list[str]]:
        if self.tracked is None or reader is None:
            return [], []
        found = self.tracked.found
        chosen = [(link, link.chosen(found.chooser, values)) for link in layout.links]
        led = [Lead(Purpose.CLICK, choice.target, link.link) for link, choice in chosen if choice.skipped is None]
        tokens = self.tracked.tokens.issue_all(reader.asked((*layout.tokens, *led)))
        number = len(layout.tokens)
        left = iter(tokens[number:])
        links = [link.led(found, choice, values, left) for link, choice in chosen]
        return tokens[:number], links

    def _layout(self, reader: Reader | None) -> Layout:
        key = (False, False, False) if reader is None else (reader.opens, reader.clicks, reader.honeypot)
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._layouts[key] = self._laid_out(*key)
        return layout

    def _laid_out(self, opens: bool, clicks: bool, honeypot: bool) -> Layout:
        html, text = self.mail.html, self.mail.text
        if self.tracked is not None:
            version = self.tracked.version(opens=opens, clicks=clicks, honeypot=honeypot)
            html, text = self._with_words(version.html), self._with_words(version.text)
        if self.unsubscribe is not None:
            html = None if html is None else with_link(html, self.stand_ins.word(Leaving.HTML))
            text = None if text is None else with_link(text, self.stand_ins.word(Leaving.TEXT))
        return Layout.of(body(evolve(self.mail, html=html, text=text), self._mark, self._in_pieces))

    def _with_words(self, pieces: Pieces[str, Lead] | None) -> str | None:
        return None if pieces is None else pieces.filled([self.stand_ins.word(slot) for slot in pieces.slots])

    def _in_pieces(self, content_type: str, text: str) -> Part:
        """A part of a mail in quoted-printable, with gaps, if it has a stand-in."""
        pieces = self.stand_ins.cut(in_lines(text))
        if not pieces.slots:
            return text_part(content_type, text)
        is_text = content_type.startswith("text/plain")
        content: list[bytes] = []
        for static, thing in zip(pieces.static[:-1], pieces.slots, strict=True):
            content += quoted_printable(static), _Gap.of(_in_text(thing) if is_text else thing)
        encoding = Encoding.QUOTED_PRINTABLE.value
        return Part(
            # Whatever the text is, the values may be anything.
            f"Content-Type: {content_type.replace('us-ascii', 'utf-8')}\r\nContent-Transfer-Encoding: {encoding}\r\n",
            (*content, quoted_printable(pieces.static[-1])),
        )


def _has_single_blanks(values: bytes) -> bool:
    return b"  " not in values and b"\t" not in values


def _in_text(thing: Thing) -> Thing:
    return evolve(thing, place=Place.TEXT_URL) if isinstance(thing, Slot) and thing.place is Place.HTML_URL else thing


# --- Compiled ---------------------------------------------------------------------------------------------------------


def compile_template(
    merge: MergeMail,
    *,
    tracker: Tracker | None,
    unsubscribe: Unsubscribe | None,
    marks: tuple[Marks, ...],
    text_from_html: bool,
) -> CompiledTemplate:
    """A template for these parts of a sender; see `Preparation`.

    Raises:
        MailError: the placeholder of the link to unsubscribe stands in a mail that goes out without.
    """
    text = merge.text if merge.text is not None or not text_from_html else merge.text_of_html
    static = [piece for part in (merge.html, text, merge.amp) if part is not None for piece in part.static]
    stand_ins: StandIns[Thing] = StandIns.beside([*static, *(value for _, value in merge.mail.headers)])
    mail = evolve(
        merge.mail,
        headers=[(name, _marked(value, stand_ins)) for name, value in merge.headers],
        html=None if merge.html is None else _marked(merge.html, stand_ins),
        text=None if text is None else _marked(text, stand_ins),
        amp=None if merge.amp is None else _marked(merge.amp, stand_ins),
    )
    if unsubscribe is not None and unsubscribe.stream_of(mail) is None:
        require_no_placeholder(mail)
        unsubscribe = None
    return CompiledTemplate(
        mail=mail,
        stand_ins=stand_ins,
        tracked=None if tracker is None else _tracked(mail, tracker, stand_ins),
        unsubscribe=unsubscribe,
        marks=marks,
    )


def _marked(merged: Merged, stand_ins: StandIns[Thing]) -> str:
    """The text with stand-ins; a whole URL has the same one in each part, so that it is known for the same."""
    return merged.filled(
        [
            stand_ins.url(Slot(slot.name, Place.HTML_URL)) if slot.place in _WHOLE else stand_ins.word(slot)
            for slot in merged.slots
        ]
    )


_WHOLE = (Place.HTML_URL, Place.TEXT_URL)


def _tracked(mail: Mail, tracker: Tracker, stand_ins: StandIns[Thing]) -> CompiledMail:
    """The mail looked through, its links with fields in them left open."""
    compiled = tracker.compile(mail)
    found = compiled.found
    found.in_html[:] = _with_personal(found.in_html, mail.html or "", found.links, stand_ins, Where.HTML)
    found.in_text[:] = _with_personal(found.in_text, mail.text or "", found.links, stand_ins, Where.TEXT)
    return compiled


def _with_personal(
    changes: Iterable[Change], source: str, links: Iterable[SeenLink], stand_ins: StandIns[Thing], part: Where
) -> list[Change]:
    """The changes of a part, those of links with fields in them made anew."""
    same = [each for each in changes if not any(stand_ins.found(source[each.start : each.end]))]
    personal = [
        Change(seen.start, seen.end, slot=link)
        for seen in links
        if seen.part is part and (link := _personal(seen, source, stand_ins)) is not None
    ]
    return sorted([*same, *personal], key=lambda change: change.start)


def _personal(seen: SeenLink, source: str, stand_ins: StandIns[Thing]) -> PersonalLink | None:
    """A link with fields in it; None where it has none, or is left alone whatever they say."""
    in_html = seen.part is Where.HTML
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
