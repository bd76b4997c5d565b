"""What the strategies of the ready-made programs do, on scripted models that read the prompt."""

from __future__ import annotations

from typing import Any

import pytest

import langprog as lp
from benchmarks.programs.scripted import load_script
from programs import agent, long_context, multihop, search_answer, steps, think_short, verify


def steady(name: str) -> lp.ScriptedLM:
    return lp.ScriptedLM(load_script(name, steady=True))


def score(name: str, program: lp.Module, metric: Any, rows: list[lp.Example]) -> float:
    with lp.using(lm=steady(name)):
        report = lp.evaluate(program, rows, metric)
    assert report.n_scored == len(rows)
    return float(report.mean)


def test_a_question_of_two_hops_takes_two_hops() -> None:
    rows = multihop.examples(12)
    means = [score("multihop", multihop.MultiHop(hops), multihop.metric, rows) for hops in (1, 2)]
    assert means[0] < 0.3 and means[1] > 0.8


def test_the_best_supported_answer_is_taken_wherever_its_paragraph_stands() -> None:
    rows = search_answer.examples(12)
    assert score("search_answer", search_answer.program, search_answer.metric, rows) == 1.0
    with lp.using(lm=steady("search_answer")):
        passages = search_answer.program.search(question="Who is Vera?").passages

    def trust_the_last(request: lp.Request) -> str:
        text = request.messages[-1].text
        if "[[answer]]" not in text:
            return f"[[answer]]\n{next(n for n, each in enumerate(passages) if each in text)}"
        return f"[[support]]\n{0.9 if passages[-1] in text else 0.2}"

    with lp.using(lm=lp.ScriptedLM(trust_the_last)):
        prediction = search_answer.program(question="Who is Vera?")
    assert (prediction.answer, prediction.evidence) == (str(len(passages) - 1), passages[-1])


def test_ranking_by_the_model_finds_what_shared_words_do_not() -> None:
    document = (
        "What is the trade of Ann Lund? Nobody knows. Some say this, some say that. It rained. "
        "Ada was ill. Ann bakes bread. She is a baker. The inn was full."
    )
    question = "What is the trade of Ann Lund?"

    def model(request: lp.Request) -> str:
        text = request.messages[-1].text
        if "[[relevance]]" in request.messages[0].text:
            return f"[[relevance]]\n{0.9 if 'baker' in text else 0.1}"
        if "[[note]]" in request.messages[0].text:
            return f"[[note]]\n{'baker' if 'baker' in text else 'nothing'}"
        return f"[[answer]]\n{'baker' if 'baker' in text else 'unknown'}"

    answers = []
    for depth in (0, 2):
        with lp.using(lm=lp.ScriptedLM(model)):
            program = long_context.LongContext(passages=1, depth=depth)
            answers.append(program(question=question, document=document).answer)
    assert answers == ["unknown", "baker"]


def test_more_samples_solve_more_and_the_curve_says_how_many() -> None:
    rows = verify.examples(10)
    with lp.using(lm=lp.ScriptedLM(load_script("verify"))):
        curve = verify.measure_coverage(verify.generator, rows, verify.metric, samples=6)
        few, many = (
            lp.evaluate(verify.program.with_parameters({"program.k": k}), rows, verify.metric).mean
            for k in (1, 6)
        )
    assert len(curve) == 6 and curve == sorted(curve) and curve[-1] > curve[0]
    assert many > few


def test_the_coverage_curve_is_that_of_draws_without_replacement() -> None:
    verdicts: dict[str, list[bool]] = {"a": [True, False, True], "b": [False, True, False]}

    def answer(request: lp.Request) -> str:
        key = request.messages[-1].text.split()[-1]
        return f"[[answer]]\n{'yes' if verdicts[key][request.sampling.seed or 0] else 'no'}"

    rows = [lp.Example(question=key, answer="yes") for key in verdicts]
    with lp.using(lm=lp.ScriptedLM(answer)):
        curve = verify.measure_coverage(
            lp.Predict("question -> answer"), rows, lambda e, p: e.answer == p.answer, samples=3
        )
    # Of three draws, two solve the first row, and one the second.
    assert curve == pytest.approx([1 / 2, (1 + 2 / 3) / 2, 1.0])


@pytest.mark.parametrize(
    ("expression", "right"),
    [
        ("(3 + 4) * 2 - 1", True),
        ("3 * 4 + 2 - 1", True),
        ("13", False),
        ("3 + 4 + 2 + 4", False),
        ("(3 + 4) * 2 - 1 # sure", True),
        ("__import__('os').getpid()", False),
        ("3 + 4 * (2", False),
        ("9" * 5000, False),
    ],
)
def test_the_checker_takes_what_reaches_the_target_and_nothing_else(
    expression: str, right: bool
) -> None:
    assert verify.is_right([1, 2, 3, 4], 13, expression) is right


@pytest.mark.parametrize("strategy", ["particles", "astar", "beam"])
def test_every_strategy_carries_a_procedure_out(strategy: str) -> None:
    rows = steps.examples(6)
    program = steps.make_program(strategy)  # type: ignore[arg-type]  # one of them
    assert score("steps", program, steps.metric, rows) > 0.8


def test_only_questions_on_which_quick_answers_differ_are_thought_about() -> None:
    rows = think_short.examples(8)
    with lp.using(lm=lp.ScriptedLM(load_script("think_short"))):
        predictions = [think_short.program(question=row.question) for row in rows]
    thought = []
    for row, each in zip(rows, predictions, strict=True):
        quick = {step.outputs["answer"] for step in each.trace if step.path == "steps[0]"}
        thought.append(any(step.path == "steps[1].think.predict" for step in each.trace))
        assert thought[-1] is (len(quick) > 1)
        assert not thought[-1] or each.answer == row.answer
    assert len(set(thought)) == 2


def test_a_thought_that_is_too_long_is_started_anew_and_then_forced() -> None:
    asked: list[lp.Request] = []

    def answer(request: lp.Request) -> lp.Completion | str:
        asked.append(request)
        if "[[thought]]" in request.messages[0].text or "- thought" in request.messages[0].text:
            return "[[answer]]\n7"
        return lp.Completion(
            ("[[reasoning]]\nit may be 7",), "scripted/lm", finish_reasons=("length",)
        )

    with lp.using(lm=lp.ScriptedLM(answer)):
        prediction = think_short.Think(tokens=5, starts=2)(question="How many?")
    assert prediction.answer == 7
    assert [request.sampling.max_tokens for request in asked] == [5, 5, None]
    assert asked[0].sampling.seed != asked[1].sampling.seed
    assert "it may be 7" in asked[2].messages[-1].text


def test_the_agent_looks_up_and_calculates() -> None:
    rows = [row for row in agent.examples(20) if "together" in row.question][:4]
    assert score("agent", agent.program, agent.metric, rows) == 1.0
    with pytest.raises(ValueError, match="there is no ship"):
        agent.look_up("Titanic", "crew")
    for expression in ("2 ** 9999", "__import__('os')", "9" * 999):
        with pytest.raises(ValueError, match="write whole numbers|at most 200"):
            agent.calculate(expression)
