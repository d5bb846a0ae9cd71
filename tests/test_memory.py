"""The archive, the journal, the link table and the owed posts in memory."""

from contextlib import AbstractContextManager, nullcontext

from custom_smtp.memory import MemoryArchive, MemoryJournal, MemoryLinkTable, MemoryOwedPosts
from custom_smtp.ports import Archive, Arrivals, Journal, LinkTable, OwedPosts

from .keeping_contract import (
    ArchiveContract,
    ArrivalsContract,
    JournalContract,
    LinkTableContract,
    OwedPostsContract,
)


class TestMemoryArchive(ArchiveContract):
    def fresh(self) -> AbstractContextManager[Archive]:
        return nullcontext(MemoryArchive())


class TestMemoryJournal(JournalContract):
    def fresh(self) -> AbstractContextManager[Journal]:
        return nullcontext(MemoryJournal())


class TestMemoryArrivals(ArrivalsContract):
    def fresh_arrivals(self) -> AbstractContextManager[tuple[Journal, Arrivals]]:
        journal = MemoryJournal()
        return nullcontext((journal, journal))


class TestMemoryOwedPosts(OwedPostsContract):
    def fresh(self) -> AbstractContextManager[OwedPosts]:
        return nullcontext(MemoryOwedPosts())


class TestMemoryLinkTable(LinkTableContract):
    def fresh(self) -> AbstractContextManager[LinkTable]:
        return nullcontext(MemoryLinkTable())
