"""Where parts begin and end: nested, broken, without an end, and many of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.mime_parts import tree

OUTER = b"Content-Type: multipart/mixed; boundary=b\n\n"


def bodies(content: bytes) -> list[bytes]:
    return [content[leaf.head.body : leaf.end] for leaf in tree(content).leaves]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"X: 1\n\nbody\n", [b"body\n"]),
        (b"", [b""]),
        (OUTER + b"pre\n--b\n\none\n--b\n\ntwo\n\n--b--\nepi\n--b\n\nno part\n", [b"one", b"two\n"]),
        (OUTER.replace(b"\n", b"\r\n") + b"--b  \r\n\r\none\r\n--b--\t\r\n", [b"one"]),
        (OUTER + b"--b\n\nno end", [b"no end"]),
        (OUTER + b"--b\n\n--b\n\n\n--b--", [b"", b""]),
        (OUTER + b"--bb\n\nno part\n--b\n\n--bb\nx --b\n -- b\n--b--\n", [b"--bb\nx --b\n -- b"]),
        (OUTER + b"nothing at all\n", []),
        (OUTER + b"--b\nX: header alone\n--b--\n", [b""]),
        (b"Content-Type: multipart/mixed; boundary=b--\n\n--b--\n\none\n--b----\n", [b"one"]),
        (b"--b\n" + OUTER, [b"--b\n" + OUTER]),
        (b"--b", [b"--b"]),
    ],
)
def test_parts_are_found_as_they_are_bounded(content: bytes, expected: list[bytes]) -> None:
    assert bodies(content) == expected


def test_an_outer_boundary_ends_inner_parts_that_were_not_ended() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=i\n\n--i\n\nin\n"
    assert bodies(OUTER + b"--b\n" + inner + b"--b\n\nout\n--i\n\nnot in\n--b--\n") == [b"in", b"out\n--i\n\nnot in"]


def test_an_inner_part_with_the_boundary_of_an_outer_one_has_none_of_its_own() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=b\n\nopaque\n"
    assert bodies(OUTER + b"--b\n" + inner + b"--b\n\nout\n--b--\n") == [b"opaque", b"out"]


def test_a_mail_inside_is_one_part_and_in_a_digest_every_part_is_one() -> None:
    inside = b"--b\nContent-Type: message/rfc822\n\n" + OUTER.replace(b"=b", b"=i") + b"--i\n\nx\n--i--\n"
    assert len(tree(OUTER + inside + b"--b--\n").leaves) == 1
    digest = OUTER.replace(b"mixed", b"digest") + b"--b\n\nSubject: x\n\ny\n--b\nContent-Type: text/plain\n\nz\n--b--\n"
    assert [leaf.media.type for leaf in tree(digest).leaves] == ["message/rfc822", "text/plain"]


@pytest.mark.parametrize("depth", [100, 5_000])
def test_nesting_of_any_depth_is_followed(depth: int) -> None:
    begin = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (each, each) for each in range(depth))
    found = tree(begin + b"\ninmost\n")
    assert len(found.leaves) == 1
    assert len(found.boundaries) == depth
    assert (begin + b"\ninmost\n")[found.leaves[0].head.body :] == b"inmost\n"


@given(
    st.lists(
        st.sampled_from([OUTER, OUTER.replace(b"=b", b"=i"), b"--b\n", b"--i\n", b"--b--\n", b"\n", b"x\n", b"\r"])
    )
)
def test_parts_never_overlap_and_stand_in_order(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    found = tree(content)
    at = found.head.body if not found.leaves or not found.leaves[0].root else 0
    for leaf in found.leaves:
        assert at <= leaf.start <= leaf.head.body <= leaf.end <= len(content)
        at = leaf.end
