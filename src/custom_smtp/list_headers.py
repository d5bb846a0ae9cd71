"""Headers that tell other mail programs what kind of mail this is, as values that cannot be written wrongly.

::

    Mail(..., headers=(
        ListId("news.shop.example", "Shop news").header,
        FeedbackId("shop", campaign="autumn", kind="newsletter").header,
        AutoSubmitted.AUTO_GENERATED.header,
    ))

The headers by which a reader leaves a list, List-Unsubscribe and its companion, are `custom_smtp.unsubscribe`'s.
"""

import re
from enum import StrEnum
from typing import Any

from attrs import Attribute, field, frozen

from .addresses import quoted
from .checks import MailError, shown, writable

Header = tuple[str, str]
"""A header's name and value, as `Mail` takes them."""

# RFC 2919 section 3: dot-atom-text on both sides of a dot. Lower case, since it is compared without regard to it.
_LIST_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)+")
_LONGEST_LIST_ID = 255  # RFC 2919 section 2

_FEEDBACK_FIELD = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_SENDER = re.compile(r"[A-Za-z0-9_.-]{5,15}")


def _a_list_id(_instance: object, _attribute: "Attribute[Any]", identifier: str) -> None:
    fits = isinstance(identifier, str) and len(identifier) <= _LONGEST_LIST_ID and _LIST_ID.fullmatch(identifier)
    if not fits:
        raise MailError(
            f"{shown(identifier)} is no list id: write a name below a domain of yours, such as 'news.shop.example', "
            f"of {_LONGEST_LIST_ID} characters at most (RFC 2919)"
        )


def _a_description(_instance: object, _attribute: "Attribute[Any]", text: str) -> None:
    writable(text, "the list's description", one_line=True)
    if not text.isascii():
        raise MailError(f"the list's description is {shown(text)}: write it in ASCII, or leave it out")


@frozen
class ListId:
    """Which list a mail belongs to (RFC 2919): mail programs sort by it, and it stays when the list's host moves.

    Attributes:
        identifier: unique and lasting, below a domain of yours.
        description: for people, in ASCII; may be empty.

    Raises:
        MailError: it is no list id.
    """

    identifier: str = field(validator=_a_list_id)
    description: str = field(default="", validator=_a_description)

    @property
    def header(self) -> Header:
        """As `Mail` takes it."""
        if not self.description:
            return "List-ID", f"<{self.identifier}>"
        return "List-ID", f"{quoted(self.description)} <{self.identifier}>"


def _a_sender(_instance: object, _attribute: "Attribute[Any]", sender: str) -> None:
    if not isinstance(sender, str) or not _SENDER.fullmatch(sender):
        raise MailError(
            f"{shown(sender)} is no sender of a Feedback-ID: use 5 to 15 letters, digits, '.', '_' or '-', "
            "and the same ones in all mail"
        )


def _a_feedback_field(_instance: object, attribute: "Attribute[Any]", text: str) -> None:
    if not isinstance(text, str) or (text and not _FEEDBACK_FIELD.fullmatch(text)):
        raise MailError(
            f"{attribute.name} is {shown(text)}: use up to 100 letters, digits, '.', '_' or '-', without ':'"
        )


@frozen
class FeedbackId:
    """By what Gmail counts complaints in its Postmaster Tools: up to three groups, and the sender, who is always told.

    The mail has to be signed (DKIM) by a domain that was added there, and a group has to be large: none may lead to a
    single person. See https://support.google.com/a/answer/6254652.

    Attributes:
        sender: who sends, 5 to 15 characters, the same in all mail.
        campaign: the first group, such as a campaign's name.
        customer: the second, such as the one it is sent for.
        kind: the third, such as ``newsletter``.

    Raises:
        MailError: a part cannot be written.
    """

    sender: str = field(validator=_a_sender)
    campaign: str = field(default="", validator=_a_feedback_field, kw_only=True)
    customer: str = field(default="", validator=_a_feedback_field, kw_only=True)
    kind: str = field(default="", validator=_a_feedback_field, kw_only=True)

    @property
    def header(self) -> Header:
        """As `Mail` takes it."""
        return "Feedback-ID", f"{self.campaign}:{self.customer}:{self.kind}:{self.sender}"


class AutoSubmitted(StrEnum):
    """That no person wrote this mail, so that no machine answers it (RFC 3834 section 5)."""

    NO = "no"
    """A person wrote it."""
    AUTO_GENERATED = "auto-generated"
    """A program did, by itself: a receipt, an alert."""
    AUTO_REPLIED = "auto-replied"
    """A program did, in answer to a mail."""

    @property
    def header(self) -> Header:
        """As `Mail` takes it."""
        return "Auto-Submitted", self.value


class Precedence(StrEnum):
    """An old way to say that a mail goes to many, which some programs that answer by themselves still look for.

    RFC 2076 section 3.9 calls it non-standard, and RFC 3834 section 2 asks answering programs to regard ``list``.
    """

    LIST = "list"
    BULK = "bulk"
    JUNK = "junk"

    @property
    def header(self) -> Header:
        """As `Mail` takes it."""
        return "Precedence", self.value
