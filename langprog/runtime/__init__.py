"""What surrounds a call: the ambient settings, the models by name, the synchronous door.

- ``settings``: :func:`configure`, :func:`using`, :func:`current`; the one ambient state.
- ``draws``: what tells several samples of one prompt apart.
- ``models``: :func:`LM` builds a model, with its wrappers, from its name; ``addresses``: where
  servers are; ``lookup``: which models names alone stand for, and where those may go.
- ``calls``: :func:`ask`, the one place where a program's prompt meets a model.
- ``rounds``: concurrent work whose results come back in a fixed order.
- ``sync``: the only way from synchronous code into the asynchronous core.
"""

from langprog.runtime.addresses import may_hold_address, portable_address
from langprog.runtime.calls import ask
from langprog.runtime.models import LM, cache_folder
from langprog.runtime.rounds import in_order
from langprog.runtime.settings import (
    Settings,
    asking_logprobs,
    configure,
    current,
    drawing,
    give_notice,
    model_in_force,
    model_named,
    using,
)
from langprog.runtime.sync import call_in_worker, run_sync

__all__ = [
    "LM",
    "Settings",
    "ask",
    "asking_logprobs",
    "cache_folder",
    "call_in_worker",
    "configure",
    "current",
    "drawing",
    "give_notice",
    "in_order",
    "may_hold_address",
    "model_in_force",
    "model_named",
    "portable_address",
    "run_sync",
    "using",
]
