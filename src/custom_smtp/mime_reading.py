"""Reads a mail that another program has written, as real and as broken as they come, into a `FinishedMail`.

What is read of it, and what is done to it:

- A text is read, and may be changed, only where every program reads the same: one Content-Type, a charset that is known
  and fits the bytes, an encoding without faults. The first ``text/plain`` and the first ``text/html`` that are no files
  are the mail's text and HTML; further ones stay as they are.
- A text that is changed keeps its charset and encoding if it fits in them; else it becomes UTF-8 or quoted-printable,
  and what says so, a ``<meta charset>`` in the HTML as well, is changed with it.
- Signed and encrypted mails are left alone whole: see `custom_smtp.finished.Untouched`.
- A mail inside the mail stays as it is, whatever it holds.
- Line ends become CRLF, since there is no other way to send them. A part that is data, and in which single CRs or LFs
  mean something, is written anew in base64 so that it keeps them.
- Bcc is taken out (RFC 5322 section 3.6.3), and so is the line that mailbox files put in front (``From ada@...``).
- A line over 998 octets, or with a NUL, cannot travel: its part is encoded, a header is folded. Headers that hold bytes
  beyond ASCII are encoded (RFC 2047). Where that would lose something, the mail is refused.
"""

import re
from collections.abc import Iterator
from email.message import Message
from email.policy import EmailPolicy, Policy
from typing import Any

from attrs import define, evolve, field

from .addresses import Address
from .body_encodings import Encoding, base64
from .checks import MailError, shown
from .finished import FinishedMail, HeaderField, Skeleton, TextPart, Untouched
from .header_reading import addresses, decoded, parameters, value_of
from .mail import CampaignType, Tracking
from .mime_fields import SIGNATURES, adjusted, signed_names, wire_field
from .mime_parts import Leaf, Tree, transfer_encoding, tree, values
from .part_texts import crlf, crlf_alone, encoding_of, ended, octets, quoted_printable, text, travels

_NO_TRACKING_LIMIT = Tracking()


def read(
    message: "bytes | Message[Any, Any]",
    *,
    to: Address | None = None,
    bounces_to: Address | None = None,
    campaign: CampaignType | str | None = None,
    tracking: Tracking = _NO_TRACKING_LIMIT,
    unsubscribe: bool = True,
) -> FinishedMail:
    """A finished mail to one person.

    Args:
        message: RFC 5322 bytes with any line ends, or an ``email.message.EmailMessage``.
        to: whom it goes to; None for the only person whom its To, Cc and Bcc name.
        bounces_to: where the mail server reports failures, if not to its author.
        campaign: the campaign type that chooses the server; None goes to the fallback.
        tracking: how closely it may be tracked at most.
        unsubscribe: whether an `Unsubscribe` gives it a way to unsubscribe.

    Raises:
        MailError: it names not one author or nobody to send it to, or cannot be put on the wire without loss; the
            message says what to change.
    """
    taken_apart = _Reading(_bytes_of(message))
    if to is None:
        people = taken_apart.people()
        if len(people) != 1:
            raise MailError(
                f"the mail names {len(people)} people: hand in to=..., or take read_for_each, one mail for each"
            )
        to = people[0]
    return taken_apart.finished(
        to, bounces_to=bounces_to, campaign=campaign, tracking=tracking, unsubscribe=unsubscribe
    )


def read_for_each(
    message: "bytes | Message[Any, Any]",
    *,
    bounces_to: Address | None = None,
    campaign: CampaignType | str | None = None,
    tracking: Tracking = _NO_TRACKING_LIMIT,
    unsubscribe: bool = True,
) -> tuple[FinishedMail, ...]:
    """The same for everybody whom its To, Cc and Bcc name: one mail each, all showing the same To and Cc.

    Raises:
        MailError: as `read`.
    """
    taken_apart = _Reading(_bytes_of(message))
    people = taken_apart.people()
    if not people:
        raise MailError("the mail names nobody to send it to: hand in read(..., to=...)")
    first = taken_apart.finished(
        people[0], bounces_to=bounces_to, campaign=campaign, tracking=tracking, unsubscribe=unsubscribe
    )
    return tuple(evolve(first, to=person) for person in people)


# --- What comes in, as bytes with line feeds --------------------------------------------------------------------------


def _bytes_of(message: "bytes | Message[Any, Any]") -> bytes:
    if isinstance(message, bytes):
        return message
    if not isinstance(message, Message):
        raise MailError(f"the message is {type(message).__name__}: give it bytes, or an email.message.EmailMessage")
    try:
        content = message.as_bytes(policy=_as_it_is(message.policy))
    except Exception as error:
        # The standard library raises what it likes on a message that is none: KeyError, UnicodeError, TypeError ...
        raise MailError(f"the message cannot be written: {type(error).__name__}: {error}") from error
    if [name.lower() for name, _ in message.items()] != [one.name.lower() for one in tree(content).head.fields]:
        raise MailError("a header of the message holds a line break, and would become two: take it out")
    return content


def _as_it_is(policy: "Policy[Any]") -> "Policy[Any]":
    """The message's own policy, so that what it holds is written as it came: nothing folded anew, no 8-bit lost."""
    policy = policy.clone(linesep="\r\n", cte_type="8bit", mangle_from_=False)
    return policy.clone(refold_source="none") if isinstance(policy, EmailPolicy) else policy


_FROM_LINE = re.compile(rb">?From [^\n]*\n")


def _with_line_feeds(content: bytes) -> bytes:
    """The mail with LF line ends, with CR before them or not: so that CR alone is none where there is any LF."""
    return content if b"\n" in content else content.replace(b"\r", b"\n")


# --- The mail, taken apart --------------------------------------------------------------------------------------------

_SEALED = {
    "multipart/encrypted": Untouched.ENCRYPTED,
    "application/pkcs7-mime": Untouched.ENCRYPTED,
    "application/x-pkcs7-mime": Untouched.ENCRYPTED,
    "application/pgp-encrypted": Untouched.ENCRYPTED,
    "multipart/signed": Untouched.SIGNED,
    "application/pgp": Untouched.INLINE_PGP,
}
"""Media types that seal a mail (RFC 1847, RFC 8551, RFC 3156), wherever in it they stand."""

_BEGIN_PGP = "-----BEGIN PGP (?:SIGNED )?MESSAGE-----"
_IN_HTML = re.compile(rf"(?:^|>)[ \t]*{_BEGIN_PGP}", re.MULTILINE)
_ARMOUR = {
    "text/plain": re.compile(f"^{_BEGIN_PGP}", re.MULTILINE),
    "text/html": _IN_HTML,
    "text/x-amp-html": _IN_HTML,
}
"""How what PGP made begins (RFC 9580 section 6.2), in each kind of text that is read."""

_TEXTS = tuple(_ARMOUR)
_PEOPLE = ("to", "cc", "bcc")
_NEVER_SENT = frozenset({"bcc", "resent-bcc"})
_NOT_ENCODED = ("", "message", "multipart")
_IDENTITY = (Encoding.SEVEN_BIT, Encoding.EIGHT_BIT)
_BASE64_LINE = re.compile(rb"[^\0]{1,76}", re.DOTALL)


@define
class _Reading:
    """One mail while it is read."""

    given: bytes
    content: bytes = field(init=False)
    tree: Tree = field(init=False)
    untouched: Untouched | None = field(init=False, default=None)
    notes: list[str] = field(init=False, factory=list)
    skeleton: Skeleton = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.content = _with_line_feeds(self.given)
        from_line = _FROM_LINE.match(self.content)
        self.tree = tree(self.content, from_line.end() if from_line else 0)
        self.untouched = self._sealed()
        texts = {} if self.untouched else self._texts()
        if any(_ARMOUR[part.media_type].search(part.text) for part, _ in texts.values()):
            self.untouched, self.notes, texts = Untouched.INLINE_PGP, [], {}
        self.skeleton = self._skeleton(texts)

    def finished(
        self,
        to: Address,
        *,
        bounces_to: Address | None,
        campaign: CampaignType | str | None,
        tracking: Tracking,
        unsubscribe: bool,
    ) -> FinishedMail:
        """The mail to one person."""
        return FinishedMail(
            skeleton=self.skeleton,
            to=to,
            sender=self.sender(),
            subject=self.subject(),
            bounces_to=bounces_to,
            campaign=campaign,
            tracking=tracking,
            unsubscribe=unsubscribe,
            untouched=self.untouched,
            notes=tuple(self.notes),
        )

    # What it says

    def people(self) -> list[Address]:
        """Everybody whom To, Cc and Bcc name, once each."""
        if any(one.name.lower().startswith("resent-") for one in self.tree.head.fields):
            raise MailError("the mail was sent on (Resent-...), so To is not who it goes to now: hand in to=...")
        people: dict[str, Address] = {}
        for name in _PEOPLE:
            for value in self._values(name):
                for address in addresses(value):
                    if address is None:
                        raise MailError(f"{name.title()} holds what is no address, in {shown(value)}: hand in to=...")
                    people.setdefault(address.key, address)
        return list(people.values())

    def sender(self) -> Address:
        """The author."""
        headers = self._values("from")
        authors = addresses(headers[0]) if len(headers) == 1 else []
        if len(authors) != 1 or authors[0] is None:
            told = shown(", ".join(headers))
            raise MailError(f"the mail needs one From header with one address, and has {told}: write one")
        return authors[0]

    def subject(self) -> str:
        """The subject, decoded; the first, where there are several."""
        return decoded((self._values("subject") or [""])[0])

    def _values(self, name: str) -> list[str]:
        return values(self.content, self.tree.head, name)

    def _sealed(self) -> Untouched | None:
        for sealing, why in _SEALED.items():
            if sealing in self.tree.types:
                return why
        return Untouched.DKIM if any(one.name.lower() in SIGNATURES for one in self.tree.head.fields) else None

    # Its texts

    def _texts(self) -> dict[int, tuple[TextPart, Encoding | None]]:
        """The first text of each type, by the place of its leaf; and the encoding that it got, if it got another."""
        found: dict[int, tuple[TextPart, Encoding | None]] = {}
        wanted = list(_TEXTS)
        for place, leaf in enumerate(self.tree.leaves):
            if leaf.media.type in wanted and not self._is_file(leaf):
                wanted.remove(leaf.media.type)
                part, recoded = self._text_of(leaf)
                if isinstance(part, TextPart):
                    found[place] = part, recoded
                else:
                    self.notes.append(f"its {leaf.media.type} is left alone: {part}")
        return found

    def _is_file(self, leaf: Leaf) -> bool:
        told = values(self.content, leaf.head, "content-disposition")
        return any(
            not one.lower().startswith("inline") or any(name.startswith("filename") for name in parameters(one))
            for one in told
        )

    def _text_of(self, leaf: Leaf) -> tuple[TextPart | str, Encoding | None]:
        """The text of a part, or why it cannot be changed."""
        encoding = self._encoding(leaf)
        if encoding is None:
            return "its Content-Transfer-Encoding is not known", None
        if hindrance := self._hindrance(leaf):
            return hindrance, None
        content, recoded = self._leaf(leaf)
        raw = octets(content, recoded or encoding)
        if raw is None:
            return f"its {encoding.value} is broken", None
        charset = leaf.media.parameters.get("charset") or "us-ascii"
        told = text(raw, charset) if leaf.media.sure("charset") else None
        if told is None:
            return f"it is not sure what its bytes mean in the charset {shown(charset)}", None
        fields = None if leaf.root else adjusted(self._part_fields(leaf), recoded, media_type=leaf.media.type)
        return TextPart(leaf.media.type, *told, recoded or encoding, content, fields), recoded

    def _hindrance(self, leaf: Leaf) -> str:
        """Why a text cannot be changed, whatever its bytes are; empty if it can."""
        if not leaf.head.separated:
            return "no empty line stands between its headers and its text"
        if values(self.content, leaf.head, "content-md5"):
            return "a checksum stands by it"
        if (leaf.media.parameters.get("delsp", "no") or "").lower() != "no":  # RFC 3676 section 4.1
            return "its links may be broken over lines (format=flowed; delsp=yes)"
        return ""

    def _encoding(self, leaf: Leaf) -> Encoding | None:
        told = transfer_encoding(self.content, leaf.head)
        return None if told is None else encoding_of(told)

    # For the wire

    def _skeleton(self, texts: dict[int, tuple[TextPart, Encoding | None]]) -> Skeleton:
        fields = tuple(
            wire_field(one.name, self.content[one.start : one.end], as_it_is=self.untouched is Untouched.DKIM)
            for one in self.tree.head.fields
            if one.name.lower() not in _NEVER_SENT
        )
        if self.untouched is Untouched.DKIM and signed_names(fields) & _NEVER_SENT:
            raise MailError("its DKIM signature covers Bcc, which is never sent: leave Bcc out before it is signed")
        body: list[bytes | TextPart] = []
        at = self.tree.head.body
        for place, leaf in enumerate(self.tree.leaves):
            if not leaf.root:
                body.append(self._structure(at, leaf.start))
            part, recoded = texts.get(place, (None, None))
            if part is not None:
                body.append(part)
            else:
                content, recoded = self._leaf(leaf)
                body += [b"" if leaf.root else self._part_head(leaf, recoded), content]
            if leaf.root:
                fields = adjusted(fields, recoded, media_type=leaf.media.type, of_the_mail=True)
            at = leaf.end
        body.append(self._structure(at, len(self.content)))
        return Skeleton(fields, tuple(_joined(body)), self.tree.boundaries)

    def _part_fields(self, leaf: Leaf) -> tuple[HeaderField, ...]:
        return tuple(
            HeaderField(one.name, value_of(self.content, one), self._structure(one.start, one.end))
            for one in leaf.head.fields
        )

    def _part_head(self, leaf: Leaf, recoded: Encoding | None) -> bytes:
        if recoded is None:
            return self._structure(leaf.start, leaf.head.body)
        fields = adjusted(self._part_fields(leaf), recoded, media_type=leaf.media.type)
        return b"".join(one.wire for one in fields) + b"\r\n"

    def _structure(self, start: int, end: int) -> bytes:
        """What stands around texts and files, for the wire. A CR alone may begin a line of it for some programs."""
        piece = crlf(self.content[start:end])
        if not travels(piece):
            raise MailError(
                f"behind octet {start}, in the headers of parts or between parts, a line is over 998 octets long, or "
                "holds a NUL or a CR alone: correct it"
            )
        return piece

    def _leaf(self, leaf: Leaf) -> tuple[bytes, Encoding | None]:
        """What a part holds, for the wire; and how it is encoded now, where it had to be encoded anew."""
        given = self.content[leaf.head.body : leaf.end]
        content = crlf(given)
        # Where the mail's lines end with CRLF, a part of data in which others end otherwise means it.
        harmed = content != given and self._ends_lines_by_crlf() and self._is_data(leaf)
        if leaf.root and content and not content.endswith(b"\r\n"):
            content += b"\r\n"
        if travels(content) and not harmed:
            return content, None
        if not self.untouched and leaf.head.separated and (anew := self._anew(leaf, given if harmed else content)):
            self.notes.append(f"the part at octet {leaf.start} is encoded anew, since it could not travel as it was")
            again, encoding, recoded = anew
            return ended(again, encoding) if leaf.root else again, encoding if recoded else None
        if not _hides_a_boundary(content) and travels(content := crlf_alone(content)):
            return content, None
        why = f", since {self.untouched.value}" if self.untouched else ""
        raise MailError(
            f"in the part at octet {leaf.start} a line is over 998 octets long, or holds a NUL or a CR alone, and "
            f"it cannot be encoded without loss{why}: write that part anew"
        )

    def _ends_lines_by_crlf(self) -> bool:
        return self.content[: self.tree.head.body].endswith(b"\r\n")

    def _is_data(self, leaf: Leaf) -> bool:
        sort = leaf.media.type.partition("/")[0]
        return sort not in (*_NOT_ENCODED, "text") and self._encoding(leaf) in _IDENTITY

    def _anew(self, leaf: Leaf, content: bytes) -> tuple[bytes, Encoding, bool] | None:
        """The same as it can travel, how, and whether that is another encoding; None where it might not be the same."""
        if self._is_data(leaf):
            return base64(content).removesuffix(b"\r\n"), Encoding.BASE64, True
        encoding = self._encoding(leaf)
        if encoding is Encoding.BASE64 and b"\0" not in content:
            return b"\r\n".join(_BASE64_LINE.findall(content.translate(None, b" \t\r\n"))), encoding, False
        alone = content if _hides_a_boundary(content) else crlf_alone(content)
        if encoding is Encoding.QUOTED_PRINTABLE:
            raw = None if _hides_a_boundary(content) else octets(alone, encoding)
            return None if raw is None else (quoted_printable(raw), encoding, False)
        if leaf.media.type.startswith("text/") and encoding in _IDENTITY and not travels(alone):
            return quoted_printable(alone), Encoding.QUOTED_PRINTABLE, True
        return None


def _hides_a_boundary(content: bytes) -> bool:
    """Whether a line that begins behind a CR alone, or ends before one, might become a boundary once that is CRLF."""
    return b"\r--" in content or _CUT_BY_CR.search(content) is not None


_CUT_BY_CR = re.compile(rb"^--[^\r\n]*\r(?!\n)", re.MULTILINE)


def _joined(pieces: list[bytes | TextPart]) -> Iterator[bytes | TextPart]:
    """The pieces with bytes that follow each other in one."""
    run: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            run.append(piece)
            continue
        yield b"".join(run)
        yield piece
        run = []
    yield b"".join(run)
