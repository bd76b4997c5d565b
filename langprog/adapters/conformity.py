"""Whether a reply follows a schema exactly."""

from __future__ import annotations

import json
from typing import Any

from langprog.errors import InputError
from langprog.lm import Completion
from langprog.signature import SignatureSpec
from langprog.strict_json import strict_json


def conforms(signature: SignatureSpec, completion: Completion) -> bool:
    """Return whether a completion is JSON that fits the outputs' schema exactly.

    This shows that an endpoint enforces a response schema. Words or a code fence around the
    object, an additional key or a number in quotes, which adapters accept, do not conform.

    Args:
        signature: The signature whose schema, from the adapter ``json``, was requested.
        completion: The reply.
    """
    if completion.finish_reason != "stop" or completion.first_tool_calls:
        return False
    try:
        data = strict_json(completion.text)
    except ValueError:
        return False
    fields = signature.outputs
    if not isinstance(data, dict) or data.keys() != fields.keys():
        return False
    try:
        return all(_alike(data[name], field.plain(data[name])) for name, field in fields.items())
    except InputError:
        return False


def _alike(said: Any, meant: Any) -> bool:
    """Return whether the data in a reply equals its validated form.

    A key may be missing if the type has a default for it.
    """
    if isinstance(said, dict) and isinstance(meant, dict):
        return said.keys() <= meant.keys() and all(
            _alike(value, meant[key]) for key, value in said.items()
        )
    if isinstance(said, list) and isinstance(meant, list):
        if len(said) == len(meant) and all(map(_alike, said, meant)):
            return True
        return sorted(map(_text, said)) == sorted(map(_text, meant))  # a set has no order
    if isinstance(said, bool) or isinstance(meant, bool):
        return said is meant
    if isinstance(said, (int, float)) and isinstance(meant, (int, float)):
        return said == meant
    return type(said) is type(meant) and bool(said == meant)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
