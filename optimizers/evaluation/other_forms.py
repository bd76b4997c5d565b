"""If no reply can be parsed: testing whether another form of the prompts helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langprog import Example, Module
from langprog.adapters import ADAPTERS
from langprog.errors import ExampleError
from langprog.evaluation import FailureKind, aevaluate
from optimizers.evaluation.candidate import tunable_predictors
from optimizers.evaluation.scoring import ProgramError, Scoring

EXAMPLES, DEMOS = 5, 4


async def try_other_forms(
    program: Module,
    train: Sequence[Example],
    validation: Sequence[Example],
    scoring: Scoring,
    problem: str,
    kind: FailureKind = "parse",
) -> str:
    """Run a program with unreadable replies in other forms.

    These are another order of its outputs, demonstrations, and another adapter.

    Args:
        program: The program.
        train: Examples for demonstrations.
        validation: Examples to run it on; only the first few are used.
        scoring: Scores predictions.
        problem: What went wrong so far.
        kind: Its kind.

    Returns:
        A message that says what helps.

    Raises:
        ProgramError: None of them helps.
    """
    tried = []
    for form, values in (
        ("another order of the outputs", _choose_structures(program)),
        ("demonstrations", _choose_demos(program, train)),
        ("another adapter", _choose_adapters(program)),
    ):
        if not values:
            continue
        report = await aevaluate(
            program.with_parameters(values),
            validation[:EXAMPLES],
            scoring.metric,
            max_errors=scoring.errors,
        )
        if any(row.prediction is not None for row in report.rows):
            adapters = sorted({str(value) for value in values.values() if isinstance(value, str)})
            named = f" ({', '.join(adapters)})" if adapters else ""
            better = "answers pass their checks" if kind == "check" else "replies can be read"
            return f"{problem}; with {form}{named} {better}"
        tried.append(form)
    if kind == "check":
        also = f", nor did any with {' or '.join(tried)}" if tried else ""
        raise ProgramError(
            f"{problem}; no answer passed the checks{also}: loosen the check, make it a "
            "suggestion (level='suggest'), or try another model"
        )
    also = f", nor could they with {' or '.join(tried)}" if tried else ""
    raise ProgramError(
        f"{problem}; no reply could be read{also}: try another model, a larger max_tokens, or "
        "fewer or simpler output fields"
    )


def _choose_demos(program: Module, train: Sequence[Example]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for path, predictor in program.predictors().items():
        names = (*predictor.inputs, *predictor.outputs)
        whole = [example for example in train if all(name in example for name in names)]
        if whole and not predictor.demos:
            demos = [Example(**{name: row[name] for name in names}) for row in whole[:DEMOS]]
            try:
                program.with_parameters({f"{path}.demos": demos})
            except ExampleError:  # the rows do not fit the signature
                continue
            values[f"{path}.demos"] = demos
    return values


def _choose_structures(program: Module) -> dict[str, Any]:
    """Return, for every predictor that has one, the most promising order of its outputs."""
    values = {}
    for path, predictor in tunable_predictors(program).items():
        names = sorted(predictor.outputs)
        orders = [
            each for each in predictor.search_space().get("structure", ()) if sorted(each) == names
        ]
        if orders:
            values[f"{path}.structure"] = orders[0]
    return values


def _choose_adapters(program: Module) -> dict[str, Any]:
    """Return, for every predictor whose adapter can be set, one that it does not use."""
    values = {}
    for path, predictor in program.predictors().items():
        used = predictor.adapter_in_force().name
        # Somebody's own adapter is what the user wants.
        if "adapter" in predictor.own_parameters() and used in ADAPTERS:
            values[f"{path}.adapter"] = "chat" if used == "json" else "json"
    return values
