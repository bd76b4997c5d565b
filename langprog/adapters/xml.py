"""An element for each field: ``<name>value</name>``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from langprog.adapters.base import Adapter, collect_outputs, head_of, render_demos
from langprog.adapters.chat import ChatAdapter
from langprog.adapters.partial import PartialReader
from langprog.adapters.partial_xml import PartialXML
from langprog.adapters.thinking import Thinking, check_count, may_think
from langprog.adapters.turns import render_call
from langprog.adapters.value_text import encode
from langprog.adapters.values import decode
from langprog.adapters.xml_tags import CDATA_END, escape, field_named, tag_pattern, unescape
from langprog.errors import ParseError
from langprog.example import Example
from langprog.lm import Completion, Message
from langprog.signature import (
    Choice,
    FieldSpec,
    Formatted,
    Maybe,
    OneOf,
    Plain,
    SignatureSpec,
    without_limits,
)

_CHAT = ChatAdapter()
# What may precede a tag at the beginning of its line, including other tags.
_LEAD = " \t*_`-"
_LONGEST_LEAD = 80


@lru_cache(maxsize=256)
def _render_static(signature: SignatureSpec, demos: tuple[Example, ...]) -> tuple[Message, ...]:
    # The part that is the same in every call is rendered only once.
    return (_system(signature), *render_demos(signature, demos, _writer(signature)))


@lru_cache(maxsize=256)
def _writer(
    signature: SignatureSpec,
) -> Callable[[Mapping[str, FieldSpec], Mapping[str, Any]], str]:
    names = tuple(field.name for field in signature.fields)

    def write(fields: Mapping[str, FieldSpec], values: Mapping[str, Any]) -> str:
        return "\n".join(
            f"<{name}>{escape(encode(field, values[name]), names)}</{name}>"
            for name, field in fields.items()
            if name in values
        )

    return write


@lru_cache(maxsize=256)
def _system(signature: SignatureSpec) -> Message:
    elements = " ".join(f"<{name}>...</{name}>" for name in signature.outputs)
    return Message(
        "system",
        f"{head_of(signature)}\n\nReply with the output fields, each as an element, "
        f"in this order: {elements}",
    )


class XMLAdapter(Adapter):
    """The adapter ``xml``."""

    name = "xml"

    def render(
        self, signature: SignatureSpec, demos: Sequence[Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Return system message, demonstrations as turns, and the call.

        Raises:
            InputError: A value does not fit its field.
        """
        return (
            *_render_static(signature, tuple(demos)),
            *render_call(signature, inputs, _writer(signature)),
        )

    def stream_reader(self, signature: SignatureSpec) -> PartialReader:
        """Return a reader of elements."""
        return PartialXML(signature)

    def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
        """Return the outputs by name.

        Tags may have any case and attributes; text around the elements, and a code fence, are
        ignored. The content of an element is its value, including tags with other names. Without
        any tag of an output, the reply is read as by the adapter ``chat``.

        Raises:
            ParseError: An output is missing, does not fit, is not closed, or is repeated with
                another value.
        """
        text = completion.text
        answer = _answer(signature, text)
        tags = _tags_in(answer, signature)
        if not any(tag.opens and tag.name in signature.outputs for tag in tags):
            return _without_tags(signature, completion)
        values = _Elements(signature, answer, tags, completion).read()
        return collect_outputs(
            signature, lambda field: decode(field, values[field.name]), text, _describe_missing
        )


def _answer(signature: SignatureSpec, text: str) -> str:
    if not may_think(text):
        return text
    thinking = Thinking(text, signature.outputs)
    said = text[thinking.start :]
    ends = thinking.ends()
    if not ends:
        return said
    rest = text[ends[-1] :]
    # A lone closing tag ends the thinking only if the whole answer comes after it.
    answered = _find_opened(rest, signature)
    return rest if answered and answered == _find_opened(said, signature) else said


def _find_opened(text: str, signature: SignatureSpec) -> set[str]:
    tags = _tags_in(text, signature)
    return {tag.name for tag in tags if tag.opens}.intersection(signature.outputs)


# --- tags ----------------------------------------------------------------------------------------


class _Tag(NamedTuple):
    """A tag of a field in a reply, and whether it may begin an element."""

    name: str
    start: int
    end: int
    opens: bool
    closes: bool
    begins: bool


def _tags_in(answer: str, signature: SignatureSpec) -> list[_Tag]:
    names = tuple(field.name for field in signature.fields)
    tags: list[_Tag] = []
    pattern, at, sections = tag_pattern(names), 0, True
    while (sign := pattern.search(answer, at)) is not None:
        at = sign.end()
        check_count(tags, answer)
        if sign["name"] is None:
            end = answer.find(CDATA_END, at) if sections else -1
            sections = end >= 0  # else a mere mention, like all later ones
            at = end if sections else at
            continue
        closing = bool(sign["closing"])
        heads = not closing and _heads_line(answer, sign.start())
        closes = closing or sign[0].endswith("/>")
        name = field_named(sign["name"], names)
        tags.append(_Tag(name, sign.start(), sign.end(), not closing, closes, heads))
    # Inside a line only if a field would be lost otherwise: it may be a mere mention.
    lost = set(signature.outputs).difference(tag.name for tag in tags if tag.begins)
    return [tag._replace(begins=tag.opens) if tag.name in lost else tag for tag in tags]


def _heads_line(answer: str, start: int) -> bool:
    at = start
    while at > max(0, start - _LONGEST_LEAD) and answer[at - 1] in _LEAD:
        at -= 1
    return at == 0 or answer[at - 1] in "\n\r>"


# --- elements ------------------------------------------------------------------------------------


class _Elements:
    """Reads the elements of a reply, from left to right.

    Args:
        signature: The signature with the outputs. If an input follows them, the model has run on
            into another turn, which does not count.
        answer: The reply without its thinking.
        tags: The tags in it.
        completion: The whole reply.
    """

    def __init__(
        self,
        signature: SignatureSpec,
        answer: str,
        tags: Sequence[_Tag],
        completion: Completion,
    ) -> None:
        self._wanted = signature.outputs
        self._answer = answer
        self._tags = tags
        self._text = completion.text
        # "stop" if the endpoint says so; without a reason, nothing is known.
        self._ended = completion.finish_reasons[:1] == ("stop",)

    def read(self) -> dict[str, str]:
        """Return the value of each element, unescaped.

        Raises:
            ParseError: An element is not closed, closed twice, or repeated with another value.
        """
        values: dict[str, str] = {}
        place = 0
        while place < len(self._tags):
            tag = self._tags[place]
            if not tag.begins:
                place += 1
            elif tag.name in self._wanted:
                body, place = self._element(place)
                value = unescape(body.strip())
                if values.setdefault(tag.name, value) != value:
                    raise self._make_error(tag.name, "comes twice and differs")
            elif values:
                break
            else:
                closing = self._closing(place)
                place = (place if closing is None else closing) + 1
        return values

    def _element(self, place: int) -> tuple[str, int]:
        """Return the content of the element at a tag, and the index of the next tag."""
        tag = self._tags[place]
        closing = self._closing(place)
        if closing is None:
            return self._open_end(place), len(self._tags)
        for index in range(closing + 1, len(self._tags)):
            later = self._tags[index]
            if later.begins:
                break
            if later.name == tag.name and later.closes:
                # The text between the two may or may not belong to the value.
                raise self._make_error(tag.name, "is closed twice")
        end = self._tags[closing]
        return self._answer[tag.end : max(tag.end, end.start)], closing + 1

    def _closing(self, place: int) -> int | None:
        """Return the index of the tag that closes an element, allowing for nested ones."""
        tag = self._tags[place]
        if tag.closes:
            return place
        depth, first = 1, None
        for index in range(place + 1, len(self._tags)):
            later = self._tags[index]
            if later.name != tag.name or (later.opens and later.closes):
                continue
            if later.begins:
                break
            depth += 1 if later.opens else -1
            first = index if first is None and later.closes else first
            if depth == 0:
                return index
        return first

    def _open_end(self, place: int) -> str:
        """Return the content of the last element if only its closing tag is missing.

        Raises:
            ParseError: More may be missing.
        """
        tag = self._tags[place]
        later = self._tags[place + 1 :]
        body = _without_rest(self._answer[tag.end :], tag.name)
        if any(other.begins or other.closes for other in later) or not (
            self._ended or _complete(self._wanted[tag.name], unescape(body))
        ):
            raise self._make_error(tag.name, "is not closed")
        return body

    def _make_error(self, name: str, what: str) -> ParseError:
        return ParseError(f"the element <{name}> {what}", text=self._text)


def _complete(field: FieldSpec, body: str) -> bool:
    """Return whether a value without an end is certainly complete."""
    shape = without_limits(field.shape)
    shape = without_limits(shape.of) if isinstance(shape, Maybe) else shape
    if isinstance(shape, Plain):
        return shape.type is bool
    if isinstance(shape, Choice):
        begun = [label for label in shape.choices if label.casefold().startswith(body.casefold())]
        return len(begun) == 1
    if isinstance(shape, (Formatted, OneOf)):
        return False
    return body.endswith(("]", "}"))


def _without_rest(body: str, name: str) -> str:
    """Return the end of a reply without a closing fence or an incomplete tag."""
    body = body.rstrip()
    if body.count("```") == 1:
        body = body.removesuffix("```").rstrip()
    tag = f"</{name}"
    rest = next((tag[:size] for size in range(len(tag), 1, -1) if body.endswith(tag[:size])), "")
    return body.removesuffix(rest).strip()


def _without_tags(signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
    try:
        return _CHAT.parse(signature, completion)
    except ParseError as error:
        # An error in the only value is more helpful than "its tag is missing".
        reason = "" if "[[" in str(error) or len(signature.outputs) > 1 else str(error)
    raise ParseError(reason or _describe_missing(tuple(signature.outputs)), text=completion.text)


def _describe_missing(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the element <{names[0]}> is missing"
    return f"the elements {', '.join(f'<{name}>' for name in names)} are missing"
