"""Texts of a program that evolve through the package of GEPA's authors.

The package picks parents from the Pareto front over examples, compares on minibatches, and decides
what to accept. It runs in a thread of its own; what it calls is done on the compile's loop, with
the compile's journal, budget and cache.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from langprog.errors import BudgetExceeded, InputError, LangprogError
from langprog.evaluation import Row
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.runner import Job, run_rows
from optimizers.evaluation.scorer import ScoreRequest
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


class Evolution(ABC):
    """What the package calls, in its own thread; a subclass says which texts there are.

    Args:
        run: The search.
        rounds: How many new texts to try.
        minibatch: Training examples on which a new text is compared with its parent.
        merge: Whether to combine texts of different ancestors.
    """

    def __init__(self, run: Run, rounds: int, minibatch: int, merge: bool) -> None:
        self.run = run
        self._rounds, self._minibatch, self._merge = rounds, minibatch, merge
        self._loop = asyncio.get_running_loop()
        self._pending: Future[Any] | None = None
        self._ended: BaseException | None = None
        self._batch: type[Any] | None = None
        self.tries = 0

    # --- what is evolved ---------------------------------------------------------------------

    @abstractmethod
    def texts(self) -> Texts:
        """Return the texts of the program, by name."""

    @abstractmethod
    def to_parameters(self, texts: Texts) -> dict[str, Any]:
        """Return the parameters that texts stand for, by key."""

    @abstractmethod
    def describe(self, name: str, rows: list[Row]) -> list[str]:
        """Return what a text got wrong in rows, for the proposer."""

    @abstractmethod
    async def propose(self, name: str, now: str, mistakes: Sequence[str]) -> str:
        """Return a better text than ``now``, or ``now`` itself where none is usable."""

    @abstractmethod
    def say_refusals(self) -> None:
        """Write notes on texts for which every proposal was refused, or none was made."""

    # --- the search --------------------------------------------------------------------------

    async def search(self, package: Any) -> Candidate:
        """Let the texts evolve, and return the best candidate."""
        run = self.run
        run.scorer.narrow(int(min(run.scorer.size, limit_examples(run.queries_left()))))
        run.start_stage("prepare", 1, "the program as it is on validation")
        await run.score_fully([run.start])
        best = run.materials.metric.range[1]
        if min(run.scorer.values(run.start).values(), default=0.0) >= best:
            run.note("the program as it is has full marks on every validation example")
            return run.start
        run.start_stage("search", self._rounds, "texts evolve from mistakes")
        try:
            await asyncio.to_thread(self._evolve, package)
        finally:
            self._stop()
            self.say_refusals()
        return run.best

    def _evolve(self, package: Any) -> None:
        """Run the package, and raise what ends the compile, even if the package swallowed it."""
        run = self.run
        self._batch = package.EvaluationBatch
        try:
            package.optimize(
                seed_candidate=self.texts(),
                trainset=[("train", index) for index in range(len(run.train))],
                valset=[("validation", index) for index in range(run.scorer.size)],
                adapter=self,
                reflection_minibatch_size=self._minibatch,
                use_merge=self._merge,
                stop_callbacks=self._should_stop,
                logger=self,
                seed=run.sampling_seed("gepa"),
            )
        except Exception:
            if self._ended is None:
                raise
        if self._ended is not None:
            raise self._ended

    def _stop(self) -> None:
        """End the evolution, even while it waits for a result."""
        self._ended = self._ended or BudgetExceeded("the search was stopped")
        if self._pending is not None:
            self._pending.cancel()

    def _should_stop(self, state: Any) -> bool:
        self.run.advance_stage("search", min(self.tries, self._rounds), self._rounds)
        next_ = 2 * self._minibatch + self.run.scorer.size
        enough = self.run.affords(next_, calls=2)
        # Rounds where everything is right propose nothing, so they need a limit of their own.
        idle = state.i > 4 * self._rounds
        return self._ended is not None or self.tries >= self._rounds or idle or not enough

    def on_loop(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
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

    def log(self, message: str) -> None:  # noqa: B027 - the package has to call something
        """Drop the package's messages; the journal has the decisions."""

    def evaluate(self, batch: list[Item], candidate: Texts, capture_traces: bool = False) -> Any:
        """Return outputs, scores and rows of a candidate on a batch."""
        tried = self.run.make_candidate(self.to_parameters(candidate), f"generation {self.tries}")
        places = [place for _, place in batch]
        if batch and batch[0][0] == "validation":
            scores = self.on_loop(lambda: self._score_on_validation(tried, places))
            return self._make_result(scores, [None] * len(batch))
        rows = self.on_loop(lambda: self._run_on_train(tried, places))
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
        await self.run.score([ScoreRequest(candidate, places)])
        self.run.offer(candidate)
        values = self.run.scorer.values(candidate)
        mean = sum(values.values()) / len(values) if values else 0.0
        if len(places) == self.run.scorer.size and values:
            self.run.log_trial(candidate)
        return [values.get(place, mean) for place in places]

    async def _run_on_train(self, candidate: Candidate, places: Sequence[int]) -> tuple[Row, ...]:
        run = self.run
        job = Job(candidate.apply(run.materials.base), [run.train[place] for place in places])
        (rows,) = await run_rows([job], run.materials.metric, run.materials.concurrency)
        run.settle()
        return rows

    def make_reflective_dataset(
        self, candidate: Texts, eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, list[dict[str, Any]]]:
        """Return the mistakes of each text, as texts."""
        rows = [row for row in eval_batch.trajectories if row is not None]
        return {
            name: [{"mistake": text} for text in self.describe(name, rows)]
            for name in components_to_update
        }

    def propose_new_texts(
        self,
        candidate: Texts,
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: list[str],
    ) -> Texts:
        """Return new texts; the old one where no proposal is usable."""
        self.tries += 1
        return {
            name: self._propose(name, candidate[name], reflective_dataset[name])
            for name in components_to_update
        }

    def _propose(self, name: str, now: str, records: Sequence[Mapping[str, Any]]) -> str:
        mistakes = [str(record["mistake"]) for record in records]
        return self.on_loop(lambda: self.propose(name, now, mistakes)) if mistakes else now


def forecast_evolution(
    facts: ForecastInputs, rounds: int, minibatch: int
) -> tuple[StageForecast, ...]:
    """Return baseline, minibatches, and the accepted candidates on validation."""
    size = min(facts.validation, limit_examples(facts.queries))
    batches = 2 * rounds * minibatch
    low, high = (rounds * share * size for share in ACCEPTED)
    return (
        StageForecast("prepare", Range(size, size)),
        StageForecast(
            "search",
            Range(0.6 * batches + low, batches + high),
            Range(0.6 * rounds, rounds),
            Range(0.6 * rounds, rounds),
        ),
    )


def limit_examples(queries: float) -> float:
    """Return how many validation examples a candidate can be scored on within ``queries``."""
    return max(FEWEST_EXAMPLES, queries / (SCORED_FULLY + 2))


def import_package(member: str) -> Any:
    """Return the package.

    Raises:
        InputError: It is not installed.
    """
    try:
        import gepa  # noqa: PLC0415 - an extra that other members do not need
    except ImportError:
        raise InputError(
            f"{member} needs the gepa package: pip install 'langprog[gepa]'"
        ) from None
    return gepa
