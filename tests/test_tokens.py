"""Sealed tokens: only ours are read, and only as they were issued."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest
from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Tokens
from custom_smtp.claims import Claim, Lead, Purpose
from custom_smtp.errors import ConfigurationError, MailError, TokenError
from custom_smtp.identifiers import DeliveryId
from custom_smtp.memory import MemoryLinkTable
from custom_smtp.ports import LinkTokens
from custom_smtp.short_tokens import ShortTokens
from custom_smtp.testing import FrozenClock
from custom_smtp.tokens import LONGEST_TOKEN, are_tokens

from .strategies import claims, leads
from .token_mutations import ALPHABET, MUTATIONS, Mutation

KEY, OTHER_KEY = b"key of 32 bytes, from your vault", b"another key, as long as the first"
TOKENS = Tokens((KEY,))
CLAIM = Claim(DeliveryId("d1"), "ada@example.net", "https://shop.example/orders/7?a=1&b=ä", "button")
TOKEN = TOKENS.issue(CLAIM)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(days=90)


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


@pytest.mark.parametrize("mutation", [*MUTATIONS.values()], ids=[*MUTATIONS])
def test_a_token_that_became_another_text_is_refused(mutation: Mutation) -> None:
    assert mutation(TOKEN) != TOKEN
    refused(mutation(TOKEN))


def test_there_are_many_ways_to_become_another_text() -> None:
    assert len({mutation(TOKEN) for mutation in MUTATIONS.values()}) > 130


@given(st.data())
def test_no_other_piece_can_stand_in_a_token(data: st.DataObject) -> None:
    start, end = sorted((data.draw(st.integers(0, len(TOKEN))), data.draw(st.integers(0, len(TOKEN)))))
    piece = data.draw(st.text(ALPHABET, max_size=8) | st.text(max_size=8))
    if piece != TOKEN[start:end]:
        refused(TOKEN[:start] + piece + TOKEN[end:])


def test_standard_base64_is_not_our_base64() -> None:
    token = next(
        token for n in range(99) if "-" in (token := TOKENS.issue(evolve(CLAIM, link=str(n)))) and "_" in token
    )
    TOKENS.read(token)
    refused(token.replace("-", "+"))
    refused(token.replace("_", "/"))


@pytest.mark.parametrize(("issued", "read"), [*permutations(Purpose, 2)])
def test_a_token_for_one_purpose_is_none_for_another(issued: Purpose, read: Purpose) -> None:
    refused(TOKENS.issue(CLAIM, issued), read)


def test_what_is_no_purpose_is_refused() -> None:
    wrong: Any
    for wrong in ("click", b"reply", None, []):
        with pytest.raises(MailError, match="is no purpose"):
            TOKENS.issue(CLAIM, wrong)
        with pytest.raises(MailError, match="is no purpose"):
            TOKENS.issue_all([(CLAIM, [Lead(wrong)])])
    refused(TOKEN, "click")  # type: ignore[arg-type]  # as a careless caller would


@given(st.lists(st.tuples(claims, st.lists(leads, max_size=3)), max_size=5))
def test_issued_together_they_are_the_same_tokens(asked: list[tuple[Claim, list[Lead]]]) -> None:
    assert TOKENS.issue_all(iter(asked)) == [
        TOKENS.issue(evolve(claim, url=lead.url, link=lead.link), lead.purpose)
        for claim, several in asked
        for lead in several
    ]


@pytest.mark.parametrize(
    ("link", "purpose", "token"),
    [
        (
            "",
            Purpose.CLICK,
            "AVnxk9n4fFqzOg-Fj5Fo3zTgMV-VG1MfMjAufJAtDoSVcPy6OH2VjOxb0l_Ym0Uk17Uc4JNBpXP0Xhrfj_tWGaZ5",
        ),
        (
            "l",
            Purpose.CLICK,
            "AVnxk9nFF1Aloyw5sRtv247RW8odpJdJfZ7QNoQ8tcelBOxasT75hOtM4jvWWnyJgb6SyJQq-TP9q3uyNt0pL2R7",
        ),
        (
            "ll",
            Purpose.OPEN,
            "AVnxk9mWJoQrKSUWCgEvleWyISf_MzC0Zx3NnmUcNm1rqEZnU8RzPlFRpSBdxhOVZuYErTsRixrTVyKiw-feuNOU",
        ),
    ],
)
def test_a_token_is_read_for_ever_as_it_was_first_issued(link: str, purpose: Purpose, token: str) -> None:
    claim = Claim(DeliveryId("d1"), "ada@example.net", "https://shop.example/ä", link)
    assert TOKENS.read(token, purpose) == claim
    assert TOKENS.issue(claim, purpose) == token


def test_an_aggregate_token_is_the_same_for_everybody() -> None:
    claim = Claim(None, url="https://shop.example", campaign="spring")
    assert TOKENS.read(TOKENS.issue(claim)) == claim
    assert TOKENS.issue(claim) != TOKENS.issue(evolve(claim, campaign="summer"))


def test_two_halves_of_two_tokens_are_no_token() -> None:
    other = TOKENS.issue(evolve(CLAIM, recipient="eve@example.net"))
    assert len(other) == len(TOKEN)
    for place in range(8, len(TOKEN)):
        if TOKEN[:place] != other[:place] and TOKEN[place:] != other[place:]:
            refused(TOKEN[:place] + other[place:])


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


def test_a_leaked_key_is_retired_without_breaking_the_rest() -> None:
    leaked = b"the key that lay in the old log."
    before = Tokens((leaked, KEY))
    forged, kept = Tokens((leaked,)).issue(CLAIM), TOKEN
    assert before.read(forged) == before.read(kept) == CLAIM
    after = Tokens((OTHER_KEY, KEY))
    refused(forged, tokens=after)
    assert after.read(kept) == after.read(after.issue(CLAIM)) == CLAIM


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


def test_a_claim_too_long_for_a_url_is_refused() -> None:
    fits = evolve(CLAIM, url="https://shop.example/" + "a" * 12_000)
    assert TOKENS.read(TOKENS.issue(fits)) == fits
    with pytest.raises(TokenError, match="too long"):
        TOKENS.issue(evolve(CLAIM, url="https://shop.example/" + "a" * 13_000))


def aging(at: datetime, limit: timedelta | None = QUARTER) -> Tokens:
    return Tokens((KEY,), age_limit=limit, clock=FrozenClock(at))


@pytest.mark.parametrize("purpose", [Purpose.CLICK, Purpose.OPEN])
def test_a_token_is_refused_when_its_days_are_over(purpose: Purpose) -> None:
    token = aging(NOON).issue(CLAIM, purpose)
    last_moment = datetime(2026, 5, 30, 23, 59, 59, tzinfo=UTC)
    assert aging(last_moment).read(token, purpose) == CLAIM
    assert refused(token, purpose, aging(last_moment + timedelta(seconds=1))) == refused("made up")


def test_a_token_that_is_too_old_says_so_to_whoever_asks() -> None:
    with pytest.raises(TokenError) as caught:
        aging(NOON + timedelta(days=365)).read(aging(NOON).issue(CLAIM))
    assert caught.value.expired
    for other in (TOKEN[:-1], "made up", "A" * 99_999, TOKENS.issue(CLAIM, Purpose.OPEN)):
        with pytest.raises(TokenError) as caught:
            aging(NOON).read(other)
        assert not caught.value.expired


def test_one_may_always_unsubscribe() -> None:
    token = aging(NOON).issue(CLAIM, Purpose.UNSUBSCRIBE)
    assert token == TOKENS.issue(CLAIM, Purpose.UNSUBSCRIBE)
    assert aging(NOON.replace(year=2036)).read(token, Purpose.UNSUBSCRIBE) == CLAIM


def test_without_an_age_limit_the_same_link_gives_the_same_token_on_every_day() -> None:
    clocks = [FrozenClock(NOON), FrozenClock(NOON.replace(year=2036))]
    assert {Tokens((KEY,), clock=clock).issue(CLAIM) for clock in clocks} == {TOKEN}
    assert aging(NOON).issue(CLAIM) == aging(NOON + timedelta(hours=11)).issue(CLAIM)
    assert aging(NOON).issue(CLAIM) != aging(NOON + timedelta(hours=12)).issue(CLAIM)


def test_the_day_is_that_of_utc() -> None:
    tokyo = NOON.replace(hour=23).astimezone(timezone(timedelta(hours=9)))
    assert tokyo.day != NOON.day
    assert aging(tokyo).issue(CLAIM) == aging(NOON).issue(CLAIM)


def test_a_limit_holds_for_what_was_issued_under_one() -> None:
    years_later = NOON.replace(year=2036)
    assert aging(years_later).read(TOKEN) == CLAIM
    assert aging(years_later, None).read(aging(NOON).issue(CLAIM)) == CLAIM


def test_a_clock_that_is_ahead_does_no_harm() -> None:
    assert aging(NOON - timedelta(days=1)).read(aging(NOON).issue(CLAIM)) == CLAIM


@given(claims, st.sampled_from(Purpose))
def test_what_is_issued_with_its_day_is_read(claim: Claim, purpose: Purpose) -> None:
    assert aging(NOON).read(aging(NOON).issue(claim, purpose), purpose) == claim


@pytest.mark.parametrize("limit", [timedelta(0), timedelta(hours=36), timedelta(days=-1), 90, "90d"])
def test_what_is_no_age_in_days_is_refused(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="use whole days"):
        Tokens((KEY,), age_limit=limit)


@frozen
class Part:
    tokens: LinkTokens = field(validator=are_tokens)


@pytest.mark.parametrize("tokens", [TOKENS, ShortTokens(TOKENS, MemoryLinkTable())])
def test_either_kind_of_tokens_is_taken(tokens: LinkTokens) -> None:
    assert Part(tokens).tokens.read(tokens.issue(CLAIM)) == CLAIM


@pytest.mark.parametrize("wrong", [KEY, (KEY,), None, MemoryLinkTable()])
def test_what_issues_no_tokens_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"give it Tokens\(\(key,\)\)"):
        Part(wrong)
