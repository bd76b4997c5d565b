"""Names and prose use the field's terms: no private vocabulary, no placeholder names."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

from tests.house.sources import Source, sources

PROSE = re.compile(
    r"\bdearest\b|\blost on the way\b|\bforeseen\b|\bsee to it\b|\bso many\b|\bthe door\b"
    r"|(?<!there )\b(?:is|are) no (?!longer\b)\w"
)
# Words of repair prompts, which stay the same byte for byte.
PROMPTS = {"langprog/adapters/function_call.py": "the arguments of the call are no json object"}
EMPTY_NAMES = {"one", "found"}


def private_words(source: Source) -> Iterator[str]:
    if not PROSE.search(" ".join(source.text.lower().split())):
        return  # nor in any of its tokens, which take long to find
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            words = " ".join(token.string.lower().split())
            phrase = PROSE.search(words.replace(PROMPTS.get(source.name, "\n"), ""))
            if phrase:
                yield f"{source.name}:{token.start[0]}: {phrase[0]}"


def test_prose_has_no_private_vocabulary() -> None:
    assert not [line for source in sources() for line in private_words(source)]


def empty_names(source: Source) -> Iterator[str]:
    for node in source.nodes:
        name = getattr(node, "id", None) or getattr(node, "arg", None)
        if name in EMPTY_NAMES:
            yield f"{source.name}:{getattr(node, 'lineno', 0)}: {name}"


def test_variables_say_what_they_hold() -> None:
    assert not [line for source in sources() for line in empty_names(source)]
