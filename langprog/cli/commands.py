"""The commands; each is imported only when called, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import langprog
from langprog.cli.terminal import Terminal

NAME = "langprog"


@dataclass(frozen=True, slots=True)
class CommandRef:
    """Where a command is defined, its one line of help, and an example."""

    module: str
    function: str
    help: str
    example: str

    def load(self) -> Any:
        """Import the command."""
        return getattr(importlib.import_module(self.module), self.function)


COMMANDS: Mapping[str, CommandRef] = MappingProxyType(
    {
        "demo": CommandRef(
            "langprog.cli.demo",
            "demo",
            "Compile a two-module ticket program on the embedded model, and run the artifact.",
            "langprog demo",
        ),
        "compile": CommandRef(
            "langprog.cli.compiling",
            "compile_program",
            "Compile PROGRAM against a metric and write the artifact.",
            "langprog compile triage.py:program --train tickets.jsonl --metric "
            "exact:team --lm openai/gpt-6-luna --calls 1500 --dollars 2 --run-dir "
            "runs/triage --out triage.json",
        ),
        "estimate": CommandRef(
            "langprog.cli.estimating",
            "estimate_compile",
            "Estimate what compiling PROGRAM costs and what its certificate could show.",
            "langprog estimate triage.py:program --train tickets.jsonl --metric "
            "exact:team --lm openai/gpt-6-luna --calls 1500",
        ),
        "eval": CommandRef(
            "langprog.cli.evaluating",
            "evaluate_program",
            "Score PROGRAM on examples, with a 95 % interval.",
            "langprog eval triage.json --data rows.jsonl --metric exact:team",
        ),
        "compare": CommandRef(
            "langprog.cli.comparing",
            "compare_two",
            "Compare PROGRAM with BASELINE on the same examples; exit code 1 if it is worse.",
            "langprog compare old.json new.json --data rows.jsonl --metric exact:team",
        ),
        "port": CommandRef(
            "langprog.cli.porting",
            "port_artifact",
            "Carry ARTIFACT to another model; compile it there only if it loses.",
            "langprog port triage.json --to openai/gpt-6.1-sol --data tickets.jsonl "
            "--metric exact:team --calls 2000 --out new.json",
        ),
        "recompile": CommandRef(
            "langprog.cli.recompiling",
            "recompile_artifact",
            "Compile ARTIFACT again, starting from its instructions and demonstrations.",
            "langprog recompile triage.json --train more.jsonl --metric exact:team "
            "--calls 1500 --out better.json",
        ),
        "label-next": CommandRef(
            "langprog.cli.labelling",
            "choose_rows_to_label",
            "Choose which rows of DATA people should label next for PROGRAM.",
            "langprog label-next triage.json --data unlabelled.jsonl --n 50 --calls 1000 "
            "--out to_label.jsonl",
        ),
        "label-weakly": CommandRef(
            "langprog.cli.labelling",
            "label_rows_weakly",
            "Label the rows of DATA for PROGRAM by rules and other programs, to train on alone.",
            "langprog label-weakly triage.py:program --data unlabelled.jsonl --voter "
            "words=rules.py:by_words --voter old=old.json --out weak.jsonl",
        ),
        "run": CommandRef(
            "langprog.cli.running",
            "run_artifact",
            "Run ARTIFACT on one input, or on a file of any size.",
            'langprog run triage.json --input \'{"ticket": "my invoice is wrong"}\'',
        ),
        "serve": CommandRef(
            "langprog.cli.serving",
            "serve_artifacts",
            "Serve ARTIFACTS over HTTP.",
            "langprog serve triage.json --port 8000 --playground",
        ),
        "verify": CommandRef(
            "langprog.cli.verifying",
            "verify_artifact",
            "Ask ARTIFACT's canaries again; exit code 1 if its models answer otherwise.",
            "langprog verify triage.json",
        ),
        "show": CommandRef(
            "langprog.cli.showing",
            "show",
            "Show the program, its prompts, its models and the evidence for it.",
            "langprog show triage.json --full",
        ),
        "diff": CommandRef(
            "langprog.cli.diffing",
            "show_difference",
            "Show what differs between two artifacts: words, demonstrations, models, evidence.",
            "langprog diff old.json new.json",
        ),
        "edit": CommandRef(
            "langprog.cli.editing",
            "edit_artifact",
            "Edit ARTIFACT: with --set, or as a text in $EDITOR. Its certificate is void then.",
            "langprog edit triage.json",
        ),
        "export": CommandRef(
            "langprog.cli.exporting",
            "export_artifact",
            "Write ARTIFACT as a file of another tool.",
            "langprog export triage.json --as messages --out triage.messages.json",
        ),
        "import": CommandRef(
            "langprog.cli.importing",
            "import_file",
            "Read FILE of another tool: rows become examples, prompts and programs an artifact.",
            "langprog import prompts.yaml --from promptfoo --out triage.json",
        ),
        "report": CommandRef(
            "langprog.cli.reporting",
            "write_report",
            "Write a report of an artifact, or of a compile by its run directory.",
            "langprog report runs/triage --out triage.html",
        ),
        "programs": CommandRef(
            "langprog.cli.listing",
            "list_ready",
            "List the ready-made programs: name, what each is for, what it needs.",
            "langprog programs",
        ),
        "cache clear": CommandRef(
            "langprog.cli.caching",
            "clear",
            "Remove every cached completion of this user.",
            "langprog cache clear",
        ),
        "lm serve": CommandRef(
            "langprog.cli.model_serving",
            "serve",
            "Serve MODELS behind an OpenAI-compatible endpoint.",
            "langprog lm serve pocket/medium --port 8000",
        ),
    }
)


class LazyGroup(TyperGroup):
    """Lists commands with their one-line help; imports only the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import and return the command that ``args`` name."""
        name, command, rest = super().resolve_command(ctx, args)
        path = name if self.name == NAME else f"{self.name} {name}"
        place = COMMANDS.get(path or "")
        return name, command if place is None else load_command(name, place), rest


def load_command(name: str | None, place: CommandRef) -> Any:
    """Return a command, imported now, as click has it."""
    alone = typer.Typer(add_completion=False)
    alone.command(name, epilog=f"Example: {place.example}")(place.load())
    return typer.main.get_command(alone)


def make_application() -> typer.Typer:
    """Return the command line as one typer application."""
    app = typer.Typer(
        name=NAME,
        cls=LazyGroup,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback(
        help="Declare language programs, compile them against a metric, run the frozen artifact."
    )(_global_options)
    groups = {
        "cache": typer.Typer(name="cache", cls=LazyGroup, help="The completion cache."),
        "lm": typer.Typer(name="lm", cls=LazyGroup, help="Language models."),
    }
    for path, place in COMMANDS.items():
        above, _, name = path.rpartition(" ")
        (groups[above] if above else app).command(name, help=place.help)(_placeholder)
    for group in groups.values():
        app.add_typer(group)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        Terminal().say(f"{NAME} {langprog.__version__}")
        raise typer.Exit


def _global_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options of the command line itself; ``--version`` acts in its callback."""


def _placeholder() -> None:
    """Stand in for a command that is not imported yet."""
