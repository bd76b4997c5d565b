"""The source files that the rules look at, each read and parsed once."""

from __future__ import annotations

import ast
import gc
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("langprog", "optimizers", "programs", "benchmarks")


@dataclass(frozen=True)
class Source:
    """A Python file with its syntax tree."""

    name: str  # the path from the root of the repository
    text: str
    tree: ast.Module
    nodes: tuple[ast.AST, ...]  # all nodes of the tree, outer before inner


@cache
def _read(path: Path) -> Source:
    text = path.read_text()
    tree = ast.parse(text)
    return Source(path.relative_to(ROOT).as_posix(), text, tree, tuple(ast.walk(tree)))


@cache
def sources(*packages: str) -> tuple[Source, ...]:
    """Return the files of ``packages`` (of all, if none is named), sorted by path."""
    folders = [ROOT / package for package in packages or PACKAGES]
    gc.disable()  # half a million nodes that stay: looking through them again takes longest
    try:
        return tuple(_read(path) for folder in folders for path in sorted(folder.rglob("*.py")))
    finally:
        gc.freeze()
        gc.enable()
