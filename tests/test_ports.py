"""What parts say of themselves."""

import pytest

from custom_smtp import MemoryJournal, Tokens, TrackingEndpoint
from custom_smtp.edge.sqlite import SqliteJournal
from custom_smtp.memory import MemoryLinkTable
from custom_smtp.mounts import Mounts
from custom_smtp.ports import waits
from custom_smtp.short_tokens import ShortTokens
from custom_smtp.unsubscribe_endpoint import UnsubscribeEndpoint

from .test_short_tokens import OneTable

SEALED = Tokens((b"key of 32 bytes, from your vault",))
KEPT = ShortTokens(SEALED, OneTable())
QUICK, SLOW = TrackingEndpoint(SEALED), TrackingEndpoint(KEPT)


@pytest.mark.parametrize(
    "part",
    [
        MemoryJournal(),
        MemoryLinkTable(),
        SEALED,
        ShortTokens(SEALED, MemoryLinkTable()),
        QUICK,
        UnsubscribeEndpoint(SEALED),
        Mounts({"/t": QUICK, "/u": UnsubscribeEndpoint(SEALED)}),
    ],
    ids=lambda part: type(part).__name__,
)
def test_what_works_in_memory_never_waits(part: object) -> None:
    assert not waits(part)
    assert waits(part, KEPT)


@pytest.mark.parametrize(
    "part",
    [SqliteJournal, OneTable(), KEPT, SLOW, UnsubscribeEndpoint(KEPT), Mounts({"/t": QUICK, "/s": SLOW}), object()],
    ids=lambda part: type(part).__name__,
)
def test_whatever_does_not_say_so_may_wait(part: object) -> None:
    assert waits(part)
