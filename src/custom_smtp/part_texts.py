"""The text of one part of a mail: decoded where its bytes leave no doubt, and encoded again the same way.

A text is read only if writing it again gives the bytes that it was read from, so that whatever is not changed in it
stays as it was. Where programs may differ (a charset nobody knows, broken base64, escapes that are none) it is not
read.
"""

import binascii
import re
from encodings import normalize_encoding
from encodings.aliases import aliases

from .body_encodings import LONGEST_LINE, Encoding, base64

# What mail programs read by these names is more than they promise (WHATWG Encoding Standard, "Names and labels").
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_CODECS = frozenset(
    name
    for names in (
        "ascii utf_8 koi8_r koi8_u koi8_t gb18030 big5 big5hkscs euc_jp cp932 cp949 iso2022_jp iso2022_kr hz latin_1",
        "tis_620 mac_roman mac_cyrillic cp437 cp850 cp852 cp855 cp866 cp874",
        " ".join(f"iso8859_{number}" for number in (*range(2, 12), *range(13, 17))),
        " ".join(f"cp{number}" for number in range(1250, 1259)),
    )
    for name in names.split()
)
"""Those that are for text in mail, as Python calls them. UTF-7 is none: it hides ASCII from whoever looks at bytes."""


def codec_of(charset: str) -> str | None:
    """The codec for a charset's name, if it is one for text in mail."""
    if not charset.isascii():
        return None
    # Looked up here, since Python keeps each name that it is asked for, and these are written by anybody.
    name = normalize_encoding(charset).lower()
    name = aliases.get(name, name)
    name = _WIDER.get(name, name)
    return name if name in _CODECS else None


def encoding_of(told: str) -> Encoding | None:
    """The encoding that a Content-Transfer-Encoding names; None for one that is not known.

    What says ``binary`` is taken as 8-bit: whether it can travel so is seen by its bytes.
    """
    told = told.strip().lower()
    return _ENCODINGS.get(told)


_ENCODINGS = {encoding.value: encoding for encoding in Encoding} | {
    "": Encoding.SEVEN_BIT,
    "binary": Encoding.EIGHT_BIT,
}

_BAD_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r\n|\Z)")
_WHITE = b" \t\r\n"


def octets(content: bytes, encoding: Encoding) -> bytes | None:
    """What the bytes of a part stand for; None where programs may differ about it.

    Args:
        content: with CRLF line ends.
        encoding: how it travels.
    """
    if encoding is Encoding.BASE64:
        try:
            return binascii.a2b_base64(content.translate(None, _WHITE), strict_mode=True)
        except binascii.Error:
            return None
    if encoding is Encoding.QUOTED_PRINTABLE:
        # White space at the end of a line was put there on the way (RFC 2045 section 6.7 (3)).
        lines = b"\r\n".join([line.rstrip(b" \t") for line in content.split(b"\r\n")])
        return None if _BAD_ESCAPE.search(lines) else binascii.a2b_qp(lines)
    return content


def text(raw: bytes, charset: str) -> tuple[str, str] | None:
    """The text that bytes stand for, and the codec by which they do; None where that is not sure.

    What says it is ASCII and is not, is taken for UTF-8 if it can be that.
    """
    codec = codec_of(charset)
    if codec == "ascii" and not raw.isascii():
        codec = "utf-8"
    if codec is None:
        return None
    try:
        told = raw.decode(codec)
        sure = "\0" not in told and told.encode(codec) == raw
    except UnicodeError:
        return None
    return (told, codec) if sure else None


def encoded(text: str, encoding: Encoding, codec: str, *, like: str) -> tuple[bytes, Encoding, str]:
    """The text as it travels, how it does, and in which codec: the ones it had, or such as it fits in.

    Args:
        text: what to write.
        encoding: how the part travelled before.
        codec: in which.
        like: what it said before. Unless that has other line ends, the new text gets CRLF (RFC 2046 section 4.1.1).
    """
    if not _OTHER_LINE_END.search(like):
        text = _LINE_END.sub("\r\n", text)
    try:
        raw = text.encode(codec)
    except UnicodeEncodeError:
        raw, codec = text.encode(), "utf-8"
    if encoding is Encoding.SEVEN_BIT and not raw.isascii():
        encoding = Encoding.QUOTED_PRINTABLE
    if encoding is Encoding.BASE64:
        return base64(raw), encoding, codec
    if encoding is Encoding.QUOTED_PRINTABLE or not travels(raw):
        return quoted_printable(raw), Encoding.QUOTED_PRINTABLE, codec
    return raw, encoding, codec


_LINE_END = re.compile(r"\r\n|\r|\n")
_OTHER_LINE_END = re.compile(r"\r(?!\n)|(?<!\r)\n")
_ODD_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def travels(content: bytes) -> bool:
    """Whether bytes can stand on the wire as they are: CRLF line ends alone, no NUL, no line too long."""
    return (
        b"\0" not in content
        and not _ODD_END.search(content)
        and len(max(content.split(b"\r\n"), key=len)) <= LONGEST_LINE
    )


def crlf(content: bytes) -> bytes:
    """With each line feed as CRLF, whatever CRs stand before it. CRs with no line feed behind them stay."""
    if content.count(b"\n") == content.count(b"\r\n") and b"\r\r" not in content:
        return content
    return _LINE_FEED.sub(b"\r\n", content)


def crlf_alone(content: bytes) -> bytes:
    """With each line end of any kind as CRLF."""
    return _CR.sub(b"\r\n", crlf(content))


_LINE_FEED = re.compile(rb"(?<!\r)\r*+\n")
_CR = re.compile(rb"\r(?!\n)")


def quoted_printable(raw: bytes) -> bytes:
    """Any bytes in quoted-printable; NUL as an escape, and line ends too where not all are CRLF."""
    # To the codec a line feed alone is a line end, too: where there is one, every line end becomes an escape. And it
    # ends its own lines as the first one in the bytes ends.
    coded = binascii.b2a_qp(raw, istext=not _ODD_END.search(raw))
    return coded.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def ended(content: bytes, encoding: Encoding) -> bytes:
    """What has to end with a line end, which is none of the text where it need not be."""
    if content.endswith(b"\r\n") or not content:
        return content
    return content + (b"=\r\n" if encoding is Encoding.QUOTED_PRINTABLE else b"\r\n")
