"""Several judges of the same rows, joined: who errs how, and what is most likely true."""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from langprog.errors import InputError
from langprog.notebook import shorten

ROUNDS, ENOUGH = 200, 1e-6
# Pseudo-counts of a judge's confusions: in every cell, and beside that where it is right. They say
# that judges are better than chance, which verdicts alone cannot tell.
CELL, RIGHT = 0.5, 1.5
# Powers of the probabilities that are tried, to make them as sure as they are right.
POWERS = tuple(0.02 * 1.15**step for step in range(34))  # up to 2
FEWEST = 20


@dataclass(frozen=True, slots=True)
class JoinedVerdicts:
    """What several judges say together; ``str`` gives it with what it assumes.

    Args:
        answers: The most likely verdict on each row.
        second: The next likely one; ``None`` where there is only one.
        probabilities: Of each verdict, by row.
        confusions: By judge and true verdict, how often the judge gives each verdict.
        accuracies: How often each judge is right, as estimated; ``None`` for one without verdicts.
        labels: How many rows had a label.
        assumes: What has to be true, as the end of "this assumes that".
    """

    answers: tuple[Any, ...]
    second: tuple[Any, ...]
    probabilities: tuple[Mapping[Any, float], ...]
    confusions: Mapping[str, Mapping[Any, Mapping[Any, float]]]
    accuracies: Mapping[str, float | None]
    labels: int
    assumes: str

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        judges = ", ".join(
            f"{name} {'unknown' if share is None else f'{share:.2f}'}"
            for name, share in self.accuracies.items()
        )
        return (
            f"{len(self.answers):,} rows, {self.labels:,} labels; estimated accuracy of the "
            f"judges: {judges}. This assumes that {self.assumes}."
        )

    def __repr__(self) -> str:
        return shorten(f"JoinedVerdicts({self})")


def agree(
    judges: Mapping[str, Sequence[Hashable | None]],
    labels: Sequence[Hashable | None] | None = None,
) -> JoinedVerdicts:
    """Join the verdicts of several judges on the same rows.

    Each judge's confusions are estimated together with the true verdicts. Labels on some rows fix
    these there, and the probabilities are made as sure as they turn out to be right.

    Follows: Dawid and Skene (1979), by expectation maximization from the majority; a row's second
    verdict as in top-two crowdsourcing (Jeong and Chung, 2022). Differs: judges are taken to be
    better than chance by pseudo-counts, as verdicts alone do not tell which labels are meant
    (with three or more verdicts not even then: Judging with a simplex, 2025); and with labels the
    probabilities are raised to a power that fits them, since judges often err together.

    Args:
        judges: The verdicts of each judge by its name, one a row; ``None`` where it gave none.
        labels: The true verdict of each row, ``None`` where it is not known.

    Raises:
        InputError: There are fewer than two judges, the lists differ in length, or a verdict or
            a label cannot be compared.
    """
    names, verdicts = _check(judges)
    size = len(verdicts[0])
    known = [None] * size if labels is None else _read("labels", labels)
    if len(known) != size:
        raise InputError(f"{len(known)} labels for {size} rows: give one a row, None if unknown")
    classes = _classes(verdicts, known)
    model = _Model(classes, verdicts)
    count = sum(label is not None for label in known)
    power = 1.0
    if count >= FEWEST:
        power = model.fit_power(known)
    chances = model.fit(known)
    given = [label is not None for label in known]
    chances = model.raise_to(chances, power, given)
    order = (-chances).argsort(axis=1, kind="stable")
    return JoinedVerdicts(
        answers=tuple(classes[row[0]] for row in order),
        second=tuple(classes[row[1]] if len(classes) > 1 else None for row in order),
        probabilities=tuple(dict(zip(classes, map(float, row), strict=True)) for row in chances),
        confusions=model.name_confusions(names),
        accuracies=model.name_accuracies(names, chances),
        labels=count,
        assumes="judges err independently of each other once the truth is given, and are better "
        "than chance"
        + (
            "; labels were used to correct how sure they are together"
            if count >= FEWEST
            else "; where they err together, the probabilities are too sure, which labels on "
            f"{FEWEST} rows would show"
        ),
    )


def _check(
    judges: Mapping[str, Sequence[Hashable | None]],
) -> tuple[list[str], list[list[Hashable | None]]]:
    if not isinstance(judges, Mapping) or len(judges) < 2:
        raise InputError(
            "agree takes two or more judges: a dict with a list of verdicts by the judge's name"
        )
    if not all(isinstance(name, str) for name in judges):
        raise InputError(f"the judges are {list(judges)!r:.60}: give their names as texts")
    verdicts = [_read(name, each) for name, each in judges.items()]
    sizes = {name: len(each) for name, each in zip(judges, verdicts, strict=True)}
    if len(set(sizes.values())) > 1 or not verdicts[0]:
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise InputError(f"the judges have to give a verdict on every row: they have {listed}")
    return list(judges), verdicts


def _read(name: str, values: Any) -> list[Hashable | None]:
    """Return verdicts or labels as a list."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InputError(
            f"{name} is a {type(values).__name__}: give a list with a verdict for each row, None "
            "where there is none"
        )
    read = list(values)
    for row, verdict in enumerate(read):
        if not isinstance(verdict, Hashable) or verdict != verdict:
            raise InputError(
                f"{name}[{row}] is {verdict!r:.40}: give a text, a number or a bool, and None "
                "where there is no verdict"
            )
    return read


def _classes(
    verdicts: Sequence[Sequence[Hashable | None]], labels: Sequence[Hashable | None]
) -> list[Any]:
    seen = dict.fromkeys(
        verdict for each in (*verdicts, labels) for verdict in each if verdict is not None
    )
    if not seen:
        raise InputError("no judge has given any verdict")
    shown: dict[str, Any] = {}
    for verdict in seen:
        other = shown.setdefault(str(verdict), verdict)
        if other != verdict:
            raise InputError(
                f"{other!r} and {verdict!r} look the same and are two verdicts: give all verdicts "
                "and labels in one type"
            )
    return sorted(seen, key=lambda verdict: (type(verdict).__name__, str(verdict)))


class _Model:
    """The model of Dawid and Skene."""

    def __init__(
        self, classes: Sequence[Any], verdicts: Sequence[Sequence[Hashable | None]]
    ) -> None:
        self._numpy: Any = importlib.import_module("numpy")
        self._place = {verdict: index for index, verdict in enumerate(classes)}
        self._classes = classes
        k = len(classes)
        # said[j, i, c]: whether judge j says c of row i.
        self._said = self._numpy.zeros((len(verdicts), len(verdicts[0]), k))
        for j, each in enumerate(verdicts):
            for i, verdict in enumerate(each):
                if verdict is not None:
                    self._said[j, i, self._place[verdict]] = 1.0
        self._confusions: Any = None

    def fit(self, labels: Sequence[Hashable | None]) -> Any:
        """Return the probability of each verdict by row."""
        numpy, k = self._numpy, len(self._classes)
        given = numpy.zeros((len(labels), k))
        for row, label in enumerate(labels):
            if label is not None:
                given[row, self._place[label]] = 1.0
        fixed = given.any(axis=1)
        votes = self._said.sum(axis=0) + 1e-3
        chances = votes / votes.sum(axis=1, keepdims=True)
        chances[fixed] = given[fixed]
        prior = CELL + RIGHT * numpy.eye(k)
        for _ in range(ROUNDS):
            counts = numpy.einsum("ic,jid->jcd", chances, self._said) + prior
            self._confusions = counts / counts.sum(axis=2, keepdims=True)
            shares = (chances.sum(axis=0) + 1) / (len(labels) + k)
            logs = numpy.log(shares) + numpy.einsum(
                "jid,jcd->ic", self._said, numpy.log(self._confusions)
            )
            new = numpy.exp(logs - logs.max(axis=1, keepdims=True))
            new /= new.sum(axis=1, keepdims=True)
            new[fixed] = given[fixed]
            change, chances = abs(new - chances).max(), new
            if change < ENOUGH:
                break
        return chances

    def fit_power(self, labels: Sequence[Hashable | None]) -> float:
        """Return the power that makes probabilities fit labels which were held back for it."""
        numpy = self._numpy
        rows = [row for row, label in enumerate(labels) if label is not None]
        logs = dict.fromkeys(POWERS, 0.0)
        for half in (0, 1):
            hidden = set(rows[half::2])
            chances = self.fit(
                [None if row in hidden else label for row, label in enumerate(labels)]
            )
            for power in POWERS:
                raised = self.raise_to(chances, power, [False] * len(labels))
                logs[power] += sum(
                    float(numpy.log(raised[row, self._place[labels[row]]])) for row in hidden
                )
        return max(POWERS, key=logs.__getitem__)

    def raise_to(self, chances: Any, power: float, given: Sequence[bool]) -> Any:
        """Return probabilities that are more or less sure; those of given rows stay."""
        raised = self._numpy.maximum(chances, 1e-12) ** power
        raised /= raised.sum(axis=1, keepdims=True)
        fixed = self._numpy.asarray(given, dtype=bool)
        raised[fixed] = chances[fixed]
        return raised

    def name_confusions(self, names: Sequence[str]) -> dict[str, dict[Any, dict[Any, float]]]:
        """Return the confusions by name."""
        return {
            name: {
                true: dict(zip(self._classes, map(float, row), strict=True))
                for true, row in zip(self._classes, rows, strict=True)
            }
            for name, rows in zip(names, self._confusions, strict=True)
        }

    def name_accuracies(self, names: Sequence[str], chances: Any) -> dict[str, float | None]:
        """Return how often each judge is right."""
        right = self._numpy.einsum("ic,jic->j", chances, self._said)
        said = self._said.sum(axis=(1, 2))
        return {
            name: float(good / count) if count else None
            for name, good, count in zip(names, right, said, strict=True)
        }
