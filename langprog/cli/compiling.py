"""``langprog compile``: search for a better program, prove it, save it."""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from langprog.cli.console import shower
from langprog.cli.loading import examples_in, metric_named, program_named, writable
from langprog.errors import InputError
from langprog.lm import Budget
from langprog.modules import Module
from langprog.runtime import using

Optional = typer.Option


def compile_program(  # noqa: PLR0913 - every parameter is an option of the command
    program: Annotated[str, typer.Argument(help="package.module:name or file.py:name")],
    train: Annotated[str, Optional(help="Examples: JSONL, JSON, CSV or Parquet.")],
    metric: Annotated[str, Optional(help="module:name, file.py:name, or exact, f1:field, ...")],
    out: Annotated[str, Optional(help="Where the artifact goes.")],
    val: Annotated[str | None, Optional(help="Examples that steer the search.")] = None,
    holdout: Annotated[str | None, Optional(help="Examples for the certificate alone.")] = None,
    optimizer: Annotated[str, Optional(help="mipro, bootstrap, random-search or labeled.")] = (
        "mipro"
    ),
    auto: Annotated[str | None, Optional(help="MIPRO's effort: light, medium or heavy.")] = None,
    models: Annotated[
        str | None, Optional(help="Models to choose from for every module, A,B,...")
    ] = None,
    lm: Annotated[str | None, Optional(help="Model of modules that name none.")] = None,
    calls: Annotated[int | None, Optional(help="Most requests sent.")] = None,
    tokens: Annotated[int | None, Optional(help="Most tokens.")] = None,
    dollars: Annotated[float | None, Optional(help="Most dollars.")] = None,
    seconds: Annotated[float | None, Optional(help="Most seconds.")] = None,
    seed: Annotated[int, Optional(help="Decides everything random.")] = 0,
    run_dir: Annotated[
        str | None, Optional(help="Journal; by default beside the artifact.")
    ] = None,
    accept: Annotated[str, Optional(help="certified, or best: ship without proof, marked.")] = (
        "certified"
    ),
    width: Annotated[int, Optional(help="Examples in work at the same time.")] = 64,
    report: Annotated[str | None, Optional(help="Also write a report, .html or .json.")] = None,
    json_: Annotated[bool, Optional("--json", help="Events as JSON lines.")] = False,
) -> None:
    """Compile PROGRAM against a metric and write the artifact.

    The same command goes on where a killed one stopped, and pays for nothing twice.
    """
    if accept not in ("certified", "best"):
        raise InputError(f"--accept {accept!r}: write certified or best")
    target = writable(out, "--out")
    page = None if report is None else writable(report, "--report")
    found = program_named(program)
    scorer = metric_named(metric)
    parts = {
        "trainset": examples_in(train, "--train"),
        "valset": None if val is None else examples_in(val, "--val"),
        "holdout": None if holdout is None else examples_in(holdout, "--holdout"),
    }
    member = optimizer_named(optimizer, width=width, auto=auto, models=models)
    asked = [program, train, val, holdout, metric, optimizer, auto, models, lm, seed, accept]
    folder = Path(run_dir) if run_dir else default_run_dir(target, asked)
    budget = Budget(calls=calls, tokens=tokens, dollars=dollars, seconds=seconds)
    optimizers = importlib.import_module("optimizers")
    show = shower(optimizers.event_to_json, as_json=json_)
    try:
        with using(lm=lm):
            compiled = member.compile(
                found,
                parts.pop("trainset"),
                metric=scorer,
                budget=budget,
                run_dir=folder,
                seed=seed,
                progress=show,
                accept=accept,
                **parts,
            )
    finally:
        show.close()
    compiled.save(target)
    if page is not None:
        compiled.report.save(page)
    if not json_:
        say_result(compiled, target)


def optimizer_named(name: str, *, width: int, auto: str | None, models: str | None) -> Any:
    """Return an optimizer by the name that the command line uses.

    Raises:
        InputError: There is none, or an option is not its.
    """
    # langprog runs without the optimizers; only this command and the demo need them.
    members = importlib.import_module("optimizers").MEMBERS
    if name not in members:
        raise InputError(f"--optimizer {name!r}: there are {', '.join(members)}")
    knobs: dict[str, Any] = {"concurrency": width}
    if auto is not None:
        knobs["auto"] = auto
    if models is not None:
        knobs["models"] = tuple(item.strip() for item in models.split(",") if item.strip())
    try:
        return members[name](**knobs)
    except TypeError:
        given = " and ".join(f"--{key}" for key in ("auto", "models") if key in knobs)
        raise InputError(f"the optimizer {name} has no {given}; mipro has") from None


def default_run_dir(target: Path, asked: list[Any]) -> Path:
    """Return the journal's folder: the same for the same command, another for another one."""
    text = json.dumps(asked, sort_keys=True)
    return target.parent / f"{target.stem}.run" / hashlib.sha256(text.encode()).hexdigest()[:12]


def say_result(compiled: Any, target: Path) -> None:
    """Print what a compile found and where it is."""
    console = Console(highlight=False, soft_wrap=True)
    certificate = compiled.certificate
    if certificate.before is not None and certificate.after is not None:
        console.print(f"holdout before  {certificate.before} ({certificate.n} examples)")
        console.print(f"holdout after   {certificate.after}", markup=False)
        console.print(
            f"difference      {certificate.difference:+.3f} "
            f"[{certificate.low:+.3f}, {certificate.high:+.3f}], p = {certificate.p_value:.2g}",
            markup=False,
        )
    console.print(f"{certificate.verdict}: {certificate.reason}", markup=False)
    paid, asked = compiled.report.paid, compiled.report.asked
    console.print(f"paid calls      {paid.calls:,} (distinct requests asked: {asked.calls:,})")
    console.print(f"artifact        {target}", markup=False)


def models_of(program: Module) -> list[str]:
    """Return the models that a program names, each once."""
    return list(dict.fromkeys(p.model for p in program.predictors().values() if p.model))
