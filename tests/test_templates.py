"""Templates: what is found when one is made, and what is refused then, and when it is filled."""

import json
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from custom_smtp import Address, Attachment, Mail
from custom_smtp.attachments import Invitation
from custom_smtp.errors import ConfigurationError, MailError
from custom_smtp.header_reading import addresses
from custom_smtp.merge_fields import Place, Value
from custom_smtp.templates import Template

ADA = Address("ada@example.net", "Ada")
SHOP = Address("hello@shop.example", "Shop")
NOBODY = Address("nobody@shop.example")


def a_mail(**parts: Any) -> Mail:
    parts = {"subject": "News"} | parts
    if "html" not in parts:
        parts.setdefault("text", "Hello")
    return Mail(**{"sender": SHOP, "to": NOBODY, **parts})


def filled(mail: Mail, /, **values: Value) -> Mail:
    return Template(mail).fill(ADA, values).as_mail()


# --- What is filled in ------------------------------------------------------------------------------------------------


def test_a_mail_with_its_fields_filled_in_is_for_that_person() -> None:
    mail = a_mail(
        sender=Address("hello@shop.example", "{{ shop }}"),
        reply_to=Address("care@shop.example", "{{ shop }} care"),
        subject="Hello {{ name }}",
        text="Dear {{ name }}, {{ count }} things for {{ price }}",
        html='<p title="{{ name }}">Dear {{name}}</p><a href="https://shop.example/{{ name }}?x={{ name }}">here</a>',
        amp="<b>{{ name }}</b>",
        headers=[("X-Person", "{{ name }}"), ("X-Same", "same")],
    )
    told = filled(mail, shop="Bücher & Co", name='<Zoë "Z">', count=2, price=Decimal("9.90"))
    assert told == a_mail(
        to=ADA,
        sender=Address("hello@shop.example", "Bücher & Co"),
        reply_to=Address("care@shop.example", "Bücher & Co care"),
        subject='Hello <Zoë "Z">',
        text='Dear <Zoë "Z">, 2 things for 9.90',
        html='<p title="&lt;Zoë &quot;Z&quot;&gt;">Dear &lt;Zoë &quot;Z&quot;&gt;</p>'
        '<a href="https://shop.example/%3CZo%C3%AB%20%22Z%22%3E?x=%3CZo%C3%AB%20%22Z%22%3E">here</a>',
        amp="<b>&lt;Zoë &quot;Z&quot;&gt;</b>",
        headers=[("X-Person", '<Zoë "Z">'), ("X-Same", "same")],
    )


def test_names_are_told_once_each_in_the_order_of_the_mail() -> None:
    template = Template(a_mail(subject="{{ b }}", text="{{ a }} {{ b }}", html="{{ c }}", headers=[("X-D", "{{ d }}")]))
    assert template.names == ("b", "d", "a", "c")


def test_a_mail_without_fields_is_a_template_too() -> None:
    assert filled(a_mail(html="<p>Hi</p>")) == a_mail(html="<p>Hi</p>", to=ADA)


def test_what_is_no_field_of_the_mail_is_passed_over() -> None:
    assert filled(a_mail(text="{{ a }}"), a="1", b=None).text == "1"  # type: ignore[arg-type]  # nobody looks at it


def test_a_value_is_never_read_as_a_field() -> None:
    mail = a_mail(text="{{ a }}", html="{{ a }}", subject="{{ a }}")
    told = filled(mail, a="{{ b }} {{unsubscribe_url}} %7B%7Bb%7D%7D")
    assert told.text == told.html == told.subject == "{{ b }} {{unsubscribe_url}} %7B%7Bb%7D%7D"


def test_four_braces_are_two_in_every_part() -> None:
    told = filled(a_mail(text="{{{{ a }}", html='<a href="https://a.example/{{{{ a }}">', subject="{{{{"))
    assert (told.text, told.html, told.subject) == ("{{ a }}", '<a href="https://a.example/{{ a }}">', "{{")


def test_a_list_header_takes_it_in_its_urls() -> None:
    headers = [("List-Unsubscribe", "<https://a.example/{{ x }}>, <mailto:u@a.example?subject={{ x }}>, <{{ u }}>")]
    told = filled(a_mail(headers=headers), x="a b", u="https://b.example/?c")
    assert told.headers == (
        ("List-Unsubscribe", "<https://a.example/a%20b>, <mailto:u@a.example?subject=a%20b>, <https://b.example/?c>"),
    )


def test_outside_of_angle_brackets_a_header_takes_it_as_it_is() -> None:
    headers = [("List-Id", "{{ x }} <news.a.example> {{ x }}"), ("X-Other", "<https://a.example/{{ x }}>")]
    assert filled(a_mail(headers=headers), x="a b").headers == (
        ("List-Id", "a b <news.a.example> a b"),
        ("X-Other", "<https://a.example/a b>"),
    )


def in_header(name: str, value: str, x: str) -> str:
    [(_, told)] = filled(a_mail(headers=[(name, value)]), x=x).headers
    return told


def test_in_a_header_that_is_json_a_value_stays_in_its_string() -> None:
    source = '{"unique_args": {"n": "{{ x }}"}, "k\\\\": "\\"{{ x }}"}'
    hostile = 'Zo\xeb", "to": ["all@example.net"], "\\\\'
    told = json.loads(in_header("X-SMTPAPI", source, hostile))
    assert told == {"unique_args": {"n": hostile}, "k\\": f'"{hostile}'}


def test_in_the_quotes_of_a_header_a_value_stays_there() -> None:
    hostile = 'x" <all@example.net>, \\"y'
    told = in_header("Sender", '"{{ x }}" <hello@shop.example>', hostile)
    assert addresses(told) == [Address("hello@shop.example", hostile, smtputf8=True)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Errors-To", "{{ x }}@shop.example"),
        ("Sender", "{{ x }} <hello@shop.example>"),
        ("Resent-To", "Ada {{ x }} <ada@example.net>"),
        ("List-Id", "{{ x }} <news.shop.example>"),
        ("Feedback-ID", "autumn:{{ x }}:mail:shop5"),
        ("X-SMTPAPI", '{"n": {{ x }} }'),
        ("X-SES-Message-Tags", "a={{ x }}"),
    ],
)
@pytest.mark.parametrize("hostile", ["a, b", "a <b>", "a:b", "a;b", '"', "\\", "(", "]", "{}"])
def test_elsewhere_in_a_header_that_programs_read_a_value_has_no_sign_of_theirs(
    name: str, value: str, hostile: str
) -> None:
    with pytest.raises(MailError, match="the field x holds .* where that has a meaning"):
        in_header(name, value, hostile)
    assert in_header(name, value, "7-a.b_c") == value.replace("{{ x }}", "7-a.b_c")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("References", "<a@b.example> {{ x }}"),
        ("In-Reply-To", "{{ x }}"),
        ("Errors-To", "{{ x }}"),
        ("X-MC-Metadata", "{{ x }}"),
        ("X-Person", "Ada: {{ x }}"),
    ],
)
def test_the_whole_of_a_header_an_id_and_what_people_read_may_be_anything(name: str, value: str) -> None:
    assert in_header(name, value, '<c@d.example>, {"e"}') == value.replace("{{ x }}", '<c@d.example>, {"e"}')


def test_what_amp_fills_in_itself_is_left_to_it() -> None:
    amp = (
        '<b>{{ a }}</b><template type="amp-mustache">{{#items}}{{ item.name }}<template>{{/items}}</template>'
        '<b>{{ a }}</b><script type="text/plain" template="amp-mustache">{{ b }}</script>{{ a }}'
    )
    assert filled(a_mail(amp=amp), a="1").amp == amp.replace("{{ a }}", "1")


def test_an_amp_template_that_never_ends_goes_on_to_the_end() -> None:
    assert filled(a_mail(amp="{{ a }}<template>{{ b }}"), a="1").amp == "1<template>{{ b }}"


def test_a_whole_url_in_the_html_is_one_in_the_text() -> None:
    template = Template(a_mail(text="Go to {{ url }}, {{ name }}", html='<a href="{{ url }}">{{ name }}</a>'))
    assert template.merge.text is not None
    assert [slot.place for slot in template.merge.text.slots] == [Place.TEXT_URL, Place.TEXT]


# --- The text of the HTML ---------------------------------------------------------------------------------------------


def test_where_there_is_no_text_the_html_gives_one_with_fields_in_it() -> None:
    html = (
        '<p>Dear {{ name }}</p><a href="https://a.example/{{ id }}">order {{ id }}</a> '
        '<a href="{{ url }}">{{ url }}</a> <a href="https://a.example/{{ id }}">https://a.example/{{ id }}</a>'
        "<p>https://{{ name }}.example</p>"
    )
    merged = Template(a_mail(html=html)).merge.text_of_html
    assert merged is not None
    assert merged.static == (
        "Dear ",
        "\n\norder ",
        " <https://a.example/",
        "> ",
        " https://a.example/",
        "\n\nhttps://",
        ".example\n",
    )
    assert [(slot.name, slot.place) for slot in merged.slots] == [
        ("name", Place.WORDS),
        ("id", Place.WORDS),
        ("id", Place.PATH),
        ("url", Place.TEXT_URL),
        ("id", Place.PATH),
        ("name", Place.WORDS),
    ]


@pytest.mark.parametrize("mail", [a_mail(html="<p>{{ a }}</p>", text="b"), a_mail(html="<br>"), a_mail()])
def test_where_there_is_a_text_or_nothing_to_say_the_html_gives_none(mail: Mail) -> None:
    assert Template(mail).merge.text_of_html is None


# --- What is refused when it is made ----------------------------------------------------------------------------------


def test_a_field_that_was_not_declared_is_refused_by_name() -> None:
    with pytest.raises(MailError, match=r"the field nmae, which is none of id, name: correct it"):
        Template(a_mail(text="{{ name }} {{ nmae }}"), fields=["name", "id"])
    with pytest.raises(MailError, match="which is none of no fields"):
        Template(a_mail(text="{{ name }}"), fields=())
    assert Template(a_mail(text="{{ name }}"), fields={"name", "id"}).names == ("name",)


@pytest.mark.parametrize("fields", ["name", 7])
def test_declared_fields_are_several_names(fields: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"write fields=\['name'\]"):
        Template(a_mail(), fields=fields)


def test_a_template_is_made_of_a_mail() -> None:
    with pytest.raises(MailError, match=r"write Template\(Mail\(\.\.\.\)\)"):
        Template("Hello {{ name }}")  # type: ignore[arg-type]  # that is the slip


@pytest.mark.parametrize(
    ("mail", "told"),
    [
        (a_mail(text="{{ a.b }}"), "the text holds"),
        (a_mail(html="{{ a.b }}"), "the HTML holds"),
        (a_mail(amp="{{ a.b }}"), "the AMP holds"),
        (a_mail(subject="{{ a.b }}"), "the subject holds"),
        (a_mail(sender=evolve(SHOP, name="{{ a.b }}")), "the sender's name holds"),
        (a_mail(reply_to=evolve(SHOP, name="{{ a.b }}")), "the name in reply_to holds"),
        (a_mail(headers=[("X-A", "{{ a.b }}")]), "the header X-A holds"),
        (a_mail(html="<style>{{ a }}</style>"), "the HTML has the field a in a style"),
        (a_mail(amp="<!-- {{ a }} -->"), "the AMP has the field a in a comment"),
        (a_mail(text="https://{{ a }}"), "the text has the field a in a URL's scheme or host"),
        (a_mail(headers=[("List-Help", "<https://{{ a }}>")]), "the header List-Help has the field a in a URL's"),
        (a_mail(sender=Address("{{a}}@shop.example")), "the same for everybody"),
        (a_mail(reply_to=Address("{{a}}@shop.example")), "the same for everybody"),
        (a_mail(bounces_to=Address("{{a}}@shop.example")), "the same for everybody"),
        (a_mail(shown_to=[Address("all@shop.example", "{{ a }}")]), "the same for everybody"),
        (a_mail(shown_to=[ADA], shown_cc=[Address("all@shop.example", "{{ a }}")]), "the same for everybody"),
        (a_mail(attachments=[Attachment("{{ a }}.pdf", b"")]), "the same for everybody"),
        (
            a_mail(invitation=Invitation("BEGIN:VCALENDAR\nMETHOD:PUBLISH\nSUMMARY:{{ a }}\nEND:VCALENDAR")),
            "the same for everybody",
        ),
    ],
)
def test_a_field_where_none_can_be_is_refused_with_its_part(mail: Mail, told: str) -> None:
    with pytest.raises(MailError) as refused:
        Template(mail)
    assert told in str(refused.value)


def test_whom_a_template_is_to_plays_no_part() -> None:
    template = Template(a_mail(to=Address("zoë@shop.example", smtputf8=True)))
    assert not template.fill(ADA, {}).smtputf8
    assert template.fill(Address("zoë@shop.example", smtputf8=True), {}).smtputf8
    assert Template(a_mail(reply_to=Address("zoë@shop.example", smtputf8=True))).fill(ADA, {}).smtputf8


# --- What is refused when it is filled --------------------------------------------------------------------------------

PLACES = a_mail(
    subject="{{ subject }}",
    headers=[("X-Code", "{{ header }}"), ("Feedback-ID", "{{ code }}")],
    html='{{ words }}<a href="{{ url }}"></a><a href="https://a.example/{{ path }}?q={{ query }}"></a>',
    text="",
)
GOOD: dict[str, Any] = {
    "subject": "a",
    "header": "b",
    "code": "c",
    "words": "d\ne",
    "url": "https://a.example/?b",
    "path": "e",
    "query": "..",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_value_is_refused_by_name(name: str) -> None:
    values = {other: value for other, value in GOOD.items() if other != name}
    with pytest.raises(MailError, match=f"the field {name} has no value: give one"):
        Template(PLACES).fill(ADA, values)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("words", None, "the field words is None: give it a value"),
        ("subject", "a\r\nBcc: b", "the field subject stands in a header"),
        ("header", "a\nb", "the field header stands in a header"),
        ("code", "ü", "the header Feedback-ID is 'ü', and cannot be encoded"),
        ("path", "..", "the field path is '..' in the path of a URL"),
        ("path", ".", "the field path is '.' in the path of a URL"),
        ("url", "javascript:alert(1)", "the field url is"),
        ("url", "mailto:a@a.example", "the field url is"),
        ("url", "/a", "the field url is"),
        ("url", "", "the field url is"),
        ("url", "https://", "the field url is"),
        ("url", " https://a.example", "the field url is"),
        ("url", "https://a.example/a b", "spaces percent-encoded"),
        ("url", 'https://a.example/"><b>', "the field url is"),
        ("url", "https://a.example/\n", "the field url is"),
    ],
)
def test_a_value_that_cannot_stand_in_its_place_is_refused_by_name(name: str, value: Any, told: str) -> None:
    template = Template(PLACES)
    assert template.fill(ADA, GOOD).as_mail().subject == "a"
    with pytest.raises(MailError) as refused:
        template.fill(ADA, GOOD | {name: value})
    assert told in str(refused.value)


def test_it_is_filled_for_an_address() -> None:
    with pytest.raises(MailError, match=r"write Address\.parse"):
        Template(PLACES).fill("ada@example.net", GOOD)  # type: ignore[arg-type]  # that is the slip
