"""Logging in: SMTP AUTH's mechanisms (RFC 4954) as pure exchanges of bytes."""

from collections.abc import Callable
from typing import Protocol

from attrs import define, field

from .errors import AuthError
from .servers import Credentials


class Exchange(Protocol):
    """One login. ``initial`` goes with the AUTH command; None where the server speaks first."""

    @property
    def initial(self) -> bytes | None:
        """What is said unasked."""
        ...

    def respond(self, challenge: bytes, /) -> bytes:
        """What is said to a challenge.

        Raises:
            AuthError: the mechanism has nothing more to say: cancel.
        """
        ...


@define
class Plain:
    """PLAIN (RFC 4616): everything at once."""

    credentials: Credentials

    @property
    def initial(self) -> bytes:
        """No authorisation identity, the user name, the password."""
        return f"\0{self.credentials.username}\0{self.credentials.password}".encode()

    def respond(self, _challenge: bytes, /) -> bytes:
        """PLAIN has said everything already."""
        raise AuthError("the server asks for more than PLAIN has to say")


@define
class Login:
    """LOGIN: never a standard, and the only one that some servers offer. First the user name, then the password."""

    credentials: Credentials
    _left: list[str] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._left = [self.credentials.password, self.credentials.username]

    @property
    def initial(self) -> None:
        """The server asks first."""
        return

    def respond(self, _challenge: bytes, /) -> bytes:
        """The user name to the first question, the password to the second, whatever they are worded like."""
        if not self._left:
            raise AuthError("the server asks for more than a user name and a password")
        return self._left.pop().encode()


MECHANISMS: dict[str, Callable[[Credentials], Exchange]] = {"PLAIN": Plain, "LOGIN": Login}
"""What we speak, best first. One is chosen and tried once: a second try with the same password locks accounts."""


def choose(offered: frozenset[str]) -> str:
    """The best mechanism that the server offers.

    Raises:
        AuthError: it offers none that we speak.
    """
    for name in MECHANISMS:
        if name in offered:
            return name
    raise AuthError(
        f"the server offers no login that we speak: it has {', '.join(sorted(offered)) or 'none'}, "
        f"and we have {', '.join(MECHANISMS)}"
    )
