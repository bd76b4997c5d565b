from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

import langprog
from langprog.cli.commands import COMMANDS, load_command
from langprog.cli.main import run


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_says_the_same_in_the_list_and_in_its_own_help(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = COMMANDS[path]
    assert (place.load().__doc__ or "").splitlines()[0] == place.help
    assert run([*path.split(), "--help"]) == 0
    assert f"langprog {path} [OPTIONS]" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_a_command_ends_with_an_example_that_it_can_read(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    example = COMMANDS[path].example
    program, *words = shlex.split(example)
    assert program == "langprog" and words[: len(path.split())] == path.split()
    command = load_command(path.split()[-1], COMMANDS[path])
    parser = command.make_parser(command.context_class(command))
    parser.parse_args(words[len(path.split()) :])  # raises where an option is unknown
    assert run([*path.split(), "--help"]) == 0
    assert f"Example: {example}" in " ".join(capsys.readouterr().out.split())


def test_the_list_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    for group in {path.partition(" ")[0] for path in COMMANDS if " " in path}:
        assert run([group, "--help"]) == 0
    shown = capsys.readouterr().out
    for path in COMMANDS:
        assert path.split()[-1] in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"langprog {langprog.__version__}\n"


def test_help_imports_no_command() -> None:
    code = (
        "import sys; from langprog.cli.main import run; run(['--help'])\n"
        "rooms = {name for name in sys.modules if name.startswith('langprog.')}\n"
        "rooms -= {'langprog.errors', 'langprog.cli', 'langprog.cli.main', "
        "'langprog.cli.commands', 'langprog.cli.terminal'}\n"
        "assert not rooms, rooms\n"
        "assert 'pydantic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, stdout=subprocess.DEVNULL)
