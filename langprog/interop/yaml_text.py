"""YAML as plain data, with the line of every object.

Values are those of YAML 1.2, which JavaScript tools read: ``yes`` and dates are texts.
"""

from __future__ import annotations

import importlib
import math
import re
from dataclasses import dataclass, field
from typing import Any

from langprog.errors import InputError

MOST_VALUES = 500_000
DEEPEST = 100

_INT = re.compile(r"[-+]?[0-9]{1,300}")
_BASED = re.compile(r"0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_STANDARD = "tag:yaml.org,2002:"
_SCALARS = frozenset("str int float bool null timestamp value".split())


@dataclass
class Located:
    """Plain data and where its objects and lists begin.

    Args:
        value: The data.
        lines: The line of each object and list, by its identity; empty if they are not known.
    """

    value: Any
    lines: dict[int, int] = field(default_factory=dict)

    def line_of(self, part: Any) -> int | None:
        """Return the line where an object or a list begins; ``None`` if it is not known."""
        return self.lines.get(id(part))


def read_yaml(text: str, place: str) -> Located:
    """Return the data of a YAML text.

    Args:
        text: The text.
        place: What it is, for errors.

    Raises:
        InputError: It is not YAML, has tags, is too large once its aliases are written out, or
            PyYAML is not installed.
    """
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        raise InputError(
            f"{place}: reading YAML needs PyYAML: pip install 'langprog[yaml]'"
        ) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        said = getattr(error, "problem", None) or "it cannot be read"
        raise InputError(f"{place}{line}: it is not YAML: {said}") from None
    except RecursionError:
        raise InputError(f"{place}: it is nested too deeply") from None
    located = Located(None)
    if node is not None:
        located.value = _Reader(place, located).read(node, 0)
    return located


class _Reader:
    def __init__(self, place: str, located: Located) -> None:
        self._place = place
        self._located = located
        self._count = 0

    def read(self, node: Any, depth: int) -> Any:
        self._count += 1
        if depth > DEEPEST or self._count > MOST_VALUES:
            raise self._refuse(node, "it is too large once its aliases are written out")
        kind = node.tag.removeprefix(_STANDARD)
        if node.id == "scalar" and kind in _SCALARS:
            return node.value if node.style else self._scalar(node)
        if node.id == "sequence" and kind == "seq":
            items = [self.read(item, depth + 1) for item in node.value]
            return self._keep(items, node)
        if node.id == "mapping" and kind == "map":
            return self._keep(self._mapping(node, depth), node)
        raise self._refuse(node, f"the tag {node.tag!r:.60} is not read")

    def _keep(self, value: Any, node: Any) -> Any:
        self._located.lines[id(value)] = node.start_mark.line + 1
        return value

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, each in node.value:
            if key.tag == f"{_STANDARD}merge":
                given = self.read(each, depth + 1)
                for part in given if isinstance(given, list) else [given]:
                    if not isinstance(part, dict):
                        raise self._refuse(key, "<< takes a mapping, or a list of them")
                    merged = {**part, **merged}
                continue
            if key.id != "scalar":
                raise self._refuse(key, "a key is a text")
            if key.value in values:
                raise self._refuse(key, f"the key {key.value!r:.60} appears twice")
            values[key.value] = self.read(each, depth + 1)
        return {**merged, **values}

    def _scalar(self, node: Any) -> Any:
        text: str = node.value
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INT.fullmatch(text):
            return int(text)
        if _BASED.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isinf(number):
                raise self._refuse(node, f"{text:.40} is larger than any number here")
            return number
        return text

    def _refuse(self, node: Any, problem: str) -> InputError:
        return InputError(f"{self._place}:{node.start_mark.line + 1}: {problem}")
