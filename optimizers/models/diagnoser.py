"""Ask a model whether a module did its part of a query.

Follows: Optimizing Model Selection for Compound AI Systems (Chen et al., 2025), the LM diagnoser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from langprog import Predict
from langprog.evaluation import Row
from langprog.runtime import gather_in_order
from langprog.signature import signature_of
from optimizers.evaluation.binding import Model
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.runner import Job, run_rows
from optimizers.evaluation.wording import value_text
from optimizers.run import Run

ASKED = "Say whether the module did its part, given what the whole program should answer."


@dataclass(frozen=True, slots=True)
class Diagnoser:
    """Asks whether a module did its part, and blends the verdict with the end-to-end score.

    Args:
        model: The model that is asked; ``None``: the ambient one.
        blend: Weight of the verdict against the score, 0 to 1.
    """

    model: Model
    blend: float

    async def estimate_worth(
        self, run: Run, candidate: Candidate, path: str, examples: int
    ) -> float:
        """Return the worth of the predictor at ``path``, from the first ``examples``."""
        score = run.scorer.estimate(candidate).mean
        # The same requests as for the score, so the journal answers them.
        job = Job(candidate.apply(run.materials.base), run.materials.validation[:examples])
        (rows,) = await run_rows([job], run.materials.metric, run.materials.concurrency)
        verdicts = await self._ask_verdicts(run, rows, path)
        return (1 - self.blend) * score + self.blend * sum(verdicts) / len(verdicts)

    async def _ask_verdicts(self, run: Run, rows: Sequence[Row], path: str) -> list[float]:
        ask = Predict(
            signature_of("module, inputs, outputs, wanted -> right: bool", ASKED),
            model=self.model,
        )

        async def verdict(row: Row) -> float:
            steps = [step for step in row.trace if step.path == path and step.failure is None]
            if not steps:
                return 0.0
            step = steps[-1]
            wanted = {k: v for k, v in row.example.items() if k not in step.inputs}
            answer = await ask.acall(
                module=path,
                inputs=_format_values(step.inputs),
                outputs=_format_values(step.outputs),
                wanted=_format_values(wanted),
            )
            return float(answer.right)

        calls = [partial(verdict, row) for row in rows]
        verdicts = await gather_in_order(calls, run.materials.concurrency)
        run.settle()
        return verdicts


def _format_values(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value_text(value)}" for name, value in values.items())
