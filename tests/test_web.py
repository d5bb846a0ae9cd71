"""HTTP as values."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import ConfigurationError
from custom_smtp.web import Answer, Request, Response


def test_a_request_has_a_method_in_capitals_and_headers_in_lower_case() -> None:
    request = Request(method="post", headers={"X-Proof": "Yes"})
    assert request.method == "POST"
    assert request.headers == {"x-proof": "Yes"}


def test_a_request_without_anything_asks_for_the_root() -> None:
    assert (Request().method, Request().path, Request().body) == ("GET", "/", b"")


def test_a_request_of_an_unknown_hour_is_refused() -> None:
    assert Request(received_at=datetime(2026, 1, 1, tzinfo=UTC)).received_at
    with pytest.raises(ConfigurationError, match="no time zone"):
        Request(received_at=datetime(2026, 1, 1))  # noqa: DTZ001  # the slip under test


HEARD: dict[str, Any] = {
    "method": "POST",
    "path": "/hooks",
    "query": {"a": "1"},
    "headers": {"x-proof": "Yes"},
    "body": b"told",
    "client": "192.0.2.1",
    "received_at": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=1))])
def test_a_request_that_a_door_heard_is_as_any_other(zone: timezone) -> None:
    heard = HEARD | {"received_at": HEARD["received_at"].astimezone(zone)}
    assert Request.heard(**heard) == Request(**heard)
    assert Request.heard(**heard | {"method": "post"}).method == "POST"


def test_a_door_whose_clock_knows_no_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="received_at is .*, with no time zone"):
        Request.heard(**HEARD | {"received_at": datetime(2026, 1, 1)})  # noqa: DTZ001  # the slip under test


def test_a_response_goes_out_with_its_length_and_no_body_where_http_has_none() -> None:
    page = Response(200, (("content-length", "99"), ("x-a", "b")), b"page")
    assert page.sent_headers == (("x-a", "b"), ("content-length", "4"))
    assert page.sent_headers_in_bytes == ((b"x-a", b"b"), (b"content-length", b"4"))
    assert [page.sent_body(method) for method in ("GET", "HEAD", "head")] == [b"page", b"", b""]
    assert page == Response(200, (("content-length", "99"), ("x-a", "b")), b"page")
    for status in (204, 304):
        nothing = Response(status, (("x-a", "b"),), b"page")
        assert (nothing.sent_headers, nothing.sent_body("GET")) == ((("x-a", "b"),), b"")


def test_bodies_do_not_fill_the_log() -> None:
    assert "<7 bytes>" in repr(Request(body=b"private"))
    assert "private" not in repr(Request(body=b"private")) + repr(Answer(Response(200, (), b"private")))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ((99,), "use 200 to 599"),
        (("200",), "use 200 to 599"),
        ((302, (("location", "https://shop.example/\r\nset-cookie: a=b"),)), "percent-encode"),
        ((302, (("location", "https://shop.example/\nx"),)), "percent-encode"),
        ((302, (("location", "https://shop.example/ü"),)), "percent-encode"),
        ((200, (("x\r\ny", "a"),)), "is no header name"),
        ((200, (("Location", "a"),)), "lower-case ASCII"),
        ((200, (("ü", "a"),)), "lower-case ASCII"),
    ],
)
def test_a_response_that_would_be_read_as_another_is_refused(fields: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Response(*fields)


@given(st.text(), st.text())
def test_no_response_has_a_line_that_was_not_meant(name: str, value: str) -> None:
    try:
        [(name, value)] = Response(302, ((name, value),)).headers
    except ConfigurationError:
        return
    assert f"{name}: {value}".isascii()
    assert len(f"{name}: {value}".splitlines()) == 1
