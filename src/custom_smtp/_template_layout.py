"""A template's body in its final bytes, cut where something is filled in for each person."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import itemgetter
from struct import Struct
from typing import Self

from attrs import field, frozen

from ._template_links import PersonalLink, Thing, UnsubscribeLink
from .body_encodings import QP_LINE, SOFT_BREAK
from .claims import Lead
from .dkim_canonical import has_blanks_to_relax
from .merge_fields import Slot


class Gap(bytes):
    """Where something is filled in, among the bytes of a mail."""

    thing: Thing

    @classmethod
    def of(cls, thing: Thing) -> Self:
        """For this thing."""
        gap = cls()
        gap.thing = thing
        return gap


@frozen
class Layout:
    """The bytes of a mail's body in pieces, and what is filled in between them, each thing in lines of its own.

    Attributes:
        static: the bytes that are the same for everybody.
        row: the whole body: the numbers of pieces, and of things behind these, in the order of the next four.
        tokens: what the tokens are for that stand there.
        links: the links with fields in them.
        fields: the values.
        unsubscribe_links: the links to unsubscribe.
    """

    static: tuple[bytes, ...]
    row: tuple[int, ...]
    tokens: tuple[Lead, ...]
    links: tuple[PersonalLink, ...]
    fields: tuple[Slot, ...]
    unsubscribe_links: tuple[UnsubscribeLink, ...]
    canonical: bool = field(init=False)
    """Whether what is the same for everybody stands in every form that DKIM hashes (see `WireForm`)."""
    _lines_of: Callable[[tuple[int, ...]], "_Lines"] = field(init=False, repr=False, eq=False)

    @classmethod
    def of(cls, content: Iterable[bytes]) -> Self:
        """Of bytes with gaps among them."""
        row: list[bytes | Thing] = []
        run: list[bytes] = []
        for piece in content:
            if isinstance(piece, Gap):
                row += [b"".join(run), piece.thing] if any(run) else [piece.thing]
                run = []
            else:
                run.append(piece)
        row.append(b"".join(run))
        static = tuple(each for each in row if isinstance(each, bytes))
        things = dict.fromkeys(each for each in row if not isinstance(each, bytes))
        tokens = tuple(each for each in things if isinstance(each, Lead) and not isinstance(each, PersonalLink))
        links = tuple(each for each in things if isinstance(each, PersonalLink))
        fields = tuple(each for each in things if isinstance(each, Slot))
        unsubscribe_links = tuple(each for each in things if isinstance(each, UnsubscribeLink))
        behind = {
            thing: place for place, thing in enumerate((*tokens, *links, *fields, *unsubscribe_links), len(static))
        }
        pieces = iter(range(len(static)))
        numbers = tuple(next(pieces) if isinstance(each, bytes) else behind[each] for each in row)
        return cls(static, numbers, tokens, links, fields, unsubscribe_links)

    def joined(self, head: bytes, tokens: Sequence[str], values: Iterable[bytes]) -> bytes:
        """The whole mail: its head, and its body with each thing wherever it stands.

        Args:
            head: the headers that stand in front of those of the body.
            tokens: one for each of ``tokens``.
            values: the links, fields and links to unsubscribe, in quoted-printable.
        """
        static = self.static
        if not self.row[1:]:
            return head + static[0]
        lines = self._lines_of(tuple(map(len, tokens)))
        whole = (head + static[0], *static[1:], *lines.cut("".join(tokens).encode()), *values)
        return SOFT_BREAK.join(lines.in_order(whole))

    @canonical.default
    def _hashed_as_it_stands(self) -> bool:
        ends_once = not (SOFT_BREAK + self.static[-1]).endswith(b"\n\r\n")  # all that is written here ends with CRLF
        return ends_once and not any(has_blanks_to_relax(piece + SOFT_BREAK) for piece in self.static)

    @_lines_of.default
    def _of_few_lengths(self) -> Callable[[tuple[int, ...]], "_Lines"]:
        # Tokens of one mail are as long as those of another whose recipient's address is.
        return lru_cache(maxsize=256)(self._lines)

    def _lines(self, lengths: tuple[int, ...]) -> "_Lines":
        """Tokens of these lengths in lines, and the row then: the numbers of pieces, lines and values."""
        lines = [[QP_LINE] * (length // QP_LINE) + [length % QP_LINE] * (length % QP_LINE > 0) for length in lengths]
        values = len(self.links) + len(self.fields) + len(self.unsubscribe_links)
        counts = [1] * len(self.static) + [len(each) for each in lines] + [1] * values
        ends = [*accumulate(counts, initial=0)]
        numbers = [number for each in self.row for number in range(ends[each], ends[each + 1])]
        cutter = Struct("".join([f"{octets}s" for each in lines for octets in each]))
        return _Lines(cutter.unpack, itemgetter(*numbers))


@frozen
class _Lines:
    """Cuts all tokens into lines at one go, and puts all in order, which is quicker than one by one."""

    cut: Callable[[bytes], tuple[bytes, ...]]
    in_order: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]
