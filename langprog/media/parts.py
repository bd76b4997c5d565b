"""Images, sounds and files, as values."""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self, cast

from pydantic_core import SchemaSerializer, core_schema

from langprog.errors import FrozenError, InputError
from langprog.hints import HintedType, Words

_ADDRESSES = ("https://", "http://")
# First bytes of files of each kind, for bytes without a media type.
_BEGINNINGS: Mapping[bytes, str] = MappingProxyType(
    {
        b"\x89PNG\r\n": "image/png",
        b"\xff\xd8\xff": "image/jpeg",
        b"GIF8": "image/gif",
        b"II*\0": "image/tiff",
        b"MM\0*": "image/tiff",
        b"ID3": "audio/mpeg",
        b"\xff\xfb": "audio/mpeg",
        b"\xff\xf3": "audio/mpeg",
        b"\xff\xf2": "audio/mpeg",
        b"OggS": "audio/ogg",
        b"fLaC": "audio/flac",
        b"%PDF": "application/pdf",
    }
)
# The kind behind the first eight bytes of two container formats.
_CONTAINERS: Mapping[bytes, str] = MappingProxyType(
    {
        b"WEBP": "image/webp",
        b"WAVE": "audio/wav",
        b"heic": "image/heic",
        b"mif1": "image/heic",
        b"avif": "image/avif",
        b"M4A ": "audio/mp4",
    }
)


# Names of other libraries at the class, and what there is here instead.
_ELSEWHERE: Words = MappingProxyType(
    {
        "from_PIL": "save it to a buffer, and write lp.Image(buffer.getvalue())",
        "from_array": "write the bytes of a file: lp.Audio(data)",
        "from_base64": "write lp.File(base64.b64decode(text))",
        "from_bytes": "write lp.File(data)",
        "from_file": "the path comes first: lp.Image(path), lp.Audio(path)",
        "from_path": "the path comes first: lp.File(path)",
        "from_url": "the address comes first: lp.Image(address)",
    }
)


class Media(metaclass=HintedType):
    """The bytes of a file, or an address from which the endpoint fetches them.

    Args:
        source: The path of a file, the bytes themselves, or an address (``https://...``, or a
            ``data:`` URL).
        data: The bytes, by name.
        url: The address, by name.
        media_type: Such as ``image/png``; by default from the file's name or first bytes.

    Raises:
        InputError: Both bytes and an address are given, or neither, or the file cannot be read, is
            empty or of another kind.
    """

    __slots__ = ("data", "media_type", "url")

    _elsewhere = _ELSEWHERE

    # pydantic looks for this when it writes a value without a schema.
    __pydantic_serializer__: ClassVar[SchemaSerializer]
    usual: ClassVar[str] = "application/octet-stream"
    # What its plain data may have besides.
    _more: ClassVar[frozenset[str]] = frozenset()
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
            if known.startswith(self.family) and not known.endswith("/octet-stream"):
                media_type = media_type or known  # it was written, and is kept as it is
        elif source is not None:
            data, known = _read(source, kind)
        if data is not None and not data:
            raise InputError(f"a part {kind} is empty: it has 0 bytes")
        self._set("data", None if data is None else bytes(data))
        self._set("url", url)
        self._set("media_type", media_type or self._guess_type(known))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _guess_type(self, known: str) -> str:
        """Return the type that the bytes begin like, else the known one, else the usual one.

        Raises:
            InputError: It is known to be of another family.
        """
        known = "" if known.endswith("/octet-stream") else known
        seen = _kind_of((self.data or b"")[:12])
        # What the bytes say counts more than a file's name; a document has the name's type.
        for told in (known, seen) if not self.family else (seen, known):
            if told and told.startswith(self.family):
                return told
        if seen or known:
            kind = type(self).__name__
            family = (seen or known).partition("/")[0]
            fitting = {"image": "Image", "audio": "Audio"}.get(family, "File")
            raise InputError(
                f"a part {kind} is made of {seen or known}: write lp.{fitting}(...), or say what "
                "it is with media_type="
            )
        return self.usual

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
        """Return plain JSON data: an address, or an object if there is more to keep."""
        told = self.usual if self.data is None else self.media_type
        if told != self.media_type or not told.startswith(self.family):
            return {"url": self.address, "media_type": self.media_type}
        return self.address

    @classmethod
    def from_plain(cls, value: Any) -> Self:
        """Return a part from plain data; paths are not accepted here.

        Data may come from strangers, who must not be able to read local files.

        Raises:
            ValueError: It is neither bytes, nor an address, nor an object with one.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, (bytes, bytearray, os.PathLike)):
            return cls(cast(bytes, value))
        if isinstance(value, Mapping) and value.keys() <= {"url", "media_type", *cls._more}:
            whole, more = value.get("url"), {**value}
            more.pop("url", None)
            texts = all(isinstance(word, str) for word in more.values())
            if texts and isinstance(whole, str) and whole.startswith((*_ADDRESSES, "data:")):
                return cls(whole, **more)
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
        # Only the digest stands in full: logs and digests of examples use this text.
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
    """A sound: ``lp.Audio("call.wav")`` or its bytes; endpoints do not accept addresses."""

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
        name: Its file name, which the model may see; by default that of the path.
    """

    __slots__ = ("name",)
    usual = "application/pdf"
    _more = frozenset({"name"})
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
        """Return plain JSON data, including the name."""
        plain = super().to_plain()
        if not self.name:
            return plain
        return {"url": self.address, "media_type": self.media_type, "name": self.name}

    def _identity(self) -> tuple[Any, ...]:
        return (*super()._identity(), self.name)


def _again(kind: type[Media], plain: Any) -> Media:
    return kind.from_plain(plain)


def _kind_of(start: bytes) -> str:
    """Return the media type of data that begin like this, or ``""``."""
    if start[:4] == b"RIFF" or start[4:8] == b"ftyp":
        return _CONTAINERS.get(start[8:], "")
    return next((kind for sign, kind in _BEGINNINGS.items() if start.startswith(sign)), "")


def _from_address(address: str, kind: str) -> tuple[bytes | None, str | None, str]:
    """Return the bytes or the address in a text, and its media type if given."""
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


def text_serializer() -> SchemaSerializer:
    """Return the serializer for callers that turn arbitrary values into text: ``repr``.

    Neither bytes nor base 64 may end up in a text.
    """
    shown = core_schema.plain_serializer_function_ser_schema(repr)
    return SchemaSerializer(core_schema.any_schema(serialization=shown))


Media.__pydantic_serializer__ = text_serializer()
