"""No module keeps state: nothing at module level is written to once the module is there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.house.sources import sources

WRITING = {
    *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"),
    *("update", "setdefault", "popitem", "add", "discard"),
}
EMPTY_CONTAINERS = {"dict", "list", "set", "defaultdict", "deque", "Counter", "OrderedDict"}
# The ambient settings of the process, and its one background loop.
ALLOWED = {"langprog/runtime/settings.py", "langprog/runtime/sync.py"}


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


def test_modules_keep_no_state() -> None:
    found = [
        f"{source.name}:{line}: {what}"
        for source in sources()
        if source.name not in ALLOWED
        for line, what in [*writes(source.tree), *empty_containers(source.tree)]
    ]
    assert not found


def test_nobody_asks_an_object_what_it_has() -> None:
    found = [
        f"{source.name}:{node.lineno}"
        for source in sources()
        for node in source.nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr"
    ]
    assert not found


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
