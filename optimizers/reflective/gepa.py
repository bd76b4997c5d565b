"""Instructions evolve by reflecting on what went wrong.

Follows: GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning (Agrawal et al.,
2025), through its authors' package.
Differs: its calls go through this compile's journal, budget and cache; new instructions are
requested in the proposer's own form and pass the instruction filter; a row without a score counts
as the candidate's mean and not as 0; what ships still has to pass the certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langprog import Module
from langprog.evaluation import Row, takes_predictor
from langprog.knobs import takes_flag, takes_instance, takes_whole
from langprog.lm import LanguageModel, ModelRef
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.demos.demos import Demonstrations, collect_labeled
from optimizers.evaluation.candidate import Candidate, tunable_predictors
from optimizers.instructions.asking import Proposer, Proposing, list_proposer_models
from optimizers.instructions.grounding import ProposerInputs, describe_mistakes
from optimizers.instructions.proposer import ProposalFilter, make_filter, propose_improvement
from optimizers.pruning.member import PrunedOptimizer
from optimizers.reflective.evolution import Evolution, Texts, forecast_evolution, import_package
from optimizers.reflective.feedback import with_feedback_on
from optimizers.run import Run


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
        return forecast_evolution(facts, self.rounds, self.minibatch)

    async def search(self, run: Run) -> Candidate:
        """Run the package, with this compile answering its calls."""
        package = import_package("GEPA")
        return await _Instructions(run, self).search(package)


class _Instructions(Evolution):
    """The instructions of a program's predictors, by path."""

    def __init__(self, run: Run, knobs: GEPA) -> None:
        super().__init__(run, knobs.rounds, knobs.minibatch, knobs.merge)
        self._settings = knobs.proposing
        self._filters: dict[str, ProposalFilter] = {}
        self._written = {path: list(texts) for path, texts in knobs.proposing.written.items()}
        self._proposer = Proposer(run, knobs.proposing, knobs.rounds)
        self._inputs = ProposerInputs(
            Demonstrations(collect_labeled(run.program, run.train), {}), ()
        )

    def texts(self) -> Texts:
        """Return the instructions by path."""
        predictors = tunable_predictors(self.run.program).items()
        return {path: predictor.signature.instruction for path, predictor in predictors}

    def to_parameters(self, texts: Texts) -> dict[str, Any]:
        """Return instructions by the keys of their parameters."""
        return {f"{path}.instruction": text for path, text in texts.items()}

    def say_refusals(self) -> None:
        """Write notes on predictors for which every proposal was refused, or none was made."""
        if self.tries and not self._filters:
            self.run.note(
                "no instruction was proposed: the runs show no mistake of a single predictor; let "
                "the metric give feedback, lp.Score(value, feedback=...)"
            )
        for proposals in self._filters.values():
            proposals.refusals.say()

    def describe(self, name: str, rows: list[Row]) -> list[str]:
        """Return what a predictor got wrong."""
        told = self._with_feedback(name, rows)
        return describe_mistakes(self.run, name, told, unlabelled=True)

    def _with_feedback(self, path: str, rows: list[Row]) -> list[Row]:
        """Return rows with the metric's feedback on this predictor, if it gives such feedback."""
        scoring = self.run.materials.metric
        if not takes_predictor(scoring.metric):
            return rows
        told, errors = self.on_loop(
            lambda: with_feedback_on(path, rows, self.run.program, scoring.metric)
        )
        if errors:
            self.run.note(
                f"the metric failed when it was asked about {path}: "
                f"{type(errors[0]).__name__}: {errors[0]}"
            )
        return told

    async def propose(self, name: str, now: str, mistakes: Sequence[str]) -> str:
        """Return a new instruction; the old one where no proposal is usable."""
        if name in self._written:
            return self._written[name].pop(0) if self._written[name] else now
        run, settings = self.run, self._settings
        answer = await propose_improvement(
            run, self._proposer, settings, name, now, mistakes, self.tries
        )
        proposals = self._filters.get(name)
        if proposals is None:
            proposals = self._filters[name] = make_filter(run, settings, name, self._inputs)
        return proposals.filter(answer) or now
