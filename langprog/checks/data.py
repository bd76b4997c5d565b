"""Checks as data, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from langprog.checks.built_in import in_range, json_schema, length, no_pii, one_of, regex
from langprog.checks.check import Check, Level
from langprog.errors import ArtifactError

CODE = "code"
_MAKERS: Mapping[str, Callable[..., Check]] = MappingProxyType(
    {
        "regex": regex,
        "in_range": in_range,
        "length": length,
        "one_of": one_of,
        "json_schema": json_schema,
        "no_pii": no_pii,
    }
)
Kind = Literal["code", "regex", "in_range", "length", "one_of", "json_schema", "no_pii"]


class CheckData(BaseModel):
    """A check in an artifact.

    Args:
        kind: ``code``, or the name of a built-in check.
        message: What the model is told; null for what the built-in check says.
        level: ``require`` or ``suggest``.
        field: The field that a built-in check looks at.
        options: The other arguments of a built-in check.
        name: The name of a check in code.
        function: ``package.module:function`` of a check in code.
        source: Digest of the function's source.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    message: str | None = None
    level: Level = "require"
    field: str | None = None
    options: dict[str, Any] | None = None
    name: str | None = None
    function: str | None = None
    source: str | None = None


FindFunction = Callable[[str, str, str], Callable[..., Any]]
"""Returns a check's function, given its name, its reference and the digest of its source."""


def check_to_data(check: Check, refer: Callable[[Check], tuple[str, str]]) -> dict[str, Any]:
    """Return a check as plain JSON data.

    Args:
        check: The check.
        refer: Returns the reference to a function, and the digest of its source.
    """
    data: dict[str, Any] = {"message": check.message or None, "level": check.level}
    if check.rule is not None:
        rule = check.rule
        return {"kind": rule.kind, "field": rule.field, "options": rule.options(), **data}
    function, source = refer(check)
    return {"kind": CODE, "name": check.name, "function": function, "source": source, **data}


def check_from_data(data: CheckData, find: FindFunction) -> Check:
    """Return the check that an artifact describes.

    Raises:
        ArtifactError: A function is missing or has changed, or the data is incomplete.
        InputError: A built-in check's arguments are invalid.
    """
    if data.kind == CODE:
        if data.name is None or data.function is None or data.source is None or not data.message:
            raise ArtifactError("a check in code needs a name, a function, a source and a message")
        function = find(data.name, data.function, data.source)
        return Check(function, data.message, level=data.level, name=data.name)
    if data.field is None:
        raise ArtifactError(f"a check {data.kind} needs a field")
    try:
        return _MAKERS[data.kind](
            data.field, message=data.message, level=data.level, **(data.options or {})
        )
    except TypeError as error:
        raise ArtifactError(f"the check {data.kind}({data.field}): {error}") from None
