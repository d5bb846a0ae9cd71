"""The three mails of the demo, as such mails really are: tables, Outlook's comments, a VML button, a hidden preview."""

from enum import Enum
from html import escape
from pathlib import Path
from string import Template

from ..addresses import Address
from ..mail import Mail
from .people import Person

DOMAIN = "moewe.example"
ROASTER = Address(f"post@{DOMAIN}", "Café Möwe")

_TEXTS = Path(__file__).with_name("texts")


class Letter(Enum):
    """One of the three: its files' name, what it is called, and its subject line."""

    NEWSLETTER = ("newsletter", "Newsletter", "Five coffees for darker mornings ☕")
    SHIPPING = ("shipping", "Shipping notice", "Your order $order is on its way")
    RESTOCK = ("restock", "Back in stock", "$first_name, the Geisha is back")

    @property
    def title(self) -> str:
        """What it is called."""
        return self.value[1]

    def written_to(self, person: Person, campaign: str | None = None) -> Mail:
        """The mail to this person, of this campaign type."""
        file, _, subject = self.value
        fields = {
            "first_name": person.first_name,
            "person": f"p{person.number}",
            "order": f"M-{1000 + person.number}",
            "parcel": f"{34_000_000 + person.number * 7919}",
        }
        return Mail(
            sender=ROASTER,
            to=person.address,
            subject=Template(subject).substitute(fields),
            text=_template(f"{file}.txt").substitute(fields),
            html=_template(f"{file}.html").substitute({name: escape(value) for name, value in fields.items()}),
            campaign=campaign,
        )


def _template(name: str) -> Template:
    return Template((_TEXTS / name).read_text(encoding="utf-8"))
