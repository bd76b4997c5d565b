"""Demonstrations from the traces of runs: of the program itself, or of one that teaches it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from langprog import Example, Module, Predict
from langprog.evaluation import Row
from langprog.modules import TraceStep
from langprog.signature import SignatureSpec
from optimizers.demos.demos import SourcedDemo, Turn, has_no_secret, read_labels

# What a demonstration may lack: a teacher need not reason as its student does.
_OPTIONAL = frozenset({"reasoning"})


def collect_traced(
    program: Module, rows: Iterable[Row], teacher: Module | None = None
) -> dict[str, tuple[SourcedDemo, ...]]:
    """Return, for every predictor, what it was given and answered in ``rows``.

    Every call of a loop gives a demonstration. Where calls replace one another (equal inputs, or a
    module that retries, such as a vote), only the last counts; so it does where it shows those
    before it, as the last step of a ReAct does. An answer that failed a check, or fails a
    suggestion, or was given up for that of another attempt, does not count. Where the example has
    a field of the same name as an output, its value replaces the answer of the last call: nobody
    has labelled the calls before it.

    Args:
        program: Whose predictors the demonstrations are for.
        rows: Runs that went well.
        teacher: The program that ran, if it is another; see :func:`match_predictors`.
    """
    predictors, teachers = program.predictors(), (teacher or program).predictors()
    matches = match_predictors(program, teacher or program)
    retried = _list_retried(teacher or program)
    collected: dict[str, list[SourcedDemo]] = {path: [] for path in predictors}
    for row in rows:
        calls: dict[str, list[TraceStep]] = {}
        for step in row.trace:
            passed = step.failure is None and not step.unmet and not step.superseded
            if step.listed and passed and step.path in matches:
                calls.setdefault(step.path, []).append(step)
        for path, steps in calls.items():
            kept = steps[-1:] if path in retried else _drop_replaced(steps, teachers[path])
            for student in matches[path]:
                signature = predictors[student].signature
                demos = _make_demos(signature, kept, row.example)
                collected[student].extend(demo for demo in demos if has_no_secret(demo.demo))
    return {path: tuple(demos) for path, demos in collected.items()}


def match_predictors(program: Module, teacher: Module) -> dict[str, tuple[str, ...]]:
    """Return which predictors of ``program`` learn from each predictor of ``teacher``, by path.

    A predictor learns from the one at its own path, if that one's fields cover its own (its
    reasoning apart); else from the only one whose fields do. ``step`` and ``step.predict``, the
    predictor in a ChainOfThought, are one path.
    """
    students = program.predictors()
    teachers = {path: each.signature for path, each in teacher.predictors().items()}
    matches: dict[str, list[str]] = {}
    for path, student in students.items():
        fitting = [each for each, taught in teachers.items() if _covers(taught, student.signature)]
        alike = [each for each in fitting if _shorten(each) == _shorten(path)]
        sources = [path] if path in fitting else alike or fitting
        if len(sources) == 1:
            matches.setdefault(sources[0], []).append(path)
    return {source: tuple(paths) for source, paths in matches.items()}


def _shorten(path: str) -> str:
    return path.removesuffix(".predict")


def _covers(taught: SignatureSpec, wanted: SignatureSpec) -> bool:
    return (
        wanted.inputs.keys() <= taught.inputs.keys()
        and wanted.outputs.keys() - _OPTIONAL <= taught.outputs.keys()
    )


def _list_retried(program: Module) -> set[str]:
    paths = program.paths()
    return {
        paths[id(predictor)]
        for module in program.named_modules().values()
        if module.retries
        for predictor in module.predictors().values()
    }


def _drop_replaced(steps: Sequence[TraceStep], predictor: Predict) -> list[TraceStep]:
    """Return the steps without those that a later one repeats or contains."""
    kept: list[TraceStep] = []
    for step in reversed(steps):
        if not any(predictor.contains_call(later.inputs, step.inputs) for later in kept):
            kept.append(step)
    return kept[::-1]


def _make_demos(
    signature: SignatureSpec, steps: Sequence[TraceStep], example: Example
) -> list[SourcedDemo]:
    labels = read_labels(signature.outputs, example)
    fields = {*signature.inputs, *signature.outputs}
    demos = []
    for number, step in enumerate(steps):
        values = {
            name: value
            for name, value in {**step.inputs, **step.outputs}.items()
            if name in fields
        }
        if number == len(steps) - 1:
            values.update(labels)
        demos.append(
            SourcedDemo(Example(**values), example.digest, _name_turn(number, len(steps)))
        )
    return demos


def _name_turn(number: int, count: int) -> Turn:
    if count == 1:
        return ""
    if number == count - 1:
        return "last"
    return "middle" if number else "first"
