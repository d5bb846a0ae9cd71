"""A text cut once at the places that differ from person to person, and joined anew for each."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from .checks import MailError, shown

S = TypeVar("S")
T = TypeVar("T", bound=str | bytes)


@frozen
class Cut(Generic[S]):
    """One place to change: what stands there goes, and something else comes.

    Attributes:
        start: where it begins.
        end: where it ends; the start again, to put something in.
        before: what stands there for everybody, in front of the slot.
        slot: what is filled in for each person; None for nothing.
        after: what stands there for everybody, behind the slot.
    """

    start: int
    end: int
    before: str = ""
    slot: S | None = None
    after: str = ""


@frozen
class Pieces(Generic[T, S]):
    """What is the same for everybody, with a slot between each piece and the next.

    Attributes:
        static: the pieces, one more than there are slots.
        slots: what is filled in between them.

    Raises:
        MailError: there is not one piece more than slots.
    """

    static: tuple[T, ...]
    slots: tuple[S, ...]
    _row: list[T] = field(init=False, repr=False, eq=False)
    _join: Callable[[list[T]], T] = field(init=False, repr=False, eq=False)

    @_row.default
    def _with_gaps(self) -> list[T]:
        if len(self.static) != len(self.slots) + 1:
            raise MailError(f"{len(self.static)} pieces for {len(self.slots)} slots: give one piece more than slots")
        row = [self.static[0]] * (2 * len(self.static) - 1)
        row[0::2] = self.static
        return row

    @_join.default
    def _by_nothing(self) -> Callable[[list[T]], T]:
        nothing: Any = self.static[0][:0]
        join: Callable[[list[T]], T] = nothing.join
        return join

    def filled(self, values: Sequence[T]) -> T:
        """The whole text, with one value in each slot.

        Raises:
            MailError: there are more or fewer values than slots.
        """
        row = [*self._row]
        try:
            row[1::2] = values
        except ValueError as error:
            raise MailError(f"{len(values)} values for {len(self.slots)} slots: give one for each") from error
        return self._join(row)


def encoded(pieces: Pieces[str, S], charset: str = "utf-8") -> Pieces[bytes, S]:
    """The same pieces as bytes, for whoever writes bytes, such as a part of a mail in a charset of its own.

    Raises:
        MailError: there is no such charset, it does not hold a piece, or it does not hold ASCII as it is (UTF-16 and
            UTF-7 do not), so that its pieces could not be joined.
    """
    try:
        if _ASCII.encode(charset) == _ASCII.encode():
            return Pieces(tuple(piece.encode(charset) for piece in pieces.static), pieces.slots)
    except (LookupError, ValueError) as error:
        raise MailError(f"the text cannot be written in {shown(charset)}: use utf-8 ({error})") from error
    raise MailError(f"{shown(charset)} does not hold ASCII as it is, so pieces cannot be joined in it: use utf-8")


_ASCII = "".join(map(chr, range(0x20, 0x7F)))


def cut(text: str, cuts: Iterable[Cut[S]]) -> Pieces[str, S]:
    """The text with its places changed; they come in the text's order and do not overlap."""
    static: list[str] = []
    slots: list[S] = []
    run: list[str] = []
    at = 0
    for place in cuts:
        run += text[at : place.start], place.before
        if place.slot is not None:
            static.append("".join(run))
            slots.append(place.slot)
            run.clear()
        run.append(place.after)
        at = place.end
    run.append(text[at:])
    return Pieces((*static, "".join(run)), tuple(slots))
