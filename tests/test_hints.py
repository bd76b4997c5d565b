"""Where somebody types a word of DSPy, the error names ours."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import re
import sys
import types
from collections.abc import Callable
from functools import cache
from types import MappingProxyType
from typing import Any

import pytest

import langprog as lp
import langprog.checks.elsewhere
import langprog.hints
import langprog.lm.elsewhere
import langprog.modules.elsewhere
import langprog.retrieval.elsewhere
import optimizers
from langprog.errors import InputError, LangprogError
from langprog.hints import with_hints
from optimizers import GEPA, BootstrapFewShot, LabeledFewShot

LM = lp.ScriptedLM(lambda request: "[[answer]]\nx")
ROWS = [lp.Example(question="a", answer="x")] * 3
PREDICT = lp.Predict("question -> answer")
SIGNATURE: Any = PREDICT.signature


class Own(lp.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = [lp.Predict("question -> answer")]

    def forward(self, question: str) -> lp.Prediction:
        return self.parts[0](question=question)

    @property
    def broken(self) -> str:
        return PREDICT.missing  # type: ignore[attr-defined,no-any-return]  # as a user may err


class Triage(lp.Signature):
    """Route the ticket."""

    ticket: str = lp.Input()
    team: str = lp.Output()


class Called(lp.Module):
    def __call__(self, question: str) -> Any:  # type: ignore[override]  # as a user may err
        return PREDICT(question=question)


class Misspelt(lp.Module):
    def foward(self, question: str) -> Any:
        return PREDICT(question=question)


def look_up(query: str) -> str:
    """Look something up."""
    return query


def half_typed(query: str, n=3) -> str:  # type: ignore[no-untyped-def]  # as a user may err
    return query * n  # type: ignore[no-any-return]  # as above


def score(example: Any, prediction: Any) -> float:
    return 1.0


def evaluated() -> Any:
    return lp.evaluate(PREDICT, ROWS, score, lm=LM)


def remote(**options: Any) -> Any:
    return lp.LM("my/model", base_url="http://127.0.0.1:9/v1", cache=False, **options)


def compiled(**more: Any) -> Any:
    return LabeledFewShot().compile(PREDICT, ROWS, metric=score, **more)


@cache
def result() -> Any:
    rows = [lp.Example(question=f"q{number}", answer="x") for number in range(12)]
    with lp.using(lm=LM):
        return LabeledFewShot().compile(PREDICT, rows, metric=score)


lib: Any = lp  # its functions are called here as those of another library
own: Any = Own()
predict: Any = PREDICT
triage: Any = Triage
library: Any = optimizers

# What is typed, and what the error has to say.
HABITS: dict[str, tuple[Callable[[], Any], str]] = {
    "configure positional": (lambda: lib.configure(LM), "lm=..."),
    "configure rm": (lambda: lib.configure(lm=LM, rm=1), "lp.Retrieve"),
    "configure trace": (lambda: lib.configure(trace=[]), ".trace"),
    "configure track_usage": (lambda: lib.configure(track_usage=True), ".usage"),
    "context": (lambda: lib.context(lm=LM), "lp.using(lm=...)"),
    "using positional": (lambda: lib.using(LM), "lm=..."),
    "LM api_base": (lambda: remote(api_base="http://x"), "write base_url="),
    "LM model": (lambda: lib.LM(model="openai/gpt-6.1-sol"), "lp.LM('provider/model')"),
    "LM model_type": (lambda: remote(model_type="chat"), "leave it out"),
    "LM n": (lambda: remote(n=3), "lp.Vote"),
    "LM num_retries": (lambda: remote(num_retries=3), "write attempts="),
    "LM extra_body": (lambda: remote(extra_body={}), "write extra="),
    "LM called": (lambda: remote()("Say hi"), "lp.Predict('question -> answer')"),
    "LM stream": (lambda: remote(stream=True), "program.stream(...)"),
    "LM min_p": (lambda: remote(min_p=0.1), "extra={'min_p': ...}"),
    "LM request_timeout": (lambda: remote(request_timeout=3), "write timeout="),
    "call stream": (lambda: predict(question="x", stream=True), "program.stream(...)"),
    "call model": (lambda: predict(question="x", model="a/b"), "lp.using(...)"),
    "call top_p": (lambda: predict(question="x", top_p=0.5), "lp.Sampling(...)"),
    "LM history": (lambda: remote().history, "prediction.trace"),
    "LM copy": (lambda: remote().copy(temperature=1), "lp.LM("),
    "call positional": (lambda: predict("x"), "program(question=...)"),
    "call lm": (lambda: predict(question="x", lm=LM), "lp.using(lm=...)"),
    "call config": (lambda: predict(question="x", config={}), "temperature="),
    "call n": (lambda: predict(question="x", n=3), "lp.Vote"),
    "set_lm": (lambda: own.set_lm(LM), "lp.using(lm=...)"),
    "get_lm": (lambda: own.get_lm(), ".model"),
    "named_predictors": (lambda: own.named_predictors(), "program.predictors()"),
    "batch": (lambda: own.batch([]), "lp.parallel"),
    "save": (lambda: own.save("x.json"), "lp.save(program, path)"),
    "load": (lambda: own.load("x.json"), "lp.load(path)"),
    "load allow_pickle": (lambda: lib.load("x.json", allow_pickle=True), "plain data"),
    "save save_program": (lambda: lib.save(own, "x", save_program=True), "the whole program"),
    "save swapped": (lambda: lib.save("x.json", own), "lp.save(program, path)"),
    "dump_state": (lambda: predict.dump_state(), "lp.save"),
    "Predict compile": (lambda: predict.compile(ROWS), "Compiler().compile(program, ...)"),
    "own __call__": (lambda: asyncio.run(Called().acall(question="x")), "rename __call__ to"),
    "own foward": (lambda: Misspelt()(question="x"), "rename foward to forward"),
    "deepcopy": (lambda: own.deepcopy(), "with_parameters"),
    "module inspect_history": (lambda: own.inspect_history(), "langprog show --last"),
    "inspect_history": (lambda: lib.inspect_history(1), "langprog show --last"),
    "set demos": (lambda: setattr(PREDICT, "demos", []), "with_parameters"),
    "Predict positional": (lambda: lib.Predict("a -> b", "Do it."), "instruction="),
    "Predict instructions": (lambda: lib.Predict("a -> b", instructions="x"), "instruction="),
    "Predict lm": (lambda: lib.Predict("a -> b", lm=LM), "model="),
    "Predict n": (lambda: lib.Predict("a -> b", n=5), "lp.Vote"),
    "Predict string": (lambda: lib.Predict("a -> b: string"), "write b: str"),
    "Predict words": (lambda: lib.Predict("my question -> b"), "write my_question"),
    "call with a list": (lambda: predict(question=["a"]), "question: list[str]"),
    "Predict stop": (lambda: lib.Predict("a -> b", stop=["x"]), "lp.Sampling(stop=...)"),
    "Predict tools": (lambda: lib.Predict("a -> b", tools=[]), "lp.ReAct"),
    "ChainOfThought lm": (lambda: lib.ChainOfThought("a -> b", lm=LM), "model="),
    "ChainOfThought positional": (lambda: lib.ChainOfThought("a -> b", "x"), "instruction="),
    "MIPRO": (lambda: lib.MIPRO, "from optimizers import MIPRO"),
    "ParseError": (lambda: lib.ParseError, "from langprog.errors import ParseError"),
    "exact": (lambda: lib.exact, "from langprog.evaluation import exact"),
    "tool": (lambda: lib.tool, "did you mean 'Tool'?"),
    "optimizers misspelt": (lambda: library.Compile, "did you mean 'Compiler'?"),
    "optimizers Budget": (lambda: library.Budget, "lp.Budget"),
    "compile": (lambda: lib.compile(predict), "Compiler().compile(program, ...)"),
    "stream": (lambda: lib.stream(predict), "program.stream"),
    "using model": (lambda: lib.using(model=LM), "write lm="),
    "Predict check": (lambda: lib.Predict("a -> b", check=[]), "checks=[...]"),
    "Map positional": (lambda: lib.Map(predict, "rows"), "write over="),
    "Retrieve k": (lambda: lib.Retrieve(k=3), "lp.BM25Retriever(texts)"),
    "Retrieve top_k": (lambda: lib.Retrieve("x", top_k=3), "write k="),
    "ReAct max_iters": (lambda: lib.ReAct("a -> b", [score], max_iters=3), "max_steps="),
    "ReAct no tools": (lambda: lib.ReAct("a -> b"), "tools=[function, ...]"),
    "ReAct program": (lambda: lib.ReAct("a -> b", tools=[predict]), "tools=[ask]"),
    "ReAct.max_iters": (lambda: lib.ReAct("a -> b", [look_up]).max_iters, ".max_steps"),
    "ReAct default": (lambda: lib.ReAct("a -> b", [half_typed]), "write n: int"),
    "Tool.from_mcp_tool": (lambda: lib.Tool.from_mcp_tool(1, 2), "lp.mcp_tools(command)"),
    "tool.func": (lambda: lib.Tool(look_up).func("x"), "tool(...)"),
    "Tool desc": (lambda: lib.Tool(score, name="x", desc="y"), "description="),
    "Tool func": (lambda: lib.Tool(func=score), "lp.Tool(function)"),
    "Tool args": (lambda: lib.Tool(score, args={}), "types and docstring"),
    "Tool positional": (lambda: lib.Tool(score, "x", "y"), "description=..."),
    "Map num_threads": (lambda: lib.Map(predict, over="x", num_threads=4), "at_once="),
    "Retry": (lambda: lib.Retry, "lp.require"),
    "Refine N": (lambda: lib.Refine(predict, N=3, reward_fn=score), "rounds="),
    "Refine reward_fn": (lambda: lib.Refine(predict, reward_fn=score), "judge="),
    "BestOfN": (lambda: lib.BestOfN, "lp.BestOf"),
    "BestOf reward_fn": (lambda: lib.BestOf(predict, reward_fn=score), "judge="),
    "Vote n": (lambda: lib.Vote(predict, n=3), "write k="),
    "parallel pairs": (lambda: lib.parallel([(predict, {})]), "lp.parallel(program, rows)"),
    "parallel num_threads": (lambda: lib.parallel(predict, [], num_threads=3), "width="),
    "desc": (lambda: _with_field(lib.Input(desc="x")), 'lp.Input("what it means")'),
    "InputField": (lambda: lib.InputField(desc="x"), 'lp.Input("what it means")'),
    "OutputField": (lambda: lib.OutputField(desc="x"), 'lp.Output("what it means")'),
    "Signature text": (lambda: lib.Signature("a -> b", "Do it."), "instruction='Do it.'"),
    "Signature dict": (lambda: lib.Signature({"a": 1}, "Do it."), "derives from lp.Signature"),
    "instructions": (lambda: SIGNATURE.instructions, ".instruction"),
    "class instructions": (lambda: triage.instructions, ".spec.instruction"),
    "with_instructions": (lambda: triage.with_instructions("x"), "with_instruction(...)"),
    "append": (lambda: SIGNATURE.append("x", lp.Input()), "with_field"),
    "input_fields": (lambda: triage.input_fields, ".inputs"),
    "with_inputs": (lambda: lp.Example(q=1).with_inputs("q"), "leave it out"),
    "Example dict": (lambda: lib.Example({"q": 1}), "Example(**row)"),
    "toDict": (lambda: lp.Prediction(a=1).toDict(), "to_dict()"),
    "Prediction dict": (lambda: lib.Prediction({"a": 1}), "lp.Prediction(**outputs)"),
    "class fields": (lambda: triage.fields, ".inputs and .outputs"),
    "get_lm_usage": (lambda: lp.Prediction(a=1).get_lm_usage(), ".usage"),
    "Image.from_url": (lambda: lib.Image.from_url("https://x"), "lp.Image(address)"),
    "Image.from_file": (lambda: lib.Image.from_file("x.png"), "lp.Image(path)"),
    "History.messages": (lambda: lib.History().messages.append({}), "with_turn"),
    "Assert": (lambda: lib.Assert(True, "x"), "lp.require"),
    "Suggest": (lambda: lib.Suggest(True, "x"), "lp.suggest"),
    "streamify": (lambda: lib.streamify(own), "program.astream"),
    "asyncify": (lambda: lib.asyncify(own), "program.acall"),
    "BaseCallback": (lambda: lib.BaseCallback, "lp.Callback"),
    "Embedder": (lambda: lib.Embedder("x"), "lp.EmbeddingRetriever"),
    "Evaluate": (lambda: lib.Evaluate(devset=ROWS), "lp.evaluate(program, data, metric)"),
    "evaluate devset": (lambda: lib.evaluate(predict, devset=ROWS, metric=score), "data="),
    "evaluate num_threads": (
        lambda: lib.evaluate(predict, ROWS, score, num_threads=4),
        "concurrency=",
    ),
    "report score": (lambda: evaluated().score, ".mean"),
    "report results": (lambda: evaluated().results, ".rows"),
    "import InputField": (lambda: exec("from langprog import InputField"), "lp.Input("),
    "import MIPROv2": (lambda: exec("from optimizers import MIPROv2"), "write MIPRO()"),
    "import GRPO": (lambda: exec("from optimizers import GRPO"), "no attribute 'GRPO'"),
    "MIPROv2": (lambda: library.MIPROv2, "MIPRO()"),
    "KNNFewShot": (lambda: lib.KNNFewShot, "KNNDemos"),
    "BootstrapFewShot metric": (lambda: BootstrapFewShot(metric=score), "compile(program"),  # type: ignore[call-arg]
    "GEPA auto": (lambda: GEPA(auto="light"), "lp.Budget(calls=...)"),  # type: ignore[call-arg]
    "GEPA reflection_lm": (lambda: GEPA(reflection_lm=LM), "proposing="),  # type: ignore[call-arg]
    "compare by position": (lambda: lib.compare(own, own, ROWS, 5), "compare_programs("),
    "compare metric": (lambda: lib.compare(own, own, metric=score), "two reports"),
    "Budget max_calls": (lambda: lib.Budget(max_calls=3), "write calls="),
    "Budget call": (lambda: lib.Budget(call=3), "did you mean 'calls'?"),
    "ScriptedLM model": (lambda: lib.ScriptedLM(model="x"), "write name="),
    "ScriptedLM text": (lambda: lib.ScriptedLM("yes"), "lp.ScriptedLM([...])"),
    "Price prompt": (lambda: lib.Price(prompt=1), "write input="),
    "Sampling n": (lambda: lib.Sampling(n=3), "lp.Vote"),
    "Score reason": (lambda: lib.Score(1, reason="x"), "write feedback="),
    "metric min": (lambda: lib.metric(min=1), "range=(low, high)"),
    "BM25Retriever k": (lambda: lib.BM25Retriever(["x"], k=3), "lp.Retrieve(retriever, k=...)"),
    "EmbeddingRetriever model": (lambda: lib.EmbeddingRetriever(["x"], model="y"), "embed="),
    "checks max_length": (lambda: lib.checks.max_length("a", 5), "lp.checks.length("),
    "checks pii": (lambda: lib.checks.pii(), "lp.checks.no_pii(field)"),
    "checks no_pii": (lambda: lib.checks.no_pii(), "'field'; it has field, message, level"),
    "checks length max": (lambda: lib.checks.length("a", max=5), "write most="),
    "Pipeline positional": (lambda: lib.Pipeline(predict), "lp.Pipeline(first=..., second=...)"),
    "Cascade models": (lambda: lib.Cascade([predict], models=["x"]), "lp.Cascade.over("),
    "NearestDemos n": (lambda: lib.NearestDemos(ROWS, n=3), "write k="),
    "load_examples inputs": (lambda: lib.load_examples("x", inputs=["q"]), "leave it out"),
    "Vote positional": (lambda: lib.Vote(predict, 3), "takes 1 argument by position (module)"),
    "evaluate nothing": (lambda: lib.evaluate(predict), "'data'; it has program, data, metric"),
    "compile student": (lambda: compiled(student=PREDICT), "first argument"),
    "compiled called": (lambda: result()(question="x"), "call compiled.program(...)"),
    "compiled predictors": (lambda: result().predictors(), "compiled.program.predictors"),
    "compiled scores": (lambda: result().detailed_results, "compiled.report"),
    "compiled evaluated": (lambda: lib.evaluate(result(), ROWS, score), "compiled.program"),
    "compiled saved": (lambda: lib.save(result(), "x.json"), "compiled.save(path)"),
    "example inputs": (lambda: lp.Example(q=1).inputs(), "program(question=example.question)"),
    "compile metric": (
        lambda: LabeledFewShot().compile(predict, ROWS),
        "'metric'; it has program",
    ),  # type: ignore[call-arg]
    "compile teacher": (lambda: compiled(teacher=PREDICT), "teacher=..."),
}


def _with_field(mark: Any) -> Any:
    return type("Made", (lp.Signature,), {"__annotations__": {"q": str}, "q": mark})


@pytest.mark.parametrize("habit", HABITS)
def test_a_habit_meets_our_word(habit: str) -> None:
    act, words = HABITS[habit]
    with pytest.raises((LangprogError, AttributeError, ImportError)) as raised:
        act()
    assert words in str(raised.value)


def test_every_name_in_a_hint_is_there() -> None:
    tables = [
        table
        for module in (
            langprog.hints,
            langprog.checks.elsewhere,
            langprog.lm.elsewhere,
            langprog.modules.elsewhere,
            langprog.retrieval.elsewhere,
        )
        for table in vars(module).values()
        if isinstance(table, MappingProxyType)
    ]
    assert len(tables) >= 16
    for table in tables:
        for hint in table.values():
            for name in re.findall(r"\blp\.([A-Za-z_]\w*)", hint):
                assert getattr(lp, name), hint
            for name in re.findall(r"\blp\.checks\.([a-z_]+)", hint):
                assert getattr(lp.checks, name), hint
            for name in re.findall(r"from optimizers import (\w+)", hint):
                assert getattr(optimizers, name), hint


def test_every_optimizer_is_named_where_somebody_looks_for_it_in_the_package() -> None:
    for member in {*optimizers.MEMBERS.values(), optimizers.Optimizer}:
        name = member.__name__
        with pytest.raises(AttributeError, match=f"from optimizers import {name}`"):
            getattr(lib, name)


def test_names_that_tools_ask_for_get_no_suggestion() -> None:
    with pytest.raises(AttributeError, match="has no attribute '__file_'$"):
        getattr(lib, "__file_")


def test_names_that_nobody_else_has_get_the_usual_error() -> None:
    for thing in (own, predict, SIGNATURE, triage, lp.History(), lib.Image, remote()):
        with pytest.raises(AttributeError, match="has no attribute 'nothing'") as raised:
            _ = thing.nothing
        assert ":" not in str(raised.value)
        assert raised.value.name == "nothing"


def test_an_error_inside_a_property_stays_what_it_was() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'missing'"):
        _ = own.broken


def test_an_argument_of_its_own_is_taken_whatever_the_table_says() -> None:
    shared = {"k": "write count=", "n": "write count="}

    @with_hints(shared)
    def draw(count: int = 1, *, k: int = 0) -> int:
        return count + k

    assert draw(k=2) == 3
    with pytest.raises(InputError, match="draw has no argument 'n': write count="):
        draw(n=2)  # type: ignore[call-arg]


def test_a_cascade_takes_thresholds() -> None:
    cascade = lp.Cascade(
        [lp.Predict("q -> a", model=name) for name in ("one", "two")], thresholds=[0.5]
    )
    over = lp.Cascade.over(lp.Predict("q -> a"), ["one", "two"], thresholds=[0.5])
    assert cascade.tiers == over.tiers
    assert [(tier.step, tier.threshold) for tier in cascade.tiers] == [(0, 0.5), (1, None)]


def test_a_type_error_inside_a_function_stays_one() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        lib.parallel(lambda row: row, 7)
    assert str(inspect.signature(lp.Budget)).startswith("(calls:")


def test_objects_are_copied_and_pickled_as_before() -> None:
    history = lp.History([{"question": "a", "answer": "b"}])
    assert pickle.loads(pickle.dumps(history)) == copy.deepcopy(history) == history
    assert pickle.loads(pickle.dumps(SIGNATURE)) == copy.copy(SIGNATURE) == SIGNATURE
    assert copy.deepcopy(PREDICT).signature == PREDICT.signature
    assert not hasattr(own, "set_lm")


def test_a_module_of_ones_own_may_have_such_names() -> None:
    class Agent(lp.Module):
        def __init__(self, lm: str, n: int) -> None:
            self.history = [lm] * n

        def forward(self, question: str) -> dict[str, Any]:
            return {"answer": self.history[-1]}

    assert Agent(lm="a", n=2)(question="x").answer == "a"


def test_a_module_that_is_just_being_imported_is_found_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = types.ModuleType("langprog.half")
    monkeypatch.setitem(sys.modules, "langprog.half", half)
    names: dict[str, Any] = {}
    exec("from langprog import half, Predict", names)
    assert names["half"] is half and names["Predict"] is lp.Predict
    assert not hasattr(lp, "InputField") and not hasattr(optimizers, "MIPROv2")
