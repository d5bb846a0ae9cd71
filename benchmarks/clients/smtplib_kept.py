"""The standard library's smtplib: a kept connection for each thread, content as bytes, TCP_NODELAY set.

Without TCP_NODELAY each mail over TLS waits 40 ms on loopback, for Nagle's rule and a delayed acknowledgement; that
would be no fair peer.
"""

import smtplib
import socket
from threading import Thread

from job import HOST, PASSWORD, RECIPIENT, SENDER, USER, Job


def main() -> None:
    job = Job.told()
    lines = [line(job) for _ in range(job.connections)]
    content = job.content()
    failed: list[Exception] = []
    threads = [Thread(target=send, args=(*each, content, failed)) for each in zip(lines, job.shares(), strict=True)]
    with job.clock():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for each in lines:
        each.quit()
    if failed:
        raise failed[0]


def line(job: Job) -> smtplib.SMTP:
    smtp = smtplib.SMTP(HOST, job.port, local_hostname="client.test")
    if job.secret:
        smtp.starttls(context=job.context)
        smtp.login(USER, PASSWORD)
    assert smtp.sock is not None
    smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    smtp.sendmail(SENDER, [RECIPIENT], job.content())
    return smtp


def send(smtp: smtplib.SMTP, many: int, content: bytes, failed: list[Exception]) -> None:
    try:
        for _ in range(many):
            smtp.sendmail(SENDER, [RECIPIENT], content)
    except (smtplib.SMTPException, OSError) as error:
        failed.append(error)


if __name__ == "__main__":
    main()
