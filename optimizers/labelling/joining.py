"""Votes on labels, joined: how far each voter is right, and how likely each label is."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROUNDS, ENOUGH = 200, 1e-6
# Votes of which nobody has to be told that a voter is better than chance: as many as these, of
# which this share is right.
PRIOR, RIGHT = 4.0, 0.75


@dataclass(frozen=True)
class JoinedVotes:
    """Probabilities by row and label, and how often each voter is right where it votes."""

    chances: Sequence[Mapping[str, float]]
    accuracies: Mapping[str, float]


def join_votes(
    votes: Mapping[str, Sequence[str | None]],
    truth: Sequence[str | None],
    shares: Mapping[str, float],
) -> JoinedVotes:
    """Estimate labels and voters together, by expectation maximization.

    A voter is right with a chance of its own on the rows on which it votes, and errs evenly.

    Follows: Dawid and Skene (1979), with a single chance for each voter; Text Classification from
    Labeled and Unlabeled Documents using EM (Nigam et al., 2000): where there are labelled rows,
    the others weigh less, here together as much as these. Else a program that votes on every row
    would be believed whatever the labelled rows say, as on most rows its vote is the label.
    Differs from ``lp.agree``: a rule may vote for one label alone, from which no confusions can be
    learned; voters are better than chance by pseudo-votes, and labels are equally frequent, or as
    the shares say.

    Args:
        votes: The votes of each voter, one a row; ``None`` for no vote.
        truth: The label of each row, where it is known.
        shares: How frequent labels are; empty if unknown.
    """
    numpy: Any = importlib.import_module("numpy")
    seen = {vote for each in (*votes.values(), truth) for vote in each if vote is not None}
    labels = sorted({*seen, *shares})
    place = {label: at for at, label in enumerate(labels)}
    count, rows = max(2, len(labels)), len(truth)
    prior = numpy.array([shares.get(label, 1e-9 if shares else 1.0) for label in labels])
    said = [
        [(row, place[vote]) for row, vote in enumerate(each) if vote is not None]
        for each in votes.values()
    ]
    cells: list[tuple[list[int], list[int]]] = [
        ([row for row, _ in each], [label for _, label in each]) for each in said
    ]
    known = {row: place[label] for row, label in enumerate(truth) if label is not None}
    # A row with a single vote says nothing about who is right.
    voted = Counter(row for at, _ in cells for row in at)
    telling = numpy.array([float(row in known or voted[row] > 1) for row in range(rows)])
    if known:
        open_rows = [row for row in range(rows) if telling[row] and row not in known]
        telling[open_rows] *= min(1.0, len(known) / max(1, len(open_rows)))
    right = [RIGHT] * len(cells)
    chances: Any = None
    for _ in range(ROUNDS):
        logs = numpy.tile(numpy.log(prior / prior.sum()), (rows, 1))
        for (at, to), chance in zip(cells, right, strict=True):
            wrong = numpy.log((1 - chance) / (count - 1))
            logs[at] += wrong
            logs[at, to] += numpy.log(chance) - wrong
        chances = numpy.exp(logs - logs.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        for row, label in known.items():
            chances[row] = 0.0
            chances[row, label] = 1.0
        new = []
        for at, to in cells:
            good = float((chances[at, to] * telling[at]).sum())
            new.append((PRIOR * RIGHT + good) / (PRIOR + float(telling[at].sum())))
        change = max((abs(a - b) for a, b in zip(new, right, strict=True)), default=0.0)
        right = new
        if change < ENOUGH:
            break
    return JoinedVotes(
        [dict(zip(labels, map(float, row), strict=True)) for row in chances],
        dict(zip(votes, right, strict=True)),
    )
