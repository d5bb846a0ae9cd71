"""The short signed form: it fits where it must, survives the way, and is nobody else's to make."""

import re
from uuid import UUID

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, DeliveryId, Mail, Preparation, Tokens
from custom_smtp.errors import ConfigurationError, MailError
from custom_smtp.testing import SerialIds
from custom_smtp.verp import (
    HEADER,
    LONGEST_ENVELOPE_ID,
    ReturnAddresses,
    delivery_id_in,
    envelope_id,
    return_address,
    signed,
)

KEY, OTHER = b"k" * 32, b"o" * 32
TOKENS = Tokens((KEY,))
OWN = DeliveryId("0123456789abcdef01234567")

ids = (
    st.binary(min_size=1, max_size=32).map(bytes.hex)
    | st.uuids().map(str)
    | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
).map(DeliveryId)


@given(ids, st.sampled_from([str, str.upper, str.title, str.swapcase]))
def test_what_is_signed_is_found_again_in_any_case(delivery_id: DeliveryId, folded: "type[str]") -> None:
    form = signed(delivery_id, TOKENS)
    assert re.fullmatch("[a-z2-7]+", form)
    if len(form) <= LONGEST_ENVELOPE_ID:
        assert delivery_id_in(folded(f"<bounces-{form}@b.example>"), TOKENS) == delivery_id


def test_our_own_ids_leave_room_in_an_address() -> None:
    address = return_address(OWN, "bounces.shop.example", TOKENS)
    assert address.email == f"bounces-{signed(OWN, TOKENS)}@bounces.shop.example"
    assert len(address.local) == 45


def test_an_id_of_a_uuid_fits_too() -> None:
    delivery_id = DeliveryId(str(UUID(int=7)))
    assert len(return_address(delivery_id, "b.example", TOKENS).local) <= 64
    assert delivery_id_in(return_address(delivery_id, "b.example", TOKENS).email, TOKENS) == delivery_id


def test_an_id_that_does_not_fit_is_refused_with_what_to_do() -> None:
    with pytest.raises(MailError, match="use ids of hexadecimal digits"):
        return_address(DeliveryId("x" * 40), "b.example", TOKENS)


@pytest.mark.parametrize(("letters", "is_signed"), [(51, True), (52, False)])
def test_an_envelope_id_is_signed_where_it_has_room(letters: int, is_signed: bool) -> None:
    delivery_id = DeliveryId("x" * letters)
    told = envelope_id(delivery_id, TOKENS)
    assert len(told) <= LONGEST_ENVELOPE_ID
    assert (told != delivery_id) == is_signed


def test_a_key_that_was_first_before_still_opens() -> None:
    form = signed(OWN, TOKENS)
    assert delivery_id_in(form, Tokens((OTHER, KEY))) == OWN
    assert delivery_id_in(form, Tokens((OTHER,))) is None


@given(st.data())
def test_no_other_letter_does(data: st.DataObject) -> None:
    form = signed(OWN, TOKENS)
    place = data.draw(st.integers(0, len(form) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567").filter(lambda one: one != form[place]))
    assert delivery_id_in(form[:place] + letter + form[place + 1 :], TOKENS) is None


@given(st.text(max_size=300) | st.text("abcdefghijklmnopqrstuvwxyz234567-@ ", max_size=300))
def test_nothing_is_found_where_nothing_of_ours_stands(text: str) -> None:
    assert delivery_id_in(text, TOKENS) is None


@given(st.integers(1, 36), ids)
def test_a_form_that_was_cut_or_grew_is_none(cut: int, delivery_id: DeliveryId) -> None:
    form = signed(delivery_id, TOKENS)
    assert delivery_id_in(form[:-cut], TOKENS) is None
    assert delivery_id_in(form + "a" * cut, TOKENS) is None


def test_the_form_is_found_among_others_but_not_for_ever() -> None:
    form, noise = signed(OWN, TOKENS), "a" * 24
    assert delivery_id_in(f"{noise} {noise}@x {form}", TOKENS) == OWN
    assert delivery_id_in(f"{noise} " * 20 + form, TOKENS) is None
    assert delivery_id_in(" " * 5000 + form, TOKENS) is None


# Each mail's own


RETURNS = ReturnAddresses("bounces.shop.example", TOKENS)
MAIL = Mail(sender=Address("hello@shop.example"), to=Address("ada@example.net"), subject="Hello", text="Hello.")


def test_each_mail_gets_an_address_an_envelope_id_and_a_header_of_its_own() -> None:
    preparation = Preparation(returns=RETURNS, new_id=SerialIds())
    for number in (1, 2):
        outgoing = preparation.prepare(MAIL).outgoing
        delivery_id = DeliveryId(f"d{number}")
        assert outgoing.envelope.sender == return_address(delivery_id, "bounces.shop.example", TOKENS)
        assert outgoing.envelope.envelope_id == signed(delivery_id, TOKENS)
        assert f"\r\n{HEADER}: {signed(delivery_id, TOKENS)}\r\n".encode() in outgoing.content


def test_an_address_that_the_mail_names_for_its_bounces_stays() -> None:
    own = Address("errors@shop.example")
    envelope = Preparation(returns=RETURNS).prepare(evolve(MAIL, bounces_to=own)).outgoing.envelope
    assert envelope.sender == own
    assert delivery_id_in(envelope.envelope_id, TOKENS) is not None


@pytest.mark.parametrize("how", [{"domain": "no domain"}, {"domain": ""}, {"prefix": "a b"}, {"prefix": "x" * 40}])
def test_what_makes_no_address_is_refused_at_once(how: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="return address"):
        evolve(RETURNS, **how)  # type: ignore[arg-type]  # text alone is handed in
