"""The command line: ``python -m custom_smtp demo`` plays the whole loop on this machine."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO


def main(arguments: Sequence[str] | None = None, *, out: TextIO | None = None) -> int:
    """Do what the arguments say; return the exit status.

    1 means that the demo showed another figure than it should; 2 that it could not begin: wrong arguments, something
    that is not installed, a folder that is in use.
    """
    asked = _parser().parse_args(arguments)
    # What the endpoints turn away is meant to be turned away here, and is counted.
    logging.basicConfig(level=logging.CRITICAL)
    return _demo(asked.keep, asked.report, out or _standard_output())


def _standard_output() -> TextIO:
    """The terminal; what it cannot spell is told with a question mark."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return sys.stdout


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="custom-smtp", description="Send through your own SMTP server, and keep what a hosted mail service gives."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="send, track and report sixty mails on this machine alone",
        description="Plays the whole loop on 127.0.0.1 in a few seconds: seven mail servers, sixty mails, opens, "
        "clicks, the webhooks of six providers and a bounce mailbox. Ends with the path of a report to look at in a "
        "browser.",
    )
    demo.add_argument("--keep", type=Path, metavar="DIR", help="put the database and the report into this folder")
    demo.add_argument("--report", type=Path, metavar="FILE", help="put the report into this file")
    return parser


def _demo(keep: Path | None, report: Path | None, out: TextIO) -> int:
    try:
        from .demo.loop import run  # noqa: PLC0415  # this command alone needs what it imports
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("aiosmtpd"):
            raise
        print(
            "The demo's mail servers need aiosmtpd: in the checkout, make demo, or pip install '.[testing]'", file=out
        )
        return 2
    try:
        if report is not None and not report.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {report.parent} for the report: make it first")
        folder = Path(tempfile.mkdtemp(prefix="custom_smtp-demo-")) if keep is None else _new_folder(keep)
    except OSError as error:
        print(f"Nothing was begun: {error}", file=out)
        return 2
    return run(folder, out=out, report=report)


def _new_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: name a new folder")
    return folder


if __name__ == "__main__":
    sys.exit(main())
