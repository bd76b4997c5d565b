"""The changes of a program's structure that are worth a try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from langprog import Module, Predict
from langprog.knobs import check_knobs, takes_flag, takes_number, takes_whole
from langprog.lm import Sampling, Setting, dialect_of
from langprog.modules import Structure, holds_reasoning
from langprog.runtime import model_named
from optimizers.evaluation.candidate import tunable_predictors

# Adapters that any model can be asked through, in the order in which they are tried.
ADAPTERS = ("json", "chat", "xml")
EFFORTS = ("low", "medium", "high")


@dataclass(frozen=True, kw_only=True)
class Structuring:
    """How the structure of a program is searched, before anything else is.

    Args:
        order: Whether outputs are asked for in other orders.
        reasoning: Whether a predictor may be asked to reason first, and a ChainOfThought not to.
            What the program returns stays the same: added reasoning is only in the trace, and
            reasoning that is left out is an empty text.
        adapter: Whether the adapters json, chat and xml are tried, where a reply on the first
            block could not be read.
        effort: Whether other reasoning efforts are tried, where one is set already.
        temperature: Whether temperature 0 is tried, except within votes and other repetitions.
        first_block: Validation examples on which each change is tried.
        share: Share of the budget that this may take at most; 0 leaves the structure alone.
    """

    order: bool = field(default=True, metadata=takes_flag())
    reasoning: bool = field(default=True, metadata=takes_flag())
    adapter: bool = field(default=True, metadata=takes_flag())
    effort: bool = field(default=True, metadata=takes_flag())
    temperature: bool = field(default=True, metadata=takes_flag())
    first_block: int = field(default=8, metadata=takes_whole(2, 10_000))
    share: float = field(default=0.25, metadata=takes_number(0, 0.9))

    def __post_init__(self) -> None:
        check_knobs(self)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the structure.

    Args:
        values: The parameters that it sets.
        fault: How the program is now, for the report.
        remedy: How it is with the change.
        suspect: Whether the program looks wrong even before it is run.
        for_form: Whether it changes the form of prompts and replies alone, not what is asked.
        saves: Whether replies get shorter.
        mild: Whether it rarely makes much of a difference.
    """

    values: Mapping[str, Any]
    fault: str
    remedy: str
    suspect: bool = False
    for_form: bool = False
    saves: bool = False
    mild: bool = False

    @property
    def label(self) -> str:
        """A short description: the predictors and the remedy."""
        paths = dict.fromkeys(key.rpartition(".")[0] for key in self.values)
        return f"{', '.join(paths)}: {self.remedy}"

    def join(self, other: Change) -> Change:
        """Return both changes as one."""
        return Change(
            {**self.values, **other.values},
            f"{self.fault}; {other.fault}",
            self.remedy if self.remedy == other.remedy else f"{self.remedy}; {other.remedy}",
            self.suspect and other.suspect,
        )

    def conflicts_with(self, other: Change) -> bool:
        """Return whether both set the same parameter."""
        return bool(self.values.keys() & other.values.keys())


def list_changes(program: Module, structuring: Structuring) -> list[Change]:
    """List changes of a program's structure, the most promising first.

    The order and the reasoning are changed predictor by predictor; the adapter and the sampling,
    which depend on the model more than on the task, for all predictors at once.

    Args:
        program: The program; its frozen parts are left alone.
        structuring: Which kinds of change to list.

    Raises:
        ModelError: A predictor's model is unknown.
    """
    predictors = tunable_predictors(program)
    changes = [
        change
        for path, predictor in predictors.items()
        for change in _list_structures(path, predictor, structuring)
    ]
    suspects = [change for change in changes if change.suspect]
    if len(suspects) > 1:  # each alone may gain nothing, where a later step spoils it
        together = suspects[0]
        for change in suspects[1:]:
            together = together.join(change)
        changes.append(together)
    # The sort is stable: of equals, earlier predictors come first.
    changes.sort(key=lambda change: (not change.suspect, -len(change.values)))
    if structuring.adapter:
        changes += _list_adapters(predictors)
    if structuring.effort:
        changes += _list_efforts(predictors)
    if structuring.temperature:
        changes += _list_temperatures(program, predictors)
    return changes


def _list_structures(path: str, predictor: Predict, structuring: Structuring) -> Iterator[Change]:
    asked = predictor.signature.outputs
    declared = (tuple(predictor.outputs), *predictor.search_space().get("structure", ()))
    for structure in declared:
        added = [name for name in structure if name not in asked]
        dropped = [name for name in asked if name not in structure]
        values = {f"{path}.structure": structure}
        if structure == tuple(asked):
            continue
        if added and structuring.reasoning:
            answers = " and ".join(asked)
            yield Change(values, f"{path} was asked for {answers} alone", "with reasoning first")
        elif dropped and structuring.reasoning:
            fault = f"{path} was asked to reason first"
            yield Change(values, fault, "without reasoning", saves=True)
        elif not added and not dropped and structuring.order:
            yield _reorder(path, predictor, structure)


def _reorder(path: str, predictor: Predict, structure: Structure) -> Change:
    """Return the change to another order of the same outputs."""
    asked = predictor.signature.outputs
    # The first output that moves forward, and what came before it.
    moved = next(name for name, old in zip(structure, asked, strict=True) if name != old)
    before = list(asked)[: list(asked).index(moved)]
    passed = [name for name in before if structure.index(name) > structure.index(moved)]
    return Change(
        {f"{path}.structure": structure},
        f"{path} was asked for {' and '.join(passed)} before {moved}",
        f"asked for {moved} first",
        suspect=holds_reasoning(asked[moved]),
    )


def _list_adapters(predictors: Mapping[str, Predict]) -> Iterator[Change]:
    used = {path: each.adapter_in_force().name for path, each in predictors.items()}
    for name in ADAPTERS:
        others = [path for path in used if used[path] in ADAPTERS and used[path] != name]
        if others:
            before = " and ".join(sorted({used[path] for path in others}))
            yield Change(
                {f"{path}.adapter": name for path in others},
                f"prompts were written by the adapter {before}",
                f"written by {name}",
                for_form=True,
            )


def _list_efforts(predictors: Mapping[str, Predict]) -> Iterator[Change]:
    settings = {path: _sampling_in_force(each) for path, each in predictors.items()}
    efforts = {
        path: str(sampling.reasoning_effort)
        for path, sampling in settings.items()
        if sampling.reasoning_effort is not None and _takes(predictors[path], "reasoning_effort")
    }
    for effort in EFFORTS:
        others = [path for path, now in efforts.items() if now != effort]
        if others:
            before = sorted({efforts[path] for path in others})
            sampling = {
                path: replace(predictors[path].sampling, reasoning_effort=effort)
                for path in others
            }
            yield Change(
                {f"{path}.sampling": value for path, value in sampling.items()},
                f"the reasoning effort was {' and '.join(before)}",
                f"at effort {effort}",
                saves=all(_is_lower(effort, now) for now in before),
            )


def _is_lower(effort: str, other: str) -> bool:
    known = effort in EFFORTS and other in EFFORTS
    return known and EFFORTS.index(effort) < EFFORTS.index(other)


def _list_temperatures(program: Module, predictors: Mapping[str, Predict]) -> Iterator[Change]:
    modules = program.named_modules()
    repeated = [path for path, module in modules.items() if module.retries]
    if program.root_name() in repeated:
        return
    inside = tuple(f"{path}{mark}" for path in repeated for mark in ".[")
    others = {
        path: predictor
        for path, predictor in predictors.items()
        if path not in repeated
        and not path.startswith(inside)
        and _sampling_in_force(predictor).temperature != 0
        and _takes(predictor, "temperature")
    }
    if others:
        yield Change(
            {
                f"{path}.sampling": replace(predictor.sampling, temperature=0.0)
                for path, predictor in others.items()
            },
            "the temperature was not 0",
            "at temperature 0",
            mild=True,
        )


def _sampling_in_force(predictor: Predict) -> Sampling:
    return predictor.sampling.over(model_named(predictor.model).defaults)


def _takes(predictor: Predict, setting: Setting) -> bool:
    dialect = dialect_of(model_named(predictor.model))
    return dialect is None or setting not in dialect.refused
