"""The same programs in DSPy 3.4.1 print the same, so that their lengths can be compared.

Needs dspy, bm25s and litellm: in this environment, or in that of another interpreter, which
``DSPY_PYTHON`` names.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.examples.counting import source_of
from tests.examples.running import EXAMPLES, Done, environment_for, serve_example
from tests.examples.scripts import PRINTED, SCRIPTS, check_streamed, http_streaming, notebook
from tests.examples.server import Script, serve

PYTHON = os.environ.get("DSPY_PYTHON", sys.executable)
ABSENT = "DSPY_PYTHON" not in os.environ and importlib.util.find_spec("dspy") is None


pytestmark = pytest.mark.skipif(
    ABSENT, reason="dspy is not installed: pip install dspy==3.4.1 bm25s"
)


# Imports dspy, which takes seconds, and runs each program in a process forked from there.
FORKING = """
import json, os, runpy, signal, sys
import dspy, litellm

for line in sys.stdin:
    path, folder, environment = json.loads(line)
    child = os.fork()
    if not child:
        signal.alarm(120)
        os.chdir(folder)
        os.environ.update(environment)
        for number, name in enumerate(("stdout", "stderr"), start=1):
            os.dup2(os.open(name, os.O_CREAT | os.O_WRONLY), number)
        sys.argv, sys.path[0] = [path], os.path.dirname(path)
        code = 1
        try:
            runpy.run_path(path, run_name="__main__")
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
Run = Callable[[Path, Script], Done]


@pytest.fixture(scope="module")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    cache = {"DSPY_CACHEDIR": str(tmp_path_factory.mktemp("cache"))}
    with subprocess.Popen(
        [PYTHON, "-c", FORKING],
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", **cache},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def run(forking: subprocess.Popen[str], tmp_path: Path) -> Run:
    def run_forked(path: Path, script: Script) -> Done:
        assert forking.stdin is not None and forking.stdout is not None
        with serve(script) as endpoint:
            order = [str(path), str(tmp_path), environment_for(endpoint, tmp_path)]
            forking.stdin.write(json.dumps(order) + "\n")
            forking.stdin.flush()
            code = forking.stdout.readline()
            stdout, stderr = ((tmp_path / name).read_text() for name in ("stdout", "stderr"))
            assert code == "0\n", f"{code}{stdout}\n{stderr}\n{endpoint.failures}"
            assert not endpoint.failures, endpoint.failures
        return Done(stdout, stderr, endpoint.requests)

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
