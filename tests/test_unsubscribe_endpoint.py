"""The endpoint of unsubscribe links: who may unsubscribe whom, and how little it takes to be refused."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, DeliveryId, Mail, MemoryJournal, Tokens, TrackingEndpoint
from custom_smtp.claims import Claim, Purpose
from custom_smtp.errors import ConfigurationError
from custom_smtp.events import Accepted, Resubscribed, Unsubscribed
from custom_smtp.mounts import Mounts
from custom_smtp.state import why_not_to_write
from custom_smtp.testing import FrozenClock
from custom_smtp.unsubscribe import ONE_CLICK, Unsubscribe
from custom_smtp.unsubscribe_endpoint import LONGEST_FORM, UnsubscribeEndpoint
from custom_smtp.unsubscribe_page import Page, Turn
from custom_smtp.web import Answer, Request

D1 = DeliveryId("d1")
ADA = "ada@example.net"
KEY, OTHER_KEY = b"key of 32 bytes, from your vault", b"another key, as long as the first"
TOKENS = Tokens((KEY,))
CLAIM = Claim(D1, ADA, link="news")
TOKEN = TOKENS.issue(CLAIM, Purpose.UNSUBSCRIBE)
FORM = {"content-type": "application/x-www-form-urlencoded"}
BOUNDARY = "----b0undary"
MULTIPART = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def endpoint(**parts: Any) -> UnsubscribeEndpoint:
    return UnsubscribeEndpoint(TOKENS, **{"clock": FrozenClock()} | parts)


def ask(
    method: str = "GET", path: str = f"/{TOKEN}", headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Answer:
    return endpoint().answer(Request(method=method, path=path, headers=headers or {}, body=body))


def post(body: bytes | str, headers: Mapping[str, str] = FORM, token: str = TOKEN) -> Answer:
    return ask("POST", f"/{token}", headers, body.encode() if isinstance(body, str) else body)


def multipart(*fields: tuple[str, str], boundary: str = BOUNDARY) -> str:
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields]
    return "".join(parts) + f"--{boundary}--\r\n"


BARE = (
    f"--{BOUNDARY}\r\ncontent-type: text/plain\r\ncontent-disposition:form-data;name=List-Unsubscribe\r\n\r\n"
    f"One-Click\r\n--{BOUNDARY}--"
)


# --- One click --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (FORM, ONE_CLICK),
        (FORM, f"{ONE_CLICK}\r\n"),
        (FORM, "List-Unsubscribe=One%2DClick"),
        (FORM, f"{ONE_CLICK}&more=1"),
        ({"Content-Type": "APPLICATION/X-WWW-FORM-URLENCODED; charset=utf-8"}, ONE_CLICK),
        (MULTIPART, multipart(("List-Unsubscribe", "One-Click"))),
        (MULTIPART, "preamble\r\n" + multipart(("a", "b"), ("List-Unsubscribe", "One-Click")) + "epilogue"),
        ({"content-type": 'Multipart/Form-Data; charset=utf-8; Boundary="b: 1"'},
         multipart(("List-Unsubscribe", "One-Click"), boundary="b: 1")),
        (MULTIPART, BARE),
    ],
)  # fmt: skip
def test_one_click_unsubscribes(headers: dict[str, str], body: str) -> None:
    answer = post(body, headers)
    [event] = answer.events
    assert isinstance(event, Unsubscribed)
    assert (event.about.delivery_id, event.about.recipient, event.scope) == (D1, ADA, "news")
    assert (event.about.source, event.about.at, event.reason) == ("unsubscribe", FrozenClock()(), "one-click")
    assert answer.response.status == 200
    assert not {"location", "set-cookie", "www-authenticate"} & dict(answer.response.headers).keys()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (FORM, ""),
        (FORM, "List-Unsubscribe"),
        (FORM, "List-Unsubscribe="),
        (FORM, "List-Unsubscribe=one-click"),
        (FORM, "list-unsubscribe=One-Click"),
        (FORM, f"{ONE_CLICK}&{ONE_CLICK}"),
        (FORM, f"{ONE_CLICK}&List-Unsubscribe=No"),
        (FORM, "x" + ONE_CLICK),
        (FORM, f"a={ONE_CLICK}"),
        (FORM, "List-Unsubscribe: One-Click"),
        (FORM, multipart(("List-Unsubscribe", "One-Click"))),
        (FORM, ONE_CLICK + "&" + "x" * LONGEST_FORM),
        (FORM, b"\xff\xfe\x00"),
        ({}, ONE_CLICK),
        ({"content-type": "text/plain"}, ONE_CLICK),
        ({"content-type": "application/json"}, '{"List-Unsubscribe": "One-Click"}'),
        (MULTIPART, ONE_CLICK),
        (MULTIPART, ""),
        (MULTIPART, multipart(("List-Unsubscribe", "One-Click"), boundary="other")),
        (MULTIPART, multipart(("List-Unsubscribe", "One-Click\r\n"))),
        (MULTIPART, multipart(("List-Unsubscribe", "One-Click"))[:-4]),  # cut off
        (MULTIPART, multipart(("List-Unsubscribe", "One-Click"), ("List-Unsubscribe", "One-Click"))),
        (MULTIPART, multipart(("a", "--x\r\n\r\nList-Unsubscribe=One-Click"))),
        (MULTIPART, multipart(('x"; filename="List-Unsubscribe', "One-Click"))),
        (MULTIPART, f"--{BOUNDARY}\r\nList-Unsubscribe: One-Click\r\n--{BOUNDARY}--\r\n"),
        ({"content-type": "multipart/form-data"}, multipart(("List-Unsubscribe", "One-Click"))),
        ({"content-type": "multipart/form-data; boundary="}, multipart(("List-Unsubscribe", "One-Click"))),
        ({"content-type": "multipart/form-data; boundary=é"}, multipart(("List-Unsubscribe", "One-Click"))),
    ],
)
def test_nothing_else_counts(headers: dict[str, str], body: str | bytes) -> None:
    answer = post(body, headers)
    assert answer.events == ()
    assert answer.response.status == 400


@given(st.binary(max_size=300), st.sampled_from([FORM, MULTIPART]))
def test_no_body_breaks_it(body: bytes, headers: dict[str, str]) -> None:
    assert post(body, headers).response.status in (200, 400)


@given(st.text(max_size=60))
def test_no_content_type_breaks_it(kind: str) -> None:
    assert post(ONE_CLICK, {"content-type": f"multipart/form-data;{kind}"}).events == ()


# --- Looking changes nothing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("body", [b"", ONE_CLICK.encode()])
def test_a_scanner_that_follows_the_link_unsubscribes_nobody(method: str, body: bytes) -> None:
    answer = ask(method, headers=FORM, body=body)
    assert answer.events == ()
    assert answer.response.status == 200
    assert b"<form" in answer.response.body


def test_head_is_answered_as_get() -> None:
    assert ask("HEAD") == ask("GET")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", ""])
def test_no_other_method_does_anything(method: str) -> None:
    answer = ask(method, headers=FORM, body=ONE_CLICK.encode())
    assert answer.events == ()
    assert answer.response.status == 405
    assert ("allow", "GET, HEAD, POST") in answer.response.headers


def test_the_pages_are_kept_nowhere_and_load_nothing() -> None:
    for answer in (ask(), post(ONE_CLICK), post(""), ask(path="/x")):
        headers = dict(answer.response.headers)
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "noindex" in headers["x-robots-tag"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "etag" not in headers


# --- Tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_unknown_tokens_are_all_alike(method: str) -> None:
    strange = [
        "",
        "x",
        TOKEN[:-1],
        TOKEN + "A",
        TOKEN.swapcase(),
        f"{TOKEN}/",
        f"u/{TOKEN}",
        "é\ud800",
        "A" * 100_000,
        TOKENS.issue(Claim(D1, ADA, "https://shop.example"), Purpose.CLICK),
        TOKENS.issue(Claim(D1, ADA), Purpose.OPEN),
        Tokens((OTHER_KEY,)).issue(CLAIM, Purpose.UNSUBSCRIBE),
    ]
    answers = {ask(method, f"/{token}", FORM, ONE_CLICK.encode()) for token in strange}
    [answer] = answers
    assert answer.response.status == 404
    assert answer.events == ()


def test_an_old_key_still_unsubscribes() -> None:
    rotated = UnsubscribeEndpoint(Tokens((OTHER_KEY, KEY)))
    [event] = rotated.answer(Request(method="POST", path=f"/{TOKEN}", headers=FORM, body=ONE_CLICK.encode())).events
    assert isinstance(event, Unsubscribed)


def test_a_link_never_grows_too_old() -> None:
    clock = FrozenClock()
    aging = Tokens((KEY,), age_limit=timedelta(days=30), clock=clock)
    token = aging.issue(CLAIM, Purpose.UNSUBSCRIBE)
    clock.advance(timedelta(days=1000))
    request = Request(method="POST", path=f"/{token}", headers=FORM, body=ONE_CLICK.encode())
    assert UnsubscribeEndpoint(aging, clock=clock).answer(request).events


# --- The page's own buttons -------------------------------------------------------------------------------------------


def test_the_button_of_the_page_unsubscribes_and_is_told_from_a_mail_program() -> None:
    [event] = post("List-Unsubscribe=One-Click&by=page").events
    assert isinstance(event, Unsubscribed)
    assert event.reason == "page"


def test_the_way_back_is_a_post_of_its_own() -> None:
    assert b'value="Yes"' in post(ONE_CLICK).response.body
    answer = post("Resubscribe=Yes")
    [event] = answer.events
    assert isinstance(event, Resubscribed)
    assert (event.about.recipient, event.scope, answer.response.status) == (ADA, "news", 200)


def test_who_asks_for_both_is_unsubscribed() -> None:
    [event] = post(f"Resubscribe=Yes&{ONE_CLICK}").events
    assert isinstance(event, Unsubscribed)


def test_the_page_may_be_written_by_somebody_else() -> None:
    seen: list[Page] = []

    def mine(page: Page) -> str:
        seen.append(page)
        return f"<h1>{page.turn.value} é \ud800</h1>"

    own = endpoint(pages=mine)
    headers = FORM | {"accept-language": "fr;q=0.5, de"}
    bodies = [
        own.answer(Request(method=method, path=path, headers=headers, body=body)).response.body
        for method, path, body in [
            ("GET", f"/{TOKEN}", b""),
            ("POST", f"/{TOKEN}", ONE_CLICK.encode()),
            ("POST", f"/{TOKEN}", b"Resubscribe=Yes"),
            ("GET", "/x", b""),
        ]
    ]
    assert bodies[0] == "<h1>ask é ?</h1>".encode()
    assert [page.turn for page in seen] == [Turn.ASK, Turn.DONE, Turn.BACK, Turn.UNKNOWN]
    assert {page.accepts for page in seen} == {("de", "fr")}
    assert [(page.recipient, page.stream) for page in seen] == [(ADA, "news")] * 3 + [("", "")]


# --- What becomes of it -----------------------------------------------------------------------------------------------


class Reader:
    """Somebody with a link, a clock and a journal."""

    def __init__(self, stream: str = "news") -> None:
        self.clock = FrozenClock()
        self.journal = MemoryJournal()
        self.path = "/" + TOKENS.issue(Claim(D1, ADA, link=stream), Purpose.UNSUBSCRIBE)

    def posts(self, body: str) -> None:
        request = Request(method="POST", path=self.path, headers=FORM, body=body.encode())
        for event in endpoint(clock=self.clock).answer(request).events:
            self.journal.record(event)
        self.clock.advance(timedelta(seconds=1))

    def refuses(self, *streams: str) -> bool:
        why = why_not_to_write(self.journal.of_recipient(ADA), streams=streams or None)
        assert why is None or isinstance(why, Unsubscribed)
        return why is not None


def test_whoever_unsubscribed_is_not_written_to() -> None:
    ada = Reader()
    assert not ada.refuses()
    ada.posts(ONE_CLICK)
    assert ada.refuses()
    ada.posts(ONE_CLICK)
    assert ada.refuses()


def test_it_holds_for_that_stream_alone() -> None:
    ada = Reader("news")
    ada.posts(ONE_CLICK)
    assert ada.refuses("news")
    assert ada.refuses("receipts", "news")
    assert not ada.refuses("receipts")


def test_without_a_stream_it_holds_for_all_mail() -> None:
    ada = Reader("")
    ada.posts(ONE_CLICK)
    assert ada.refuses("news")
    assert ada.refuses("receipts")


def test_the_way_back_is_open_both_ways_and_more_than_once() -> None:
    ada = Reader()
    for _ in range(2):
        ada.posts(ONE_CLICK)
        assert ada.refuses("news")
        ada.posts("Resubscribe=Yes")
        assert not ada.refuses("news")
    ada.posts(ONE_CLICK)
    assert ada.refuses("news")


def test_a_request_told_twice_is_one_event() -> None:
    first, second = post(ONE_CLICK).events, post(multipart(("List-Unsubscribe", "One-Click")), MULTIPART).events
    assert [event.about.key for event in first] == [event.about.key for event in second]
    at = FrozenClock()() + timedelta(hours=1)
    request = Request(method="POST", path=f"/{TOKEN}", headers=FORM, body=ONE_CLICK.encode(), received_at=at)
    [later] = endpoint().answer(request).events
    assert later.about.at == at
    assert later.about.key != first[0].about.key


# --- The whole way, and after a rename --------------------------------------------------------------------------------


def test_what_the_mail_names_is_what_the_endpoint_answers() -> None:
    mail = Mail(sender=Address("hello@shop.example"), to=Address(ADA), subject="News", text="News.")
    url = Unsubscribe("https://links.shop.example/u", TOKENS, stream="news").url(mail, D1)
    assert url is not None
    door = Mounts({"/u": endpoint(), "/t": TrackingEndpoint(TOKENS)})
    path = url.removeprefix("https://links.shop.example")
    assert door.answer(Request(path=path)).response.status == 200
    [event] = door.answer(Request(method="POST", path=path, headers=FORM, body=ONE_CLICK.encode())).events
    assert isinstance(event, Unsubscribed)


def test_links_already_sent_are_answered_under_every_name() -> None:
    hosts = ["links.shop.example", "links.formerly.example", "track.eu.example", ""]
    answers = {
        endpoint().answer(
            Request(method="POST", path=f"/{TOKEN}", headers=FORM | {"host": host}, body=ONE_CLICK.encode())
        )
        for host in hosts
    }
    assert len(answers) == 1


def test_no_token_is_guessed() -> None:
    for _ in range(1000):
        assert ask(path=f"/{secrets.token_urlsafe(60)}").response.status == 404


def test_what_seals_no_links_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        UnsubscribeEndpoint("key")  # type: ignore[arg-type]  # what is tested


def test_an_accepted_mail_is_no_reason_against_a_stream() -> None:
    about = evolve(post(ONE_CLICK).events[0].about, key="other")
    assert Accepted not in map(type, post(ONE_CLICK).events)
    assert why_not_to_write([Unsubscribed(about, scope="x")], streams=()) is None
