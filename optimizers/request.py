"""The arguments of a compile, checked before anything is spent."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from langprog import Budget, Example, Module
from langprog.errors import InputError
from langprog.evaluation import (
    DatasetMetric,
    Metric,
    Objective,
    check_inputs,
    check_metric,
    check_scorable,
    metric_name,
    name_example,
    range_of,
)
from langprog.example import Rows, examples_of, is_rows
from langprog.hints import Words
from langprog.knobs import check_argument, takes_whole
from langprog.lm import check_budget
from langprog.runtime import current
from langprog.verification import MOST_ROWS, REPLIES
from optimizers.budget.plan import REPAIR_MARGIN, BudgetPlan, plan_budget
from optimizers.identity import (
    data_digest,
    describe_knobs,
    json_digest,
    metric_digest,
    program_digest,
)
from optimizers.split import Inputs, Split, split
from optimizers.stats.certificate import ACCEPTED, Accept

Examples = Rows
# More runs of an example are a slip of the keyboard.
MOST_REPEATS = 1000

# Arguments of a compile in other libraries, and what there is here instead.
ELSEWHERE: Words = MappingProxyType(
    {
        "devset": "write valset=, the examples that guide the search",
        "eval_kwargs": "how many examples run at once is concurrency= of the optimizer",
        "lm": "compile inside `with lp.using(lm=...):`",
        "max_bootstrapped_demos": "it is a knob: BootstrapFewShot(bootstrapped=...)",
        "max_labeled_demos": "it is a knob: BootstrapFewShot(labeled=...)",
        "minibatch": "it is a knob: see help() of the optimizer",
        "num_trials": "it is a knob: MIPRO(searching=Searching(trials=...))",
        "num_threads": "write concurrency= of the optimizer",
        "requires_permission_to_run": "budget=lp.Budget(calls=...) is the limit; nobody is asked",
        "student": "the program is the first argument, without a name",
        "teacher": "it is a knob: BootstrapFewShot(teacher=...)",
    }
)


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """The checked arguments of a compile.

    Args:
        program: The program to compile.
        parts: The examples, split.
        metric: Scores a prediction.
        budget: Caps on everything that is paid.
        seed: All random decisions derive from it.
        accept: What ships without a detectable gain.
        max_errors: On how many examples the metric may raise.
        must_pass: Examples on which the compiled program needs full marks, in every run.
        repeats: Runs of each holdout example, and of those that must pass.
        canaries: Rows whose replies the artifact keeps.
        names: The name of each example in messages, by its digest.
    """

    program: Module
    parts: Split
    metric: Metric
    budget: Budget
    seed: int
    accept: Accept
    max_errors: int = 0
    must_pass: tuple[Example, ...] = ()
    repeats: int = 1
    canaries: int = 0
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(  # noqa: PLR0913 - everything that compile takes is checked in one place
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
        max_errors: int = 0,
        must_pass: Examples | None = None,
        repeats: int = 1,
        canaries: int = 0,
        needs_predictors: bool = True,
    ) -> CompileRequest:
        """Check everything that can be checked before anything is spent.

        Raises:
            InputError: An argument is wrong; the message says which and why.
            MetricError: The metric cannot be called with an example and a prediction.
        """
        _check_program(program, needs_predictors)
        if accept not in ACCEPTED:
            raise InputError(f"accept is 'certified' or 'best', not {accept!r}")
        check_argument("compile", "repeats", repeats, takes_whole(1, MOST_REPEATS))
        check_argument("compile", "canaries", canaries, takes_whole(0, MOST_ROWS))
        check_argument("compile", "max_errors", max_errors, takes_whole(0))
        check_metric(metric)
        range_of(metric)
        given = {
            "trainset": trainset,
            "valset": valset,
            "holdout": holdout,
            "must_pass": must_pass,
        }
        checked = {
            part: None if examples is None else _check_examples(program, part, examples)
            for part, examples in given.items()
        }
        parts = split(
            checked["trainset"] or (),
            checked["valset"],
            checked["holdout"],
            seed,
            inputs=Inputs(program),
            must_pass=checked["must_pass"] or (),
        )
        names: dict[str, str] = {}
        for part, examples in checked.items():
            for index, example in enumerate(examples or ()):
                names.setdefault(example.digest, f"{part}[{index}]")
        # Rows that only make demonstrations need no label.
        scored = (*parts.validation, *parts.holdout, *(checked["must_pass"] or ()))
        check_scorable(metric, program, scored, lambda _, example: names[example.digest])
        return cls(
            program,
            parts,
            metric,
            budget or Budget(),
            seed,
            accept,
            max_errors=max_errors,
            must_pass=checked["must_pass"] or (),
            repeats=repeats,
            canaries=canaries,
            names=names,
        )

    def check_objective(self, objective: Objective, tolerance: float) -> None:
        """Check that the objective's claims can be tested under the metric.

        Args:
            objective: What is to be better.
            tolerance: Loss in mean score that is accepted.

        Raises:
            InputError: They cannot.
        """
        if objective == "quality":
            return
        low, high = range_of(self.metric)
        if tolerance >= high - low:
            raise InputError(
                f"tolerance={tolerance:g}: the scores of {metric_name(self.metric)} lie between "
                f"{low:g} and {high:g}, so every program loses less than that: give less than "
                f"{high - low:g}"
            )
        if isinstance(self.metric, DatasetMetric):
            raise InputError(
                f"objective={objective!r} needs to show that a program is not worse, and no test "
                f"shows that of {metric_name(self.metric)}, a score of the whole data set: use "
                "objective='quality', or a metric of single rows"
            )

    @property
    def inputs(self) -> Inputs:
        """Decides which examples are the same to the program."""
        return Inputs(self.program)

    @property
    def must_pass_runs(self) -> int:
        """Runs of the examples that must pass."""
        return len(self.must_pass) * self.repeats

    def plan(self) -> BudgetPlan:
        """Return how the budget is divided between search and certificate."""
        calls = self.program.calls_per_example()
        budget = self.budget
        runs = self.must_pass_runs + self.canaries * REPLIES
        if budget.calls is not None and runs:
            kept = math.ceil(runs * calls * REPAIR_MARGIN)
            budget = replace(budget, calls=max(0, budget.calls - kept))
        return plan_budget(budget, len(self.parts.holdout), calls * self.repeats)

    def name_row(self, index: int, example: Example) -> str:
        """Return the name of an example in messages: its place in the input data."""
        return self.names.get(example.digest) or name_example(index, example)

    def identity(self, searcher: object) -> dict[str, str]:
        """Return what identifies this compile, for the header of its journal."""
        model = current().lm
        name, digest = metric_name(self.metric), metric_digest(self.metric)
        knobs = json_digest(describe_knobs(searcher))
        return {
            "program": program_digest(self.program),
            "trainset": _identify_part(self.parts.train),
            "valset": _identify_part(self.parts.validation),
            "holdout": _identify_part(self.parts.holdout),
            "metric": f"{name} {digest}",
            "optimizer": f"{type(searcher).__name__} {knobs}",
            "seed": str(self.seed),
            "model": "none" if model is None else model.name,
        }


def _check_program(program: Module, needs_predictors: bool) -> None:
    if not isinstance(program, Module):
        raise InputError(
            f"the program is a {type(program).__name__}: compile takes a module, such as "
            "lp.Predict(...), lp.from_dspy(program) for one of DSPy, "
            "or compiled.program of what a compile returned"
        )
    if needs_predictors and not program.predictors():
        raise InputError(
            "there is nothing to compile: the program has no predictors; texts of your own "
            "modules are set by optimizers.Evolve"
        )
    frozen = program.frozen_parts()
    if all(key.rpartition(".")[0] in frozen for key in program.parameters()):
        raise InputError(
            f"there is nothing to compile: every part with a parameter is frozen "
            f"({', '.join(frozen)}); leave at least one part unfrozen"
        )


def _identify_part(examples: tuple[Example, ...]) -> str:
    return f"{len(examples)} examples {data_digest(examples)}"


def _check_examples(program: Module, part: str, rows: Rows) -> tuple[Example, ...]:
    examples = examples_of(rows, part)
    check_inputs(program, examples, lambda index, _: f"{part}[{index}]")
    return tuple(examples)


def check_arguments(trainset: Any, valset: Any, holdout: Any, budget: Any, seed: Any) -> None:
    """Refuse arguments of the wrong type, and the same rows in two parts.

    Raises:
        InputError: There is such an argument.
    """
    _check_form("trainset", trainset)
    for name, examples in (("valset", valset), ("holdout", holdout)):
        if examples is not None:
            _check_form(name, examples)
    if valset is not None and _are_same(valset, trainset):
        raise InputError(
            "valset and trainset are the same examples: leave valset out, so that it is a part "
            "of the trainset, or pass other examples"
        )
    for name, other in (("trainset", trainset), ("valset", valset)):
        if holdout is not None and other is not None and _are_same(holdout, other):
            raise InputError(
                f"holdout and {name} are the same examples: leave holdout out, so that it is a "
                "part of the trainset, or pass examples that nothing else sees"
            )
    if budget is not None:
        check_budget(budget)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InputError(f"seed={seed!r:.60}: seed has to be an integer")


def check_run_dir(run_dir: Any) -> None:
    """Check that the folder of a journal is a path.

    Raises:
        InputError: It is not.
    """
    known = run_dir is None or isinstance(run_dir, (str, os.PathLike))
    if not known or run_dir == "":
        raise InputError(
            f"run_dir={run_dir!r:.60}: pass the path of a folder, such as 'runs/triage'"
        )


def _check_form(name: str, examples: Any) -> None:
    if examples is None:
        raise InputError(f"{name} is None: pass examples, such as lp.load_examples(path)")
    if isinstance(examples, (str, os.PathLike)):
        raise InputError(f"{name} is a path: pass {name}=lp.load_examples({examples!r:.80})")
    if isinstance(examples, Mapping):
        raise InputError(f"{name} is a single example: pass a list of them")
    if not is_rows(examples):
        raise InputError(f"{name} is of type {type(examples).__name__}: pass a list of examples")


def _are_same(examples: Any, others: Any) -> bool:
    if examples is others:
        return True
    lists = isinstance(examples, (list, tuple)) and isinstance(others, (list, tuple))
    return lists and len(examples) > 0 and list(examples) == list(others)
