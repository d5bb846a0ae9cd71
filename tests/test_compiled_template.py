"""Compiled templates: what is written for a person is what the same `Mail` would have been, in fewer steps."""

import asyncio
import gc
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from html import escape
from typing import Any, cast
from weakref import ReferenceType, ref

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment

from custom_smtp import (
    Address,
    AsyncSender,
    Attachment,
    ByCampaign,
    DeliveryId,
    LinkRule,
    Mail,
    MemoryArchive,
    MemoryJournal,
    Mode,
    Outcome,
    Outgoing,
    Preparation,
    Receipt,
    Reply,
    Sender,
    Tokens,
    Tracker,
    Tracking,
    Unsubscribe,
)
from custom_smtp.attachments import Invitation
from custom_smtp.branding import LinkDomains, LinkReport
from custom_smtp.claims import Claim, Lead, Purpose
from custom_smtp.dkim import DkimSigner
from custom_smtp.dkim_canonical import Form, canonical_body
from custom_smtp.dkim_verification import Verdict, verify_signatures
from custom_smtp.edge.threads import InThread
from custom_smtp.errors import MailError
from custom_smtp.link_rules import Way
from custom_smtp.merge_fields import Value
from custom_smtp.merging import FilledMail
from custom_smtp.outgoing import Envelope, WireForm
from custom_smtp.providers.postmark import Postmark
from custom_smtp.templates import Template
from custom_smtp.testing import FrozenClock, RecordingTransport

from .dkim_world import NOON, ed25519, resolver
from .test_branding import SHOP, WELL

BASE = "https://links.shop.example"
D1 = DeliveryId("d1")
ADA = Address("ada@example.net", "Ada")
NOBODY = Address("nobody@shop.example")
TOKENS = Tokens((b"key of 32 bytes, from your vault",))
TRACKER = Tracker(BASE, TOKENS)
UNSUBSCRIBE = Unsubscribe(f"{BASE}/u", TOKENS, mailto=Address("leave@shop.example"))
INVITATION = Invitation("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n")


def a_mail(**parts: Any) -> Mail:
    return Mail(**{"sender": Address("hello@shop.example", "Shop"), "to": NOBODY, "subject": "News", **parts})


def preparation(**parts: Any) -> Preparation:
    return Preparation(clock=FrozenClock(), new_id=lambda: D1, **parts)


EVERYTHING = preparation(tracker=TRACKER, unsubscribe=UNSUBSCRIBE, feedback=Postmark(username="a", password="b"))


def filled(mail: Mail, /, **values: Value) -> FilledMail:
    return Template(mail).fill(ADA, values)


def written(mail: Mail | FilledMail, by: Preparation = EVERYTHING) -> EmailMessage:
    content = by.prepare(mail).outgoing.content
    assert isinstance(content, WireForm)
    assert WireForm(bytes(content)).dotted == content.dotted
    if content.canonical:
        body = content.partition(b"\r\n\r\n")[2]
        assert canonical_body(body, Form.SIMPLE) == canonical_body(body, Form.RELAXED) == body
    return BytesParser(policy=default).parsebytes(content)


def meaning(message: EmailMessage) -> Any:
    """A mail as its reader gets it: headers, and the parts with theirs; without boundaries, charsets and encodings."""
    headers = [(name, str(value)) for name, value in message.items() if name.lower() not in HOW]
    if message.is_multipart():
        inside: Any = [meaning(cast(EmailMessage, part)) for part in message.iter_parts()]
    else:
        content = message.get_content()
        inside = _lines(content) if isinstance(content, str) else content
    kind = {name: value for name, value in message["Content-Type"].params.items() if name not in HOW}
    return headers, message.get_content_type(), message.get_filename(), kind, inside


@pytest.mark.parametrize(
    ("text", "value", "canonical"),
    [
        ("Hello {{ a }}, how are you?\n", "Ada", True),
        ("Hello {{ a }}, how are you?\n", "Ada  L", False),
        ("Hello {{ a }}, how are you?\n", "Ada\tL", False),
        ("Hello {{ a }}, how are you?\n", " Ada ", True),
        ("Hello  {{ a }}", "Ada", False),
        ("Hello\t{{ a }}", "Ada", False),
        ("Hello {{ a }}", "Ada", False),  # the line end that follows a soft one is an empty line to DKIM
        ("Hello {{ a }}.\n\n", "Ada", False),
    ],
)
def test_what_dkim_need_not_look_at_is_known(text: str, value: str, canonical: bool) -> None:
    one = filled(a_mail(text=text), a=value)
    content = preparation().prepare(one).outgoing.content
    assert cast(WireForm, content).canonical is canonical
    written(one, preparation())
    signer = DkimSigner([ed25519()])
    assert signer.sign(content, NOON) == signer.sign(bytes(content), NOON)


HOW = frozenset({"content-type", "content-transfer-encoding", "boundary", "charset"})


def content_of(message: EmailMessage, kind: str) -> str:
    [part] = [part for part in message.walk() if part.get_content_type() == kind]
    return _lines(part.get_content())


def _lines(content: Any) -> str:
    """The standard library leaves line ends as they travelled, in some encodings."""
    return str(content).replace("\r\n", "\n")


# --- The same as the mail ---------------------------------------------------------------------------------------------

WORD = st.text(st.sampled_from("abcXYZ019 .,;!?=_-+~@&%#/\\<>\"'()[]$*éßЖ漢😀\u00a0\u2019"), max_size=60)
LINES = st.lists(st.sampled_from([*"ab .=é漢\n\t<&'-F_", "\r\n", "From "]), max_size=60).map("".join)
BLOCKS = st.sampled_from(
    [
        "Dear {{ word }},",
        "<p>{{ lines }}</p>",
        '<a href="https://shop.example/o/{{ id }}?n={{ word }}&amp;x=1#{{ lines }}" title="{{ word }}">{{ word }}</a>',
        "<a href='https://shop.example/é'>Zoë</a>",
        '<a href="{{ url }}" data-track-id="main">go</a>',
        '<a href="{{ url }}" data-track="off">go</a>',
        '<a href="mailto:{{ word }}">write</a> <a href="/{{ word }}">here</a>',
        '<a href="{{unsubscribe_url}}">leave</a>',
        "<!--[if mso]><v:rect href='https://shop.example/{{ id }}'>{{ word }}</v:rect><![endif]-->",
        ". dots\n.From = \t",
        "From the shop =  \n" + "long é " * 30,
        "{{ id }}{{ id }}",
    ]
)
TEXT_BLOCKS = st.sampled_from(
    [
        "Dear {{ word }},",
        "{{ lines }}",
        "https://shop.example/o/{{ id }}?n={{ word }}&x=1#{{ lines }}.",
        "<https://shop.example/{{ id }}> (https://shop.example/a)",
        "{{unsubscribe_url}}",
        ".\n..From = \t",
        "From é " * 30,
    ]
)
VALUES = st.fixed_dictionaries(
    {
        "word": WORD.filter(lambda word: word not in (".", "..")),
        "lines": LINES,
        "id": st.integers(),
        "url": st.sampled_from(["https://a.example/?x=1&y=é", "http://b.example", "HTTPS://shop.example/'"]),
    }
)


@given(
    st.lists(BLOCKS, max_size=6),
    st.none() | st.lists(TEXT_BLOCKS, max_size=6),
    VALUES,
    st.sampled_from([EVERYTHING, preparation(), preparation(tracker=TRACKER), preparation(unsubscribe=UNSUBSCRIBE)]),
    st.booleans(),
)
def test_a_filled_template_says_what_the_mail_would_say(
    html: list[str], text: list[str] | None, values: dict[str, Value], by: Preparation, calendar: bool
) -> None:
    picture = Attachment("logo.png", b"\x89PNG" * 40, "image/png", "logo")
    mail = a_mail(
        sender=Address("hello@shop.example", "Shop {{ word }}"),
        subject="News: {{ word }}",
        html="<body><h1>News</h1>" + "\n".join(html) + "</body>",
        text=None if text is None else "\n".join(text) + "\n-- \n",
        amp="<html ⚡4email>{{ word }}</html>",
        headers=[("X-Word", "{{ word }}")],
        attachments=[picture, Attachment("a.txt", b"text", "text/plain")],
        invitation=INVITATION if calendar else None,
    )
    if text is None:  # where nothing is said, a text made of the HTML differs: of links without words, for example
        values |= {name: f"a{values[name]}z" for name in ("word", "lines")}
    one = filled(mail, **values)
    ours, theirs = meaning(written(one, by)), meaning(written(one.as_mail(), by))
    assert words_alone(ours) == words_alone(theirs) if text is None else ours == theirs


def words_alone(told: Any) -> Any:
    """White space in text that was made of HTML is what its paragraphs are: of a value it may be another."""
    if isinstance(told, str):
        return " ".join(told.split())
    return [words_alone(each) for each in told] if isinstance(told, list | tuple) else told


@given(LINES | WORD, LINES | WORD)
def test_no_line_is_longer_than_it_may_be_and_none_begins_with_a_dot(first: str, second: str) -> None:
    html = f"{escape(first)}{{{{ a }}}}{'x' * 80}{{{{ a }}}}{{{{ b }}}}."
    one = filled(a_mail(html=html, text="{{ b }}" * 40), a=second, b=first)
    content = preparation(tracker=TRACKER).prepare(one).outgoing.content
    head, _, body = content.partition(b"\r\n\r\n")
    assert all(len(line) <= 76 and not line.startswith((b".", b"From ")) for line in body.split(b"\r\n"))
    assert head.isascii()


def test_parts_without_fields_are_written_as_ever() -> None:
    mail = a_mail(text="plain", html="<p>{{ a }}</p>", invitation=INVITATION)
    content = preparation().prepare(filled(mail, a="é")).outgoing.content
    assert b"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\nplain\r\n" in content
    assert b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n" in content


def test_the_same_person_id_and_time_give_the_same_bytes() -> None:
    template = Template(a_mail(html="<p>{{ a }}</p>"))
    contents = [EVERYTHING.prepare(template.fill(ADA, {"a": "b"})).outgoing.content for _ in range(2)]
    assert contents[0] == contents[1]


def test_a_mail_inside_keeps_its_lines_and_its_boundaries_apart() -> None:
    template = Template(a_mail(html="{{ a }}", text="{{ a }}"))
    inner = preparation().prepare(template.fill(ADA, {"a": "inner"})).outgoing.content
    inside = Attachment("inside.eml", b"X: y\r\n\r\n.\r\n" + inner, "message/rfc822")
    mail = evolve(template.mail, attachments=[inside])
    outer = preparation().prepare(Template(mail).fill(ADA, {"a": "outer"})).outgoing
    assert cast(WireForm, outer.content).dotted
    told = BytesParser(policy=default).parsebytes(outer.content)
    assert [part.get_content_type() for part in told.iter_parts()] == ["multipart/alternative", "message/rfc822"]


# --- Links ------------------------------------------------------------------------------------------------------------


class Counting:
    """Tokens that are numbers; what they stand for is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[Claim, Purpose]] = []
        self.calls = 0

    def issue(self, claim: Claim, purpose: Purpose = Purpose.CLICK) -> str:
        return self.issue_all([(claim, [Lead(purpose, claim.url, claim.link)])])[0]

    def issue_all(self, asked: Iterable[tuple[Claim, Sequence[Lead]]]) -> list[str]:
        self.calls += 1
        before = len(self.asked)
        for claim, leads in asked:
            self.asked += [(evolve(claim, url=lead.url, link=lead.link), lead.purpose) for lead in leads]
        return [f"t{number}" for number in range(before, len(self.asked))]

    def read(self, token: str, purpose: Purpose = Purpose.CLICK) -> Claim:
        claim, of = self.asked[int(token[1:])]
        assert of is purpose
        return claim


def links(mail: Mail, tracker: Tracker, /, **values: Value) -> list[tuple[str, str]]:
    """The ids of a mail's tracked links, and where they lead."""
    tokens = Counting()
    html = content_of(written(filled(mail, **values), preparation(tracker=evolve(tracker, tokens=tokens))), "text/html")
    claims = [tokens.read(token) for token in re.findall(r"/c/(t\d+)", html)]
    assert all((claim.delivery_id, claim.recipient) == (D1, ADA.email) for claim in claims)
    return [(claim.link, claim.url) for claim in claims]


def test_a_link_with_fields_has_one_id_and_leads_where_each_persons_values_say() -> None:
    mail = a_mail(html='<a href="https://a.example/">a</a><a href="https://b.example/{{ x }}?{{ x }}">b</a>')
    assert links(mail, TRACKER, x="1 2") == [("1", "https://a.example/"), ("2", "https://b.example/1%202?1%202")]
    assert links(mail, TRACKER, x="é") == [("1", "https://a.example/"), ("2", "https://b.example/%C3%A9?%C3%A9")]


def test_a_whole_url_is_tracked_or_left_alone_as_its_host_wants() -> None:
    tracker = evolve(TRACKER, rules=[LinkRule("bank.example"), LinkRule("app.example", Way.APP)])
    mail = a_mail(html="<a href='{{ u }}'>a</a><a href=\"https://b.example/\">b</a>", text="{{ u }} {{ u }}")
    assert links(mail, tracker, u="https://a.example/?a&b'") == [
        ("1", "https://a.example/?a&b'"),
        ("2", "https://b.example/"),
    ]
    assert links(mail, tracker, u="https://bank.example/?a&b'") == [("2", "https://b.example/")]
    told = written(filled(mail, u="https://bank.example/?a&b'"), preparation(tracker=tracker))
    assert "<a href='https://bank.example/?a&amp;b&#x27;'>" in content_of(told, "text/html")
    assert content_of(told, "text/plain") == "https://bank.example/?a&b' https://bank.example/?a&b'\n"
    app = written(filled(mail, u="https://app.example/?a&b'"), preparation(tracker=tracker))
    assert re.search(r"<a href='https://app\.example/\?a&amp;b&#39;&amp;link_id=[\w-]+'>", content_of(app, "text/html"))


def test_parameters_are_added_to_it_and_a_subject_with_fields_is_one_for_all() -> None:
    tracker = evolve(TRACKER, parameters={"utm_campaign": "{subject}", "utm_content": "{link}", "a": "b"})
    mail = a_mail(subject="Hi {{ x }}", html='<a href="https://a.example/{{ x }}?a=1">a</a>')
    assert links(mail, tracker, x="é") == [
        ("1", "https://a.example/%C3%A9?a=1&utm_campaign=Hi%20%7B%7B%20x%20%7D%7D&utm_content=1")
    ]


def test_the_mails_own_way_to_unsubscribe_is_left_alone() -> None:
    mail = a_mail(
        html='<a href="https://a.example/u?p={{ x }}&amp;y">a</a><a href="{{ u }}">b</a>',
        headers=[("List-Unsubscribe", "<https://a.example/u?p={{ x }}&y>, <{{ u }}>")],
    )
    assert links(mail, TRACKER, x="1", u="https://b.example") == []


def test_what_is_not_tracked_at_all_has_its_values_too() -> None:
    html = (
        '<a href="https://a.example/{{ x }}" data-track="off">a</a><a href="mailto:{{ x }}">a</a>'
        '<a href="https://a.example/{{{{ {{ x }}">b</a><img src="https://a.example/{{ x }}.png">'
    )
    told = content_of(written(filled(a_mail(html=html), x="é"), preparation(tracker=TRACKER)), "text/html")
    assert told.startswith(
        '<a href="https://a.example/%C3%A9">a</a><a href="mailto:%C3%A9">a</a>'
        '<a href="https://a.example/{{ %C3%A9">b</a><img src="https://a.example/%C3%A9.png">'
    )
    assert "/c/" not in told


def test_tokens_of_a_mail_are_issued_together() -> None:
    tokens = Counting()
    mail = a_mail(
        html='<a href="https://a.example/{{ x }}">a</a><a href="https://b.example/">b</a>', text="https://c.de"
    )
    preparation(tracker=evolve(TRACKER, tokens=tokens)).prepare(filled(mail, x="1"))
    assert (tokens.calls, len(tokens.asked)) == (1, 4)


def test_each_person_is_tracked_as_that_person_allows() -> None:
    def allows(email: str) -> Tracking:
        return Tracking(opens=Mode.OFF, clicks=Mode.OFF) if email == ADA.email else Tracking(clicks=Mode.AGGREGATE)

    by = preparation(tracker=evolve(TRACKER, person=allows))
    template = Template(a_mail(html='<a href="https://a.example/{{ x }}">a</a>', campaign="news"))
    alone = content_of(written(template.fill(ADA, {"x": "1"}), by), "text/html")
    assert alone == '<a href="https://a.example/1">a</a>\n'
    tracked = content_of(written(template.fill(NOBODY, {"x": "1"}), by), "text/html")
    [click] = re.findall(r"/c/([\w-]+)", tracked)
    [pixel] = re.findall(r"/o/([\w-]+)", tracked)
    assert TOKENS.read(click) == Claim(None, url="https://a.example/1", link="1", campaign="news")
    assert TOKENS.read(pixel, Purpose.OPEN) == Claim(D1, NOBODY.email)


@pytest.mark.parametrize("octets", [1, 74, 75, 76, 150, 151, 400])
def test_a_token_of_any_length_is_cut_into_lines(octets: int) -> None:
    class Long(Counting):
        def issue_all(self, asked: Iterable[tuple[Claim, Sequence[Lead]]]) -> list[str]:
            return ["x" * octets for _, leads in asked for _ in leads]

    told = written(
        filled(a_mail(html='<a href="https://a.example/">é</a>')), preparation(tracker=Tracker(BASE, Long()))
    )
    assert content_of(told, "text/html").startswith(f'<a href="{BASE}/c/{"x" * octets}">é</a>')


# --- Unsubscribing, feedback, signing ---------------------------------------------------------------------------------


def test_the_link_to_unsubscribe_and_its_headers_are_each_persons_own() -> None:
    told = written(filled(a_mail(html='<a href="{{unsubscribe_url}}">é</a>', text="{{ unsubscribe_url }} é")))
    [token] = re.findall(rf"<{BASE}/u/([\w-]+)>, <mailto:leave@shop\.example\?subject=", told["List-Unsubscribe"])
    assert TOKENS.read(token, Purpose.UNSUBSCRIBE) == Claim(D1, ADA.email)
    assert f'<a href="{BASE}/u/{token}">' in content_of(told, "text/html")
    assert content_of(told, "text/plain") == f"{BASE}/u/{token} é\n"
    assert told["X-PM-Metadata-custom-smtp"] or "d1" in str(told.items())


def test_a_template_that_must_be_read_has_no_link_to_unsubscribe() -> None:
    assert written(filled(a_mail(text="a", unsubscribe=False)))["List-Unsubscribe"] is None
    with pytest.raises(MailError, match="goes out without a link to unsubscribe"):
        EVERYTHING.prepare(filled(a_mail(text="{{unsubscribe_url}}", unsubscribe=False)))


def test_what_a_provider_adds_to_the_headers_is_checked() -> None:
    class Bad(Postmark):
        def mark(self, headers: Any, delivery_id: DeliveryId, /) -> Any:
            return (*headers, ("X-A", "a\nb"))

    with pytest.raises(MailError, match="X-A"):
        preparation(feedback=Bad(username="a", password="b")).prepare(filled(a_mail(text="a")))


def test_a_domain_that_was_not_added_is_refused() -> None:
    with pytest.raises(MailError, match="not a sending domain yet"):
        preparation(domains=["other.example"]).prepare(filled(a_mail(text="a")))


# --- Senders ----------------------------------------------------------------------------------------------------------


def test_a_sender_keeps_and_sends_it_as_any_mail() -> None:
    sender = Sender(RecordingTransport(), EVERYTHING, archive=MemoryArchive(), journal=MemoryJournal())
    plan = ByCampaign(all_emails=sender)
    one = filled(a_mail(subject="Hi {{ a }}", html="<p>{{ a }}</p>", campaign="newsletter"), a="é")
    assert plan.send(one).delivery_id == D1
    assert isinstance(sender.archive, MemoryArchive)
    assert isinstance(sender.transport, RecordingTransport)
    [copy], [outgoing] = sender.archive.find(ADA.email), sender.transport.delivered
    assert (copy.subject, copy.campaign, copy.recipient) == ("Hi é", "newsletter", ADA.email)
    assert copy.content == outgoing.content
    assert outgoing.envelope == Envelope(Address("hello@shop.example", "Shop"), (ADA,))
    assert "goes through" in str(plan.explain(one))


def test_on_an_event_loop_it_is_the_same() -> None:
    transport = RecordingTransport()
    one = filled(a_mail(html="<p>{{ a }}</p>"), a="é")
    asyncio.run(AsyncSender(InThread(transport), EVERYTHING).send(one))
    assert transport.delivered[0].content == EVERYTHING.prepare(one).outgoing.content


def test_of_a_campaign_only_what_is_on_its_way_is_in_memory() -> None:
    @define
    class Slow:
        """A session that holds three mails at a time, and counts what others hold of the rest."""

        seen: list[ReferenceType[Outgoing]] = field(factory=list)
        most: int = 0

        def deliver_all(self, outgoings: Iterable[Outgoing], /) -> Iterator[Outcome]:
            waiting: deque[Outgoing] = deque()
            for outgoing in outgoings:
                waiting.append(outgoing)
                self.seen.append(ref(outgoing))
                self.most = max(self.most, sum(each() is not None for each in self.seen))
                if len(waiting) == 3:
                    yield Outcome(waiting[0].delivery_id, Receipt(waiting.popleft().delivery_id, Reply(250, "ok")))

        def take_unclaimed(self) -> list[Outcome]:
            return []

    session, template = Slow(), Template(a_mail(html="<p>{{ a }}</p>"))
    people = (template.fill(ADA, {"a": number}) for number in range(50))
    assert len(list(Sender(RecordingTransport()).send_all(people, through=session))) == 48
    assert session.most <= 4


def test_its_links_lead_over_the_host_of_its_domain_while_that_is_right() -> None:
    reports: dict[str, LinkReport] = {}
    domains = LinkDomains(domains=[SHOP], latest=reports.get)
    by = preparation(tracker=Tracker("https://links.default.example", TOKENS), links=domains)
    template = Template(a_mail(html='<a href="https://a.example/{{ a }}">a</a>'))
    assert "https://links.default.example/c/" in content_of(written(template.fill(ADA, {"a": 1}), by), "text/html")
    reports["shop.example"] = WELL
    assert f"https://{SHOP.link_host}/c/" in content_of(written(template.fill(ADA, {"a": 1}), by), "text/html")


def test_it_is_signed_as_it_is_sent() -> None:
    key = ed25519()
    by = preparation(signer=DkimSigner([key]), tracker=TRACKER)
    content = by.prepare(filled(a_mail(html='<a href="https://a.example/{{ a }}">é</a>'), a=1)).outgoing.content
    assert [each.verdict for each in verify_signatures(content, resolver(key), NOON)] == [Verdict.PASSED]


# --- Keeping ----------------------------------------------------------------------------------------------------------


def test_it_is_compiled_once_for_a_sender_and_forgotten_with_its_template() -> None:
    compiled = EVERYTHING._compiled
    gc.collect()
    before = len(compiled)
    template = Template(a_mail(html='{{ a }}<a href="https://a.example/{{ a }}">{{unsubscribe_url}}</a>'))
    for number in range(3):
        EVERYTHING.prepare(template.fill(ADA, {"a": number}))
    assert len(compiled) == before + 1
    del template
    gc.collect()
    assert len(compiled) == before


def test_dates_are_those_of_each_mail() -> None:
    moments = iter([datetime(2026, 1, 2, 3, 4, 5, 6, UTC) + timedelta(seconds=0.4 * number) for number in range(4)])
    by = Preparation(clock=lambda: next(moments), new_id=lambda: D1)
    template = Template(a_mail(text="a"))
    dates = [written(template.fill(ADA, {}), by)["Date"] for _ in range(4)]
    assert [date.datetime.second for date in dates] == [5, 5, 5, 6]


# --- Other engines ----------------------------------------------------------------------------------------------------


def test_what_jinja_renders_is_a_mail_or_a_template() -> None:
    sources = {"news.html": "{% for item in items %}<li>{{ item }}</li>{% endfor %}<p>{{ '{{ name }}' }}</p>"}
    engine = Environment(loader=DictLoader(sources), autoescape=True)
    html = engine.get_template("news.html").render(items=["<a>", "é"])
    told = written(filled(a_mail(html=html), name="<Zoë>"), preparation())
    assert content_of(told, "text/html") == "<li>&lt;a&gt;</li><li>é</li><p>&lt;Zoë&gt;</p>\n"
