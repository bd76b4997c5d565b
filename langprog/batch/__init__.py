"""Batch: runs a program on a file of any size, each row once.

- ``engine``: :func:`run_batch`. ``failures``: what an error means for its row. ``watching``:
  progress, and when a run stops.
- ``sources``, ``formats``, ``inputs``: rows of JSONL, CSV, TSV and Parquet, and the inputs in
  them. ``blocks``, ``sorting``: the order in which rows are run.
- ``results``: the file to which results are appended. ``finishing``, ``tables``: the requested
  output file.
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
