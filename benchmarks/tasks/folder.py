"""Where the public data are."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "LANGPROG_DATA"
DEFAULT = Path(__file__).parents[2] / ".." / "shared" / "data"


def data_folder() -> Path | None:
    """Return the folder of the public data sets, or ``None`` if it does not exist.

    It is named by the environment variable ``LANGPROG_DATA``; the default is beside the
    repository.
    """
    folder = Path(os.environ.get(VARIABLE, DEFAULT)).resolve()
    return folder if (folder / "tasks").is_dir() else None


def explain_missing_data() -> str:
    """Return a message for when the data are missing."""
    return (
        f"skipped: the public data sets are not here; set {VARIABLE} to a folder that holds "
        "tasks/clinc150/data_small.json and tasks/banking77/{train,test}.csv"
    )
