"""The JSON of a type while it is read: digests of its parts, and recursive types."""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic_core import core_schema

from langprog.errors import SignatureError


class Itself:
    """A placeholder for a recursive type while that is built; an alias of it afterwards.

    Args:
        name: The type's name.
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name
        self.__module__ = __name__
        self._value: Any = None
        self._within = 0

    @property
    def __value__(self) -> Any:
        """The type.

        Raises:
            NameError: It is not built yet.
        """
        if self._value is None:
            raise NameError(f"the type {self.__name__} is not made yet")
        return self._value

    def define(self, value: Any) -> None:
        """Set the type that this refers to."""
        self._value = value

    def __repr__(self) -> str:
        return self.__name__

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return the schema of the type; inside it, a reference is used."""
        if self._value is None:
            raise PydanticUndefinedAnnotation(self.__name__, "it is not made yet")
        if isinstance(self._value, type):
            return handler.generate_schema(self._value)
        reference = f"{self.__name__}:{id(self)}"
        if self._within:
            return core_schema.definition_reference_schema(reference)
        self._within += 1
        try:
            schema = handler.generate_schema(self._value)
        finally:
            self._within -= 1
        whole: Any = {**schema, "ref": reference}
        if schema.get("ref"):  # it has a reference already
            whole = core_schema.nullable_schema(schema, ref=reference)
        return core_schema.definitions_schema(
            core_schema.definition_reference_schema(reference), [whole]
        )


class Reading:
    """What is known while the JSON of a type is read.

    Args:
        made: Builds the type of a description.
    """

    def __init__(self, made: Callable[[Description], Any]) -> None:
        self._made = made
        self._digests: dict[int, bytes] = {}
        self._open: dict[int, frozenset[str]] = {}
        self._within: dict[str, Itself] = {}
        self._family: dict[Any, Any] = {}
        self.unfinished: list[Any] = []

    def type(self, data: Any) -> Any:
        """Return the type that a part of the JSON describes, if it is an object."""
        described = Description(data, self)
        names = self.open_names(data)
        try:
            if not names:
                return self._made(described)
            # It belongs to the type around it, so no other type may get it from the cache.
            key = (described.digest, *(id(self.itself(name)) for name in sorted(names)))
            if key not in self._family:
                self._family[key] = self._made.__wrapped__(described)  # type: ignore[attr-defined]  # what is cached
            return self._family[key]
        finally:
            described.forget()

    def itself(self, name: str) -> Itself:
        """Return the placeholder for the type of that name.

        Raises:
            SignatureError: No type around it has that name.
        """
        if name not in self._within:
            raise SignatureError(f"{name!r:.60} is not the name of a type around it")
        return self._within[name]

    def make_recursive(self, name: str, make: Callable[[], Any]) -> Any:
        """Return a recursive type, which refers to itself by its name.

        Raises:
            SignatureError: A type around it has the same name.
        """
        if name in self._within:
            raise SignatureError(f"two recursive types inside each other are named {name!r:.60}")
        itself = self._within[name] = Itself(name)
        try:
            made = make()
        finally:
            del self._within[name]
        itself.define(made)
        return made if isinstance(made, type) else itself

    def open_names(self, data: Any) -> frozenset[str]:
        """Return the names in a part of the JSON that refer to types around it."""
        if not isinstance(data, (dict, list)):
            return frozenset()
        known = self._open.get(id(data))
        if known is None:
            parts = data.values() if isinstance(data, dict) else data
            names = frozenset().union(*map(self.open_names, parts))
            if isinstance(data, dict):
                name = data.get("name")
                if data.get("kind") == "again" and isinstance(name, str):
                    names = names | {name}
                elif data.get("kind") == "recursive":
                    names = names - {name}
            known = self._open[id(data)] = names
        return known

    def digest(self, data: Any) -> bytes:
        """Return the digest of a part of the JSON; each part is read only once."""
        if not isinstance(data, (dict, list)):
            return hashlib.sha256(json.dumps(data).encode()).digest()
        known = self._digests.get(id(data))
        if known is None:
            whole = hashlib.sha256(b"{" if isinstance(data, dict) else b"[")
            for key, value in data.items() if isinstance(data, dict) else enumerate(data):
                whole.update(json.dumps(key).encode() + self.digest(value))
            known = self._digests[id(data)] = whole.digest()
        return known


class Description:
    """A type's JSON, compared by its digest.

    Args:
        data: The JSON.
        reading: What is known about its parts.
    """

    def __init__(self, data: Mapping[str, Any], reading: Reading) -> None:
        self.digest = reading.digest(data)
        self.data = data
        self.reading = reading

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Description) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def forget(self) -> None:
        """Drop all but the digest, which is all that the cache of types needs."""
        self.data, self.reading = types.MappingProxyType({}), None  # type: ignore[assignment]  # gone
