"""What a proposer is shown: examples of a predictor, and the mistakes that it made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from langprog import Example
from langprog.evaluation import Row
from langprog.modules import TraceStep
from langprog.signature import SignatureSpec, choices_of
from optimizers.demos.demos import Demonstrations, SourcedDemo, draw_demos
from optimizers.evaluation.wording import MOST_EXAMPLES, mistake_text, value_text
from optimizers.run import Run


@dataclass(frozen=True, slots=True)
class ProposerInputs:
    """What the proposer may see; all of it comes from train.

    Args:
        demos: Demonstrations by predictor.
        rows: What the program did on training examples.
    """

    demos: Demonstrations
    rows: Sequence[Row]


def draw_examples(run: Run, path: str, inputs: ProposerInputs, number: int | str) -> list[Example]:
    """Draw examples of the predictor at ``path``: labelled ones, else from good runs.

    Args:
        run: The search that this is a part of.
        path: The predictor.
        inputs: Where the examples come from.
        number: Names the random stream.
    """
    signature = run.program.predictors()[path].signature
    demos: list[SourcedDemo] = list(inputs.demos.labeled.get(path, ()))
    known = {item.source for item in demos}
    demos.extend(item for item in inputs.demos.traced.get(path, ()) if item.source not in known)
    picked = draw_demos(demos, MOST_EXAMPLES, signature, run.rng("examples", path, number))
    return group_by_answer(signature, [item.demo for item in picked])


def group_by_answer(signature: SignatureSpec, examples: Sequence[Example]) -> list[Example]:
    """Return examples with the same answer next to each other, so that patterns stand out.

    Answers come in the order in which the signature lists them. Without such a list, examples
    keep their order.
    """
    ranks: dict[str, dict[str, int]] = {}
    for name, field in signature.outputs.items():
        choices = choices_of(field.annotation)
        if choices is not None:
            ranks[name] = {value_text(value): rank for rank, value in enumerate(choices.values())}

    def rank(example: Example) -> list[int]:
        return [
            known.get(value_text(example[name]), len(known)) if name in example else len(known)
            for name, known in ranks.items()
        ]

    return sorted(examples, key=rank)


def describe_mistakes(
    run: Run, path: str, rows: Iterable[Row], *, unlabelled: bool = False
) -> list[str]:
    """Return what the predictor at ``path`` got wrong in ``rows``, one text per row.

    Args:
        run: The search that this is a part of.
        path: The predictor.
        rows: What the program did.
        unlabelled: Whether a predictor for whose outputs there are no labels (the steps of a
            ReAct, say) counts as at fault, with its last call, where the program went wrong. Where
            the metric gives feedback, it does so anyway.
    """
    signature = run.program.predictors()[path].signature
    texts = []
    for row in rows:
        if row.score is None or run.materials.metric.is_full(row.score.value):
            continue
        steps = [step for step in row.trace if step.path == path]
        feedback = row.score.feedback
        if not signature.outputs.keys() & set(row.example):
            if steps and (unlabelled or feedback):
                texts.append(_describe_outcome(signature, steps[-1], row, feedback))
            continue
        at_fault = [step for step in steps if feedback or _is_wrong(signature, step, row)]
        if at_fault:
            step = at_fault[0]
            texts.append(mistake_text(signature, step.inputs, step.outputs, row.example, feedback))
    return texts


def _is_wrong(signature: SignatureSpec, step: TraceStep, row: Row) -> bool:
    return any(
        value_text(step.outputs[name]) != value_text(row.example[name])
        for name in signature.outputs
        if name in row.example and name in step.outputs
    )


def _describe_outcome(
    signature: SignatureSpec, step: TraceStep, row: Row, feedback: str | None
) -> str:
    """Return a call whose outputs have no labels, and how the program's answer differs."""
    lines = [mistake_text(signature, step.inputs, {}, row.example, None)]
    lines += [f"answered {name}: {value_text(value)}" for name, value in step.outputs.items()]
    if step.failure is not None:
        lines.append(f"failed: {value_text(step.failure)}")
    answer = row.prediction if row.prediction is not None else {}
    for name, value in answer.items():
        if name in row.example and value_text(value) != value_text(row.example[name]):
            lines.append(f"the program's {name}: {value_text(value)}")
            lines.append(f"wanted: {value_text(row.example[name])}")
    if row.failure is not None:
        lines.append(f"the program failed: {value_text(row.failure.message)}")
    if feedback:
        lines.append(f"feedback: {value_text(feedback)}")
    return "\n".join(lines)
