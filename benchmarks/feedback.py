"""How fast providers' reports and bounce mail become events; their peers: django-anymail, flufl.bounce, the parser.

    python benchmarks/feedback.py [--rounds N] [--seconds S] [--only PROVIDER ...]

In each round every contestant has its turn, in an order that rotates, so that whatever else the machine does falls on
all of them. Ratios are taken within a round; what is printed is the median of the rounds, with the least and the most.
The clock is the CPU's.

The reports are the samples of the tests, which are written from the providers' documentation: of Mailgun and Postmark,
which post one at a time, each is a request; of the others one request holds twenty. Whoever reads them proves them
too, each by a secret of its own, and its events are made and thrown away; before the clock starts, both sides are held
to tell as many events as there are reports.

- "request ready": what the web server hands over is there, be it our `Request` or Django's, its form decoded.
- "in all": from the bytes and headers on, over the endpoint or Django's view, to the answer.
- The limit is `json.loads` over all JSON that there is, that inside of Mailjet's payloads and of forms with it. For
  SendGrid it is held against the same request proven by a token, since an ECDSA signature costs more than all the rest.

Bounce mail is read one after another; the standard parser's walk is what any reader pays that parses a mail first and
looks for its parts then. The bound is on reports (RFC 3464) of the size that it was set by, some 6 KB, which are made
in the forms of two servers (``bounce_forms.py``). Beside them stand the mails of the tests (flufl.bounce's own among
them): small reports, letters, and all together. They differ: of a report a few fields tell all, and the larger the mail
that it returns, the longer is the walk; a letter is one part, nothing to the walk, and has to be read word by word.

It needs ``pip install -r benchmarks/feedback.peers.txt``.
"""

import base64
import gc
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from functools import partial
from importlib import import_module
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from attrs import evolve
from bounce_forms import made_reports
from contests import (
    BOUNDS_HEAD,
    Round,
    asked,
    bound_row,
    conditions,
    in_turns,
    ratios_of,
    require_peers,
    times_a_second,
)
from figures import held, spread

from custom_smtp import bounces
from custom_smtp.ports import Feedback
from custom_smtp.providers.mailgun import Mailgun
from custom_smtp.providers.mailjet import Mailjet
from custom_smtp.providers.mandrill import Mandrill
from custom_smtp.providers.postmark import Postmark
from custom_smtp.providers.sendgrid import SendGrid
from custom_smtp.providers.sparkpost import SparkPost
from custom_smtp.testing.webhooks import (
    MailgunSigner,
    SendGridSigner,
    mailjet_request,
    mandrill_request,
    postmark_request,
    sparkpost_request,
)
from custom_smtp.web import Request
from custom_smtp.webhooks import FeedbackEndpoint

SAMPLES = Path(__file__).parent.parent / "tests" / "providers"
PEERS = {"django-anymail": "anymail", "Django": "django", "flufl.bounce": "flufl.bounce"}
BATCH = 20

USER, PASSWORD = "reports", "a-long-random-password"
URL = "https://hooks.shop.example/mandrill"
KEY = "a-webhook-key"
NOW = datetime.now(UTC)
"""Peers look at the clock of the machine."""


# --- What is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contest:
    """One provider's requests, and who reads them.

    Attributes:
        name: the provider's.
        adapter: ours.
        requests: as they come.
        view: the peer's class, by the module's name and its own.
        options: what the peer has instead of settings.
        inner: all the JSON that there is.
        unsigned: reads the same without its signature's mathematics, where those are told apart.
    """

    name: str
    adapter: Feedback
    requests: Sequence[Request]
    view: tuple[str, str]
    options: Mapping[str, Any]
    inner: Sequence[bytes]
    unsigned: Callable[[], object] | None = None


OURS, OURS_IN_ALL = "custom_smtp", "custom_smtp, in all"
ANYMAIL, ANYMAIL_IN_ALL = "anymail", "anymail, in all"
LOADS, UNSIGNED = "json.loads", "custom_smtp, unsigned"


def main() -> int:
    told = asked("Measure how fast reports become events.", CONTESTS, "provider", rounds=9, seconds=0.3)
    require_peers(PEERS, "feedback.peers.txt")
    print(f"{conditions(PEERS, told.rounds)}\n", flush=True)
    _settle_django()
    done = {name: contest(_contestants(CONTESTS[name]()), told.rounds, told.seconds) for name in told.only or CONTESTS}
    print("\n".join(_table(done)))
    print("\n".join(_bounds(done)))
    if not told.only:
        print("\n".join(_bounce_table(told.rounds, told.seconds)))
    return 0


def contest(contestants: Mapping[str, Callable[[], object]], rounds: int, seconds: float) -> list[Round]:
    """How often each read its requests in a second, in every round."""
    # What was imported is no garbage, and whose turn it is should not pay for looking through it.
    gc.collect()
    gc.freeze()
    return list(in_turns({name: partial(times_a_second, once, seconds) for name, once in contestants.items()}, rounds))


def _contestants(contest: Contest) -> dict[str, Callable[[], object]]:
    adapter, requests = contest.adapter, contest.requests
    endpoint = FeedbackEndpoint(adapter)
    bare = [(request.path, dict(request.headers), request.body) for request in requests]
    module, kind = contest.view
    options = dict(contest.options)
    view_class = getattr(import_module(f"anymail.webhooks.{module}"), kind)
    view, answer = view_class(**options), view_class.as_view(**options)
    environs = [_environ(request) for request in requests]
    ready = [_django_request(environ, body) for environ, body in environs]
    for request in ready:
        request.POST  # noqa: B018  # decodes the form, once

    def ours() -> list[Sequence[object]]:
        return [adapter.read(request) for request in requests]

    def ours_in_all() -> list[int]:
        return [
            endpoint.answer(Request(method="POST", path=path, headers=headers, body=body)).response.status
            for path, headers, body in bare
        ]

    def anymail() -> list[Sequence[object]]:
        told = []
        for request in ready:
            view.run_validators(request)
            told.append(view.parse_events(request))
        return told

    def anymail_in_all() -> list[int]:
        return [answer(_django_request(environ, body)).status_code for environ, body in environs]

    counts = [sum(map(len, ours())), sum(map(len, anymail()))]
    if len({*counts}) != 1 or {*ours_in_all(), *anymail_in_all()} != {200}:
        sys.exit(f"{contest.name}: {counts} events, and answers {ours_in_all()} and {anymail_in_all()}")
    ways: dict[str, Callable[[], object]] = {
        OURS: ours,
        OURS_IN_ALL: ours_in_all,
        ANYMAIL: anymail,
        ANYMAIL_IN_ALL: anymail_in_all,
        LOADS: lambda: [json.loads(text) for text in contest.inner],
    }
    return ways | ({UNSIGNED: contest.unsigned} if contest.unsigned else {})


# --- The peer ---------------------------------------------------------------------------------------------------------


def _settle_django() -> None:
    secret = {"WEBHOOK_SECRET": f"{USER}:{PASSWORD}"}
    import_module("django.conf").settings.configure(ALLOWED_HOSTS=["*"], USE_TZ=True, ANYMAIL=secret)
    import_module("django").setup()
    import_module("django.core.handlers.wsgi")


def _environ(request: Request) -> tuple[dict[str, Any], bytes]:
    """What a WSGI server hands over."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SERVER_NAME": "hooks.shop.example",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "PATH_INFO": request.path,
        "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(request.body)),
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_HOST": "hooks.shop.example",
        "wsgi.url_scheme": "https",
    }
    for name, value in request.headers.items():
        cgi = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if cgi == "CONTENT_TYPE" else f"HTTP_{cgi}"] = value
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    environ.setdefault("HTTP_AUTHORIZATION", f"Basic {basic}")
    return environ, request.body


def _django_request(environ: Mapping[str, Any], body: bytes) -> Any:
    return sys.modules["django.core.handlers.wsgi"].WSGIRequest({**environ, "wsgi.input": BytesIO(body)})


# --- Bounce mail ------------------------------------------------------------------------------------------------------

BOUNCES = Path(__file__).parent.parent / "tests" / "bounces"
WALK, FLUFL = "the standard parser's walk", "flufl.bounce"


def _bounce_table(rounds: int, seconds: float) -> list[str]:
    mails = [path.read_bytes() for path in sorted(BOUNCES.rglob("*")) if path.suffix in (".eml", ".txt")]
    reports = [mail for mail in mails if b"message/delivery-status" in mail.lower()]
    letters = [mail for mail in mails if mail not in reports]
    kinds = {
        "reports, made": made_reports(),
        "reports of the tests": reports,
        "letters of the tests": letters,
        "all of the tests": mails,
    }
    lines = ["| bounce mail | must hold | aim | is | |", BOUNDS_HEAD[1]]
    for kind, some in kinds.items():
        done = _bounce_rounds(some, rounds, seconds)
        walk, flufl = ratios_of(done, OURS, WALK), ratios_of(done, OURS, FLUFL)
        name = f"{kind}: {len(some)}, {sum(map(len, some)) / len(some) / 1000:.1f} KB each"
        judged = kind == "reports, made"
        bound, verdict = ("3.0 | 5.0", held(statistics.median(walk), 3.0, 5.0)) if judged else ("|", "")
        lines += [
            f"| {name}: times {WALK} | {bound} | {spread(walk, '.2f')} | {verdict} |",
            f"| {name}: times {FLUFL} | | | {spread(flufl, '.2f')} | |",
        ]
    return lines


def _bounce_rounds(mails: Sequence[bytes], rounds: int, seconds: float) -> list[Round]:
    all_failures = import_module("flufl.bounce").all_failures
    readers: Mapping[str, Callable[[bytes], object]] = {
        OURS: bounces.read,
        WALK: lambda mail: list(message_from_bytes(mail).walk()),
        FLUFL: lambda mail: all_failures(message_from_bytes(mail)),
    }
    return contest({name: partial(_each, reader, mails) for name, reader in readers.items()}, rounds, seconds)


def _each(reader: Callable[[bytes], object], mails: Sequence[bytes]) -> None:
    for mail in mails:
        reader(mail)


# --- The providers ----------------------------------------------------------------------------------------------------


def _samples(provider: str, *, but: Sequence[str] = ()) -> list[Any]:
    """The reports among a provider's samples, those of an array one by one."""
    told: list[Any] = []
    for path in sorted((SAMPLES / provider).glob("*.json")):
        if path.stem not in but:
            parsed = json.loads(path.read_text())
            told += parsed if isinstance(parsed, list) else [parsed]
    return told


def _twenty(reports: Sequence[Any]) -> list[Any]:
    return list(islice(cycle(reports), BATCH))


def mailgun() -> Contest:
    signer = MailgunSigner(KEY)
    reports = [post["event-data"] for post in _samples("mailgun", but=("old-forms", "stored"))]
    requests = [signer.request(report, at=NOW) for report in reports]
    return Contest(
        "Mailgun",
        Mailgun(KEY),
        requests,
        ("mailgun", "MailgunTrackingWebhookView"),
        {"webhook_signing_key": KEY},
        [request.body for request in requests],
    )


def mailjet() -> Contest:
    reports = _twenty(_samples("mailjet", but=("test-events",)))
    request = mailjet_request(reports, USER, PASSWORD, received_at=NOW)
    payloads = [report["Payload"].encode() for report in reports if str(report.get("Payload")).startswith("{")]
    return Contest(
        "Mailjet",
        Mailjet(USER, PASSWORD),
        [request],
        ("mailjet", "MailjetTrackingWebhookView"),
        {},
        [request.body, *payloads],
    )


def mandrill() -> Contest:
    request = mandrill_request(_twenty(_samples("mandrill", but=("inbound", "sync", "test-events"))), URL, KEY)
    return Contest(
        "Mandrill",
        Mandrill(URL, KEY),
        [request],
        ("mandrill", "MandrillCombinedWebhookView"),
        {"webhook_key": KEY, "webhook_url": URL},
        [parse_qs(request.body)[b"mandrill_events"][0]],
    )


def postmark() -> Contest:
    requests = [
        postmark_request(report, USER, PASSWORD, received_at=NOW)
        for report in _samples("postmark", but=("inbound", "legacy-bounce", "legacy-delivery"))
    ]
    return Contest(
        "Postmark",
        Postmark(USER, PASSWORD),
        requests,
        ("postmark", "PostmarkTrackingWebhookView"),
        {},
        [request.body for request in requests],
    )


def sendgrid() -> Contest:
    signer = SendGridSigner()
    request = signer.request(_twenty(_samples("sendgrid")), at=NOW)
    adapter = SendGrid(signer.verification_key)
    by_token = SendGrid(token=PASSWORD)
    bearing = evolve(request, headers={"authorization": f"Bearer {PASSWORD}"})
    return Contest(
        "SendGrid",
        adapter,
        [request],
        ("sendgrid", "SendGridTrackingWebhookView"),
        {"tracking_webhook_verification_key": signer.verification_key},
        [request.body],
        lambda: by_token.read(bearing),
    )


def sparkpost() -> Contest:
    request = sparkpost_request(_twenty(_samples("sparkpost", but=("relay-message",))), USER, PASSWORD, received_at=NOW)
    return Contest(
        "SparkPost",
        SparkPost(username=USER, password=PASSWORD),
        [request],
        ("sparkpost", "SparkPostTrackingWebhookView"),
        {},
        [request.body],
    )


CONTESTS: dict[str, Callable[[], Contest]] = {
    "mailgun": mailgun,
    "mailjet": mailjet,
    "mandrill": mandrill,
    "postmark": postmark,
    "sendgrid": sendgrid,
    "sparkpost": sparkpost,
}


# --- Telling ----------------------------------------------------------------------------------------------------------


def _of_the_limit(done: Sequence[Round]) -> list[float]:
    return [each.get(UNSIGNED, each[OURS]) / each[LOADS] for each in done]


def _table(done: Mapping[str, Sequence[Round]]) -> list[str]:
    lines = [
        "| | a request | / anymail, request ready | / anymail, in all | of json.loads |",
        "|---|---|---|---|---|",
    ]
    for name, rounds in done.items():
        took = statistics.median(1 / each[OURS] for each in rounds) / _requests(name) * 1e6
        unsigned = statistics.median(1 / each[UNSIGNED] if UNSIGNED in each else 0 for each in rounds) * 1e6
        cells = [
            name,
            f"{took:.1f} µs" + (f", {unsigned:.1f} by token" if unsigned else ""),
            spread(ratios_of(rounds, OURS, ANYMAIL), ".2f"),
            spread(ratios_of(rounds, OURS_IN_ALL, ANYMAIL_IN_ALL), ".2f"),
            spread(_of_the_limit(rounds), ".2f"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _requests(name: str) -> int:
    return len(CONTESTS[name]().requests)


def _bounds(done: Mapping[str, Sequence[Round]]) -> list[str]:
    """What is promised, and what is."""
    every = {name: ratios_of(rounds, OURS, ANYMAIL) for name, rounds in done.items()}
    means = [statistics.geometric_mean(each) for each in zip(*every.values(), strict=True)]
    bounds = [("anymail, request ready, geometric mean", means, 1.3, 1.6)]
    bounds += [(f"{name}: anymail, request ready", measured, 1.0, 1.6) for name, measured in every.items()]
    if "mandrill" in done:
        bounds.append(("mandrill: anymail, in all", ratios_of(done["mandrill"], OURS_IN_ALL, ANYMAIL_IN_ALL), 4.0, 4.0))
    bounds += [(f"{name}: of json.loads", _of_the_limit(rounds), 0.4, 0.65) for name, rounds in done.items()]
    return [*BOUNDS_HEAD, *(bound_row(*bound) for bound in bounds)]


if __name__ == "__main__":
    sys.exit(main())
