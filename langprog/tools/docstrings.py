"""Google-style docstrings: what a function does, and what its arguments mean."""

from __future__ import annotations

import inspect
import re

_SECTION = re.compile(
    r"(?:Args|Arguments|Parameters|Attributes|Example|Examples|Keyword Args|Keyword Arguments|Note"
    r"|Notes|Raises|References|Returns|See Also|Todo|Warning|Warnings|Warns|Yields)::?[ \t]*"
)
_ARGUMENTS = ("Args:", "Arguments:", "Parameters:")
_ARGUMENT = re.compile(r"(\w+)[ \t]*(?:\([^)\n]*\))?[ \t]*:[ \t]*(.*)")


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """Return the description before the first section, and each argument's description.

    Args:
        text: The docstring, if there is one.
    """
    lines = inspect.cleandoc(text or "").splitlines()
    heads = [at for at, line in enumerate(lines) if _SECTION.fullmatch(line)]
    description = "\n".join(lines[: heads[0]] if heads else lines).strip()
    arguments: dict[str, str] = {}
    for number, head in enumerate(heads):
        if lines[head].strip() in _ARGUMENTS:
            end = heads[number + 1] if number + 1 < len(heads) else len(lines)
            arguments |= _read_arguments(lines[head + 1 : end])
    return description, arguments


def _read_arguments(lines: list[str]) -> dict[str, str]:
    depth = min((_indent(line) for line in lines if line.strip()), default=0)
    arguments: dict[str, str] = {}
    name = ""
    for line in lines:
        if not line.strip():
            continue
        entry = _ARGUMENT.fullmatch(line.strip()) if _indent(line) == depth else None
        if depth and entry is not None:
            name = entry[1]
            arguments[name] = entry[2].strip()
        elif name and _indent(line) > depth:  # the description goes on
            arguments[name] = f"{arguments[name]} {line.strip()}".strip()
        else:
            name = ""
    return arguments


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
