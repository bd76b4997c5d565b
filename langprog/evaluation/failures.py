"""Why a row has no prediction, and whose fault it is.

A transport failure says nothing about the program: such a row is missing data, be it of a model or
of a service that the program calls itself. A failure to use
the model's answer is the program's own: such a row scores 0. A failure that every row would share
(a wrong key, wrong data) stops the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from traceback import walk_tb
from typing import Literal

from langprog.errors import (
    AuthError,
    BadRequestError,
    BudgetExceeded,
    CheckError,
    ContentFilterError,
    ContextWindowError,
    InputError,
    LangprogError,
    LMError,
    MetricError,
    ModelError,
    ParseError,
    SandboxError,
    SignatureError,
    TransportError,
    TruncatedError,
)
from langprog.lm import redact
from langprog.modules import Reading, TraceStep
from langprog.runtime import ask, is_outage

FailureKind = Literal[
    "transport", "budget", "truncated", "parse", "check", "refused", "error", "judge", "metric"
]

# The first match counts; any other LMError is not a wrong answer either.
_KINDS: tuple[tuple[type[Exception], FailureKind], ...] = (
    (TransportError, "transport"),
    (BudgetExceeded, "budget"),
    (TruncatedError, "truncated"),
    (ParseError, "parse"),
    (CheckError, "check"),
    (ContextWindowError, "refused"),
    (ContentFilterError, "refused"),
    (LMError, "transport"),
)
_MISSING: frozenset[FailureKind] = frozenset({"transport", "budget", "metric"})
_STOPS = (AuthError, BadRequestError, ModelError, MetricError, SandboxError, SignatureError)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an example has no prediction, or its prediction no score.

    ``transport`` (of a model, or of a service that the program calls), ``budget``, ``judge`` and
    ``metric`` are not wrong answers: such a row has no score. The others are the program's own
    failures and get the worst score of the metric.

    Args:
        kind: ``transport``, ``budget``, ``truncated`` (cut off at the limit of tokens), ``parse``,
            ``check`` (an answer fails a check, also after it was asked for again), ``refused``
            (context window or content filter), ``error`` (the program's own code raised),
            ``judge`` (a model that the metric calls gave no verdict) or ``metric`` (the metric's
            own code raised).
        message: What happened; without keys and passwords.
        path: The predictor where it happened; empty if unknown.
    """

    kind: FailureKind
    message: str
    path: str = ""

    @property
    def missing(self) -> bool:
        """Whether the row says nothing about the program, so that it has no score."""
        return self.kind in _MISSING


def find_stop(error: Exception, steps: tuple[TraceStep, ...]) -> Exception | None:
    """Return the error that every further row would raise, if ``error`` is or hides one.

    Args:
        error: What the program raised.
        steps: The predictors' calls before it.
    """
    if _kind_of(error) is not None:
        return None
    for cause in _chain(error):
        if isinstance(cause, _STOPS):
            return cause
    if isinstance(error, InputError) and not any(step.completions for step in steps):
        return error  # no model has answered yet, so the data or the wiring is wrong
    return None


def describe_failure(error: Exception, steps: tuple[TraceStep, ...]) -> Failure:
    """Return what kind of failure ``error`` is.

    A transport failure that the program's code wraps, or that is in an exception group, is still
    one; scoring it 0 would blame the program.
    """
    kind = _kind_of(error)
    if kind is None:
        inside = [known for known in map(_kind_of, _chain(error)) if known is not None]
        kind = next((known for known in inside if known in _MISSING), None)
        if kind is None and isinstance(error, ExceptionGroup) and len(set(inside)) == 1:
            kind = inside[0]
    shown: BaseException = error
    if isinstance(error, ExceptionGroup):  # its own message says only how many it has
        members = [each for each in _chain(error) if not isinstance(each, BaseExceptionGroup)]
        shown = next(each for each in members if kind in (None, _kind_of(each)))
    named = f"{type(shown).__name__}: {shown}"
    if kind is None:
        return Failure("error", redact(named))
    # The messages of Python's own exceptions say little without their names.
    said = str(shown) if isinstance(shown, LangprogError) else named
    return Failure(kind, redact(said), _last_failed(steps))


def _last_failed(steps: tuple[TraceStep, ...]) -> str:
    failed = [step.path for step in steps if step.failure not in (None, "cancelled")]
    return failed[-1] if failed else ""


def describe_judge_failure(error: Exception) -> Failure | None:
    """Return the failure if ``error``, raised by a metric, comes from what it called.

    Raises:
        AuthError: The metric's model does not accept the key; likewise a bad request or a wrong
            model name raise their errors.
    """
    for cause in _chain(error):
        if isinstance(cause, (AuthError, BadRequestError, ModelError)):
            raise cause
        kind = _kind_of(cause)
        if kind is not None:
            kind = kind if kind in _MISSING else "judge"
            if isinstance(cause, LangprogError):
                return Failure(kind, redact(f"the metric's model failed: {cause}"))
            what = f"the metric could not be computed: {type(cause).__name__}: {cause}"
            return Failure(kind, redact(what))
    return None


def find_caught_failure(steps: tuple[TraceStep, ...], by: str = "the program") -> Failure | None:
    """Return a failure that the program or the metric caught, so that its result does not count.

    An outage or a spent budget behind a ``try`` is still missing data, unless the call was
    repeated with the same inputs and then answered.

    Args:
        steps: The predictors' calls.
        by: Who caught it, for the message.

    Raises:
        AuthError: An endpoint did not accept the key; likewise other errors that every further row
            would raise.
    """
    for number, step in enumerate(steps):
        if step.failed_with is None or _was_repeated(step, steps[number + 1 :]):
            continue
        message = redact(f"{by} caught a failed call of {step.path!r}: {step.failure}")
        if issubclass(step.failed_with, (AuthError, ModelError)):
            raise step.failed_with(message)
        kind = next((kind for known, kind in _KINDS if issubclass(step.failed_with, known)), None)
        if not issubclass(step.failed_with, LangprogError) and not step.completions:
            kind = "transport"  # the model's own code raised instead of replying
        if kind in _MISSING:
            assert kind is not None
            return Failure(kind, message, step.path)
    return None


def _was_repeated(failed: TraceStep, later: tuple[TraceStep, ...]) -> bool:
    return any(
        step.failure is None and step.path == failed.path and step.inputs == failed.inputs
        for step in later
    )


def _kind_of(error: BaseException) -> FailureKind | None:
    if isinstance(error, _STOPS):
        return None
    kind = next((kind for known, kind in _KINDS if isinstance(error, known)), None)
    if kind is None and (is_outage(error) or _is_raised_by_model(error)):
        return "transport"
    return kind


def _is_raised_by_model(error: BaseException) -> bool:
    """Return whether an exception of another kind came out of a model's own code.

    Whatever is wrong there (a bug of a user's model object, say, or of ours), the program has had
    no reply that it could answer with.
    """
    if isinstance(error, LangprogError):
        return False
    codes = {frame.f_code for frame, _ in walk_tb(error.__traceback__)}
    # A reply is read inside the call, with the validators of the program's own types.
    return ask.__code__ in codes and Reading.__call__.__code__ not in codes


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error``, its causes, and the members of exception groups."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting.extend(link.exceptions)
        inner = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        if inner is not None:
            waiting.append(inner)
