"""Instructions evolve by reflecting on what went wrong.

Follows: GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning (Agrawal et al.,
2025), through its authors' package: it picks parents from the Pareto front over examples, compares
on minibatches, and decides what to accept.
Differs: its calls go through this compile's journal, budget and cache; new instructions are
requested in the proposer's own form and pass the instruction filter; a row without a score counts
as the candidate's mean and not as 0; what ships still has to pass the certificate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from langprog import Module
from langprog.errors import BudgetExceeded, InputError, LangprogError
from langprog.evaluation import Row, takes_predictor
from langprog.knobs import takes_flag, takes_instance, takes_whole
from langprog.lm import LanguageModel, ModelRef
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.demos.demos import Demonstrations, collect_labeled
from optimizers.evaluation.candidate import Candidate, tunable_predictors
from optimizers.evaluation.runner import Job, run_rows
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.instructions.asking import Proposer, Proposing, list_proposer_models
from optimizers.instructions.grounding import ProposerInputs, describe_mistakes
from optimizers.instructions.proposer import (
    ProposalFilter,
    make_filter,
    propose_improvement,
)
from optimizers.pruning.member import PrunedOptimizer
from optimizers.reflective.feedback import with_feedback_on
from optimizers.run import Run

T = TypeVar("T")
# A part of the data and an index into it: the form in which the package passes examples.
Item = tuple[str, int]
Texts = dict[str, str]

# Share of proposals accepted on their minibatch, which are then scored on all of validation.
ACCEPTED = (0.15, 0.6)
# A small budget scores on fewer validation examples, so that about this many can be accepted.
SCORED_FULLY = 6
FEWEST_EXAMPLES = 20


@dataclass(frozen=True, kw_only=True)
class GEPA(PrunedOptimizer):
    """Evolve every predictor's instruction from feedback on its mistakes.

    Args:
        rounds: Number of new instructions to try; a budget may end it earlier.
        minibatch: Training examples on which a new instruction is compared with its parent.
        merge: Whether to combine instructions of different ancestors.
        proposing: How a new instruction is requested.
        prune: See PrunedOptimizer.
        concurrency: Number of examples processed at the same time.
    """

    rounds: int = field(default=24, metadata=takes_whole(1))
    minibatch: int = field(default=3, metadata=takes_whole(1, 10_000))
    merge: bool = field(default=False, metadata=takes_flag())
    proposing: Proposing = field(default=Proposing(), metadata=takes_instance(Proposing))

    def check(self, program: Module) -> None:
        """Refuse instructions that were written for no predictor."""
        self.proposing.check(program)

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the proposer."""
        return list_proposer_models(self.proposing)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return baseline, minibatches, and the accepted candidates on validation."""
        size = min(facts.validation, _limit_examples(facts.queries))
        batches = 2 * self.rounds * self.minibatch
        low, high = (self.rounds * share * size for share in ACCEPTED)
        return (
            StageForecast("prepare", Range(size, size)),
            StageForecast(
                "search",
                Range(0.6 * batches + low, batches + high),
                Range(0.6 * self.rounds, self.rounds),
                Range(0.6 * self.rounds, self.rounds),
            ),
        )

    async def search(self, run: Run) -> Candidate:
        """Run the package, with this compile answering its calls."""
        package = _import_package()
        run.scorer.narrow(int(min(run.scorer.size, _limit_examples(run.queries_left()))))
        run.start_stage("prepare", 1, "the program as it is on validation")
        await run.score_fully([run.start])
        if (
            min(run.scorer.values(run.start).values(), default=0.0)
            >= run.materials.metric.range[1]
        ):
            run.note("the program as it is has full marks on every validation example")
            return run.start
        run.start_stage("search", self.rounds, "instructions evolve from mistakes")
        bridge = _Bridge(run, self, asyncio.get_running_loop())
        try:
            await asyncio.to_thread(bridge.evolve, package)
        finally:
            bridge.stop()
            bridge.say_refusals()
        return run.best


class _Bridge:
    """What the package calls, in its own thread; the work is done on the compile's loop."""

    def __init__(self, run: Run, knobs: GEPA, loop: asyncio.AbstractEventLoop) -> None:
        self._run = run
        self._knobs = knobs
        self._loop = loop
        self._pending: Future[Any] | None = None
        self._ended: BaseException | None = None
        self._tries = 0
        self._filters: dict[str, ProposalFilter] = {}
        self._written = {path: list(texts) for path, texts in knobs.proposing.written.items()}
        self._proposer = Proposer(run, knobs.proposing, knobs.rounds)
        self._batch: type[Any] | None = None
        self._inputs = ProposerInputs(
            Demonstrations(collect_labeled(run.program, run.train), {}), ()
        )

    def evolve(self, package: Any) -> None:
        """Run the package, and raise what ends the compile, even if the package swallowed it."""
        run = self._run
        self._batch = package.EvaluationBatch
        predictors = tunable_predictors(run.program)
        try:
            package.optimize(
                seed_candidate={
                    path: predictor.signature.instruction for path, predictor in predictors.items()
                },
                trainset=[("train", index) for index in range(len(run.train))],
                valset=[("validation", index) for index in range(run.scorer.size)],
                adapter=self,
                reflection_minibatch_size=self._knobs.minibatch,
                use_merge=self._knobs.merge,
                stop_callbacks=self._should_stop,
                logger=self,
                seed=run.sampling_seed("gepa"),
            )
        except Exception:
            if self._ended is None:
                raise
        if self._ended is not None:
            raise self._ended

    def say_refusals(self) -> None:
        """Write notes on predictors for which every proposal was refused, or none was made."""
        if self._tries and not self._filters:
            self._run.note(
                "no instruction was proposed: the runs show no mistake of a single predictor; let "
                "the metric give feedback, lp.Score(value, feedback=...)"
            )
        for proposals in self._filters.values():
            proposals.refusals.say()

    def stop(self) -> None:
        """End the evolution, even while it waits for a result."""
        self._ended = self._ended or BudgetExceeded("the search was stopped")
        if self._pending is not None:
            self._pending.cancel()

    def log(self, message: str) -> None:
        """Drop the package's messages; the journal has the decisions."""

    def _should_stop(self, state: Any) -> bool:
        self._run.advance_stage("search", min(self._tries, self._knobs.rounds), self._knobs.rounds)
        next_ = 2 * self._knobs.minibatch + self._run.scorer.size
        enough = self._run.affords(next_, calls=2)
        # Rounds where everything is right propose nothing, so they need a limit of their own.
        idle = state.i > 4 * self._knobs.rounds
        return self._ended is not None or self._tries >= self._knobs.rounds or idle or not enough

    def _run_on_loop(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run ``work`` on the compile's loop, with its settings, and wait for the result."""
        if self._ended is not None:
            raise self._ended
        try:
            self._pending = asyncio.run_coroutine_threadsafe(work(), self._loop)
            result: T = self._pending.result()
            return result
        except LangprogError as error:
            # The package takes an exception for a bad proposal and goes on; this ends it.
            self._ended = error
            raise

    # --- what the package calls --------------------------------------------------------------

    def evaluate(self, batch: list[Item], candidate: Texts, capture_traces: bool = False) -> Any:
        """Return outputs, scores and rows of a candidate on a batch."""
        values = {f"{path}.instruction": text for path, text in candidate.items()}
        tried = self._run.make_candidate(values, f"generation {self._tries}")
        places = [place for _, place in batch]
        if batch and batch[0][0] == "validation":
            scores = self._run_on_loop(lambda: self._score_on_validation(tried, places))
            return self._make_result(scores, [None] * len(batch))
        rows = self._run_on_loop(lambda: self._run_on_train(tried, places))
        known = [row.score.value for row in rows if row.score is not None]
        mean = sum(known) / len(known) if known else 0.0
        scores = [mean if row.score is None else row.score.value for row in rows]
        return self._make_result(scores, list(rows))

    def _make_result(self, scores: list[float], rows: list[Row | None]) -> Any:
        assert self._batch is not None
        return self._batch(outputs=list(rows), scores=scores, trajectories=rows)

    async def _score_on_validation(
        self, candidate: Candidate, places: Sequence[int]
    ) -> list[float]:
        await self._run.score([ScoreRequest(candidate, places)])
        self._run.offer(candidate)
        values = self._run.scorer.values(candidate)
        mean = sum(values.values()) / len(values) if values else 0.0
        if len(places) == self._run.scorer.size and values:
            self._run.log_trial(candidate)
        return [values.get(place, mean) for place in places]

    async def _run_on_train(self, candidate: Candidate, places: Sequence[int]) -> tuple[Row, ...]:
        run = self._run
        job = Job(candidate.apply(run.materials.base), [run.train[place] for place in places])
        (rows,) = await run_rows([job], run.materials.metric, run.materials.concurrency)
        run.settle()
        return rows

    def make_reflective_dataset(
        self, candidate: Texts, eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, list[dict[str, Any]]]:
        """Return the mistakes of each component, as texts."""
        rows = [row for row in eval_batch.trajectories if row is not None]
        return {
            path: [
                {"mistake": text}
                for text in describe_mistakes(
                    self._run, path, self._with_feedback(path, rows), unlabelled=True
                )
            ]
            for path in components_to_update
        }

    def _with_feedback(self, path: str, rows: list[Row]) -> list[Row]:
        """Return rows with the metric's feedback on this predictor, if it gives such feedback."""
        scoring = self._run.materials.metric
        if not takes_predictor(scoring.metric):
            return rows
        told, errors = self._run_on_loop(
            lambda: with_feedback_on(path, rows, self._run.program, scoring.metric)
        )
        if errors:
            self._run.note(
                f"the metric failed when it was asked about {path}: "
                f"{type(errors[0]).__name__}: {errors[0]}"
            )
        return told

    def propose_new_texts(
        self,
        candidate: Texts,
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: list[str],
    ) -> Texts:
        """Return new instructions; the old one where no proposal is usable."""
        self._tries += 1
        return {
            path: self._propose(path, candidate[path], reflective_dataset[path])
            for path in components_to_update
        }

    def _propose(self, path: str, now: str, records: Sequence[Mapping[str, Any]]) -> str:
        mistakes = [str(record["mistake"]) for record in records]
        if not mistakes:
            return now
        if path in self._written:
            return self._written[path].pop(0) if self._written[path] else now
        run, settings, number = self._run, self._knobs.proposing, self._tries
        answer = self._run_on_loop(
            lambda: propose_improvement(run, self._proposer, settings, path, now, mistakes, number)
        )
        proposals = self._filters.get(path)
        if proposals is None:
            proposals = self._filters[path] = make_filter(run, settings, path, self._inputs)
        return proposals.filter(answer) or now


def _limit_examples(queries: float) -> float:
    """Return how many validation examples a candidate can be scored on within ``queries``."""
    return max(FEWEST_EXAMPLES, queries / (SCORED_FULLY + 2))


def _import_package() -> Any:
    try:
        import gepa  # noqa: PLC0415 - an extra that no other member needs
    except ImportError:
        raise InputError("GEPA needs the gepa package: pip install 'langprog[gepa]'") from None
    return gepa
