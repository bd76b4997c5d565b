"""Running a program on the old and the new model, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from langprog import Example, Module
from langprog.errors import LangprogError, TransportError
from langprog.evaluation import MAX_MISSING, UNREADABLE, Row, find_common_failure
from langprog.runtime import gather_in_order
from optimizers.evaluation.runner import Job, OnRow, is_missing, run_rows
from optimizers.evaluation.scoring import BLOCK, ProgramError, Scoring
from optimizers.porting.request import Compared


class NothingToCompare(LangprogError):
    """A model answered nothing, or too many rows have no score."""


@dataclass(frozen=True)
class Pair:
    """The runs of both.

    Args:
        new: The new model's rows, of all examples.
        old: The old model's, of those that it had to answer, by their place.
        before: The old model's scores: recorded or live.
        after: The new model's.
    """

    new: Sequence[Row]
    old: dict[int, Row]
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]


async def run_pair(
    new: Module,
    old: Module,
    compared: Compared,
    scoring: Callable[[], Scoring],
    concurrency: int,
    on_row: OnRow,
) -> Pair:
    """Run the program on the new model, and on the old one where no score is recorded.

    The first rows of both are done before any of the others, so that a model that answers nothing
    costs no more than these.

    Args:
        new: The program on the new model.
        old: On the old one.
        compared: The rows.
        scoring: Makes a scoring that counts the failures of one model.
        concurrency: Examples processed at the same time.
        on_row: Called with every row when it is done.

    Raises:
        NothingToCompare: A model answered nothing, or too many rows have no score.
        BudgetExceeded: The budget ended before every row was done.
    """
    size = len(compared.examples)
    scorings = {"new": scoring(), "old": scoring()}
    rows: dict[int, Row] = {}
    answered: dict[int, Row] = {}
    for block in (range(min(BLOCK, size)), range(min(BLOCK, size), size)):
        live = [place for place in block if compared.recorded[place] is None]
        works = []
        for name, program, places in (("new", new, block), ("old", old, live)):
            examples = [compared.examples[place] for place in places]
            width = max(1, concurrency // (2 if live else 1))
            if examples:
                works.append(partial(_run, name, program, examples, scorings[name], width, on_row))
        done = await gather_in_order(works, 2)
        if done:
            rows.update(zip(block, done[0], strict=True))
            answered.update(zip(live, done[1] if live else (), strict=True))
    before = tuple(
        _score_of(answered.get(place)) if known is None else known
        for place, known in enumerate(compared.recorded)
    )
    after = tuple(_score_of(rows[place]) for place in range(size))
    _check_missing(before, after, [*rows.values(), *answered.values()])
    _check_readable(before, list(rows.values()), scorings["new"].range[0])
    return Pair([rows[place] for place in range(size)], answered, before, after)


async def run_alone(
    program: Module, compared: Compared, scoring: Scoring, concurrency: int
) -> list[Row]:
    """Run a program on rows of which the old scores are known; raises like :func:`run_pair`."""
    rows = await _run(
        "compiled", program, compared.examples, scoring, concurrency, lambda row: None
    )
    _check_missing(compared.recorded, [_score_of(row) for row in rows], rows)
    return rows


async def _run(
    name: str,
    program: Module,
    examples: Sequence[Example],
    scoring: Scoring,
    concurrency: int,
    on_row: OnRow,
) -> list[Row]:
    which = "the compiled program" if name == "compiled" else f"the {name} model"
    advice = (
        "; if it is gone, compare only rows that the artifact has scores of: old='recorded' (on "
        "the command line: --old recorded)"
        if name == "old"
        else ""
    )
    try:
        (rows,) = await run_rows([Job(program, examples)], scoring, concurrency, on_row)
    except (TransportError, ProgramError) as error:
        raise NothingToCompare(f"nothing can be compared with {which}: {error}{advice}") from error
    return list(rows)


def _check_missing(
    before: Sequence[float | None], after: Sequence[float | None], rows: Sequence[Row]
) -> None:
    lost = sum(b is None or a is None for b, a in zip(before, after, strict=True))
    if lost <= MAX_MISSING * len(before):
        return
    first = next((row.failure for row in rows if is_missing(row) and row.failure), None)
    why = "" if first is None else f" ({first.kind}: {first.message})"
    raise NothingToCompare(
        f"{lost} of {len(before)} rows have no score{why}, and the rest is a biased sample: run "
        "the same command with the same run_dir again to finish"
    )


def _check_readable(before: Sequence[float | None], rows: Sequence[Row], lowest: float) -> None:
    """Refuse rows on which both are wrong because nothing can be read: they would be equal.

    Raises:
        NothingToCompare: There are only such rows.
    """
    unreadable = find_common_failure(rows, UNREADABLE)
    if unreadable is not None and all(score in (None, lowest) for score in before):
        raise NothingToCompare(
            f"nothing can be compared: the old model has no right answer, and of the new model's "
            f"runs, {unreadable}"
        )


def _score_of(row: Row | None) -> float | None:
    return None if row is None or row.score is None else row.score.value
