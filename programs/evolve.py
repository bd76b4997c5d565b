"""Let a model rewrite code: which machine gets a job, so that all jobs end early.

Follows: Barbarians at the Gate: How AI is Upending Systems Research (Cheng et al., 2025; ADRS):
the text that is searched is code, and a simulator says how good it is. Compile it with
``--optimizer evolve`` (:class:`optimizers.Evolve`), whose search is GEPA's. Differs: the simulator
is this module itself, in a process that the code cannot reach: only its decisions come out of the
sandbox; the artifact is the scheduler, ready to run, and its gain is certified on workloads that
the search has not seen.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product

import langprog as lp
from langprog.errors import CodeError

NEEDS = ("gepa", "bubblewrap on Linux (apt install bubblewrap)")

FIRST = """def choose(loads, speeds, job):
    return 0
"""


class Schedule(lp.Module):
    """Schedule jobs as they arrive, so that the last machine to finish does so early.

    The Python function choose(loads, speeds, job) returns the number of the machine, from 0, that
    gets a job. loads has the time until which each machine is busy, speeds the work that each does
    per unit of time, job the work of the job. Later jobs are not known yet. The score is the
    earliest possible end over the end that was reached.

    Args:
        code: The source of ``choose``.
        seconds: CPU time for all decisions of a workload.
    """

    signature = "jobs: list[int], speeds: list[int] -> machines: list[int]"

    def __init__(self, code: str = FIRST, seconds: int = 5) -> None:
        self.code = code
        self.seconds = seconds

    def own_parameters(self) -> dict[str, lp.Parameter]:
        """Return the code, which a search may set."""
        return {"code": lp.Parameter("text", self.code)}

    def forward(self, jobs: list[int], speeds: list[int]) -> Mapping[str, list[int]]:
        """Simulate the machines, and ask the code for every job."""
        loads, machines = [0.0] * len(speeds), []
        with lp.Sandbox(seconds=self.seconds).load(self.code) as code:
            for job in jobs:
                machine = code.call("choose", loads, speeds, job)
                if type(machine) is not int or not 0 <= machine < len(speeds):
                    raise CodeError(f"choose returned {machine!r:.60}, which is not a machine")
                loads[machine] += job / speeds[machine]
                machines.append(machine)
        return {"machines": machines}


program = Schedule()


def find_end(jobs: Sequence[int], speeds: Sequence[int], machines: Sequence[int]) -> float:
    """Return when the last machine ends."""
    loads = [0.0] * len(speeds)
    for job, machine in zip(jobs, machines, strict=True):
        loads[machine] += job / speeds[machine]
    return max(loads)


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score the earliest possible end over the end that was reached."""
    best = find_end(example.jobs, example.speeds, example.machines)
    end = find_end(example.jobs, example.speeds, prediction.machines)
    feedback = f"it ended at {end:g}, and {best:g} is possible, by {example.machines}"
    return lp.Score(min(1.0, best / end), None if end <= best else feedback)


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return different workloads, with the best schedule of somebody who knows all jobs.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"evolve/{seed}")
    rows: dict[tuple[int, ...], lp.Example] = {}
    while len(rows) < count:
        jobs = [rng.randint(1, 12) for _ in range(6)]
        speeds = rng.sample(range(1, 5), 2)
        choices = product(range(2), repeat=len(jobs))
        best = min(choices, key=partial(find_end, jobs, speeds))
        row = lp.Example(jobs=jobs, speeds=speeds, machines=list(best))
        rows.setdefault((*jobs, *speeds), row)
    return list(rows.values())
