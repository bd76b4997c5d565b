"""The attempts of a compile on its holdout: which one it is, before and after its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from langprog import Example
from langprog.evaluation import Objective
from optimizers.split import Inputs
from optimizers.stats.attempts import Attempt, Attempts, EarlierAttempt
from optimizers.stats.holdout_runs import HoldoutRuns


@dataclass(frozen=True)
class Keys:
    """How the examples of a holdout are told apart, and what was tried on them before.

    Args:
        exact: The key of each example: equal for equal inputs.
        similar: The key of each example: equal for inputs that are written almost alike.
        earlier: Attempts on any of these inputs in the program's lineage, by id.
    """

    exact: Sequence[str]
    similar: Sequence[str]
    earlier: Mapping[str, EarlierAttempt]

    @classmethod
    def of(cls, inputs: Inputs, holdout: Sequence[Example]) -> Keys:
        """Return the keys of a holdout."""
        return cls(
            [inputs.key(example) for example in holdout],
            [inputs.similar_key(example) for example in holdout],
            inputs.attempts_on(holdout),
        )


@dataclass
class HoldoutAttempt:
    """An attempt to certify a candidate.

    Args:
        attempts: Counts attempts.
        attempt: What is tried.
        keys: Tell the examples of the holdout apart.
        objective: What is compared.
        number: Its number, from 1.
        note: Tells the user something.
        results: What was seen, a text for each row; empty before.
    """

    attempts: Attempts
    attempt: Attempt
    keys: Keys
    objective: Objective
    number: int
    note: Callable[[str], None]
    results: Sequence[str] = field(default=(), init=False)

    def settle(self, runs: HoldoutRuns) -> int:
        """Return the number of the attempt now that its results are there."""
        keys = self.keys
        self.results = runs.list_results(keys.exact, self.objective)
        number = self.attempts.settle(
            self.attempt, keys.exact, self.results, similar=keys.similar, earlier=keys.earlier
        )
        if number != self.number:
            self.note("the same candidate had other results on this holdout before")
            for text in self.attempts.describe(number):
                self.note(text)
        self.number = number
        return number


@dataclass
class HoldoutAttempts:
    """Counts the attempts of a compile.

    Args:
        attempts: Those that are known.
        inputs: Tells examples apart, and knows the program's lineage.
        objective: What is compared.
        metric: Digest of the metric.
        note: Tells the user something.
        repeats: Runs of each example. Whoever adds runs to the same examples looks once more.
    """

    attempts: Attempts
    inputs: Inputs
    objective: Objective
    metric: str
    note: Callable[[str], None]
    repeats: int = 1
    expected: int = field(default=0, init=False)

    def expect(self, holdout: Sequence[Example]) -> int:
        """Return which attempt on a holdout there will be, and say what follows from it."""
        keys = Keys.of(self.inputs, holdout)
        self.expected = self.attempts.expect(
            keys.exact, similar=keys.similar, earlier=keys.earlier
        )
        self._describe(self.expected)
        return self.expected

    def begin(self, candidate: str, holdout: Sequence[Example]) -> HoldoutAttempt:
        """Return an attempt, remembered before anything is run.

        Args:
            candidate: Digest of the compiled program.
            holdout: The examples.
        """
        keys = Keys.of(self.inputs, holdout)
        runs = f" {self.repeats} runs" if self.repeats > 1 else ""
        attempt = Attempt.on(keys.exact, candidate, f"{self.objective} {self.metric}{runs}")
        number = self.attempts.register(
            attempt, keys.exact, similar=keys.similar, earlier=keys.earlier
        )
        if number != self.expected:
            self._describe(number)
        return HoldoutAttempt(self.attempts, attempt, keys, self.objective, number, self.note)

    def _describe(self, number: int) -> None:
        for text in self.attempts.describe(number):
            self.note(text)
