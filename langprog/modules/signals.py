"""Escalation signals: how confident a cascade is in an answer; higher is more confident.

A signal is a frozen dataclass with one method, ``answer``; its fields are plain data, so that an
artifact can store them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from langprog.errors import InputError, ModelError
from langprog.knobs import MOST_NUMBER, check_knobs, takes_number, takes_whole
from langprog.modules.around import judge_answer
from langprog.modules.base import Module
from langprog.modules.prediction import Prediction
from langprog.modules.trace import TraceStep
from langprog.modules.vote import Vote
from langprog.modules.words import dot, hash_words
from langprog.runtime import request_logprobs

__all__ = [
    "Agreement",
    "Checked",
    "Learned",
    "LogProbability",
    "Rule",
    "Signal",
    "signal_from",
    "sum_logprobs",
    "token_features",
]

SignalName = Literal["logprob", "agreement", "check", "learned"]

# Quantiles of token log-probabilities that a learned rule uses.
QUANTILES = (0.0, 0.05, 0.1, 0.25, 0.5)
# A rule's token features: those quantiles, the mean, and the log of the answer's length, which
# every endpoint reports.
TOKEN_FEATURES = len(QUANTILES) + 2


class Signal(ABC):
    """Base class of escalation signals."""

    name: ClassVar[SignalName]

    @abstractmethod
    async def answer(
        self, step: Module, place: int, inputs: Mapping[str, Any], check: Module | None
    ) -> tuple[Prediction, float]:
        """Run a step and return its answer with a confidence.

        Args:
            step: The step to run.
            place: Its index among the cascade's steps.
            inputs: Its inputs.
            check: The cascade's own judge, if it has one.
        """

    @property
    def logprobs(self) -> bool:
        """Whether it uses log-probabilities."""
        return False

    def is_ready(self, steps: int) -> bool:
        """Return whether it works for a cascade with ``steps`` steps."""
        return True

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"signal": self.name, **_to_lists(asdict(self))}  # type: ignore[call-overload]  # every member is a dataclass


@dataclass(frozen=True, slots=True)
class LogProbability(Signal):
    """The probability of a token near the least certain one.

    Follows: Language Model Cascades: Token-level Uncertainty and Beyond (Gupta et al., 2024).
    Differs: uses every token of the reply; the markers around fields are nearly certain, so low
    quantiles come from the content.

    Args:
        quantile: Which token, from the least (0) to the most certain (1).
    """

    name: ClassVar[SignalName] = "logprob"
    quantile: float = field(default=0.0, metadata=takes_number(0, 1))

    def __post_init__(self) -> None:
        check_knobs(self)

    async def answer(
        self, step: Module, place: int, inputs: Mapping[str, Any], check: Module | None
    ) -> tuple[Prediction, float]:
        """Run the step and use its log-probabilities."""
        with request_logprobs():
            answer = await step.acall(**inputs)
        return answer, math.exp(_quantile(_token_logprobs(answer.trace), self.quantile))

    @property
    def logprobs(self) -> bool:
        """Whether it uses log-probabilities: yes."""
        return True


@dataclass(frozen=True, slots=True)
class Agreement(Signal):
    """The share of several samples that give the winning answer.

    Args:
        k: Number of samples.
        temperature: As for a Vote.
    """

    name: ClassVar[SignalName] = "agreement"
    k: int = field(default=3, metadata=takes_whole(2, 10_000))
    temperature: float = field(default=0.7, metadata=takes_number(0, 100, above=True))

    def __post_init__(self) -> None:
        check_knobs(self)

    async def answer(
        self, step: Module, place: int, inputs: Mapping[str, Any], check: Module | None
    ) -> tuple[Prediction, float]:
        """Draw k samples and count."""
        vote = Vote(step, k=self.k, temperature=self.temperature)
        tally = await vote.tally(inputs, early=False)
        return tally.winner, tally.share


@dataclass(frozen=True, slots=True)
class Checked(Signal):
    """The verdict of the cascade's own ``check``: 1 or 0 for a bool, else its number."""

    name: ClassVar[SignalName] = "check"

    async def answer(
        self, step: Module, place: int, inputs: Mapping[str, Any], check: Module | None
    ) -> tuple[Prediction, float]:
        """Run the step, then the check."""
        if check is None:
            raise InputError(
                'signal="check" needs a judge: Cascade(..., check=lp.Predict("... -> ok: bool"))'
            )
        answer = await step.acall(**inputs)
        return answer, await judge_answer(check, inputs, answer)


@dataclass(frozen=True, slots=True)
class Rule:
    """A logistic rule for one step: the probability that an answer is right.

    Args:
        intercept: Log-odds if all features are 0.
        tokens: Weights of :func:`token_features`; empty if tokens are not used.
        words: Weights of hashed words of inputs and outputs: (index, weight), by index.
    """

    intercept: float = field(default=0.0, metadata=takes_number(-MOST_NUMBER))
    tokens: tuple[float, ...] = ()
    words: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        check_knobs(self)

    @property
    def logprobs(self) -> bool:
        """Whether it uses log-probabilities."""
        return any(self.tokens[:-1])

    def chance(self, features: Sequence[float], words: Mapping[int, float]) -> float:
        """Return the probability that the answer is right."""
        odds = self.intercept + dot(words, self.words)
        if self.tokens:
            odds += sum(a * b for a, b in zip(self.tokens, features, strict=True))
        return 1.0 / (1.0 + math.exp(-max(-500.0, min(500.0, odds))))


@dataclass(frozen=True, slots=True)
class Learned(Signal):
    """A learned probability that the answer is right; FrugalCascade fits its rules.

    Follows: FrugalGPT (Chen et al., 2023), a scorer of query and answer; Language Model Cascades
    (Gupta et al., 2024), quantiles of token log-probabilities as features. Differs: a logistic
    rule over hashed words and those quantiles, stored as data, so that it runs anywhere.

    Args:
        rules: One for every step of the cascade.
        buckets: Size of the hash space for words; 0 to ignore words.
    """

    name: ClassVar[SignalName] = "learned"
    rules: tuple[Rule, ...] = ()
    buckets: int = field(default=0, metadata=takes_whole(0))

    def __post_init__(self) -> None:
        check_knobs(self)

    async def answer(
        self, step: Module, place: int, inputs: Mapping[str, Any], check: Module | None
    ) -> tuple[Prediction, float]:
        """Run the step and apply its rule."""
        if place >= len(self.rules):
            raise InputError(
                f"the learned signal has {len(self.rules)} rules, none for step {place}: "
                "fit it with optimizers.FrugalCascade"
            )
        rule = self.rules[place]
        if rule.logprobs:
            with request_logprobs():
                answer = await step.acall(**inputs)
        else:
            answer = await step.acall(**inputs)
        features = token_features(answer.trace, logprobs=rule.logprobs) if rule.tokens else []
        words = hash_words({**inputs, **answer}, self.buckets) if self.buckets else {}
        return answer, rule.chance(features, words)

    def is_ready(self, steps: int) -> bool:
        """Return whether there is a rule for each step."""
        return len(self.rules) == steps

    @property
    def logprobs(self) -> bool:
        """Whether any of its rules uses log-probabilities."""
        return any(rule.logprobs for rule in self.rules)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def signal_from(value: Any) -> Signal:
    """Return a signal from its name or from :meth:`Signal.to_json`.

    Raises:
        InputError: There is no such signal, or its settings are invalid.
    """
    if isinstance(value, Signal):
        return value
    members: dict[str, type[Signal]] = {
        kind.name: kind for kind in (LogProbability, Agreement, Checked, Learned)
    }
    settings: dict[str, Any] = {"signal": value} if isinstance(value, str) else dict(value)
    member = members.get(str(settings.pop("signal", "")))
    if member is None:
        raise InputError(f"a signal must be one of {', '.join(members)}, not {value!r}")
    try:
        if member is Learned:
            settings["rules"] = tuple(_rule_from(rule) for rule in settings.get("rules", ()))
        return member(**settings)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"the signal {member.name!r} is invalid: {error}") from None


def _rule_from(data: Mapping[str, Any]) -> Rule:
    words = tuple((int(place), float(weight)) for place, weight in data["words"])
    return Rule(float(data["intercept"]), tuple(map(float, data["tokens"])), words)


def token_features(steps: Sequence[TraceStep], *, logprobs: bool = True) -> list[float]:
    """Return the token features of an answer for a learned rule.

    Args:
        steps: The calls behind the answer.
        logprobs: Whether to use log-probabilities; their features are 0 otherwise.

    Raises:
        ModelError: A model returned no log-probabilities although they are used.
    """
    length = sum(
        step.completions[-1].usage.completion_tokens for step in steps if step.completions
    )
    if not logprobs:
        return [*[0.0] * (TOKEN_FEATURES - 1), math.log1p(length)]
    logprobs_read = _token_logprobs(steps)
    quantiles = [_quantile(logprobs_read, place) for place in QUANTILES]
    mean = math.fsum(logprobs_read) / len(logprobs_read)
    return [*quantiles, mean, math.log1p(length)]


def sum_logprobs(steps: Sequence[TraceStep]) -> tuple[float, int]:
    """Return the sum of the log-probabilities of all tokens of an answer, and their number.

    Raises:
        ModelError: A model returned no log-probabilities.
    """
    logprobs = _token_logprobs(steps)
    return math.fsum(logprobs), len(logprobs)


def _token_logprobs(steps: Sequence[TraceStep]) -> list[float]:
    logprobs: list[float] = []
    for step in steps:
        if not step.completions:
            continue
        read = step.completions[-1]
        if not read.logprobs:
            raise ModelError(
                f"{read.model} returns no log-probabilities: use signal='agreement' or "
                "signal='check'"
            )
        logprobs.extend(read.logprobs[0])
    if not logprobs:
        raise InputError("no model was called, so there are no log-probabilities to read")
    return sorted(logprobs)


def _quantile(ordered: Sequence[float], place: float) -> float:
    return ordered[min(len(ordered) - 1, int(place * len(ordered)))]


def _to_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _to_lists(part) for name, part in value.items()}
    return [_to_lists(part) for part in value] if isinstance(value, (list, tuple)) else value
