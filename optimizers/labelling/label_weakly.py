"""Labels that nobody gave: from rules, and from programs that are at hand.

Such labels are for the train part of a compile alone: rows are marked ``train_only``, and whatever
certifies or compares refuses them.

Follows: Leveraging Organizational Resources to Adapt Models to New Data Modalities (Suri et al.,
2020): rules and models that are there already vote, and what they amount to is estimated;
Sinkhorn Label Allocation (Tai et al., 2021): known shares of the labels are kept to. Differs: a
voter has one chance of being right, and a label below a probability is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from langprog import Budget, Example, Module, using
from langprog.errors import InputError, SignatureError
from langprog.evaluation import InputKeys, check_inputs
from langprog.example import TRAIN_ONLY, Rows, examples_of, refuse_train_only
from langprog.interop import write_file
from langprog.knobs import check_argument, takes_number, takes_whole
from langprog.lm import Cost, LanguageModel, check_budget
from langprog.notebook import shorten
from langprog.runtime import run_sync
from langprog.signature import FieldSpec
from optimizers.events import ProgressLike
from optimizers.identity import data_digest
from optimizers.labelling.joining import join_votes
from optimizers.labelling.session import Program, load_module, record_calls
from optimizers.labelling.shares import keep_to_shares, label_key, read_shares
from optimizers.labelling.targets import WEAK, check_weak_target
from optimizers.labelling.votes import ProgramVoter, Voter, list_voters

# A field with more different votes holds texts or numbers.
MOST_LABELS = 500

# A label, how likely it is, and where it comes from.
_Label = tuple[Any, float, str]
Voting = Callable[[Example], Any | Awaitable[Any]] | Program


@dataclass(frozen=True)
class WeakLabels:
    """Rows with weak labels; ``str`` says how many, and what is thought of the voters.

    Args:
        rows: The rows with a label, marked ``train_only``.
        probabilities: How likely each label is, as estimated.
        unlabelled: How many rows have no label, as nobody voted or as it was too unlikely.
        voted: How many rows each voter voted on, by its name.
        accuracies: How often each voter is right, where it votes, as estimated.
        paid: What was paid, over all sessions.
        notes: What else there is to say.
    """

    rows: tuple[Example, ...]
    probabilities: tuple[float, ...]
    unlabelled: int
    voted: Mapping[str, int]
    accuracies: Mapping[str, float]
    paid: Cost
    notes: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the rows as JSONL; a file that holds other rows is left alone.

        Raises:
            InputError: The file cannot be written, or holds something else.
        """
        check_weak_target(path)
        lines = [
            json.dumps(to_jsonable_python(row.to_dict()), ensure_ascii=False) + "\n"
            for row in self.rows
        ]
        write_file(Path(path), "".join(lines))

    def __str__(self) -> str:
        voters = ", ".join(
            f"{name} {count:,} votes, {self.accuracies[name]:.2f} right"
            for name, count in self.voted.items()
        )
        return (
            f"{len(self.rows):,} rows with a weak label, {self.unlabelled:,} without; as "
            f"estimated: {voters}"
        )

    def __repr__(self) -> str:
        return shorten(f"WeakLabels({self})")


def label_weakly(  # noqa: PLR0913 - its options are given by name
    program: Program,
    rows: Rows,
    voters: Mapping[str, Voting],
    *,
    field: str = "",
    labelled: Rows | None = None,
    shares: Mapping[Any, float] | None = None,
    least: float = 0.7,
    budget: Budget | None = None,
    lm: LanguageModel | str | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    concurrency: int = 64,
    progress: ProgressLike | None = None,
) -> WeakLabels:
    """Label rows by rules and by programs, for the train part of a compile alone.

    Example::

        weak = optimizers.label_weakly(program, rows, {
            "words": lambda row: "billing" if "invoice" in row.ticket else None,
            "old": "old.json",
        })
        Compiler().compile(program, [*sure_rows, *weak.rows], metric=metric)

    The rows are marked ``train_only``: a compile takes them into its train part, never into
    validation or a holdout, and comparisons refuse them. A weak label certifies nothing.

    Args:
        program: The program that the labels are for, an artifact or its path.
        rows: Rows with its inputs.
        voters: Who votes, by name: a function of a row, sync or async, that returns a label, or
            ``None`` for no vote; a program with the output ``field``, an artifact or its path.
        field: The output that is labelled; may be left out where the program has one.
        labelled: Rows with labels: they tell how far each voter is to be trusted.
        shares: The share of each label among all rows, where it is known.
        least: A label that is less likely is left out.
        budget: A hard cap on all calls of programs, over all sessions.
        lm: Model for the predictors that do not name one.
        run_dir: Folder of the journal; the same call with the same folder resumes.
        concurrency: Rows that a program votes on at the same time.
        progress: Receives events, as in ``compile``.

    Raises:
        InputError: An argument is wrong, a rule raised, or a rule returned what is not of the
            field's type; names the voter and the row.
        LangprogError: A program could not vote on more than a tenth of the rows.
        ModelError: A model cannot be called, or has no price under a cap in dollars.
    """
    check_argument("label_weakly", "least", least, takes_number(0, 1))
    check_argument("label_weakly", "concurrency", concurrency, takes_whole(1))
    if budget is not None:
        check_budget(budget)
    task = _Task.of(
        load_module(program), rows, voters, field, labelled, shares, least, concurrency
    )
    with using(lm=lm):
        return run_sync(task.run(budget or Budget(), run_dir, progress))


@dataclass(frozen=True)
class _Task:
    """What is to be labelled, and by whom.

    Args:
        rows: The rows without a label.
        known: The rows with one.
        field: The output that is labelled.
        voters: Who votes, by name.
        shares: Known shares of labels, by their keys; empty if there are none.
        least: A label that is less likely is left out.
        notes: What was left out.
    """

    rows: Sequence[Example]
    known: Sequence[Example]
    field: FieldSpec
    voters: Mapping[str, Voter]
    shares: Mapping[str, float]
    least: float
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        program: Module,
        rows: Rows,
        voters: Mapping[str, Any],
        field: str,
        labelled: Rows | None,
        shares: Mapping[Any, float] | None,
        least: float,
        concurrency: int,
    ) -> _Task:
        """Check the arguments.

        Raises:
            InputError: One is wrong.
        """
        spec = _find_field(program, field)
        fresh = examples_of(rows, "the rows")
        if not fresh:
            raise InputError("there are no rows to label")
        known = [] if labelled is None else examples_of(labelled, "the labelled rows")
        check_inputs(program, fresh, lambda place, _: f"rows[{place}]")
        check_inputs(program, known, lambda place, _: f"labelled[{place}]")
        refuse_train_only(known, "the labelled rows", "labelled[{}]".format)
        for place, row in enumerate(known):
            if row.get(spec.name) is None:
                raise InputError(f"labelled[{place}] has no label: its {spec.name!r} is missing")
        keys = InputKeys(program)
        sure = {keys.of_similar(row) for row in known}
        left = [row for row in fresh if keys.of_similar(row) not in sure]
        again = len(fresh) - len(left)
        return cls(
            left,
            known,
            spec,
            list_voters(voters, spec.name, concurrency),
            {} if shares is None else read_shares(shares, spec),
            least,
            (f"{again} rows have a label already",) if again else (),
        )

    async def run(
        self,
        budget: Budget,
        run_dir: str | os.PathLike[str] | None,
        progress: ProgressLike | None,
    ) -> WeakLabels:
        """Have all vote, and join the votes."""
        asked = [*self.rows, *self.known]
        programs = [
            each.program for each in self.voters.values() if isinstance(each, ProgramVoter)
        ]
        identity = {"task": f"label-weakly {self.field.name}", "data": data_digest(asked)}
        with record_calls(
            programs, identity, budget=budget, run_dir=run_dir, progress=progress
        ) as reporter:
            for note in self.notes:
                reporter.note(note)
            if not self.known:
                reporter.note(
                    "no row has a label, so how far voters are right is guessed from where they "
                    "agree: a few labelled rows show it",
                    warning=True,
                )
            votes = {
                name: await voter.vote(asked, self.field, reporter)
                for name, voter in self.voters.items()
            }
        labels, accuracies = self._join(votes)
        rows, probabilities = [], []
        for row, label in zip(self.rows, labels, strict=True):
            if label is not None:
                value, probability, why = label
                values = {**row.to_dict(), self.field.name: value, TRAIN_ONLY: why}
                rows.append(Example(**values))
                probabilities.append(probability)
        size = len(self.rows)
        return WeakLabels(
            tuple(rows),
            tuple(probabilities),
            unlabelled=size - len(rows),
            voted={name: size - said[:size].count(None) for name, said in votes.items()},
            accuracies=accuracies,
            paid=reporter.paid(),
            notes=tuple(message.text for message in reporter.messages),
        )

    def _join(
        self, votes: Mapping[str, list[Any]]
    ) -> tuple[list[_Label | None], Mapping[str, float]]:
        """Return the label of each row, and how often each voter is right, as estimated."""
        values: dict[str, Any] = {}
        said: dict[str, list[str | None]] = {}
        for name, each in votes.items():
            said[name] = []
            for vote in each:
                key = None if vote is None else label_key(self.field, vote)
                if key is not None:
                    values.setdefault(key, vote)
                said[name].append(key)
        if len(values) > MOST_LABELS:
            raise InputError(
                f"there are {len(values):,} different votes on {self.field.name!r}: it holds "
                f"texts or numbers rather than labels, of which {MOST_LABELS} may be different"
            )
        truth = [self._truth(row, values) for row in self.known]
        joined = join_votes(said, [*[None] * len(self.rows), *truth], self.shares)
        chances = joined.chances[: len(self.rows)]
        if self.shares and self.rows:
            chances = keep_to_shares(chances, self.shares)
        labels: list[_Label | None] = []
        for place, chance in enumerate(chances):
            best = max(chance, key=chance.__getitem__)
            given = [each[place] for each in said.values() if each[place] is not None]
            # Nobody's vote is a label, however likely the others make it.
            if best not in given or chance[best] < self.least:
                labels.append(None)
                continue
            why = (
                f"{WEAK}{given.count(best)} of {len(given)} votes, probability {chance[best]:.2f}"
            )
            labels.append((values[best], chance[best], why))
        return labels, joined.accuracies

    def _truth(self, row: Example, values: dict[str, Any]) -> str:
        label = self.field.from_row(row[self.field.name])
        key = label_key(self.field, label)
        values.setdefault(key, label)
        return key


def _find_field(program: Module, field: str) -> FieldSpec:
    try:
        outputs = program.outputs
    except SignatureError:
        raise InputError(
            "the program does not say what it returns, so a label has no type: give its class a "
            'signature, as in signature = "ticket -> team"'
        ) from None
    names = [name for name in outputs if name != "reasoning"]
    if not field and len(names) == 1:
        field = names[0]
    if field not in outputs:
        what = f"the program has no output {field!r}" if field else "field is left out"
        raise InputError(f"{what}: name the output that is labelled, of {', '.join(names)}")
    return outputs[field]
