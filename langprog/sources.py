"""The source of classes, which Python finds by parsing their whole file each time."""

from __future__ import annotations

import inspect
import linecache
from functools import lru_cache
from typing import Any


def source_of(thing: Any) -> str:
    """Return the source of a class or function, as ``inspect.getsource`` does.

    Raises:
        OSError: There is none.
        TypeError: It is written in no file.
    """
    file = inspect.getsourcefile(thing) if isinstance(thing, type) else None
    if file is None:
        return inspect.getsource(thing)
    linecache.checkcache(file)
    return _find_class(thing, "".join(linecache.getlines(file)))


@lru_cache(maxsize=256)
def _find_class(cls: type, file: str) -> str:
    """Find the source of a class anew where the text of its file is another one than before."""
    return inspect.getsource(cls)
