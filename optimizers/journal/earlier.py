"""The calls of another compile's journal, which a later one may be answered from."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from langprog.errors import InputError
from langprog.lm import FROM_CACHE, Completion, completion_from_json
from optimizers.journal.file import decode_line
from optimizers.journal.journal import FILE


class EarlierCalls:
    """A memo for ``langprog.lm.Recorded`` that only reads.

    Its completions count as cached: they were paid for then, and say nothing about what a call
    costs or how long it takes now.

    Args:
        run_dir: The folder of the journal.

    Raises:
        InputError: There is no journal.
    """

    def __init__(self, run_dir: str | os.PathLike[str]) -> None:
        path = Path(run_dir) / FILE
        self._calls: dict[str, Completion] = {}
        try:
            with open(path, "rb") as lines:
                for line in lines:
                    self._read(line)
        except OSError as error:
            raise InputError(
                f"journal {str(path)!r} cannot be read: {error.strerror}; name the run_dir of the "
                "compile that made the artifact"
            ) from error

    def _read(self, line: bytes) -> None:
        record = decode_line(line)
        if record is None or record.get("kind") != "call":
            return
        try:
            completion = completion_from_json(record["completion"])
            self._calls[str(record["key"])] = replace(
                completion, cached=True, timed_in=FROM_CACHE, priced_in=FROM_CACHE
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return  # a damaged line loses only its own content

    def __len__(self) -> int:
        return len(self._calls)

    def get(self, key: str) -> Completion | None:
        """Return the completion of a request, if the compile made it."""
        return self._calls.get(key)

    def put(self, key: str, completion: Completion) -> None:
        """Keep nothing: the journal belongs to the other compile."""
