"""The sixty people of the demo."""

from attrs import frozen

from ..addresses import Address

_FIRST_NAMES = """
Ada Änne Aino Bo Björk Carla Chidi Çelik Dana Dénes Elif Émile Farid Fenna Gül Gustav Håkon Hana Ilse Ingrid
Jørn Juli Kaito Katya Lars Léa Lin Łucja Malik Mei Mirela Moritz Naoko Nils Noor Nuria Ola Özlem Paolo Petra
Quentin Rania René Rosa Sana Sören Sofía Stella Tariq Theo Tuğba Uma Ute Valdís Vera Wanda Xenia Yara Zoë Zygmunt
"""


@frozen
class Person:
    """Somebody who gets a mail.

    Attributes:
        number: from 1.
        first_name: what the mail calls them.
    """

    number: int
    first_name: str

    @property
    def address(self) -> Address:
        """Where the mail goes."""
        return Address(f"reader{self.number}@example.net", self.first_name)


PEOPLE = tuple(Person(number, name) for number, name in enumerate(_FIRST_NAMES.split(), 1))
"""Everybody, in order."""
