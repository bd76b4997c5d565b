"""JSON schemas of values, checked by ``jsonschema-rs``.

A schema may come from somebody else's artifact. So nothing is fetched from anywhere, patterns run
on an engine that never backtracks, and references, which can make the work grow exponentially,
are counted before: a schema that comes to more than ``MOST_PARTS`` parts is refused. A character
of a pattern is a part, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from langprog.checks.patterns import Pattern
from langprog.errors import InputError

MOST_PARTS = 5_000
DEEPEST = 64
# Keywords that evaluate the parts inside again at every level, or refer to elsewhere.
_UNSUPPORTED = frozenset(
    {
        *("$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "$id", "id"),
        *("unevaluatedItems", "unevaluatedProperties"),
    }
)


class Schema:
    """A JSON schema, ready to check values.

    Args:
        schema: The schema, as plain JSON data.

    Raises:
        InputError: It is invalid or too large, or ``jsonschema-rs`` is not installed.
    """

    def __init__(self, schema: Mapping[str, Any] | bool) -> None:
        if not isinstance(schema, (Mapping, bool)):
            raise InputError(f"a JSON schema is a dict, not {schema!r:.60}")
        try:
            self.plain: Any = json.loads(json.dumps(schema, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"the JSON schema is not plain JSON data: {error}") from None
        _Size(self.plain).check()
        try:
            import jsonschema_rs  # noqa: PLC0415 - an extra
        except ImportError:
            raise InputError(
                "lp.checks.json_schema needs jsonschema-rs: pip install 'langprog[schema]'"
            ) from None
        try:
            self._validator = jsonschema_rs.validator_for(
                self.plain,
                pattern_options=jsonschema_rs.RegexOptions(size_limit=2**20),
                retriever=_refuse_fetching,
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as no:
            raise InputError(f"the JSON schema is invalid: {str(no).splitlines()[0]}") from None

    def find_problem(self, data: Any) -> str | None:
        """Return what is wrong with plain JSON data; ``None`` if it fits."""
        error = next(self._validator.iter_errors(data), None)
        if error is None:
            return None
        place = "".join(f"[{part!r}]" for part in error.instance_path)
        message = str(error.message)
        if len(message) > 300:  # it quotes the value
            message = f"{message[:100]} ... {message[-190:]}"
        return f"{place}: {message}" if place else message


def _refuse_fetching(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not part of the schema, and nothing is fetched")


def _pattern_sizes(part: dict[str, Any]) -> int:
    patterns = [part["pattern"]] if isinstance(part.get("pattern"), str) else []
    inside = part.get("patternProperties")
    if isinstance(inside, dict):
        patterns += inside
    return sum(Pattern(pattern, whole=False).size for pattern in patterns)


class _Size:
    """Counts the parts of a schema with every reference written out."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._known: dict[str, int] = {}
        self._open: set[str] = set()

    def check(self) -> None:
        """Refuse a schema that is too large.

        Raises:
            InputError: It is too large or too deep, or refers to itself or to elsewhere.
        """
        if self._count(self._schema, 0) > MOST_PARTS:
            raise InputError(
                f"the JSON schema comes to more than {MOST_PARTS:,} parts with its references and "
                "patterns written out: write the check as a function, lp.Check(...)"
            )

    def _count(self, part: Any, depth: int) -> int:
        if depth > DEEPEST:
            raise InputError(f"the JSON schema is nested more than {DEEPEST} levels deep")
        if isinstance(part, list):
            return 1 + sum(self._count(each, depth + 1) for each in part)
        if not isinstance(part, dict):
            return 1
        wrong = _UNSUPPORTED & part.keys()
        if wrong:
            raise InputError(f"lp.checks.json_schema does not support {sorted(wrong)[0]!r}")
        total = 1 + _pattern_sizes(part)
        for key, each in part.items():
            is_reference = key == "$ref" and isinstance(each, str)
            total += self._follow(each, depth) if is_reference else self._count(each, depth + 1)
        return total

    def _follow(self, reference: str, depth: int) -> int:
        if reference in self._open:
            raise InputError(
                f"the JSON schema refers to itself ({reference}): declare a recursive type as the "
                "field's type instead"
            )
        if reference not in self._known:
            self._open.add(reference)
            self._known[reference] = self._count(self._target(reference), depth + 1)
            self._open.discard(reference)
        return self._known[reference]

    def _target(self, reference: str) -> Any:
        target: Any = self._schema
        if reference != "#" and not reference.startswith("#/"):
            raise InputError(f"the JSON schema refers to {reference!r:.80}: only '#/...' is known")
        for name in reference.split("/")[1:]:
            name = name.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or name not in target:
                raise InputError(
                    f"the JSON schema refers to {reference!r:.80}, which is not there"
                )
            target = target[name]
        return target
