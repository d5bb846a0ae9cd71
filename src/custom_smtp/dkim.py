"""Signs mail by DKIM (RFC 6376, RFC 8463, RFC 8301): RSA with SHA-256, Ed25519, or both at once.

Which headers a signature covers, and why, stands in two tables below. It always covers the whole body: with a length
(``l=``) anybody could add to the mail.
"""

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from attrs import Attribute, field, frozen

from .addresses import ascii_domain
from .checks import MailError, shown
from .dkim_canonical import Fields, Form, canonical_body, canonical_fields, canonical_header, head_and_body
from .dkim_keys import DkimKey, each_on_its_own
from .errors import ConfigurationError
from .outgoing import WireForm

SEALED = {
    "from": "who speaks: every signature must cover it (RFC 6376 section 5.4), and a second one might be shown",
    "to": "to whom: so that a copy made for one person cannot be sent on as if made for another",
    "cc": "as To",
    "subject": "what the reader sees first, and a second one may be shown in place of ours",
    "reply-to": "where answers go: with one added, they would go to somebody else",
    "content-type": "how the body is read: another boundary shows another mail",
    "content-transfer-encoding": "how the body is read",
    "list-unsubscribe": "one click must leave our list; receivers want it signed (RFC 8058 section 4)",
    "list-unsubscribe-post": "as List-Unsubscribe, and with it",
}
"""Headers that are signed, and once more than they stand there, so that none can be added; even where there is none."""

SIGNED = {
    "date": "when; a server may add one that is missing (RFC 6409 section 8.2)",
    "message-id": "what answers refer to; a server may add one that is missing (RFC 6409 section 8.3)",
    "sender": "who sent it for the author; a server may add one (RFC 6409 section 8.1)",
    "mime-version": "that there are parts at all; some servers add it",
    "content-id": "how parts are told apart",
    "content-description": "what the mail says of its body",
    "content-disposition": "whether the body is shown or saved",
    "content-language": "what the mail says of its body",
    "in-reply-to": "to which conversation it belongs",
    "references": "to which conversation it belongs",
    "list-id": "which list; readers sort by it",
    "list-help": "where a reader finds help",
    "list-subscribe": "where a reader joins",
    "list-post": "where a reader writes to the list",
    "list-owner": "who answers for the list",
    "list-archive": "where a reader looks things up",
    "feedback-id": "by which complaints are counted; receivers want it signed",
    "auto-submitted": "that a program wrote it: nobody shall answer by program (RFC 3834)",
    "precedence": "as Auto-Submitted",
}
"""Headers that are signed where they are there, and then sealed as those above."""

UNSIGNED = frozenset({"return-path", "received", "dkim-signature", "authentication-results", "bcc"})
"""Headers that servers on the way write, take out or add to (RFC 6376 section 5.4.1): they can never be signed."""

_HEADER = re.compile(r"[!-9;-~]{1,76}")
_BASE64_LINE = 72
_NAMES_LINE = 76
_SOME = 256  # a campaign has one author and one set of headers, or a few


def _keys(keys: Iterable[DkimKey]) -> tuple[DkimKey, ...]:
    # What is no key of ours may still be a key: only its type is told.
    if not isinstance(keys, Iterable):
        raise ConfigurationError(f"keys is {type(keys).__name__}, not several: write [DkimKey(...)]")
    several = tuple(keys)
    for key in several:
        if not isinstance(key, DkimKey):
            raise ConfigurationError(
                f"keys holds {type(key).__name__}: write DkimKey(domain=..., selector=..., private_key=...)"
            )
    if not several:
        raise ConfigurationError("the signer has no key: give it one at least, or leave the signer out")
    each_on_its_own(several)
    return several


def _header_names(names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ConfigurationError(f"a list of headers is one text: write [{names!r}]")
    several = tuple(names)
    for name in several:
        if not (isinstance(name, str) and _HEADER.fullmatch(name)):
            raise ConfigurationError(f"{shown(name)} is no header's name: write one such as 'X-Campaign'")
    return tuple(dict.fromkeys(name.lower() for name in several))


def _signable(_instance: object, _attribute: "Attribute[Any]", names: tuple[str, ...]) -> None:
    for name in names:
        if name in UNSIGNED or name.startswith("arc-"):
            raise ConfigurationError(f"{name} is changed on the way, and would break every signature: leave it out")


def _not_the_author(_instance: object, _attribute: "Attribute[Any]", names: tuple[str, ...]) -> None:
    if "from" in names:
        raise ConfigurationError("a signature must cover From (RFC 6376 section 5.4): take it out of rewritten")


def _form(form: Form) -> Form:
    try:
        return Form(form)
    except ValueError as error:
        raise ConfigurationError(f"{form!r} is no form: use Form.RELAXED or Form.SIMPLE") from error


def _a_span(_instance: object, _attribute: "Attribute[Any]", span: timedelta | None) -> None:
    if span is not None and not (isinstance(span, timedelta) and span >= timedelta(seconds=1)):
        raise ConfigurationError(f"expires_after is {span!r}: give a span of time such as timedelta(days=14), or None")


@frozen
class DkimSigner:
    """A `ports.Signer`: puts a DKIM-Signature in front of a mail, or several.

    The keys of the From address's domain sign, every one of them; if it has none, those of the nearest domain above
    it, which is as good for DMARC unless its record says ``adkim=s``.

    Attributes:
        keys: of as many domains as you send from. Give a domain an RSA and an Ed25519 key: the second is shorter and
            quicker, and not yet understood everywhere.
        headers: the form in which headers are signed.
        body: the form in which the body is signed.
        also: further headers to sign where they are there, such as ``X-Campaign``.
        rewritten: headers that the server or provider behind writes anew, such as ``Message-ID`` and ``Date`` at Amazon
            SES: left out of the signature, which would break.
        expires_after: for how long a signature counts (``x=``); None for ever. Slow mail takes days: not under a week.

    Raises:
        ConfigurationError: it could not sign so; the message says what to write.
    """

    keys: tuple[DkimKey, ...] = field(converter=_keys)
    headers: Form = field(default=Form.RELAXED, converter=_form, kw_only=True)
    body: Form = field(default=Form.RELAXED, converter=_form, kw_only=True)
    also: tuple[str, ...] = field(default=(), converter=_header_names, validator=_signable, kw_only=True)
    rewritten: tuple[str, ...] = field(default=(), converter=_header_names, validator=_not_the_author, kw_only=True)
    expires_after: timedelta | None = field(default=None, validator=_a_span, kw_only=True)
    _ways: dict[str, tuple["_Way", ...]] = field(init=False, repr=False, eq=False)
    _names: tuple[tuple[bytes, bool], ...] = field(init=False, repr=False, eq=False)

    @_ways.default
    def _way_of_each(self) -> dict[str, tuple["_Way", ...]]:
        ways: dict[str, tuple[_Way, ...]] = {}
        for key in self.keys:
            ways[key.domain] = (*ways.get(key.domain, ()), _way(key, self.headers, self.body))
        return ways

    @_names.default
    def _names_in_order(self) -> tuple[tuple[bytes, bool], ...]:
        names = dict.fromkeys([*SEALED, *SIGNED, *self.also])
        return tuple((name.encode(), name in SEALED) for name in names if name not in self.rewritten)

    def sign(self, content: bytes, at: datetime, /) -> WireForm:
        """Return the content with a signature of each key in front.

        Args:
            content: a whole mail as it will travel; nothing may change it afterwards.
            at: when it is signed (``t=``), with a time zone.

        Raises:
            MailError: it has not the form of the wire, or no single From header; or there is no key for its author.
            SigningError: a key is kept elsewhere, and gave no signature.
        """
        mail = WireForm(content)
        head, body = head_and_body(mail)
        fields = canonical_fields(head, self.headers)
        ways = self._ways_for(fields.get(b"from", []))
        names, signed = self._chosen(fields)
        digest = sha256(body if mail.canonical else canonical_body(body, self.body)).digest()
        told = b"%b%b\r\n bh=%b;\r\n b=" % (self._times(at), _names_tag(names), b2a_base64(digest, newline=False))
        whole = b"".join([*(way.header(signed, told) for way in ways), mail])
        return WireForm.written(whole, dotted=mail.dotted, canonical=mail.canonical)

    def _chosen(self, fields: Fields) -> tuple[tuple[bytes, ...], bytes]:
        """What ``h=`` names, and the header fields that this means, as they are hashed."""
        names: list[bytes] = []
        chosen: list[bytes] = []
        for name, sealed in self._names:
            there = fields.get(name)
            if there is not None:
                names += [name] * (len(there) + 1)
                chosen += there[::-1]  # a name that stands there several times means them from the last up (5.4.2)
            elif sealed:
                names.append(name)
        return tuple(names), b"\r\n".join(chosen)

    def _ways_for(self, authors: list[bytes]) -> tuple["_Way", ...]:
        if len(authors) != 1:
            raise MailError(f"the mail has {len(authors)} From headers: it needs exactly one (RFC 5322 section 3.6)")
        domain = above = _author_domain(authors[0])
        while above:
            if (ways := self._ways.get(above)) is not None:
                return ways
            above = above.partition(".")[2]
        raise MailError(
            f"no DKIM key is for {shown(domain)}: add one to the DkimSigner, which signs for "
            f"{', '.join(sorted(self._ways))}"
        )

    def _times(self, at: datetime) -> bytes:
        seconds = _seconds(at)
        if self.expires_after is None:
            return b"\r\n t=%d;" % seconds
        return b"\r\n t=%d; x=%d;" % (seconds, seconds + self.expires_after // timedelta(seconds=1))


def _seconds(at: datetime) -> int:
    if at.utcoffset() is None:
        raise ConfigurationError(f"at is {at!r}, with no time zone: use datetime.now(UTC)")
    if (seconds := int(at.timestamp())) < 0:
        raise ConfigurationError(f"at is {at!r}: a signature's time counts from 1970 on (RFC 6376 section 3.5)")
    return seconds


@frozen
class _Way:
    """How one key signs: how its header begins, the same as it is hashed, and the key's own part."""

    begin: bytes
    hashed: bytes
    relaxed: bool
    sign: Callable[[bytes], bytes]

    def header(self, signed: bytes, told: bytes) -> bytes:
        # A header that is written here has one blank wherever it has one, so to relax it is to unfold it.
        hashed = told.replace(b"\r\n", b"") if self.relaxed else told
        proof = b2a_base64(self.sign(b"%b\r\n%b%b" % (signed, self.hashed, hashed)), newline=False)
        lines = [proof[at : at + _BASE64_LINE] for at in range(0, len(proof), _BASE64_LINE)]
        return b"%b%b%b\r\n" % (self.begin, told, b"\r\n ".join(lines))


def _way(key: DkimKey, headers: Form, body: Form) -> _Way:
    begin = f"DKIM-Signature: v=1; a={key.type}-sha256; c={headers}/{body};\r\n d={key.domain};\r\n s={key.selector};"
    return _Way(
        begin.encode(), canonical_header(begin.encode(), headers), relaxed=headers is Form.RELAXED, sign=key.sign
    )


@lru_cache(maxsize=_SOME)
def _names_tag(names: tuple[bytes, ...]) -> bytes:
    """``h=``, folded behind its colons."""
    lines = [b"\r\n h="]
    for name in names:
        if len(lines[-1]) + len(name) >= _NAMES_LINE:
            lines.append(b"\r\n ")
        lines[-1] += name + b":"
    return b"".join(lines)[:-1] + b";"


_PIECE = re.compile(r'[^"()\\]+|\\.|["()\\]', re.DOTALL)
_IN_ANGLES = re.compile(r"<([^<>]*)>")


@lru_cache(maxsize=_SOME)
def _author_domain(header: bytes) -> str:
    """The domain of a From header's address; of several, the first one's."""
    text = _bare(header.partition(b":")[2].decode("utf-8", "replace"))
    in_angles = _IN_ANGLES.search(text)
    address = in_angles[1] if in_angles else re.split("[,;]", text, maxsplit=1)[0]
    _, at, domain = address.rpartition("@")
    if not at:
        raise MailError(f"From names no address in {shown(text.strip())}: write one such as 'ada@shop.example'")
    return ascii_domain("".join(domain.split()))


def _bare(text: str) -> str:
    """What is left of a header without comments and quoted text, in which any sign may stand (RFC 5322 section 3.2)."""
    kept = []
    depth, quoted = 0, False
    for piece in _PIECE.findall(text):
        if piece == '"' and not depth:
            quoted = not quoted
        elif quoted:
            continue
        elif piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(piece)
    return "".join(kept)
