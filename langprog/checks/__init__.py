"""Checks of a model's answers, as ``lp.checks``: what every answer of a predictor has to satisfy.

- ``check``: :class:`Check`, a function that looks at an answer and a message for the model.
- ``built_in``: the built-in checks, which are plain data: :func:`regex`, :func:`in_range`,
  :func:`length`, :func:`one_of`, :func:`json_schema`, :func:`no_pii` (``rules``: what they do).
- ``patterns``, ``schemas``, ``personal_data``: what the built-in checks are made of.
- ``running``: which checks an answer fails. ``data``: checks in artifacts.
"""

from typing import Any

from langprog.checks.built_in import in_range, json_schema, length, no_pii, one_of, regex
from langprog.checks.check import MOST_REASKS, REASKS, Check, Level, check_message, check_reasks
from langprog.checks.data import CheckData, FindFunction, check_from_data, check_to_data
from langprog.checks.elsewhere import NAMES
from langprog.checks.patterns import LONGEST_TEXT, Pattern
from langprog.checks.running import (
    FailedCheck,
    bind_checks,
    find_failed,
    join_messages,
    needed_outputs,
)
from langprog.checks.schemas import Schema
from langprog.hints import missing_name

__all__ = [
    "Check",
    "CheckData",
    "FailedCheck",
    "FindFunction",
    "LONGEST_TEXT",
    "Level",
    "MOST_REASKS",
    "Pattern",
    "REASKS",
    "Schema",
    "bind_checks",
    "check_from_data",
    "check_message",
    "check_reasks",
    "check_to_data",
    "find_failed",
    "in_range",
    "join_messages",
    "json_schema",
    "length",
    "needed_outputs",
    "no_pii",
    "one_of",
    "regex",
]


def __getattr__(name: str) -> Any:
    raise missing_name("module 'langprog.checks'", name, NAMES, __all__)
