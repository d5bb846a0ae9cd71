"""The one clock and the one source of ids. Everything else takes them from whoever calls."""

import os
import secrets
from datetime import UTC, datetime

from .identifiers import DeliveryId

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""From where moments are counted: two of one zone are compared by the wall clock, two distances from here are not."""


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def new_nonce() -> str:
    """What no conversation had before: 144 random bits, as letters and digits."""
    return secrets.token_hex(18)


def new_delivery_id() -> DeliveryId:
    """An id that was never made before and cannot be guessed: 96 random bits, in lower case.

    Lower case, since some mail systems fold the case of what they send back.
    """
    return DeliveryId(os.urandom(12).hex())
