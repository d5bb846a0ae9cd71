"""A template as a sender writes it: everything that is the same for everybody in its final bytes, cut where it differs.

Who gets links tracked, a pixel or a link to unsubscribe is the sender's to say, so a template is compiled for the parts
of one `Preparation`. Its texts travel in quoted-printable, since that can be written in pieces; its links keep their
ids, whatever a person's values make of their URLs.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from html import escape

from attrs import evolve, field, frozen

from ._template_layout import Gap, Layout
from ._template_links import Thing, UnsubscribeLink, with_personal_links
from .body_encodings import Encoding, in_lines, quoted_printable
from .claims import Lead, Purpose
from .compiled_mail import CompiledMail, Reader
from .headers import Headers, require_writable
from .identifiers import DeliveryId
from .mail import Mail
from .merge_fields import Merged, Place, Slot
from .merging import FilledMail, MergeMail
from .mime import Part, body, boundary_mark, header, is_dotted, text_part
from .outgoing import WireForm
from .pieces import Pieces
from .ports import Marks
from .stand_ins import StandIns
from .tracking import Tracker
from .unsubscribe import Unsubscribe, require_no_placeholder, with_link


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
        unsubscribe_token = None if self.unsubscribe is None else self.unsubscribe.token(mail, delivery_id)
        reader = None if self.tracked is None else self.tracked.reader(delivery_id, mail.to.email)
        layout = self._layout(reader)
        head = header(mail, self._headers(mail, delivery_id, unsubscribe_token), delivery_id, at)
        tokens, links = self._tokens_and_links(layout, reader, mail.values)
        fields = [slot.place.written(mail.values[slot.name]) for slot in layout.fields]
        unsubscribe_links = self._unsubscribe_links(layout, unsubscribe_token)
        values = [*map(quoted_printable, (*links, *fields, *unsubscribe_links))]
        canonical = layout.canonical and _has_single_blanks(b"\n".join(values))
        return WireForm.written(layout.joined(head, tokens, values), dotted=self._dotted, canonical=canonical)

    def _headers(self, mail: FilledMail, delivery_id: DeliveryId, unsubscribe_token: str | None) -> Headers:
        headers = mail.headers
        if self.unsubscribe is not None and unsubscribe_token is not None:
            headers = self.unsubscribe.headers(headers, unsubscribe_token)
        for part in self.marks:
            headers = part.mark(headers, delivery_id)
        if headers is not mail.headers:
            require_writable(headers)
        return headers

    def _unsubscribe_links(self, layout: Layout, token: str | None) -> list[str]:
        if self.unsubscribe is None or token is None:
            return []
        link = self.unsubscribe.link(token)
        return [escape(link) if each is UnsubscribeLink.HTML else link for each in layout.unsubscribe_links]

    def _tokens_and_links(
        self, layout: Layout, reader: Reader | None, values: Mapping[str, str]
    ) -> tuple[list[str], list[str]]:
        if self.tracked is None or reader is None:
            return [], []
        if not layout.links:
            return self.tracked.tokens.issue_all(reader.asked(layout.tokens)), []
        found = self.tracked.found
        chosen = [(link, link.chosen(found.chooser, values)) for link in layout.links]
        led = [Lead(Purpose.CLICK, choice.target, link.link) for link, choice in chosen if choice.skipped is None]
        tokens = self.tracked.tokens.issue_all(reader.asked((*layout.tokens, *led)))
        number = len(layout.tokens)
        left = iter(tokens[number:])
        links = [link.led(found.chooser, choice, values, left) for link, choice in chosen]
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
            html = None if html is None else with_link(html, self.stand_ins.word(UnsubscribeLink.HTML))
            text = None if text is None else with_link(text, self.stand_ins.word(UnsubscribeLink.TEXT))
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
            content += quoted_printable(static), Gap.of(_in_text(thing) if is_text else thing)
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
        tracked=None if tracker is None else with_personal_links(tracker.compile(mail), mail, stand_ins),
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
