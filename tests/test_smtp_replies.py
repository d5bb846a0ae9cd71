"""Bytes read as replies, however they come, and never without bounds."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Reply
from custom_smtp.errors import ConnectError
from custom_smtp.smtp_replies import ReplyReader

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60)
REPLY = st.builds(
    lambda code, lines: Reply(code, "\n".join(lines)), st.integers(200, 599), st.lists(TEXT, min_size=1, max_size=5)
)


def said(reply: Reply) -> bytes:
    *lines, last = reply.text.split("\n")
    return "".join([*(f"{reply.code}-{line}\r\n" for line in lines), f"{reply.code} {last}\r\n"]).encode()


@given(replies=st.lists(REPLY, max_size=6), cuts=st.lists(st.integers(0, 2000), max_size=10))
def test_replies_come_out_whole_wherever_their_bytes_are_cut(replies: list[Reply], cuts: list[int]) -> None:
    words = b"".join(map(said, replies))
    places = sorted({0, len(words), *(cut for cut in cuts if cut < len(words))})
    reader = ReplyReader()
    pieces = [words[start:end] for start, end in itertools.pairwise(places)]
    assert [reply for piece in pieces for reply in reader.read(piece)] == replies
    assert not reader.waiting


@given(words=st.binary(max_size=300))
def test_any_bytes_are_replies_or_our_error(words: bytes) -> None:
    reader = ReplyReader()
    try:
        replies = list(reader.read(words))
    except ConnectError:
        return
    assert all(200 <= reply.code <= 599 for reply in replies)


@pytest.mark.parametrize(
    ("words", "reply"),
    [(b"250\r\n", Reply(250)), (b"250 ok\n", Reply(250, "ok")), (b"250-a\r\n250 b\r\n", Reply(250, "a\nb"))],
)
def test_what_servers_write(words: bytes, reply: Reply) -> None:
    assert list(ReplyReader().read(words)) == [reply]


@pytest.mark.parametrize(
    "words",
    [
        b"ok\r\n",
        b"2500 ok\r\n",
        b"150 ok\r\n",
        b"650 ok\r\n",
        b"250 o\x00k\r\n",
        b"250 o\rk\r\n",
        b"\r\n",
        b"250-yes\r\n550 no\r\n",
        b"250 " + b"x" * 5000,
        b"250 " + b"x" * 5000 + b"\r\n",
        b"250-x\r\n" * 201,
    ],
)
def test_what_is_no_reply_or_has_no_end(words: bytes) -> None:
    with pytest.raises(ConnectError):
        list(ReplyReader().read(words))


def test_half_a_reply_is_waited_for() -> None:
    reader = ReplyReader()
    assert list(reader.read(b"250-one\r\n25")) == []
    assert reader.waiting
    assert list(reader.read(b"0 two\r\n")) == [Reply(250, "one\ntwo")]


@pytest.mark.parametrize("form", [b"535 no: %b\r\n", b"535-no\r\n535 %b!\r\n", b"no reply at all %b\r\n"])
@pytest.mark.parametrize("secret", ["pass wörd€".encode(), b"cGFzcyB3w7ZyZOKCrA"])
def test_a_secret_is_taken_out_before_anything_is_shown(form: bytes, secret: bytes) -> None:
    reader = ReplyReader(secrets=(secret,))
    try:
        shown = str(list(reader.read(form % secret)))
    except ConnectError as error:
        shown = str(error)
    assert "***" in shown
    assert secret not in shown.encode()
    assert "\\xc3" not in shown


def test_a_challenge_is_not_altered() -> None:
    assert list(ReplyReader(secrets=(b"ab",)).read(b"334 YWJj ab\r\n")) == [Reply(334, "YWJj ab")]
