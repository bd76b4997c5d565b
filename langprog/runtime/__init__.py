"""The context of a call: ambient settings, models by name, running async code synchronously.

- ``settings``: :func:`configure`, :func:`using`, :func:`current`; the one ambient state.
- ``overlay``: its part for one thread or task.
- ``draws``: seeds that distinguish several samples of one prompt.
- ``models``: :func:`LM` builds a model and its wrappers from a name; ``addresses``: server URLs;
  ``providers``: endpoints known by name; ``lookup``: which models plain names refer to, and which
  endpoints those may use.
- ``adapting``: which adapter a call uses, and what ``auto`` means.
- ``outages``: exceptions that mean that a service was not there.
- ``observing``: telling callbacks about calls.
- ``calls``: :func:`ask`, the one place where a program calls a model.
- ``rounds``: concurrent work with results in a fixed order.
- ``sync``: the only way from synchronous code into the asynchronous core; ``loops``: event loops
  in threads of their own.
- ``threads``: carries the context into threads that a program's own code starts.
"""

from langprog.runtime.adapting import (
    adapter_for,
    may_call_tools,
    refuses_tools,
    resolve_adapter,
)
from langprog.runtime.addresses import may_hold_address, portable_address
from langprog.runtime.calls import ask
from langprog.runtime.loops import wait_on
from langprog.runtime.models import LM, cache_folder, keeps_to_schemas
from langprog.runtime.observing import callbacks, observe_call, tell
from langprog.runtime.outages import is_outage
from langprog.runtime.overlay import Settings, overlay, use_settings
from langprog.runtime.providers import Provider, provider_named
from langprog.runtime.rounds import gather_in_order, stream_in_order
from langprog.runtime.settings import (
    LOG_VARIABLE,
    assume_schemas,
    configure,
    current,
    give_notice,
    mark_element,
    model_in_force,
    model_named,
    request_logprobs,
    reserve_together,
    sample_draw,
    using,
    watch_calls,
)
from langprog.runtime.sync import (
    SyncRuns,
    call_in_own_thread,
    call_in_worker,
    run_at_home,
    run_beside,
    run_sync,
)
from langprog.runtime.threads import ThreadContext

__all__ = [
    "LM",
    "LOG_VARIABLE",
    "Provider",
    "Settings",
    "SyncRuns",
    "ThreadContext",
    "adapter_for",
    "ask",
    "assume_schemas",
    "cache_folder",
    "call_in_own_thread",
    "call_in_worker",
    "callbacks",
    "configure",
    "current",
    "gather_in_order",
    "give_notice",
    "is_outage",
    "keeps_to_schemas",
    "mark_element",
    "may_call_tools",
    "may_hold_address",
    "model_in_force",
    "model_named",
    "observe_call",
    "overlay",
    "portable_address",
    "provider_named",
    "refuses_tools",
    "request_logprobs",
    "reserve_together",
    "resolve_adapter",
    "run_at_home",
    "run_beside",
    "run_sync",
    "sample_draw",
    "stream_in_order",
    "tell",
    "use_settings",
    "using",
    "wait_on",
    "watch_calls",
]
