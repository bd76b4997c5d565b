"""Language models: one contract, clients that reach endpoints, wrappers that add one idea each.

- ``types``: Request, Completion and the one method between them.
- clients: ``openai_compatible``, ``litellm_client``, ``scripted``.
- wrappers, from the outside in: ``recording``, ``cache``, ``retry``, ``throttle``, ``budget``,
  ``pricing``. They stack because each one is a language model itself.
- ``keys``, ``codec``: a request's identity, and completions as plain JSON.
- ``model_ref``: a model as a program holds it, bound to the object that was handed over.
"""

from langprog.lm.budget import Budget, Budgeted, Ledger, Reservation, Spend
from langprog.lm.cache import Cache, Cached, DiskCache, MemoryCache
from langprog.lm.codec import completion_from_json, completion_to_json
from langprog.lm.keys import request_key
from langprog.lm.litellm_client import LiteLLM
from langprog.lm.model_ref import (
    IN_PROCESS,
    ModelRef,
    checked_lm,
    model_from,
    model_name,
    public_address,
    same_model,
)
from langprog.lm.openai_compatible import OpenAICompatible
from langprog.lm.pricing import Price, Priced, price_in, price_of
from langprog.lm.recording import CallMemo, Recorded
from langprog.lm.retry import Retry
from langprog.lm.scripted import ScriptedLM
from langprog.lm.server import Server
from langprog.lm.throttle import Throttle
from langprog.lm.types import Completion, LanguageModel, Message, Request, Sampling, Usage
from langprog.lm.wrapper import Wrapper

__all__ = [
    "Budget",
    "Budgeted",
    "Cache",
    "Cached",
    "CallMemo",
    "Completion",
    "DiskCache",
    "IN_PROCESS",
    "LanguageModel",
    "Ledger",
    "LiteLLM",
    "MemoryCache",
    "Message",
    "ModelRef",
    "OpenAICompatible",
    "Price",
    "Priced",
    "Recorded",
    "Request",
    "Reservation",
    "Retry",
    "Sampling",
    "ScriptedLM",
    "Server",
    "Spend",
    "Throttle",
    "Usage",
    "Wrapper",
    "checked_lm",
    "completion_from_json",
    "completion_to_json",
    "model_from",
    "model_name",
    "price_in",
    "price_of",
    "public_address",
    "request_key",
    "same_model",
]
