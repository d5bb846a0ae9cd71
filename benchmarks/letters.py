"""What `writing.py` and `end_to_end.py` write: a German mail of 20 KB with twelve links, for any number of people."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from random import Random

from custom_smtp import Address, DeliveryId, Mail

HOST = "https://links.test"
SENDER, TO, SUBJECT = Address("hello@shop.example", "Café Müller"), Address("ada@example.net", "Ada Löwenherz"), "Grüße"
AT, DELIVERY_ID = datetime(2026, 1, 2, 12, tzinfo=UTC), DeliveryId("0198d2f0a1b27c3d8e4f5a6b7c8d9e0f")
LINKS = 12
NAME = "{{ name }}"
PHRASES = (
    "Ihre Bestellung ist unterwegs",
    "und kommt am Freitag zwischen neun und zwölf Uhr bei Ihnen an;",
    "für Rückfragen sind wir täglich von acht bis achtzehn Uhr da.",
    "Die schönsten Stücke der Herbstkollektion",
    "gibt es nur bis Sonntag.",
)


def name_of(number: int) -> str:
    """A person's name, in which there is something to escape and to encode."""
    return f"Jürgen & Söhne <{number}>"


def bodies(links: Sequence[str], name: str = "Ada") -> tuple[str, str]:
    """A text and an HTML of 20 KB together, with these links in the HTML."""
    chance = Random(5)
    text = f"Guten Tag {name},\n\n" + "\n".join(_prose(4_000, chance)) + "\n"
    paragraphs = [f"<p style='margin:0 0 12px'>{words}</p>" for words in _prose(11_000, chance)]
    for place, link in enumerate(links):
        paragraphs.insert(place * 9, f'<p><a href="{link}" style="color:#036">Angebot {place + 1} für Sie</a></p>')
    return text, f"<!doctype html><html><body><h1>Guten Tag {name}</h1>\n" + "\n".join(
        paragraphs
    ) + "\n</body></html>\n"


def _prose(octets: int, chance: Random) -> Iterator[str]:
    """Paragraphs of about so many octets together."""
    while octets > 0:
        paragraph = " ".join(chance.choice(PHRASES) for _ in range(2))
        octets -= len(paragraph.encode()) + 1
        yield paragraph


TARGETS = tuple(f"https://shop.example/angebot-{number}?id=7f3a91c2&amp;c=42" for number in range(LINKS))
TEXT, HTML = bodies(TARGETS)


def mail_with_fields() -> Mail:
    """The mail as a template has it."""
    text, html = bodies(TARGETS, NAME)
    return Mail(sender=SENDER, to=TO, subject=f"{SUBJECT} {NAME}", text=text, html=html)


def for_person(body: str, number: int, *, is_html: bool) -> str:
    """The name filled in, by no more than Python's own means."""
    return body.replace(NAME, escape(name_of(number)) if is_html else name_of(number))


def email_message(number: int, to: Address = TO, text: str = TEXT, html: str = HTML, file: bytes = b"") -> bytes:
    """The mail as the standard library writes it."""
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{SENDER.name} <{SENDER.email}>"
    message["To"] = f"{to.name} <{to.email}>"
    message["Subject"] = f"{SUBJECT} {number}"
    message["Date"] = AT
    message["Message-ID"] = f"<{DELIVERY_ID}.{number}@shop.example>"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    if file:
        message.add_attachment(file, maintype="application", subtype="pdf", filename="catalogue.pdf")
    return message.as_bytes()
