"""Writes new instructions for every predictor, grounded in the program, its data and its runs.

Follows: Optimizing Instructions and Demonstrations for Multi-Stage Language Model Programs
(Opsahl-Ong et al., 2024), the grounded proposer.
Differs: each proposal sees its own examples, tip and sampling seed; some proposals start from
mistakes instead; the user's source code is never sent; every proposal passes a filter before any
call of the program is spent on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from langprog import Predict, Sampling
from langprog.errors import (
    ContentFilterError,
    ContextWindowError,
    ParseError,
    TransportError,
    TruncatedError,
)
from langprog.lm import LanguageModel, ModelRef, model_from
from langprog.runtime import current, in_order
from langprog.signature import SignatureSpec
from optimizers.demos.demos import find_labels
from optimizers.evaluation.binding import Model
from optimizers.evaluation.candidate import tunable_predictors
from optimizers.evaluation.wording import (
    MOST_MISTAKES,
    examples_text,
    program_text,
    task_text,
    value_text,
)
from optimizers.instructions.grounding import ProposerInputs, describe_mistakes, draw_examples
from optimizers.instructions.hygiene import Hygiene, InstructionFilter
from optimizers.instructions.signatures import (
    describe_data,
    drop_empty_inputs,
    improve_instruction,
    propose_instruction,
)
from optimizers.instructions.tips import TIPS
from optimizers.run import Run


@dataclass(frozen=True, kw_only=True)
class Proposing:
    """How instructions are proposed.

    Args:
        model: The model that proposes, or its name; the ambient one if left out.
        temperature: Used for every proposal but the first, which is the model's most likely one.
        max_tokens: Longest proposal, in tokens.
        from_mistakes: Share of proposals that start from mistakes, where there are any.
        hygiene: What is refused.
    """

    model: str | ModelRef | LanguageModel | None = None
    temperature: float = 0.9
    max_tokens: int = 400
    from_mistakes: float = 0.25
    hygiene: Hygiene = Hygiene()


@dataclass(frozen=True, slots=True)
class _ProposalRequest:
    path: str
    number: int
    signature: SignatureSpec
    values: Mapping[str, str]


async def propose(
    run: Run, settings: Proposing, inputs: ProposerInputs, count: int
) -> dict[str, list[str]]:
    """Return up to ``count`` new instructions for every predictor, in a fixed order.

    Args:
        run: The search that this is a part of.
        settings: How to propose.
        inputs: What the proposer sees.
        count: Proposals to request for each predictor; the filter may admit fewer.

    Raises:
        BudgetExceeded: The budget ended first.
        AuthError, BadRequestError: The proposer's model refuses to work at all.
    """
    predictors = tunable_predictors(run.program)
    run.stage("propose", count * len(predictors), "new instructions")
    width = run.materials.concurrency
    summaries = await in_order(
        [partial(_summarize, run, settings, path, inputs) for path in predictors], width
    )
    requests = [
        request
        for path, summary in zip(predictors, summaries, strict=True)
        for request in _write_requests(run, settings, path, summary, inputs, count)
    ]
    answers = await in_order(
        [partial(_request_proposal, run, settings, request) for request in requests], width
    )
    run.settle()
    filters = {path: make_filter(run, settings, path, inputs) for path in predictors}
    admitted: dict[str, list[str]] = {path: [] for path in predictors}
    for request, answer in zip(requests, answers, strict=True):
        path = request.path
        reason = "no readable answer" if answer is None else filters[path].refuse(answer)
        if reason is None and answer is not None:
            admitted[path].append(answer)
        else:
            run.log("refused", {"path": path, "reason": reason, "instruction": answer})
    run.step("propose", len(requests), len(requests))
    run.log("proposed", {path: list(texts) for path, texts in admitted.items()})
    return admitted


async def _summarize(run: Run, settings: Proposing, path: str, inputs: ProposerInputs) -> str:
    signature = run.program.predictors()[path].signature
    examples = draw_examples(run, path, inputs, "summary")
    if not examples:
        return ""
    values = {"examples": examples_text(signature, examples)}
    describe = describe_data()
    answer = await _ask_proposer(run, settings, describe, values, "summary", path, temperature=0.0)
    return answer or ""


def _write_requests(
    run: Run, settings: Proposing, path: str, summary: str, inputs: ProposerInputs, count: int
) -> list[_ProposalRequest]:
    signature = run.program.predictors()[path].signature
    mistakes = describe_mistakes(run, path, inputs.rows)
    from_mistakes = round(count * settings.from_mistakes) if mistakes else 0
    requests = []
    for number in range(count):
        if number >= count - from_mistakes:
            shuffled = list(mistakes)
            run.rng("mistakes", path, number).shuffle(shuffled)
            values = {
                "task": task_text(signature),
                "current": signature.instruction,
                "mistakes": "\n\n".join(shuffled[:MOST_MISTAKES]),
            }
            form = improve_instruction()
        else:
            examples = draw_examples(run, path, inputs, number)
            values = {
                "program": program_text(run.program),
                "task": task_text(signature),
                "summary": summary,
                "tip": TIPS[number % len(TIPS)],
                "current": signature.instruction,
                "examples": examples_text(signature, examples),
            }
            form = propose_instruction()
        filled = {name: text for name, text in values.items() if text}
        requests.append(_ProposalRequest(path, number, drop_empty_inputs(form, values), filled))
    return requests


async def _request_proposal(
    run: Run, settings: Proposing, request: _ProposalRequest
) -> str | None:
    return await _ask_proposer(
        run,
        settings,
        request.signature,
        request.values,
        request.number,
        request.path,
        temperature=0.0 if request.number == 0 else settings.temperature,
    )


async def _ask_proposer(
    run: Run,
    settings: Proposing,
    signature: SignatureSpec,
    values: Mapping[str, str],
    number: int | str,
    path: str,
    *,
    temperature: float,
) -> str | None:
    """Return the only output of ``signature``; ``None`` if there is no usable answer."""
    sampling = Sampling(
        temperature=temperature,
        max_tokens=settings.max_tokens,
        seed=run.sampling_seed("propose", path, number),
    )
    model = _choose_model(run, settings)
    predictor = Predict(signature, model=model, sampling=sampling, adapter="chat")
    (output,) = signature.outputs
    try:
        prediction = await predictor.acall(**values)
    except (
        ParseError,
        TransportError,
        ContextWindowError,
        ContentFilterError,
        TruncatedError,
    ) as error:
        run.note(f"a proposal for {path} failed: {error}")
        return None
    return str(prediction[output]).strip()


def _choose_model(run: Run, settings: Proposing) -> Model:
    """Return the proposer: the model in the settings, the ambient one, or the program's first."""
    if settings.model is not None:
        return model_from(settings.model, "proposing.model")
    if current().lm is not None:
        return None
    first: Model = next(iter(run.program.predictors().values())).model
    return first


async def propose_improvement(
    run: Run,
    settings: Proposing,
    path: str,
    current: str,
    mistakes: Sequence[str],
    number: int | str,
) -> str | None:
    """Ask for a better instruction than ``current``; ``None`` if there is no usable answer.

    Args:
        run: The search that this is a part of.
        settings: How to propose.
        path: The predictor.
        current: The instruction under which the mistakes were made.
        mistakes: As :func:`describe_mistakes` writes them.
        number: Names the random stream.
    """
    values = {
        "task": task_text(run.program.predictors()[path].signature),
        "current": current,
        "mistakes": "\n\n".join(mistakes[:MOST_MISTAKES]),
    }
    answer = await _ask_proposer(
        run,
        settings,
        improve_instruction(),
        values,
        number,
        path,
        temperature=settings.temperature,
    )
    run.settle()
    return answer


def make_filter(
    run: Run, settings: Proposing, path: str, inputs: ProposerInputs
) -> InstructionFilter:
    """Return the filter for new instructions of the predictor at ``path``."""
    signature = run.program.predictors()[path].signature
    demos = inputs.demos.labeled.get(path, ())
    labels = find_labels(signature, demos)
    training = [
        value_text(value)
        for example in run.train
        for name, value in example.items()
        if name not in labels
    ]
    own = [signature.instruction, task_text(signature)]
    own += [field.description for field in signature.fields]
    # An instruction may name the labels, even where the type does not list them.
    own += {value_text(item.demo[name]) for item in demos for name in labels if name in item.demo}
    checks = InstructionFilter(settings.hygiene, training, own)
    checks.refuse(signature.instruction)  # so that the present one counts as admitted
    return checks
