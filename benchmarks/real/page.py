"""The comparison as a page: accuracy on fresh rows, paired differences, certificates checked."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.measured import Checkpoint, machine, table, versions
from benchmarks.real.compare import BASE, CALLS, FRESH, HOLDOUT, OURS, Job, base_of
from langprog.evaluation import PairedScores, mean_interval, paired_mean_interval


def format_comparison(kept: Checkpoint, jobs: Sequence[Job]) -> str:
    """Return the comparison as far as it is measured."""
    done = [job for job in jobs if job.name in kept and base_of(job).name in kept]
    missing = [job for job in jobs if job.name not in kept]
    parts = [_head(len(jobs) - len(missing), len(jobs))]
    if missing:
        parts.append(f"Not measured yet: {_list_missing(missing, jobs)}.")
    parts += [_accuracy(kept, done), _against(kept, done), _certificates(kept, done)]
    return "\n\n".join(parts)


def _list_missing(missing: Sequence[Job], jobs: Sequence[Job]) -> str:
    names = []
    for seed in dict.fromkeys(job.seed for job in missing):
        some = [job for job in missing if job.seed == seed]
        whole = len(some) == sum(job.seed == seed for job in jobs)
        names += [f"all of seed {seed}"] if whole else [job.name for job in some]
    return "; ".join(names)


def _head(done: int, all_jobs: int) -> str:
    return (
        f"`python -m benchmarks.real --compare`; {done} of {all_jobs} runs; {machine()}; "
        f"{versions('langprog', 'dspy', 'optuna')}. {CALLS} paid calls each at most, proposals "
        f"and certificate included; {FRESH} fresh rows a seed from the data's test part, the same "
        "for all; rows and compiles have the same seed. All prompts have our JSON form with a "
        f"schema, also the peers'. Ours keep {HOLDOUT} of the labelled rows for the certificate, "
        "and *ship* the program as it was where no gain is certified; *candidate* is what the "
        "search found. A peer ships what it found. Their sizes are cut to the calls: BootstrapRS "
        "7 programs on 28 rows, MIPROv2 the trials, sets and instructions of light, on 40 rows "
        "with minibatches of 12. 95 % intervals over rows; a seed's rows are its own. Figures of "
        "seed 0 were seen while `Compiler` was improved for few calls, so they say less about it "
        "than those of other seeds will."
    )


def _label(job: Job) -> str:
    name = job.optimizer if job.optimizer in (*OURS, BASE) else f"DSPy {job.optimizer}"
    return name if job.proposals == "none" else f"{name}, {job.proposals} proposals"


def _hits(kept: Checkpoint, jobs: Sequence[Job], key: str = "fresh") -> list[float]:
    return [float(hit) for job in jobs for hit in kept[job.name].get(key, kept[job.name]["fresh"])]


def _share(hits: Sequence[float]) -> str:
    low, high = mean_interval(hits)
    return f"{statistics.fmean(hits):.3f} [{low:.3f}, {high:.3f}]"


def _difference(before: Sequence[float], after: Sequence[float]) -> str:
    low, high = paired_mean_interval(PairedScores(before, after))
    middle = statistics.fmean(after) - statistics.fmean(before)
    return f"{middle:+.3f} [{low:+.3f}, {high:+.3f}]"


def _accuracy(kept: Checkpoint, done: Sequence[Job]) -> str:
    rows: list[tuple[str, ...]] = [
        (
            "task",
            "optimizer",
            "seeds",
            "paid calls",
            "right, shipped",
            "right, candidate",
            "candidate minus uncompiled",
            "demonstrations",
        )
    ]
    for task in dict.fromkeys(job.task for job in done):
        for label in dict.fromkeys(_label(job) for job in done if job.task == task):
            some = [job for job in done if job.task == task and _label(job) == label]
            rows.append(_accuracy_row(kept, task, label, some))
    return table(rows)


def _accuracy_row(kept: Checkpoint, task: str, label: str, some: Sequence[Job]) -> tuple[str, ...]:
    seeds = " ".join(str(job.seed) for job in some)
    shipped = _share(_hits(kept, some))
    if some[0].optimizer == BASE:
        return task, label, seeds, "", shipped, "", "", "0"
    candidate = _hits(kept, some, "candidate")
    before = _hits(kept, [base_of(job) for job in some])
    return (
        task,
        label,
        seeds,
        ", ".join(_paid(kept, job) for job in some),
        shipped,
        _share(candidate),
        _difference(before, candidate),
        ", ".join(str(kept[job.name]["demos"]) for job in some),
    )


def _paid(kept: Checkpoint, job: Job) -> str:
    ended = ", then ended in an error" if kept[job.name].get("failed") else ""
    return f"{kept[job.name]['paid']:.0f}{ended}"


def _against(kept: Checkpoint, done: Sequence[Job]) -> str:
    """Compare Compiler with every other optimizer on the same rows of all tasks and seeds."""
    rows: list[tuple[str, ...]] = [
        ("Compiler minus", "proposals", "pairs of runs", "candidate", "shipped")
    ]
    for proposals in ("own", "written"):
        ours = {
            (job.task, job.seed): job
            for job in done
            if job.optimizer == "Compiler" and job.proposals == proposals
        }
        others = [job for job in done if job.proposals in (proposals, "none")]
        for name in dict.fromkeys(job.optimizer for job in others):
            pairs = [
                (ours[job.task, job.seed], job)
                for job in others
                if job.optimizer == name and (job.task, job.seed) in ours
            ]
            if name == "Compiler" or not pairs:
                continue
            mine, theirs = [job for job, _ in pairs], [job for _, job in pairs]
            best = _difference(_hits(kept, theirs, "candidate"), _hits(kept, mine, "candidate"))
            shipped = _difference(_hits(kept, theirs), _hits(kept, mine))
            rows.append((_label(theirs[0]), proposals, str(len(pairs)), best, shipped))
    return f"### Compiler against the others, on the same rows\n\n{table(rows)}"


def _certificates(kept: Checkpoint, done: Sequence[Job]) -> str:
    """Check each certificate on the fresh rows, which had no part in it."""
    rows: list[tuple[str, ...]] = [
        ("compile", "verdict", "difference on the holdout", "p", "candidate's on fresh rows", "of")
    ]
    tested = [job for job in done if "verdict" in kept[job.name]]
    for job in tested:
        result = kept[job.name]
        before = _hits(kept, [base_of(job)])
        rows.append(
            (
                job.name,
                result["verdict"],
                f"{result['difference']:+.3f}, at least {result['low']:+.3f}",
                f"{result['p']:.3g}",
                _difference(before, _hits(kept, [job], "candidate")),
                result["label"],
            )
        )
    return f"### Certificates, checked on fresh rows\n\n{_summary(kept, tested)}\n\n{table(rows)}"


def _summary(kept: Checkpoint, tested: Sequence[Job]) -> str:
    certified = [job for job in tested if kept[job.name]["verdict"] == "certified"]
    gains = [
        statistics.fmean(_hits(kept, [job])) - statistics.fmean(_hits(kept, [base_of(job)]))
        for job in certified
    ]
    kept_bound = sum(
        gain >= kept[job.name]["low"] for gain, job in zip(gains, certified, strict=True)
    )
    return (
        f"{len(certified)} of {len(tested)} compiles were certified as better (n = {HOLDOUT}, or "
        f"fewer distinct inputs). Of these, {sum(gain > 0 for gain in gains)} are better on the "
        f"fresh rows too, and {kept_bound} by at least the bound that the certificate prints."
    )
