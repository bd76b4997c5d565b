"""The turns of a conversation, as a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic_core import SchemaSerializer, core_schema, to_jsonable_python

from langprog.errors import FrozenError, InputError
from langprog.hints import Hinted
from langprog.media.parts import Audio, File, Image, Media, text_serializer

Role = Literal["user", "assistant"]
# One turn: a message, or the values of a signature's fields.
Turn = Mapping[str, Any]
_ROLES = ("user", "assistant")


class History(Hinted):
    """Earlier turns of a conversation; in a prompt they are messages of their own.

    Each turn is a message, ``{"role": "user", "content": "..."}``, whose content is a text or a
    list of texts, images, sounds and files; or the values of the signature's fields,
    ``{"question": "...", "answer": "..."}``, which are written as a demonstration is.

    Args:
        turns: The turns, the earliest first.
        messages: The same, under the name that chat endpoints use.

    Raises:
        InputError: A turn is neither of these.
    """

    __slots__ = ("turns",)

    _elsewhere = MappingProxyType(
        {
            "append": "write history = history.with_turn(question=..., answer=...)",
            "messages": "write .turns; with_turn(...) returns a longer History",
        }
    )
    __pydantic_serializer__: ClassVar[SchemaSerializer] = text_serializer()

    turns: tuple[Turn, ...]

    def __init__(
        self, turns: Iterable[Turn] = (), *, messages: Iterable[Turn] | None = None
    ) -> None:
        given = turns if messages is None else messages
        if isinstance(given, History):
            given = given.turns
        if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
            raise InputError(f"a History takes a list of turns, not {type(given).__name__}")
        kept = tuple(_turn(turn, number) for number, turn in enumerate(given, start=1))
        object.__setattr__(self, "turns", kept)

    def with_turn(self, **turn: Any) -> History:
        """Return a copy with one more turn: ``role=`` and ``content=``, or values of fields."""
        return History((*self.turns, turn))

    def to_plain(self) -> list[dict[str, Any]]:
        """Return the turns as plain JSON data, if their values are."""
        return [{name: _plain(value) for name, value in turn.items()} for turn in self.turns]

    @classmethod
    def from_plain(cls, value: Any) -> History:
        """Return a History from plain data.

        Raises:
            ValueError: It is not a list of turns.
        """
        if isinstance(value, History):
            return value
        turns = getattr(value, "messages", value)  # a conversation of another library
        if not isinstance(turns, (list, tuple)):
            raise ValueError("it must be an lp.History, or a list of turns")
        return cls(turns)

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenError("a History cannot be changed: with_turn(...) returns a longer copy")

    def __iter__(self) -> Iterator[Turn]:
        return iter(self.turns)

    def __len__(self) -> int:
        return len(self.turns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self.turns == other.turns

    def __hash__(self) -> int:
        return hash(repr(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return (History, ([dict(turn) for turn in self.turns],))

    def __repr__(self) -> str:
        return f"History({[dict(turn) for turn in self.turns]!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Return how pydantic checks and writes it."""
        return core_schema.no_info_plain_validator_function(
            cls.from_plain,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.to_plain(), when_used="json"
            ),
        )


def is_message(turn: Turn) -> bool:
    """Return whether a turn is a message with a role, not values of fields."""
    return turn.keys() == {"role", "content"}


def _turn(turn: Any, number: int) -> Turn:
    if not isinstance(turn, Mapping):
        role, content = getattr(turn, "role", None), getattr(turn, "content", None)
        if role is None or content is None:
            raise InputError(
                f"turn {number} of a History is a {type(turn).__name__}: give "
                '{"role": ..., "content": ...}, or values of the signature\'s fields by name'
            )
        turn = {"role": role, "content": content}
    if not turn:
        raise InputError(f"turn {number} of a History is empty")
    if not is_message(turn):
        return MappingProxyType(dict(turn))
    role, content = turn["role"], turn["content"]
    if role not in _ROLES:
        raise InputError(
            f"turn {number} of a History has the role {role!r:.40}; it can be user or assistant"
        )
    if not isinstance(content, str):
        content = _content(content, number)
        if role == "assistant" and any(isinstance(piece, Media) for piece in content):
            raise InputError(
                f"turn {number} of a History: an assistant turn is text only; images, sounds "
                "and files belong to user turns"
            )
    return MappingProxyType({"role": role, "content": content})


def _content(content: Any, number: int) -> tuple[str | Media, ...]:
    if isinstance(content, Media):
        content = (content,)
    if not isinstance(content, (list, tuple)):
        raise InputError(
            f"the content of turn {number} of a History is a text, or a list of texts and parts "
            f"such as lp.Image, not {type(content).__name__}"
        )
    return tuple(_piece(item, number) for item in content)


def _piece(item: Any, number: int) -> str | Media:
    if isinstance(item, (str, Media)):
        return item
    if isinstance(item, Mapping):
        if item.keys() == {"type", "text"} and isinstance(item["text"], str):
            return item["text"]
        for name, kind in _KINDS.items():
            if item.keys() == {name}:
                return kind.from_plain(item[name])
    raise InputError(
        f"a piece of turn {number} of a History is a {type(item).__name__}: give a text, or a "
        "part such as lp.Image"
    )


_KINDS: Mapping[str, type[Media]] = MappingProxyType(
    {"image": Image, "audio": Audio, "file": File}
)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and all(isinstance(item, (str, Media)) for item in value):
        return [item if isinstance(item, str) else _name_part(item) for item in value]
    return value.to_plain() if isinstance(value, (Media, History)) else to_jsonable_python(value)


def _name_part(part: Media) -> dict[str, Any]:
    return {type(part).__name__.lower(): part.to_plain()}
