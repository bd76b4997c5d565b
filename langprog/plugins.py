"""Loading what installed packages provide through entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

from langprog.errors import LangprogError

# What a package's code may raise when it is imported or first used.
_FAILURES = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def load_plugin(
    point: EntryPoint,
    kind: str,
    error: type[LangprogError],
    make: Callable[[Any], Any] | None = None,
) -> Any:
    """Import the object behind an entry point.

    Args:
        point: The entry point.
        kind: What it provides, for the error message: ``the adapter``.
        error: The type of error to raise if loading fails.
        make: Builds the result from the imported object; its failures count as import failures.
    """
    try:
        loaded = point.load()
        return loaded if make is None else make(loaded)
    except _FAILURES as failure:
        raise error(
            f"{kind} {point.name!r} ({point.value}) cannot be loaded "
            f"({type(failure).__name__}: {failure}): reinstall that package, or uninstall it"
        ) from None
