"""Everything that the demo runs on: mail servers, a web server, a database, a mailbox, and the plan that sends."""

import ssl
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from attrs import evolve, frozen

from .. import bounces
from ..edge.mailboxes import Maildir
from ..edge.smtp import SmtpTransport
from ..edge.sqlite import SqliteArchive, SqliteJournal
from ..edge.wsgi import wsgi
from ..mounts import Mounts
from ..outgoing import Receipt
from ..preparation import Preparation
from ..routing import ByCampaign
from ..sender import Sender
from ..servers import Limits, Server
from ..system import utc_now
from ..testing.certificates import Authority
from ..testing.fakes import FrozenClock, SerialIds
from ..testing.reporters import REPORTERS
from ..tokens import Tokens
from ..tracking import Tracker
from ..tracking_endpoint import TrackingEndpoint
from ..verp import ReturnAddresses
from ..webhooks import FeedbackEndpoint
from .letters import DOMAIN, Letter
from .relays import PLAIN, RELAYS, SERVERS
from .script import PARTS, lot
from .sink import Sink
from .times import BEGIN
from .web import Site

TOKENS = Tokens((b"a key of 32 bytes, for the demo alone",))

_LIMITS = Limits.all_of(10)


@frozen
class World:
    """The parts, running.

    Attributes:
        clock: what everybody takes for the time.
        sinks: the mail servers, by name.
        site: where links and reports are answered.
        archive: keeps the copies.
        journal: keeps what happened.
        mailbox: where the plain server's bounces come in.
        plan: sends each mail through the server of its type.
    """

    clock: FrozenClock
    sinks: Mapping[str, Sink]
    site: Site
    archive: SqliteArchive
    journal: SqliteJournal
    mailbox: Maildir
    plan: ByCampaign[Receipt]


def begin(stack: ExitStack, database: Path) -> World:
    """Start everything; the stack stops it again, whatever happens in between."""
    clock = FrozenClock(BEGIN)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="custom_smtp-demo-")))
    authority = Authority(utc_now(), "an authority for the demo")
    trusted = folder / "authority.pem"
    trusted.write_bytes(authority.pem)
    context = _server_context(authority, folder)

    refused = {part.person.address.email: part.role.refused for part in PARTS if part.role.refused}
    sinks = {name: stack.enter_context(Sink(name, context, server, refused)) for name, server in SERVERS.items()}
    site = stack.enter_context(Site())
    archive = stack.enter_context(SqliteArchive(database))
    journal = stack.enter_context(SqliteJournal(database))
    mailbox = Maildir(folder / "bounces", read=partial(bounces.read, tokens=TOKENS))

    feedback = {f"/{name}": REPORTERS[name].adapter for name in RELAYS}
    endpoints = Mounts({"/t": TrackingEndpoint(tokens=TOKENS), "/hooks": FeedbackEndpoint(feedback)})
    site.serve(wsgi(endpoints, journal, clock=clock))

    common = Preparation(
        tracker=Tracker(base_url=f"{site.url}/t", tokens=TOKENS), domains=(DOMAIN,), clock=clock, new_id=SerialIds()
    )

    def sender(name: str, preparation: Preparation) -> Sender:
        transport = SmtpTransport(_on_this_machine(SERVERS[name], sinks[name], trusted))
        return Sender(transport, preparation, archive=archive, journal=journal)

    plain = sender(PLAIN, evolve(common, returns=ReturnAddresses(f"bounces.{DOMAIN}", TOKENS)))
    relays = {name: sender(name, evolve(common, feedback=REPORTERS[name].adapter)) for name in RELAYS}
    plan = ByCampaign(
        all_emails=plain,
        assigned={lot(part.letter, part.server): relays[part.server] for part in PARTS if part.server in relays},
        declared=(lot(Letter.SHIPPING, PLAIN),),
    )
    return World(clock, sinks, site, archive, journal, mailbox, plan)


def _on_this_machine(server: Server, sink: Sink, trusted: Path) -> Server:
    """The same server, as far as its login and its pace go."""
    return evolve(server, host="127.0.0.1", port=sink.port, ca_file=trusted, limits=_LIMITS)


def _server_context(authority: Authority, folder: Path) -> ssl.SSLContext:
    chain, key = authority.issue("127.0.0.1").write(folder, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context
