"""The server's side of SMTP AUTH, as pure exchanges: what is asked, and whether somebody is let in.

Each is a generator: it yields challenges, is sent the answers to them, and returns whether the client is welcome.
"""

import base64
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Callable, Generator, Mapping

Logins = Mapping[str, str] | None
"""Passwords or tokens by user name; None lets everybody in, as far as a mechanism can without knowing a password."""

Questions = Generator[bytes, bytes, bool]

_NONCE = "the-server-s-own-part"
_SALT = b"salt of the scripted server"
_ROUNDS = 4096
_CHALLENGE = b"<4711.1@mail.test>"


def _plain(logins: Logins, initial: bytes | None) -> Questions:
    said = (yield b"") if initial is None else initial
    _, name, password = [*said.split(b"\0"), b"", b""][:3]
    return _knows(logins, name, password)


def _login(logins: Logins, initial: bytes | None) -> Questions:
    name = (yield b"Username:") if initial is None else initial
    password = yield b"Password:"
    return _knows(logins, name, password)


def _cram_md5(logins: Logins, _initial: bytes | None) -> Questions:
    name, _, digest = (yield _CHALLENGE).partition(b" ")
    password = (logins or {}).get(_text(name))
    return password is not None and digest == hmac.new(password.encode(), _CHALLENGE, "md5").hexdigest().encode()


def _scram_sha_256(logins: Logins, initial: bytes | None) -> Questions:
    """RFC 5802 section 3, without channel binding."""
    said = _text((yield b"") if initial is None else initial)
    if not said.startswith("n,,"):
        return False
    client_first = said.removeprefix("n,,")
    asked = _attributes(client_first)
    password = (logins or {}).get(asked.get("n", "").replace("=2C", ",").replace("=3D", "="))
    nonce = asked.get("r", "") + _NONCE
    server_first = f"r={nonce},s={base64.b64encode(_SALT).decode()},i={_ROUNDS}"
    client_final = _text((yield server_first.encode()))
    proven = _attributes(client_final)
    if password is None or proven.get("c") != "biws" or proven.get("r") != nonce:
        return False
    salted = hashlib.pbkdf2_hmac("sha256", unicodedata.normalize("NFKC", password).encode(), _SALT, _ROUNDS)
    agreed = f"{client_first},{server_first},{client_final.rpartition(',p=')[0]}".encode()
    key = _keyed(salted, b"Client Key")
    signature = _keyed(hashlib.sha256(key).digest(), agreed)
    if base64.b64encode(bytes(one ^ other for one, other in zip(key, signature, strict=True))).decode() != proven["p"]:
        return False
    yield b"v=" + base64.b64encode(_keyed(_keyed(salted, b"Server Key"), agreed))
    return True


def _xoauth2(logins: Logins, initial: bytes | None) -> Questions:
    told = _attributes(_text((yield b"") if initial is None else initial), apart="\1")
    return (yield from _by_token(logins, told.get("user", ""), told.get("auth", "")))


def _oauthbearer(logins: Logins, initial: bytes | None) -> Questions:
    """RFC 7628 section 3.1."""
    who, _, rest = _text((yield b"") if initial is None else initial).partition("\1")
    name = who.removeprefix("n,a=").removesuffix(",").replace("=2C", ",").replace("=3D", "=")
    return (yield from _by_token(logins, name, _attributes(rest, apart="\1").get("auth", "")))


def _by_token(logins: Logins, name: str, auth: str) -> Questions:
    """RFC 7628 section 3.2.2: what is wrong is told as a challenge, which the client answers before it hears the no."""
    if _knows(logins, name.encode(), auth.removeprefix("Bearer ").encode()):
        return True
    yield json.dumps({"status": "401", "schemes": "bearer", "scope": "https://mail.test/"}).encode()
    return False


MECHANISMS: dict[str, Callable[[Logins, bytes | None], Questions]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "SCRAM-SHA-256": _scram_sha_256,
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
}
"""What the scripted server can ask, by name; each is handed whom it lets in, and the initial response."""


def _knows(logins: Logins, name: bytes, secret: bytes) -> bool:
    return logins is None or (logins.get(_text(name)) == _text(secret) and _text(name) in logins)


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")


def _attributes(message: str, *, apart: str = ",") -> dict[str, str]:
    pairs = (pair.partition("=") for pair in message.split(apart))
    return {name: value for name, _, value in pairs}


def _keyed(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
