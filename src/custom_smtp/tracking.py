"""Tracking: a `Tracker` changes the links of a mail, and a `TrackingEndpoint` answers whoever follows them.

A link is changed only where it is understood: its value is replaced, and no other character of the mail. Whatever is
left alone works as it did. A click leads where the mail led and nowhere else, since the target is sealed in the token.
"""

import re
import unicodedata
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from attrs import Attribute, evolve, field, frozen

from .checks import CONTROL, ConfigurationError
from .errors import TokenError
from .events import About, Clicked, Opened
from .html import encode, scan
from .identifiers import DeliveryId
from .mail import Headers, Mail
from .ports import Clock
from .system import utc_now
from .tokens import Claim, Purpose, Tokens
from .web import Answer, Request, Response

LONGEST_TARGET = 5_600
"""Characters of a link's target; a longer one is left alone, since web servers take request lines of about 8,000."""

PLACEHOLDERS = ("{{", "{%", "{#", "*|", "${", "#{", "[[", "<%", "<?", "%%")
"""How placeholders of the common template languages begin. A link that holds one is not finished: it is left alone."""

_Rewrite = Callable[[str], str | None]


def _base(url: str) -> str:
    return url.rstrip("/") if isinstance(url, str) else url


def _a_base(_instance: object, _attribute: "Attribute[Any]", url: str) -> None:
    if not isinstance(url, str) or not _BASE.fullmatch(url) or location(url) is None:
        # Nothing of it is repeated: it may hold a password.
        raise ConfigurationError(
            "the base URL cannot be one: write http or https, a host in ASCII, and a path if need be, such as "
            "'https://links.shop.example/t', without credentials, query, fragment or spaces"
        )


def _are_tokens(_instance: object, _attribute: "Attribute[Any]", tokens: Tokens) -> None:
    if not isinstance(tokens, Tokens):
        raise ConfigurationError(f"tokens is {type(tokens).__name__}: give it Tokens((key,))")


# RFC 3986 section 3.3 for the path; letters beyond ASCII would have to be encoded anew in each mail.
_BASE = re.compile(r"[hH][tT][tT][pP][sS]?://[A-Za-z0-9._\[\]:-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")


@frozen
class Tracker:
    """Leads the links of a mail over our own host, and lets its HTML load a pixel when it is opened.

    Tracked are links with ``http`` or ``https`` and a host, in the HTML (Outlook's conditional comments and VML
    included) and in the plain text. Left alone are all others, template placeholders, links to ``base_url`` itself,
    what the mail's List-Unsubscribe header names, and tags with ``data-track="off"`` (which is taken out).

    Attributes:
        base_url: where the `TrackingEndpoint` is found, such as ``https://links.shop.example``. Links to it are never
            tracked, so give it a host, or a path, of its own.
        tokens: what seals the links.
        opens: whether to add the pixel.
        clicks: whether to change the links.

    Raises:
        ConfigurationError: the base URL cannot be one.
    """

    base_url: str = field(converter=_base, validator=_a_base)
    tokens: Tokens = field(validator=_are_tokens)
    opens: bool = field(default=True, kw_only=True)
    clicks: bool = field(default=True, kw_only=True)

    def track(self, mail: Mail, delivery_id: DeliveryId) -> Mail:
        """The mail with its links and pixel led over ``base_url``; tracked a second time, it stays as it is."""
        rewrite = self._rewrite(mail, delivery_id)
        html = None if mail.html is None else self._html(mail.html, rewrite, Claim(delivery_id, mail.to.email))
        text = None if mail.text is None else self._text(mail.text, rewrite)
        return mail if (html, text) == (mail.html, mail.text) else evolve(mail, html=html, text=text)

    def _rewrite(self, mail: Mail, delivery_id: DeliveryId) -> _Rewrite:
        """What becomes of a link in this mail: its new URL, or None to leave it alone."""
        kept = _unsubscribe_links(mail.headers)
        made: dict[str, str | None] = {}

        def rewrite(link: str) -> str | None:
            if link not in made:
                made[link] = self._tracked(link, kept, delivery_id, mail.to.email)
            return made[link]

        return rewrite

    def _tracked(self, link: str, kept: frozenset[str], delivery_id: DeliveryId, recipient: str) -> str | None:
        target = followed(link)
        if not self.clicks or target in kept or self._is_ours(target) or _unfinished(target):
            return None
        leads_to = location(target)
        if leads_to is None or len(leads_to) > LONGEST_TARGET:
            return None
        return f"{self.base_url}/c/{self.tokens.issue(Claim(delivery_id, recipient, target))}"

    def _is_ours(self, target: str) -> bool:
        base = self.base_url
        return target[: len(base)].lower() == base.lower() and target[len(base) : len(base) + 1] in ("", *"/?#")

    def _html(self, html: str, rewrite: _Rewrite, claim: Claim) -> str:
        page = scan(html)
        edits = [(start, end, "") for start, end in page.opt_outs]
        edits += [
            (link.start, link.end, encode(url, link.quote))
            for link in page.links
            if not link.opted_out and (url := rewrite(link.url))
        ]
        if self.opens and (pixel := self._pixel(claim)) not in html:
            edits.append((page.end, page.end, pixel))
        return _spliced(html, sorted(edits))

    def _pixel(self, claim: Claim) -> str:
        url = encode(f"{self.base_url}/o/{self.tokens.issue(claim, Purpose.OPEN)}", _QUOTE)
        return f'<img src="{url}" width="1" height="1" alt="" style="border:0">'

    def _text(self, text: str, rewrite: _Rewrite) -> str:
        edits = []
        for found in _TEXT_URL.finditer(text):
            link = found[0].rstrip(_AFTER_A_LINK)
            unfinished = _unfinished(found[0]) or text.startswith(PLACEHOLDERS, found.end())
            in_doubt = unfinished or _IN_DOUBT.match(text, found.end())
            if not in_doubt and (url := rewrite(link)):
                edits.append((found.start(), found.start() + len(link), url))
        return _spliced(text, edits)


_QUOTE = '"'


def _spliced(text: str, edits: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end, new in edits:
        pieces += text[at:start], new
        at = end
    return "".join((*pieces, text[at:])) if edits else text


def _unsubscribe_links(headers: Headers) -> frozenset[str]:
    """The links of the mail's List-Unsubscribe header (RFC 2369): one click there must stay one click."""
    values = (value for name, value in headers if name.lower() == "list-unsubscribe")
    return frozenset(followed(link) for value in values for link in re.findall(r"<([^<>]*)>", value))


def _unfinished(link: str) -> bool:
    return any(begin in link for begin in PLACEHOLDERS)


def _in_brackets(begin: str, end: str) -> str:
    inner = rf"[^{_NEVER}\{begin}\{end}]*+"
    return rf"\{begin}(?:{inner}\{begin}{inner}\{end})*{inner}\{end}"


_NEVER = r"\s\x00-\x1f\x7f<>\"\u200b"
_TEXT_URL = re.compile(
    rf"""(?<![A-Za-z0-9+])[hH][tT][tT][pP][sS]?://
    (?:[^{_NEVER}()\[\]{{}}]++|{_in_brackets("(", ")")}|{_in_brackets("[", "]")}|{_in_brackets("{", "}")})+""",
    re.VERBOSE,
)
"""A URL in running text, up to a bracket that does not close in it. Nothing stands behind the group, so that none is
ever tried twice: whether it can be trusted to end there is asked of what follows, and the search goes on behind it."""

_IN_DOUBT = re.compile(r"[(\[{]|[)\]}][\w/]")
"""What may or may not belong to the URL before it: mail programs differ, so the link is left alone."""

_AFTER_A_LINK = (
    ".,;:!?'*`|\\\u2026\u3001\u3002\uff01\uff0c\uff0e\uff1a\uff1b\uff1f\u2019\u201d\u00bb\uff09\u300d\u300f\u3011"
)
"""What a sentence puts behind a link."""


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


@frozen(kw_only=True)
class Agent:
    """A program known by its User-Agent, and what its requests say about people.

    Attributes:
        evidence: the name it goes by in an event.
        whole: the complete User-Agent, or
        part: what stands in it.
        proxied: it loads pictures in the stead of a person who looks.
        prefetched: it loads pictures whether or not a person looks.
        machine: it follows links that no person followed.
        source: where this is known from.
        as_of: when the source was read.
    """

    evidence: str
    whole: str = ""
    part: str = ""
    proxied: bool = False
    prefetched: bool = False
    machine: bool = False
    source: str
    as_of: str

    def made(self, user_agent: str) -> bool:
        """Whether it made a request with this User-Agent."""
        return user_agent == self.whole if self.whole else self.part in user_agent


AGENTS = (
    Agent(
        evidence="GoogleImageProxy",
        part="GoogleImageProxy",
        proxied=True,
        source="https://github.com/browscap/browscap/issues/1108",
        as_of="2026-11",
    ),
    Agent(
        evidence="YahooMailProxy",
        part="YahooMailProxy",
        proxied=True,
        source="https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        as_of="2026-11",
    ),
    Agent(
        evidence="Apple Mail Privacy Protection",
        whole="Mozilla/5.0",
        prefetched=True,
        source="https://support.clickdimensions.com/hc/en-us/articles/15707875851917-Introduction-to-Adjusted-Opens",
        as_of="2026-11",
    ),
    Agent(
        evidence="Gmail-content-sampling",
        part="Gmail-content-sampling",
        prefetched=True,
        machine=True,
        source="https://github.com/mssola/user_agent/issues/71",
        as_of="2026-11",
    ),
)
"""Programs that are not what they seem. What is not known for sure is not listed."""

PREFETCH_HEADERS = ("Sec-Purpose", "Purpose", "X-Moz")
"""Headers whose value ``prefetch`` says that nobody has asked for the page yet."""

PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""A GIF of one transparent pixel."""

_NOT_KEPT = (("cache-control", "no-store"), ("x-robots-tag", "noindex"))
_PLAIN = ("content-type", "text/plain; charset=utf-8")
_UNKNOWN = Response(404, (_PLAIN, *_NOT_KEPT), b"This link is not known here.\n")
_NO_SUCH_METHOD = Response(405, (("allow", "GET, HEAD"), _PLAIN, *_NOT_KEPT), b"Only GET and HEAD are answered here.\n")
_THE_PIXEL = Response(200, (("content-type", "image/gif"), *_NOT_KEPT), PIXEL)

_LONGEST_FACT = 512


@frozen
class TrackingEndpoint:
    """Answers readers: ``/c/<token>`` leads on, ``/o/<token>`` is the pixel. It is the other end of a `Tracker`.

    Each answer carries its event, with the verdict that this request alone allows; `custom_smtp.state` gives the final
    one. A token that is not ours is told from no other: a click gets ``fallback``, an open the pixel, and neither an
    event.

    Attributes:
        tokens: what sealed the links.
        clock: says when, where the door does not.
        fallback: the answer to a click that leads nowhere.
    """

    tokens: Tokens = field(validator=_are_tokens)
    clock: Clock = field(default=utc_now, kw_only=True)
    fallback: Response = field(default=_UNKNOWN, kw_only=True)

    def answer(self, request: Request, /) -> Answer:
        """Lead on, or hand over the pixel; do nothing else."""
        kind, _, token = request.path.removeprefix("/").partition("/")
        if kind not in ("c", "o"):
            return Answer(_UNKNOWN)
        if request.method not in ("GET", "HEAD"):
            return Answer(_NO_SUCH_METHOD)
        return self._click(request, token) if kind == "c" else self._open(request, token)

    def _click(self, request: Request, token: str) -> Answer:
        try:
            claim = self.tokens.read(token, Purpose.CLICK)
        except TokenError:
            return Answer(self.fallback)
        target = location(claim.url)
        if target is None:
            return Answer(self.fallback)
        facts = _Facts.of(request)
        machines = [agent.evidence for agent in facts.agents if agent.machine]
        clicked = Clicked(
            self._about(request, token, claim, facts),
            claim.url,
            link=claim.link,
            machine=bool(facts.signs or machines),
            evidence=(*facts.signs, *machines),
            user_agent=facts.user_agent,
            client=facts.client,
        )
        headers = (("location", target), ("referrer-policy", "no-referrer"), _PLAIN, *_NOT_KEPT)
        return Answer(Response(302, headers), (clicked,))

    def _open(self, request: Request, token: str) -> Answer:
        try:
            claim = self.tokens.read(token, Purpose.OPEN)
        except TokenError:
            return Answer(_THE_PIXEL)
        facts = _Facts.of(request)
        loaders = [agent for agent in facts.agents if agent.proxied or agent.prefetched]
        opened = Opened(
            self._about(request, token, claim, facts),
            proxied=any(agent.proxied for agent in loaders),
            prefetched=bool(facts.signs) or any(agent.prefetched for agent in loaders),
            evidence=(*facts.signs, *(agent.evidence for agent in loaders)),
            user_agent=facts.user_agent,
            client=facts.client,
        )
        return Answer(_THE_PIXEL, (opened,))

    def _about(self, request: Request, token: str, claim: Claim, facts: "_Facts") -> About:
        at = request.received_at or self.clock()
        told = f"{request.method}\0{token}\0{at.isoformat()}\0{facts.client}\0{facts.user_agent}"
        return About(
            delivery_id=claim.delivery_id,
            recipient=claim.recipient,
            at=at,
            source="tracking",
            key=sha256(told.encode()).hexdigest()[:32],
        )


@frozen(kw_only=True)
class _Facts:
    """What one request says about whoever made it.

    Attributes:
        user_agent: what it calls itself.
        client: the address it came from.
        signs: what in the request says that no person waits for the answer.
        agents: the known programs that call themselves so.
    """

    user_agent: str
    client: str
    signs: tuple[str, ...]
    agents: tuple[Agent, ...]

    @classmethod
    def of(cls, request: Request) -> "_Facts":
        user_agent = _fact(request.headers.get("user-agent", ""))
        return cls(
            user_agent=user_agent,
            client=_fact(request.client),
            signs=_signs(request),
            agents=tuple(agent for agent in AGENTS if agent.made(user_agent)),
        )


def _signs(request: Request) -> tuple[str, ...]:
    asked = ("HEAD",) if request.method == "HEAD" else ()
    said = {name: request.headers.get(name.lower(), "").lower() for name in PREFETCH_HEADERS}
    return asked + tuple(f"{name}: prefetch" for name, value in said.items() if value.startswith("prefetch"))


def _fact(text: str) -> str:
    """Text from outside, short enough to keep, and such that any journal can write it."""
    return text[:_LONGEST_FACT].encode("utf-8", "replace").decode()
