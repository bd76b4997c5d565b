r"""The base class of adapters, which turn a call into messages and a completion into values.

A custom adapter derives from :class:`Adapter` and has ``name``, ``render`` and ``parse``::

    from langprog.adapters import (
        Adapter, collect_outputs, decode, encode, head_of, render_call, render_demos,
    )
    from langprog.lm import Message

    class Lines(Adapter):
        name = "lines"

        def render(self, signature, demos, inputs):
            head = f"{head_of(signature)}\n\nReply with a line `name = value` for each output."
            turns = render_demos(signature, demos, self.write)
            return (Message("system", head), *turns, *render_call(signature, inputs, self.write))

        def parse(self, signature, completion):
            lines = [line.partition(" = ") for line in completion.text.splitlines()]
            said = {name: value for name, equals, value in lines if equals}
            return collect_outputs(
                signature,
                lambda field: decode(field, said[field.name]),
                completion.text,
                lambda names: f"there is no line for {', '.join(names)}",
            )

        def write(self, fields, values):
            shown = [name for name in fields if name in values]
            texts = [encode(fields[name], values[name]).replace("\n", " ") for name in shown]
            return "\n".join(f"{name} = {text}" for name, text in zip(shown, texts))

Pass it as an object: ``lp.Predict(signature, adapter=Lines())``,
``lp.using(adapter=Lines())``. A package can register it by name with an entry point in the group
``langprog.adapters``::

    [project.entry-points."langprog.adapters"]
    lines = "my_package:Lines"

A version must always render the same bytes, because programs were certified with it. To change
them, raise ``version`` and keep the earlier version (the entry point is then a tuple of both).
Programs refer to the adapter as ``lines``, from version 2 on as ``lines@2``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from langprog.adapters.partial import PartialReader
from langprog.adapters.turns import render_call
from langprog.errors import InputError, ParseError
from langprog.example import Example
from langprog.lm import Completion, Message, Part, Text, ToolResult, ToolSpec
from langprog.signature import FieldSpec, SignatureSpec


class Adapter(Protocol):
    """How a signature becomes a prompt, and a reply becomes values.

    A subclass defines ``name``, ``render`` and ``parse``, and overrides the rest as needed.
    """

    @property
    def name(self) -> str:
        """The name used in programs: letters, digits, ``.``, ``_`` and ``-``."""
        ...

    @property
    def version(self) -> int:
        """The version, from 1; a new one for any change in the rendered bytes."""
        return 1

    @abstractmethod
    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return the prompt; only its last message depends on ``inputs``.

        Fields that a demonstration lacks are omitted.

        Raises:
            InputError: A value does not fit its field.
        """
        ...

    @abstractmethod
    def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
        """Return the outputs by name: lenient about form, never about content.

        Raises:
            ParseError: An output is missing or does not fit; the message says which and why.
        """
        ...

    def stream_reader(self, signature: SignatureSpec) -> PartialReader | None:
        """Return a reader of one reply's pieces, for streams.

        ``None``, the default: the fields come when the reply is complete.
        """
        return None

    def response_schema(self, signature: SignatureSpec) -> Mapping[str, Any] | None:
        """Return the JSON schema that the reply should follow, or ``None``."""
        return None

    def tools(self, signature: SignatureSpec) -> tuple[ToolSpec, ...]:
        """Return the tools that the model may call; their arguments are the answer."""
        return ()

    def tool_choice(self, signature: SignatureSpec) -> str | None:
        """Return the name of a required tool, ``required`` or ``auto``; ``None`` without tools."""
        return None

    def repair(
        self, messages: tuple[Message, ...], completion: Completion, reason: str
    ) -> tuple[Message, ...]:
        """Return the prompt that sends an unreadable reply back.

        Args:
            messages: The prompt.
            completion: The reply.
            reason: What is wrong with it.
        """
        return build_repair(messages, completion.text, reason)


def head_of(signature: SignatureSpec) -> str:
    """Return the instruction and the fields: the text that every prompt starts with."""
    inputs = "\n".join(field.line for field in signature.inputs.values())
    outputs = "\n".join(field.line for field in signature.outputs.values())
    return f"{signature.instruction}\n\nInput fields:\n{inputs}\nOutput fields:\n{outputs}"


def render_demos(
    signature: SignatureSpec,
    demos: Sequence[Example],
    write: Callable[[Mapping[str, FieldSpec], Mapping[str, Any]], str],
) -> tuple[Message, ...]:
    """Return the demonstrations as turns of a conversation.

    Args:
        signature: The signature of the demonstrations.
        demos: The demonstrations.
        write: Writes the values of these fields as one text.

    Raises:
        InputError: A value does not fit its field; the message says which demonstration.
    """
    messages: list[Message] = []
    for number, demo in enumerate(demos, start=1):
        try:
            messages.extend(render_call(signature, demo, write))
            messages.append(Message("assistant", write(signature.outputs, demo)))
        except InputError as error:
            raise InputError(f"demonstration {number} of {signature.name}: {error}") from None
    return tuple(messages)


def collect_outputs(
    signature: SignatureSpec,
    read: Callable[[FieldSpec], Any],
    text: str,
    missing: Callable[[Sequence[str]], str],
) -> dict[str, Any]:
    """Return every output, or raise one error that names everything wrong with a reply.

    Args:
        signature: The signature with the outputs to read.
        read: Returns a field's value; raises a KeyError if the reply lacks it.
        text: The whole reply.
        missing: Returns the message that these fields are missing.

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


def build_repair(messages: tuple[Message, ...], text: str, reason: str) -> tuple[Message, ...]:
    """Return the prompt with the unreadable reply and what is wrong with it.

    Many endpoints reject an empty turn, so for an empty reply the error is appended to the
    question itself.
    """
    if not text.strip():
        last = messages[-1]
        said = f"\n\nThe last reply to this could not be read: {reason}."
        if isinstance(last.content, str):
            return (*messages[:-1], Message(last.role, last.content + said))
        return (*messages[:-1], Message(last.role, (*last.content, Text(said))))
    return (
        *messages,
        Message("assistant", text),
        Message(
            "user",
            f"That reply could not be read: {reason}. Reply again in the form asked for.",
        ),
    )


def build_reask(
    messages: tuple[Message, ...], completion: Completion, reason: str
) -> tuple[Message, ...]:
    """Return the prompt that sends back an answer that was read, but is not good enough.

    Args:
        messages: The prompt.
        completion: The reply with the answer.
        reason: What is wrong with the answer.
    """
    said = f"That answer is not accepted: {reason}. Answer again, in the same form."
    text, calls = completion.text, completion.first_tool_calls
    if calls:  # endpoints require a result for every call before the next message
        thoughts = completion.first_reasoning
        spoken: tuple[Part, ...] = () if thoughts is None else (thoughts,)
        spoken += (Text(text),) if text.strip() else ()
        results = tuple(ToolResult(call.id, f"Not accepted: {reason}.") for call in calls)
        turn = (Message("assistant", (*spoken, *calls)), Message("tool", results))
        return (*messages, *turn, Message("user", said))
    return (*messages, Message("assistant", text), Message("user", said))
