"""Several answers to each row, and how much they differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

from langprog import Example, Module, Prediction
from langprog.errors import LangprogError
from langprog.evaluation import Report, Row, aevaluate
from langprog.modules import answer_key
from langprog.runtime import gather_in_order, sample_draw

UNREADABLE = "(no readable answer)"
_ASIDE = frozenset({"reasoning"})
_WORD = re.compile(r"\w+")
# Characters of an answer that are shown.
SHOWN = 60


@dataclass(frozen=True)
class Answers:
    """What the members of a committee answered to a row; ``None``: an unreadable answer."""

    given: tuple[Mapping[str, Any] | None, ...]

    def measure_disagreement(self, on: Sequence[str]) -> float:
        """Return how different two of the answers are on average, from 0 to 1.

        Args:
            on: Outputs to compare; empty for all but the reasoning.
        """
        pairs = list(combinations(self.given, 2))
        return sum(_distance(a, b, on) for a, b in pairs) / len(pairs)

    def count(self, on: Sequence[str]) -> dict[str, int]:
        """Return how often each answer was given, as text, the most frequent first."""
        texts: dict[str, str] = {}
        counts: Counter[str] = Counter()
        for answer in self.given:
            key = "" if answer is None else answer_key(answer, _names(answer, on))
            texts.setdefault(key, UNREADABLE if answer is None else _show(answer, on))
            counts[key] += 1
        return {texts[key]: count for key, count in counts.most_common()}


def _names(answer: Mapping[str, Any], on: Sequence[str]) -> list[str]:
    return [name for name in on or answer if name in answer and name not in _ASIDE]


def _show(answer: Mapping[str, Any], on: Sequence[str]) -> str:
    names = _names(answer, on)
    texts = [str(answer[name]) for name in names]
    if len(names) > 1:
        texts = [f"{name}={text}" for name, text in zip(names, texts, strict=True)]
    text = " ".join(", ".join(texts).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _distance(
    first: Mapping[str, Any] | None, second: Mapping[str, Any] | None, on: Sequence[str]
) -> float:
    if first is None or second is None:
        return float(first is not second)
    names = dict.fromkeys((*_names(first, on), *_names(second, on)))
    if not names:
        return 0.0
    return sum(_differ(first, second, name) for name in names) / len(names)


def _differ(first: Mapping[str, Any], second: Mapping[str, Any], name: str) -> float:
    if name not in first or name not in second:
        return 1.0
    if answer_key(first, [name]) == answer_key(second, [name]):
        return 0.0
    a, b = first[name], second[name]
    if not (isinstance(a, str) and isinstance(b, str)):
        return 1.0
    # Of texts, what they have no word of in common; labels have none.
    words, others = (Counter(_WORD.findall(text.casefold())) for text in (a, b))
    common, total = (words & others).total(), words.total() + others.total()
    return 1.0 - 2 * common / total if total else 1.0


@dataclass(frozen=True)
class Committee:
    """Programs that answer the same rows, or samples of one.

    Args:
        programs: The programs.
        samples: Samples of each; with 1, a program is run as it is.
        temperature: Of samples, for predictors without a temperature.
        concurrency: Rows that a program runs at the same time.
    """

    programs: Sequence[Module]
    samples: int
    temperature: float
    concurrency: int

    @property
    def members(self) -> list[tuple[Module, int]]:
        """Each program with the number of a sample."""
        return [(program, draw) for program in self.programs for draw in range(self.samples)]

    @property
    def calls_per_row(self) -> int:
        """Expected calls for a row."""
        return self.samples * sum(program.calls_per_example() for program in self.programs)

    async def ask(
        self, rows: Sequence[Example], on_row: Callable[[object], None]
    ) -> tuple[list[Answers | None], str]:
        """Return the answers to rows, and why rows have none.

        A row to which a member could not answer, because of an outage or as the budget had ended,
        has none. Rows are asked in blocks, each by all members: what a small budget pays for are
        whole rows.

        Args:
            rows: The rows.
            on_row: Called for each answer.

        Raises:
            LangprogError: Nobody could answer anything in the first block.
        """
        known: list[Answers | None] = []
        why = ""
        # The first block is small: where nothing works, it costs little to find out.
        sizes = [min(len(rows), 8)]
        while sum(sizes) < len(rows):
            sizes.append(min(self.concurrency, len(rows) - sum(sizes)))
        for number, size in enumerate(sizes):
            block = rows[len(known) : len(known) + size]
            works = [partial(self._run, *member, block, on_row) for member in self.members]
            reports = await gather_in_order(works, len(works))
            failures = [row.failure for report in reports for row in report.rows if row.failure]
            missing = [failure for failure in failures if failure.missing]
            why = next((failure.message for failure in missing), why)
            if number == 0 and len(failures) == size * len(works):
                raise LangprogError(
                    f"the first {size} rows have no answer, so none was chosen: "
                    f"{failures[0].message}"
                )
            known += [_join([report.rows[at] for report in reports]) for at in range(size)]
            if any(failure.kind == "budget" for failure in missing):
                break
        return known + [None] * (len(rows) - len(known)), why

    async def _run(
        self,
        program: Module,
        draw: int,
        rows: Sequence[Example],
        on_row: Callable[[object], None],
    ) -> Report:
        width = max(1, self.concurrency // len(self.members))

        async def run() -> Report:
            return await aevaluate(program, rows, unscored, concurrency=width, on_row=on_row)

        if self.samples == 1:
            return await run()
        with sample_draw(draw, self.temperature):
            return await run()


def unscored(example: Example, prediction: Prediction) -> float:
    """Score nothing: the answers themselves are wanted."""
    return 0.0


def _join(rows: Sequence[Row]) -> Answers | None:
    if any(row.failure is not None and row.failure.missing for row in rows):
        return None
    return Answers(
        tuple(None if row.prediction is None else dict(row.prediction.items()) for row in rows)
    )
