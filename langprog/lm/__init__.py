"""Language models: one contract, clients for endpoints, wrappers that add one feature each.

- ``types``: Request, Completion and the LanguageModel protocol; ``parts``: message content other
  than text; ``streaming``: completions in pieces; ``finish``: why a completion ended.
- clients: ``openai_compatible``, ``litellm_client``, ``scripted``. ``openai_batches``: the files
  and batches of an OpenAI-compatible API.
- wrappers, outermost first: ``recording``, ``cache``, ``retry``, ``dialect`` (``dialect_together``
  for batches), ``throttle``, ``budgeted``, ``pricing``. They stack because each one is itself a
  language model.
- ``capabilities``: what a model is known to support.
- ``budget``, ``hold``: caps, and ledgers of spending. ``price``, ``price_list``: what tokens cost.
  ``server``: serves models over HTTP.
- ``secrecy``, ``redaction``: keeping keys and tokens out of what is stored or shown.
  ``admission``: the limits of a server.
- ``keys``, ``codec``: a request's identity, and completions as plain JSON.
- ``elsewhere``: what other libraries call the arguments of models and budgets.
- ``model_ref``: how a program refers to a model.

The README in this folder shows how to call a model directly and how to write one.
"""

from langprog.lm.admission import Admission, ServerBusy
from langprog.lm.budget import Budget, Ledger, Reservation, check_budget
from langprog.lm.budgeted import Budgeted, keep_budgets, largest_cost
from langprog.lm.cache import Cache, Cached, Cleared, DiskCache, MemoryCache, without_cache
from langprog.lm.capabilities import Capabilities, Declared, capabilities_of
from langprog.lm.chat_body import read_request
from langprog.lm.chat_messages import BadBody
from langprog.lm.codec import completion_from_json, completion_to_json
from langprog.lm.cost import Cost
from langprog.lm.dialect import Negotiated, dialect_of
from langprog.lm.dialect_together import NegotiatedTogether
from langprog.lm.finish import FinishReason, finish_reason_of
from langprog.lm.hold import Hold
from langprog.lm.http_body import read_whole
from langprog.lm.keys import request_key
from langprog.lm.litellm_client import LiteLLM, check_provider
from langprog.lm.model_ref import (
    IN_PROCESS,
    ModelRef,
    check_lm,
    model_from,
    model_name,
    same_model,
)
from langprog.lm.openai_batches import (
    BatchAPI,
    BatchReply,
    ProviderBatch,
    is_missing,
    read_reply,
    request_line,
)
from langprog.lm.openai_body import body_of
from langprog.lm.openai_compatible import OpenAICompatible
from langprog.lm.parts import (
    Audio,
    Content,
    File,
    Image,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from langprog.lm.price import Price
from langprog.lm.price_list import price_of, price_source
from langprog.lm.pricing import Priced, price_in
from langprog.lm.recording import CallMemo, Recorded, RecordedEach
from langprog.lm.redaction import looks_secret, redact
from langprog.lm.refusals import Setting
from langprog.lm.retry import Retry
from langprog.lm.sampling import OWN_MEMBERS, Sampling
from langprog.lm.scripted import ScriptedLM
from langprog.lm.secrecy import public_address
from langprog.lm.server import Server
from langprog.lm.streaming import (
    Completed,
    Delta,
    ReasoningDelta,
    Restarted,
    TextDelta,
    ToolCallDelta,
    replay_completion,
    stream_completion,
)
from langprog.lm.throttle import Throttle
from langprog.lm.types import (
    FROM_CACHE,
    Completion,
    LanguageModel,
    Message,
    Request,
    ToolSpec,
    Usage,
    WithoutTools,
)
from langprog.lm.wrapper import Wrapper, layers_of

__all__ = [
    "Admission",
    "Audio",
    "BadBody",
    "BatchAPI",
    "BatchReply",
    "Budget",
    "Budgeted",
    "Cache",
    "Cached",
    "CallMemo",
    "Capabilities",
    "Cleared",
    "Completed",
    "Completion",
    "Content",
    "Cost",
    "Declared",
    "Delta",
    "DiskCache",
    "FROM_CACHE",
    "File",
    "FinishReason",
    "Hold",
    "IN_PROCESS",
    "Image",
    "LanguageModel",
    "Ledger",
    "LiteLLM",
    "MemoryCache",
    "Message",
    "ModelRef",
    "Negotiated",
    "NegotiatedTogether",
    "OWN_MEMBERS",
    "OpenAICompatible",
    "Part",
    "Price",
    "Priced",
    "ProviderBatch",
    "Reasoning",
    "ReasoningDelta",
    "Recorded",
    "RecordedEach",
    "Request",
    "Reservation",
    "Restarted",
    "Retry",
    "Sampling",
    "ScriptedLM",
    "Server",
    "ServerBusy",
    "Setting",
    "Text",
    "TextDelta",
    "Throttle",
    "ToolCall",
    "ToolCallDelta",
    "ToolResult",
    "ToolSpec",
    "Usage",
    "WithoutTools",
    "Wrapper",
    "body_of",
    "capabilities_of",
    "check_budget",
    "check_lm",
    "check_provider",
    "completion_from_json",
    "completion_to_json",
    "dialect_of",
    "finish_reason_of",
    "is_missing",
    "keep_budgets",
    "largest_cost",
    "layers_of",
    "looks_secret",
    "model_from",
    "model_name",
    "price_in",
    "price_of",
    "price_source",
    "public_address",
    "read_reply",
    "read_request",
    "read_whole",
    "redact",
    "replay_completion",
    "request_key",
    "request_line",
    "same_model",
    "stream_completion",
    "without_cache",
]
