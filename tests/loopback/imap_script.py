"""An IMAP server that follows a script: polite by default, and wrong exactly where a test wants it to be."""

import base64
import re
from collections.abc import Callable, Mapping

from attrs import define, field

from custom_smtp.testing.certificates import Certificate
from custom_smtp.testing.server import Conversation, Script

Wrong = str | Callable[[Conversation], None]


@define
class Letter:
    """One mail in the mailbox."""

    content: bytes
    flags: set[str] = field(factory=set)


@define
class ImapBox:
    """A mailbox, and the server in front of it.

    Attributes:
        letters: by UID; they outlive a conversation.
        certificate: what the server shows.
        implicit: whether TLS begins at once.
        wrong: by the beginning of a command, what is said instead of the polite answer (``{tag}`` is the command's),
            or what is done.
        offers: what it can do, once it knows who asks.
        mechanisms: how one may log in; none for LOGIN alone.
        validity: how its numbers are numbered.
        moved: what was copied or moved away, in order.
        commands: what it was asked, without tags.
        logins: what was said to log in.
    """

    certificate: Certificate
    letters: dict[int, Letter] = field(factory=dict)
    implicit: bool = True
    greeting: str = "* OK ready"
    wrong: Mapping[str, Wrong] = field(factory=dict)
    offers: str = "UIDPLUS MOVE"
    mechanisms: str = "AUTH=PLAIN"
    validity: int = 7
    moved: list[tuple[str, bytes]] = field(factory=list)
    commands: list[str] = field(factory=list)
    logins: list[bytes] = field(factory=list)

    @property
    def script(self) -> Script:
        return lambda conversation: _Session(self, conversation).serve()

    def put(self, content: bytes, *flags: str) -> int:
        uid = max(self.letters, default=0) + 3
        self.letters[uid] = Letter(content, set(flags))
        return uid


@define
class _Session:
    box: ImapBox
    line: Conversation
    known: bool = False

    def serve(self) -> None:
        if self.box.implicit:
            self.line.encrypt(self.box.certificate)
        self.line.say(self.box.greeting)
        while True:
            tag, _, command = self.line.hear().partition(" ")
            self.box.commands.append(command)
            if not self._goes_wrong(tag, command):
                self._answer(tag, command)

    def _goes_wrong(self, tag: str, command: str) -> bool:
        for begins, wrong in self.box.wrong.items():
            if command.upper().startswith(begins):
                if isinstance(wrong, str):
                    self.line.say_raw(wrong.replace("{tag}", tag).encode("latin-1"))
                else:
                    wrong(self.line)
                return True
        return False

    def _answer(self, tag: str, command: str) -> None:
        words = command.split(" ")
        verb = " ".join(words[:2]).upper() if words[0].upper() == "UID" else words[0].upper()
        said = getattr(self, verb.lower().replace(" ", "_"))(tag, words)
        self.line.say(f"{tag} {said or 'OK done'}")
        if verb == "LOGOUT":
            self.line.close()
        if verb == "STARTTLS":
            self.line.encrypt(self.box.certificate)

    def capability(self, _tag: str, _words: list[str]) -> None:
        secret = self.box.implicit or self.line.secret
        more = self.box.offers if self.known else self.box.mechanisms if secret else "STARTTLS LOGINDISABLED"
        self.line.say(f"* CAPABILITY IMAP4rev1 {more}".strip())

    def starttls(self, _tag: str, _words: list[str]) -> None:
        pass

    def login(self, _tag: str, words: list[str]) -> str | None:
        self.box.logins.append(" ".join(words[1:]).encode())
        self.known = words[2] == '"s3cret"'
        return None if self.known else "NO [AUTHENTICATIONFAILED] wrong"

    def authenticate(self, _tag: str, words: list[str]) -> str | None:
        self.line.say("+ ")
        said = base64.b64decode(self.line.hear())
        self.box.logins.append(said)
        self.known = said in (b"\0shop\0s3cret", b"user=shop\1auth=Bearer s3cret\1\1")
        if not self.known and words[1] == "XOAUTH2":
            self.line.say("+ " + base64.b64encode(b'{"status":"401"}').decode())
            self.line.hear()
        return None if self.known else "NO [AUTHENTICATIONFAILED] wrong"

    def select(self, _tag: str, words: list[str]) -> str | None:
        if words[1] != '"INBOX"':
            return "NO [NONEXISTENT] no such mailbox"
        self.line.say(
            "* FLAGS (\\Seen \\Deleted)",
            f"* {len(self.box.letters)} EXISTS",
            f"* OK [UIDVALIDITY {self.box.validity}] x",
        )
        return "OK [READ-WRITE] selected"

    def uid_search(self, _tag: str, words: list[str]) -> None:
        criteria = " ".join(words[2:])
        ranges = re.fullmatch(r"(\d+):(\d+) UID (\d+):(\d+) (.*)", criteria)
        assert ranges, criteria
        low, high, after, last = map(int, ranges.groups()[:4])
        found = [
            uid
            for number, (uid, letter) in enumerate(sorted(self.box.letters.items()), 1)
            if low <= number <= high
            and after <= uid <= last
            and not ("UNDELETED" in ranges[5] and "\\Deleted" in letter.flags)
            and not ("UNSEEN" in ranges[5] and "\\Seen" in letter.flags)
        ]
        self.line.say(f"* SEARCH {' '.join(map(str, found))}".rstrip())

    def uid_fetch(self, _tag: str, words: list[str]) -> None:
        letter = self.box.letters.get(int(words[2]))
        asked = re.fullmatch(r"\(BODY\.PEEK\[\]<0\.(\d+)>\)", words[3])
        assert asked, words
        if letter is not None:
            content = letter.content[: int(asked[1])]
            self.line.say_raw(b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % (int(words[2]), len(content), content))

    def uid_store(self, _tag: str, words: list[str]) -> None:
        assert words[3] == "+FLAGS.SILENT"
        self.box.letters[int(words[2])].flags.add(words[4].strip("()"))

    def uid_expunge(self, _tag: str, words: list[str]) -> None:
        for uid in map(int, words[2].split(",")):
            if "\\Deleted" in self.box.letters[uid].flags:
                del self.box.letters[uid]

    def uid_copy(self, _tag: str, words: list[str]) -> str | None:
        if words[3] != '"Done"':
            return "NO [TRYCREATE] no such mailbox"
        self.box.moved.append((words[3], self.box.letters[int(words[2])].content))
        return None

    def uid_move(self, tag: str, words: list[str]) -> str | None:
        refused = self.uid_copy(tag, words)
        if refused is None:
            del self.box.letters[int(words[2])]
        return refused

    def logout(self, _tag: str, _words: list[str]) -> None:
        self.line.say("* BYE")
