"""Demonstrations for each input: the training examples that are nearest to it.

Follows: What Makes Good In-Context Examples for GPT-3? (Liu et al., 2022), KATE, and DSPy's
KNNFewShot.
Differs: the pool is data in the artifact, and choosing from it takes no call of a model; a
training row is never shown itself; how many are shown is searched; demonstrations that every input
shares come first, so that prompts keep a common beginning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langprog import Example, Module, NearestDemos
from langprog.errors import InputError
from langprog.evaluation import InputKeys
from langprog.knobs import MOST_NUMBER, takes_flag, takes_items, takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef
from langprog.retrieval import Embedder
from langprog.runtime import call_in_worker
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.demos.demos import (
    Demonstrations,
    SourcedDemo,
    collect_labeled,
    drop_known,
    explain_no_demos,
)
from optimizers.demos.own_demos import keep_own_demos
from optimizers.demos.rollouts import forecast_rollouts, run_rollouts
from optimizers.demos.teacher import (
    Teacher,
    check_teacher,
    check_teacher_inputs,
    list_teacher_models,
)
from optimizers.evaluation.candidate import Candidate, tunable_predictors
from optimizers.evaluation.runner import source_key
from optimizers.identity import OPERATIONAL
from optimizers.pruning.member import PrunedOptimizer
from optimizers.run import Run

# A small budget scores on fewer examples, so that all sizes fit into this share of it.
FEWEST_EXAMPLES = 20
SCORED = 0.75


@dataclass(frozen=True, kw_only=True)
class KNNDemos(PrunedOptimizer):
    """Show every predictor the training examples that are nearest to each input.

    The examples stay in the program, and in its artifact, as data; which of them a prompt shows is
    decided at each call.

    Args:
        k: How many are shown: the numbers to try. A single one is taken without being scored.
        by: A function that embeds texts, perhaps async; by default words in common count (BM25,
            which needs ``langprog[retrieval]``).
        embedder: The name of that function; see :class:`langprog.NearestDemos`.
        bootstrapped: Whether examples come from runs on the training rows that went well where
            there are such runs, and from labels elsewhere. Without, labels alone are shown, which
            takes no run, but predictors whose fields no row has get none.
        threshold: Lowest score of a good run; see BootstrapFewShot.
        teacher: Model or program that does the runs; the program itself if left out.
        keep_demos: Whether demonstrations that came with the program stay, before the nearest
            ones. ``None`` keeps those of a program that is not a compiled one.
        prune: See PrunedOptimizer.
        concurrency: Number of examples processed at the same time.
    """

    k: Sequence[int] = field(default=(2, 4, 8), metadata=takes_items(takes_whole(1, 1000)))
    # A compile is identified by the name of the function, as its source may be anywhere.
    by: Embedder | None = field(default=None, metadata={OPERATIONAL: True})
    embedder: str = ""
    bootstrapped: bool = field(default=False, metadata=takes_flag())
    threshold: float | None = field(default=None, metadata=takes_number(-MOST_NUMBER))
    teacher: Teacher = None
    keep_demos: bool | None = field(default=None, metadata=takes_flag())

    def __post_init__(self) -> None:
        super().__post_init__()
        NearestDemos([Example(a="b")], by=self.by, embedder=self.embedder)  # checks these two

    def prunes(self) -> bool:
        """Return whether the result is pruned: one number that was given is not searched."""
        return self.prune and len(set(self.k)) > 1

    def check(self, program: Module) -> None:
        """Refuse a teacher that the program cannot learn from."""
        check_teacher(self.teacher, program)

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the teacher, or its models."""
        return list_teacher_models(self.teacher) if self.bootstrapped else ()

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return the teacher's runs, and every size on all of validation."""
        stages = []
        if self.bootstrapped:
            runs = self._limit_runs(facts.train, facts.queries)
            stages.append(StageForecast("bootstrap", forecast_rollouts(facts, runs, runs)))
        if len(self.k) > 1:
            size = min(facts.validation, self._limit_examples(facts.queries))
            count = len(self.k)
            stages += [
                StageForecast("prepare", Range(size, size)),
                StageForecast(
                    "search", Range(1.0, 1.0).times(count * size), candidates=Range(1, count)
                ),
            ]
        return tuple(stages)

    def _limit_runs(self, train: int, queries: float) -> int:
        return train if math.isinf(queries) else max(1, min(train, int(queries / 4)))

    def _limit_examples(self, queries: float) -> float:
        """Return how many validation examples a size can be scored on within ``queries``."""
        if math.isinf(queries):
            return queries
        return max(FEWEST_EXAMPLES, math.floor(SCORED * queries / (len(self.k) + 1)))

    async def search(self, run: Run) -> Candidate:
        """Collect the pool, then score one size after another, the smallest first."""
        demos = await self._collect(run)
        pools = {}
        for path, predictor in tunable_predictors(run.program).items():
            pool = self._make_pool(run, demos, path)
            if pool is None:
                run.note(explain_no_demos(path, predictor.signature, run.train))
            else:
                if predictor.nearest is not None:
                    run.note(f"the nearest demonstrations that {path} came with are replaced")
                # In a thread: an index of many examples takes its time, and an embedder is code.
                pools[path] = await call_in_worker(pool.prepared, predictor.signature)
        if not pools:
            return run.start
        own = keep_own_demos(run, self.keep_demos)
        candidates: list[Candidate] = []
        for k in sorted(set(self.k)):
            values: dict[str, Any] = {f"{path}.demos": own[path] for path in pools}
            values |= {f"{path}.nearest": pool.with_k(k) for path, pool in pools.items()}
            candidates.append(await run.fit(run.make_candidate(values, f"{k} nearest")))
        if len(candidates) == 1:
            return candidates[0]
        await self._score(run, candidates)
        return run.best

    async def _score(self, run: Run, candidates: Sequence[Candidate]) -> None:
        examples = self._limit_examples(run.queries_left())
        if not math.isinf(examples):
            run.scorer.narrow(int(examples))
        run.start_stage("prepare", 1, "the program as it is on validation")
        await run.score_fully([run.start])
        distinct = list(dict.fromkeys(each for each in candidates if each != run.start))
        run.start_stage("search", len(distinct), "numbers of nearest demonstrations")
        for number, candidate in enumerate(distinct):
            if not run.affords(run.scorer.size):
                run.note(f"the budget ended the search after {number} of {len(distinct)} sizes")
                break
            await run.score_fully([candidate])
            run.log_trial(candidate)
            run.advance_stage("search", number + 1, len(distinct))

    async def _collect(self, run: Run) -> Demonstrations:
        labeled = collect_labeled(run.program, run.train)
        if not self.bootstrapped:
            return Demonstrations(labeled, {})
        check_teacher_inputs(self.teacher, run.train)
        runs = self._limit_runs(len(run.train), run.queries_left())
        rollouts = await run_rollouts(
            run, wanted=runs, most=runs, teacher=self.teacher, threshold=self.threshold
        )
        if not rollouts.good:
            run.note("no run on the training examples was good enough to show", warning=True)
        return Demonstrations(labeled, rollouts.collect_demos(run.program))

    def _make_pool(self, run: Run, demos: Demonstrations, path: str) -> NearestDemos | None:
        """Return a predictor's pool: its good runs, and the labels of rows without one."""
        signature = run.program.predictors()[path].signature
        traced = demos.traced.get(path, ())
        known = {item.source for item in traced}
        labeled = [item for item in demos.labeled.get(path, ()) if item.source not in known]
        own = keep_own_demos(run, self.keep_demos)[path]
        pool: list[SourcedDemo] = drop_known([*traced, *labeled], own, signature)
        if not pool:
            return None
        keys = InputKeys(run.program)
        rows = {example.digest: source_key(keys.of(example)) for example in run.train}
        try:
            return NearestDemos(
                [item.demo for item in pool],
                by=self.by,
                embedder=self.embedder,
                sources=[rows[item.source] for item in pool],
            )
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
