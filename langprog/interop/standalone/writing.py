"""Writes a program as one Python file that sends the same prompts."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from langprog.adapters import (
    Piece,
    TemplateAdapter,
    case_flags,
    marker_source,
    thinking_patterns,
)
from langprog.artifact import program_to_json
from langprog.errors import InputError
from langprog.evaluation import Report
from langprog.interop.contract import Exported
from langprog.interop.messages import adapter_name
from langprog.interop.standalone.plain_types import field_data
from langprog.lm import Request, Sampling, body_of, model_name
from langprog.modules import Module, Predict
from langprog.runtime import provider_named

_HEAD = '''"""A program that was exported from langprog, for Python 3.11 or newer alone.

Run it: python {name} '{inputs}'
Or: from {module} import run; run({arguments})

The key is read from the environment{variables}; base_url= and api_key= of run come first.
"""

'''
_TAIL = '''

def run(*, base_url: str = "", api_key: str = "", **inputs: Any) -> dict[str, Any]:
    """Return the outputs of the program for its inputs."""
    return run_program(PROGRAM, inputs, base_url, api_key)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} '{{...}}', the inputs as a JSON object")
    try:
        print(json.dumps(run(**json.loads(sys.argv[1])), ensure_ascii=False))
    except (TypeError, ValueError, RuntimeError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
'''


def write_python(program: Module, options: Mapping[str, str], report: Report | None) -> Exported:
    """Write a Python file, for ``langprog export``."""
    return Exported(
        to_python(program),
        (
            "it reads replies in the form that is asked for, and sends others back once; langprog "
            "forgives more",
        ),
    )


def to_python(program: Module) -> str:
    """Return a program as the text of one Python file, which imports the standard library alone.

    Its prompts and requests are those of the program, byte for byte. A reply in the form that is
    asked for means what it means to the program; any other one is sent back once, then refused,
    also where langprog would understand it. It knows programs of Predict, ChainOfThought and
    PromptTemplate, alone or in a Pipeline, with the adapters chat and json, and plain types.

    Args:
        program: The program; every predictor names its model.

    Raises:
        InputError: The program has something else; the message says what and where.
    """
    predictors: dict[str, Predict] = program.predictors()
    steps = [
        _step(path, predictors[path], returns)
        for path, returns in _steps(program_to_json(program), "", predictors)
    ]
    steps = _in_order(steps)
    data = {"inputs": _open_inputs(steps), "steps": steps}
    text = json.dumps(data, indent=1)
    shown = {field["name"]: "..." for field in data["inputs"]}
    variables = dict.fromkeys(step["key_variable"] for step in steps if step["key_variable"])
    head = _HEAD.format(
        name="program.py",
        module="program",
        inputs=json.dumps(shown),
        arguments=", ".join(f'{name}="..."' for name in shown),
        variables=f" ({', '.join(variables)})" if variables else "",
    )
    imports, code = _runtime()
    # JSON of escaped ASCII has no three quotes in a row, so nothing in an artifact can leave it.
    return f'{head}{imports}\nPROGRAM = json.loads(r"""\n{text}\n""")\n\n{code}{_TAIL}'


def _runtime() -> tuple[str, str]:
    """Return the imports of the code in a standalone file, and the code."""
    imports = {"import sys\n"}
    parts = []
    for name in ("replies.py", "runtime.py"):
        source = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
        lines = source.splitlines(keepends=True)
        end = 0
        for node in ast.parse(source).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                end = node.end_lineno or 0
                imports.add("".join(lines[node.lineno - 1 : end]))
        parts.append("".join(lines[end:]).strip("\n"))
    own = sorted(
        (line for line in imports if "langprog" not in line and "__future__" not in line),
        key=lambda line: (line.startswith("from"), line),
    )
    return f"from __future__ import annotations\n\n{''.join(own)}", "\n\n\n".join(parts)


# --- steps ---------------------------------------------------------------------------------------


def _steps(
    node: Mapping[str, Any], path: str, predictors: Mapping[str, Predict]
) -> Iterator[tuple[str, list[str]]]:
    """Yield the path of every predictor, and the outputs that it gives back.

    Raises:
        InputError: A module is of another kind.
    """
    kind = node["module"]
    if kind == "Pipeline":
        for part in node["steps"]:
            inner = f"{path}.{part['name']}" if path else part["name"]
            if part["program"]["module"] == "Pipeline":
                raise InputError(f"{inner} is a Pipeline in a Pipeline, which is not exported")
            yield from _steps(part["program"], inner, predictors)
        return
    if kind == "ChainOfThought":
        path = f"{path}.predict" if path else "predict"
    elif kind not in ("Predict", "PromptTemplate"):
        raise InputError(
            f"{path or 'the program'} is a {kind if kind != 'user' else node['class']}: a "
            "standalone file holds Predict, ChainOfThought, PromptTemplate and Pipeline"
        )
    path = path or "predict"
    yield path, list(predictors[path].outputs)


def _step(path: str, predictor: Predict, returns: list[str]) -> dict[str, Any]:
    adapter, signature = predictor.adapter_in_force(), predictor.signature
    _check(path, predictor)
    names = tuple(field.name for field in signature.fields)
    form = "text" if isinstance(adapter, TemplateAdapter) else adapter_name(adapter)
    if isinstance(adapter, TemplateAdapter):
        composed = adapter.compose(signature, predictor.demos)
        messages: list[list[Any]] = [[role, _pieces(pieces)] for role, pieces in composed]
    else:
        head = adapter.render(signature, predictor.demos, {})[:-1]
        messages = [[str(message.role), [message.content]] for message in head]
    model = model_name(predictor.model) or ""
    provider = provider_named(model)
    schema = adapter.response_schema(signature)
    body = body_of(
        Request((), response_schema=schema), predictor.sampling.over(_defaults(predictor))
    )
    return {
        "path": path,
        "form": form,
        "model": model.partition("/")[2] if provider else model,
        "base_url": provider.base_url if provider else "",
        "url_variable": provider.url_variable if provider else "OPENAI_BASE_URL",
        "key_variable": provider.key_variable if provider else "OPENAI_API_KEY",
        "body": {name: value for name, value in body.items() if name != "messages"},
        "messages": messages,
        "inputs": [field_data(field, path) for field in signature.inputs.values()],
        "outputs": [field_data(field, path) for field in signature.outputs.values()],
        "returns": returns,
        "marker": marker_source(names),
        "any_case": bool(case_flags(names)),
        "thinking": list(thinking_patterns()),
    }


def _defaults(predictor: Predict) -> Sampling:
    model = predictor.model
    return Sampling() if model is None or isinstance(model, str) else model.sampling


def _check(path: str, predictor: Predict) -> None:
    """Refuse what a standalone file does not do."""
    adapter = predictor.adapter_in_force()
    known = isinstance(adapter, TemplateAdapter) or adapter_name(adapter) in ("chat", "json")
    problems = {
        "has checks, which a standalone file does not make": bool(predictor.checks),
        "chooses demonstrations for each input": predictor.nearest is not None,
        f"is written by the adapter {adapter.name!r}; a standalone file knows chat and json": (
            not known
        ),
        "names no model: set one, lp.Predict(..., model=...) or langprog edit": (
            predictor.model is None
        ),
    }
    for problem, holds in problems.items():
        if holds:
            raise InputError(f"{path} {problem}")


def _pieces(pieces: tuple[Piece, ...]) -> list[Any]:
    return [{"slot": piece.slot} if piece.slot else piece.text for piece in pieces]


def _in_order(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps so that each follows those whose outputs it takes."""
    givers = {name: step["path"] for step in steps for name in step["returns"]}
    done: list[dict[str, Any]] = []
    left = list(steps)
    while left:
        paths = {step["path"] for step in done}
        ready = [
            step
            for step in left
            if all(givers.get(field["name"], "") in {"", *paths} for field in step["inputs"])
        ]
        done += ready
        left = [step for step in left if step not in ready]
    return done


def _open_inputs(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the inputs that no step gives; one is required if any step requires it."""
    given = {name for step in steps for name in step["returns"]}
    fields: dict[str, dict[str, Any]] = {}
    for step in steps:
        for field in step["inputs"]:
            known = fields.get(field["name"])
            if field["name"] not in given and (known is None or "default" not in field):
                fields[field["name"]] = field
    return list(fields.values())
