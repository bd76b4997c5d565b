"""Our Compiler and DSPy's optimizers on one DSPy program, with DSPy's prompts, at equal calls.

Usage: python -m benchmarks.dspy_programs [--on surface] [--seeds 3] [--first 200] [--cap 600]
           [--tasks NAMES] [--keep FOLDER] [--busy]

Needs the extra "bench". Everybody compiles the same ``dspy.Module``, whose prompts DSPy's own
ChatAdapter writes, with the same model and rows; what comes out is a ``dspy.Module`` again, and is
scored by DSPy alone. DSPy's optimizers have sizes at which they take about as many calls as ours
may. Paid calls are requests that reach the model, counted there; all caches start empty. Each
finished compile is kept in FOLDER, so that a stopped run can be resumed.

``--on surface`` is the simulated response surface (``benchmarks/surface``), with a program of one
predictor and one of two, where the caps are for each predictor; ``--on pocket/medium`` is an
embedded model behind an endpoint, on the generated tasks.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.measured import machine, publish_section, table, versions, with_interval
from benchmarks.optimizers import THREADS, Job, Place, endpoint, run_apart
from benchmarks.peers import (
    Answering,
    Cut,
    PeerSettings,
    answer_or_nothing,
    compile_peer,
    make_module,
)
from benchmarks.surface.endpoint import Surface
from benchmarks.surface.peers import surface_lm
from benchmarks.surface.programs import FRESH, items, model, program
from benchmarks.tasks.generated import HOLDOUT, TASKS, TRAIN, VALIDATION, make_task
from langprog.lm import LanguageModel, MemoryCache
from optimizers import Compiler

OURS, BASE = "langprog Compiler", "uncompiled"
PEERS = ("BootstrapRS", "MIPROv2 light", "GEPA light", "SIMBA")
# Sizes at which each of them takes about six hundred calls, by the program's predictors; those of
# two are twice as many.
SIZES: Mapping[int, Cut] = {
    1: Cut(validation=60, sets=7, trials=17, metric_calls=550, steps=3),
    2: Cut(validation=60, sets=7, trials=17, metric_calls=900, steps=5),
}
MOST_TOKENS = 400
SURFACES: Mapping[str, int] = {"1 predictor": 1, "2 predictors": 2}
TITLE = "# Our Compiler and DSPy's optimizers on one DSPy program"


@dataclass(frozen=True)
class Ground:
    """What everybody gets.

    Args:
        program: The program, as one of ours.
        data: Examples for training, validation and certificate, in this order.
        test: Examples that no optimizer sees.
        score: Score of outputs by name.
        theirs: The model, as one of DSPy.
        ours: The same model, as one of ours.
        count: Returns the requests that have reached it.
        threads: Examples processed at the same time.
    """

    program: lp.Module
    data: Sequence[lp.Example]
    test: Sequence[lp.Example]
    score: Callable[[lp.Example, Mapping[str, Any]], float]
    theirs: Any
    ours: LanguageModel
    count: Callable[[], int]
    threads: int

    def metric(self, example: lp.Example, prediction: lp.Prediction) -> lp.Score:
        """Score a prediction, with the right answers as feedback, as DSPy's GEPA gets them."""
        value = self.score(example, prediction)
        inputs = self.program.input_names()
        wanted = {name: each for name, each in example.to_dict().items() if name not in inputs}
        return lp.Score(value, "Right." if value >= 1.0 else f"Wrong; wanted {wanted}.")


def make_surface(job: Job) -> Ground:
    """Return the simulated model and a program for it."""
    surface = Surface(job.seed)
    return Ground(
        program(SURFACES[job.task]),
        items(surface, 0, TRAIN + VALIDATION + HOLDOUT),
        items(surface, FRESH, 600),
        lambda example, values: float(example.answer == values.get("answer")),
        surface_lm(surface),
        model(surface),
        lambda: surface.calls,
        threads=1,
    )


def make_endpoint(job: Job, place: Place) -> Ground:
    """Return an embedded model and a task for it."""
    import dspy  # noqa: PLC0415 - after its cache has an empty folder

    task = make_task(job.task, job.seed)
    connection: dict[str, Any] = {"api_key": "none", "max_tokens": MOST_TOKENS}
    return Ground(
        task.program,
        task.data,
        task.test,
        task.score,
        dspy.LM(f"openai/pocket/{place.size}", api_base=place.url, **connection),
        lp.LM(
            f"pocket/{place.size}",
            base_url=place.url,
            cache=MemoryCache(),
            width=THREADS,
            **connection,
        ),
        lambda: place.count.value,
        threads=THREADS,
    )


def list_jobs(options: argparse.Namespace) -> Iterator[Job]:
    """Yield every compile, seed by seed."""
    for seed in range(options.first, options.first + options.seeds):
        for task in options.tasks:
            cap = options.cap * SURFACES.get(task, 1)
            for name in (BASE, OURS, *(f"DSPy {peer}" for peer in PEERS)):
                yield Job(task, seed, name, cap)


def _send_outcome(job: Job, place: Place, answer: Any) -> None:
    with empty_caches():
        answer.send(compile_here(job, place))


@contextmanager
def empty_caches() -> Iterator[None]:
    """Give DSPy, which is imported later, an empty folder for its cache."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DSPY_CACHEDIR"] = folder
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        yield


def compile_here(job: Job, place: Place | None = None) -> dict[str, Any]:
    """Run a compile, and score its result."""
    import dspy  # noqa: PLC0415 - after its cache has an empty folder

    ground = make_surface(job) if place is None else make_endpoint(job, place)
    started, before = time.perf_counter(), ground.count()
    outcome: dict[str, Any] = {}
    if job.optimizer == BASE:
        inputs = ground.program.input_names()
        compiled = Answering(ground.theirs, None, make_module(dspy, ground.program), inputs)
    elif job.optimizer == OURS:
        compiled, outcome = _compile_ours(job, ground, make_module(dspy, ground.program))
    else:
        compiled = compile_peer(
            job.optimizer.removeprefix("DSPy "),
            ground.program,
            (ground.data[:TRAIN], ground.data[TRAIN:]),
            ground.score,
            ground.theirs,
            seed=job.seed,
            settings=PeerSettings(ground.threads, cut=SIZES[SURFACES.get(job.task, 1)]),
        )
    outcome["calls"] = ground.count() - before
    outcome["seconds"] = time.perf_counter() - started
    outcome["after"] = _score(ground, compiled)
    outcome["failed"] = compiled.failed
    return {"task": job.task, "name": job.optimizer, "seed": job.seed, **outcome}


def _compile_ours(job: Job, ground: Ground, module: Any) -> tuple[Answering, dict[str, Any]]:
    """Compile with ours; return DSPy's program and the certificate's verdict."""
    wrapped = lp.from_dspy(module, inputs=ground.program.input_names())
    with lp.using(lm=ground.ours):
        result = Compiler(concurrency=ground.threads).compile(
            wrapped,
            ground.data[:TRAIN],
            valset=ground.data[TRAIN : TRAIN + VALIDATION],
            holdout=ground.data[TRAIN + VALIDATION :],
            metric=ground.metric,
            budget=lp.Budget(calls=job.cap),
            seed=job.seed,
        )
    exported = lp.to_dspy(result, lm=ground.theirs)
    return Answering(ground.theirs, None, exported, wrapped.input_names()), {
        "verdict": result.certificate.verdict
    }


def _score(ground: Ground, compiled: Answering) -> float:
    with ThreadPoolExecutor(ground.threads) as pool:
        outputs = list(pool.map(partial(answer_or_nothing, compiled), ground.test))
    return statistics.fmean(
        ground.score(example, values) for example, values in zip(ground.test, outputs, strict=True)
    )


# --- the page ------------------------------------------------------------------------------------


def format_table(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of some tasks together."""
    scores = {(o["name"], o["task"], o["seed"]): o["after"] for o in outcomes}
    rows: list[tuple[str, ...]] = [
        ("optimizer", "paid calls", "accuracy", f"lead of {OURS}", "worse", "seconds")
    ]
    for name in dict.fromkeys(outcome["name"] for outcome in outcomes):
        some = [outcome for outcome in outcomes if outcome["name"] == name]
        places = [(outcome["task"], outcome["seed"]) for outcome in some]
        lead = [scores[OURS, *place] - scores[name, *place] for place in places]
        # "Worse" means by more than two standard errors of a test set of 300.
        worse = sum(scores[name, *place] < scores[BASE, *place] - 0.055 for place in places)
        calls = statistics.fmean(outcome["calls"] for outcome in some)
        rows.append(
            (
                name,
                "" if name == BASE else f"{calls:,.0f}",
                with_interval([outcome["after"] for outcome in some]),
                "" if name == OURS else with_interval(lead, "+.3f"),
                "" if name == BASE else f"{worse} of {len(some)}",
                f"{statistics.fmean(outcome['seconds'] for outcome in some):.0f}",
            )
        )
    return table(rows)


def _each(size: Callable[[Cut], object]) -> str:
    return " and ".join(str(size(cut)) for cut in SIZES.values())


def _describe(options: argparse.Namespace, outcomes: Sequence[Mapping[str, Any]]) -> str:
    simulated = options.on == "surface"
    parts = [
        f"`python -m benchmarks.dspy_programs --on {options.on} --seeds {options.seeds} --first "
        f"{options.first} --cap {options.cap} --tasks '{'/'.join(options.tasks)}'`; {machine()}; "
        f"{versions('langprog', 'dspy', 'gepa', 'optuna')}; {options.seeds} seeds, "
        f"{'600' if simulated else '300'} test examples each, 95 % bootstrap intervals over tasks "
        "and seeds; a lead is that on the same tasks and seeds. All compile the same dspy.Module "
        "under DSPy's ChatAdapter, with the same 400 examples and the same feedback; ours keeps "
        f"{HOLDOUT} of them for the certificate, whose calls are among the paid ones, and ships "
        "the program as it was where no gain is certified. DSPy's optimizers have these sizes: "
        f"{SIZES[1].validation} rows for choosing, {SIZES[1].sets} random sets (BootstrapRS), "
        f"{SIZES[1].trials} trials and otherwise the sizes of light (MIPROv2), "
        f"{_each(lambda cut: cut.metric_calls)} metric calls (GEPA), "
        f"{_each(lambda cut: cut.steps)} steps of 16 rows and 3 candidates (SIMBA); where there "
        "are two figures, the second is for two predictors.",
        "**Simulated**: no figure here is about a real model."
        if simulated
        else "The embedded model was trained to write instructions when it is asked as our "
        "proposer asks, and never saw the prompts in which DSPy's proposers and GEPA ask.",
    ]
    if options.busy:
        parts.append("Seconds: the machine had other work at the same time.")
    groups = [(task,) for task in options.tasks] if simulated else [tuple(options.tasks)]
    for group in groups:
        some = [outcome for outcome in outcomes if outcome["task"] in group]
        ours = [outcome for outcome in some if outcome["name"] == OURS]
        certified = sum(outcome["verdict"] == "certified" for outcome in ours)
        parts += [
            f"**{', '.join(group)}**, at most {options.cap * SURFACES.get(group[0], 1):,} calls "
            f"for ours; certified: {certified} of {len(ours)}.",
            format_table(some),
        ]
    return "\n\n".join(parts)


def main(arguments: list[str]) -> None:
    """Run every missing compile, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.dspy_programs")
    parser.add_argument("--on", default="surface", help="surface, or an embedded model")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=200)
    parser.add_argument("--cap", type=int, default=600)
    parser.add_argument("--tasks", default=None, help="names, with / between them")
    parser.add_argument("--keep", type=Path, default=Path("dspy-programs-runs"))
    parser.add_argument("--busy", action="store_true", help="say that the machine did more")
    options = parser.parse_args(arguments)
    options.keep.mkdir(parents=True, exist_ok=True)
    simulated = options.on == "surface"
    known = list(SURFACES if simulated else TASKS)
    options.tasks = known if options.tasks is None else options.tasks.split("/")
    outcomes = []
    serving: AbstractContextManager[Any] = nullcontext()
    if not simulated:
        serving = endpoint(options.on.removeprefix("pocket/"))
    with empty_caches(), serving as served:
        place = None
        if served is not None:
            url, count = served
            place = Place(url, count, options.on.removeprefix("pocket/"), our_form=False)
        for job in list_jobs(options):
            path = options.keep / job.file
            if not path.exists():
                # The simulated model has no cache that could outlive a compile.
                run = (
                    compile_here
                    if place is None
                    else partial(run_apart, _send_outcome, place=place)
                )
                path.write_text(json.dumps(run(job)), encoding="utf-8")
            outcomes.append(json.loads(path.read_text(encoding="utf-8")))
            score = outcomes[-1]["after"]
            sys.stderr.write(f"{job.seed} {job.task}: {job.optimizer}: {score:.3f}\n")
    heading = "the simulated response surface" if simulated else options.on
    publish_section("dspy_programs", f"{TITLE}: {heading}", _describe(options, outcomes))


if __name__ == "__main__":
    main(sys.argv[1:])
