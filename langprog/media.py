"""What a program takes beside text: images, sounds, files, and the turns of a conversation.

They are values: the bytes of a file are read when the object is made, so that what a program was
given stays what it was. In a prompt they are parts and messages of their own, never text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self, cast

from pydantic_core import SchemaSerializer, core_schema, to_jsonable_python

from langprog.errors import FrozenError, InputError

_ADDRESSES = ("https://", "http://")
# How files of a kind begin, for bytes of which nobody says what they are.
_BEGINNINGS: Mapping[bytes, str] = MappingProxyType(
    {
        b"\x89PNG\r\n": "image/png",
        b"\xff\xd8\xff": "image/jpeg",
        b"GIF8": "image/gif",
        b"ID3": "audio/mpeg",
        b"OggS": "audio/ogg",
        b"fLaC": "audio/flac",
        b"%PDF": "application/pdf",
    }
)


class Media:
    """Bytes of a kind, or the address where the endpoint finds them.

    Args:
        source: The path of a file, the bytes themselves, or an address (``https://...``, or a
            ``data:`` URL).
        data: The bytes, by name.
        url: The address, by name.
        media_type: Such as ``image/png``; known from the file's name or its first bytes where it
            is left out.

    Raises:
        InputError: There are both bytes and an address, or neither; or the file cannot be read.
    """

    __slots__ = ("data", "media_type", "url")

    usual: ClassVar[str] = "application/octet-stream"
    family: ClassVar[str] = ""
    data: bytes | None
    url: str | None
    media_type: str

    def __init__(
        self,
        source: str | bytes | os.PathLike[str] | None = None,
        *,
        data: bytes | None = None,
        url: str | None = None,
        media_type: str = "",
    ) -> None:
        kind = type(self).__name__
        if data is not None and not isinstance(data, (bytes, bytearray)):
            raise InputError(
                f"data= of a part {kind} is a {type(data).__name__}: it takes the bytes, "
                f"pathlib.Path(name).read_bytes(); a path is given as {kind}(path), an address "
                "goes to url="
            )
        if (source is not None) + (data is not None) + (url is not None) != 1:
            raise InputError(
                f"a part {kind} has either data= or url=, not both and not neither: write "
                f"{kind}(path), {kind}(data=...) or {kind}(url=...)"
            )
        known = ""
        if isinstance(source, (bytes, bytearray)):
            data = source
        elif isinstance(source, str) and source.startswith((*_ADDRESSES, "data:")):
            data, url, known = _from_address(source, kind)
        elif source is not None:
            data, known = _read(source, kind)
        self._set("data", None if data is None else bytes(data))
        self._set("url", url)
        self._set("media_type", media_type or self._guessed(known))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _guessed(self, known: str) -> str:
        start = (self.data or b"")[:12]
        if not known:
            known = next(
                (kind for sign, kind in _BEGINNINGS.items() if start.startswith(sign)), ""
            )
        if not known and start[:4] == b"RIFF":
            known = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(start[8:], "")
        return known if known.startswith(self.family) and known else self.usual

    @property
    def address(self) -> str:
        """The address, or the bytes as a ``data:`` URL."""
        if self.data is None:
            return self.url or ""
        return f"data:{self.media_type};base64,{self.base64}"

    @property
    def base64(self) -> str:
        """The bytes in base 64."""
        return base64.b64encode(self.data or b"").decode("ascii")

    def to_plain(self) -> Any:
        """Return it as plain JSON data: an address, or an object where there is more to keep."""
        if self.data is None and self.media_type != self.usual:
            return {"url": self.url, "media_type": self.media_type}
        return self.address

    @classmethod
    def from_plain(cls, value: Any) -> Self:
        """Return what plain data stands for; a path is not taken for one here.

        Data may come from strangers, who must not choose a file of this machine.

        Raises:
            ValueError: It is neither bytes, nor an address, nor an object with one.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, (bytes, bytearray, os.PathLike)):
            return cls(cast(bytes, value))
        if isinstance(value, Mapping) and value.keys() <= {"url", "media_type", "name"}:
            whole, more = value.get("url"), {**value}
            more.pop("url", None)
            if isinstance(whole, str) and all(isinstance(word, str) for word in more.values()):
                made = cls.from_plain(whole)
                return cls(
                    data=made.data,
                    url=made.url,
                    **{"media_type": made.media_type, **more},
                )
        if isinstance(value, str) and value.startswith((*_ADDRESSES, "data:")):
            return cls(value)
        kind = cls.__name__
        raise ValueError(
            f"it must be an lp.{kind} (lp.{kind}(path) reads a file), bytes, or an address that "
            "begins with https://, http:// or data:"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenError(f"a part of a prompt cannot be changed (tried to set {name!r})")

    def _identity(self) -> tuple[Any, ...]:
        return (type(self), self.data, self.url, self.media_type)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Media) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __reduce__(self) -> tuple[Any, ...]:
        return (_again, (type(self), self.to_plain()))

    def __repr__(self) -> str:
        # In full only the digest: texts, logs and digests of examples are made of this.
        if self.data is None:
            return f"{type(self).__name__}({self.url!r})"
        digest = hashlib.sha256(self.data).hexdigest()
        size = len(self.data)
        return f"{type(self).__name__}({self.media_type}, {size} bytes, sha256 {digest})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Return how pydantic checks and writes it."""
        return core_schema.no_info_plain_validator_function(
            cls.from_plain,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.to_plain(), when_used="json"
            ),
        )


class Image(Media):
    """An image: ``lp.Image("photo.png")``, ``lp.Image(data)`` or ``lp.Image("https://...")``."""

    __slots__ = ()
    usual = "image/png"
    family = "image/"


class Audio(Media):
    """A sound: ``lp.Audio("call.wav")`` or its bytes; endpoints take no address of one."""

    __slots__ = ()
    usual = "audio/wav"
    family = "audio/"


class File(Media):
    """A document: ``lp.File("report.pdf")``, its bytes or an address.

    Args:
        source: As for every other kind.
        data: The bytes, by name.
        url: The address, by name.
        media_type: Such as ``application/pdf``.
        name: Its file name, as the model may see it; that of the path where there is one.
    """

    __slots__ = ("name",)
    usual = "application/pdf"
    name: str

    def __init__(
        self,
        source: str | bytes | os.PathLike[str] | None = None,
        *,
        data: bytes | None = None,
        url: str | None = None,
        media_type: str = "",
        name: str = "",
    ) -> None:
        super().__init__(source, data=data, url=url, media_type=media_type)
        path = isinstance(source, (str, os.PathLike)) and self.url is None
        if not name and path and not str(source).startswith("data:"):
            name = Path(cast(str, source)).name
        self._set("name", name)

    def to_plain(self) -> Any:
        """Return it as plain JSON data, its name among it."""
        plain = super().to_plain()
        if not self.name:
            return plain
        return {"url": self.address, "media_type": self.media_type, "name": self.name}

    def _identity(self) -> tuple[Any, ...]:
        return (*super()._identity(), self.name)


def _again(kind: type[Media], plain: Any) -> Media:
    return kind.from_plain(plain)


def _from_address(address: str, kind: str) -> tuple[bytes | None, str | None, str]:
    """Return the bytes or the address that a text stands for, and the media type if it says it."""
    if address.startswith(_ADDRESSES):
        return None, address, ""
    head, comma, body = address.partition(",")
    if not comma or not head.endswith(";base64"):
        raise InputError(f"a part {kind}: a data: URL is written data:TYPE;base64,...")
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"a part {kind}: what its data: URL holds is not base 64") from None
    return data, None, head.removeprefix("data:").removesuffix(";base64")


def _read(source: Any, kind: str) -> tuple[bytes, str]:
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(
            f"a part {kind} is made of a path, bytes or an address, not {type(source).__name__}"
        )
    path = Path(source)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(f"{kind}({str(path)!r:.200}): the file cannot be read: {said}") from None
    return data, mimetypes.guess_type(path.name)[0] or ""


Role = Literal["user", "assistant"]
# One turn: what was said by whom, or the values of a signature's fields.
Turn = Mapping[str, Any]
_ROLES = ("user", "assistant")


class History:
    """Earlier turns of a conversation; in a prompt they are messages of their own.

    Each turn is a message, ``{"role": "user", "content": "..."}``, whose content is a text or a
    list of texts, images, sounds and files; or the values of the signature's fields,
    ``{"question": "...", "answer": "..."}``, which are written as a demonstration is.

    Args:
        turns: The turns, the earliest first.
        messages: The same, under the name that chat endpoints have for it.

    Raises:
        InputError: A turn is neither of them.
    """

    __slots__ = ("turns",)

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
        """Return the turns as plain JSON data, where their values are."""
        return [{name: _plain(value) for name, value in turn.items()} for turn in self.turns]

    @classmethod
    def from_plain(cls, value: Any) -> History:
        """Return what plain data stands for.

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
    """Return whether a turn says by whom it was said, rather than giving values of fields."""
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
                f"turn {number} of a History: an assistant says text alone; images, sounds and "
                "files are the user's"
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
            return cast(str, item["text"])
        for name, kind in _KINDS.items():
            if item.keys() == {name}:
                return kind.from_plain(item[name])
    raise InputError(
        f"a piece of turn {number} of a History is a {type(item).__name__}: give a text, or a part "
        "such as lp.Image"
    )


_KINDS: Mapping[str, type[Media]] = MappingProxyType(
    {"image": Image, "audio": Audio, "file": File}
)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and all(isinstance(item, (str, Media)) for item in value):
        return [item if isinstance(item, str) else _named(item) for item in value]
    return value.to_plain() if isinstance(value, (Media, History)) else to_jsonable_python(value)


def _named(part: Media) -> dict[str, Any]:
    return {type(part).__name__.lower(): part.to_plain()}


def _serializer(kind: type) -> SchemaSerializer:
    # For whatever turns any value into text: neither bytes nor base 64 may get into one.
    return SchemaSerializer(
        core_schema.any_schema(
            serialization=core_schema.plain_serializer_function_ser_schema(repr)
        )
    )


for _kind in (Media, Image, Audio, File, History):
    _kind.__pydantic_serializer__ = _serializer(_kind)  # type: ignore[attr-defined]  # pydantic looks for it
