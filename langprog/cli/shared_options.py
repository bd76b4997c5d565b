"""Options that several commands take, declared once."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])


def with_options_of(source: Callable[..., Any]) -> Callable[[Command], Command]:
    """Give a command the options of a function, in place of its ``**options``.

    Args:
        source: The function; its keyword-only parameters are the options.
    """

    def decorate(command: Command) -> Command:
        hints = {
            **typing.get_type_hints(source, include_extras=True),
            **typing.get_type_hints(command, include_extras=True),
        }
        options = [each for each in _parameters(source) if each.kind is each.KEYWORD_ONLY]
        own = [each for each in _parameters(command) if each.kind is not each.VAR_KEYWORD]
        listed = [
            each.replace(kind=each.KEYWORD_ONLY, annotation=hints[each.name])
            for each in (*own, *options)
        ]
        names = {each.name for each in listed}
        signature = inspect.Signature(listed, return_annotation=hints["return"])
        vars(command)["__signature__"] = signature
        command.__annotations__ = {
            name: hint for name, hint in hints.items() if name in names or name == "return"
        }
        return command

    return decorate


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())
