"""What a proposer is shown: examples of a predictor, and the mistakes that it made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from langprog import Example
from langprog.evaluation import Row
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


def describe_mistakes(run: Run, path: str, rows: Iterable[Row]) -> list[str]:
    """Return what the predictor at ``path`` got wrong in ``rows``, one text per row."""
    signature = run.program.predictors()[path].signature
    texts = []
    for row in rows:
        if row.score is None or run.materials.metric.is_full(row.score.value):
            continue
        for step in row.trace:
            wrong = [
                name
                for name in signature.outputs
                if name in row.example
                and name in step.outputs
                and value_text(step.outputs[name]) != value_text(row.example[name])
            ]
            if step.path == path and (wrong or row.score.feedback):
                texts.append(
                    mistake_text(
                        signature, step.inputs, step.outputs, row.example, row.score.feedback
                    )
                )
                break
    return texts
