"""custom_smtp's session: one thread, or one for each connection. MANNER: dot, bdat or careful, or one of them "-raw".

Everything that makes its answer trustworthy is within the clock: each `Outgoing` is made and checked there, of bytes
that no mail before had, and each outcome is looked at. (The peers get the same bytes each time.) The content comes as
from the library's own writer, which knows what it wrote; "-raw" is of bytes from elsewhere, which are looked through.
"""

import warnings
from collections.abc import Iterator

from job import HOST, PASSWORD, RECIPIENT, SENDER, USER, Job

from custom_smtp import Address, Credentials, DeliveryId, Outgoing, Receipt, Server, SmtpTransport, Tls
from custom_smtp.edge.smtp import SmtpSession
from custom_smtp.errors import InsecureTransportWarning
from custom_smtp.outgoing import Envelope, WireForm
from custom_smtp.servers import Pace

RAW = "-raw"
PACES = {"dot": Pace(window=0), "bdat": Pace(window=8), "careful": Pace.careful()}


def main() -> None:
    job = Job.told()
    # The library always encrypts where the server lets it; for the plain rows, the sink does not.
    warnings.simplefilter("ignore", InsecureTransportWarning)
    with SmtpTransport(server_of(job), context=job.context).session(connections=job.connections) as session:
        send(session, job, 4 * job.connections)
        with job.clock():
            send(session, job, job.mails)


def server_of(job: Job) -> Server:
    return Server(
        HOST,
        job.port,
        Credentials(USER, PASSWORD) if job.secret else None,
        tls=Tls.STARTTLS if job.secret else Tls.OPPORTUNISTIC,
        pace=PACES[job.manner.removesuffix(RAW)],
    )


def mails_of(job: Job, many: int) -> Iterator[Outgoing]:
    envelope = Envelope(Address(SENDER), (Address(RECIPIENT),))
    for number in range(many):
        content = job.content(number)
        if not job.manner.endswith(RAW):
            content = WireForm.written(content, dotted=False)
        yield Outgoing(DeliveryId(f"d{number}"), envelope, content)


def send(session: SmtpSession, job: Job, many: int) -> None:
    taken = 0
    for outcome in session.deliver_all(mails_of(job, many)):
        if not isinstance(outcome.result, Receipt):
            raise outcome.result
        taken += 1
    assert taken == many


if __name__ == "__main__":
    main()
