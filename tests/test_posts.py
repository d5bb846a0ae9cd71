"""What is posted is right once it exists."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_smtp.errors import ConfigurationError
from custom_smtp.posts import Health, OwedPost, Post, Posted, split_url


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example",
        "https://crm.example/",
        "https://crm.example:8443/hooks/mail?token=a/b&x=%20",
        "https://[2001:db8::1]:443/x",
        "http://127.0.0.1:8000/x",
    ],
)
def test_a_url_that_can_be_posted_to(url: str) -> None:
    assert Post(url=url).url == url
    assert split_url(url).hostname


@pytest.mark.parametrize(
    "url",
    [
        "", "crm.example", "ftp://crm.example/", "https://", "https:///x", "https://user:word@crm.example/",
        "https://a b/", "https://crm.example/#x", "https://crm.example/\r\nx: y", "https://crm.example/ü", "https://bücher.example/",
        "https://crm.example:0/", "https://crm.example:99999/", "https://crm.example:x/", "https://[::1/",
        "https://:443/",
        "https://crm.example/a b", "https://crm.example/<x>", "//crm.example/", None, 5, b"https://crm.example/",
        "https://crm.example\n",
    ],
)  # fmt: skip
def test_a_url_that_cannot(url: str) -> None:
    with pytest.raises(ConfigurationError, match="https://host/path|names no host or port"):
        Post(url=url)


@pytest.mark.parametrize(
    "header", [("X-Up", "a"), ("x:y", "a"), ("", "a"), ("x", "a\r\nb: c"), ("x", "ü"), ("x", "\0")]
)
def test_a_header_that_would_be_read_as_something_else_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="no header"):
        Post(url="https://crm.example/", headers=(header,))


def test_neither_signatures_nor_what_is_told_are_printed() -> None:
    shown = repr(Post(url="https://crm.example/", headers=(("x-signature", "s3cret"),), body=b"ada@example.net"))
    assert "s3cret" not in shown
    assert "ada@" not in shown
    assert "<15 bytes>" in shown


@pytest.mark.parametrize(("status", "taken", "unwanted"), [
    (200, True, False), (204, True, False), (299, True, False), (301, False, False), (410, False, True),
    (500, False, False), (None, False, False),
])  # fmt: skip
def test_two_hundreds_are_taken(status: int | None, taken: bool, unwanted: bool) -> None:
    posted = Posted(status=status)
    assert (posted.taken, posted.unwanted) == (taken, unwanted)


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 1, 2)  # noqa: DTZ001  # that is what is refused
    with pytest.raises(ConfigurationError, match="no time zone"):
        OwedPost(1, 0, naive)
    with pytest.raises(ConfigurationError, match="no time zone"):
        Health(rests_until=naive)


def test_a_destination_is_well_unless_it_rests_or_wants_nothing_any_more() -> None:
    noon, later = datetime(2026, 1, 2, 12, tzinfo=UTC), timedelta(seconds=1)
    resting = Health(failures=3, rests_until=noon)
    assert [resting.well_at(noon - later), resting.well_at(noon), Health().well_at(noon)] == [False, True, True]
    assert not Health(stopped=True).well_at(noon)
