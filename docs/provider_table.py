"""The table of all providers in ``docs/providers/index.md``, made of the adapters' own source text.

    python docs/provider_table.py

writes it anew; a test fails where it is stale.
"""

import ast
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
ADAPTERS = ROOT / "src" / "custom_smtp" / "providers"
PAGE = ROOT / "docs" / "providers" / "index.md"
BEGIN, END = "<!-- made by docs/provider_table.py -->", "<!-- the end of what it made -->"

EVENTS = (
    "Accepted",
    "Delivered",
    "Deferred",
    "Bounced",
    "Dropped",
    "Complained",
    "Unsubscribed",
    "Resubscribed",
    "AutoReplied",
    "Opened",
    "Clicked",
)

PROOFS: Mapping[str, str] = {
    "require_basic_auth": "password",
    "is_one_of": "header",
    "bearer_in": "token",
    "require_bearer": "token",
    "hmac": "HMAC",
    "require_hmac_sha256": "HMAC",
    "is_hmac_sha256": "HMAC",
    "ECDSA": "ECDSA",
    "PKCS1v15": "RSA",
}
"""What an adapter takes from elsewhere, and how a request is proven with it."""


def table() -> str:
    """One row for each provider."""
    heads = ("Provider", "Proof", "Several secrets at once", "Machine opens told", *(f"`{kind}`" for kind in EVENTS))
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [_row(path) for path in sorted(ADAPTERS.glob("[a-z]*.py"))]
    return "\n".join(lines)


def _row(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    taken = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }
    told = {word.arg for node in ast.walk(tree) if isinstance(node, ast.Call) for word in node.keywords}
    proofs = dict.fromkeys(proof for name, proof in PROOFS.items() if name in taken)
    if "token" in proofs:  # which is compared by the same function
        proofs.pop("header", None)
    several = bool(taken & {"secrets_of", "some_secrets"})
    cells = (
        f"[](./{path.stem}.md)",
        ", ".join(proofs),
        _mark(several),
        _mark("prefetched" in told),
        *(_mark(kind in taken) for kind in EVENTS),
    )
    return f"| {' | '.join(cells)} |"


def _mark(there: bool) -> str:
    return "✓" if there else ""


def page(text: str) -> str:
    """The page with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
