"""Scripted models that read the prompt, for programs that no embedded model can do.

A file ``NAME.py`` here belongs to ``programs.NAME`` and has ``reply(prompt)``: the outputs by
name, worked out from what the prompt says, never from the labels. Where there is no file, the
embedded model is used. What such a model shows is that a program, its compile and its artifact
work; its scores say nothing about any language model.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import langprog as lp

MARKER = re.compile(r"^\[\[(\w+)\]\]$", re.MULTILINE)
ORDER = re.compile(r"in this order: ((?:\[\[\w+\]\] ?)+)")
PROPOSED = "Read the input twice, then answer in the shortest form that is right."


@dataclass(frozen=True)
class Prompt:
    """A request in the ``chat`` adapter's format, taken apart.

    Args:
        request: The request.
        steady: Whether the model never errs.
    """

    request: lp.Request
    steady: bool = False

    @property
    def instruction(self) -> str:
        """Everything before the first user message."""
        return self.request.messages[0].text

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that are asked for, in order."""
        order = ORDER.search(self.instruction)
        return tuple(re.findall(r"\w+", order[1])) if order else ()

    @cached_property
    def turns(self) -> tuple[Mapping[str, str], ...]:
        """Fields of each user message since the input was given; one where there are no tools."""
        users = [_sections(each.text) for each in self.request.messages if each.role == "user"]
        return tuple(users[self._starts[-1] :])

    @property
    def inputs(self) -> Mapping[str, str]:
        """The input fields, as text."""
        return self.turns[0]

    @property
    def demos(self) -> int:
        """Number of demonstrations."""
        return len(self._starts) - 1

    @cached_property
    def _starts(self) -> list[int]:
        users = [_sections(each.text) for each in self.request.messages if each.role == "user"]
        first = next(iter(users[0]), "")
        return [place for place, fields in enumerate(users) if first in fields]

    @property
    def proposes(self) -> bool:
        """Whether an optimizer asks, for an instruction or for what the data are like."""
        describes = self.outputs == ("summary",) and set(self.inputs) == {"examples"}
        return describes or "instruction" in self.outputs

    def value(self, name: str) -> Any:
        """Return an input that is not text: a number, a list, an object."""
        return json.loads(self.inputs[name])

    def draw(self, *salt: object) -> float:
        """Return a number from 0 to 1, the same for the same inputs, sampling seed and salt."""
        said = [list(map(dict, self.turns)), self.outputs, self.request.sampling.seed, *salt]
        digest = hashlib.sha256(json.dumps(said, default=str).encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    def slips(self, most: float = 0.5, *salt: object) -> bool:
        """Return whether the model errs this time: seldom with demonstrations, often without."""
        return not self.steady and self.draw("slip", *salt) < most / (1 + self.demos)


Reply = Callable[[Prompt], Mapping[str, Any]]


def _sections(text: str) -> dict[str, str]:
    marks = list(MARKER.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    # A message that asks for another answer has no sections.
    return {
        mark[1]: text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=False)
    }


def has_script(name: str) -> bool:
    """Return whether a program has a scripted model."""
    return any(info.name == name for info in pkgutil.iter_modules(__path__))


def load_script(name: str, *, steady: bool = False) -> Callable[[lp.Request], str]:
    """Return the script of a program's model, for :class:`langprog.ScriptedLM`.

    Args:
        name: The program.
        steady: Whether the model never errs.
    """
    reply: Reply = importlib.import_module(f"{__name__}.{name}").reply

    def answer(request: lp.Request) -> str:
        prompt = Prompt(request, steady)
        if not prompt.outputs:  # whether its key is accepted
            return "yes"
        values = dict.fromkeys(prompt.outputs, PROPOSED) if prompt.proposes else reply(prompt)
        lines = [
            f"[[{output}]]\n{_text(values.get(output, 'nothing'))}" for output in prompt.outputs
        ]
        return "\n".join(lines)

    return answer


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
