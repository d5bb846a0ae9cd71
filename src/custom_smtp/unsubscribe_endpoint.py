"""Answers whoever follows an unsubscribe link, and the mail programs that unsubscribe by one click (RFC 8058)."""

import re
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import parse_qsl

from attrs import field, frozen

from .claims import Claim, Purpose
from .errors import TokenError
from .events import About, Resubscribed, Unsubscribed
from .ports import Clock, LinkTokens, waits
from .system import utc_now
from .tokens import are_tokens
from .unsubscribe import SOURCE
from .unsubscribe_page import RESUBSCRIBE_FIELDS, UNSUBSCRIBE_FIELDS, Page, Pages, Turn, languages, plain_page
from .web import Answer, Request, Response

LONGEST_FORM = 16_384
"""Bytes of a POST's body; what is longer is no request to unsubscribe."""

_ALLOWED = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

_PAGE = (
    ("content-type", "text/html; charset=utf-8"),
    # The address of the page is the token: it goes nowhere, is kept nowhere and framed nowhere.
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-robots-tag", "noindex, nofollow"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", _ALLOWED),
    ("vary", "accept-language"),
)


@frozen
class UnsubscribeEndpoint:
    """Answers ``/<token>``. It is the other end of an `Unsubscribe`, mounted at its base URL's path.

    ==============================================================  ==================================================
    what is asked                                                   what is answered
    ==============================================================  ==================================================
    GET, HEAD                                                       a page that asks; nothing happens, since scanners
                                                                    follow every link of a mail
    POST of a form with ``List-Unsubscribe=One-Click``              200, no redirect, no cookie; `Unsubscribed`
    POST of a form with ``Resubscribe=Yes``                         200; `Resubscribed` of the same scope
    any other POST                                                  400 and the page that asks; nothing happens
    a token that is not ours, for whatever reason                   404, all alike; nothing happens
    ==============================================================  ==================================================

    A form is ``multipart/form-data`` or ``application/x-www-form-urlencoded`` (RFC 8058 section 3.2). The events' scope
    is the mail's stream. Asked twice, the same holds as if it were once. Which host was asked does not matter, so links
    already sent keep working under every name that leads here.

    Attributes:
        tokens: what sealed the links.
        clock: says when, where the door does not.
        pages: writes the page. One of your own may have styles and pictures; scripts are not run.
    """

    tokens: LinkTokens = field(validator=are_tokens)
    clock: Clock = field(default=utc_now, kw_only=True)
    pages: Pages = field(default=plain_page, kw_only=True)

    @property
    def waits(self) -> bool:
        """Where the tokens do (see `ports.waits`)."""
        return waits(self.tokens)

    def answer(self, request: Request, /) -> Answer:
        """Show a page, or take note of what the reader wants; do nothing else.

        Raises:
            ArchiveError: what a short token stands for could not be looked up.
        """
        accepts = languages(request.headers.get("accept-language", ""))
        try:
            claim = self.tokens.read(request.path.removeprefix("/"), Purpose.UNSUBSCRIBE)
        except TokenError:
            return Answer(self._shown(404, Page(turn=Turn.UNKNOWN, accepts=accepts)))
        match request.method:
            case "GET" | "HEAD":
                return Answer(self._shown(200, _page(Turn.ASK, claim, accepts)))
            case "POST":
                return self._posted(request, claim, accepts)
        return Answer(Response(405, (("allow", "GET, HEAD, POST"), *_PAGE), b""))

    def _posted(self, request: Request, claim: Claim, accepts: tuple[str, ...]) -> Answer:
        form = _form(request)
        if _says(form, "List-Unsubscribe", UNSUBSCRIBE_FIELDS):
            reason = "page" if _says(form, "by", UNSUBSCRIBE_FIELDS) else "one-click"
            unsubscribed = Unsubscribed(self._about(request, claim, "unsubscribe"), reason, scope=claim.link)
            return Answer(self._shown(200, _page(Turn.DONE, claim, accepts)), (unsubscribed,))
        if _says(form, "Resubscribe", RESUBSCRIBE_FIELDS):
            resubscribed = Resubscribed(self._about(request, claim, "resubscribe"), scope=claim.link)
            return Answer(self._shown(200, _page(Turn.BACK, claim, accepts)), (resubscribed,))
        return Answer(self._shown(400, _page(Turn.ASK, claim, accepts)))

    def _about(self, request: Request, claim: Claim, done: str) -> About:
        at = request.received_at or self.clock()
        # With its time: whoever subscribes again and then leaves for good does so by the same link.
        told = f"{done}\0{claim.delivery_id}\0{claim.recipient}\0{claim.link}\0{at.isoformat()}"
        return About(
            delivery_id=claim.delivery_id,
            recipient=claim.recipient,
            at=at,
            source=SOURCE,
            key=sha256(told.encode()).hexdigest()[:32],
        )

    def _shown(self, status: int, page: Page) -> Response:
        return Response(status, _PAGE, self.pages(page).encode("utf-8", "replace"))


def _page(turn: Turn, claim: Claim, accepts: tuple[str, ...]) -> Page:
    return Page(turn=turn, accepts=accepts, recipient=claim.recipient, stream=claim.link)


_Form = Mapping[str, list[str]]


def _says(form: _Form, name: str, fields: Mapping[str, str]) -> bool:
    """Whether the form has this field once, with this value."""
    return form.get(name) == [fields[name]]


def _form(request: Request) -> _Form:
    """The fields of a form, each with all its values; none where the body is no form."""
    if len(request.body) > LONGEST_FORM:
        return {}
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    match kind.strip().lower():
        case "application/x-www-form-urlencoded":
            pairs = _encoded(request.body)
        case "multipart/form-data":
            pairs = _parts(request.body, parameters)
        case _:
            pairs = []
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


_Pairs = list[tuple[str, str]]


def _encoded(body: bytes) -> _Pairs:
    return parse_qsl(body.decode("latin-1").strip(), keep_blank_values=True)


# RFC 2046 section 5.1.1 for the boundary, RFC 7578 section 4.2 for what stands above each field.
_BOUNDARY = re.compile(
    r"""(?:^|;)\s*boundary=(?:"([0-9A-Za-z'()+_,./:=? -]{1,70})"|([^\s";,]{1,70}))\s*(?:;|$)""", re.IGNORECASE
)
_NAME = re.compile(
    rb"""^content-disposition:[ \t]*form-data[ \t]*;(?:[^"\r\n]|"[^"\r\n]*")*?\bname="?([^"\r\n;]*)""",
    re.IGNORECASE | re.MULTILINE,
)


def _parts(body: bytes, parameters: str) -> _Pairs:
    found = _BOUNDARY.search(parameters)
    if found is None:
        return []
    mark = b"\r\n--" + (found[1] or found[2]).encode("latin-1", "replace")
    _preamble, *parts = (b"\r\n" + body).split(mark)
    pairs: _Pairs = []
    for part in parts:
        if part.startswith(b"--"):
            return pairs
        head, gap, content = part.partition(b"\r\n\r\n")
        if gap and (name := _NAME.search(head)):
            pairs.append((name[1].decode("latin-1"), content.decode("latin-1")))
    # Without the closing mark it was cut off, and may have said more.
    return []
