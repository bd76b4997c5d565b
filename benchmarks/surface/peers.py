"""The surface as a language model of DSPy's."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import langprog as lp
from benchmarks.peers import PeerSettings, compile_peer
from benchmarks.surface.endpoint import Surface
from benchmarks.surface.programs import FRESH, items, right


def surface_lm(surface: Surface) -> Any:
    """Return ``surface`` as a DSPy model; equal requests of equal rollouts get equal answers."""
    import dspy  # noqa: PLC0415 - the peer is loaded where it is measured

    class SurfaceLM(dspy.BaseLM):  # type: ignore[misc]  # DSPy has no types
        def __init__(self, **options: Any) -> None:
            super().__init__(model=f"surface/{surface.size}", cache=False, **options)

        def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            prompt_messages = messages or [{"role": "user", "content": prompt}]
            given = {**self.kwargs, **options}
            # With a temperature above zero, every rollout is a new sample, as with a seed.
            variation = (given.get("rollout_id"), given.get("temperature"))
            text = surface.answer(
                [(entry["role"], _text(entry["content"])) for entry in prompt_messages], variation
            )
            message = SimpleNamespace(content=text, role="assistant", tool_calls=None)
            return SimpleNamespace(
                choices=[SimpleNamespace(message=message, finish_reason="stop", index=0)],
                usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                model=self.model,
            )

    return SurfaceLM()


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def run_peer(
    name: str, program: lp.Module, data: Sequence[lp.Example], surface: Surface, seed: int
) -> tuple[int, float]:
    """Compile with a peer; return its paid calls and the true accuracy of its result."""
    answer = compile_peer(
        name,
        program,
        (data[:100], data[100:]),
        lambda example, outputs: float(example.answer == outputs.get("answer")),
        surface_lm(surface),
        seed=seed,
        settings=PeerSettings(threads=1),
    )
    calls = surface.calls
    fresh = items(surface, FRESH, 600)
    hits = [right(item, lp.Prediction(**answer(item.to_dict()))) for item in fresh]
    return calls, sum(hits) / len(hits)
