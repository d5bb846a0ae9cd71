"""What programs make of the URL in a link before they ask for it: the URL standard's rules, as a redirect needs."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote_plus

PLACEHOLDERS = ("{{", "{%", "{#", "{$", "*|", "${", "#{", "@{", "[[", "<%", "<?", "<#", "<<", "%%", "@@")
"""How placeholders of the common template languages begin. A link that holds one is not finished: it is left alone."""

_WORD = r"[A-Za-z_][\w.]*+"
_ALONE, _ENDS = r"(?<=[/=].)", r"(?![^/?&\#])"

# Others are told from what URLs have by what is in them: [% id %], where %id is no percent-encoded byte; {id}, {0},
# {first name} and {!Contact.Id}, which no quoted word (JSON) and no GUID is; %recipient.id%; #id#, as no URL has two
# "#" (RFC 3986 section 3.5); and what an editor made of {{id}} and *|ID|*. [id], $id$, -id- and ~id~ may stand in a URL
# that is finished, and are taken for placeholders where one is all there is between slashes, or a whole value. A brace
# in a URL is wrong (RFC 3986 section 2), yet some lead somewhere: what is left alone goes on working. Each choice
# begins with one character, which makes it twenty times quicker to see that there is none.
_PLACEHOLDER = re.compile(
    rf"""{"|".join(map(re.escape, PLACEHOLDERS))}
    |%7[Bb]%(?:7[Bb]|25)|\*%7[Cc]
    |\[%(?![0-9A-Fa-f]{{2}})
    |\{{(?![0-9A-Fa-f-]{{32,38}}\}})(?:!?[A-Za-z_][^{{}}"',/?&\#]*+|[0-9]{{0,2}})\}}
    |%(?![0-9A-Fa-f]{{2}})[A-Za-z_][\w.:-]*+%(?![0-9A-Fa-f]{{2}})
    |\#{_WORD}\#
    |-{_ALONE}{_WORD}-{_ENDS}|\${_ALONE}{_WORD}\${_ENDS}|~{_ALONE}{_WORD}~{_ENDS}
    |\[{_ALONE}{_WORD}(?:,[^\[\]]*+)?\]{_ENDS}""",
    re.VERBOSE,
)
"""See https://www.twilio.com/docs/sendgrid/for-developers/sending-email/substitution-tags for ``-id-`` and ``#id#``;
for ``[id,fallback=]`` https://help.oneclickpolitics.com/hc/en-us/articles/228081588-How-do-I-personalize-a-campaign,
and for ``$ID$`` https://knowledge.validity.com/hc/en-us/articles/360047239072."""


def unfinished(link: str) -> bool:
    """Whether a template's placeholder stands in it, so that it leads nowhere yet."""
    return _PLACEHOLDER.search(link) is not None


def followed(link: str) -> str:
    """A link as programs follow it: without the space around it, and without line breaks and tabs anywhere in it.

    See https://url.spec.whatwg.org/#url-parsing, its first steps.
    """
    return link.strip(_AROUND).translate(_WITHIN)


_AROUND = "".join(map(chr, range(0x21)))
_WITHIN = dict.fromkeys(map(ord, "\t\n\r"))

_NOTHING_TO_CHANGE = re.compile(r"[hH][tT][tT][pP][sS]?://[A-Za-z0-9._-]+(?::[0-9]{1,4})?(?:[/?#][!#-;=?-\[\]-~]*+)?")
"""The usual case, seen at one look: all ASCII, no credentials, nothing that is encoded."""

_TARGET = re.compile(
    r"(?P<scheme>[hH][tT][tT][pP][sS]?://)(?P<authority>[^/\\?#]+)(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL
)
_IN_NAMES = r"[^\x00-\x20\x7f#%/:<>?@\[\\\]^|]"
_HOST = re.compile(rf"(?P<name>\[[0-9A-Fa-f:.]+\]|{_IN_NAMES}+)(?::(?P<port>[0-9]{{0,5}}))?")
# Among letters beyond ASCII stand wide forms of what parts a URL, marks that turn the
# direction of the text, and the sign for what was none.
_NAME = re.compile(rf"(?:(?![\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]){_IN_NAMES})+")
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_IGNORED_IN_NAMES = dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10)))

# All of ASCII that stands in a URL as it is, or that whoever follows it encodes alike.
_AS_IT_IS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>')
_IN_CREDENTIALS = _AS_IT_IS.replace("@", "")


def location(target: str) -> str | None:
    """The URL that a program asks for when it follows this target, in ASCII; None where it would not follow it.

    Letters beyond ASCII and spaces become what the URL standard (https://url.spec.whatwg.org) makes of them: Punycode
    in the host, percent-encoded UTF-8 elsewhere; a backslash in the path becomes a slash. What is left is read alike by
    every program, by that standard or by RFC 3986. What is ASCII stays, so that nothing is encoded twice.
    """
    if _NOTHING_TO_CHANGE.fullmatch(target):
        return target
    link = followed(target)
    split = _TARGET.fullmatch(link)
    if split is None or _UNSENDABLE.search(link):
        return None
    credentials, at, host = split["authority"].rpartition("@")
    found = _HOST.fullmatch(host)
    if found is None or int(found["port"] or 0) > 0xFFFF:
        return None
    name = _ascii_name(found["name"])
    if name is None:
        return None
    port = "" if found["port"] is None else f":{found['port']}"
    # In the query and in the fragment a backslash is a character like others.
    path = quote(split["path"].replace("\\", "/"), _AS_IT_IS)
    rest = quote(split["rest"], _AS_IT_IS)
    return f"{split['scheme']}{quote(credentials, _IN_CREDENTIALS)}{at}{name}{port}{path}{rest}"


def _ascii_name(name: str) -> str | None:
    if name.isascii():
        return name
    plain = _plain(name)
    if not _NAME.fullmatch(plain):
        return None
    labels = [label if label.isascii() else _ascii_label(label) for label in plain.split(".")]
    return None if any(len(label) > 63 for label in labels) else ".".join(labels)


def _plain(name: str) -> str:
    """A host's name as names are compared: UTS 46 in the main (widths, case, dots, and what is not seen)."""
    composed = unicodedata.normalize("NFKC", name.translate(_IGNORED_IN_NAMES)).replace("\u3002", ".")
    # Letter by letter: the last sigma of a word has a small form of its own, which is another name.
    return unicodedata.normalize("NFC", "".join(map(str.lower, composed)))


def _ascii_label(label: str) -> str:
    # Punycode takes time by the square; over 63 letters it is no label anyway (RFC 1035 section 2.3.4).
    return f"xn--{label.encode('punycode').decode('ascii')}" if len(label) <= 63 else label


def parameter_names(url: str) -> set[str]:
    """The names in a URL's query, decoded."""
    return {name for name, _ in _parameters(url)}


def parameter(url: str, name: str) -> str | None:
    """The first value of this name in a URL's query, decoded; None where it has none."""
    return next((value for each, value in _parameters(url) if each == name), None)


def _parameters(url: str) -> Iterator[tuple[str, str]]:
    query = url.partition("#")[0].partition("?")[2]
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        yield unquote_plus(name), unquote_plus(value)


def around_a_parameter(url: str) -> tuple[str, str]:
    """What stands before and behind one more parameter, put at the end of the query: ``?`` or ``&``; the fragment."""
    front, mark, fragment = url.partition("#")
    _, begun, query = front.partition("?")
    if not begun:
        front += "?"
    elif query and not query.endswith("&"):
        front += "&"
    return front, mark + fragment


def with_parameters(url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """The URL with these parameters at the end of its query, and no other character changed.

    One whose name is there already is left out: what the URL says holds.
    """
    there = parameter_names(url)
    added = [f"{quote(name, '')}={quote(value, '')}" for name, value in parameters if name not in there]
    if not added:
        return url
    front, back = around_a_parameter(url)
    return f"{front}{'&'.join(added)}{back}"
