"""Which examples a program shows in its prompts already: they prove nothing about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from langprog import Module
from langprog.evaluation import fold_text
from langprog.modules import Predict

# Inputs with fewer words or characters may stand in a prompt by chance.
FEWEST_WORDS, FEWEST_CHARACTERS = 3, 12
_WORD = re.compile(r"\w+")


class ShownInputs:
    """The inputs that stand in the demonstrations, instructions and descriptions of a program.

    Args:
        program: The program.
    """

    def __init__(self, program: Module) -> None:
        predictors = program.predictors().values()
        self._demos = [
            {name: value for name, value in demo.items() if name not in predictor.outputs}
            for predictor in predictors
            for demo in predictor.demo_pool
        ]
        texts = [" ".join(_texts(demo)) for demo in self._demos]
        texts += [" ".join(_prompt_texts(predictor)) for predictor in predictors]
        self._texts = [_words(text) for text in texts]

    def has(self, values: Mapping[str, Any]) -> bool:
        """Return whether one demonstration, or one prompt, shows all of an example's inputs."""
        if not values:
            return False
        return self._is_demo(values) or self._is_quoted(values)

    def _is_demo(self, values: Mapping[str, Any]) -> bool:
        return any(
            all(_is_in(demo, name, value) for name, value in values.items())
            for demo in self._demos
        )

    def _is_quoted(self, values: Mapping[str, Any]) -> bool:
        parts = [_words(text) for text in _texts(values)]
        # A padded text has a blank at both ends.
        if not any(
            part.count(" ") > FEWEST_WORDS and len(part) - 2 >= FEWEST_CHARACTERS for part in parts
        ):
            return False
        return any(all(part in text for part in parts) for text in self._texts)


def _prompt_texts(predictor: Predict) -> Iterator[str]:
    yield predictor.signature.instruction
    for field in predictor.signature.fields:
        yield field.description


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts and numbers in plain data."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, (str, int, float)):
        yield str(fold_text(value))


def _words(text: str) -> str:
    """Return a text's words, each between two blanks, so that whole words are found."""
    return f" {' '.join(_WORD.findall(str(fold_text(text))))} "


def _is_in(demo: Mapping[str, Any], name: str, value: object) -> bool:
    text = str(fold_text(value))
    if name in demo:
        # A demonstration need not have the types of the program: "7" shows 7.
        return bool(demo[name] == value) or str(fold_text(demo[name])) == text
    # A program may pass its inputs on under other names. What matches by chance costs little: it
    # is learned from, and not examined.
    known = isinstance(value, str) and bool(text)
    return known and text in {fold_text(each) for each in demo.values() if isinstance(each, str)}
