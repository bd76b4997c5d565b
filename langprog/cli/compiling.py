"""``langprog compile``: search for a better program, prove it, save it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from langprog.cli.console import open_progress_view
from langprog.cli.engines import WORKERS_HELP, engine_of
from langprog.cli.knob_options import PROPOSER_HELP, SET_HELP, TEACHER_HELP, set_knobs
from langprog.cli.loading import (
    DATA_HELP,
    METRIC_HELP,
    OWN_EXAMPLES,
    OWN_METRIC,
    RETRIEVER_HELP,
    allowed_modules,
    load_metric,
    load_program_or_artifact,
    read_examples,
    reference_or_own,
)
from langprog.cli.models import BASE_URL_HELP, LM_HELP, MODEL_HELP, NamedModels
from langprog.cli.outputs import check_writable
from langprog.cli.shared_options import with_options_of
from langprog.cli.terminal import Terminal
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.engines import Engine
from langprog.errors import InputError
from langprog.evaluation import Metric
from langprog.example import Example
from langprog.lm import Budget, LanguageModel
from langprog.modules import Module, list_compiles
from langprog.runtime import using
from optimizers import ACCEPTED, MEMBERS, Accept, Compiled, Optimizer, Preflight, recompile
from optimizers.identity import (
    data_digest,
    describe_knobs,
    json_digest,
    metric_digest,
    program_digest,
)

Option = typer.Option
# The folder of journals beside artifacts; attempts on a holdout are counted for all of them.
RUNS = "langprog-runs"
MAX_ERRORS = 10


@dataclass(frozen=True, slots=True)
class Start:
    """An artifact that is compiled again, and the journal of its own compile, if at hand."""

    artifact: str
    journal: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What to compile, on what data, with what model."""

    program: Module
    metric: Metric
    trainset: Sequence[Example]
    valset: Sequence[Example] | None = None
    holdout: Sequence[Example] | None = None
    lm: str | None = None
    seed: int = 0
    asked: NamedModels = NamedModels()
    must_pass: Sequence[Example] | None = None
    start: Start | None = None

    @property
    def _ambient(self) -> str | LanguageModel | None:
        return None if self.lm is None else self.asked.at_address(self.lm)

    def run_dir(self, parent: Path, member: Optimizer) -> Path:
        """Return the journal's folder, which depends on the content of the compile.

        So a killed compile continues, but starts anew once the program, the metric or the data
        change.
        """
        content = [
            program_digest(self.program),
            metric_digest(self.metric),
            [
                None if part is None else data_digest(part)
                for part in (self.trainset, self.valset, self.holdout)
            ],
            [type(member).__name__, describe_knobs(member)],
            [self.lm, self.seed, *filter(None, [self.asked.description])],
            # Which rows a new holdout may have depends on those that earlier compiles used.
            *filter(None, [list_compiles(self.program)]),
            *([] if self.start is None else [["recompile", self.start.journal]]),
        ]
        return parent / json_digest(content)

    def compile(  # noqa: PLR0913 - what the compile takes is passed on
        self,
        member: Optimizer,
        run_dir: Path,
        *,
        budget: Budget | None = None,
        accept: Accept = "certified",
        max_errors: int = MAX_ERRORS,
        repeats: int = 1,
        canaries: int = 0,
        as_json: bool = False,
        engine: Engine | str = "local",
    ) -> Compiled:
        """Compile with an optimizer, and show the progress."""
        view = open_progress_view(as_json=as_json)
        try:
            with using(lm=self._ambient):
                return self._compiling(member)(
                    self.trainset,
                    metric=self.metric,
                    valset=self.valset,
                    holdout=self.holdout,
                    budget=budget,
                    run_dir=run_dir,
                    seed=self.seed,
                    progress=view,
                    accept=accept,
                    max_errors=max_errors,
                    must_pass=self.must_pass,
                    repeats=repeats,
                    canaries=canaries,
                    engine=engine,
                )
        finally:
            view.close()

    def _compiling(self, member: Optimizer) -> Callable[..., Compiled]:
        if self.start is None:
            return partial(member.compile, self.program)
        return partial(
            recompile,
            self.start.artifact,
            program=self.program,
            optimizer=member,
            journal=self.start.journal,
        )

    def estimate(self, member: Optimizer, budget: Budget) -> Preflight:
        """Return the estimate of a compile."""
        with using(lm=self._ambient):
            return member.estimate(
                self.program,
                self.trainset,
                metric=self.metric,
                valset=self.valset,
                holdout=self.holdout,
                budget=budget,
                seed=self.seed,
            )


def compile_from(  # noqa: PLR0913 - every parameter is an option of the command
    program: str,
    start: Start | None = None,
    *,
    out: Annotated[str, Option(help="Where the artifact goes.")],
    train: Annotated[str | None, Option(help=DATA_HELP)] = None,
    metric: Annotated[str | None, Option(help=METRIC_HELP)] = None,
    val: Annotated[str | None, Option(help="Examples that steer the search.")] = None,
    holdout: Annotated[str | None, Option(help="Examples for the certificate alone.")] = None,
    optimizer: Annotated[
        str, Option(help="compiler, mipro, gepa, selector, cascade, router, bootstrap, ...")
    ] = "compiler",
    auto: Annotated[
        str | None, Option(help="How thorough: light, medium or heavy (compiler, mipro).")
    ] = None,
    models: Annotated[
        str | None, Option(help="Models to choose from for every module, A,B,...")
    ] = None,
    objective: Annotated[
        str | None, Option(help="quality; or cost or latency: as good, but cheaper or quicker.")
    ] = None,
    tolerance: Annotated[
        float | None, Option(help="Mean score that may be lost for less cost or latency.")
    ] = None,
    proposer: Annotated[str | None, Option(help=PROPOSER_HELP)] = None,
    teacher: Annotated[str | None, Option(help=TEACHER_HELP)] = None,
    set_: Annotated[list[str] | None, Option("--set", help=SET_HELP)] = None,
    lm: Annotated[str | None, Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, Option(help=BASE_URL_HELP)] = None,
    calls: Annotated[int | None, Option(help="Cap on requests.")] = None,
    tokens: Annotated[int | None, Option(help="Cap on tokens.")] = None,
    dollars: Annotated[float | None, Option(help="Cap on dollars.")] = None,
    seconds: Annotated[float | None, Option(help="Cap on seconds.")] = None,
    seed: Annotated[int, Option(help="Random seed.")] = 0,
    run_dir: Annotated[
        str | None, Option(help="Journal; by default in langprog-runs, beside the artifact.")
    ] = None,
    accept: Annotated[str, Option(help="certified, or best: ship without proof, marked.")] = (
        "certified"
    ),
    must_pass: Annotated[
        str | None, Option(help="Examples that the compiled program has to get right.")
    ] = None,
    repeats: Annotated[int, Option(help="Runs of each holdout example.", min=1)] = 1,
    canaries: Annotated[
        int, Option(help="Holdout rows to record replies of, for langprog verify.", min=0)
    ] = 0,
    max_errors: Annotated[int, Option(help="Examples the metric may raise on.", min=0)] = (
        MAX_ERRORS
    ),
    width: Annotated[int, Option(help="Examples processed concurrently.", min=1)] = 64,
    engine: Annotated[str, Option(help="Where programs run: local, or ray.")] = "local",
    workers: Annotated[int | None, Option(help=WORKERS_HELP, min=1)] = None,
    report: Annotated[str | None, Option(help="Also a report: .html, .svg or .json.")] = None,
    allow: Annotated[
        list[str] | None, Option(help="Module that may be imported for an artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, Option(help=MCP_HELP)] = None,
    json_: Annotated[bool, Option("--json", help="Events as JSON lines.")] = False,
) -> None:
    """Compile a program, or an artifact again if there is a ``start``, and write the artifact."""
    what_ships = check_accept(accept)
    data = {"--train": train, "--metric": metric, "--val": val, "--holdout": holdout}
    reads = {**data, "--must-pass": must_pass, "--retriever": retriever, "--tool": tool}
    target = check_writable(out, "--out", reads)
    page = None if report is None else check_writable(report, "--report", reads)
    runs_on = engine_of(engine, workers)
    others = any(name is not None for name in (models, proposer, teacher))
    asked = NamedModels.of(lm, model, base_url, others=others)
    with open_tools(tool, mcp) as tools:
        declared = load_program_or_artifact(
            program, allowed_modules(allow), asked, retriever or [], tools
        )
        task = Task(
            declared,
            load_metric(reference_or_own(metric, OWN_METRIC, program, "--metric")),
            read_examples(
                reference_or_own(train, OWN_EXAMPLES, program, "--train"), "--train", declared
            ),
            None if val is None else read_examples(val, "--val", declared),
            None if holdout is None else read_examples(holdout, "--holdout", declared),
            lm,
            seed,
            asked,
            None if must_pass is None else read_examples(must_pass, "--must-pass", declared),
            start,
        )
        member = optimizer_named(
            optimizer,
            width=width,
            auto=auto,
            models=asked.from_list(models),
            objective=objective,
            tolerance=tolerance,
        )
        member = set_knobs(
            member,
            proposer=None if proposer is None else asked.at_address(proposer),
            teacher=None if teacher is None else asked.at_address(teacher),
            settings=set_ or (),
        )
        compiled = task.compile(
            member,
            Path(run_dir) if run_dir else task.run_dir(target.parent / RUNS, member),
            budget=Budget(calls=calls, tokens=tokens, dollars=dollars, seconds=seconds),
            accept=what_ships,
            max_errors=max_errors,
            repeats=repeats,
            canaries=canaries,
            as_json=json_,
            engine=runs_on,
        )
    _keep(compiled, target, page)
    if not json_:
        say_result(compiled, target)


@with_options_of(compile_from)
def compile_program(
    program: Annotated[str, typer.Argument(help="package.module:name, file.py:name or artifact")],
    **options: Any,
) -> None:
    """Compile PROGRAM against a metric and write the artifact.

    The same command continues a killed compile, and pays for nothing twice. Attempts on the same
    holdout are counted for all artifacts of a folder, or for all folders beside --run-dir.
    """
    compile_from(program, **options)


def check_accept(accept: str) -> Accept:
    """Return what ``--accept`` says may ship.

    Raises:
        InputError: It is neither ``certified`` nor ``best``.
    """
    for known in ACCEPTED:
        if accept == known:
            return known
    raise InputError(f"--accept {accept!r}: write {' or '.join(ACCEPTED)}")


def _keep(compiled: Compiled, target: Path, page: Path | None) -> None:
    compiled.save(target)
    if page is not None:
        compiled.report.save(page)


def optimizer_named(
    name: str,
    *,
    width: int,
    auto: str | None = None,
    models: Sequence[str | LanguageModel] | None = None,
    objective: str | None = None,
    tolerance: float | None = None,
) -> Optimizer:
    """Return an optimizer by the name that the command line uses.

    Raises:
        InputError: There is none, or it lacks an option.
    """
    if name not in MEMBERS:
        raise InputError(f"--optimizer {name!r}: there are {', '.join(MEMBERS)}")
    knobs: dict[str, Any] = {"concurrency": width}
    if auto is not None:
        knobs["auto"] = auto
    if objective is not None:
        knobs["objective"] = objective
    if tolerance is not None:
        knobs["tolerance"] = tolerance
    if models is not None:
        knobs["models"] = tuple(models)
    for knob in knobs:
        having = [other for other, member in MEMBERS.items() if _has(member, knob)]
        if name not in having:
            raise InputError(
                f"the optimizer {name} has no --{knob}; these have: {', '.join(having)}"
            )
    return MEMBERS[name](**knobs)


def _has(member: type[Optimizer], knob: str) -> bool:
    return any(field.name == knob and field.init for field in fields(member))


def say_result(compiled: Compiled, target: Path) -> None:
    """Print the result of a compile and where it is."""
    terminal = Terminal()
    certificate = compiled.certificate
    if certificate.before is not None and certificate.after is not None:
        inputs = f"{certificate.rows} examples, {certificate.n} distinct inputs"
        terminal.say(f"holdout before  {certificate.before} ({inputs})")
        terminal.say(f"holdout after   {certificate.after}")
        terminal.say(
            f"difference      {certificate.difference:+.3f} "
            f"[{certificate.low:+.3f}, {certificate.high:+.3f}], p = {certificate.p_value:.2g}"
        )
    for name, text in certificate.facts():
        if name in ("repeats", "must pass"):
            terminal.say(f"{name:<16}{text}")
    terminal.say(f"{certificate.verdict}: {certificate.reason}")
    paid, requested = compiled.report.paid, compiled.report.requested
    terminal.say(f"paid calls      {paid.calls:,} (distinct requests: {requested.calls:,})")
    terminal.say(f"artifact        {target}")
