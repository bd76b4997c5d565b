"""No module keeps state: nothing at module level is written to once the module is there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for package in ("langprog", "optimizers", "programs", "benchmarks")
    for path in (ROOT / package).rglob("*.py")
)
WRITING = {
    *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"),
    *("update", "setdefault", "popitem", "add", "discard"),
}
EMPTY_CONTAINERS = {"dict", "list", "set", "defaultdict", "deque", "Counter", "OrderedDict"}
# The ambient settings of the process, and its one background loop.
ALLOWED = {"langprog/runtime/settings.py", "langprog/runtime/sync.py"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_names(tree: ast.Module) -> set[str]:
    """Names assigned at module level, apart from those of functions and classes."""
    found: set[str] = set()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        found |= {item.id for item in targets if isinstance(item, ast.Name)}
    return found


def writes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Places that change what a module-level name holds."""
    names = module_names(tree)
    for node in ast.walk(tree):
        target: ast.expr | None = None
        if isinstance(node, ast.Global):
            yield node.lineno, f"global {', '.join(node.names)}"
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(
            node.ctx, (ast.Store, ast.Del)
        ):
            target = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            target = node.func.value if node.func.attr in WRITING else None
        if isinstance(target, ast.Name) and target.id in names:
            yield node.lineno, f"{target.id} is written to"


def empty_containers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Module-level containers that start empty: what else are they for than to be filled."""
    for node in tree.body:
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        called = isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1]
        if called in EMPTY_CONTAINERS or (
            isinstance(value, (ast.Dict, ast.List)) and not ast.unparse(value)[1:-1]
        ):
            yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_modules_keep_no_state(path: Path) -> None:
    tree = ast.parse(path.read_text())
    found = [*writes(tree), *empty_containers(tree)]
    assert not found or named(path) in ALLOWED, f"{named(path)}: {found}"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nobody_asks_an_object_what_it_has(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [node.lineno for node in calls if ast.unparse(node.func) == "hasattr"]


@pytest.mark.parametrize(
    "text",
    [
        "memo = {}",
        "seen: list[str] = []",
        "from collections import defaultdict\ncounts = defaultdict(int)",
        "names = {'a': 1}\ndef add():\n    names['b'] = 2",
        "names = [1]\ndef add():\n    names.append(2)",
        "state = make()\ndef add():\n    state.value = 2",
        "count = 0\ndef add():\n    global count\n    count += 1",
    ],
)
def test_the_rule_sees_state(text: str) -> None:
    tree = ast.parse(text)
    assert [*writes(tree), *empty_containers(tree)]


def test_the_rule_lets_constants_be() -> None:
    tree = ast.parse("names = {'a': 1}\ndef find(key):\n    found = names[key]\n    return found")
    assert not [*writes(tree), *empty_containers(tree)]
