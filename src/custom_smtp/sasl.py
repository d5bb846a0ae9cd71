"""Logging in: SMTP AUTH's mechanisms (RFC 4954) as pure exchanges of bytes."""

import base64
import hashlib
import hmac
import re
import stringprep
import unicodedata
from collections.abc import Callable
from typing import Protocol
from urllib.parse import quote_from_bytes

from attrs import define, field

from .errors import AuthError, Retry
from .replies import Reply
from .servers import Credentials, OAuthCredentials


class Exchange(Protocol):
    """One login. ``initial`` goes with the AUTH command; None where the server speaks first."""

    @property
    def initial(self) -> bytes | None:
        """What is said unasked."""
        ...

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What must not be shown, should the server repeat it: as it is, and as it is spelled on the wire."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the server may let us in now; SCRAM first wants its proof."""
        ...

    def respond(self, challenge: bytes, /) -> bytes:
        """What is said to a challenge.

        Raises:
            AuthError: the mechanism has nothing to say to it: cancel.
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

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The password, alone and with what it is said with."""
        name, word = self.credentials.username.encode(), self.credentials.password.encode()
        return _spellings(word, self.initial, name + b":" + word)

    @property
    def complete(self) -> bool:
        """Nothing is asked of the server but its yes."""
        return True

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

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The password."""
        return _spellings(self.credentials.password.encode())

    @property
    def complete(self) -> bool:
        """Nothing is asked of the server but its yes."""
        return True

    def respond(self, _challenge: bytes, /) -> bytes:
        """The user name to the first question, the password to the second, whatever they are worded like."""
        if not self._left:
            raise AuthError("the server asks for more than a user name and a password")
        return self._left.pop().encode()


@define
class CramMd5:
    """CRAM-MD5 (RFC 2195): the password does not travel, but MD5 is broken. Spoken only where it is asked for."""

    credentials: Credentials
    _answered: bool = field(default=False, init=False)

    @property
    def initial(self) -> None:
        """The server asks first."""
        return

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The password."""
        return _spellings(self.credentials.password.encode())

    @property
    def complete(self) -> bool:
        """Nothing is asked of the server but its yes."""
        return True

    def respond(self, challenge: bytes, /) -> bytes:
        """The user name, and the challenge keyed with the password."""
        if self._answered:
            raise AuthError("the server asks for more than CRAM-MD5 has to say")
        self._answered = True
        try:
            digest = hmac.new(self.credentials.password.encode(), challenge, "md5").hexdigest()
        except ValueError as error:
            raise AuthError("this machine's cryptography forbids CRAM-MD5: choose another mechanism") from error
        return f"{self.credentials.username} {digest}".encode()


@define
class ScramSha256:
    """SCRAM-SHA-256 (RFC 5802, RFC 7677): the password does not travel, and the server proves that it knows it too."""

    credentials: Credentials
    nonce: str
    _server_proof: bytes = field(default=b"", init=False, repr=False)
    _step: int = field(default=0, init=False)
    _proven: bool = field(default=False, init=False)

    @property
    def initial(self) -> bytes:
        """The user name and our nonce, without channel binding."""
        return f"n,,{self._first_bare}".encode()

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The password."""
        return _spellings(self.credentials.password.encode())

    @property
    def complete(self) -> bool:
        """Whether the server has proven that it knows the password."""
        return self._proven

    def respond(self, challenge: bytes, /) -> bytes:
        """Our proof first; then nothing, once the server's own proof is found right."""
        self._step += 1
        told = _attributes(challenge)
        if self._step == 1:
            return self._prove(challenge.decode("utf-8", "replace"), told)
        if self._step == 2 and hmac.compare_digest(_unspelled(told.get("v", "")), self._server_proof):
            self._proven = True
            return b""
        raise AuthError("the server does not prove that it knows the password")

    @property
    def _first_bare(self) -> str:
        name = _prepared(self.credentials.username).replace("=", "=3D").replace(",", "=2C")
        return f"n={name},r={self.nonce}"

    def _prove(self, first: str, told: dict[str, str]) -> bytes:
        nonce, salt, rounds = told.get("r", ""), _unspelled(told.get("s", "")), told.get("i", "")
        # RFC 5802 section 5.1: an attribute m is an extension that nobody may pass over.
        if not nonce.startswith(self.nonce) or nonce == self.nonce or not salt or "m" in told:
            raise AuthError("the server's SCRAM challenge is none")
        if not _ROUNDS.fullmatch(rounds) or not _FEWEST_ROUNDS <= int(rounds) <= _MOST_ROUNDS:
            raise AuthError(f"the server's SCRAM challenge wants {rounds[:20]!r} rounds")
        salted = hashlib.pbkdf2_hmac("sha256", _prepared(self.credentials.password).encode(), salt, int(rounds))
        without_proof = f"c=biws,r={nonce}"
        said = f"{self._first_bare},{first},{without_proof}".encode()
        client_key = _keyed(salted, b"Client Key")
        signature = _keyed(hashlib.sha256(client_key).digest(), said)
        proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        self._server_proof = _keyed(_keyed(salted, b"Server Key"), said)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()


@define
class XOAuth2:
    """XOAUTH2, as Google and Microsoft speak it (Google Workspace, "XOAUTH2 mechanism")."""

    credentials: OAuthCredentials
    _token: str = field(init=False, repr=False)
    _refused: bool = field(default=False, init=False)

    @_token.default
    def _fresh(self) -> str:
        return fresh_token(self.credentials)

    @property
    def initial(self) -> bytes:
        """The user name and the token."""
        return f"user={self.credentials.username}\1auth=Bearer {self._token}\1\1".encode()

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The token, alone and with what it is said with."""
        return _spellings(self._token.encode(), self.initial)

    @property
    def complete(self) -> bool:
        """Nothing is asked of the server but its yes."""
        return True

    def respond(self, _challenge: bytes, /) -> bytes:
        """An empty answer to the server's error, which then says no in words."""
        if self._refused:
            raise AuthError("the server asks for more than a token")
        self._refused = True
        return b""


@define
class OAuthBearer:
    """OAUTHBEARER (RFC 7628)."""

    credentials: OAuthCredentials
    _token: str = field(init=False, repr=False)
    _refused: bool = field(default=False, init=False)

    @_token.default
    def _fresh(self) -> str:
        return fresh_token(self.credentials)

    @property
    def initial(self) -> bytes:
        """The user name and the token."""
        name = self.credentials.username.replace("=", "=3D").replace(",", "=2C")
        return f"n,a={name},\1auth=Bearer {self._token}\1\1".encode()

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The token, alone and with what it is said with."""
        return _spellings(self._token.encode(), self.initial)

    @property
    def complete(self) -> bool:
        """Nothing is asked of the server but its yes."""
        return True

    def respond(self, _challenge: bytes, /) -> bytes:
        """One octet to the server's error, which then says no in words (section 3.2.3)."""
        if self._refused:
            raise AuthError("the server asks for more than a token")
        self._refused = True
        return b"\1"


_ROUNDS = re.compile(r"[1-9][0-9]{0,8}")  # RFC 5802 section 7: no zero in front
_FEWEST_ROUNDS = 4096  # RFC 7677 section 4
_MOST_ROUNDS = 1_000_000

BY_PASSWORD: dict[str, Callable[[Credentials, str], Exchange]] = {
    "PLAIN": lambda credentials, _nonce: Plain(credentials),
    "LOGIN": lambda credentials, _nonce: Login(credentials),
    "SCRAM-SHA-256": ScramSha256,
    "CRAM-MD5": lambda credentials, _nonce: CramMd5(credentials),
}
"""What we speak with a password, in the order in which it is chosen.

PLAIN stands first, since it is always inside TLS, and since many servers offer SCRAM without knowing every user by it.
"""

BY_TOKEN: dict[str, Callable[[OAuthCredentials], Exchange]] = {"OAUTHBEARER": OAuthBearer, "XOAUTH2": XOAuth2}
"""What we speak with a token, in the order in which it is chosen."""

ON_REQUEST = frozenset({"CRAM-MD5"})
"""What is never chosen unless it is asked for by name."""


def begin(credentials: Credentials | OAuthCredentials, offered: frozenset[str], nonce: str) -> tuple[str, Exchange]:
    """The one mechanism to try, by name, and its exchange: a second try with the same password locks accounts.

    Raises:
        AuthError: the server offers none that we speak, or not the one that was asked for.
    """
    spoken = BY_PASSWORD if isinstance(credentials, Credentials) else BY_TOKEN
    usual = [name for name in spoken if name not in ON_REQUEST]
    wanted = [credentials.mechanism] if credentials.mechanism else usual
    name = next((each for each in wanted if each in offered), None)
    if name is None:
        raise AuthError(
            f"the server offers no login that we speak: it has {', '.join(sorted(offered)) or 'none'}, "
            f"and we have {', '.join(wanted)}"
        )
    if isinstance(credentials, Credentials):
        return name, BY_PASSWORD[name](credentials, nonce)
    return name, BY_TOKEN[name](credentials)


def spelled(said: bytes) -> str:
    """An answer as it stands on the wire (RFC 4954 section 4)."""
    return base64.b64encode(said).decode()


def challenge_of(reply: Reply) -> bytes:
    """What a 334 asks.

    Raises:
        AuthError: it is not base64.
    """
    try:
        return base64.b64decode(reply.text, validate=True)
    except ValueError as error:
        # Not a word of it is shown: it may be what we said, sent back.
        raise AuthError("the server's challenge is not base64") from error


def _spellings(*secrets: bytes) -> tuple[bytes, ...]:
    """Secrets as they are, in base64, and percent-encoded; the longest first, so that none hides another."""
    found = {
        spelling
        for secret in secrets
        for spelling in (secret, base64.b64encode(secret).rstrip(b"="), quote_from_bytes(secret, safe="").encode())
    }
    return tuple(sorted(found, key=len, reverse=True))


def fresh_token(credentials: OAuthCredentials) -> str:
    """The token, asked for now.

    Raises:
        AuthError: there is none, which may be otherwise later; or it cannot be one.
    """
    try:
        token = credentials.token()
    except Exception as error:
        raise AuthError(f"no token was to be had: {type(error).__name__}", retry=Retry.LATER) from error
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise AuthError("the token is empty, or holds what a bearer token cannot (RFC 6750 section 2.1)")
    return token


def _attributes(message: bytes) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in message.decode("utf-8", "replace").split(","))
    return {name: value for name, _, value in pairs}


def _unspelled(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _keyed(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _prepared(text: str) -> str:
    """SASLprep in the main (RFC 4013): no unseen letters, other spaces as spaces, compatibility forms as one."""
    seen = (each for each in text if not stringprep.in_table_b1(each))
    return unicodedata.normalize("NFKC", "".join(" " if unicodedata.category(each) == "Zs" else each for each in seen))
