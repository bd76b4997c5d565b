"""Marked sections: every field stands under a line ``[[name]]``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from langprog.adapters.base import answer_in, collected, head_of, sent_back, shown
from langprog.adapters.json_object import by_name, values_from_object
from langprog.adapters.loose_json import CutOff, loose_json
from langprog.adapters.values import decode, encode
from langprog.example import Example
from langprog.lm import Message
from langprog.signature import FieldSpec, Plain, SignatureSpec, without_limits

_LEAD = " \t>*#_-"  # what may stand before a marker that has a line for itself
_AFTER = re.compile(r":(?=\s|\Z)")
_AFTER_BOLD = re.compile(r":?(?:\*\*|__):?")
_FENCE_OPEN = re.compile(r"```[\w+-]*\s*\Z")


@dataclass(frozen=True, eq=False)
class _Form:
    """What of a signature's form is the same in every call."""

    system: Message
    marker: re.Pattern[str]
    label: re.Pattern[str]
    folded: Mapping[str, str]  # a name as a reply may write it -> as the signature does

    def name(self, written: str | None) -> str | None:
        """Return the field that a marker or a label means; it may be none."""
        if written is None:
            return None
        return self.folded.get(written) or self.folded.get(_fold(written))


@lru_cache(maxsize=256)
def _form(signature: SignatureSpec) -> _Form:
    markers = " ".join(f"[[{name}]]" for name in signature.outputs)
    system = (
        f"{head_of(signature)}\n\nReply with the output fields, each under its marker, "
        f"in this order: {markers}"
    )
    names = [field.name for field in signature.fields]
    folded = {_fold(name): name for name in names}
    flags = re.IGNORECASE | re.MULTILINE
    if len(folded) < len(names):  # names that differ in case alone
        flags, folded = re.MULTILINE, {name: name for name in names}
    either = "|".join(re.escape(name) for name in names)
    outputs = "|".join(re.escape(name).replace("_", "[ _]") for name in signature.outputs)
    return _Form(
        Message("system", system),
        # A backslash says that it is no marker; some models end with `[[ ## completed ## ]]`.
        re.compile(
            rf"(\\*)\[\[[ \t]*(?:(?:##[ \t]*)?({either})(?:[ \t]*##)?|##[ \t]*completed[ \t]*##)"
            r"[ \t]*\]\]",
            flags,
        ),
        re.compile(rf"^[ \t>*#_-]*({outputs})[ \t*_]*:[ \t*_]*", flags),
        folded,
    )


def _fold(name: str) -> str:
    return name.casefold().replace(" ", "_")


@lru_cache(maxsize=256)
def _static(signature: SignatureSpec, demos: tuple[Example, ...]) -> tuple[Message, ...]:
    form = _form(signature)
    turns = shown(signature, demos, lambda fields, values: _sections(form, fields, values))
    return (form.system, *turns)


def _sections(form: _Form, fields: Mapping[str, FieldSpec], values: Mapping[str, Any]) -> str:
    return "\n".join(
        f"[[{name}]]\n{escaped(encode(field, values[name]), form.marker)}"
        for name, field in fields.items()
        if name in values
    )


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
        static = _static(signature, tuple(demos))
        return (*static, Message("user", _sections(_form(signature), signature.inputs, inputs)))

    def response_schema(self, signature: SignatureSpec) -> None:
        """Return ``None``: marked sections are no JSON."""
        return None

    def parse(self, signature: SignatureSpec, text: str) -> dict[str, Any]:
        """Return the outputs by name.

        The first complete set of sections counts: what a model writes after it (a further turn
        that it made up) is not read. Until the set is complete a section that comes again
        replaces the earlier one, so that a marker quoted in passing does not stand for the answer.
        Markers at the beginning of a line count; others only where one of those is missing.

        A JSON object with the outputs, or ``name: value`` lines, are read too where there is no
        marker, and the whole text where there is but one output.

        Raises:
            ParseError: An output is missing or does not fit.
        """
        form = _form(signature)
        reply = answer_in(text)
        found = read_sections(form, signature.outputs, reply)
        if not found:
            data = _object_in(signature, reply)
            if data is not None:
                return values_from_object(signature, data, text)
            found = _unmarked(form, signature.outputs, reply)
        return collected(
            signature,
            lambda field: decode(field, unescaped(found[field.name], form.marker)),
            text,
            _missing,
        )

    def repair(self, messages: tuple[Message, ...], text: str, reason: str) -> tuple[Message, ...]:
        """Return the prompt that sends an unreadable reply back."""
        return sent_back(messages, text, reason)


# --- reading -------------------------------------------------------------------------------------


def read_sections(form: _Form, outputs: Mapping[str, FieldSpec], text: str) -> dict[str, str]:
    """Return the text under each output's marker, as :meth:`ChatAdapter.parse` says."""
    marks = [_Mark.at(match, text, form) for match in form.marker.finditer(text)]
    marks = [mark for mark in marks if not mark.escaped]
    own_line = [mark for mark in marks if mark.own_line]
    if outputs.keys() <= {mark.name for mark in own_line}:
        marks = own_line
    found: dict[str, str] = {}
    for index, mark in enumerate(marks):
        end = marks[index + 1].start if index + 1 < len(marks) else len(text)
        if mark.name in outputs:
            found[mark.name] = text[mark.end : end].strip()
            if len(found) == len(outputs):
                break
    if found and _FENCE_OPEN.search(text[: marks[0].start]):
        last = list(found)[-1]
        if found[last].endswith("```") and found[last].count("```") % 2:
            found[last] = found[last][:-3].rstrip()
    return found


@dataclass(frozen=True, slots=True)
class _Mark:
    """A marker in a reply, with what decorates it."""

    name: str
    start: int
    end: int
    own_line: bool
    escaped: bool

    @classmethod
    def at(cls, match: re.Match[str], text: str, form: _Form) -> _Mark:
        begin, end = match.span()
        line = text.rfind("\n", 0, begin) + 1
        lead = text[line:begin]
        own_line = not lead.strip(_LEAD)
        bold = lead.endswith(("**", "__"))
        after = (_AFTER_BOLD if bold else _AFTER).match(text, end)
        start = line if own_line else begin - (2 if bold and after else 0)
        name = form.name(match.group(2)) or ""
        return cls(name, start, after.end() if after else end, own_line, bool(match.group(1)))


def _object_in(signature: SignatureSpec, text: str) -> Mapping[str, Any] | None:
    try:
        found = loose_json(text, dict, closed=True)
    except CutOff:
        return None
    if found is None:
        return None
    named = by_name(signature, found)
    return named if any(name in named for name in signature.outputs) else None


def _unmarked(form: _Form, outputs: Mapping[str, FieldSpec], text: str) -> dict[str, str]:
    single = next(iter(outputs.items())) if len(outputs) == 1 else None
    textual = single is not None and without_limits(single[1].shape) == Plain(str)
    labels = [] if textual else list(form.label.finditer(text))
    if len(labels) == len(outputs) == len({form.name(label.group(1)) for label in labels}):
        ends = [*(label.start() for label in labels[1:]), len(text)]
        return {
            form.name(label.group(1)) or "": text[label.end() : end].strip()
            for label, end in zip(labels, ends, strict=True)
        }
    return {single[0]: text} if single is not None and text.strip() else {}


def _missing(names: Sequence[str]) -> str:
    marked = " and ".join(f"[[{name}]]" for name in names)
    return f"the section {marked} is missing" if len(names) == 1 else f"{marked} are missing"


# --- escaping ------------------------------------------------------------------------------------


def escaped(text: str, marker: re.Pattern[str]) -> str:
    """Return ``text`` with everything in it that looks like a marker one backslash deeper."""
    if "[[" not in text:
        return text
    return marker.sub(lambda found: "\\" + found.group(0), text)


def unescaped(text: str, marker: re.Pattern[str]) -> str:
    """Undo :func:`escaped`."""
    if "\\[[" not in text:
        return text
    return marker.sub(lambda found: found.group(0)[bool(found.group(1)) :], text)
