"""Bounce mail that follows no standard: a letter from a machine to a person. Half of all is of this kind.

Such a mail must look like one from outside: who sends it, what its Subject says. Then its words must say that something
was not delivered, in front of the mail that it returns. The addresses are told apart by where they stand: at the
beginning of a line of their own, behind a word such as "recipient:", in a line that says why. Tables of such words
stand in `custom_smtp.bounce_phrases`.
"""

import re
from collections.abc import Iterator
from functools import cache

from attrs import define

from ._bounce_addresses import addresses_in
from ._bounce_findings import Finding
from ._bounce_mail import STATUS_TYPES, Header, Opened, has, kept, unencoded
from ._bounce_words import (
    DAEMONS,
    DELAY_SUBJECTS,
    DELAYS,
    FAILURES,
    LABELS,
    NOT_THEIRS,
    OWN_NAMES,
    RETURNED_MARKS,
    SUBJECTS,
)
from .bounce_causes import cause_of
from .events import Cause
from .webhooks import enhanced_status

RECIPIENTS_LIMIT = 100
LINE_LIMIT = 120
"""A longer line is no divider."""

REASON_LIMIT = 500
"""How much of a letter is kept as the reason, in characters."""


@define
class Outside:
    """What a mail looks like from outside, that is by its header alone.

    Attributes:
        daemon: a mail system sends it, by its name.
        subject: its Subject is one of a bounce mail.
        unanswerable: its envelope's sender is empty, so that nothing answers it (RFC 5321 section 6.1).
        failed: the addresses of ``X-Failed-Recipients``, which Exim and Gmail add.
        listed: it comes from a mailing list, or is a newsletter.
    """

    daemon: bool
    subject: bool
    unanswerable: bool
    failed: list[str]
    listed: bool

    @property
    def likely(self) -> bool:
        """Whether it is worth looking at as a bounce mail."""
        return self.daemon or bool(self.failed) or (self.subject and not self.listed)


def outside(head: Header) -> Outside:
    """What a mail looks like from outside."""
    sender = unencoded(head.get("from")).lower()
    way_back = head.get("return-path").lower()
    failed = head.get("x-failed-recipients")
    return Outside(
        daemon=has(sender, DAEMONS),
        subject=_is_subject(head),
        unanswerable=way_back == "<>" or "mailer-daemon" in way_back,
        failed=_addresses(failed)[:RECIPIENTS_LIMIT] if failed else [],
        listed="list-id" in head or "list-unsubscribe" in head,
    )


def is_passed_on(head: Header) -> bool:
    """Whether somebody passes on, or answers, what they got: a bounce of theirs is none of ours."""
    sender = unencoded(head.get("from")).lower()
    return _ANSWER.match(unencoded(head.get("subject")).lower().strip()) is not None and not has(sender, DAEMONS)


def _is_subject(head: Header) -> bool:
    subject = unencoded(head.get("subject")).lower().strip()
    if "success" in subject or not has(subject, SUBJECTS):
        return False
    answer = _ANSWER.match(subject)
    if answer is None:
        return True
    # "RE: Your order: non remis" is one; "Re: Undelivered Mail ..." is somebody's answer to one.
    return not ("in-reply-to" in head or subject[answer.end() :].lstrip().startswith(SUBJECTS))


_ANSWER = re.compile(r"(?:re|aw|antw|sv|vs|ref|odp|rif|fwd?|wg|tr|rv|enc|doorst|i)\s{0,3}(?:\[\d{1,3}\])?\s{0,3}:")


def findings(mail: Opened, seen: Outside) -> list[Finding]:
    """What a letter says of each recipient; nothing where it is no bounce mail."""
    words = _parted(mail)
    low = words.lower()
    subject = unencoded(mail.head.get("subject")).lower()
    delayed = (has(low, DELAYS) or has(subject, DELAY_SUBJECTS)) and "(failure)" not in subject
    if not (_is_sure(seen) or ((delayed or has(low, FAILURES)) and _is_evident(seen, mail, low))):
        return []
    return list(_told(mail, words, _people(words, low, mail, seen), "delayed" if delayed else "failed"))


def _is_sure(seen: Outside) -> bool:
    """Whether it can be nothing else, whatever its words are."""
    return bool(seen.failed) or (seen.daemon and seen.subject)


def _is_evident(seen: Outside, mail: Opened, low: str) -> bool:
    """Whether more than words speak for it: the mail it returns, or a server's own answer where a server sends it.

    People write of mail that did not arrive too, and forward what they got.
    """
    if mail.returned or any(kind in mail.reports for kind in STATUS_TYPES):
        return True
    if "mailer-daemon" in mail.head.get("from").lower():
        return True
    return (seen.daemon or seen.unanswerable) and _REPLY.search(low) is not None


def _people(words: str, low: str, mail: Opened, seen: Outside) -> list[tuple[str, "_Named | None"]]:
    """Whom it is about, and where it names them; an empty address where it does not say."""
    written_to = _addresses(mail.returned.get("to"))
    named = _named(words, low, _strangers(mail.head, mail.returned), written_to)
    if seen.failed:
        places = {one.address.lower(): one for one in named}
        return [(address, places.get(address.lower())) for address in seen.failed]
    if named:
        return [(one.address, one) for one in named]
    return [(address, None) for address in _bare(words, mail.head) or written_to[:1] or [""]]


def reason_about(words: str, address: str) -> str:
    """What a letter's words say about one address: what stands behind its first mention."""
    place = words.lower().find(address.lower()) if address else -1
    return "" if place < 0 else _tidy(words[place + len(address) : place + len(address) + REASON_LIMIT])


# ---- the letter, and the mail behind it ------------------------------------------------------------------------------

_RULES = ("--", "==", "__", "|-", "**", "> -", "- -")
_ENDS = (":", "follows", "following", "attached")
_NO_DIVIDER = (
    "transcript",
    "failed",
    "not delivered",
    "fatal error",
    "the following",
    "following recipient",
    "not receive",
)
_TRACES = ("\nreceived: ", "\nreturn-path: <")


_HEADER_LINE = re.compile(
    r"^[ \t>]{0,8}(?:received|return-path|from|to|subject|date|message-id|mime-version|x-[\w-]{1,40}|dkim-signature)"
    r"[ \t]{0,4}:",
    re.IGNORECASE | re.MULTILINE,
)


def _parted(mail: Opened) -> str:
    """The words of the letter alone; the header of the mail behind them is kept with the letter."""
    words = mail.words()
    place = _divider(words.lower())
    if place is None:
        return words
    mail.returned = mail.returned or _header_in(words[place:])
    return words[:place]


def _divider(low: str) -> int | None:
    """Where the returned mail begins in a letter's words, by a line that says so, or by its trace fields."""
    places = [place for trace in _TRACES if (place := low.find(trace)) >= 0]
    nearest = min(places, default=len(low))
    begins = {low.rfind("\n", 0, end.start()) + 1 for end in _END.finditer(low, 0, nearest)}
    begins.update(rule.start() for rule in _RULE.finditer("\n" + low[:nearest]))
    lines = [(begin, low[begin : begin + 2 * LINE_LIMIT].partition("\n")[0].strip()) for begin in sorted(begins)]
    if has("\n".join([line for _, line in lines]), RETURNED_MARKS):
        for begin, line in lines:
            if _is_divider(line):
                return begin
    return nearest if places else None


_RULE = re.compile(r"\n[^\S\n]*(?:{})".format("|".join(map(re.escape, _RULES))))
_END = re.compile(r"(?:{})(?:[-=|.]|[^\S\n])*$".format("|".join(_ENDS)), re.MULTILINE)


def _is_divider(line: str) -> bool:
    if not (line.startswith(_RULES) or line.rstrip("-=| .").endswith(_ENDS)) or len(line) > LINE_LIMIT:
        return False
    return not has(line, _NO_DIVIDER) and has(line, RETURNED_MARKS)


def _header_in(behind: str) -> Header:
    """The header that stands behind a divider, wherever its lines begin."""
    first = _HEADER_LINE.search(behind)
    if first is None:
        return Header()
    block = behind[first.start() :].lstrip(" \t>")
    return Header(block.partition("\n\n")[0].encode("utf-8", "surrogateescape"))


def _addresses(value: str) -> list[str]:
    """Those in a header field, each once."""
    return list(dict.fromkeys(address for address, _, _ in addresses_in(value)))


def _strangers(head: Header, returned: Header) -> frozenset[str]:
    """Whose addresses stand in a letter without having failed: who wrote the mail, and who sends the letter."""
    named = head.every(_OF_THE_LETTER) + "\n" + returned.every(_OF_THE_SENDER)
    return frozenset(address.lower() for address, _, _ in addresses_in(named))


_VALUE = r":([^\n]*(?:\n[ \t][^\n]*)*)"
_OF_THE_SENDER = re.compile(rf"\n(?:from|return-path|reply-to|sender){_VALUE}".encode())
_OF_THE_LETTER = re.compile(
    rf"\n(?:from|return-path|reply-to|sender|to|delivered-to|envelope-to|x-original-to){_VALUE}".encode()
)


# ---- who it is about -------------------------------------------------------------------------------------------------


@define
class _Named:
    address: str
    start: int
    end: int
    rank: int
    """The lower, the surer: 0 by its place, 1 at the beginning of a line, 2 in a line that says why, 3 anywhere."""


_OPENING = " \t<>*|\"'`([{\u2022\u00b7-\u2013\u201c\u201e\u2018"
_LABELS, _NOT_THEIRS = (
    tuple(f" {label}" if label.isascii() and label[-1] != "=" else label for label in table)
    for table in (LABELS, NOT_THEIRS)
)
_ORIGINS = ("generated from", "expanded from", "expanded from:", "originally addressed to", "aliased to")
_STRUCTURE = re.compile(r"[>\"')\]\s]*(?:[:,;]|\.\.\.|$|\n|=20|on |\(|-\s|wrote)")


def _named(words: str, low: str, strangers: frozenset[str], written_to: list[str]) -> list[_Named]:
    """Whom the words name as not reached, each once, in order."""
    best: dict[str, _Named] = {}
    before_it: _Named | None = None
    wanted = {address.lower() for address in written_to}
    for address, start, end in addresses_in(words):
        key = address.lower()
        line = words.rfind("\n", 0, start) + 1
        if before_it is not None and start - before_it.end < 200 and low[line:start].rstrip().endswith(_ORIGINS):
            if key in wanted or before_it.address.lower() in strangers:
                best.pop(before_it.address.lower(), None)
                best[key] = _Named(address, before_it.start, end, 0)
            continue
        rank = _rank(words, low, line, start, end)
        if rank is None:
            continue
        one = _Named(address, start, end, rank)
        if key not in best or best[key].rank > rank:
            best[key] = one
        before_it = one
    return _chosen(list(best.values()), strangers, wanted)


def _rank(words: str, low: str, line: int, start: int, end: int) -> int | None:
    """How surely an address is one that failed, by what stands around it; None where it is somebody else's."""
    front = low[max(line, start - 80) : start].rstrip(_OPENING)
    if not front.strip(_OPENING):
        return 0 if _STRUCTURE.match(words, end) else 1
    front = f" {front.replace('(', ' ').replace('[', ' ')}"
    if front.endswith(_LABELS):
        return 0
    if front.endswith(_NOT_THEIRS):
        return None
    line_end = low.find("\n", end)
    whole = low[line : line_end if line_end >= 0 else len(low)]
    return 2 if _REPLY.search(whole) or has(whole, FAILURES) else 3


_REPLY = re.compile(r"[45](?:(?<![\d.].)\d\d[ -]|(?<!\w.)\.\d{1,3}\.\d{1,3}\b)")
"""A server's answer, by its code. The digit comes first, since a search for one is quick."""


def _chosen(named: list[_Named], strangers: frozenset[str], wanted: set[str]) -> list[_Named]:
    """Those named most surely."""
    people = [
        one
        for one in named
        if one.address.lower() in wanted or not (one.address.lower() in strangers or _is_a_server(one.address))
    ]
    named = people or [one for one in named if one.rank == 0]
    if not named:
        return []
    surest = min(one.rank for one in named)
    chosen = [one for one in named if one.rank == surest]
    meant = [one for one in named if one.address.lower() in wanted]
    if surest > 0 and meant:
        chosen = meant
    return sorted(chosen, key=lambda one: one.start)[:RECIPIENTS_LIMIT]


def _is_a_server(address: str) -> bool:
    return address.partition("@")[0].lower() in OWN_NAMES


_BARE = re.compile(
    r"recipients?[^\n]{0,200}(?:\n[^\n]{0,200}){0,2}:\n{1,2}[ \t]{1,20}([\w.+-]{1,64})[ \t]*\n", re.IGNORECASE
)


def _bare(words: str, head: Header) -> list[str]:
    """A name that stands alone behind such an introduction: somebody of the sending system itself, as AOL writes it."""
    found = _BARE.search(words)
    sender = next(addresses_in(head.get("from")), None)
    return [f"{found[1]}@{sender[0].partition('@')[2]}"] if found is not None and sender is not None else []


# ---- what it says ----------------------------------------------------------------------------------------------------


def _told(mail: Opened, words: str, people: list[tuple[str, _Named | None]], action: str) -> Iterator[Finding]:
    """What a letter says of each: what stands with the address, or else what the whole letter says."""
    raw = kept(mail.head)
    places = [one.start for _, one in people if one is not None]
    whole = _tidy(words)
    status_of_all = enhanced_status(whole)
    cause_of_all = cache(lambda status: cause_of(whole, status))
    for address, one in people:
        reason = (_segment(words, one, places) if one is not None else reason_about(words, address)) or whole
        status = enhanced_status(reason) or status_of_all
        cause = cause_of(reason, status)
        yield Finding(
            recipient=address,
            action=action,
            status="" if status.startswith("2") else status,
            reason=reason,
            cause=cause_of_all(status) if cause is Cause.UNKNOWN else cause,
            raw={**raw, "recipient": address, "reason": reason},
        )


def _segment(words: str, one: _Named, places: list[int]) -> str:
    """What stands behind an address, as far as the next one; or in front of it, where nothing does."""
    following = min((place for place in places if place > one.start), default=len(words))
    behind = _tidy(words[one.end : min(following, one.end + 2 * REASON_LIMIT)])
    if len(behind) > len("...."):
        return behind
    return _tidy(words[max(0, one.start - REASON_LIMIT) : one.end])[-REASON_LIMIT:]


def _tidy(text: str) -> str:
    return " ".join(text.split(maxsplit=REASON_LIMIT)[:REASON_LIMIT]).strip(">)]}<\"':;,.= ")[:REASON_LIMIT]
