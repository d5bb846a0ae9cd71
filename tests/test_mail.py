"""What an application writes."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from custom_smtp import Address, Attachment, CampaignType, Mail
from custom_smtp.errors import ConfigurationError, MailError
from custom_smtp.mail import Mode, Tracking

SHOP, ADA, BOB, EVE = (Address(f"{name}@example.net", name.title()) for name in ("shop", "ada", "bob", "eve"))
CALENDAR = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


def a_mail(**changed: Any) -> Mail:
    fields: dict[str, Any] = {"sender": SHOP, "to": ADA, "subject": "Your order", "text": "It is on its way."}
    return Mail(**fields | changed)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sender": "shop@example.net"}, "sender is 'shop@example.net': write Address.parse"),
        ({"sender": None}, "sender is None"),
        ({"to": "ada@example.net"}, "to is 'ada@example.net': write Address.parse"),
        ({"to": [ADA]}, "write Address.parse"),
        ({"reply_to": "help@example.net"}, "reply_to is 'help@example.net'"),
        ({"bounces_to": "bounces@example.net"}, "bounces_to is 'bounces@example.net'"),
        ({"shown_to": ADA}, "address is Address, not several"),
        ({"shown_to": ("ada@example.net",)}, "shown_to holds 'ada@example.net': give it Address values"),
        ({"shown_cc": ("ada@example.net",)}, "shown_cc holds 'ada@example.net': give it Address values"),
        ({"shown_cc": "ada@example.net"}, "address is str, not several"),
        ({"invitation": CALENDAR}, "write Invitation("),
        ({"amp": 7}, "the mail's amp is int, not text"),
        ({"text": None, "amp": "<html>"}, "no body: give it text, html or both"),
        ({"text": None}, "no body: give it text, html or both"),
        ({"text": b"bytes"}, "the mail's text is bytes, not text"),
        ({"text": "a\x00b"}, "the mail's text holds a NUL at 1"),
        ({"html": "a\udcffb"}, "the mail's html holds half of a surrogate pair at 1"),
        ({"subject": "Hello\r\nBcc: eve@example.org"}, "the subject holds a line break"),
        ({"subject": "Hello\nthere"}, "the subject holds a line break"),
        ({"subject": "Hello\u2028there"}, "the subject holds a line break"),
        ({"subject": None}, "the subject is NoneType, not text"),
        ({"subject": "\ud83d"}, "the subject holds half of a surrogate pair"),
        ({"unsubscribe": None}, "unsubscribe is None: write True or False"),
        ({"unsubscribe": "no"}, "unsubscribe is 'no': write True or False"),
        ({"campaign": ""}, "use a CampaignType, a name, or None"),
        ({"campaign": 7}, "use a CampaignType, a name, or None"),
        ({"campaign": "news\n"}, "the campaign holds a line break"),
        ({"attachments": (b"bytes",)}, "attachments holds b'bytes': give it Attachment values"),
        ({"attachments": Attachment("a.txt", b"")}, "attachment is Attachment, not several"),
        ({"headers": {"X-Name": "value"}}, "write pairs, as in headers=[('X-Name', 'value')] or headers.items()"),
        ({"headers": [("X-Name", "a", "b")]}, "write pairs"),
        ({"headers": [7]}, "write pairs"),
        ({"headers": 7}, "header is int, not several"),
        ({"headers": [("X Name", "value")]}, "'X Name' is no header name"),
        ({"headers": [("X-Name:", "value")]}, "is no header name"),
        ({"headers": [("X-Name\r\nBcc", "value")]}, "is no header name"),
        ({"headers": [("", "value")]}, "is no header name"),
        ({"headers": [("X-" + "n" * 75, "value")]}, "is no header name"),
        ({"headers": [("X-Näme", "value")]}, "is no header name"),
        ({"headers": [(None, "value")]}, "is no header name"),
        ({"headers": [("X-Name", "a\r\nBcc: eve@example.org")]}, "the header X-Name holds a line break"),
        ({"headers": [("X-Name", "a\nb")]}, "the header X-Name holds a line break"),
        ({"headers": [("X-Name", "a\x00")]}, "the header X-Name holds a line break or control character"),
        ({"headers": [("X-Name", "\udcff")]}, "the header X-Name holds half of a surrogate pair"),
        ({"headers": [("X-Name", "w" * 1000)]}, "put a single space where it may be folded"),
        ({"headers": [("X-Name", "a" + " " * 1200 + "b")]}, "put a single space where it may be folded"),
        ({"headers": [("References", "<a@b>" * 200)]}, "put a single space where it may be folded"),
        ({"headers": [("List-Unsubscribe", "<https://u.example/ü>")]}, "write it in ASCII, percent-encoded in links"),
        ({"headers": [("x-smtpapi", '{"category": "ü"}')]}, "\\u escapes in JSON"),
        ({"headers": [("X-Name", 7)]}, "the header X-Name is int, not text"),
        ({"headers": [("Content-Type", "text/html")]}, "use text, html and attachments"),
    ],
)
def test_a_mail_that_cannot_be_written_is_refused_and_told_why(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(MailError) as refused:
        a_mail(**changed)
    assert says in str(refused.value)


@given(st.characters(categories=["Cc", "Cs", "Zl", "Zp"]), st.sampled_from(["subject", "campaign", "header"]))
def test_no_control_character_gets_through_any_field(character: str, field: str) -> None:
    told = f"a{character}b"
    with pytest.raises(MailError, match="take it out|surrogate"):
        a_mail(**({"headers": [("X-Name", told)]} if field == "header" else {field: told}))


def test_what_may_be_in_a_mail_is_taken() -> None:
    mail = a_mail(
        html="<p>Zeile\r\nzwei\t</p>",
        headers=iter([("X-Name", "žlutý"), ("X-Name", "again"), ["X-List", ""]]),
        shown_to=[ADA, BOB],
        attachments=[Attachment("a.txt", b"a")],
        campaign=CampaignType.NEWSLETTER,
    )
    assert mail.headers == (("X-Name", "žlutý"), ("X-Name", "again"), ("X-List", ""))
    assert mail.shown_to == (ADA, BOB)
    assert mail.campaign == "newsletter"


def test_a_mail_needs_smtputf8_as_soon_as_one_address_does() -> None:
    foreign = Address("jürgen@example.net", smtputf8=True)
    assert not a_mail(sender=Address("shop@münchen.example")).smtputf8
    for field in ("sender", "to", "reply_to", "bounces_to"):
        assert a_mail(**{field: foreign}).smtputf8
    assert a_mail(shown_to=[ADA, foreign]).smtputf8
    assert a_mail(shown_cc=[foreign]).smtputf8


class TestFanOut:
    """One message to several people: a mail each."""

    def test_all_see_the_same_and_nobody_sees_bcc(self) -> None:
        mails = a_mail().fan_out(to=[ADA], cc=[BOB], bcc=[EVE])
        assert [mail.to for mail in mails] == [ADA, BOB, EVE]
        assert {(mail.shown_to, mail.shown_cc) for mail in mails} == {((ADA,), (BOB,))}

    def test_a_person_named_twice_gets_one_mail(self) -> None:
        again = Address("ADA@Example.net")
        mails = a_mail().fan_out(to=[ADA, BOB, again], cc=[again], bcc=[BOB])
        assert [mail.to.key for mail in mails] == ["ada@example.net", "bob@example.net"]

    def test_bcc_alone_leaves_what_is_shown(self) -> None:
        [mail] = a_mail(shown_cc=[BOB]).fan_out(bcc=[EVE])
        assert (mail.to, mail.shown_to, mail.shown_cc) == (EVE, (ADA,), (BOB,))
        [mail] = a_mail(shown_to=[BOB]).fan_out(bcc=[EVE])
        assert mail.shown_to == (BOB,)

    def test_nobody_is_an_error(self) -> None:
        with pytest.raises(MailError, match="name somebody in to, cc or bcc"):
            a_mail().fan_out()

    def test_cc_without_to_is_an_error(self) -> None:
        # Each would show its own recipient as To, or all of them somebody who gets none.
        with pytest.raises(MailError, match="name somebody in to, or write to bcc"):
            a_mail().fan_out(cc=[BOB], bcc=[EVE])

    @pytest.mark.parametrize(
        ("named", "says"),
        [
            ({"to": ADA}, r"to is Address, not several: write \(to,\) or \[to\]"),
            ({"to": [ADA], "cc": "bob@example.net"}, "cc is str, not several"),
            ({"bcc": None}, "bcc is NoneType, not several"),
            ({"to": ["ada@example.net"]}, "to holds 'ada@example.net': write Address.parse"),
            ({"bcc": [EVE, None]}, "bcc holds None: write Address.parse"),
        ],
    )
    def test_who_is_no_address_is_refused(self, named: Any, says: str) -> None:
        with pytest.raises(MailError, match=says):
            a_mail().fan_out(**named)

    @given(*[st.lists(st.sampled_from([ADA, BOB, EVE, Address("ADA@EXAMPLE.NET")]), max_size=4)] * 3)
    def test_everybody_gets_exactly_one(self, to: list[Address], cc: list[Address], bcc: list[Address]) -> None:
        if not (to or (bcc and not cc)):
            return
        mails = a_mail().fan_out(to=to, cc=cc, bcc=bcc)
        assert sorted(mail.to.key for mail in mails) == sorted({person.key for person in (*to, *cc, *bcc)})
        assert all(evolve(mail, to=ADA) == evolve(mails[0], to=ADA) for mail in mails)
        assert all(mail.shown_to for mail in mails)


# --- How closely it may be tracked


@pytest.mark.parametrize("mode", [True, 1, "off", None])
def test_a_mode_is_one_of_three(mode: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"use Mode\.OFF, Mode\.AGGREGATE or Mode\.INDIVIDUAL"):
        Tracking(opens=mode)
    with pytest.raises(ConfigurationError, match=r"clicks is"):
        Tracking(clicks=mode)


def test_within_another_the_stricter_holds() -> None:
    some = Tracking(opens=Mode.OFF, clicks=Mode.INDIVIDUAL)
    others = Tracking(opens=Mode.INDIVIDUAL, clicks=Mode.AGGREGATE)
    assert some.within(others) == others.within(some) == Tracking(opens=Mode.OFF, clicks=Mode.AGGREGATE)
    assert Tracking().within(some) == some.within(Tracking()) == some


def test_a_mail_may_be_tracked_unless_it_says_otherwise() -> None:
    assert a_mail().tracking == Tracking(opens=Mode.INDIVIDUAL, clicks=Mode.INDIVIDUAL)
    with pytest.raises(ConfigurationError, match=r"tracking is .*: write Tracking\(opens=Mode.OFF\)"):
        a_mail(tracking=Mode.OFF)
