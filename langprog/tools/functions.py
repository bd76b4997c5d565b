"""Reading a Python function: its name, what it does, and its typed arguments."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from langprog.adapters import from_data
from langprog.errors import InputError, ParseError, SignatureError, ToolError
from langprog.signature import REQUIRED, RESERVED, FieldSpec, argument_schema
from langprog.tools.docstrings import read_docstring

# What endpoints accept as the name of a tool.
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
# Stands in front of an argument's name that no field can have.
_PREFIX = "argument_"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a function says about itself.

    Args:
        name: Its name.
        description: What it does.
        fields: Its arguments by name.
        reference: ``module:function``, by which it can be imported; empty if it cannot.
    """

    name: str
    description: str
    fields: Mapping[str, FieldSpec]
    reference: str

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments."""
        return argument_schema(self.fields)

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return a model's arguments as the function's types; those with a default may be missing.

        Raises:
            ToolError: One is missing, unknown or of the wrong type.
        """
        check_names(arguments, self.fields, [n for n, f in self.fields.items() if _needed(f)])
        values, wrong = {}, []
        for name, value in arguments.items():
            field = self.fields[name]
            try:
                values[name] = from_data(field, value)
            except ParseError as error:
                wrong.append(str(error).replace(repr(field.name), repr(name), 1))
        if wrong:
            raise ToolError("; ".join(wrong))
        return values


def check_names(
    arguments: Mapping[str, Any], known: Mapping[str, Any], required: list[str]
) -> None:
    """Refuse a call with unknown arguments, or without required ones.

    Raises:
        ToolError: It is such a call.
    """
    takes = f"it takes {', '.join(known)}" if known else "it takes no arguments"
    unknown = [name for name in arguments if name not in known]
    if unknown:
        raise ToolError(f"there is no argument {', '.join(map(repr, unknown))}; {takes}")
    missing = [name for name in required if name not in arguments]
    if missing:
        raise ToolError(f"the argument {', '.join(map(repr, missing))} is missing; {takes}")


def check_name(name: Any) -> str:
    """Return a tool's name if endpoints accept it.

    Raises:
        InputError: They do not.
    """
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        raise InputError(
            f"a tool cannot be called {name!r:.80}: its name has 1 to 64 letters, digits, '_' or "
            "'-'; give it one, lp.Tool(function, name='look_up')"
        )
    return name


def read_function(function: Any, name: str, description: str | None) -> Declared:
    """Read a function.

    Args:
        function: The function, perhaps asynchronous.
        name: Replaces its name.
        description: Replaces the description in its docstring.

    Raises:
        InputError: It is not a function, or an argument of it cannot be described to a model.
    """
    if not callable(function) or isinstance(function, type):
        raise InputError(
            f"a Tool is made of a function, not of {function!r:.80}: write "
            "def look_up(query: str) -> str: ... and lp.Tool(look_up)"
        )
    inner = function.func if isinstance(function, partial) else function
    told, meanings = read_docstring(getattr(inner, "__doc__", None))
    own = check_name(name or getattr(inner, "__name__", type(inner).__name__))
    fields = {}
    for argument in _parameters(function, own):
        meaning = meanings.get(argument.name, "")
        fields[argument.name] = _field(argument, meaning, own)
    return Declared(own, told if description is None else description, fields, _locate(function))


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        listed = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise InputError(
            f"the arguments of the tool {name!r} cannot be listed: wrap it in a function with "
            "typed arguments"
        ) from None
    hints = _hints(function, name)
    parameters = []
    for parameter in listed:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            star = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise InputError(
                f"the tool {name!r} takes {star}{parameter.name}, which cannot be described to a "
                "model: name its arguments"
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise InputError(
                f"the tool {name!r} takes {parameter.name!r} by position only, and a model gives "
                "arguments by name: remove the '/' from its signature"
            )
        if parameter.name not in hints:
            raise InputError(
                f"the argument {parameter.name!r} of the tool {name!r} has no type: write "
                f"{parameter.name}: {_guess_type(parameter.default)}"
            )
        parameters.append(parameter.replace(annotation=hints[parameter.name]))
    return parameters


def _guess_type(default: Any) -> str:
    return type(default).__name__ if isinstance(default, (bool, int, float, list)) else "str"


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    target: Any = function.func if isinstance(function, partial) else function
    if not inspect.isroutine(target):  # an object with __call__
        target = type(target).__call__
    try:
        return typing.get_type_hints(target, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise InputError(f"the types of the tool {name!r} cannot be resolved: {error}") from None


def _field(parameter: inspect.Parameter, meaning: str, tool: str) -> FieldSpec:
    name, annotation = parameter.name, parameter.annotation
    if typing.get_origin(annotation) is Annotated:
        kind, *marks = typing.get_args(annotation)
        words = [mark for mark in marks if isinstance(mark, str)]
        described = [getattr(mark, "description", None) for mark in marks]
        meaning = meaning or next((text for text in [*words, *described] if text), "")
        kept = tuple(mark for mark in marks if not isinstance(mark, str))
        annotation = Annotated[(kind, *kept)] if kept else kind
    default = REQUIRED if parameter.default is parameter.empty else parameter.default
    taken = name in RESERVED or name.startswith("_")
    try:
        field = FieldSpec(
            f"{_PREFIX}{name}" if taken else name, "input", annotation, meaning, default=default
        )
        _ = field.adapter
    except SignatureError as error:
        told = str(error).replace(_PREFIX, "").replace("field ", "argument ")
        raise InputError(f"the tool {tool!r}: {told}") from None
    if field.holds_media or field.is_history:
        raise InputError(
            f"the argument {name!r} of the tool {tool!r} is an image, a sound, a file or a "
            "conversation, which a model cannot write: take text, such as an address"
        )
    return field


def _needed(field: FieldSpec) -> bool:
    # Unlike an input of a signature, an Optional argument without a default is needed.
    return field.default is REQUIRED


def _locate(function: Any) -> str:
    """Return ``module:function`` of a function at the top of a module or in a class."""
    path = getattr(function, "__qualname__", "")
    module = getattr(function, "__module__", None)
    # What stands in a script has another module wherever else it is imported.
    if not inspect.isfunction(function) or module in (None, "__main__") or "<" in path:
        return ""
    return f"{module}:{path}"
