"""Runs an example as a user does: a process, with an endpoint and a key in its environment."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.examples.server import Asked, Endpoint, Script, serve

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Done:
    """What a run printed and asked."""

    stdout: str
    stderr: str
    requests: list[Asked]

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


def environment_for(endpoint: Endpoint, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "OPENAI_BASE_URL": endpoint.base_url,
        "OPENAI_API_BASE": endpoint.base_url,
        "OPENAI_API_KEY": "not-a-key",
        "LANGPROG_CACHE": "off",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "DSPY_CACHEDIR": str(folder / "dspy"),
        "PYTHONUNBUFFERED": "1",
    }


def run_example(path: Path, script: Script, folder: Path, python: str = sys.executable) -> Done:
    """Run a program to its end; it fails where the program or the endpoint does."""
    with serve(script) as endpoint:
        done = subprocess.run(
            [python, str(path)],
            cwd=folder,
            env=environment_for(endpoint, folder),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{endpoint.failures}"
        assert not endpoint.failures, endpoint.failures
    return Done(done.stdout, done.stderr, endpoint.requests)


Event = tuple[str, dict[str, Any]]


@contextmanager
def serve_example(
    path: Path, script: Script, folder: Path, python: str = sys.executable
) -> Iterator[tuple[int, Endpoint]]:
    """Start a program that serves; yields its port and the endpoint that it asks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serve(script) as endpoint:
        process = subprocess.Popen(
            [python, str(path), str(port)],
            cwd=folder,
            env=environment_for(endpoint, folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None and process.stderr is not None
            told = process.stdout.readline()
            assert "Running on" in told, told + process.stderr.read()
            yield port, endpoint
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        assert not endpoint.failures, endpoint.failures


def stream_answer(port: int) -> Iterator[Event]:
    """Ask a program that serves, and yield its events as they come."""
    connection = http.client.HTTPConnection("localhost", port, timeout=60)
    with closing(connection):
        connection.request("POST", "/answer", json.dumps({"question": "Why is the sky blue?"}))
        with connection.getresponse() as response:
            kind = ""
            for line in response:
                name, _, value = line.decode().strip().partition(": ")
                kind = value if name == "event" else kind
                if name == "data":
                    yield kind, json.loads(value)


def run_notebook(path: Path, script: Script, folder: Path) -> list[list[dict[str, Any]]]:
    """Run a notebook in a kernel of its own, and return the outputs of each cell of code."""
    import nbformat  # noqa: PLC0415 - the environment of DSPy has none
    from nbclient import NotebookClient  # noqa: PLC0415 - as above

    with serve(script) as endpoint:
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(notebook, timeout=120, kernel_name="python3")
        client.execute(env=environment_for(endpoint, folder), cwd=str(folder))
        assert not endpoint.failures, endpoint.failures
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
