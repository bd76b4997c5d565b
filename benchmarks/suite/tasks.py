"""The tasks of the suite and the programs for them.

Follows: LangProBe (Tan et al., 2025), a grid of programs, optimizers, models and tasks. Differs:
every cell keeps the score of each test row, so that all comparisons are paired; tasks come from
generators as well, whose rows no model can have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import langprog as lp
from benchmarks.tasks import generated
from benchmarks.tasks.boards import GAMES, make_boards
from benchmarks.tasks.folder import data_folder, explain_missing_data
from benchmarks.tasks.generated import Task
from benchmarks.tasks.procedures import FAMILIES, make_procedures
from benchmarks.tasks.public import NAMES, load_public

# Rows of a task: demonstrations, choosing, certificate; and those that no optimizer sees.
TRAIN, VALIDATION, HOLDOUT, TEST = 60, 80, 60, 100
KNOWN = TRAIN + VALIDATION + HOLDOUT
VOTES = 3


def _world(name: str, seed: int) -> Task:
    task = generated.make_task(name, seed)
    return replace(task, data=task.data[:KNOWN], test=task.test[:TEST])


def _public(name: str, seed: int) -> Task:
    folder = data_folder()
    if folder is None:
        raise FileNotFoundError(explain_missing_data())
    return load_public(name, folder, seed, known=KNOWN, test=TEST)


TASKS: Mapping[str, Callable[[int], Task]] = MappingProxyType(
    {
        **{f"world: {name}": partial(_world, name) for name in generated.TASKS},
        **{
            f"procedure: {name}": partial(make_procedures, name, known=KNOWN, test=TEST)
            for name in FAMILIES
        },
        **{f"board: {name}": partial(make_boards, name, known=KNOWN, test=TEST) for name in GAMES},
        **{f"public: {name}": partial(_public, name) for name in NAMES},
    }
)


def _reason(task: Task) -> lp.Module | None:
    program = task.program
    return lp.ChainOfThought(program.signature) if program.predicts else None


def _vote(task: Task) -> lp.Module:
    return lp.Vote(task.program, k=VOTES)


def _answer(task: Task) -> lp.Module:
    return task.program


# A program for a task; ``None`` where the form does not fit it.
PROGRAMS: Mapping[str, Callable[[Task], lp.Module | None]] = MappingProxyType(
    {"answer": _answer, "reason": _reason, "vote": _vote}
)
# Peers run a program's predictors one after the other, and so cannot sample one several times.
FOR_PEERS = ("answer", "reason")
