"""Reading a step of a ReAct while it arrives: its thought, and the answer that it submits.

The answer comes as fields of the signature that the ReAct answers, beside the step's own; those
of the last step are the answer.
"""

from __future__ import annotations

import re
from typing import Any

from langprog.adapters import PartialObject, PartialReader, Pieces
from langprog.modules.tool_steps import CALLS, SUBMIT, THOUGHT
from langprog.signature import FieldSpec, SignatureSpec

_SUBMITS = re.compile(rf'"tool"\s*:\s*"{SUBMIT}"\s*,\s*"arguments"\s*:\s*(?={{)')
# The longest beginning of a submitted answer that is looked for across pieces.
_LONGEST = 200
_SIGNS = ("[", "{", "<", "`", "*", "#")


class PartialNativeSteps(PartialReader):
    """Reads a step of native calls.

    Args:
        target: The signature to answer.
    """

    def __init__(self, target: SignatureSpec) -> None:
        self._target = target
        self._names: dict[int, str] = {}
        self._answers: dict[int, PartialObject] = {}
        self._held = ""  # blanks, which belong to the thought if something follows them
        self._begun = self._over = False

    def feed(self, text: str) -> Pieces:
        """Return what the next piece of the reply's text adds to the thought."""
        text = self._held + text
        if not self._begun:
            text = text.lstrip()
            # Perhaps the form for an endpoint that refuses tools, or thinking in tags.
            self._over = self._over or text[:1] in _SIGNS
        if self._over:
            return []
        told = text.rstrip()
        self._held = text[len(told) :]
        self._begun = self._begun or bool(told)
        return [(THOUGHT, told)] if told else []

    def feed_call(self, place: int, name: str, arguments: str) -> Pieces:
        """Return what the next piece of a call adds to the answer, if it submits one."""
        called = self._names[place] = self._names.get(place, "") + name
        if called != SUBMIT:
            return []
        answer = self._answers.setdefault(place, PartialObject(self._target))
        return answer.feed(arguments)


class PartialTextSteps(PartialReader):
    """Reads a step whose calls are an output of another adapter.

    Args:
        inner: The reader of that adapter.
        target: The signature to answer.
    """

    def __init__(self, inner: PartialReader, target: SignatureSpec) -> None:
        self._inner = inner
        self._target = target
        self._answer: PartialObject | None = None
        self._end = ""  # of the calls so far

    def feed(self, text: str) -> Pieces:
        """Return what the next piece of the reply's text adds to the fields."""
        return self._with_answer(self._inner.feed(text))

    def feed_call(self, place: int, name: str, arguments: str) -> Pieces:
        """Return what the next piece of a tool call adds to the fields."""
        return self._with_answer(self._inner.feed_call(place, name, arguments))

    def read(self, field: FieldSpec, text: str) -> Any:
        """Return the value of a field from all its pieces together.

        Raises:
            ParseError: They are not a value of the field.
        """
        return self._inner.read(field, text)

    def _with_answer(self, pieces: Pieces) -> Pieces:
        told: Pieces = []
        for field, text in pieces:
            told.append((field, text))
            if field == CALLS:
                told += self._feed_answer(text)
        return told

    def _feed_answer(self, text: str) -> Pieces:
        if self._answer is None:
            text = self._end + text
            begun = _SUBMITS.search(text)
            if begun is None:
                self._end = text[-_LONGEST:]
                return []
            self._answer = PartialObject(self._target)
            text = text[begun.end() :]
        return self._answer.feed(text)
