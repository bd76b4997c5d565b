"""A program as one Python file that needs nothing but Python.

- ``writing``: makes the file. ``plain_types``: the types that it knows.
- ``runtime``, ``replies``: the code in the file, which imports the standard library alone.
"""

from langprog.interop.standalone.writing import to_python, write_python

__all__ = ["to_python", "write_python"]
