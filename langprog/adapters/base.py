"""What an adapter does: a signature and values become messages, a completion becomes values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from langprog.example import Example
from langprog.lm import Message
from langprog.signature import SignatureSpec


class Adapter(Protocol):
    """The form in which a signature is put to a model and its answer is read."""

    @property
    def name(self) -> str:
        """The name by which programs and artifacts know it."""
        ...

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return the prompt; only its last message depends on ``inputs``."""
        ...

    def response_schema(self, signature: SignatureSpec) -> Mapping[str, Any] | None:
        """Return the JSON schema that the reply should follow, or ``None``."""
        ...

    def parse(self, signature: SignatureSpec, text: str) -> dict[str, Any]:
        """Return the outputs by name.

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
