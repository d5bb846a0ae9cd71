"""Which links of a mail are tracked, and why the others are left alone: one table, for sending and for looking.

`Tracker.preview` shows what is decided here, and `Tracker.track` does it: there is nothing else to ask.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Any

from attrs import Attribute, field, frozen

from .checks import ConfigurationError, shown
from .urls import followed, location, parameter_names, unfinished, with_parameters

LONGEST_TARGET = 5_600
"""Characters of a link's target; a longer one is left alone, since web servers take request lines of about 8,000."""


class Way(Enum):
    """How a link is led."""

    REDIRECT = "over our host, which counts the click and leads on"
    REDIRECT_AS_IT_IS = "over our host, with no parameter added: for signed URLs, which an addition breaks"
    APP = "on its own host, with a link id that the app reports back: universal links and app links need that"
    ALONE = "not at all: it stays as it was written"


class Skip(Enum):
    """Why a link is left alone; the value says it to people."""

    AMP_PART = "it stands in an AMP part, which allows no such change"
    OPTED_OUT = 'its tag says data-track="off"'
    DOUBTFUL = "mail programs differ about where this URL ends"
    MAILTO = "it writes a mail"
    TEL = "it calls a number"
    SMS = "it writes a text message"
    DATA = "it holds its content itself"
    CID = "it shows a part of this mail"
    JAVASCRIPT = "it is a script"
    OTHER_SCHEME = "it is neither http nor https"
    PLACEHOLDER = "a template's placeholder stands in it, so it leads nowhere yet"
    EMPTY = "it is empty"
    FRAGMENT = "it leads to a place in this mail"
    RELATIVE = "it has no scheme and host of its own"
    NO_HOST = "it names no host"
    NOT_UNDERSTOOD = "its host or its characters are not understood"
    UNSUBSCRIBE = "it is the mail's own way to unsubscribe"
    OURS = "it leads to the tracking host: tracked already, or never to be"
    RULE = "a rule leaves it alone"
    TOO_LONG = "it is too long to travel in a token"
    CLICKS_OFF = "clicks are not tracked for this mail, campaign or person"


@frozen
class Choice:
    """What becomes of a link: left alone for a reason, or led one way, to one target."""

    skipped: Skip | None
    way: Way = Way.ALONE
    target: str = ""


Rule = Callable[[str], Way | None]
"""Says how a link is led, given its URL in ASCII as programs ask for it; None leaves it to the next rule."""


def _a_pattern(_instance: object, _attribute: "Attribute[Any]", pattern: str) -> None:
    if not isinstance(pattern, str) or _ascii_pattern(pattern) is None:
        raise ConfigurationError(
            f"{shown(pattern)} is no pattern for links: write a host and, if need be, a path, with '*' for anything, "
            "such as '*.shop.example/reset/*'; no scheme, port or query"
        )


def _a_way(_instance: object, _attribute: "Attribute[Any]", way: Way) -> None:
    _require_way(way)


def _require_way(way: object) -> None:
    if not isinstance(way, Way):
        raise ConfigurationError(f"{shown(way)} is no way to lead a link: use Way.ALONE, for example")


@frozen
class LinkRule:
    """A rule for the links to some hosts and paths.

    ``LinkRule("bank.example")`` leaves alone all links to that host, ``LinkRule("*.shop.example/reset/*")`` those below
    that path on any host under it. Letter case counts in the path alone; the query is not looked at.

    Attributes:
        pattern: the host, and the path if need be; ``*`` stands for anything.
        way: how links that match are led.

    Raises:
        ConfigurationError: it is no pattern, or no way.
    """

    pattern: str = field(validator=_a_pattern)
    way: Way = field(default=Way.ALONE, validator=_a_way)
    _host: list[str] = field(init=False, repr=False, eq=False)
    _path: list[str] = field(init=False, repr=False, eq=False)

    @_host.default
    def _host_between_stars(self) -> list[str]:
        return (_ascii_pattern(self.pattern) or ("", ""))[0].split("*")

    @_path.default
    def _path_between_stars(self) -> list[str]:
        return (_ascii_pattern(self.pattern) or ("", ""))[1].split("*")

    def __call__(self, url: str, /) -> Way | None:
        """How a link to this URL is led; None where it does not match."""
        parts = _URL.match(url)
        matches = parts and _fits(self._host, parts["host"].lower()) and _fits(self._path, parts["path"] or "/")
        return self.way if matches else None


_PATTERN = re.compile(r"(?P<host>[^\s/?#@:\\]+)(?P<path>/[^\s?#]*)?")
_URL = re.compile(r"https?://(?:[^/?#]*@)?(?P<host>\[[^\]]*\]|[^/?#:]*)(?::[0-9]*)?(?P<path>[^?#]*)", re.IGNORECASE)


def _ascii_pattern(pattern: object) -> tuple[str, str] | None:
    """A pattern's host and path as they stand in URLs."""
    split = _PATTERN.fullmatch(pattern) if isinstance(pattern, str) else None
    url = location(f"https://{split['host']}{split['path'] or '/*'}") if split else None
    parts = _URL.fullmatch(url) if url else None
    return (parts["host"].lower(), parts["path"]) if parts else None


def _fits(pieces: list[str], text: str) -> bool:
    """Whether the pieces stand in the text in their order, from its start to its end."""
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return text == first
    if not text.startswith(first):
        return False
    at = len(first)
    for piece in pieces[1:-1]:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(text) - len(last) >= at and text.endswith(last)


@frozen(kw_only=True)
class LinkChooser:
    """The table: asked about each link of one mail.

    Attributes:
        base_url: links to it are ours already.
        kept: where the links of its List-Unsubscribe header lead, as `location` gives them.
        rules: asked in their order; the first that answers holds.
        parameters: what is added to each target: names, and values in pieces, between which the link's id belongs.
        app_parameter: what the link id is called in universal and app links.
        clicks: whether any may be changed.
    """

    base_url: str
    kept: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    parameters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    app_parameter: str = "link_id"
    clicks: bool = True

    def choose(self, link: str, link_id: str = "") -> Choice:
        """What becomes of a link; its id stands in the parameters that ask for it."""
        target = followed(link)
        if (skipped := _by_itself(target)) is not None:
            return Choice(skipped)
        leads_to = location(target)
        if leads_to is None:
            return Choice(Skip.NOT_UNDERSTOOD)
        if leads_to in self.kept:
            return Choice(Skip.UNSUBSCRIBE)
        if self._is_ours(target):
            return Choice(Skip.OURS)
        return self._led(target, leads_to, link_id)

    def _led(self, target: str, leads_to: str, link_id: str) -> Choice:
        way = self._way(leads_to)
        if way is Way.ALONE:
            return Choice(Skip.RULE)
        if way is Way.APP and self.app_parameter in parameter_names(target):
            return Choice(Skip.OURS)
        if self.parameters and way is not Way.REDIRECT_AS_IT_IS:
            target = with_parameters(target, [(name, link_id.join(value)) for name, value in self.parameters])
            leads_to = location(target) or leads_to
        if len(leads_to) > LONGEST_TARGET:
            return Choice(Skip.TOO_LONG)
        return Choice(None, way, target) if self.clicks else Choice(Skip.CLICKS_OFF)

    def _way(self, leads_to: str) -> Way:
        for rule in self.rules:
            way = rule(leads_to)
            if way is not None:
                _require_way(way)
                return way
        return Way.REDIRECT

    def _is_ours(self, target: str) -> bool:
        # By http or by https: a click that was led over our host twice would count twice.
        base, link = self.base_url.partition("://")[2].lower(), target.partition("://")[2]
        return link[: len(base)].lower() == base and link[len(base) : len(base) + 1] in ("", *"/?#")


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_A_HOST = re.compile(r"//(?:[^/\\?#]*@|(?![^/\\?#]*@))[^/\\?#:@]")

_BY_SCHEME = {
    "mailto": Skip.MAILTO,
    "tel": Skip.TEL,
    "callto": Skip.TEL,
    "sms": Skip.SMS,
    "smsto": Skip.SMS,
    "data": Skip.DATA,
    "cid": Skip.CID,
    "mid": Skip.CID,
    "javascript": Skip.JAVASCRIPT,
    "vbscript": Skip.JAVASCRIPT,
}


def _by_itself(target: str) -> Skip | None:
    """Why a link is left alone for what it is, whatever the mail and the rules say."""
    scheme = _SCHEME.match(target)
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        return _BY_SCHEME.get(scheme[1].lower(), Skip.OTHER_SCHEME)
    if unfinished(target):
        return Skip.PLACEHOLDER
    if scheme is None:
        return _WITHOUT_SCHEME.get(target[:1], Skip.RELATIVE)
    return None if _A_HOST.match(target, scheme.end()) else Skip.NO_HOST


_WITHOUT_SCHEME = {"": Skip.EMPTY, "#": Skip.FRAGMENT}
