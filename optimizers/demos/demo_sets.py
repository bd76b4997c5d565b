"""Sets of demonstrations to choose from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from langprog import Example
from langprog.signature import SignatureSpec
from optimizers.demos.demos import DemoSet, Pool, drawn


@dataclass(frozen=True, slots=True)
class Recipe:
    """How many demonstrations of which sort a set has."""

    bootstrapped: int
    labeled: int

    @property
    def label(self) -> str:
        """The recipe in a few words."""
        if not self.bootstrapped and not self.labeled:
            return "none"
        parts = []
        if self.bootstrapped:
            parts.append(f"{self.bootstrapped} traced")
        if self.labeled:
            parts.append(f"{self.labeled} labelled")
        return " + ".join(parts)


def recipes(count: int, most: int) -> list[Recipe]:
    """Return ``count`` recipes of up to ``most`` demonstrations, plain ones first.

    None at all, labels alone, good runs alone, both; then the same in other sizes, so that a
    search can find out how many are worth their tokens.
    """
    half = max(1, most // 2)
    cycle = [
        Recipe(0, most),
        Recipe(half, half),
        Recipe(most, 0),
        Recipe(0, half),
        Recipe(half, 0),
        Recipe(max(1, most // 4), most - max(1, most // 4)),
    ]
    return [Recipe(0, 0), *(cycle[index % len(cycle)] for index in range(max(0, count - 1)))]


def demo_set(
    pool: Pool,
    path: str,
    signature: SignatureSpec,
    *,
    bootstrapped: int,
    labeled: int,
    rng: random.Random,
) -> DemoSet:
    """Draw one set for the predictor at ``path``: from good runs first, then from labels.

    What the good runs do not give, the labels fill up. No training example is shown twice.
    """
    runs = drawn(pool.traced.get(path, ()), bootstrapped, signature, rng)
    used = {one.source for one in runs}
    rest = [one for one in pool.labelled.get(path, ()) if one.source not in used]
    labels = drawn(rest, labeled + bootstrapped - len(runs), signature, rng)
    mixed = [one.demo for one in (*runs, *labels)]
    rng.shuffle(mixed)
    return tuple(mixed)


def distinct_sets(
    pool: Pool,
    path: str,
    signature: SignatureSpec,
    wanted: Sequence[Recipe],
    now: Sequence[Example],
    rng: random.Random,
) -> list[tuple[DemoSet, str]]:
    """Return sets with their labels: what the predictor shows ``now`` first, none twice."""
    found: dict[tuple[str, ...], tuple[DemoSet, str]] = {_key(now): (tuple(now), "as it is")}
    for recipe in wanted:
        demos = demo_set(
            pool,
            path,
            signature,
            bootstrapped=recipe.bootstrapped,
            labeled=recipe.labeled,
            rng=rng,
        )
        found.setdefault(_key(demos), (demos, recipe.label))
    return list(found.values())


def _key(demos: Sequence[Example]) -> tuple[str, ...]:
    # The order of demonstrations matters to a model, so two orders are two sets.
    return tuple(demo.digest for demo in demos)
