"""The door for mail that comes back: reads a mailbox, records what is understood, and takes away nothing else.

`Maildir` reads a folder on this machine, `ImapMailbox` a mailbox on a server, over TLS alone. Each `take_in` is one
pass: bounded in mails, octets and time, and it may break off anywhere. A mail is deleted, marked or moved only after
everything that it told is in the journal; so what a break leaves is read again, and known by its key. What is not
understood stays as it is: a person may want to read it.

Hand the ``place`` of each pass to the next one. Without it every pass begins at the beginning, and so many mails that
nobody understands would keep it from the others.
"""

from ._imap import ImapMailbox
from ._mailbox_pass import MAILS, OCTETS, Afterwards, Passed, Read
from ._maildir import Maildir

__all__ = ["MAILS", "OCTETS", "Afterwards", "ImapMailbox", "Maildir", "Passed", "Read"]
