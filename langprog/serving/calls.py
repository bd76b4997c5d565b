"""Runs a program for a request: within the limits, and no longer than its client waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
)
from contextlib import (
    AbstractContextManager,
    ExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from typing import Any, TypeVar

from langprog.errors import LangprogError, MetricError, ServerError
from langprog.evaluation import Metric, describe_failure
from langprog.example import Example
from langprog.lm import Admission, Budget, Cost, LanguageModel, Ledger
from langprog.modules import Event, Prediction
from langprog.runtime import using
from langprog.serving.kept_answers import Arm
from langprog.serving.limits import Limits
from langprog.serving.metrics import Metrics
from langprog.serving.refusals import Refusal, describe_cause, refusal_of
from langprog.serving.scoring import score_answers
from langprog.serving.service import Call, Deployment

T = TypeVar("T")
# Refusals that say something about a program, and not about its models' endpoints.
OWN_FAILURES = frozenset(
    {
        "content_filter",
        "context_window",
        "failed_check",
        "internal",
        "timeout",
        "truncated",
        "unreadable_reply",
    }
)
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Log = Callable[[str], None]
Tell = Callable[[Event], Awaitable[None]]


class ClientGone(Exception):
    """The client has closed the connection; nobody waits for an answer."""


@dataclass(frozen=True)
class Answer:
    """A program's answer.

    Args:
        prediction: What the program returned.
        outputs: Its outputs as JSON data.
        seconds: Seconds that it took, the wait for its turn included.
        deployment: Which artifact answered.
    """

    prediction: Prediction
    outputs: dict[str, Any]
    seconds: float
    deployment: Deployment

    def to_json(self, request_id: str) -> dict[str, Any]:
        """Return the body of the response."""
        usage = self.prediction.usage
        return {
            "outputs": self.outputs,
            "digest": self.deployment.digest,
            "request_id": request_id,
            "usage": {
                "calls": usage.calls,
                "cached_calls": usage.cached_calls,
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "dollars": usage.dollars,
                "reused": usage.reused,
                "seconds": round(self.seconds, 6),
            },
        }


class Calls:
    """The calls of programs that a server makes.

    Args:
        limits: The server's limits.
        metrics: Where they are counted.
        log: Told, in one line, why a call failed.
        lm: Model for modules that name none.
        budget: A cap on all calls together.
    """

    def __init__(
        self,
        limits: Limits,
        metrics: Metrics,
        log: Log,
        lm: LanguageModel | str | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.limits, self.metrics, self._log = limits, metrics, log
        self.admission = Admission(
            limits.concurrency + limits.queue, 16 * limits.body, limits.body, limits.upload
        )
        self._lm = lm
        self._ledger = None if budget is None else Ledger(budget)
        self._slots = asyncio.Semaphore(limits.concurrency)
        self.running = 0
        self._work: set[asyncio.Task[Any]] = set()

    # --- a client that waits ---

    async def while_connected(self, receive: Receive, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work`` while the client is there; return when nothing of it is left running.

        Raises:
            ClientGone: The client left, and the work was cancelled.
            Refusal: The server stopped, and the work was cancelled.
        """
        task, leaving = asyncio.create_task(work), asyncio.create_task(_until_gone(receive))
        self._work.add(task)
        try:
            await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ClientGone
            if task.cancelled():
                raise Refusal(503, "stopped", "the server stopped before the answer was there")
            return task.result()
        finally:
            leaving.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
            if not task.cancelled():
                task.exception()  # or asyncio logs that it was never retrieved
            self._work.discard(task)

    def stop(self) -> None:
        """Cancel what is still running: its clients are told that the server stopped."""
        for task in self._work:
            task.cancel()

    # --- a program's call ---

    async def answer(self, call: Call, tell: Tell | None = None) -> Answer:
        """Run a program.

        Args:
            call: The call.
            tell: Told what happens meanwhile.

        Raises:
            Refusal: It failed, or not in time; the message is fit for the client.
        """
        program, ledger, started = call.deployment.loaded.program, Ledger(), time.perf_counter()
        with self._counted(call, ledger, started):
            async with self._turn():
                with self._settings(ledger):
                    if tell is None:
                        prediction = await program.acall(**call.inputs)
                    else:
                        prediction = await _tell_all(program.astream(**call.inputs), tell)
            outputs = call.deployment.interface.write(prediction)
        seconds = time.perf_counter() - started
        return Answer(prediction, outputs, seconds, call.deployment)

    async def score(
        self,
        name: str,
        metric: Metric,
        example: Example,
        answers: Mapping[Arm, Prediction | None],
    ) -> dict[Arm, float]:
        """Return the score of each answer.

        Args:
            name: The program's name.
            metric: The metric.
            example: The inputs and, where it is known, what is right.
            answers: The answers.

        Raises:
            Refusal: There is no score, or not in time.
        """
        ledger, about = Ledger(), {"program": name}
        try:
            async with self._turn():
                with self._settings(ledger):
                    return await score_answers(metric, example, answers)
        except LangprogError as error:
            self._log(f"{name}: not scored: {describe_cause(error)}")
            self.metrics.add("langprog_unscored_total", "Answers without a score.", 1, **about)
            if isinstance(error, MetricError):
                message = "the metric gave no score; the server's log says why"
                raise Refusal(422, "unscored", message) from None
            raise refusal_of(error) from None
        finally:
            paid, add = ledger.paid, self.metrics.add
            add("langprog_scoring_calls_total", "Model calls of metrics.", paid.calls, **about)
            add("langprog_scoring_dollars_total", "Dollars of metrics.", paid.dollars, **about)

    def _settings(self, ledger: Ledger) -> AbstractContextManager[object]:
        """Return the settings of a call, in force inside a ``with`` block."""
        stack = ExitStack()
        stack.enter_context(using(lm=self._lm, budget=self._ledger))
        stack.enter_context(using(budget=ledger))
        return stack

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a place among the calls that run, and limit their time."""
        waiting, limit = True, asyncio.timeout(self.limits.seconds)
        try:
            async with limit, self._slots:
                waiting = False
                self.running += 1
                try:
                    yield
                finally:
                    self.running -= 1
        except TimeoutError:
            if not limit.expired():
                raise
            seconds = self.limits.seconds
            if waiting:
                message = f"no call could be started within {seconds:g} s"
                raise Refusal(429, "busy", message, retry_after=1.0) from None
            raise Refusal(504, "timeout", f"there was no answer within {seconds:g} s") from None

    @contextmanager
    def _counted(self, call: Call, ledger: Ledger, started: float) -> Iterator[None]:
        """Count a call, and turn what it raises into a refusal."""
        failed: bool | None = None  # whoever leaves says nothing about the program
        try:
            yield
            failed = False
        except Exception as error:  # noqa: BLE001 - one request of many: a bug must not end the server
            refusal = refusal_of(_plain_cause(error), unasked=not ledger.uncached.calls)
            failed = True if refusal.kind in OWN_FAILURES else None
            if refusal is not error:
                self._log(f"{call.name}: {refusal.kind}: {describe_cause(error)}")
            raise refusal from None
        finally:
            self._count(call, ledger.paid)
            if failed is not None and call.comparison is not None:
                seconds = time.perf_counter() - started
                call.comparison.add(call.role, failed=failed, seconds=seconds, paid=ledger.paid)

    def _count(self, call: Call, paid: Cost) -> None:
        labels, add = {"program": call.name, "digest": call.deployment.digest}, self.metrics.add
        add("langprog_model_calls_total", "Model calls sent.", paid.calls, **labels)
        add("langprog_tokens_total", "Tokens of model calls.", paid.tokens, **labels)
        add("langprog_dollars_total", "Dollars for model calls.", paid.dollars, **labels)


def _plain_cause(error: Exception) -> Exception:
    """Return the error that decides what a client is told.

    A program's own code may wrap what a model's endpoint raised.
    """
    if isinstance(error, LangprogError):
        return error
    cause = error.__cause__ or error.__context__
    failure = describe_failure(error, ())
    return cause if failure.missing and isinstance(cause, Exception) else error


async def _tell_all(events: AsyncGenerator[Event, None], tell: Tell) -> Prediction:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Prediction):
                return event
            await tell(event)
    raise ServerError("the program's stream ended early")


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
