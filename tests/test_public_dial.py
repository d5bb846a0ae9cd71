"""Which addresses a dial of the public internet reaches; what it does on a line is in loopback/test_http_post.py."""

from typing import Any

import pytest

from custom_smtp.edge.public_dial import PublicDial
from custom_smtp.errors import ConfigurationError

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.0.8", "198.18.0.1", "192.0.2.1",
    "::1", "::", "fe80::1", "fe80::1%1", "fd00::1", "fec0::1", "ff02::1", "2001:db8::1", "::10.0.0.1",
    "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::808:808", "2002:a00:1::1",
    "2002:808:808::1",
    "2001:0:a00:1::1", "::ffff:0:10.0.0.1", "5f00::1", "3fff::1", "4000::1", "192.88.99.1", "", "localhost",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_ones_own_network_is_not_reached(address: str) -> None:
    assert not PublicDial().reaches(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_is(address: str) -> None:
    assert PublicDial().reaches(address)


def test_a_network_can_be_allowed_and_no_other_is() -> None:
    dial = PublicDial(["10.1.0.0/16", "fd00::/8"])
    assert all(map(dial.reaches, ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "8.8.8.8")))
    assert not any(map(dial.reaches, ("10.2.0.1", "127.0.0.1", "fe80::1")))


@pytest.mark.parametrize("wrong", ["10.0.0.0/8", ["10.0.0.1/8"], ["here"]])
def test_a_network_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="network"):
        PublicDial(wrong)
