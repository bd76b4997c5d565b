"""The table of strategies names files that are there, and every ready-made program."""

from __future__ import annotations

import re
from pathlib import Path

from programs import list_programs

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs" / "strategies.md").read_text()
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and "---" not in line]


def test_every_file_and_every_figure_is_there() -> None:
    files = [name for name in re.findall(r"`([\w/.]+)`", TABLE) if "/" in name]
    links = re.findall(r"\]\(\.\./([\w/.]+)\)", TABLE)
    assert len(files) > 50 and len(links) > 15
    absent = [name for name in (*files, *links) if not (ROOT / name).exists()]
    assert not [name for name in absent if "NAME" not in name]


def test_every_row_has_its_five_cells_and_a_file() -> None:
    assert len(ROWS) > 40
    for row in ROWS:
        cells = [cell.strip() for cell in row.replace("\\|", "").strip("|").split("|")]
        assert len(cells) == 5, row
        if cells[0] != "Strategy":
            assert cells[1] and ("`" in cells[2] or cells[2] == "not here" and cells[4]), row


def test_every_program_that_follows_a_paper_is_in_a_row() -> None:
    # classify, extract, summarize and tickets follow the field's practice rather than a strategy.
    plain = {"classify", "extract", "summarize", "tickets"}
    for info in list_programs():
        if info.name not in plain:
            assert f"`programs/{info.name}.py`" in TABLE, info.name
