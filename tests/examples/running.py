"""Runs an example as a user does: a process, with an endpoint and a key in its environment."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.examples.server import Asked, Script, serve

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


def run_example(path: Path, script: Script, folder: Path, python: str = sys.executable) -> Done:
    """Run a program to its end; it fails where the program or the endpoint does."""
    with serve(script) as endpoint:
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": endpoint.base_url,
            "OPENAI_API_BASE": endpoint.base_url,
            "OPENAI_API_KEY": "not-a-key",
            "LANGPROG_CACHE": "off",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "DSPY_CACHEDIR": str(folder / "dspy"),
        }
        done = subprocess.run(
            [python, str(path)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{endpoint.failures}"
        assert not endpoint.failures, endpoint.failures
    return Done(done.stdout, done.stderr, endpoint.requests)
