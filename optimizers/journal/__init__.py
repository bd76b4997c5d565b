"""The journal of a compile, which makes it resume."""

from optimizers.journal.journal import FILE, FORMAT, Earlier, Journal

__all__ = ["Earlier", "FILE", "FORMAT", "Journal"]
