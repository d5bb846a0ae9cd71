"""What every archive, every journal and every link table must hold, whatever it keeps things in."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custom_smtp.archive import Copy
from custom_smtp.errors import ArchiveError
from custom_smtp.event_json import write_event
from custom_smtp.events import About, Bounced, BounceKind, Clicked, Delivered, Event
from custom_smtp.identifiers import DeliveryId
from custom_smtp.ports import Archive, Arrivals, Journal, LinkTable, OwedPosts
from custom_smtp.posts import Health, OwedPost, Standing

from .strategies import copies, events

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
TWICE = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)  # half past two happens twice that night
FIRST, SECOND = TWICE.replace(fold=0), TWICE.replace(fold=1)

quick = settings(max_examples=25, suppress_health_check=[HealthCheck.differing_executors])


def a_copy(
    delivery_id: str, recipient: str = "ada@example.net", at: datetime = NOON, content: bytes = b"x\r\n"
) -> Copy:
    return Copy(delivery_id=DeliveryId(delivery_id), recipient=recipient, at=at, content=content, subject="Welcome")


def about(key: str, at: datetime = NOON, recipient: str = "ada@example.net", delivery_id: str | None = "d1") -> About:
    identifier = None if delivery_id is None else DeliveryId(delivery_id)
    return About(delivery_id=identifier, recipient=recipient, at=at, source="postmark", key=key)


class ArchiveContract:
    """Subclasses say how an empty archive is made."""

    def fresh(self) -> AbstractContextManager[Archive]:
        raise NotImplementedError

    @pytest.fixture
    def archive(self) -> Iterator[Archive]:
        with self.fresh() as archive:
            yield archive

    def test_a_copy_is_found_by_its_person_and_by_its_id(self, archive: Archive) -> None:
        copy = a_copy("d1")
        archive.store(copy)
        assert archive.find("ada@example.net") == [copy]
        assert archive.get(DeliveryId("d1")) == copy

    def test_an_empty_archive_finds_nothing(self, archive: Archive) -> None:
        assert archive.find("ada@example.net") == []
        assert archive.get(DeliveryId("d1")) is None
        assert archive.erase("ada@example.net") == 0

    @pytest.mark.parametrize("asked", ["ADA@EXAMPLE.NET", "Ada@Example.net", " ada@example.net "])
    def test_letter_case_does_not_matter(self, archive: Archive, asked: str) -> None:
        archive.store(a_copy("d1", "Ada@example.NET"))
        assert [copy.recipient for copy in archive.find(asked)] == ["Ada@example.NET"]

    def test_a_domain_is_the_same_in_letters_and_in_ascii(self, archive: Archive) -> None:
        archive.store(a_copy("d1", "ada@bücher.example"))
        assert len(archive.find("ada@xn--bcher-kva.example")) == 1

    def test_another_person_is_not_found(self, archive: Archive) -> None:
        archive.store(a_copy("d1", "ada@example.net"))
        assert archive.find("bob@example.net") == []
        assert archive.find("") == []

    def test_the_newest_comes_first_however_they_came(self, archive: Archive) -> None:
        for name, hours in (("d1", 2), ("d2", 0), ("d3", 1)):
            archive.store(a_copy(name, at=NOON - timedelta(hours=hours)))
        assert [copy.delivery_id for copy in archive.find("ada@example.net")] == ["d2", "d3", "d1"]

    def test_of_one_moment_the_later_stored_comes_first(self, archive: Archive) -> None:
        for name in ("d3", "d1", "d2"):
            archive.store(a_copy(name))
        assert [copy.delivery_id for copy in archive.find("ada@example.net")] == ["d2", "d1", "d3"]

    def test_the_hour_that_comes_twice_is_in_order(self, archive: Archive) -> None:
        archive.store(a_copy("second", at=SECOND))
        archive.store(a_copy("first", at=FIRST))
        assert [copy.delivery_id for copy in archive.find("ada@example.net")] == ["second", "first"]

    def test_moments_of_several_zones_are_in_order(self, archive: Archive) -> None:
        archive.store(a_copy("later", at=datetime(2026, 1, 2, 9, tzinfo=ZoneInfo("America/New_York"))))
        archive.store(a_copy("earlier", at=datetime(2026, 1, 2, 14, tzinfo=BERLIN)))
        assert [copy.delivery_id for copy in archive.find("ada@example.net")] == ["later", "earlier"]

    @pytest.mark.parametrize(("limit", "found"), [(0, 0), (-1, 0), (2, 2), (3, 3), (10**30, 3)])
    def test_no_more_than_the_limit_is_told(self, archive: Archive, limit: int, found: int) -> None:
        for name in ("d1", "d2", "d3"):
            archive.store(a_copy(name))
        assert [copy.delivery_id for copy in archive.find("ada@example.net", limit=limit)] == ["d3", "d2", "d1"][:found]

    def test_an_equal_copy_changes_nothing(self, archive: Archive) -> None:
        archive.store(a_copy("d1"))
        archive.store(a_copy("d1"))
        assert len(archive.find("ada@example.net")) == 1

    @pytest.mark.parametrize(
        "other",
        [
            a_copy("d1", content=b"y\r\n"),
            a_copy("d1", recipient="bob@example.net"),
            a_copy("d1", at=NOON + timedelta(microseconds=1)),
            evolve(a_copy("d1"), subject="Order"),
            evolve(a_copy("d1"), campaign="receipts"),
        ],
    )
    def test_another_copy_under_the_same_id_is_refused(self, archive: Archive, other: Copy) -> None:
        archive.store(a_copy("d1"))
        with pytest.raises(ArchiveError, match="an id of its own"):
            archive.store(other)
        assert archive.get(DeliveryId("d1")) == a_copy("d1")

    def test_several_copies_are_kept_in_their_order(self, archive: Archive) -> None:
        several = [a_copy(name) for name in ("d3", "d1", "d2")]
        archive.store_all([])
        archive.store_all(iter(several))
        archive.store_all(several)
        assert archive.find("ada@example.net") == several[::-1]

    def test_several_copies_may_be_the_same(self, archive: Archive) -> None:
        archive.store(a_copy("d1"))
        archive.store_all([a_copy("d2"), a_copy("d2"), a_copy("d1")])
        assert archive.find("ada@example.net") == [a_copy("d2"), a_copy("d1")]

    @pytest.mark.parametrize("before", [[a_copy("d2")], []])
    def test_of_several_copies_all_are_kept_or_none(self, archive: Archive, before: list[Copy]) -> None:
        archive.store_all(before)
        with pytest.raises(ArchiveError, match="'d2': give each mail an id of its own"):
            archive.store_all([a_copy("d1"), a_copy("d2"), a_copy("d2", content=b"y\r\n"), a_copy("d3")])
        assert archive.find("ada@example.net") == before

    def test_ids_keep_their_letter_case(self, archive: Archive) -> None:
        archive.store(a_copy("d1"))
        archive.store(a_copy("D1"))
        assert archive.get(DeliveryId("D1")) == a_copy("D1")

    def test_erasing_forgets_one_person_and_counts(self, archive: Archive) -> None:
        archive.store(a_copy("d1"))
        archive.store(a_copy("d2", "ADA@example.net"))
        archive.store(a_copy("d3", "bob@example.net"))
        assert archive.erase("Ada@Example.net") == 2
        assert archive.find("ada@example.net") == []
        assert archive.get(DeliveryId("d1")) is None
        assert [copy.delivery_id for copy in archive.find("bob@example.net")] == ["d3"]
        assert archive.erase("ada@example.net") == 0

    def test_an_erased_id_is_free_again(self, archive: Archive) -> None:
        archive.store(a_copy("d1"))
        archive.erase("ada@example.net")
        archive.store(a_copy("d1", content=b"new\r\n"))
        assert [copy.content for copy in archive.find("ada@example.net")] == [b"new\r\n"]

    @quick
    @given(st.lists(copies, max_size=4, unique_by=lambda copy: copy.delivery_id))
    def test_every_copy_comes_back_as_it_was(self, several: list[Copy]) -> None:
        with self.fresh() as archive:
            for copy in several:
                archive.store(copy)
                archive.store(copy)
            for copy in several:
                found = archive.get(copy.delivery_id)
                assert found is not None
                assert evolve(found, at=NOON) == evolve(copy, at=NOON)
                assert found.at - NOON == copy.at - NOON
                assert found in archive.find(copy.recipient)


class JournalContract:
    """Subclasses say how an empty journal is made."""

    def fresh(self) -> AbstractContextManager[Journal]:
        raise NotImplementedError

    @pytest.fixture
    def journal(self) -> Iterator[Journal]:
        with self.fresh() as journal:
            yield journal

    def test_an_event_is_found_by_its_mail_and_by_its_person(self, journal: Journal) -> None:
        event = Bounced(about("k1"), BounceKind.HARD, "no such user", "5.1.1")
        assert journal.record(event)
        assert journal.of_delivery(DeliveryId("d1")) == [event]
        assert journal.of_recipient("ada@example.net") == [event]

    def test_an_empty_journal_knows_nothing(self, journal: Journal) -> None:
        assert journal.of_delivery(DeliveryId("d1")) == []
        assert journal.of_recipient("ada@example.net") == []

    def test_a_report_told_twice_is_kept_once(self, journal: Journal) -> None:
        event = Delivered(about("k1"))
        assert [journal.record(event), journal.record(event), journal.record(Delivered(about("k1")))] == [
            True,
            False,
            False,
        ]
        assert journal.of_delivery(DeliveryId("d1")) == [event]

    def test_the_first_report_of_a_key_stays(self, journal: Journal) -> None:
        journal.record(Delivered(about("k1"), "first"))
        assert not journal.record(Delivered(about("k1", recipient="bob@example.net"), "second"))
        assert journal.of_delivery(DeliveryId("d1")) == [Delivered(about("k1"), "first")]

    def test_the_same_key_of_another_source_is_another_report(self, journal: Journal) -> None:
        assert journal.record(Delivered(about("k1")))
        assert journal.record(Delivered(evolve(about("k1"), source="sendgrid")))

    def test_source_and_key_are_not_run_together(self, journal: Journal) -> None:
        assert journal.record(Delivered(evolve(about("bc"), source="a")))
        assert journal.record(Delivered(evolve(about("c"), source="ab")))

    def test_keys_keep_their_letter_case(self, journal: Journal) -> None:
        assert journal.record(Delivered(about("k1")))
        assert journal.record(Delivered(about("K1")))

    def test_events_are_told_by_time_however_they_came(self, journal: Journal) -> None:
        for key, minutes in (("c", 3), ("a", 1), ("b", 2)):
            journal.record(Clicked(about(key, NOON + timedelta(minutes=minutes)), "https://shop.example"))
        assert [event.about.key for event in journal.of_delivery(DeliveryId("d1"))] == ["a", "b", "c"]
        assert [event.about.key for event in journal.of_recipient("ada@example.net")] == ["a", "b", "c"]

    def test_events_of_one_moment_stay_in_the_order_of_arrival(self, journal: Journal) -> None:
        for key in ("z", "a", "m"):
            journal.record(Delivered(about(key)))
        assert [event.about.key for event in journal.of_delivery(DeliveryId("d1"))] == ["z", "a", "m"]

    def test_a_microsecond_is_told_apart(self, journal: Journal) -> None:
        journal.record(Delivered(about("later", NOON + timedelta(microseconds=1))))
        journal.record(Delivered(about("earlier", NOON)))
        assert [event.about.key for event in journal.of_delivery(DeliveryId("d1"))] == ["earlier", "later"]

    def test_the_hour_that_comes_twice_is_in_order(self, journal: Journal) -> None:
        journal.record(Delivered(about("second", SECOND)))
        journal.record(Delivered(about("first", FIRST)))
        assert [event.about.key for event in journal.of_delivery(DeliveryId("d1"))] == ["first", "second"]

    def test_letter_case_of_the_person_does_not_matter(self, journal: Journal) -> None:
        journal.record(Delivered(about("k1", recipient="Ada@Example.NET")))
        assert len(journal.of_recipient("aDA@example.net")) == 1
        assert journal.of_recipient("bob@example.net") == []

    def test_a_report_of_no_mail_of_ours_is_found_by_its_person(self, journal: Journal) -> None:
        journal.record(Delivered(about("k1", delivery_id=None)))
        assert len(journal.of_recipient("ada@example.net")) == 1
        assert journal.of_delivery(DeliveryId("None")) == []

    @quick
    @given(st.lists(events, max_size=6))
    def test_every_event_comes_back_as_it_was(self, several: list[Event]) -> None:
        with self.fresh() as journal:
            first: dict[tuple[str, str], Event] = {}
            for event in several:
                key = (event.about.source, event.about.key)
                assert journal.record(event) is (key not in first)
                first.setdefault(key, event)
            for event in first.values():
                told = [write_event(found) for found in journal.of_recipient(event.about.recipient)]
                assert told.count(write_event(event)) == 1
                if event.about.delivery_id is not None:
                    told = [write_event(found) for found in journal.of_delivery(event.about.delivery_id)]
                    assert told.count(write_event(event)) == 1


short_tokens = st.text("abcABC019-_", min_size=28, max_size=28)
rests = st.text("abcABC019-_", min_size=1, max_size=40)


class LinkTableContract:
    """Subclasses say how an empty link table is made."""

    def fresh(self) -> AbstractContextManager[LinkTable]:
        raise NotImplementedError

    @pytest.fixture
    def table(self) -> Iterator[LinkTable]:
        with self.fresh() as table:
            yield table

    def test_what_is_stored_is_found(self, table: LinkTable) -> None:
        table.store({"a" * 28: "one", "b" * 28: "other"})
        assert [table.find("a" * 28), table.find("b" * 28)] == ["one", "other"]

    def test_what_is_not_there_is_none(self, table: LinkTable) -> None:
        assert table.find("a" * 28) is None
        table.store({})
        table.store({"a" * 28: "one"})
        assert table.find("b" * 28) is None

    @pytest.mark.parametrize(
        "other", ["A" * 28, "a" * 27, "a" * 29, " " + "a" * 27, "a" * 28 + "\n", "%", "a*", "", "ä"]
    )
    def test_a_token_is_found_under_its_very_letters(self, table: LinkTable, other: str) -> None:
        table.store({"a" * 28: "one"})
        assert table.find(other) is None

    def test_storing_a_row_again_changes_nothing(self, table: LinkTable) -> None:
        table.store({"a" * 28: "one"})
        table.store({"a" * 28: "one", "b" * 28: "other"})
        assert [table.find("a" * 28), table.find("b" * 28)] == ["one", "other"]

    def test_rows_of_a_campaign_are_taken_at_once(self, table: LinkTable) -> None:
        rows = {f"{number:028}": f"rest-{number}" for number in range(10_000)}
        table.store(rows)
        assert [table.find(token) for token in rows] == list(rows.values())

    @quick
    @given(st.lists(st.dictionaries(short_tokens, rests, max_size=4), max_size=4))
    def test_every_row_comes_back_as_it_was(self, batches: list[dict[str, str]]) -> None:
        with self.fresh() as table:
            kept: dict[str, str] = {}
            for batch in batches:
                rows = {token: kept.get(token, rest) for token, rest in batch.items()}
                table.store(rows)
                kept |= rows
            assert {token: table.find(token) for token in kept} == kept


class ArrivalsContract:
    """Subclasses say how an empty journal is made that tells of its arrivals, and how one writes into it."""

    def fresh_arrivals(self) -> AbstractContextManager[tuple[Journal, Arrivals]]:
        raise NotImplementedError

    def test_events_arrive_in_the_order_in_which_they_were_recorded(self) -> None:
        told = [Delivered(about(f"k{n}", NOON - timedelta(hours=n), f"p{n}@example.net")) for n in range(5)]
        with self.fresh_arrivals() as (journal, arrivals):
            assert (arrivals.arrivals(0, limit=10), arrivals.last_arrival()) == ([], 0)
            for event in (*told, told[0]):
                journal.record(event)
            come = arrivals.arrivals(0, limit=10)
            places = [place for place, _ in come]
            assert [event for _, event in come] == told
            assert places == sorted(set(places))
            assert (min(places), max(places)) == (places[0], arrivals.last_arrival())
            assert arrivals.arrivals(places[1], limit=2) == come[2:4]
            assert arrivals.arrivals(places[-1], limit=2) == []
            assert arrivals.arrivals(0, limit=0) == arrivals.arrivals(10**12, limit=1) == []
            assert arrivals.arrivals(-5, limit=10**30) == come


HOUR = timedelta(hours=1)


class OwedPostsContract:
    """Subclasses say how an empty list of owed posts is made."""

    def fresh(self) -> AbstractContextManager[OwedPosts]:
        raise NotImplementedError

    @pytest.fixture
    def owed(self) -> Iterator[OwedPosts]:
        with self.fresh() as owed:
            yield owed

    def test_a_destination_that_is_not_known_is_at_the_beginning(self, owed: OwedPosts) -> None:
        assert owed.standing("crm") == Standing()
        assert owed.claim("crm", at=NOON, until=NOON + HOUR, limit=5) == []
        assert owed.again("crm", due=NOON) == 0

    def test_it_goes_on_only_from_where_it_is(self, owed: OwedPosts) -> None:
        assert owed.owe("crm", since=0, up_to=4, places=[2, 4], due=NOON)
        assert not owed.owe("crm", since=0, up_to=9, places=[1, 2, 3], due=NOON)
        assert owed.standing("crm") == Standing(reached=4, owed=2)
        assert owed.owe("crm", since=4, up_to=5, places=[], due=NOON)
        assert owed.standing("crm") == Standing(reached=5, owed=2)

    def test_each_destination_is_owed_for_itself(self, owed: OwedPosts) -> None:
        owed.owe("crm", since=0, up_to=1, places=[1], due=NOON)
        owed.owe("CRM", since=0, up_to=2, places=[2], due=NOON)
        owed.settle("CRM", OwedPost(2, 1, None), paid=False, health=Health(failures=3))
        assert owed.standing("crm") == Standing(reached=1, owed=1)
        assert [one.place for one in owed.claim("crm", at=NOON, until=NOON + HOUR, limit=9)] == [1]

    def test_what_is_claimed_is_nobody_elses_until_then(self, owed: OwedPosts) -> None:
        owed.owe("crm", since=0, up_to=3, places=[1, 2, 3], due=NOON)
        assert owed.claim("crm", at=NOON - timedelta(microseconds=1), until=NOON + HOUR, limit=9) == []
        assert owed.claim("crm", at=NOON, until=NOON + HOUR, limit=2) == [OwedPost(1, 0, NOON), OwedPost(2, 0, NOON)]
        assert [one.place for one in owed.claim("crm", at=NOON, until=NOON + HOUR, limit=9)] == [3]
        assert owed.standing("crm").owed == 3
        assert [one.place for one in owed.claim("crm", at=NOON + HOUR, until=NOON + 2 * HOUR, limit=9)] == [1, 2, 3]
        assert owed.claim("crm", at=NOON + 9 * HOUR, until=NOON + 10 * HOUR, limit=0) == []

    def test_what_is_due_first_comes_first(self, owed: OwedPosts) -> None:
        owed.owe("crm", since=0, up_to=3, places=[1, 2, 3], due=NOON)
        owed.settle("crm", OwedPost(1, 1, NOON + HOUR), paid=False, health=Health())
        owed.settle("crm", OwedPost(3, 2, NOON - HOUR), paid=False, health=Health())
        claimed = owed.claim("crm", at=NOON + HOUR, until=NOON + 2 * HOUR, limit=9)
        assert [(one.place, one.attempts) for one in claimed] == [(3, 2), (2, 0), (1, 1)]

    def test_the_hour_that_comes_twice_is_in_order_here_too(self, owed: OwedPosts) -> None:
        owed.owe("crm", since=0, up_to=1, places=[1], due=SECOND)
        assert owed.claim("crm", at=FIRST, until=SECOND, limit=1) == []
        assert [one.place for one in owed.claim("crm", at=SECOND, until=NOON + 9999 * HOUR, limit=1)] == [1]

    def test_what_is_paid_is_forgotten(self, owed: OwedPosts) -> None:
        owed.owe("crm", since=0, up_to=2, places=[1, 2], due=NOON)
        for _ in range(2):
            owed.settle("crm", OwedPost(1, 0, NOON), paid=True, health=Health())
        assert owed.standing("crm") == Standing(reached=2, owed=1)

    def test_what_was_paid_meanwhile_stays_forgotten(self, owed: OwedPosts) -> None:
        owed.owe("crm", since=0, up_to=1, places=[1], due=NOON)
        owed.settle("crm", OwedPost(1, 0, NOON), paid=True, health=Health())
        owed.settle("crm", OwedPost(1, 1, NOON), paid=False, health=Health(failures=1))
        assert owed.standing("crm") == Standing(reached=1, health=Health(failures=1))

    def test_how_it_is_doing_is_kept(self, owed: OwedPosts) -> None:
        owed.owe("crm", since=0, up_to=1, places=[1], due=NOON)
        health = Health(failures=3, rests_until=NOON + HOUR, stopped=True)
        owed.settle("crm", OwedPost(1, 1, NOON), paid=False, health=health)
        assert owed.standing("crm").health == health

    def test_what_was_given_up_is_owed_again_when_somebody_says_so(self, owed: OwedPosts) -> None:
        owed.owe("crm", since=0, up_to=3, places=[1, 2, 3], due=NOON)
        for place in (1, 3):
            owed.settle("crm", OwedPost(place, 9, None), paid=False, health=Health(failures=9, stopped=True))
        assert owed.standing("crm") == Standing(reached=3, owed=1, given_up=2, health=Health(failures=9, stopped=True))
        assert [one.place for one in owed.claim("crm", at=NOON + 99 * HOUR, until=NOON + 100 * HOUR, limit=9)] == [2]
        assert owed.again("crm", due=NOON) == 2
        assert owed.standing("crm") == Standing(reached=3, owed=3)
        assert owed.claim("crm", at=NOON, until=NOON + HOUR, limit=9) == [OwedPost(1, 0, NOON), OwedPost(3, 0, NOON)]
