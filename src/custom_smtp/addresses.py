"""Mail addresses: right once they exist."""

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import Any

from attrs import Attribute, field, frozen

from .checks import CONTROL, MailError, one_line, shown, writable

# RFC 5322 section 3.2.3 (atext), with RFC 6531 section 3.3's non-ASCII, white space apart; a quoted local part
# (RFC 5321 section 4.1.2) without "@".
_DOT_ATOM = re.compile(
    r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|(?!\s)[\x80-\U0010ffff])+"
    r"(?:\.(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|(?!\s)[\x80-\U0010ffff])+)*"
)
_QUOTED = re.compile(r'"(?:[^"\\@]|\\[^@])+"')
_LOOKS_ENCODED = re.compile(r"=\?[^?]*\?[bBqQ]\?")  # where some program may see an encoded word begin
# A name, in quotes or free of what has a meaning in an address list, and an address in angle brackets.
_PLAIN = r'[^"<>@,;:\\]*'
_NAMED = re.compile(
    rf'(?:"(?P<quoted>(?:[^"\\]|\\.)*)" *|(?P<plain>{_PLAIN}))<(?P<email>"(?:[^"\\]|\\.)+"@[^<>"]*|[^<>"]*)>'
)
_PLAIN_NAME = re.compile(rf"(?!\s){_PLAIN}(?<!\s)")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_USUAL_DOMAIN = re.compile(r"[a-z0-9]{1,63}(?:\.[a-z0-9]{1,63})*")
"""What most domains are: nothing in them has to be looked at twice."""
_USUAL = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[a-z0-9]+(?:\.[a-z0-9]+)*")
"""What most addresses are, likewise, as long as no part of them can be too long."""
_DOMAIN_OCTETS = 253
_ADDRESS_OCTETS = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets
_LOCAL_OCTETS = 64  # section 4.5.3.1.1
_IN_NAMES = ("Ll", "Lu", "Lt", "Lo", "Lm", "Mn", "Mc", "Nd")  # RFC 5892 section 2.1
_CATALAN_DOT = re.compile("(?<=l)\u00b7(?=l)")  # RFC 5892 appendix A.3
# Appendix A.7, less its Han: a dot between signs of the Japanese scripts.
_JAPANESE_DOT = re.compile("(?<=[\u3041-\u30fa\u30fc-\u30ff])\u30fb(?=[\u3041-\u30fa\u30fc-\u30ff])")
_LABEL_LETTERS = 63 * 4  # more than any label needs, before its letters are composed; bounds the work on a hostile one


def _an_address(_instance: object, _attribute: "Attribute[Any]", email: str) -> None:
    if not isinstance(email, str):
        raise MailError(f"{shown(email)} is not an address: write text such as 'ada@example.net'")
    if len(email) >= _LOCAL_OCTETS or not _USUAL.fullmatch(email):
        _look_through(email)


def _look_through(email: str) -> None:
    if found := CONTROL.search(email):
        raise MailError(
            f"the address {shown(email)} holds a line break or control character at {found.start()}: take it out"
        )
    local, at, domain = email.rpartition("@")
    if not (at and local and domain):
        raise MailError(f"{shown(email)} is not an address: it needs one '@' between a name and a domain")
    if "@" in local:
        raise MailError(f"{shown(email)} holds more than one '@': write a single address")
    if not (_DOT_ATOM.fullmatch(local) or _QUOTED.fullmatch(local)):
        raise MailError(
            f"{shown(local)} cannot stand in front of an '@': quote it, as in '\"a..b\"@example.net', or correct it"
        )
    if _LOOKS_ENCODED.search(local):
        raise MailError(
            f"{shown(local)} is written like an encoded word (RFC 2047), which no address may hold, and some program "
            "may read another address in it: correct it"
        )
    try:
        octets = len(local.encode())
    except UnicodeEncodeError as error:
        raise MailError(f"the address {shown(email)} holds half of a surrogate pair: correct it") from error
    if octets > _LOCAL_OCTETS:
        raise MailError(f"the part before the '@' of {shown(email)} is over {_LOCAL_OCTETS} octets: shorten it")
    if octets + 1 + len(ascii_domain(domain)) > _ADDRESS_OCTETS:
        raise MailError(f"the address {shown(email)} is over {_ADDRESS_OCTETS} octets: shorten it")


@frozen
class Address:
    """Whom a mail is from, or for: ``Address("ada@example.net", "Ada")``.

    Attributes:
        email: the address itself, as given.
        name: the display name; empty for none.
        smtputf8: allows letters beyond ASCII in front of the ``@`` (RFC 6531), which only some servers carry. Domains
            beyond ASCII need nothing: they travel in their ASCII form.
        wire: the address as it stands in SMTP commands and headers, its domain in ASCII.

    Raises:
        MailError: it is no address, or needs ``smtputf8=True``; the message says what to change.
    """

    email: str = field(validator=_an_address)
    name: str = field(default="", validator=one_line("the display name"))
    smtputf8: bool = field(default=False, kw_only=True)
    wire: str = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "wire", _as_it_travels(self.email))
        if not (self.smtputf8 or self.email.isascii() or self.local.isascii()):
            raise MailError(
                f"{self.email!r} has letters beyond ASCII in front of the '@': if your server offers SMTPUTF8, "
                "say Address(..., smtputf8=True)"
            )

    @classmethod
    def parse(cls, text: str, *, smtputf8: bool = False) -> "Address":
        """Read one address as people write it: ``Ada <ada@example.net>`` or ``ada@example.net``.

        What ``str`` makes of an address is read back equal.

        Raises:
            MailError: there is not exactly one address in it, or its name must be quoted.
        """
        writable(text, "the address", one_line=True)
        text = text.strip()
        if not text.endswith(">"):
            return cls(text, smtputf8=smtputf8)
        found = _NAMED.fullmatch(text)
        if found is None:
            raise MailError(
                f"{shown(text)} is not one name and one address: give each person a mail of their own, "
                "and quote a name with punctuation, as in '\"Doe, Ada\" <ada@example.net>'"
            )
        name = found["plain"].strip() if found["quoted"] is None else re.sub(r"\\(.)", r"\1", found["quoted"])
        return cls(found["email"], name, smtputf8=smtputf8)

    @property
    def local(self) -> str:
        """What stands in front of the ``@``."""
        return self.email.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """The domain as the DNS knows it: ASCII, lower case."""
        return ascii_domain(self.email.rpartition("@")[2])

    @property
    def key(self) -> str:
        """What the person is filed under: the whole address in lower case."""
        return recipient_key(self.email)

    def __str__(self) -> str:
        if not self.name:
            return self.email
        return f"{self.name if _PLAIN_NAME.fullmatch(self.name) else quoted(self.name)} <{self.email}>"


def an_address(_instance: object, attribute: "Attribute[Any]", told: object) -> None:
    """Refuse what is no `Address`, such as its text alone; a validator for those that take one."""
    if not isinstance(told, Address):
        raise MailError(f"{attribute.name} is {shown(told)}: write Address.parse('Ada <ada@example.net>')")


def _as_it_travels(email: str) -> str:
    if email.isascii() and not email.endswith("."):
        return email
    local, _, domain = email.rpartition("@")
    return f"{local}@{domain.removesuffix('.') if domain.isascii() else ascii_domain(domain)}"


def quoted(text: str) -> str:
    """Text in double quotes, so that no sign in it has a meaning (RFC 5322 section 3.2.4, and RFC 1035 section 5.1)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def recipient_key(email: str) -> str:
    """What a person is filed under: the address in lower case, its domain in ASCII where it is one.

    Any text is taken, since providers report addresses of any shape and each report must find its person.
    """
    local, at, domain = email.strip().rpartition("@")
    try:
        return f"{local}{at}{ascii_domain(domain)}".lower()
    except MailError:
        return email.strip().lower()


@lru_cache(maxsize=1024)
def ascii_domain(domain: str) -> str:
    """A domain name in the form the DNS knows: lower case, IDNA 2008 A-labels for what is beyond ASCII (RFC 5891).

    An address literal such as ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]`` (RFC 5321 section 4.1.3) stays as it is.

    Raises:
        MailError: it is no domain name.
    """
    if domain.startswith("[") and domain.endswith("]"):
        return _literal(domain)
    if len(domain) <= _DOMAIN_OCTETS and _USUAL_DOMAIN.fullmatch(domain):
        return domain
    labels = [_ascii_label(label, domain) for label in domain.removesuffix(".").split(".")]
    name = ".".join(labels)
    if len(name) > _DOMAIN_OCTETS:
        raise MailError(f"the domain {shown(domain)} is over {_DOMAIN_OCTETS} octets: shorten it")
    return name


def _ascii_label(label: str, domain: str) -> str:
    if not label.isascii():
        label = unicodedata.normalize("NFKC", label).lower() if len(label) <= _LABEL_LETTERS else ""
        if not _speakable(label):
            raise MailError(f"{shown(domain)} is not a domain name: {shown(label)} cannot be a part of one")
        if not label.isascii():
            label = "xn--" + label.encode("punycode").decode("ascii")
    if not _LABEL.fullmatch(label):
        raise MailError(f"{shown(domain)} is not a domain name: {shown(label)} cannot be a part of one")
    return label.lower()


def _speakable(label: str) -> bool:
    """Whether a label beyond ASCII holds what a name may (RFC 5892, in the main): letters, marks, digits, hyphens."""
    if not label or unicodedata.category(label[0])[0] == "M":  # RFC 5891 section 4.2.3.2
        return False
    if label[0] == "-" or label[-1] == "-" or label[2:4] == "--":  # section 4.2.3.1
        return False
    rest = _JAPANESE_DOT.sub("", _CATALAN_DOT.sub("", label))
    return all(letter == "-" or unicodedata.category(letter) in _IN_NAMES for letter in rest)


def _literal(domain: str) -> str:
    inside = domain[1:-1].lower()
    six = inside.startswith("ipv6:")
    try:
        # A zone ("%eth0") may hold anything at all, and means nothing to another host: no digit, so refused.
        number = ipaddress.IPv6Address(inside[5:].replace("%", "?")) if six else ipaddress.IPv4Address(inside)
    except ValueError as error:
        raise MailError(f"{shown(domain)} is no address literal: write [192.0.2.1] or [IPv6:2001:db8::1]") from error
    return f"[ipv6:{number}]" if six else f"[{number}]"
