"""Demonstrations from traces: of every call of a loop, and of another program's runs."""

from __future__ import annotations

import random

import pytest

import langprog as lp
from langprog.evaluation import Row, Score
from langprog.modules import RunUsage
from optimizers import BootstrapFewShot
from optimizers.demos.demos import draw_demos
from optimizers.demos.traces import collect_traced, match_predictors
from tests.optimizers.simulated import field


class Agent(lp.Module):
    """Look, then look again, then answer."""

    def __init__(self) -> None:
        self.step = lp.Predict("question, notes: list[str] -> action, answer")

    def forward(self, question: str) -> dict[str, str]:
        notes: list[str] = []
        for _ in range(5):
            step = self.step(question=question, notes=notes)
            if step.action == "answer":
                break
            notes.append(step.action)
        return {"answer": step.answer}


def act(request: lp.Request) -> str:
    notes = field(request.messages[-1].content, "notes")
    action = "answer" if "open" in notes else "open" if "search" in notes else "search"
    answer = "it works" if action == "answer" else "none yet" if action == "open" else ""
    return f"[[action]]\n{action}\n[[answer]]\n{answer}"


def run(program: lp.Module, script, example: lp.Example) -> Row:
    with lp.using(lm=lp.ScriptedLM(script)):
        prediction = program(**{name: example[name] for name in program.input_names()})
    return Row(0, example, prediction, Score(1.0), None, RunUsage(), prediction.trace)


def test_every_call_of_a_loop_gives_a_demonstration() -> None:
    program = Agent()
    rows = [run(program, act, lp.Example(question=f"q{n}?")) for n in range(3)]
    demos = collect_traced(program, rows)["step"]
    assert [item.demo.action for item in demos] == ["search", "open", "answer"] * 3
    assert [item.turn for item in demos] == ["first", "middle", "last"] * 3
    assert demos[1].demo.notes == ["search"]


@pytest.mark.parametrize("size", [3, 4, 6])
def test_a_draw_from_a_loop_covers_its_beginning_and_its_end(size: int) -> None:
    program = Agent()
    rows = [run(program, act, lp.Example(question=f"q{n}?")) for n in range(2)]
    demos = collect_traced(program, rows)["step"]
    for seed in range(5):
        drawn = draw_demos(demos, size, program.step.signature, random.Random(seed))
        assert {item.turn for item in drawn} == {"first", "middle", "last"}


def test_a_few_demonstrations_from_a_loop_with_many_labels_show_its_beginning() -> None:
    def act_on(request: lp.Request) -> str:
        question = field(request.messages[-1].content, "question")
        return act(request).replace("it works", f"answer {question[1]}")

    program = Agent()
    rows = [run(program, act_on, lp.Example(question=f"q{n % 3} {n}?")) for n in range(30)]
    demos = collect_traced(program, rows)["step"]
    for seed in range(5):
        rng = random.Random(seed)
        few = [draw_demos(demos, size, program.step.signature, rng) for size in (1, 2, 3)]
        turns = [sorted(item.turn for item in drawn) for drawn in few]
        assert turns == [["first"], ["first", "last"], ["first", "last", "middle"]]


def test_a_label_replaces_the_last_answer_of_a_loop_alone() -> None:
    program = Agent()
    rows = [run(program, act, lp.Example(question="q?", answer="yes"))]
    demos = [item.demo for item in collect_traced(program, rows)["step"]]
    assert [demo.answer for demo in demos] == ["", "none yet", "yes"]
    assert [demo.action for demo in demos] == ["search", "open", "answer"]


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: lp.Vote(inner, k=3),
        lambda inner: lp.Refine(
            inner, lp.Predict("question, answer -> right: bool, why"), rounds=2
        ),
        lambda inner: lp.BestOf(inner, judge=lp.Predict("question, answer -> right: bool"), k=3),
    ],
    ids=["vote", "refine", "best of"],
)
def test_answers_that_were_replaced_are_not_shown(around) -> None:
    calls = {"answer": 0, "right": 0}

    def script(request: lp.Request) -> str:
        if "[[right]]" in request.messages[0].content:
            calls["right"] += 1
            return f"[[right]]\n{'true' if calls['right'] == 3 else 'false'}\n[[why]]\nlook again"
        calls["answer"] += 1
        return f"[[answer]]\nattempt {calls['answer']}"

    program = around(lp.Predict("question -> answer"))
    rows = [run(program, script, lp.Example(question="q?"))]
    demos = collect_traced(program, rows)
    assert all(len(items) <= 1 for items in demos.values())
    assert sum(len(items) for path, items in demos.items() if "judge" not in path) >= 1


def test_a_call_that_is_repeated_with_equal_inputs_counts_once() -> None:
    class Stubborn(lp.Module):
        def __init__(self) -> None:
            self.ask = lp.Predict("question -> answer")

        def forward(self, question: str) -> lp.Prediction:
            self.ask(question=question)
            return self.ask(question=question)

    count = iter(range(9))
    program = Stubborn()
    rows = [run(program, lambda _: f"[[answer]]\n{next(count)}", lp.Example(question="q?"))]
    (item,) = collect_traced(program, rows)["ask"]
    assert item.demo.answer == "1" and item.turn == ""


def test_an_agent_is_shown_how_to_begin() -> None:
    rows = [lp.Example(question=f"q{n}?") for n in range(60)]
    with lp.using(lm=lp.ScriptedLM(act)):
        result = BootstrapFewShot(bootstrapped=3, labeled=0).compile(
            Agent(), rows, metric=lambda e, p: p.answer == "it works", accept="best"
        )
    demos = result.program.predictors()["step"].demos
    assert {demo.action for demo in demos} == {"search", "open", "answer"}


class Reasoned(lp.Module):
    """A teacher whose predictors have other names and reason."""

    def __init__(self) -> None:
        self.think = lp.ChainOfThought("question -> topic")
        self.answer = lp.ChainOfThought("question, topic -> answer")

    def forward(self, question: str) -> lp.Prediction:
        topic = self.think(question=question).topic
        return self.answer(question=question, topic=topic)


class Plain(lp.Module):
    """Its student."""

    def __init__(self) -> None:
        self.topic = lp.Predict("question -> topic")
        self.answer = lp.Predict("question, topic -> answer")

    def forward(self, question: str) -> lp.Prediction:
        topic = self.topic(question=question).topic
        return self.answer(question=question, topic=topic)


class Twins(lp.Module):
    """Any predictors side by side."""

    def __init__(self, **predictors: lp.Module) -> None:
        vars(self).update(predictors)


def test_predictors_are_matched_by_path_then_by_fields() -> None:
    assert match_predictors(Plain(), Reasoned()) == {
        "think.predict": ("topic",),
        "answer.predict": ("answer",),
    }
    assert match_predictors(Plain(), Plain()) == {"topic": ("topic",), "answer": ("answer",)}
    assert match_predictors(Reasoned(), Plain()) == {
        "topic": ("think.predict",),
        "answer": ("answer.predict",),
    }


def test_a_predictor_at_the_same_path_is_preferred() -> None:
    twins = Twins(first=lp.Predict("a -> b"), second=lp.Predict("a -> b"))
    assert match_predictors(twins, twins) == {"first": ("first",), "second": ("second",)}
    reasoned = Twins(first=lp.ChainOfThought("a -> b"), second=lp.ChainOfThought("a -> b"))
    assert match_predictors(twins, reasoned) == {
        "first.predict": ("first",),
        "second.predict": ("second",),
    }
    assert match_predictors(reasoned, twins) == {
        "first": ("first.predict",),
        "second": ("second.predict",),
    }


def test_several_that_fit_and_none_at_the_path_match_nothing() -> None:
    teacher = Twins(x=lp.Predict("a -> b"), y=lp.Predict("a -> b"))
    assert match_predictors(Twins(z=lp.Predict("a -> b")), teacher) == {}
    assert match_predictors(Twins(z=lp.Predict("a -> c")), teacher) == {}


def test_a_teachers_demonstrations_have_the_students_fields() -> None:
    def script(request: lp.Request) -> str:
        system = request.messages[0].content
        out = "answer" if "[[answer]]" in system else "topic"
        return f"[[reasoning]]\nbecause\n[[{out}]]\nmy {out}"

    teacher = Reasoned()
    rows = [run(teacher, script, lp.Example(question="q?"))]
    demos = collect_traced(Plain(), rows, teacher)
    assert demos["topic"][0].demo.to_dict() == {"question": "q?", "topic": "my topic"}
    assert demos["answer"][0].demo.to_dict() == {
        "question": "q?",
        "topic": "my topic",
        "answer": "my answer",
    }
