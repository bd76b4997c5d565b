"""Which checks of a predictor an answer fails."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langprog.checks.check import Check, parameters_of
from langprog.errors import CheckError, InputError, LangprogError
from langprog.runtime import call_in_worker
from langprog.signature import SignatureSpec

# Each may take seconds on a long answer.
MOST_CHECKS = 50
# What a function of the user may raise.
_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check that an answer fails.

    Args:
        check: The check.
        message: What is wrong, for the model.
    """

    check: Check
    message: str


def bind_checks(signature: SignatureSpec, checks: Any) -> tuple[Check, ...]:
    """Return the checks of a predictor.

    Raises:
        InputError: There are too many, or one is not a check, or looks at a field that the
            signature does not have or at no output.
    """
    if isinstance(checks, (Check, str, Mapping)) or not isinstance(checks, Sequence):
        raise InputError(f"checks= takes a list, checks=[lp.Check(...)], not {checks!r:.60}")
    if len(checks) > MOST_CHECKS:
        raise InputError(f"a predictor takes up to {MOST_CHECKS} checks, not {len(checks):,}")
    for check in checks:
        if not isinstance(check, Check):
            raise InputError(
                f"checks= takes lp.Check(function, message) and lp.checks..., not {check!r:.60}"
            )
        _check_fields(signature, check)
    return tuple(checks)


def _check_fields(signature: SignatureSpec, check: Check) -> None:
    names, takes_all = parameters_of(check)
    fields = {**signature.inputs, **signature.outputs}
    for name, needed in names.items():
        if name not in fields and needed:
            raise InputError(
                f"the check {check.name!r} takes {name!r}, which is not a field of "
                f"{signature.name}: its fields are {', '.join(fields)}"
            )
    if not takes_all and not names.keys() & signature.outputs.keys():
        raise InputError(
            f"the check {check.name!r} looks at no output of {signature.name}, so asking again "
            f"could not help: its outputs are {', '.join(signature.outputs)}"
        )


def needed_outputs(signature: SignatureSpec, checks: Sequence[Check]) -> set[str]:
    """Return the outputs that checks look at."""
    return {
        name for check in checks for name in parameters_of(check)[0] if name in signature.outputs
    }


async def find_failed(checks: Sequence[Check], values: Mapping[str, Any]) -> list[FailedCheck]:
    """Return the checks that an answer fails, in their order.

    Args:
        checks: The checks.
        values: Inputs and outputs by field name.

    Raises:
        InputError: A check raised an exception, or returned neither a bool nor a text. What a
            program that it calls raises stays what it is.
    """
    failed = []
    for check in checks:
        message = await _find_problem(check, values)
        if message is not None:
            failed.append(FailedCheck(check, message))
    return failed


async def _find_problem(check: Check, values: Mapping[str, Any]) -> str | None:
    if check.rule is not None:
        problem = check.rule.find_problem(values[check.rule.field])
        return None if problem is None else check.message or problem
    assert check.function is not None
    names, takes_all = parameters_of(check)
    given = {name: value for name, value in values.items() if takes_all or name in names}
    try:
        verdict: Any = await call_in_worker(check.function, **given)
        if inspect.isawaitable(verdict):
            verdict = await verdict
    except CheckError as error:
        if error.text:  # about an answer of a program that it calls
            raise
        return str(error)  # lp.require in the check itself
    except LangprogError:
        raise  # of a model that it calls, say
    except _FAILURES as error:
        raise InputError(
            f"the check {check.name!r} raised {type(error).__name__}: {error}"
        ) from error
    return _read_verdict(check, verdict)


def _read_verdict(check: Check, verdict: Any) -> str | None:
    if isinstance(verdict, str):
        return verdict.strip() or None
    if type(verdict).__name__ in ("bool", "bool_"):  # Python's and numpy's
        return None if verdict else check.message
    raise InputError(
        f"the check {check.name!r} returned a {type(verdict).__name__}: it must return True, "
        "False, or a text that says what is wrong"
    )


def join_messages(failed: Sequence[FailedCheck]) -> str:
    """Return one text with the messages of all failed checks, each once."""
    return "; ".join(dict.fromkeys(each.message.rstrip(".; ") for each in failed))
