"""Splitting examples into train, validation and holdout.

- ``parts``: which examples belong together, and what is kept apart. ``division``: dividing them by
  label.
- ``lineage``: what earlier compiles of a program have used.
"""

from optimizers.split.lineage import CompileRows, Lineage
from optimizers.split.parts import Inputs, Split, split

__all__ = ["CompileRows", "Inputs", "Lineage", "Split", "split"]
