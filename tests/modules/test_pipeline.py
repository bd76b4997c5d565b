from __future__ import annotations

import asyncio
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, SignatureError


def answering(**answers: str) -> lp.ScriptedLM:
    def reply(request: lp.Request) -> str:
        system = request.messages[0].content
        wanted = [name for name in answers if f"[[{name}]]" in system.rsplit("\n", 1)[-1]]
        return "\n".join(f"[[{name}]]\n{answers[name]}" for name in wanted)

    return lp.ScriptedLM(reply)


def triage() -> lp.Pipeline:
    return lp.Pipeline(
        priority=lp.Predict("ticket, team -> priority"),
        team=lp.Predict("ticket -> team"),
    )


def test_steps_are_wired_by_field_name_whatever_their_order() -> None:
    program = triage()
    assert list(program.inputs) == ["ticket"]
    assert list(program.outputs) == ["team", "priority"]
    assert program.graph() == {"team": (), "priority": ("team",)}
    with lp.using(lm=answering(team="billing", priority="high")):
        prediction = program(ticket="my invoice")
    assert prediction.to_dict() == {"team": "billing", "priority": "high"}
    assert [step.path for step in prediction.trace] == ["team", "priority"]
    assert prediction.trace[1].inputs == {"ticket": "my invoice", "team": "billing"}


def test_independent_steps_run_at_the_same_time() -> None:
    both_started = asyncio.Event()
    started: list[str] = []

    class Meeting(lp.Module):
        def __init__(self, signature: str) -> None:
            self.name = signature.rsplit(" ", 1)[-1]
            self.spec = signature

        @property
        def inputs(self) -> Any:
            return lp.Predict(self.spec).inputs

        @property
        def outputs(self) -> Any:
            return lp.Predict(self.spec).outputs

        async def aforward(self, **inputs: Any) -> Any:
            started.append(self.name)
            if len(started) == 2:
                both_started.set()
            await asyncio.wait_for(both_started.wait(), timeout=10)
            return {self.name: "met"}

    program = lp.Pipeline(one=Meeting("x -> a"), two=Meeting("x -> b"))
    assert asyncio.run(program.acall(x="go")).to_dict() == {"a": "met", "b": "met"}


def test_the_trace_has_the_order_of_the_graph_not_of_the_answers() -> None:
    program = lp.Pipeline(
        slow=lp.Predict("x -> a"), quick=lp.Predict("x -> b"), last=lp.Predict("a, b -> c")
    )
    with lp.using(lm=answering(a="1", b="2", c="3")):
        for _ in range(3):
            assert [s.path for s in program(x="q").trace] == ["slow", "quick", "last"]


def test_wiring_mistakes_are_named() -> None:
    with pytest.raises(SignatureError, match="both provide 'b'"):
        lp.Pipeline(one=lp.Predict("a -> b"), two=lp.Predict("x -> b"))
    with pytest.raises(SignatureError, match="in a cycle"):
        lp.Pipeline(one=lp.Predict("a -> b"), two=lp.Predict("b -> a"))
    with pytest.raises(SignatureError, match="provides 'n'"):
        lp.Pipeline(one=lp.Predict("a -> n: list[str]"), two=lp.Predict("n: int -> c"))
    with pytest.raises(SignatureError, match="at least one step"):
        lp.Pipeline()


def test_a_missing_or_unknown_input_is_named_before_any_call() -> None:
    lm = answering(team="x")
    with lp.using(lm=lm):
        with pytest.raises(InputError, match="lacks ticket"):
            triage()()
        with pytest.raises(InputError, match="unknown colour"):
            triage()(ticket="a", colour="red")
    assert lm.calls == 0


def test_a_failing_step_stops_the_others_and_its_error_comes_out() -> None:
    class Broken(lp.Module):
        signature = "x -> a"

        def forward(self, x: str) -> Any:
            raise ZeroDivisionError("broken on purpose")

    program = lp.Pipeline(bad=Broken(), good=lp.Predict("x -> b"), end=lp.Predict("a, b -> c"))
    with lp.using(lm=answering(b="1", c="2")), pytest.raises(ZeroDivisionError):
        program(x="q")


def test_parameters_reach_the_steps() -> None:
    program = triage().with_parameters({"team.instruction": "Pick a team."})
    assert program.predictors()["team"].signature.instruction == "Pick a team."
    assert program.graph() == triage().graph()


def test_the_graph_can_be_drawn() -> None:
    drawing = triage().draw()
    assert "team -->|team| priority" in drawing
    assert "in_ticket -->|ticket| team" in drawing
