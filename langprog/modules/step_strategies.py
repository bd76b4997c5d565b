"""Strategies of a search over reasoning steps: beam, particles, A*."""

from __future__ import annotations

import heapq
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from random import Random
from typing import Literal, get_args

from langprog.errors import LangprogError
from langprog.modules.around import SURVIVED
from langprog.runtime import gather_in_order

Strategy = Literal["beam", "particles", "astar"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


@dataclass(frozen=True, slots=True)
class Path:
    """Some steps of reasoning, from the first.

    Args:
        steps: The steps.
        finished: Whether the answer is known after the last one.
        score: How good it is; higher is better.
        logprob: Sum of the log-probabilities of the tokens of all steps.
        tokens: Number of those tokens.
    """

    steps: tuple[str, ...] = ()
    finished: bool = False
    score: float = 0.0
    logprob: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a search.

    Args:
        width: How many paths are kept.
        depth: Maximum number of steps.
        branch: How many next steps are proposed for a path.
        reject_below: Paths with a lower score are dropped; ``None`` for none.
    """

    width: int
    depth: int
    branch: int
    reject_below: float | None = None

    @property
    def chooses(self) -> bool:
        """Whether scores decide anything: not if there is only one path to take."""
        return self.width * self.branch > 1 or self.reject_below is not None


class StepExplorer:
    """Extends paths and scores them, in rounds whose results are in a fixed order.

    Args:
        limits: What bounds the search.
        propose: Extends a path by a step; the number tells several next steps of it apart.
        score: Scores a path.
    """

    def __init__(
        self,
        limits: Limits,
        propose: Callable[[Path, int], Awaitable[Path]],
        score: Callable[[Path], Awaitable[float]],
    ) -> None:
        self.limits = limits
        self._propose = propose
        self._score = score
        self._failures: list[LangprogError] = []
        # The best of the paths that were rejected, in case nothing else is left.
        self._rejected: list[Path] = []

    async def extend(self, paths: Sequence[Path]) -> list[Path | None]:
        """Extend every path by a step, and score the results; ``None`` where that failed.

        A path that is given several times is extended by as many different draws.
        """
        counts: dict[Path, int] = {}
        works = []
        for path in paths:
            number = counts.get(path, 0)
            counts[path] = number + 1
            works.append(partial(self._survive, partial(self._propose, path, number)))
        proposed = await gather_in_order(works, max(1, len(works)))
        if not self.limits.chooses:
            return proposed
        distinct = list(dict.fromkeys(path for path in proposed if path is not None))
        scoring = [partial(self._survive, partial(self._with_score, path)) for path in distinct]
        scored = await gather_in_order(scoring, max(1, len(scoring)))
        results = dict(zip(distinct, scored, strict=True))
        return [None if path is None else self._keep(results[path]) for path in proposed]

    async def _with_score(self, path: Path) -> Path:
        return replace(path, score=await self._score(path))

    async def _survive(self, work: Callable[[], Awaitable[Path]]) -> Path | None:
        try:
            return await work()
        except SURVIVED as error:
            self._failures.append(error)
            return None

    def _keep(self, path: Path | None) -> Path | None:
        least = self.limits.reject_below
        if path is None or least is None or path.score >= least:
            return path
        self._rejected.append(path)
        return None

    def choose(self, paths: Sequence[Path]) -> Path:
        """Return the best path: a finished one if there is one; of equal scores, the earliest.

        Raises:
            LangprogError: There is none, as everything failed.
        """
        reached = [path for path in paths if path.steps] or self._rejected
        if not reached:
            raise self._failures[0]
        return max(reached, key=lambda path: (path.finished, path.score))


async def search_beam(explorer: StepExplorer) -> Path:
    """Extend the best ``width`` paths, step by step; finished ones keep their place."""
    limits = explorer.limits
    beam = [Path()]
    for depth in range(limits.depth):
        growing = [path for path in beam if not path.finished]
        if not growing:
            break
        copies = limits.branch if depth else limits.width * limits.branch
        extended = await explorer.extend([path for path in growing for _ in range(copies)])
        finished = [path for path in beam if path.finished]
        pool = [*finished, *(path for path in extended if path is not None)]
        if not pool:
            break
        distinct: dict[tuple[str, ...], Path] = {}
        for path in pool:
            distinct.setdefault(path.steps, path)
        beam = sorted(distinct.values(), key=lambda path: -path.score)[: limits.width]
    return explorer.choose(beam)


async def search_particles(explorer: StepExplorer, temperature: float, seed: str) -> Path:
    """Extend ``width`` particles, and draw anew from them by the softmax of their scores.

    Args:
        explorer: Extends and scores.
        temperature: Of the softmax; near 0 only the best particles are drawn.
        seed: Decides the draws.
    """
    limits = explorer.limits
    particles = [Path()] * limits.width
    for depth in range(limits.depth):
        growing = [path for path in particles if not path.finished]
        if not growing:
            break
        left = iter(await explorer.extend(growing))
        moved = [path if path.finished else next(left) for path in particles]
        alive = [path for path in moved if path is not None]
        if not alive:
            break
        particles = _draw_again(alive, limits.width, temperature, Random(f"{seed} {depth}"))
    return explorer.choose(particles)


def _draw_again(paths: Sequence[Path], count: int, temperature: float, rng: Random) -> list[Path]:
    """Draw ``count`` paths by the softmax of their scores: systematic resampling."""
    highest = max(path.score for path in paths)
    weights = [math.exp((path.score - highest) / temperature) for path in paths]
    sums = list(accumulate(weights))
    start = rng.random()
    drawn, place = [], 0
    for number in range(count):
        point = (start + number) / count * sums[-1]
        while place < len(paths) - 1 and sums[place] <= point:
            place += 1
        drawn.append(paths[place])
    return drawn


async def search_best_first(explorer: StepExplorer) -> Path:
    """Extend the path with the highest score, wherever it is, until a finished one is on top."""
    limits = explorer.limits
    # By score, then by order of arrival.
    queue: list[tuple[float, int, Path]] = [(0.0, 0, Path())]
    reached: list[Path] = []
    seen: set[tuple[str, ...]] = set()
    left = limits.width * limits.depth
    while queue and left:
        path = heapq.heappop(queue)[2]
        if path.finished:
            return path
        if len(path.steps) == limits.depth:
            continue
        left -= 1
        for longer in await explorer.extend([path] * limits.branch):
            if longer is not None and longer.steps not in seen:
                seen.add(longer.steps)
                reached.append(longer)
                heapq.heappush(queue, (-longer.score, len(seen), longer))
    return explorer.choose(reached)
