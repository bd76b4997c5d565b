"""What a user asks a compile for, checked before anything is spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from langprog import Budget, Example, Module
from langprog.errors import ExampleError, InputError
from langprog.evaluation import Metric, check_metric, metric_name
from langprog.runtime import current
from optimizers.identity import (
    data_digest,
    describe_knobs,
    json_digest,
    metric_digest,
    program_digest,
)
from optimizers.split import Split, split
from optimizers.stats.certificate import Accept

Examples = Iterable[Example | Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """What a user asked for, checked."""

    program: Module
    parts: Split
    metric: Metric
    budget: Budget
    seed: int
    accept: Accept

    @classmethod
    def of(
        cls,
        program: Module,
        trainset: Examples,
        metric: Metric,
        *,
        valset: Examples | None,
        holdout: Examples | None,
        budget: Budget | None,
        seed: int,
        accept: Accept,
    ) -> CompileRequest:
        """Check everything that can be checked before anything is spent.

        Raises:
            InputError: Something is wrong; the message says what.
            MetricError: The metric cannot be called with an example and a prediction.
        """
        if not isinstance(program, Module) or not program.predictors():
            raise InputError("there is nothing to compile: the program has no predictor")
        frozen = program.frozen_parts()
        if all(key.rpartition(".")[0] in frozen for key in program.parameters()):
            raise InputError(
                f"there is nothing to compile: every part with a parameter is frozen "
                f"({', '.join(frozen)}); build the program with a part that is not"
            )
        if accept not in ("certified", "best"):
            raise InputError(f"accept is 'certified' or 'best', not {accept!r}")
        check_metric(metric)
        parts = split(
            _checked(program, "trainset", trainset),
            None if valset is None else _checked(program, "valset", valset),
            None if holdout is None else _checked(program, "holdout", holdout),
            seed,
        )
        return cls(program, parts, metric, budget or Budget(), seed, accept)

    def identity(self, searcher: object) -> dict[str, str]:
        """Return what makes this compile this one, for the head of its journal."""
        model = current().lm
        name, digest = metric_name(self.metric), metric_digest(self.metric)
        knobs = json_digest(describe_knobs(searcher))
        return {
            "program": program_digest(self.program),
            "trainset": _part_identity(self.parts.train),
            "valset": _part_identity(self.parts.validation),
            "holdout": _part_identity(self.parts.holdout),
            "metric": f"{name} {digest}",
            "optimizer": f"{type(searcher).__name__} {knobs}",
            "seed": str(self.seed),
            "model": "none" if model is None else model.name,
        }


def _part_identity(examples: tuple[Example, ...]) -> str:
    return f"{len(examples)} examples {data_digest(examples)}"


def _checked(program: Module, part: str, examples: Examples) -> tuple[Example, ...]:
    found = []
    wanted = program.input_names()
    for index, example in enumerate(examples):
        if not isinstance(example, Example):
            if not isinstance(example, Mapping):
                raise ExampleError(
                    f"{part}[{index}] is a {type(example).__name__}: give Example(...) or a dict"
                )
            example = Example(**example)
        missing = [name for name in wanted if name not in example]
        if missing:
            raise ExampleError(
                f"{part}[{index}] lacks {', '.join(missing)}, which the program takes as input; "
                f"it has {', '.join(example)}"
            )
        found.append(example)
    return tuple(found)
