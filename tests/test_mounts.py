"""Several endpoints behind one door."""

from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import ConfigurationError
from custom_smtp.mounts import Mounts
from custom_smtp.ports import Endpoint
from custom_smtp.web import Answer, Request, Response


@frozen
class Says:
    """Answers with its name and the path that it was asked for."""

    name: str

    def answer(self, request: Request, /) -> Answer:
        return Answer(Response(200, (), f"{self.name} {request.method} {request.path}".encode()))


MOUNTS = Mounts({"/t": Says("tracking"), "/hooks": Says("hooks"), "/hooks/postmark": Says("postmark")})


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/t/c/abc", b"tracking POST /c/abc"),
        ("/t", b"tracking POST /"),
        ("/t/", b"tracking POST /"),
        ("/t//c", b"tracking POST //c"),
        ("/hooks/postmark", b"postmark POST /"),
        ("/hooks/postmark/x", b"postmark POST /x"),
        ("/hooks/postmarks", b"hooks POST /postmarks"),
        ("/hooks/", b"hooks POST /"),
    ],
)
def test_the_longest_prefix_answers_and_is_taken_off(path: str, says: bytes) -> None:
    assert MOUNTS.answer(Request(method="POST", path=path)).response.body == says


@pytest.mark.parametrize("path", ["/", "", "/tt", "/T/c", "t/c", "/x/t/c", "//t"])
def test_nothing_answers_elsewhere(path: str) -> None:
    answer = MOUNTS.answer(Request(path=path))
    assert (answer.response.status, answer.events) == (404, ())


def test_everything_but_the_path_is_handed_on_as_it_came() -> None:
    seen: list[Request] = []

    class Keeps:
        def answer(self, request: Request, /) -> Answer:
            seen.append(request)
            return Answer(Response(200))

    request = Request(method="POST", path="/x/y", query={"a": "b"}, headers={"C": "d"}, body=b"e", client="192.0.2.1")
    Mounts({"/x": Keeps()}).answer(request)
    [below] = seen
    assert (below.path, below.query, below.headers, below.body, below.client) == (
        "/y",
        {"a": "b"},
        {"c": "d"},
        b"e",
        "192.0.2.1",
    )


def test_mounts_can_be_mounted() -> None:
    endpoint: Endpoint = Mounts({"/mail": MOUNTS})
    assert endpoint.answer(Request(path="/mail/t/c/abc")).response.body == b"tracking GET /c/abc"


@pytest.mark.parametrize("prefix", ["", "/", "t", "/t/", "//t", "/t//c", "/t?x", "/t#x", "/ t", "/t\n", 7, None])
def test_a_wrong_prefix_is_refused(prefix: Any) -> None:
    with pytest.raises(ConfigurationError, match="no place to mount at"):
        Mounts({prefix: Says("x")})


@pytest.mark.parametrize("endpoints", [{}, (), None])
def test_nothing_mounted_is_refused(endpoints: Any) -> None:
    with pytest.raises(ConfigurationError, match="write Mounts"):
        Mounts(endpoints)


parts = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4).map(lambda names: "/" + "/".join(names))


@given(st.sets(parts, min_size=1, max_size=6), parts)
def test_the_answer_is_that_of_the_longest_prefix(prefixes: set[str], path: str) -> None:
    fitting = [prefix for prefix in prefixes if f"{path}/".startswith(f"{prefix}/")]
    answer = Mounts({prefix: Says(prefix) for prefix in prefixes}).answer(Request(path=path))
    if fitting:
        longest = max(fitting, key=len)
        assert answer.response.body.decode() == f"{longest} GET {path.removeprefix(longest) or '/'}"
    else:
        assert answer.response.status == 404
