"""How many connections a client may open: bounded by the process's open-file limit."""

from __future__ import annotations

import importlib
import warnings

from langprog.errors import LangprogWarning


def open_files() -> int | None:
    """Return how many files and sockets this process may open; ``None`` if unlimited."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # Windows, where sockets do not count
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else int(soft)


class ConnectionBound:
    """Keeps a client from opening more sockets than its process may, with one warning.

    A request waits if no connection is free. Without a bound it would fail, and so would anything
    else that the process opens.

    Args:
        name: The model's name.
        given: The user's limit on connections; ``None`` for three quarters of the process's
            open-file limit, 0 for no limit.
    """

    def __init__(self, name: str, given: int | None = None) -> None:
        self._name = name
        self._files = open_files() if given is None else None
        derived = 0 if self._files is None else max(1, self._files * 3 // 4)
        self.most = derived if given is None else given
        self._under_way = 0
        self._warned = self._files is None

    def __enter__(self) -> None:
        self._under_way += 1
        if self._under_way > self.most and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self._name}: more than {self.most} requests are in flight, and this process "
                f"may open {self._files} files: the others wait for a connection (raise the limit "
                "with ulimit -n, or lower width= or concurrency=)",
                LangprogWarning,
                stacklevel=2,
            )

    def __exit__(self, *error: object) -> None:
        self._under_way -= 1
