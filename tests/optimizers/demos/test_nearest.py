"""Demonstrations nearest to each input: found, carried as data, and never the row's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ContextWindowError, InputError
from langprog.evaluation import InputKeys
from langprog.lm import Request
from optimizers import Chain, KNNDemos, LabeledFewShot
from optimizers.evaluation.runner import Job, leave_out_own, source_key
from tests.optimizers.simulated import answers, field, right_team, tickets, two_modules, unit

TOPICS = [f"topic{number}" for number in range(24)]
TEAM = {topic: f"team{number % 7}" for number, topic in enumerate(TOPICS)}


def rows(count: int) -> list[lp.Example]:
    """Return tickets whose team follows from a topic that no prompt explains."""
    return [
        lp.Example(
            ticket=f"number {number} about {TOPICS[number % len(TOPICS)]} please",
            team=TEAM[TOPICS[number % len(TOPICS)]],
        )
        for number in range(count)
    ]


def copies(request: Request) -> str:
    """Answer as the demonstration with the same topic does, else with a guess."""
    topic = re.findall(r"topic\d+", request.messages[-1].content)[0]
    pairs = zip(request.messages[1:-1:2], request.messages[2:-1:2], strict=True)
    for asked, answered in pairs:
        if re.search(rf"\b{topic}\b", asked.content):
            return answered.content
    return "[[team]]\nteam0"


def compile_with(optimizer: Any, program: lp.Module, data: Any, lm: Any = None, **options: Any):
    options.setdefault("metric", right_team)
    with lp.using(lm=lm or lp.ScriptedLM(copies)):
        return optimizer.compile(program, data, **options)


def mean(result: Any) -> float:
    return float(result.certificate.compiled)


def test_what_only_a_neighbour_shows_is_found_and_certified(tmp_path: Path) -> None:
    data = rows(360)
    result = compile_with(KNNDemos(), lp.Predict("ticket -> team"), data)
    assert (result.certificate.verdict, result.certificate.finding) == ("certified", "better")
    fixed = compile_with(LabeledFewShot(k=8), lp.Predict("ticket -> team"), data)
    assert result.certificate.difference > fixed.certificate.difference + 0.3
    nearest = result.program.predictors()["predict"].nearest
    assert nearest is not None and nearest.k in (2, 4, 8)
    result.save(tmp_path / "program.json")
    loaded = lp.load(tmp_path / "program.json")
    fresh = rows(400)[360:]
    with lp.using(lm=lp.ScriptedLM(copies)):
        before = [result.program(ticket=row.ticket).team for row in fresh]
        after = [loaded(ticket=row.ticket).team for row in fresh]
    assert before == after
    assert sum(team == row.team for team, row in zip(after, fresh, strict=True)) > 30


def test_the_pool_is_the_training_part_alone() -> None:
    result = compile_with(KNNDemos(k=[4]), lp.Predict("ticket -> team"), rows(120))
    nearest = result.candidate.parameters["predict.nearest"]
    evidence = result.report.evidence
    assert len(nearest.examples) == evidence.data["train"][0]
    assert len(set(nearest.sources)) == len(nearest.sources)


def test_a_single_number_takes_no_call_before_the_certificate() -> None:
    optimizer = KNNDemos(k=[3])
    model = lp.ScriptedLM(copies)
    result = compile_with(optimizer, lp.Predict("ticket -> team"), rows(120), model)
    assert result.report.evidence.searched.calls == 0
    assert result.candidate.parameters["predict.nearest"].k == 3


def test_demonstrations_that_came_with_the_program_stay_before_the_nearest() -> None:
    mine = lp.Example(ticket="MINE about topic99", team="team9")
    program = lp.Predict("ticket -> team", demos=[mine])
    model = lp.ScriptedLM(copies)
    result = compile_with(KNNDemos(k=[2]), program, rows(120), model, accept="best")
    shipped = result.program.predictors()["predict"]
    assert shipped.demos == (mine,) and shipped.nearest is not None
    prompt = shipped.render({"ticket": "number 7 about topic3"})
    assert "MINE" in prompt[1].content and len(prompt) == 8


def test_labels_are_the_pool_of_one_step_and_good_runs_of_the_others() -> None:
    program = lp.Pipeline(
        draft=lp.Predict("ticket -> draft"), team=lp.Predict("ticket, draft -> team")
    )

    def reply(request: Request) -> str:
        if request.messages[0].content.rstrip().endswith("[[draft]]"):
            return "[[draft]]\na draft"
        return copies(request)

    labels = compile_with(KNNDemos(k=[2]), program, rows(120), lp.ScriptedLM(reply))
    assert "draft gets no demonstrations" in " ".join(n.text for n in labels.report.notes)

    def knows(request: Request) -> str:
        ticket = field(request.messages[-1].content, "ticket")
        if "[[draft]]\n" not in request.messages[-1].content:
            return f"[[draft]]\ndraft of {ticket}"
        return f"[[team]]\n{TEAM[re.findall(r'topic[0-9]+', ticket)[0]]}"

    traced = compile_with(
        KNNDemos(k=[2], bootstrapped=True), program, rows(120), lp.ScriptedLM(knows)
    )
    pools = traced.candidate.parameters
    assert {"draft.nearest", "team.nearest"} <= set(pools)
    assert all("draft" in example for example in pools["team.nearest"].examples)


class Watched:
    """Answers rightly, and looks for a row that is shown itself by any of its steps."""

    def __init__(self) -> None:
        self.leaks: list[str] = []
        self.shown = 0

    def __call__(self, request: Request) -> str:
        contents = [str(message.content) for message in request.messages]
        number = re.findall(r"number (\d+)", contents[-1])[0]
        demos = contents[1:-1]
        self.shown += len(demos) // 2
        if any(re.search(rf"number {number}\b", demo) for demo in demos):
            self.leaks.append(number)
        topic = re.findall(r"topic\d+", contents[-1])[0]
        if "[[ticket]]" in contents[-1]:
            # Another draft in every run, so that the second step never sees the same inputs.
            return f"[[draft]]\ndraft {unit(*contents)} of number {number} on {topic}"
        return f"[[team]]\n{TEAM[topic]}"


def test_a_row_is_never_shown_itself_while_it_is_learned_from() -> None:
    program = lp.Pipeline(draft=lp.Predict("ticket -> draft"), team=lp.Predict("draft -> team"))
    watched = Watched()
    chain = Chain(
        KNNDemos(k=[6], bootstrapped=True),
        KNNDemos(k=[2, 6], bootstrapped=True),
    )
    compile_with(chain, program, rows(120), lp.ScriptedLM(watched))
    assert watched.shown > 1000
    assert watched.leaks == []


def test_rows_of_one_cluster_are_left_out_together() -> None:
    pool = [{"ticket": f"t{number}", "team": "x"} for number in range(4)]
    with_sources = lp.NearestDemos(pool, k=4, sources=["a", "b", "c", "d"])
    job = Job(lp.Predict("ticket -> team", nearest=with_sources), rows(5))
    assert leave_out_own(job) == [(job, range(5))]
    key = source_key(InputKeys(job.program).of(rows(5)[2]))
    own = lp.NearestDemos(pool, k=4, sources=["a", key, key, "d"])
    parts = leave_out_own(Job(lp.Predict("ticket -> team", nearest=own), rows(5)))
    assert [list(places) for _, places in parts] == [[0, 1, 3, 4], [2]]
    alone = parts[1][0].program
    assert [demo.ticket for demo in alone.demos_for({"ticket": "t"})] == ["t0", "t3"]


def test_too_many_for_the_context_window_are_halved() -> None:
    def small(request: Request) -> str | Exception:
        if sum(len(message.content) for message in request.messages) > 2500:
            return ContextWindowError("too long")
        return copies(request)

    long = [row.with_(ticket=f"{row.ticket} {'word ' * 60}") for row in rows(120)]
    program = lp.Predict("ticket -> team")
    result = compile_with(KNNDemos(k=[8]), program, long, lp.ScriptedLM(small), accept="best")
    assert 1 <= result.candidate.parameters["predict.nearest"].k < 8
    assert "do not fit" in " ".join(note.text for note in result.report.notes)


def letters(texts: list[str]) -> list[list[int]]:
    return [[text.count(letter) + 1 for letter in "0123456789abct"] for text in texts]


def test_an_embedding_function_may_choose(tmp_path: Path) -> None:
    optimizer = KNNDemos(k=[2], by=letters, embedder="letters 1")
    program = lp.Predict("ticket -> team")
    result = compile_with(optimizer, program, rows(120), accept="best", run_dir=tmp_path / "run")
    again = compile_with(optimizer, program, rows(120), accept="best", run_dir=tmp_path / "run")
    assert again.report.paid.calls == 0 or again.candidate == result.candidate
    assert result.program.predictors()["predict"].nearest.embedder == "letters 1"
    result.save(tmp_path / "program.json")
    loaded = lp.load(tmp_path / "program.json", retrievers={"letters 1": letters})
    assert loaded.parameters().keys() == result.program.parameters().keys()


def test_own_rows_of_a_program_with_nearest_demonstrations_prove_nothing() -> None:
    data = rows(120)
    program = lp.Predict("ticket -> team", nearest=lp.NearestDemos(data[:20], k=2))
    result = compile_with(LabeledFewShot(k=2), program, data)
    assert "demonstrations" in " ".join(note.text for note in result.report.notes)
    tested = {row["inputs"]["ticket"] for row in result.report.rows}
    assert not tested & {row.ticket for row in data[:20]}


def test_a_compile_of_two_modules_keeps_the_budget() -> None:
    model = lp.ScriptedLM(answers())
    with lp.using(lm=model):
        result = KNNDemos().compile(
            two_modules(),
            tickets(120),
            metric=lambda example, prediction: float(example.urgent == prediction.urgent),
            budget=lp.Budget(calls=300),
        )
    assert len(model.requests) <= 300 and result.certificate.n >= 5


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"k": []}, "k has to be a list"),
        ({"k": [0]}, "k has to be a list"),
        ({"k": 4}, "k has to be a list"),
        ({"by": letters}, "give both or none"),
        ({"embedder": "x"}, "give both or none"),
        ({"bootstrapped": 1}, "bootstrapped has to be True or False"),
    ],
)
def test_bad_knobs_are_refused(knobs: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        KNNDemos(**knobs)
