"""Writes a mail as the bytes that travel: RFC 5322 with MIME (RFC 2045 to 2049), CRLF line ends, 7-bit.

Only an address that is itself beyond ASCII puts raw UTF-8 into a header (RFC 6532), and only a mail inside the mail
may be 8-bit; everything else is encoded. The same mail, id and time always give the same bytes. Nothing that a mail
names is ever read: no file, no URL.

The body is a tree of `Part` values. Header lines are written by `header_lines`, what stands in a part by
`body_encodings`: whoever writes mails in another way, from pieces, uses the same.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from attrs import frozen

from .attachments import Attachment
from .body_encodings import encode_text
from .header_lines import author, date, header_line, mailboxes, message_id, parameter, unstructured
from .headers import Headers
from .identifiers import DeliveryId
from .mail import Mail
from .merging import FilledMail
from .outgoing import WireForm


def render(mail: Mail, delivery_id: DeliveryId, at: datetime) -> WireForm:
    """The whole mail, as it is archived, signed and sent.

    Args:
        mail: what to write.
        delivery_id: becomes the Message-ID's left side, so that bounce mail finds its delivery.
        at: the Date header.
    """
    head = header(mail, mail.headers, delivery_id, at)
    return WireForm.written(b"".join([head, *body(mail, boundary_mark(mail, delivery_id))]), dotted=is_dotted(mail))


def is_dotted(mail: Mail) -> bool:
    """Whether a line of it begins with a dot: no text that we encode has one, and no header; a mail inside may."""
    inside = (one.content for one in mail.attachments if one.is_message)
    return any(content.startswith(b".") or b"\n." in content for content in inside)


Headed = Mail | FilledMail
"""What a mail's headers are written of."""


def header(mail: Headed, further: Headers, delivery_id: DeliveryId, at: datetime) -> bytes:
    """All headers but those of the body, folded, the last line ended."""
    lines = [author(mail.sender), mailboxes("To", mail.shown_to or (mail.to,))]
    if mail.shown_cc:
        lines.append(mailboxes("Cc", mail.shown_cc))
    if mail.reply_to is not None:
        lines.append(mailboxes("Reply-To", (mail.reply_to,)))
    lines += unstructured("Subject", mail.subject), date(at), message_id(delivery_id, mail.sender.domain)
    lines.append("MIME-Version: 1.0")
    lines += [header_line(name, value) for name, value in further]
    return "\r\n".join([*lines, ""]).encode()


# --- The body ---------------------------------------------------------------------------------------------------------


@frozen
class Part:
    """A piece of the body, which may hold others.

    Attributes:
        headers: its own, each ended.
        content: what stands below them, in one piece or several, to be joined.
    """

    headers: str
    content: tuple[bytes, ...]

    def __iter__(self) -> Iterator[bytes]:
        """Its bytes, in several pieces, so that nothing large is copied until all are joined."""
        yield f"{self.headers}\r\n".encode()
        yield from self.content


Write = Callable[[str, str], Part]
"""Makes a part of a content type and a text: `text_part` does."""


def body(mail: Mail, mark: str, write: Write | None = None) -> Part:
    """The mail's body, as the part that holds all others.

    Args:
        mail: what to write.
        mark: what ends every boundary: see `boundary_mark`.
        write: writes its texts, if not `text_part`.
    """
    readable = _alternatives(mail, mark, write or text_part)
    top = readable[0] if len(readable) == 1 else multipart("alternative", readable, mark)
    files = [_file(one, "attachment") for one in mail.attachments if one.content_id is None or mail.html is None]
    if mail.invitation is not None:
        files.append(_file(mail.invitation.file, "attachment"))
    return multipart("mixed", [top, *files], mark) if files else top


def _alternatives(mail: Mail, mark: str, write: Write) -> list[Part]:
    """The mail in the ways in which it can be shown, the best last; where it counts, AMP stands before the HTML.

    https://amp.dev/documentation/guides-and-tutorials/learn/email-spec/amp-email-structure: some programs show the
    last part, whether they know it or not. A calendar object comes after all, where programs look for it.
    """
    ways = []
    if mail.text is not None:
        ways.append(write(f"text/plain; charset={_charset(mail.text)}", mail.text))
    if mail.amp is not None:
        ways.append(write("text/x-amp-html; charset=utf-8", mail.amp))
    if mail.html is not None:
        html = write(f"text/html; charset={_charset(mail.html)}", mail.html)
        pictures = [_file(one, "inline") for one in mail.attachments if one.content_id is not None]
        ways.append(multipart("related", [html, *pictures], mark) if pictures else html)
    if mail.invitation is not None:
        method = mail.invitation.method
        ways.append(write(f"text/calendar; charset=utf-8; method={method}", mail.invitation.calendar))
    return ways


def _charset(text: str) -> str:
    return "us-ascii" if text.isascii() else "utf-8"


def boundary_mark(mail: Mail, name: str) -> str:
    """What ends every boundary, and stands in no mail inside that may have boundaries of ours.

    Args:
        mail: whose boundaries.
        name: of the mail, or of what it is made of: letters, digits, ``-``, ``_`` and ``.``.
    """
    ours = re.compile(rb"=_[a-z]([0-9]*)_%b" % re.escape(name.encode()))
    taken = [int(number or 0) for one in mail.attachments if one.is_message for number in ours.findall(one.content)]
    return f"{max(taken) + 1 if taken else ''}_{name}"


def multipart(kind: str, parts: Iterable[Part], mark: str) -> Part:
    """Several parts as one (RFC 2046 section 5.1).

    Args:
        kind: ``mixed``, ``alternative`` or ``related``.
        parts: at least one.
        mark: what ends the boundary, the same for the whole mail.
    """
    # In no encoding "=_" can stand, and text with a line that begins with "--=_" is encoded: so no boundary is inside.
    boundary = f"=_{kind[0]}{mark}"
    content: list[bytes] = []
    for part in parts:
        content += f"--{boundary}\r\n".encode(), *part, b"\r\n"
    return Part(
        f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n', (*content, f"--{boundary}--\r\n".encode())
    )


def text_part(content_type: str, text: str) -> Part:
    """Text in the encoding that suits it, its last line ended; the type names its charset, UTF-8 or less."""
    encoding, content = encode_text(text)
    return Part(f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding.value}\r\n", (content,))


def _file(attachment: Attachment, disposition: str) -> Part:
    content_id = "" if attachment.content_id is None else f"Content-ID: <{attachment.content_id}>\r\n"
    return Part(
        f"Content-Type: {attachment.content_type}\r\n"
        f"Content-Transfer-Encoding: {attachment.encoding.value}\r\n"
        f"Content-Disposition: {disposition}{parameter('filename', attachment.name)}\r\n{content_id}",
        attachment.encoded,
    )
