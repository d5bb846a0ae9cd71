"""The archive and the journal in memory."""

from contextlib import AbstractContextManager, nullcontext

from custom_smtp.memory import MemoryArchive, MemoryJournal
from custom_smtp.ports import Archive, Journal

from .keeping_contract import ArchiveContract, JournalContract


class TestMemoryArchive(ArchiveContract):
    def fresh(self) -> AbstractContextManager[Archive]:
        return nullcontext(MemoryArchive())


class TestMemoryJournal(JournalContract):
    def fresh(self) -> AbstractContextManager[Journal]:
        return nullcontext(MemoryJournal())
