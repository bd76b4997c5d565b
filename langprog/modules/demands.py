"""How often the code of a module may have an answer asked for again, by reading it."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from langprog.checks import REASKS
from langprog.modules.requiring import require, suggest
from langprog.sources import source_of

_DEMANDS = (require, suggest)


def most_reasks(cls: type) -> int:
    """Return how often ``lp.require`` and ``lp.suggest`` may ask again in one run of a class.

    Each of them counts with its ``reasks``, once, also inside a loop. Code whose source is not
    available counts as code without them.

    Args:
        cls: A user's own class of modules.
    """
    return sum(_reasks(call) for call in _demands(cls))


def _demands(cls: type) -> Iterator[ast.Call]:
    for base in cls.__mro__:
        if base is object or base.__module__.partition(".")[0] == "langprog":
            continue
        try:
            calls = _calls(source_of(base))
        except (OSError, TypeError, SyntaxError):  # written in a console, say
            continue
        known = vars(sys.modules.get(base.__module__, object))
        for call in calls:
            called = _called(call.func, known)
            if any(called is demand for demand in _DEMANDS):
                yield call


@lru_cache(maxsize=256)  # a compile asks for every candidate
def _calls(source: str) -> tuple[ast.Call, ...]:
    tree = ast.parse(textwrap.dedent(source))
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called(written: ast.expr, known: Mapping[str, Any]) -> Any:
    """Return what a name means in the module around, or ``name.attribute`` there."""
    if isinstance(written, ast.Name):
        return known.get(written.id)
    if isinstance(written, ast.Attribute) and isinstance(written.value, ast.Name):
        owner = known.get(written.value.id)
        return getattr(owner, written.attr, None) if inspect.ismodule(owner) else None
    return None


def _reasks(call: ast.Call) -> int:
    for keyword in call.keywords:
        if keyword.arg == "reasks":
            given = keyword.value
            told = given.value if isinstance(given, ast.Constant) else None
            return told if type(told) is int else REASKS
    return REASKS
