"""The tree of errors, and what each tells its caller."""

import inspect
import pickle
import re
from copy import deepcopy

import pytest

from custom_smtp import Reply, errors
from custom_smtp.errors import (
    ArchiveError,
    AuthError,
    ConfigurationError,
    ConnectError,
    CustomSmtpError,
    MailboxError,
    MailError,
    MalformedError,
    RefusedError,
    ResolveError,
    Retry,
    RouteError,
    SigningError,
    Step,
    TlsError,
    TokenError,
    TransportError,
    UncertainError,
    UncheckedError,
    UnrecordedError,
    UnverifiedError,
)

ONE_OF_EACH = [
    ConfigurationError("port 25"),
    MailError("no body"),
    RouteError("no such type", campaign="reciepts"),
    TransportError("gone"),
    ConnectError("no route"),
    TlsError("stripped", retry=Retry.NEVER),
    AuthError("not taken", reply=Reply(535, "5.7.8 no")),
    RefusedError(Reply(550, "5.1.1 no such user"), at=Step.RCPT),
    UncertainError("the line broke"),
    SigningError("the service is away"),
    UnrecordedError("disk full", outcome=Reply(250)),
    TokenError("not ours", expired=True),
    UnverifiedError("no proof"),
    MalformedError("no JSON"),
    UncheckedError("no certificate"),
    ArchiveError("disk full"),
    MailboxError("the line broke"),
    ResolveError("timed out"),
]


def _drawn() -> dict[str, str]:
    """The tree as the module's docstring draws it: each error with its parent."""
    assert errors.__doc__
    parents: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        if not (found := re.match(r"    ([| `-]*)([A-Z]\w+Error)\b", line)):
            continue
        depth, name = len(found[1]) // 3, found[2]
        stack = [(at, other) for at, other in stack if at < depth]
        if stack:
            parents[name] = stack[-1][1]
        stack.append((depth, name))
    return parents


def test_the_tree_that_is_drawn_is_the_tree_that_is() -> None:
    raised = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CustomSmtpError)]
    assert _drawn() == {kind.__name__: kind.__bases__[0].__name__ for kind in raised if kind is not CustomSmtpError}


def test_every_public_name_is_listed() -> None:
    defined = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__}
    assert defined - set(errors.__all__) == set()


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: type(error).__name__)
def test_every_error_crosses_a_process_whole(error: CustomSmtpError) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), deepcopy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


@pytest.mark.parametrize(
    ("error", "retry"),
    [
        (ConnectError("no route"), Retry.LATER),
        (TlsError("no handshake"), Retry.LATER),
        (TlsError("bad certificate", retry=Retry.NEVER), Retry.NEVER),
        (AuthError("no"), Retry.NEVER),
        (AuthError("no", reply=Reply(535)), Retry.NEVER),
        (AuthError("not now", reply=Reply(454)), Retry.LATER),
        (AuthError("no common mechanism", retry=Retry.LATER), Retry.LATER),
        (RefusedError(Reply(451), at=Step.RCPT), Retry.LATER),
        (RefusedError(Reply(550), at=Step.RCPT), Retry.NEVER),
        (UncertainError("the line broke"), Retry.RISKY),
    ],
)
def test_each_way_to_fail_says_what_another_try_would_do(error: TransportError, retry: Retry) -> None:
    assert error.retry is retry
    assert error.earlier == ()


def test_a_refusal_says_where_and_what() -> None:
    refused = RefusedError(Reply(550, "5.1.1 no such user"), at=Step.RCPT)
    assert str(refused) == "refused at rcpt: 550 5.1.1 no such user"
    assert (refused.at, refused.reply.enhanced) == (Step.RCPT, "5.1.1")


def test_callers_who_know_only_python_can_catch_them() -> None:
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(MailError, ValueError)
    assert issubclass(TokenError, ValueError)
    assert issubclass(RouteError, LookupError)
