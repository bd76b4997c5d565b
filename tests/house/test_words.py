"""Names and prose use the field's terms: no private vocabulary, no placeholder names."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("langprog", "optimizers", "programs", "benchmarks")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PROSE = re.compile(
    r"\bdearest\b|\blost on the way\b|\bforeseen\b|\bsee to it\b|\bso many\b|\bthe door\b"
    r"|(?<!there )\b(?:is|are) no (?!longer\b)\w"
)
# Words of repair prompts, which stay the same byte for byte.
PROMPTS = {"langprog/adapters/function_call.py": "the arguments of the call are no json object"}
EMPTY_NAMES = {"one", "found"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_prose_has_no_private_vocabulary(path: Path) -> None:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            words = " ".join(token.string.lower().split())
            phrase = PROSE.search(words.replace(PROMPTS.get(named(path), "\n"), ""))
            assert phrase is None, f"{named(path)}:{token.start[0]}: {phrase and phrase[0]}"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_variables_say_what_they_hold(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        name = getattr(node, "id", None) or getattr(node, "arg", None)
        assert name not in EMPTY_NAMES, f"{named(path)}: {name}"
