"""What a `ScriptedServer` does with a client: everything right, but for what a test wants to be wrong."""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Self

from attrs import define, field, frozen

from ._logins import MECHANISMS
from .certificates import Certificate
from .server import Answer, Conversation, Script, Taken


class Failed(Enum):
    """What a server does with a transaction whose content it refused, until RSET (RFC 3030 section 4.2)."""

    OVER = "over"
    """It is over: MAIL begins another."""
    OPEN = "open"
    """It stays open: MAIL is refused by a 503, and a recipient is added to it."""
    MERGED = "merged"
    """It stays open, and MAIL is taken all the same: what follows goes to its recipients too."""


def polite(
    answers: Mapping[str, Answer | Sequence[Answer | None]] | None = None,
    *,
    certificate: Certificate | None = None,
    implicit: bool = False,
    greeting: Answer = "220 mail.test ESMTP",
    offers: Iterable[str] = ("AUTH PLAIN LOGIN", "SIZE 10000000", "8BITMIME", "SMTPUTF8"),
    logins: Mapping[str, str] | None = None,
    failed: Failed = Failed.OVER,
    together: bool = False,
) -> Script:
    """A server that does everything right, but for what the test says.

    It is strict: MAIL within a transaction, RCPT before it, or a parameter of what it does not offer is refused. It
    keeps to what it offers: ``SIZE``, ``CHUNKING`` (BDAT), ``LIMITS MAILMAX=10 RCPTMAX=100 RCPTDOMAINMAX=5``.

    Args:
        answers: by SMTP verb, or by more of the command line, what it says instead, or what it does:
            ``{"MAIL": "451 4.3.0 later", "RCPT TO:<bob@example.net>": Conversation.drop}``. ``CONTENT`` is the reply
            to the final dot; that to ``BDAT`` is given when its octets were heard. Of several, each is given once, to
            whichever client comes, and then nothing special any more; None stands for nothing special.
        certificate: what it shows; without one it offers no STARTTLS.
        implicit: whether TLS begins at once.
        greeting: its first words.
        offers: what its EHLO lists once the line is secret (STARTTLS comes by itself before).
        logins: passwords or tokens by user name; without them everybody is let in, but not by SCRAM and CRAM-MD5.
        failed: what becomes of a transaction whose content was refused.
        together: the replies to commands that came at once go in one write (RFC 2920 section 3.2).
    """
    settings = _Settings(certificate, implicit, greeting, tuple(offers), logins, failed, together)
    told = _Answers.of(answers or {})
    return lambda conversation: _Polite(conversation, settings, told).serve()


_GO_AHEAD = "354 go ahead"


@frozen
class _Settings:
    certificate: Certificate | None
    implicit: bool
    greeting: Answer
    offers: tuple[str, ...]
    logins: Mapping[str, str] | None
    failed: Failed
    together: bool

    def offer(self, keyword: str) -> str | None:
        """What stands behind a keyword; None where it is not offered."""
        found = (each.partition(" ") for each in self.offers)
        return next((rest for word, _, rest in found if word.upper() == keyword), None)

    def limit(self, name: str) -> int:
        """One of LIMITS (RFC 9422); what is never reached where it is not named."""
        pairs = (pair.partition("=") for pair in (self.offer("LIMITS") or "").split())
        return next((int(value) for key, _, value in pairs if key == name), 1 << 30)


@define
class _Answers:
    """What a test wants to be said, shared by all clients of a server."""

    _always: dict[str, Answer]
    _in_turn: dict[str, Iterator[Answer | None]]

    @classmethod
    def of(cls, told: Mapping[str, Answer | Sequence[Answer | None]]) -> Self:
        always: dict[str, Answer] = {}
        in_turn: dict[str, Iterator[Answer | None]] = {}
        for key, answer in told.items():
            if isinstance(answer, str) or callable(answer):
                always[key.upper()] = answer
            else:
                in_turn[key.upper()] = iter(answer)
        return cls(always, in_turn)

    def to(self, line: str) -> Answer | None:
        """What is to be said to this line; None for what a polite server says."""
        keys = [key for key in (*self._always, *self._in_turn) if f"{line.upper()} ".startswith(key)]
        if not keys:
            return None
        key = max(keys, key=len)
        return self._always[key] if key in self._always else next(self._in_turn[key], None)


@define
class _Polite:
    """A polite server's side of one conversation."""

    conversation: Conversation
    settings: _Settings
    told: _Answers
    _sender: str | None = None
    _recipients: list[str] = field(factory=list)
    _domains: set[str] = field(factory=set)
    _chunks: bytes = b""
    _begun: int = 0
    _over: bool = False

    def serve(self) -> None:
        if self.settings.implicit and self.settings.certificate is not None:
            self.conversation.encrypt(self.settings.certificate)
        self.conversation.together = self.settings.together
        _answer(self.conversation, self.settings.greeting)
        while not self._over:
            line = self.conversation.hear()
            verb = line.partition(" ")[0].upper()
            act = _ACTS.get(verb, _Polite.unknown)
            act(self, line)

    def ehlo(self, line: str) -> None:
        secret, certificate = self.conversation.secret, self.settings.certificate
        extra = ("STARTTLS",) if certificate is not None and not secret else ()
        shown = ["mail.test", *extra, *(self.settings.offers if secret or certificate is None else ())]
        self._reply(line, "\n".join([*(f"250-{each}" for each in shown[:-1]), f"250 {shown[-1]}"]))

    def starttls(self, line: str) -> None:
        if (answer := self.told.to(line)) is not None:
            _answer(self.conversation, answer)
        elif self.settings.certificate is None:
            self.unknown(line)
        else:
            self.conversation.say("220 2.0.0 go ahead")
            self.conversation.encrypt(self.settings.certificate)

    def auth(self, line: str) -> None:
        if (answer := self.told.to(line)) is not None:
            _answer(self.conversation, answer)
            return
        _, mechanism, initial = [*line.split(" "), "", ""][:3]
        if mechanism.upper() not in (self.settings.offer("AUTH") or "").upper().split():
            self.conversation.say("504 5.5.4 that is not offered")
            return
        try:
            welcome = self._ask(mechanism.upper(), None if not initial else _unspelled(initial.removeprefix("=")))
        except ValueError:
            self.conversation.say("501 5.5.2 that is no base64")
        else:
            self.conversation.say(_WELCOMES[welcome])

    def _ask(self, mechanism: str, initial: bytes | None) -> bool | None:
        """Whether somebody is let in; None if they cancel."""
        questions = MECHANISMS[mechanism](self.settings.logins, initial)
        try:
            challenge = next(questions)
            while True:
                self.conversation.say(f"334 {base64.b64encode(challenge).decode()}")
                if (said := self.conversation.hear()) == "*":
                    return None
                challenge = questions.send(_unspelled(said))
        except StopIteration as end:
            return bool(end.value)

    def mail(self, line: str) -> None:
        merges = self.settings.failed is Failed.MERGED
        if self._begun >= self.settings.limit("MAILMAX"):
            self._reply(line, "421 4.7.0 that is enough for one line")
            self._over = True
        elif self._reply(line, self._why_not_mail(line, merges=merges) or "250 2.1.0 ok") // 100 == 2:
            if self._sender is None or not merges:
                self._clear()
            self._sender = _path(line)
            self._begun += 1

    def _why_not_mail(self, line: str, *, merges: bool) -> str | None:
        if self._sender is not None and not merges:
            return "503 5.5.1 nested MAIL"
        size = re.search(r" SIZE=([0-9]+)", line)
        if size and 0 < int(self.settings.offer("SIZE") or "0") < int(size[1]):
            return "552 5.3.4 too large"
        return self._unoffered(line)

    def rcpt(self, line: str) -> None:
        polite = self._unoffered(line) or "250 2.1.5 ok"
        if self._sender is None:
            polite = "503 5.5.1 MAIL first"
        elif len(self._recipients) >= self.settings.limit("RCPTMAX"):
            polite = "452 4.5.3 too many recipients"
        elif len(self._domains | {_domain(line)}) > self.settings.limit("RCPTDOMAINMAX"):
            polite = "452 4.5.3 too many domains for one line"
        if self._reply(line, polite) // 100 == 2:
            self._recipients.append(_path(line))
            self._domains.add(_domain(line))

    def _unoffered(self, line: str) -> str | None:
        """What is said to a parameter of an extension that was not offered (RFC 5321 section 4.1.1.11)."""
        for word in line.upper().split(" ")[2:]:
            keyword = _OFFER_OF.get(word, _OFFER_OF.get(word.partition("=")[0], ""))
            if self.settings.offer(keyword) is None:
                return f"555 5.5.4 {word} is not known here"
        return None

    def data(self, line: str) -> None:
        if self._reply(line, self._why_no_content() or _GO_AHEAD) == 354:
            content = self.conversation.hear_content()
            self._took("CONTENT", self._why_no_content() or _QUEUED, content)

    def bdat(self, line: str) -> None:
        _, number, *last = line.upper().split(" ")
        if self.settings.offer("CHUNKING") is None or not number.isdecimal():
            self.unknown(line)
            return
        self._chunks += self.conversation.hear_octets(int(number))
        if last == ["LAST"]:
            content, self._chunks = self._chunks, b""
            self.conversation.contents.append(content)
            self._took(line, self._why_no_content() or _QUEUED, content)
        elif self._reply(line, self._why_no_content() or f"250 2.0.0 {number} octets") // 100 != 2:
            self._fail()

    def _why_no_content(self) -> str | None:
        if self._sender is None:
            return "503 5.5.1 MAIL first"
        return None if self._recipients else "554 5.5.1 no valid recipients"

    def _took(self, line: str, polite: str, content: bytes) -> None:
        if self._reply(line, polite) // 100 == 2:
            if self._recipients:
                self.conversation.taken.append(Taken(self._sender or "", tuple(self._recipients), content))
            self._clear()
        else:
            self._fail()

    def _fail(self) -> None:
        self._chunks = b""
        if self.settings.failed is Failed.OVER:
            self._clear()

    def _clear(self) -> None:
        self._sender, self._recipients, self._chunks = None, [], b""

    def rset(self, line: str) -> None:
        if self._reply(line, "250 2.0.0 ok") // 100 == 2:
            self._clear()

    def quit(self, line: str) -> None:
        self._over = self._reply(line, "221 2.0.0 bye") == 221

    def noop(self, line: str) -> None:
        self._reply(line, "250 2.0.0 ok")

    def unknown(self, line: str) -> None:
        self._reply(line, "502 5.5.1 not known here")

    def _reply(self, line: str, polite: str) -> int:
        """Say what the test wants, or this; return the code of what was said."""
        mark = self.conversation.octets_said
        _answer(self.conversation, self.told.to(line) or polite)
        return self.conversation.said_since(mark)


_QUEUED = "250 2.0.0 queued as 4711"

_ACTS: dict[str, Callable[[_Polite, str], None]] = {
    "EHLO": _Polite.ehlo,
    "HELO": _Polite.noop,
    "STARTTLS": _Polite.starttls,
    "AUTH": _Polite.auth,
    "MAIL": _Polite.mail,
    "RCPT": _Polite.rcpt,
    "DATA": _Polite.data,
    "BDAT": _Polite.bdat,
    "RSET": _Polite.rset,
    "NOOP": _Polite.noop,
    "QUIT": _Polite.quit,
}

_WELCOMES = {True: "235 2.7.0 welcome", False: "535 5.7.8 not with that", None: "501 5.7.0 as you like"}

_OFFER_OF = {
    "SIZE": "SIZE",
    "BODY=7BIT": "8BITMIME",
    "BODY=8BITMIME": "8BITMIME",
    "BODY=BINARYMIME": "BINARYMIME",
    "SMTPUTF8": "SMTPUTF8",
    "REQUIRETLS": "REQUIRETLS",
    "RET": "DSN",
    "ENVID": "DSN",
    "NOTIFY": "DSN",
    "ORCPT": "DSN",
}
"""By a parameter of MAIL or RCPT, the extension that it belongs to."""


def _answer(conversation: Conversation, answer: Answer) -> None:
    if isinstance(answer, str):
        conversation.say(*answer.split("\n"))
    else:
        answer(conversation)


def _path(line: str) -> str:
    """The address in a MAIL or a RCPT."""
    return line.partition("<")[2].partition(">")[0]


def _domain(line: str) -> str:
    return _path(line).rpartition("@")[2].lower()


def _unspelled(said: str) -> bytes:
    return base64.b64decode(said, validate=True)
