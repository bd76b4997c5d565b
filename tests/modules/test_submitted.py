"""The checks of a ReAct look at what is submitted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import CheckError, InputError, ParseError
from langprog.lm import Completion, ToolCall
from langprog.modules import Module


def look(city: str) -> str:
    """Look up a city."""
    return f"{city} is large"


def is_even(answer: int) -> bool:
    return answer % 2 == 0


EVEN = lp.Check(is_even, "give an even number.")
BRIEF = lp.Check(
    lambda why: len(why) < 5, "use fewer than 5 letters", level="suggest", name="brief"
)
WARM = lp.checks.in_range("answer", 0, 100)


def calls(*used: tuple[str, dict[str, Any]]) -> Completion:
    made = tuple(
        ToolCall(f"c{i}", name, json.dumps(given)) for i, (name, given) in enumerate(used)
    )
    return Completion(("",), "scripted/lm", tool_calls=(made,))


def submit(answer: Any, why: str = "so") -> Completion:
    return calls(("submit", {"answer": answer, "why": why}))


def asking(*checks: lp.Check, **options: Any) -> lp.ReAct:
    return lp.ReAct(
        "question -> answer: int, why", [look], checks=checks, adapter="tools", **options
    )


def ask(program: Module, *replies: Completion) -> tuple[lp.Prediction, lp.ScriptedLM]:
    lm = lp.ScriptedLM(list(replies))
    with lp.using(lm=lm):
        return program(question="?"), lm


def results(lm: lp.ScriptedLM, call: int) -> list[str]:
    told = [m for m in lm.requests[call].messages if m.role == "tool"]
    return [part.text for message in told for part in message.content]  # type: ignore[union-attr]


def test_an_answer_that_fails_is_refused_with_the_message_and_counted() -> None:
    prediction, lm = ask(asking(EVEN), calls(("look", {"city": "Ulm"})), submit(3), submit(4))
    assert (prediction.answer, prediction.usage.calls, prediction.usage.reasks) == (4, 3, 1)
    assert results(lm, 2) == ["Ulm is large", "Not accepted: give an even number."]
    assert [step.reasks for step in prediction.trace] == [0, 0, 0, 1]


def test_it_is_asked_for_again_beyond_the_last_step_and_then_given_up() -> None:
    program = asking(EVEN, max_steps=1, reasks=1)
    assert program.calls_per_example() == 3
    look_up = calls(("look", {"city": "Ulm"}))
    prediction, lm = ask(program, look_up, submit(3), submit(4))
    assert prediction.answer == 4
    assert lm.requests[2].tool_choice == "submit"
    with pytest.raises(CheckError, match="the check is_even, also after 1 more attempts: give"):
        ask(program, look_up, submit(3), submit(5))
    with pytest.raises(ParseError, match="'answer' is 'x', but must be an integer"):
        ask(program, look_up, submit(3), submit("x"))


def test_a_refused_answer_takes_no_step_from_the_tools() -> None:
    one, two = (calls(("look", {"city": name})) for name in ("Ulm", "Bonn"))
    prediction, lm = ask(asking(EVEN, max_steps=2), one, submit(3), two, submit(4))
    assert (prediction.answer, lm.calls) == (4, 4)


def test_a_suggestion_that_is_not_met_is_noted_and_the_better_answer_stays() -> None:
    prediction, _ = ask(
        asking(EVEN, BRIEF, reasks=1), submit(2, "because"), submit(3, "since it is")
    )
    assert (prediction.answer, prediction.why, prediction.usage.unmet) == (2, "because", 1)
    assert [step.unmet for step in prediction.trace] == [("use fewer than 5 letters",), ()]


def test_checks_see_the_inputs_may_be_asynchronous_and_may_demand() -> None:
    async def fits(answer: int, question: str) -> bool:
        await asyncio.sleep(0)
        lp.require(answer > 5 and question == "?", "more than five")
        return True

    class Outer(lp.Module):
        def __init__(self) -> None:
            self.before = lp.Predict("question -> topic", adapter="chat")
            self.work = asking(lp.Check(fits, "fits"))

        def forward(self, question: str) -> lp.Prediction:
            self.before(question=question)
            return self.work(question=question)

    topic = Completion(("[[topic]]\nx",), "scripted/lm")
    # The demand is about the answer that is checked, not about the call before it.
    prediction, lm = ask(Outer(), topic, submit(3), submit(7))
    assert (prediction.answer, lm.calls) == (7, 3)
    assert results(lm, 2) == ["Not accepted: more than five."]


def test_an_answer_that_code_demands_again_is_checked_again() -> None:
    class Outer(lp.Module):
        def __init__(self) -> None:
            self.work = asking(EVEN)

        def forward(self, question: str) -> lp.Prediction:
            said = self.work(question=question)
            lp.require(said.answer > 5, "more than five")
            return said

    prediction, lm = ask(Outer(), submit(3), submit(4), submit(8))
    assert (prediction.answer, lm.calls) == (8, 3)


def test_they_travel_in_the_artifact(tmp_path: Path) -> None:
    program = asking(EVEN, WARM, reasks=1)
    lp.save(program, tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", tools=[look], checks={"is_even": is_even})
    with pytest.raises(CheckError, match="is_even, also after 1"):
        ask(loaded, submit(3), submit(5))
    with pytest.raises(CheckError, match="in_range"):
        ask(loaded, submit(300), submit(500))
    lp.save(loaded, tmp_path / "again.json")
    first, again = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("p", "again"))
    assert first["program"] == again["program"]
    assert [check["kind"] for check in first["program"]["step"]["checks"]] == ["code", "in_range"]


def test_a_reviser_made_for_it_has_them_too() -> None:
    refined = lp.Refine(asking(EVEN), judge=lp.Predict("answer -> good: bool"), rounds=1)
    [reviser] = [each for path, each in refined.predictors().items() if path.startswith("reviser")]
    assert reviser.checks == (EVEN,)


def test_a_check_of_a_field_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(InputError, match="takes 'thought', which is not a field"):
        asking(lp.Check(lambda thought: True, "x"))
