"""The adapter of a prompt template: the prompt is the template, the reply is the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langprog.adapters.base import Adapter, collect_outputs
from langprog.adapters.chat import ChatAdapter
from langprog.adapters.json_object import JSONAdapter, object_text
from langprog.adapters.template import Composed, ShownDemo, Template
from langprog.adapters.template_source import Piece
from langprog.adapters.thinking import answer_in
from langprog.adapters.value_text import encode
from langprog.errors import InputError, ParseError
from langprog.example import Example
from langprog.lm import Completion, Message
from langprog.signature import FieldSpec, SignatureSpec

# Types whose values are in a template what they are in Python's and Jinja's.
_TYPES = (str, int, float)


class TemplateAdapter(Adapter):
    """Writes the prompt that a template says, byte for byte.

    A single output is the whole reply, without a model's thinking; several outputs are read from
    a JSON object, which the template has to ask for.

    Args:
        template: The template.
    """

    name = "template"

    def __init__(self, template: Template) -> None:
        self.template = template

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return the template's messages with the inputs in their places.

        Raises:
            InputError: A value is missing or does not fit its field.
        """
        return tuple(
            Message(role, write_pieces(pieces, signature, inputs))
            for role, pieces in self.compose(signature, demos)
        )

    def compose(self, signature: SignatureSpec, demos: Sequence[Example]) -> Composed:
        """Return the template with its instruction and demonstrations, without inputs.

        Raises:
            InputError: A demonstration lacks a value, or has one that does not fit.
        """
        shown = [_show(signature, demo, number) for number, demo in enumerate(demos, start=1)]
        return self.template.compose(signature.instruction, shown)

    def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
        """Return the outputs by name.

        Raises:
            ParseError: An output is missing or does not fit, or the reply is empty.
        """
        if len(signature.outputs) > 1:
            return JSONAdapter().parse(signature, completion)
        (field,) = signature.outputs.values()
        if field.annotation is not str:
            return ChatAdapter().parse(signature, completion)
        text = answer_in(completion.text).strip()
        if not text:
            raise ParseError("it is empty", text=completion.text)
        return collect_outputs(
            signature, lambda _: field.validate(text), completion.text, lambda _: "it is empty"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TemplateAdapter) and self.template == other.template

    def __hash__(self) -> int:
        return hash(self.template)

    def __repr__(self) -> str:
        return f"TemplateAdapter({', '.join(self.template.slots)})"


def _show(signature: SignatureSpec, demo: Example, number: int) -> ShownDemo:
    def write(pieces: Sequence[Piece]) -> str:
        try:
            return write_pieces(pieces, signature, demo)
        except InputError as error:
            raise InputError(f"demonstration {number} of a template: {error}") from None

    return ShownDemo(write, write_reply(signature, demo))


def write_reply(signature: SignatureSpec, demo: Mapping[str, Any]) -> str:
    """Return the reply that a demonstration shows for a template.

    Raises:
        InputError: A value does not fit its field.
    """
    outputs = signature.outputs
    if len(outputs) > 1:
        return object_text(outputs, demo)
    (field,) = outputs.values()
    value = demo[field.name]
    return value if isinstance(value, str) else encode(field, value)


def write_pieces(
    pieces: Sequence[Piece], signature: SignatureSpec, values: Mapping[str, Any]
) -> str:
    """Return the text of pieces with values in their places.

    Raises:
        InputError: A value is missing or does not fit its field.
    """
    return "".join(
        _write_value(signature.inputs[piece.slot], values) if piece.slot else piece.text
        for piece in pieces
    )


def _write_value(field: FieldSpec, values: Mapping[str, Any]) -> str:
    if field.name not in values:
        raise InputError(f"there is no value for {field.name!r}, which the template needs")
    value = field.plain(values[field.name])
    if isinstance(value, bool) or not isinstance(value, _TYPES):
        raise InputError(
            f"the value of {field.name!r} is {value!r:.40}: a template takes texts and numbers"
        )
    return str(value)
