"""A mail in which everything has been found that tracking changes, so that filling it for a person joins pieces."""

from collections.abc import Callable, Sequence

from attrs import evolve, field, frozen

from .claims import HONEYPOT, Claim, Lead, Purpose
from .finished import Sendable
from .identifiers import DeliveryId
from .mail import Mode, Tracking
from .mail_links import Change, MailLinks, SeenLink
from .pieces import Pieces, cut
from .ports import LinkTokens


@frozen(slots=False)  # twice as fast to make, and each person gets one
class Filled:
    """A mail's parts, for one person; None where it has no such part."""

    html: str | None
    text: str | None


@frozen
class Version:
    """A mail in pieces, for those whose opens are tracked, or not, and whose clicks are, or not.

    Attributes:
        html: the pieces of the HTML; None where there is none.
        text: the pieces of the text; None where there is none.
        slots: what tokens are needed for, those of the HTML first.
    """

    html: Pieces[str, Lead] | None
    text: Pieces[str, Lead] | None
    slots: tuple[Lead, ...] = field(init=False, repr=False, eq=False)

    @slots.default
    def _all_slots(self) -> tuple[Lead, ...]:
        return tuple(slot for pieces in (self.html, self.text) if pieces for slot in pieces.slots)

    def joined(self, tokens: Sequence[str]) -> Filled:
        """The parts, with a token in each slot, in the order of ``slots``.

        Raises:
            MailError: there are more or fewer tokens than slots.
        """
        html, text = self.html, self.text
        in_html = len(html.slots) if html else 0
        return Filled(html.filled(tokens[:in_html]) if html else None, text.filled(tokens[in_html:]) if text else None)


@frozen(kw_only=True, slots=False)
class Reader:
    """How one person's mail is tracked.

    Attributes:
        opens: whether it gets a pixel.
        clicks: whether its links are led over our host.
        honeypot: whether it gets the hidden link.
        opened: what a token of the pixel says.
        clicked: what a token of a link says, but for where it leads.
    """

    opens: bool
    clicks: bool
    honeypot: bool
    opened: Claim
    clicked: Claim

    def asked(self, leads: Sequence[Lead]) -> list[tuple[Claim, Sequence[Lead]]]:
        """The tokens of leads, as `LinkTokens.issue_all` is asked for them."""
        if self.opened is self.clicked:
            return [(self.clicked, leads)]
        return [(self.opened if lead.purpose is Purpose.OPEN else self.clicked, (lead,)) for lead in leads]


@frozen(kw_only=True)
class CompiledMail:
    """A mail in which everything has been found that tracking changes, to be filled for each person.

    Made by `Tracker.compile`. The addressee of ``mail`` plays no part in it: it may stand for all who get the mail.

    Attributes:
        mail: as it was written.
        tracking: what the mail, its campaign and the tracker allow.
        found: its links, and what changes.
        honeypot: whether it gets a hidden link.
        there: what the pixels and the hidden links say that are in it already.
        tokens: what seals the links.
        person: what each person allows.
    """

    mail: Sendable
    tracking: Tracking
    found: MailLinks = field(repr=False, hash=False)
    honeypot: bool
    there: frozenset[tuple[Claim, Purpose]] = field(repr=False)
    tokens: LinkTokens = field(repr=False)
    person: Callable[[str], Tracking] = field(repr=False)
    _versions: dict[tuple[bool, bool, bool], Version] = field(init=False, repr=False, eq=False, factory=dict)

    @property
    def links(self) -> tuple[SeenLink, ...]:
        """Every link, and what becomes of it."""
        return self.found.links

    def fill(self, delivery_id: DeliveryId, recipient: str) -> Filled:
        """The parts for one person, tracked as far as that person allows it.

        Raises:
            MailError: the delivery id or the recipient cannot stand in a token.
            TokenError: a link is too long for a token.
            ArchiveError: what a short token stands for could not be kept.
        """
        reader = self.reader(delivery_id, recipient)
        version = self.version(opens=reader.opens, clicks=reader.clicks, honeypot=reader.honeypot)
        return version.joined(self.tokens.issue_all(reader.asked(version.slots)))

    def reader(self, delivery_id: DeliveryId, recipient: str) -> Reader:
        """What becomes of the mail for one person."""
        allowed = self.tracking.within(self.person(recipient))
        clicked = self._claim(allowed.clicks, delivery_id, recipient)
        alike = allowed.opens is allowed.clicks
        reader = Reader(
            opens=allowed.opens is not Mode.OFF,
            clicks=allowed.clicks is not Mode.OFF,
            # Where nobody is named, it would tell nothing of anybody's other clicks.
            honeypot=self.honeypot and allowed.clicks is Mode.INDIVIDUAL,
            opened=clicked if alike else self._claim(allowed.opens, delivery_id, recipient),
            clicked=clicked,
        )
        return self._without_what_is_there(reader) if self.there else reader

    def _claim(self, mode: Mode, delivery_id: DeliveryId, recipient: str) -> Claim:
        """What a token says in this mode, but for where it leads."""
        if mode is Mode.INDIVIDUAL:
            return Claim(delivery_id, recipient)
        return Claim(None, campaign=self.mail.campaign or "")

    def _without_what_is_there(self, reader: Reader) -> Reader:
        pixel = reader.opened, Purpose.OPEN
        trap = evolve(reader.clicked, link=HONEYPOT), Purpose.CLICK
        return evolve(
            reader,
            opens=reader.opens and pixel not in self.there,
            honeypot=reader.honeypot and trap not in self.there,
        )

    def version(self, *, opens: bool, clicks: bool, honeypot: bool = False) -> Version:
        """Its pieces: with a pixel or without, with tracked links or those that were written, and the hidden link."""
        made = self._versions.get((opens, clicks, honeypot))
        if made is None:
            made = self._made(opens=opens, clicks=clicks, honeypot=honeypot)
            self._versions[opens, clicks, honeypot] = made
        return made

    def _made(self, *, opens: bool, clicks: bool, honeypot: bool) -> Version:
        html, text, found = self.mail.html, self.mail.text, self.found
        in_html: list[Change] = [*found.removals, *(found.in_html if clicks else ())]
        if honeypot and found.trap is not None:
            in_html.append(found.trap)
        if opens and found.pixel is not None:
            in_html.append(found.pixel)
        return Version(
            None if html is None else cut(html, sorted(in_html, key=_place)),
            None if text is None else cut(text, found.in_text if clicks else ()),
        )


def _place(change: Change) -> tuple[int, int]:
    return change.start, change.end
