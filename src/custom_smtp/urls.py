"""What programs make of the URL in a link before they ask for it: the URL standard's rules, as a redirect needs."""

import re
import unicodedata
from urllib.parse import quote

from .checks import CONTROL

PLACEHOLDERS = ("{{", "{%", "{#", "*|", "${", "#{", "[[", "<%", "<?", "%%")
"""How placeholders of the common template languages begin. A link that holds one is not finished: it is left alone."""


def unfinished(link: str) -> bool:
    """Whether a template's placeholder stands in it, so that it leads nowhere yet."""
    return any(begin in link for begin in PLACEHOLDERS)


def followed(link: str) -> str:
    """A link as programs follow it: without the space around it, and without line breaks and tabs anywhere in it.

    See https://url.spec.whatwg.org/#url-parsing, its first steps.
    """
    return link.strip(_AROUND).translate(_WITHIN)


_AROUND = "".join(map(chr, range(0x21)))
_WITHIN = dict.fromkeys(map(ord, "\t\n\r"))

_TARGET = re.compile(r"(?P<scheme>[hH][tT][tT][pP][sS]?://)(?P<authority>[^/\\?#]+)(?P<rest>.*)", re.DOTALL)
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\x00-\x20\x7f#%/:<>?@\[\\\]^|]+)(?::(?P<port>[0-9]{0,5}))?")
_IGNORED_IN_NAMES = dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10)))

# All of ASCII that stands in a URL as it is, or that whoever follows it encodes alike.
_AS_IT_IS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>')


def location(target: str) -> str | None:
    """The URL that a program asks for when it follows this target, in ASCII; None where it would not follow it.

    Letters beyond ASCII and spaces become what the URL standard (https://url.spec.whatwg.org) makes of them: Punycode
    in the host, percent-encoded UTF-8 elsewhere. What is ASCII stays, so that nothing is encoded twice.
    """
    split = _TARGET.fullmatch(followed(target))
    if split is None or CONTROL.search(split[0]):
        return None
    credentials, at, host = split["authority"].rpartition("@")
    name = _HOST.fullmatch(_plain_host(host))
    if name is None or int(name["port"] or 0) > 0xFFFF:
        return None
    ascii_name = _ascii_name(name["name"])
    if ascii_name is None:
        return None
    port = "" if name["port"] is None else f":{name['port']}"
    return f"{split['scheme']}{quote(credentials, _AS_IT_IS)}{at}{ascii_name}{port}{quote(split['rest'], _AS_IT_IS)}"


def _plain_host(host: str) -> str:
    """The host as names are compared: UTS 46 in the main (widths, case, dots, and what is not seen)."""
    if host.isascii():
        return host
    return unicodedata.normalize("NFKC", host.translate(_IGNORED_IN_NAMES)).replace("\u3002", ".").lower()


def _ascii_name(name: str) -> str | None:
    if name.isascii():
        return name
    labels = [label if label.isascii() else _ascii_label(label) for label in name.split(".")]
    return None if any(len(label) > 63 for label in labels) else ".".join(labels)


def _ascii_label(label: str) -> str:
    # Punycode takes time by the square; over 63 letters it is no label anyway (RFC 1035 section 2.3.4).
    return f"xn--{label.encode('punycode').decode('ascii')}" if len(label) <= 63 else label
