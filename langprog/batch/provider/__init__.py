"""Batches at a provider: requests are uploaded as files and answered within a day, at a discount.

- ``options``: :class:`ProviderBatches`, the settings. ``state``: the file beside the output that
  survives a kill.
- ``carrying``: one batch from upload to replies. ``waves``: collects the requests of all rows and
  sends them together. ``models``: models whose calls wait for the next wave.
- ``cancelling``: gives up what is running.

A program is not run differently: each call of a model waits until the batch with its request has
been answered. So any program works, also one with control flow of its own: its next calls are in
the next wave.
"""

from langprog.batch.provider.cancelling import Cancelled, cancel_batches
from langprog.batch.provider.carrying import BatchStatus, OnStatus
from langprog.batch.provider.models import ProviderModels
from langprog.batch.provider.options import ProviderBatches
from langprog.batch.provider.state import BatchState, remove_state, state_path
from langprog.batch.provider.waves import Waves

__all__ = [
    "BatchState",
    "BatchStatus",
    "Cancelled",
    "OnStatus",
    "ProviderBatches",
    "ProviderModels",
    "Waves",
    "cancel_batches",
    "remove_state",
    "state_path",
]
