"""The steps of a run, for a client that may see them."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_jsonable_python

from langprog.modules import Prediction


def describe_trace(prediction: Prediction) -> list[dict[str, Any]]:
    """Return what each predictor was given and returned; neither prompts nor endpoints."""
    return [
        {
            "path": step.path,
            "inputs": to_jsonable_python(dict(step.inputs), fallback=repr),
            "outputs": to_jsonable_python(dict(step.outputs), fallback=repr),
            "failed": step.failure is not None,
            "model": step.completions[-1].model if step.completions else None,
            "tokens": sum(
                completion.usage.prompt_tokens + completion.usage.completion_tokens
                for completion in step.completions
            ),
            "dollars": _dollars(step.completions),
            "cached": any(completion.cached for completion in step.completions),
            "repairs": step.repairs,
            "reasks": step.reasks,
        }
        for step in prediction.trace
    ]


def _dollars(completions: tuple[Any, ...]) -> float | None:
    prices = [completion.dollars for completion in completions]
    return None if None in prices else sum(prices)
