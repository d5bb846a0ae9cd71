"""The way in for what providers report: the endpoint, and what adapters share.

It knows no provider. An adapter proves a request first (`require_basic_auth`, `require_hmac_sha256`, `require_fresh`),
then reads its body (`json_body`) and turns each report into an event (`events_of`). Nothing of a request is believed,
parsed or logged before its proof.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import Attribute, Factory, evolve, field, frozen

from ._webhook_inspection import Inspection, Refusal, what_came, what_was_told, why_refused
from ._webhook_marks import folding_json, json_header, json_object_in, marked, with_id, with_json_header
from ._webhook_proofs import (
    CLOCK_SKEW,
    a_secret,
    a_user_name,
    an_age,
    bearer_in,
    if_given,
    is_hmac_sha256,
    is_one_of,
    require_basic_auth,
    require_bearer,
    require_fresh,
    require_hmac_sha256,
    secrets_of,
    some_secrets,
)
from ._webhook_reports import (
    BATCH_LIMIT,
    DEPTH_LIMIT,
    NO_REPORT,
    UNKNOWN_TIME,
    bare_address,
    came_at,
    delivery_id_in_message_id,
    enhanced_status,
    events_of,
    json_body,
    json_reports,
    moment,
    synthetic_key,
    text_in,
    told_cause,
)
from .errors import ConfigurationError, MalformedError, UncheckedError, UnverifiedError, WebhookError
from .events import Event
from .identifiers import delivery_id_in
from .ports import Clock, Feedback
from .system import utc_now
from .web import BODY_LIMIT, Answer, Request, Response

__all__ = [
    # the endpoint
    "FeedbackEndpoint",
    "Inspection",
    # proofs
    "CLOCK_SKEW",
    "a_secret",
    "secrets_of",
    "if_given",
    "some_secrets",
    "a_user_name",
    "an_age",
    "require_basic_auth",
    "is_one_of",
    "require_bearer",
    "bearer_in",
    "require_hmac_sha256",
    "is_hmac_sha256",
    "require_fresh",
    # bodies, and what stands in a report
    "BATCH_LIMIT",
    "DEPTH_LIMIT",
    "NO_REPORT",
    "UNKNOWN_TIME",
    "json_body",
    "json_reports",
    "events_of",
    "text_in",
    "bare_address",
    "came_at",
    "moment",
    "enhanced_status",
    "told_cause",
    "synthetic_key",
    "delivery_id_in",
    "delivery_id_in_message_id",
    # marks
    "marked",
    "with_json_header",
    "with_id",
    "json_header",
    "json_object_in",
    "folding_json",
]

_logger = logging.getLogger(__name__)

Accounts = Feedback | Sequence[Feedback]
"""An adapter, or those of several accounts that post to one URL."""


def _a_size(_instance: object, attribute: "Attribute[Any]", size: int) -> None:
    if not isinstance(size, int) or size < 1:
        raise ConfigurationError(f"{attribute.name} is {size!r}: give a number of bytes, such as {BODY_LIMIT}")


def _by_path(endpoint: "FeedbackEndpoint") -> Mapping[str, tuple[Feedback, ...]]:
    """Who may have posted to each path; to any, by ``""``."""
    given = endpoint.feedback
    if not isinstance(given, Mapping):
        return {"": _accounts(given)}
    for path in given:
        if not isinstance(path, str) or not path.startswith("/") or (path != "/" and path.endswith("/")):
            raise ConfigurationError(
                f"{path!r} is no path below the mount: write '/postmark', with no slash at its end"
            )
    if not given:
        raise ConfigurationError('no provider is given: write FeedbackEndpoint({"/postmark": Postmark(...)})')
    return {path: _accounts(accounts) for path, accounts in given.items()}


def _accounts(given: Accounts) -> tuple[Feedback, ...]:
    several = tuple(given) if isinstance(given, Iterable) else (given,)
    for one in several:
        if not callable(getattr(one, "read", None)) or not isinstance(getattr(one, "name", None), str):
            raise ConfigurationError(
                f"a {type(one).__name__} is no provider's adapter: give one with read() and a name"
            )
    if not several:
        raise ConfigurationError("no account is given for a path: leave it out, or give an adapter")
    return several


@frozen
class FeedbackEndpoint:
    """Answers providers' webhooks: one provider's, or those of several accounts and providers.

    One adapter answers at every path below the mount. Several accounts that post to one URL are given together; the
    first that believes a request reads it. Several URLs are given by their paths::

        FeedbackEndpoint({"/postmark": (Postmark(...), Postmark(...)), "/sendgrid": SendGrid(...)})

    Many providers look whether a URL is there before they use it, so GET and HEAD are answered 200. What is posted is
    answered 200 with its events, which the door records before it responds; 401 where the sender is not proven; 400
    where the body is no report; 413 where it is too large; 503 where the proof could not be looked at. Anything else is
    a 405, and a path that nobody was given for a 404.

    Attributes:
        feedback: the provider's adapter, or several, or either by path.
        clock: says when a request came, where its door did not.
        body_limit: bytes of a body that are looked at.
        inspects: writes an `Inspection` of each refused request to the log.

    Raises:
        ConfigurationError: there is no adapter, or a path or a limit cannot be.
    """

    feedback: Accounts | Mapping[str, Accounts]
    clock: Clock = field(default=utc_now, kw_only=True)
    body_limit: int = field(default=BODY_LIMIT, kw_only=True, validator=_a_size)
    inspects: bool = field(default=False, kw_only=True)
    _accounts_at: Mapping[str, tuple[Feedback, ...]] = field(
        init=False, default=Factory(_by_path, takes_self=True), repr=False, eq=False
    )

    def answer(self, request: Request, /) -> Answer:
        """Prove, read and answer; nothing is recorded here."""
        accounts = self._accounts_for(request)
        if unread := self._unread(request, accounts):
            _log_unread(unread, request, accounts)
            return Answer(unread)
        request = self._dated(request)
        events, refusals = _read(accounts, request)
        if events is not None:
            return Answer(_TAKEN, events)
        for line in why_refused(refusals, accounts=len(accounts)):
            _logger.warning("%s", line)
        if self.inspects:
            _logger.warning("%s", self._inspection(request, accounts, events, refusals))
        return Answer(_refusal(refusals))

    def inspect(self, request: Request, /) -> Inspection:
        """What this request is answered and why, to print. Nothing is recorded; never send it to whoever asked."""
        request, accounts = self._dated(request), self._accounts_for(request)
        if unread := self._unread(request, accounts):
            return Inspection(unread.status, (*self._why_unread(unread.status), *what_came(request)))
        return self._inspection(request, accounts, *_read(accounts, request))

    def _accounts_for(self, request: Request) -> tuple[Feedback, ...]:
        """Who may have posted there."""
        places = self._accounts_at
        return places.get("") or places.get(request.path.rstrip("/") or "/", ())

    def _unread(self, request: Request, accounts: tuple[Feedback, ...]) -> Response | None:
        """The answer to what needs no reading."""
        if not accounts:
            return _NOT_FOUND
        if request.method != "POST":
            return _TAKEN if request.method in ("GET", "HEAD") else _NOT_ALLOWED
        return _TOO_LARGE if len(request.body) > self.body_limit else None

    def _dated(self, request: Request) -> Request:
        return request if request.received_at is not None else evolve(request, received_at=self.clock())

    def _inspection(
        self,
        request: Request,
        accounts: tuple[Feedback, ...],
        events: tuple[Event, ...] | None,
        refusals: Sequence[Refusal],
    ) -> Inspection:
        why = (*why_refused(refusals, accounts=len(accounts)), *what_came(request))
        if events is None:
            return Inspection(_refusal(refusals).status, why)
        return Inspection(200, (f"{accounts[len(refusals)].name}: {what_was_told(events)}", *why))

    def _why_unread(self, status: int) -> tuple[str, ...]:
        return {
            200: ("GET and HEAD ask whether the URL is there, and tell nothing",),
            404: (f"no provider was given for the path; there are {', '.join(self._accounts_at)}",),
            405: ("reports come by POST",),
            413: (f"the body is larger than {self.body_limit} bytes",),
        }[status]


def _read(accounts: Iterable[Feedback], request: Request) -> tuple[tuple[Event, ...] | None, list[Refusal]]:
    """What the first account that believes a request reads in it; None where none does; and what each said before."""
    refusals: list[Refusal] = []
    for account in accounts:
        try:
            return tuple(account.read(request)), refusals
        except WebhookError as error:
            refusals.append((account.name, error))
        except RecursionError:  # what was just shallow enough to be parsed
            refusals.append((account.name, MalformedError("the body is nested too deep")))
    return None, refusals


_TAKEN = Response(200)
_NOT_FOUND = Response(404)
_NOT_ALLOWED = Response(405, (("allow", "GET, HEAD, POST"),))
_TOO_LARGE = Response(413)


def _log_unread(unread: Response, request: Request, accounts: tuple[Feedback, ...]) -> None:
    if unread is _TOO_LARGE:
        _logger.warning("%s: a body of %d bytes is refused", accounts[0].name, len(request.body))


def _refusal(refusals: Iterable[Refusal]) -> Response:
    """One answer to what several accounts said: what another try could mend goes first."""
    errors = [error for _, error in refusals]
    if any(isinstance(error, UncheckedError) for error in errors):
        return Response(503)
    unproven = [error for error in errors if isinstance(error, UnverifiedError)]
    if len(unproven) < len(errors):  # believed by one, and not understood
        return Response(400)
    challenge = next((error.challenge for error in unproven if error.challenge), "")
    return Response(401, (("www-authenticate", challenge),) if challenge else ())
