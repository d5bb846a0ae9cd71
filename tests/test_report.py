import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp.addresses import Address
from custom_smtp.archive import Copy
from custom_smtp.claims import HONEYPOT
from custom_smtp.errors import ConfigurationError, Retry, Step
from custom_smtp.events import (
    About,
    Accepted,
    Attempted,
    Bounced,
    BounceKind,
    Clicked,
    Complained,
    Deferred,
    Delivered,
    Dropped,
    Event,
    Opened,
    Refused,
    Resubscribed,
    Uncertain,
    Unsubscribed,
)
from custom_smtp.identifiers import DeliveryId
from custom_smtp.mail import Mail
from custom_smtp.memory import MemoryJournal
from custom_smtp.mime import render
from custom_smtp.replies import Reply
from custom_smtp.report import (
    LINKS_SHOWN,
    AggregateFigures,
    Campaign,
    Figures,
    LinkReactions,
    Reactions,
    aggregate,
    figures,
    page,
)
from custom_smtp.state import Count
from custom_smtp.timeline import timeline
from custom_smtp.tokens import Claim, Tokens
from custom_smtp.tracking import Tracker
from custom_smtp.verdicts import Judge
from tests.strategies import any_text, copies, delivery_ids, events

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TOKENS = Tokens((b"k" * 32,))
TRACKER = Tracker(base_url="https://links.shop.example/t", tokens=TOKENS)
ONE, TWO, THREE = DeliveryId("d1"), DeliveryId("d2"), DeliveryId("d3")


def about(delivery_id: DeliveryId = ONE, *, minute: float = 0, key: str = "") -> About:
    return About(
        delivery_id=delivery_id,
        recipient="ada@example.net",
        at=NOON + timedelta(minutes=minute),
        source="told",
        key=key or f"{delivery_id} {minute}",
    )


def of_one(*happened: Event) -> Figures:
    return figures({ONE: happened})


# Figures

TAKEN = Accepted(about(minute=1), Reply(250, "2.0.0 queued"))
ARRIVED = Delivered(about(minute=2))
NO_MAILBOX = Refused(about(minute=1), Reply(550, "5.1.1 no such user"), Step.RCPT)


def test_no_mail_gives_no_figures() -> None:
    nobody = Reactions(human=0, machine=0)
    assert figures({}) == Figures(
        people=0,
        accepted=0,
        refusals={},
        uncertain=0,
        delivered=0,
        bounces={},
        complained=0,
        unsubscribed=0,
        opened=nobody,
        clicked=nobody,
        links=(),
    )


def test_a_mail_of_which_nothing_is_known_was_still_sent_to_somebody() -> None:
    assert figures({ONE: ()}).people == 1


def test_what_the_server_took_is_accepted_and_not_yet_delivered() -> None:
    told = of_one(TAKEN)
    assert (told.accepted, told.delivered) == (1, 0)


def test_refusals_are_counted_by_code() -> None:
    busy = Refused(about(THREE), Reply(451, "busy"), Step.RCPT)
    told = figures({ONE: [NO_MAILBOX], TWO: [NO_MAILBOX], THREE: [busy]})
    assert told.refusals == {"550 5.1.1": 2, "451": 1}
    assert (told.refused, told.accepted) == (3, 0)


def test_a_refusal_that_a_later_try_overcame_counts_no_more() -> None:
    told = of_one(Refused(about(), Reply(451, "4.2.0 busy"), Step.RCPT), TAKEN)
    assert (told.refused, told.accepted) == (0, 1)


def test_an_uncertain_mail_is_neither_accepted_nor_refused() -> None:
    told = of_one(Uncertain(about(), "the line broke"))
    assert (told.uncertain, told.accepted, told.refused) == (1, 0, 0)


def test_a_report_settles_an_uncertain_mail() -> None:
    told = of_one(Uncertain(about(), "the line broke"), ARRIVED)
    assert (told.uncertain, told.accepted, told.delivered) == (0, 1, 1)


def test_a_bounce_after_the_delivery_takes_it_back() -> None:
    told = of_one(TAKEN, ARRIVED, Bounced(about(minute=3), BounceKind.HARD, "gone", "5.1.1"))
    assert (told.delivered, told.bounced, told.bounces) == (0, 1, {"5.1.1": 1})


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Bounced(about(minute=3), BounceKind.SOFT), "soft"),
        (Bounced(about(minute=3), BounceKind.BLOCK, "spam", "5.7.1"), "5.7.1"),
        (Dropped(about(minute=3), "unsubscribed before"), "dropped"),
    ],
)
def test_failures_are_counted_by_what_is_known_of_them(failure: Event, code: str) -> None:
    assert of_one(TAKEN, failure).bounces == {code: 1}


def test_a_complaint_was_delivered_too() -> None:
    told = of_one(TAKEN, Complained(about(minute=3)))
    assert (told.complained, told.delivered) == (1, 1)


def test_an_unsubscription_that_was_lifted_counts_no_more() -> None:
    left = Unsubscribed(about(minute=3))
    assert of_one(TAKEN, left).unsubscribed == 1
    assert of_one(TAKEN, left, Resubscribed(about(minute=4))).unsubscribed == 0


def test_opens_are_told_apart_by_mail_and_not_by_request() -> None:
    seen = [Opened(about(minute=3)), Opened(about(minute=4)), Opened(about(minute=5), prefetched=True)]
    assert of_one(*seen).opened == Reactions(human=1, machine=0)
    assert of_one(seen[2]).opened == Reactions(human=0, machine=1)
    assert figures({ONE: seen, TWO: [seen[2]]}).opened.all == 2


def test_a_proxy_that_loads_for_a_person_is_a_person() -> None:
    assert of_one(Opened(about(), proxied=True)).opened.human == 1


def test_whoever_clicks_with_pictures_off_has_seen_the_mail() -> None:
    told = of_one(Clicked(about(), "https://shop.example/"))
    assert (told.opened.human, told.clicked.human) == (1, 1)


def test_a_scanner_is_no_person() -> None:
    told = of_one(Clicked(about(), "https://shop.example/", machine=True))
    assert told.clicked == Reactions(human=0, machine=1)
    assert told.links == (LinkReactions(url="https://shop.example/", human=0, machine=1),)


def test_links_are_told_apart_and_the_most_followed_comes_first() -> None:
    def click(delivery_id: DeliveryId, url: str, minute: int) -> Clicked:
        return Clicked(about(delivery_id, minute=minute), url)

    told = figures(
        {
            ONE: [click(ONE, "https://a.example/", 1), click(ONE, "https://a.example/", 2)],
            TWO: [click(TWO, "https://b.example/", 1)],
            THREE: [click(THREE, "https://b.example/", 1)],
        }
    )
    assert [(link.url, link.human) for link in told.links] == [("https://b.example/", 2), ("https://a.example/", 1)]


def test_links_with_an_id_are_told_apart_by_it() -> None:
    told = figures(
        {
            ONE: [Clicked(about(ONE), "https://a.example/1", link="button")],
            TWO: [Clicked(about(TWO), "https://a.example/2", link="button")],
        }
    )
    assert told.links == (LinkReactions(url="https://a.example/1", link="button", human=2, machine=0),)


@pytest.mark.parametrize("place", ["1", "t12", "a3", "html-0", "text-4"])
def test_links_that_are_told_by_place_alone_are_told_apart_by_url(place: str) -> None:
    clicks = {name: Clicked(about(name), f"https://a.example/{name}", link=place) for name in (ONE, TWO)}
    told = figures({name: [click] for name, click in clicks.items()})
    assert told.links == tuple(LinkReactions(url=click.url, human=1, machine=0) for click in clicks.values())


def test_the_hidden_link_is_nobodys_link_and_whoever_follows_it_no_person() -> None:
    hidden = Clicked(about(minute=9), "https://shop.example/", link=HONEYPOT)
    near = Clicked(about(minute=9 + 0.1), "https://shop.example/a")
    told = of_one(TAKEN, hidden, near, Clicked(about(minute=30), "https://shop.example/b"))
    assert told.clicked == Reactions(human=1, machine=0)
    assert [(link.url, link.human, link.machine) for link in told.links] == [
        ("https://shop.example/b", 1, 0),
        ("https://shop.example/a", 0, 1),
    ]


def test_what_machines_did_is_not_drawn_over_time() -> None:
    by_machine, by_person = Opened(about(minute=9), prefetched=True), Opened(about(minute=10))
    assert "Opened over time" not in shown(kept(mail(text="x")), happened=[TAKEN, by_machine])
    assert "Opened over time: 1 in all" in shown(kept(mail(text="x")), happened=[TAKEN, by_machine, by_person])


# Mails that were tracked as a whole


def unnamed(minute: float) -> About:
    return About(
        delivery_id=None, recipient="", at=NOON + timedelta(minutes=minute), source="tracking", key=f"{minute}"
    )


CURL = "curl/8.0"
AS_A_WHOLE: tuple[Event, ...] = (
    Opened(unnamed(1), campaign="news"),
    Opened(unnamed(2), campaign="news"),
    Opened(unnamed(3), campaign="news", user_agent=CURL),
    Opened(unnamed(4), campaign="receipts"),
    Clicked(unnamed(5), "https://a.example/", link="1", campaign="news"),
    Clicked(unnamed(6), "https://b.example/", link="2", campaign="news"),
    Clicked(unnamed(7), "https://b.example/", link="t1", campaign="news"),
    Clicked(unnamed(8), "https://b.example/?again", link="button", campaign="news", user_agent=CURL),
)


def test_what_names_nobody_is_counted_by_request() -> None:
    told = aggregate([*AS_A_WHOLE, *AS_A_WHOLE], campaign="news")
    assert (told.opens, told.clicks) == (Count(2, 1), Count(3, 1))
    assert list(told.links.items()) == [
        ("https://b.example/", Count(2, 0)),
        ("https://a.example/", Count(1, 0)),
        ("button", Count(0, 1)),
    ]
    assert aggregate(AS_A_WHOLE).opens == Count(3, 1)


def test_what_names_somebody_is_no_part_of_it() -> None:
    told: list[Event] = [
        Opened(about(), campaign="news"),
        Opened(evolve(about(), delivery_id=None), campaign="news"),
        TAKEN,
    ]
    assert aggregate(told) == AggregateFigures(opens=Count(), clicks=Count(), links={})


def test_a_journal_has_them_together() -> None:
    journal = MemoryJournal()
    for event in (*AS_A_WHOLE, Opened(about())):
        journal.record(event)
    assert aggregate(journal.of_recipient("")) == aggregate(AS_A_WHOLE)


def test_the_page_tells_of_them_beside_the_mails() -> None:
    one = Campaign(name="News", copies=(), events={}, unnamed=AS_A_WHOLE)
    html = page("January", [one], at=NOON)
    assert "name nobody: 3 times opened and 3 times clicked by people, 2 more by machines." in html
    assert "0 mails: 0 delivered, 0 opened and 0 clicked by people" in html
    assert "name nobody" not in page("January", [evolve(one, unnamed=())], at=NOON)


def test_who_is_a_machine_is_for_a_judge_to_say() -> None:
    burst = [Clicked(about(minute=9 + each / 600), f"https://shop.example/{each}") for each in range(4)]
    assert of_one(*burst).clicked == Reactions(human=0, machine=1)
    assert figures({ONE: burst}, judge=Judge(burst_links=5)).clicked == Reactions(human=1, machine=0)
    campaign = Campaign(name="News", copies=[kept(mail(text="x"))], events={ONE: burst})
    calm = Elements(page("News", [campaign], at=NOON, judge=Judge(burst_links=5))).text
    assert "1 opened and 1 clicked by people" in calm
    assert "0 opened and 0 clicked by people" in Elements(page("News", [campaign], at=NOON)).text


@given(st.dictionaries(delivery_ids, st.lists(events, max_size=6), max_size=4))
def test_the_figures_never_contradict_each_other(happened: dict[DeliveryId, list[Event]]) -> None:
    told = figures(happened)
    assert told.accepted + told.refused + told.uncertain <= told.people == len(happened)
    assert told.delivered <= told.accepted
    assert told.delivered + told.bounced <= told.people
    assert told.clicked.human <= told.opened.human
    assert told.opened.all <= told.people
    assert all(link.all <= told.people for link in told.links)


@given(st.dictionaries(delivery_ids, st.lists(events, max_size=6), max_size=3), st.randoms())
def test_neither_order_nor_repetition_changes_a_figure(happened: dict[DeliveryId, list[Event]], dice: object) -> None:
    mixed = {one: dice.sample(several, len(several)) + several for one, several in happened.items()}  # type: ignore[attr-defined]  # random.Random
    before, after = figures(happened), figures(mixed)
    counted = [(link.human, link.machine) for link in before.links]
    assert [(link.human, link.machine) for link in after.links] == counted
    assert (after.people, after.accepted, after.delivered) == (before.people, before.accepted, before.delivered)
    assert (after.refusals, after.bounces) == (before.refusals, before.bounces)
    assert (after.opened, after.clicked) == (before.opened, before.clicked)


# The page


def mail(html: str | None = None, text: str | None = None, subject: str = "News") -> Mail:
    return Mail(
        sender=Address("shop@shop.example"), to=Address("ada@example.net"), subject=subject, text=text, html=html
    )


def kept(written: Mail, delivery_id: DeliveryId = ONE) -> Copy:
    content = render(TRACKER.track(written, delivery_id), delivery_id, NOON)
    return raw(content, subject=written.subject, delivery_id=delivery_id)


def raw(
    content: bytes, *, subject: str = "News", recipient: str = "ada@example.net", delivery_id: DeliveryId = ONE
) -> Copy:
    return Copy(delivery_id=delivery_id, recipient=recipient, at=NOON, content=content, subject=subject)


def shown(*copies: Copy, happened: Iterable[Event] = (), title: str = "January", name: str = "News") -> str:
    story: dict[DeliveryId, list[Event]] = {}
    for event in happened:
        if event.about.delivery_id is not None:
            story.setdefault(event.about.delivery_id, []).append(event)
    return page(title, [Campaign(name=name, copies=copies, events=story)], at=NOON, tokens=TOKENS)


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._style = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._style else data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def frame(html: str) -> str:
    """The mail inside the page."""
    [attributes] = Elements(html).attributes("iframe")
    assert attributes["sandbox"] == ""
    return attributes["srcdoc"] or ""


ACTIVE = {
    "script",
    "link",
    "base",
    "object",
    "embed",
    "form",
    "input",
    "button",
    "img",
    "video",
    "audio",
    "svg",
    "math",
}
LOADING = {"src", "srcset", "href", "action", "background", "poster", "data", "formaction", "ping", "xlink:href"}


def assert_inert(mail_html: str) -> None:
    for tag, attributes in Elements(mail_html).tags:
        assert tag not in ACTIVE
        assert tag == "meta" or not LOADING & attributes.keys(), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]


def test_the_page_says_what_became_of_the_mails() -> None:
    html = shown(
        kept(mail(text="hello")),
        raw(b"Subject: x\r\n\r\nx\r\n", recipient="bob@example.net", delivery_id=TWO),
        happened=[
            TAKEN,
            ARRIVED,
            Opened(about(minute=3)),
            Refused(about(TWO), Reply(550, "5.1.1 no such user"), Step.RCPT),
        ],
    )
    told = " ".join(Elements(html).text.split())
    assert "2 mails: 1 taken by our servers, 1 delivered, 1 opened and 0 clicked by people." in told
    assert "550 5.1.1 refused by our server no such mailbox 1" in re.sub(
        r"(?<=\d)(?=refused)|(?<=server)(?=no)|(?<=mailbox)(?=\d)", " ", told
    )
    assert "bob@example.net" in told


def test_a_report_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no time zone"):
        page("January", [], at=NOON.replace(tzinfo=None))


def test_an_empty_report_is_a_report() -> None:
    html = page("Nothing", [], at=NOON)
    assert "0 mails" in html
    assert "<iframe" not in html
    assert "<iframe" not in shown()


QUIET = """
html head meta title style body header section footer main h1 h2 h3 p dl dt dd div small span i bdi wbr
svg rect table thead tbody tr th td iframe
"""


def test_nothing_is_loaded_run_or_followed() -> None:
    html = shown(kept(mail(html='<a href="https://shop.example/">go</a>')), happened=[TAKEN])
    elements = Elements(html)
    policy = next(meta["content"] for meta in elements.attributes("meta") if "http-equiv" in meta)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert {tag for tag, _ in elements.tags} <= set(QUIET.split())
    assert not [attributes for _, attributes in elements.tags if LOADING & attributes.keys()]
    assert "url(" not in html
    assert "@import" not in html


HOSTILE = "\"'></title></style></iframe><script>alert(1)</script><img src=x onerror=alert(1)>&lt;b&gt;\x00\ud800"


def test_nothing_breaks_out_of_its_place() -> None:
    written = raw(b"Subject: x\r\n\r\nx\r\n", subject=HOSTILE, recipient=HOSTILE)
    happened: list[Event] = [
        Clicked(about(), "https://shop.example/" + HOSTILE),
        Bounced(about(minute=3), BounceKind.HARD, HOSTILE, HOSTILE),
        Refused(about(TWO), Reply(550, HOSTILE), Step.RCPT),
    ]
    html = shown(written, raw(b"", delivery_id=TWO), happened=happened, title=HOSTILE, name=HOSTILE)
    harmless = shown(
        raw(b"Subject: x\r\n\r\nx\r\n"),
        raw(b"", delivery_id=TWO),
        happened=[
            Clicked(about(), "https://shop.example/"),
            Bounced(about(minute=3), BounceKind.HARD, "gone", "5.1.1"),
            Refused(about(TWO), Reply(550, "no"), Step.RCPT),
        ],
    )
    html.encode()

    def shape(text: str) -> list[str]:
        return [tag for tag, _ in Elements(text).tags if tag != "wbr"]

    assert shape(html) == shape(harmless)
    assert "\x00" not in html


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<script/><b>x</b>",
        "<img src=https://evil.example/a.png alt=hello width=20>",
        "<a href='javascript:alert(1)'>x</a>",
        "<body onload=alert(1) background=https://evil.example/>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<style></style><script>alert(1)</script>",
        "<style/><img src=x onerror=alert(1)><b title='</style><script>alert(1)</script>'>",
        "<style>a{color:red}<!--</style><img src=x>",
        "<style/></b><img src=x>",
        "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
        "<base href=https://evil.example/><form action=https://evil.example/><input name=q></form>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<!--[if mso]><v:roundrect href='https://evil.example/'></v:roundrect><![endif]-->",
        "<a href='https://a.example/'><a href='https://b.example/'>twice</a>",
        "<a href='https://a.example/'>never closed",
        "<textarea><img src=x onerror=alert(1)>",
        "<div style='background:url(https://evil.example/)'>seen only by its colour</div>",
        '<p title="x" class=\'y\' data-x=1 style="color:&quot;">p</p></style></p></script>',
    ],
)
def test_a_mail_is_shown_without_what_acts(html: str) -> None:
    inside = frame(shown(kept(mail(html=html))))
    assert_inert(inside)
    assert inside.startswith(
        '<!doctype html><html><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy"'
    )


@given(st.text(st.sampled_from("<>\"'/=!-a b&;[]\x00script style img on x href\ud800"), max_size=60))
def test_whatever_a_mail_holds_is_inert(html: str) -> None:
    content = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode("utf-8", "surrogatepass")
    assert_inert(frame(shown(raw(content))))


def test_pictures_are_shown_by_their_words_and_size() -> None:
    inside = frame(
        shown(kept(mail(html='<img src="https://shop.example/a.png" width="300" height="100" alt="The harbour">')))
    )
    [attributes] = [each for each in Elements(inside).attributes("span") if "300px" in (each["style"] or "")]
    assert "aspect-ratio:300/100" in (attributes["style"] or "")
    assert "The harbour" in Elements(inside).text


@pytest.mark.parametrize("html", ['<img src="https://shop.example/p.gif" width="1" height="1" alt="">', "<img src=x>"])
def test_pixels_leave_nothing(html: str) -> None:
    assert not Elements(frame(shown(kept(mail(html=html))))).attributes("span")


def test_links_show_where_they_lead_and_how_many_followed_them() -> None:
    written = mail(
        html='<a href="https://shop.example/a?x=1&amp;y=2">first</a> <a href="https://shop.example/b">second</a>'
    )
    html = shown(kept(written), kept(written, TWO), happened=[Clicked(about(TWO), "https://shop.example/a?x=1&y=2")])
    first, second = Elements(frame(html)).attributes("a")
    assert first["title"] == "https://shop.example/a?x=1&y=2"
    assert second["title"] == "https://shop.example/b"
    assert "first1: 1 \u00b7 50\u2009% second0" in Elements(frame(html)).text
    assert "links.shop.example" not in unescape(html)


def test_a_link_that_is_not_ours_is_shown_without_a_count() -> None:
    content = b"Content-Type: text/html\r\n\r\n<a href='https://elsewhere.example/c/x'>there</a>"
    [link] = Elements(frame(shown(raw(content)))).attributes("a")
    assert link == {}


def test_without_tokens_no_link_is_known() -> None:
    campaign = Campaign(
        name="News",
        copies=[kept(mail(html='<a href="https://shop.example/">go</a>'))],
        events={ONE: [Clicked(about(), "https://shop.example/")]},
    )
    html = page("January", [campaign], at=NOON)
    assert Elements(frame(html)).attributes("a") == [{}]
    assert "shop.example" in Elements(html).text


def test_links_of_plain_text_are_counted_too() -> None:
    html = shown(
        kept(mail(text="See https://shop.example/a (or not).")), happened=[Clicked(about(), "https://shop.example/a")]
    )
    assert "See https://shop.example/a1: 1 \u00b7 100\u2009% (or not)." in Elements(frame(html)).text


def test_a_plain_url_that_is_not_ours_stays_as_it_is() -> None:
    inside = frame(shown(raw(b"Subject: x\r\n\r\nSee https://elsewhere.example/a<b> now\r\n")))
    assert "See https://elsewhere.example/a<b> now" in Elements(inside).text


def personal(number: int, extra: str = "") -> Mail:
    return mail(
        html=f'<a href="https://parcels.example/track?no={number}">where</a>{extra}'
        f'<a href="https://shop.example/orders/{number}/invoice">invoice</a>'
    )


def test_a_link_of_one_s_own_counts_as_the_same_link_of_the_mail_that_is_shown() -> None:
    html = shown(
        kept(personal(1)),
        kept(personal(2), TWO),
        kept(personal(3), THREE),
        happened=[
            Clicked(about(TWO), "https://parcels.example/track?no=2"),
            Clicked(about(THREE), "https://parcels.example/track?no=3"),
            Clicked(about(THREE, minute=1), "https://shop.example/orders/3/invoice"),
        ],
    )
    assert "where1: 2 \u00b7 67\u2009%invoice2: 1 \u00b7 33\u2009%" in Elements(frame(html)).text
    assert "no=2" not in Elements(html).text


def test_mails_of_another_build_keep_their_links_apart() -> None:
    other = personal(2, '<a href="https://shop.example/sale">sale</a>')
    html = shown(
        kept(personal(1)), kept(other, TWO), happened=[Clicked(about(TWO), "https://parcels.example/track?no=2")]
    )
    assert "where0" in Elements(frame(html)).text
    assert "no=2" in Elements(html).text


def test_a_url_that_cannot_be_taken_apart_is_told_by_itself() -> None:
    def sealed(delivery_id: DeliveryId, url: str) -> Copy:
        token = TOKENS.issue(Claim(delivery_id, "ada@example.net", url))
        html = f"Content-Type: text/html\r\n\r\n<a href='https://links.shop.example/t/c/{token}'>x</a>"
        return raw(html.encode(), delivery_id=delivery_id)

    html = shown(
        sealed(ONE, "https://[one/"), sealed(TWO, "https://[two/"), happened=[Clicked(about(TWO), "https://[two/")]
    )
    assert "x0" in Elements(frame(html)).text
    assert "[two/" in Elements(html).text


def test_a_click_of_a_mail_that_is_not_there_is_told_by_its_url() -> None:
    stray = Clicked(About(delivery_id=None, recipient="x", at=NOON, source="s", key="k"), "https://shop.example/lost")
    campaign = Campaign(name="News", copies=[kept(mail(text="x"))], events={ONE: [stray]})
    assert "shop.example/lost" in Elements(page("January", [campaign], at=NOON, tokens=TOKENS)).text.replace(
        "\u200b", ""
    )


def test_many_links_are_not_all_listed() -> None:
    clicks = [Clicked(about(minute=each), f"https://shop.example/{each}") for each in range(LINKS_SHOWN + 2)]
    machine = Clicked(about(minute=-1), "https://shop.example/scanned", machine=True)
    told = Elements(shown(kept(mail(text="x")), happened=[*clicks, machine])).text
    assert "2 more were followed by people. 1 more was followed by machines alone." in told


def test_links_that_machines_alone_followed_are_only_counted() -> None:
    clicks = [Clicked(about(minute=each), f"https://shop.example/{each}", machine=True) for each in range(2)]
    assert "2 more were followed by machines alone." in shown(kept(mail(text="x")), happened=clicks)


def test_where_no_link_was_followed_the_page_says_so() -> None:
    assert "Nobody followed a link." in shown(kept(mail(text="x")))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (NO_MAILBOX, "Refused 550 5.1.1 no such user"),
        (Bounced(about(), BounceKind.HARD, "gone"), "Bounced gone"),
        (Dropped(about(), "left before"), "Not tried left before"),
        (Complained(about()), "Called spam"),
        (Attempted(about(), "no route", Retry.LATER), "Not sent"),
        (Uncertain(about(), "broke"), "Uncertain"),
        (Deferred(about(), "later"), "Put off"),
        (TAKEN, "On its way"),
        (ARRIVED, "Delivered"),
        (Unsubscribed(about()), "Delivered and unsubscribed"),
        (Opened(about()), "Opened"),
        (Clicked(about(), "https://shop.example/"), "Clicked"),
    ],
)
def test_each_person_is_told_of_in_a_word(event: Event, words: str) -> None:
    assert f"ada@example.netNews{words}" in Elements(shown(kept(mail(text="x")), happened=[event])).text


def test_those_that_went_wrong_are_listed_first_and_the_rest_only_counted() -> None:
    people = [raw(b"", recipient=f"p{each}@example.net", delivery_id=DeliveryId(f"d{each}")) for each in range(5)]
    story: dict[DeliveryId, list[Event]] = {one.delivery_id: [Delivered(about(one.delivery_id))] for one in people}
    story[people[4].delivery_id] = [Refused(about(people[4].delivery_id), Reply(550, "no"), Step.RCPT)]
    html = page("January", [Campaign(name="N", copies=people, events=story)], at=NOON, shown=2)
    listed = re.findall(r"p\d@example\.net", html.partition("Person by person")[2])
    assert listed == ["p4@example.net", "p0@example.net"]
    assert "3 more are counted above and not listed here." in html


def test_mails_that_nobody_could_be_told_of_are_accounted_for() -> None:
    html = shown(
        kept(mail(text="x")),
        raw(b"", delivery_id=TWO),
        happened=[Uncertain(about(), "broke"), Attempted(about(TWO), "no route")],
    )
    told = Elements(html).text
    assert "uncertainthe line broke after the last byte: only the server knows1" in told
    assert "not sentno server could be talked to1" in told


def test_where_all_went_well_the_page_says_so() -> None:
    assert "Every mail was taken, and none came back." in shown(kept(mail(text="x")), happened=[ARRIVED])


# Over time


@pytest.mark.parametrize(
    ("span", "words", "end"),
    [
        (timedelta(0), "0.05 seconds", "12:00:00.0"),
        (timedelta(seconds=60), "1 second", "12:01:00"),
        (timedelta(hours=1), "1 minute", "13:00:00"),
        (timedelta(days=2), "1 hour", "4 Jan 12:00"),
        (timedelta(days=60), "1 day", "3 Mar 2026"),
        (timedelta(days=400), "7 days", "6 Feb 2027"),
        (timedelta(days=36_500), "507 days", "9 Dec 2125"),
    ],
)
def test_bars_last_as_long_as_suits_the_time(span: timedelta, words: str, end: str) -> None:
    late = Delivered(About(delivery_id=ONE, recipient="a", at=NOON + span, source="s", key="late"))
    html = shown(kept(mail(text="x")), happened=[Accepted(about(), Reply(250)), late])
    assert f"A bar is {words}, in UTC." in html
    assert f"<span>{end}</span></div>" in html
    assert all(int(box.split()[2]) <= 72 for box in re.findall(r'viewBox="([^"]+)"', html))


def test_a_mail_counts_once_in_each_row_when_it_first_happened() -> None:
    html = shown(kept(mail(text="x")), happened=[Opened(about(minute=each)) for each in range(5)])
    assert "Opened over time: 1 in all, at most 1 in a bar" in html


def test_where_nothing_happened_there_is_no_chart() -> None:
    assert "Over time" not in shown(kept(mail(text="x")))


# Mails of any quality


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\xfe",
        b"Content-Type: text/html; charset=no-such\r\n\r\n<p>hello</p>",
        b"Content-Type: text/html; charset=\xff\r\n\r\n<p>hello</p>",
        b"Content-Type: text/html; charset=utf-7\r\n\r\n<style>+2AA-</style><p>hello</p>",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>hello</p>",
        b"Content-Type: multipart/mixed\r\n\r\n--b\r\n",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+aGVsbG8",
        b"Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n<p>not shown</p>",
    ],
)
def test_a_mail_of_any_quality_is_shown(content: bytes) -> None:
    html = shown(raw(content))
    inside = Elements(frame(html)).text
    assert html.encode()
    assert "not shown" not in inside
    assert ("hello" in inside) is (b"hello" in content or b"aGVsbG8" in content)


@given(st.lists(copies, max_size=3, unique_by=lambda copy: copy.delivery_id), st.lists(events, max_size=5), any_text)
def test_a_page_can_always_be_made_and_written(several: list[Copy], happened: list[Event], title: str) -> None:
    campaign = Campaign(name=title, copies=several, events={copy.delivery_id: happened for copy in several})
    stories = {copy.subject: timeline(copy, happened) for copy in several}
    html = page(title, [campaign], at=NOON, tokens=TOKENS, stories=stories)
    assert html.encode().endswith(b"</html>\n")


# Who told what, and single mails


def of_source(source: str, minute: float, raw: dict[str, object] | None = None) -> About:
    return About(
        delivery_id=ONE,
        recipient="ada@example.net",
        at=NOON + timedelta(minutes=minute),
        source=source,
        key=f"{minute}",
        raw=raw,
    )


def test_each_source_has_a_row_of_the_mails_that_it_told_of() -> None:
    happened: list[Event] = [
        Accepted(of_source("smtp", 0), Reply(250, "ok")),
        Bounced(of_source("proven-bounce-mail", 4), BounceKind.SOFT),
        Delivered(of_source("mailgun", 1)),
        Opened(of_source("tracking", 2)),
        Opened(of_source("tracking", 3)),
        Opened(of_source("unsubscribe", 5)),
    ]
    campaign = Campaign(name="N", copies=[kept(mail(text="x"))], events={ONE: happened})
    html = page("January", [campaign], at=NOON, tokens=TOKENS)
    table = html[html.index("<h2>Who told what</h2>") :]
    table = table[: table.index("</table>")]
    assert re.findall(r"<th[^>]*>([^<]*)</th>", table) == ["", "Accepted", "Delivered", "Bounced", "Opened"]
    assert re.findall(r"<tr><td>([^<]+)", table) == ["our server", "our links", "mailgun", "a mail with our signature"]
    assert re.findall(r'<td class="n">(1|<span)', table) == [
        *("1", "<span", "<span", "<span"),
        *("<span", "<span", "<span", "1"),
        *("<span", "1", "<span", "<span"),
        *("<span", "<span", "1", "<span"),
    ]


def test_a_story_is_told_with_its_proof_and_nothing_of_it_can_run() -> None:
    complaint = Complained(of_source("<mailgun>", 150, {"note": "<script>alert(1)</script>", "ü": "x" * 9000}))
    moments = timeline(kept(mail(text="x")), [Accepted(of_source("smtp", 0.05), Reply(250, "<b>")), complaint])
    html = page("January", [], at=NOON, stories={"Ada <3": moments, "Nobody": ()})
    assert "<h2>Ada &lt;3</h2>" in html
    assert "Nobody" not in html
    assert re.findall(r"<time>[^<]+<small>([^<]+)</small>", html) == ["2 January 2026", "+3 s", "+2.5 h", "+2.5 h"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script" not in html
    assert "The proof, as &lt;mailgun&gt; told it" in html
    assert "x\n...</pre>" in html


def test_a_proof_of_our_own_server_needs_no_report() -> None:
    gone = Refused(of_source("smtp", 0), Reply(550, "5.1.1 no such user"), Step.RCPT)
    html = page("January", [], at=NOON, stories={"Ada": timeline(kept(mail(text="x")), [gone])})
    assert "Suppressed" in html
    assert "<pre>" not in html
