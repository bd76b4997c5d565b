"""What commands there are; each is imported when it is asked for, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperGroup

NAME = "langprog"


@dataclass(frozen=True, slots=True)
class CommandRef:
    """Where a command is written, and its help in one line."""

    module: str
    function: str
    help: str

    def load(self) -> Any:
        """Import the command."""
        return getattr(importlib.import_module(self.module), self.function)


COMMANDS: Mapping[str, CommandRef] = MappingProxyType(
    {
        "demo": CommandRef(
            "langprog.cli.demo",
            "demo",
            "Compile a two-module ticket program on the embedded model, and run the artifact.",
        ),
        "compile": CommandRef(
            "langprog.cli.compiling",
            "compile_program",
            "Compile PROGRAM against a metric and write the artifact.",
        ),
        "estimate": CommandRef(
            "langprog.cli.estimating",
            "estimate_compile",
            "Say what compiling PROGRAM would take, and what its certificate could show.",
        ),
        "eval": CommandRef(
            "langprog.cli.evaluating",
            "evaluate_program",
            "Score PROGRAM on examples, with a 95 % interval.",
        ),
        "run": CommandRef(
            "langprog.cli.running",
            "run_artifact",
            "Run ARTIFACT on one input, or on a file of any size.",
        ),
        "show": CommandRef(
            "langprog.cli.showing",
            "show",
            "Show the program, its prompts, its models and the evidence for it.",
        ),
        "cache clear": CommandRef(
            "langprog.cli.caching",
            "clear",
            "Remove every cached completion of this user.",
        ),
        "lm serve": CommandRef(
            "langprog.cli.serving",
            "serve",
            "Serve MODELS behind an OpenAI-compatible endpoint.",
        ),
    }
)


class LazyGroup(TyperGroup):
    """Lists commands by their one line of help; imports the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that ``args`` ask for, imported by now."""
        name, command, rest = super().resolve_command(ctx, args)
        path = name if self.name == NAME else f"{self.name} {name}"
        place = COMMANDS.get(path or "")
        return name, command if place is None else _load_command(name, place), rest


def _load_command(name: str | None, place: CommandRef) -> Any:
    alone = typer.Typer(add_completion=False)
    alone.command(name)(place.load())
    return typer.main.get_command(alone)


def make_application() -> typer.Typer:
    """Return the command line as one typer application."""
    app = typer.Typer(
        name=NAME,
        cls=LazyGroup,
        help="Declare language programs, compile them against a metric, run the frozen artifact.",
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    groups = {
        "cache": typer.Typer(name="cache", cls=LazyGroup, help="Completions that were kept."),
        "lm": typer.Typer(name="lm", cls=LazyGroup, help="Language models."),
    }
    for path, place in COMMANDS.items():
        above, _, name = path.rpartition(" ")
        (groups[above] if above else app).command(name, help=place.help)(_placeholder)
    for group in groups.values():
        app.add_typer(group)
    return app


def _placeholder() -> None:
    """Stand in a list of commands for one that is not imported."""
