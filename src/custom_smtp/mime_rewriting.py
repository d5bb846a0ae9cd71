"""Writes a finished mail again: what was changed in it, and all else byte for byte as it came."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from .body_encodings import Encoding, base64
from .checks import MailError
from .finished import FinishedMail, HeaderField, TextPart, Untouched
from .header_lines import date, header_line, message_id
from .headers import Headers
from .html_charset import saying
from .identifiers import DeliveryId
from .mime_fields import adjusted, signed_names
from .outgoing import WireForm
from .part_texts import encoded, ended, octets


def rewrite(mail: FinishedMail, delivery_id: DeliveryId, at: datetime) -> WireForm:
    """The whole mail, as it is archived, signed and sent.

    New headers stand in front of those it has. A Date and a Message-ID are added if it has none.

    Args:
        mail: what to write.
        delivery_id: becomes the Message-ID's left side, where the mail has none of its own.
        at: the Date header, likewise.

    Raises:
        MailError: a header is to be added, changed or left out that the mail's DKIM signature covers.
    """
    kept, added = _sorted_out(mail)
    body: list[bytes] = []
    for piece, following in pairwise((*mail.skeleton.body, b"")):
        if isinstance(piece, bytes):
            body.append(piece)
            continue
        fields, content = _written(piece, mail, kept)
        if piece.fields is None:
            kept = fields
            body.append(content)
        else:
            body += [*(one.wire for one in fields), b"\r\n", content]
            # A part that was empty may have shared its only line end with the boundary behind it.
            body.append(b"\r\n" if content and isinstance(following, bytes) and following.startswith(b"--") else b"")
    last = next((piece for piece in reversed(body) if piece), b"\r\n")
    body.append(b"" if last.endswith(b"\r\n") else b"\r\n")
    lines = [*_missing(mail, delivery_id, at), *(header_line(name, value) for name, value in added)]
    head = "".join(f"{line}\r\n" for line in lines).encode()
    return WireForm(b"".join([head, *(one.wire for one in kept), b"\r\n", *body]))


def _sorted_out(mail: FinishedMail) -> tuple[tuple[HeaderField, ...], Headers]:
    """The headers that stay, and the new ones."""
    asked = Counter(mail.headers)
    kept: list[HeaderField] = []
    left_out: list[str] = []
    for one in mail.skeleton.fields:
        stays = asked[one.name, one.value] > 0
        asked[one.name, one.value] -= stays
        if stays:
            kept.append(one)
        else:
            left_out.append(one.name)
    there = Counter((one.name, one.value) for one in kept)
    added: list[tuple[str, str]] = []
    for pair in mail.headers:
        if there[pair]:
            there[pair] -= 1
        else:
            added.append(pair)
    _require_unsigned(mail, [*left_out, *(name for name, _ in added)])
    return tuple(kept), tuple(added)


def _require_unsigned(mail: FinishedMail, names: Iterable[str]) -> None:
    if mail.untouched is not Untouched.DKIM:
        return
    signed = signed_names(mail.skeleton.fields)
    if broken := [name for name in names if name.lower() in signed]:
        raise MailError(
            f"the mail's DKIM signature covers {', '.join(broken)}, which would change: take the signature out, and "
            "let Preparation(signer=...) sign; or leave that header to whoever signed"
        )


def _missing(mail: FinishedMail, delivery_id: DeliveryId, at: datetime) -> Iterator[str]:
    there = {name.lower() for name, _ in mail.headers}
    if mail.untouched is Untouched.DKIM:
        there |= signed_names(mail.skeleton.fields)
    if "date" not in there:
        yield date(at)
    if "message-id" not in there:
        yield message_id(delivery_id, mail.sender.domain)


def _written(part: TextPart, mail: FinishedMail, own: tuple[HeaderField, ...]) -> tuple[tuple[HeaderField, ...], bytes]:
    """A text as it is now, and the headers that say how it is written."""
    fields = own if part.fields is None else part.fields
    text = {"text/plain": mail.text, "text/html": mail.html}.get(part.media_type)
    if text is None or text == part.text:
        return fields, part.content
    content, encoding, codec = encoded(text, part.encoding, part.charset, like=part.text)
    if codec != part.charset and part.media_type == "text/html":
        content, encoding, codec = encoded(saying(text, codec), encoding, codec, like=part.text)
    if _holds_a_boundary(content, mail.skeleton.boundaries):
        content, encoding = base64(octets(content, encoding) or b""), Encoding.BASE64
    fields = adjusted(
        fields,
        None if encoding is part.encoding else encoding,
        media_type=part.media_type,
        charset=None if codec == part.charset else codec,
        of_the_mail=part.fields is None,
    )
    if part.fields is None:
        return fields, ended(content, encoding)
    # In base64 the last line end is none of the text, and as good as the one that the boundary begins with.
    return fields, content.removesuffix(b"\r\n") if encoding is Encoding.BASE64 else content


def _holds_a_boundary(content: bytes, boundaries: frozenset[bytes]) -> bool:
    """Whether a line begins as one: whatever stands behind it on the line may be passed over (RFC 2046, 5.1.1)."""
    begins = tuple(b"--" + each for each in boundaries)
    return any(line.startswith(begins) for line in content.split(b"\r\n") if line.startswith(b"--"))
