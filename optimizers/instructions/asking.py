"""Asks the proposer's model for a text, and takes no reply that was cut off or is only thought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from langprog import Module, Predict, Sampling
from langprog.adapters import answer_in, may_think
from langprog.errors import (
    BadRequestError,
    ContentFilterError,
    ContextWindowError,
    InputError,
    ParseError,
    TransportError,
    TruncatedError,
)
from langprog.hints import Words, with_hinted_fields
from langprog.knobs import (
    MOST_TOKENS,
    check_knobs,
    takes_instance,
    takes_number,
    takes_texts,
    takes_whole,
)
from langprog.lm import Completion, LanguageModel, ModelRef, model_from, price_in
from langprog.modules import TraceStep, record_trace
from langprog.runtime import current, model_named
from langprog.signature import SignatureSpec
from optimizers.evaluation.binding import Model
from optimizers.evaluation.candidate import tunable_predictors
from optimizers.instructions.hygiene import Hygiene
from optimizers.run import Run

# Tokens that a proposer which reasons gets on top of the longest proposal.
REASONING_TOKENS = 8192
# The largest share of what is left that this room may take, should every request use it up.
REASONING_SHARE = 0.25
# Words of other libraries, and what there is here instead.
OF_PROPOSING: Words = MappingProxyType(
    dict.fromkeys(
        ("lm", "prompt_model", "proposer", "reflection_lm", "teacher"),
        "write model=, which takes a name or an lp.LM(...)",
    )
)
CUT_OFF = "cut off at {} tokens"


@with_hinted_fields(OF_PROPOSING)
@dataclass(frozen=True, kw_only=True)
class Proposing:
    """How instructions are proposed.

    Args:
        model: The model that proposes, or its name; the ambient one if left out.
        temperature: Used for every proposal but the first, which is the model's most likely one.
        max_tokens: Longest proposal, in tokens. A model that reasons gets more room to do so.
        from_mistakes: Share of proposals that start from mistakes, where there are any.
        written: Instructions that you have written, by the path of a predictor. They are tried
            as they are, and nothing is proposed for these predictors.
        hygiene: What is refused.
    """

    model: str | ModelRef | LanguageModel | None = None
    temperature: float = field(default=0.9, metadata=takes_number(0, 100))
    max_tokens: int = field(default=400, metadata=takes_whole(1, MOST_TOKENS))
    from_mistakes: float = field(default=0.25, metadata=takes_number(0, 1))
    written: Mapping[str, Sequence[str]] = field(
        default_factory=dict, hash=False, metadata=takes_texts()
    )
    hygiene: Hygiene = field(default=Hygiene(), metadata=takes_instance(Hygiene))

    def __post_init__(self) -> None:
        check_knobs(self)

    def check(self, program: Module) -> None:
        """Refuse instructions for anything but a predictor that can be set.

        Raises:
            InputError: There is one; the message lists the predictors.
        """
        paths = tunable_predictors(program)
        for path in self.written:
            if path not in paths:
                raise InputError(
                    f"Proposing(written=...) has instructions for {path!r}, but no "
                    f"predictor of that name can be set; there are: {', '.join(paths)}"
                )


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the proposer's model answered.

    Args:
        text: The proposal; ``None`` where there is none.
        problem: Why there is none: the same words in every run.
        error: The same in full, with what the endpoint said.
    """

    text: str | None = None
    problem: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Reply:
    proposal: Proposal
    cut_off: bool = False
    reasoned: bool = False


class Proposer:
    """The model that proposes.

    It may reason before it answers, and so use up the tokens of a proposal. Such a reply is
    requested again with more room. Once that has helped, :meth:`adapt` gives all later requests
    the room from the start; between rounds only, so that no order of replies decides it.

    Args:
        run: The search that this is a part of.
        settings: How to propose.
        requests: About how many requests there will be, for a share of the budget.
    """

    def __init__(self, run: Run, settings: Proposing, requests: int) -> None:
        self._run = run
        self._settings = settings
        self._model = choose_proposer(run, settings)
        self._room = self._find_room(requests)
        self._room_helped = False
        self._starts_with_room = False

    def adapt(self) -> None:
        """Start with room from now on, if it has helped."""
        self._starts_with_room = self._room_helped

    async def ask(
        self,
        signature: SignatureSpec,
        values: Mapping[str, str],
        number: int | str,
        path: str,
        *,
        temperature: float,
    ) -> Proposal:
        """Ask for the only output of ``signature``.

        Args:
            signature: What is asked.
            values: Its inputs.
            number: Names the random stream, together with ``path``.
            path: The predictor that the proposal is for.
            temperature: How freely to sample.

        Raises:
            BudgetExceeded: The budget ended first.
            AuthError, BadRequestError: The model refuses to work at all.
        """
        seed = self._run.sampling_seed("propose", path, number)
        most = self._settings.max_tokens
        sampling = Sampling(temperature=temperature, max_tokens=most, seed=seed)
        if self._starts_with_room:
            return (await self._request(signature, values, self._with_room(sampling))).proposal
        reply = await self._request(signature, values, sampling)
        if not (reply.cut_off and reply.reasoned and self._room):
            return reply.proposal
        try:
            again = await self._request(signature, values, self._with_room(sampling))
        except BadRequestError:  # more than the endpoint allows
            return reply.proposal
        self._room_helped = self._room_helped or not again.cut_off
        return again.proposal

    def _with_room(self, sampling: Sampling) -> Sampling:
        return Sampling(max_tokens=self._settings.max_tokens + self._room).over(sampling)

    def _find_room(self, requests: int) -> int:
        """Return the tokens that reasoning may take within the budget that is left."""
        model, left = model_named(self._model), self._run.budget_left()
        price, share = price_in(model), REASONING_SHARE / max(1, requests)
        # Whoever gave the model more knows that it needs more.
        usual = (model.defaults.max_tokens or 0) - self._settings.max_tokens
        room = min(max(REASONING_TOKENS, usual), share * left.tokens)
        if price is not None and price.output:
            room = min(room, share * left.dollars * 1e6 / price.output)
        return int(room) if room >= self._settings.max_tokens else 0

    async def _request(
        self, signature: SignatureSpec, values: Mapping[str, str], sampling: Sampling
    ) -> _Reply:
        predictor = Predict(signature, model=self._model, sampling=sampling, adapter="chat")
        (output,) = signature.outputs
        most = sampling.max_tokens
        with record_trace() as trace:
            proposal, cut_off = await _read(predictor, values, output, most)
        steps = trace.steps()
        if proposal.text is not None and _is_at_limit(steps, most):
            proposal, cut_off = Proposal(None, CUT_OFF.format(most), CUT_OFF.format(most)), True
        return _Reply(proposal, cut_off or _is_still_thinking(steps), _has_reasoned(steps))


async def _read(
    predictor: Predict, values: Mapping[str, str], output: str, most: int | None
) -> tuple[Proposal, bool]:
    """Return what the model proposes, and whether its reply was cut off."""
    try:
        prediction = await predictor.acall(**values)
        return Proposal(answer_in(str(prediction[output])).strip()), False
    except TruncatedError as error:
        return Proposal(None, CUT_OFF.format(most), str(error)), True
    except ParseError as error:
        return Proposal(None, "no readable answer", str(error)), False
    except ContextWindowError as error:
        return Proposal(None, "its request is too long for the model", str(error)), False
    except ContentFilterError as error:
        return Proposal(None, "refused by a content filter", str(error)), False
    except TransportError as error:
        return Proposal(None, "no answer came", str(error)), False


def list_proposer_models(settings: Proposing) -> tuple[LanguageModel | ModelRef | str, ...]:
    """Return the model that proposes, as far as it is not one of the program's."""
    model = settings.model or current().lm
    return () if model is None else (model,)


def choose_proposer(run: Run, settings: Proposing) -> Model:
    """Return the proposer: the model in the settings, the ambient one, or the program's first."""
    if settings.model is not None:
        return model_from(settings.model, "proposing.model")
    if current().lm is not None:
        return None
    first: Model = next(iter(run.program.predictors().values())).model
    return first


def _has_reasoned(steps: tuple[TraceStep, ...]) -> bool:
    return any(_shows_reasoning(completion) for step in steps for completion in step.completions)


def _shows_reasoning(completion: Completion) -> bool:
    return (
        any(completion.reasoning)
        or completion.usage.reasoning_tokens > 0
        or may_think(completion.text)
    )


def _is_still_thinking(steps: tuple[TraceStep, ...]) -> bool:
    """Return whether the last reply ends inside its reasoning, or before it says anything."""
    if not steps or not steps[-1].completions:
        return False
    completion = steps[-1].completions[-1]
    try:
        answer = answer_in(completion.text)
    except ParseError:
        return True
    return not answer.strip() and _shows_reasoning(completion)


def _is_at_limit(steps: tuple[TraceStep, ...], most: int | None) -> bool:
    """Return whether a reply fills its limit, of an endpoint that does not say why it ended."""
    last = steps[-1].completions[-1] if steps and steps[-1].completions else None
    return (
        last is not None
        and most is not None
        and not last.finish_reasons
        and last.usage.completion_tokens >= most
    )
