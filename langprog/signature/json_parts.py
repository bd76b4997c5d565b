"""What stands in the JSON of a type, checked piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langprog.errors import SignatureError
from langprog.signature.portable import SETTINGS

_LENGTHS = ("str_max_length", "str_min_length")
_EXTRA = ("allow", "forbid", "ignore")


def shown(value: Any) -> str:
    """Return a value for a message, cut short."""
    return f"{value!r:.60}"


def scalar(value: Any) -> Any:
    """Return a choice: a text, a number, a truth value or None.

    Raises:
        SignatureError: It is none.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise SignatureError(f"{shown(value)} is no choice: it must be text, a number, true or null")


def rules_of(data: Mapping[str, Any]) -> list[str]:
    """Return the words of a type's validators.

    Raises:
        SignatureError: They are no texts.
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
        raise SignatureError(f"{shown(value)} is no name of a type")
    return value


def label(value: Any) -> str:
    """Return the name of a member; one made from values may be none that Python can write.

    Raises:
        SignatureError: It is none.
    """
    if not isinstance(value, str) or not value:
        raise SignatureError(f"{shown(value)} is no name of a member")
    return value


def member_name(value: Any) -> str:
    """Return the name of a record's member.

    Raises:
        SignatureError: It is none.
    """
    if label(value).startswith("__"):
        raise SignatureError(f"{shown(value)} is no name of a member: Python keeps it for itself")
    return cast(str, value)


def flag_of(data: Mapping[str, Any], name: str) -> bool:
    """Return a truth value: ``frozen`` must be there, others may be left out.

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
        SignatureError: One is not known, or has a value that it cannot have.
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
                f"{shown(name)}: {shown(value)} is no setting of a type that this version knows"
            )
    return settings
