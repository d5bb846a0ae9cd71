"""custom_smtp's asyncio session, fed and looked at as the threaded one is. MANNER: dot, bdat or careful."""

import asyncio
import warnings

from job import Job
from ours import mails_of, server_of

from custom_smtp import Receipt
from custom_smtp.edge.smtp_asyncio import AsyncSmtpSession, AsyncSmtpTransport
from custom_smtp.errors import InsecureTransportWarning


async def main() -> None:
    job = Job.told()
    warnings.simplefilter("ignore", InsecureTransportWarning)
    async with AsyncSmtpTransport(server_of(job), context=job.context).session(connections=job.connections) as session:
        await send(session, job, 4 * job.connections)
        with job.clock():
            await send(session, job, job.mails)


async def send(session: AsyncSmtpSession, job: Job, many: int) -> None:
    taken = 0
    async for outcome in session.deliver_all(mails_of(job, many)):
        if not isinstance(outcome.result, Receipt):
            raise outcome.result
        taken += 1
    assert taken == many


if __name__ == "__main__":
    asyncio.run(main())
