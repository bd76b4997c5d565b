from __future__ import annotations

import asyncio
import inspect
import re
import textwrap
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import (
    ConnectError,
    FrozenError,
    InputError,
    LangprogWarning,
    ServerError,
    SignatureError,
)
from tests.retrieval.members import CAPITALS, shared_words

CAPITAL = lp.BM25Retriever(CAPITALS, name="capitals")


def answer(request: lp.Request) -> str:
    """Say the first word of the first passage."""
    passage = request.messages[-1].content.split("[[context]]")[1]
    match = re.search(r"\w+", passage)
    return f"[[answer]]\n{match[0] if match else 'unknown'}"


def answering(k: int = 2) -> lp.Pipeline:
    return lp.Pipeline(
        look_up=lp.Retrieve(CAPITAL, k=k, query="question", passages="context"),
        answer=lp.Predict("question, context: list[str] -> answer"),
    )


def test_passages_ids_and_scores_come_together() -> None:
    prediction = lp.Retrieve(CAPITAL, k=2)(query="capital of Italy")
    assert prediction.passages[0] == "Rome is the capital of Italy."
    assert prediction.passages_ids[0] == "it"
    assert len(prediction.passages_scores) == 2
    assert prediction.passages_scores[0] > prediction.passages_scores[1] > 0
    assert prediction.usage.calls == 0


def test_nothing_that_fits_is_an_empty_list() -> None:
    prediction = lp.Retrieve(CAPITAL)(query="zzz")
    assert prediction.to_dict() == {
        "passages": [],
        "passages_ids": [],
        "passages_scores": [],
    }


def test_a_pipeline_wires_it_by_name_and_its_search_is_in_the_trace() -> None:
    with lp.using(lm=lp.ScriptedLM(answer)):
        prediction = answering()(question="What is the capital of Italy?")
    assert prediction.answer == "Rome"
    assert [step.path for step in prediction.trace] == ["look_up", "answer"]
    search = prediction.trace[0]
    assert search.inputs == {"question": "What is the capital of Italy?"}
    assert search.outputs["context_ids"] == prediction.context_ids
    assert (search.completions, search.messages, search.failure) == ((), (), None)
    assert prediction.usage.calls == answering().calls_per_example() == 1


class Hops(lp.Module):
    """Asks for a query, looks it up, and answers; ``parallel`` looks several up at once."""

    signature = "question -> answer"

    def __init__(self) -> None:
        self.ask = lp.Predict("question -> query")
        self.find = [lp.Retrieve(CAPITAL, k=1)]
        self.answer = lp.Predict("question, context: list[str] -> answer")

    def forward(self, question: str) -> Mapping[str, Any]:
        query = self.ask(question=question).query
        results = lp.parallel(self.find[0], [{"query": query}, {"query": "Spain"}])
        context = [text for each in results for text in each.passages]
        return self.answer(question=question, context=context)


def test_it_is_a_part_of_modules_of_your_own(tmp_path: Path) -> None:
    def reply(request: lp.Request) -> str:
        asked = "[[context]]" not in request.messages[-1].content
        return "[[query]]\nTokyo" if asked else answer(request)

    program = Hops()
    with lp.using(lm=lp.ScriptedLM(reply)):
        prediction = program(question="?")
    assert prediction.answer == "Tokyo"
    paths = [step.path for step in prediction.trace]
    assert paths == ["ask", "find[0]", "find[0]", "answer"]
    more = program.with_parameters({"find[0].k": 4})
    assert more.find[0].k == 4 and program.find[0].k == 1
    assert more.find[0].retriever is program.find[0].retriever
    lp.save(more, tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", classes=[Hops], retrievers={"capitals": CAPITAL})
    assert loaded.parameters() == more.parameters()


def test_a_query_that_a_model_wrote_empty_is_the_programs_own_failure() -> None:
    def reply(request: lp.Request) -> str:
        return "[[query]]\n \n" if "[[context]]" not in request.messages[-1].content else "x"

    data = [lp.Example(question="?", answer="Rome")]
    with lp.using(lm=lp.ScriptedLM(reply)):
        report = lp.evaluate(Hops(), data, lambda example, prediction: True)
    assert report.failures_by_kind == {"error": 1} and report.mean == 0


def away(query: str, k: int) -> Any:
    if "Italy" in query:
        raise ConnectionResetError("reset by peer")
    return shared_words(query, k)


@pytest.mark.parametrize("caught", [False, True])
def test_an_outage_is_missing_data_and_in_the_trace(caught: bool) -> None:
    class Guarded(lp.Module):
        signature = "question -> context"

        def __init__(self) -> None:
            self.look_up = lp.Retrieve(away, query="question", passages="context")

        def forward(self, question: str) -> Mapping[str, Any]:
            try:
                return self.look_up(question=question)
            except ConnectError as error:
                raise RuntimeError("no context") from error

    program = Guarded() if caught else lp.Retrieve(away, query="question", passages="context")
    data = [lp.Example(question=f"capital of {name}") for name in ("Italy", "Spain")]
    report = lp.evaluate(program, data, lambda example, prediction: bool(prediction.context))
    assert report.failures_by_kind == {"transport": 1}
    assert [None if row.score is None else row.score.value for row in report.rows] == [None, 1.0]
    assert report.rows[0].trace[-1].failure == (
        "the retriever 'away' failed (ConnectionResetError: reset by peer)"
    )


def test_a_call_that_is_cancelled_is_in_the_trace() -> None:
    async def hang(query: str, k: int) -> Any:
        started.set()
        await asyncio.Event().wait()

    async def cancelled() -> tuple[Any, ...]:
        with lp.record_trace() as trace:
            task = asyncio.create_task(lp.Retrieve(hang).acall(query="x"))
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return trace.steps()

    started = asyncio.Event()
    (step,) = asyncio.run(cancelled())
    assert step.failure == "cancelled"


def test_a_search_made_outside_of_the_program_is_named() -> None:
    outside = lp.Retrieve(CAPITAL)

    class Hidden(lp.Module):
        signature = "query -> passages"

        def forward(self, query: str) -> Mapping[str, Any]:
            return outside(query=query)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        lp.evaluate(Hidden(), [lp.Example(query="Rome")], lambda example, prediction: True)
    said = [str(each.message) for each in told if each.category is LangprogWarning]
    assert any("'retrieve' was called but is not a part of the program" in line for line in said)


def test_k_is_set_and_searched_and_the_retriever_stays() -> None:
    program = lp.Retrieve(CAPITAL, k=2)
    assert list(program.search_space()["k"]) == [1, 3, 5]
    assert list(lp.Retrieve(away).search_space()["k"]) == [1, 3, 5, 10]
    known = program.parameters()
    assert known["program.k"] == lp.Parameter("k", 2)
    same = program.with_parameters({key: each.value for key, each in known.items()})
    assert same.parameters() == known
    described = {**known["program.retriever"].value, "corpus": "another"}
    with pytest.raises(InputError, match="searches another corpus .*keeps its retriever"):
        program.with_parameters({"program.retriever": described})
    for wrong in ("another", {**described, "more": 1}, None):
        with pytest.raises(InputError, match="described by name, kind, options and corpus"):
            program.with_parameters({"program.retriever": wrong})
    with pytest.raises(InputError, match="k of a Retrieve is a number of passages"):
        program.with_parameters({"program.k": 0})
    with pytest.raises(FrozenError):
        program.freeze().k = 3


def test_two_searches_stand_in_one_pipeline() -> None:
    program = lp.Pipeline(
        first=lp.Retrieve(CAPITAL, k=1, query="question", passages="context"),
        second=lp.Retrieve(away, k=1, query="question", passages="facts"),
    )
    prediction = program(question="Spain")
    assert prediction.context_ids == prediction.facts_ids == ["es"]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: lp.Retrieve(CAPITAL, k=0), InputError, "k of a Retrieve is a number of passages"),
        (lambda: lp.Retrieve(CAPITAL, k=True), InputError, "k of a Retrieve"),
        (lambda: lp.Retrieve(CAPITAL, query="no name"), SignatureError, "no name"),
        (lambda: lp.Retrieve(CAPITAL, passages="query"), SignatureError, "query"),
        (lambda: lp.Retrieve(CAPITAL, timeout=0), InputError, "timeout of a Retrieve"),
        (lambda: lp.Retrieve(CAPITALS), InputError, "is an lp.Retriever or a function"),
        (lambda: lp.Retrieve(lp.Predict("a -> b")), InputError, "which is a module itself"),
        (lambda: lp.Retrieve(away, keep_corpus=True), InputError, "made from its corpus alone"),
        (
            lambda: lp.Retrieve(lp.BM25Retriever(["word " * 200_001]), keep_corpus=True),
            InputError,
            "is for a small corpus: this one takes 1,000,0",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    make: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("inputs", [{}, {"question": "x"}, {"query": "x", "more": 1}])
def test_other_inputs_are_refused(inputs: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="a Retrieve takes the input 'query'"):
        lp.Retrieve(CAPITAL)(**inputs)


def test_a_swallowed_outage_is_not_an_answer() -> None:
    with pytest.raises(ServerError, match="gave a NoneType|returned a NoneType"):
        lp.Retrieve(lambda query, k: None)(query="x")


@pytest.mark.parametrize(
    "thing", [lp.Retrieve, lp.BM25Retriever, lp.EmbeddingRetriever, lp.FunctionRetriever]
)
def test_the_example_in_its_docstring_runs(
    thing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    example = re.search(r"Example::\n\n((?:    .*\n|\n)+)", inspect.getdoc(thing) or "")
    assert example is not None
    exec(textwrap.dedent(example[1]), {})
