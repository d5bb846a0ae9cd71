"""Answers whoever follows a tracked link or loads the pixel: the other end of a `Tracker`."""

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from attrs import Attribute, evolve, field, frozen
from attrs.validators import optional

from .checks import ConfigurationError, shown
from .claims import HONEYPOT, Claim, Purpose
from .errors import TokenError
from .events import About, Clicked, Opened
from .ports import Clock, LinkTokens, waits
from .privacy import KEEP_ALL, Keep, Privacy
from .proxies import Proxies
from .readers import Facts
from .system import utc_now
from .tokens import are_tokens
from .urls import location
from .verdicts import JUDGE, Judge
from .web import Answer, Request, Response

PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""A GIF of one transparent pixel."""

PNG_PIXEL = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x04\x00\x00\x00\xb5\x1c\x0c\x02"
    b"\x00\x00\x00\x0bIDAT\x18\x19c``\x00\x00\x00\x03\x00\x01\xe8Un\x1e\x00\x00\x00\x00IEND\xaeB`\x82"
)
"""The same as a PNG, for who would rather have that."""

# No ETag and no Last-Modified either: whoever asks again asks for the whole of it, and is counted again.
_NOT_KEPT = (("cache-control", "no-store"), ("x-robots-tag", "noindex"))
_PLAIN = ("content-type", "text/plain; charset=utf-8")
_UNKNOWN = Response(404, (_PLAIN, *_NOT_KEPT), b"This link is not known here.\n")
_TRAPPED = Response(200, (_PLAIN, *_NOT_KEPT), b"There is nothing to see here.\n")
_NO_SUCH_METHOD = Response(405, (("allow", "GET, HEAD"), _PLAIN, *_NOT_KEPT), b"Only GET and HEAD are answered here.\n")
_LEADING_ON = (("referrer-policy", "no-referrer"), _PLAIN, *_NOT_KEPT)
_GIF = Response(200, (("content-type", "image/gif"), *_NOT_KEPT), PIXEL)
_PNG = Response(200, (("content-type", "image/png"), *_NOT_KEPT), PNG_PIXEL)

_NOBODY = Privacy(address=Keep.DROPPED, agent=Keep.DROPPED)


def _slashed(prefix: str) -> str:
    return f"/{prefix.strip('/')}".rstrip("/") if isinstance(prefix, str) else prefix


def _a_prefix(_instance: object, _attribute: "Attribute[Any]", prefix: str) -> None:
    if not isinstance(prefix, str) or "//" in prefix or re.search(r"[?#%\s]", prefix):
        raise ConfigurationError(f"{shown(prefix)} is no prefix of a path: write one such as '/t', as it reads decoded")


def _a_parameter(_instance: object, _attribute: "Attribute[Any]", name: str) -> None:
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{shown(name)} is no parameter of a query: write one such as 't'")


def _host_names(hosts: Iterable[str] | None) -> frozenset[str] | None:
    if hosts is None:
        return None
    if isinstance(hosts, str):
        raise ConfigurationError(f"hosts takes several: write [{hosts!r}]")
    return frozenset(map(_host_name, hosts))


def _host_name(host: str) -> str:
    star, name = ("*.", host[2:]) if isinstance(host, str) and host.startswith("*.") else ("", host)
    leads_to = location(f"https://{name}") if isinstance(name, str) and not re.search(r"[/\\?#@*]", name) else None
    if leads_to is None or ":" in leads_to.removeprefix("https://").rpartition("]")[2]:
        raise ConfigurationError(
            f"{shown(host)} is no host: write one such as 'shop.example', or '*.shop.example' for all below it"
        )
    return star + _host_of(leads_to)


_PARTS: dict[str, tuple[type, str]] = {
    "fallback": (Response, "Response(404)"),
    "proxies": (Proxies, "Proxies(['10.0.0.0/8'])"),
    "privacy": (Privacy, "Privacy(address=Keep.TRUNCATED)"),
    "judge": (Judge, "Judge()"),
}
"""What each part of an endpoint has to be, and an example."""


def _a_part(_instance: object, attribute: "Attribute[Any]", part: object) -> None:
    kind, example = _PARTS[attribute.name]
    if not isinstance(part, kind):
        raise ConfigurationError(f"{attribute.name} is {shown(part)}: give it a {kind.__name__}, such as {example}")


@frozen
class TrackingEndpoint:
    """Answers readers: ``/c/<token>`` leads on, ``/o/<token>`` is the pixel. It is the other end of a `Tracker`.

    A token may stand in the query instead, as in ``/c?t=<token>``. Each answer carries its event, with the verdict that
    this request alone allows; `custom_smtp.state` gives the final one. A token that is not ours is told from no other:
    a click gets ``fallback``, an open the pixel, and neither an event.

    The hidden link (see `Tracker`) leads to a page without anything on it, and is no dead one: to a scanner that would
    speak against the mail.

    Where the mail was tracked for a campaign as a whole, the event names nobody, and neither the address nor the
    User-Agent is kept.

    Attributes:
        tokens: what sealed the links.
        clock: says when, where the door does not.
        fallback: the answer to a click that leads nowhere.
        prefix: what stands in front of ``/c`` and ``/o``, where the door does not take it off.
        parameter: the query's parameter for a token that is not in the path.
        hosts: the only hosts that a click may lead to, such as ``shop.example`` and ``*.shop.example``; None for all.
            A target elsewhere gets ``fallback``, though we sealed it: should a key ever leak, it leads nowhere.
        proxies: proxies of our own in front, by which the client's address is found.
        privacy: what is kept of a reader, once it was judged who it is.
        judge: who gives the first verdict.

    Raises:
        ConfigurationError: a prefix, parameter or host cannot be one, or a part is of another kind.
    """

    tokens: LinkTokens = field(validator=are_tokens)
    clock: Clock = field(default=utc_now, kw_only=True)
    fallback: Response = field(default=_UNKNOWN, kw_only=True, validator=_a_part)
    prefix: str = field(default="", kw_only=True, converter=_slashed, validator=_a_prefix)
    parameter: str = field(default="t", kw_only=True, validator=_a_parameter)
    hosts: frozenset[str] | None = field(default=None, kw_only=True, converter=_host_names)
    proxies: Proxies | None = field(default=None, kw_only=True, validator=optional(_a_part))
    privacy: Privacy = field(default=KEEP_ALL, kw_only=True, validator=_a_part)
    judge: Judge = field(default=JUDGE, kw_only=True, validator=_a_part)

    @property
    def waits(self) -> bool:
        """Where the tokens do (see `ports.waits`)."""
        return waits(self.tokens)

    def answer(self, request: Request, /) -> Answer:
        """Lead on, or hand over the pixel; do nothing else.

        Raises:
            ArchiveError: what a short token stands for could not be looked up; another try may succeed.
        """
        kind, token = self._asked(request)
        if kind not in ("c", "o"):
            return Answer(_UNKNOWN)
        if request.method not in ("GET", "HEAD"):
            return Answer(_NO_SUCH_METHOD)
        return self._click(request, token) if kind == "c" else self._open(request, token)

    def _asked(self, request: Request) -> tuple[str, str]:
        """What is asked for, and its token; nothing for a path that is not ours."""
        path = request.path
        if self.prefix:
            if not path.startswith(f"{self.prefix}/"):
                return "", ""
            path = path[len(self.prefix) :]
        kind, _, token = path.removeprefix("/").partition("/")
        return kind, token or request.query.get(self.parameter, "")

    def _click(self, request: Request, token: str) -> Answer:
        claim = self._read(token, Purpose.CLICK)
        onward = None if claim is None else _leading_to(claim.url, self.hosts)
        if claim is None or (onward is None and claim.link != HONEYPOT):
            return Answer(self.fallback)
        facts = self._facts(request)
        kept = self._kept(claim, facts)
        clicked = Clicked.told(
            self._about(request, token, claim, kept),
            claim.url,
            link=claim.link,
            machine=bool(facts.signs),
            evidence=facts.signs,
            user_agent=facts.user_agent,
            client=facts.client,
            campaign=claim.campaign,
            second_hand=False,
        )
        return Answer(onward or _TRAPPED, (self._judged(clicked, facts, kept),))

    def _open(self, request: Request, token: str) -> Answer:
        pixel = _PNG if _rather_png(request.headers.get("accept", "")) else _GIF
        claim = self._read(token, Purpose.OPEN)
        if claim is None:
            return Answer(pixel)
        facts = self._facts(request)
        kept = self._kept(claim, facts)
        opened = Opened.told(
            self._about(request, token, claim, kept),
            prefetched=bool(facts.signs),
            evidence=facts.signs,
            user_agent=facts.user_agent,
            client=facts.client,
            campaign=claim.campaign,
            second_hand=False,
        )
        return Answer(pixel, (self._judged(opened, facts, kept),))

    def _read(self, token: str, purpose: Purpose) -> Claim | None:
        try:
            return self.tokens.read(token, purpose)
        except TokenError:
            return None

    def _facts(self, request: Request) -> Facts:
        return Facts.of(request, None if self.proxies is None else self.proxies.client(request))

    def _kept(self, claim: Claim, facts: Facts) -> Facts:
        """What may be kept of a request's facts."""
        privacy = _NOBODY if claim.delivery_id is None else self.privacy
        if privacy is KEEP_ALL:
            return facts
        return evolve(facts, user_agent=privacy.agent_kept(facts.user_agent), client=privacy.address_kept(facts.client))

    def _judged(self, event: Opened | Clicked, facts: Facts, kept: Facts) -> Opened | Clicked:
        """The event with its first verdict, and with no more of its reader than is kept."""
        judged = self.judge.first(event)
        return judged if kept is facts else evolve(judged, user_agent=kept.user_agent, client=kept.client)

    def _about(self, request: Request, token: str, claim: Claim, kept: Facts) -> About:
        at = request.received_at or self.clock()
        # Only of what is kept: whoever knows the rest of it could else find a dropped address by trying them all.
        told = f"{request.method}\0{token}\0{at.timestamp().hex()}\0{kept.client}\0{kept.user_agent}"
        return About.told(
            delivery_id=claim.delivery_id,
            recipient=claim.recipient,
            at=at,
            source="tracking",
            key=blake2b(told.encode(), digest_size=16).hexdigest(),
            raw=None,
        )


@lru_cache(maxsize=1024)  # readers are many, the links of a mail are few
def _leading_to(url: str, hosts: frozenset[str] | None) -> Response | None:
    """What leads on to a link; None where it leads nowhere, or to a host that is not among the allowed ones."""
    target = location(url)
    if target is None or (hosts is not None and not _is_among(hosts, _host_of(target))):
        return None
    return Response(302, (("location", target), *_LEADING_ON))


def _is_among(hosts: frozenset[str], host: str) -> bool:
    above = host.split(".")[1:]
    return host in hosts or any(f"*.{'.'.join(above[at:])}" in hosts for at in range(len(above)))


_AUTHORITY = re.compile(r"[hH][tT][tT][pP][sS]?://(?:[^/\\?#]*@)?(?P<host>\[[^\]]*\]|[^/\\?#:@]*)")


def _host_of(leads_to: str) -> str:
    """The host of what `location` gave, as names are compared."""
    found = _AUTHORITY.match(leads_to)
    return found["host"].lower().rstrip(".") if found else ""


_QUALITY = re.compile(r"(?P<range>[^;,\s]+)\s*(?:;\s*[qQ]=(?P<q>[01](?:\.[0-9]{0,3})?))?[^,]*")


def _rather_png(accept: str) -> bool:
    """Whether a PNG is liked better than a GIF (RFC 9110 section 12.5.1)."""
    if "image/png" not in accept.lower():
        return False
    liked = {found["range"].lower(): float(found["q"] or 1) for found in _QUALITY.finditer(accept)}
    any_picture = liked.get("image/*", liked.get("*/*", 0.0))
    return liked["image/png"] > liked.get("image/gif", any_picture) if "image/png" in liked else False
