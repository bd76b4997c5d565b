"""Sets of demonstrations to choose from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from langprog import Example
from langprog.signature import SignatureSpec
from optimizers.demos.demos import Demonstrations, DemoSet, draw_demos, drop_known


@dataclass(frozen=True, slots=True)
class DemoSetSpec:
    """How many demonstrations of each kind a set has."""

    bootstrapped: int
    labeled: int

    @property
    def label(self) -> str:
        """A short description."""
        if not self.bootstrapped and not self.labeled:
            return "none"
        parts = []
        if self.bootstrapped:
            parts.append(f"{self.bootstrapped} traced")
        if self.labeled:
            parts.append(f"{self.labeled} labelled")
        return " + ".join(parts)


def list_set_specs(count: int, most: int) -> list[DemoSetSpec]:
    """Return ``count`` specs for sets of up to ``most`` demonstrations, simple ones first.

    None at all, labels alone, good runs alone, both; then the same in other sizes, so that a
    search can learn how many are worth their tokens.
    """
    half = max(1, most // 2)
    cycle = [
        DemoSetSpec(0, most),
        DemoSetSpec(half, half),
        DemoSetSpec(most, 0),
        DemoSetSpec(0, half),
        DemoSetSpec(half, 0),
        DemoSetSpec(max(1, most // 4), most - max(1, most // 4)),
    ]
    rest = (cycle[index % len(cycle)] for index in range(max(0, count - 1)))
    return [DemoSetSpec(0, 0), *rest]


def draw_set(
    demos: Demonstrations,
    path: str,
    signature: SignatureSpec,
    *,
    bootstrapped: int,
    labeled: int,
    rng: random.Random,
    own: DemoSet = (),
) -> DemoSet:
    """Draw one set for the predictor at ``path``: from good runs first, then from labels.

    Labels make up for good runs that are missing. No training example gives both, and none of
    ``own`` appears twice.

    Args:
        demos: What to draw from.
        path: The predictor.
        signature: Its signature.
        bootstrapped: Most demonstrations from good runs.
        labeled: Most labelled demonstrations beside them.
        rng: Decides the draw.
        own: Demonstrations that the set begins with; they count toward its size.
    """
    size = max(0, bootstrapped + labeled - len(own))
    traced = drop_known(demos.traced.get(path, ()), own, signature)
    runs = draw_demos(traced, min(bootstrapped, size), signature, rng)
    used = {item.source for item in runs}
    unused = [item for item in demos.labeled.get(path, ()) if item.source not in used]
    labels = draw_demos(drop_known(unused, own, signature), size - len(runs), signature, rng)
    mixed = [item.demo for item in (*runs, *labels)]
    rng.shuffle(mixed)
    return (*own, *mixed)


def draw_distinct_sets(
    demos: Demonstrations,
    path: str,
    signature: SignatureSpec,
    specs: Sequence[DemoSetSpec],
    now: Sequence[Example],
    rng: random.Random,
    own: DemoSet = (),
) -> list[tuple[DemoSet, str]]:
    """Return distinct sets with their labels; what the predictor shows ``now`` comes first.

    What it shows now is also offered in another order. Where there are no labels, as for what
    passes between two modules, good runs take their places.

    Arguments as for :func:`draw_set`.
    """
    sets: dict[tuple[str, ...], tuple[DemoSet, str]] = {_key(now): (tuple(now), "as it is")}
    reordered = reorder(now, own, rng)
    sets.setdefault(_key(reordered), (reordered, "the same in another order"))
    if not demos.labeled.get(path):
        specs = [DemoSetSpec(spec.bootstrapped + spec.labeled, 0) for spec in specs]
    for spec in specs:
        drawn = draw_set(
            demos,
            path,
            signature,
            bootstrapped=spec.bootstrapped,
            labeled=spec.labeled,
            rng=rng,
            own=own,
        )
        sets.setdefault(_key(drawn), (drawn, spec.label))
    return list(sets.values())


def reorder(demos: Sequence[Example], own: DemoSet, rng: random.Random) -> DemoSet:
    """Return demonstrations in a random other order, those of ``own`` first as before.

    Args:
        demos: The demonstrations; two are swapped at least where two can be.
        own: Those that stay where they are, if the set begins with them.
        rng: Decides the order; not used where there is no other one.
    """
    kept = len(own) if tuple(demos[: len(own)]) == own else 0
    rest = list(demos[kept:])
    if len({demo.digest for demo in rest}) < 2:
        return tuple(demos)
    before = _key(rest)
    while _key(rest) == before:
        rng.shuffle(rest)
    return (*demos[:kept], *rest)


def _key(demos: Sequence[Example]) -> tuple[str, ...]:
    # The order of demonstrations matters to a model, so two orders are two sets.
    return tuple(demo.digest for demo in demos)
