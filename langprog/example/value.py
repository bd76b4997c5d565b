"""Examples: inputs and expected outputs, as frozen values."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from langprog.errors import ExampleError, FrozenError
from langprog.notebook import list_short, render_card, shorten

# Attributes of examples in other libraries, and what to use here instead.
_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "with_inputs": "the program's signature says which fields are inputs: leave it out",
        "inputs": "the program's signature says which fields are inputs: "
        "write program(question=example.question)",
        "labels": "the program's signature says which fields are outputs",
        "toDict": "write to_dict()",
        "copy": "write with_(field=value): it returns a changed copy",
    }
)
_ATOMS = frozenset({str, int, float, bool, type(None)})


class Example(Mapping[str, Any]):
    """One example: fields by name, frozen.

    The program's signature says which fields are inputs; an example does not. Lists, dicts and
    sets are copied on the way in and out, so that nobody can change a shared example. Two examples
    are equal if their fields are, as plain data.

    Example::

        Example(ticket="my invoice is wrong", team="billing").team
    """

    __slots__ = ("_digest", "_values")

    _values: dict[str, Any]
    _digest: str

    def __init__(self, /, *rows: Any, **values: Any) -> None:
        if rows:
            raise ExampleError(
                "an Example takes its fields by name: write Example(ticket=..., team=...), or "
                "Example(**row) for a dict"
            )
        kept = {name: copy_value(value) for name, value in values.items()}
        object.__setattr__(self, "_values", kept)
        object.__setattr__(self, "_digest", "")

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the values.

        Raises:
            ExampleError: A value has no distinct plain form.
        """
        if not self._digest:
            object.__setattr__(self, "_digest", _sha256(self._values))
        return self._digest

    def with_(self, /, **values: Any) -> Example:
        """Return a copy with these fields added or replaced."""
        return Example(**{**self._values, **values})

    def without(self, *names: str) -> Example:
        """Return a copy without these fields."""
        return Example(**{key: value for key, value in self._values.items() if key not in names})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a new dict."""
        return {name: copy_value(value) for name, value in self._values.items()}

    def __getattr__(self, name: str) -> Any:
        if name in _ELSEWHERE and name not in self._values:
            raise AttributeError(f"an example has no {name}: {_ELSEWHERE[name]}")
        if name.startswith("_") or name not in self._values:
            known = "" if name.startswith("_") else f"; it has {', '.join(self._values) or 'none'}"
            raise AttributeError(f"the example has no field {name!r}{known}")
        return copy_value(self._values[name])

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenError(f"an example cannot be changed (tried to set {name!r}); use with_()")

    def __delattr__(self, name: str) -> None:
        raise FrozenError(f"an example cannot be changed (tried to delete {name!r})")

    def __getitem__(self, name: str) -> Any:
        return copy_value(self._values[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Example):
            return NotImplemented
        return self is other or self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self._values,))

    def __repr__(self) -> str:
        return f"Example({list_short(self._values.items(), 600)})"

    def _repr_html_(self) -> str:
        return render_card("Example", self._values.items())


class ExampleList(list[Example]):
    """A list of examples with a short repr, however many there are."""

    def __repr__(self) -> str:
        shown = "".join(f"\n  {shorten(repr(example), 250)}," for example in self[:3])
        more = f"\n  ... {len(self) - 3:,} more" if len(self) > 3 else ""
        return f"[{shown}{more}\n]" if self else "[]"

    def _repr_html_(self) -> str:
        names = tuple(dict.fromkeys(name for example in self[:10] for name in example))
        rows = [[example.to_dict().get(name, "") for name in names] for example in self[:10]]
        note = f"the first 10 of {len(self):,}" if len(self) > 10 else ""
        return render_card(f"{len(self):,} examples", heads=names, rows=rows, note=note)


def _rebuild(values: dict[str, Any]) -> Example:
    return Example(**values)


def copy_value(value: Any) -> Any:
    """Return a copy of lists, dicts and sets, however deep; anything else as it is."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is list:
        return [copy_value(item) for item in value]
    if kind is dict:
        return {key: copy_value(item) for key, item in value.items()}
    return set(value) if kind is set else value


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of an example as the plain data that its digest is about.

    Raises:
        ExampleError: A value has no distinct plain form.
    """
    plain: dict[str, Any] = json.loads(_canonical_text(values))
    return plain


def _sha256(values: Mapping[str, Any]) -> str:
    # Half a surrogate pair cannot be encoded, but such examples must be comparable.
    text = _canonical_text(values)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical_text(values: Mapping[str, Any]) -> str:
    try:
        try:
            return json.dumps(values, sort_keys=True, ensure_ascii=False, default=_plain)
        except TypeError:  # keys that JSON does not allow, such as dates
            return json.dumps(
                _with_text_keys(values), sort_keys=True, ensure_ascii=False, default=_plain
            )
    except TypeError as error:  # keys that cannot be sorted
        raise ExampleError(f"the example {list(values)} has no digest: {error}") from None


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, Mapping):
        named = {_key(key): _with_text_keys(item) for key, item in value.items()}
        if len(named) < len(value):
            raise TypeError("two of its keys are written alike")
        return named
    if isinstance(value, (list, tuple)):
        return [_with_text_keys(item) for item in value]
    return value


def _key(key: Any) -> Any:
    if key is None or isinstance(key, (str, int, float)):
        return key
    plain = _plain(key)
    return plain if isinstance(plain, (str, int, float)) else repr(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if isinstance(value, Mapping):  # an example or a prediction, whose repr is shortened
        return {type(value).__name__: dict(value)}
    if _holds_set(value):  # pydantic writes sets in a different order in each process
        return _members(value)
    try:
        return to_jsonable_python(value)
    except (PydanticSerializationError, ValueError):
        shown: object = type(value).__repr__
        if shown is object.__repr__:  # it has an address, not a value
            raise ExampleError(
                f"an example holds a {type(value).__name__}, which has no plain form to "
                "compare: use plain data, a dataclass or a pydantic model"
            ) from None
        return repr(value)


def _members(value: Any) -> Mapping[str, Any] | None:
    """Return the members of a model or a dataclass, or ``None``."""
    if isinstance(value, BaseModel):
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    return None


def _holds_set(value: Any) -> bool:
    if isinstance(value, (set, frozenset)):
        return True
    inside = value if isinstance(value, Mapping) else _members(value)
    if inside is not None:
        return any(_holds_set(item) for item in inside.values())
    return isinstance(value, (list, tuple)) and any(_holds_set(item) for item in value)


def dataset_digest(examples: Iterable[Example]) -> str:
    """Return the SHA-256 over the examples' digests, in their order."""
    total = hashlib.sha256()
    for example in examples:
        total.update(example.digest.encode())
    return total.hexdigest()
