"""Where the public data lie."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "LANGPROG_DATA"
DEFAULT = Path(__file__).parents[2] / ".." / "shared" / "data"


def data_folder() -> Path | None:
    """Return the folder of the public data sets, or ``None`` where there is none.

    It is named by the environment variable ``LANGPROG_DATA``; by default it lies beside the
    repository.
    """
    folder = Path(os.environ.get(VARIABLE, DEFAULT)).resolve()
    return folder if (folder / "tasks").is_dir() else None


def missing() -> str:
    """Return what to say where the data are absent."""
    return (
        f"skipped: the public data sets are not here; set {VARIABLE} to a folder that holds "
        "tasks/clinc150/data_small.json and tasks/banking77/{train,test}.csv"
    )
