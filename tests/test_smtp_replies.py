"""A server's bytes, read as replies."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Reply
from custom_smtp.errors import ConnectError
from custom_smtp.smtp_replies import ReplyReader

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
replies = st.builds(Reply, st.integers(200, 599), st.lists(texts, min_size=1, max_size=4).map("\n".join))


def written(reply: Reply, *, end: str = "\r\n") -> bytes:
    *before, last = reply.text.split("\n")
    return "".join([*(f"{reply.code}-{line}{end}" for line in before), f"{reply.code} {last}{end}"]).encode()


def cut(words: bytes, sizes: Iterable[int]) -> list[bytes]:
    parts = []
    for size in sizes:
        parts.append(words[:size])
        words = words[size:]
    return [*parts, words]


@given(st.lists(replies, max_size=5), st.lists(st.integers(0, 20)), st.sampled_from(["\r\n", "\n"]))
def test_replies_are_read_as_they_were_written_wherever_they_are_cut(
    told: list[Reply], sizes: list[int], end: str
) -> None:
    reader = ReplyReader()
    words = b"".join(written(reply, end=end) for reply in told)
    assert [reply for part in cut(words, sizes) for reply in reader.read(part)] == told
    assert not reader.waiting


@given(st.binary(max_size=200) | st.binary(max_size=20).map(lambda rest: b"250" + rest), st.lists(st.integers(0, 9)))
def test_anything_is_replies_or_none(words: bytes, sizes: list[int]) -> None:
    assert outcome([words + b"\r\n"]) == outcome(cut(words + b"\r\n", sizes))


def outcome(parts: Iterable[bytes]) -> tuple[list[Reply], str]:
    reader, told = ReplyReader(), []
    try:
        for part in parts:
            for reply in reader.read(part):
                told.append(reply)
    except ConnectError as error:
        return told, str(error)
    return told, "waiting" if reader.waiting else ""


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (b"250 ok\r\n", 250, "ok"),
        (b"250\r\n", 250, ""),
        (b"250 \x1b]0;mine\x07\r\n", 250, "\\x1b]0;mine\\x07"),
        ("250-\x9b2J\r\n250 \x7fgrüße\r\n".encode(), 250, "\\x9b2J\n\\x7fgrüße"),
        (b"250 \r\n", 250, ""),
        (b"250-\r\n250 b\r\n", 250, "\nb"),
        (b"250-a\r\n250\r\n", 250, "a\n"),
        (b"550 5.1.1 gr\xfc\xdfe\r\n", 550, "5.1.1 gr\\xfc\\xdfe"),
        ("550 grüße\r\n".encode(), 550, "grüße"),
        (b"250 a\tb\x1b\r\n", 250, "a\tb\\x1b"),
    ],
)
def test_what_servers_say(words: bytes, code: int, text: str) -> None:
    [reply] = ReplyReader().read(words)
    assert (reply.code, reply.text) == (code, text)


@pytest.mark.parametrize(
    "words",
    [
        b"\r\n",
        b"ok\r\n",
        b"25\r\n",
        b"2500 ok\r\n",
        b"250ok\r\n",
        b"250=ok\r\n",
        b" 250 ok\r\n",
        b"150 ok\r\n",
        b"650 ok\r\n",
        b"\xd9\xa2\xd9\xa5\xd9\xa0 ok\r\n",
        b"250 o\x00k\r\n",
        b"250 o\rk\r\n",
        b"250 ok\r\r\n",
        b"250-a\r\n251 b\r\n",
        b"250-a\r\n550 b\r\n",
        b"250-a\r\nb\r\n",
        b"250 " + b"x" * 4093 + b"\r\n",
        b"250-x\r\n" * 200,
        b"x" * 4097,
    ],
)
def test_what_is_no_reply(words: bytes) -> None:
    with pytest.raises(ConnectError):
        list(ReplyReader().read(words))


def test_what_came_before_it_still_counts() -> None:
    told, error = outcome([b"250 a\r\n354 b\r\nnonsense\r\n250 c\r\n"])
    assert [reply.code for reply in told] == [250, 354]
    assert "nonsense" in error


def test_the_longest_that_may_be() -> None:
    longest = b"250-" + b"x" * 4092 + b"\r\n"
    [reply] = ReplyReader().read(longest * 199 + b"250 end\r\n")
    assert reply.text.count("\n") == 199


@pytest.mark.parametrize("words", [b"2", b"250 ok", b"250-a\r\n", b"250-a\r\n25"])
def test_half_a_reply_waits(words: bytes) -> None:
    reader = ReplyReader()
    assert list(reader.read(words)) == []
    assert reader.waiting


@pytest.mark.parametrize(
    "words", [b"535 %b is wrong\r\n", b"535-no\r\n535 %b\r\n", b"what is %b?\r\n", b"535 %b%b\r\n"]
)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_secret_is_not_repeated(words: bytes, size: int) -> None:
    secret = b"s3cret-word"
    reader = ReplyReader(secrets=(secret,))
    said = words.replace(b"%b", secret)
    told = []
    try:
        for place in range(0, len(said), size):
            told += [str(reply) for reply in reader.read(said[place : place + size])]
    except ConnectError as error:
        told.append(str(error))
    assert "s3cret" not in "".join(told)
    assert "***" in "".join(told)


def test_a_challenge_is_read_as_it_is() -> None:
    [reply] = ReplyReader(secrets=(b"VXNl",)).read(b"334 VXNlcg==\r\n")
    assert reply.text == "VXNlcg=="


def test_its_secrets_do_not_print() -> None:
    assert "s3cret" not in repr(ReplyReader(secrets=(b"s3cret",)))


def test_a_secret_of_three_digits_hides_no_code() -> None:
    [reply] = ReplyReader(secrets=(b"235",)).read(b"235 2.7.0 235 it is\r\n")
    assert (reply.code, reply.text) == (235, "2.7.0 *** it is")
