"""A judge that is compiled on few labels of people, and does not depend on positions.

Follows: Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena (Zheng et al., 2023) for judging in
both orders; Calibrate Before Use (Zhao et al., 2021) for what demonstrations do to a preference.
Differs: the instructions and the demonstrations are searched by Compiler; what it finds is scored
on the validation rows in the other order as well, beside a copy whose demonstrations are shown in
both orders, and both orders together decide.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from langprog import Example, Module
from langprog.errors import InputError
from langprog.evaluation import Row
from langprog.knobs import takes_instance
from langprog.lm import LanguageModel, ModelRef
from langprog.modules import Signal
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.compiler import Compiler
from optimizers.evaluation.candidate import Candidate, tunable_predictors
from optimizers.evaluation.runner import is_missing
from optimizers.models.step_results import run_steps
from optimizers.pipeline import run_search
from optimizers.run import Run

# Share of the budget for the search; the rest scores what it found in the other order.
SHARE = 0.7
# Fewer pairs in the other order would choose by luck.
FEWEST = 10
# Below this share of pairs with the same verdict in both orders, the position decides too often.
CONSISTENT = 0.9


@dataclass(frozen=True, kw_only=True)
class JudgeAlign(Optimizer):
    """Compile a judge for agreement with people.

    The metric says what agreement is: ``kappa("verdict")`` of ``langprog.evaluation`` is corrected
    for chance, ``exact("verdict")`` is not. The certificate is about agreement on rows that no
    search saw. A judge without the two inputs of ``pair`` is compiled as by its ``compiler``.

    Args:
        pair: The two inputs that are compared, for a pairwise judge.
        verdicts: How a label says that the first or the second of them is better; by default the
            names in ``pair``.
        compiler: The search for instructions and demonstrations.
    """

    pair: tuple[str, str] = ("first", "second")
    verdicts: tuple[Any, Any] | None = None
    compiler: Compiler = field(default=Compiler(), metadata=takes_instance(Compiler))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in (("pair", self.pair), ("verdicts", self.verdicts or self.pair)):
            listed = list(values) if isinstance(values, (list, tuple)) else []
            if len(listed) != 2 or listed[0] == listed[1]:
                raise InputError(
                    f"JudgeAlign({name}={values!r:.60}): give two different values, such as "
                    "('first', 'second')"
                )
        if not all(isinstance(name, str) for name in self.pair):
            raise InputError(f"JudgeAlign(pair={self.pair!r:.60}): give the names of two inputs")

    def _search(self) -> Compiler:
        return replace(
            self.compiler,
            concurrency=self.concurrency,
            objective=self.objective,
            tolerance=self.tolerance,
        )

    def prunes(self) -> bool:
        """Return whether the result of the search is pruned."""
        return self.compiler.prunes()

    def check(self, program: Module) -> None:
        """Refuse what the search refuses."""
        self._search().check(program)

    def signals(self, program: Module) -> dict[str, Signal]:
        """Return the signals that the search sets."""
        return self._search().signals(program)

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models of the search."""
        return self.compiler.models_needed()

    def models_offered(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the models to choose from."""
        return self.compiler.models_offered()

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast the search, and scoring what it found in the other order."""
        search = self._search().forecast(replace(facts, queries=facts.queries * SHARE))
        return (*search, StageForecast("final", Range(0, 4 * facts.validation)))

    async def search(self, run: Run) -> Candidate:
        """Search, then choose by both orders."""
        names = run.program.input_names()
        pairwise = all(name in names for name in self.pair)
        if pairwise:
            self._check_labels(run.materials.validation, names)
        part = run.make_child("align", run.start, SHARE if pairwise else 1.0)
        best = await run_search(self._search(), part)
        return await self._choose_by_both_orders(run, best) if pairwise else best

    def _check_labels(self, rows: Sequence[Example], inputs: Collection[str]) -> None:
        if all(self._turn_labels(row, inputs) == row for row in rows):
            first, second = self.verdicts or self.pair
            raise InputError(
                f"the program compares {' and '.join(self.pair)}, and no label is {first!r} or "
                f"{second!r}: say with JudgeAlign(verdicts=...) how a label names the better one"
            )

    async def _choose_by_both_orders(self, run: Run, best: Candidate) -> Candidate:
        turned = await run.fit(self._turn_demos(run, best))
        offered = list(dict.fromkeys((best, run.start, turned)))
        rows = run.materials.validation[: run.scorer.size]
        if not run.affords((len(offered) + 1) * len(rows)) or len(rows) < FEWEST:
            run.note("the budget or the rows are too few to judge pairs in the other order")
            return best
        run.start_stage("final", None, "the same pairs in the other order")
        await run.score_fully(offered)
        inputs = run.program.input_names()
        swapped = [self._turn(row, inputs) for row in rows]
        results = await run_steps(run, offered, swapped, priced=False)
        scores: dict[Candidate, float] = {}
        for candidate, answers in zip(offered, results, strict=True):
            known = [row.score.value for row in answers if row.score is not None]
            if run.scorer.is_complete(candidate) and 2 * len(known) > len(rows):
                scores[candidate] = (run.scorer.estimate(candidate).mean + fmean(known)) / 2
        chosen = max(scores, key=scores.__getitem__, default=best)
        (before,) = await run_steps(run, [chosen], rows, priced=False)
        after = results[offered.index(chosen)]
        self._tell(run, chosen, scores.get(chosen), before, after)
        return chosen

    def _tell(
        self,
        run: Run,
        chosen: Candidate,
        score: float | None,
        before: Sequence[Row],
        after: Sequence[Row],
    ) -> None:
        both = [
            (first.prediction, second.prediction)
            for first, second in zip(before, after, strict=True)
            if not (is_missing(first) or is_missing(second))
        ]
        same = [
            a is not None
            and b is not None
            and self._turn_values(dict(a.items())) == dict(b.items())
            for a, b in both
        ]
        share = fmean(same) if same else 0.0
        run.log("both orders", {"label": chosen.label, "score": score, "same": share})
        run.note(
            f"in both orders, {chosen.label} scores {score or 0.0:.2f}; it gives the same verdict "
            f"in {share:.0%} of {len(same)} pairs"
        )
        if share < CONSISTENT:
            run.note(
                "its verdicts depend on the order of the two: a judge that asks in both orders, "
                "such as programs.judge:both_orders, does not",
                warning=True,
            )

    # --- the other order -----------------------------------------------------------------------

    def _turn(self, row: Example, inputs: Collection[str]) -> Example:
        """Return a row with its two inputs exchanged, and the labels that name them.

        Args:
            row: The row.
            inputs: The names of all inputs: other ones may hold the same value as a verdict.
        """
        first, second = self.pair
        return self._turn_labels(row, inputs).with_(**{first: row[second], second: row[first]})

    def _turn_labels(self, row: Example, inputs: Collection[str]) -> Example:
        values = {name: value for name, value in row.items() if name not in inputs}
        return row.with_(**self._turn_values(values))

    def _turn_values(self, values: dict[str, Any]) -> dict[str, Any]:
        first, second = self.verdicts or self.pair
        return {
            name: second if _is(value, first) else first if _is(value, second) else value
            for name, value in values.items()
        }

    def _turn_demos(self, run: Run, candidate: Candidate) -> Candidate:
        """Return a candidate that shows every second demonstration in the other order."""
        values = {}
        for path, predictor in tunable_predictors(candidate.apply(run.program)).items():
            if all(name in predictor.inputs for name in self.pair) and predictor.demos:
                values[f"{path}.demos"] = tuple(
                    self._turn(demo, predictor.inputs) if place % 2 else demo
                    for place, demo in enumerate(predictor.demos)
                )
        if not values:
            return candidate
        label = f"{candidate.label}; demonstrations in both orders"
        return run.make_candidate({**candidate.parameters, **values}, label)


def _is(value: Any, verdict: Any) -> bool:
    plain = getattr(value, "value", value)  # of an Enum
    return type(plain) is type(verdict) and bool(plain == verdict)
