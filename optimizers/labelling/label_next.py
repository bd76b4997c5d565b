"""Choose which rows people should label next.

Several answers to a row are compared: samples of one program, or the answers of several programs.
Where they differ, a label tells most. Rows that are like each other, or like labelled ones, are
not chosen twice; and a part is drawn at random, as what was chosen proves nothing.

Follows: query by committee (Seung et al., 1992) with the disagreement of pairs. Differs: an
answer may be text, and texts differ by the words that they do not share; a batch is made diverse
greedily, by discounting rows that are like one that is labelled or chosen already.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from langprog import Budget, Example, Module, using
from langprog.errors import InputError, LangprogError, SignatureError
from langprog.evaluation import InputKeys, check_inputs
from langprog.example import Rows, examples_of
from langprog.knobs import check_argument, takes_number, takes_one_of, takes_whole
from langprog.lm import LanguageModel, check_budget
from langprog.runtime import run_sync
from optimizers.events import ProgressLike, Reporter
from optimizers.identity import data_digest, random_stream
from optimizers.labelling.choice import DRAWN, LabelChoice, RowToLabel, choose_batch
from optimizers.labelling.committee import Answers, Committee
from optimizers.labelling.nearness import Nearness
from optimizers.labelling.session import Program, load_module, record_calls

Pool = Literal["random", "near"]

SAMPLES = 4
# Rows that are asked about, for each row that is to be chosen.
POOL_PER_ROW = 5
# How many neighbours of a labelled row are in the pool.
NEIGHBOURS = 20


def label_next(  # noqa: PLR0913 - its options are given by name
    program: Program,
    unlabelled: Rows,
    n: int = 50,
    *,
    labelled: Rows | None = None,
    candidates: Sequence[Program] = (),
    samples: int | None = None,
    temperature: float = 0.7,
    on: Sequence[str] = (),
    pool: int | None = None,
    pool_from: Pool = "random",
    random_share: float = 0.5,
    budget: Budget | None = None,
    lm: LanguageModel | str | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    concurrency: int = 64,
    progress: ProgressLike | None = None,
) -> LabelChoice:
    """Choose which rows to label next, for a compile or for a judge.

    Example::

        choice = optimizers.label_next(program, rows, 50, budget=lp.Budget(calls=1000))
        choice.save("to_label.jsonl")

    Half of the rows are chosen where answers differ; in the file they are marked ``train_only``,
    and a compile takes them into its train part alone. The others are drawn at random: they may
    be used for validation, for a holdout and for ``lp.estimate_mean``, too.

    Args:
        program: The program that the labels are for, an artifact or its path.
        unlabelled: Rows with its inputs, and without its outputs.
        n: How many rows to choose.
        labelled: Rows that have labels already: what is like them is not chosen again.
        candidates: More programs, whose answers are compared with those of ``program``.
        samples: Samples of each program; by default 4, or 1 if there are several programs, which
            are run as they are then.
        temperature: Of samples, for predictors without a temperature.
        on: Outputs to compare; by default all but ``reasoning``.
        pool: How many rows are asked about; by default 5 for each row that is chosen.
        pool_from: Which rows: ``random``, or those that are ``near`` a labelled one, as SEALS
            does (Coleman et al., 2022), which pays where few rows of a big file matter.
        random_share: Share of the ``n`` rows that is drawn at random.
        budget: A hard cap on all calls, over all sessions.
        lm: Model for the predictors that do not name one.
        run_dir: Folder of the journal; the same call with the same folder resumes, and pays for
            nothing twice.
        seed: All random decisions derive from it.
        concurrency: Answers that are asked for at the same time.
        progress: Receives events, as in ``compile``.

    Returns:
        The rows, with why each was chosen.

    Raises:
        InputError: An argument is wrong: there are no rows or too few, a row is labelled already
            or lacks an input, or there is nothing to compare.
        LangprogError: Too few rows were answered, because of an outage or as the budget ended;
            the journal keeps what was paid.
        ModelError: A model cannot be called, or has no price under a cap in dollars.
        AuthError: An endpoint does not accept the key.
    """
    for name, value, rule in (
        ("n", n, takes_whole(1)),
        ("samples", 1 if samples is None else samples, takes_whole(1, 1000)),
        ("temperature", temperature, takes_number(0, 100, above=True)),
        ("pool", 1 if pool is None else pool, takes_whole(1)),
        ("pool_from", pool_from, takes_one_of(("random", "near"))),
        ("random_share", random_share, takes_number(0, 1)),
        ("seed", seed, takes_whole(0, 2**63)),
        ("concurrency", concurrency, takes_whole(1)),
    ):
        check_argument("label_next", name, value, rule)
    if budget is not None:
        check_budget(budget)
    programs = [load_module(each) for each in (program, *candidates)]
    if samples is None:
        samples = SAMPLES if len(programs) == 1 else 1
    if samples * len(programs) < 2:
        raise InputError(
            "one answer to a row cannot disagree: give samples=2 or more, or candidates"
        )
    committee = Committee(programs, samples, temperature, concurrency)
    wanted = _Wanted(n, pool, pool_from, random_share, tuple(on), seed)
    task = _Task.of(committee, unlabelled, labelled, wanted)
    with using(lm=lm):
        return run_sync(task.run(budget or Budget(), run_dir, progress))


@dataclass(frozen=True)
class _Wanted:
    """How many rows are wanted and out of which, as for :func:`label_next`."""

    n: int
    pool: int | None
    pool_from: Pool
    random_share: float
    on: tuple[str, ...]
    seed: int

    def draw(self, places: Sequence[int]) -> list[int]:
        """Draw rows at random."""
        rng = random_stream(self.seed, "label-next", "random")
        return rng.sample(places, round(self.n * self.random_share))

    def choose_pool(self, places: Sequence[int], near: Sequence[int], count: int) -> list[int]:
        """Return the rows that are asked about, in order: those that are near come first."""
        if not count:
            return []
        size = max(count, POOL_PER_ROW * count if self.pool is None else self.pool)
        order = random_stream(self.seed, "label-next", "pool").sample(places, len(places))
        return list(dict.fromkeys((*near, *order)))[:size]


@dataclass(frozen=True)
class _Task:
    """What is to be chosen from.

    Args:
        committee: Who is asked.
        wanted: How many rows are wanted.
        rows: All rows: unlabelled ones first.
        size: How many are unlabelled.
        drawn: Places of those that are drawn at random.
        pool: Places of the rows that are asked about, in order.
        nearness: Compares the rows.
        notes: What was left out.
    """

    committee: Committee
    wanted: _Wanted
    rows: Sequence[Example]
    size: int
    drawn: Sequence[int]
    pool: Sequence[int]
    nearness: Nearness
    notes: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many rows are chosen rather than drawn."""
        return self.wanted.n - len(self.drawn)

    @classmethod
    def of(
        cls,
        committee: Committee,
        unlabelled: Rows,
        labelled: Rows | None,
        wanted: _Wanted,
    ) -> _Task:
        """Check the rows, and decide which are asked about.

        Raises:
            InputError: They cannot be used.
        """
        program = committee.programs[0]
        fresh = examples_of(unlabelled, "the unlabelled rows")
        if not fresh:
            raise InputError("there are no unlabelled rows to choose from")
        known = [] if labelled is None else examples_of(labelled, "the labelled rows")
        for each in committee.programs:
            check_inputs(each, fresh, lambda place, _: f"unlabelled[{place}]")
        check_inputs(program, known, lambda place, _: f"labelled[{place}]")
        _check_outputs(program, fresh, wanted.on)
        places, notes = _find_open(program, fresh, known)
        if len(places) < wanted.n:
            left = f" ({'; '.join(notes)})" if notes else ""
            raise InputError(
                f"{wanted.n} rows are to be chosen, and there are {len(places)} to choose "
                f"from{left}: give more rows, or a smaller n"
            )
        rows = [*fresh, *known]
        nearness = Nearness(program, rows)
        drawn = wanted.draw(places)
        rest = sorted({*places} - {*drawn})
        near: Sequence[int] = ()
        if wanted.pool_from == "near":
            if not known:
                raise InputError(
                    "pool_from='near' asks about rows that are near labelled ones: give labelled"
                )
            near = nearness.find_neighbours(range(len(fresh), len(rows)), rest, NEIGHBOURS)
        asked = wanted.choose_pool(rest, near, wanted.n - len(drawn))
        return cls(committee, wanted, rows, len(fresh), drawn, asked, nearness, tuple(notes))

    async def run(
        self,
        budget: Budget,
        run_dir: str | os.PathLike[str] | None,
        progress: ProgressLike | None,
    ) -> LabelChoice:
        """Ask, choose, and return the choice."""
        committee = self.committee
        pool, notes = self._cut_pool(budget)
        identity = {
            "task": f"label-next {committee.samples} {committee.temperature}",
            "data": f"{self.size} rows {data_digest(self.rows)}",
        }
        with record_calls(
            committee.programs, identity, budget=budget, run_dir=run_dir, progress=progress
        ) as reporter:
            for note in (*self.notes, *notes):
                reporter.note(note)
            answers, why = await self._ask(pool, reporter)
            known = {
                place: each for place, each in zip(pool, answers, strict=True) if each is not None
            }
            if len(known) < self.count:
                keeps = "" if run_dir is None else "; the journal keeps what was paid"
                raise LangprogError(
                    f"{len(known)} of {len(pool)} rows were answered by all candidates, and "
                    f"{self.count} are to be chosen: {why}{keeps}"
                )
            if len(known) < len(pool):
                reporter.note(
                    f"{len(known)} of the {len(pool)} rows of the pool were answered, and only "
                    f"they were chosen from: {why}",
                    warning=True,
                )
        return LabelChoice(
            self._choose(known),
            asked=len(known),
            candidates=len(committee.members),
            paid=reporter.paid(),
            notes=tuple(message.text for message in reporter.messages),
        )

    def _cut_pool(self, budget: Budget) -> tuple[Sequence[int], list[str]]:
        """Return the rows that a budget of calls pays for, and what there is to say.

        Raises:
            InputError: They are fewer than are to be chosen.
        """
        if budget.calls is None:
            return self.pool, []
        each = self.committee.calls_per_row
        pool = self.pool[: int(budget.calls) // each]
        if len(pool) < self.count:
            raise InputError(
                f"a budget of {budget.calls} calls pays for answers to {len(pool)} rows, at "
                f"{each} calls a row, and {self.count} are to be chosen: give more, or fewer "
                "samples (nothing was asked)"
            )
        short = len(pool) < len(self.pool)
        return pool, [f"the budget pays for a pool of {len(pool)} rows"] if short else []

    async def _ask(
        self, pool: Sequence[int], reporter: Reporter
    ) -> tuple[list[Answers | None], str]:
        if not pool:
            return [], ""
        members = len(self.committee.members)
        advance = reporter.start_stage(
            "search",
            len(pool) * members,
            f"{len(pool)} rows, {members} answers to each, about "
            f"{len(pool) * self.committee.calls_per_row} calls",
        )
        return await self.committee.ask([self.rows[place] for place in pool], advance)

    def _choose(self, answers: Mapping[int, Answers]) -> tuple[RowToLabel, ...]:
        on = self.wanted.on
        scores = {place: each.measure_disagreement(on) for place, each in answers.items()}
        chosen = choose_batch(
            scores,
            self.nearness,
            [*range(self.size, len(self.rows)), *self.drawn],
            self.count,
            random_stream(self.wanted.seed, "label-next", "choose"),
        )
        rows = []
        for place in chosen:
            counts = answers[place].count(on)
            total = len(answers[place].given)
            listed = ", ".join(f"{text} ({count})" for text, count in list(counts.items())[:4])
            reason = (
                f"{len(counts)} different answers of {total}: {listed}"
                if scores[place]
                else f"all {total} answers are the same, but the row is unlike the others"
            )
            rows.append(RowToLabel(self.rows[place], reason, place, scores[place], counts))
        return (*rows, *(RowToLabel(self.rows[place], DRAWN, place) for place in self.drawn))


def _check_outputs(program: Module, rows: Sequence[Example], on: Sequence[str]) -> None:
    """Refuse rows that have labels, and outputs to compare that the program has not."""
    try:
        outputs = tuple(program.outputs)
    except SignatureError:  # a user's module need not declare its outputs
        return
    if unknown := [name for name in on if name not in outputs]:
        raise InputError(
            f"the outputs to compare include {unknown[0]!r}, and the program has "
            f"{', '.join(outputs)}"
        )
    inputs = set(program.input_names())
    for place, row in enumerate(rows):
        given = [
            name
            for name in outputs
            if name not in inputs and row.get(name) is not None and row.get(name) != ""
        ]
        if given:
            labelled = sum(any(row.get(n) not in (None, "") for n in given) for row in rows)
            raise InputError(
                f"unlabelled[{place}] has {given[0]} = {str(row[given[0]])!r:.40}, and so have "
                f"{labelled} of {len(rows)} rows: give rows that have labels as labelled (on the "
                "command line: --labelled FILE), or leave the field out"
            )


def _find_open(
    program: Module, rows: Sequence[Example], labelled: Sequence[Example]
) -> tuple[list[int], list[str]]:
    """Return the places of different rows that are not labelled, and what was left out."""
    keys = InputKeys(program)
    known = {keys.of_similar(row) for row in labelled}
    places: dict[str, int] = {}
    again = copies = 0
    for place, row in enumerate(rows):
        key = keys.of_similar(row)
        if key in known:
            again += 1
        elif places.setdefault(key, place) != place:
            copies += 1
    notes = []
    if again:
        notes.append(f"{again} rows are labelled already, or written almost as one that is")
    if copies:
        notes.append(f"{copies} rows are the same as another one, or written almost alike")
    return list(places.values()), notes
