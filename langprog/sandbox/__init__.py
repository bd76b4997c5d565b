"""Runs Python code that nobody has read, in a process that can reach nothing.

- ``sandbox.py``: what a user calls: a Sandbox with its limits, and the Code loaded into it.
- ``launch.py``: the process under bubblewrap. ``seccomp.py``: the system calls that it lacks.
- ``worker.py``: the program inside.
"""

from __future__ import annotations

from langprog.sandbox.sandbox import Code, Sandbox

__all__ = ["Code", "Sandbox"]
