"""How fast mails are tracked: rewriting, personal copies, plain text, tokens and the endpoint, and their peers.

    python benchmarks/tracking.py [--rounds N] [--seconds S] [--only SECTION ...]

In each round every contestant has its turn, in an order that rotates, so that whatever else the machine does falls on
all of them. Ratios are taken within a round; what is printed is the median of the rounds, with the least and the most.
The clock is the CPU's; for the endpoint, the wall's is told as well. Beside the speed of a rewriter
stands whether what it writes is right, found out in the same run.

Sections are html, hostile, personal, text, tokens and endpoint.

The mails are what freely licensed packages hold of real ones (`real_mails.py`): they are fetched once, into
``.cache/benchmarks``. It needs npm and ``pip install -r benchmarks/tracking.peers.txt``.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from contests import (
    Bound,
    Round,
    asked,
    bounds_table,
    conditions,
    in_turns,
    rates_of,
    ratios_of,
    require_peers,
    times_a_second,
    together,
)
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from figures import apart, spread
from real_mails import SOURCES, Mails, real_mails
from rewriters import (
    CONSTANT,
    DELIVERY_ID,
    HARD,
    HOST,
    TO,
    TOKENS,
    Rewriter,
    constant,
    hard_cases_right,
    kept,
    links,
    made_of,
    mail_of,
    rewriters,
)
from texts import HARD_TEXTS, TEXT_WAYS, hard_texts_right

from custom_smtp import Tokens, Tracker
from custom_smtp.claims import Claim, Purpose
from custom_smtp.html import scan
from custom_smtp.pieces import encoded
from custom_smtp.plain_text import clickable

HERE = Path(__file__).parent
PEERS = {
    "beautifulsoup4": "bs4",
    "lxml": "lxml",
    "pytracking": "pytracking",
    "python-lolhtml": "lolhtml",
    "turbohtml": "turbohtml",
    "uvicorn": "uvicorn",
    "waitress": "waitress",
}


# --- What is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contestant:
    """One way to do a piece of work.

    Attributes:
        name: what the tables call it.
        once: does the work.
        work: how much that is, in the unit of its table.
    """

    name: str
    once: Callable[[], object]
    work: float


WHOLE, ALONE, LOL, PYTRACKING = "custom_smtp, whole track()", "custom_smtp, links alone", "lol-html", "pytracking"
BOUNDS = (
    Bound("rewriting, of lol-html", ALONE, LOL, 0.5, 0.9),
    Bound("rewriting, times pytracking", ALONE, PYTRACKING, 6, 6),
    Bound("a person's copy, of a bare join", "custom_smtp, compiled", "bytes.join", 0.3, 0.7),
    Bound("plain text, of Postal's pattern", "custom_smtp, text", "Postal's pattern, text", 0.4, 0.8),
    Bound("sealing, of raw AES-SIV", "custom_smtp, sealed", "AES-SIV, sealed", 0.4, 0.7),
    Bound("opening, of raw AES-SIV", "custom_smtp, opened", "AES-SIV, opened", 0.4, 0.7),
    Bound("sealing, times pytracking with Fernet", "custom_smtp, sealed", "pytracking with Fernet, sealed", 5, 5),
    Bound("opening, times pytracking with Fernet", "custom_smtp, opened", "pytracking with Fernet, opened", 5, 5),
    Bound("a click by ASGI, of a constant 302", "custom_smtp, ASGI", "constant 302, ASGI", 0.8, 0.8),
    Bound("a click by WSGI, of a constant 302", "custom_smtp, WSGI", "constant 302, WSGI", 0.8, 0.8),
    Bound("the same by ASGI, by the server's CPU", "custom_smtp, ASGI, by CPU", "constant 302, ASGI, by CPU", 0.8, 0.8),
    Bound("the same by WSGI, by the server's CPU", "custom_smtp, WSGI, by CPU", "constant 302, WSGI, by CPU", 0.8, 0.8),
)


def main() -> int:
    told = asked("Measure how fast mails are tracked.", SECTIONS, "section", rounds=7, seconds=0.5)
    require_peers(PEERS, "tracking.peers.txt")
    print(conditions(PEERS, told.rounds))
    print(f"Mails of {', '.join(f'{source.package} ({source.licence})' for source in SOURCES)}.\n", flush=True)
    mails = real_mails()
    sections = [SECTIONS[name](mails, told.rounds, told.seconds) for name in told.only or SECTIONS]
    print("\n".join(bounds_table(BOUNDS, together(sections))))
    return 0


def contest(contestants: Sequence[Contestant], rounds: int, seconds: float) -> list[Round]:
    """How much each did in a second, in every round."""
    return list(in_turns({each.name: partial(_done_by, each, seconds) for each in contestants}, rounds))


def _done_by(contestant: Contestant, seconds: float) -> float:
    return contestant.work * times_a_second(contestant.once, seconds)


# --- Rewriting --------------------------------------------------------------------------------------------------------


def html_section(mails: Mails, rounds: int, seconds: float) -> list[Round]:
    due = [links(html) for html in mails.html]
    conditional = sum("<!--[if" in html for html in mails.html)
    print(
        f"### Rewriting\n\n{len(mails.html)} mails, {mails.markup / 1e6:.2f} MB, {sum(map(len, due))} links; "
        f"{conditional} mails have conditional comments.\n"
    )
    several = rewriters()
    right = {each.name: _right(each, mails, due) for each in several}
    contestants = [_rewriting(each, mails.html) for each in several]
    scanning = Contestant("custom_smtp, scan alone", lambda: [scan(html) for html in mails.html], mails.markup / 1e6)
    done = contest([*contestants, scanning], rounds, seconds)
    print("| | MB/s | / lol-html | / pytracking | bytes kept | links right | fails | hard cases |")
    print("|---|---|---|---|---|---|---|---|")
    for name in [WHOLE, ALONE, scanning.name, *(each.name for each in several[2:])]:
        ratios = [spread(ratios_of(done, name, peer), ".2f") for peer in (LOL, PYTRACKING)]
        cells = [name, rates_of(done, name, ".1f"), *ratios, right.get(name, "| | |")]
        print(f"| {' | '.join(cells)} |")
    print(flush=True)
    return done


def _rewriting(rewriter: Rewriter, mails: Sequence[str]) -> Contestant:
    """A pass over every mail that it can do; the others count for nothing."""
    able = [html for html in mails if _is_able(rewriter, html)]
    octets = sum(len(html.encode()) for html in able)
    return Contestant(rewriter.name, lambda: [rewriter.rewrite(html, constant) for html in able], octets / 1e6)


def _is_able(rewriter: Rewriter, html: str) -> bool:
    try:
        rewriter.rewrite(html, constant)
    except Exception:  # noqa: BLE001  # a peer may fail in any way; that is what is counted
        return False
    return True


def _right(rewriter: Rewriter, mails: Mails, due: Sequence[list[str]]) -> str:
    able = [(html, wanted) for html, wanted in zip(mails.html, due, strict=True) if _is_able(rewriter, html)]
    made = [(html, wanted, *made_of(rewriter, html)) for html, wanted in able]
    whole = sum(kept(html, rewritten) for html, _, rewritten, _ in made)
    seen = sum(found == wanted for _, wanted, _, found in made)
    return f"{whole} | {seen} | {len(mails.html) - len(able)} | {hard_cases_right(rewriter)} of {len(HARD)}"


# --- Hostile input ----------------------------------------------------------------------------------------------------

HOSTILE = {
    "`<`": "<",
    "tags that never end": "<a href=x ",
    "a quote that never ends": "<a href='",
    "attributes": '<a x="y" ',
    "signs of attributes": "<a =",
    "comments in comments": "<!--",
    "conditions in conditions": "<!--[if mso]>",
    "ends of comments": "<!-- --!",
    "raw text that never ends": "<style></styl",
    "scripts in comments": "<script><!--<script>",
    "references": "<a href='&amp&#",
    "brackets in a URL": "http://a.test/((",
    "URLs": "http://",
    "spaces": "<a ",
}
CHARACTERS, TIMES = 50_000, 4


def hostile_section(_mails: Mails, rounds: int, seconds: float) -> list[Round]:
    texts = {name: (piece * CHARACTERS)[:CHARACTERS] for name, piece in HOSTILE.items()}
    once: dict[str, Callable[[], object]] = {}
    for name, text in texts.items():
        once[name] = partial(_looked_through, text)
        once[f"{name}, more"] = partial(_looked_through, text * TIMES)
    done = contest([Contestant(name, each, 1) for name, each in once.items()], rounds, seconds / 5)
    print(f"### Hostile input\n\nThe same again and again, as HTML and as plain text; linear is {TIMES}.\n")
    print(f"| | ms for {CHARACTERS // 1000} KB | {TIMES} times as much takes |\n|---|---|---|")
    for name in texts:
        times = spread([1e3 / each[name] for each in done], ".2f")
        print(f"| {name} | {times} | {spread(ratios_of(done, name, f'{name}, more'), '.1f')} |")
    print(flush=True)
    return done


def _looked_through(text: str) -> None:
    scan(text)
    for _ in clickable(text):
        pass


# --- One mail for many people -----------------------------------------------------------------------------------------


def personal_section(mails: Mails, rounds: int, seconds: float) -> list[Round]:
    tracker = Tracker(HOST, TOKENS)
    written = [mail_of(html) for html in mails.html if links(html)]
    compiled = [tracker.compile(mail) for mail in written]
    versions = [each.version(opens=True, clicks=True) for each in compiled]
    pieces = [encoded(version.html) for version in versions if version.html is not None]
    given = [[b"%0100d" % number for number in range(len(each.slots))] for each in pieces]
    rows = [_row(each.static, tokens) for each, tokens in zip(pieces, given, strict=True)]
    assert len(pieces) == len(written)
    assert [each.filled(tokens) for each, tokens in zip(pieces, given, strict=True)] == list(map(b"".join, rows))
    assert [each.fill(DELIVERY_ID, TO.email).html for each in compiled] == [
        tracker.track(mail, DELIVERY_ID).html for mail in written
    ]
    pairs = list(zip(pieces, given, strict=True))
    once: dict[str, Callable[[], object]] = {
        "custom_smtp, compiled": lambda: [each.filled(tokens) for each, tokens in pairs],
        "bytes.join": lambda: [b"".join(row) for row in rows],
        "custom_smtp, fill() with tokens": lambda: [each.fill(DELIVERY_ID, TO.email) for each in compiled],
        "custom_smtp, track() each": lambda: [tracker.track(mail, DELIVERY_ID) for mail in written],
    }
    done = contest([Contestant(name, each, len(written) / 1e3) for name, each in once.items()], rounds, seconds)
    print(f"### One mail for many people\n\n{len(written)} mails, {sum(map(len, given))} tokens in them.\n")
    print("| | thousands/s | / bytes.join |\n|---|---|---|")
    for name in once:
        print(f"| {name} | {rates_of(done, name, '.1f')} | {spread(ratios_of(done, name, 'bytes.join'), '.3f')} |")
    print(flush=True)
    return done


def _row(static: Sequence[bytes], tokens: Sequence[bytes]) -> list[bytes]:
    row = [static[0]]
    for token, piece in zip(tokens, static[1:], strict=True):
        row += token, piece
    return row


# --- Plain text -------------------------------------------------------------------------------------------------------


def text_section(mails: Mails, rounds: int, seconds: float) -> list[Round]:
    print(f"### Plain text\n\n{len(mails.text)} texts, {mails.prose / 1e6:.2f} MB.\n")

    def over_all(rewrite: Callable[[str, str], str]) -> Callable[[], object]:
        return lambda: [rewrite(text, CONSTANT) for text in mails.text]

    done = contest(
        [Contestant(name, over_all(rewrite), mails.prose / 1e6) for name, rewrite in TEXT_WAYS.items()], rounds, seconds
    )
    [*_, theirs] = TEXT_WAYS
    print(f"| | MB/s | / {theirs} | links | hard cases |\n|---|---|---|---|---|")
    for name, rewrite in TEXT_WAYS.items():
        found = sum(rewrite(text, CONSTANT).count(CONSTANT) for text in mails.text)
        share = spread(ratios_of(done, name, theirs), ".2f")
        right = f"{hard_texts_right(rewrite)} of {len(HARD_TEXTS)}"
        print(f"| {name} | {rates_of(done, name, '.1f')} | {share} | {found} | {right} |")
    print(flush=True)
    return done


# --- Tokens -----------------------------------------------------------------------------------------------------------

TARGET = "https://www.shop.example/autumn/offer-1?id=7f3a91c2&utm_source=news&c=42"
MANY = range(200)


def tokens_section(_mails: Mails, rounds: int, seconds: float) -> list[Round]:
    urls = [f"{TARGET}&n={number}" for number in MANY]
    tokens = [TOKENS.issue(Claim(DELIVERY_ID, TO.email, url)) for url in urls]
    cipher, head, purpose = AESSIV(b"k" * 64), b"\x01abcd", b"click"
    contents = [f"{DELIVERY_ID}\0{TO.email}\0\0{url}".encode() for url in urls]
    sealed = [cipher.encrypt(content, [head, purpose]) for content in contents]
    alone = [cipher.encrypt(content, None) for content in contents]
    pytracking: Any = import_module("pytracking")
    fernet: Any = import_module("cryptography.fernet").Fernet
    theirs = pytracking.Configuration(
        base_click_tracking_url=f"{HOST}/c/", encryption_bytestring_key=fernet.generate_key()
    )
    metadata = {"delivery": str(DELIVERY_ID), "recipient": TO.email}

    def issued(url: str) -> str:
        link: str = pytracking.get_click_tracking_url(url, metadata, configuration=theirs)
        return link

    def read(link: str) -> str:
        path = pytracking.get_click_tracking_url_path(link, configuration=theirs)
        url: str = pytracking.get_click_tracking_result(path, configuration=theirs).tracked_url
        return url

    clicks = [issued(url) for url in urls]
    assert [TOKENS.read(token).url for token in tokens] == urls
    assert [read(click) for click in clicks] == urls
    once: dict[str, Callable[[], object]] = {
        "custom_smtp, sealed": lambda: [TOKENS.issue(Claim(DELIVERY_ID, TO.email, url)) for url in urls],
        "AES-SIV, sealed": lambda: [cipher.encrypt(content, [head, purpose]) for content in contents],
        "AES-SIV of the content alone, sealed": lambda: [cipher.encrypt(content, None) for content in contents],
        "pytracking with Fernet, sealed": lambda: [issued(url) for url in urls],
        "custom_smtp, opened": lambda: [TOKENS.read(token, Purpose.CLICK) for token in tokens],
        "AES-SIV, opened": lambda: [cipher.decrypt(each, [head, purpose]) for each in sealed],
        "AES-SIV of the content alone, opened": lambda: [cipher.decrypt(each, None) for each in alone],
        "pytracking with Fernet, opened": lambda: [read(click) for click in clicks],
    }
    done = contest([Contestant(name, each, len(MANY) / 1e3) for name, each in once.items()], rounds, seconds)
    lengths = {"custom_smtp, sealed": len(tokens[0]), "pytracking with Fernet, sealed": len(clicks[0]) - len(HOST) - 3}
    print("### Tokens\n\n| | thousands/s | / AES-SIV | / pytracking | characters |\n|---|---|---|---|---|")
    for name in once:
        manner = name.rpartition(", ")[2]
        ratios = [f"AES-SIV, {manner}", f"pytracking with Fernet, {manner}"]
        cells = [spread(ratios_of(done, name, peer), ".2f") for peer in ratios]
        print(f"| {name} | {rates_of(done, name, '.0f')} | {' | '.join(cells)} | {lengths.get(name, '')} |")
    print(flush=True)
    return done


# --- The endpoint -----------------------------------------------------------------------------------------------------

KEY = b"endpoint " * 4
CONNECTIONS = 16


@dataclass(frozen=True)
class Answered:
    """How a server did: clicks in a second, each answered as it has to be, and in a second of its CPU."""

    rate: float
    by_cpu: float


def endpoint_section(_mails: Mails, rounds: int, seconds: float) -> list[Round]:
    tokens = Tokens((KEY,))
    paths = "\n".join(f"/c/{tokens.issue(Claim(DELIVERY_ID, f'p{number}@a.test', TARGET))}" for number in range(2_000))
    ours = os.sched_getaffinity(0)
    core = apart()
    ways = [(kind, manner) for kind in ("asgi", "wsgi") for manner in MANNERS]
    answered: list[dict[str, Answered]] = []
    try:
        for number in range(rounds):
            turn = number % len(ways)
            order = ways[turn:] + ways[:turn]
            answered.append({_way(*way): _answered(*way, paths, max(seconds, 1.0), core) for way in order})
    finally:
        os.sched_setaffinity(0, ours)
    rates = [{name: each.rate for name, each in done.items()} for done in answered]
    by_cpu = [{name: each.by_cpu for name, each in done.items()} for done in answered]
    print(
        f"### The endpoint\n\nClicks over {CONNECTIONS} connections that stay open; the server has a core of its own.\n"
    )
    print("| | answers/s | / constant 302 | CPU for an answer | / constant 302, by CPU |\n|---|---|---|---|---|")
    for kind, manner in ways:
        name, peer = _way(kind, manner), _way(kind, "constant")
        shares = [spread(ratios_of(done, name, peer), ".2f") for done in (rates, by_cpu)]
        cpu = f"{1e6 / statistics.median(done[name] for done in by_cpu):.0f} µs"
        print(f"| {name} | {rates_of(rates, name, '.0f')} | {shares[0]} | {cpu} | {shares[1]} |")
    print(flush=True)
    named = [{f"{name}, by CPU": share for name, share in done.items()} for done in by_cpu]
    return [{**rate, **cpu} for rate, cpu in zip(rates, named, strict=True)]


MANNERS = {"ours": "custom_smtp", "bare": "token and event alone", "constant": "constant 302"}


def _way(kind: str, manner: str) -> str:
    return f"{MANNERS[manner]}, {kind.upper()}"


def _answered(kind: str, manner: str, paths: str, seconds: float, core: int | None) -> Answered:
    with _serving(kind, manner, core) as server:
        asking = str(HERE / "web" / "asking.py")
        words = [sys.executable, asking, str(server.port), str(seconds), str(CONNECTIONS), TARGET]
        before = server.cpu
        asked = subprocess.run(words, input=paths, check=False, capture_output=True, text=True)
        cpu = server.cpu - before
    if asked.returncode:
        sys.exit(f"{_way(kind, manner)} failed:\n{asked.stderr[-2000:]}")
    answers, took, of_all = map(float, asked.stdout.split())
    return Answered(answers / took, of_all / cpu)


@dataclass(frozen=True)
class WebServer:
    """One that runs."""

    process: int
    port: int

    @property
    def cpu(self) -> float:
        """Seconds that it has used so far, all threads together (proc(5), fields 14 and 15)."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _serving(kind: str, manner: str, core: int | None) -> Iterator[WebServer]:
    words = [sys.executable, str(HERE / "web" / "answering.py"), kind, manner, KEY.hex(), TARGET]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            if core is not None:
                os.sched_setaffinity(server.pid, {core})
            yield WebServer(server.pid, int(server.stdout.readline()))
        finally:
            server.terminate()


# --- Telling ----------------------------------------------------------------------------------------------------------

SECTIONS: dict[str, Callable[[Mails, int, float], list[Round]]] = {
    "html": html_section,
    "hostile": hostile_section,
    "personal": personal_section,
    "text": text_section,
    "tokens": tokens_section,
    "endpoint": endpoint_section,
}


if __name__ == "__main__":
    sys.exit(main())
