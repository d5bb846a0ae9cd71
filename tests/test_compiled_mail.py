"""A compiled mail: pieces for those who are tracked and for those who are not."""

import re
from collections.abc import Iterable, Sequence

import pytest
from attrs import evolve

from custom_smtp import Address, DeliveryId, Mail, Tokens, Tracker
from custom_smtp.claims import HONEYPOT, Claim, Lead, Purpose
from custom_smtp.compiled_mail import Filled
from custom_smtp.errors import MailError
from custom_smtp.mail import Mode, Tracking

BASE = "https://links.shop.example"
PIXEL = f'<img src="{BASE}/o/{{}}" width="1" height="1" alt="" style="border:0">'
HTML = '<a href="https://a.example" data-track="on">a</a><a href="https://b.example" data-track="off">b</a>'
KEPT = HTML.replace(' data-track="off"', "")


class Counting:
    """Tokens that are numbers; what they stand for is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[Claim, Purpose]] = []

    def issue(self, claim: Claim, purpose: Purpose = Purpose.CLICK) -> str:
        return self.issue_all([(claim, [Lead(purpose, claim.url, claim.link)])])[0]

    def issue_all(self, asked: Iterable[tuple[Claim, Sequence[Lead]]]) -> list[str]:
        before = len(self.asked)
        for claim, leads in asked:
            self.asked += [(evolve(claim, url=lead.url, link=lead.link), lead.purpose) for lead in leads]
        return [str(number) for number in range(before, len(self.asked))]

    def read(self, token: str, purpose: Purpose = Purpose.CLICK) -> Claim:
        claim, of = self.asked[int(token)]
        assert of is purpose
        return claim


def a_mail(html: str | None = HTML, text: str | None = "https://a.example") -> Mail:
    return Mail(sender=Address("a@shop.example"), to=Address("ada@example.net"), subject="x", html=html, text=text)


def test_each_version_has_the_pieces_it_needs() -> None:
    compiled = Tracker(BASE, Counting()).compile(a_mail())
    led = KEPT.replace("https://a.example", f"{BASE}/c/1")
    assert compiled.version(opens=True, clicks=True).joined(["1", "2", "3"]) == Filled(
        led + PIXEL.format(2), f"{BASE}/c/3"
    )
    assert compiled.version(opens=False, clicks=True).joined(["1", "3"]) == Filled(led, f"{BASE}/c/3")
    assert compiled.version(opens=True, clicks=False).joined(["2"]) == Filled(
        KEPT + PIXEL.format(2), "https://a.example"
    )
    assert compiled.version(opens=False, clicks=False).joined([]) == Filled(KEPT, "https://a.example")


def test_a_version_is_made_once() -> None:
    compiled = Tracker(BASE, Counting()).compile(a_mail())
    assert compiled.version(opens=True, clicks=True) is compiled.version(opens=True, clicks=True)


def test_a_version_says_what_its_tokens_are_for() -> None:
    slots = Tracker(BASE, Counting()).compile(a_mail()).version(opens=True, clicks=True).slots
    assert [(slot.purpose, slot.url, slot.link) for slot in slots] == [
        (Purpose.CLICK, "https://a.example", "1"),
        (Purpose.OPEN, "", ""),
        (Purpose.CLICK, "https://a.example", "t1"),
    ]


@pytest.mark.parametrize("tokens", [[], ["1"], ["1", "2", "3", "4"]])
def test_every_slot_takes_a_token(tokens: list[str]) -> None:
    version = Tracker(BASE, Counting()).compile(a_mail()).version(opens=True, clicks=True)
    with pytest.raises(MailError, match="give one for each"):
        version.joined(tokens)


def test_parts_that_are_not_there_stay_away() -> None:
    tracker = Tracker(BASE, Counting())
    assert tracker.compile(a_mail(html=None)).fill(DeliveryId("d1"), "ada@example.net").html is None
    assert tracker.compile(a_mail(text=None)).fill(DeliveryId("d1"), "ada@example.net").text is None


def test_tokens_are_asked_for_at_once_and_only_those_that_are_used() -> None:
    tokens = Counting()
    allowed = {"ada@example.net": Tracking(opens=Mode.OFF), "bob@example.net": Tracking(clicks=Mode.AGGREGATE)}
    compiled = Tracker(BASE, tokens, person=allowed.__getitem__).compile(a_mail())
    assert compiled.fill(DeliveryId("d1"), "ada@example.net") == Filled(
        KEPT.replace("https://a.example", f"{BASE}/c/0"), f"{BASE}/c/1"
    )
    assert compiled.fill(DeliveryId("d2"), "bob@example.net").html == (
        KEPT.replace("https://a.example", f"{BASE}/c/2") + PIXEL.format(3)
    )
    assert tokens.asked == [
        (Claim(DeliveryId("d1"), "ada@example.net", "https://a.example", "1"), Purpose.CLICK),
        (Claim(DeliveryId("d1"), "ada@example.net", "https://a.example", "t1"), Purpose.CLICK),
        (Claim(None, "", "https://a.example", "1"), Purpose.CLICK),
        (Claim(DeliveryId("d2"), "bob@example.net"), Purpose.OPEN),
        (Claim(None, "", "https://a.example", "t1"), Purpose.CLICK),
    ]


def test_a_pixel_that_is_there_is_not_added_again_for_its_own_mail_alone() -> None:
    tracker = Tracker(BASE, Tokens((b"k" * 32,)))
    once = tracker.compile(a_mail(html="<p>Hi")).fill(DeliveryId("d1"), "ada@example.net")
    again = tracker.compile(a_mail(html=once.html, text=once.text))
    assert again.fill(DeliveryId("d1"), "ada@example.net") == once
    other = again.fill(DeliveryId("d2"), "bob@example.net").html
    assert other is not None
    assert other.count("<img") == 2


def test_the_links_are_told() -> None:
    compiled = Tracker(BASE, Counting()).compile(a_mail())
    assert [link.url for link in compiled.links] == ["https://a.example", "https://b.example", "https://a.example"]


def test_a_hidden_link_stands_in_front_of_the_pixel_where_clicks_are_tracked_by_person() -> None:
    tokens = Counting()
    compiled = Tracker(BASE, tokens, honeypot=True).compile(a_mail(html="<body>x</body>", text=None))
    filled = compiled.fill(DeliveryId("d1"), "ada@example.net").html
    assert filled is not None
    assert re.fullmatch(rf'<body>x<a href="{BASE}/c/0"[^<>]*></a>{re.escape(PIXEL.format(1))}</body>', filled)
    assert tokens.asked[0] == (Claim(DeliveryId("d1"), "ada@example.net", "", HONEYPOT), Purpose.CLICK)


@pytest.mark.parametrize("allowed", [Tracking(clicks=Mode.OFF), Tracking(clicks=Mode.AGGREGATE)], ids=str)
def test_there_is_no_hidden_link_where_no_person_is_told_from_others(allowed: Tracking) -> None:
    ways = [
        Tracker(BASE, Counting(), honeypot=honeypot, person=lambda _: allowed).compile(a_mail())
        for honeypot in (True, False)
    ]
    trapped, free = (compiled.fill(DeliveryId("d1"), "ada@example.net") for compiled in ways)
    assert trapped == free


def test_a_hidden_link_that_is_there_is_not_added_again_for_its_own_mail_alone() -> None:
    tracker = Tracker(BASE, Tokens((b"key of 32 bytes, from your vault",)), honeypot=True)
    once = tracker.track(a_mail(html="<p>"), DeliveryId("d1"))
    assert once.html is not None
    assert once.html.count("aria-hidden") == 1
    again = tracker.compile(once)
    assert again.fill(DeliveryId("d1"), "ada@example.net").html == once.html
    other = again.fill(DeliveryId("d2"), "ada@example.net").html
    assert other is not None
    assert other.count("aria-hidden") == 2
