"""The commands and programs of README and guides run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

import langprog as lp
from langprog.cli.main import run
from tests.forking import COMPILING, forking

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Those of the other guides run in test_guides, and beside what they are about.
PAGES = [
    ROOT / "README.md",
    *(DOCS / f"{name}.md" for name in ("start", "language", "checks", "retrieval", "tools")),
    *(DOCS / f"{name}.md" for name in ("models", "observing", "certificates", "compiling")),
    ROOT / "langprog" / "lm" / "README.md",
]
PYTHON = [
    block
    for page in PAGES
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
]
CONSOLE = re.findall(r"^\$ (.*)$", (DOCS / "start.md").read_text(), re.MULTILINE)
ROWS = 32
TEAMS = {"charge": "harbor", "internet": "atlas", "password": "ember", "order": "cedar"}


def answer(request: lp.Request) -> str:
    """Know two teams by words alone, and the other two only with an instruction that helps."""
    system, last = request.messages[0].content, request.messages[-1].content
    if "[[instruction]]" in system.rsplit("\n", 1)[-1]:
        return "[[instruction]]\nLook at the topic: harbor bills, atlas network, ember login."
    if "[[summary]]" in system.rsplit("\n", 1)[-1]:
        return "[[summary]]\nTickets and the teams that own them."
    if "[[priority]]" in system.rsplit("\n", 1)[-1]:
        return "[[priority]]\nnormal"
    demos = len(request.messages) > 4
    found = next((team for word, team in TEAMS.items() if word in last.lower()), "cedar")
    team = found if demos else "harbor"
    if "[[ ## team ## ]]" in last:  # the form of DSPy
        return f"[[ ## reasoning ## ]]\nIts topic.\n\n[[ ## team ## ]]\n{team}"
    return f"[[team]]\n{team}"


@pytest.fixture(scope="module")
def endpoint(scripted_endpoint: Callable[[lp.ScriptedLM], str]) -> str:
    """A loopback endpoint in the place of the provider."""
    return scripted_endpoint(lp.ScriptedLM(answer, name="openai/gpt-6-luna"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    tickets = folder / "programs" / "tickets"
    shutil.copytree(ROOT / "programs" / "tickets", tickets)
    shutil.copy(ROOT / "programs" / "__init__.py", folder / "programs")
    for file in tickets.glob("*.jsonl"):  # fewer rows, as calls take time
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:ROWS]))
    shutil.copy(tickets / "train.jsonl", folder / "tickets.jsonl")
    return folder


def test_every_python_block_runs(place: Path, endpoint: str) -> None:
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": endpoint,
        "OPENAI_API_KEY": "none",
        "LANGPROG_CACHE": str(place / "cache"),
    }
    blocks = [block for block in PYTHON if "import dspy" not in block or find_spec("dspy")]
    assert len(blocks) >= 20
    with forking("-W", "error") as parent:
        for block in blocks:
            program = place / "block.py"
            if "triage(ticket=" in block:
                block = block.replace(
                    "import langprog as lp\n",
                    'import langprog as lp\nlp.configure(lm="openai/gpt-6-luna")\n',
                )
            # What the embedded model makes of it is tested with the demo, and takes its time.
            program.write_text(block.replace("pocket/small", "openai/gpt-6-luna"))
            process = parent.start(
                [str(program)],
                imports=COMPILING,
                folder=place,
                environment=environment,
                stderr=subprocess.PIPE,
            )
            _, errors = process.communicate()
            assert process.returncode == 0, f"{block}\n{errors}"
    assert (place / "triage.json").exists()


def test_every_command_runs(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("LANGPROG_CACHE", str(place / "cache"))
    (place / "triage.json").unlink(missing_ok=True)
    assert len(CONSOLE) >= 5
    for command in CONSOLE:
        program, *arguments = shlex.split(command)
        assert program == "langprog" and run(arguments) == 0, (command, capsys.readouterr())
    assert len((place / "answers.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))],
    ids=lambda page: page.stem,
)
def test_what_a_page_points_to_is_there(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
    for path in re.findall(r"^\| `([^`]+/)`", text, re.MULTILINE):
        assert (ROOT / path).exists(), path


def test_every_guide_is_found_from_the_readme() -> None:
    pointed = set(re.findall(r"\]\(docs/([^)#]+)", (ROOT / "README.md").read_text()))
    # The navigation, which begins there, has every page (tests/test_site.py).
    assert "index.md" in pointed and pointed <= {page.name for page in DOCS.iterdir()}
