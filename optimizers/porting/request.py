"""The arguments of a port, checked before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langprog import Budget, Example, Module
from langprog.artifact import Artifact, check_writable
from langprog.errors import InputError, ModelError
from langprog.evaluation import (
    Metric,
    check_inputs,
    check_scorable,
    check_tolerated_metric,
    cluster_rows,
    metric_name,
    range_of,
)
from langprog.example import why_train_only
from optimizers.evaluation.binding import bind_program
from optimizers.identity import (
    data_digest,
    describe_knobs,
    json_digest,
    metric_digest,
)
from optimizers.identity import program_digest as digest_program
from optimizers.porting.decision import FIRST, LEVEL, count_fewest
from optimizers.porting.knobs import PortKnobs
from optimizers.porting.moving import To, check_callable, find_unchanged, move_program
from optimizers.porting.planning import CompilePlan, plan_compile
from optimizers.porting.recorded import RecordedScores
from optimizers.porting.warm_start import program_of
from optimizers.split import Inputs


@dataclass(frozen=True)
class Compared:
    """Rows on which the old and the new model are compared.

    Args:
        examples: The rows.
        recorded: The old model's score of each where the artifact has it, else ``None``.
        clusters: What each belongs to: rows that the program cannot tell apart are one.
    """

    examples: tuple[Example, ...]
    recorded: tuple[float | None, ...]
    clusters: tuple[str, ...]

    @property
    def live(self) -> int:
        """How many rows the old model has to answer."""
        return sum(value is None for value in self.recorded)

    @property
    def distinct(self) -> int:
        """How many different inputs there are."""
        return len(set(self.clusters))


@dataclass(frozen=True)
class PortRequest:
    """The checked arguments of a port.

    Args:
        artifact: The artifact.
        old: Its program.
        new: The same program on the new model.
        metric: Scores a prediction.
        compared: The rows of the test.
        recorded: What the artifact says about its holdout.
        compile: The compile that follows if the test fails; ``None`` if none is possible.
        no_compile: Why none is possible.
        knobs: How to port.
        budget: Caps on everything together.
        notes: Remarks on the data.
    """

    artifact: Artifact
    old: Module
    new: Module
    metric: Metric
    compared: Compared
    recorded: RecordedScores
    compile: CompilePlan | None
    no_compile: str
    knobs: PortKnobs
    budget: Budget
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        artifact: Artifact,
        program: Module | None,
        to: To | Mapping[str, To],
        examples: Sequence[Example],
        metric: Metric,
        knobs: PortKnobs,
        budget: Budget,
    ) -> PortRequest:
        """Check everything that can be checked before anything is spent.

        Raises:
            InputError: An argument is wrong, or there are too few rows to show anything.
            ModelError: A model cannot be called.
            ArtifactError: The program needs more than the artifact, or cannot be stored.
        """
        old = program_of(artifact, program)
        new = move_program(old, to)
        check_tolerated_metric(metric, knobs.tolerance)
        check_callable(new)
        check_writable(bind_program(new))
        check_inputs(new, examples, lambda index, _: f"data[{index}]")
        check_scorable(metric, new, examples, lambda index, _: f"data[{index}]")
        recorded = (
            RecordedScores(missing="they were not asked for")
            if knobs.old == "live"
            else RecordedScores.of(artifact, metric)
        )
        compared, notes = _choose_rows(old, new, examples, recorded, knobs)
        request = cls(
            artifact, old, new, metric, compared, recorded, None, "", knobs, budget, notes
        )
        plan, no_compile = _plan(request, examples)
        request = replace(request, compile=plan, no_compile=no_compile)
        request._check_size()
        request._check_old()
        return request

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest score of the metric."""
        return range_of(self.metric)

    @property
    def level(self) -> float:
        """The level of the first test."""
        return LEVEL if self.compile is None else FIRST

    @property
    def calls(self) -> int:
        """The calls of the first test."""
        each = self.new.calls_per_example(), self.old.calls_per_example()
        return len(self.compared.examples) * each[0] + self.compared.live * each[1]

    def identity(self) -> dict[str, str]:
        """Return what identifies this port, for the header of its journal."""
        knobs = self.knobs
        return {
            "program": f"{self.artifact.digest} on {digest_program(self.new)}",
            "data": f"{len(self.compared.examples)} rows {data_digest(self.compared.examples)}",
            "old": f"{self.compared.live} rows live",
            "seed": str(knobs.seed),
            "metric": f"{metric_name(self.metric)} {metric_digest(self.metric)}",
            "optimizer": f"port {json_digest([knobs.tolerance, _name_optimizer(knobs)])}",
        }

    def _check_size(self) -> None:
        fewest = count_fewest(self.knobs.tolerance, self.range, self.level)
        if self.compared.distinct < fewest:
            raise InputError(
                f"{self.compared.distinct} different inputs cannot show that no more than "
                f"{self.knobs.tolerance:g} is lost: {fewest} are the fewest"
                f"{self._describe_left_out()}; give more rows or a larger tolerance (nothing was "
                "run)"
            )
        if self.budget.calls is not None and self.budget.calls < self.calls:
            raise InputError(
                f"the budget of {self.budget.calls} calls does not cover the comparison of "
                f"{len(self.compared.examples)} rows, which takes {self.calls} (nothing was run)"
            )

    def _describe_left_out(self) -> str:
        if self.knobs.old != "recorded":
            return ""
        return f" ({self.recorded.missing or 'only rows with a recorded score count'})"

    def _check_old(self) -> None:
        """Check that the old model can be asked where it has to be.

        Raises:
            InputError: It cannot, or it is the new one.
        """
        if not self.compared.live:
            return
        why = self.recorded.missing or "the artifact has no score of them"
        need = f"{self.compared.live} rows have to be answered by the old model ({why})"
        try:
            check_callable(self.old)
        except ModelError as error:
            raise InputError(
                f"{need}, which cannot be called: {error}; or compare only rows of the artifact's "
                "holdout: old='recorded' (on the command line: --old recorded)"
            ) from error
        same = find_unchanged(self.old, self.new)
        if same is not None:
            raise InputError(f"{need}, and the old and the new model are the same, {same}")


def _choose_rows(
    old: Module,
    new: Module,
    examples: Sequence[Example],
    recorded: RecordedScores,
    knobs: PortKnobs,
) -> tuple[Compared, tuple[str, ...]]:
    """Return the rows of the test, and what is to be said about the others."""
    notes: list[str] = []
    inputs = Inputs(old)
    sure = [example for example in examples if not why_train_only(example)]
    if len(sure) < len(examples):
        notes.append(
            f"{len(examples) - len(sure)} rows are marked train_only: they are not compared"
        )
    unknown = [example for example in sure if not inputs.is_shown(example)]
    if len(unknown) < len(sure):
        notes.append(
            f"{len(sure) - len(unknown)} rows are demonstrations of the program, or stand in "
            "its prompt, so every model knows them: they are not compared"
        )
    kept = [example for example in unknown if inputs.use_of(example) != "choosing"]
    if len(kept) < len(unknown):
        notes.append(
            f"{len(unknown) - len(kept)} rows were used to choose the program for the old model, "
            "which is too good on them: they are not compared"
        )
    scores = [recorded.of_row(example) for example in kept]
    if knobs.old == "recorded":
        both = [(e, s) for e, s in zip(kept, scores, strict=True) if s is not None]
        notes.append(f"{len(kept) - len(both)} rows have no recorded score: not compared")
        kept, scores = [example for example, _ in both], [score for _, score in both]
    if recorded.missing and knobs.old == "auto":
        notes.append(f"no recorded scores: {recorded.missing}")
    clusters = cluster_rows(new, old, kept) if kept else []
    return Compared(tuple(kept), tuple(scores), tuple(clusters)), tuple(notes)


def _name_optimizer(knobs: PortKnobs) -> Any:
    optimizer = knobs.optimizer
    return None if optimizer is None else [type(optimizer).__name__, describe_knobs(optimizer)]


def _plan(request: PortRequest, examples: Sequence[Example]) -> tuple[CompilePlan | None, str]:
    """Return the compile that follows a failed test, or why there can be none."""
    if request.knobs.optimizer is None:
        return None, "the test alone was asked for"
    live = bool(request.compared.live)
    # Where the old model is not asked, its recorded rows are what the result is compared on, and
    # no search may see them.
    usable = [each for each in examples if live or request.recorded.of_row(each) is None]
    plan = plan_compile(request.new, usable, request.metric, request.knobs, request.budget)
    if isinstance(plan, str):
        return None, plan
    count = plan.held if live else request.compared.distinct
    if count < plan.fewest:
        return None, (
            f"its result could be compared on {count} different inputs that no search saw, and "
            f"{plan.fewest} are the fewest"
        )
    return plan, ""
