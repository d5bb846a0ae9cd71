"""The documentation is complete: what exists has its page, and what is shown exists."""

import ast
import re
import runpy
from pathlib import Path

import custom_smtp

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PROGRAMS = frozenset({"demo", "__main__"})
"""Run, not imported."""


def public_modules() -> set[str]:
    """Every module that users may import, by its dotted name below the package."""
    package = ROOT / "src" / "custom_smtp"
    dotted = {".".join(path.relative_to(package).with_suffix("").parts) for path in package.rglob("*.py")}
    named = {name.removesuffix("__init__").removesuffix(".") for name in dotted} - {""}
    return {name for name in named if not any(p.startswith("_") or p in PROGRAMS for p in name.split("."))}


def test_every_public_module_has_a_page_and_every_page_a_module() -> None:
    pages = {path.stem for path in (DOCS / "reference").glob("*.md")} - {"index", "front_door"}
    assert pages == public_modules()


def test_every_page_of_the_reference_is_of_its_module_and_in_its_index() -> None:
    listed = (DOCS / "reference" / "index.md").read_text(encoding="utf-8").splitlines()
    for name in public_modules():
        page = (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")
        assert f"automodule:: custom_smtp.{name}\n" in page
        assert listed.count(name) == 1


def test_the_front_door_is_shown_with_the_true_home_of_each_name() -> None:
    page = (DOCS / "reference" / "front_door.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `(\w+)` \| \{py:\w+\}`([\w.]+)` \|$", page, re.MULTILINE))
    tree = ast.parse((ROOT / "src" / "custom_smtp" / "__init__.py").read_text(encoding="utf-8"))
    [homes] = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOME_OF"
    ]
    modules = {name: f"custom_smtp.{name}" for name in custom_smtp.__all__ if name not in homes}
    assert shown == {name: f"custom_smtp.{home}.{name}" for name, home in homes.items()} | modules


def test_the_eleven_uses_are_there_and_each_has_one_program() -> None:
    uses = [path for path in (DOCS / "uses").glob("*.md") if path.stem != "index"]
    assert sorted(int(path.stem.split("-")[0]) for path in uses) == list(range(1, 12))
    for path in uses:
        assert path.read_text(encoding="utf-8").count("```python\n") == 1


def test_every_provider_has_a_page_for_its_users() -> None:
    adapters = {path.stem for path in (ROOT / "src" / "custom_smtp" / "providers").glob("[a-z]*.py")}
    assert {path.stem for path in (DOCS / "providers").glob("*.md")} - {"index"} == adapters


def test_the_table_of_all_providers_is_made_of_their_code() -> None:
    shown = (DOCS / "providers" / "index.md").read_text(encoding="utf-8")

    assert runpy.run_path(str(DOCS / "provider_table.py"))["page"](shown) == shown, "python docs/provider_table.py"


def test_every_link_from_the_first_page_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) >= 5
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_starts_with_code_that_fits_on_a_screen() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in program.splitlines() if line.strip()]) <= 15
    assert text.index("```python") < 700


def test_the_changelog_says_what_is_new_in_known_words() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## Unreleased" in text
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= {
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    }
