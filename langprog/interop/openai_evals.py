"""Data sets of OpenAI Evals: JSONL whose rows have ``input`` messages and ``ideal`` answers.

Follows: the sample format and the classes ``Match``, ``Includes`` and ``FuzzyMatch`` of
https://github.com/openai/evals.
Differs: blanks around an ideal answer do not count, as replies are read without theirs, and a
single ideal answer is one text for every metric, never a list of its characters.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from langprog.adapters import escape_text
from langprog.errors import InputError, MetricError
from langprog.evaluation import Score
from langprog.example import Example
from langprog.interop.contract import Imported
from langprog.interop.reading import read_json_lines
from langprog.modules import Module, Prediction, PromptTemplate

INPUT, ANSWER, IDEAL = "input", "answer", "ideal"
_ROLES = ("system", "user", "assistant")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")

Turn = tuple[str, str]


# --- the data ------------------------------------------------------------------------------------


def read_openai_evals(path: Path, into: Module | None, options: Mapping[str, str]) -> Imported:
    """Read a data set, for ``langprog import``."""
    return from_openai_evals(path)


def from_openai_evals(path: str | Path) -> Imported:
    """Read a data set of OpenAI Evals.

    The last message of a row is its ``input``. What comes before, where it is the same in all
    rows, belongs to the program, a PromptTemplate that asks what the rows ask; otherwise it
    becomes the columns ``system`` and ``history``, and there is no program. The ideal answer is
    ``answer``; where there are several, the first of them, and ``ideal`` has all.

    Args:
        path: The JSONL file.

    Returns:
        The examples, and the metrics that fit: ``match``, ``includes``, ``fuzzy_match``.

    Raises:
        InputError: The file or a row is not as described; names the line.
    """
    prompts: list[list[Turn]] = []
    ideals: list[list[str]] = []
    for place, row in read_json_lines(path):
        if IDEAL not in row or "input" not in row:
            missing = "ideal" if "input" in row else "input"
            raise InputError(
                f"{place}: the row has no {missing!r}, only {', '.join(map(str, row))[:80]}; rows "
                "that a model grades have no ideal answer, and need a metric of your own"
            )
        prompts.append(_read_prompt(row["input"], place))
        ideals.append(_read_ideals(row[IDEAL], place))
    shared = prompts[0][:-1]
    same = all(prompt[:-1] == shared for prompt in prompts)
    examples = tuple(
        _example(prompt, ideal, same) for prompt, ideal in zip(prompts, ideals, strict=True)
    )
    notes = (_describe_shared(shared),) if same and shared else ()
    program = _program(shared) if same else None
    metrics = {"match": match(), "includes": includes(), "fuzzy_match": fuzzy_match()}
    return Imported(examples, MappingProxyType(metrics), program, notes)


def _read_prompt(value: Any, place: str) -> list[Turn]:
    if isinstance(value, str):
        return [("user", value)]
    if not isinstance(value, list) or not value:
        raise InputError(f"{place}: 'input' is a text or a list of messages, not {value!r:.40}")
    turns = [_read_turn(turn, f"{place}: message {at}") for at, turn in enumerate(value, start=1)]
    if turns[-1][0] == "assistant":
        raise InputError(f"{place}: the last message is the assistant's, so nothing is asked")
    return turns


def _read_turn(value: Any, place: str) -> Turn:
    if not isinstance(value, dict) or value.get("role") not in _ROLES:
        raise InputError(
            f"{place} is not an object with a role of {', '.join(_ROLES)} and a content"
        )
    content = value.get("content")
    if not isinstance(content, str):
        raise InputError(f"{place} has no text as its content: images and calls are not read")
    role = str(value["role"])
    # A name marks the turns of an example: {"role": "system", "name": "example_assistant"}.
    named = str(value.get("name", "")).removeprefix("example_")
    return (named if role == "system" and named in ("user", "assistant") else role), content


def _read_ideals(value: Any, place: str) -> list[str]:
    ideals = value if isinstance(value, list) else [value]
    if not ideals or not all(isinstance(ideal, str) for ideal in ideals):
        raise InputError(f"{place}: 'ideal' is a text or a list of texts, not {value!r:.40}")
    return ideals


def _example(prompt: list[Turn], ideals: list[str], same: bool) -> Example:
    values: dict[str, Any] = {}
    if not same:
        before = prompt[:-1]
        values["system"] = "\n\n".join(text for role, text in before if role == "system")
        values["history"] = [
            {"role": role, "content": text} for role, text in before if role != "system"
        ]
    values[INPUT] = prompt[-1][1]
    values[ANSWER] = ideals[0]
    if len(ideals) > 1:
        values[IDEAL] = ideals
    return Example(**values)


def _program(shared: Sequence[Turn]) -> PromptTemplate:
    messages = [
        {"role": role, "content": escape_text(text, "format")}
        for role, text in (*shared, ("user", ""))
    ]
    messages[-1]["content"] = f"{{{INPUT}}}"
    return PromptTemplate(messages, output=ANSWER, syntax="format")


def _describe_shared(shared: Sequence[Turn]) -> str:
    system = " ".join(text for role, text in shared if role == "system")
    turns = sum(role != "system" for role, _ in shared)
    said = f"the instruction {system!r:.120}" if system else "no instruction"
    return (
        f"all rows begin with {said}"
        + (f" and {turns} turns of a conversation" if turns else "")
        + ", which belong to the program"
    )


# --- the metrics ---------------------------------------------------------------------------------


class IdealMetric:
    """Compares a text with the ideal answers of an example; one of them has to fit.

    Args:
        name: Its name, for reports.
        field: The prediction's field; ``None`` for its only one.
        fits: Whether an answer fits an ideal one.
    """

    def __init__(self, name: str, field: str | None, fits: Callable[[str, str], bool]) -> None:
        self.__qualname__ = f"{name}({field!r})" if field else name
        self._field = field
        self._fits = fits

    def __call__(self, example: Example, prediction: Prediction) -> Score:
        """Score ``prediction`` with 0 or 1.

        Raises:
            MetricError: The example has no ideal answer, or it is not clear which field is meant.
        """
        name, ideals = self._read(example, tuple(prediction))
        given = str(prediction[name]).strip()
        if any(self._fits(given, ideal.strip()) for ideal in ideals):
            return Score(1.0)
        return Score(0.0, f"answered {given!r:.200}, wanted {' or '.join(map(repr, ideals)):.200}")

    def check_row(self, example: Example, outputs: Collection[str] | None) -> None:
        """Check that the example has an ideal answer, and the program the field.

        Args:
            example: A row of the data.
            outputs: Names of the program's outputs; ``None`` if it does not declare them all.

        Raises:
            MetricError: One of them has not.
        """
        if outputs is None:  # what the program returns is not known, but what is compared may be
            outputs = [self._field] if self._field else []
        if outputs:
            self._read(example, outputs)

    def _read(self, example: Example, prediction: Collection[str]) -> tuple[str, list[str]]:
        """Return the name of the field and the ideal answers."""
        name = self._field or _only_field(prediction, self.__qualname__)
        if name not in prediction:
            raise MetricError(f"{self.__qualname__}: the prediction has no {name!r}")
        wanted = example.get(IDEAL, example.get(name, example.get(ANSWER)))
        ideals = wanted if isinstance(wanted, list) else [wanted]
        if not ideals or not all(isinstance(ideal, str) for ideal in ideals):
            raise MetricError(
                f"{self.__qualname__}: the example has no ideal answer, a text or a list of texts "
                f"in 'ideal' or {name!r}"
            )
        return name, ideals

    def __repr__(self) -> str:
        return self.__qualname__


def _only_field(prediction: Collection[str], metric: str) -> str:
    names = [name for name in prediction if name != "reasoning"]
    if len(names) != 1:
        raise MetricError(
            f"{metric}: the prediction has the fields {', '.join(names)}: say which is compared, "
            f"{metric}:{names[0] if names else 'answer'}"
        )
    return names[0]


def match(field: str | None = None) -> IdealMetric:
    """Return a metric of OpenAI Evals: 1 if the answer starts with an ideal answer."""
    return IdealMetric("match", field, str.startswith)


def includes(field: str | None = None) -> IdealMetric:
    """Return a metric of OpenAI Evals: 1 if an ideal answer is part of the answer."""
    return IdealMetric("includes", field, lambda given, ideal: ideal in given)


def fuzzy_match(field: str | None = None) -> IdealMetric:
    """Return a metric of OpenAI Evals: 1 if one text is part of the other.

    Case, punctuation, the articles a, an, the, and extra blanks do not count. An empty text fits
    only an empty one.
    """
    return IdealMetric("fuzzy_match", field, _fits_roughly)


def _fits_roughly(given: str, ideal: str) -> bool:
    first, second = _normalize(given), _normalize(ideal)
    if not first or not second:
        return first == second
    return first in second or second in first


def _normalize(text: str) -> str:
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())
