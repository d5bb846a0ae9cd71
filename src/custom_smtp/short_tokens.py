"""Short tokens: 28 characters, for URLs that must be short. What a token says is kept in a table.

A short token is the beginning of the sealed one (see `custom_smtp.tokens`), which is its version, its key's id and the
synthetic IV: a keyed hash over the claim and the purpose, 128 bits that nobody without the key can guess or count up
to. The rest, the sealed claim itself, stands in a `ports.LinkTable` under that beginning. So the table tells nobody
who got which link, a row that was altered opens nothing, and purposes, rotation, retirement of keys and age limits are
those of `Tokens`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import Attribute, field, frozen

from .checks import ConfigurationError
from .claims import Claim, Lead, Purpose
from .errors import TokenError
from .ports import LinkTable, waits
from .tokens import Tokens

SHORT = 28
"""Characters in a short token: 1 byte of version, 4 of key id and 16 of synthetic IV, in base64."""

_SHAPE = re.compile(rf"[A-Za-z0-9_-]{{{SHORT}}}")


def _are_sealed(_instance: object, _attribute: "Attribute[Any]", tokens: object) -> None:
    if not isinstance(tokens, Tokens):
        raise ConfigurationError(f"tokens is {type(tokens).__name__}: write ShortTokens(Tokens((key,)), table)")


def _keeps(_instance: object, _attribute: "Attribute[Any]", table: object) -> None:
    if not all(callable(getattr(table, name, None)) for name in ("store", "find")):
        raise ConfigurationError(f"table is {type(table).__name__}: give it a SqliteLinkTable or a MemoryLinkTable")


@frozen
class ShortTokens:
    """Issues short tokens, and reads them and long ones (see `ports.LinkTokens`).

    A token can be read once it is returned: its row is written first. As each write waits for the disk, issue the links
    of a mail, or of many mails, together (`issue_all`): they are one transaction.

    Links that were sent before, with long tokens, keep working. Going back to long ones, keep this for reading.

    Attributes:
        tokens: what seals them.
        table: where their rests are kept, for as long as the links shall work.

    Raises:
        ConfigurationError: one of the two is something else.
    """

    tokens: Tokens = field(validator=_are_sealed)
    table: LinkTable = field(validator=_keeps)

    @property
    def waits(self) -> bool:
        """Where the table does (see `ports.waits`)."""
        return waits(self.tokens, self.table)

    def issue(self, claim: Claim, /, purpose: Purpose = Purpose.CLICK) -> str:
        """The token for this claim: letters, digits, ``-`` and ``_``; the same one whenever a long one would be.

        Raises:
            TokenError: the claim is too long even for a long token.
            ArchiveError: its rest could not be kept.
        """
        return self._kept([self.tokens.issue(claim, purpose)])[0]

    def issue_all(self, asked: Iterable[tuple[Claim, Sequence[Lead]]], /) -> list[str]:
        """The tokens of one mail, or of several, as `Tokens` has it; all of them are kept, or none.

        Raises:
            TokenError: a claim is too long even for a long token.
            ArchiveError: their rests could not be kept.
        """
        return self._kept(self.tokens.issue_all(asked))

    def _kept(self, whole: list[str]) -> list[str]:
        self.table.store({token[:SHORT]: token[SHORT:] for token in whole})
        return [token[:SHORT] for token in whole]

    def read(self, token: str, /, purpose: Purpose = Purpose.CLICK) -> Claim:
        """What a token of ours says.

        Raises:
            TokenError: it is not one. The reasons are not told apart, but for ``expired``: ours, and too old.
            ArchiveError: the table gave no answer.
        """
        if not isinstance(token, str) or len(token) != SHORT:
            return self.tokens.read(token, purpose)
        rest = self.table.find(token) if _SHAPE.fullmatch(token) else None
        if rest is None:
            raise TokenError("not a token of ours")
        return self.tokens.read(token + rest, purpose)
