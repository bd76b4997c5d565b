"""``langprog label-next`` and ``langprog label-weakly``: labels, by people and by rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from langprog.cli.console import open_progress_view
from langprog.cli.loading import (
    RETRIEVER_HELP,
    allowed_modules,
    load_object,
    load_program_or_artifact,
    read_examples,
)
from langprog.cli.models import BASE_URL_HELP, LM_HELP, MODEL_HELP, NamedModels
from langprog.cli.outputs import Sources, check_writable
from langprog.cli.terminal import Terminal, write_json
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import InputError
from langprog.lm import Budget
from langprog.modules import Module
from optimizers import LabelChoice, label_next, label_weakly
from optimizers.identity import data_digest, json_digest, program_digest
from optimizers.labelling.targets import check_choice_target, check_weak_target

Option = typer.Option
POOLS = ("random", "near")


def choose_rows_to_label(  # noqa: PLR0913 - every parameter is an option of the command
    program: Annotated[str, typer.Argument(help="Artifact, package.module:name or file.py:name")],
    data: Annotated[str, Option(help="Rows without labels: JSONL, JSON, CSV or Parquet.")],
    out: Annotated[str, Option(help="Where the rows to label go, as JSONL.")],
    n: Annotated[int, Option(help="How many rows to choose.")] = 50,
    labelled: Annotated[
        str | None, Option(help="Rows with labels: what is like them is not chosen.")
    ] = None,
    candidate: Annotated[
        list[str] | None,
        Option(help="Another program, whose answers are compared; may be repeated."),
    ] = None,
    samples: Annotated[
        int | None,
        Option(help="Samples of each program: 4, or 1 with --candidate, by default."),
    ] = None,
    temperature: Annotated[float, Option(help="Of the samples.")] = 0.7,
    on: Annotated[str | None, Option(help="Outputs to compare, A,B,...")] = None,
    pool: Annotated[
        int | None, Option(help="How many rows are asked about: 5 for each one that is chosen.")
    ] = None,
    pool_from: Annotated[
        str, Option(help="random rows, or those near a row of --labelled.")
    ] = "random",
    random_share: Annotated[
        float,
        Option(help="Share of the rows that is drawn at random: only these may prove something."),
    ] = 0.5,
    lm: Annotated[str | None, Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, Option(help=BASE_URL_HELP)] = None,
    calls: Annotated[int | None, Option(help="Cap on requests.")] = None,
    dollars: Annotated[float | None, Option(help="Cap on dollars.")] = None,
    seed: Annotated[int, Option(help="Random seed.")] = 0,
    run_dir: Annotated[str | None, Option(help="Journal; by default beside the file.")] = None,
    width: Annotated[int, Option(help="Answers asked for concurrently.", min=1)] = 64,
    allow: Annotated[
        list[str] | None, Option(help="Module that an artifact may import; may be repeated.")
    ] = None,
    retriever: Annotated[list[str] | None, Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, Option(help=MCP_HELP)] = None,
    json_: Annotated[bool, Option("--json", help="The choice as one JSON object.")] = False,
) -> None:
    """Choose which rows of DATA people should label next for PROGRAM.

    Half are rows to which several answers differ, half are drawn at random. Fill in the labels,
    and give the file to compile: rows that were chosen go into its train part alone. The same
    command continues a killed one, and pays for nothing twice.
    """
    target = _check_out(out, {"--data": data, "--labelled": labelled})
    if pool_from not in POOLS:
        raise InputError(f"--pool-from {pool_from!r}: write {' or '.join(POOLS)}")
    asked = NamedModels.of(lm, model, base_url)
    view = open_progress_view(as_json=False)
    try:
        with open_tools(tool, mcp) as tools:
            programs = [
                load_program_or_artifact(
                    each, allowed_modules(allow), asked, retriever or [], tools
                )
                for each in (program, *(candidate or ()))
            ]
            rows = read_examples(data, "--data", programs[0])
            check_choice_target(target, rows)
            known = (
                None if labelled is None else read_examples(labelled, "--labelled", programs[0])
            )
            # What makes another choice: the same one continues in its folder.
            content: list[Any] = [[program_digest(each) for each in programs], data_digest(rows)]
            content += [data_digest(known or ()), samples, temperature, lm, asked.description]
            choice = label_next(
                programs[0],
                rows,
                n,
                labelled=known,
                candidates=programs[1:],
                samples=samples,
                temperature=temperature,
                on=[name.strip() for name in (on or "").split(",") if name.strip()],
                pool=pool,
                pool_from=pool_from,  # type: ignore[arg-type]  # checked above
                random_share=random_share,
                budget=Budget(calls=calls, dollars=dollars),
                lm=asked.ambient,
                run_dir=run_dir or target.with_suffix(".run") / json_digest(content),
                seed=seed,
                concurrency=width,
                progress=view,
            )
    finally:
        view.close()
    choice.save(target)
    _print_choice(choice, target, as_json=json_)


def _print_choice(choice: LabelChoice, target: Path, *, as_json: bool) -> None:
    if as_json:
        write_json({**choice.to_json(), "out": str(target)})
        return
    terminal = Terminal()
    for row in choice.rows[:5]:
        terminal.say(f"row {row.place + 1}: {row.reason}")
    terminal.say(str(choice), bold=True)
    terminal.say(f"written to {target}")


def label_rows_weakly(  # noqa: PLR0913 - every parameter is an option of the command
    program: Annotated[str, typer.Argument(help="Artifact, package.module:name or file.py:name")],
    data: Annotated[str, Option(help="Rows without labels: JSONL, JSON, CSV or Parquet.")],
    voter: Annotated[
        list[str],
        Option(
            help="A rule, NAME=file.py:function, or a program, NAME=artifact; may be repeated."
        ),
    ],
    out: Annotated[str, Option(help="Where the rows with a label go, as JSONL.")],
    field: Annotated[str, Option(help="The output to label, if the program has several.")] = "",
    labelled: Annotated[
        str | None, Option(help="Rows with labels: they tell how far to trust each voter.")
    ] = None,
    share: Annotated[
        list[str] | None,
        Option(help="LABEL=0.3: the known share of a label among all rows; may be repeated."),
    ] = None,
    least: Annotated[float, Option(help="Leave out labels that are less likely.")] = 0.7,
    lm: Annotated[str | None, Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, Option(help=BASE_URL_HELP)] = None,
    calls: Annotated[int | None, Option(help="Cap on requests.")] = None,
    dollars: Annotated[float | None, Option(help="Cap on dollars.")] = None,
    run_dir: Annotated[str | None, Option(help="Journal; by default beside the file.")] = None,
    width: Annotated[int, Option(help="Rows that a program votes on concurrently.", min=1)] = 64,
    allow: Annotated[
        list[str] | None, Option(help="Module that an artifact may import; may be repeated.")
    ] = None,
) -> None:
    """Label the rows of DATA for PROGRAM by rules and other programs, to train on alone.

    The rows are marked: a compile takes them into its train part, never into validation or a
    holdout, and comparisons refuse them. Add them to the file of rows that people have labelled.
    The same command continues a killed one.
    """
    target = _check_out(out, {"--data": data, "--labelled": labelled, "--voter": voter})
    check_weak_target(target)
    asked = NamedModels.of(lm, model, base_url)
    allowed = allowed_modules(allow)
    view = open_progress_view(as_json=False)
    try:
        loaded = load_program_or_artifact(program, allowed, asked, [])
        rows = read_examples(data, "--data", loaded)
        known = labelled and read_examples(labelled, "--labelled", loaded)
        voters = {
            name: _load_voter(place, allowed, asked)
            for name, place in _read_pairs(voter, "--voter", "NAME=file.py:function").items()
        }
        programs = [program_digest(each) for each in voters.values() if isinstance(each, Module)]
        content: list[Any] = [programs, data_digest(rows), data_digest(known or ()), field]
        content += [program_digest(loaded), lm, asked.description]
        weak = label_weakly(
            loaded,
            rows,
            voters,
            field=field,
            labelled=known,
            shares=_read_shares(share),
            least=least,
            budget=Budget(calls=calls, dollars=dollars),
            lm=asked.ambient,
            run_dir=run_dir or target.with_suffix(".run") / json_digest(content),
            concurrency=width,
            progress=view,
        )
    finally:
        view.close()
    weak.save(target)
    terminal = Terminal()
    terminal.say(str(weak), bold=True)
    terminal.say(f"written to {target}, to train on alone")


def _check_out(out: str, reads: Sources) -> Path:
    target = check_writable(out, "--out", reads)
    if target.suffix.lower() != ".jsonl":
        raise InputError(f"--out {out}: the rows are written as JSONL, so name a .jsonl file")
    return target


def _read_pairs(options: list[str], name: str, form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for option in options:
        key, _, value = (part.strip() for part in option.partition("="))
        if not key or not value:
            raise InputError(f"{name} {option!r}: write {name} {form}")
        if key in pairs:
            raise InputError(f"{name}: {key!r} is given twice")
        pairs[key] = value
    return pairs


def _load_voter(place: str, allowed: list[str], asked: NamedModels) -> Any:
    if ":" in place and not Path(place).is_file():
        value = load_object(place, "--voter")
        if callable(value) and not isinstance(value, (Module, type)):
            return value
    return load_program_or_artifact(place, allowed, asked, [])


def _read_shares(options: list[str] | None) -> dict[str, float] | None:
    if not options:
        return None
    pairs = _read_pairs(options, "--share", "LABEL=0.3")
    try:
        return {label: float(share) for label, share in pairs.items()}
    except ValueError:
        raise InputError("--share: write LABEL=0.3, with a number up to 1") from None
