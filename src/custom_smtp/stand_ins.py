"""Words that stand in a text for what is filled in later, so that links are found where they will be.

A stand-in is a word that may stand anywhere in a URL but in its scheme, or a whole URL.
"""

import re
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from attrs import define, field, frozen

from .pieces import Pieces

S = TypeVar("S", bound=Hashable)


@frozen
class StandIn(Generic[S]):
    """One that is found in a text, and what it is for."""

    start: int
    end: int
    thing: S


@define
class StandIns(Generic[S]):
    """Stand-ins for things, which can be told from everything else in some texts.

    Attributes:
        mark: what is in each of them, and nowhere else.
    """

    mark: str
    _things: list[S] = field(init=False, factory=list)
    _numbers: dict[S, int] = field(init=False, factory=dict)

    @classmethod
    def beside(cls, texts: Iterable[str]) -> "StandIns[S]":
        """Stand-ins for use in these texts."""
        taken = "\n".join(texts).lower()
        mark = "zq"
        while mark in taken:
            mark += "q"
        return cls(mark)

    def word(self, thing: S) -> str:
        """The word for a thing; the same each time."""
        return f"{self.mark}w{self._number(thing)}z"

    def url(self, thing: S) -> str:
        """The URL for a thing; the same each time."""
        return f"https://{self.mark}u{self._number(thing)}z"

    def _number(self, thing: S) -> int:
        if thing not in self._numbers:
            self._numbers[thing] = len(self._things)
            self._things.append(thing)
        return self._numbers[thing]

    def found(self, text: str) -> Iterator[StandIn[S]]:
        """Those that stand in a text, in their order."""
        if self.mark in text:
            for found in re.finditer(rf"(?:{self.mark}w|https://{self.mark}u)([0-9]+)z", text):
                yield StandIn(found.start(), found.end(), self._things[int(found[1])])

    def cut(self, text: str) -> Pieces[str, S]:
        """The text in pieces, with the things between them."""
        static, at = [], 0
        places = tuple(self.found(text))
        for place in places:
            static.append(text[at : place.start])
            at = place.end
        return Pieces((*static, text[at:]), tuple(place.thing for place in places))
