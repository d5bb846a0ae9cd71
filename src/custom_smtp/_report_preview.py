"""A mail as it can be shown safely inside a report: nothing of it runs, loads or leads anywhere; its links are counted.

The mail's HTML is read and written anew from what is allowed here, so that nothing depends on reading it exactly as a
browser would.
"""

import re
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from html import escape
from html.parser import HTMLParser

CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a report and the mail in it may load: nothing but the styles that stand in them."""

Badge = Callable[[str], tuple[str, str] | None]
"""For the URL of a link: where it leads, and what to write beside it; None for a link that nobody counts."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ELEMENTS = _names(
    "a abbr address article aside b bdi bdo big blockquote body br caption center cite code col colgroup dd del dfn "
    "div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i ins kbd li main mark nav ol p pre q s "
    "samp section small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var wbr"
)
_ATTRIBUTES = _names(
    "align bgcolor border cellpadding cellspacing class color colspan dir face height id lang nowrap role rowspan size "
    "start style type valign width"
)
_LEFT_OUT = _names(
    "applet audio button canvas frameset iframe math noembed noframes noscript object script select svg template "
    "textarea title video xmp"
)
"""Elements that go with all that stands in them; any other that is not allowed goes alone."""

_URL = re.compile(r"https?://[^\s<>\"]+")
_PIXELS = re.compile(r"[0-9]{1,4}")

_OUR_STYLE = """
:where(body){margin:0;font:16px/1.5 system-ui,sans-serif}
:where(pre){margin:0;padding:24px;white-space:pre-wrap;overflow-wrap:anywhere;font:14px/1.6 ui-monospace,monospace}
:where(a[title]){color:#0b57d0;text-decoration:underline}
"""
_BADGE_STYLE = (
    "all:initial!important;display:inline-block!important;margin:0 3px!important;padding:1px 7px!important;"
    "border-radius:9px!important;background:#ffd866!important;color:#222!important;"
    "font:600 11px/16px system-ui,sans-serif!important;white-space:nowrap!important;vertical-align:middle!important;"
    "box-shadow:0 0 0 1px rgba(0,0,0,.2)!important"
)
_PICTURE_STYLE = (
    "display:inline-block;box-sizing:border-box;max-width:100%;overflow:hidden;vertical-align:middle;"
    "padding:6px 10px;background-color:rgba(128,128,128,.18);font:13px/1.4 system-ui,sans-serif"
)


def preview(content: bytes, badge: Badge) -> str:
    """An HTML document that shows the mail, for a sandboxed frame.

    Args:
        content: the whole mail (RFC 5322), of any quality.
        badge: what to write beside each link.
    """
    kind, text = readable(content)
    shown = _Shown(badge)
    if kind == "text/html":
        shown.feed(text)
        shown.close()
    else:
        shown.plain(text)
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        f'content="{CONTENT_POLICY}"><style>{_OUR_STYLE}</style>{shown.written}'
    )


def plain(text: str) -> str:
    """Any text, for an HTML page: escaped, and writable as UTF-8 even where it holds half of a surrogate pair."""
    return escape(text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd"))


def readable(content: bytes) -> tuple[str, str]:
    """Which of the two the mail offers, ``text/html`` or else ``text/plain``, and what stands in it."""
    found: dict[str, str] = {}
    for part in message_from_bytes(content).walk():
        kind = part.get_content_type()
        if kind in ("text/html", "text/plain") and part.get_content_disposition() != "attachment":
            found.setdefault(kind, _decoded(part))
    for kind in ("text/html", "text/plain"):
        if kind in found:
            return kind, found[kind]
    return "text/plain", ""


def _decoded(part: "Message[str, str]") -> str:
    raw = part.get_payload(decode=True)
    text = raw if isinstance(raw, bytes) else b""
    try:
        decoded = text.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        decoded = text.decode("utf-8", "replace")
    # UTF-7 can spell half of a surrogate pair, which nothing can write down again.
    return decoded.encode("utf-8", "replace").decode()


class _Shown(HTMLParser):
    """Reads a mail's HTML, and writes what may be shown of it."""

    def __init__(self, badge: Badge) -> None:
        super().__init__(convert_charrefs=True)
        self._badge = badge
        self._pieces: list[str] = []
        self._leaving_out = ""
        self._style_open = False
        self._link_end: str | None = None

    @property
    def written(self) -> str:
        """What may be shown."""
        return "".join(self._pieces)

    def plain(self, text: str) -> None:
        """Write plain text, its URLs counted."""
        self._pieces.append("<body><pre>")
        place = 0
        for found in _URL.finditer(text):
            self._pieces.append(plain(text[place : found.start()]))
            self._plain_link(found[0])
            place = found.end()
        self._pieces += [plain(text[place:]), "</pre>"]

    def _plain_link(self, url: str) -> None:
        counted = self._badge(url)
        self._pieces.append(plain(url) if counted is None else f"{plain(counted[0])}{_badge_for(counted)}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._leaving_out or self._style_open:
            return
        if tag in _LEFT_OUT:
            self._leaving_out = tag
        elif tag == "style":
            self._style_open = True
            self._pieces.append("<style>")
        elif tag == "img":
            self._pieces.append(_picture(dict(attrs)))
        elif tag == "a":
            self._open_link(attrs)
        elif tag in _ELEMENTS:
            self._pieces.append(f"<{tag}{_kept(attrs)}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # "/>" means nothing to a browser where HTML has no such element: <script/> stays open, <a/> too.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._leaving_out:
            if tag == self._leaving_out:
                self._leaving_out = ""
        elif self._style_open:
            if tag == "style":
                self._close_style()
        elif tag == "a":
            self._close_link()
        elif tag in _ELEMENTS:
            self._pieces.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._leaving_out:
            return
        # A style sheet cannot be escaped; without "<" it cannot end either.
        self._pieces.append(data.replace("<", "").replace("\x00", "") if self._style_open else plain(data))

    def close(self) -> None:
        super().close()
        self._close_style()
        self._close_link()

    def _close_style(self) -> None:
        if self._style_open:
            self._pieces.append("</style>")
        self._style_open = False

    def _open_link(self, attrs: list[tuple[str, str | None]]) -> None:
        self._close_link()
        counted = self._badge((dict(attrs).get("href") or "").strip())
        title = "" if counted is None else f' title="{plain(counted[0])}"'
        self._pieces.append(f"<a{_kept(attrs)}{title}>")
        self._link_end = ("" if counted is None else _badge_for(counted)) + "</a>"

    def _close_link(self) -> None:
        if self._link_end is not None:
            self._pieces.append(self._link_end)
        self._link_end = None


def _kept(attrs: list[tuple[str, str | None]]) -> str:
    return "".join(f' {name}="{plain(value or "")}"' for name, value in dict(attrs).items() if name in _ATTRIBUTES)


def _badge_for(counted: tuple[str, str]) -> str:
    leads_to, label = counted
    pale = ";background:#e4e4e4!important" if label == "0" else ""
    return f'<span style="{_BADGE_STYLE}{pale}" title="{plain(leads_to)}">{plain(label)}</span>'


def _picture(attributes: dict[str, str | None]) -> str:
    """In a picture's place: its size and its words. Pixels that only count opens leave nothing."""
    width, height = (_pixels(attributes.get(side)) for side in ("width", "height"))
    words = plain((attributes.get("alt") or "").strip())
    if width == 1 or height == 1 or not (words or width):
        return ""
    size = f"width:{width}px;" if width else ""
    size += f"aspect-ratio:{width}/{height};" if width and height else ""
    return f'<span style="{_PICTURE_STYLE};{size}{plain(attributes.get("style") or "")}">{words}</span>'


def _pixels(attribute: str | None) -> int:
    found = _PIXELS.match(attribute or "")
    return int(found[0]) if found else 0
