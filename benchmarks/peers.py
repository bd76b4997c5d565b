"""DSPy's optimizers on a program of ours: the same fields, data, metric and model.

The peers get the same data as ours: train for demonstrations, and validation and holdout together
for choosing, as they keep no holdout. They run with their authors' defaults, except for the format
of the prompts (optionally ours), the number of errors after which they give up, and, for a number
of calls that the defaults exceed, their sizes (:class:`Cut`).
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

import langprog as lp
from langprog.adapters import Adapter
from langprog.errors import ParseError
from langprog.signature import FieldSpec, SignatureSpec

Metric = Callable[[lp.Example, Mapping[str, Any]], float]
# What MIPROv2's ``light`` comes to for one predictor with demonstrations.
LIGHT_SETS, LIGHT_INSTRUCTIONS, LIGHT_TRIALS = 6, 3, 10
# Characters of an error that are kept.
LONGEST_ERROR = 2000
PEERS = ("BootstrapRS", "MIPROv2 light", "MIPROv2 medium", "GEPA light", "SIMBA")


@dataclass(frozen=True, slots=True)
class Cut:
    """Sizes below a peer's defaults, for a number of calls that these exceed.

    Args:
        validation: Rows that a program is scored on.
        sets: BootstrapRS: sets of demonstrations that are drawn at random, beside its three.
        minibatch: MIPROv2: rows that a trial is scored on; it has as many sets and instructions
            as ``light``.
        trials: MIPROv2: trials.
        metric_calls: GEPA: programs run on a row; ``None`` for as many as ``light`` has.
        steps: SIMBA: steps, each with half of its usual rows and candidates.
        proposer: MIPROv2: another model that proposes, which is shown nothing of program and data.
    """

    validation: int
    sets: int = 16
    minibatch: int = 35
    trials: int = LIGHT_TRIALS
    metric_calls: int | None = None
    steps: int = 8
    proposer: Any = None


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """How a peer runs.

    Args:
        threads: Examples processed at the same time.
        form: An adapter of ours that renders its prompts and parses its answers: for a model that
            reads one format better than the other, to compare optimizers and not formats.
        cut: Sizes below its defaults.
    """

    threads: int = 8
    form: Adapter | None = None
    cut: Cut | None = None


def compile_peer(
    name: str,
    program: lp.Module,
    parts: tuple[Sequence[lp.Example], Sequence[lp.Example]],
    metric: Metric,
    lm: Any,
    *,
    seed: int,
    settings: PeerSettings = PeerSettings(),
) -> Answering:
    """Compile ``program`` with one of DSPy's optimizers and return it as a function.

    Args:
        name: One of ``PEERS``.
        program: A predictor, or a pipeline whose steps run one after the other.
        parts: Training examples, and examples for choosing.
        metric: Score of outputs by name.
        lm: A DSPy language model; it proposes, too.
        seed: The optimizer's seed, if it takes one.
        settings: How it runs.
    """
    import dspy  # noqa: PLC0415 - the peer is loaded where it is measured
    from dspy.utils.exceptions import (  # noqa: PLC0415 - as above
        AdapterParseError,
        ContextWindowExceededError,
    )

    for noisy in ("dspy", "gepa", "optuna"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    adapter = None if settings.form is None else _our_form(dspy, settings.form)
    cut = settings.cut
    # An unreadable reply is a wrong answer; by default, ten of them would end the compile.
    dspy.configure(lm=lm, adapter=adapter, max_errors=1_000_000)
    student = make_module(dspy, program)
    inputs = program.input_names()
    train, steering = (
        [dspy.Example(**example.to_dict()).with_inputs(*inputs) for example in part]
        for part in parts
    )

    scoring = _metrics(dspy, metric, inputs)
    optimizer = _optimizer(dspy, name, scoring, lm, seed=seed, settings=settings)
    if cut is not None:
        steering = steering[: cut.validation]
    # DSPy prints thousands of lines of progress, on both streams.
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        try:
            chooses = {"seed": seed} if name == "SIMBA" else {"valset": steering}
            best = optimizer.compile(student, trainset=train, **chooses, **_options(name, cut))
        except (AdapterParseError, ContextWindowExceededError) as error:
            # Its proposer could not parse a reply, or sent a longer prompt than the model reads,
            # which ended the compile.
            said = f"{type(error).__name__}: {error}"
            return Answering(lm, adapter, student, inputs, said[:LONGEST_ERROR])
    return Answering(lm, adapter, best, inputs)


def _metrics(
    dspy: Any, metric: Metric, inputs: Sequence[str]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return a metric in DSPy's form, and one with the right answers as feedback."""

    def score(example: Any, prediction: Any, trace: Any = None) -> float:
        return metric(lp.Example(**example.toDict()), prediction.toDict())

    def feedback(
        gold: Any, pred: Any, trace: Any = None, pred_name: Any = None, pred_trace: Any = None
    ) -> Any:
        value = score(gold, pred)
        wanted = {key: gold[key] for key in gold.keys() if key not in inputs}
        text = "Right." if value >= 1.0 else f"Feedback: wrong; wanted {wanted}."
        return dspy.Prediction(score=value, feedback=text)

    return score, feedback


def _optimizer(
    dspy: Any,
    name: str,
    metrics: tuple[Callable[..., Any], Callable[..., Any]],
    lm: Any,
    *,
    seed: int,
    settings: PeerSettings,
) -> Any:
    """Return the optimizer called ``name``; ``metrics`` are without and with feedback."""
    (score, feedback), threads, cut = metrics, settings.threads, settings.cut
    if name == "BootstrapRS":
        sets = {} if cut is None else {"num_candidate_programs": cut.sets}
        return dspy.BootstrapFewShotWithRandomSearch(metric=score, num_threads=threads, **sets)
    if name == "SIMBA":
        sizes = {} if cut is None else {"max_steps": cut.steps, "bsize": 16, "num_candidates": 3}
        return dspy.SIMBA(metric=score, num_threads=threads, **sizes)
    if name == "MIPROv2 light" and cut is not None:
        optimizer = dspy.MIPROv2(
            metric=score,
            prompt_model=cut.proposer,
            auto=None,
            num_candidates=LIGHT_SETS,
            num_threads=threads,
            seed=seed,
        )
        optimizer.num_instruct_candidates = LIGHT_INSTRUCTIONS
        return optimizer
    if name.startswith("MIPROv2"):
        auto = name.partition(" ")[2]
        return dspy.MIPROv2(metric=score, auto=auto, num_threads=threads, seed=seed)
    most = None if cut is None else cut.metric_calls
    size = {"auto": "light"} if most is None else {"max_metric_calls": most}
    return dspy.GEPA(metric=feedback, reflection_lm=lm, num_threads=threads, seed=seed, **size)


def _options(name: str, cut: Cut | None) -> dict[str, Any]:
    """Return what the compile of a peer with sizes below its defaults takes in addition."""
    if cut is None or name != "MIPROv2 light":
        return {}
    shown = cut.proposer is None
    return {
        "num_trials": cut.trials,
        "minibatch_size": cut.minibatch,
        "program_aware_proposer": shown,
        "data_aware_proposer": shown,
        "tip_aware_proposer": shown,
        "fewshot_aware_proposer": shown,
    }


@dataclass(frozen=True, slots=True)
class Answering:
    """A peer's program as a function of the inputs.

    Args:
        lm: Its model.
        adapter: DSPy's adapter; the default if ``None``.
        program: The program.
        inputs: Names of the inputs.
        error: The error that the compile ended in, so that the program is the input; else empty.
    """

    lm: Any
    adapter: Any
    program: Any
    inputs: Sequence[str]
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether the compile ended in an error."""
        return bool(self.error)

    def __call__(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the outputs by name."""
        import dspy  # noqa: PLC0415 - as above

        with dspy.context(lm=self.lm, adapter=self.adapter):
            return dict(self.program(**{key: values[key] for key in self.inputs}).toDict())


def answer_or_nothing(answer: Answering, example: lp.Example) -> Mapping[str, Any]:
    """Return a peer's outputs; none if it could not parse the reply, or asked for too much."""
    from dspy.utils.exceptions import (  # noqa: PLC0415 - as above
        AdapterParseError,
        ContextWindowExceededError,
    )

    try:
        outputs: Mapping[str, Any] = answer(example.to_dict())
    except (AdapterParseError, ContextWindowExceededError):
        return {}
    return outputs


def make_module(dspy: Any, program: lp.Module) -> Any:
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


def _our_form(dspy: Any, form: Adapter) -> Any:
    """Return an adapter of DSPy's that writes and reads prompts as an adapter of ours does."""
    from dspy.utils.exceptions import AdapterParseError  # noqa: PLC0415 - as above

    class OurForm(dspy.Adapter):  # type: ignore[misc]  # DSPy has no types
        def __call__(
            self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any
        ) -> Any:
            schema = form.response_schema(_spec(signature))
            if schema is not None:
                wanted = {"name": "outputs", "schema": dict(schema)}
                wished = {"type": "json_schema", "json_schema": wanted}
                lm_kwargs = {**lm_kwargs, "response_format": wished}
            return super().__call__(lm, lm_kwargs, signature, demos, inputs)

        def format(self, signature: Any, demos: Any, inputs: Any) -> list[dict[str, str]]:
            spec = _spec(signature)
            shown = [lp.Example(**_to_values(spec.fields, demo)) for demo in demos]
            messages = form.render(spec, shown, _to_values(tuple(spec.inputs.values()), inputs))
            return [{"role": message.role, "content": message.text} for message in messages]

        def parse(self, signature: Any, completion: str) -> dict[str, Any]:
            try:
                return form.parse(_spec(signature), lp.Completion((completion,), "dspy"))
            except ParseError as error:
                raise AdapterParseError(
                    adapter_name="OurForm",
                    signature=signature,
                    lm_response=completion,
                    message=str(error),
                ) from None

    return OurForm()


def _spec(signature: Any) -> SignatureSpec:
    inputs, outputs = signature.input_fields, signature.output_fields
    fields = (
        *(_field(name, "input", field) for name, field in inputs.items()),
        *(_field(name, "output", field) for name, field in outputs.items()),
    )
    return SignatureSpec("Peer", signature.instructions, fields)


def _field(name: str, role: Literal["input", "output"], field: Any) -> FieldSpec:
    description = field.json_schema_extra["desc"] or ""
    if description == f"${{{name}}}":  # what DSPy writes where there is none
        description = ""
    return FieldSpec(name, role, field.annotation, description)


def _to_values(fields: Sequence[FieldSpec], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of these fields, with text fields as text."""
    return {
        field.name: str(values[field.name]) if field.annotation is str else values[field.name]
        for field in fields
        if values.get(field.name) is not None
    }


def _signature(dspy: Any, signature: Any) -> Any:
    fields: dict[str, Any] = {}
    for field in signature.fields:
        make_field = dspy.InputField if field.role == "input" else dspy.OutputField
        fields[field.name] = (field.annotation, make_field(desc=field.description or None))
    return dspy.Signature(fields, signature.instruction)
