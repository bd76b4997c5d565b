"""Ready-made language programs, one file each (a package where a program has files of its own).

Each file defines ``program`` (a Module), ``metric`` and ``examples()``, data written or generated
for it: what ``langprog compile programs.NAME:program`` takes where ``--train`` and ``--metric``
are left out. What a file needs beyond a plain installation it lists in ``NEEDS``: the names of
extras (``"retrieval"``) or a sentence. Its docstring begins with one line for
``langprog programs`` and says what it follows and how it differs.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

NEEDS = "NEEDS"


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """What there is to say about a program before it is imported.

    Args:
        name: Its name: ``programs.NAME:program`` on the command line.
        summary: What it is for, in a line.
        needs: What has to be installed for it.
    """

    name: str
    summary: str
    needs: tuple[str, ...] = ()


def list_programs() -> tuple[ProgramInfo, ...]:
    """Return the programs of this package, sorted by name; none is imported."""
    here = Path(__file__).parent
    files = {path.stem: path for path in here.glob("*.py") if not path.stem.startswith("_")}
    files |= {path.parent.name: path for path in here.glob("*/__init__.py")}
    return tuple(_describe(name, files[name]) for name in sorted(files))


def _describe(name: str, path: Path) -> ProgramInfo:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    summary = (ast.get_docstring(tree) or "").partition("\n")[0]
    return ProgramInfo(name, summary, _needs(tree))


def _needs(tree: ast.Module) -> tuple[str, ...]:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else ()
        if any(isinstance(target, ast.Name) and target.id == NEEDS for target in targets):
            return tuple(ast.literal_eval(node.value))  # type: ignore[attr-defined]  # an Assign
    return ()
