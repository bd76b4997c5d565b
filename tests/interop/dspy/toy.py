"""A scripted model for DSPy's prompts, and the same model as DSPy itself calls it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import langprog as lp

# What the model knows of a call: its inputs, the system message, and how many examples it shows.
Answer = Callable[[str, Mapping[str, str], str, int], str]

_SECTION = re.compile(
    r"\[\[ ## (\w+) ## \]\]\n(.*?)(?=\n\n\[\[ ##|\n\nRespond with|\Z)", re.DOTALL
)
_ASKED = re.compile(r"Respond with .*", re.DOTALL)


def toy_model(answer: Answer, name: str = "openai/toy") -> lp.ScriptedLM:
    """Return a model that writes each output field as ``answer`` says, in the form asked for."""

    def reply(request: lp.Request) -> str:
        last = request.messages[-1].text
        asked = _ASKED.search(last)
        if asked is None:  # a proposer's prompt
            return "Say what the question asks for, in one word and nothing else at all."
        inputs = dict(_SECTION.findall(last))
        shown = sum(message.role == "assistant" for message in request.messages)
        system = request.messages[0].text
        names = re.findall(r"`\[\[ ## (\w+) ## \]\]`", asked.group().rpartition("and then")[0])
        if names:
            parts = [
                f"[[ ## {each} ## ]]\n{answer(each, inputs, system, shown)}" for each in names
            ]
            return "\n\n".join([*parts, "[[ ## completed ## ]]"])
        names = re.findall(r"`(\w+)`", asked.group())
        return json.dumps({each: answer(each, inputs, system, shown) for each in names})

    return lp.ScriptedLM(reply, name=name)


def words(count: int) -> list[str]:
    """Return different words."""
    return [f"{chr(97 + place % 7)}{place:03d}{'x' * (place % 5)}" for place in range(count)]


def plain_score(program: Any, rows: list[lp.Example], field: str, *inputs: str) -> float:
    """Return the share of rows that a program gets right in DSPy alone."""
    right = 0
    for row in rows:
        prediction = program(**{name: row[name] for name in inputs})
        right += str(prediction[field]) == str(row[field])
    return right / len(rows)
