"""Measure the test of a port: what it says of recorded models, and how often it is wrong.

Usage: python -m benchmarks.replay.port [--draws 2000] [--pocket FILE] [--whole 300]
           [--checkpoint FILE]

No model is called: the pairs are recorded answers of commercial and open models, and runs of the
embedded models that ``python -m benchmarks.replay.port_pocket FILE`` has made. Of each pair, the
true difference is that of all its rows; rows are then drawn from them with replacement, so that
it is known whether a port that says ``safe`` is right. As few pairs differ by just the tolerance,
where it is hardest, rows are also drawn with weights that make the true difference exactly that.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import langprog as lp
from benchmarks.measured import Checkpoint, machine, publish, table, versions
from benchmarks.replay.drawn_rows import (
    TOLERANCE,
    Floats,
    Population,
    Share,
    compute_chance,
    count_safe,
    tilt,
)
from benchmarks.replay.model_pairs import PairScores, list_pairs, load_pair
from benchmarks.replay.whole_ports import CASES, ROWS, run_port
from benchmarks.tasks.folder import data_folder, explain_missing_data
from langprog.evaluation import fewest_clusters
from optimizers import port
from optimizers.porting.decision import LEVEL, decide

SIZES = (60, 100, 200, 500)
# Graded scores take the betting test, which is slower.
GRADED_DRAWS = 200


@dataclass(frozen=True)
class Result:
    """What was found about a pair.

    Args:
        population: The pair.
        outcome: What the port says of all its rows.
        bound: Lower bound of the difference there.
        shares: How often it is called safe, by number of rows.
        edge: The same where the true difference is just the tolerance; empty if no weights make
            it so.
        exact: The largest exact chance there, over the numbers of rows; ``None`` if unknown.
    """

    population: Population
    outcome: str
    bound: float
    shares: dict[int, Share]
    edge: dict[int, Share]
    exact: float | None


def measure(population: Population, draws: int, seed: int, kept: Checkpoint) -> Result:
    """Measure a pair, except for what is kept already."""
    scores = population.scores
    rows = range(len(scores.before))
    whole = decide(scores.before, scores.after, rows, (0.0, 1.0), tolerance=TOLERANCE)
    draws = GRADED_DRAWS if population.is_graded else draws
    weights = tilt(population.differences, -TOLERANCE)

    def count(weights: Floats | None, seed: int) -> dict[int, Share]:
        name = f"{population.source}, {population.name}, {population.kind}, {draws}, {seed}"
        return {
            size: Share(
                kept.measure_once(
                    f"{name}, n = {size}",
                    partial(count_safe, population, size, draws, seed, weights),
                ),
                draws,
            )
            for size in SIZES
        }

    edge = {} if weights is None else count(weights, seed + 1)
    exact = None
    if weights is not None and not population.is_graded:
        exact = max(
            kept.measure_once(
                f"{population.source}, {population.name}, {population.kind}, exact, n = {size}",
                partial(compute_chance, population, size, weights),
            )
            for size in SIZES
        )
    shares = count(None, seed)
    return Result(population, whole.outcome, whole.claims.low, shares, edge, exact)


# --- the whole function on recorded answers ------------------------------------------------------


def replay_port(scores: PairScores, folder: Path) -> str:
    """Return the outcome of ``optimizers.port`` itself, with models that give recorded scores."""

    def model(name: str, values: Sequence[float]) -> lp.ScriptedLM:
        def reply(request: lp.Request) -> str:
            row = int(request.messages[-1].text.rpartition("row ")[2].split(".")[0])
            return f"[[y]]\n{values[row]}"

        return lp.ScriptedLM(reply, name=f"recorded/{name}")

    def metric(example: lp.Example, prediction: lp.Prediction) -> float:
        return float(prediction.y)

    old, new = model("old", scores.before), model("new", scores.after)
    path = folder / "artifact.json"
    lp.save(lp.Predict("x -> y: float", model=old), path)
    ported = port(
        path,
        new,
        [lp.Example(x=f"row {row}.", y=1.0) for row in range(len(scores.before))],
        metric=metric,
        tolerance=TOLERANCE,
        program=lp.load(path, models={old.name: old}),
        optimizer=None,
        progress=lambda event: None,
    )
    return ported.outcome


# --- the page ------------------------------------------------------------------------------------


def format_outcomes(results: Sequence[Result]) -> str:
    """Return the table of what the port says of each pair."""
    rows: list[tuple[str, ...]] = [
        ("pair", "rows", "old", "new", "difference", "at least", "port says")
    ]
    source = ""
    for result in results:
        population = result.population
        if population.source != source:
            source = population.source
            rows.append((f"**{source}**", "", "", "", "", "", ""))
        scores = population.scores
        rows.append(
            (
                f"{population.name} ({population.kind})",
                str(len(scores.before)),
                f"{np.mean(scores.before):.3f}",
                f"{np.mean(scores.after):.3f}",
                f"{population.truth:+.3f}",
                f"{result.bound:+.3f}",
                f"**{result.outcome}**" if result.outcome == "worse" else result.outcome,
            )
        )
    return table(rows)


def format_shares(results: Sequence[Result], *, edge: bool) -> str:
    """Return how often each pair is called safe when some of its rows are drawn."""
    rows: list[tuple[str, ...]] = [("pair", "true difference", *(f"n = {size}" for size in SIZES))]
    for result in results:
        shares = result.edge if edge else result.shares
        truth = -TOLERANCE if edge else result.population.truth
        if shares:
            rows.append(
                (
                    f"{result.population.source}: {result.population.name}",
                    f"{truth:+.3f}",
                    *(str(shares[size]) for size in SIZES),
                )
            )
    return table(rows)


def summarize(results: Sequence[Result]) -> str:
    """Return the worst share of false calls, and all of them together."""
    wrong = [
        (f"{result.population.source}, {result.population.name}, n = {size}", share)
        for result in results
        for shares in (
            result.shares if result.population.truth <= -TOLERANCE else {},
            result.edge,
        )
        for size, share in shares.items()
    ]
    if not wrong:
        return "No pair loses the tolerance."
    total = Share(sum(share.safe for _, share in wrong), sum(share.draws for _, share in wrong))
    name, worst = max(wrong, key=lambda each: each[1].safe / each[1].draws)
    above = sum(share.interval[0] > LEVEL for _, share in wrong)
    exact = max((result.exact or 0.0 for result in results), default=0.0)
    return (
        f"False calls of `safe`, over all {len(wrong)} cells in which the true loss is the "
        f"tolerance or more: {total}; the largest share is {worst} ({name}); the lower end of its "
        f"interval is above {LEVEL:.0%} in {above} cells. For scores of 0 and 1 the share can be "
        "computed exactly, too, without drawing: where the loss is just the tolerance, it is at "
        f"most {exact:.2%} over all pairs and n."
    )


def read_pocket(path: Path) -> Iterator[Population]:
    """Yield the pairs of embedded models that ``port_pocket`` has run, in both directions."""
    for line in path.read_text().splitlines():
        data = json.loads(line)
        first, second = data["models"]
        scores = {name: tuple(data["scores"][name]) for name in (first, second)}
        for old, new in ((first, second), (second, first)):
            yield Population(
                f"embedded, {data['task']}",
                f"{old} -> {new}",
                f"seed {data['seed']}",
                PairScores(scores[old], scores[new]),
            )


def count_agreements(results: Sequence[Result], kept: Checkpoint) -> str:
    """Say for how many pairs the whole function says the same as its test."""
    with tempfile.TemporaryDirectory() as folder:
        said = [
            kept.measure_once(
                f"port, {result.population.source}, {result.population.name}",
                partial(replay_port, result.population.scores, Path(folder)),
            )
            for result in results
        ]
    same = sum(a == b.outcome for a, b in zip(said, results, strict=True))
    return (
        "`optimizers.port` itself, on models that give the recorded answers, says the same as its "
        f"test for {same} of {len(said)} pairs."
    )


def format_whole(options: argparse.Namespace, kept: Checkpoint) -> str:
    """Return the table of whole ports that lose just the tolerance."""
    rows: list[tuple[str, ...]] = [("the new model is", "safe", "mended", "safe or mended")]
    for case in CASES:
        said = [
            kept.measure_once(f"whole, {case}, {seed}", partial(run_port, case, seed))
            for seed in range(options.whole)
        ]
        safe, mended = said.count("safe"), said.count("mended")
        counts = (safe, mended, safe + mended)
        rows.append((case, *(str(Share(count, options.whole)) for count in counts)))
    return table(rows)


def publish_page(
    options: argparse.Namespace,
    recorded: Sequence[Result],
    pocket: Sequence[Result],
    kept: Checkpoint,
) -> None:
    """Write the page."""
    fewest = fewest_clusters("not worse", tolerance=TOLERANCE)
    graded = any(result.population.is_graded for result in pocket)
    slow = f" ({GRADED_DRAWS} for graded scores)" if graded else ""
    named = "" if options.pocket is None else f" --pocket {Path(options.pocket).name}"
    named += f" --whole {options.whole}" if options.whole else ""
    results = [*recorded, *pocket]
    parts = [
        "# Is a model a safe replacement?",
        f"`python -m benchmarks.replay.port --draws {options.draws} --seed {options.seed}{named}`"
        f"; {machine()}; {versions('langprog', 'numpy', 'scipy')}; tolerance {TOLERANCE:g}, level "
        f"{LEVEL:g}, so {fewest} rows are the fewest that can show anything. The pairs were "
        "chosen before any was compared (`benchmarks/replay/model_pairs.py`). Nothing recorded "
        "can be compiled again, so this is the test of a port alone. `safe`: shown to lose no "
        "more than the tolerance; `worse`: shown to lose; `cannot tell`: neither.",
        "## What a port says of recorded models, on all rows",
        format_outcomes(recorded),
        count_agreements(recorded, kept),
        "## How often it says `safe`",
        f"{options.draws} draws of n rows with replacement from each pair{slow}, seed "
        f"{options.seed}; the truth is the difference over all rows of the pair; 95 % "
        "intervals. Where the true difference is -0.05 or lower, each `safe` is false.",
        format_shares(results, edge=False),
        "## Where the true loss is just the tolerance",
        "The same with weights (exponential in the difference of a row) that make the true "
        f"difference exactly -{TOLERANCE:g}: each `safe` is false.",
        format_shares(results, edge=True),
        f"**{summarize(results)}**",
    ]
    if options.whole:
        parts += [
            "## Whole ports, with the compile",
            "Simulated models (`benchmarks/replay/whole_ports.py`) that lose exactly "
            f"{TOLERANCE:g}, as they are and once compiled: {options.whole} ports of {ROWS} rows, "
            f"seeds 0 to {options.whole - 1}. Each `safe` and each `mended` is false; together "
            f"they may be {LEVEL:.0%}.",
            format_whole(options, kept),
        ]
    if pocket:
        parts += ["## The embedded models", format_outcomes(pocket)]
    publish("port", "\n\n".join(parts))


def main(arguments: list[str]) -> None:
    """Measure every pair, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.replay.port")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pocket", default=None)
    parser.add_argument("--whole", type=int, default=0, help="simulated ports of each kind")
    parser.add_argument("--checkpoint", type=Path, default=None)
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    recorded = [
        Population(pair.source, pair.name, pair.kind, load_pair(pair, folder))
        for pair in list_pairs()
    ]
    pocket = [] if options.pocket is None else list(read_pocket(Path(options.pocket)))
    kept = Checkpoint(options.checkpoint or Path(tempfile.gettempdir()) / "langprog-port.jsonl")
    measured, embedded = (
        [measure(each, options.draws, options.seed, kept) for each in group]
        for group in (recorded, pocket)
    )
    publish_page(options, measured, embedded, kept)


if __name__ == "__main__":
    main(sys.argv[1:])
