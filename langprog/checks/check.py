"""A check: what an answer has to satisfy, and what the model is told if it does not."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from langprog.errors import InputError
from langprog.hints import with_hints
from langprog.knobs import check_argument, takes_whole

Level = Literal["require", "suggest"]
LEVELS = ("require", "suggest")

# How often an answer may be asked for again, at most: each time costs a call.
MOST_REASKS = 10

# How often it is by default.
REASKS = 2

Function = Callable[..., bool | str | Awaitable[bool | str]]


class Rule(Protocol):
    """A built-in check, which is plain data."""

    @property
    def kind(self) -> str:
        """Its name in ``lp.checks``."""
        ...

    @property
    def field(self) -> str:
        """The field that it looks at."""
        ...

    def options(self) -> dict[str, Any]:
        """Return its other arguments as plain JSON data."""
        ...

    def find_problem(self, value: Any) -> str | None:
        """Return what is wrong with a value, for the model; ``None`` if it passes."""
        ...


@dataclass(frozen=True, init=False)
class Check:
    r"""What every answer of a predictor has to satisfy.

    The function receives the fields that its parameters name, inputs and outputs alike. It returns
    whether the answer passes, or a text that says what is wrong with this one, which is then sent
    instead of the message (an empty text passes). It may be asynchronous, and may call a program.

    An answer that fails is sent back with the message, up to ``reasks`` times (an argument of
    Predict). If the last answer fails as well, a ``require`` raises a CheckError; a ``suggest``
    lets it pass, with a note in the trace and in ``usage.unmet``.

    Follows: DSPy Assertions (Singhvi et al., 2023). Differs: a check belongs to the predictor and
    travels in the artifact; a re-ask continues the conversation instead of adding fields to the
    signature, so the prompt of a first call is the same with and without checks.

    Example::

        import langprog as lp

        program = lp.Predict(
            "ticket -> summary",
            checks=[
                lp.Check(lambda summary: len(summary) <= 30, "use at most 30 characters"),
                lp.checks.no_pii("summary", level="suggest"),
            ],
        )
        model = lp.ScriptedLM(
            ["[[summary]]\nA customer was charged twice in May", "[[summary]]\nCharged twice"]
        )
        with lp.using(lm=model):
            answer = program(ticket="I was charged twice in May.")
        assert (answer.summary, answer.usage.reasks) == ("Charged twice", 1)

    Args:
        function: Looks at an answer; each parameter is a field of the signature.
        message: What the model is told about an answer that fails.
        level: ``require`` or ``suggest``.
        name: Its name in traces and artifacts; by default that of the function.

    Raises:
        InputError: An argument is invalid.
    """

    message: str
    level: Level
    name: str
    function: Function | None = field(default=None)
    rule: Rule | None = field(default=None)

    @with_hints({})
    def __init__(
        self,
        function: Function,
        message: str,
        *,
        level: Level = "require",
        name: str | None = None,
    ) -> None:
        if not callable(function):
            raise InputError(f"lp.Check takes a function, not {function!r:.60}")
        named = name or getattr(function, "__name__", type(function).__name__)
        if not isinstance(named, str):
            raise InputError(f"the name of a check must be text, not {named!r:.60}")
        _fill(self, check_message(message, "lp.Check"), level, named, function=function)
        parameters_of(self)

    @classmethod
    def of_rule(cls, rule: Rule, message: str | None, level: Level) -> Check:
        """Return a built-in check.

        Args:
            rule: The check as data.
            message: What the model is told; by default what the rule says about the value.
            level: ``require`` or ``suggest``.
        """
        check = cls.__new__(cls)
        said = "" if message is None else check_message(message, f"lp.checks.{rule.kind}")
        _fill(check, said, level, f"{rule.kind}({rule.field})", rule=rule)
        return check

    @property
    def required(self) -> bool:
        """Whether an answer that fails does not count."""
        return self.level == "require"

    def __str__(self) -> str:
        """Return what it says, on one line."""
        said = self.message
        if not said and self.rule is not None:
            given = self.rule.options().items()
            said = ", ".join(f"{name}={value!r:.80}" for name, value in given if value is not None)
        return f"{self.level} {self.name}{f': {said}' if said else ''}"

    def __repr__(self) -> str:
        return f"Check({self.name}, {self.level})"


def _fill(
    check: Check,
    message: str,
    level: Any,
    name: str,
    function: Function | None = None,
    rule: Rule | None = None,
) -> None:
    if level not in LEVELS:
        raise InputError(f"level of the check {name!r} must be require or suggest, not {level!r}")
    values = {"message": message, "level": level, "name": name, "function": function, "rule": rule}
    for key, value in values.items():
        object.__setattr__(check, key, value)


def parameters_of(check: Check) -> tuple[dict[str, bool], bool]:
    """Return the fields that a check looks at, with whether each is needed, and if it takes all.

    Raises:
        InputError: Its function has parameters that cannot be passed by name.
    """
    if check.rule is not None:
        return {check.rule.field: True}, False
    assert check.function is not None
    try:
        parameters = inspect.signature(check.function).parameters.values()
    except (TypeError, ValueError):
        raise InputError(
            f"the parameters of the check {check.name!r} cannot be read: wrap it, "
            "lp.Check(lambda answer: ..., ...), where answer is a field"
        ) from None
    names: dict[str, bool] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise InputError(
                f"the check {check.name!r} takes {str(parameter)!r} by position: a check takes "
                "fields by name, like lp.Check(lambda answer: ..., ...)"
            )
        if parameter.kind is not parameter.VAR_KEYWORD:
            names[parameter.name] = parameter.default is parameter.empty
    return names, any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def check_message(message: Any, place: str) -> str:
    """Return a message for the model.

    Raises:
        InputError: It is not a text, or an empty one.
    """
    if not isinstance(message, str) or not message.strip():
        raise InputError(
            f"the message of {place} must be a text that tells the model what to do better, "
            f"not {message!r:.60}"
        )
    return message.strip()


def check_reasks(value: Any, place: str) -> int:
    """Return how often an answer may be asked for again.

    Raises:
        InputError: It is not a whole number from 0 to 10.
    """
    check_argument(place, "reasks", value, takes_whole(0, MOST_REASKS))
    return int(value)
