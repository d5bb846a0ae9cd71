"""What tests are tried with: anything an event, a copy or a record may hold."""

from datetime import datetime, timedelta, timezone
from typing import Any, get_args
from zoneinfo import ZoneInfo

from attrs import fields
from hypothesis import strategies as st

from custom_smtp.archive import Copy
from custom_smtp.claims import Claim, Lead, Purpose
from custom_smtp.errors import Retry, Step
from custom_smtp.events import About, BounceKind, Cause, Delivered, DropKind, Dropped, Event
from custom_smtp.identifiers import DeliveryId
from custom_smtp.replies import Reply

any_text = st.text(st.characters(), max_size=20)
"""Every character there is: NUL, line breaks and half surrogate pairs too."""

zones = st.one_of(
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    st.sampled_from([ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]),
)
moments = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=zones)  # noqa: DTZ001

delivery_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True).map(DeliveryId)

clean_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
"""What may stand in a token."""

_leads_to = st.just("") | clean_text.map("https://shop.example/".__add__)
claims = st.one_of(
    st.builds(Claim, delivery_ids, clean_text.filter(bool), _leads_to, clean_text, clean_text),
    st.builds(Claim, st.none(), st.just(""), _leads_to, clean_text, clean_text),
)

leads = st.builds(Lead, st.sampled_from(Purpose), _leads_to, clean_text)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)

abouts = st.builds(
    About,
    delivery_id=st.none() | delivery_ids,
    recipient=any_text,
    at=moments,
    source=any_text.filter(bool),
    key=any_text.filter(bool),
    raw=st.none() | st.dictionaries(any_text, json_values, max_size=4),
)

_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "about": abouts,
    "error": any_text,
    "retry": st.sampled_from(Retry),
    "at_step": st.sampled_from(Step),
    "cause": st.sampled_from(Cause),
    "reason": any_text,
    "status": any_text,
    "name": any_text,
    "url": any_text,
    "scope": any_text,
    "link": any_text,
    "user_agent": any_text,
    "client": any_text,
    "evidence": st.lists(any_text, max_size=3).map(tuple),
    "proxied": st.booleans(),
    "prefetched": st.booleans(),
    "synthetic": st.booleans(),
    "machine": st.booleans(),
    "campaign": any_text,
    "second_hand": st.booleans(),
}
replies = st.builds(Reply, st.integers(200, 599), any_text)


def _of(kind: type) -> st.SearchStrategy[Event]:
    known = {
        **_FIELDS,
        "reply": any_text if kind is Delivered else replies,
        "kind": st.sampled_from(DropKind if kind is Dropped else BounceKind),
    }
    return st.builds(kind, **{field.name: known[field.name] for field in fields(kind)})


events: st.SearchStrategy[Event] = st.one_of([_of(kind) for kind in get_args(Event)])
"""Any event there is, of every kind."""

copies = st.builds(
    Copy,
    delivery_id=delivery_ids,
    recipient=any_text,
    at=moments,
    content=st.binary(max_size=50) | st.binary(max_size=20).map(lambda part: part * 50),
    subject=any_text,
    campaign=any_text,
)
