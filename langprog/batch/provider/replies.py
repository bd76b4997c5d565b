"""What the replies of a batch mean for its requests."""

from __future__ import annotations

from langprog.batch.provider.queues import Queue
from langprog.batch.provider.state import Answer
from langprog.errors import (
    BadRequestError,
    ContentFilterError,
    ContextWindowError,
    LMError,
    ServerError,
    TimeoutError,
    TruncatedError,
)
from langprog.lm import BatchReply, Cost, ProviderBatch

# Codes of requests that were not begun.
UNANSWERED = ("batch_expired", "batch_cancelled")
# A batch fails with one of these if too much is waiting at the provider already.
_TOO_MUCH = (
    "token_limit_exceeded",
    "request_limit_exceeded",
    "rate_limit_exceeded",
    "enqueued token",
)
# Errors that asking again would not change.
_FINAL = (BadRequestError, ContextWindowError, ContentFilterError, TruncatedError)


def answers_in(queue: Queue, replies: list[BatchReply]) -> tuple[list[Answer], dict[str, LMError]]:
    """Return replies as answers, and the errors in those whose status is not 200, by request."""
    errors: dict[str, LMError] = {}
    answers = []
    for reply in replies:
        body = queue.client.hide_credentials(reply.body)
        if reply.status == 200:
            cost, final = queue.cost_of(reply), True
        else:
            error = errors[reply.id] = queue.client.error(reply.status, body)
            cost = Cost(calls=float(error.charge != "nothing"))
            final = isinstance(error, _FINAL)
        answers.append(Answer(reply.id, reply.status, body, final, cost))
    return answers, errors


def unanswered_error(queue: Queue, batch: ProviderBatch, unreadable: int) -> LMError:
    """Return the error of a request that has no reply although its batch has ended.

    Args:
        queue: Its model's.
        batch: Its batch.
        unreadable: How many lines of the batch say nothing.
    """
    name = queue.client.name
    if batch.status == "expired":
        return TimeoutError(
            f"{name}: the batch {batch.id} expired before this request was answered",
            model=name,
            charge="nothing",
        )
    noise = f" ({unreadable:,} lines cannot be read)" if unreadable else ""
    return ServerError(
        f"{name}: the batch {batch.id} has no reply to this request{noise}",
        model=name,
        charge="everything",
    )


def is_too_much(batch: ProviderBatch) -> bool:
    """Return whether a batch failed because too much is waiting at the provider already."""
    words = f"{batch.problem_code} {batch.problem}".casefold()
    return any(code in words for code in _TOO_MUCH)
