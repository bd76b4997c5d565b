"""A program's parameters as a text that a person edits, and back.

The text has a section for each parameter: a line ``==> path.name``, then its value. Instructions
are plain text, demonstrations a line of JSON each, and everything else is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from langprog.adapters import reference_of
from langprog.errors import InputError
from langprog.example import Example
from langprog.lm import Sampling, model_name
from langprog.modules import Module, Parameter
from langprog.strict_json import strict_json

HEAD = "==> "
_SIMPLE = (str, int, float, bool, type(None))
# What a person can write down; the others are set by a compile or in code.
_KINDS = frozenset(
    "instruction text demos model sampling adapter structure k threshold choice".split()
)


@dataclass(frozen=True)
class _Editable:
    key: str
    parameter: Parameter
    predictor: Any

    def write(self) -> str:
        """Return the value as text."""
        value, kind = self.parameter.value, self.parameter.kind
        if kind in ("instruction", "text"):
            return str(value)
        if kind == "demos":
            return "\n".join(self._demo(demo) for demo in value)
        if kind == "model":
            value = model_name(value)
        elif kind == "adapter":
            value = None if value is None else reference_of(value)
        elif isinstance(value, Sampling):
            value = {name: each for name, each in asdict(value).items() if each not in (None, ())}
        return json.dumps(value, ensure_ascii=False)

    def _demo(self, demo: Example) -> str:
        fields = self.predictor.signature.fields
        row = {each.name: each.plain(demo[each.name]) for each in fields if each.name in demo}
        return json.dumps(row, ensure_ascii=False)

    def read(self, text: str) -> Any:
        """Return the value of a text.

        Raises:
            InputError: It is not one.
        """
        kind = self.parameter.kind
        if kind in ("instruction", "text"):
            return text
        if kind == "demos":
            lines = [line for line in text.splitlines() if line.strip()]
            return [self._read_demo(line, at) for at, line in enumerate(lines, start=1)]
        value = _json(text)
        if kind == "sampling":
            return _sampling(value)
        if kind in ("model", "adapter") and not (value is None or isinstance(value, str)):
            raise InputError(f"a name or null, not {value!r:.40}")
        if kind == "structure":
            if not isinstance(value, list):
                raise InputError(f"a list of names, not {value!r:.40}")
            return tuple(value)
        return value

    def _read_demo(self, line: str, number: int) -> Example:
        row = _json(line)
        if not isinstance(row, dict):
            raise InputError(f"demonstration {number} is not a JSON object")
        fields = {field.name: field for field in self.predictor.signature.fields}
        unknown = [name for name in row if name not in fields]
        if unknown:
            raise InputError(
                f"demonstration {number} has {unknown[0]!r:.60}; the fields are "
                f"{', '.join(fields)}"
            )
        try:
            return Example(**{name: fields[name].from_row(value) for name, value in row.items()})
        except InputError as error:
            raise InputError(f"demonstration {number}: {error}") from None


def _json(text: str) -> Any:
    try:
        return strict_json(text)
    except ValueError as error:
        raise InputError(f"it is not JSON: {getattr(error, 'msg', error)}") from None


def _sampling(value: Any) -> Sampling:
    if not isinstance(value, dict):
        raise InputError(f"an object with settings, not {value!r:.40}")
    unknown = [name for name in value if name not in Sampling.__dataclass_fields__]
    if unknown:
        known = ", ".join(Sampling.__dataclass_fields__)
        raise InputError(f"there is no setting {unknown[0]!r:.40}; there are {known}")
    if isinstance(value.get("stop"), list):
        value = {**value, "stop": tuple(value["stop"])}
    return Sampling(**value)


def _editable(program: Module) -> Iterator[_Editable]:
    predictors = program.predictors()
    for key, parameter in program.parameters().items():
        predictor = predictors.get(key.rpartition(".")[0])
        value, kind = parameter.value, parameter.kind
        simple = kind not in ("k", "threshold", "choice") or isinstance(value, _SIMPLE)
        if kind in _KINDS and simple and (kind != "demos" or predictor is not None):
            yield _Editable(key, parameter, predictor)


def read_changes(program: Module, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters that texts stand for.

    Args:
        program: The program.
        given: Texts by parameter: an instruction as it is, demonstrations as lines of JSON, and
            everything else as JSON. A name of a model or an adapter needs no quotes.

    Returns:
        What ``program.with_parameters`` takes.

    Raises:
        InputError: There is no such parameter, or a text is not a value of it.
    """
    known = {each.key: each for each in _editable(program)}
    values: dict[str, Any] = {}
    for key, text in given.items():
        if key not in known:
            raise InputError(
                f"there is no parameter {key!r:.80} to edit; there are {', '.join(known)}"
            )
        each = known[key]
        bare = each.parameter.kind in ("model", "adapter") and text.strip()[:1] not in ('"', "")
        quoted = json.dumps(text.strip()) if bare and text.strip() != "null" else text
        try:
            values[key] = each.read(quoted)
        except InputError as error:
            raise InputError(f"{key}: {error}") from None
    return values


def write_form(program: Module) -> str:
    """Return every parameter that a person can edit, as text."""
    parts = [
        "Change what follows a line that starts with ==> and save. Instructions are text,\n"
        "demonstrations one JSON object a line, everything else is JSON.\n"
    ]
    for each in _editable(program):
        body = "\n".join(_escape(line) for line in each.write().split("\n"))
        parts.append(f"{HEAD}{each.key}\n{body}\n")
    return "\n".join(parts)


def read_form(program: Module, text: str) -> dict[str, Any]:
    """Return the parameters that differ in an edited text.

    Args:
        program: The program whose :func:`write_form` was edited.
        text: The text; sections may be left out, and stay as they are.

    Raises:
        InputError: A section is unknown, twice there, or is not a value; names its line.
    """
    known = {each.key: each for each in _editable(program)}
    before = {key: body for key, (_, body) in _sections(write_form(program)).items()}
    values: dict[str, Any] = {}
    for key, (line, body) in _sections(text).items():
        if key not in known:
            raise InputError(f"line {line}: there is no parameter {key!r:.80} to edit")
        if body == before[key]:
            continue
        try:
            values[key] = known[key].read(body)
        except InputError as error:
            raise InputError(f"line {line}: {key}: {error}") from None
    return values


def _escape(line: str) -> str:
    return f"\\{line}" if line.lstrip("\\").startswith(HEAD.rstrip()) else line


def _sections(text: str) -> dict[str, tuple[int, str]]:
    """Return the sections' lines and bodies by name.

    Raises:
        InputError: A section is there twice.
    """
    sections: dict[str, tuple[int, list[str]]] = {}
    lines: list[str] | None = None
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.startswith(HEAD.rstrip()):
            key = line.removeprefix(HEAD.rstrip()).strip()
            if key in sections:
                raise InputError(f"line {number}: {key!r:.80} is there twice")
            lines = []
            sections[key] = (number, lines)
        elif lines is not None:
            escaped = line.startswith("\\") and line.lstrip("\\").startswith(HEAD.rstrip())
            lines.append(line[1:] if escaped else line)
    # Editors add line ends, and take them away.
    return {
        key: (number, "\n".join(body).rstrip("\n")) for key, (number, body) in sections.items()
    }
