"""What installed packages bring by entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

from langprog.errors import LangprogError

# What a package's own code may raise when it is imported or used for the first time.
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
    """Import what an entry point names.

    Args:
        point: The entry point.
        kind: What it brings, for the error: ``the adapter``.
        error: Raised where that fails.
        make: Makes the result of what was imported; its failures count as those of the import.
    """
    try:
        loaded = point.load()
        return loaded if make is None else make(loaded)
    except _FAILURES as failure:
        raise error(
            f"{kind} {point.name!r} ({point.value}) cannot be loaded "
            f"({type(failure).__name__}: {failure}): install that package anew, or uninstall it"
        ) from None
