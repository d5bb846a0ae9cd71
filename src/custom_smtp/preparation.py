"""What happens to each mail before it is handed over: checked, tracked, marked, written, signed; nothing has left yet.

It asks nobody but the clock and the ids that it is handed: the same mail at the same moment, under the same id, gives
the same bytes.
"""

from collections.abc import Collection, MutableMapping
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from attrs import Attribute, evolve, field, frozen

from .archive import Copy
from .branding import LinkDomains
from .checks import ConfigurationError, MailError
from .compiled_template import CompiledTemplate, compile_template
from .domains import SendingDomain, names_of
from .finished import AnyMail, FinishedMail, Sendable
from .html_text import text_of
from .identifiers import DeliveryId
from .merging import FilledMail, MergeMail, ToSend
from .mime import render
from .mime_rewriting import rewrite
from .outgoing import Envelope, Outgoing, WireForm
from .ports import Clock, Feedback, Marks, NewId, Signer
from .system import new_delivery_id, utc_now
from .tracking import Tracker
from .unsubscribe import Unsubscribe
from .verp import ReturnAddresses, envelope_id

Leading = TypeVar("Leading", Tracker, Unsubscribe)


def _domain_names(domains: Collection[SendingDomain | str] | None) -> frozenset[str] | None:
    return None if domains is None else frozenset(names_of(domains))


def _one_at_least(_instance: object, _attribute: "Attribute[Any]", names: frozenset[str] | None) -> None:
    if names is not None and not names:
        raise ConfigurationError("domains is empty, so no mail could be sent: add a domain, or leave domains out")


_DOES = {
    "tracker": "track",
    "unsubscribe": "mark",
    "links": "base_url",
    "feedback": "mark",
    "returns": "address",
    "signer": "sign",
}
"""What each part of a preparation is asked to do."""


def _a_part(_instance: object, attribute: "Attribute[Any]", part: object) -> None:
    does = _DOES[attribute.name]
    if part is not None and not callable(getattr(part, does, None)):
        raise ConfigurationError(
            f"{attribute.name} is a {type(part).__name__}, which has no {does}(): see Preparation for what goes there"
        )


@frozen
class Prepared:
    """A mail ready to go, with the copy to keep of it."""

    outgoing: Outgoing
    copy: Copy


@frozen(kw_only=True)
class Preparation:
    """What happens to each mail before it is handed over. Every part may be left out.

    Attributes:
        text_from_html: whether a mail without a text gets one, made of its HTML: `custom_smtp.html_text`.
        tracker: rewrites its links and adds the pixel.
        unsubscribe: gives it the headers, and the link, that let its reader unsubscribe in one click.
        links: chooses the host of all these links by its From domain. None: they lead over the base URLs that the
            tracker and ``unsubscribe`` were given.
        feedback: marks it, so that the provider's reports find it.
        returns: gives it a return address of its own, so that its bounce mail finds it and nobody can forge one.
        signer: signs it.
        domains: the sending domains that were added; a From address on any other is refused. None allows all.
        clock: dates it.
        new_id: names it.

    Raises:
        ConfigurationError: a part cannot do what it is for, or ``domains`` is there, and empty.
    """

    text_from_html: bool = True
    tracker: Tracker | None = field(default=None, validator=_a_part)
    unsubscribe: Unsubscribe | None = field(default=None, validator=_a_part)
    links: LinkDomains | None = field(default=None, validator=_a_part)
    feedback: Feedback | None = field(default=None, validator=_a_part)
    returns: ReturnAddresses | None = field(default=None, validator=_a_part)
    signer: Signer | None = field(default=None, validator=_a_part)
    domains: frozenset[str] | None = field(default=None, converter=_domain_names, validator=_one_at_least)
    clock: Clock = utc_now
    new_id: NewId = new_delivery_id
    _tracker: Tracker | None = field(init=False, repr=False, eq=False)
    # By template, for as long as that is there, and by the hosts that its links lead over.
    _compiled: MutableMapping[MergeMail, dict[tuple[str, ...], CompiledTemplate]] = field(
        init=False, repr=False, eq=False, factory=WeakKeyDictionary
    )

    @_tracker.default
    def _knowing_our_links(self) -> Tracker | None:
        if self.tracker is None or self.links is None:
            return self.tracker
        return evolve(self.tracker, rules=(*self.links.rules(self.tracker.base_url), *self.tracker.rules))

    def prepare(self, mail: ToSend) -> Prepared:
        """The mail's final bytes, under a new delivery id. Nothing has left yet.

        Raises:
            MailError: its From domain was not added, or may not lead its links; a header contradicts the provider's
                mark; or an unsubscribe link is asked for in a mail that goes out without.
        """
        self._require_known_domain(mail)
        delivery_id, at = self.new_id(), self.clock()
        content: bytes
        if isinstance(mail, FilledMail):
            content = self._template(mail).written(mail, delivery_id, at)
        else:
            content = self._written(mail, delivery_id, at)
        if self.signer is not None:
            content = self.signer.sign(content, at)
        return Prepared(
            Outgoing(delivery_id, self._envelope(mail, delivery_id), content, smtputf8=mail.smtputf8),
            Copy(
                delivery_id=delivery_id,
                recipient=mail.to.email,
                at=at,
                content=content,
                subject=mail.subject,
                campaign=mail.campaign or "",
            ),
        )

    def _written(self, mail: Sendable, delivery_id: DeliveryId, at: datetime) -> WireForm:
        # The link to unsubscribe comes in after the others were tracked, and so stays what it is.
        tracked = self._tracked(self._with_text(mail), delivery_id)
        written = self._marked(self._unsubscribable(tracked, delivery_id), delivery_id)
        return (
            rewrite(written, delivery_id, at) if isinstance(written, FinishedMail) else render(written, delivery_id, at)
        )

    def _template(self, mail: FilledMail) -> CompiledTemplate:
        """Its template, compiled when the first of its mails is sent."""
        by_hosts = self._compiled.get(mail.merge)
        if by_hosts is None:
            by_hosts = self._compiled.setdefault(mail.merge, {})
        hosts = self._hosts(mail)
        compiled = by_hosts.get(hosts)
        if compiled is None:
            compiled = by_hosts[hosts] = compile_template(
                mail.merge,
                tracker=None if self._tracker is None else self._branded(self._tracker, mail),
                unsubscribe=None if self.unsubscribe is None else self._branded(self.unsubscribe, mail),
                marks=self._marks,
                text_from_html=self.text_from_html,
            )
        return compiled

    def _hosts(self, mail: FilledMail) -> tuple[str, ...]:
        """The hosts that its links lead over, where that is for its From domain to say."""
        if self.links is None:
            return ()
        return tuple(self._base_url(part, mail) for part in (self._tracker, self.unsubscribe) if part is not None)

    def _require_known_domain(self, mail: ToSend) -> None:
        if self.domains is not None and mail.sender.domain not in self.domains:
            raise MailError(
                f"{mail.sender.domain} is not a sending domain yet: add it to Preparation(domains=...), "
                f"which has {', '.join(sorted(self.domains))}"
            )

    def _with_text(self, mail: AnyMail) -> AnyMail:
        # A finished mail keeps the parts that it has.
        if isinstance(mail, FinishedMail) or mail.text is not None or mail.html is None or not self.text_from_html:
            return mail
        text = text_of(mail.html)
        return evolve(mail, text=text) if text else mail

    def _tracked(self, mail: AnyMail, delivery_id: DeliveryId) -> AnyMail:
        return mail if self._tracker is None else self._branded(self._tracker, mail).track(mail, delivery_id)

    def _unsubscribable(self, mail: AnyMail, delivery_id: DeliveryId) -> AnyMail:
        return mail if self.unsubscribe is None else self._branded(self.unsubscribe, mail).mark(mail, delivery_id)

    def _branded(self, part: Leading, mail: ToSend) -> Leading:
        base_url = self._base_url(part, mail)
        return part if base_url == part.base_url else evolve(part, base_url=base_url)

    def _base_url(self, part: Tracker | Unsubscribe, mail: ToSend) -> str:
        return part.base_url if self.links is None else self.links.base_url(part.base_url, mail.sender.domain)

    def _marked(self, mail: AnyMail, delivery_id: DeliveryId) -> AnyMail:
        headers = mail.headers
        for part in self._marks:
            headers = part.mark(headers, delivery_id)
        return evolve(mail, headers=headers) if self._marks else mail

    @property
    def _marks(self) -> tuple[Marks, ...]:
        """The parts that mark each mail."""
        return tuple(part for part in (self.feedback, self.returns) if part is not None)

    def _envelope(self, mail: ToSend, delivery_id: DeliveryId) -> Envelope:
        if self.returns is None:
            return Envelope(mail.bounces_to or mail.sender, (mail.to,))
        sender = mail.bounces_to or self.returns.address(delivery_id)
        return Envelope(sender, (mail.to,), envelope_id=envelope_id(delivery_id, self.returns.tokens))
