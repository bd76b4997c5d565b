"""Compare the search with the search without one of its pieces, on the same seeds.

One piece went after its ablation on the development seeds: shrinking candidates' means toward
their common mean (it cost 0.010 [0.003, 0.018] accuracy). What pruning does to prompts has a
measurement of its own (``--pruning``).
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any
from unittest import mock

from benchmarks.measured import table, with_interval
from optimizers.evaluation.candidate import Candidate
from optimizers.pruning.member import PrunedOptimizer
from optimizers.run import Run
from optimizers.search import race
from optimizers.search.edits import EditSearch
from optimizers.search.structure import StructureSearch

CAPS = (600, 1000, 1780, 4000)
# How each piece is left out, by its name; "" is the whole search.
WITHOUT: Mapping[str, Callable[[], AbstractContextManager[Any]]] = MappingProxyType(
    {
        "": nullcontext,
        "recombination": lambda: mock.patch.object(race, "RECOMBINED", 0),
        "edits": lambda: mock.patch.object(EditSearch, "search", _keep_start),
        "rungs": lambda: mock.patch.object(race.Race, "_promote", _do_nothing),
        "pruning": lambda: mock.patch.object(PrunedOptimizer, "prunes", _decline),
        # There is nothing to gain from it on the surface: the row shows what it takes away.
        "structure": lambda: mock.patch.object(StructureSearch, "search", _keep_start),
    }
)


async def _do_nothing(_: object) -> None:
    """Replace a step of the search."""


def _decline(_: object) -> bool:
    """Replace a question."""
    return False


async def _keep_start(_: object, run: Run) -> Candidate:
    """Replace a part of the search."""
    return run.start


def format_ablations(outcomes: Mapping[tuple[str, int, int, int], Mapping[str, Any]]) -> str:
    """Return the table of differences: the whole search minus the search without a piece.

    Args:
        outcomes: Outcomes of compiles, by piece left out, modules, cap and seed.
    """
    settings = list(dict.fromkeys((modules, cap) for _, modules, cap, _ in outcomes))
    seeds = list(dict.fromkeys(seed for *_, seed in outcomes))
    head = [f"{modules} module{'s' * (modules > 1)}, {cap:,} calls" for modules, cap in settings]
    rows: list[tuple[str, ...]] = [("what the piece adds", "all", *head, "calls")]
    for piece in dict.fromkeys(piece for piece, *_ in outcomes if piece):
        gains: dict[tuple[int, int], list[float]] = defaultdict(list)
        for setting in settings:
            for seed in seeds:
                whole = outcomes["", *setting, seed]
                without = outcomes[piece, *setting, seed]
                gains[setting].append(whole["candidate"] - without["candidate"])
        calls = [
            statistics.fmean(
                outcomes["", *setting, seed]["calls"] - outcomes[piece, *setting, seed]["calls"]
                for setting in settings
            )
            for seed in seeds
        ]
        by_seed = [statistics.fmean(values) for values in zip(*gains.values(), strict=True)]
        cells = [with_interval(gains[setting], "+.3f") for setting in settings]
        rows.append((piece, with_interval(by_seed, "+.4f"), *cells, with_interval(calls, "+.0f")))
    return table(rows)


def list_settings(
    seeds: Sequence[int], pieces: Sequence[str], caps: Sequence[int]
) -> list[tuple[str, int, int, int]]:
    """List piece left out, modules, cap and seed of every compile, seed by seed.

    Args:
        seeds: Seeds of the surface.
        pieces: The pieces, by their names; the whole search is always run.
        caps: Caps on the calls.
    """
    return [
        (piece, modules, cap, seed)
        for seed in seeds
        for modules in (1, 2)
        for cap in caps
        for piece in ("", *pieces)
    ]
