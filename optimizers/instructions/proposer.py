"""Writes new instructions for every predictor, grounded in the program, its data and its runs.

Follows: Optimizing Instructions and Demonstrations for Multi-Stage Language Model Programs
(Opsahl-Ong et al., 2024), the grounded proposer.
Differs: each proposal sees its own examples, tip and sampling seed; some proposals start from
mistakes instead; the user's source code is never sent; a proposal that was cut off is refused, and
every other one passes a filter before any call of the program is spent on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from langprog.runtime import gather_in_order
from langprog.signature import SignatureSpec
from optimizers.demos.demos import find_labels
from optimizers.evaluation.candidate import tunable_predictors
from optimizers.evaluation.wording import (
    MOST_MISTAKES,
    examples_text,
    program_text,
    task_text,
    value_text,
)
from optimizers.instructions.asking import Proposal, Proposer, Proposing
from optimizers.instructions.grounding import ProposerInputs, describe_mistakes, draw_examples
from optimizers.instructions.hygiene import InstructionFilter
from optimizers.instructions.refusals import Refusals
from optimizers.instructions.signatures import (
    describe_data,
    drop_empty_inputs,
    improve_instruction,
    propose_instruction,
)
from optimizers.instructions.tips import TIPS
from optimizers.run import Run


@dataclass(frozen=True, slots=True)
class _ProposalRequest:
    path: str
    number: int
    signature: SignatureSpec
    values: Mapping[str, str]


async def propose(
    run: Run, settings: Proposing, inputs: ProposerInputs, count: int
) -> dict[str, list[str]]:
    """Return up to ``count`` new instructions for every predictor, or those that were written.

    Args:
        run: The search that this is a part of.
        settings: How to propose.
        inputs: What the proposer sees.
        count: Proposals to request for each predictor; the filter may admit fewer.

    Raises:
        BudgetExceeded: The budget ended first.
        AuthError, BadRequestError: The proposer's model refuses to work at all.
    """
    written = {path: list(texts) for path, texts in settings.written.items()}
    predictors = [path for path in tunable_predictors(run.program) if path not in written]
    if not predictors or not count:
        return written
    run.start_stage("propose", count * len(predictors), "new instructions")
    width = run.materials.concurrency
    proposer = Proposer(run, settings, count * len(predictors))
    summaries = await gather_in_order(
        [partial(_summarize, run, proposer, path, inputs) for path in predictors], width
    )
    proposer.adapt()
    requests = [
        request
        for path, summary in zip(predictors, summaries, strict=True)
        for request in _write_requests(run, settings, path, summary, inputs, count)
    ]
    answers = await gather_in_order(
        [partial(_request_proposal, proposer, settings, request) for request in requests], width
    )
    run.settle()
    filters = {path: make_filter(run, settings, path, inputs) for path in predictors}
    admitted: dict[str, list[str]] = {path: [] for path in predictors}
    for request, answer in zip(requests, answers, strict=True):
        text = filters[request.path].filter(answer)
        if text is not None:
            admitted[request.path].append(text)
    for checks in filters.values():
        checks.refusals.say()
    run.advance_stage("propose", len(requests), len(requests))
    run.log("proposed", {path: list(texts) for path, texts in admitted.items()})
    return {**written, **admitted}


async def _summarize(run: Run, proposer: Proposer, path: str, inputs: ProposerInputs) -> str:
    signature = run.program.predictors()[path].signature
    examples = draw_examples(run, path, inputs, "summary")
    if not examples:
        return ""
    values = {"examples": examples_text(signature, examples)}
    describe = describe_data()
    answer = await proposer.ask(describe, values, "summary", path, temperature=0.0)
    if answer.text is None:
        run.note(f"no summary of the examples for {path}: {answer.error}")
    return answer.text or ""


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
    proposer: Proposer, settings: Proposing, request: _ProposalRequest
) -> Proposal:
    return await proposer.ask(
        request.signature,
        request.values,
        request.number,
        request.path,
        temperature=0.0 if request.number == 0 else settings.temperature,
    )


async def propose_improvement(
    run: Run,
    proposer: Proposer,
    settings: Proposing,
    path: str,
    current: str,
    mistakes: Sequence[str],
    number: int | str,
) -> Proposal:
    """Ask for a better instruction than ``current``.

    Args:
        run: The search that this is a part of.
        proposer: Who is asked.
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
    form = improve_instruction()
    answer = await proposer.ask(form, values, number, path, temperature=settings.temperature)
    run.settle()
    proposer.adapt()
    return answer


class ProposalFilter:
    """Decides which proposals for one predictor are tried, and counts those that are not.

    Args:
        checks: What an instruction must pass.
        refusals: Counts the others.
    """

    def __init__(self, checks: InstructionFilter, refusals: Refusals) -> None:
        self._checks = checks
        self.refusals = refusals

    def filter(self, proposal: Proposal) -> str | None:
        """Return the text of a proposal that is admitted, else ``None``."""
        text = proposal.text
        reason = proposal.problem if text is None else self._checks.refuse(text)
        if reason is None:
            self.refusals.admit()
            return text
        self.refusals.record(reason, text, proposal.error)
        return None


def make_filter(
    run: Run, settings: Proposing, path: str, inputs: ProposerInputs
) -> ProposalFilter:
    """Return the filter for proposals for the predictor at ``path``."""
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
    return ProposalFilter(checks, Refusals(run, path))
