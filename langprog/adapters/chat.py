"""Marked sections: every field follows a line ``[[name]]``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from langprog.adapters.base import Adapter, collect_outputs, head_of, render_demos
from langprog.adapters.chat_markers import (
    Names,
    escape,
    label_pattern,
    marker_pattern,
    name_in,
    unescape,
)
from langprog.adapters.json_object import object_in, values_from_object
from langprog.adapters.key_names import match_keys
from langprog.adapters.leftovers import (
    strip_brackets,
    strip_closing,
    strip_label,
    strip_next_turn,
    strip_tokens,
    strip_wrapping,
)
from langprog.adapters.partial import PartialReader
from langprog.adapters.partial_chat import PartialChat
from langprog.adapters.scalars import strip_fence
from langprog.adapters.sentences import find_option
from langprog.adapters.thinking import Thinking, check_count, may_think
from langprog.adapters.turns import Write, render_call
from langprog.adapters.value_text import encode
from langprog.adapters.values import decode, fit_output
from langprog.errors import ParseError
from langprog.example import Example
from langprog.lm import Completion, Message
from langprog.signature import FieldSpec, Maybe, Plain, SignatureSpec, without_limits

_LEAD = " \t>#*_-"  # what may precede a marker at the beginning of a line
# What a marker may follow on its line: a closing tag, or a token of a chat template.
_CLOSED = re.compile(r"(?:</[\w.:-]{1,40}>|<unused\d{1,4}>|<\|[\w/]{1,40}\|>)[ \t]*\Z")
_WRAPPER_OPENS = re.compile(r"<([a-zA-Z][\w.-]{0,40})>\s*+\Z")
_FENCE_OPENS = re.compile(r"^```[\w+-]*+[ \t]*+\n\s*+\Z", re.MULTILINE)


@lru_cache(maxsize=256)
def _render_static(
    signature: SignatureSpec, demos: tuple[Example, ...]
) -> tuple[tuple[Message, ...], Write]:
    """Return the messages that are the same in every call, and what writes the others."""
    write = _writer(signature)
    return (_system(signature), *render_demos(signature, demos, write)), write


@lru_cache(maxsize=256)
def _writer(signature: SignatureSpec) -> Write:
    names = tuple(field.name for field in signature.fields)

    def write(fields: Mapping[str, FieldSpec], values: Mapping[str, Any]) -> str:
        sections: list[str] = []
        for name, field in fields.items():  # not a generator, which every call would pay for
            if name in values:
                text = encode(field, values[name])
                shown = escape(text, names) if "[[" in text else text
                sections.append(f"[[{name}]]\n{shown}")
        return "\n".join(sections)

    return write


@lru_cache(maxsize=256)
def _names(signature: SignatureSpec) -> Names:
    return tuple(field.name for field in signature.fields)


@lru_cache(maxsize=256)
def _system(signature: SignatureSpec) -> Message:
    markers = " ".join(f"[[{name}]]" for name in signature.outputs)
    return Message(
        "system",
        f"{head_of(signature)}\n\nReply with the output fields, each under its marker, "
        f"in this order: {markers}",
    )


class ChatAdapter(Adapter):
    """The adapter ``chat``."""

    name = "chat"

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return system message, demonstrations as turns, and the call.

        Raises:
            InputError: A value does not fit its field.
        """
        static, write = _render_static(signature, tuple(demos))
        return (*static, *render_call(signature, inputs, write))

    def stream_reader(self, signature: SignatureSpec) -> PartialReader:
        """Return a reader of sections."""
        return PartialChat(signature)

    def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
        """Return the outputs by name.

        A marker counts at the beginning of a line; inside a line only if a field would be missing
        otherwise. A section may be repeated if its text is the same. Without markers, a JSON
        object with the outputs or lines ``name: value`` are read, or the whole text if there is
        only one output.

        Raises:
            ParseError: An output is missing, does not fit, or is repeated with another value.
        """
        text = completion.text
        alone = len(signature.outputs) == 1
        plain = _plain_section(signature, text) if alone else None
        if plain is not None:
            return collect_outputs(
                signature, lambda field: _value(field, plain, alone), text, _describe_missing
            )
        names = _names(signature)
        said = _answer(signature, text, names) if may_think(text) else text
        said = strip_next_turn(said).strip()
        if said[-1:] in (">", "]"):
            said = strip_tokens(said)
        answer = strip_fence(said)
        sections = sections_of(answer, names, tuple(signature.outputs), text)
        if not sections:
            values = _object(signature, answer, text)
            if values is not None:
                return values_from_object(signature, values, text)
            sections = _read_unmarked(signature, said, names)
        return collect_outputs(
            signature,
            lambda field: _value(field, sections[field.name], alone),
            text,
            _describe_missing,
        )


def _plain_section(signature: SignatureSpec, text: str) -> str | None:
    """Return the only section of the most common reply, where nothing has to be searched for."""
    marker = f"[[{next(iter(signature.outputs))}]]\n"
    if not text.startswith(marker):
        return None
    body = text[len(marker) :].strip()
    odd = "[" in body or "<" in body or "\u25c1" in body or body[-1:] == ">"
    return None if odd else body


def sections_of(answer: str, names: Names, wanted: Names, text: str) -> dict[str, str]:
    """Return the text under each marker, unescaped.

    Args:
        answer: The reply without its thinking.
        names: Every field of the signature: a marker of any of them ends a section.
        wanted: The fields whose sections are returned. When the marker of another field follows
            them, the model has run on into another turn, whose sections do not count.
        text: The whole reply, for the error.

    Raises:
        ParseError: A field has two sections that differ.
    """
    if "[[" not in answer:
        return {}
    marks = _marks_in(answer, names)
    heads = [mark for mark in marks if mark.heads_line]
    lost = set(wanted).difference([mark.name for mark in heads])
    # Inside a line only if a field would be lost otherwise: it may be a mere mention.
    marks = [mark for mark in marks if mark.heads_line or mark.name in lost] if lost else heads
    sections: dict[str, str] = {}
    for index, mark in enumerate(marks):
        if mark.name not in wanted:
            if sections:
                break
            continue
        end = marks[index + 1].start if index + 1 < len(marks) else _end(answer, marks[0])
        body = answer[mark.end : end].strip()
        if body[-1:] in (">", "]"):
            body = strip_closing(body, mark.name)
        body = unescape(body, names)
        if sections.setdefault(mark.name, body) != body:
            raise ParseError(f"the section [[{mark.name}]] comes twice and differs", text=text)
    return sections


class _Mark(NamedTuple):
    """A marker in a reply, with its decoration."""

    name: str
    start: int
    end: int
    heads_line: bool


def _marks_in(answer: str, names: Names) -> list[_Mark]:
    marks: list[_Mark] = []
    passed = 0  # behind the last marker, so that no text is scanned twice
    for match in marker_pattern(names).finditer(answer):
        check_count(marks, answer)
        begin, end = match.span()
        line = answer.rfind("\n", passed, begin) + 1
        first = line > 0 or passed == 0  # the first marker of its line
        lead = answer[line if first else passed : begin]
        passed = end
        heads, closed, bold = first, False, ""
        if lead:
            if lead[-1] == "\\":
                continue
            closed = _CLOSED.search(lead[-80:]) is not None
            heads = first and (closed or not lead.strip(_LEAD))
            bold = lead[-2:] if lead.endswith(("**", "__")) else ""
        if answer[end : end + 1] != "\n":
            end = _after(answer, end, bold)
        start = line if heads and not closed else begin - len(bold)
        marks.append(_Mark(name_in(match, names), start, end, heads))
    return marks


def _after(answer: str, end: int, bold: str) -> int:
    """Return where the value begins after a marker on the same line."""
    rest = answer[end : end + 8].lstrip(" \t")
    at = end + len(answer[end : end + 8]) - len(rest)
    for sign in (":", bold, ":"):
        if sign and rest.startswith(sign):
            rest, at = rest[len(sign) :], at + len(sign)
    return at


def _end(answer: str, first: _Mark) -> int:
    # The sections may be in a code fence, with words before and after it.
    if first.start and _FENCE_OPENS.search(answer, 0, first.start):
        closing = answer.rfind("\n```", first.end)
        if closing >= 0 and answer.count("```", first.end, closing) % 2 == 0:
            return closing
    # Or in a tag around all of them.
    wrapper = _WRAPPER_OPENS.search(answer, max(0, first.start - 60), first.start)
    if wrapper is not None and answer.endswith(f"</{wrapper[1]}>"):
        return len(answer) - len(wrapper[1]) - 3
    return len(answer)


def _answer(signature: SignatureSpec, text: str, names: Names) -> str:
    """Return what a reply says after its thinking.

    Raises:
        ParseError: The reply ends during the thinking.
    """
    # Without sections, a tag with an output's name may hold its value.
    thinking = Thinking(text, () if "[[" in text else signature.outputs)
    start, ends = thinking.start, thinking.ends()
    if ends:
        start = max(start, _last_before_sections(text, start, ends, names, signature))
    answer = text[start:]
    if ends and not answer.strip():
        raise ParseError("it ends before the answer: nothing follows its thinking", text=text)
    return answer


def _last_before_sections(
    text: str, start: int, ends: Sequence[int], names: Names, signature: SignatureSpec
) -> int:
    """Return the last end of thinking that no section precedes."""
    last: dict[str, int] = {}
    for mark in _marks_in(text[start:], names) if "[[" in text else ():
        if mark.heads_line and mark.name in signature.outputs:
            last[mark.name] = start + mark.start
    bound = min(last.values(), default=len(text))
    return max((end for end in ends if end <= bound), default=0)


def _value(field: FieldSpec, text: str, alone: bool) -> Any:
    try:
        return decode(field, text)
    except ParseError as error:
        refused = error
    # Unless the field is text, thinking, labels and tags with its name are not part of it.
    said = text[Thinking(text, (field.name,)).start :].strip() if may_think(text) else text
    said = strip_wrapping(strip_brackets(said), field.name)
    bare = strip_label(said, field.name).strip()
    if bare != text:
        try:
            return decode(field, bare)
        except ParseError:
            pass
    named = find_option(field.shape, bare) if alone else None
    if named is None:
        raise refused
    return fit_output(field, named)


def _object(signature: SignatureSpec, answer: str, text: str) -> Mapping[str, Any] | None:
    if "{" not in answer:
        return None
    try:
        parsed = object_in(answer, text)
    except ParseError:
        if len(signature.outputs) == 1:  # braces in a text that is the answer
            return None
        raise
    if parsed is None or (_is_text(signature) and (parsed.before.strip() or parsed.after.strip())):
        return None
    named = match_keys(list(signature.outputs), parsed.value)
    return named if any(name in named for name in signature.outputs) else None


@lru_cache(maxsize=256)
def _is_text(signature: SignatureSpec) -> bool:
    """Return whether the only output is text, so that the whole reply may be its value."""
    shapes = [without_limits(field.shape) for field in signature.outputs.values()]
    inner = [without_limits(s.of) if isinstance(s, Maybe) else s for s in shapes]
    return inner == [Plain(str)]


def _read_unmarked(signature: SignatureSpec, answer: str, names: Names) -> dict[str, str]:
    outputs = tuple(signature.outputs)
    single = signature.outputs[outputs[0]] if len(outputs) == 1 else None
    if single is not None and _is_text(signature):
        bare = strip_label(answer, single.name)
        if bare[-1:] in (">", "]"):
            bare = strip_closing(strip_wrapping(bare, single.name), single.name)
        return {single.name: unescape(bare, names)} if bare else {}
    body = strip_fence(answer)
    labels = list(islice(label_pattern(outputs).finditer(body), len(outputs) + 1))
    if sorted(name_in(label, outputs) for label in labels) == sorted(outputs):
        ends = [*(label.start() for label in labels[1:]), len(body)]
        return {
            name_in(label, outputs): unescape(body[label.end() : end].strip(), names)
            for label, end in zip(labels, ends, strict=True)
        }
    return {single.name: unescape(answer, names)} if single is not None and answer else {}


def _describe_missing(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the section [[{names[0]}]] is missing"
    return f"the sections {', '.join(f'[[{name}]]' for name in names)} are missing"
