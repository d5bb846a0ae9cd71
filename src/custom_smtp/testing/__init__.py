"""For the tests of applications and of third parties' parts.

The fakes stand here, and an SMTP server that follows a script. The rest is found by its module:
`custom_smtp.testing.server` and `custom_smtp.testing.scripts` (what such a server can do),
`custom_smtp.testing.certificates`, `custom_smtp.testing.contracts` (what every adapter must hold),
`custom_smtp.testing.webhooks` (requests as providers sign them), `custom_smtp.testing.reporters` (providers, each with
its adapter and such requests) and `custom_smtp.testing.receivers` (what receives the webhooks that we send).
"""

from .fakes import FrozenClock, RecordingTransport, SerialIds
from .resolver import StaticResolver
from .server import ScriptedServer

__all__ = ["FrozenClock", "RecordingTransport", "ScriptedServer", "SerialIds", "StaticResolver"]
