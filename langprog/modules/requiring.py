"""``lp.require`` and ``lp.suggest``: conditions that a program's own code puts on its answers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langprog.checks import REASKS, Level, check_message, check_reasks
from langprog.errors import CheckError, InputError
from langprog.hints import with_hints
from langprog.modules.backtracking import Call
from langprog.modules.prediction import Prediction
from langprog.modules.trace import recorder
from langprog.runtime import give_notice

if TYPE_CHECKING:
    from langprog.modules.base import Module

_LOST = (
    " (when the code ran again, it called modules with other inputs than before, or with values "
    "that cannot be compared, so that the answer was asked for anew: leave clocks and random "
    "numbers out of them)"
)


@with_hints({"max_retries": "write reasks="})
def require(
    condition: object,
    message: str,
    *,
    at: Module | Prediction | None = None,
    reasks: int = REASKS,
) -> None:
    r"""Demand something of an answer, inside the ``forward`` or ``aforward`` of a Module.

    If the condition is false, the predictor that made the answer is asked again, with the failed
    answer and the message, and ``forward`` runs once more from its start. Calls with the same
    inputs as before return what they returned; so ``forward`` should do nothing but call modules
    and compute. An input that differs from run to run (the time, a random number) makes another
    call, which is asked anew. If the condition is still false after ``reasks`` more answers, a
    CheckError is raised: the program's own failure, which an evaluation scores 0 and tells apart.

    The answer is that of the last call of a module before this line that asked a model; where
    another one is meant (after concurrent calls, say), name it with ``at``. Inside a module that
    makes several calls, it is the last predictor whose outputs appear in the module's answer; all
    samples of a vote are asked again. If the module itself has not called any, the answer is one
    of the module around it.

    Follows: DSPy Assertions (Singhvi et al., 2023). Differs: earlier answers are used again
    instead of being drawn from a cache; the predictor is asked in one conversation instead of
    with a changed signature.

    Example::

        import langprog as lp

        class Reply(lp.Module):
            def __init__(self):
                self.team = lp.Predict("ticket -> team")
                self.reply = lp.Predict("ticket, team -> reply")

            def forward(self, ticket):
                team = self.team(ticket=ticket).team
                answer = self.reply(ticket=ticket, team=team)
                lp.require(team in answer.reply, f"name the team, {team}")
                lp.suggest(len(answer.reply) < 80, "use at most 80 characters")
                return answer

        model = lp.ScriptedLM(
            ["[[team]]\nbilling", "[[reply]]\nWe will see.", "[[reply]]\nbilling will write."]
        )
        with lp.using(lm=model):
            answer = Reply()(ticket="I was charged twice")
        assert answer.reply == "billing will write."
        assert (answer.usage.calls, answer.usage.reasks) == (3, 1)

    Args:
        condition: What has to be true.
        message: What the model is told if it is not.
        at: The module, or the Prediction, whose answer is at fault.
        reasks: How often an answer is asked for again, from 0 to 10.

    Raises:
        CheckError: The condition is false, and no more answers are asked for.
        InputError: An argument is invalid.
    """
    _demand("require", condition, message, at, reasks)


@with_hints({"max_retries": "write reasks="})
def suggest(
    condition: object,
    message: str,
    *,
    at: Module | Prediction | None = None,
    reasks: int = REASKS,
) -> None:
    """Ask for something nicer, inside the ``forward`` or ``aforward`` of a Module.

    Like :func:`require`, but if the condition is still false in the end, the run goes on: the
    message is noted in ``unmet`` of the trace's step, and counted in ``usage.unmet``.

    Args:
        condition: What should be true.
        message: What the model is told if it is not.
        at: The module, or the Prediction, whose answer is at fault.
        reasks: How often an answer is asked for again, from 0 to 10.

    Raises:
        InputError: An argument is invalid.
    """
    _demand("suggest", condition, message, at, reasks)


def _demand(level: Level, condition: Any, message: Any, at: Any, reasks: Any) -> None:
    message = check_message(message, f"lp.{level}")
    reasks = check_reasks(reasks, f"lp.{level}")
    if isinstance(condition, Prediction) or inspect.isawaitable(condition):
        raise InputError(
            f"the condition of lp.{level} is a {type(condition).__name__}, which is always true: "
            "pass an output of a prediction, and await what is asynchronous"
        )
    if condition:
        return
    place = recorder.get()
    if place is not None:
        place.check_open()
    frame, makers = _find_makers(level, at)
    lost = 0 if frame is None else frame.count_lost(makers)
    times = max((lost, *map(_times_rejected, makers)))
    if frame is not None and times < reasks:
        raise frame.ask_again(makers, message)
    if level == "require":
        raise _give_up(message, makers, times, _LOST if lost else "")
    for maker in makers:
        maker.note_unmet(message)
    if not makers:
        give_notice(f"a suggestion about no answer of a model is not met: {message}")


def _give_up(message: str, makers: Sequence[Call], times: int, hint: str) -> CheckError:
    for maker in makers:
        maker.fail(message, CheckError)
    if not makers:
        return CheckError(message)
    again = f", also after {times} more attempts" if times else ""
    told = f"an answer is not accepted{again}: {message}{hint}"
    return CheckError(told, text=_text_of(makers))


def _find_makers(level: Level, at: Any) -> tuple[Call | None, list[Call]]:
    place = recorder.get()
    if place is not None and place.call is not None and place.call.module.predicts:
        place = None  # a predictor's check: that predictor sees to it
    tried: Call | None = None
    while place is not None:
        frame = place.call
        if frame is not None and frame is not tried and frame.module.has_own_code:
            call = frame.find(at)
            if call is not None:
                makers = call.makers()
                if makers:
                    return frame, makers
                break
            tried = frame
        place = place.outer
    if at is not None:
        raise InputError(
            f"at= of lp.{level} is {at!r:.80}, which has given no answer of a model here: pass a "
            "module that this `forward` has called before, or the Prediction that it returned"
        )
    return None, []


def _times_rejected(maker: Call) -> int:
    return 0 if maker.conversation is None else maker.conversation.rejected


def _text_of(makers: Sequence[Call]) -> str:
    said = makers[-1].conversation if makers else None
    return said.completions[-1].text if said is not None and said.completions else ""
