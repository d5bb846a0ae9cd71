"""Sealed tokens: only ours are read, and only as they were issued."""

import string
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Tokens
from custom_smtp.errors import ConfigurationError, MailError, TokenError
from custom_smtp.identifiers import DeliveryId
from custom_smtp.tokens import LONGEST_TOKEN, Claim, Purpose

KEY, OTHER_KEY = b"key of 32 bytes, from your vault", b"another key, as long as the first"
TOKENS = Tokens((KEY,))
CLAIM = Claim(DeliveryId("d1"), "ada@example.net", "https://shop.example/orders/7?a=1&b=ä", "button")
TOKEN = TOKENS.issue(CLAIM)
ALPHABET = string.ascii_letters + string.digits + "-_"

clean = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
claims = st.builds(
    Claim,
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True).map(DeliveryId),
    clean.filter(bool),
    st.just("") | clean.map("https://shop.example/".__add__),
    clean,
)


@given(claims, st.sampled_from(Purpose))
def test_what_is_issued_is_read(claim: Claim, purpose: Purpose) -> None:
    assert TOKENS.read(TOKENS.issue(claim, purpose), purpose) == claim


@given(claims)
def test_a_token_stands_in_a_url_as_it_is(claim: Claim) -> None:
    assert set(TOKENS.issue(claim)) <= set(ALPHABET)


def test_the_same_claim_gives_the_same_token() -> None:
    assert Tokens((KEY,)).issue(CLAIM) == TOKEN


def test_a_token_shows_nothing_of_its_claim() -> None:
    other = TOKENS.issue(evolve(CLAIM, recipient="bob@example.net"))
    assert other[7:28] != TOKEN[7:28]
    assert other[28:] != TOKEN[28:]


def refused(token: str, purpose: Purpose = Purpose.CLICK, tokens: Tokens = TOKENS) -> str:
    with pytest.raises(TokenError) as caught:
        tokens.read(token, purpose)
    return str(caught.value)


def test_every_changed_character_is_refused() -> None:
    for place, right in enumerate(TOKEN):
        for wrong in set(ALPHABET + "+/=. \n%é\x00") - {right}:
            refused(TOKEN[:place] + wrong + TOKEN[place + 1 :])


def test_every_cut_token_is_refused() -> None:
    for length in range(len(TOKEN)):
        refused(TOKEN[:length])
        refused(TOKEN[len(TOKEN) - length :] if length else "")


@pytest.mark.parametrize(
    "added",
    ["=", "==", "A", "AAAA", "\n", " ", "\0", "/", "%3D", "é", "\ud800", TOKEN],
    ids=lambda added: repr(added[:8]),
)
def test_a_longer_token_is_refused(added: str) -> None:
    refused(TOKEN + added)
    refused(added + TOKEN)


def test_standard_base64_is_not_our_base64() -> None:
    token = next(
        token for n in range(99) if "-" in (token := TOKENS.issue(evolve(CLAIM, link=str(n)))) and "_" in token
    )
    TOKENS.read(token)
    refused(token.replace("-", "+"))
    refused(token.replace("_", "/"))


@pytest.mark.parametrize("changed", [TOKEN.swapcase(), TOKEN.upper(), TOKEN[::-1], TOKEN.replace(TOKEN[40], "", 1)])
def test_a_token_written_otherwise_is_refused(changed: str) -> None:
    refused(changed)


def test_a_token_for_one_purpose_is_none_for_another() -> None:
    refused(TOKEN, Purpose.OPEN)
    refused(TOKENS.issue(CLAIM, Purpose.OPEN), Purpose.CLICK)


def test_two_halves_of_two_tokens_are_no_token() -> None:
    other = TOKENS.issue(evolve(CLAIM, recipient="eve@example.net"))
    assert len(other) == len(TOKEN)
    for place in range(8, len(TOKEN)):
        if TOKEN[:place] != other[:place] and TOKEN[place:] != other[place:]:
            refused(TOKEN[:place] + other[place:])


def test_a_later_version_is_refused() -> None:
    version, *rest = urlsafe_b64decode(TOKEN)
    assert version == 1
    refused(urlsafe_b64encode(bytes((2, *rest))).decode())


@pytest.mark.parametrize("huge", ["A" * (LONGEST_TOKEN + 4), "A" * LONGEST_TOKEN, TOKEN * 10_000])
def test_a_huge_token_is_refused(huge: str) -> None:
    refused(huge)


@given(st.text() | st.text(ALPHABET))
def test_no_text_is_a_token(text: str) -> None:
    refused(text)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TokenError):
        TOKENS.read(TOKEN.encode())  # type: ignore[arg-type]  # as a careless caller would


def test_the_reasons_are_not_told_apart() -> None:
    assert refused("") == refused(TOKEN[:-1]) == refused(TOKEN, Purpose.OPEN) == refused("A" * 99_999) == refused("é")


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    rotated = Tokens((OTHER_KEY, KEY))
    assert rotated.read(TOKEN) == CLAIM
    assert rotated.issue(CLAIM) == Tokens((OTHER_KEY,)).issue(CLAIM) != TOKEN


def test_a_retired_key_opens_nothing() -> None:
    refused(TOKEN, tokens=Tokens((OTHER_KEY,)))


def test_a_token_under_another_keys_id_is_refused() -> None:
    refused(Tokens((OTHER_KEY,)).issue(CLAIM)[:7] + TOKEN[7:], tokens=Tokens((KEY, OTHER_KEY)))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ((), "needs a key"),
        ((b"",), "has 0 bytes"),
        ((b"k" * 31,), "has 31 bytes: use at least 32"),
        ((KEY, b"short"), "token key 2 has 5 bytes"),
        (("k" * 32,), "token key 1 is str"),
        (KEY, r"write Tokens\(\(key,\)\)"),
        (bytearray(KEY), r"write Tokens\(\(key,\)\)"),
        ("k" * 32, r"write Tokens\(\(key,\)\)"),
        ((KEY, OTHER_KEY, KEY), "given twice"),
    ],
)
def test_wrong_keys_are_refused(keys: tuple[bytes, ...], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        Tokens(keys)
    assert "vault" not in str(caught.value)


def test_a_key_is_never_printed() -> None:
    for shown in (repr(TOKENS), str(TOKENS), f"{TOKENS!r:.999}"):
        assert "vault" not in shown


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"delivery_id": "d1"}, "no DeliveryId"),
        ({"recipient": ""}, "needs a recipient"),
        ({"recipient": "ada\0@example.net"}, "control character"),
        ({"recipient": "ada\ud800@example.net"}, "surrogate"),
        ({"recipient": None}, "are text"),
        ({"link": "a\nb"}, "control character"),
        ({"link": 7}, "are text"),
        ({"url": b"https://shop.example"}, "are text"),
        ({"url": "https://shop.example/\r\nSet-Cookie: a=b"}, "control character"),
        ({"url": "https://shop.example/\x7f"}, "control character"),
        ({"url": "javascript:alert(1)"}, "no link to follow"),
        ({"url": "ftp://shop.example"}, "no link to follow"),
        ({"url": "//shop.example"}, "no link to follow"),
        ({"url": "https:shop.example"}, "no link to follow"),
        ({"url": "https:///orders"}, "no link to follow"),
        ({"url": " https://shop.example"}, "no link to follow"),
    ],
)
def test_what_cannot_stand_in_a_token_is_no_claim(changed: dict[str, object], says: str) -> None:
    fields: dict[str, object] = {"delivery_id": DeliveryId("d1"), "recipient": "ada@example.net", "url": "", "link": ""}
    with pytest.raises(MailError, match=says):
        Claim(**fields | changed)  # type: ignore[arg-type]  # the wrong types are the point


def test_what_is_beyond_ascii_or_unprintable_and_harmless_is_kept() -> None:
    claim = Claim(DeliveryId("d1"), "ada@example.net", "https://b\u00fccher.example/\u00a0\u200d?q=\U0001f600")
    assert TOKENS.read(TOKENS.issue(claim)) == claim


def test_a_claim_too_long_for_a_url_is_refused() -> None:
    fits = evolve(CLAIM, url="https://shop.example/" + "a" * 12_000)
    assert TOKENS.read(TOKENS.issue(fits)) == fits
    with pytest.raises(TokenError, match="too long"):
        TOKENS.issue(evolve(CLAIM, url="https://shop.example/" + "a" * 13_000))
