"""Imports run one way, rooms stay small, and nothing happens at import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = [
    "errors",
    "hints",
    "knobs",
    "strict_json",
    "notebook",
    "plugins",
    "media",
    "example",
    "signature",
    "lm",
    "pocket",
    "adapters",
    "observe",
    "runtime",
    "retrieval",
    "tools",
    "checks",
    "modules",
    "evaluation",
    "artifact",
    "batch",
    "pytest_plugin",
    "cli",
]
PACKAGES = {
    "langprog": {"langprog"},
    "optimizers": {"langprog", "optimizers"},
    "programs": {"langprog", "programs"},
    "benchmarks": {"langprog", "optimizers", "programs", "benchmarks"},
    "cli": {"langprog", "optimizers", "programs"},
}
# Public names, commands and stores are imported when first used: importing all would be slow.
BY_STRING = {
    "langprog/__init__.py",
    "langprog/cli/commands.py",
    "langprog/lm/cache.py",
    "langprog/runtime/models.py",
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


ALL = sources("langprog", "optimizers", "programs", "benchmarks")


def imports(path: Path) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node, node.module


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "langprog").parts[0].removesuffix(".py")


def is_command_line(path: Path) -> bool:
    return named(path).startswith(("langprog/cli/", "langprog/__main__"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", ALL, ids=named)
def test_packages_import_one_way(path: Path) -> None:
    top = path.relative_to(ROOT).parts[0]
    # The command line stands above the optimizers, and nothing imports it.
    allowed = PACKAGES["cli" if is_command_line(path) else top]
    for _, name in imports(path):
        package = name.partition(".")[0]
        assert package not in set(PACKAGES) - allowed, f"{named(path)} imports {name}"
        if not is_command_line(path):
            assert not name.startswith("langprog.cli"), f"{named(path)} imports {name}"


@pytest.mark.parametrize("path", ALL, ids=named)
def test_nothing_of_ours_is_imported_by_its_name_in_a_string(path: Path) -> None:
    if named(path) in BY_STRING:
        return
    own = re.compile(r"(langprog|optimizers|programs|benchmarks)\.\w")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            text = "".join(
                str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant)
            )
            assert not own.match(text), f"{named(path)}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", sources("langprog"), ids=named)
def test_rooms_import_one_way_and_through_the_door(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    for _, name in imports(path):
        parts = name.split(".")
        if parts[0] != "langprog" or len(parts) == 1 or parts[1] == room:
            continue
        assert ROOMS.index(parts[1]) < ROOMS.index(room), f"{named(path)} imports {name}"
        through_door = len(parts) == 2 or (room == "pocket" and name == "langprog.lm.types")
        assert through_door, f"{named(path)} imports the file {name}, not the room"


@pytest.mark.parametrize("path", sources("optimizers", "programs", "benchmarks"), ids=named)
def test_outsiders_import_rooms_not_files(path: Path) -> None:
    for _, name in imports(path):
        parts = name.split(".")
        if parts[0] == "langprog":
            assert len(parts) <= 2 or parts[1] == "pocket", f"{named(path)} imports {name}"


@pytest.mark.parametrize("path", ALL, ids=named)
def test_rooms_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE, f"{named(path)} is too long: split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            start = first.end_lineno if documented else node.lineno
            length = (node.end_lineno or 0) - (start or 0)
            assert length <= LONGEST_FUNCTION, f"{named(path)}: {node.name} has {length} lines"


def test_the_root_of_the_optimizers_stays_small() -> None:
    assert len(list((ROOT / "optimizers").glob("*.py"))) <= 12


def run_time_imports(node: ast.AST) -> Iterator[str]:
    """Modules that are imported when the code runs, at the top or later."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
        yield from run_time_imports(child)


@pytest.mark.parametrize("room", [room for room in ROOMS if (ROOT / "langprog" / room).is_dir()])
def test_files_of_a_room_import_one_another_one_way(room: str) -> None:
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sources(f"langprog/{room}")
    }
    graph = {
        name: set(run_time_imports(ast.parse(path.read_text()))) & (files.keys() - {name})
        for name, path in files.items()
    }
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_no_file_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "core"}
    found = [named(path) for path in ALL if path.stem in empty]
    assert not found


def broad(path: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            for item in caught:
                wide = item is None or (
                    isinstance(item, ast.Name) and item.id in ("Exception", "BaseException")
                )
                if wide and not raises:
                    yield node.lineno


def test_exceptions_are_caught_broadly_in_known_places_alone() -> None:
    allowed = {
        "langprog/evaluation/evaluate.py",  # a failed example becomes a recorded failure
        "langprog/runtime/observing.py",  # a callback that fails does not lose an answer
        "langprog/evaluation/metric_calls.py",  # handed to the row that waits
        "langprog/cli/main.py",  # a bug becomes one line
        "langprog/batch/engine.py",  # a failed row becomes a written failure
        "optimizers/events.py",  # a view that fails does not end a compile
        "langprog/runtime/sync.py",  # handed to the waiting thread
        "benchmarks/fuzz_judge.py",  # an error that no file may cause is what it looks for
    }
    found = {named(path) for path in ALL if any(broad(path))}
    assert found <= allowed, found - allowed


@pytest.mark.parametrize("path", ALL, ids=named)
def test_every_ignore_has_its_reason(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        for mark in ("# noqa", "# type: ignore"):
            if mark in line:
                rest = line.split(mark, 1)[1]
                assert " - " in rest or "  # " in rest, f"{named(path)}:{number} gives no reason"


PRINTING = {"print", "pprint", "echo", "secho", "echo_via_pager", "Console"}


def printing(path: Path) -> Iterator[int]:
    """Lines that write to a terminal, or take what writes to it."""
    for _, name in imports(path):
        if name.partition(".")[0] in ("rich", "click"):
            yield 0
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in PRINTING or ast.unparse(called).startswith(
                ("sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer", "sys.stderr.buffer")
            ):
                yield node.lineno


@pytest.mark.parametrize("path", sources("langprog", "optimizers"), ids=named)
def test_one_file_alone_writes_to_the_terminal(path: Path) -> None:
    # There, what steers a terminal is taken out of every text.
    if named(path) in ("langprog/cli/terminal.py", "langprog/pocket/training/__main__.py"):
        return
    assert not list(printing(path)), f"{named(path)} prints: take langprog.cli.terminal"
