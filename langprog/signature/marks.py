"""Marks for the fields of a Signature class: ``Input``, ``Output`` and ``describe``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from langprog.errors import SignatureError
from langprog.hints import Words
from langprog.signature.limits import Labels
from langprog.signature.shapes import REQUIRED

FieldRole = Literal["input", "output"]

# Options of other libraries, and what to write here instead.
_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "desc": 'the description comes first: lp.{role}("what it means")',
        "doc": 'the description comes first: lp.{role}("what it means")',
        "prefix": "an adapter writes the prompt, so a field has no prefix",
        "format": "an adapter writes values, so a field has no format",
        "parser": "types are parsed as declared: give the field its type",
        "annotation": "the type comes after the field's name: name: type = lp.{role}(...)",
        "examples": "examples are given to a program: lp.Predict(signature, demos=[...])",
        "title": "a field is known by its name; what it means is its description",
    }
)


# Attributes of a signature.
ATTRIBUTES: Words = MappingProxyType(
    {
        "append": "write with_field(name, lp.Output(...), type), which returns a new signature",
        "delete": "write without_field(name), which returns a new signature",
        "dump_state": "write to_json()",
        "equals": "write ==",
        "input_fields": "write .inputs",
        "insert": "write with_field(name, lp.Input(...), type), then with_order(...)",
        "instructions": "write .instruction",
        "output_fields": "write .outputs",
        "prepend": "write with_field(name, lp.Input(...), type, first=True)",
        "signature": "repr() shows the short form",
        "with_instructions": "write with_instruction(...)",
        "with_updated_fields": "write without_field(name), then with_field(name, ...)",
    }
)


@dataclass(frozen=True)
class Marked:
    """What ``Input(...)`` and ``Output(...)`` leave in a class body."""

    role: FieldRole
    description: str = ""
    constraints: Mapping[str, Any] = field(default_factory=dict)
    labels: Labels | None = None
    default: Any = REQUIRED
    default_factory: Callable[[], Any] | None = None


def Input(
    description: str | Labels = "",
    labels: Labels | None = None,
    *,
    default: Any = REQUIRED,
    default_factory: Callable[[], Any] | None = None,
    **constraints: Any,
) -> Any:
    """Declare an input field in a Signature class.

    A call may omit an input that is Optional or has a default.

    Args:
        description: What the field means.
        labels: Meanings of the labels of a Literal or an Enum: ``lp.describe({...})``.
        default: The value where a call omits the input.
        default_factory: Makes that value, anew for each call.
        **constraints: ``ge``, ``gt``, ``le``, ``lt`` for numbers and dates, ``multiple_of`` for
            numbers, ``max_digits``, ``decimal_places`` for Decimal, ``min_length``,
            ``max_length`` for text, lists and dicts, ``pattern`` for text.

    Raises:
        SignatureError: Both a default and a factory are given.
    """
    if default is not REQUIRED and default_factory is not None:
        raise SignatureError("lp.Input takes default= or default_factory=, not both")
    description, labels = _words(description, labels, "Input")
    return Marked("input", description, constraints, labels, default, default_factory)


def Output(
    description: str | Labels = "",
    labels: Labels | None = None,
    *,
    init: Literal[False] = False,
    **constraints: Any,
) -> Any:
    """Declare an output field in a Signature class; arguments as for :func:`Input`.

    Args:
        description: What the field means.
        labels: Meanings of the labels of a Literal or an Enum.
        init: Tells type checkers that a call does not take the field; never given.
        **constraints: As for :func:`Input`.

    Raises:
        SignatureError: A default is given; outputs have none.
    """
    if init:
        raise SignatureError("lp.Output has no argument init: an output is never given")
    for name in ("default", "default_factory"):
        if name in constraints:
            raise SignatureError(
                f"lp.Output({name}=...): an output has no default; declare it Optional where the "
                "model may leave it empty"
            )
    description, labels = _words(description, labels, "Output")
    return Marked("output", description, constraints, labels)


def describe(labels: Mapping[Any, str]) -> Labels:
    """Describe the labels of a Literal or an Enum; the model reads this next to each label.

    Use it in a type, at any depth, or next to a field's description::

        Team = Annotated[Literal["billing", "network"], lp.describe({"billing": "invoices"})]

        team: Literal["billing", "network"] = lp.Output(
            "who owns it", lp.describe({"network": "routers and signal"})
        )

    Args:
        labels: Descriptions by label: its text, its value, or the member of the Enum (or the
            member's name). Labels that need no description may be omitted.

    Raises:
        SignatureError: There are no descriptions, or one is not text.
    """
    if not isinstance(labels, Mapping) or not labels:
        raise SignatureError('lp.describe takes descriptions by label: {"billing": "invoices"}')
    words = []
    for key, told in labels.items():
        if not isinstance(told, str) or not told.strip():
            raise SignatureError(f"lp.describe: the description of {key!r} must be text")
        words.append((key, " ".join(told.split())))
    return Labels(tuple(words))


def hint_for(constraint: str, role: str) -> str:
    """Return what to write instead of an option of another library, or an empty text."""
    hint = _ELSEWHERE.get(constraint, "").format(role=role.capitalize())
    return f"; {hint}" if hint else ""


def _words(
    description: str | Labels, labels: Labels | None, role: str
) -> tuple[str, Labels | None]:
    if isinstance(description, Labels):
        if labels is not None:
            raise SignatureError(f"lp.{role} takes lp.describe(...) once")
        return "", description
    if labels is not None and not isinstance(labels, Labels):
        raise SignatureError(
            f"lp.{role}: after the description comes lp.describe({{...}}), not "
            f"{type(labels).__name__}"
        )
    return description, labels
