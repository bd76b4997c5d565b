"""How lines of a program are counted."""

from __future__ import annotations

import ast
import io
import json
import tokenize
from pathlib import Path

_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


def source_of(path: Path) -> str:
    """Return the code of a program, or of the code cells of a notebook."""
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def count_code_lines(source: str) -> int:
    """Count the lines that hold code: all but blank lines, comments and the module's docstring.

    Docstrings of signatures count: they are instructions.
    """
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    first = ast.parse(source).body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines -= set(range(first.lineno, (first.end_lineno or 0) + 1))
    written = source.splitlines()
    return sum(bool(written[number - 1].strip()) for number in lines)
