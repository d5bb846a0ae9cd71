"""Where the parts of a mail begin and end (RFC 2046 section 5.1), however deep and however broken.

Only places are told, and nothing is copied. A mail inside the mail (``message/rfc822``) is one part, whatever is in it.
The time grows with the length of the mail, whatever it nests.
"""

from collections.abc import Iterator

from attrs import define, field, frozen

from .header_reading import Head, Media, RawField, head_at, media, value_of
from .part_texts import encoding_of


@define
class Leaf:
    """A part that holds no others.

    Attributes:
        start: where its headers begin.
        head: its headers.
        media: its media type, empty where programs may differ about it.
        end: where it ends; the line end before a boundary belongs to that.
        root: whether it is the whole mail.
    """

    start: int
    head: Head
    media: Media
    end: int
    root: bool


@frozen
class Tree:
    """A mail's parts.

    Attributes:
        head: the mail's own headers.
        leaves: the parts that hold no others, in their order.
        types: every media type there is, those of parts that hold others too.
        boundaries: every boundary that a line may be.
    """

    head: Head
    leaves: tuple[Leaf, ...]
    types: frozenset[str]
    boundaries: frozenset[bytes]


def tree(content: bytes, start: int = 0) -> Tree:
    """The parts of the mail that begins at ``start``; line ends are LF, with or without CR before it."""
    marks = list(_marks(content, start))
    return _Growing(content, marks).grown(start)


def _marks(content: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Every line that begins with two hyphens, as all boundaries do."""
    end = start
    if content.startswith(b"--", start):
        end = content.find(b"\n", start) + 1 or len(content)
        yield start, end
    at = content.find(b"\n--", max(end - 1, start))
    while at >= 0:
        end = content.find(b"\n", at + 1) + 1 or len(content)
        yield at + 1, end
        at = content.find(b"\n--", end - 1)


@define
class _Growing:
    """The walk over the lines that may be boundaries, outer parts held on a stack."""

    content: bytes
    marks: list[tuple[int, int]]
    leaves: list[Leaf] = field(factory=list)
    types: set[str] = field(factory=set)
    boundaries: set[bytes] = field(factory=set)
    stack: list[tuple[bytes, bool]] = field(factory=list)
    open: dict[bytes, int] = field(factory=dict)
    leaf: Leaf | None = None

    def grown(self, start: int) -> Tree:
        head = self._begin(start, 0)
        for place, (at, end) in enumerate(self.marks):
            line = self.content[at + 2 : end].rstrip(b" \t\r\n")
            closing = line not in self.open
            boundary = line[:-2] if closing and line.endswith(b"--") else line
            depth = self.open.get(boundary)
            if depth is None:
                continue
            self._end_before(at)
            self._cut_back(depth + 1)
            if closing:
                self._cut_back(depth)  # behind its last boundary a part holds nothing (RFC 2046 section 5.1.1)
            else:
                self._begin(end, place + 1, is_digest=self.stack[depth][1])
        return Tree(head, tuple(self.leaves), frozenset(self.types), frozenset(self.boundaries))

    def _begin(self, start: int, next_mark: int, *, is_digest: bool = False) -> Head:
        limit = self.marks[next_mark][0] if next_mark < len(self.marks) else len(self.content)
        head = head_at(self.content, start, limit)
        told = content_type(self.content, head, default="message/rfc822" if is_digest else "text/plain")
        self.types.add(told.type)
        boundary = self._boundary(head, told)
        if boundary is None:
            self.leaf = Leaf(start, head, told, len(self.content), root=not self.stack)
            self.leaves.append(self.leaf)
        else:
            self.open[boundary] = len(self.stack)
            self.stack.append((boundary, told.type == "multipart/digest"))
            self.boundaries.add(boundary)
        return head

    def _boundary(self, head: Head, told: Media) -> bytes | None:
        """What parts the entity, if it holds others: none where programs may differ about that."""
        boundary = (told.parameters.get("boundary") or "").rstrip()
        if not (told.type.startswith("multipart/") and boundary and told.sure("boundary")):
            return None
        spelled = boundary.encode("utf-8", "surrogateescape")
        encoded = transfer_encoding(self.content, head)
        if spelled in self.open or encoded is None or encoding_of(encoded) not in _IDENTITY:
            return None
        return spelled

    def _end_before(self, at: int) -> None:
        if self.leaf is not None:
            line_end = at - 1
            while self.content[line_end - 1 : line_end] == b"\r":
                line_end -= 1
            self.leaf.end = max(line_end, self.leaf.head.body)
            self.leaf = None

    def _cut_back(self, depth: int) -> None:
        for boundary, _ in self.stack[depth:]:
            self.open.pop(boundary, None)
        del self.stack[depth:]


_IDENTITY = (encoding_of("7bit"), encoding_of("8bit"))


def content_type(content: bytes, head: Head, *, default: str = "text/plain") -> Media:
    """What Content-Type says; empty where there are several, or none can be read of it."""
    told = values(content, head, "content-type")
    if not told:
        return Media(default, {})
    return media(told[0]) if len(told) == 1 else Media("", {})


def transfer_encoding(content: bytes, head: Head) -> str | None:
    """What Content-Transfer-Encoding says; None where there are several."""
    told = values(content, head, "content-transfer-encoding")
    return (told or [""])[0] if len(told) <= 1 else None


def values(content: bytes, head: Head, name: str) -> list[str]:
    """The values of the headers of a name, in lower case, that stand in a head."""
    return [value_of(content, one) for one in _named(head, name)]


def _named(head: Head, name: str) -> list[RawField]:
    return [one for one in head.fields if one.name.lower() == name]
