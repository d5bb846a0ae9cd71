"""What is kept of a reader."""

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import ConfigurationError
from custom_smtp.privacy import KEEP_ALL, Keep, Privacy
from custom_smtp.readers import range_of

KEY = b"a key of 32 bytes, for the hashes"


def test_by_default_all_is_kept() -> None:
    assert Privacy() == KEEP_ALL
    assert (KEEP_ALL.address_kept("192.0.2.1"), KEEP_ALL.agent_kept("Firefox")) == ("192.0.2.1", "Firefox")


@pytest.mark.parametrize(
    ("client", "kept"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.0.0/16", "192.0.0.0/16"),
        ("", ""),
        ("unix:/run/web.sock", ""),
    ],
)
def test_an_address_is_cut_to_its_range(client: str, kept: str) -> None:
    assert Privacy(address=Keep.TRUNCATED).address_kept(client) == kept


def test_what_is_dropped_is_gone() -> None:
    privacy = Privacy(address=Keep.DROPPED, agent=Keep.DROPPED)
    assert (privacy.address_kept("192.0.2.1"), privacy.agent_kept("Firefox")) == ("", "")


def test_a_hash_knows_a_reader_again_and_tells_nothing_else() -> None:
    privacy = Privacy(address=Keep.HASHED, agent=Keep.HASHED, key=KEY)
    kept = privacy.address_kept("192.0.2.1")
    assert kept == privacy.address_kept("192.0.2.1")
    assert kept.startswith("hashed:")
    assert len(kept) == len("hashed:") + 32
    others = {privacy.address_kept("192.0.2.2"), privacy.agent_kept("192.0.2.1")}
    other_key = Privacy(address=Keep.HASHED, key=KEY[::-1])
    assert len({kept, *others, other_key.address_kept("192.0.2.1")}) == 4


def test_what_was_not_there_is_not_hashed() -> None:
    privacy = Privacy(address=Keep.HASHED, agent=Keep.HASHED, key=KEY)
    assert (privacy.address_kept(""), privacy.agent_kept("")) == ("", "")


@pytest.mark.parametrize("key", [b"", b"short", "a text of more than thirty-two letters"])
@pytest.mark.parametrize("what", ["address", "agent"])
def test_a_hash_without_a_key_is_refused(what: str, key: Any) -> None:
    with pytest.raises(ConfigurationError, match="a key of at least 32 bytes"):
        Privacy(**{what: Keep.HASHED}, key=key)


def test_an_agent_cannot_be_cut() -> None:
    with pytest.raises(ConfigurationError, match="no range to be cut to"):
        Privacy(agent=Keep.TRUNCATED)


def test_the_key_is_not_printed() -> None:
    assert "for the hashes" not in repr(Privacy(address=Keep.HASHED, key=KEY))


@given(st.ip_addresses())
def test_a_range_holds_its_address_and_says_no_more_than_the_range(address: IPv4Address | IPv6Address) -> None:
    privacy = Privacy(address=Keep.TRUNCATED)
    kept = privacy.address_kept(str(address))
    whole, one = range_of(kept), range_of(str(address))
    assert whole is not None
    assert one is not None
    assert whole.version == one.version
    assert one.network_address in whole
    assert whole.prefixlen == {4: 24, 6: 48}[whole.version]
    assert privacy.address_kept(kept) == kept


@pytest.mark.parametrize("what", ["address", "agent"])
def test_what_is_kept_is_said_by_a_keep_and_a_word_for_it_keeps_nothing_whole(what: str) -> None:
    wrong: Any = {what: "dropped"}
    with pytest.raises(ConfigurationError, match=f"{what} is 'dropped': use Keep.WHOLE, .* or Keep.DROPPED"):
        Privacy(**wrong)
