"""A look at a mail before it is sent: what mail programs, filters and readers would stumble over.

Findings, not errors: each may be meant so. The same mail always gives the same findings, and nothing is asked of the
network.
"""

import re
from collections.abc import Collection, Iterator
from enum import Enum

from attrs import frozen

from .html import Tag, loose_conditions, tags
from .html_charset import said_charsets
from .html_text import text_of
from .mail import Mail
from .part_texts import codec_of
from .plain_text import clickable
from .urls import followed, unfinished

CLIPPED_FROM = 102 * 1024
"""Octets of HTML from which Gmail cuts a mail off and hides the rest behind a link, the pixel with it.

Senders have measured it; Google names no figure:
https://shkspr.mobi/blog/2019/05/102kb-ought-to-be-enough-for-any-email/.
"""

LARGE_FROM = 10_240_000
"""Octets of a whole mail, attachments encoded, from which a Postfix left as it comes refuses it.

That is its ``message_size_limit`` (https://www.postfix.org/postconf.5.html); many others take more.
"""

LONG_SUBJECT = 150
"""Characters above which a subject is long: a list of mails shows some 75 on a desktop, and half of that on a phone.

See https://www.wordcounterfree.com/email-subject-line-character-limit.html; twice that leaves room for wide screens.
"""


class MailFinding(Enum):
    """What was found, with what to do."""

    NO_TEXT = "there is no plain text, and none can be made of the HTML: write one, for readers who see no pictures"
    EMPTY_TEXT = "the plain text is empty: write one, or leave it out so that it is made of the HTML"
    NO_SUBJECT = "the subject is empty: filters hold that against a mail"
    LONG_SUBJECT = "the subject is longer than lists of mails show: put what matters first"
    CLIPPED = "the HTML is so large that Gmail cuts it off: shorten it, or lead to a page"
    LARGE = "the mail is so large that common servers refuse it: lead to the files instead of attaching them"
    LINK_WITHOUT_TLS = "a link leads over http: use https, which nobody on the way can read or change"
    LINK_TO_NOWHERE = "a link has no target, or none that leads out of the mail"
    OTHER_TARGET = "a link's words are a web address and lead to another host: that is how phishing looks"
    PICTURE_WITHOUT_ALT = 'a picture has no alt text: give it one, or alt="" where it says nothing'
    PICTURE_WITHOUT_TLS = "a picture is loaded over http: use https, since mail programs block or warn of the other"
    MISSING_PICTURE = "a picture names a content id that no attachment has"
    UNUSED_PICTURE = "an attachment has a content id that the HTML does not show"
    LOOSE_CONDITION = "a conditional comment is never closed, or closed without a beginning: Outlook may show nothing"
    OTHER_CHARSET = "the HTML names another charset than UTF-8, in which it is sent: correct it, or leave it out"
    NOT_SIGNED = "nobody signs for the From domain: give the signer a key for it"
    SCRIPT = "the HTML holds a script or a form, which mail programs take out or warn of"


@frozen
class Found:
    """One finding.

    Attributes:
        finding: what it is.
        where: what it is about: a link, a picture's source; empty where it is the mail as a whole.
        place: where in the HTML or the text it begins; None where it is the mail as a whole.
    """

    finding: MailFinding
    where: str = ""
    place: int | None = None

    def __str__(self) -> str:
        return f"{self.finding.value}: {self.where}" if self.where else self.finding.value


def lint(mail: Mail, *, signed_domains: Collection[str] | None = None) -> tuple[Found, ...]:
    """What may be wrong with a mail, as an application wrote it: before it is tracked and signed.

    Args:
        mail: what to look at.
        signed_domains: the domains that the signer has keys for; None where that is somebody else's business.
    """
    return (*_of_the_whole(mail, signed_domains), *_of_the_text(mail), *_of_the_html(mail))


def _of_the_whole(mail: Mail, signed_domains: Collection[str] | None) -> Iterator[Found]:
    if not mail.subject.strip():
        yield Found(MailFinding.NO_SUBJECT)
    elif len(mail.subject) > LONG_SUBJECT:
        yield Found(MailFinding.LONG_SUBJECT)
    bodies = sum(len(body.encode()) for body in (mail.text, mail.html) if body is not None)
    if bodies + sum(len(each.content) for each in mail.attachments) * 4 // 3 >= LARGE_FROM:
        yield Found(MailFinding.LARGE)
    if signed_domains is not None and not _is_signed(mail.sender.domain, signed_domains):
        yield Found(MailFinding.NOT_SIGNED, mail.sender.domain)


def _is_signed(domain: str, signed: Collection[str]) -> bool:
    """By a key of its own, or of a domain above it (relaxed alignment, RFC 7489 section 3.1.1)."""
    return any(domain == each or domain.endswith(f".{each}") for each in signed)


def _of_the_text(mail: Mail) -> Iterator[Found]:
    if mail.text is None:
        if mail.html is not None and not text_of(mail.html):
            yield Found(MailFinding.NO_TEXT)
        return
    if not mail.text.strip():
        yield Found(MailFinding.EMPTY_TEXT)
    for link in clickable(mail.text):
        if link.url.lower().startswith("http://"):
            yield Found(MailFinding.LINK_WITHOUT_TLS, link.url, link.start)


def _of_the_html(mail: Mail) -> Iterator[Found]:
    html = mail.html
    if html is None:
        return
    if len(html.encode()) >= CLIPPED_FROM:
        yield Found(MailFinding.CLIPPED)
    for place in loose_conditions(html):
        yield Found(MailFinding.LOOSE_CONDITION, html[place : place + 40], place)
    for said in said_charsets(html):
        if codec_of(said.name) != "utf_8" and not (html.isascii() and codec_of(said.name)):
            yield Found(MailFinding.OTHER_CHARSET, said.name, said.start)
    yield from _of_the_tags(html, mail)


def _of_the_tags(html: str, mail: Mail) -> Iterator[Found]:
    held = {each.content_id for each in mail.attachments if each.content_id is not None}
    shown: set[str] = set(_CONTENT_ID.findall(html))
    words_from, target, has_base = 0, "", False
    for tag in tags(html):
        if tag.name == "base":
            has_base = has_base or "href" in tag.attributes()
        elif tag.name == "a":
            if target and _says_another_host(html[words_from : tag.start], target):
                yield Found(MailFinding.OTHER_TARGET, target, words_from)
            words_from, target = tag.end, ""
            if not tag.closing:
                attributes = tag.attributes()
                target = attributes.get("href", "").strip()
                if "href" in attributes:
                    yield from _of_a_link(target, tag.start, has_base=has_base)
        elif tag.name == "img" and not tag.closing:
            yield from _of_a_picture(tag, held)
        elif tag.name in ("script", "form") and not tag.closing:
            yield Found(MailFinding.SCRIPT, f"<{tag.name}>", tag.start)
    for content_id in sorted(held - shown):
        yield Found(MailFinding.UNUSED_PICTURE, content_id)


_CONTENT_ID = re.compile(r"""cid:([^\s"'<>)]+)""", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,})(?:[/:?#]\S*)?", re.IGNORECASE)
_HOST = re.compile(r"https?://(?:[^/?#@]*@)?(?:www\.)?([^/?#:]+)", re.IGNORECASE)


def _of_a_picture(tag: Tag, held: Collection[str]) -> Iterator[Found]:
    attributes = tag.attributes()
    source = attributes.get("src", "").strip()
    if "alt" not in attributes:
        yield Found(MailFinding.PICTURE_WITHOUT_ALT, source, tag.start)
    if source.lower().startswith("http://"):
        yield Found(MailFinding.PICTURE_WITHOUT_TLS, source, tag.start)
    if source.lower().startswith("cid:") and source[4:] not in held:
        yield Found(MailFinding.MISSING_PICTURE, source, tag.start)


def _of_a_link(target: str, place: int, *, has_base: bool) -> Iterator[Found]:
    link = followed(target).lower()
    if link.startswith("http://"):
        yield Found(MailFinding.LINK_WITHOUT_TLS, target, place)
    elif link.startswith(_NOWHERE) or link in ("", "#") or not (has_base or _LEADS_OUT.match(link) or unfinished(link)):
        yield Found(MailFinding.LINK_TO_NOWHERE, target, place)


_NOWHERE = ("javascript:", "file:", "about:")
_LEADS_OUT = re.compile(r"[a-z][a-z0-9+.-]*:|//|#")
"""A link that is relative leads nowhere from a mail, which has no address; one to a place in the mail itself does."""


def _says_another_host(words: str, target: str) -> bool:
    """Whether a link's words are an address on a host of another name."""
    said, leads = _ADDRESS.fullmatch(re.sub(r"<[^>]*>|\s+", "", words[:400])), _HOST.match(target)
    if said is None or leads is None:
        return False
    one, other = said[1].lower(), leads[1].lower()
    return one != other and not one.endswith(f".{other}") and not other.endswith(f".{one}")
