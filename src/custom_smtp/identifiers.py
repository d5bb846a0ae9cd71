"""The names that tie a mail to what becomes of it."""

import re
from typing import Self

from .checks import MailError, shown

_SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST = 64


class DeliveryId(str):
    """One mail to one person: what its copy, its events and its reports are filed under.

    It travels in headers, tokens and bounce mail, so it is 1 to 64 letters, digits, ``.``, ``_`` or ``-``, and
    begins with a letter or digit.

    Raises:
        MailError: the text has another shape.
    """

    __slots__ = ()

    def __new__(cls, text: str, /) -> Self:
        """The text, if it has an id's shape."""
        if not isinstance(text, str) or not _SHAPE.fullmatch(text):
            raise MailError(f"{shown(text)} cannot be a delivery id: use 1 to 64 letters, digits, '.', '_' or '-'")
        return str.__new__(cls, text)


def delivery_id_in(value: object, /) -> DeliveryId | None:
    """Our id, if that is what came back; None where it has another shape, or is no text."""
    if not isinstance(value, str):
        return None
    # Letters and digits alone, as in the ids that we make, are seen faster than by the pattern.
    if (value.isalnum() and value.isascii() and len(value) <= _LONGEST) or _SHAPE.fullmatch(value):
        return _written(DeliveryId, value)
    return None


_written = str.__new__  # asked for once, and not with each report
