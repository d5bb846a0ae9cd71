"""The house is as it was drawn: layers, circles, docstrings, private names, twins, walls, the front door.

Everything here reads source text (`ast` only) and imports nothing of the package. The checker itself is tested at the
end, on small trees in which each thing is broken, so that none of it can pass by finding nothing.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen

PACKAGE = "custom_smtp"
ROOT = Path(__file__).parent.parent

VALUES = (
    "checks",
    "replies",
    "addresses",
    "errors",
    "identifiers",
    "claims",
    "body_encodings",
    "headers",
    "attachments",
    "mail",
    "finished",
    "pieces",
    "merge_fields",
    "merging",
    "outgoing",
    "dns_records",
    "servers",
    "events",
    "event_json",
    "web",
    "posts",
    "https_answers",
    "archive",
)
"""In the order in which they may import: each only from those before it."""

RULES = (
    "header_lines",
    "part_texts",
    "header_reading",
    "mime_parts",
    "mime_fields",
    "mime_reading",
    "mime_rewriting",
    "mime",
    "sasl",
    "smtp_replies",
    "smtp_offers",
    "smtp_commands",
    "smtp_opening",
    "smtp_transactions",
    "smtp_dialogue",
    "server_report",
    "dane",
    "tokens",
    "short_tokens",
    "html",
    "html_charset",
    "html_text",
    "list_headers",
    "lint",
    "verp",
    "urls",
    "plain_text",
    "link_rules",
    "mail_links",
    "compiled_mail",
    "tracking",
    "stand_ins",
    "html_places",
    "text_places",
    "templates",
    "compiled_template",
    "readers",
    "verdicts",
    "proxies",
    "privacy",
    "tracking_endpoint",
    "unsubscribe",
    "unsubscribe_page",
    "unsubscribe_endpoint",
    "mounts",
    "webhooks",
    "bounce_phrases",
    "bounce_causes",
    "bounces",
    "state",
    "timeline",
    "tag_lists",
    "spf",
    "webhooks_out",
    "forwarding",
    "domains",
    "dkim_canonical",
    "dkim_keys",
    "dkim",
    "dkim_verification",
    "https_report",
    "branding",
    "egress",
    "memory",
    "report",
    "rates",
)

LAYER_OF = (
    dict.fromkeys(VALUES, "values")
    | {"ports": "ports", "system": "system"}
    | dict.fromkeys(RULES, "rules")
    | dict.fromkeys(("preparation", "sender", "failover", "routing"), "facade")
    | {"": "front door", "__main__": "command line"}
)
"""The layer of each module that stands flat; the others have their folder's."""

FOLDERS = ("providers", "edge", "testing", "demo")
"""Each is a layer of its own."""

MAY_IMPORT: dict[str, frozenset[str]] = {
    "values": frozenset({"values"}),
    "ports": frozenset({"values"}),
    "system": frozenset({"values"}),
    "rules": frozenset({"values", "ports", "system", "rules"}),
    "providers": frozenset({"values", "ports", "webhooks"}),
    "edge": frozenset(
        {
            "values",
            "ports",
            "system",
            "edge",
            "smtp_dialogue",
            "smtp_transactions",
            "sasl",
            "dane",
            "server_report",
            "bounces",
        }
    ),
    "facade": frozenset({"values", "ports", "system", "rules", "facade"}),
    "testing": frozenset({"values", "ports", "rules", "edge.smtp", "providers", "facade", "testing"}),
    "demo": frozenset({"values", "ports", "system", "rules", "edge", "providers", "facade", "testing", "demo"}),
    "command line": frozenset({"values", "ports", "system", "rules", "edge", "providers", "facade", "demo"}),
    "front door": frozenset({"values", "rules", "edge.smtp", "facade"}),
}
"""From each layer, the layers and single modules it may import."""

TWINS = {"sender": ("Sender", "AsyncSender")}
"""Classes that must be one text, once waiting is struck out of the second."""

WALL = "TID251"
OPENINGS = frozenset(
    {
        "tests/**",
        "docs/**",
        "benchmarks/**",
        "src/custom_smtp/edge/**",
        "src/custom_smtp/demo/**",
        "src/custom_smtp/testing/server.py",
        "src/custom_smtp/__main__.py",
        "src/custom_smtp/system.py",
    }
)
"""The only places in which the linter's bans may be lifted."""

CHANCE = frozenset({"random", "secrets", "uuid"})
WALL_CLOCK = frozenset({"now", "utcnow", "today", "time", "time_ns"})
OWN_CLOCK = ("system", "__main__", "demo", "testing.server")
"""Lifting the bans lifts all of them; yet the rest of the edge takes its clock and its ids like everybody else."""


# --- The tree, read ---------------------------------------------------------------------------------------------------


@frozen
class Import:
    """One module taking names of another of ours."""

    of: str
    names: tuple[str, ...]
    relative: bool


@frozen(eq=False)
class Module:
    """One file of the package, by its dotted name below it; the front door's is empty."""

    name: str
    tree: ast.Module
    package: bool

    @property
    def folder(self) -> str:
        return self.name if self.package else self.name.rpartition(".")[0]


Modules = Mapping[str, Module]


def read(sources: Mapping[str, str]) -> Modules:
    modules = {}
    for path, text in sources.items():
        dotted = path.removesuffix(".py").replace("/", ".")
        package = dotted.split(".")[-1] == "__init__"
        name = dotted.removesuffix("__init__").removesuffix(".") if package else dotted
        modules[name] = Module(name, ast.parse(text, path), package)
    return modules


def imports(module: Module, modules: Modules) -> tuple[Import, ...]:
    """Every import of ours in a module, wherever it stands and whatever for."""
    return _imports(module, frozenset(modules))


@cache
def _imports(module: Module, modules: frozenset[str]) -> tuple[Import, ...]:
    return tuple(_each_import(module, modules))


def _each_import(module: Module, modules: frozenset[str]) -> Iterator[Import]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == PACKAGE:
                    yield Import(alias.name[len(PACKAGE) + 1 :], (), relative=False)
        elif isinstance(node, ast.ImportFrom) and (base := _base(node, module)) is not None:
            names = tuple(alias.name for alias in node.names)
            below = {name: f"{base}.{name}".lstrip(".") for name in names}
            for name in names:
                if below[name] in modules:
                    yield Import(below[name], (), relative=node.level > 0)
            if taken := tuple(name for name in names if below[name] not in modules):
                yield Import(base, taken, relative=node.level > 0)


def _base(node: ast.ImportFrom, module: Module) -> str | None:
    """The module of ours that a ``from`` names; None for anybody else's."""
    told = node.module or ""
    if node.level == 0:
        return told[len(PACKAGE) + 1 :] if told.split(".")[0] == PACKAGE else None
    folder = module.folder.split(".") if module.folder else []
    above = folder[: len(folder) - (node.level - 1)]
    return ".".join([*above, *([told] if told else [])])


# --- What is held -----------------------------------------------------------------------------------------------------


def broken_layers(modules: Modules) -> list[str]:
    """Imports that run the wrong way, and modules that have no place."""
    found = [f"{name} has no layer" for name in modules if _layer(name, modules) is None]
    for name, module in modules.items():
        layer = _layer(name, modules)
        if layer is None:
            continue
        for each in imports(module, modules):
            other = _layer(each.of, modules)
            if each.of not in modules:
                found.append(f"{name} imports {each.of}, which is not there")
            elif not each.relative:
                found.append(f"{name} imports {each.of} by its full name")
            elif other not in MAY_IMPORT[layer] and each.of not in MAY_IMPORT[layer]:
                found.append(f"{name} ({layer}) imports {each.of} ({other})")
            elif layer == other == "values" and VALUES.index(each.of) >= VALUES.index(name):
                found.append(f"{name} imports {each.of}, which comes later in the list of values")
    return found


def _layer(name: str, modules: Modules) -> str | None:
    """A module's layer: its folder's, or its own line in the table; a private one stands where its user stands."""
    folder = name.partition(".")[0]
    if folder in FOLDERS:
        return folder
    if name in LAYER_OF or not name.startswith("_"):
        return LAYER_OF.get(name)
    return next((LAYER_OF.get(user) for user in sorted(_public_users(name, modules))), None)


def _users(name: str, modules: Modules) -> set[str]:
    return {user for user, module in modules.items() if any(each.of == name for each in imports(module, modules))}


def _public_users(name: str, modules: Modules) -> set[str]:
    """Whose part a private module is, over other private modules of theirs."""
    users, private = set(), [name]
    for one in private:
        for user in _users(one, modules):
            if user.rpartition(".")[2].startswith("_") and user != "__main__":
                private += [user] if user not in private else []
            else:
                users.add(user)
    return users


def circles(modules: Modules) -> list[str]:
    """Modules that import each other, over however many steps, at run time or for types alone.

    The front door is left out: it takes everything, lazily, and nobody may take from it (see the layers).
    """
    uses = {
        name: sorted({each.of for each in imports(module, modules)} - {name})
        for name, module in modules.items()
        if name
    }
    found: list[str] = []
    done: set[str] = set()

    def follow(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            found.append(" -> ".join((*path[path.index(name) :], name)))
            return
        if name in done or name not in uses:
            return
        for other in uses[name]:
            follow(other, (*path, name))
        done.add(name)

    for name in uses:
        follow(name, ())
    return found


def undocumented(modules: Modules) -> list[str]:
    """Public modules, classes, functions and methods that say nothing of themselves."""
    return [
        where
        for name, module in modules.items()
        for where, node in _public(module.tree, name or PACKAGE)
        if not (ast.get_docstring(node) or "").strip()
    ]


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _public(node: Documented, where: str) -> Iterator[tuple[str, Documented]]:
    yield where, node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    for below in _statements(node.body):
        if isinstance(below, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not below.name.startswith("_"):
            yield from _public(below, f"{where}.{below.name}")


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements at one level, those behind an ``if`` or a ``try`` too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try):
            yield from _statements([*statement.body, *statement.orelse])


def private_names_taken(modules: Modules) -> list[str]:
    """Private names that leave their module, and private modules that serve more than one neighbour of their folder."""
    found = [
        f"{name} takes {taken} of {each.of}"
        for name, module in modules.items()
        for each in imports(module, modules)
        for taken in each.names
        if taken.startswith("_") and not taken.startswith("__")
    ]
    for name in modules:
        folder, _, last = name.rpartition(".")
        if not last.startswith("_") or last == "__main__":
            continue
        users = _users(name, modules)
        found += [f"{user} takes the private module {name}" for user in users if modules[user].folder != folder]
        if len(public := _public_users(name, modules)) != 1:
            found.append(f"the private module {name} has {len(public)} users")
    return found


def by_name_at_run_time(modules: Modules) -> list[str]:
    """Imports that no linter sees; the front door alone may make them. Asking whether something is there is none."""
    slipped = {"importlib", "__import__", "runpy", "pkgutil"}
    return [
        f"{name} imports by name: {named}"
        for name, module in modules.items()
        if name
        for node in ast.walk(module.tree)
        for named in _top_names(node)
        if named in slipped and ast.unparse(node) != "from importlib.util import find_spec"
    ]


def _top_names(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name.split(".")[0] for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module.split(".")[0]]
        case ast.Name(id=name):
            return [name]
    return []


def clocks_and_chance(modules: Modules) -> list[str]:
    """Places that look at the clock or throw dice, though the linter's wall is open there for other reasons."""
    return [
        f"{name} takes {taken}"
        for name, module in modules.items()
        if not any(name == own or name.startswith(f"{own}.") for own in OWN_CLOCK)
        for node in ast.walk(module.tree)
        for taken in _clock_or_chance(node)
    ]


def _clock_or_chance(node: ast.AST) -> list[str]:
    match node:
        case ast.Attribute(value=ast.Name(id="datetime" | "date" | "time" as base), attr=attr) if attr in WALL_CLOCK:
            return [f"{base}.{attr}"]
        case ast.Attribute(value=ast.Attribute(attr="datetime" | "date" as base), attr=attr) if attr in WALL_CLOCK:
            return [f"{base}.{attr}"]
        case ast.ImportFrom(module="time", names=names):
            return [f"time.{alias.name}" for alias in names if alias.name in WALL_CLOCK]
        case ast.Import() | ast.ImportFrom(level=0):
            return [name for name in _top_names(node) if name in CHANCE]
    return []


def unequal_twins(modules: Modules, twins: Mapping[str, tuple[str, str]]) -> list[str]:
    """Twins that differ in more than waiting."""
    found = []
    for name, (plain, waiting) in twins.items():
        classes = {node.name: node for node in modules[name].tree.body if isinstance(node, ast.ClassDef)}
        if ast.dump(_without_waiting(classes[plain])) != ast.dump(_without_waiting(classes[waiting])):
            found.append(f"{name}.{plain} and {name}.{waiting} differ")
    return found


class _Waiting(ast.NodeTransformer):
    """Strikes out ``await``, ``async`` and the Async in front of names."""

    def visit_Await(self, node: ast.Await) -> ast.expr:
        self.generic_visit(node)
        return node.value

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.generic_visit(ast.FunctionDef(**{name: getattr(node, name) for name in node._fields}))

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self.generic_visit(ast.For(**{name: getattr(node, name) for name in node._fields}))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self.generic_visit(ast.With(**{name: getattr(node, name) for name in node._fields}))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(node.id.removeprefix("Async"), node.ctx)


def _without_waiting(twin: ast.ClassDef) -> ast.AST:
    body = twin.body[1:] if ast.get_docstring(twin) else twin.body
    nameless = ast.ClassDef("Twin", twin.bases, twin.keywords, body, twin.decorator_list)
    # Written and parsed anew, since a transformer changes the tree it is given.
    return _Waiting().generic_visit(ast.parse(ast.unparse(ast.fix_missing_locations(nameless))))


def empty_rooms(modules: Modules) -> list[str]:
    """Modules with nothing in them but words. A folder's own door may be that, if the folder has rooms."""
    return [
        name
        for name, module in modules.items()
        if all(isinstance(node, ast.Expr | ast.Pass) for node in module.tree.body)
        and not (module.package and any(other.startswith(f"{name}.") for other in modules))
    ]


def front_door_faults(modules: Modules) -> list[str]:
    """Names that the front door lists, locates and shows to type checkers, and that are not all the same."""
    door = modules[""].tree
    listed = _literal(door, "__all__")
    homes = _literal(door, "_HOME_OF")
    assert isinstance(listed, list)
    assert isinstance(homes, dict)
    shown = {
        taken: each.of for each in imports(Module("", _for_types(door), package=True), modules) for taken in each.names
    }
    whole = {each.of for each in imports(Module("", _for_types(door), package=True), modules) if not each.names}
    found = [f"{name} is listed twice" for name in {name for name in listed if listed.count(name) > 1}]
    found += [f"{name} is listed and not located" for name in set(listed) - set(homes) - whole]
    found += [f"{name} is located and not listed" for name in (set(homes) | whole) - set(listed)]
    found += [f"{name} is not shown to type checkers from its home" for name in homes if shown.get(name) != homes[name]]
    found += [f"{name} is shown to type checkers and not located" for name in set(shown) - set(homes)]
    found += [
        f"{name} does not live in {home}"
        for name, home in homes.items()
        if home not in modules or name not in _defined(modules[home].tree)
    ]
    return found


def _literal(tree: ast.Module, name: str) -> object:
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            return ast.literal_eval(node.value)
    raise AssertionError(f"there is no {name}")


def _for_types(door: ast.Module) -> ast.Module:
    bodies = [node.body for node in door.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return ast.Module([statement for body in bodies for statement in body], [])


def _defined(tree: ast.Module) -> set[str]:
    """What a module defines itself, or lists as its own."""
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names |= set(ast.literal_eval(node.value))
    return names


def openings(settings: Mapping[str, Mapping[str, list[str]]]) -> set[str]:
    """The places for which the linter's bans are lifted, by its settings."""
    lint: Mapping[str, object] = settings
    for key in ("tool", "ruff", "lint", "per-file-ignores"):
        lint = lint[key]  # type: ignore[assignment]  # TOML's tables are not typed
    return {
        place
        for place, ignored in lint.items()
        if any(WALL.startswith(code) or code == "ALL" for code in ignored)  # type: ignore[attr-defined]  # as above
    }


def lifted_in_line(sources: Mapping[str, str]) -> list[str]:
    """Files of the package that lift the bans, or every rule, for a line or for themselves."""
    lifts = re.compile(rf"#\s*(?:ruff|flake8)?:?\s*noqa(?!:)|#.*noqa:.*(?:{WALL}|TID\b)", re.IGNORECASE)
    return [path for path, text in sources.items() if lifts.search(text)]


# --- The house as it stands -------------------------------------------------------------------------------------------


SOURCES = {
    path.relative_to(ROOT / "src" / PACKAGE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "src" / PACKAGE).rglob("*.py"))
}
HOUSE = read(SOURCES)


def test_imports_run_one_way() -> None:
    assert broken_layers(HOUSE) == []


def test_every_line_of_the_table_has_its_module() -> None:
    assert set(LAYER_OF) - set(HOUSE) == set()


def test_there_is_no_import_circle() -> None:
    assert circles(HOUSE) == []


def test_everything_public_says_what_it_is() -> None:
    assert undocumented(HOUSE) == []


def test_private_names_stay_at_home() -> None:
    assert private_names_taken(HOUSE) == []


def test_nothing_but_the_front_door_imports_by_name() -> None:
    assert by_name_at_run_time(HOUSE) == []


def test_the_edge_takes_its_clock_and_its_ids() -> None:
    assert clocks_and_chance(HOUSE) == []


def test_twins_differ_in_nothing_but_waiting() -> None:
    assert unequal_twins(HOUSE, TWINS) == []


def test_no_room_is_empty() -> None:
    assert empty_rooms(HOUSE) == []


def test_the_front_door_says_one_thing() -> None:
    assert front_door_faults(HOUSE) == []


def test_the_wall_is_open_only_where_the_world_is() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert openings(settings) == OPENINGS
    assert WALL in settings["tool"]["ruff"]["lint"]["select"]
    assert WALL not in settings["tool"]["ruff"]["lint"]["ignore"]
    assert lifted_in_line(SOURCES) == []


@pytest.mark.parametrize(
    "banned",
    [
        "datetime.datetime.now",
        "time",
        "secrets",
        "random",
        "socket",
        "ssl",
        "smtplib",
        "dns",
        "sqlite3",
        "os",
        "subprocess",
        "threading",
        "asyncio",
    ],
)
def test_the_wall_names_the_way_out(banned: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"][banned]["msg"]


# --- The checker, on houses that are broken ---------------------------------------------------------------------------

DOC = '"""Words."""\n'

Check = Callable[[Modules], list[str]]


@pytest.mark.parametrize(
    ("check", "sources", "found"),
    [
        # layers
        (
            broken_layers,
            {"mail.py": "from .sender import Sender", "sender.py": ""},
            "mail (values) imports sender (facade)",
        ),
        (
            broken_layers,
            {"state.py": "from .edge.smtp import x", "edge/smtp.py": ""},
            "state (rules) imports edge.smtp",
        ),
        (broken_layers, {"state.py": "from .edge import smtp", "edge/smtp.py": ""}, "state (rules) imports edge.smtp"),
        (broken_layers, {"state.py": "from . import sender", "sender.py": ""}, "state (rules) imports sender"),
        (
            broken_layers,
            {"state.py": "def f():\n    from .sender import Sender", "sender.py": ""},
            "state (rules) imports sender",
        ),
        (
            broken_layers,
            {"providers/a.py": "from ..tokens import T", "tokens.py": ""},
            "providers.a (providers) imports tokens",
        ),
        (
            broken_layers,
            {"providers/a.py": "from .b import B", "providers/b.py": ""},
            "imports providers.b (providers)",
        ),
        (
            broken_layers,
            {"edge/a.py": "from ..tokens import T", "tokens.py": ""},
            "edge.a (edge) imports tokens (rules)",
        ),
        (broken_layers, {"errors.py": "from .mail import M", "mail.py": ""}, "mail, which comes later"),
        (broken_layers, {"errors.py": "from .errors import E"}, "errors, which comes later"),
        (broken_layers, {"utils.py": ""}, "utils has no layer"),
        (broken_layers, {"_alone.py": ""}, "_alone has no layer"),
        (
            broken_layers,
            {"report.py": "from ._chart import c", "_chart.py": "from .sender import S", "sender.py": ""},
            "_chart (rules) imports sender",
        ),
        (broken_layers, {"mail.py": "from custom_smtp.errors import E", "errors.py": ""}, "errors by its full name"),
        (broken_layers, {"mail.py": "import custom_smtp.errors", "errors.py": ""}, "errors by its full name"),
        (broken_layers, {"mail.py": "from .gone import E"}, "gone, which is not there"),
        (broken_layers, {"mail.py": "from . import Mail", "__init__.py": ""}, "mail (values) imports  (front door)"),
        (
            broken_layers,
            {"__init__.py": "from .providers.a import A", "providers/a.py": ""},
            "(front door) imports providers.a",
        ),
        (broken_layers, {"__init__.py": "from .edge.sqlite import A", "edge/sqlite.py": ""}, "imports edge.sqlite"),
        # circles
        (circles, {"mail.py": "from .web import W", "web.py": "from .mail import M"}, "mail -> web -> mail"),
        (
            circles,
            {"a.py": "from .b import B", "b.py": "from . import c", "c.py": "if TYPE_CHECKING:\n    from .a import A"},
            "a -> b -> c -> a",
        ),
        (
            circles,
            {"edge/a.py": "from .b import B", "edge/b.py": "from ..edge.a import A"},
            "edge.a -> edge.b -> edge.a",
        ),
        # docstrings
        (undocumented, {"mail.py": "x = 1"}, "mail"),
        (undocumented, {"mail.py": DOC + "class Mail: ..."}, "mail.Mail"),
        (undocumented, {"mail.py": DOC + "def send(): ..."}, "mail.send"),
        (undocumented, {"mail.py": DOC + "async def send(): ..."}, "mail.send"),
        (undocumented, {"mail.py": DOC + "if True:\n    def send(): ..."}, "mail.send"),
        (undocumented, {"mail.py": DOC + 'class Mail:\n    """ """'}, "mail.Mail"),
        (undocumented, {"mail.py": DOC + f"class Mail:\n    {DOC}    def to(self): ..."}, "mail.Mail.to"),
        # private names
        (private_names_taken, {"a.py": "from .b import _x", "b.py": ""}, "a takes _x of b"),
        (private_names_taken, {"edge/a.py": "from .._b import x", "_b.py": ""}, "edge.a takes the private module _b"),
        (private_names_taken, {"a.py": "from ._b import x", "c.py": "from . import _b", "_b.py": ""}, "_b has 2 users"),
        (private_names_taken, {"_b.py": ""}, "_b has 0 users"),
        (
            private_names_taken,
            {"a.py": "from ._b import x", "_b.py": "", "c.py": "from ._d import x", "_d.py": "from ._b import x"},
            "_b has 2 users",
        ),
        # by name
        (by_name_at_run_time, {"a.py": "import importlib.util"}, "a imports by name: importlib"),
        (by_name_at_run_time, {"a.py": "def f():\n    from importlib import import_module"}, "importlib"),
        (by_name_at_run_time, {"edge/a.py": "__import__('ssl')"}, "edge.a imports by name: __import__"),
        # clocks and chance
        (clocks_and_chance, {"edge/a.py": "x = datetime.now(UTC)"}, "edge.a takes datetime.now"),
        (clocks_and_chance, {"edge/a.py": "x = datetime.datetime.utcnow()"}, "edge.a takes datetime.utcnow"),
        (clocks_and_chance, {"edge/a.py": "x = time.time()"}, "edge.a takes time.time"),
        (clocks_and_chance, {"edge/a.py": "from time import monotonic, time"}, "edge.a takes time.time"),
        (clocks_and_chance, {"edge/a.py": "import secrets"}, "edge.a takes secrets"),
        (clocks_and_chance, {"edge/a.py": "from random import choice"}, "edge.a takes random"),
        (clocks_and_chance, {"testing/fakes.py": "import uuid"}, "testing.fakes takes uuid"),
        # empty rooms
        (empty_rooms, {"a.py": ""}, "a"),
        (empty_rooms, {"a.py": DOC + "pass"}, "a"),
        (empty_rooms, {"a/__init__.py": DOC}, "a"),
    ],
)
def test_a_broken_house_is_seen(check: Check, sources: dict[str, str], found: str) -> None:
    [breach] = check(read(sources))
    assert found in breach


@pytest.mark.parametrize(
    ("check", "sources"),
    [
        (broken_layers, {"mail.py": "from .errors import E\nfrom attrs import frozen\nimport re", "errors.py": ""}),
        (broken_layers, {"edge/a.py": "from ..sasl import s\nfrom ._b import b", "edge/_b.py": "", "sasl.py": ""}),
        (broken_layers, {"providers/a.py": "from ..webhooks import w", "webhooks.py": ""}),
        (broken_layers, {"report.py": "from ._chart import c", "_chart.py": "from .events import E", "events.py": ""}),
        (
            circles,
            {"a.py": "from .c import C", "b.py": "from .c import C", "c.py": "", "__init__.py": "from . import a"},
        ),
        (
            undocumented,
            {"mail.py": DOC + "class _Mail: ...\ndef _send(): ...\nclass M:\n    'm'\n    def __len__(self): ..."},
        ),
        (private_names_taken, {"a.py": "from ._b import x", "_b.py": "", "__main__.py": ""}),
        (private_names_taken, {"a.py": "from ._b import x", "_b.py": "from ._c import x", "_c.py": ""}),
        (by_name_at_run_time, {"__init__.py": "from importlib import import_module"}),
        (by_name_at_run_time, {"__main__.py": "from importlib.util import find_spec"}),
        (
            clocks_and_chance,
            {"system.py": "import secrets\nx = datetime.now(UTC)", "edge/a.py": "from time import monotonic"},
        ),
        (empty_rooms, {"edge/__init__.py": DOC, "edge/a.py": "x = 1"}),
    ],
)
def test_a_sound_house_is_left_in_peace(check: Check, sources: dict[str, str]) -> None:
    assert check(read(sources)) == []


SYNC = '''
@frozen
class Sender:
    """Sends."""
    archive: Archive
    def send(self, mail):
        """Send one."""
        with self.archive as a:
            return a.store(mail)
'''


@pytest.mark.parametrize(
    ("waiting", "equal"),
    [
        ("return await a.store(mail)", True),
        ("return a.store(mail)", True),
        ("return await a.store(mail, 1)", False),
        ("await a.store(mail)", False),
    ],
)
def test_twins_are_compared_without_their_waiting(waiting: str, equal: bool) -> None:
    twin = (
        SYNC.replace("class Sender", "class AsyncSender")
        .replace("Sends.", "Sends, later.")
        .replace(": Archive", ": AsyncArchive")
        .replace("def", "async def")
        .replace("with", "async with")
        .replace("return a.store(mail)", waiting)
    )
    assert (unequal_twins(read({"sender.py": SYNC + twin}), TWINS) == []) is equal


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("['A', 'e']", "['e']", "A is located and not listed"),
        ("['A', 'e']", "['A']", "e is located and not listed"),
        ("['A', 'e']", "['A', 'e', 'e']", "e is listed twice"),
        ("['A', 'e']", "['A', 'B', 'e']", "B is listed and not located"),
        ("import A", "import A, C", "C is shown to type checkers and not located"),
        ("{'A': 'a'}", "{'A': 'e'}", "A is not shown to type checkers from its home"),
        ("class A", "class B", "A does not live in a"),
    ],
)
def test_a_front_door_that_contradicts_itself_is_seen(before: str, after: str, found: str) -> None:
    door = "if TYPE_CHECKING:\n    from . import e\n    from .a import A\n__all__ = ['A', 'e']\n_HOME_OF = {'A': 'a'}"
    sources = {"__init__.py": door, "a.py": "class A: ...", "e.py": "x = 1"}
    assert front_door_faults(read(sources)) == []
    broken = {path: text.replace(before, after) for path, text in sources.items()}
    assert broken != sources
    assert found in front_door_faults(read(broken))


def test_an_opening_in_the_wall_is_seen() -> None:
    ignores = {"a.py": ["TID251"], "b.py": ["TID"], "c.py": ["ALL"], "d.py": ["D"], "e.py": ["T20"]}
    assert openings({"tool": {"ruff": {"lint": {"per-file-ignores": ignores}}}}) == {"a.py", "b.py", "c.py"}  # type: ignore[dict-item]  # TOML


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("import ssl  # noqa: TID251", True),
        ("import ssl  # noqa", True),
        ("import ssl  #noqa: E501, TID251  # why", True),
        ("# ruff: noqa: TID251", True),
        ("# ruff: noqa", True),
        ("# flake8: noqa", True),
        ("x = 1  # noqa: E501  # a long line", False),
        ("import re", False),
    ],
)
def test_a_ban_lifted_in_line_is_seen(line: str, seen: bool) -> None:
    assert (lifted_in_line({"a.py": line}) == ["a.py"]) is seen
