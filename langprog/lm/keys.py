"""Cache keys: equal keys mean the same request to the same endpoint."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from langprog.lm.parts import identity_of
from langprog.lm.sampling import Sampling
from langprog.lm.types import LanguageModel, Request

VERSION = 2


def request_key(model: LanguageModel, request: Request) -> str:
    """Return the SHA-256 over endpoint, model, settings and the full prompt.

    The key is that of the original request, whatever the endpoint's dialect drops from it: two
    samples of one prompt have two keys even if the endpoint ignores seeds.

    Args:
        model: The model; its endpoint and name count, so two servers never share an answer.
        request: The request; its ledgers and headers do not count.
    """
    asked = [
        VERSION,
        model.endpoint,
        model.name,
        _settings(request.resolve(model.defaults)),
        request.n,
        request.response_schema,
        request.logprobs,
        [[tool.name, tool.description, tool.parameters] for tool in request.tools],
        request.tool_choice,
        [[message.role, identity_of(message.content)] for message in request.messages],
    ]
    # The order of a schema counts: it is the order in which fields are generated.
    text = json.dumps(asked, separators=(",", ":"), ensure_ascii=True, default=dict)
    return hashlib.sha256(text.encode()).hexdigest()


def _settings(sampling: Sampling) -> list[Any]:
    extra = sampling.extra or {}
    # 0 and 0.0 are the same setting.
    temperature, top_p = (
        None if value is None else float(value) for value in (sampling.temperature, sampling.top_p)
    )
    return [
        temperature,
        sampling.max_tokens,
        top_p,
        sampling.stop,
        sampling.seed,
        sampling.reasoning_effort,
        [[name, extra[name]] for name in sorted(extra)],
    ]
