"""What proves that a request is a provider's, and the secrets that an adapter may hold for it.

Nothing of a request is believed, parsed or logged before its proof. What a refusal says is for logs: it names the part
that is missing or differs, and never holds a secret, nor what was sent in place of one.
"""

import hmac
from binascii import a2b_base64
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from attrs import Attribute

from .checks import Check
from .errors import ConfigurationError, UnverifiedError
from .web import Request

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of ours a sender's clock may run."""


# ---- what an adapter holds -------------------------------------------------------------------------------------------


def a_secret(what: str, kind: type[str] | type[bytes] = str) -> Check:
    """The attrs validator for an adapter's secret: an empty one would let everybody in, so it cannot be."""

    def check(_instance: object, _attribute: "Attribute[Any]", secret: object) -> None:
        _not_empty(secret, what, kind)

    return check


def secrets_of(given: str | Iterable[str]) -> tuple[str, ...]:
    """The attrs converter for a secret that may be several at once, as while an old one gives way to a new one."""
    return (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)


def some_secrets(what: str) -> Check:
    """The attrs validator for what `secrets_of` made: at least one, and none of them empty."""

    def check(_instance: object, _attribute: "Attribute[Any]", secrets: tuple[object, ...]) -> None:
        if not secrets:
            raise ConfigurationError(f"{what} is missing: take it from the provider's settings")
        for secret in secrets:
            _not_empty(secret, what, str)

    return check


def if_given(check: Check) -> Check:
    """The attrs validator for what may be left out: as this one, where it is there."""
    return lambda instance, attribute, value: check(instance, attribute, value) if value else None


def a_user_name(what: str) -> Check:
    """The attrs validator for the user name of basic auth: not empty, and without a ``:`` (RFC 7617 section 2)."""

    def check(_instance: object, _attribute: "Attribute[Any]", name: object) -> None:
        _not_empty(name, what, str)
        if ":" in str(name):
            raise ConfigurationError(f"{what} holds a ':', which basic auth cannot carry: take it out")

    return check


def an_age(_instance: object, attribute: "Attribute[Any]", span: object) -> None:
    """The attrs validator for how old a proof may be."""
    if not isinstance(span, timedelta) or span <= timedelta(0):
        raise ConfigurationError(
            f"{attribute.name} is {span!r}: give a timedelta above zero, such as timedelta(hours=1)"
        )


def _not_empty(secret: object, what: str, kind: type[str] | type[bytes]) -> None:
    if not isinstance(secret, kind):
        raise ConfigurationError(f"{what} is {type(secret).__name__}: give it as {kind.__name__}")
    if not secret.strip():
        raise ConfigurationError(
            f"{what} is empty: take it from the provider's settings; without it anybody is believed"
        )


# ---- what a request brings -------------------------------------------------------------------------------------------


def require_basic_auth(request: Request, username: str, password: str, *other_passwords: str) -> None:
    """Return if the request carries this user name and one of the passwords (RFC 7617), compared in constant time.

    Raises:
        UnverifiedError: it carries others, or none.
        ConfigurationError: the user name or a password to compare with is empty.
    """
    given = request.headers.get("authorization", "").strip()
    scheme, _, encoded = given.partition(" ")
    try:
        told = a2b_base64(encoded.strip(), strict_mode=True)
    except ValueError:
        told = b""
    known = False
    for one in (password, *other_passwords):
        if not (username and one) or username.isspace() or one.isspace():
            _not_empty(username, "the webhook's user name", str)
            _not_empty(one, "the webhook's password", str)
        known |= hmac.compare_digest(told, f"{username}:{one}".encode(errors="surrogatepass"))
    if not known or scheme.lower() != "basic":
        raise UnverifiedError(
            _why_no_basic_auth(scheme, told, username, 1 + len(other_passwords)),
            challenge='Basic realm="reports", charset="UTF-8"',
        )


def _why_no_basic_auth(scheme: str, told: bytes, username: str, passwords: int) -> str:
    if not scheme:
        return "the request carries no Authorization header: put both into the URL that the provider is given"
    if scheme.lower() != "basic":
        return "the request's Authorization header is of another scheme than Basic"
    name, colon, _ = told.partition(b":")
    if not colon:
        return "the request's Authorization header holds no user name and password (RFC 7617)"
    if not hmac.compare_digest(name, username.encode(errors="surrogatepass")):
        return "the request's Authorization header carries another user name"
    which = "another password" if passwords == 1 else f"none of the {passwords} passwords"
    return f"the request's Authorization header carries the right user name and {which}"


def is_one_of(given: str, secret: str, *other_secrets: str) -> bool:
    """Whether this is one of the secrets, as a token that comes in a header; each compared in constant time.

    Raises:
        ConfigurationError: a secret to compare with is empty.
    """
    secrets = (secret, *other_secrets)
    for one in secrets:
        _not_empty(one, "the webhook's secret", str)
    text = given.encode(errors="surrogatepass")
    found = [hmac.compare_digest(text, one.encode(errors="surrogatepass")) for one in secrets]
    return any(found)


def require_bearer(request: Request, token: str, *other_tokens: str) -> None:
    """Return if the request carries one of these tokens (RFC 6750), compared in constant time.

    Raises:
        UnverifiedError: it carries another, or none.
        ConfigurationError: a token to compare with is empty.
    """
    given = bearer_in(request)
    if not is_one_of(given, token, *other_tokens):
        raise UnverifiedError(
            "the request's Authorization header carries another Bearer token"
            if given
            else "the request carries no Authorization header with a Bearer token",
            challenge='Bearer realm="reports"',
        )


def bearer_in(request: Request) -> str:
    """The token that the request carries (RFC 6750); empty where it carries none."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def require_hmac_sha256(key: bytes, body: bytes, hex_digest: str) -> None:
    """Return if the digest is the HMAC-SHA256 of the body under this key, compared in constant time.

    Raises:
        UnverifiedError: it is not.
        ConfigurationError: the key is empty.
    """
    _not_empty(key, "the webhook's key", bytes)
    if not _is_digest(hex_digest, body, (key,)):
        raise UnverifiedError(
            "the request's digest does not match its body: check the key, and that no proxy alters bodies"
        )


def is_hmac_sha256(body: bytes, hex_digest: str, secret: str, *other_secrets: str) -> bool:
    """Whether the digest is the HMAC-SHA256 of the body under one of the secrets; each compared in constant time.

    Raises:
        ConfigurationError: a secret is empty.
    """
    secrets = (secret, *other_secrets)
    for one in secrets:
        _not_empty(one, "the webhook's secret", str)
    return _is_digest(hex_digest, body, [one.encode(errors="surrogatepass") for one in secrets])


def _is_digest(told: str, body: bytes, keys: Iterable[bytes]) -> bool:
    given = told.strip().lower().encode(errors="replace")
    found = [hmac.compare_digest(hmac.digest(key, body, "sha256").hex().encode(), given) for key in keys]
    return any(found)


def require_fresh(request: Request, stamped: datetime, max_age: timedelta) -> None:
    """Return if the request was stamped at most ``max_age`` before it came, and not ahead of our clock.

    Raises:
        UnverifiedError: it is older, or from the future, or nobody said when it came.
    """
    if request.received_at is None:
        raise UnverifiedError(
            "nobody says when the request came: hand it to a FeedbackEndpoint, or give the Request a received_at"
        )
    age = request.received_at - stamped
    if age > max_age:
        raise UnverifiedError(f"the request was stamped {age} before it came, and at most {max_age} is believed")
    if age.days < 0 and -age > min(max_age, CLOCK_SKEW):
        raise UnverifiedError(f"the request was stamped {-age} after it came: check the clocks")
