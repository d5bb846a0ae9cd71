"""The endpoint: how it answers whoever follows a link or loads the pixel, and what it tells of them."""

import zlib
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Tokens, TrackingEndpoint
from custom_smtp.claims import HONEYPOT, Claim, Purpose
from custom_smtp.errors import ArchiveError, ConfigurationError
from custom_smtp.events import Clicked, Event, Opened
from custom_smtp.identifiers import DeliveryId
from custom_smtp.privacy import Keep, Privacy
from custom_smtp.proxies import Proxies
from custom_smtp.readers import Agent, Tables
from custom_smtp.tracking_endpoint import PIXEL, PNG_PIXEL
from custom_smtp.verdicts import Judge
from custom_smtp.web import Request, Response

TOKENS = Tokens((b"key of 32 bytes, from your vault",))
NOW = datetime(2026, 1, 2, 5, tzinfo=UTC)
ENDPOINT = TrackingEndpoint(TOKENS, clock=lambda: NOW)
D1 = DeliveryId("d1")
KEY = b"another key of 32 bytes for hash"


def click(
    target: str = "https://shop.example/7", endpoint: TrackingEndpoint = ENDPOINT, **asked: Any
) -> tuple[Response, tuple[Event, ...]]:
    token = TOKENS.issue(Claim(D1, "ada@example.net", target, "button"))
    answer = endpoint.answer(Request(**{"path": f"/c/{token}"} | asked))
    return answer.response, answer.events


def load(endpoint: TrackingEndpoint = ENDPOINT, **asked: Any) -> tuple[Response, tuple[Event, ...]]:
    token = TOKENS.issue(Claim(D1, "ada@example.net"), Purpose.OPEN)
    answer = endpoint.answer(Request(**{"path": f"/o/{token}"} | asked))
    return answer.response, answer.events


def test_a_click_is_led_on_and_told() -> None:
    response, [event] = click(headers={"User-Agent": "Mozilla/5.0 (X11) Firefox/140.0"}, client="192.0.2.1")
    assert (response.status, response.body) == (302, b"")
    assert dict(response.headers) == {
        "location": "https://shop.example/7",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-robots-tag": "noindex",
        "content-type": "text/plain; charset=utf-8",
    }
    assert isinstance(event, Clicked)
    assert (event.url, event.link, event.machine, event.evidence) == ("https://shop.example/7", "button", False, ())
    assert (event.user_agent, event.client) == ("Mozilla/5.0 (X11) Firefox/140.0", "192.0.2.1")
    assert (event.about.delivery_id, event.about.recipient) == ("d1", "ada@example.net")
    assert (event.about.source, event.about.at) == ("tracking", datetime(2026, 1, 2, 5, tzinfo=UTC))


def test_an_open_gets_the_pixel_and_is_told() -> None:
    response, [event] = load(headers={"User-Agent": "Thunderbird"}, client="192.0.2.1")
    assert (response.status, response.body) == (200, PIXEL)
    assert dict(response.headers) == {
        "content-type": "image/gif",
        "cache-control": "no-store",
        "x-robots-tag": "noindex",
    }
    assert isinstance(event, Opened)
    assert (event.proxied, event.prefetched, event.synthetic, event.evidence) == (False, False, False, ())
    assert (event.about.delivery_id, event.about.recipient, event.user_agent) == (
        "d1",
        "ada@example.net",
        "Thunderbird",
    )


def test_the_pixel_is_the_smallest_gif_there_is() -> None:
    assert b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==") == PIXEL


def test_the_doors_time_comes_before_the_clock() -> None:
    received_at = datetime(2026, 3, 4, tzinfo=UTC)
    _, [event] = click(received_at=received_at)
    assert event.about.at == received_at


def test_head_is_answered_as_get_and_is_no_person() -> None:
    assert click(method="HEAD")[0] == click()[0]
    assert load(method="HEAD")[0] == load()[0]
    [clicked], [opened] = click(method="HEAD")[1], load(method="HEAD")[1]
    assert isinstance(clicked, Clicked)
    assert isinstance(opened, Opened)
    assert clicked.machine
    assert opened.prefetched
    assert clicked.evidence == opened.evidence == ("HEAD",)


@pytest.mark.parametrize(
    ("headers", "evidence"),
    [
        ({"Sec-Purpose": "prefetch"}, ("Sec-Purpose: prefetch",)),
        ({"Sec-Purpose": "prefetch;prerender"}, ("Sec-Purpose: prefetch",)),
        ({"Purpose": "Prefetch"}, ("Purpose: prefetch",)),
        ({"X-Moz": "prefetch"}, ("X-Moz: prefetch",)),
        ({"X-Moz": "prefetch", "Purpose": "prefetch"}, ("Purpose: prefetch", "X-Moz: prefetch")),
        ({"Sec-Purpose": "other"}, ()),
    ],
)
def test_a_prefetch_is_no_person(headers: dict[str, str], evidence: tuple[str, ...]) -> None:
    [clicked], [opened] = click(headers=headers)[1], load(headers=headers)[1]
    assert isinstance(clicked, Clicked)
    assert isinstance(opened, Opened)
    assert clicked.machine is opened.prefetched is bool(evidence)
    assert clicked.evidence == opened.evidence == evidence


@pytest.mark.parametrize(
    ("user_agent", "proxied", "prefetched", "machine", "evidence"),
    [
        ("Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", True, False, False, "GoogleImageProxy"),
        (
            "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
            True,
            False,
            False,
            "YahooMailProxy",
        ),
        ("Mozilla/5.0", False, True, False, "Apple Mail Privacy Protection"),
        ("Mozilla/5.0 (iPhone)", False, False, False, None),
        ("Mozilla/5.0 Edge/12.246 Gmail-content-sampling", False, True, True, "Gmail-content-sampling"),
        ("", False, False, False, None),
    ],
)
def test_known_programs_are_told_apart(
    user_agent: str, proxied: bool, prefetched: bool, machine: bool, evidence: str | None
) -> None:
    [opened], [clicked] = load(headers={"user-agent": user_agent})[1], click(headers={"user-agent": user_agent})[1]
    assert isinstance(opened, Opened)
    assert isinstance(clicked, Clicked)
    assert (opened.proxied, opened.prefetched, clicked.machine) == (proxied, prefetched, machine)
    assert opened.evidence == ((evidence,) if evidence else ())
    assert clicked.evidence == ((evidence,) if machine else ())


def test_what_is_kept_of_a_request_has_an_end_and_can_be_written() -> None:
    [event] = click(headers={"user-agent": "a" * 9_999}, client="\ud800" * 9_999)[1]
    assert isinstance(event, Clicked)
    assert (event.user_agent, event.client) == ("a" * 512, "?" * 512)


def test_one_request_has_one_key_and_each_has_its_own() -> None:
    asked: dict[str, Any] = {
        "received_at": datetime(2026, 3, 4, tzinfo=UTC),
        "client": "192.0.2.1",
        "headers": {"user-agent": "a"},
    }
    others: list[dict[str, Any]] = [
        {"received_at": asked["received_at"] + timedelta(microseconds=1)},
        {"client": "192.0.2.2"},
        {"headers": {"user-agent": "b"}},
        {"method": "HEAD"},
    ]

    def key(**changed: Any) -> str:
        return click(**asked | changed)[1][0].about.key

    assert key() == key()
    keys = {key(), *(key(**other) for other in others), load(**asked)[1][0].about.key}
    assert len(keys) == 2 + len(others)


GOOD = TOKENS.issue(Claim(D1, "ada@example.net", "https://shop.example/7"))


@pytest.mark.parametrize(
    "path",
    [
        "/c/made-up.token",
        "/c/",
        "/c",
        f"/c/{GOOD}/",
        f"/c//{GOOD}",
        f"/c/{GOOD}x",
        f"/c/{GOOD[:-1]}",
        f"/c/{GOOD.swapcase()}",
        f"/c/{GOOD}=",
        f"/c/{TOKENS.issue(Claim(D1, 'ada@example.net', 'https://shop.example/7'), Purpose.OPEN)}",
        f"/c/{TOKENS.issue(Claim(D1, 'ada@example.net'))}",
        f"/c/{TOKENS.issue(Claim(D1, 'ada@example.net', 'https://no host/'))}",
        "/c/\u00fc\0\n",
        "/c/" + "A" * 99_999,
    ],
    ids=lambda path: path[:12],
)
def test_a_click_that_is_not_ours_leads_nowhere(path: str) -> None:
    answer = ENDPOINT.answer(Request(path=path))
    assert (answer.response.status, answer.events) == (404, ())
    assert "location" not in dict(answer.response.headers)
    assert answer == ENDPOINT.answer(Request(path="/c/another"))


@pytest.mark.parametrize("path", ["/o/made-up", "/o/", "/o", f"/o/{GOOD}", f"/o/{GOOD[:-1]}"])
def test_an_open_that_is_not_ours_gets_the_pixel_alike(path: str) -> None:
    answer = ENDPOINT.answer(Request(path=path))
    assert answer.events == ()
    assert answer.response == load()[0]


def test_the_page_for_unknown_links_can_be_ones_own() -> None:
    page = Response(404, (("content-type", "text/html"),), b"<p>Gone")
    answer = TrackingEndpoint(TOKENS, fallback=page).answer(Request(path="/c/made-up"))
    assert (answer.response, answer.events) == (page, ())


@pytest.mark.parametrize("path", ["/", "", "/x", "/C/abc", "/cc/abc", "//c/abc", "/robots.txt"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_there_is_nothing_else(path: str, method: str) -> None:
    answer = ENDPOINT.answer(Request(path=path, method=method))
    assert (answer.response.status, answer.events) == (404, ())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "", "get it"])
@pytest.mark.parametrize("path", [f"/c/{GOOD}", "/o/abc"])
def test_only_reading_is_answered(method: str, path: str) -> None:
    answer = ENDPOINT.answer(Request(path=path, method=method))
    assert (answer.response.status, answer.events) == (405, ())
    assert dict(answer.response.headers)["allow"] == "GET, HEAD"


# --- The pixel, as it is liked best


def test_the_png_is_one_transparent_pixel_too() -> None:
    assert PNG_PIXEL.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(PNG_PIXEL):
        length = int.from_bytes(PNG_PIXEL[at : at + 4], "big")
        kind, content = PNG_PIXEL[at + 4 : at + 8], PNG_PIXEL[at + 8 : at + 8 + length]
        assert PNG_PIXEL[at + 8 + length : at + 12 + length] == zlib.crc32(kind + content).to_bytes(4, "big")
        chunks[kind] = content
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert chunks[b"IHDR"] == bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 4, 0, 0, 0])  # 1 by 1, grey with transparency
    assert zlib.decompress(chunks[b"IDAT"]) == b"\0\0\0"  # no filter, black, not to be seen


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "gif"),
        ("*/*", "gif"),
        ("image/png", "png"),
        ("IMAGE/PNG", "png"),
        ("image/gif", "gif"),
        ("image/gif, image/png", "gif"),
        ("image/png, image/gif;q=0.5", "png"),
        ("image/png;q=0.5, image/gif", "gif"),
        ("image/png, image/*;q=0.8", "png"),
        ("image/png, */*;q=0.8", "png"),
        ("image/png, */*", "gif"),
        ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "png"),
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "gif"),
        ("image/webp", "gif"),
        ("text/html; level=1 ; q=0.7, image/png ; Q=1.000", "png"),
        ("image/png;q=0", "gif"),
        ("image/png;q=high", "png"),
        ("x-image/png", "gif"),
        (",;,=;image/png", "gif"),
    ],
)
def test_the_pixel_is_of_the_kind_that_is_liked_better(accept: str, kind: str) -> None:
    response, events = load(headers={"accept": accept})
    assert dict(response.headers)["content-type"] == f"image/{kind}"
    assert response.body == {"gif": PIXEL, "png": PNG_PIXEL}[kind]
    assert len(events) == 1


@given(st.text(st.sampled_from("image/pnggif*q=.01;, ")))
def test_any_accept_header_gets_a_pixel(accept: str) -> None:
    assert load(headers={"accept": accept})[0].body in (PIXEL, PNG_PIXEL)


@pytest.mark.parametrize("headers", [{"if-none-match": "*"}, {"if-modified-since": "Fri, 02 Jan 2026 05:00:00 GMT"}])
def test_whoever_asks_again_is_answered_and_counted_again(headers: dict[str, str]) -> None:
    response, events = load(headers=headers)
    assert (response, len(events)) == (load()[0], 1)
    assert not {"etag", "last-modified", "expires"} & dict(response.headers).keys()


# --- Where its links may stand


CLICK = TOKENS.issue(Claim(D1, "ada@example.net", "https://shop.example/7"))
OPEN = TOKENS.issue(Claim(D1, "ada@example.net"), Purpose.OPEN)


@pytest.mark.parametrize("prefix", ["t", "/t", "/t/", "t/"])
def test_links_below_a_prefix_are_answered_and_no_others(prefix: str) -> None:
    endpoint = TrackingEndpoint(TOKENS, prefix=prefix)
    assert endpoint.prefix == "/t"
    assert endpoint.answer(Request(path=f"/t/c/{CLICK}")).response.status == 302
    assert endpoint.answer(Request(path=f"/t/o/{OPEN}")).events
    for path in (
        f"/c/{CLICK}",
        f"/tc/{CLICK}",
        f"/t{CLICK}",
        f"/x/t/c/{CLICK}",
        "/t",
        f"/t//c/{CLICK}",
        f"t/c/{CLICK}",
    ):
        assert endpoint.answer(Request(path=path)).response.status == 404


@pytest.mark.parametrize("prefix", ["", "/"])
def test_no_prefix_is_none(prefix: str) -> None:
    assert TrackingEndpoint(TOKENS, prefix=prefix) == TrackingEndpoint(TOKENS)


def test_a_prefix_may_have_several_parts() -> None:
    assert TrackingEndpoint(TOKENS, prefix="/a/b/").answer(Request(path=f"/a/b/c/{CLICK}")).events


@pytest.mark.parametrize("prefix", ["a?b", "a#b", "a%20b", "a b", "a//b", None, 7])
def test_what_is_no_prefix_is_refused(prefix: Any) -> None:
    with pytest.raises(ConfigurationError, match="no prefix of a path"):
        TrackingEndpoint(TOKENS, prefix=prefix)


@pytest.mark.parametrize("path", ["/c", "/c/"])
def test_a_token_may_stand_in_the_query(path: str) -> None:
    assert ENDPOINT.answer(Request(path=path, query={"t": CLICK})).response.status == 302
    other = TrackingEndpoint(TOKENS, parameter="token")
    assert other.answer(Request(path=path, query={"token": CLICK})).response.status == 302
    assert other.answer(Request(path=path, query={"t": CLICK})).response.status == 404


def test_an_open_by_query_is_told_and_the_path_comes_first() -> None:
    assert ENDPOINT.answer(Request(path="/o", query={"t": OPEN})).events
    assert ENDPOINT.answer(Request(path="/c/made-up", query={"t": CLICK})).response.status == 404


@pytest.mark.parametrize("name", ["", None, b"t"])
def test_what_is_no_parameter_is_refused(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="no parameter of a query"):
        TrackingEndpoint(TOKENS, parameter=name)


# --- Where its clicks may lead


HOSTS = TrackingEndpoint(TOKENS, hosts=["Shop.example", "*.b\u00fccher.example", "[2001:DB8::1]"])


@pytest.mark.parametrize(
    "target",
    [
        "https://shop.example",
        "https://SHOP.EXAMPLE./x",
        "http://shop.example:8080/?a#b",
        "https://user:word@shop.example/",
        "https://a.xn--bcher-kva.example/",
        "https://a.b.B\u00dcCHER.example/",
        "https://[2001:db8::1]/",
    ],
)
def test_a_click_leads_to_the_hosts_that_are_allowed(target: str) -> None:
    response, events = click(target, HOSTS)
    assert (response.status, len(events)) == (302, 1)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "https://www.shop.example/",
        "https://shop.example.evil.example/",
        "https://evil.example/@shop.example/",
        "https://evil.example\\@shop.example/",
        "https://evil.example?@shop.example/",
        "https://evil.example#@shop.example/",
        "https://shop.example@evil.example/",
        "https://shop.example:x@evil.example/",
        "https://xn--bcher-kva.example/",
        "https://evilxn--bcher-kva.example/",
        "https://[2001:db8::2]/",
    ],
)
def test_a_click_leads_to_no_other_host(target: str) -> None:
    page = Response(404, (("content-type", "text/html"),), b"<p>Gone")
    assert click(target, evolve(HOSTS, fallback=page)) == (page, ())


def test_no_host_at_all_may_be_allowed() -> None:
    assert click(endpoint=TrackingEndpoint(TOKENS, hosts=()))[0].status == 404


@pytest.mark.parametrize(
    "host",
    ["", "*", "*.", "https://shop.example", "shop.example/", "shop.example:443", "a b", "a@b", "*.*.example", "[::1",
     "[::1]:80", "shop.example?", None, 7],
)  # fmt: skip
def test_what_is_no_host_is_refused(host: Any) -> None:
    with pytest.raises(ConfigurationError, match="no host: write one such as"):
        TrackingEndpoint(TOKENS, hosts=[host])


def test_one_host_alone_is_refused_as_several() -> None:
    with pytest.raises(ConfigurationError, match=r"write \['shop.example'\]"):
        TrackingEndpoint(TOKENS, hosts="shop.example")


# --- Whom it tells of


def test_whoever_asked_our_proxy_is_told_of() -> None:
    endpoint = TrackingEndpoint(TOKENS, proxies=Proxies(["10.0.0.0/8"]))
    headers = {"x-forwarded-for": "203.0.113.66, 192.0.2.1"}
    [event] = click(endpoint=endpoint, client="10.0.0.1", headers=headers)[1]
    [stranger] = load(endpoint, client="198.51.100.1", headers=headers)[1]
    assert isinstance(event, Clicked)
    assert isinstance(stranger, Opened)
    assert (event.client, stranger.client) == ("192.0.2.1", "198.51.100.1")


def test_a_campaigns_link_names_nobody() -> None:
    claim = Claim(None, url="https://shop.example/7", campaign="news")
    asked: dict[str, Any] = {"client": "192.0.2.1", "headers": {"user-agent": "curl/8.5.0"}}
    [clicked] = ENDPOINT.answer(Request(path=f"/c/{TOKENS.issue(claim)}", **asked)).events
    [opened] = ENDPOINT.answer(Request(path=f"/o/{TOKENS.issue(evolve(claim, url=''), Purpose.OPEN)}", **asked)).events
    for event in (clicked, opened):
        assert isinstance(event, Clicked | Opened)
        assert (event.about.delivery_id, event.about.recipient, event.campaign) == (None, "", "news")
        assert (event.user_agent, event.client, event.evidence) == ("", "", ("curl",))


def test_an_individual_link_may_tell_its_campaign_too() -> None:
    token = TOKENS.issue(Claim(D1, "ada@example.net", "https://shop.example/7", campaign="news"))
    [event] = ENDPOINT.answer(Request(path=f"/c/{token}", client="192.0.2.1")).events
    assert isinstance(event, Clicked)
    assert (event.campaign, event.about.delivery_id, event.client) == ("news", "d1", "192.0.2.1")


PRIVATE = Privacy(address=Keep.TRUNCATED, agent=Keep.HASHED, key=KEY)


def test_what_is_not_to_be_kept_is_judged_first() -> None:
    tables = Tables(agents=(Agent(evidence="x", part="192", machine=True, source="s", as_of="2026-11"),))
    endpoint = TrackingEndpoint(TOKENS, privacy=PRIVATE, judge=Judge(tables=tables))
    [event] = click(endpoint=endpoint, client="192.0.2.77", headers={"user-agent": "agent 192"})[1]
    assert isinstance(event, Clicked)
    assert (event.machine, event.evidence, event.client) == (True, ("x",), "192.0.2.0/24")
    assert event.user_agent.startswith("hashed:")
    [event] = load(endpoint, client="192.0.2.77", headers={"user-agent": "agent 192"})[1]
    assert isinstance(event, Opened)
    assert (event.prefetched, event.client) == (True, "192.0.2.0/24")


def test_what_was_dropped_cannot_be_found_by_trying() -> None:
    endpoint = TrackingEndpoint(TOKENS, privacy=Privacy(address=Keep.DROPPED, agent=Keep.DROPPED))
    asked: list[dict[str, Any]] = [
        {"client": f"192.0.2.{n}", "headers": {"user-agent": f"a{n}"}, "received_at": NOW} for n in (1, 2)
    ]
    one, other = (click("https://shop.example/7", endpoint, **each)[1] for each in asked)
    assert one == other


def test_no_secret_of_an_endpoint_is_printed() -> None:
    assert "another key" not in repr(TrackingEndpoint(TOKENS, privacy=PRIVATE))
    assert "vault" not in repr(ENDPOINT)


def test_tokens_are_what_makes_and_reads_them() -> None:
    with pytest.raises(ConfigurationError):
        TrackingEndpoint(b"key of 32 bytes, from your vault")  # type: ignore[arg-type]  # as an untyped caller would


# --- The honeypot


@pytest.mark.parametrize("url", ["https://shop.example/", ""])
def test_whoever_follows_the_hidden_link_is_a_machine(url: str) -> None:
    token = TOKENS.issue(Claim(D1, "ada@example.net", url, HONEYPOT))
    answer = ENDPOINT.answer(Request(path=f"/c/{token}", headers={"user-agent": "Mozilla/5.0 (X11) Firefox/140.0"}))
    assert answer.response.status == (302 if url else 200)
    [event] = answer.events
    assert isinstance(event, Clicked)
    assert (event.machine, event.evidence, event.link) == (True, (HONEYPOT,), HONEYPOT)


def test_the_hidden_link_is_no_dead_one_whatever_the_page_for_those() -> None:
    token = TOKENS.issue(Claim(D1, "ada@example.net", link=HONEYPOT))
    endpoint = TrackingEndpoint(TOKENS, fallback=Response(410, (), b"gone"), hosts=["shop.example"])
    response = endpoint.answer(Request(path=f"/c/{token}")).response
    assert (response.status, dict(response.headers)["cache-control"]) == (200, "no-store")


# --- Links that cannot be looked up


class Unreachable:
    """Tokens whose table does not answer."""

    def issue(self, claim: Claim, /, purpose: Purpose = Purpose.CLICK) -> str:
        raise ArchiveError("no answer")

    def issue_all(self, asked: Any, /) -> list[str]:
        raise ArchiveError("no answer")

    def read(self, token: str, /, purpose: Purpose = Purpose.CLICK) -> Claim:
        raise ArchiveError("no answer")


@pytest.mark.parametrize("path", ["/c/abc", "/o/abc"])
def test_a_table_that_does_not_answer_is_no_unknown_link(path: str) -> None:
    with pytest.raises(ArchiveError):
        TrackingEndpoint(Unreachable()).answer(Request(path=path))


# --- Properties


@given(
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=5), st.text(max_size=10), max_size=2),
    st.sampled_from(["GET", "HEAD", "POST"]),
)
def test_nobody_is_led_anywhere_without_a_token_of_ours(path: str, query: dict[str, str], method: str) -> None:
    answer = ENDPOINT.answer(Request(path=path, query=query, method=method))
    assert answer.events == ()
    assert "location" not in dict(answer.response.headers)


@given(st.integers(0, len(CLICK) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_token_with_one_letter_changed_leads_nowhere(at: int, letter: str) -> None:
    altered = CLICK[:at] + letter + CLICK[at + 1 :]
    answer = ENDPOINT.answer(Request(path="/c", query={"t": altered}))
    assert (answer.response.status == 302) is (altered == CLICK)


def test_all_that_is_not_ours_is_answered_alike() -> None:
    wrong = [CLICK[:-1], CLICK.swapcase(), OPEN, "", "x", CLICK + CLICK]
    answers = [ENDPOINT.answer(Request(path=f"/c/{token}")) for token in wrong]
    assert all(one == other for one, other in pairwise(answers))


@pytest.mark.parametrize("part", ["fallback", "proxies", "privacy", "judge"])
def test_a_part_of_another_kind_is_refused_before_anybody_clicks(part: str) -> None:
    wrong: Any = {part: ["10.0.0.0/8"]}
    with pytest.raises(
        ConfigurationError, match=f"^{part} is .*: give it a {part.title().replace('Fallback', 'Response')}"
    ):
        TrackingEndpoint(TOKENS, **wrong)
