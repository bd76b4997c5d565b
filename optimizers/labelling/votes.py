"""Who votes on the label of a row: rules and programs."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langprog import Example, Module
from langprog.artifact import Artifact
from langprog.errors import InputError, LangprogError, SignatureError
from langprog.evaluation import aevaluate, check_inputs
from langprog.signature import FieldSpec
from optimizers.events import Reporter
from optimizers.labelling.committee import unscored
from optimizers.labelling.session import load_module

# The largest share of rows that a program may leave out because of outages.
MOST_MISSING = 0.1


class Voter(ABC):
    """Votes on rows: a label of the field's type, or ``None``."""

    @abstractmethod
    async def vote(
        self, rows: Sequence[Example], field: FieldSpec, reporter: Reporter
    ) -> list[Any]:
        """Return a vote for each row; ``None`` for no vote."""


class RuleVoter(Voter):
    """A function of a row, sync or async, that returns a label or ``None``."""

    def __init__(self, name: str, rule: Callable[[Example], Any]) -> None:
        self._name = name
        self._rule = rule

    async def vote(
        self, rows: Sequence[Example], field: FieldSpec, reporter: Reporter
    ) -> list[Any]:
        """Return its votes.

        Raises:
            InputError: It raised, or returned what is not of the field's type.
        """
        votes = []
        for place, row in enumerate(rows):
            try:
                vote = self._rule(row)
                vote = await vote if inspect.isawaitable(vote) else vote
            except Exception as error:
                raise InputError(
                    f"the voter {self._name!r} raised {type(error).__name__} on row {place}: "
                    f"{error}"
                ) from error
            if vote is not None:
                try:
                    vote = field.from_row(vote)
                except InputError as error:
                    raise InputError(
                        f"the voter {self._name!r} votes {vote!r:.40} on row {place}: {error}; "
                        "return a label, or None for no vote"
                    ) from None
            votes.append(vote)
        return votes


class ProgramVoter(Voter):
    """A program with the output that is labelled."""

    def __init__(self, name: str, program: Module, concurrency: int) -> None:
        self._name = name
        self.program = program
        self._concurrency = concurrency

    async def vote(
        self, rows: Sequence[Example], field: FieldSpec, reporter: Reporter
    ) -> list[Any]:
        """Return its votes; an unreadable reply is none, and neither is what the field lacks.

        Raises:
            LangprogError: Too many rows were lost to outages or to the budget.
        """
        check_inputs(self.program, rows, lambda place, _: f"rows[{place}]")
        advance = reporter.start_stage("search", len(rows), f"{self._name} votes")
        report = await aevaluate(
            self.program, rows, unscored, concurrency=self._concurrency, on_row=advance
        )
        lost = [row.failure for row in report.rows if row.failure and row.failure.missing]
        if len(lost) > MOST_MISSING * len(rows):
            raise LangprogError(
                f"the voter {self._name!r} could not vote on {len(lost)} of {len(rows)} rows: "
                f"{lost[0].message}"
            )
        votes: list[Any] = []
        strange: list[Any] = []
        for row in report.rows:
            vote = None if row.prediction is None else row.prediction.get(field.name)
            if vote is not None:
                try:
                    vote = field.from_row(vote)
                except InputError:
                    strange.append(vote)
                    vote = None
            votes.append(vote)
        unread = sum(row.prediction is None for row in report.rows) - len(lost)
        self._tell(reporter, len(lost), unread, strange)
        return votes

    def _tell(self, reporter: Reporter, lost: int, unread: int, strange: Sequence[Any]) -> None:
        if lost:
            reporter.note(f"{self._name} could not vote on {lost} rows (outages)", warning=True)
        if unread:
            reporter.note(f"{self._name} gave {unread} replies that cannot be read: no votes")
        if strange:
            reporter.note(
                f"{self._name} gave {len(strange)} answers that are not labels of the field, such "
                f"as {strange[0]!r:.40}: no votes",
                warning=True,
            )


def list_voters(voters: Mapping[str, Any], field: str, concurrency: int) -> dict[str, Voter]:
    """Return the voters by name.

    Raises:
        InputError: There are none, or one is neither a function nor a program with the field.
    """
    if not isinstance(voters, Mapping) or not voters:
        raise InputError("there are no voters: give a dict of functions or programs by name")
    listed: dict[str, Voter] = {}
    for name, voter in voters.items():
        if callable(voter) and not isinstance(voter, Module):
            listed[str(name)] = RuleVoter(str(name), voter)
            continue
        if not isinstance(voter, (Module, Artifact, str, os.PathLike)):
            raise InputError(
                f"the voter {name!r} is a {type(voter).__name__}: give a function of a row, a "
                "program, or the path of an artifact"
            )
        program = load_module(voter)
        try:
            outputs = tuple(program.outputs)
        except SignatureError:  # a user's module need not declare its outputs
            outputs = (field,)
        if field not in outputs:
            raise InputError(
                f"the voter {name!r} has the outputs {', '.join(outputs)}, and {field!r} is to be "
                "labelled"
            )
        listed[str(name)] = ProgramVoter(str(name), program, concurrency)
    return listed
