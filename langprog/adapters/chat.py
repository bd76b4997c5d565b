"""Marked sections: every field stands under a line ``[[name]]``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from langprog.adapters.base import head_of, sent_back
from langprog.adapters.json_object import object_in, values_from_object
from langprog.adapters.values import decode, encode
from langprog.errors import ParseError
from langprog.example import Example
from langprog.lm import Message
from langprog.signature import FieldSpec, SignatureSpec


@lru_cache(maxsize=256)
def _system(signature: SignatureSpec) -> Message:
    markers = " ".join(f"[[{name}]]" for name in signature.outputs)
    return Message(
        "system",
        f"{head_of(signature)}\n\nReply with the output fields, each under its marker, "
        f"in this order: {markers}",
    )


@lru_cache(maxsize=256)
def _marker(names: tuple[str, ...]) -> re.Pattern[str]:
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(\\*)\[\[[ \t]*(?:##[ \t]*)?({either})(?:[ \t]*##)?[ \t]*\]\]")


class ChatAdapter:
    """The adapter ``chat``."""

    name = "chat"

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return system message, demonstrations as turns, and the call."""
        messages = [_system(signature)]
        for demo in demos:
            messages.append(Message("user", self._sections(signature, signature.inputs, demo)))
            messages.append(
                Message("assistant", self._sections(signature, signature.outputs, demo))
            )
        messages.append(Message("user", self._sections(signature, signature.inputs, inputs)))
        return tuple(messages)

    def _sections(
        self, signature: SignatureSpec, fields: Mapping[str, FieldSpec], values: Mapping[str, Any]
    ) -> str:
        names = tuple(field.name for field in signature.fields)
        return "\n".join(
            f"[[{name}]]\n{escaped(encode(field, values[name]), names)}"
            for name, field in fields.items()
            if name in values
        )

    def response_schema(self, signature: SignatureSpec) -> None:
        """Return ``None``: marked sections are no JSON."""
        return None

    def parse(self, signature: SignatureSpec, text: str) -> dict[str, Any]:
        """Return the outputs by name; where a marker comes twice, the first section counts.

        Raises:
            ParseError: An output is missing or does not fit.
        """
        outputs = signature.outputs
        names = tuple(field.name for field in signature.fields)
        sections = sections_of(text, names)
        if not any(name in sections for name in outputs):
            found = object_in(text)
            if found is not None and any(name in found for name in outputs):
                return values_from_object(signature, found, text)
            if len(outputs) == 1 and text.strip():
                (name,) = outputs
                sections = {name: unescaped(text, names)}
        values = {}
        for name, field in outputs.items():
            if name not in sections:
                raise ParseError(f"the section [[{name}]] is missing", text=text)
            try:
                values[name] = decode(field, sections[name])
            except ParseError as error:
                raise ParseError(str(error), text=text) from None
        return values

    def repair(self, messages: tuple[Message, ...], text: str, reason: str) -> tuple[Message, ...]:
        """Return the prompt that sends an unreadable reply back."""
        return sent_back(messages, text, reason)


def sections_of(text: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return the text under each marker, unescaped; the first of several counts."""
    marks = [match for match in _marker(names).finditer(text) if not match.group(1)]
    sections: dict[str, str] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        end = following.start() if following else len(text)
        body = text[mark.end() : end]
        if text[: mark.start()].endswith("**") and body.startswith("**"):
            body = body[2:]
        if following and body.rstrip(" \t").endswith("\n**"):
            body = body.rstrip(" \t")[:-2]
        sections.setdefault(mark.group(2), unescaped(body.strip(), names))
    return sections


def escaped(text: str, names: Iterable[str]) -> str:
    r"""Return ``text`` with every marker-like text in it one backslash deeper."""
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
