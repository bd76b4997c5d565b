"""The key of a request: equal keys mean that the very same thing is asked in the same place."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from langprog.lm.parts import identity_of
from langprog.lm.types import LanguageModel, Request, Sampling

VERSION = 2


def request_key(model: LanguageModel, request: Request) -> str:
    """Return the SHA-256 over endpoint, model, settings and the full prompt.

    It is the key of what was asked, whatever of it the endpoint's dialect makes us leave out: two
    draws of one prompt stay two where the endpoint takes no seed.

    Args:
        model: Who is asked; its endpoint and name count, so two servers never share an answer.
        request: What is asked; its ledgers and headers do not count.
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
    # A schema's order counts: it is the order in which its fields are written.
    text = json.dumps(asked, separators=(",", ":"), ensure_ascii=True, default=dict)
    return hashlib.sha256(text.encode()).hexdigest()


def _settings(sampling: Sampling) -> list[Any]:
    extra = sampling.extra or {}
    # 0 and 0.0 ask for the same.
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
