"""The embedded language model: a small transformer trained by this repository, run with numpy.

``world/`` makes the tasks it is trained on, ``training/`` trains it (with torch), and the files
beside this one answer requests. See README.md for what it can and cannot do.
"""

from __future__ import annotations

from langprog.pocket.client import PocketLM
from langprog.pocket.models import SIZES, Size, find_size

__all__ = ["PocketLM", "SIZES", "Size", "find_size"]
