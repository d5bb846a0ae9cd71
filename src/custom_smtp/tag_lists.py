"""Lists of tags such as ``v=DKIM1; k=rsa; p=...``, in which DKIM and DMARC are written (RFC 6376 section 3.2)."""

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FOLDING = " \t\r\n"


def read_tags(text: str) -> dict[str, str] | None:
    """The tags and their values, in their order; None if it is no such list. One tag that stands twice spoils it."""
    parts = text.split(";")
    if not parts[-1].strip(_FOLDING):
        parts.pop()
    tags: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(_FOLDING)
        if not equals or name in tags or not _NAME.fullmatch(name):
            return None
        tags[name] = value.strip(_FOLDING)
    return tags or None


def read_key(text: str) -> dict[str, str] | None:
    """The tags of a DKIM key's record, ``p`` among them; None if it is none (RFC 6376 section 3.6.1)."""
    tags = read_tags(text)
    if tags is None or "p" not in tags:
        return None
    if "v" in tags and (next(iter(tags)) != "v" or tags["v"] != "DKIM1"):
        return None
    return tags


def covered_names(signature: str) -> frozenset[str]:
    """The headers, in lower case, that a DKIM or ARC signature says it covers: its ``h=`` (RFC 6376 section 3.5).

    It is read from any list, right or not, so that nothing that a receiver may take for covered is missed.
    """
    tags = (tag.partition("=") for tag in solid(signature).split(";"))
    return frozenset(name for tag, _, value in tags if tag == "h" for name in value.lower().split(":"))


def solid(value: str) -> str:
    """A value without the white space that may stand anywhere in it."""
    return "".join(value.split())


def listed(value: str) -> set[str]:
    """The words of a value, which colons part."""
    return set(solid(value).split(":"))
