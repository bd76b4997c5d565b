"""DSPy's optimizers on a program of ours: the same fields, data, metric and model.

The peers see what ours see: train for demonstrations, and validation and holdout together for the
choice, as they keep no holdout. They run with the defaults that their authors ship.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import langprog as lp

Metric = Callable[[lp.Example, Mapping[str, Any]], float]
PEERS = ("BootstrapRS", "MIPROv2 light", "MIPROv2 medium", "GEPA light")


def compiled_peer(
    name: str,
    program: lp.Module,
    parts: tuple[Sequence[lp.Example], Sequence[lp.Example]],
    metric: Metric,
    lm: Any,
    *,
    seed: int,
    threads: int = 8,
) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Compile ``program`` with one of DSPy's optimizers and return it as a function.

    Args:
        name: One of ``PEERS``.
        program: A predictor, or a pipeline whose steps run one after the other.
        parts: Training examples, and those that steer the choice.
        metric: Score of outputs by name.
        lm: A DSPy language model; it proposes, too.
        seed: The optimizer's seed, where it takes one.
        threads: Examples in work at the same time.
    """
    import dspy  # noqa: PLC0415 - the peer is loaded where it is measured

    for noisy in ("dspy", "gepa", "optuna"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    dspy.configure(lm=lm)
    student = _module(dspy, program)
    inputs = program.input_names()
    train, steering = (
        [dspy.Example(**one.to_dict()).with_inputs(*inputs) for one in part] for part in parts
    )

    def score(example: Any, prediction: Any, trace: Any = None) -> float:
        return metric(lp.Example(**example.toDict()), prediction.toDict())

    def feedback(
        gold: Any, pred: Any, trace: Any = None, pred_name: Any = None, pred_trace: Any = None
    ) -> Any:
        value = score(gold, pred)
        wanted = {key: gold[key] for key in gold.keys() if key not in inputs}
        said = "Right." if value >= 1.0 else f"Feedback: wrong; wanted {wanted}."
        return dspy.Prediction(score=value, feedback=said)

    if name == "BootstrapRS":
        optimizer = dspy.BootstrapFewShotWithRandomSearch(metric=score, num_threads=threads)
    elif name.startswith("MIPROv2"):
        auto = name.partition(" ")[2]
        optimizer = dspy.MIPROv2(metric=score, auto=auto, num_threads=threads, seed=seed)
    else:
        optimizer = dspy.GEPA(
            metric=feedback, auto="light", reflection_lm=lm, num_threads=threads, seed=seed
        )
    # Thousands of lines of progress, on both streams.
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        best = optimizer.compile(student, trainset=train, valset=steering)

    def answer(values: Mapping[str, Any]) -> Mapping[str, Any]:
        with dspy.context(lm=lm):
            return dict(best(**{key: values[key] for key in inputs}).toDict())

    return answer


def _module(dspy: Any, program: lp.Module) -> Any:
    """Return a DSPy module with a predictor for each of ours, run in their order."""

    class Steps(dspy.Module):  # type: ignore[misc]  # DSPy has no types
        def __init__(self) -> None:
            super().__init__()
            self.names = []
            for path, predictor in program.predictors().items():
                setattr(self, path, dspy.Predict(_signature(dspy, predictor.signature)))
                self.names.append((path, tuple(predictor.inputs)))

        def forward(self, **values: Any) -> Any:
            known = dict(values)
            for path, inputs in self.names:
                known.update(getattr(self, path)(**{key: known[key] for key in inputs}).toDict())
            outputs = {key: value for key, value in known.items() if key not in values}
            return dspy.Prediction(**outputs)

    return Steps()


def _signature(dspy: Any, signature: Any) -> Any:
    fields: dict[str, Any] = {}
    for field in signature.fields:
        made = dspy.InputField if field.role == "input" else dspy.OutputField
        fields[field.name] = (field.annotation, made(desc=field.description or None))
    return dspy.Signature(fields, signature.instruction)
