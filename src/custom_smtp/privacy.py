"""What is kept of those who read our mails, once it was judged who they are."""

import hmac
from enum import Enum
from ipaddress import ip_network
from typing import Any

from attrs import Attribute, field, frozen

from .checks import ConfigurationError, one_of
from .readers import HASHED, range_of

_KEY_OCTETS = 32
_SHOWN = 32
_RANGE = {4: 24, 6: 48}


class Keep(Enum):
    """How much of a fact is kept."""

    WHOLE = "whole"
    """As it came."""
    TRUNCATED = "truncated"
    """An address as the range that it is from: a /24 for IPv4, a /48 for IPv6."""
    HASHED = "hashed"
    """As a keyed hash: the same reader is known again for as long as the key is the same; who it is nobody can tell who
    has not the key."""
    DROPPED = "dropped"
    """Nothing of it."""


def _no_range_of_agents(_instance: object, _attribute: "Attribute[Any]", keep: Keep) -> None:
    if keep is Keep.TRUNCATED:
        raise ConfigurationError("a User-Agent has no range to be cut to: use Keep.HASHED or Keep.DROPPED")


@frozen(kw_only=True)
class Privacy:
    """What is kept of an open or a click, after the verdict.

    The verdict itself and the names of its evidence are always kept. What rests on a fact that was dropped or hashed
    cannot be judged again when the tables improve.

    Attributes:
        address: of whoever asked.
        agent: the program's User-Agent.
        key: a secret of at least 32 bytes, for hashes. Change it, and nobody is known again.

    Raises:
        ConfigurationError: one is no `Keep`, hashes are asked for without such a key, or a User-Agent is to be cut to a
            range.
    """

    address: Keep = field(default=Keep.WHOLE, validator=one_of(Keep))
    agent: Keep = field(default=Keep.WHOLE, validator=[one_of(Keep), _no_range_of_agents])
    key: bytes = field(default=b"", repr=False)

    def __attrs_post_init__(self) -> None:
        hashes = Keep.HASHED in (self.address, self.agent)
        if hashes and not (isinstance(self.key, bytes) and len(self.key) >= _KEY_OCTETS):
            raise ConfigurationError(
                f"hashes need a key of at least {_KEY_OCTETS} bytes, else anybody could try all addresses: make one "
                "with secrets.token_bytes(32), and keep it secret"
            )

    def address_kept(self, client: str) -> str:
        """What is kept of an address; nothing of what is none and was to be truncated."""
        if self.address is Keep.TRUNCATED:
            return _truncated(client)
        return self._kept(self.address, "address", client)

    def agent_kept(self, user_agent: str) -> str:
        """What is kept of a User-Agent."""
        return self._kept(self.agent, "agent", user_agent)

    def _kept(self, keep: Keep, what: str, fact: str) -> str:
        if keep is Keep.DROPPED or not fact:
            return ""
        if keep is Keep.HASHED:
            return HASHED + hmac.digest(self.key, f"{what}\0{fact}".encode(), "sha256").hex()[:_SHOWN]
        return fact


def _truncated(client: str) -> str:
    at = range_of(client)
    if at is None:
        return ""
    return str(ip_network((at.network_address, min(at.prefixlen, _RANGE[at.version])), strict=False))


KEEP_ALL = Privacy()
"""Everything is kept as it came."""
