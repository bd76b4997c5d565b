"""The accuracy of a program on new rows without labels, from rows with labels."""

from __future__ import annotations

import os
from typing import Any

from langprog.artifact import Artifact, load
from langprog.errors import InputError, LangprogError
from langprog.estimation.estimate import MeanEstimate
from langprog.estimation.features import Features, code_features, default_features, read_features
from langprog.estimation.sparse_shift import Shift, estimate_shifted
from langprog.evaluation import Metric, Report, evaluate, mean_interval
from langprog.example import Example, Rows, examples_of, refuse_train_only
from langprog.knobs import check_argument, takes_whole
from langprog.lm import Budget, LanguageModel, Ledger
from langprog.modules import Module, Prediction

FEWEST_LABELLED, FEWEST_NEW = 50, 20
# A difference from the labelled rows, as a share of the range, that deserves a second look.
FAR = 0.3


def estimate_accuracy(
    program: Module | Artifact | str | os.PathLike[str],
    unlabelled: Rows,
    *,
    labelled: Rows,
    metric: Metric,
    features: Features = default_features,
    sparsity: int = 1,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
) -> MeanEstimate:
    """Estimate a program's mean score on rows without labels, which may be of another kind.

    The program is run on all rows. The estimate rests on what its inputs and outputs, or features
    of yours, tell about right and wrong answers; the interval covers all shifts of few features
    that explain the new rows about as well. Where no shift can be seen, it is about the accuracy
    on the labelled rows. It cannot see a change that leaves all features as they are. Where no
    such shift explains the new rows, the interval is the whole range, and a note says so.

    Follows: Chen, Zaharia and Zou (2022), SEES, sparse joint shift. Differs: the label whose shift
    is estimated is the score, so that it works for any output; a row's features are summed up by a
    logistic regression in five bins; shifts of features alone, and none at all, are considered as
    well; Akaike's criterion chooses, and the interval joins all that are within 3 of the best; a
    parametric bootstrap tests whether they fit.

    Args:
        program: A program, an artifact, or its path.
        unlabelled: The new rows.
        labelled: Rows with labels that the program was not compiled on, such as the holdout.
        metric: As for ``lp.evaluate``; scores the labelled rows only.
        features: ``features(example, prediction)`` gives values by name (text or numbers) that say
            something about whether an answer is right, such as a confidence, or how many samples
            agree. By default all inputs and outputs. The labels must not be among them.
        sparsity: The most features that may have shifted.
        budget: A hard cap on all calls made here.
        lm: Model for the predictors that do not name one.

    Raises:
        InputError: There are too few rows, or a feature is neither text nor a number.
        LangprogError: Hardly any row could be run.
    """
    check_argument("estimate_accuracy", "sparsity", sparsity, takes_whole(0, 3))
    source = program.program() if isinstance(program, Artifact) else program
    loaded = source if isinstance(source, Module) else load(source)
    ledger = budget if isinstance(budget, Ledger) else Ledger(budget or Budget())

    def run(rows: Rows, scored: Metric) -> Report:
        return evaluate(loaded, rows, scored, budget=ledger, lm=lm)

    known_rows = examples_of(labelled, "the labelled rows")
    refuse_train_only(known_rows, "the labelled rows", "labelled[{}]".format)
    old = run(known_rows, metric)
    new = run(unlabelled, _unscored)
    scores = [row.score.value for row in old.rows if row.score is not None]
    known = [row for row in old.rows if row.score is not None]
    others = [row for row in new.rows if row.failure is None or not row.failure.missing]
    _check_counts(len(known), len(others), old, new)
    names = tuple(loaded.input_names())
    first, second = (
        read_features([(row.example, row.prediction) for row in rows], features, names)
        for rows in (known, others)
    )
    low, high = old.score_range or (0.0, 1.0)
    shift = estimate_shifted(
        [(score - low) / (high - low) for score in scores],
        *code_features(first, second),
        count=len(others),
        sparsity=sparsity,
        seed=0,
    )
    ends = [low + end * (high - low) for end in shift.interval]
    return MeanEstimate(
        mean=low + shift.mean * (high - low),
        interval=(ends[0], ends[1]),
        labels=len(known),
        rows=len(others),
        missing=len(old.rows) - len(known) + len(new.rows) - len(others),
        assumes=f"new rows differ from the labelled ones by no more than "
        f"{_describe(shift.features, shift.joint)}; no test can show that",
        labels_alone=(
            sum(scores) / len(scores),
            mean_interval(scores, score_range=old.score_range),
        ),
        notes=_list_notes(shift, (sum(scores) / len(scores) - low) / (high - low)),
    )


def _unscored(example: Example, prediction: Prediction) -> Any:
    return 0.0


def _check_counts(labelled: int, others: int, old: Report, new: Report) -> None:
    """Check that there are enough rows.

    Raises:
        InputError: There are too few.
        LangprogError: There were enough, but they could not be run.
    """
    for count, fewest, report, what in (
        (labelled, FEWEST_LABELLED, old, "labelled"),
        (others, FEWEST_NEW, new, "new"),
    ):
        if count >= fewest:
            continue
        if len(report.rows) < fewest:
            raise InputError(
                f"there are {len(report.rows)} {what} rows: {fewest} are the fewest that say "
                "anything about a shift"
            )
        why = next(iter(report.first_failures.values()), "")
        raise LangprogError(f"{count} of {len(report.rows)} {what} rows could be run: {why}")


def _describe(features: tuple[str, ...], joint: bool) -> str:
    parts = [*(repr(name) for name in features), *(["how often answers are right"] * joint)]
    return " and ".join(parts) if parts else "chance"


def _list_notes(shift: Shift, before: float) -> tuple[str, ...]:
    """Return what has to be known beside the assumption.

    Args:
        shift: The shift.
        before: Mean score of the labelled rows, 0 to 1.
    """
    notes = []
    if shift.others:
        texts = "; ".join(_describe(*other) for other in shift.others[:4])
        more = f"; {len(shift.others) - 4} others" if len(shift.others) > 4 else ""
        notes.append(
            f"Other shifts explain the rows about as well, and the interval allows for them: "
            f"{texts}{more}."
        )
    if shift.informative < 0.65:
        notes.append(
            f"The features hardly tell right answers from wrong ones ({shift.informative:.2f}, "
            "where 0.5 is chance): give features that do, such as a confidence."
        )
    if not shift.explained:
        notes.append(
            "The new rows are unlike any that such shifts give, so the assumption is wrong, and "
            "the interval is the whole range: label some of them."
        )
    elif abs(shift.mean - before) > FAR:
        notes.append(
            "The estimate is far from the mean of the labelled rows. It rests on the features "
            "meaning in the new rows what they mean in the labelled ones: label some 30 new rows, "
            "drawn at random, before you rely on it."
        )
    if shift.unsupported > 0.01:
        notes.append(
            f"{shift.unsupported:.0%} of the new rows are of a kind that hardly any labelled row "
            "is of; for the interval, they may all be right or wrong."
        )
    return tuple(notes)
