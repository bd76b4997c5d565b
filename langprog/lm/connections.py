"""How many connections a client may hold open: as many as the process has files for."""

from __future__ import annotations

import importlib
import warnings

from langprog.errors import LangprogWarning


def open_files() -> int | None:
    """Return how many files and sockets this process may have open; ``None`` for no bound."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # Windows, where sockets are not counted
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else int(soft)


class ConnectionBound:
    """Keeps a client from opening more sockets than its process may, and says so where that bites.

    A request that finds no connection free waits for one. Without a bound it would fail, and so
    would whatever else the process opens.

    Args:
        name: The model's name.
        given: Connections at most, as the user says; ``None`` for three quarters of the files
            that the process may open, 0 for no bound.
    """

    def __init__(self, name: str, given: int | None = None) -> None:
        self._name = name
        self._files = open_files() if given is None else None
        derived = 0 if self._files is None else max(1, self._files * 3 // 4)
        self.most = derived if given is None else given
        self._under_way = 0
        self._told = self._files is None

    def __enter__(self) -> None:
        self._under_way += 1
        if self._under_way > self.most and not self._told:
            self._told = True
            warnings.warn(
                f"{self._name}: more than {self.most} requests are under way, and this process "
                f"may open {self._files} files: the others wait for a connection (raise the "
                "limit with ulimit -n, or lower width= or concurrency=)",
                LangprogWarning,
                stacklevel=2,
            )

    def __exit__(self, *error: object) -> None:
        self._under_way -= 1
