"""``langprog cache clear``: empty the completion cache."""

from __future__ import annotations

from langprog.cli.terminal import Terminal
from langprog.lm import DiskCache
from langprog.runtime import cache_folder


def clear() -> None:
    """Remove every cached completion of this user.

    The folder is LANGPROG_CACHE or the default one; other files are left alone.
    """
    cache = DiskCache(cache_folder())
    cleared = cache.clear()
    cache.close()
    if cleared is None:
        Terminal().say(f"there is no cache in {cache.folder}: nothing to remove")
        return
    Terminal().say(
        f"removed {cleared.entries:,} entries ({cleared.size:,} bytes) of {cache.folder}"
    )
