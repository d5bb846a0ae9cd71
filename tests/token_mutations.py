"""What may become of a token on its way, or at the hands of somebody who would like another one."""

import string
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

ALPHABET = string.ascii_letters + string.digits + "-_"

Mutation = Callable[[str], str]


def flipped(place: int, bit: int) -> Mutation:
    """One bit of what the token's characters stand for."""

    def flip(token: str) -> str:
        sealed = bytearray(urlsafe_b64decode(token))
        sealed[place % len(sealed)] ^= 1 << bit
        return urlsafe_b64encode(sealed).decode()

    return flip


def without(place: int) -> Mutation:
    return lambda token: token[: place % len(token)] + token[place % len(token) + 1 :]


def doubled(place: int) -> Mutation:
    return lambda token: token[: place % len(token)] + token[place % len(token) :][:1] + token[place % len(token) :]


def swapped(place: int) -> Mutation:
    def swap(token: str) -> str:
        at = next(at for at in range(place, len(token)) if token[at] != token[at + 1])
        return token[:at] + token[at + 1] + token[at] + token[at + 2 :]

    return swap


def next_letter(place: int) -> Mutation:
    def replace(token: str) -> str:
        at = place % len(token)
        return token[:at] + ALPHABET[(ALPHABET.index(token[at]) + 1) % 64] + token[at + 1 :]

    return replace


def instead(letter: str, place: int) -> Mutation:
    """A character that no token has, in place of one."""
    return lambda token: token[: place % len(token)] + letter + token[place % len(token) :][1:]


def looks_alike(letters: dict[str, str]) -> Mutation:
    """The first letter that has a look-alike, as that."""

    def replace(token: str) -> str:
        at = next(at for at, letter in enumerate(token) if letter in letters)
        return token[:at] + letters[token[at]] + token[at + 1 :]

    return replace


def resealed(change: Callable[[bytes], bytes]) -> Mutation:
    return lambda token: urlsafe_b64encode(change(urlsafe_b64decode(token))).decode()


FULL_WIDTH = {letter: chr(ord(letter) + 0xFEE0) for letter in ALPHABET}
MATHEMATICAL = {letter: chr(0x1D400 + at) for at, letter in enumerate(string.ascii_uppercase + string.ascii_lowercase)}
CYRILLIC = dict(zip("ABEKMHOPCTyxaceopijs", "АВЕКМНОРСТухасеоріјѕ", strict=True))
GREEK = dict(zip("ABEZHIKMNOPTYXovu", "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονυ", strict=True))
OTHER_DIGITS = {digit: chr(0x0660 + at) for at, digit in enumerate(string.digits)}
OTHER_DASHES = {"-": "\u2010", "_": "\uff3f"} | {letter: letter + "\u0301" for letter in string.ascii_letters}

ADDED = {
    "a space": " ",
    "a tab": "\t",
    "a line feed": "\n",
    "a carriage return and line feed": "\r\n",
    "a NUL": "\0",
    "padding": "=",
    "more padding": "==",
    "the padding of nothing": "====",
    "a letter": "A",
    "two letters": "AA",
    "four letters": "AAAA",
    "a slash": "/",
    "a dot": ".",
    "a full stop and a bracket": ".)",
    "a fragment": "#",
    "a query": "?a=1",
    "an escape": "%3D",
    "an escaped NUL": "%00",
    "a zero-width space": "\u200b",
    "a zero-width joiner": "\u200d",
    "a soft hyphen": "\u00ad",
    "a byte order mark": "\ufeff",
    "a right-to-left override": "\u202e",
    "a no-break space": "\u00a0",
    "a combining accent": "\u0301",
    "half of a surrogate pair": "\ud800",
    "an emoji": "\U0001f600",
    "a quote": '"',
    "a bracket": "<",
    "an umlaut": "ä",
}
FOREIGN = {letter: f"U+{ord(letter):04X}" for letter in "+/=. \n\0%~!$*,;:@|\\éА\uff21\u2010\ud800\U0001f600"}

MUTATIONS: dict[str, Mutation] = (
    {f"bit {bit} of the version": flipped(0, bit) for bit in range(8)}
    | {f"bit {bit} of byte {byte} of the key id": flipped(1 + byte, bit) for byte in range(4) for bit in (0, 3, 7)}
    | {f"bit {byte % 8} of byte {byte} of the synthetic IV": flipped(5 + byte, byte % 8) for byte in range(16)}
    | {f"a letter taken out at {place}": without(place) for place in (0, 1, 6, 7, 20, 27, -1)}
    | {f"a letter twice at {place}": doubled(place) for place in (0, 1, 6, 7, 20, 27, -1)}
    | {f"two letters swapped at {place}": swapped(place) for place in (0, 2, 6, 8, 20)}
    | {f"the next letter at {place}": next_letter(place) for place in (0, 1, 5, 6, 7, 13, 26, 27, -1)}
    | {f"{what} behind it": lambda token, end=end: token + end for what, end in ADDED.items()}
    | {f"{what} before it": lambda token, start=start: start + token for what, start in ADDED.items()}
    | {f"{what} within it": lambda token, more=more: token[:9] + more + token[9:] for what, more in ADDED.items()}
    | {f"{name} in its first place": instead(letter, 0) for letter, name in FOREIGN.items()}
    | {f"{name} in its last place": instead(letter, -1) for letter, name in FOREIGN.items()}
    | {
        "nothing of it": lambda token: "",
        "its first letter": lambda token: token[:1],
        "its first half": lambda token: token[: len(token) // 2],
        "its second half": lambda token: token[len(token) // 2 :],
        "all but four letters": lambda token: token[:-4],
        "all but the first four": lambda token: token[4:],
        "its version and key id": lambda token: token[:7],
        "twice": lambda token: token * 2,
        "a thousand times": lambda token: token * 1000,
        "a million letters": lambda token: "A" * 1_000_000,
        "a million letters of nowhere": lambda token: "\U0001f600" * 1_000_000,
        "backwards": lambda token: token[::-1],
        "upper case": str.upper,
        "lower case": str.lower,
        "the other case": str.swapcase,
        "the case of a title": str.title,
        "quoted": lambda token: f'"{token}"',
        "in angle brackets": lambda token: f"<{token}>",
        "in quoted-printable, with a soft line break": lambda token: f"{token[:9]}=\r\n{token[9:]}",
        "as hexadecimal": lambda token: urlsafe_b64decode(token).hex(),
        "as base64 of base64": lambda token: urlsafe_b64encode(token.encode()).decode(),
        "in the other base64, behind three bytes": lambda token: b64encode(
            b"\xff\xff\xff" + urlsafe_b64decode(token)
        ).decode(),
        "every letter escaped": lambda token: "".join(f"%{ord(letter):02X}" for letter in token),
        "escaped twice": lambda token: quote(quote(f" {token}")),
        "full width": lambda token: "".join(map(FULL_WIDTH.__getitem__, token)),
        "one letter in full width": looks_alike(FULL_WIDTH),
        "one letter in mathematical bold": looks_alike(MATHEMATICAL),
        "one letter in Cyrillic": looks_alike(CYRILLIC),
        "one letter in Greek": looks_alike(GREEK),
        "one letter with an accent": looks_alike(OTHER_DASHES),
        "one digit in Arabic": looks_alike(OTHER_DIGITS),
        "version 0": resealed(lambda sealed: b"\x00" + sealed[1:]),
        "version 2": resealed(lambda sealed: b"\x02" + sealed[1:]),
        "no version": resealed(lambda sealed: sealed[1:]),
        "no key id": resealed(lambda sealed: sealed[:1] + sealed[5:]),
        "the key id of nobody": resealed(lambda sealed: sealed[:1] + b"\0\0\0\0" + sealed[5:]),
        "a synthetic IV of zeros": resealed(lambda sealed: sealed[:5] + b"\0" * 16 + sealed[21:]),
        "all zeros": resealed(lambda sealed: bytes(len(sealed))),
        "all ones": resealed(lambda sealed: b"\xff" * len(sealed)),
        "its bytes backwards": resealed(lambda sealed: sealed[::-1]),
        "three zeros behind its bytes": resealed(lambda sealed: sealed + b"\0\0\0"),
        "three zeros before its bytes": resealed(lambda sealed: b"\0\0\0" + sealed),
    }
)
"""Each makes another text of a token; by what it does."""
