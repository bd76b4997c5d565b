"""``langprog run``: an artifact on one input, or on a file of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import to_jsonable_python

from langprog.artifact import read_artifact
from langprog.cli.batch import inputs_of, run_batch
from langprog.cli.loading import RETRIEVER_HELP, check_writable, read_retrievers
from langprog.cli.models import BASE_URL_HELP, LM_HELP, MODEL_HELP, NamedModels
from langprog.cli.terminal import Terminal, write_json
from langprog.errors import InputError
from langprog.runtime import run_sync, using


def run_artifact(  # noqa: PLR0913 - every parameter is an option of the command
    artifact: Annotated[str, typer.Argument(help="The artifact.")],
    input_: Annotated[
        str | None, typer.Option("--input", help="The inputs as a JSON object.")
    ] = None,
    batch: Annotated[str | None, typer.Option(help="JSONL with one input a line.")] = None,
    out: Annotated[str | None, typer.Option(help="Where a batch's results go.")] = None,
    lm: Annotated[str | None, typer.Option(help=LM_HELP)] = None,
    model: Annotated[list[str] | None, typer.Option(help=MODEL_HELP)] = None,
    base_url: Annotated[str | None, typer.Option(help=BASE_URL_HELP)] = None,
    width: Annotated[int, typer.Option(help="Rows in work at the same time.", min=1)] = 64,
    allow: Annotated[
        list[str] | None, typer.Option(help="Module that may be imported for the artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, typer.Option(help=RETRIEVER_HELP)] = None,
) -> None:
    """Run ARTIFACT on one input, or on a file of any size.

    Every row in gives one row out, a result or a failure; a killed batch goes on where it stopped.
    """
    if (input_ is None) == (batch is None):
        raise InputError("give either --input JSON, or --batch IN together with --out OUT")
    found = read_artifact(artifact)
    asked = NamedModels.of(lm, model, base_url)
    models = asked.replacements_for(found.model_names)
    handed = read_retrievers(retriever or [])
    program = found.program(allow_modules=allow or [], models=models, retrievers=handed)
    asked.check_lm(program)
    with using(lm=asked.ambient):
        if input_ is not None:
            prediction = program(**inputs_of(input_, program, "--input"))
            write_json(to_jsonable_python(prediction.to_dict()))
            return
        if batch is None or out is None:
            raise InputError("--batch IN needs --out OUT")
        source, target = Path(batch), check_writable(out, "--out")
        run = f"{found.digest} {lm}{asked.description}"
        done = run_sync(run_batch(program, source, target, width, run))
    known = f", {done.found} were there already" if done.found else ""
    said = f"{done.written} rows written{known}, {done.failed} failed"
    Terminal(stderr=True).say(said)
