"""Everything that the demo runs on: two mail servers, a web server, a database, and the plan that sends."""

import ssl
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from attrs import frozen

from ..edge.smtp import SmtpTransport
from ..edge.sqlite import SqliteArchive, SqliteJournal
from ..edge.wsgi import wsgi
from ..mail import CampaignType
from ..mounts import Mounts
from ..outgoing import Receipt
from ..ports import Feedback
from ..providers.postmark import Postmark
from ..providers.sendgrid import SendGrid
from ..routing import ByCampaign
from ..sender import Preparation, Sender
from ..servers import Credentials, Limits, Server
from ..system import utc_now
from ..testing.certificates import Authority
from ..testing.fakes import SerialIds
from ..testing.webhooks import SendGridSigner
from ..tokens import Tokens
from ..tracking import Tracker
from ..tracking_endpoint import TrackingEndpoint
from ..webhooks import FeedbackEndpoint
from .letters import DOMAIN
from .providers import PostmarkReports, SendGridReports
from .script import PARTS
from .sink import Sink
from .web import Site

TOKENS = Tokens((b"a key of 32 bytes, for the demo alone",))
POSTMARK = PostmarkReports("postmark", "a password for the demo")
SENDGRID = SendGridReports(SendGridSigner())

_LOGIN = Credentials("moewe", "a password for the demo")
_LIMITS = Limits.all_of(10)


@frozen
class World:
    """The parts, running.

    Attributes:
        sinks: the mail servers: ``main`` for all mails, ``bulk`` for what is assigned to it.
        site: where links and reports are answered.
        archive: keeps the copies.
        journal: keeps what happened.
        plan: sends each mail through the server of its type.
    """

    sinks: Mapping[str, Sink]
    site: Site
    archive: SqliteArchive
    journal: SqliteJournal
    plan: ByCampaign[Receipt]


def begin(stack: ExitStack, database: Path) -> World:
    """Start everything; the stack stops it again, whatever happens in between."""
    certificates = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="custom_smtp-demo-")))
    authority = Authority(utc_now(), "an authority for the demo")
    trusted = certificates / "authority.pem"
    trusted.write_bytes(authority.pem)
    context = _server_context(authority, certificates)

    refused = {part.person.address.email: part.role.refused for part in PARTS if part.role.refused}
    sinks = {
        "main": stack.enter_context(Sink("main", context, _LOGIN, {})),
        "bulk": stack.enter_context(Sink("bulk", context, _LOGIN, refused)),
    }
    site = stack.enter_context(Site())
    archive = stack.enter_context(SqliteArchive(database))
    journal = stack.enter_context(SqliteJournal(database))

    postmark = Postmark(username=POSTMARK.username, password=POSTMARK.password)
    sendgrid = SendGrid(SENDGRID.signer.verification_key)
    endpoints = Mounts(
        {
            "/t": TrackingEndpoint(tokens=TOKENS),
            "/hooks/postmark": FeedbackEndpoint(postmark),
            "/hooks/sendgrid": FeedbackEndpoint(sendgrid),
        }
    )
    site.serve(wsgi(endpoints, journal, clock=_later))

    tracker, new_id = Tracker(base_url=f"{site.url}/t", tokens=TOKENS), SerialIds()

    def sender(sink: Sink, feedback: Feedback) -> Sender:
        server = Server("127.0.0.1", sink.port, _LOGIN, ca_file=trusted, limits=_LIMITS)
        preparation = Preparation(tracker=tracker, feedback=feedback, domains=(DOMAIN,), new_id=new_id)
        return Sender(SmtpTransport(server), preparation, archive=archive, journal=journal)

    bulk = sender(sinks["bulk"], sendgrid)
    plan = ByCampaign(
        all_emails=sender(sinks["main"], postmark),
        assigned={CampaignType.NEWSLETTER: bulk, CampaignType.TRIGGERED_BROADCAST: bulk},
    )
    return World(sinks, site, archive, journal, plan)


def _later() -> datetime:
    """The time at which people read: nobody can in the second in which a mail was taken, and is no machine."""
    return utc_now() + timedelta(minutes=10)


def _server_context(authority: Authority, folder: Path) -> ssl.SSLContext:
    chain, key = authority.issue("127.0.0.1").write(folder, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context
