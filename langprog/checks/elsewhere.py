"""Names of checks in other libraries, and what there is here instead."""

from __future__ import annotations

from types import MappingProxyType

from langprog.hints import Words

_RANGE = "write lp.checks.in_range(field, low, high)"
_VALUES = "write lp.checks.one_of(field, values)"
_SCHEMA = "write lp.checks.json_schema(field, schema)"
_PATTERN = "write lp.checks.regex(field, pattern)"
_MOST = "write lp.checks.length(field, most=...)"
_LEAST = "write lp.checks.length(field, least=...)"

NAMES: Words = MappingProxyType(
    {
        **dict.fromkeys(("between", "ge", "le", "range"), _RANGE),
        **dict.fromkeys(("choice", "choices", "enum", "isin"), _VALUES),
        **dict.fromkeys(("json", "schema", "valid_json"), _SCHEMA),
        **dict.fromkeys(("match", "matches", "pattern"), _PATTERN),
        **dict.fromkeys(("max_len", "max_length"), _MOST),
        **dict.fromkeys(("min_len", "min_length", "not_empty"), _LEAST),
        "pii": "write lp.checks.no_pii(field)",
    }
)
