"""Search over steps of reasoning: propose steps, score the paths, answer from the best."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from langprog.errors import ArtifactError, InputError
from langprog.knobs import check_argument, takes_number, takes_one_of, takes_whole
from langprog.modules.around import judge_answer
from langprog.modules.base import Module, with_left_out
from langprog.modules.node import AnyNode, Node, Types
from langprog.modules.prediction import Prediction
from langprog.modules.signals import sum_logprobs
from langprog.modules.step_parts import (
    FINISHED,
    LOGPROB,
    STEP,
    STEPS,
    Check,
    check_answer,
    check_judge,
    check_names,
    check_step,
    make_answer,
    make_step,
)
from langprog.modules.step_strategies import (
    STRATEGIES,
    Limits,
    Path,
    StepExplorer,
    Strategy,
    search_beam,
    search_best_first,
    search_particles,
)
from langprog.modules.tree import Parameter
from langprog.notebook import shorten
from langprog.runtime import call_in_worker, current, request_logprobs, sample_draw
from langprog.signature import Signature, SignatureSpec, signature_of

# Values that a search tries, in addition to the current ones.
WIDTHS, DEPTHS = (1, 2, 4), (2, 4, 8)


class StepSearchNode(Node):
    """A search over steps of reasoning.

    Args:
        module: Its kind.
        step: The predictor of steps.
        answer: What answers from the steps.
        judge: The judge of a path; null if log-probabilities score it.
        strategy: How paths are chosen.
        width: How many paths are kept.
        depth: Maximum number of steps.
        branch: How many next steps are proposed for a path.
        reject_below: Paths with a lower score are dropped; null for none.
        temperature: For predictors of steps without a temperature.
        resampling: Temperature of the softmax by which particles are drawn.
        seed: Decides the draws of particles.
    """

    module: Literal["StepSearch"]
    step: AnyNode
    answer: AnyNode
    judge: AnyNode | None
    strategy: Strategy
    width: int
    depth: int
    branch: int
    reject_below: float | None
    temperature: float
    resampling: float
    seed: int


class StepSearch(Module):
    r"""Search over steps of reasoning, and answer from the best path of steps.

    A predictor proposes next steps until it says that the answer is known; each path of steps is
    scored as a whole; at the end, the answer to the signature is asked once, from the best path.
    Proposals or verdicts that fail are dropped, as long as others are left.

    ``beam`` keeps the ``width`` best paths after each step. ``particles`` extends ``width`` paths
    and draws as many from them by the softmax of their scores, so that a path of low score may
    survive. ``astar`` extends the best path, wherever it is, ``width * depth`` times at most, and
    ends when a finished path is the best.

    Follows: Tree of Thoughts (Yao et al., 2023) and Self-Evaluation Guided Beam Search for
    Reasoning (Xie et al., 2023); A Probabilistic Inference Approach to Inference-Time Scaling of
    LLMs using Particle-Based Monte Carlo Methods (Puri et al., 2025); A*-Decoding
    (Chatziveroglou, 2025). Differs: steps are fields of a signature, of any length, not lines or
    tokens; a score is that of the whole path, not a sum over its steps; particles are drawn
    systematically, not independently, by the softmax of plain scores; best-first search takes the
    score for cost and estimate together, so the first finished path is the best only if scores do
    not rise from step to step.

    Example::

        import langprog as lp

        program = lp.StepSearch(
            "question -> answer: int",
            judge=lp.Predict("question, steps: list[str] -> promise: float"),
            width=1,
            branch=2,
            depth=3,
        )
        replies = iter([
            "[[step]]\n2 * 3 is 5\n[[finished]]\nfalse",
            "[[step]]\n2 * 3 is 6\n[[finished]]\ntrue",
            "[[promise]]\n0.1",
            "[[promise]]\n0.9",
            "[[answer]]\n6",
        ])
        with lp.using(lm=lp.ScriptedLM(lambda request: next(replies))):
            assert program(question="What is 2 * 3?").answer == 6

    Args:
        signature: The inputs and outputs, as for Predict.
        judge: Scores a path: a module, whose first output is a bool or a number, and which
            receives those of the inputs and ``steps`` that it takes; a function
            ``check(inputs, steps)``, perhaps async, that returns a bool or a number (a program
            with one cannot be saved); or ``"logprob"``, the probability of a token of the steps,
            as a geometric mean, which calls nothing.
        strategy: ``beam``, ``particles`` or ``astar``.
        width: How many paths are kept.
        depth: Maximum number of steps.
        branch: How many next steps are proposed for a path; by default 2, and 1 for particles.
        reject_below: Paths with a lower score are not continued; ``None``: all are.
        temperature: For predictors of steps without a temperature, or with 0.
        resampling: For ``particles``: temperature of the softmax; near 0, only the best are drawn.
        seed: For ``particles``: decides the draws.
        step: The predictor of steps: the signature's inputs and ``steps`` in, ``step`` and
            ``finished: bool`` out; made from the signature by default.
        answer: What answers: the signature's inputs and ``steps`` in, its outputs out; made from
            the signature by default.

    Raises:
        InputError: An argument is invalid.
        SignatureError: The signature is invalid or has a field ``steps``.
    """

    node: ClassVar[type[Node]] = StepSearchNode
    step: Module
    answer: Module
    judge: Module | Check | Literal["logprob"]
    width: int
    depth: int

    def __init__(  # noqa: PLR0913 - knobs, all with defaults
        self,
        signature: str | type[Signature] | SignatureSpec,
        *,
        judge: Module | Check | Literal["logprob"],
        strategy: Strategy = "beam",
        width: int = 4,
        depth: int = 6,
        branch: int | None = None,
        reject_below: float | None = None,
        temperature: float = 0.7,
        resampling: float = 0.25,
        seed: int = 0,
        step: Module | None = None,
        answer: Module | None = None,
    ) -> None:
        check_argument("StepSearch", "strategy", strategy, takes_one_of(STRATEGIES))
        check_argument("StepSearch", "branch", branch, takes_whole(1, 1000), optional=True)
        check_argument(
            "StepSearch", "reject_below", reject_below, takes_number(-1e12), optional=True
        )
        check_argument("StepSearch", "temperature", temperature, takes_number(0, 100, above=True))
        check_argument("StepSearch", "resampling", resampling, takes_number(0, above=True))
        check_argument("StepSearch", "seed", seed, takes_whole(0, 2**63))
        if strategy == "particles" and branch not in (None, 1):
            raise InputError("StepSearch(strategy='particles') proposes 1 step for each particle")
        self._signature = signature_of(signature)
        check_names(self._signature)
        self.step = check_step(step or make_step(self._signature), self._signature)
        self.answer = check_answer(answer or make_answer(self._signature), self._signature)
        self.judge = check_judge(judge)
        self.strategy: Strategy = strategy
        self.width = _check_size(width, "width")
        self.depth = _check_size(depth, "depth")
        self.branch = branch or (1 if strategy == "particles" else 2)
        self.reject_below = reject_below
        self.temperature = float(temperature)
        self.resampling = float(resampling)
        self.seed = seed

    def declared_signature(self) -> SignatureSpec:
        """Return what goes in and out."""
        return self._signature

    @property
    def retries(self) -> bool:
        """Whether a later call of a part replaces an earlier one: yes, one path is answered."""
        return True

    def own_parameters(self) -> dict[str, Parameter]:
        """Return width and depth."""
        return {"width": Parameter("k", self.width), "depth": Parameter("k", self.depth)}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with this width and depth."""
        return super().with_own_parameters(
            {
                name: _check_size(value, name) if name in ("width", "depth") else value
                for name, value in values.items()
            }
        )

    def search_space(self) -> dict[str, Sequence[int]]:
        """Return a few widths and depths to try."""
        return {"width": WIDTHS, "depth": DEPTHS}

    def calls_per_example(self) -> int:
        """Return the most calls that it makes."""
        judged = self._limits().chooses and isinstance(self.judge, Module)
        each = self.step.calls_per_example()
        if judged and isinstance(self.judge, Module):
            each += self.judge.calls_per_example()
        return self.width * self.branch * self.depth * each + self.answer.calls_per_example()

    def plain_settings(self) -> dict[str, Any]:
        """Return nothing: its node has all there is."""
        return {}

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data.

        Raises:
            ArtifactError: A function judges, which is code.
        """
        if not isinstance(self.judge, Module) and self.judge != LOGPROB:
            raise ArtifactError(
                "the judge of a StepSearch is a function, which an artifact cannot hold: make it "
                "an lp.Module whose forward takes steps and returns a score"
            )
        return {
            "module": "StepSearch",
            "step": parts["step"],
            "answer": parts["answer"],
            "judge": parts.get("judge"),
            "strategy": self.strategy,
            "width": self.width,
            "depth": self.depth,
            "branch": self.branch,
            "reject_below": self.reject_below,
            "temperature": self.temperature,
            "resampling": self.resampling,
            "seed": self.seed,
        }

    @classmethod
    def from_node(cls, node: StepSearchNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        answer = parts["answer"]
        inputs = [field for name, field in answer.inputs.items() if name != STEPS]
        return cls(
            SignatureSpec("StepSearch", "", (*inputs, *answer.outputs.values())),
            judge=parts.get("judge", LOGPROB),  # type: ignore[arg-type]  # a module, or this word
            strategy=node.strategy,
            width=node.width,
            depth=node.depth,
            branch=node.branch,
            reject_below=node.reject_below,
            temperature=node.temperature,
            resampling=node.resampling,
            seed=node.seed,
            step=parts["step"],
            answer=answer,
        )

    async def aforward(self, **inputs: Any) -> Prediction:
        """Search, then answer from the best path.

        Raises:
            InputError: An input is missing or unknown, or the judge's verdict is not a number.
            LangprogError: All first steps failed, or the answer did.
        """
        if inputs.keys() != self._signature.inputs.keys():
            inputs = with_left_out(inputs, self._signature.inputs, "the StepSearch")

        async def propose(path: Path, number: int) -> Path:
            return await self._propose(inputs, path, number)

        async def score(path: Path) -> float:
            return await self._score(inputs, path)

        explorer = StepExplorer(self._limits(), propose, score)
        if self.strategy == "beam":
            best = await search_beam(explorer)
        elif self.strategy == "particles":
            draw = current().draw
            seed = f"{self.seed} {draw.numbers if draw else ()}"
            best = await search_particles(explorer, self.resampling, seed)
        else:
            best = await search_best_first(explorer)
        last: Prediction = await self.answer.acall(**inputs, **{STEPS: list(best.steps)})
        return last

    def _limits(self) -> Limits:
        return Limits(self.width, self.depth, self.branch, self.reject_below)

    async def _propose(self, inputs: Mapping[str, Any], path: Path, number: int) -> Path:
        call = {**inputs, STEPS: list(path.steps)}
        logprob, tokens = path.logprob, path.tokens
        with sample_draw(number, self.temperature):
            if self.judge == LOGPROB and self._limits().chooses:
                with request_logprobs():
                    proposed = await self.step.acall(**call)
                total, count = sum_logprobs(proposed.trace)
                logprob, tokens = logprob + total, tokens + count
            else:
                proposed = await self.step.acall(**call)
        steps = (*path.steps, str(proposed[STEP]))
        return Path(steps, bool(proposed[FINISHED]), 0.0, logprob, tokens)

    async def _score(self, inputs: Mapping[str, Any], path: Path) -> float:
        if self.judge == LOGPROB:
            return math.exp(path.logprob / path.tokens)
        steps = list(path.steps)
        if isinstance(self.judge, Module):
            return await judge_answer(self.judge, inputs, Prediction(steps=steps))
        assert callable(self.judge)
        if inspect.iscoroutinefunction(self.judge):
            verdict = await self.judge(dict(inputs), steps)
        else:
            verdict = await call_in_worker(self.judge, dict(inputs), steps)
            verdict = await verdict if inspect.isawaitable(verdict) else verdict
        if not isinstance(verdict, (bool, int, float)) or not math.isfinite(verdict):
            raise InputError(
                f"the judge of a StepSearch returned {verdict!r:.60}: return a bool or a number"
            )
        return float(verdict)

    def __repr__(self) -> str:
        inside = f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}"
        return shorten(f"StepSearch({inside!r}, strategy={self.strategy!r}, width={self.width})")


def _check_size(value: Any, name: str) -> int:
    check_argument("StepSearch", name, value, takes_whole(1, 10_000))
    return int(value)
