"""What a program did on a model: its scores, what it costs, how long it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langprog import Module
from langprog.artifact import ModelData
from langprog.evaluation import Range, Row, quantile, sum_latency
from langprog.lm import Cost, dialect_of
from langprog.runtime import current, model_in_force
from optimizers.evaluation.runner import is_missing
from optimizers.evaluation.scorer import Estimate, average_cost


@dataclass(frozen=True, slots=True)
class Side:
    """A program on one model.

    Args:
        models: The models' names.
        score: Mean score over the rows that have one; ``None`` if there are none.
        cost: Cost of a query; ``None`` if unknown.
        latency: Median seconds of a query's calls, made one after another; ``None`` if unknown.
        recorded: How many of the scores are from the artifact.
    """

    models: tuple[str, ...]
    score: Estimate | None
    cost: Cost | None = None
    latency: float | None = None
    recorded: int = 0

    @classmethod
    def of(
        cls,
        models: Iterable[str],
        scores: Sequence[float | None],
        rows: Sequence[Row],
        score_range: Range,
    ) -> Side:
        """Summarize scores, and the runs that some or all of them are from."""
        known = [score for score in scores if score is not None]
        done = [row for row in rows if not is_missing(row)]
        return cls(
            tuple(dict.fromkeys(models)),
            Estimate.of(known, score_range) if known else None,
            _measure_cost(done) if done else None,
            quantile([sum_latency(row) for row in done], 0.5) if done else None,
            sum(score is not None for score in scores) - len(done),
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "models": list(self.models),
            "score": None if self.score is None else self.score.to_json(),
            "cost": None if self.cost is None else self.cost.to_json(),
            "latency": self.latency,
            "recorded": self.recorded,
        }

    def __str__(self) -> str:
        parts = [f"{', '.join(self.models)}: {'no score' if self.score is None else self.score}"]
        if self.recorded:
            parts.append(f"{self.recorded} scores recorded in the artifact")
        if self.cost is not None:
            dollars = self.cost.known_dollars
            price = "price unknown" if dollars is None else f"${1000 * dollars:.4g} per 1,000"
            parts += [f"{self.cost.calls:.3g} calls and {self.cost.tokens:.4g} tokens", price]
        if self.latency is not None:
            parts.append(f"{self.latency:.3g} s")
        return ", ".join(parts)


def _measure_cost(rows: Sequence[Row]) -> Cost:
    unpriced = sum(row.usage.dollars is None for row in rows)
    mean = average_cost(rows)
    return Cost(mean.calls, mean.tokens, mean.dollars, unpriced=unpriced)


def describe_refusals(
    new: Module, before: Sequence[ModelData], schemas: Mapping[tuple[str, str], bool]
) -> tuple[str, ...]:
    """Return what the new endpoints refuse, in one sentence for each setting.

    Args:
        new: The program on the new model.
        before: What the artifact says about the old models.
        schemas: Whether a model follows a response schema, where that was tried.
    """
    old = {setting for line in before for setting in line.refused}
    followed = any(line.takes_schema for line in before)
    said: dict[str, None] = {}
    for predictor in new.predictors().values():
        model = model_in_force(predictor.model)
        layer = dialect_of(model)
        sampling = predictor.sampling.over(current().sampling)
        for setting in () if layer is None else sorted(layer.refused):
            value = getattr(sampling, setting, None)
            used = "" if value is None else f" (the program sets {value!r})"
            known = ", as the old one did" if setting in old else ""
            said[f"{model.name} refuses {setting}{used}{known}: it is called without"] = None
        if followed and schemas.get((model.name, model.endpoint)) is False:
            said[f"{model.name} does not follow a response schema, as the old one did"] = None
    return tuple(said)
