"""What surrounds a call: the ambient settings, the models by name, the synchronous door.

- ``settings``: :func:`configure`, :func:`using`, :func:`current`; the one ambient state.
- ``models``: :func:`LM` builds a model, with its wrappers, from its name.
- ``calls``: :func:`ask`, the one place where a program's prompt meets a model.
- ``sync``: the only way from synchronous code into the asynchronous core.
"""

from langprog.runtime.calls import ask
from langprog.runtime.models import LM
from langprog.runtime.settings import (
    Settings,
    configure,
    current,
    model_named,
    remember,
    using,
)
from langprog.runtime.sync import call_in_worker, run_sync

__all__ = [
    "LM",
    "Settings",
    "ask",
    "call_in_worker",
    "configure",
    "current",
    "model_named",
    "remember",
    "run_sync",
    "using",
]
