"""Imports run one way, rooms stay small, and nothing happens at import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.house.sources import ROOT, Source, sources

ROOMS = [
    "errors",
    "frozen",
    "hints",
    "knobs",
    "locking",
    "sources",
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
    "sandbox",
    "retrieval",
    "tools",
    "checks",
    "modules",
    "evaluation",
    "artifact",
    "reuse",
    "engines",
    "estimation",
    "verification",
    "batch",
    "interop",
    "serving",
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
# To a type checker, the class of a signature is the type of a prediction.
FOR_TYPE_CHECKERS = {("langprog/signature/declaration.py", "langprog.modules")}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def imports(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def room_of(source: Source) -> str:
    return source.name.split("/")[1].removesuffix(".py")


def is_command_line(source: Source) -> bool:
    return source.name.startswith(("langprog/cli/", "langprog/__main__"))


def against_the_order(source: Source) -> Iterator[str]:
    # The command line stands above the optimizers, and nothing imports it.
    top = "cli" if is_command_line(source) else source.name.partition("/")[0]
    for name in imports(source):
        if name.partition(".")[0] in set(PACKAGES) - PACKAGES[top] or (
            name.startswith("langprog.cli") and not is_command_line(source)
        ):
            yield f"{source.name} imports {name}"


def test_packages_import_one_way() -> None:
    assert not [line for source in sources() for line in against_the_order(source)]


def imported_by_string(source: Source) -> Iterator[str]:
    own = re.compile(r"(langprog|optimizers|programs|benchmarks)\.\w")
    for node in source.nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            text = "".join(
                str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant)
            )
            if own.match(text):
                yield f"{source.name}:{node.lineno}: {ast.unparse(node)}"


def test_nothing_of_ours_is_imported_by_its_name_in_a_string() -> None:
    asked = [source for source in sources() if source.name not in BY_STRING]
    assert not [line for source in asked for line in imported_by_string(source)]


def against_the_order_of_rooms(source: Source) -> Iterator[str]:
    room = room_of(source)
    if room in ("__init__", "__main__"):
        return
    for name in imports(source):
        parts = name.split(".")
        if parts[0] != "langprog" or len(parts) == 1 or parts[1] == room:
            continue
        if ROOMS.index(parts[1]) >= ROOMS.index(room) and (
            (source.name, name) not in FOR_TYPE_CHECKERS
        ):
            yield f"{source.name} imports {name}"
        if len(parts) > 2 and not (room == "pocket" and name == "langprog.lm.types"):
            yield f"{source.name} imports the file {name}, not the room"


def test_rooms_import_one_way_and_through_the_door() -> None:
    found = [line for source in sources("langprog") for line in against_the_order_of_rooms(source)]
    assert not found


def test_outsiders_import_rooms_not_files() -> None:
    files = [
        f"{source.name} imports {name}"
        for source in sources("optimizers", "programs", "benchmarks")
        for name in imports(source)
        if name.startswith("langprog.") and name.count(".") > 1
        if not name.startswith("langprog.pocket.")
    ]
    assert not files


def too_long(source: Source) -> Iterator[str]:
    if len(source.text.splitlines()) > LONGEST_FILE:
        yield f"{source.name} is too long: split it"
    for node in source.nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            start = first.end_lineno if documented else node.lineno
            length = (node.end_lineno or 0) - (start or 0)
            if length > LONGEST_FUNCTION:
                yield f"{source.name}: {node.name} has {length} lines"


def test_rooms_stay_small() -> None:
    assert not [line for source in sources() for line in too_long(source)]


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
        source.name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): source
        for source in sources(f"langprog/{room}")
    }
    graph = {
        name: set(run_time_imports(source.tree)) & (files.keys() - {name})
        for name, source in files.items()
    }
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_no_file_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "core"}
    assert not [source.name for source in sources() if Path(source.name).stem in empty]


def broad(source: Source) -> Iterator[int]:
    for node in source.nodes:
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
        "langprog/batch/rows.py",  # a failed row becomes a written failure
        "langprog/engines/driver.py",  # raised where the program calls the model
        "langprog/engines/shipping.py",  # an exception that cannot travel becomes one that can
        "langprog/engines/worker.py",  # raised again by the driver
        "langprog/serving/calls.py",  # a failed request becomes a refusal
        "optimizers/events.py",  # a view that fails does not end a compile
        "langprog/sandbox/worker.py",  # told to whoever had the code run
        "langprog/runtime/loops.py",  # handed to the waiting thread
        "langprog/runtime/sync.py",  # handed to the waiting task
        "benchmarks/fuzz_judge.py",  # an error that no file may cause is what it looks for
    }
    found = {source.name for source in sources() if any(broad(source))}
    assert found <= allowed, found - allowed


def without_reason(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        for mark in ("# noqa", "# type: ignore"):
            if mark in line:
                rest = line.split(mark, 1)[1]
                if " - " not in rest and "  # " not in rest:
                    yield f"{source.name}:{number} gives no reason"


def test_every_ignore_has_its_reason() -> None:
    assert not [line for source in sources() for line in without_reason(source)]


PRINTING = {"print", "pprint", "echo", "secho", "echo_via_pager", "Console"}


def printing(source: Source) -> Iterator[int]:
    """Lines that write to a terminal, or take what writes to it."""
    for name in imports(source):
        if name.partition(".")[0] in ("rich", "click"):
            yield 0
    for node in source.nodes:
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in PRINTING or ast.unparse(called).startswith(
                ("sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer", "sys.stderr.buffer")
            ):
                yield node.lineno


def test_one_file_alone_writes_to_the_terminal() -> None:
    # There, what steers a terminal is taken out of every text.
    allowed = {"langprog/cli/terminal.py", "langprog/pocket/training/__main__.py"}
    found = [
        f"{source.name}:{line} prints: take langprog.cli.terminal"
        for source in sources("langprog", "optimizers")
        if source.name not in allowed
        for line in printing(source)
    ]
    assert not found
