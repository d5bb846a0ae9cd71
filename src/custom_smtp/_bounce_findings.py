"""What a mail that came back says of one recipient."""

from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

from .events import Cause


@frozen(kw_only=True, slots=False)  # made faster so
class Finding:
    """What a report says of one recipient.

    Attributes:
        recipient: the address; empty where none is told.
        action: what happened: one of RFC 3464 section 2.3.3, or ``complained``, ``unsubscribed``, ``replied``.
        status: the enhanced status code; empty where none is told.
        reason: in the words of whoever reported it.
        cause: why, as one of a few.
        at: when, where the report says so.
        raw: the fields that say all this.
        envelope_id: the report's Original-Envelope-Id, decoded.
    """

    recipient: str
    action: str
    raw: Mapping[str, str]
    status: str = ""
    reason: str = ""
    cause: Cause = Cause.UNKNOWN
    at: datetime | None = None
    envelope_id: str = ""
