"""What an adapter does: a signature and values become messages, a completion becomes values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from langprog.errors import InputError, ParseError
from langprog.example import Example
from langprog.lm import Message
from langprog.signature import FieldSpec, SignatureSpec


class Adapter(Protocol):
    """The form in which a signature is put to a model and its answer is read."""

    @property
    def name(self) -> str:
        """The name by which programs and artifacts know it."""
        ...

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return the prompt; only its last message depends on ``inputs``.

        A field that a demonstration lacks is left out of it.

        Raises:
            InputError: A value does not fit its field.
        """
        ...

    def response_schema(self, signature: SignatureSpec) -> Mapping[str, Any] | None:
        """Return the JSON schema that the reply should follow, or ``None``."""
        ...

    def parse(self, signature: SignatureSpec, text: str) -> dict[str, Any]:
        """Return the outputs by name: forgiving in form, never in content.

        Raises:
            ParseError: An output is missing or does not fit; the message says which and why.
        """
        ...

    def repair(self, messages: tuple[Message, ...], text: str, reason: str) -> tuple[Message, ...]:
        """Return the prompt that sends an unreadable reply back."""
        ...


def head_of(signature: SignatureSpec) -> str:
    """Return instruction and field lines: the static part that every adapter begins with."""
    inputs = "\n".join(field.line for field in signature.inputs.values())
    outputs = "\n".join(field.line for field in signature.outputs.values())
    return f"{signature.instruction}\n\nInput fields:\n{inputs}\nOutput fields:\n{outputs}"


def shown(
    signature: SignatureSpec,
    demos: Sequence[Example],
    write: Callable[[Mapping[str, FieldSpec], Mapping[str, Any]], str],
) -> tuple[Message, ...]:
    """Return the demonstrations as turns of a conversation.

    Args:
        signature: What the demonstrations are of.
        demos: The demonstrations.
        write: Puts the values of these fields into one text.

    Raises:
        InputError: A value does not fit its field; the message says which demonstration.
    """
    messages = []
    for number, demo in enumerate(demos, start=1):
        try:
            messages.append(Message("user", write(signature.inputs, demo)))
            messages.append(Message("assistant", write(signature.outputs, demo)))
        except InputError as error:
            raise InputError(f"demonstration {number} of {signature.name}: {error}") from None
    return tuple(messages)


def collected(
    signature: SignatureSpec,
    read: Callable[[FieldSpec], Any],
    text: str,
    missing: Callable[[Sequence[str]], str],
) -> dict[str, Any]:
    """Return every output, or one error that names all that is wrong with a reply.

    Args:
        signature: Whose outputs are read.
        read: Gives a field's value; a KeyError says that the reply lacks it.
        text: The whole reply.
        missing: Says in words that these fields are missing.

    Raises:
        ParseError: An output is missing or does not fit.
    """
    values: dict[str, Any] = {}
    absent: list[str] = []
    wrong: list[str] = []
    for name, field in signature.outputs.items():
        try:
            values[name] = read(field)
        except KeyError:
            absent.append(name)
        except ParseError as error:
            wrong.append(str(error))
    if absent or wrong:
        raise ParseError("; ".join([missing(absent), *wrong] if absent else wrong), text=text)
    return values


def sent_back(messages: tuple[Message, ...], text: str, reason: str) -> tuple[Message, ...]:
    """Return the prompt with the unreadable reply and what is wrong with it."""
    return (
        *messages,
        Message("assistant", text),
        Message(
            "user",
            f"That reply could not be read: {reason}. Reply again in the form asked for.",
        ),
    )
