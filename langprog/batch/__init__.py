"""Batch: runs a program on a file of any size, each row once.

- ``engine``: :func:`run_batch`. ``task``: what it is to do. ``failures``: what an error means for
  its row. ``watching``: progress, and when a run stops. ``rows``: one row.
- ``sources``, ``formats``, ``inputs``: rows of JSONL, CSV, TSV and Parquet, and the inputs in
  them. ``blocks``, ``sorting``: the order in which rows are run.
- ``results``: the file to which results are appended. ``finishing``, ``tables``: the requested
  output file.
- ``provider``: requests as batches of the provider, at a discount.
"""

from langprog.batch.engine import run_batch
from langprog.batch.inputs import ProgramInputs
from langprog.batch.provider import BatchStatus, Cancelled, ProviderBatches, cancel_batches
from langprog.batch.task import Batch, BatchDone, Order, check_order
from langprog.batch.watching import BatchProgress

__all__ = [
    "Batch",
    "BatchDone",
    "BatchProgress",
    "BatchStatus",
    "Cancelled",
    "Order",
    "ProgramInputs",
    "ProviderBatches",
    "cancel_batches",
    "check_order",
    "run_batch",
]
