"""What a real Chromium makes of a tracked mail: the same picture, the same tree, a click that lands, one open."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from attrs import define, field

from custom_smtp import Address, DeliveryId, Mail, MemoryJournal, Tokens, Tracker, TrackingEndpoint
from custom_smtp.edge.wsgi import wsgi
from custom_smtp.events import Clicked, Opened
from custom_smtp.mounts import Mounts

from .browser import Tab, running_browser

TOKENS = Tokens((b"key of 32 bytes, from your vault",))
DELIVERY_ID = DeliveryId("d1")
ADA = Address("ada@example.net")

MAIL = """\
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:v="urn:schemas-microsoft-com:vml">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
<title>Herbst &amp; Winter</title>
<!--[if mso]><style>a {{ color: #000 }}</style><![endif]-->
<style type="text/css">
  a > b, td > a {{ color: #0a5; text-decoration: none }} a:hover {{ color: #f00 }}
</style>
</head>
<body style="margin:0;background:#eef">
<table width="600" align="center" cellpadding="20" style="background:#fff;font:16px/1.5 sans-serif">
<tr><td><h1>Grüße 🎉</h1><p>{word} <b>10&nbsp;%</b> &lt; all the rest &gt;
  <img src="data:image/gif;base64,R0lGODlhAQABAIAAAP8AAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==" width="40" height="40">
<!--[if mso]><v:roundrect href="http://localhost:{port}/landed?by=outlook" fillcolor="#0a5"></v:roundrect><![endif]-->
<!--[if !mso]><!-- --><a id="buy" href='http://localhost:{port}/landed?item=7&amp;colour=gr%C3%BCn&copy=1#reviews'
  style="display:inline-block;padding:12px 30px;background:#0a5;color:#fff">Buy > now</a><!--<![endif]-->
<tr><td><a href=http://localhost:{port}/other>other</a> <a href="mailto:shop@shop.example">write</a>
  <a href="#top">top</a>
</table>
</body>
</html>
"""
TARGET = "http://localhost:{port}/landed?item=7&colour=gr%C3%BCn&copy=1#reviews"

# Each with how many links of its tree are led over our host: a browser makes two elements of some, and sees none of
# those that are for Outlook alone.
TRICKY = [
    ("<p>nothing to change &amp; &copy &nbsp;<br/><td>x", 0),
    ('<a href="https://a.test/?a=1&amp;b=2&copy=3&lt=4&notit;">x</a>', 1),
    ("<a href='https://a.test/\"quoted\"'>x</a><a href=https://b.test/1?a=b>y</a>", 2),
    ('<A HREF="HTTPS://A.TEST/1" href="https://no.test/">x</A>', 1),
    ('<a title="a > b" data-href="https://no.test/" href = "https://a.test/1" >x</a>', 1),
    ('<a\n  href="\n https://a.test/1\t23 \r\n"\r\n>x</a>', 1),
    ('<a href="https://a.test/1"title=x>x</a><a/href="https://a.test/2"/>y</a>', 2),
    ('<a href="https://a.test/\u00fc?q=\u00fc 1#\u00fc">x</a>', 1),
    ("<a href=https://a.test/1/>x</a>y", 1),
    ('<map name=m><area href="https://a.test/1" shape=rect coords=0,0,9,9></map><img usemap=#m>', 1),
    ('<p>1<a href="https://a.test/1">2<p>3<a href="https://a.test/2">4<table>5<tr>6', 3),
    ('<b><p><a href="https://a.test/1">x</b>y</a>z<i><table><a href="https://a.test/2">w', 3),
    ('<style>a { content: "<a href=https://no.test/>" }</style><a href="https://a.test/1">x</a>', 1),
    ('<title><a href="https://no.test/"></title><a href="https://a.test/1">x</a>', 1),
    ('<textarea><a href="https://no.test/"></textarea><xmp><a href="https://no.test/"></xmp>', 0),
    ('<script>"<a href=https://no.test/><!--<script>"</script>--></script><a href="https://a.test/1">x</a>', 1),
    ('<noscript><a href="https://a.test/1">x</a></noscript>', 1),
    ('<!-- <a href="https://no.test/"> --><!--><a href="https://a.test/1">x</a><!-- --!><b>y', 1),
    ('<!--[if mso]><a href="https://a.test/outlook">x</a><![endif]--><a href="https://a.test/1">y</a>', 1),
    ('<!--[if !mso]><!--><a href="https://a.test/1">x</a><!--<![endif]--><![if !mso]><p>y<![endif]>', 1),
    ('<?xml version="1.0"?><!doctype html><a href="https://a.test/1">x</a></ a><//><!x>', 1),
    ('<a href="https://a.test/1" data-track="off">x</a><a data-track=OFF href=https://a.test/2>y</a>', 0),
    ('<a href="{{ link }}">x</a><a href="mailto:a@a.test">y</a><a href="//a.test/1">z</a><a href>w</a>', 0),
    ('<svg><a href="https://a.test/1"><text>x</text></a></svg><math><mi>y</mi></math>', 1),
    ('<a href="https://a.test/1">x</a></body></html> <p>after all <a href="https://a.test/2">y</a>', 2),
    ('<a href="https://a.test/1">x</a><a href="https://no.test/" class="', 1),
    ("<a href=\"https://a.test/1\">x</a><plaintext><a href='https://no.test/'>", 1),
    ('<frameset><a href="https://no.test/">', 0),
]


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log_message(self, *_: object) -> None: ...


class Threaded(ThreadingMixIn, WSGIServer):
    """A browser opens lines and says nothing on them; they must not keep others waiting."""

    daemon_threads = True


@define
class Web:
    """Everything that the browser sees: our endpoint below /t, and these pages."""

    port: int = 0
    pages: dict[str, str] = field(factory=dict)
    asked: list[str] = field(factory=list)
    journal: MemoryJournal = field(factory=MemoryJournal)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tracker(self) -> Tracker:
        return Tracker(f"{self.address}/t", TOKENS)

    def application(self) -> WSGIApplication:
        tracking = wsgi(Mounts({"/t": TrackingEndpoint(TOKENS)}), self.journal)

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            self.asked.append(path)
            if path.startswith("/t/"):
                return tracking(environ, start_response)
            status = HTTPStatus.OK if path in self.pages else HTTPStatus.NOT_FOUND
            start_response(f"{status} {status.phrase}", [("Content-Type", "text/html; charset=utf-8")])
            return [self.pages.get(path, "").encode()]

        return answer

    def tracked(self, html: str, tracker: Tracker | None = None) -> str:
        mail = Mail(sender=Address("hello@shop.example"), to=ADA, subject="Autumn", html=html)
        tracked = (tracker or self.tracker).track(mail, DELIVERY_ID).html
        assert tracked is not None
        return tracked


@contextmanager
def serving() -> Iterator[Web]:
    web = Web()
    with make_server("127.0.0.1", 0, web.application(), server_class=Threaded, handler_class=Quiet) as server:
        web.port = server.server_port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with running_browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


def test_a_tracked_mail_looks_the_same(tab: Tab, web: Web) -> None:
    original = MAIL.format(word="Nur heute:", port=web.port)
    web.pages = {
        "/original": original,
        "/tracked": web.tracked(original),
        "/other": MAIL.format(word="Nur morgen:", port=web.port),
    }
    pictures = {}
    for path in web.pages:
        tab.open(web.address + path)
        pictures[path] = tab.picture()
    assert web.pages["/tracked"] != original
    assert pictures["/tracked"] == pictures["/original"]
    assert pictures["/other"] != pictures["/original"]


def test_the_hidden_link_is_not_seen_and_not_reached(tab: Tab, web: Web) -> None:
    # Even where the mail's own styles would make something of it.
    styles = "<style>a { display: block; margin: 9px; border: 3px solid; padding: 20px; background: #f00 } </style>"
    original = MAIL.format(word="Nur heute:", port=web.port).replace("</head>", f"{styles}</head>")
    trapping = Tracker(f"{web.address}/t", TOKENS, honeypot=True)
    web.pages = {"/original": original, "/trapping": web.tracked(original, trapping)}
    pictures = {}
    for path in web.pages:
        tab.open(web.address + path)
        pictures[path] = tab.picture()
    assert pictures["/trapping"] == pictures["/original"]
    hidden = "document.querySelector('a[aria-hidden]')"
    assert tab.ask(f"[{hidden}.tabIndex, {hidden}.offsetWidth, {hidden}.offsetHeight, {hidden}.innerText]") == [
        -1,
        0,
        0,
        "",
    ]


def test_an_open_is_recorded_once_and_a_click_lands(tab: Tab, web: Web) -> None:
    web.pages = {
        "/mail": web.tracked(MAIL.format(word="Nur heute:", port=web.port)),
        "/landed": "<!doctype html><title>landed</title>",
    }
    tab.open(f"{web.address}/mail")
    [opened] = web.journal.of_delivery(DELIVERY_ID)
    assert isinstance(opened, Opened)
    assert (opened.about.recipient, opened.client) == (ADA.email, "127.0.0.1")
    assert tab.ask("document.images[document.images.length - 1].naturalWidth") == 1

    tab.click("#buy")
    target = TARGET.format(port=web.port)
    assert tab.ask("[location.href, document.title, document.referrer]") == [target, "landed", ""]
    [_, clicked] = web.journal.of_delivery(DELIVERY_ID)
    assert isinstance(clicked, Clicked)
    assert (clicked.url, clicked.about.recipient, clicked.machine) == (target, ADA.email, False)
    assert [path.split("/")[1:3] for path in web.asked if path.startswith("/t/")] == [["t", "o"], ["t", "c"]]


# The tree without what tracking changes: the values of href, our mark, the pixel, and what only Outlook reads.
TREE = """(base => {
  for (const pixel of document.querySelectorAll(`img[src^="${base}/o/"]`)) pixel.remove();
  document.normalize();
  const seen = node =>
    node.nodeType === Node.ELEMENT_NODE
      ? [node.namespaceURI, node.nodeName,
         [...node.attributes].filter(each => !["href", "data-track"].includes(each.name)).map(each => [each.name,
           each.value]),
         [...node.childNodes].map(seen)]
      : [node.nodeName, node.nodeType === Node.COMMENT_NODE && node.data.startsWith("[if") ? "" : node.nodeValue];
  return [document.compatMode, [...document.childNodes].map(seen)];
})"""
LINKS = """[...document.querySelectorAll("a[href], area[href]")]
  .map(link => [link.getAttribute("href"), new URL(link.getAttribute("href"), document.baseURI).href])"""


@pytest.mark.parametrize(("html", "count"), TRICKY)
def test_the_tree_is_the_same_with_other_links(html: str, count: int, tab: Tab, web: Web) -> None:
    web.pages = {"/before": html, "/after": web.tracked(html)}
    trees: list[Any] = []
    found: list[list[list[str]]] = []
    for path in web.pages:
        tab.open(web.address + path)
        found.append(tab.ask(LINKS))
        trees.append(tab.ask(f"{TREE}({json.dumps(web.tracker.base_url)})"))
    assert trees[1] == trees[0]
    assert len(found[1]) == len(found[0])
    led = [(new, resolved) for (old, resolved), (new, _) in zip(*found, strict=True) if new != old]
    for new, resolved in led:
        token = new.removeprefix(f"{web.tracker.base_url}/c/")
        assert token != new
        assert tab.ask(f"new URL({json.dumps(TOKENS.read(token).url)}).href") == resolved
    assert len(led) == count
