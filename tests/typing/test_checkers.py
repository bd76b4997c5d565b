"""mypy and pyright know the types of a program's inputs and outputs, and find what is wrong.

``make lint`` runs this: a checker takes its time.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
FILES = ("clean.py", "wrong.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files to check, the programs of the README among them."""
    folder = tmp_path_factory.mktemp("checked")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        (folder / f"readme_{number}.py").write_text(block)
    for name in FILES:
        (folder / name).write_text((HERE / name).read_text())
    return folder


def marked(folder: Path) -> set[str]:
    """Return the places that are wrong."""
    return {
        f"{name}:{number}"
        for name in FILES
        for number, line in enumerate((folder / name).read_text().splitlines(), 1)
        if line.endswith("# wrong")
    }


def test_mypy_finds_what_is_wrong_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # its settings and its cache are those of `make lint`
    told, problem, _ = api.run(
        ["--strict", "--no-error-summary", *map(str, sorted(folder.glob("*.py")))]
    )
    assert not problem
    found = {f"{name}:{line}" for name, line in re.findall(r"(\w+\.py):(\d+): error", told)}
    assert found == marked(folder), told


@pytest.mark.skipif(find_spec("basedpyright") is None, reason="basedpyright is not installed")
def test_pyright_finds_what_is_wrong_and_nothing_else(folder: Path) -> None:
    settings = {
        "typeCheckingMode": "strict",
        "extraPaths": [str(ROOT)],
        "reportMissingTypeStubs": False,
        "reportUnusedExpression": False,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout)["generalDiagnostics"]
    found = {
        f"{Path(each['file']).name}:{each['range']['start']['line'] + 1}"
        for each in told
        if each["severity"] == "error"
    }
    assert found == marked(folder), done.stdout
