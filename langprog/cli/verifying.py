"""``langprog verify``: do the models behind an artifact still answer as they did?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from langprog.artifact import read_artifact
from langprog.cli.loading import (
    RETRIEVER_HELP,
    allowed_modules,
    load_program_or_artifact,
    read_examples,
)
from langprog.cli.models import BASE_URL_HELP, LM_HELP, MODEL_HELP, NamedModels
from langprog.cli.terminal import Terminal, write_json
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import InputError, LangprogError
from langprog.lm import Budget, Ledger
from langprog.modules import Module
from langprog.verification import Verification, record_canaries, verify

Option = typer.Option


def verify_artifact(  # noqa: PLR0913 - every parameter is an option of the command
    artifact: Annotated[str, typer.Argument(help="The artifact.")],
    record: Annotated[
        bool, Option("--record", help="Record canaries on --data, into the artifact.")
    ] = False,
    data: Annotated[
        str | None, Option(help="Rows to record: JSONL, JSON, CSV or Parquet.")
    ] = None,
    n: Annotated[int, Option("--n", help="Rows to record.", min=1)] = 20,
    replies: Annotated[int, Option(help="Replies to record for each.", min=2)] = 4,
    watch: Annotated[
        float | None, Option(help="Seconds after which to ask again, until there is drift.")
    ] = None,
    state: Annotated[
        str | None,
        Option(help="File in which the test goes on; with --watch ARTIFACT.verify by default."),
    ] = None,
    alpha: Annotated[float, Option(help="Chance of a false alarm, over all looks.")] = 0.05,
    lm: Annotated[str | None, Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, Option(help=BASE_URL_HELP)] = None,
    calls: Annotated[int | None, Option(help="Cap on requests.")] = None,
    dollars: Annotated[float | None, Option(help="Cap on dollars.")] = None,
    width: Annotated[int, Option(help="Canaries asked concurrently.", min=1)] = 8,
    allow: Annotated[
        list[str] | None, Option(help="Module that the artifact may import; may be repeated.")
    ] = None,
    retriever: Annotated[list[str] | None, Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, Option(help=MCP_HELP)] = None,
    json_: Annotated[bool, Option("--json", help="The result as JSON.")] = False,
) -> int:
    """Ask ARTIFACT's canaries again; exit code 1 if its models answer otherwise.

    First, while the model is trusted: langprog verify a.json --record --data rows.jsonl. Later, as
    often as you like: langprog verify a.json --state a.verify, or --watch 3600. Caches are not
    used. An outage is missing data, not drift.
    """
    _check_options(record, data, watch)
    asked = NamedModels.of(lm, model, base_url)
    ledger = Ledger(Budget(calls=calls, dollars=dollars))
    if not Path(artifact).is_file():
        raise InputError(f"{artifact}: there is no such file; langprog verify takes an artifact")
    with open_tools(tool, mcp) as tools:
        program = load_program_or_artifact(
            artifact, allowed_modules(allow), asked, retriever or [], tools
        )
        asked.check_lm(program)
        if record:
            assert data is not None
            _record(program, artifact, data, n, replies, ledger, asked, width)
            return 0
        kept = state or (None if watch is None else f"{artifact}.verify")

        def look() -> Verification:
            return verify(
                program,
                canaries=canaries,
                budget=ledger,
                lm=asked.ambient,
                alpha=alpha,
                concurrency=width,
                state=kept,
            )

        canaries = read_artifact(artifact).data.canary
        if not canaries:
            raise InputError(
                f"{artifact} has no canaries: record some while the model is trusted, "
                f"langprog verify {artifact} --record --data rows.jsonl"
            )
        result = look()
        _print(result, as_json=json_)
        while watch is not None and not result.drifted:
            if result.used_up:
                raise LangprogError(
                    f"the canaries are used up: record new ones, langprog verify {artifact} "
                    "--record --data rows.jsonl"
                )
            if result.spent:
                break
            time.sleep(watch)
            result = look()
            _print(result, as_json=json_)
    return 1 if result.drifted else 0


def _check_options(record: bool, data: str | None, watch: float | None) -> None:
    if record and data is None:
        raise InputError("--record needs rows: --data rows.jsonl")
    if data is not None and not record:
        raise InputError("--data is for --record: canaries are in the artifact")
    if watch is not None and not 0 < watch < 10**9:
        raise InputError(f"--watch {watch}: it takes seconds, above 0")


def _record(
    program: Module, artifact: str, data: str, n: int, replies: int, ledger: Ledger,
    asked: NamedModels, width: int,
) -> None:  # fmt: skip
    canaries = record_canaries(
        program,
        read_examples(data, "--data", program),
        n=n,
        replies=replies,
        budget=ledger,
        lm=asked.ambient,
        concurrency=width,
        save_to=artifact,
    )
    Terminal().say(
        f"recorded {len(canaries)} canaries with {replies} replies each in {artifact}, "
        f"{ledger.paid.calls} calls; its digest is now {read_artifact(artifact).digest}"
    )


def _print(result: Verification, *, as_json: bool) -> None:
    if as_json:
        write_json(result.to_json())
    else:
        Terminal().say(str(result))
