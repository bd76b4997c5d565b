"""The table of the examples says what there is, and each program stays short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.examples.counting import count_code_lines, source_of
from tests.examples.running import EXAMPLES

MOST_LINES = 40
ROW = re.compile(r"^\| \[(\w+)\]\((\w+\.\w+)\) \| [^|]+ \| (\d+) \| (\d+) \|$", re.MULTILINE)
TABLE = {
    file: (int(ours), int(theirs))
    for _, file, ours, theirs in ROW.findall((EXAMPLES / "README.md").read_text())
}


def programs(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix in (".py", ".ipynb")}


def test_the_table_lists_every_program() -> None:
    assert programs(EXAMPLES) == programs(EXAMPLES / "dspy") == TABLE.keys()


@pytest.mark.parametrize("name", TABLE)
def test_a_program_is_short_and_as_long_as_the_table_says(name: str) -> None:
    ours, theirs = (
        count_code_lines(source_of(folder / name)) for folder in (EXAMPLES, EXAMPLES / "dspy")
    )
    assert TABLE[name] == (ours, theirs)
    assert ours < MOST_LINES


def test_lines_of_code_are_counted() -> None:
    source = '"""What it is.\n\nMore.\n"""\n\nimport re\n\n# why\nTEXT = """a\n\nb"""\n\n\n'
    source += 'def f(\n    a,\n):\n    """Do it."""\n    return a  # so\n'
    assert count_code_lines(source) == 1 + 2 + 5
