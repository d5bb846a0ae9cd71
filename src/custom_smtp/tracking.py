"""Tracking: a `Tracker` changes the links of a mail; a `TrackingEndpoint` answers whoever follows them.

A link is changed only where it is understood: its value is replaced, and no other character of the mail. Whatever is
left alone works as it did. A click leads where the mail led and nowhere else, since the target is sealed in the token.

The words of a link are never touched, even where they are a URL: in HTML they go on showing where the link leads in the
end. In plain text the URL is the link, so it is what is replaced.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Any

from attrs import Attribute, evolve, field, frozen

from .checks import SURROGATE, ConfigurationError, shown, yes_or_no
from .claims import Claim, Purpose
from .compiled_mail import CompiledMail
from .errors import TokenError
from .events import About, Clicked
from .finished import AnyMail, FinishedMail, Sendable
from .headers import Headers
from .identifiers import DeliveryId
from .link_rules import LinkChooser, Rule
from .mail import Mode, Tracking, a_tracking
from .mail_links import MailLinks, SeenLink, look_through, pixel_tokens, trap_tokens
from .ports import LinkTokens
from .tokens import are_tokens
from .urls import location, parameter


def _base(url: str) -> str:
    return url.rstrip("/") if isinstance(url, str) else url


def _a_base(_instance: object, _attribute: "Attribute[Any]", url: str) -> None:
    if not isinstance(url, str) or not _BASE.fullmatch(url) or location(url) is None:
        # Nothing of it is repeated: it may hold a password.
        raise ConfigurationError(
            "the base URL cannot be one: write http or https, a host in ASCII, and a path if need be, such as "
            "'https://links.shop.example/t', without credentials, query, fragment or spaces"
        )


# RFC 3986 section 3.3 for the path; letters beyond ASCII would have to be encoded anew in each mail.
_BASE = re.compile(r"[hH][tT][tT][pP][sS]?://[A-Za-z0-9._\[\]:-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")


def _of_campaigns(allowed: Mapping[str, Tracking]) -> dict[str, Tracking]:
    if not isinstance(allowed, Mapping):
        raise ConfigurationError(
            "campaigns maps names to what is allowed: write {'receipts': Tracking(clicks=Mode.OFF)}"
        )
    return dict(allowed)


def _each_allowed(_instance: object, attribute: "Attribute[Any]", allowed: dict[str, Tracking]) -> None:
    for each in allowed.values():
        a_tracking(_instance, attribute, each)


def _can_be_asked(_instance: object, attribute: "Attribute[Any]", person: object) -> None:
    if not callable(person):
        raise ConfigurationError(
            f"{attribute.name} is asked what each person allows: give it a function of the address, which returns a "
            "Tracking"
        )


def _are_rules(_instance: object, _attribute: "Attribute[Any]", rules: tuple[Rule, ...]) -> None:
    for rule in rules:
        if not callable(rule):
            raise ConfigurationError(f"{shown(rule)} is no rule: write LinkRule('bank.example'), or give a function")


def _a_name(_instance: object, attribute: "Attribute[Any]", name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(f"{attribute.name} is {shown(name)}: use letters, digits, '-', '_' and '.'")


_NAME = re.compile(r"[A-Za-z0-9._-]+")


def _several_rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    if not isinstance(rules, Iterable):
        raise ConfigurationError(f"rules is {shown(rules)}, not several: write rules=[LinkRule('bank.example')]")
    return tuple(rules)


def _pairs(parameters: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(parameters, Mapping):
        raise ConfigurationError("parameters maps names to values: write {'utm_source': 'newsletter'}")
    return dict(parameters)


def _are_parameters(_instance: object, _attribute: "Attribute[Any]", parameters: dict[str, str]) -> None:
    for name, value in parameters.items():
        if not (isinstance(name, str) and name and isinstance(value, str)):
            raise ConfigurationError(
                f"the parameter {shown(name)} is {shown(value)}: both are text, the name not empty"
            )
        if SURROGATE.search(name + value):
            raise ConfigurationError(f"the parameter {shown(name)} holds half of a surrogate pair: take it out")
        if unknown := [each for each in _BRACES.findall(value) if each not in _KNOWN]:
            raise ConfigurationError(f"the parameter {name} asks for {unknown[0]}: there are {', '.join(_KNOWN)}")


def _unknown_person(_recipient: str) -> Tracking:
    return _ALL


_ALL = Tracking()

_BRACES = re.compile(r"\{[^{}]*\}")
_FILLED_IN: dict[str, Callable[[Sendable], str]] = {
    "{campaign}": lambda mail: mail.campaign or "",
    "{subject}": lambda mail: mail.subject,
}
_LINK_ID = "{link}"
_KNOWN = (*_FILLED_IN, _LINK_ID)
"""What may stand in the value of a parameter; nothing that tells one person from another."""


@frozen(kw_only=True)
class Preview:
    """What tracking would do with a mail.

    Attributes:
        links: every link, in the order of the HTML, the text, and AMP parts.
        tracking: what is allowed, once tracker, mail, campaign and person have been asked.
        pixel: whether it gets a pixel.
        honeypot: whether it gets a hidden link.
        notes: why a finished mail, or a text of it, is left alone whole, so that no link of it is listed.
    """

    links: tuple[SeenLink, ...]
    tracking: Tracking
    pixel: bool
    honeypot: bool
    notes: tuple[str, ...] = ()


@frozen
class Tracker:
    """Leads the links of a mail over our own host, and lets its HTML load a pixel when it is opened.

    Tracked are links with ``http`` or ``https`` and a host, in the HTML (Outlook's conditional comments and VML
    included) and in the plain text. `preview` lists every link, and why others are left alone (see `Skip`).

    How closely it tracks is the strictest of what ``opens`` and ``clicks``, the mail, its campaign and the person
    allow. Where clicks are off, links stay as they were written: nothing is added to them either. A tag's
    ``data-track="off"`` is taken out in any case; its ``data-track-id`` names the link for reports.

    Attributes:
        base_url: where the `TrackingEndpoint` is found, such as ``https://links.shop.example``. Links to it are never
            tracked, so give it a host, or a path, of its own.
        tokens: what seals the links.
        opens: how closely opens are tracked.
        clicks: how closely clicks are.
        campaigns: what each campaign type allows; one that is not named allows all.
        person: asked what a person allows, by address.
        rules: how some links are led: `LinkRule` values, or functions of a URL. The first that answers holds.
        parameters: added to each target that does not have them, in their order, such as ``{"utm_source": "shop"}``. A
            value may hold ``{campaign}``, ``{subject}`` and ``{link}`` (the link's id); one that ends up empty is left
            out.
        app_parameter: what the link id is called that a rule with ``Way.APP`` adds.
        honeypot: whether the HTML gets one hidden link, where clicks are tracked by person: what follows it, and what
            follows other links about then, is a machine. It is in front of the pixel, has no extent and no words, and
            is neither reached by keys nor read out. It has its price: filters for spam look for hidden links, programs
            that show HTML as text list it, and a program that takes its marks away may let keys reach it.

    Raises:
        ConfigurationError: one of them cannot be; the message says what to write instead.
    """

    base_url: str = field(converter=_base, validator=_a_base)
    tokens: LinkTokens = field(validator=are_tokens)
    opens: Mode = field(default=Mode.INDIVIDUAL, kw_only=True)
    clicks: Mode = field(default=Mode.INDIVIDUAL, kw_only=True)
    campaigns: dict[str, Tracking] = field(
        factory=dict, converter=_of_campaigns, validator=_each_allowed, hash=False, kw_only=True
    )
    person: Callable[[str], Tracking] = field(default=_unknown_person, validator=_can_be_asked, kw_only=True)
    rules: tuple[Rule, ...] = field(default=(), converter=_several_rules, validator=_are_rules, kw_only=True)
    parameters: dict[str, str] = field(
        factory=dict, converter=_pairs, validator=_are_parameters, hash=False, kw_only=True
    )
    app_parameter: str = field(default="link_id", validator=_a_name, kw_only=True)
    honeypot: bool = field(default=False, validator=yes_or_no(ConfigurationError), kw_only=True)
    _own: Tracking = field(init=False, repr=False, eq=False)

    @_own.default
    def _own_limits(self) -> Tracking:
        return Tracking(opens=self.opens, clicks=self.clicks)

    def track(self, mail: AnyMail, delivery_id: DeliveryId) -> AnyMail:
        """The mail with its links and pixel led over ``base_url``.

        Tracked a second time it stays as it is, but for links that had opted out: nothing says so any more.

        Raises:
            MailError: the delivery id is none.
            TokenError: a link is too long for a token.
            ArchiveError: what a short token stands for could not be kept.
        """
        filled = self.compile(mail).fill(delivery_id, mail.to.email)
        unchanged = (filled.html, filled.text) == (mail.html, mail.text)
        return mail if unchanged else evolve(mail, html=filled.html, text=filled.text)

    def compile(self, mail: Sendable) -> CompiledMail:
        """The mail with all found that is to change, to be filled for many people."""
        allowed = self._allowed(mail)
        return CompiledMail(
            mail=mail,
            tracking=allowed,
            found=self._looked_through(mail, allowed),
            honeypot=self.honeypot,
            there=frozenset(self._there(mail.html or "")),
            tokens=self.tokens,
            person=self._of_person,
        )

    def preview(self, mail: Sendable) -> Preview:
        """Every link of the mail, as tracked or left alone and why: what `track` would do. No token is made."""
        allowed = self._allowed(mail).within(self._of_person(mail.to.email))
        found = self._looked_through(mail, allowed)
        return Preview(
            links=found.links,
            tracking=allowed,
            pixel=allowed.opens is not Mode.OFF and found.pixel is not None,
            honeypot=self.honeypot and allowed.clicks is Mode.INDIVIDUAL and found.trap is not None,
            notes=_left_alone(mail),
        )

    def reported(self, report: str, at: datetime) -> Clicked:
        """The click that an app reports, which opened a link of a rule with ``Way.APP``.

        Args:
            report: the URL that it opened, or the link id alone.
            at: when it was opened, with a time zone.

        Raises:
            TokenError: no link id of ours is in it.
            ConfigurationError: the time has no zone.
            ArchiveError: what a short token stands for could not be looked up.
        """
        token = (parameter(report, self.app_parameter) if isinstance(report, str) else None) or report
        claim = self.tokens.read(token, Purpose.CLICK)
        about = About(
            delivery_id=claim.delivery_id,
            recipient=claim.recipient,
            at=at,
            source="tracking",
            key=sha256(f"app\0{token}\0{at.isoformat()}".encode()).hexdigest()[:32],
        )
        return Clicked(about, claim.url, link=claim.link, campaign=claim.campaign)

    def _allowed(self, mail: Sendable) -> Tracking:
        allowed = self._own.within(mail.tracking)
        campaign = self.campaigns.get(mail.campaign or "")
        return allowed if campaign is None else allowed.within(campaign)

    def _of_person(self, recipient: str) -> Tracking:
        allowed = self.person(recipient)
        if not isinstance(allowed, Tracking):
            raise ConfigurationError(f"person(...) gave {shown(allowed)}: return a Tracking, such as Tracking()")
        return allowed

    def _looked_through(self, mail: Sendable, allowed: Tracking) -> MailLinks:
        chooser = LinkChooser(
            base_url=self.base_url,
            kept=_unsubscribe_links(mail.headers),
            rules=self.rules,
            parameters=tuple(_filled_in(self.parameters, mail)),
            app_parameter=self.app_parameter,
            clicks=allowed.clicks is not Mode.OFF,
        )
        return look_through(mail, chooser)

    def _there(self, html: str) -> Iterator[tuple[Claim, Purpose]]:
        """What the pixels and hidden links say that are in the mail already."""
        asked = [(Purpose.OPEN, token) for token in pixel_tokens(html, self.base_url)]
        asked += [(Purpose.CLICK, token) for token in trap_tokens(html, self.base_url)]
        for purpose, token in asked:
            with suppress(TokenError):  # not ours, or too old to count: it is no reason to leave out the mail's own
                yield self.tokens.read(token, purpose), purpose


def _left_alone(mail: Sendable) -> tuple[str, ...]:
    if not isinstance(mail, FinishedMail):
        return ()
    return mail.notes if mail.untouched is None else (mail.untouched.value, *mail.notes)


def _filled_in(parameters: Mapping[str, str], mail: Sendable) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The parameters for this mail, their values cut where the link's id belongs; without those that end up empty."""
    for name, asked in parameters.items():
        value = tuple(_BRACES.sub(lambda found: _FILLED_IN[found[0]](mail), part) for part in asked.split(_LINK_ID))
        if value != ("",):
            yield name, value


def _unsubscribe_links(headers: Headers) -> frozenset[str]:
    """Where the links of the mail's List-Unsubscribe header lead (RFC 2369): one click there must stay one click."""
    values = (value for name, value in headers if name.lower() == "list-unsubscribe")
    links = (location(link) for value in values for link in re.findall(r"<([^<>]*)>", value))
    return frozenset(link for link in links if link is not None)
