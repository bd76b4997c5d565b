"""What follows an answer while an artifact is on trial: asking the other one, and scores."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from langprog.errors import LangprogError, MetricError
from langprog.evaluation import Metric, check_scorable
from langprog.example import Example
from langprog.lm import redact
from langprog.modules import Prediction
from langprog.serving.calls import OWN_FAILURES, Answer, Calls
from langprog.serving.feedback import Feedback
from langprog.serving.kept_answers import Arm, KeptAnswer, Place
from langprog.serving.refusals import Refusal
from langprog.serving.requests import canonical
from langprog.serving.service import Call, Service


class Trials:
    """Asks the other artifact in the background, bounded, and scores what both answered.

    Args:
        calls: Runs programs and metrics.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(
        self, service: Service, call: Call, place: Place, *, tell: Any = None
    ) -> Answer:
        """Answer a request, and begin what follows it.

        Args:
            service: The service.
            call: The call that answers.
            place: Where feedback finds the answer.
            tell: Told what happens meanwhile.

        Raises:
            Refusal: The call failed.
        """
        try:
            answer = await self._calls.answer(call, tell)
        except Refusal as refusal:
            if call.comparison is not None and refusal.kind in OWN_FAILURES:
                self._follow(service, call, place, None)
            raise
        if call.comparison is not None:
            self._follow(service, call, place, answer)
        return answer

    def _follow(self, service: Service, call: Call, place: Place, answer: Answer | None) -> None:
        assert call.comparison is not None
        if call.comparison.paired and not call.shadowed:
            return
        if call.shadowed and len(self._tasks) >= self._calls.limits.concurrency:
            what = "Requests that only one of the artifacts was asked about."
            name = "langprog_shadows_skipped_total"
            self._calls.metrics.add(name, what, 1, program=service.name)
            return
        size = len(canonical(call.data)) + (0 if answer is None else len(str(answer.outputs)))
        kept = KeptAnswer(call.inputs, size, int(call.shadowed))
        kept.answers[call.role] = None if answer is None else _without_trace(answer)
        call.comparison.answers.keep(place, kept)
        if call.shadowed:
            self._start(self._ask_other(service, call, place, kept, answer))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_other(
        self,
        service: Service,
        answered: Call,
        place: Place,
        kept: KeptAnswer,
        answer: Answer | None,
    ) -> None:
        role: Arm = "canary" if answered.role == "stable" else "stable"
        comparison = answered.comparison
        call = service.call(role, answered.data)
        other: Answer | None = None
        try:
            other = await self._calls.answer(call)
        except Refusal as refusal:
            if refusal.kind not in OWN_FAILURES:
                if comparison is not None:  # an outage says nothing about the program
                    comparison.answers.take(place)
                return
        # A swap in the meantime has begun a new comparison.
        if comparison is None or comparison is not call.comparison:
            return
        kept.answers[role], kept.awaited = None if other is None else _without_trace(other), 0
        outputs: dict[Arm, Mapping[str, Any] | None] = {
            answered.role: None if answer is None else answer.outputs,
            role: None if other is None else other.outputs,
        }
        comparison.add_answers(outputs["stable"], outputs["canary"])
        trial = service.trial
        if trial is not None and trial.judge is not None:
            comparison.answers.take(place)
            await self._score_later(call, trial.judge, kept, Example(**kept.inputs))
        elif trial is not None and kept.label is not None:
            comparison.answers.take(place)
            await self._score_later(call, trial.metric, kept, kept.label)

    async def _score_later(
        self, call: Call, metric: Metric, kept: KeptAnswer, example: Example
    ) -> None:
        try:
            await self._score(call, metric, kept, example)
        except LangprogError:
            return  # logged and counted; such a pair is missing

    async def _score(self, call: Call, metric: Metric, kept: KeptAnswer, example: Example) -> None:
        """Score what was answered.

        Raises:
            LangprogError: The metric gave no score.
        """
        scores = await self._calls.score(call.name, metric, example, kept.answers)
        comparison = call.comparison
        assert comparison is not None
        if comparison.paired:
            comparison.add_scores(scores["stable"], scores["canary"])
        else:
            comparison.add_score(*scores.popitem())

    async def learn(self, service: Service, feedback: Feedback) -> bool:
        """Use what a client says about an answer; returns whether it is scored already.

        Args:
            service: The service.
            feedback: What is said.

        Raises:
            Refusal: It cannot be used.
        """
        trial, comparison = service.trial, service.comparison
        assert trial is not None
        if trial.judge is not None:
            raise Refusal(409, "not_used", "answers are judged without feedback here")
        if feedback.score is not None and comparison.paired:
            message = (
                "two answers are compared, and the score is about one: send 'expected', the right "
                "outputs"
            )
            raise Refusal(422, "invalid_input", message, field="score")
        kept = comparison.answers.get(feedback.place)
        if kept is None:
            message = (
                "no answer with that id waits for feedback: the latest that were compared do, "
                "each for one"
            )
            raise Refusal(404, "unknown_request", message, field="request_id")
        if feedback.score is not None:
            comparison.answers.take(feedback.place)
            (role,) = kept.answers
            comparison.add_score(role, feedback.score)
            return True
        example = Example(**kept.inputs, **(feedback.expected or {}))
        if kept.awaited:
            kept.label = example
            return False
        try:
            check_scorable(trial.metric, service.stable.loaded.program, [example])
        except MetricError as error:
            raise Refusal(422, "invalid_input", redact(str(error)), field="expected") from None
        comparison.answers.take(feedback.place)
        call = Call(service.name, "stable", service.stable, None, kept.inputs, comparison)
        try:
            await self._score(call, trial.metric, kept, example)
        except BaseException:  # also where the client has left: it may ask again
            comparison.answers.keep(feedback.place, kept)
            raise
        return True

    async def close(self) -> None:
        """Cancel what is still running."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _without_trace(answer: Answer) -> Prediction:
    """Return what a metric reads; prompts and replies would fill the memory."""
    return Prediction.of(answer.prediction, answer.prediction.usage, ())
