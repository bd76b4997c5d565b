"""The commands and programs of the READMEs run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

import langprog as lp

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MODELS = (ROOT / "langprog" / "lm" / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README + MODELS, re.DOTALL)
CONSOLE = re.findall(r"^\$ (.*)$", README, re.MULTILINE)
TEAMS = {"charge": "harbor", "internet": "atlas", "password": "ember", "order": "cedar"}


def answer(request: lp.Request) -> str:
    """Know two teams by words alone, and the other two only with an instruction that helps."""
    system, last = request.messages[0].content, request.messages[-1].content
    if "[[instruction]]" in system.rsplit("\n", 1)[-1]:
        return "[[instruction]]\nLook at the topic: harbor bills, atlas network, ember login."
    if "[[summary]]" in system.rsplit("\n", 1)[-1]:
        return "[[summary]]\nTickets and the teams that own them."
    demos = len(request.messages) > 4
    found = next((team for word, team in TEAMS.items() if word in last.lower()), "cedar")
    team = found if demos else "harbor"
    if "[[ ## team ## ]]" in last:  # the form of DSPy
        return f"[[ ## reasoning ## ]]\nIts topic.\n\n[[ ## team ## ]]\n{team}"
    return f"[[team]]\n{team}"


@pytest.fixture(scope="module")
def endpoint(scripted_endpoint: Callable[[lp.ScriptedLM], str]) -> str:
    """A loopback endpoint in the place of the provider."""
    return scripted_endpoint(lp.ScriptedLM(answer, name="openai/gpt-4.1-mini"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "programs" / "tickets", folder / "programs" / "tickets")
    shutil.copy(ROOT / "programs" / "__init__.py", folder / "programs")
    shutil.copy(ROOT / "programs" / "tickets" / "train.jsonl", folder / "tickets.jsonl")
    return folder


def test_every_python_block_runs(place: Path, endpoint: str) -> None:
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": endpoint,
        "OPENAI_API_KEY": "none",
        "LANGPROG_CACHE": str(place / "cache"),
    }
    assert len(PYTHON) >= 3
    for block in PYTHON:
        if "import dspy" in block and find_spec("dspy") is None:
            continue
        program = place / "block.py"
        if "triage(ticket=" in block:
            block = block.replace(
                "import langprog as lp\n",
                'import langprog as lp\nlp.configure(lm="openai/gpt-4.1-mini")\n',
            )
        program.write_text(block)
        done = subprocess.run(
            [sys.executable, "-W", "error", program.name],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"
    assert (place / "triage.json").exists()


def test_every_command_runs(place: Path) -> None:
    (place / "triage.json").unlink(missing_ok=True)
    assert len(CONSOLE) >= 5
    for command in CONSOLE:
        done = subprocess.run(
            command.replace("langprog", f"{sys.executable} -m langprog", 1),
            shell=True,
            cwd=place,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert len((place / "answers.jsonl").read_text().splitlines()) == 4


def test_what_the_readme_points_to_is_there() -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / link.partition("#")[0]).exists(), link
    for path in re.findall(r"^\| `([^`]+)`", README, re.MULTILINE):
        assert (ROOT / path).exists(), path
