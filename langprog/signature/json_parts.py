"""Checks the parts of the JSON of a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langprog.errors import InputError, SignatureError
from langprog.signature.formats import read_formatted
from langprog.signature.limits import NUMERIC
from langprog.signature.portable import SETTINGS
from langprog.signature.shapes import FORMATTED

_LENGTHS = ("str_max_length", "str_min_length")
_EXTRA = ("allow", "forbid", "ignore")


def shown(value: Any) -> str:
    """Return a value for an error message, shortened."""
    return f"{value!r:.60}"


def scalar(value: Any) -> Any:
    """Return a choice: a text, a number, a truth value or None.

    Raises:
        SignatureError: It is none.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise SignatureError(
        f"{shown(value)} is not a choice: it must be text, a number, true or null"
    )


def rules_of(data: Mapping[str, Any]) -> list[str]:
    """Return the words of a type's validators.

    Raises:
        SignatureError: They are not a list of texts.
    """
    rules = data.get("rules", [])
    if not isinstance(rules, list) or not all(isinstance(words, str) for words in rules):
        raise SignatureError(f"the rules of a type are texts, not {shown(rules)}")
    return rules


def type_name(value: Any) -> str:
    """Return the name of a type.

    Raises:
        SignatureError: It is none.
    """
    if not isinstance(value, str):
        raise SignatureError(f"{shown(value)} is not the name of a type")
    return value


def label(value: Any) -> str:
    """Return the name of an Enum member, which need not be a Python identifier.

    Raises:
        SignatureError: It is none.
    """
    if not isinstance(value, str) or not value:
        raise SignatureError(f"{shown(value)} is not the name of a member")
    return value


def member_name(value: Any) -> str:
    """Return the name of a record's member.

    Raises:
        SignatureError: It is none.
    """
    if label(value).startswith("__"):
        raise SignatureError(f"{shown(value)} is not the name of a member: Python reserves it")
    return cast(str, value)


def flag_of(data: Mapping[str, Any], name: str) -> bool:
    """Return a boolean; only ``frozen`` is required.

    Raises:
        SignatureError: It is none.
    """
    value = data[name] if name == "frozen" else data.get(name, False)
    if not isinstance(value, bool):
        raise SignatureError(f"{name} of a type is true or false, not {shown(value)}")
    return value


def settings_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a model or a dataclass.

    Raises:
        SignatureError: A setting is unknown or has an invalid value.
    """
    settings = dict(data.get("settings", {}))
    for name, value in settings.items():
        if name == "extra":
            right = value in _EXTRA
        elif name in _LENGTHS:
            right = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        else:
            right = name in SETTINGS and isinstance(value, bool)
        if not right:
            raise SignatureError(
                f"{shown(name)}: {shown(value)} is not a setting that this version knows"
            )
    return settings


def limits_of(limits: dict[str, Any], data: Any) -> dict[str, Any]:
    """Return the limits of a type; those of dates and the like as values.

    Args:
        limits: The limits by name.
        data: The JSON of the type.

    Raises:
        SignatureError: A limit is not a value of the type.
    """
    while isinstance(data, Mapping) and data.get("kind") in ("optional", "bounded"):
        data = data.get("of")
    kind = next((each for each in FORMATTED if each.__name__ == data), None)
    if kind is None:
        return limits
    try:
        return {
            name: read_formatted(kind, value)
            if name in NUMERIC and isinstance(value, str)
            else value
            for name, value in limits.items()
        }
    except ValueError as error:
        raise SignatureError(f"a limit of a type {error}") from None


def wording_of(data: Mapping[str, Any]) -> int:
    """Return the version of a field's wording, 1 by default.

    Raises:
        SignatureError: This version does not know that wording.
    """
    wording = data.get("wording", 1)
    if type(wording) is not int or wording not in (1, 2):
        raise SignatureError(f"{shown(wording)} is not a wording that this version knows")
    return wording


class Unavailable:
    """Placeholder for a function that an artifact names but does not contain.

    Args:
        name: ``package.module:function``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self) -> Any:
        """Raise the error that says what to do.

        Raises:
            InputError: Always.
        """
        raise InputError(
            f"an input is left out whose default comes from your code, {self.name}, which an "
            "artifact does not hold: give the input, or load the program with its Signature "
            "class, lp.load(path, classes=[...])"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unavailable) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def default_factory_of(data: Mapping[str, Any]) -> Unavailable | None:
    """Return the placeholder for a field's default factory, if it has one.

    Raises:
        SignatureError: It is not a name.
    """
    name = data.get("default_factory")
    if name is None:
        return None
    if not isinstance(name, str):
        raise SignatureError(f"{shown(name)} is not the name of a default_factory")
    return Unavailable(name)
