"""Send through your own SMTP server, and keep what a hosted mail service gives.

The everyday names stand here; everything else is found by its module (`custom_smtp.errors`, `custom_smtp.events`,
`custom_smtp.providers.postmark` ...). Each name is loaded when it is first asked for, so that importing this package
costs next to nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import errors, events
    from .addresses import Address
    from .attachments import Attachment, Invitation
    from .dkim import DkimSigner
    from .dkim_keys import DkimKey
    from .domains import DomainReport, SendingDomain
    from .edge.smtp import SmtpTransport
    from .egress import Egress, EgressEndpoint, EgressPlan
    from .errors import CustomSmtpError, TransportError
    from .failover import Failover, RoundRobin
    from .identifiers import DeliveryId
    from .link_rules import LinkRule
    from .mail import CampaignType, Mail, Mode, Tracking
    from .memory import MemoryArchive, MemoryJournal
    from .outgoing import Outcome, Outgoing, Receipt
    from .preparation import Preparation
    from .replies import Reply
    from .routing import ByCampaign
    from .sender import AsyncSender, Sender
    from .servers import Credentials, Server, Tls
    from .templates import Template
    from .tokens import Tokens
    from .tracking import Tracker
    from .tracking_endpoint import TrackingEndpoint
    from .unsubscribe import Unsubscribe
    from .unsubscribe_endpoint import UnsubscribeEndpoint
    from .webhooks import FeedbackEndpoint

__all__ = [
    # what an application writes
    "Address",
    "Mail",
    "Attachment",
    "Invitation",
    "CampaignType",
    "Template",
    # how it is sent
    "Server",
    "Credentials",
    "Tls",
    "SmtpTransport",
    "Preparation",
    "Sender",
    "AsyncSender",
    "ByCampaign",
    "Failover",
    "RoundRobin",
    # how it is signed
    "DkimSigner",
    "DkimKey",
    # what became of it
    "Outgoing",
    "Receipt",
    "Outcome",
    "Reply",
    "DeliveryId",
    # tracking
    "Tracker",
    "Tracking",
    "Mode",
    "LinkRule",
    "Tokens",
    "TrackingEndpoint",
    "Unsubscribe",
    "UnsubscribeEndpoint",
    # hearing back
    "FeedbackEndpoint",
    # keeping
    "MemoryArchive",
    "MemoryJournal",
    # domains and addresses
    "SendingDomain",
    "DomainReport",
    "Egress",
    "EgressPlan",
    "EgressEndpoint",
    # what can go wrong, what can happen
    "CustomSmtpError",
    "TransportError",
    "errors",
    "events",
]

_HOME_OF = {
    "Address": "addresses",
    "AsyncSender": "sender",
    "Attachment": "attachments",
    "ByCampaign": "routing",
    "CampaignType": "mail",
    "Credentials": "servers",
    "CustomSmtpError": "errors",
    "DeliveryId": "identifiers",
    "DkimKey": "dkim_keys",
    "DkimSigner": "dkim",
    "DomainReport": "domains",
    "Egress": "egress",
    "EgressEndpoint": "egress",
    "EgressPlan": "egress",
    "Failover": "failover",
    "FeedbackEndpoint": "webhooks",
    "Invitation": "attachments",
    "LinkRule": "link_rules",
    "Mail": "mail",
    "MemoryArchive": "memory",
    "MemoryJournal": "memory",
    "Mode": "mail",
    "Outcome": "outgoing",
    "Outgoing": "outgoing",
    "Preparation": "preparation",
    "Receipt": "outgoing",
    "Reply": "replies",
    "RoundRobin": "failover",
    "Sender": "sender",
    "SendingDomain": "domains",
    "Server": "servers",
    "SmtpTransport": "edge.smtp",
    "Template": "templates",
    "Tls": "servers",
    "Tokens": "tokens",
    "Tracker": "tracking",
    "Tracking": "mail",
    "TrackingEndpoint": "tracking_endpoint",
    "TransportError": "errors",
    "Unsubscribe": "unsubscribe",
    "UnsubscribeEndpoint": "unsubscribe_endpoint",
}
"""In which module each name of the front door lives."""

if not TYPE_CHECKING:
    # Hidden from type checkers, which would otherwise take any misspelt name for a module attribute.
    def __getattr__(name: str) -> object:
        from importlib import import_module  # noqa: PLC0415 - not before a name is asked for

        if name in ("errors", "events"):
            return import_module(f".{name}", __name__)
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
