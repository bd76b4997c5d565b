"""Whatever a DSPy program does, its calls of models are ours: paid, traced, told apart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import langprog as lp
from langprog.errors import (
    AuthError,
    BudgetExceeded,
    ContextWindowError,
    InputError,
    LangprogError,
    ParseError,
    RateLimitError,
    ServerError,
    SignatureError,
    TruncatedError,
)
from langprog.lm import request_key
from tests.interop.dspy.programs import Both, Hops, Steps, answer, best_of, dspy, refined
from tests.interop.dspy.toy import toy_model

Reply = Callable[[lp.Request], Any]


def replying(reply: Reply) -> lp.ScriptedLM:
    """Return a model that replies as it is told, and otherwise as the toy."""
    usual = toy_model(answer)._script
    assert callable(usual)
    return lp.ScriptedLM(lambda request: reply(request) or usual(request), name="openai/toy")


def test_attempts_of_best_of_n_are_different_requests_and_the_best_one_counts() -> None:
    texts = iter(["?", "other", "?"])
    model = replying(lambda request: f"[[ ## kind ## ]]\n{next(texts)}\n\n[[ ## completed ## ]]")
    with lp.using(lm=model):
        prediction = lp.from_dspy(best_of())(word="axx")
    assert prediction.kind == "other"
    assert [step.superseded for step in prediction.trace] == [True, False]
    assert [step.path for step in prediction.trace] == ["module", "module"]
    first, second = model.requests
    assert first.messages == second.messages
    assert request_key(model, first) != request_key(model, second)
    assert [request.sampling.temperature for request in model.requests] == [1.0, 1.0]


def test_a_refine_gives_advice_through_our_models() -> None:
    def reply(request: lp.Request) -> str | None:
        hinted = "hint_" in request.messages[-1].text
        asks = "[[ ## kind ## ]]`" in request.messages[-1].text
        text = "[[ ## reasoning ## ]]\nx\n\n[[ ## kind ## ]]\n{}\n\n[[ ## completed ## ]]"
        return text.format("other" if hinted else "?") if asks else None

    with lp.using(lm=replying(reply), budget=lp.Budget(calls=3)) as settings:
        prediction = lp.from_dspy(refined())(word="b")
    assert prediction.kind == "other"
    paths = [step.path for step in prediction.trace]
    assert paths == ["module.predict", "OfferFeedback", "module.predict"]
    assert settings.ledgers[-1].paid.calls == 3


def test_threads_and_pools_keep_budget_trace_and_settings() -> None:
    class Threads(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("word -> kind")

        def forward(self, word: str) -> Any:
            said: list[str] = []

            def work() -> None:
                said.append(self.ask(word=f"{word}1").kind)
                said.append(dspy.Predict("word -> size")(word=word).size)  # of DSPy's settings

            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            pool = dspy.Parallel(num_threads=2, disable_progress_bar=True)
            rows = [(self.ask, {"word": f"{word}{number}"}) for number in range(2, 5)]
            said += [each.kind for each in pool(rows)]
            return dspy.Prediction(said=said)

    with lp.using(lm=toy_model(answer), budget=lp.Budget(calls=5)) as settings:
        prediction = lp.from_dspy(Threads())(word="a")
    assert prediction.said == ["vowel", "1", "vowel", "vowel", "vowel"]
    assert settings.ledgers[-1].paid.calls == prediction.usage.calls == 5
    listed = [step.path for step in prediction.trace if step.listed]
    assert listed == ["ask"] * 4


def test_a_call_after_forward_has_returned_is_refused() -> None:
    refused: list[str] = []

    class Late(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("word -> kind")
            self.go = threading.Event()
            self.threads: list[threading.Thread] = []

        def forward(self, word: str) -> Any:
            def work(go: threading.Event = self.go) -> None:
                go.wait()
                try:
                    self.ask(word=word)
                except LangprogError as error:
                    refused.append(str(error))

            threads.append(threading.Thread(target=work))
            threads[-1].start()
            return dspy.Prediction(kind="none")

    threads: list[threading.Thread] = []
    late = Late()
    model = toy_model(answer)
    with lp.using(lm=model):
        lp.from_dspy(late)(word="a")
    late.go.set()
    threads[0].join()
    assert "after `forward` had returned" in refused[0]
    assert model.calls == 0


def test_asynchronous_programs_run_on_our_loop() -> None:
    async def both() -> list[Any]:
        program = lp.from_dspy(Both())
        return await asyncio.gather(program.acall(word="a"), program.acall(word="bxx"))

    with lp.using(lm=toy_model(answer)):
        first, second = asyncio.run(both())
    assert (first.kind, second.size) == ("vowel", 3)
    assert {step.path for step in first.trace} == {"short", "long.predict"}


def test_what_a_run_changes_reaches_no_other_run_and_not_the_program() -> None:
    class Counts(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("word -> kind")
            self.seen: list[str] = []
            self.count = 0

        def forward(self, word: str) -> Any:
            self.count += 1
            self.seen.append(word)
            kind = self.ask(word=word).kind
            return dspy.Prediction(kind=kind, count=self.count, seen=list(self.seen))

    original = Counts()
    program = lp.from_dspy(original)
    with lp.using(lm=toy_model(answer)):
        runs = [program(word=word) for word in ("a", "b")]
    assert [(run.count, run.seen) for run in runs] == [(1, ["a"]), (1, ["b"])]
    assert (original.count, original.seen, original.history, original.ask.lm) == (0, [], [], None)
    original.ask.signature = original.ask.signature.with_instructions("Changed later.")
    assert program.parameters()["ask.instruction"].value != "Changed later."


def test_a_tool_that_is_a_method_calls_the_predictors_of_its_own_copy() -> None:
    class Agent(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.helper = dspy.Predict("word -> size")
            self.react = dspy.ReAct("word -> kind", tools=[self.look_up], max_iters=1)

        def look_up(self, word: str) -> str:
            """Look a word up."""
            return str(self.helper(word=word).size)

        def forward(self, word: str) -> Any:
            return self.react(word=word)

    program = lp.from_dspy(Agent()).with_parameters({"helper.instruction": "Count its letters."})
    model = toy_model(answer)
    with lp.using(lm=model):
        prediction = program(word="a000")
    helped = next(step for step in prediction.trace if step.path == "helper")
    assert "Count its letters." in helped.messages[0].text
    assert prediction.trajectory["observation_0"] == "4"


def test_what_a_predictor_got_is_as_it_was_then() -> None:
    with lp.using(lm=toy_model(answer)):
        prediction = lp.from_dspy(Hops())(word="a000")
    contexts = [len(step.inputs["context"]) for step in prediction.trace]
    assert contexts == [0, 1, 2]


def test_each_predictor_keeps_its_model_and_code_may_choose_another() -> None:
    class Several(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("word -> kind")
            self.own = dspy.Predict("word -> kind")
            self.own.lm = dspy.LM(
                "openai/other", api_base="http://localhost:1/v1", api_key="-", temperature=0.3
            )
            self.small = dspy.utils.DummyLM([{"kind": "small"}])

        def forward(self, word: str) -> Any:
            with dspy.context(lm=self.small):
                small = self.ask(word=word).kind
            return dspy.Prediction(kind=self.ask(word=word).kind, small=small)

    program = lp.from_dspy(Several())
    own = program.predictors()["own"]
    assert (str(own.model), own.sampling.temperature) == ("openai/other", 0.3)
    with lp.using(lm=toy_model(answer), budget=lp.Budget(calls=2)) as settings:
        prediction = program(word="a")
    assert (prediction.kind, prediction.small) == ("vowel", "small")
    assert [step.completions[0].model for step in prediction.trace] == ["dummy", "openai/toy"]
    assert settings.ledgers[-1].paid.calls == 2


def test_the_model_that_dspy_is_configured_with_answers_where_none_is_ambient() -> None:
    with dspy.context(lm=dspy.utils.DummyLM([{"kind": "theirs"}] * 3)):
        program = lp.from_dspy(dspy.Predict("word -> kind"))
    assert program(word="a").kind == "theirs"
    assert str(program.parameters()["self.model"].value) == "dummy"
    with lp.using(lm=toy_model(answer)):
        assert program(word="a").kind == "vowel"
        assert program.parameters()["self.model"].value is None


def test_a_model_called_without_a_predictor_is_a_step_too() -> None:
    class Direct(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("word -> kind")

        def forward(self, word: str) -> Any:
            return dspy.Prediction(text=dspy.settings.lm(f"Say {word}.")[0])

    with lp.using(lm=replying(lambda request: "said")):
        prediction = lp.from_dspy(Direct())(word="a")
    assert prediction.text == "said"
    assert [(step.path, step.listed) for step in prediction.trace] == [("lm", False)]


def test_without_dspys_cache_equal_calls_get_an_answer_each() -> None:
    class Samples(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("word -> kind", temperature=1.0, cache=False)

        def forward(self, word: str) -> Any:
            return dspy.Prediction(kinds=[self.ask(word=word).kind for _ in range(3)])

    model = toy_model(answer)
    with lp.using(lm=model):
        lp.from_dspy(Samples())(word="a")
    assert len({request_key(model, request) for request in model.requests}) == 3


@pytest.mark.parametrize("adapter", [None, dspy.JSONAdapter(), dspy.XMLAdapter()])
def test_prompts_are_those_of_dspys_adapter(
    adapter: Any, in_plain_dspy: Callable[..., Any]
) -> None:
    demo = {"word": "egg", "kind": "vowel"}
    program = lp.from_dspy(dspy.Predict("word -> kind"), adapter=adapter).with_parameters(
        {"self.instruction": "Name the kind.", "self.demos": [demo]}
    )
    text = '{"kind": "x"}\n[[ ## kind ## ]]\nx\n<kind>x</kind>'
    model = replying(lambda request: '{"kind": "x"}' if adapter is not None else text)
    if isinstance(adapter, dspy.XMLAdapter):
        model = replying(lambda request: "<kind>x</kind>")
    with lp.using(lm=model):
        program(word="a")
        rendered = program.predictors()["self"].render({"word": "a"})
    with in_plain_dspy(model), dspy.context(adapter=adapter):
        lp.to_dspy(program)(word="a")
    ours, theirs = model.requests
    assert ours.messages == theirs.messages == rendered


def test_a_reply_that_dspy_asks_for_again_is_counted() -> None:
    def reply(request: lp.Request) -> str | None:
        return "no form" if "JSON object" not in request.messages[-1].text else None

    program = lp.from_dspy(dspy.Predict("word -> kind"))
    with lp.using(lm=replying(reply)):
        prediction = program(word="a")
        report = lp.evaluate(program, [{"word": "a", "kind": "vowel"}], lambda e, p: True)
    (step,) = prediction.trace
    assert (step.repairs, len(step.completions), prediction.usage.repairs) == (1, 2, 1)
    assert "1 asked again as a reply could not be read" in str(report)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (ServerError("down"), "transport"),
        (RateLimitError("slow down"), "transport"),
        (ContextWindowError("too long"), "refused"),
        ("no form at all", "parse"),
        (lp.Completion(("[[ ## kind ## ]]\nvow",), "m", finish_reasons=("length",)), "truncated"),
    ],
)
@pytest.mark.parametrize("make", [lambda: dspy.Predict("word -> kind"), best_of])
def test_failures_are_told_apart_also_where_dspy_drops_them(
    reply: Any, kind: str, make: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    data = [{"word": word, "kind": "vowel"} for word in ("a1", "a2", "e3", "e4")]

    def fails(request: lp.Request) -> Any:
        return reply if "e3" in request.messages[-1].text else None

    with lp.using(lm=replying(fails)):
        report = lp.evaluate(lp.from_dspy(make()), data, lambda e, p: e.kind == p.kind)
    assert report.failures_by_kind == {kind: 1}
    assert report.n_missing == (kind == "transport")


@pytest.mark.parametrize("make", [lambda: dspy.Predict("word -> kind"), best_of])
def test_what_every_row_would_meet_stops_the_run(
    make: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    data = [{"word": "a", "kind": "vowel"}]
    with (
        lp.using(lm=replying(lambda request: AuthError("no such key"))),
        pytest.raises(AuthError, match="no such key"),
    ):
        lp.evaluate(lp.from_dspy(make()), data, lambda e, p: True)


def test_dspys_code_handles_our_errors_as_its_own() -> None:
    class Falls(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("word -> kind")

        def forward(self, word: str) -> Any:
            try:
                return self.ask(word=word)
            except dspy.LMRateLimitError as error:
                assert isinstance(error, RateLimitError)
                return self.ask(word="e", lm=dspy.settings.lm.copy(rollout_id=1))

    with lp.using(
        lm=replying(
            lambda request: RateLimitError("slow") if "bbb" in request.messages[-1].text else None
        )
    ):
        prediction = lp.from_dspy(Falls())(word="bbb")
    assert prediction.kind == "vowel"
    assert [step.failed_with for step in prediction.trace][1:] == [None]


def test_a_program_that_is_cut_off_or_cannot_pay_says_so() -> None:
    cut = lp.Completion(("half",), "m", finish_reasons=("length",))
    program = lp.from_dspy(dspy.Predict("word -> kind"))
    with lp.using(lm=replying(lambda request: cut)), pytest.raises(TruncatedError):
        program(word="a")
    with lp.using(lm=replying(lambda request: "?")), pytest.raises(ParseError, match="'\\?'"):
        program(word="a")
    with (
        lp.using(lm=toy_model(answer), budget=lp.Budget(calls=1)),
        pytest.raises(BudgetExceeded),
    ):
        lp.from_dspy(Steps())(word="a")


def test_inputs_are_those_of_forward_or_of_the_signature() -> None:
    class Open(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("word -> kind")

        def forward(self, **inputs: Any) -> Any:
            return self.ask(**inputs)

    assert lp.from_dspy(Hops()).input_names() == ("word",)
    assert lp.from_dspy(best_of()).input_names() == ("word",)
    with pytest.raises(SignatureError, match="inputs=\\['question'\\]"):
        lp.from_dspy(Open())
    assert lp.from_dspy(Open(), inputs=["word"]).input_names() == ("word",)
    with pytest.raises(InputError, match="has no predictors"):

        class Empty(dspy.Module):
            def forward(self, word: str) -> Any:
                return word

        lp.from_dspy(Empty())
