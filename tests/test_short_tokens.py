"""Short tokens: as good as long ones, with what they leave out in a table."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Tokens
from custom_smtp.claims import Claim, Lead, Purpose
from custom_smtp.errors import ArchiveError, ConfigurationError, TokenError
from custom_smtp.identifiers import DeliveryId
from custom_smtp.memory import MemoryLinkTable
from custom_smtp.short_tokens import SHORT, ShortTokens
from custom_smtp.testing import FrozenClock

from .strategies import claims
from .token_mutations import ALPHABET, MUTATIONS, Mutation

KEY, OTHER_KEY = b"key of 32 bytes, from your vault", b"another key, as long as the first"
SEALED = Tokens((KEY,))
TABLE = MemoryLinkTable()
SHORT_TOKENS = ShortTokens(SEALED, TABLE)
CLAIM = Claim(DeliveryId("d1"), "ada@example.net", "https://shop.example/orders/7?a=1&b=ä", "button")
TOKEN = SHORT_TOKENS.issue(CLAIM)


class OneTable:
    """Holds one row, under whatever it is asked for, and counts how often it is used."""

    def __init__(self, rest: str | None = None) -> None:
        self.rest = rest
        self.stored: list[dict[str, str]] = []
        self.asked = 0

    def store(self, rests: Mapping[str, str], /) -> None:
        self.stored.append(dict(rests))

    def find(self, token: str, /) -> str | None:
        self.asked += 1
        return self.rest


def refused(token: Any, purpose: Purpose = Purpose.CLICK, tokens: ShortTokens = SHORT_TOKENS) -> str:
    with pytest.raises(TokenError) as caught:
        tokens.read(token, purpose)
    return str(caught.value)


@given(claims, st.sampled_from(Purpose))
def test_what_is_issued_is_read(claim: Claim, purpose: Purpose) -> None:
    assert SHORT_TOKENS.read(SHORT_TOKENS.issue(claim, purpose), purpose) == claim


@given(claims, st.sampled_from(Purpose))
def test_a_token_is_short_and_stands_in_a_url_as_it_is(claim: Claim, purpose: Purpose) -> None:
    token = SHORT_TOKENS.issue(claim, purpose)
    assert len(token) == SHORT <= 32
    assert set(token) <= set(ALPHABET)


def test_the_same_claim_gives_the_same_token_whatever_the_table() -> None:
    assert ShortTokens(Tokens((KEY,)), MemoryLinkTable()).issue(CLAIM) == TOKEN == SHORT_TOKENS.issue(CLAIM)


def test_the_row_is_written_before_the_token_is_known() -> None:
    class Full:
        def store(self, rests: Mapping[str, str], /) -> None:
            raise ArchiveError("the disk is full")

        find = TABLE.find

    with pytest.raises(ArchiveError, match="disk is full"):
        ShortTokens(SEALED, Full()).issue(CLAIM)


def test_many_links_are_written_at_once() -> None:
    table = OneTable()
    leads = [Lead(purpose, CLAIM.url, str(number)) for number in range(50) for purpose in Purpose]
    tokens = ShortTokens(SEALED, table).issue_all([(CLAIM, leads)])
    [rows] = table.stored
    assert list(rows) == tokens == [SHORT_TOKENS.issue(evolve(CLAIM, link=lead.link), lead.purpose) for lead in leads]


def test_a_table_tells_nothing_of_whom_and_where() -> None:
    table = OneTable()
    ShortTokens(SEALED, table).issue(CLAIM)
    [[(token, rest)]] = [rows.items() for rows in table.stored]
    assert SEALED.issue(CLAIM) == token + rest


@pytest.mark.parametrize(("issued", "read"), [*permutations(Purpose, 2)])
def test_a_token_for_one_purpose_is_none_for_another(issued: Purpose, read: Purpose) -> None:
    refused(SHORT_TOKENS.issue(CLAIM, issued), read)


@pytest.mark.parametrize("mutation", [*MUTATIONS.values()], ids=[*MUTATIONS])
def test_a_token_that_became_another_text_is_refused(mutation: Mutation) -> None:
    assert mutation(TOKEN) != TOKEN
    refused(mutation(TOKEN))


@given(st.text(ALPHABET, min_size=SHORT, max_size=SHORT) | st.text(min_size=SHORT, max_size=SHORT) | st.text())
def test_no_token_can_be_made_up(text: str) -> None:
    refused(text)


def test_every_changed_character_is_refused() -> None:
    for place, right in enumerate(TOKEN):
        for wrong in set(ALPHABET + "+/=. \n%é\x00") - {right}:
            refused(TOKEN[:place] + wrong + TOKEN[place + 1 :])


def test_a_row_that_was_altered_opens_nothing() -> None:
    other = SEALED.issue(evolve(CLAIM, url="https://evil.example"))[SHORT:]
    mine = SEALED.issue(CLAIM)[SHORT:]
    for rest in (other, "", mine[:-4], mine + "AAAA", "A" * 99_999, mine + "\n", "\ud800"):
        refused(TOKEN, tokens=ShortTokens(SEALED, OneTable(rest)))
    assert ShortTokens(SEALED, OneTable(mine)).read(TOKEN) == CLAIM


def test_a_table_that_takes_other_letters_for_the_same_opens_nothing() -> None:
    refused(TOKEN.swapcase(), tokens=ShortTokens(SEALED, OneTable(SEALED.issue(CLAIM)[SHORT:])))


@pytest.mark.parametrize(
    "made_up", ["\ud800" * SHORT, "\0" * SHORT, "'; DROP TABLE links; -- 456", "\u0661" * SHORT, ""]
)
def test_what_cannot_be_a_token_is_not_looked_up(made_up: str) -> None:
    table = OneTable()
    refused(made_up, tokens=ShortTokens(SEALED, table))
    assert table.asked == 0


def test_what_is_no_text_is_refused() -> None:
    for wrong in (TOKEN.encode(), None, 7, list(TOKEN)):
        refused(wrong)


def test_the_reasons_are_not_told_apart() -> None:
    assert refused("") == refused(TOKEN[:-1]) == refused(TOKEN, Purpose.OPEN) == refused("A" * SHORT) == refused("é")


def test_links_that_were_sent_with_long_tokens_keep_working() -> None:
    assert SHORT_TOKENS.read(SEALED.issue(CLAIM)) == CLAIM


def test_a_leaked_key_is_retired_without_breaking_the_rest() -> None:
    table = MemoryLinkTable()
    leaked = ShortTokens(Tokens((OTHER_KEY,)), table).issue(CLAIM)
    kept = ShortTokens(SEALED, table).issue(CLAIM)
    before, after = (ShortTokens(Tokens(keys), table) for keys in ((KEY, OTHER_KEY), (KEY,)))
    assert before.read(leaked) == before.read(kept) == after.read(kept) == CLAIM
    refused(leaked, tokens=after)


def test_a_token_that_is_too_old_says_so_to_whoever_asks() -> None:
    clock = FrozenClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    tokens = ShortTokens(Tokens((KEY,), age_limit=timedelta(days=90), clock=clock), MemoryLinkTable())
    token = tokens.issue(CLAIM)
    assert tokens.read(token) == CLAIM
    clock.advance(timedelta(days=91))
    with pytest.raises(TokenError) as caught:
        tokens.read(token)
    assert caught.value.expired


@pytest.mark.parametrize(
    ("tokens", "table", "says"),
    [
        (KEY, TABLE, r"write ShortTokens\(Tokens"),
        (SHORT_TOKENS, TABLE, r"write ShortTokens\(Tokens"),
        (SEALED, {}, "SqliteLinkTable or a MemoryLinkTable"),
        (SEALED, None, "SqliteLinkTable or a MemoryLinkTable"),
    ],
)
def test_other_parts_are_refused(tokens: Any, table: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        ShortTokens(tokens, table)


def test_a_key_is_never_printed() -> None:
    assert "vault" not in repr(SHORT_TOKENS)
