"""Nobody outside ``langprog.modules`` asks which kind of module something is: modules say it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import pytest

import langprog.modules as room
from langprog.modules import Module, module_type
from langprog.modules.registry import kinds
from tests.house.sources import sources

KINDS = {
    name
    for name in room.__all__
    if isinstance(getattr(room, name), type)
    and issubclass(getattr(room, name), Module)
    and name != "Module"
}


def asking(nodes: Iterable[ast.AST]) -> Iterator[int]:
    """Lines that tell a module's kind from its class."""
    for node in nodes:
        asked: list[ast.expr] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            asked = node.args[1:]
        elif isinstance(node, ast.Compare) and "type(" in ast.unparse(node):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchClass):
            asked = [node.cls]
        names = {
            name.id if isinstance(name, ast.Name) else name.attr
            for item in asked
            for name in ast.walk(item)
            if isinstance(name, (ast.Name, ast.Attribute))
        }
        if names & KINDS:
            yield getattr(node, "lineno", 0)


def test_modules_are_asked_and_not_told_apart() -> None:
    found = [
        f"{source.name}:{line}: give Module a method or property that says it"
        for source in sources()
        if not source.name.startswith("langprog/modules/")
        for line in asking(source.nodes)
    ]
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "isinstance(program, Vote)",
        "isinstance(program, (lp.Cascade, lp.Route))",
        "type(program) is Predict",
        "type(a) in (Predict, int)",
        "issubclass(cls, Pipeline)",
        "match program:\n    case BestOf():\n        pass",
    ],
)
def test_the_rule_sees_who_asks(text: str) -> None:
    assert list(asking(ast.walk(ast.parse(text))))


def test_the_rule_lets_the_base_class_be() -> None:
    tree = ast.parse("isinstance(program, Module)\nprogram.modules_of(Vote)")
    assert not list(asking(ast.walk(tree)))


def test_every_kind_is_a_public_name_with_a_node_and_costs_of_its_own() -> None:
    assert kinds()[: len(KINDS)] == sorted(KINDS)
    for kind in KINDS:
        cls = module_type(kind)
        assert cls is getattr(room, kind)
        assert {"node", "to_node", "from_node"} <= vars(cls).keys()
