from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.errors import ConnectError, InputError, LangprogError, SignatureError

ASK = lp.Predict("question -> answer", instruction="Answer briefly.")
WORDS = lp.Predict("question, answer -> right: bool, advice")


def scripted(answers: list[str], judge: Callable[[str], str | Exception]) -> lp.ScriptedLM:
    """Give the answers in their order, and what ``judge`` says of each."""
    left = iter(answers)

    def reply(request: lp.Request) -> str | Exception:
        if "[[answer]]" in request.messages[0].content.rsplit("order:", 1)[-1]:
            return f"[[answer]]\n{next(left)}"
        return judge(request.messages[-1].content)

    return lp.ScriptedLM(reply)


def accepts(word: str) -> Callable[[str], str]:
    def judge(prompt: str) -> str:
        right = f"[[answer]]\n{word}" in prompt
        return f"[[right]]\n{right}\n[[advice]]\nsay {word}"

    return judge


def test_an_accepted_answer_is_returned_at_once() -> None:
    model = scripted(["Paris"], accepts("Paris"))
    with lp.using(lm=model):
        prediction = lp.Refine(ASK, WORDS)(question="capital of France?")
    assert prediction.answer == "Paris"
    assert [step.path for step in prediction.trace] == ["module", "judge"]


def test_the_next_answer_is_given_the_one_before_and_the_feedback() -> None:
    model = scripted(["Rome", "Paris"], accepts("Paris"))
    with lp.using(lm=model):
        prediction = lp.Refine(ASK, WORDS, rounds=3)(question="capital of France?")
    assert prediction.answer == "Paris"
    assert [step.path for step in prediction.trace] == ["module", "judge", "reviser", "judge"]
    revised = prediction.trace[2]
    assert revised.inputs == {
        "question": "capital of France?",
        "previous_answer": "answer: Rome",
        "feedback": "advice: say Paris",
    }
    assert revised.messages[0].content.count("Answer briefly.") == 1


def test_the_first_call_is_that_of_the_module_alone() -> None:
    alone, refined = scripted(["Paris"], accepts("x")), scripted(["Paris"], accepts("Paris"))
    with lp.using(lm=alone):
        ASK(question="?")
    with lp.using(lm=refined):
        lp.Refine(ASK, WORDS)(question="?")
    assert refined.requests[0].messages == alone.requests[0].messages


def test_a_bool_judge_is_not_asked_about_the_last_answer() -> None:
    model = scripted(["a", "b", "c"], accepts("none"))
    program = lp.Refine(ASK, WORDS, rounds=2)
    with lp.using(lm=model):
        assert program(question="?").answer == "c"
    assert model.calls == program.calls_per_example() == 5


def test_of_numbers_the_best_is_returned_even_where_it_came_earlier() -> None:
    grades = {"a": 0.2, "b": 0.7, "c": 0.4}
    model = scripted(
        list(grades),
        lambda prompt: f"[[grade]]\n{grades[prompt.split('[[answer]]')[-1].split()[0]]}",
    )
    program = lp.Refine(ASK, lp.Predict("answer -> grade: float"), rounds=2, threshold=0.9)
    with lp.using(lm=model):
        prediction = program(question="?")
    assert prediction.answer == "b"
    assert model.calls == program.calls_per_example() == 6
    assert prediction.trace[2].inputs["feedback"] == "grade: 0.2"


def test_from_the_threshold_on_an_answer_is_taken() -> None:
    model = scripted(["a", "b"], lambda prompt: "[[grade]]\n7")
    judge = lp.Predict("answer -> grade: int")
    with lp.using(lm=model):
        assert lp.Refine(ASK, judge, threshold=7)(question="?").answer == "a"
    assert model.calls == 2


def test_a_judge_that_fails_leaves_the_answer_there_was() -> None:
    model = scripted(["a"], lambda prompt: ConnectError("away"))
    with lp.using(lm=model):
        prediction = lp.Refine(ASK, WORDS)(question="?")
    assert prediction.answer == "a"
    assert prediction.trace[-1].failure is not None


def test_without_rounds_the_module_is_asked_as_it_is() -> None:
    model = scripted(["a"], accepts("b"))
    program = lp.Refine(ASK, WORDS, rounds=0)
    with lp.using(lm=model):
        assert program(question="?").answer == "a"
    assert model.calls == program.calls_per_example() == 1


def test_it_refines_what_a_users_module_answers() -> None:
    class Two(lp.Module):
        signature = "question -> answer"

        def __init__(self) -> None:
            self.draft = lp.Predict("question -> draft")
            self.final = lp.Predict("draft -> answer")

        def forward(self, question: str) -> Mapping[str, Any]:
            return self.final(draft=self.draft(question=question).draft)

    program = lp.Refine(Two(), WORDS)
    assert list(program.predictors()) == ["module.draft", "module.final", "judge", "reviser"]
    assert list(program.reviser.inputs) == ["question", "previous_answer", "feedback"]
    assert list(program.reviser.outputs) == ["answer"]


def test_it_is_set_searched_and_kept_like_every_module(tmp_path: Path) -> None:
    program = lp.Refine(lp.ChainOfThought("question -> answer"), WORDS, rounds=1)
    program = program.with_parameters({"program.rounds": 3, "reviser.instruction": "Again."})
    assert program.rounds == 3 and 3 in program.search_space()["rounds"]
    save_program(program, tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json")
    assert loaded.parameters() == program.parameters()
    with pytest.raises(InputError, match="rounds of a Refine must be a number"):
        program.with_parameters({"program.rounds": -1})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: lp.Refine(ASK, lp.Predict("answer -> advice")), "must be a bool or a number"),
        (lambda: lp.Refine(ASK, WORDS, rounds=True), "rounds of a Refine"),
        (lambda: lp.Refine(ASK, WORDS, threshold=float("nan")), "threshold of a Refine"),
        (lambda: lp.Refine("no", WORDS), "the module of a Refine is a str"),  # type: ignore[arg-type]  # that is the test
        (lambda: lp.Refine(ASK, WORDS, reviser=ASK), "the reviser of a Refine takes feedback"),
        (lambda: lp.Refine(lp.Predict("feedback -> answer"), WORDS), "rename it, or give"),
    ],
)
def test_what_does_not_fit_is_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_a_judge_that_wants_more_than_there_is_says_so() -> None:
    program = lp.Refine(ASK, lp.Predict("answer, source -> right: bool"))
    with lp.using(lm=scripted(["a"], accepts("a"))), pytest.raises(SignatureError, match="source"):
        program(question="?")


def test_an_answer_that_fails_at_first_is_a_failure() -> None:
    model = lp.ScriptedLM(lambda request: "unreadable \x00")
    with lp.using(lm=model), pytest.raises(LangprogError):
        lp.Refine(lp.Predict("question -> answer: int"), WORDS)(question="?")


def test_an_agent_is_revised_by_an_agent_with_its_tools(tmp_path: Path) -> None:
    def look(word: str) -> str:
        """Look up a word."""
        return word.upper()

    def act(tool: str, **arguments: str) -> str:
        calls = [{"tool": tool, "arguments": arguments}]
        return f"[[thought]]\nt\n[[tool_calls]]\n{json.dumps(calls)}"

    agent = lp.ReAct("question -> answer", [look], instruction="Be brief.", max_steps=3)
    program = lp.Refine(agent, lp.Predict("question, answer -> right: bool, why"), rounds=1)
    lm = lp.ScriptedLM(
        [
            act("submit", answer="a"),
            "[[right]]\nno\n[[why]]\nlook it up",
            act("look", word="b"),
            act("submit", answer="B"),
        ]
    )
    with lp.using(lm=lm):
        assert program(question="?").answer == "B"
    revised = lm.requests[2].messages
    assert revised[0].text.startswith("Be brief.") and "- look: Look up a word." in revised[0].text
    assert "why: look it up" in revised[-1].text
    assert program.calls_per_example() == 4 + 1 + 4
    lp.save(program, tmp_path / "x.json")
    loaded = lp.load(tmp_path / "x.json", tools=[look])
    assert "reviser.step" in loaded.predictors()
