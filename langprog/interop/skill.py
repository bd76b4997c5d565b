"""SKILL.md: a program's instructions, fields and examples for an agent to read.

Follows: the format of Agent Skills, a file with ``name`` and ``description`` in front.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from langprog.adapters import encode
from langprog.errors import InputError
from langprog.evaluation import Report
from langprog.interop.contract import Exported
from langprog.modules import Module, Predict
from langprog.signature import FieldSpec

WRITES: Mapping[str, str] = MappingProxyType(
    {
        "name": "the skill's name: up to 64 lower-case letters, digits and hyphens",
        "description": "what it does and when it is used, up to 1,024 characters",
    }
)
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_NAME, _LONGEST_DESCRIPTION = 64, 1024
_FENCES = re.compile(r"^(`{3,})", re.MULTILINE)


def write_skill(program: Module, options: Mapping[str, str], report: Report | None) -> Exported:
    """Write a SKILL.md, for ``langprog export``."""
    text = to_skill(program, **options)
    notes = []
    if any(predictor.nearest is not None for predictor in program.predictors().values()):
        notes.append("demonstrations that are chosen for each input are not in it")
    if len(program.predictors()) > 1:
        notes.append("it lists the steps; code that connects them is not in it")
    return Exported(text, tuple(notes))


def to_skill(program: Module, *, name: str = "", description: str = "") -> str:
    """Return a program as the text of a SKILL.md.

    Args:
        program: The program.
        name: The skill's name; by default one made from the signature's name.
        description: What it does and when it is used; by default the beginning of the
            instruction.

    Raises:
        InputError: The program has no predictor, or the name or the description is not valid.
    """
    predictors = program.predictors()
    if not predictors:
        raise InputError("the program asks no model, so there is nothing to write into a SKILL.md")
    first = next(iter(predictors.values()))
    name = name or _name_from(first.signature.name)
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise InputError(
            f"the name of a skill is up to {_LONGEST_NAME} lower-case letters, digits and "
            f"hyphens, not {name!r:.80}"
        )
    description = " ".join((description or _summary(first)).split())
    if not description or len(description) > _LONGEST_DESCRIPTION:
        raise InputError(
            f"the description of a skill has 1 to {_LONGEST_DESCRIPTION:,} characters: say what "
            "it does and when it is used"
        )
    lines = ["---", f"name: {name}", f"description: {_quoted(description)}", "---", ""]
    lines += [f"# {name.replace('-', ' ').capitalize()}", ""]
    for number, (path, predictor) in enumerate(predictors.items(), start=1):
        if len(predictors) > 1:
            lines += [f"## Step {number}: {path}", ""]
        lines += _step(predictor, "##" if len(predictors) == 1 else "###")
    return "\n".join(lines).rstrip("\n") + "\n"


def _name_from(name: str) -> str:
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)
    return "-".join(words).lower()[:_LONGEST_NAME].strip("-") or "skill"


def _summary(predictor: Predict) -> str:
    instruction = " ".join(predictor.signature.instruction.split())
    if not instruction:
        signature = predictor.signature
        return f"Produces {', '.join(signature.outputs)} from {', '.join(signature.inputs)}."
    return instruction[:_LONGEST_DESCRIPTION]


def _quoted(text: str) -> str:
    """Return a text as YAML: as it is where nothing in it could mean something else."""
    return (
        text
        if re.fullmatch(r"[A-Za-z][\w ,.()'/-]*", text)
        else json.dumps(text, ensure_ascii=False)
    )


def _step(predictor: Predict, level: str) -> Iterator[str]:
    signature = predictor.signature
    if signature.instruction:
        yield from (signature.instruction, "")
    for title, fields in (("Input", signature.inputs), ("Output", signature.outputs)):
        yield from (f"{level} {title}", "")
        yield from (_line(field) for field in fields.values())
        yield ""
    for number, demo in enumerate(predictor.demos, start=1):
        yield from (f"{level} Example {number}", "")
        for field in signature.fields:
            if field.name in demo:
                yield from _value(field, demo[field.name])


def _line(field: FieldSpec) -> str:
    kind = f" ({field.type_phrase})" if field.type_phrase else ""
    meaning = f": {field.description}" if field.description else ""
    return f"- `{field.name}`{kind}{meaning}"


def _value(field: FieldSpec, value: object) -> Iterator[str]:
    text = encode(field, value)
    if "\n" not in text and "`" not in text:
        yield from (f"**{field.name}**: {text}", "")
        return
    longest = max((len(fence) for fence in _FENCES.findall(text)), default=2)
    fence = "`" * (longest + 1)
    yield from (f"**{field.name}**:", "", fence, text, fence, "")
