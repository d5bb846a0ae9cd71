"""What an SMTP server answers."""

import re
from typing import Any

from attrs import Attribute, field, frozen

from .checks import ConfigurationError

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)", re.ASCII)


def _a_code(_instance: object, _attribute: "Attribute[Any]", code: int) -> None:
    if not isinstance(code, int) or not 200 <= code <= 599:
        raise ConfigurationError(f"{code!r} is no SMTP reply code: use 200 to 599 (RFC 5321 section 4.2.1)")


@frozen
class Reply:
    """A server's answer to one command (RFC 5321 section 4.2).

    Attributes:
        code: the three digits, 200 to 599.
        text: what stood behind them; the lines of a longer reply joined by line feeds.
        positive: whether the command was done: 2xx.

    Raises:
        ConfigurationError: the code is not one of SMTP's.
    """

    code: int = field(validator=_a_code)
    text: str = ""
    positive: bool = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "positive", self.code < 300)

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463), such as ``5.1.1``; empty where the server gave none."""
        found = _ENHANCED.match(self.text)
        return found[1] if found and found[1][0] == str(self.code)[0] else ""

    @property
    def temporary(self) -> bool:
        """Whether another try may be answered otherwise: 4xx."""
        return self.code // 100 == 4

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()
