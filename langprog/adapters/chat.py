"""Marked sections: every field stands under a line ``[[name]]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from langprog.adapters.base import answer_in, collected, head_of, sent_back, shown
from langprog.adapters.json_object import object_in, values_from_object
from langprog.adapters.values import decode, encode, unfenced
from langprog.errors import ParseError
from langprog.example import Example
from langprog.lm import Message
from langprog.signature import FieldSpec, SignatureSpec

Names = tuple[str, ...]


@lru_cache(maxsize=256)
def _static(signature: SignatureSpec, demos: tuple[Example, ...]) -> tuple[Message, ...]:
    # What stays the same from call to call is also written only once.
    return (_system(signature), *shown(signature, demos, _writer(signature)))


@lru_cache(maxsize=256)
def _writer(
    signature: SignatureSpec,
) -> Callable[[Mapping[str, FieldSpec], Mapping[str, Any]], str]:
    names = tuple(field.name for field in signature.fields)

    def write(fields: Mapping[str, FieldSpec], values: Mapping[str, Any]) -> str:
        return "\n".join(
            f"[[{name}]]\n{escaped(encode(field, values[name]), names)}"
            for name, field in fields.items()
            if name in values
        )

    return write


@lru_cache(maxsize=256)
def _system(signature: SignatureSpec) -> Message:
    markers = " ".join(f"[[{name}]]" for name in signature.outputs)
    return Message(
        "system",
        f"{head_of(signature)}\n\nReply with the output fields, each under its marker, "
        f"in this order: {markers}",
    )


@lru_cache(maxsize=256)
def _marker(names: Names) -> re.Pattern[str]:
    return re.compile(rf"(\\*){_brackets(names)}")


@lru_cache(maxsize=256)
def _headline(names: Names) -> re.Pattern[str]:
    # A marker at the beginning of its line, with what models put around a headline.
    return re.compile(
        rf"^[ \t>#-]*(?P<bold>\*\*|__)?[ \t]*{_brackets(names)}[ \t]*(?(bold)(?:(?P=bold))?):?",
        re.MULTILINE,
    )


@lru_cache(maxsize=256)
def _anywhere(names: Names) -> re.Pattern[str]:
    return re.compile(rf"(?<!\\){_brackets(names)}:?")


def _brackets(names: Names) -> str:
    either = "|".join(re.escape(name) for name in names)
    return rf"\[\[[ \t]*(?:##[ \t]*)?(?P<name>{either})(?:[ \t]*##)?[ \t]*\]\]"


class ChatAdapter:
    """The adapter ``chat``."""

    name = "chat"

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return system message, demonstrations as turns, and the call.

        Raises:
            InputError: A value does not fit its field.
        """
        call = Message("user", _writer(signature)(signature.inputs, inputs))
        return (*_static(signature, tuple(demos)), call)

    def response_schema(self, signature: SignatureSpec) -> None:
        """Return ``None``: marked sections are no JSON."""
        return None

    def parse(self, signature: SignatureSpec, text: str) -> dict[str, Any]:
        """Return the outputs by name.

        Raises:
            ParseError: An output is missing, does not fit, or comes twice and differs.
        """
        answer = unfenced(answer_in(text).strip())
        names = tuple(field.name for field in signature.fields)
        outputs = signature.outputs
        sections = sections_of(answer, names, tuple(outputs), text)
        if not sections:
            found = object_in(answer, text) if answer[-1:] == "}" or "{" in answer else None
            if found is not None and any(name in found for name in outputs):
                return values_from_object(signature, found, text)
            if len(outputs) == 1 and answer:
                (name,) = outputs
                sections = {name: unescaped(answer, names)}
        return collected(
            signature, lambda field: decode(field, sections[field.name]), text, _missing
        )

    def repair(self, messages: tuple[Message, ...], text: str, reason: str) -> tuple[Message, ...]:
        """Return the prompt that sends an unreadable reply back."""
        return sent_back(messages, text, reason)


def sections_of(answer: str, names: Names, wanted: Names, text: str) -> dict[str, str]:
    """Return the text under each marker, unescaped.

    Args:
        answer: The part of the reply that answers.
        names: Every field of the signature: a marker of any of them ends a section.
        wanted: The fields whose sections are returned. When the marker of another field follows
            them, the model has run on into a further turn, whose sections count no more.
        text: The whole reply, for the error.

    Raises:
        ParseError: A field has two sections that differ.
    """
    if "[[" not in answer:
        return {}
    marks = list(_headline(names).finditer(answer))
    if not set(wanted) <= {mark["name"] for mark in marks}:
        # Only where a marker is missed otherwise: a marker inside a line may be a mere mention.
        marks = list(_anywhere(names).finditer(answer))
    sections: dict[str, str] = {}
    over = False
    for index, mark in enumerate(marks):
        name = mark["name"]
        if name not in wanted:
            over = bool(sections)
            continue
        end = marks[index + 1].start() if index + 1 < len(marks) else len(answer)
        body = unescaped(answer[mark.end() : end].strip(), names)
        if name not in sections:
            sections[name] = body
        elif not over and sections[name] != body:
            raise ParseError(f"the section [[{name}]] comes twice and differs", text=text)
    return sections


def _missing(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the section [[{names[0]}]] is missing"
    return f"the sections {', '.join(f'[[{name}]]' for name in names)} are missing"


def escaped(text: str, names: Iterable[str]) -> str:
    """Return ``text`` with every marker-like text in it one backslash deeper."""
    if "[[" not in text:
        return text
    return _marker(tuple(names)).sub(lambda found: "\\" + found.group(0), text)


def unescaped(text: str, names: Iterable[str]) -> str:
    """Undo :func:`escaped`."""
    if "\\[[" not in text:
        return text
    return _marker(tuple(names)).sub(
        lambda found: found.group(0)[1:] if found.group(1) else found.group(0), text
    )
