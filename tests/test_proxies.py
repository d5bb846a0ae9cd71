"""Who asked, where proxies of our own stand in front."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.errors import ConfigurationError
from custom_smtp.proxies import Header, Proxies
from custom_smtp.web import Request

OURS = Proxies(["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7"])
NEWER = Proxies(["10.0.0.0/8", "2001:db8:1::/48"], header=Header.FORWARDED)


def by_x(told: str, peer: str = "10.0.0.1", **more: str) -> str:
    return OURS.client(Request(client=peer, headers={"x-forwarded-for": told, **more}))


def by_rfc(told: str, peer: str = "10.0.0.1", **more: str) -> str:
    return NEWER.client(Request(client=peer, headers={"forwarded": told, **more}))


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("6.6.6.6,203.0.113.9,10.2.2.2,192.0.2.7", "203.0.113.9"),
        ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8:2::9]:4711", "2001:db8:2::9"),
        ("[2001:db8:2::9]", "2001:db8:2::9"),
        ("2001:db8:2::9, 2001:db8:1::5", "2001:db8:2::9"),
        ("203.0.113.9, ::ffff:10.2.2.2", "203.0.113.9"),
        ("", "10.0.0.1"),
        ("   ", "10.0.0.1"),
        ("unknown", ""),
        ("203.0.113.9, unknown", ""),
        ("203.0.113.9, ", ""),
        ("203.0.113.9, 10.0.0.0/8", ""),
        ("203.0.113.9, 010.0.0.1", ""),
        ("203.0.113.9, <script>", ""),
        ("203.0.113.9, fe80::1%<script>", ""),
    ],
)
def test_the_right_most_hop_that_is_not_ours_asked(told: str, client: str) -> None:
    assert by_x(told) == client


@pytest.mark.parametrize("peer", ["203.0.113.1", "", "unix:", "2001:db8:2::1"])
def test_a_stranger_is_not_asked_for_anybody(peer: str) -> None:
    assert by_x("6.6.6.6", peer) == peer
    assert by_rfc("for=6.6.6.6", peer) == peer


def test_an_address_written_as_ipv6_is_the_same_proxy() -> None:
    assert by_x("203.0.113.9", "::ffff:10.0.0.1") == "203.0.113.9"


def test_the_header_that_our_proxies_do_not_write_is_not_read() -> None:
    assert by_x("203.0.113.9", forwarded="for=6.6.6.6") == "203.0.113.9"
    assert by_rfc("for=203.0.113.9", **{"x-forwarded-for": "6.6.6.6"}) == "203.0.113.9"
    assert OURS.client(Request(client="10.0.0.1", headers={"forwarded": "for=6.6.6.6"})) == "10.0.0.1"


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"),
        ("proto=https ; for=203.0.113.9", "203.0.113.9"),
        ('for="203.0.113.9:4711"', "203.0.113.9"),
        ('for="[2001:db8:2::9]:4711"', "2001:db8:2::9"),
        ("for=6.6.6.6, for=203.0.113.9, for=10.2.2.2", "203.0.113.9"),
        ('for=203.0.113.9;host="a, for=6.6.6.6;b"', "203.0.113.9"),
        ('for=203.0.113.9;host="a\\", for=6.6.6.6"', "203.0.113.9"),
        ('for="203.0.113\\.9"', "203.0.113.9"),
        ("for=unknown", ""),
        ("for=_hidden, for=10.2.2.2", ""),
        ("for=203.0.113.9, proto=https", ""),
        ('for=6.6.6.6, for="', ""),
        ('for="x, for=203.0.113.9', ""),
        ("for=6.6.6.6,, for=10.2.2.2", ""),
        ("203.0.113.9", ""),
        ("", "10.0.0.1"),
    ],
)
def test_a_forwarded_header_is_read_as_its_rfc_says(told: str, client: str) -> None:
    assert by_rfc(told) == client


@given(st.text(st.sampled_from('for=10.2, ;"\\[]:by_unknown6')), st.sampled_from([by_x, by_rfc]))
def test_whatever_stands_there_an_address_comes_out_or_nothing(told: str, client: Any) -> None:
    assert set(client(told)) <= set("0123456789abcdef.:")


HOPS = st.sampled_from(["6.6.6.6", "203.0.113.9", "10.2.2.2", "2001:db8:2::9", "2001:db8:1::5", "unknown"])


@given(st.lists(HOPS, max_size=4), st.sampled_from(["203.0.113.9", "2001:db8:2::9"]), st.integers(0, 2))
def test_what_a_client_writes_itself_changes_nothing(forged: list[str], client: str, proxies: int) -> None:
    chain = [*forged, client, *["10.2.2.2"] * proxies]
    assert by_x(", ".join(chain)) == client
    assert by_rfc(", ".join(f'for="[{hop}]"' if ":" in hop else f"for={hop}" for hop in chain)) == client


@given(st.text(st.sampled_from('for=6.;,"\\ '), max_size=20))
def test_nothing_that_a_client_writes_makes_it_somebody_else(forged: str) -> None:
    assert by_rfc(f"{forged}, for=203.0.113.9") in ("203.0.113.9", "")
    assert by_x(f"{forged}, 203.0.113.9") == "203.0.113.9"


@pytest.mark.parametrize("network", ["", "10.0.0.1/8", "10.0.0.0/33", "proxy.example", "10.0.0", None])
def test_what_is_no_network_is_refused(network: Any) -> None:
    with pytest.raises(ConfigurationError, match="no network"):
        Proxies([network])


def test_one_network_alone_is_refused_as_several() -> None:
    with pytest.raises(ConfigurationError, match="takes several networks"):
        Proxies("10.0.0.0/8")


def test_a_header_that_no_proxy_writes_is_refused() -> None:
    wrong: Any = "x-forwarded-for"
    with pytest.raises(ConfigurationError, match="use Header.X_FORWARDED_FOR or Header.FORWARDED"):
        Proxies(["10.0.0.0/8"], header=wrong)
