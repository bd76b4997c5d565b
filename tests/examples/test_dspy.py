"""The same programs in DSPy 3.4.1 print the same, so that their lengths can be compared.

They are DSPy's programs, not ours, so they run every night, not with every test: set
``DSPY_PYTHON`` to an interpreter that has dspy, bm25s and litellm, this one or another.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.examples.counting import source_of
from tests.examples.running import EXAMPLES, Done, environment_for, serve_example
from tests.examples.scripts import PRINTED, SCRIPTS, check_streamed, http_streaming, notebook
from tests.examples.server import Script, serve
from tests.forking import Forking, forking

PYTHON = os.environ.get("DSPY_PYTHON", "")

pytestmark = pytest.mark.skipif(not PYTHON, reason="DSPY_PYTHON names no interpreter with dspy")

Run = Callable[[Path, Script], Done]


@pytest.fixture(scope="module")
def dspy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forking]:
    with forking(
        python=PYTHON,
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        DSPY_CACHEDIR=str(tmp_path_factory.mktemp("cache")),
    ) as parent:
        yield parent


@pytest.fixture
def run(dspy: Forking, tmp_path: Path) -> Run:
    def run_forked(path: Path, script: Script) -> Done:
        with serve(script) as endpoint:
            process = dspy.start(
                [str(path)],
                imports=("dspy", "litellm"),
                folder=tmp_path,
                environment=environment_for(endpoint, tmp_path),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            output, errors = process.communicate()
            assert process.returncode == 0, f"{output}\n{errors}\n{endpoint.failures}"
            assert not endpoint.failures, endpoint.failures
        return Done(output, errors, endpoint.requests)

    return run_forked


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_prints_what_ours_prints(name: str, run: Run) -> None:
    if name == "tracing":
        pytest.importorskip("openinference")
    done = run(EXAMPLES / "dspy" / f"{name}.py", SCRIPTS[name])
    expected = [line.format(6) for line in PRINTED[name]]
    assert [line for line in done.lines if line in expected] == expected, (
        f"{done.stdout}\n{done.stderr}"
    )


def test_it_streams_what_ours_streams(tmp_path: Path) -> None:
    path = EXAMPLES / "dspy" / "http_streaming.py"
    with serve_example(path, http_streaming, tmp_path, PYTHON) as (port, endpoint):
        check_streamed(port, endpoint)


def test_the_notebook_compiles(tmp_path: Path, run: Run) -> None:
    program = tmp_path / "notebook.py"
    cells = source_of(EXAMPLES / "dspy" / "notebook.ipynb")
    program.write_text(cells + "\nprint(compiled(ticket='the parcel is wet').team)\n")
    done = run(program, notebook)
    assert done.lines[-1] == "cedar", f"{done.stdout}\n{done.stderr}"
