"""One-click unsubscription (RFC 2369, RFC 8058): the headers of each mail, a link for its body, and a self-check.

Each mail gets a link of its own, whose token says who, from which mail and from which stream; nobody can read it or
make one. The other end is `custom_smtp.unsubscribe_endpoint.UnsubscribeEndpoint`; requests that come in by mail are
read by `read_request`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.parser import BytesHeaderParser
from enum import Enum
from hashlib import sha256
from html import escape
from types import MappingProxyType
from typing import Any

from attrs import Attribute, evolve, field, frozen

from .addresses import Address
from .checks import ConfigurationError, MailError, shown
from .claims import Claim, Purpose
from .errors import TokenError
from .events import About, Unsubscribed
from .finished import AnyMail, Sendable
from .headers import Headers
from .identifiers import DeliveryId
from .merging import ToSend
from .ports import LinkTokens
from .tag_lists import covered_names
from .tokens import are_tokens
from .urls import location

SOURCE = "unsubscribe"
"""The source of the events that links, pages and mailboxes tell."""

PLACEHOLDER = "{{unsubscribe_url}}"
"""What a mail's text or HTML holds where its own link shall stand."""

ONE_CLICK = "List-Unsubscribe=One-Click"
"""What a POST to the link has to say, and the List-Unsubscribe-Post header with it (RFC 8058 section 3.1)."""

_OWN = frozenset({"list-unsubscribe", "list-unsubscribe-post"})
_PLACEHOLDER = re.compile(
    r"\{\{[ ]?unsubscribe_url[ ]?\}\}|%7B%7B(?:%20)?unsubscribe_url(?:%20)?%7D%7D",  # as editors leave it in a link
    re.IGNORECASE,
)
_UNFIT = frozenset("?#@\\,;{}|^`'")


def _base(url: str) -> str:
    return url.rstrip("/") if isinstance(url, str) else url


def _a_base(_instance: object, _attribute: "Attribute[Any]", url: str) -> None:
    if (
        not isinstance(url, str)
        or not url.lower().startswith("https://")
        or _UNFIT & set(url)
        or "%%" in url
        or location(url) != url
    ):
        # Nothing of it is repeated: it may hold a password.
        raise ConfigurationError(
            "the base URL cannot be one: one click takes https (RFC 8058 section 3.1), a host in ASCII, and a path if "
            "need be, such as 'https://links.shop.example/u', without credentials, query, fragment or commas"
        )


def a_stream(_instance: object, attribute: "Attribute[Any]", stream: str) -> None:
    """Refuse what cannot name a stream; a validator for those that take one."""
    if not isinstance(stream, str) or len(stream) > 64 or not stream.isprintable():
        raise ConfigurationError(
            f"{attribute.name} is {shown(stream)}: name a stream in up to 64 printable characters, such as 'news'; "
            "leave it out where there is one alone"
        )


def _fixed(streams: Mapping[str, str | None]) -> Mapping[str, str | None]:
    if not isinstance(streams, Mapping):
        raise ConfigurationError("streams is a mapping: write {'newsletter': 'news', 'receipts': None}")
    return MappingProxyType(dict(streams))


def _each_a_stream(instance: object, attribute: "Attribute[Any]", streams: Mapping[str, str | None]) -> None:
    for stream in streams.values():
        if stream is not None:
            a_stream(instance, attribute, stream)


@frozen
class Unsubscribe:
    """Gives each mail the headers that let its reader unsubscribe in one click, and a link for its body.

    Mail that has a List-Unsubscribe header of its own keeps it, and gets none. ``{{unsubscribe_url}}`` in its text or
    HTML becomes the link. It leads to a page that asks first: only a POST unsubscribes.

    Attributes:
        base_url: where the `UnsubscribeEndpoint` is found, by https, such as ``https://links.shop.example/u``.
        tokens: what seals the links.
        stream: what the reader unsubscribes from, which becomes the `Unsubscribed` event's scope; empty for all mail.
        streams: by campaign type, its own stream in place of that one; None for mail that people have to get, such as
            receipts, which goes out without any of this. One mail alone says so with ``Mail(unsubscribe=False)``.
        mailto: a mailbox that takes requests by mail, as a second way. Hand what comes in to `read_request`.

    Raises:
        ConfigurationError: the base URL, the tokens, a stream or the mailbox cannot be one.
    """

    base_url: str = field(converter=_base, validator=_a_base)
    tokens: LinkTokens = field(validator=are_tokens)
    stream: str = field(default="", kw_only=True, validator=a_stream)
    streams: Mapping[str, str | None] = field(
        factory=dict, kw_only=True, converter=_fixed, validator=_each_a_stream, hash=False
    )
    mailto: Address | None = field(default=None, kw_only=True)

    @mailto.validator
    def _a_mailbox(self, _attribute: "Attribute[Any]", mailto: Address | None) -> None:
        if mailto is not None and not (isinstance(mailto, Address) and _MAILBOX.fullmatch(mailto.wire)):
            raise ConfigurationError(
                f"mailto is {shown(mailto)}: write Address('unsubscribe@shop.example'), with letters, digits and "
                "'.+_-' alone, since it stands in a link"
            )

    def stream_of(self, mail: ToSend) -> str | None:
        """The stream that this mail's reader can unsubscribe from; None where the mail goes out without."""
        return self.streams.get(mail.campaign or "", self.stream) if mail.unsubscribe else None

    def token(self, mail: ToSend, delivery_id: DeliveryId) -> str | None:
        """What the link of this mail carries, the same each time; None where the mail goes out without.

        Raises:
            TokenError: the address and the stream are too long for a link.
        """
        stream = self.stream_of(mail)
        if stream is None:
            return None
        return self.tokens.issue(Claim(delivery_id, mail.to.email, link=stream), Purpose.UNSUBSCRIBE)

    def url(self, mail: ToSend, delivery_id: DeliveryId) -> str | None:
        """The link of this mail, the same each time; None where the mail goes out without.

        Raises:
            TokenError: the address and the stream are too long for a link.
        """
        token = self.token(mail, delivery_id)
        return None if token is None else self.link(token)

    def link(self, token: str) -> str:
        """The link that carries a token."""
        return f"{self.base_url}/{token}"

    def mark(self, mail: AnyMail, delivery_id: DeliveryId) -> AnyMail:
        """The mail with its headers, and with its link wherever the placeholder stands.

        Mark what was tracked already: then the link stays as it is, whoever else's it was led over.

        Raises:
            MailError: the placeholder stands in a mail that goes out without a link.
            TokenError: the address and the stream are too long for a link.
        """
        token = self.token(mail, delivery_id)
        if token is None:
            require_no_placeholder(mail)
            return mail
        url = self.link(token)
        html = None if mail.html is None else with_link(mail.html, escape(url))
        text = None if mail.text is None else with_link(mail.text, url)
        headers = self.headers(mail.headers, token)
        unchanged = (html, text, headers) == (mail.html, mail.text, mail.headers)
        return mail if unchanged else evolve(mail, html=html, text=text, headers=headers)

    def headers(self, there: Headers, token: str) -> Headers:
        """The headers of a mail with its own behind them, unless such are there already."""
        if any(name.lower() in _OWN for name, _ in there):
            return there
        ways = [f"<{self.link(token)}>"]
        if self.mailto is not None:
            ways.append(f"<mailto:{self.mailto.wire.replace('+', '%2B')}?subject={token}>")
        return (*there, ("List-Unsubscribe", ", ".join(ways)), ("List-Unsubscribe-Post", ONE_CLICK))


_MAILBOX = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")


def with_link(text: str, link: str) -> str:
    """The text with this wherever the placeholder stands."""
    # A plain replacement would have its backslashes read as groups.
    return _PLACEHOLDER.sub(lambda _found: link, text)


def require_no_placeholder(mail: Sendable) -> None:
    """Raise `MailError` where the placeholder stands in a mail that goes out without a link."""
    if _PLACEHOLDER.search(mail.html or "") or _PLACEHOLDER.search(mail.text or ""):
        raise MailError(
            f"{PLACEHOLDER} stands in a mail that goes out without a link to unsubscribe: take it out, or give the "
            "mail's campaign type a stream in Unsubscribe(streams=...)"
        )


# --- Requests by mail -------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}")
_MOST_TRIED = 4


def read_request(content: bytes, tokens: LinkTokens, at: datetime) -> Unsubscribed | None:
    """What a mail to the ``mailto`` mailbox asks for; None where its subject holds no token of ours.

    Anybody may write there: the token proves that whoever wrote has the mail. Read twice, it is one event.

    Args:
        content: the mail as it came.
        tokens: what sealed the links.
        at: when it came.

    Raises:
        ArchiveError: what a short token stands for could not be looked up.
    """
    subject = str(BytesHeaderParser().parsebytes(content)["subject"] or "")
    # Some programs break a long word over two lines.
    for token in [*_TOKEN.findall("".join(subject.split())), *_TOKEN.findall(subject)][:_MOST_TRIED]:
        try:
            claim = tokens.read(token, Purpose.UNSUBSCRIBE)
        except TokenError:
            continue
        key = sha256(f"mail\0{token}\0{at.isoformat()}".encode()).hexdigest()[:32]
        about = About(delivery_id=claim.delivery_id, recipient=claim.recipient, at=at, source=SOURCE, key=key)
        return Unsubscribed(about, "by mail", scope=claim.link)
    return None


# --- The self-check ---------------------------------------------------------------------------------------------------


class UnsubscribeFinding(Enum):
    """What keeps a mail program from offering one click, with what to do."""

    NO_HEADER = "there is no List-Unsubscribe header: give Preparation an Unsubscribe"
    SEVERAL_HEADERS = "there are several List-Unsubscribe or List-Unsubscribe-Post headers: leave one of each"
    NO_HTTPS = "List-Unsubscribe names no https link: one click takes one (RFC 8058 section 3.1)"
    SEVERAL_LINKS = "List-Unsubscribe names several web links, or one by http: leave one, by https"
    NO_POST = "there is no List-Unsubscribe-Post header: without it a link is only looked at"
    WRONG_POST = "List-Unsubscribe-Post says something else: write List-Unsubscribe=One-Click"
    NOT_SIGNED = "there is no DKIM signature: one click takes one (RFC 8058 section 4)"
    NOT_COVERED = "no DKIM signature names both headers in its h=: add them to what the signer signs"


def unsubscribe_findings(content: bytes) -> tuple[UnsubscribeFinding, ...]:
    """What keeps mail programs from offering one click for a finished mail, as it leaves; none where all is well.

    Whether its signatures are right is not asked here.
    """
    headers = _headers_of(content)
    return tuple(_of_the_link(headers)) + tuple(_of_the_post(headers)) + tuple(_of_signatures(headers))


_Values = Mapping[str, list[str]]

_LINK = re.compile(r"<([^<>]*)>")
_GAP = re.compile(r"\s+")


def _headers_of(content: bytes) -> _Values:
    """The values of the headers in question by lower-case name, unfolded (RFC 5322 section 2.2.3)."""
    found: dict[str, list[str]] = {name: [] for name in (*_OWN, "dkim-signature")}
    for name, value in BytesHeaderParser().parsebytes(content).items():
        if name.lower() in found:
            found[name.lower()].append(str(value).replace("\r", "").replace("\n", ""))
    return found


def _of_the_link(headers: _Values) -> Iterator[UnsubscribeFinding]:
    values = headers["list-unsubscribe"]
    if not values:
        yield UnsubscribeFinding.NO_HEADER
        return
    if len(values) > 1 or len(headers["list-unsubscribe-post"]) > 1:
        yield UnsubscribeFinding.SEVERAL_HEADERS
    links = [_GAP.sub("", link).lower() for value in values for link in _LINK.findall(value)]
    web = [link for link in links if link.startswith(("https://", "http://"))]
    if not any(link.startswith("https://") for link in web):
        yield UnsubscribeFinding.NO_HTTPS
    elif len(web) > 1:
        yield UnsubscribeFinding.SEVERAL_LINKS


def _of_the_post(headers: _Values) -> Iterator[UnsubscribeFinding]:
    values = headers["list-unsubscribe-post"]
    if not values:
        yield UnsubscribeFinding.NO_POST
    elif any(_GAP.sub("", value) != ONE_CLICK for value in values):
        yield UnsubscribeFinding.WRONG_POST


def _of_signatures(headers: _Values) -> Iterator[UnsubscribeFinding]:
    signatures = headers["dkim-signature"]
    if not signatures:
        yield UnsubscribeFinding.NOT_SIGNED
    elif not any(covered_names(signature) >= _OWN for signature in signatures):
        yield UnsubscribeFinding.NOT_COVERED
