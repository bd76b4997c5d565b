"""Importing the library, and running an artifact, loads nothing that is not needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import langprog as lp
from langprog.artifact import save_program

# Heavy or optional: imported where they are first used.
LATE = {
    "aiohttp",
    "bm25s",
    "diskcache",
    "genai_prices",
    "jinja2",
    "litellm",
    "numpy",
    "optuna",
    "dspy",
    "narwhals",
    "torch",
    "pyarrow",
    "scipy",
}


def test_importing_langprog_is_light() -> None:
    code = (
        "import sys, langprog, langprog.errors\n"
        f"loaded = {LATE!r} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "import langprog as lp\n"
        "for name in ('Predict', 'Signature', 'evaluate', 'load', 'LM'): getattr(lp, name)\n"
        "loaded = ({'optimizers', 'pydantic.v1'} | " + repr(LATE) + ") & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_running_an_artifact_is_light(tmp_path: Path) -> None:
    save_program(lp.Predict("ticket -> team", model="scripted/lm"), tmp_path / "a.json")
    code = (
        "import sys, langprog as lp\n"
        "with lp.using(models=[lp.ScriptedLM(['[[team]]\\nnetwork'])]):\n"
        "    assert lp.load('a.json')(ticket='no signal').team == 'network'\n"
        "heavy = {'optimizers', 'optuna', 'litellm', 'dspy', 'torch', 'aiohttp', 'pyarrow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
