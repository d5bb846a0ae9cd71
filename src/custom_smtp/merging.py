"""A mail with merge fields in it, and the same filled in for one person: what `templates` makes, and a sender takes."""

from collections.abc import Iterator, Mapping
from typing import Any, Union

from attrs import Attribute, evolve, field, frozen

from .addresses import Address
from .finished import Sendable
from .headers import Headers, require_writable
from .mail import CampaignType, Mail
from .merge_fields import Merged, Slot, filled

ToSend = Union[Sendable, "FilledMail"]
"""Whatever a `Sender` sends."""


@frozen(kw_only=True, eq=False)
class MergeMail:
    """A mail in which all fields have been found.

    Attributes:
        mail: what is the same for everybody, and whatever has fields as it was written. Its addressee plays no part.
        subject: its subject.
        sender_name: the name of its sender.
        reply_to_name: the name of whom answers go to.
        headers: its further headers, names and values.
        text: its text; None where it has none.
        html: its HTML; None likewise.
        amp: its AMP; None likewise.
        text_of_html: the text that its HTML gives; None where it has a text of its own, or the HTML gives none.
        smtputf8: whether an address in it needs a server with SMTPUTF8 (RFC 6531), whoever it is to.
    """

    mail: Mail
    subject: Merged
    sender_name: Merged
    reply_to_name: Merged
    headers: tuple[tuple[str, Merged], ...]
    text: Merged | None
    html: Merged | None
    amp: Merged | None
    text_of_html: Merged | None
    smtputf8: bool

    @property
    def slots(self) -> Iterator[Slot]:
        """Every field in its place, in the order of the mail."""
        in_headers = (self.subject, self.sender_name, self.reply_to_name, *(value for _, value in self.headers))
        for merged in (*in_headers, self.text, self.html, self.amp, self.text_of_html):
            if merged is not None:
                yield from merged.slots


def _writable_where_filled(mail: "FilledMail", _attribute: "Attribute[Any]", headers: Headers) -> None:
    if headers is not mail.merge.mail.headers:
        require_writable(headers)


@frozen(kw_only=True)
class FilledMail:
    """A template filled in for one person: what `Template.fill` gives, and a sender takes like any mail.

    Attributes:
        merge: the mail with its fields.
        values: what they say, by their names.
        to: whom it goes to.
        sender: who it is from, as the reader sees it.
        reply_to: where answers go, if not to ``sender``.
        subject: its subject line.
        headers: further headers.
    """

    merge: MergeMail = field(repr=False)
    values: Mapping[str, str] = field(hash=False)
    to: Address
    sender: Address
    reply_to: Address | None
    subject: str
    headers: Headers = field(validator=_writable_where_filled)

    @property
    def shown_to(self) -> tuple[Address, ...]:
        """What the To header shows, if not ``to`` alone."""
        return self.merge.mail.shown_to

    @property
    def shown_cc(self) -> tuple[Address, ...]:
        """What the Cc header shows."""
        return self.merge.mail.shown_cc

    @property
    def bounces_to(self) -> Address | None:
        """Where the mail server reports failures, if not to ``sender``."""
        return self.merge.mail.bounces_to

    @property
    def campaign(self) -> CampaignType | str | None:
        """The campaign type that chooses the server."""
        return self.merge.mail.campaign

    @property
    def unsubscribe(self) -> bool:
        """Whether an `Unsubscribe` gives it a way to unsubscribe."""
        return self.merge.mail.unsubscribe

    @property
    def smtputf8(self) -> bool:
        """Whether an address in it needs a server with SMTPUTF8 (RFC 6531)."""
        return self.merge.smtputf8 or not (self.to.email.isascii() or self.to.local.isascii())

    def as_mail(self) -> Mail:
        """The same as a `Mail`, to look at: with the values in its texts, which a sender would read like any text."""
        merge, values = self.merge, self.values
        return evolve(
            merge.mail,
            to=self.to,
            sender=self.sender,
            reply_to=self.reply_to,
            subject=self.subject,
            headers=self.headers,
            text=None if merge.text is None else filled(merge.text, values),
            html=None if merge.html is None else filled(merge.html, values),
            amp=None if merge.amp is None else filled(merge.amp, values),
        )
