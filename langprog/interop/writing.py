"""Writing files of other tools: whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from langprog.errors import InputError


def write_file(target: Path, text: str) -> None:
    """Write a text file; an older one is replaced only when the new one is complete.

    Raises:
        InputError: It cannot be written.
    """
    target = Path(os.path.realpath(target))  # keep a symbolic link
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), target.stat().st_mode & 0o777 if target.exists() else 0o644)
            os.fsync(file.fileno())
        os.replace(name, target)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)
