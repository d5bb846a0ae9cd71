"""The archive, the journal and the link table in memory."""

from contextlib import AbstractContextManager, nullcontext

from custom_smtp.memory import MemoryArchive, MemoryJournal, MemoryLinkTable
from custom_smtp.ports import Archive, Journal, LinkTable

from .keeping_contract import ArchiveContract, JournalContract, LinkTableContract


class TestMemoryArchive(ArchiveContract):
    def fresh(self) -> AbstractContextManager[Archive]:
        return nullcontext(MemoryArchive())


class TestMemoryJournal(JournalContract):
    def fresh(self) -> AbstractContextManager[Journal]:
        return nullcontext(MemoryJournal())


class TestMemoryLinkTable(LinkTableContract):
    def fresh(self) -> AbstractContextManager[LinkTable]:
        return nullcontext(MemoryLinkTable())
