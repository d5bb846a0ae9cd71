"""Answers whoever follows a tracked link or loads the pixel: the other end of a `Tracker`."""

from hashlib import sha256

from attrs import field, frozen

from .errors import TokenError
from .events import About, Clicked, Opened
from .ports import Clock
from .readers import Facts
from .system import utc_now
from .tokens import Claim, Purpose, Tokens, are_tokens
from .urls import location
from .web import Answer, Request, Response

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

    tokens: Tokens = field(validator=are_tokens)
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
        facts = Facts.of(request)
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
        facts = Facts.of(request)
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

    def _about(self, request: Request, token: str, claim: Claim, facts: Facts) -> About:
        at = request.received_at or self.clock()
        told = f"{request.method}\0{token}\0{at.isoformat()}\0{facts.client}\0{facts.user_agent}"
        return About(
            delivery_id=claim.delivery_id,
            recipient=claim.recipient,
            at=at,
            source="tracking",
            key=sha256(told.encode()).hexdigest()[:32],
        )
