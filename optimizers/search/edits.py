"""Put the parts of earlier candidates together in new ways, without a model that proposes.

Follows: GrIPS (Prasad et al., 2023), which edits instructions phrase by phrase; GEPA's merge
(Agrawal et al., 2025), which combines what did well apart; Thompson sampling (Thompson, 1933) for
what to try next.
Differs: no edit is judged by itself. A candidate takes the clauses and demonstrations that a draw
of their credits favours, so that what is uncertain is tried, and every score improves the credits
of all its parts. The best is chosen by its credit, on all scores that were paid for. Where
validation is too small for pruning, the program's own instructions come back unless others are
credited with clearly more.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langprog.knobs import takes_flag, takes_one_of, takes_whole
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate, tunable_predictors
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.instructions.clauses import Clause, join_clauses, split_clauses
from optimizers.instructions.hygiene import Hygiene
from optimizers.run import Run
from optimizers.search.crediting import (
    FOREIGN,
    Credits,
    Feature,
    credit_parts,
    describe_demos,
    name_value,
)
from optimizers.search.halving import take_affordable
from optimizers.search.sizes import AUTO, Auto

# Candidates of a round, and validation examples that each meets in it.
DRAWN, BLOCK = 4, 12
# Candidates of the finals, the share of the queries for these, and the fewest examples.
FINALISTS, FINAL_SHARE = 4, 0.5
# Values of a parameter to draw from: those with the highest credits.
CHOICES = 4
# With fewer rows, which is too few for pruning, the program's own instructions are put back in the
# finals. Other ones stay if their credit is this many standard errors higher.
FEWEST_ROWS, CLEARLY = 72, 1.0
# What a clause has to add to be worth its tokens, as a share of the range of scores.
WORTH = 0.003
# Kinds of parameters that a search sets beside instructions and demonstrations.
SETTINGS = ("model", "k", "choice", "threshold")


@dataclass(frozen=True, kw_only=True)
class EditSearch(Optimizer):
    """Recombine clauses of instructions, and sets of demonstrations; a part of Compiler.

    Args:
        auto: How thorough it is where no cap says so: ``light``, ``medium`` or ``heavy``.
        written: Predictors whose instructions are taken as a whole, as they were written.
        most_words: Longest instruction, in words.
        prune: Whether the program's own instructions are put back where others gain too little,
            and validation is too small for pruning.
        concurrency: Examples processed at the same time.
    """

    auto: Auto = field(default="light", metadata=takes_one_of(tuple(AUTO)))
    written: Collection[str] = ()
    most_words: int = field(default=Hygiene().most_words, metadata=takes_whole(1))
    prune: bool = field(default=True, metadata=takes_flag())

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast the rounds, and the finals on all of validation."""
        # The race has scored where the edits begin, and the others have met a block at least.
        unknown = max(0, facts.validation - BLOCK)
        finals = min((FINALISTS - 1) * unknown, FINAL_SHARE * facts.queries)
        rest = facts.queries - min(finals, unknown)
        most = min(self._count_rounds(facts.queries) * DRAWN * BLOCK, rest)
        return (
            StageForecast("search", Range(0.0, most), candidates=Range(0.0, most / BLOCK)),
            StageForecast("final", Range(0.0, finals)),
        )

    def _count_rounds(self, queries: float) -> int:
        if math.isinf(queries):
            return AUTO[self.auto].trials // DRAWN
        return max(1, math.floor(queries / BLOCK))  # the budget ends them before

    async def search(self, run: Run) -> Candidate:
        """Draw, score and credit in turn; then score those with the highest credit on more."""
        parts = _Parts(run, self.written, self.most_words)
        if not parts.are_known() or _has_top_score(run):
            return run.start
        size, finals = _choose_sizes(run)
        # Who is new in the finals has met a block; its own instructions may not have been tried.
        newcomer = size - BLOCK + self._puts_back(size) * size
        rows = list(range(size))
        run.rng("rows").shuffle(rows)
        rounds = self._count_rounds(run.queries_left())
        run.start_stage("search", None, "parts of what was tried, in new combinations")
        for number in range(rounds):
            credits_ = parts.credit()
            draws = [
                credits_.draw(run.sampling_seed("draw", number, place))
                for place in range(DRAWN - 1)
            ]
            drawn = dict.fromkeys(parts.compose(credits_, each) for each in (credits_, *draws))
            start = number * BLOCK % size
            requests = _list_requests(run, drawn, [*rows[start:], *rows[:start]])
            options = self._list_options(run, parts, credits_, size, finals)
            last = sum(size - len(run.scorer.values(each).keys() & set(rows)) for each in options)
            while requests and not run.affords_round(
                sum(len(each.indices) for each in requests), max(last, newcomer)
            ):
                requests.pop()
            if not requests:
                break
            await run.score(requests)
        return await self._choose(run, parts, range(size), finals)

    def _puts_back(self, size: int) -> bool:
        return self.prune and size < FEWEST_ROWS

    def _list_options(
        self, run: Run, parts: _Parts, credits_: Credits, size: int, finals: int
    ) -> list[Candidate]:
        """List who takes part in the finals, the most promising first after the start."""
        ranked = parts.rank(credits_, [parts.compose(credits_, credits_)])
        options = [run.start, *(each for each in ranked[:finals] if each != run.start)]
        if self._puts_back(size):
            options.insert(2, parts.put_back(ranked[0]))
        return list(dict.fromkeys(options))

    async def _choose(self, run: Run, parts: _Parts, rows: range, finals: int) -> Candidate:
        options = self._list_options(run, parts, parts.credit(), len(rows), finals)
        options = take_affordable(run, options, len(rows))
        run.start_stage("final", len(options), "the best of them on more of validation")
        await run.score([ScoreRequest(each, rows) for each in options])
        run.advance_stage("final", len(options), len(options))
        options = [each for each in options if run.scorer.is_comparable(each)]
        credits_ = parts.credit()
        for each in options:
            run.offer(each)
            run.log_trial(each, credit=parts.predict(credits_, each))
        # The first of equals is where the search began.
        best = max(options, key=lambda each: parts.predict(credits_, each), default=run.start)
        own = parts.put_back(best)
        if not self._puts_back(len(rows)) or own == best or own not in options:
            return best
        if parts.is_clearly_better(credits_, best, own):
            return best
        run.note("the instructions are the program's own: others were no clear gain on validation")
        return own


def _has_top_score(run: Run) -> bool:
    scores = run.scorer.values(run.start).values()
    return bool(scores) and run.materials.metric.is_full(min(scores))


def _choose_sizes(run: Run) -> tuple[int, int]:
    """Return how many examples and candidates the finals have."""
    queries, total = run.queries_left(), len(run.materials.validation)
    finals = FINALISTS
    while finals > 2 and finals * total > FINAL_SHARE * queries:
        finals -= 1
    affordable = FINAL_SHARE * queries / finals
    return min(total, max(run.scorer.size, int(min(total, affordable)))), finals


def _list_requests(
    run: Run, candidates: Iterable[Candidate], rows: Sequence[int]
) -> list[ScoreRequest]:
    """List the first rows that each candidate has not met."""
    requests = []
    for each in candidates:
        known = run.scorer.values(each)
        unknown = [row for row in rows if row not in known]
        if unknown:
            requests.append(ScoreRequest(each, unknown[:BLOCK]))
    return requests


class _Parts:
    """The parts of all candidates that a search has tried.

    Args:
        run: The search.
        written: Predictors whose instructions are taken as a whole.
        most_words: Longest instruction.
    """

    def __init__(self, run: Run, written: Collection[str], most_words: int) -> None:
        self._run = run
        self._most_words = most_words
        self._base = run.materials.base.parameters()
        paths = list(tunable_predictors(run.materials.base))
        self._texts = [f"{path}.instruction" for path in paths if path not in written]
        self._shown = [f"{path}.demos" for path in paths]
        self._wholes = [*self._shown]
        self._wholes += [f"{path}.instruction" for path in paths if path in written]
        changed = {key for each in run.scorer.candidates for key in each.parameters}
        self._wholes += [
            key for key, each in self._base.items() if key in changed and each.kind in SETTINGS
        ]
        self._keys = [key for key in self._base if key in changed]
        self._clauses: dict[str, dict[str, Clause]] = {}
        self._values: dict[str, dict[str, Any]] = {}
        self._known: dict[Candidate, dict[Feature, float]] = {}

    def are_known(self) -> bool:
        """Return whether anything was tried that has parts."""
        return len(self._list_tried()) > 1

    def credit(self) -> Credits:
        """Fit the credits of all parts to all scores so far."""
        tried = self._list_tried()
        return credit_parts(self._run, tried, [self._list_parts(each) for each in tried])

    def compose(self, credits_: Credits, drawn: Credits) -> Candidate:
        """Return the candidate whose parts some credits favour.

        Args:
            credits_: The estimates, which decide what there is to choose from.
            drawn: The credits that decide.
        """
        values = dict(self._run.start.parameters)
        for key in self._texts:
            text = self._choose_text(key, credits_, drawn)
            if text:
                values[key] = text
        for key in self._wholes:
            known = self._values.get(key, {})
            names = [name for name in known if (key, name) in credits_]
            names.sort(key=lambda name: -credits_.sum(self._describe(key, known[name])))
            if names:
                best = max(
                    names[:CHOICES], key=lambda name: drawn.sum(self._describe(key, known[name]))
                )
                values[key] = known[best]
        return Candidate.of(self._run.materials.base, values, "recombined")

    def _choose_text(self, key: str, credits_: Credits, drawn: Credits) -> str:
        """Return the best of the clauses, or the program's own instruction if that is as good."""
        own, chosen = str(self._base[key].value), self._choose_clauses(key, credits_, drawn)
        made = join_clauses(chosen)
        if not split_clauses(own):
            return made
        worth = [
            drawn.sum(parts) - WORTH * _count_clauses(parts)
            for parts in (self._describe_text(key, each) for each in (own, made))
        ]
        return own if worth[0] >= worth[1] else made

    def _choose_clauses(self, key: str, credits_: Credits, drawn: Credits) -> list[Clause]:
        """Return the clauses that are worth their tokens, at least one if any is known."""
        clauses = self._clauses.get(key, {})
        known = [name for name in clauses if (key, name) in credits_]
        known.sort(key=lambda name: -drawn.mean((key, name)))
        chosen, words = set(known[:1]), 0
        for name in known:
            words += len(name.split())
            if drawn.mean((key, name)) > WORTH and words <= self._most_words:
                chosen.add(name)
        return [clause for name, clause in clauses.items() if name in chosen]

    def predict(self, credits_: Credits, candidate: Candidate) -> float:
        """Return the credit of a candidate, less what its clauses have to be worth."""
        parts = self._list_parts(candidate)
        clauses = _count_clauses(each for each in parts if each[0] in self._texts)
        total = credits_.sum(parts) + credits_.mean(("", candidate.digest))
        return round(total - WORTH * clauses, 9)

    def put_back(self, candidate: Candidate) -> Candidate:
        """Return a candidate with the program's own instructions."""
        own = {key: self._base[key].value for key in self._texts}
        return Candidate.of(
            self._run.materials.base, {**candidate.parameters, **own}, candidate.label
        )

    def is_clearly_better(self, credits_: Credits, best: Candidate, other: Candidate) -> bool:
        """Return whether the credit of a candidate is higher, beyond its error."""
        weights = {**self._list_parts(best), ("", best.digest): 1.0}
        for part, weight in {**self._list_parts(other), ("", other.digest): 1.0}.items():
            weights[part] = weights.get(part, 0.0) - weight
        gain = self.predict(credits_, best) - self.predict(credits_, other)
        return gain > CLEARLY * credits_.error(weights)

    def rank(self, credits_: Credits, more: Iterable[Candidate] = ()) -> list[Candidate]:
        """Return what was tried, and some more, by credit, the highest first."""
        searched = {*self._texts, *self._wholes}
        others = [key for key in self._base if key not in searched]
        fixed = [self._read(self._run.start, key) for key in others]
        options = [
            each
            for each in dict.fromkeys((*self._list_tried(), *more))
            if [self._read(each, key) for key in others] == fixed
        ]
        return sorted(options, key=lambda each: -self.predict(credits_, each))

    def _list_tried(self) -> list[Candidate]:
        scorer = self._run.scorer
        return [
            each
            for each in scorer.candidates
            if scorer.values(each) and scorer.is_comparable(each)
        ]

    def _read(self, candidate: Candidate, key: str) -> Any:
        return candidate.parameters.get(key, self._base[key].value)

    def _list_parts(self, candidate: Candidate) -> dict[Feature, float]:
        if candidate not in self._known:
            parts: dict[Feature, float] = {}
            for key in self._keys:
                value = self._read(candidate, key)
                if key in self._texts:
                    for clause in split_clauses(str(value)):
                        self._clauses.setdefault(key, {}).setdefault(clause.key, clause)
                    parts |= self._describe_text(key, str(value))
                else:
                    self._values.setdefault(key, {}).setdefault(name_value(value), value)
                    parts |= self._describe(key, value)
            self._known[candidate] = parts
        return self._known[candidate]

    def _describe_text(self, key: str, text: str) -> dict[Feature, float]:
        parts = {(key, clause.key): 1.0 for clause in split_clauses(text)}
        if text != self._base[key].value:
            parts[key, FOREIGN] = 1.0
        return parts

    def _describe(self, key: str, value: Any) -> dict[Feature, float]:
        if key in self._shown:
            return describe_demos(key, value)
        return {(key, name_value(value)): 1.0}


def _count_clauses(parts: Iterable[Feature]) -> int:
    return sum(name != FOREIGN for _, name in parts)
