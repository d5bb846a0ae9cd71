"""The whole loop on real parts, on this machine alone: ``python -m custom_smtp demo``.

A coffee roaster writes to sixty people. Seven mail servers take the mails over TLS, people and machines open and follow
them over HTTP, six providers report what became of them, and bounce mail comes back to a plain server's mailbox.
Everything runs on 127.0.0.1, and every figure of the report is compared with the one that the story's script leads to.
"""
