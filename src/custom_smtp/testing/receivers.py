"""The other side of webhooks that we send: receivers that believe only what is rightly signed, and a stand-in for HTTP.

They are written from the two specifications and share no code with the sender.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import define, field, frozen

from ..errors import MalformedError, UnverifiedError
from ..posts import Post, Posted

TOLERANCE = timedelta(minutes=5)
"""How old a post may be, and how far ahead of us its sender's clock."""


def _all(secrets: str | Iterable[str]) -> tuple[str, ...]:
    return (secrets,) if isinstance(secrets, str) else tuple(secrets)


@frozen
class StandardReceiver:
    """Receives Standard Webhooks (https://www.standardwebhooks.com).

    Attributes:
        secrets: ``whsec_...``, those that it knows.
    """

    secrets: tuple[str, ...] = field(converter=_all, repr=False)

    def read(self, post: Post, at: datetime, /) -> dict[str, Any]:
        """What is told by a post that comes at this moment.

        Raises:
            UnverifiedError: it is not signed with one of the secrets, or not for now.
            MalformedError: it is signed, and no JSON object.
        """
        headers = dict(post.headers)
        identifier, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        _require_now(stamp, at)
        signed = b".".join([identifier.encode(), stamp.encode(), post.body])
        given = [told.removeprefix("v1,") for told in headers.get("webhook-signature", "").split() if told[:3] == "v1,"]
        for secret in self.secrets:
            key = base64.b64decode(secret.removeprefix("whsec_"))
            expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            if identifier and any(hmac.compare_digest(expected, told) for told in given):
                return _object(post.body)
        raise UnverifiedError("no signature is made with a secret that is known here")


@frozen
class CustomerIoReceiver:
    """Receives Customer.io's reporting webhooks (docs.customer.io/api/webhooks).

    Attributes:
        signing_key: the webhook's.
    """

    signing_key: str = field(repr=False)

    def read(self, post: Post, at: datetime, /) -> dict[str, Any]:
        """What is told by a post that comes at this moment.

        Raises:
            UnverifiedError: it is not signed with the key, or not for now.
            MalformedError: it is signed, and no JSON object.
        """
        headers = dict(post.headers)
        stamp = headers.get("x-cio-timestamp", "")
        _require_now(stamp, at)
        signed = b":".join([b"v0", stamp.encode(), post.body])
        expected = hmac.new(self.signing_key.encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, headers.get("x-cio-signature", "")):
            raise UnverifiedError("the signature is not made with the key that is known here")
        return _object(post.body)


def _require_now(stamp: str, at: datetime) -> None:
    if not stamp.isdecimal() or len(stamp) > 11:
        raise UnverifiedError("the post does not say when it was signed")
    if abs(at - datetime.fromtimestamp(int(stamp), UTC)) > TOLERANCE:
        raise UnverifiedError(f"the post was signed more than {TOLERANCE} before or after it came")


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError as error:
        raise MalformedError("the body is no JSON") from error
    if not isinstance(told, dict):
        raise MalformedError("the body is no JSON object")
    return told


def _takes_everything(_post: Post) -> int:
    return 200


@define
class RecordingPosts:
    """A `ports.Posts` that posts nothing, and remembers what it was given.

    Attributes:
        answers: what each is answered: a status, or all that came of it.
        posted: every post, taken or not, in order.
    """

    answers: Callable[[Post], int | Posted] = _takes_everything
    posted: list[Post] = field(factory=list, init=False)

    def post(self, post: Post, /) -> Posted:
        """Remember it, and answer."""
        self.posted.append(post)
        answer = self.answers(post)
        return answer if isinstance(answer, Posted) else Posted(status=answer)

    def bodies(self) -> list[Mapping[str, Any]]:
        """What every post told, as JSON."""
        return [_object(post.body) for post in self.posted]
