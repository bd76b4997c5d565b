"""The embedded language model: a small transformer trained in this repository, run with numpy.

``world/`` generates its training tasks, ``training/`` trains it (with torch), and the files in
this folder answer requests. README.md says what it can and cannot do.
"""

from __future__ import annotations

from langprog.pocket.client import PocketLM
from langprog.pocket.models import SIZES, Size, find_size

__all__ = ["PocketLM", "SIZES", "Size", "find_size"]
