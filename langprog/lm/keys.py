"""The key of a request: equal keys mean that the very same thing is asked in the same place."""

from __future__ import annotations

import hashlib
import json

from langprog.lm.types import LanguageModel, Request


def request_key(model: LanguageModel, request: Request) -> str:
    """Return the SHA-256 over endpoint, model, settings and the full prompt.

    Args:
        model: Who is asked; its endpoint and name count, so two servers never share an answer.
        request: What is asked; its ledgers do not count.
    """
    sampling = request.sampling.over(model.defaults)
    asked = [
        model.endpoint,
        model.name,
        [sampling.temperature, sampling.max_tokens, sampling.top_p, sampling.stop, sampling.seed],
        request.n,
        request.response_schema,
        request.logprobs,
        [[message.role, message.content] for message in request.messages],
    ]
    # A schema's order counts: it is the order in which its fields are written.
    text = json.dumps(asked, separators=(",", ":"), ensure_ascii=True, default=dict)
    return hashlib.sha256(text.encode()).hexdigest()
