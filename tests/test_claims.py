"""What a token says: right once it exists, and the same after it was packed."""

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.claims import Claim, Lead, Purpose
from custom_smtp.errors import MailError
from custom_smtp.identifiers import DeliveryId

from .strategies import claims, leads


@given(claims, st.integers(0, 9))
def test_what_is_packed_comes_back(claim: Claim, nuls: int) -> None:
    unpacked = Claim.unpacked(claim.packed() + b"\0" * nuls)
    assert unpacked == claim
    assert (type(unpacked.delivery_id), hash(unpacked)) == (type(claim.delivery_id), hash(claim))
    assert repr(unpacked) == repr(claim)


@given(claims, claims)
def test_two_claims_are_packed_alike_only_if_they_are_the_same(one: Claim, other: Claim) -> None:
    assert (one.packed() == other.packed()) is (one == other)


@given(claims)
def test_what_is_packed_is_one_line(claim: Claim) -> None:
    assert b"\n" not in claim.packed()


def test_an_aggregate_claim_names_nobody() -> None:
    assert Claim(None, url="https://shop.example", campaign="spring").recipient == ""
    assert Claim(None) == Claim(None, "")


def test_a_claim_cannot_be_changed() -> None:
    for claim in (Claim(None), Claim.unpacked(Claim(None).packed())):
        with pytest.raises(FrozenInstanceError):
            claim.url = "https://evil.example"  # type: ignore[misc]  # the attempt is the point


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"delivery_id": "d1"}, "no DeliveryId"),
        ({"recipient": ""}, "needs its recipient"),
        ({"delivery_id": None}, "needs its delivery id"),
        ({"delivery_id": "", "recipient": ""}, "no DeliveryId"),
        ({"recipient": "ada\0@example.net"}, "control character"),
        ({"recipient": "ada\ud800@example.net"}, "surrogate"),
        ({"recipient": None}, "are text"),
        ({"link": "a\nb"}, "control character"),
        ({"link": 7}, "are text"),
        ({"campaign": b"spring"}, "are text"),
        ({"campaign": "spring\n"}, "control character"),
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
    assert Claim.unpacked(claim.packed()) == claim


@given(claims, leads)
def test_a_claim_is_packed_around_a_lead_as_if_it_led_there(claim: Claim, lead: Lead) -> None:
    before, behind = claim.around()
    assert before + lead.packed + behind == evolve(claim, url=lead.url, link=lead.link).packed()


@pytest.mark.parametrize(
    ("url", "link", "says"),
    [
        ("https://shop.example/\n", "", "control character"),
        ("", "a\0b", "control character"),
        ("", "\ud800", "surrogate"),
        ("shop.example", "", "no link to follow"),
        (b"https://shop.example", "", "are text"),
    ],
)
def test_what_cannot_stand_in_a_token_is_no_lead(url: str, link: str, says: str) -> None:
    with pytest.raises(MailError, match=says):
        Lead(Purpose.CLICK, url, link)
