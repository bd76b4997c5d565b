"""Writes new instructions for every predictor, grounded in the program, its data and its runs.

Follows: Optimizing Instructions and Demonstrations for Multi-Stage Language Model Programs
(Opsahl-Ong et al., 2024), the grounded proposer.
Differs: each proposal sees its own examples, tip and sampling seed; some are asked for from
mistakes instead; the user's source code is never sent; every proposal passes a gate before a
call of the program is spent on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from langprog import Example, Predict, Sampling
from langprog.errors import (
    ContentFilterError,
    ContextWindowError,
    ParseError,
    TransportError,
    TruncatedError,
)
from langprog.evaluation import Row
from langprog.knobs import MOST_TOKENS, check_knobs, takes_instance, takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef, model_from
from langprog.runtime import current, in_order
from langprog.signature import SignatureSpec, choices_of
from optimizers.demos.demos import Pool, Shown, drawn, labels_of
from optimizers.evaluation.binding import Model
from optimizers.evaluation.wording import (
    MOST_EXAMPLES,
    MOST_MISTAKES,
    examples_text,
    mistake_text,
    program_text,
    task_text,
    value_text,
)
from optimizers.instructions.hygiene import Gate, Hygiene
from optimizers.instructions.signatures import (
    describe_data,
    improve_instruction,
    propose_instruction,
    without_empty,
)
from optimizers.instructions.tips import TIPS
from optimizers.run import Run


@dataclass(frozen=True, kw_only=True)
class Proposing:
    """How instructions are proposed.

    Args:
        model: The model that proposes, or its name; the ambient one if left out.
        temperature: Of all proposals but the first, which is the model's most likely one.
        max_tokens: Longest proposal, in tokens.
        from_mistakes: Share of proposals that are asked for from mistakes, where there are any.
        hygiene: What is refused.
    """

    model: str | ModelRef | LanguageModel | None = None
    temperature: float = field(default=0.9, metadata=takes_number(0, 100))
    max_tokens: int = field(default=400, metadata=takes_whole(1, MOST_TOKENS))
    from_mistakes: float = field(default=0.25, metadata=takes_number(0, 1))
    hygiene: Hygiene = field(default=Hygiene(), metadata=takes_instance(Hygiene))

    def __post_init__(self) -> None:
        check_knobs(self)


@dataclass(frozen=True, slots=True)
class Material:
    """What the proposer may look at; all of it from train.

    Args:
        pool: Demonstrations by predictor.
        rows: What the program did on training examples.
    """

    pool: Pool
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request for an instruction."""

    path: str
    number: int
    signature: SignatureSpec
    values: Mapping[str, str]


async def proposals(
    run: Run, settings: Proposing, material: Material, count: int
) -> dict[str, list[str]]:
    """Return up to ``count`` new instructions for every predictor, in a fixed order.

    Args:
        run: The search that this is a part of.
        settings: How to propose.
        material: What the proposer sees.
        count: Proposals asked for, for each predictor; the gate may let fewer in.

    Raises:
        BudgetExceeded: The budget ended first.
        AuthError, BadRequestError: The proposer's model refuses to work at all.
    """
    predictors = run.program.predictors()
    run.stage("propose", count * len(predictors), "new instructions")
    width = run.materials.concurrency
    summaries = await in_order(
        [partial(_summary, run, settings, path, material) for path in predictors], width
    )
    asks = [
        ask
        for path, summary in zip(predictors, summaries, strict=True)
        for ask in _asks(run, settings, path, summary, material, count)
    ]
    answers = await in_order([partial(_answer, run, settings, ask) for ask in asks], width)
    run.settle()
    gates = {path: gate_for(run, settings, path, material) for path in predictors}
    admitted: dict[str, list[str]] = {path: [] for path in predictors}
    for ask, answer in zip(asks, answers, strict=True):
        refusal = "no readable answer" if answer is None else gates[ask.path].refusal(answer)
        if refusal is None and answer is not None:
            admitted[ask.path].append(answer)
        else:
            run.log("refused", {"path": ask.path, "reason": refusal, "instruction": answer})
    run.step("propose", len(asks), len(asks))
    run.log("proposed", {path: list(texts) for path, texts in admitted.items()})
    return admitted


async def _summary(run: Run, settings: Proposing, path: str, material: Material) -> str:
    signature = run.program.predictors()[path].signature
    shown = _examples(run, path, material, "summary")
    if not shown:
        return ""
    values = {"examples": examples_text(signature, shown)}
    describe = describe_data()
    answer = await _said(run, settings, describe, values, "summary", path, temperature=0.0)
    return answer or ""


def _asks(
    run: Run, settings: Proposing, path: str, summary: str, material: Material, count: int
) -> list[_Ask]:
    signature = run.program.predictors()[path].signature
    mistakes = mistakes_in(run, path, material.rows)
    from_mistakes = round(count * settings.from_mistakes) if mistakes else 0
    asks = []
    for number in range(count):
        if number >= count - from_mistakes:
            some = list(mistakes)
            run.rng("mistakes", path, number).shuffle(some)
            values = {
                "task": task_text(signature),
                "current": signature.instruction,
                "mistakes": "\n\n".join(some[:MOST_MISTAKES]),
            }
            asked = improve_instruction()
        else:
            examples = _examples(run, path, material, number)
            values = {
                "program": program_text(run.program),
                "task": task_text(signature),
                "summary": summary,
                "tip": TIPS[number % len(TIPS)],
                "current": signature.instruction,
                "examples": examples_text(signature, examples),
            }
            asked = propose_instruction()
        kept = {name: text for name, text in values.items() if text}
        asks.append(_Ask(path, number, without_empty(asked, values), kept))
    return asks


async def _answer(run: Run, settings: Proposing, ask: _Ask) -> str | None:
    temperature = 0.0 if ask.number == 0 else settings.temperature
    return await _said(
        run, settings, ask.signature, ask.values, ask.number, ask.path, temperature=temperature
    )


async def _said(
    run: Run,
    settings: Proposing,
    signature: SignatureSpec,
    values: Mapping[str, str],
    number: int | str,
    path: str,
    *,
    temperature: float,
) -> str | None:
    """Ask for the one output of ``signature``; ``None`` where no usable answer came."""
    sampling = Sampling(
        temperature=temperature,
        max_tokens=settings.max_tokens,
        seed=run.sampling_seed("propose", path, number),
    )
    ask = Predict(signature, model=_model(run, settings), sampling=sampling, adapter="chat")
    (output,) = signature.outputs
    try:
        prediction = await ask.acall(**values)
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


def _model(run: Run, settings: Proposing) -> Model:
    """Return who proposes: who was asked for, else the ambient model, else the program's first."""
    if settings.model is not None:
        return model_from(settings.model, "proposing.model")
    if current().lm is not None:
        return None
    first: Model = next(iter(run.program.predictors().values())).model
    return first


def _examples(run: Run, path: str, material: Material, number: int | str) -> list[Example]:
    """Draw examples of the predictor at ``path``: labelled ones, else from good runs."""
    signature = run.program.predictors()[path].signature
    shown: list[Shown] = list(material.pool.labelled.get(path, ()))
    known = {one.source for one in shown}
    shown.extend(one for one in material.pool.traced.get(path, ()) if one.source not in known)
    picked = drawn(shown, MOST_EXAMPLES, signature, run.rng("examples", path, number))
    return by_answer(signature, [one.demo for one in picked])


def by_answer(signature: SignatureSpec, examples: Sequence[Example]) -> list[Example]:
    """Return examples with those of one answer together: what they share is then easier to see.

    Answers come in the order in which the signature lists them; where there is no such list,
    examples stay as they are.
    """
    ranks: dict[str, dict[str, int]] = {}
    for name, output in signature.outputs.items():
        choices = choices_of(output.annotation)
        if choices is not None:
            ranks[name] = {value_text(one): rank for rank, one in enumerate(choices.values())}

    def rank(example: Example) -> list[int]:
        return [
            known.get(value_text(example[name]), len(known)) if name in example else len(known)
            for name, known in ranks.items()
        ]

    return sorted(examples, key=rank)


def mistakes_in(run: Run, path: str, rows: Iterable[Row]) -> list[str]:
    """Return what the predictor at ``path`` got wrong in ``rows``, as texts."""
    signature = run.program.predictors()[path].signature
    texts = []
    for row in rows:
        if row.score is None or row.score.value >= 1.0:
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


async def improved(
    run: Run,
    settings: Proposing,
    path: str,
    current: str,
    mistakes: Sequence[str],
    number: int | str,
) -> str | None:
    """Ask for a better instruction than ``current``; ``None`` where no usable answer came.

    Args:
        run: The search that this is a part of.
        settings: How to propose.
        path: The predictor.
        current: The instruction under which the mistakes were made.
        mistakes: As :func:`mistakes_in` writes them.
        number: Names the random stream.
    """
    asked = improve_instruction()
    values = {
        "task": task_text(run.program.predictors()[path].signature),
        "current": current,
        "mistakes": "\n\n".join(mistakes[:MOST_MISTAKES]),
    }
    answer = await _said(
        run, settings, asked, values, number, path, temperature=settings.temperature
    )
    run.settle()
    return answer


def gate_for(run: Run, settings: Proposing, path: str, material: Material) -> Gate:
    """Return the gate that new instructions of the predictor at ``path`` pass."""
    signature = run.program.predictors()[path].signature
    shown = material.pool.labelled.get(path, ())
    labels = labels_of(signature, shown)
    training = [
        value_text(value)
        for example in run.train
        for name, value in example.items()
        if name not in labels
    ]
    own = [signature.instruction, task_text(signature)]
    own += [field.description for field in signature.fields]
    # An instruction may name the labels, also where the type does not.
    own += {value_text(one.demo[name]) for one in shown for name in labels if name in one.demo}
    gate = Gate(settings.hygiene, training, own)
    gate.refusal(signature.instruction)  # so that the present one counts as being in
    return gate
