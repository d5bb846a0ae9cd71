"""aiosmtplib: a kept connection for each task, content as bytes. (asyncio sets TCP_NODELAY itself.)"""

import asyncio

import aiosmtplib
from job import HOST, PASSWORD, RECIPIENT, SENDER, USER, Job


async def main() -> None:
    job = Job.told()
    lines = [await line(job) for _ in range(job.connections)]
    content = job.content()
    with job.clock():
        await asyncio.gather(*(send(*each, content) for each in zip(lines, job.shares(), strict=True)))
    for each in lines:
        await each.quit()


async def line(job: Job) -> aiosmtplib.SMTP:
    smtp = aiosmtplib.SMTP(
        hostname=HOST,
        port=job.port,
        local_hostname="client.test",
        start_tls=job.secret,
        tls_context=job.context if job.secret else None,
        username=USER if job.secret else None,
        password=PASSWORD if job.secret else None,
    )
    await smtp.connect()
    await send(smtp, 1, job.content())
    return smtp


async def send(smtp: aiosmtplib.SMTP, many: int, content: bytes) -> None:
    for _ in range(many):
        await smtp.sendmail(SENDER, [RECIPIENT], content)


if __name__ == "__main__":
    asyncio.run(main())
