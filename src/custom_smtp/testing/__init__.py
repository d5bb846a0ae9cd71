"""For the tests of applications and of third parties' parts.

The fakes stand here. The rest is found by its module: `custom_smtp.testing.server` (an SMTP server that follows a
script), `custom_smtp.testing.certificates`, `custom_smtp.testing.contracts` (what every adapter must hold) and
`custom_smtp.testing.webhooks` (requests as providers sign them).
"""

from .fakes import FrozenClock, RecordingTransport, SerialIds
from .resolver import StaticResolver

__all__ = ["FrozenClock", "RecordingTransport", "SerialIds", "StaticResolver"]
