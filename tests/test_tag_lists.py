"""Lists of tags, as DKIM and DMARC write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.tag_lists import covered_names, listed, read_key, read_tags, solid


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("v=DKIM1", {"v": "DKIM1"}),
        ("v=DKIM1; p=;", {"v": "DKIM1", "p": ""}),
        (" v = DKIM1 ;\r\n\tp = a b=\r\n ", {"v": "DKIM1", "p": "a b="}),
        ("n=what=ever", {"n": "what=ever"}),
        ("p=1;P=2", {"p": "1", "P": "2"}),
    ],
)
def test_tags_are_read_without_what_stands_around_them(text: str, tags: dict[str, str]) -> None:
    assert read_tags(text) == tags
    assert list(read_tags(text) or ()) == list(tags)


@pytest.mark.parametrize(
    "text", ["", ";", "v", "v=1;;p=2", "v=1; v=2", "=1", "1v=1", "v-w=1", "é=1", "v=1; ;", "v spf1 -all"]
)
def test_what_is_no_such_list_is_told(text: str) -> None:
    assert read_tags(text) is None


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True),
        st.from_regex(r"[!-:<-~]{0,9}", fullmatch=True),
        min_size=1,
    )
)
def test_a_list_is_read_as_it_was_written(tags: dict[str, str]) -> None:
    assert read_tags("; ".join(f"{name}={value}" for name, value in tags.items())) == tags


@given(st.text("abv=; \r\n\t_1", max_size=40))
def test_any_text_is_a_list_or_none(text: str) -> None:
    tags = read_tags(text)
    assert tags is None or all(name and name == name.strip() for name in tags)


def test_white_space_within_a_value_can_be_taken_out() -> None:
    assert solid(" MI GfMA\r\n\t0G ") == "MIGfMA0G"
    assert listed("sha1 : sha256:") == {"sha1", "sha256", ""}


@pytest.mark.parametrize("text", ["p=a", "v=DKIM1; p=a", "p=", "k=rsa; p=a; v2=x"])
def test_a_key_has_a_p(text: str) -> None:
    assert read_key(text) == read_tags(text)


@pytest.mark.parametrize("text", ["", "v=DKIM1", "p=a; v=DKIM1", "v=DKIM2; p=a", "v=dkim1; p=a", "v=DKIM1; p=a; p=b"])
def test_what_is_no_key_is_told(text: str) -> None:
    assert read_key(text) is None


@pytest.mark.parametrize(
    ("signature", "names"),
    [
        ("v=1; h=From : To:\r\n Subject; b=x", {"from", "to", "subject"}),
        ("v=1; h=from; h=to; b=x", {"from", "to"}),
        ("not a list; h=from", {"from"}),
        ("v=1; bh=from", set()),
        ("", set()),
    ],
)
def test_what_a_signature_covers_is_read_from_any_list(signature: str, names: set[str]) -> None:
    assert covered_names(signature) == names
