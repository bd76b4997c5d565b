"""A model that says of a module whether it did its part of a query.

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
    """Asks whether a module did its part, and blends that with the end-to-end score.

    Args:
        model: The model that is asked, or its name; ``None``: the ambient one.
        blend: Weight of its verdict against the score, 0 to 1.
    """

    model: Model
    blend: float

    async def blended(self, run: Run, one: Candidate, path: str, examples: int) -> float:
        """Return what the predictor at ``path`` is worth in ``one``, scored on ``examples``."""
        score = run.scorer.estimate(one).mean
        # The same requests as for the score, so the journal answers them.
        job = Job(one.apply(run.materials.base), run.materials.validation[:examples])
        (rows,) = await run_rows([job], run.materials.metric, run.materials.concurrency)
        verdicts = await self._verdicts(run, rows, path)
        return (1 - self.blend) * score + self.blend * sum(verdicts) / len(verdicts)

    async def _verdicts(self, run: Run, rows: Sequence[Row], path: str) -> list[float]:
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
            said = await ask.acall(
                module=path,
                inputs=_listed(step.inputs),
                outputs=_listed(step.outputs),
                wanted=_listed(wanted),
            )
            return float(said.right)

        works = [partial(verdict, row) for row in rows]
        found = await gather_in_order(works, run.materials.concurrency)
        run.settle()
        return found


def _listed(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value_text(value)}" for name, value in values.items())
