"""Texts of a user's own modules evolve: code, a policy, a template.

Follows: Barbarians at the Gate: How AI is Upending Systems Research (Cheng et al., 2025; ADRS):
a model rewrites a program, a simulator scores it on workloads, and what it says of the weak spots
goes into the next rewrite. The search is GEPA's (Agrawal et al., 2025), through its authors'
package.
Differs: code runs in a sandbox (:class:`langprog.Sandbox`, :class:`langprog.Evaluator`); examples
are the workloads, and the gain is certified on workloads that the search has not seen; scores are
kept in the journal, so that a killed compile evaluates nothing twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from langprog import Module
from langprog.errors import InputError
from langprog.evaluation import Row, looks_secret
from langprog.knobs import takes_flag, takes_instance, takes_whole
from langprog.lm import LanguageModel, ModelRef
from langprog.runtime import current
from langprog.signature import signature_of
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.evaluation.candidate import Candidate, own_texts
from optimizers.evaluation.wording import MOST_MISTAKES, value_text
from optimizers.instructions.asking import Proposer, Proposing, list_proposer_models
from optimizers.instructions.refusals import Refusals
from optimizers.instructions.signatures import drop_empty_inputs
from optimizers.reflective.evolution import Evolution, Texts, forecast_evolution, import_package
from optimizers.run import Run

# Code is longer than an instruction.
MAX_TOKENS = 4000
_FENCE = re.compile(r"\A\s*```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```\s*\Z", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Evolve(Optimizer):
    """Evolve the texts that a program's own modules declare as parameters.

    A module declares them with ``own_parameters``: ``{"code": lp.Parameter("text", self.code)}``.
    Its docstring says what they are for: the proposer reads it, with the scores and the feedback
    of the metric on some training examples. A module refuses a text by raising InputError in
    ``with_own_parameters``. Code that a model wrote should run in a sandbox alone: let the module
    call ``lp.Sandbox().load(self.code)``, or score it with ``lp.Evaluator``.

    Args:
        rounds: Number of new texts to try; a budget may end it earlier.
        minibatch: Training examples on which a new text is compared with its parent.
        merge: Whether to combine texts of different ancestors.
        proposing: How a new text is requested; ``written`` has texts of your own by parameter,
            such as ``program.code``. What it says of instructions alone (``from_mistakes`` and
            ``hygiene``) is not used.
        concurrency: Number of examples processed at the same time.
    """

    needs_predictors: ClassVar[bool] = False

    rounds: int = field(default=24, metadata=takes_whole(1))
    minibatch: int = field(default=3, metadata=takes_whole(1, 10_000))
    merge: bool = field(default=False, metadata=takes_flag())
    proposing: Proposing = field(
        default=Proposing(max_tokens=MAX_TOKENS), metadata=takes_instance(Proposing)
    )

    def check(self, program: Module) -> None:
        """Refuse a program without texts to set, and a search without a model that writes them.

        Raises:
            InputError: One of them is missing.
        """
        texts = own_texts(program)
        if not texts:
            raise InputError(
                "Evolve sets the texts of your own modules, and no part that is not frozen has "
                'one: return {"code": lp.Parameter("text", self.code)} from its own_parameters'
            )
        for key in self.proposing.written:
            if key not in texts:
                raise InputError(
                    f"Proposing(written=...) has texts for {key!r}, and the program has no such "
                    f"text; there are: {', '.join(texts)}"
                )
        asks = texts.keys() - self.proposing.written.keys()
        if asks and not (self.proposing.model or current().lm or program.predictors()):
            raise InputError(
                "Evolve needs a model that writes texts: Proposing(model=...), or compile inside "
                "`with lp.using(lm=...):`"
            )

    def models_needed(self) -> tuple[LanguageModel | ModelRef | str, ...]:
        """Return the proposer."""
        return list_proposer_models(self.proposing)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return baseline, minibatches, and the accepted candidates on validation."""
        return forecast_evolution(facts, self.rounds, self.minibatch)

    async def search(self, run: Run) -> Candidate:
        """Run the package, with this compile answering its calls."""
        package = import_package("Evolve")
        return await _OwnTexts(run, self).search(package)


class _OwnTexts(Evolution):
    """The texts of a program, by the keys of their parameters."""

    def __init__(self, run: Run, knobs: Evolve) -> None:
        super().__init__(run, knobs.rounds, knobs.minibatch, knobs.merge)
        self._settings = knobs.proposing
        self._written = {key: list(texts) for key, texts in knobs.proposing.written.items()}
        # Nobody is needed who writes, where all texts are written.
        asks = own_texts(run.program).keys() - self._written.keys()
        self._proposer = Proposer(run, knobs.proposing, knobs.rounds) if asks else None
        self._texts = own_texts(run.program)
        self._tried = {key: {text} for key, text in self._texts.items()}
        self._refusals = {key: Refusals(run, key) for key in self._texts}

    def texts(self) -> Texts:
        """Return the texts of the program."""
        return dict(self._texts)

    def to_parameters(self, texts: Texts) -> dict[str, Any]:
        """Return texts as they are: their names are keys."""
        return dict(texts)

    def say_refusals(self) -> None:
        """Write notes on texts for which every proposal was refused."""
        for refusals in self._refusals.values():
            refusals.say()

    def describe(self, name: str, rows: list[Row]) -> list[str]:
        """Return the rows without full marks, the worst first."""
        scoring = self.run.materials.metric
        wrong = [
            (row.score.value, row)
            for row in rows
            if row.score is not None and not scoring.is_full(row.score.value)
        ]
        wrong.sort(key=lambda pair: pair[0])
        return [_describe(row) for _, row in wrong]

    async def propose(self, name: str, now: str, mistakes: Sequence[str]) -> str:
        """Return a new text; the old one where no proposal is usable."""
        if name in self._written:
            return self._written[name].pop(0) if self._written[name] else now
        path = name.rpartition(".")[0]
        assert self._proposer is not None
        values = {
            "purpose": _purpose(self.run.program.named_modules()[path]),
            "current": now,
            "results": "\n\n".join(mistakes[:MOST_MISTAKES]),
        }
        form = drop_empty_inputs(_rewrite_text(), values)
        answer = await self._proposer.ask(
            form,
            {key: text for key, text in values.items() if text},
            self.tries,
            name,
            temperature=self._settings.temperature,
        )
        self.run.settle()
        self._proposer.adapt()
        refusals = self._refusals[name]
        text = None if answer.text is None else take_out_of_fence(answer.text)
        reason = answer.problem if text is None else self._refuse(name, text)
        if reason is not None or text is None:
            refusals.record(reason or "no text", text, answer.error)
            return now
        refusals.admit()
        return text

    def _refuse(self, key: str, text: str) -> str | None:
        """Return why a text is not tried; ``None`` if it is."""
        if not text.strip():
            return "it is empty"
        if text in self._tried[key]:
            return "it was tried already"
        self._tried[key].add(text)
        if looks_secret(text):
            return "it holds what looks like a secret"
        try:
            self.run.program.with_parameters({key: text})
        except InputError as error:
            return f"the module refuses it: {error}"
        return None


def take_out_of_fence(text: str) -> str:
    """Return a text without a code fence around it."""
    fenced = _FENCE.match(text)
    return fenced.group(1) if fenced else text


def _rewrite_text() -> Any:
    return signature_of(
        "purpose, current, results -> text",
        "Rewrite the text so that its results get better. Give the whole new text, and nothing "
        "else.",
    )


def _purpose(module: Module) -> str:
    return " ".join((type(module).__doc__ or "").split())


def _describe(row: Row) -> str:
    outputs: Mapping[str, Any] = {} if row.prediction is None else dict(row.prediction.items())
    lines = [f"{name}: {value_text(value)}" for name, value in row.example.items()]
    lines += [f"returned {name}: {value_text(value)}" for name, value in outputs.items()]
    assert row.score is not None
    lines.append(f"score: {row.score.value:g}")
    if row.failure is not None:
        lines.append(f"failed: {value_text(row.failure.message)}")
    if row.score.feedback:
        lines.append(f"feedback: {value_text(row.score.feedback)}")
    return "\n".join(lines)
