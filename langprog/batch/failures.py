"""What an error means: a failed row in the output, or the end of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langprog.errors import (
    AuthError,
    BadRequestError,
    BudgetExceeded,
    InputError,
    ModelError,
)
from langprog.evaluation import describe_failure, find_stop, redact


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a row.

    Args:
        outputs: The program's outputs as JSON data; ``None`` if it failed.
        kind: The kind of failure; empty if there is none.
        message: What happened, without keys and passwords.
        error: An ``AuthError``, whose meaning depends on other rows.
    """

    outputs: dict[str, Any] | None = None
    kind: str = ""
    message: str = ""
    error: Exception | None = None

    def record(self, number: int, key: str, kept: dict[str, Any]) -> dict[str, Any]:
        """Return the line of the output for one row."""
        result: dict[str, Any] = {"key": key, "row": number, **kept}
        if self.kind:
            result["failure"] = {"kind": self.kind, "message": self.message}
        else:
            result["outputs"] = self.outputs
        return result


def outcome_of(error: Exception) -> Outcome:
    """Return what an error means for its row.

    Raises:
        ModelError: No row can run: a model is unknown, or has no key or price.
        BudgetExceeded: The budget is spent.
    """
    stopping = find_stop(error, ())
    if isinstance(stopping, ModelError):
        raise stopping
    if isinstance(stopping, AuthError):
        return Outcome(kind="auth", message=redact(str(stopping)), error=stopping)
    if isinstance(stopping, BadRequestError):
        return Outcome(kind="refused", message=redact(str(stopping)))
    if isinstance(error, InputError):
        return Outcome(kind="input", message=redact(str(error)))
    failure = describe_failure(error, ())
    if failure.kind == "budget":
        raise BudgetExceeded(failure.message)
    return Outcome(kind=failure.kind, message=failure.message)


def is_retried(kind: str) -> bool:
    """Return whether the same command retries a failure of that kind."""
    return kind in ("transport", "auth")
