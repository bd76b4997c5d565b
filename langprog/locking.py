"""Locks on files, between processes."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def lock_file(fd: int, *, wait: bool = True) -> bool:
    """Lock an open file; the system unlocks it when it is closed, however the process ends.

    Args:
        fd: The file.
        wait: Whether to wait for another process that has it locked.

    Returns:
        Whether it is locked now.
    """
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
