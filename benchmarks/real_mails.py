"""Mails to measure with: what freely licensed packages hold of real ones, fetched once into ``.cache/benchmarks``.

Nothing of them is part of this project, or goes into its repository.
"""

import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from fnmatch import fnmatch
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

CACHE = Path(__file__).parents[1] / ".cache" / "benchmarks" / "mails"


@dataclass(frozen=True)
class Source:
    """A package, and which of its files are mails.

    ``whole`` ones are mails as they travel; the others are their HTML.
    """

    package: str
    licence: str
    files: str
    from_npm: bool = False
    whole: bool = False


SOURCES = (
    Source("bootstrap-email@1.2.9", "MIT", "package/examples/output/*.html", from_npm=True),
    Source("foundation-emails@2.5.1", "MIT", "package/.templates/*.html", from_npm=True),
    Source("mjml==0.12.0", "MIT", "mjml-*/tests/testdata/*-expected.html"),
    Source("mail-parser==4.8.0", "Apache-2.0", "mail_parser-*/tests/mails/mail_*", whole=True),
)


@dataclass(frozen=True)
class Mails:
    """What is measured with: the HTML parts, and the plain texts."""

    html: tuple[str, ...]
    text: tuple[str, ...]

    @property
    def markup(self) -> int:
        """Bytes of the HTML."""
        return sum(len(each.encode()) for each in self.html)

    @property
    def prose(self) -> int:
        """Bytes of the texts."""
        return sum(len(each.encode()) for each in self.text)


def real_mails() -> Mails:
    """All of them, from the cache; fetched, where one is not there yet."""
    found: set[tuple[str, str]] = set()
    for source in SOURCES:
        folder = CACHE / re.sub(r"[^\w.-]+", "-", source.package)
        if not (folder / ".complete").exists():
            _fetch(source, folder)
        found |= {(path.suffix, path.read_bytes().decode()) for path in folder.glob("*.*") if path.suffix}
    html = tuple(sorted(_filled(mail) for kind, mail in found if kind == ".html"))
    return Mails(html, (*sorted(mail for kind, mail in found if kind == ".txt"), *map(_as_text, html)))


def _filled(html: str) -> str:
    """A template's links are ``#`` until somebody fills them in: as shops do, with parameters."""
    numbers = count(1)
    return re.sub(
        r"""(?<=href=["'])#(?=["'])""",
        lambda _: f"https://www.shop.example/autumn/offer-{next(numbers)}?id=7f3a91c2&amp;utm_source=news&amp;c=42",
        html,
    )


def _fetch(source: Source, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with TemporaryDirectory() as scratch:
        if source.from_npm:
            words = ["npm", "pack", "--silent", "--pack-destination", scratch, source.package]
        else:
            pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
            words = [*pip, "--no-deps", "--no-binary", ":all:", "-d", scratch, source.package]
        if subprocess.run(words, check=False, stdout=subprocess.DEVNULL).returncode:
            sys.exit(f"missing: {source.package}, which {words[0]} could not fetch")
        [archive] = Path(scratch).iterdir()
        number = 0
        for content in _files(archive, source.files):
            for kind, mail in _parts(content) if source.whole else [("html", content.decode("utf-8", "replace"))]:
                number += 1
                (folder / f"{number:03}.{kind}").write_bytes(mail.encode("utf-8", "replace"))
    (folder / ".complete").touch()


def _files(archive: Path, pattern: str) -> Iterator[bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as opened:
        for member in sorted(opened.getmembers(), key=lambda each: each.name):
            if member.isfile() and fnmatch(member.name, pattern) and (file := opened.extractfile(member)):
                yield file.read()


def _parts(content: bytes) -> Iterator[tuple[str, str]]:
    """Every HTML part and plain text of a mail that can be read; spam does not keep to its own charset."""
    message = message_from_bytes(content, policy=policy.compat32)
    for part in message.walk():
        kind = {"text/html": "html", "text/plain": "txt"}.get(part.get_content_type())
        payload = part.get_payload(decode=True)
        if kind and isinstance(payload, bytes) and len(payload) > 200:
            yield kind, payload.decode("utf-8" if _is_utf8(payload) else "latin-1")


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_text(html: str) -> str:
    """A plain text as mail programs make it beside the HTML: the words, and each link's URL after them."""
    html = re.sub(r"(?is)<(style|script|title)\b.*?</\1\s*>|<!--.*?-->", " ", html)
    html = re.sub(r"""(?is)<a\b[^>]*?href=["'](https?:[^"']*)["'][^>]*>(.*?)</a>""", r"\2 ( \1 )\n", html)
    html = re.sub(r"(?i)<(?:br|/p|/tr|/h\d|/div)\b[^>]*>", "\n", html)
    words = re.sub(r"[ \t]+", " ", re.sub(r"<[^>]*>", " ", html).replace("&amp;", "&").replace("&nbsp;", " "))
    return re.sub(r"\s*\n\s*", "\n", words)
