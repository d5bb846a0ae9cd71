"""A mail that came back, taken apart just as far as a report needs: its header, its words, and the mail it returns.

The standard library's parser is not used, since its reading of header parameters takes time in the square of a hostile
header's length; and since a few fields and parts are all that counts. Every part is looked for where it must stand,
within bounds, so that nothing takes longer than the mail is long.
"""

import base64
import html
import quopri
import re
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from itertools import islice

from attrs import define, field

BYTES_LIMIT = 1024 * 1024
"""How much of a mail is looked at: a report comes before the mail it returns."""

HEADER_LIMIT = 64 * 1024
"""How much of it may be headers, and of each part's, and of each block of fields in a report."""

FIELDS_LIMIT = 1_000
"""How many fields a header or a block may have."""

PARTS_LIMIT = 20
DEPTH_LIMIT = 3
WORDS_LIMIT = 16 * 1024
"""How much of what it says in words is read; the mail it returns stands behind them."""

KEPT = ("from", "subject", "date", "message-id")
KEPT_LIMIT = 300

Fields = dict[str, str]
"""The fields of a block by lower-case name, unfolded; of several with one name the first."""

STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
RETURNED_TYPES = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
REPORT_TYPES = (*STATUS_TYPES, "message/feedback-report", "message/disposition-notification")

_BLANK_LINE = re.compile(rb"\n[ \t]*\n")
_BOUNDARY = re.compile(r'[bB](?<!\w.)(?i:oundary)[ \t]{0,9}=[ \t]{0,9}(?:"([^"]{1,200})"|([^\s;"]{1,200}))')
"""Its first letter stands for itself, since a search for one is quick."""
_CHARSET = re.compile(r'\bcharset[ \t]{0,9}=[ \t]{0,9}"?([\w.-]{1,40})', re.IGNORECASE)
_KNOWN_CHARSETS = re.compile(
    r"(?i:iso-?8859-\d{1,2}|windows-\d{3,4}|cp\d{3,4}|koi8-[ru]|gb2312|gbk|gb18030|big5(?:-hkscs)?|shift_jis|sjis"
    r"|euc-(?:jp|kr)|iso-2022-(?:jp|kr)|ks_c_5601-1987|tis-620)"
)
"""Those that take time in proportion to the text; a mail may name any codec of Python's, and some take its square."""

_TAG = re.compile(r"<(?:[^<>\"]|\"[^\"<>]{0,300}\"){0,40}>")
_LINE_TAG = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d|p|div|tr|li)\b[^<>]{0,300}>", re.IGNORECASE)
_UNSHOWN = re.compile(r"<(style|script|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"\([^()]*\)")
_ENCODED_WORD = re.compile(r"=\?([\w.-]{1,40})(?:\*[\w-]{0,20})?\?([bBqQ])\?([^?\s]{0,400})\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)\s+(=\?)")


class Header:
    """A header whose fields are looked for when they are asked for: of some forty a report is told by three.

    Of several fields with one name it has the first; each unfolded, in one line (RFC 5322 section 2.2.3).
    """

    __slots__ = ("_head", "_known", "_low")

    def __init__(self, head: bytes = b"") -> None:
        self._head = b"\n" + head[:HEADER_LIMIT]
        self._low = self._head.lower()
        self._known: dict[str, str] = {}

    def __bool__(self) -> bool:
        return len(self._head) > 1

    def __contains__(self, name: str) -> bool:
        return _begun(name) in self._low

    def says(self, pattern: "re.Pattern[bytes]") -> bool:
        """Whether a pattern is found in it, in lower case: quicker than to ask for many fields one by one."""
        return pattern.search(self._low) is not None

    def every(self, pattern: "re.Pattern[bytes]") -> str:
        """Every first group of a pattern in it, in lower case, one in a line."""
        return text(b"\n".join(pattern.findall(self._low)))

    def get(self, name: str) -> str:
        """The field's value; empty where there is none. The name is given in lower case."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._looked_for(name)
        return known

    def _looked_for(self, name: str) -> str:
        head, begun = self._head, _begun(name)
        place = self._low.find(begun)
        if place < 0:
            return ""
        begin = place + len(begun)
        end = head.find(b"\n", begin)
        if end < 0:
            return text(head[begin:].strip())
        if head[end + 1 : end + 2] not in _BLANKS:
            return text(head[begin:end].strip())
        while end >= 0 and head[end + 1 : end + 2] in _BLANKS:
            end = head.find(b"\n", end + 1)
        return text(b" ".join(head[begin : end if end >= 0 else len(head)].split()))


_BLANKS = (b" ", b"\t")


@cache
def _begun(name: str) -> bytes:
    """How a field begins; of a few names that this library asks for."""
    return b"\n%b:" % name.encode()


@define
class Opened:
    """A mail taken apart.

    Attributes:
        head: its own header.
        texts: its parts of text, each with its header, not yet decoded.
        reports: by media type, what it says to a machine.
        returned: the header of the mail that it returns; empty where it returns none that can be told from its words.
        returns: the mail that it returns as a part of its own; empty where it returns none so.
    """

    head: Header
    texts: list[tuple[Header, bytes]] = field(factory=list)
    reports: dict[str, bytes] = field(factory=dict)
    returned: Header = field(factory=Header)
    returns: bytes = b""

    def words(self) -> str:
        """What it says to a person, as text, each line end one newline."""
        plain = [_words(content, part) for part, content in self.texts if not _is_markup(part)]
        said = "\n".join(plain)
        if "@" in said:
            return said
        markup = [_without_markup(_words(content, part)) for part, content in self.texts if _is_markup(part)]
        return "\n".join((*plain, *markup))


def straightened(content: bytes) -> bytes:
    """The part of a mail that is looked at, with one newline for each line end, and without an mbox's first line."""
    content = content[:BYTES_LIMIT]
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    content = content.lstrip(b"\n")
    return content.partition(b"\n")[2] if content.startswith((b"From ", b">From ")) else content


def split(content: bytes) -> tuple[bytes, bytes]:
    """Header and body (RFC 5322 section 2.1)."""
    if content.startswith(b"\n"):
        return b"", content
    place = content.find(b"\n\n")
    if place >= 0:
        return content[:place], content[place + 2 :]
    found = _BLANK_LINE.search(content)
    return (content, b"") if found is None else (content[: found.start()], content[found.end() :])


def all_fields(head: bytes) -> Fields:
    """Every field of a block; of one that is too long the first ones."""
    several = unfolded(head)[:FIELDS_LIMIT]
    fields = dict(several)
    if len(fields) < len(several):
        fields.clear()
        for name, value in several:
            fields.setdefault(name, value)
    return fields


_FIELD = re.compile(r"\n([^\s:][^:\n]*):([^\n]*(?:\n[ \t][^\n]*)*)")
_FOLD = re.compile(r"[ \t]*\n[ \t]*")


def unfolded(head: bytes) -> list[tuple[str, str]]:
    """Each field's lower-case name and its value in one line (RFC 5322 section 2.2.3)."""
    return [
        (name.rstrip().lower(), one_line(value)) for name, value in _FIELD.findall(f"\n{text(head[:HEADER_LIMIT])}")
    ]


def one_line(value: str) -> str:
    """A field's value, unfolded."""
    return (_FOLD.sub(" ", value) if "\n" in value else value).strip()


def blocks(report: bytes, limit: int) -> list[bytes]:
    """The groups of fields that a report has, parted by blank lines (RFC 3464 section 2.1); of many the first ones."""
    report = report.replace(b"\r\n", b"\n")  # once more: encoded parts keep line ends of their own
    return _BLANK_LINE.split(report, maxsplit=limit)[:limit]


def text(raw: bytes) -> str:
    """A header's bytes as text: UTF-8 (RFC 6532), or else a character for each byte."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def opened(head: Header, body: bytes) -> Opened:
    """A mail taken apart, given its header."""
    mail = Opened(head)
    for kind, part, content in _leaves(head, body):
        if kind in RETURNED_TYPES:
            if not mail.returns:
                mail.returns = _decoded(content, part).lstrip(b"\n") or b"\n"
                mail.returned = Header(split(mail.returns)[0])
        elif kind in REPORT_TYPES:
            mail.reports.setdefault(kind, _decoded(content, part))
        elif not mail.returns and (kind.startswith("text/") or not kind):
            # What stands behind the returned mail is its, or a footer.
            mail.texts.append((part, content))
    return mail


def _is_markup(part: Header) -> bool:
    return part.get("content-type").lower().startswith("text/html")


_Leaf = tuple[str, Header, bytes]


def _leaves(head: Header, body: bytes, depth: int = 0) -> list[_Leaf]:
    """Each part that is no multipart: its media type, header and content."""
    content_type = head.get("content-type")
    kind = _media_type(content_type)
    if not kind.startswith("multipart/") or depth == DEPTH_LIMIT:
        return [("" if kind.startswith("multipart/") else kind, head, body)]
    found = _BOUNDARY.search(content_type)
    parts = [] if found is None else [_part(part) for part in parts_between(body, (found[1] or found[2]).encode())]
    if not parts:
        return [("text/plain", Header(), body)]
    leaves: list[_Leaf] = []
    for leaf in parts:
        if leaf[0].startswith("multipart/"):
            leaves += _leaves(leaf[1], leaf[2], depth + 1)
        else:
            leaves.append(leaf)
    return leaves


def _part(part: bytes) -> _Leaf:
    """A part, given with the newline in front of it."""
    head, blank, content = part.partition(b"\n\n")
    if not head or not blank:
        head, content = split(part[1:])
        head = b"\n" + head
    kind, header = (_known if len(head) <= _KNOWN_LIMIT else _told)(head)
    return kind, header, content


def _told(head: bytes) -> tuple[str, Header]:
    header = Header(head[1:])
    return _media_type(header.get("content-type")), header


_KNOWN_LIMIT = 400
_known = lru_cache(maxsize=512)(_told)
"""What a server writes over the parts of its reports is the same in all of them."""


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def parts_between(body: bytes, boundary: bytes) -> Iterable[bytes]:
    """What stands between the boundary's lines (RFC 2046 section 5.1.1), each with the newline in front of it."""
    _, *parts = (b"\n" + body).split(b"\n--" + boundary, PARTS_LIMIT + 1)
    if parts and parts[-1][:3] in _CLOSED and {part[:1] for part in parts[:-1]} <= {b"\n"}:
        return parts[:-1]
    return islice(parts_by_line(body, b"--" + boundary), PARTS_LIMIT)


_CLOSED = (b"--", b"--\n")


def parts_by_line(body: bytes, line: bytes) -> Iterator[bytes]:
    """The same of a body where some line is not plain: blanks behind it, another boundary's, or none at the end."""
    begun = -1
    place = 0 if body.startswith(line) else body.find(b"\n" + line)
    while place >= 0:
        after = place + len(line) + (body[place : place + 1] == b"\n")
        end = body.find(b"\n", after)
        rest = body[after : end if end >= 0 else len(body)].rstrip(b" \t")
        if rest in (b"", b"--"):
            if begun >= 0:
                yield b"\n" + body[begun:place]
            begun = end + 1 if end >= 0 else len(body)
            if rest:
                return
        place = body.find(b"\n" + line, max(after - 1, place + 1) if end < 0 else end)
    if 0 <= begun < len(body):
        yield b"\n" + body[begun:]


def _decoded(content: bytes, part: Header) -> bytes:
    match part.get("content-transfer-encoding").lower():
        case "base64":
            letters = re.sub(rb"[^A-Za-z0-9+/]", b"", content)
            letters = letters[: len(letters) - (len(letters) % 4 == 1)]  # one left over is cut off, and no byte
            return base64.b64decode(letters + b"=" * (-len(letters) % 4))
        case "quoted-printable":
            return quopri.decodestring(content)
    return content


def _words(content: bytes, part: Header) -> str:
    raw = _decoded(content[: 4 * WORDS_LIMIT], part)
    return _in_charset(raw, part.get("content-type")).replace("\r\n", "\n").replace(_GROWS, "I")[:WORDS_LIMIT]


_GROWS = "\u0130"
"""The one letter that is two in lower case: without it a place in a text is the same in its lower case."""


def _in_charset(raw: bytes, content_type: str) -> str:
    found = _CHARSET.search(content_type)
    if found is not None and _KNOWN_CHARSETS.fullmatch(found[1]):
        try:
            return raw.decode(found[1], "replace")
        except LookupError:
            return text(raw)
    return text(raw)


def _without_markup(markup: str) -> str:
    return html.unescape(_TAG.sub("", _LINE_TAG.sub("\n", _UNSHOWN.sub("", markup)))).replace("\xa0", " ")


def has(words: str, phrases: Iterable[str]) -> bool:
    """Whether any of the phrases stands in a text."""
    return any(map(words.__contains__, phrases))


def kept(head: Header) -> Fields:
    """What is kept of a mail's own header with each of its events."""
    return {name: value[:KEPT_LIMIT] for name in KEPT if (value := head.get(name))}


def unencoded(value: str) -> str:
    """A header's value with its encoded words (RFC 2047) as text; what cannot be decoded stays as it is."""
    if "=?" not in value:
        return value
    return _ENCODED_WORD.sub(_word, _BETWEEN_WORDS.sub(r"\1\2", value[:2_000]))


def _word(found: re.Match[str]) -> str:
    charset, how, encoded = found[1], found[2].lower(), found[3].encode("ascii", "replace")
    try:
        raw = base64.b64decode(encoded) if how == "b" else quopri.decodestring(encoded.replace(b"_", b" "))
    except NotBase64:
        return found[0]
    return _in_charset(raw, f"charset={charset}")


_MONTHS = {
    name: f"{number:02}"
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_USUAL_DATE = re.compile(
    r"(?:[A-Za-z]{3}, {1,3})?([0-9]{1,2}) ([A-Za-z]{3}) ([0-9]{4})"
    r" ([0-9]{2}:[0-9]{2}:[0-9]{2}) ([+-][0-9]{4})\b"
)


def date(told: str) -> datetime | None:
    """A date as mail writes it (RFC 5322 section 3.3); None where it is none."""
    if not told:
        return None
    try:
        if (usual := _USUAL_DATE.match(told)) and (month := _MONTHS.get(usual[2].lower())):
            # Ten times as fast as the library, which reads every older form as well.
            day, _, year, time, zone = usual.groups()
            return _in_utc(datetime.fromisoformat(f"{year}-{month}-{day:0>2}T{time}{zone}"))
        return _in_utc(parsedate_to_datetime(_COMMENT.sub("", told[:100])))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None


def _in_utc(read: datetime) -> datetime:
    if read.tzinfo is UTC:
        return read
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
