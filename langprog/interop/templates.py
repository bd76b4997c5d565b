"""Prompt templates: a text or a JSON file of messages, in and out as the same kind of file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from langprog.adapters import SYNTAXES, Syntax, Template, TemplateAdapter, guess_syntax
from langprog.errors import InputError
from langprog.evaluation import Report
from langprog.interop.contract import Exported, Imported
from langprog.interop.reading import LARGEST_PROMPT, parse_json, read_text
from langprog.modules import Module, PromptTemplate, read_template

READS: Mapping[str, str] = MappingProxyType(
    {
        "output": "the output in the short form, such as team: Literal['a', 'b']",
        "inputs": "types of inputs that are not text, such as count: int",
        "syntax": "format for {name}, jinja for {{ name }}",
        "instruction": "the part that a compile may change, if it is another one",
    }
)
_JINJA = (".j2", ".jinja", ".jinja2")


def read_template_file(path: Path, into: Module | None, options: Mapping[str, str]) -> Imported:
    """Read a template, for ``langprog import``."""
    program = from_template(path, **options)
    return Imported(program=program, notes=(_describe_instruction(program),))


def _describe_instruction(program: PromptTemplate) -> str:
    instruction = program.signature.instruction
    if not instruction:
        return (
            "no part of the template stands out as its instruction: a compile may put one before "
            "it (--set instruction=... names a part)"
        )
    return f"a compile may change the instruction: {instruction!r:.200}"


def from_template(
    path: str | Path,
    *,
    output: str = "answer",
    inputs: str = "",
    syntax: str | None = None,
    instruction: str | None = None,
) -> PromptTemplate:
    """Read a prompt template from a file.

    Args:
        path: A text file, or a ``.json`` file with messages: a list, or an object with
            ``messages``. In files that end in ``.j2``, ``.jinja`` or ``.jinja2`` the syntax is
            Jinja's.
        output: As for PromptTemplate.
        inputs: As for PromptTemplate.
        syntax: As for PromptTemplate.
        instruction: As for PromptTemplate.

    Raises:
        InputError: The file cannot be read, or the template is not valid; names file and line.
    """
    file = Path(path)
    if syntax is not None and syntax not in SYNTAXES:
        raise InputError(
            f"the syntax of a template is {' or '.join(SYNTAXES)}, not {syntax!r:.40}"
        )
    chosen: Syntax | None = syntax
    text = read_text(file, LARGEST_PROMPT)
    if chosen is None and file.suffix.lower() in _JINJA:
        chosen = "jinja"
    try:
        template = _read(text, file, chosen)
        if template.syntax == "jinja":
            _check_with_jinja(template)
        return PromptTemplate(template, output=output, inputs=inputs, instruction=instruction)
    except InputError as error:
        said = str(error)
        # A text's errors begin with the line.
        place = f"{file}:{said.removeprefix('line ')}" if said.startswith("line ") else None
        raise type(error)(
            place or (said if said.startswith(str(file)) else f"{file}: {said}")
        ) from None


def _read(text: str, file: Path, syntax: Syntax | None) -> Template:
    if file.suffix.lower() != ".json":
        return read_template(text, syntax)
    value = parse_json(text, str(file))
    messages = value
    if isinstance(value, dict):
        extra = sorted(value.keys() - {"messages"})
        if extra:
            raise InputError(
                f"{extra[0]!r:.40} is not read: an object has the field 'messages' alone; model "
                "and sampling are set in the program"
            )
        messages = value.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InputError("a JSON template is a list of messages, or an object with 'messages'")
    template = read_template(messages, syntax)
    return replace(template, layout="object") if isinstance(value, dict) else template


def _check_with_jinja(template: Template) -> None:
    # Parses, and never renders: what may stand in a template was checked before.
    environment = ImmutableSandboxedEnvironment()
    for _, source in template.messages:
        try:
            environment.parse(source)
        except jinja2.TemplateSyntaxError as error:
            raise InputError(f"line {error.lineno}: Jinja does not read it: {error}") from None


def write_template(program: Module, options: Mapping[str, str], report: Report | None) -> Exported:
    """Write a template, for ``langprog export``."""
    text = to_template(program)
    predictor = next(iter(program.predictors().values()))
    said = [
        f"{name} {value}"
        for name, value in (
            ("the model", predictor.model),
            ("temperature", predictor.sampling.temperature),
            ("max_tokens", predictor.sampling.max_tokens),
        )
        if value is not None
    ]
    notes = [f"the template does not say {', '.join(map(str, said))}"] if said else []
    if predictor.checks:
        notes.append("the template does not have the checks of its answers")
    syntax = predictor.adapter.template.syntax
    if not _reads_itself(text, syntax):
        notes.append(f"read it again with --set syntax={syntax}, which it does not tell by itself")
    return Exported(text, tuple(notes))


def _reads_itself(text: str, syntax: Syntax) -> bool:
    """Return whether the syntax of a template can be told from what is in it."""
    try:
        return guess_syntax(text) == syntax
    except InputError:
        return False


def to_template(program: Module) -> str:
    """Return a program that was made from a template as a template of the same kind.

    Its prompt is the program's, byte for byte, for all inputs: the instruction stands in its
    place, and demonstrations are part of the text, or turns before the last message. An unchanged
    program gives the template that it was made from.

    Raises:
        InputError: The program is not a PromptTemplate, chooses demonstrations for each input, or
            has a text that the syntax cannot express.
    """
    predictor: Any = program
    adapter = predictor.adapter if program.predicts else None
    if not isinstance(adapter, TemplateAdapter):
        raise InputError(
            "only a program that was made from a template can be written as one "
            "(lp.PromptTemplate, langprog import --from template); as=messages writes the prompt "
            "of any other"
        )
    if predictor.nearest is not None:
        raise InputError("a template cannot choose demonstrations for each input")
    template = adapter.template
    sources = template.write(adapter.compose(predictor.signature, predictor.demos))
    if template.layout == "text":
        return sources[0][1]
    messages = [{"role": role, "content": source} for role, source in sources]
    value: Any = messages if template.layout == "messages" else {"messages": messages}
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
