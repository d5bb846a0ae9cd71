"""Everything that leads the links of an HTML mail elsewhere, ours and our peers, behind one face; and hard cases.

A rewriter is handed what becomes of a URL, and hands back the mail. What it made of the mail is looked at from outside:
`kept` and `links` know no engine.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import unescape
from html.parser import HTMLParser
from importlib import import_module
from typing import Any

from custom_smtp import Address, DeliveryId, Mail, Tokens, Tracker
from custom_smtp.html import encode, scan

HOST = "https://links.test"
CONSTANT = f"{HOST}/c/" + "x" * 40
_MARKED = re.compile(rf"{re.escape(HOST)}/[\w+/=?&;:.,%-]*")
_FOLLOWED = re.compile(r"\s*https?://[^/\s]", re.IGNORECASE)

Replace = Callable[[str], str]


def constant(_url: str) -> str:
    """The same for every link, so that no token is in the figures."""
    return CONSTANT


@dataclass(frozen=True)
class Rewriter:
    """One way to do it.

    Attributes:
        name: what the tables call it.
        rewrite: changes the http and https links of a mail.
        read: what a link of its own leads to, where it asks nobody what to make of a URL.
    """

    name: str
    rewrite: Callable[[str, Replace], str]
    read: Callable[[str], str] | None = None


def rewriters() -> list[Rewriter]:
    """Ours, then the peers."""
    return [
        Rewriter("custom_smtp, whole track()", _track, _read_token),
        Rewriter("custom_smtp, links alone", _spliced),
        Rewriter("lol-html", _lol_html()),
        Rewriter("turbohtml", _turbohtml()),
        Rewriter("Postal's pattern", _postal),
        Rewriter("lxml", _lxml()),
        Rewriter("pytracking", *_pytracking()),
        Rewriter("BeautifulSoup, html.parser", _beautiful_soup("html.parser")),
        Rewriter("BeautifulSoup, lxml", _beautiful_soup("lxml")),
    ]


# --- Ours -------------------------------------------------------------------------------------------------------------

TOKENS = Tokens((b"benchmark " * 4,))
TRACKER = Tracker(HOST, TOKENS)
DELIVERY_ID = DeliveryId("0198d2f0a1b27c3d8e4f5a6b7c8d9e0f")
TO = Address("ada@example.net")


@cache
def mail_of(html: str) -> Mail:
    return Mail(sender=Address("hello@shop.example"), to=TO, subject="Autumn", html=html)


def _track(html: str, _replace: Replace) -> str:
    tracked = TRACKER.track(mail_of(html), DELIVERY_ID).html
    assert tracked is not None
    return tracked


def _read_token(link: str) -> str:
    return TOKENS.read(link.removeprefix(f"{HOST}/c/")).url


def _spliced(html: str, replace: Replace) -> str:
    pieces: list[str] = []
    at = 0
    for link in scan(html).links:
        if _FOLLOWED.match(link.url):
            pieces += html[at : link.start], encode(replace(link.url), link.quote)
            at = link.end
    return "".join((*pieces, html[at:]))


# --- Peers ------------------------------------------------------------------------------------------------------------
# Imported by name, so that those who do not measure need none of them.


def _lol_html() -> Callable[[str, Replace], str]:
    lolhtml: Any = import_module("lolhtml")

    class Links:
        def __init__(self, replace: Replace) -> None:
            self.replace = replace

        def element(self, element: Any) -> None:
            url = element.get_attribute("href")
            if url is not None and _FOLLOWED.match(url):
                element.set_attribute("href", self.replace(url))

    def rewrite(html: str, replace: Replace) -> str:
        out = bytearray()
        rewriter = lolhtml.HTMLRewriter(out.extend)
        rewriter.on("a[href], area[href]", Links(replace))
        rewriter.write(html.encode())
        rewriter.end()
        return out.decode()

    return rewrite


def _turbohtml() -> Callable[[str, Replace], str]:
    turbohtml: Any = import_module("turbohtml.rewrite")

    def rewrite(html: str, replace: Replace) -> str:
        def link(element: Any) -> None:
            url = dict(element.attrs).get("href")
            if url is not None and _FOLLOWED.match(url):
                element.set_attribute("href", replace(url))

        rewritten: str = turbohtml.rewrite(html, elements=[("a[href], area[href]", link)])
        return rewritten

    return rewrite


# What Postal takes for a URL in an href: quoted, of these letters, and nothing else between the quotes. The quote that
# it writes is always the single one.
_POSTAL_HREF = re.compile(r"""href=['"](?P<url>https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9./+?&_%=~:;()\[\]#-]*+)?)['"]""")


def _postal(html: str, replace: Replace) -> str:
    return _POSTAL_HREF.sub(lambda found: f"href='{replace(found['url'])}'", html)


def _lxml() -> Callable[[str, Replace], str]:
    lxml: Any = import_module("lxml.html")

    def rewrite(html: str, replace: Replace) -> str:
        tree = lxml.fromstring(html)
        for link in tree.iter("a", "area"):
            url = link.get("href")
            if url is not None and _FOLLOWED.match(url):
                link.set("href", replace(url))
        written: str = lxml.tostring(tree, encoding="unicode")
        return written

    return rewrite


def _pytracking() -> tuple[Callable[[str, Replace], str], Callable[[str], str]]:
    pytracking: Any = import_module("pytracking")
    adapt_html: Any = import_module("pytracking.html").adapt_html
    settings = pytracking.Configuration(base_open_tracking_url=f"{HOST}/o/", base_click_tracking_url=f"{HOST}/c/")
    metadata = {"delivery": str(DELIVERY_ID), "recipient": TO.email}

    def rewrite(html: str, _replace: Replace) -> str:
        rewritten: str = adapt_html(html, metadata, configuration=settings)
        return rewritten

    def read(link: str) -> str:
        path = pytracking.get_click_tracking_url_path(link, configuration=settings)
        url: str = pytracking.get_click_tracking_result(path, configuration=settings).tracked_url
        return url

    return rewrite, read


def _beautiful_soup(parser: str) -> Callable[[str, Replace], str]:
    soup: Any = import_module("bs4").BeautifulSoup

    def rewrite(html: str, replace: Replace) -> str:
        page = soup(html, parser)
        for link in page.find_all(["a", "area"], href=True):
            if _FOLLOWED.match(link["href"]):
                link["href"] = replace(link["href"])
        return str(page)

    return rewrite


# --- Whether it is right ----------------------------------------------------------------------------------------------


def kept(html: str, rewritten: str) -> bool:
    """Whether nothing but values of attributes became links of ours, and a pixel came in at the most.

    What stands between the new links must stand in the mail, in its order and in whole, from its first character to its
    last; and what was there instead of each link must be one.
    """
    rewritten = re.sub(rf'<img src="{re.escape(HOST)}/o/[^>]*>', "", rewritten)
    first, *others = _MARKED.split(rewritten)
    if not html.startswith(first):
        return False
    at = len(first)
    for place, piece in enumerate(others, 1):
        begins = len(html) - len(piece) if place == len(others) else html.find(piece, at)
        if begins < at or not html.startswith(piece, begins) or not _FOLLOWED.match(unescape(html[at:begins])):
            return False
        at = begins + len(piece)
    return at == len(html)


def links(html: str) -> list[str]:
    """The http and https links of a mail as Python's own parser sees them, in conditional comments as well."""
    seen = _Seen()
    seen.feed(html)
    return sorted(seen.links)


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        url = dict(attrs[::-1]).get("href")  # of several, the first counts
        if (tag in ("a", "area") or tag.startswith("v:")) and url is not None and _FOLLOWED.match(url):
            self.links.append(url)

    def handle_comment(self, data: str) -> None:
        if data.lower().startswith("[if"):
            self.links += links(data.partition("]>")[2].rpartition("<![")[0])


def made_of(rewriter: Rewriter, html: str) -> tuple[str, list[str]]:
    """What the mail has become, and the URLs that its links were taken for."""
    seen: list[str] = []

    def note(url: str) -> str:
        seen.append(url)
        return CONSTANT

    rewritten = rewriter.rewrite(html, note)
    if rewriter.read:
        clicks = [unescape(link) for link in _MARKED.findall(rewritten) if link.startswith(f"{HOST}/c/")]
        seen = [rewriter.read(link) for link in clicks]
    return rewritten, sorted(seen)


# --- Hard cases -------------------------------------------------------------------------------------------------------

# Each link that has to be led elsewhere stands between ⟦ and ⟧; every other character has to stay.
HARD = {
    "double quotes": '<a href="⟦https://a.test/1⟧">x</a>',
    "single quotes": "<a href='⟦https://a.test/1⟧'>x</a>",
    "no quotes": "<a href=⟦https://a.test/1⟧>x</a>",
    "no quotes, and a slash at the end": "<p><a class=x href=⟦https://a.test/1/⟧>x</a>",
    "upper case": '<A HREF="⟦HTTPS://A.TEST/1⟧">x</A>',
    "space about the sign": '<a href = "⟦https://a.test/1⟧" >x</a>',
    "line breaks in the tag": '<a\n  class="x"\r\n\thref="⟦https://a.test/1⟧"\n>x</a>',
    "character references": '<a href="⟦https://a.test/?a=1&amp;b=2&copy=3⟧">x</a>',
    "a greater-than sign in a value": '<a title="a > b" href="⟦https://a.test/1⟧">x</a>',
    "an attribute in a value": """<a title='href="https://no.test/"' href="⟦https://a.test/1⟧">x</a>""",
    "an attribute that only ends so": '<a data-href="https://no.test/" href="⟦https://a.test/1⟧">x</a>',
    "twice the same attribute": '<a href="⟦https://a.test/1⟧" href="https://no.test/">x</a>',
    "an area": '<map><area shape=rect coords=0,0,9,9 href="⟦https://a.test/1⟧"></map>',
    "a stylesheet is no link": '<link href="https://no.test/x.css"><a href="⟦https://a.test/1⟧">x</a>',
    "a comment": '<!-- <a href="https://no.test/">x</a> --><a href="⟦https://a.test/1⟧">x</a>',
    "a comment that ends oddly": '<!-- --!><a href="⟦https://a.test/1⟧">x</a><!-- -->',
    "an empty comment": '<!--><a href="⟦https://a.test/1⟧">x</a>',
    "style": '<style>a:after { content: "<a href=\'https://no.test/\'>" }</style><a href="⟦https://a.test/1⟧">x</a>',
    "title": '<title><a href="https://no.test/">x</a></title><a href="⟦https://a.test/1⟧">x</a>',
    "textarea": '<textarea><a href="https://no.test/">x</a></textarea><a href="⟦https://a.test/1⟧">x</a>',
    "for Outlook alone": '<!--[if mso]><a href="⟦https://a.test/1⟧">x</a><![endif]--><p>y</p>',
    "for Outlook, a button in VML": (
        '<!--[if mso]><v:roundrect xmlns:v="urn:schemas-microsoft-com:vml" href="⟦https://a.test/1⟧">'
        "<w:anchorlock/></v:roundrect><![endif]--><!--[if !mso]><!-- -->"
        '<a href="⟦https://a.test/1⟧">x</a><!--<![endif]-->'
    ),
    "for all but Outlook": '<!--[if !mso]><!--><a href="⟦https://a.test/1⟧">x</a><!--<![endif]-->',
    "for all but Outlook, revealed": '<![if !mso]><a href="⟦https://a.test/1⟧">x</a><![endif]>',
    "elements that never end": '<table><tr><td><a href="⟦https://a.test/1⟧">x<td><p>y<p>z',
    "elements that end twice": '<p><a href="⟦https://a.test/1⟧">x</a></a></p></p></div>',
    "no end to the tag": '<a href="⟦https://a.test/1⟧">x</a><a href="https://no.test/" class="',
    "letters beyond ASCII": '<a title="Größe" href="⟦https://a.test/Gr%C3%B6%C3%9Fe?q=ü⟧">Größe 🎉</a>\u2028',
}


def hard_cases_right(rewriter: Rewriter) -> int:
    """How many come out as they must, to the letter."""
    return sum(_is_right(rewriter, case) for case in HARD.values())


def _is_right(rewriter: Rewriter, case: str) -> bool:
    plain = case.replace("⟦", "").replace("⟧", "")
    due = sorted(unescape(url) if "&copy=" not in url else "https://a.test/?a=1&b=2&copy=3" for url in _due(case))
    try:
        rewritten, seen = made_of(rewriter, plain)
    except Exception:  # noqa: BLE001  # a peer may fail in any way; that is what is counted
        return False
    rewritten = re.sub(rf'<img src="{re.escape(HOST)}/o/[^>]*>', "", rewritten)
    return _MARKED.sub("⟦⟧", rewritten) == re.sub("⟦[^⟧]*⟧", "⟦⟧", case) and seen == due


def _due(case: str) -> list[str]:
    return re.findall("⟦([^⟧]*)⟧", case)
