"""Providers that post reports, all in one style: each with its adapter, and requests that the adapter believes.

::

    postmark = REPORTERS["postmark"]
    endpoint = FeedbackEndpoint(postmark.adapter)
    endpoint.answer(postmark.request({"RecordType": "Delivery", ...}, at=now))

Their secrets are made for tests, and no others. For secrets of your own, for what is particular to a provider, and for
the providers that are not among these six, see `custom_smtp.testing.webhooks`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from attrs import field, frozen

from ..ports import Feedback
from ..providers.mailgun import Mailgun
from ..providers.mailjet import Mailjet
from ..providers.mandrill import Mandrill
from ..providers.postmark import Postmark
from ..providers.sendgrid import SendGrid
from ..providers.sparkpost import SparkPost
from ..web import Request
from .webhooks import (
    MailgunSigner,
    Payload,
    SendGridSigner,
    mailjet_request,
    mandrill_request,
    postmark_request,
    sparkpost_request,
)

_USER, _PASSWORD = "reports", "a-password-for-tests"
_OTHER = "the-secret-of-somebody-else"


@frozen
class Reporter:
    """A provider as it posts reports.

    Attributes:
        adapter: the provider's, which believes these requests.
    """

    adapter: Feedback
    _request: Callable[[Payload, datetime], Request] = field(repr=False)
    _forged: Callable[[Payload, datetime], Request] = field(repr=False)

    def request(self, payload: Payload, *, at: datetime) -> Request:
        """A POST of these reports, validly signed, that is made and comes at this time.

        Args:
            payload: one report, several, or a body as it shall be.
            at: when.
        """
        return self._request(payload, at)

    def forged(self, payload: Payload, *, at: datetime) -> Request:
        """The same, proven by a secret that the adapter does not know."""
        return self._forged(payload, at)


def _mailgun() -> Reporter:
    ours, other = MailgunSigner(), MailgunSigner(_OTHER)
    return Reporter(
        Mailgun(ours.key), lambda told, at: ours.request(told, at=at), lambda told, at: other.request(told, at=at)
    )


def _mailjet() -> Reporter:
    return Reporter(
        Mailjet(_USER, _PASSWORD),
        lambda told, at: mailjet_request(told, _USER, _PASSWORD, received_at=at),
        lambda told, at: mailjet_request(told, _USER, _OTHER, received_at=at),
    )


def _mandrill() -> Reporter:
    url, key = "https://hooks.shop.example/mandrill", "a-webhook-key-for-tests"
    return Reporter(
        Mandrill(url, key),
        lambda told, at: mandrill_request(told, url, key, received_at=at),
        lambda told, at: mandrill_request(told, url, _OTHER, received_at=at),
    )


def _postmark() -> Reporter:
    return Reporter(
        Postmark(_USER, _PASSWORD),
        lambda told, at: postmark_request(told, _USER, _PASSWORD, received_at=at),
        lambda told, at: postmark_request(told, _USER, _OTHER, received_at=at),
    )


def _sendgrid() -> Reporter:
    ours, other = SendGridSigner(), SendGridSigner(7)
    return Reporter(
        SendGrid(ours.verification_key),
        lambda told, at: ours.request(told, at=at),
        lambda told, at: other.request(told, at=at),
    )


def _sparkpost() -> Reporter:
    return Reporter(
        SparkPost(username=_USER, password=_PASSWORD),
        lambda told, at: sparkpost_request(told, _USER, _PASSWORD, received_at=at),
        lambda told, at: sparkpost_request(told, _USER, _OTHER, received_at=at),
    )


REPORTERS: Mapping[str, Reporter] = {
    "mailgun": _mailgun(),
    "mailjet": _mailjet(),
    "mandrill": _mandrill(),
    "postmark": _postmark(),
    "sendgrid": _sendgrid(),
    "sparkpost": _sparkpost(),
}
"""By the provider's name, which is the source of its events."""
