"""Batch: a program over a file of any size, every row once.

- ``engine``: :func:`run_batch`. ``failures``: what an error makes of a row. ``watching``: when a
  run stops, and how far it is.
- ``sources``, ``formats``, ``inputs``: rows of JSONL, CSV, TSV and Parquet, and what a program
  takes of them. ``blocks``, ``sorting``: the order in which they are asked.
- ``results``: the file that is appended to. ``finishing``, ``tables``: the file that was asked
  for.
"""

from langprog.batch.engine import Batch, BatchDone, Order, check_order, run_batch
from langprog.batch.inputs import ProgramInputs
from langprog.batch.watching import BatchProgress

__all__ = [
    "Batch",
    "BatchDone",
    "BatchProgress",
    "Order",
    "ProgramInputs",
    "check_order",
    "run_batch",
]
