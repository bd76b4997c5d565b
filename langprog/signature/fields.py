"""One field of a signature: its name, role, type, description and constraints."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from langprog.errors import InputError, SignatureError
from langprog.media import Media
from langprog.notebook import list_short
from langprog.signature.annotations import shape_of
from langprog.signature.limits import CLEANING, LIMITS, add_limits
from langprog.signature.marks import FieldRole, hint_for
from langprog.signature.mistakes import describe_mistakes
from langprog.signature.phrases import WORDING, phrase
from langprog.signature.plain_data import PlainWriter, is_special
from langprog.signature.plain_reader import PlainReader, Unfit
from langprog.signature.records import is_named_tuple
from langprog.signature.schemas import Definitions, schema_of
from langprog.signature.shapes import (
    REQUIRED,
    Attachment,
    Bounded,
    Choice,
    Conversation,
    Fixed,
    Listing,
    Mapped,
    Maybe,
    OneOf,
    Plain,
    Record,
    Shape,
    parts_of,
    without_limits,
)
from langprog.signature.validators import make_checkable

_STRICT, _HERE = PlainReader(), Path()
CONSTRAINTS = tuple(name for name in LIMITS if name not in CLEANING)
# Types of values that somebody may give for an undeclared type, which is text.
_OTHERS = (bool, int, float, list, dict)
# Attributes of examples and predictions, and the options of a call.
RESERVED = frozenset(
    {
        "digest",
        "get",
        "items",
        "keys",
        "of",
        "self",
        "to_dict",
        "trace",
        "usage",
        "values",
        "with_",
        "without",
    }
)


@dataclass(frozen=True, eq=False)
class FieldSpec:
    """A field, as a value.

    Args:
        name: The field's name, which identifies it everywhere.
        role: ``"input"`` or ``"output"``.
        annotation: The Python type.
        description: What the field means, as the user describes it.
        constraints: As for :func:`langprog.Input`.
        default: The value of an input that a call omits.
        default_factory: Makes that value, anew for each call.
        wording: The version of the words that describe the type in prompts.

    Raises:
        SignatureError: The name is reserved, the type or a constraint is unknown, or the default
            does not fit.
    """

    name: str
    role: FieldRole
    annotation: Any = str
    description: str = ""
    constraints: Mapping[str, Any] = field(default_factory=dict)
    default: Any = REQUIRED
    default_factory: Callable[[], Any] | None = None
    wording: int = WORDING

    def __post_init__(self) -> None:
        name = self.name
        if not name.isidentifier() or name.startswith("_"):
            raise SignatureError(f"{name!r} is not a field name: {_better_name(name)}")
        if name in RESERVED:
            raise SignatureError(f"the field name {name!r} is taken by langprog: rename it")
        if self.role not in ("input", "output"):
            raise SignatureError(f"field {name!r} is neither input nor output: {self.role!r}")
        if not isinstance(self.description, str):
            raise SignatureError(f"the description of field {name!r} must be text")
        for constraint in self.constraints:
            if constraint not in CONSTRAINTS:
                raise SignatureError(
                    f"field {name!r} has the unknown constraint {constraint!r}; "
                    f"known are {', '.join(CONSTRAINTS)}{hint_for(constraint, self.role)}"
                )
        object.__setattr__(self, "constraints", dict(self.constraints))
        if isinstance(self.shape, Bounded) or self.special:
            _ = self.adapter  # fail now, not at the first call, on what pydantic cannot check
        if self.role == "output" and (self.is_history or self.holds_media):
            raise SignatureError(
                f"field {name!r} is an output, but no model answers with an image, a sound, a "
                "file or a conversation: declare it as an input"
            )
        self._check_default()

    def _check_default(self) -> None:
        if self.default is REQUIRED and self.default_factory is None:
            return
        if self.role == "output":
            raise SignatureError(f"field {self.name!r} is an output, which has no default")
        if self.default_factory is not None and not callable(self.default_factory):
            raise SignatureError(f"field {self.name!r}: its default_factory is not callable")
        if self.default is not REQUIRED:
            try:
                object.__setattr__(self, "default", self.validate(self.default))
            except InputError as error:
                raise SignatureError(f"the default of {error}") from None

    def __eq__(self, other: object) -> bool:
        # Literals compare equal in any order, but models read them in order.
        if not isinstance(other, FieldSpec):
            return NotImplemented
        return (
            self._text == other._text
            and self.constraints == other.constraints
            and self.annotation == other.annotation
            and (self.default, self.default_factory) == (other.default, other.default_factory)
        )

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        parts = [("role", self.role), ("annotation", self.annotation)]
        if self.description:
            parts.append(("description", self.description))
        if self.constraints:
            parts.append(("constraints", self.constraints))
        return f"FieldSpec({self.name!r}, {list_short(parts)})"

    def __getstate__(self) -> dict[str, Any]:
        # Derived attributes are computed again: a validator cannot be pickled.
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @cached_property
    def _text(self) -> tuple[str, ...]:
        return (self.name, self.role, self.description, self.type_phrase)

    @cached_property
    def shape(self) -> Shape:
        """What the type is made of, the constraints included."""
        return add_limits(shape_of(self.annotation, self.name), self.constraints, (), self.name)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """The pydantic validator, with the constraints."""
        annotation = make_checkable(self.annotation)
        if self.constraints:
            annotation = Annotated[annotation, Field(**self.constraints)]
        # A record has its own settings; elsewhere, inf and nan are not allowed.
        bare = without_limits(self.shape)
        settled = isinstance(bare, Record) and not is_named_tuple(bare.type)
        finite = None if settled else ConfigDict(allow_inf_nan=False)
        try:
            return TypeAdapter(annotation, config=finite)
        except (SchemaError, PydanticUserError, TypeError) as error:
            # pydantic's own words come first, those of its core last.
            told = str(error).splitlines()[0 if isinstance(error, PydanticUserError) else -1]
            raise SignatureError(f"field {self.name!r} cannot be checked: {told}") from None

    @cached_property
    def exact(self) -> type | None:
        """The type whose instances need no validation."""
        shape = self.shape
        return shape.type if isinstance(shape, Plain) and shape.type is not float else None

    @cached_property
    def special(self) -> bool:
        """Whether pydantic alone cannot read and write its values."""
        return is_special(self.shape)

    @cached_property
    def holds_media(self) -> bool:
        """Whether its values are, or hold, images, sounds or files."""
        return any(isinstance(part, Attachment) for part in parts_of(self.shape))

    @cached_property
    def is_history(self) -> bool:
        """Whether its values are turns of a conversation, which become messages of the prompt."""
        return Conversation() in (self.shape, getattr(self.shape, "of", None))

    # --- defaults ---

    @property
    def required(self) -> bool:
        """Whether a call must pass it: not if it is Optional or has a default."""
        if self.default is not REQUIRED or self.default_factory is not None:
            return False
        return not isinstance(without_limits(self.shape), Maybe)

    def default_value(self) -> Any:
        """Return its value in a call that omits it.

        Raises:
            InputError: The value from its factory does not fit.
        """
        if self.default_factory is not None:
            return self.validate(self.default_factory())
        return None if self.default is REQUIRED else copy.deepcopy(self.default)

    # --- values ---

    def validate(self, value: Any) -> Any:
        """Return ``value`` as the field's type.

        Raises:
            InputError: It does not fit; the message names the field and what was expected.
        """
        kind = type(value)
        if kind is str and not (value.isascii() or whole_text(value)):
            raise InputError(f"{self.name!r} does not fit: it holds half of a character")
        if kind is self.exact:
            return value
        return self._validate(value, _STRICT)

    def _validate(self, value: Any, reader: PlainReader) -> Any:
        try:
            if self.special:
                value = reader.read(self.shape, value)
            return self.adapter.validate_python(value)
        except ValidationError as error:
            told = f"{self.name!r} does not fit: {describe_mistakes(error)}"
            raise InputError(f"{told}{self._declaration_for(value)}") from None
        except Unfit as error:
            raise InputError(f"{self.name!r} does not fit: {error}") from None
        except RecursionError:
            raise InputError(f"{self.name!r} does not fit: it is nested too deeply") from None

    def _declaration_for(self, value: Any) -> str:
        """Return how a text would be declared that takes such values, if a program gives one."""
        kind = next((each for each in _OTHERS if type(value) is each), None)
        if kind is None or self.role != "input" or self.shape != Plain(str):
            return ""
        words = kind.__name__ if kind is not list else f"list[{_item_type(value)}]"
        return f": declare it, {self.name}: {words}, or give a text"

    def from_row(self, value: Any, folder: Path = _HERE) -> Any:
        """Return a value of a data row as the field's type, reading text as a cell if need be.

        Text may name a file if the field takes files: the rows are the user's own.

        Args:
            value: The value.
            folder: Where files are looked for that are not in the current folder.

        Raises:
            InputError: It does not fit.
        """
        if type(value) is self.exact:
            return value
        try:
            return self._validate(value, PlainReader(folder))
        except InputError:
            if not isinstance(value, str):
                raise
        return self.from_text(value, folder)

    def plain(self, value: Any) -> Any:
        """Return ``value``, checked, as plain JSON data.

        Raises:
            InputError: It does not fit.
        """
        return self.write(value)

    def write(self, value: Any, media: Callable[[Media], Any] = Media.to_plain) -> Any:
        """Return ``value``, checked, as plain JSON data; ``media`` writes images and files.

        Raises:
            InputError: It does not fit.
        """
        checked = self.validate(value)
        if type(checked) is self.exact:
            return checked
        if self.special:
            try:
                return PlainWriter(media).write(self.shape, checked)
            except RecursionError:
                raise InputError(f"{self.name!r} does not fit: it is nested too deeply") from None
        return self.adapter.dump_python(checked, mode="json", round_trip=True)

    def from_text(self, text: str, folder: Path = _HERE) -> Any:
        """Return the value of a table cell; lists and objects are JSON.

        An empty cell of an optional field is None.

        Args:
            text: The cell.
            folder: Where files are looked for that are not in the current folder.

        Raises:
            InputError: It does not fit.
        """
        shape = without_limits(self.shape)
        if isinstance(shape, Maybe):
            if not text:
                return None
            shape = without_limits(shape.of)
        if isinstance(shape, Choice) and text in shape.choices:
            return self.validate(shape.choices[text])
        reader = PlainReader(folder)
        try:
            if isinstance(shape, OneOf):
                return self._validate(reader.cell(shape, text), reader)
            if not isinstance(shape, (Listing, Fixed, Mapped, Record, Conversation)):
                return self._validate(text, reader)
            return self._validate(json.loads(text), reader)
        except Unfit as error:
            raise InputError(f"{self.name!r} does not fit: {error}") from None
        except (json.JSONDecodeError, RecursionError) as error:
            raise InputError(f"{self.name!r} does not fit: not JSON: {error}") from None

    @cached_property
    def type_phrase(self) -> str:
        """The type and its constraints in words, for prompts; empty for plain text."""
        words = phrase(self.shape, self.wording)
        return "" if words == "text" else words

    @cached_property
    def line(self) -> str:
        """The field's line in a prompt."""
        kind = f" ({self.type_phrase})" if self.type_phrase else ""
        meaning = f": {self.description}" if self.description else ""
        return f"- {self.name}{kind}{meaning}"

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the field's values."""
        definitions = Definitions(self.wording)
        return definitions.attach_to(self.schema_within(definitions))

    def schema_within(self, definitions: Definitions) -> dict[str, Any]:
        """Return the JSON schema of the field's values, as part of a larger schema."""
        definitions.wording = self.wording
        schema = schema_of(self.shape, definitions)
        return {**schema, "description": self.description} if self.description else schema


def _item_type(values: list[Any]) -> str:
    kinds = {type(value) for value in values}
    kind = kinds.pop() if len(kinds) == 1 else str
    return kind.__name__ if kind in (str, int, float, bool, dict) else "str"


def _better_name(name: str) -> str:
    words = "_".join(re.findall(r"\w+", name)).strip("_")
    return f"write {words}" if words.isidentifier() else "use a Python identifier"


def whole_text(text: str) -> bool:
    """Return whether ``text`` can be encoded: half a surrogate pair cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
