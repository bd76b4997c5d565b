"""What a reader copies from here names no model that is about to be switched off."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIST = tomllib.loads((ROOT / "tests" / "model_names.toml").read_text())
NAMED = re.compile(
    r"\b((?:openai|anthropic|gemini|mistral|groq|deepseek|together|ollama)/[a-z][\w.-]*\d[\w.-]*\w)"
)


def named() -> dict[str, str]:
    """Return the models that are named, each with a file that does."""
    return {
        name: path.relative_to(ROOT).as_posix()
        for path in chain(
            [ROOT / "README.md"],
            (ROOT / "docs").glob("*.md"),
            (ROOT / "examples").rglob("*.py"),
            (ROOT / "examples").rglob("*.ipynb"),
            (ROOT / "langprog").rglob("*.py"),
            (ROOT / "langprog").rglob("*.md"),
        )
        for name in NAMED.findall(path.read_text())
    }


def test_no_model_is_named_that_is_switched_off_or_that_nobody_looked_up() -> None:
    found = named()
    assert "openai/gpt-6-luna" in found
    unknown = {name: path for name, path in found.items() if name not in LIST["in_use"]}
    assert not unknown, f"look them up, and add them to tests/model_names.toml: {unknown}"


def test_none_in_use_is_being_switched_off() -> None:
    going = tuple(LIST["switched_off"])
    assert not [name for name in LIST["in_use"] if name.partition("/")[2].startswith(going)]
