"""What is kept under a person."""

from datetime import datetime

from attrs import field, frozen

from .checks import aware
from .identifiers import DeliveryId


@frozen(kw_only=True)
class Copy:
    """A full copy of one mail, kept before it is sent.

    Attributes:
        delivery_id: which mail; the journal says under the same id whether it left.
        recipient: whom it was for.
        at: when it was made.
        content: every byte as it was handed to the transport.
        subject: its subject line, for lists.
        campaign: its campaign type; empty for none.
    """

    delivery_id: DeliveryId
    recipient: str
    at: datetime = field(validator=aware)
    content: bytes = field(repr=lambda content: f"<{len(content)} bytes>")
    subject: str = ""
    campaign: str = ""
