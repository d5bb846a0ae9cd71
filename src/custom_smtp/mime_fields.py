"""Headers of a finished mail, as they travel: folded or encoded only where they could not travel as they came."""

import binascii
import re
from collections.abc import Callable

from .body_encodings import LONGEST_LINE, Encoding
from .checks import MailError, shown
from .finished import HeaderField
from .header_lines import folded
from .header_reading import Place, parameters, pieces
from .headers import is_free_text
from .part_texts import crlf
from .tag_lists import covered_names

_FOLD = re.compile(rb"\r\n")
_ADDRESSES = frozenset(
    name
    for names in (
        "from sender reply-to to cc",
        "resent-from resent-sender resent-reply-to resent-to resent-cc",
        "disposition-notification-to return-receipt-to errors-to",
    )
    for name in names.split()
)
_WORD_OCTETS = 39  # 52 letters of base64: within the 75 of RFC 2047 section 2
_MIME = ("content-", "mime-")


def wire_field(name: str, lines: bytes, *, as_it_is: bool) -> HeaderField:
    """One header of a mail.

    Args:
        name: its name.
        lines: the whole of it, with line ends of any kind.
        as_it_is: whether it is signed, and cannot be written anew.

    Raises:
        MailError: programs may read it in several ways, or it cannot travel.
    """
    wire = crlf(lines)
    wire = wire if wire.endswith(b"\r\n") else wire + b"\r\n"
    unfolded = _FOLD.sub(b"", wire)
    if b"\r" in unfolded or b"\0" in unfolded:
        raise MailError(f"the header {shown(name)} holds a CR alone or a NUL, and might be read as two: take it out")
    if not as_it_is:
        unfolded, wire = _seven_bit(name, unfolded, wire)
        if len(max(wire.split(b"\r\n"), key=len)) > LONGEST_LINE:
            wire = folded(unfolded.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape") + b"\r\n"
    if len(max(wire.split(b"\r\n"), key=len)) > LONGEST_LINE:
        raise MailError(f"the header {shown(name)} has a line over {LONGEST_LINE} octets: shorten it")
    value = unfolded.partition(b":")[2].strip(b" \t")
    return HeaderField(name, value.decode("utf-8", "replace"), wire)


def _seven_bit(name: str, unfolded: bytes, wire: bytes) -> tuple[bytes, bytes]:
    """A header with what is beyond ASCII in encoded words, where such may stand: unfolded, and in lines."""
    if unfolded.isascii():
        return unfolded, wire
    begin, _, value = unfolded.partition(b":")
    try:
        told, codec = value.decode(), "utf-8"
    except UnicodeDecodeError:
        told, codec = value.decode("latin-1"), "latin-1"
    encoded = None
    if name.lower() in _ADDRESSES:
        encoded = _encoded_addresses(told, codec)
    elif is_free_text(name) and not name.lower().startswith(_MIME):
        encoded = _encoded_text(told, codec)
    if encoded is None:
        if codec == "latin-1":
            raise MailError(f"the header {shown(name)} holds bytes beyond ASCII that are no UTF-8: encode them")
        return unfolded, wire  # UTF-8, which takes a server with SMTPUTF8
    line = f"{begin.decode('ascii')}:{encoded}"
    return line.encode(), folded(line).encode() + b"\r\n"


def _encoded_text(text: str, codec: str) -> str:
    """Free text with each run of words beyond ASCII in encoded words; what stands around it stays."""
    words: list[str] = []
    run: list[str] = []
    for word in text.split(" "):
        if word.isascii() and (word or not run):
            words += [*_taken(run, codec), word]
        else:
            run.append(word)
    return " ".join([*words, *_taken(run, codec)])


def _taken(run: list[str], codec: str) -> list[str]:
    """The run in encoded words; blanks at its end stay outside, since they part it from what follows."""
    text = " ".join(run)
    spoken = text.rstrip(" ")
    blanks = [""] * (len(text) - len(spoken))
    told = [_words(spoken, codec), *blanks] if run else []
    run.clear()
    return told


def _encoded_addresses(value: str, codec: str) -> str | None:
    """An address list with its names and comments in encoded words; None where an address itself is beyond ASCII."""
    told: list[str] = []
    quoted: list[str] = []
    for place, piece in pieces(value):
        if place is Place.QUOTED:
            quoted.append(piece)
            continue
        told.append(_unquoted("".join(quoted), codec))
        quoted = []
        if piece.isascii():
            told.append(piece)
        elif place is Place.ANGLE or "@" in piece:
            return None
        else:
            told.append(_encoded_text(piece, codec))
    # What is in brackets has to be parted from an encoded word (RFC 2047 section 5 (3)).
    return "".join([*told, _unquoted("".join(quoted), codec)]).replace("?=<", "?= <")


def _unquoted(quoted: str, codec: str) -> str:
    return quoted if quoted.isascii() else _words(re.sub(r"\\(.)", r"\1", quoted[1:].removesuffix('"')), codec)


def _words(text: str, codec: str) -> str:
    """Encoded words (RFC 2047), none of which splits a character. What is in no charset that is known, says so."""
    charset = "utf-8" if codec == "utf-8" else "unknown-8bit"  # RFC 1428 section 3
    words: list[str] = []
    word, used = "", 0
    for letter in text:
        octets = len(letter.encode(codec))
        if used + octets > _WORD_OCTETS:
            words.append(word)
            word, used = "", 0
        word += letter
        used += octets
    spelled = (binascii.b2a_base64(each.encode(codec), newline=False).decode() for each in [*words, word])
    return " ".join(f"=?{charset}?b?{each}?=" for each in spelled)


# --- What says how a part is written ----------------------------------------------------------------------------------

_PARAMETER = re.compile(rb'(;\s*([^\s=;"]+)\s*=\s*)("(?:[^"\\]|\\.)*"|[^\s;"]*)', re.DOTALL)


def adjusted(
    fields: tuple[HeaderField, ...],
    encoding: Encoding | None,
    *,
    media_type: str,
    charset: str | None = None,
    of_the_mail: bool = False,
) -> tuple[HeaderField, ...]:
    """The headers with another encoding and charset, where these are given; all else in them stays.

    Args:
        fields: a part's, or the mail's.
        encoding: how the part travels now.
        media_type: what it is, in case they do not say.
        charset: the charset it is in now.
        of_the_mail: whether they are the mail's own, which have to say that it has parts at all.
    """
    if encoding is None and charset is None:
        return fields
    changed = list(fields)
    if charset is not None:
        _put(changed, "Content-Type", f'{media_type}; charset="{charset}"', lambda one: _with_charset(one, charset))
    if encoding is not None:
        told = encoding.value
        _put(changed, "Content-Transfer-Encoding", told, lambda one: field_of(one.name, told))
    if of_the_mail:
        _put(changed, "MIME-Version", "1.0", lambda one: one)
    return tuple(changed)


def field_of(name: str, value: str) -> HeaderField:
    """A short header of our own."""
    return HeaderField(name, value, f"{name}: {value}\r\n".encode())


def _put(fields: list[HeaderField], name: str, value: str, change: Callable[[HeaderField], HeaderField]) -> None:
    for place, one in enumerate(fields):
        if one.name.lower() == name.lower():
            fields[place] = change(one)
            return
    fields.append(field_of(name, value))


def _with_charset(one: HeaderField, charset: str) -> HeaderField:
    def changed(there: re.Match[bytes]) -> bytes:
        if there[2].lower() != b"charset":
            return there[0]
        # In quotes where it was: there are mails with more behind them.
        return there[1] + (f'"{charset}"' if there[3].startswith(b'"') else charset).encode()

    line = one.wire.removesuffix(b"\r\n")
    wire = _PARAMETER.sub(changed, line) + b"\r\n"
    if "charset" not in parameters(one.value):
        wire = line.rstrip(b"; \t\r\n") + f"; charset={charset}\r\n".encode()
    return HeaderField(one.name, _FOLD.sub(b"", wire).partition(b":")[2].strip().decode("utf-8", "replace"), wire)


# --- DKIM -------------------------------------------------------------------------------------------------------------


def signed_names(fields: tuple[HeaderField, ...]) -> frozenset[str]:
    """The headers, in lower case, that the mail's DKIM and ARC signatures cover (RFC 6376 section 3.5)."""
    return frozenset().union(*(covered_names(one.value) for one in fields if one.name.lower() in SIGNATURES))


SIGNATURES = frozenset({"dkim-signature", "arc-message-signature"})
"""Headers that sign a mail, text and all."""
