"""Modules of DSPy that write code, gather, vote or share predictors, and values of its types."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ArtifactError, BudgetExceeded, InputError
from tests.interop.dspy.programs import Brief, answer, dspy
from tests.interop.dspy.toy import toy_model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROWS = [lp.Example(word=f"b{place}", kind="other") for place in range(24)]


def write(**fields: str) -> str:
    marked = [f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items()]
    return "\n\n".join([*marked, "[[ ## completed ## ]]"])


def replying(reply: Callable[[str], Any]) -> lp.ScriptedLM:
    """Return a model that replies to the last message as it is told, and otherwise as the toy."""
    usual = toy_model(answer)._script
    assert callable(usual)
    return lp.ScriptedLM(
        lambda request: reply(request.messages[-1].text) or usual(request), name="openai/toy"
    )


def right(example: Any, prediction: Any) -> bool:
    return bool(example.kind == prediction.kind)


# --- modules that write code ---------------------------------------------------------------------


def write_code(asked: str) -> str | None:
    if "[[ ## generated_code ## ]]`" not in asked:
        return None
    if "previous_code" not in asked:
        return write(reasoning="x", generated_code="raise ValueError('not yet')")
    return write(reasoning="x", generated_code="SUBMIT({'kind': 'other'})")


def test_a_program_of_thought_pays_for_each_piece_of_code() -> None:
    module = dspy.ProgramOfThought("word -> kind", interpreter_factory=dspy.LocalInterpreter)
    program = lp.from_dspy(module)
    assert program.calls_per_example() == 4
    with lp.using(lm=replying(write_code), budget=lp.Budget(calls=3)) as settings:
        prediction = program(word="bx")
    assert prediction.kind == "other"
    paths = ["code_generate.predict", "code_regenerate.predict", "generate_output.predict"]
    assert [step.path for step in prediction.trace] == list(program.predictors()) == paths
    assert "not yet" in prediction.trace[1].inputs["error"]
    assert settings.ledgers[-1].paid.calls == 3
    with (
        lp.using(lm=replying(write_code), budget=lp.Budget(calls=1)),
        pytest.raises(BudgetExceeded),
    ):
        program(word="bx")


def test_without_an_interpreter_the_rows_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where no deno is
    with lp.using(lm=replying(write_code)):
        report = lp.evaluate(lp.from_dspy(dspy.ProgramOfThought("word -> kind")), ROWS[:2], right)
    assert report.failures_by_kind == {"error": 2}
    assert "dspy[deno]" in report.first_failures["error"]


def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word} is other"


def test_a_code_act_runs_its_tools_in_the_interpreter() -> None:
    def reply(asked: str) -> str | None:
        if "[[ ## generated_code ## ]]`" in asked:
            return write(generated_code="print(look_up('bx'))", finished="True")
        return None

    program = lp.from_dspy(
        dspy.CodeAct("word -> kind", tools=[look_up], interpreter_factory=dspy.LocalInterpreter)
    )
    with lp.using(lm=replying(reply), budget=lp.Budget(calls=2)):
        prediction = program(word="bx")
    assert prediction.trajectory["code_output_0"] == '"bx is other"'
    assert [step.path for step in prediction.trace] == ["codeact", "extractor.predict"]


def test_what_the_code_of_an_rlm_asks_a_model_is_paid_for() -> None:
    def reply(asked: str) -> str | None:
        if asked == "what is b?":
            return "other"
        code = "SUBMIT(kind=llm_query('what is b?'))"
        return write(reasoning="x", code=code) if "[[ ## code ## ]]`" in asked else None

    program = lp.from_dspy(
        dspy.RLM("word -> kind", max_iters=3, interpreter_factory=dspy.LocalInterpreter)
    )
    assert program.calls_per_example() == 3 + 1 + 50
    with lp.using(lm=replying(reply)) as settings:
        prediction = program(word="b")
    assert prediction.kind == "other"
    assert [step.path for step in prediction.trace] == ["generate_action", "lm"]
    assert settings.ledgers == ()


# --- asynchronous programs -----------------------------------------------------------------------


class Mixed(dspy.Module):  # type: ignore[misc]  # DSPy has no types
    """Asks first and waits, then asks twice at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.first = dspy.Predict("word -> kind")
        self.second = dspy.Predict("word -> size: int")

    async def aforward(self, word: str) -> Any:
        kind = self.first(word=word).kind
        await asyncio.gather(
            self.second.acall(word=f"{word}1"), self.second.acall(word=f"{word}2")
        )
        return dspy.Prediction(kind=kind)


def test_an_asynchronous_program_may_call_predictors_synchronously(
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> None:
    url = scripted_endpoint(toy_model(answer))
    # Fewer requests at once than rows: a call that waits must not keep those it waits for.
    model = lp.LM("openai/toy", base_url=url, api_key="-", cache=False, width=2)
    program = lp.from_dspy(Mixed())
    with lp.using(lm=model, budget=lp.Budget(calls=72)) as settings:
        report = lp.evaluate(program, ROWS, right, concurrency=8)
    assert (report.mean, settings.ledgers[-1].paid.calls) == (1.0, 72)

    async def inside() -> list[Any]:
        return await asyncio.gather(program.acall(word="a"), program.acall(word="b"))

    with lp.using(lm=toy_model(answer)):
        first, second = asyncio.run(inside())
    assert (first.kind, second.kind) == ("vowel", "other")
    assert [step.path for step in first.trace] == ["first", "second", "second"]


def test_an_asynchronous_program_is_cancelled_with_its_call() -> None:
    ended = []

    class Slow(Mixed):
        async def aforward(self, word: str) -> Any:
            try:
                started.set()
                await asyncio.Event().wait()
            finally:
                ended.append(word)

    async def cancel() -> None:
        call = asyncio.create_task(lp.from_dspy(Slow()).acall(word="b"))
        await asyncio.to_thread(started.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        while not ended:
            await asyncio.sleep(0)

    started = threading.Event()
    with lp.using(lm=toy_model(answer)):
        asyncio.run(asyncio.wait_for(cancel(), 20))
    assert ended == ["b"]


# --- several calls, several completions ----------------------------------------------------------


class Gathering(dspy.Module):  # type: ignore[misc]  # DSPy has no types
    """Asks in DSPy's own threads, with one predictor under three names."""

    def __init__(self) -> None:
        super().__init__()
        self.one = dspy.Predict("word -> kind")
        self.by_name = {"same": self.one, "other one": dspy.Predict("word -> kind")}
        self.votes = dspy.Predict("word -> kind", n=3, temperature=0.7)

    def forward(self, word: str) -> Any:
        run = dspy.Parallel(num_threads=2, disable_progress_bar=True)
        row = dspy.Example(word=word).with_inputs("word")
        kinds = run([(self.one, row), (self.by_name["same"], {"word": f"{word}2"})])
        kinds += self.by_name["other one"].batch([row], disable_progress_bar=True)
        chosen = dspy.majority(self.votes(word=word))
        return dspy.Prediction(kind=chosen.kind, kinds=[each.kind for each in kinds])


def test_dspys_threads_votes_and_shared_predictors() -> None:
    def reply(request: lp.Request) -> Any:
        if request.n == 3:
            texts = tuple(write(kind=kind) for kind in ("vowel", "other", "other"))
            return lp.Completion(texts, "toy")
        return write(kind="other")

    program = lp.from_dspy(Gathering())
    assert list(program.predictors()) == ["one", "by_name['other one']", "votes"]
    with lp.using(lm=lp.ScriptedLM(reply, name="openai/toy"), budget=lp.Budget(calls=4)):
        prediction = program(word="b")
    assert (prediction.kind, prediction.kinds) == ("other", ["other"] * 3)
    paths = ["one", "one", "by_name['other one']", "votes"]
    assert [step.path for step in prediction.trace] == paths
    better = lp.to_dspy(program.with_parameters({"one.instruction": "Name it."}))
    assert better.by_name["same"] is better.one
    assert better.one.signature.instructions == "Name it."


# --- values --------------------------------------------------------------------------------------


class Look(dspy.Signature):  # type: ignore[misc]  # DSPy has no types
    """Say what is in the picture."""

    picture: dspy.Image = dspy.InputField()
    history: dspy.History = dspy.InputField()
    kind: str = dspy.OutputField()


def test_values_of_dspys_types_reach_prompt_and_metric_as_they_are() -> None:
    turns = dspy.History(messages=[{"kind": "vowel"}])
    rows = [
        dspy.Example(
            picture=dspy.Image(f"data:image/png;base64,iVBORw0KGg{place:02d}"),
            history=turns,
            kind="other",
        ).with_inputs("picture", "history")
        for place in range(3)
    ]
    kinds = []

    def metric(example: Any, prediction: Any, trace: Any = None) -> bool:
        kinds.append((type(example.picture), example.history.messages))
        return right(example, prediction)

    model = toy_model(answer)
    program = lp.from_dspy(dspy.Predict(Look))
    with lp.using(lm=model):
        report = lp.evaluate(program, rows, metric)
    assert report.mean == 1.0
    assert kinds == [(dspy.Image, [{"kind": "vowel"}])] * 3
    sent = [part for part in model.requests[0].messages[-1].content if isinstance(part, lp.Image)]
    assert len(sent) == 1
    shown = program.with_parameters({"self.demos": [lp.Example(**dict(rows[0].items()))]})
    assert isinstance(lp.to_dspy(shown).demos[0].picture, dspy.Image)


def test_an_artifact_under_an_adapter_of_ones_own_says_what_to_hand_over(tmp_path: Path) -> None:
    program = lp.from_dspy(dspy.Predict("word -> kind"), adapter=Brief())
    path = tmp_path / "artifact.json"
    lp.save(program.with_parameters({"self.instruction": "Name it."}), path)
    plain = dspy.Predict("word -> kind")
    with pytest.raises(ArtifactError, match=r"adapter 'Brief', .* call dspy\.configure"):
        lp.load(path, classes=[plain])
    with dspy.context(adapter=Brief()):
        again = lp.load(path, classes=[plain])
    for loaded in (again, lp.load(path, classes=[lp.from_dspy(plain, adapter=Brief())])):
        assert loaded.predictors()["self"].signature.instruction == "Name it."


class Sized(dspy.Module):  # type: ignore[misc]  # DSPy has no types
    def __init__(self, size: int) -> None:
        super().__init__()
        self.ask = [dspy.Predict("word -> kind") for _ in range(size)]

    def forward(self, word: str) -> Any:
        return self.ask[0](word=word)


def test_a_class_that_needs_arguments_and_an_artifact_without_its_program_say_what_to_do(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match=r"without arguments .*'size'.*: give a program, such as"):
        lp.from_dspy(Sized)
    lp.save(lp.from_dspy(Sized(1)), tmp_path / "artifact.json")
    with pytest.raises(ArtifactError, match=f"--allow {__name__}; it must be the program"):
        lp.load(tmp_path / "artifact.json", classes=[Sized(2)])
    loaded = lp.load(tmp_path / "artifact.json", classes=[Sized(1)])
    assert list(loaded.predictors()) == ["ask[0]"]
