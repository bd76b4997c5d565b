"""The options that set an optimizer's knobs: ``--proposer``, ``--teacher``, ``--set``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from langprog.errors import InputError
from langprog.lm import LanguageModel
from optimizers import Optimizer

PROPOSER_HELP = "Model that proposes instructions; by default that of --lm."
TEACHER_HELP = "Model that does the runs demonstrations come from; by default the program's own."
SET_HELP = "KNOB=VALUE for the optimizer, such as searching.trials=20; may be repeated."


def set_knobs(
    member: Optimizer,
    *,
    proposer: str | LanguageModel | None = None,
    teacher: str | LanguageModel | None = None,
    settings: Sequence[str] = (),
) -> Optimizer:
    """Return an optimizer with the knobs that the command line sets.

    Args:
        member: The optimizer.
        proposer: Model that proposes instructions.
        teacher: Model that does the runs that demonstrations come from.
        settings: Texts ``KNOB=VALUE``. A value is JSON where it reads as such, else a text; a knob
            of a group is ``group.knob``.

    Raises:
        InputError: The optimizer has no such knob, the knob does not take the value, or a knob is
            given twice.
    """
    values: dict[str, Any] = {}
    if proposer is not None:
        values["proposing.model"] = proposer
    if teacher is not None:
        values["teacher"] = teacher
    for setting in settings:
        knob, equals, text = setting.partition("=")
        if not knob.strip() or not equals:
            raise InputError(f"--set {setting!r:.80}: write KNOB=VALUE")
        if knob.strip() in values:
            raise InputError(f"--set: {knob.strip()!r:.80} is given twice")
        values[knob.strip()] = _read(text)
    for knob, value in values.items():
        option = {"proposing.model": "--proposer", "teacher": "--teacher"}.get(knob, "--set")
        member = _replaced(member, knob.split("."), value, f"{option}: {knob}")
    return member


def _read(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return tuple(value) if isinstance(value, list) else value


def _replaced(owner: Any, path: Sequence[str], value: Any, what: str) -> Any:
    """Return a dataclass with one field, or one of a field, changed."""
    name, rest = path[0], path[1:]
    names = [field.name for field in fields(owner) if field.init]
    if name not in names:
        raise InputError(
            f"{what[:120]}: {type(owner).__name__} has no knob {name!r:.80}; it has: "
            f"{', '.join(names)}"
        )
    if rest:
        group = getattr(owner, name)
        if not is_dataclass(group):
            raise InputError(f"{what[:120]}: {name} of {type(owner).__name__} is not a group")
        value = _replaced(group, rest, value, what)
    return replace(owner, **{name: value})
