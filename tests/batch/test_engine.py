"""Every row once, whatever happens to it, to the endpoint or to the process."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from pathlib import Path

import pytest

import langprog as lp
from langprog.batch import Batch, BatchProgress, run_batch
from langprog.errors import (
    AuthError,
    BadRequestError,
    ConnectError,
    ContentFilterError,
    ContextWindowError,
    InputError,
    LangprogError,
    ModelError,
    ParseError,
    RateLimitError,
    ServerError,
    TimeoutError,
)
from tests.batch.running import Place, answer_of, question_in


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_every_row_gives_one_row_that_says_which_it_is(place: Place) -> None:
    place.rows("b", "a", "c", id=["x", "y", "z"], note=[1, [2], None])
    done = place.run(keep=("note",))
    assert (done.written, done.earlier, done.failed, done.stopped) == (3, 0, 0, "")
    rows = sorted(place.results, key=lambda row: int(row["row"]))
    assert [(row["row"], row["id"], row["note"], answer_of(row)) for row in rows] == [
        (1, "x", 1, "re: b"),
        (2, "y", [2], "re: a"),
        (3, "z", None, "re: c"),
    ]
    assert len({row["key"] for row in rows}) == 3


@pytest.mark.parametrize("order", ["arrival", "input"])
def test_rows_that_ask_the_same_are_asked_once(place: Place, order: str) -> None:
    questions = [f"question {number % 7}" for number in range(2000)]
    random.Random(0).shuffle(questions)
    place.rows(*questions)
    done = place.run(order=order)
    assert done.written == 2000
    assert Counter(place.asked) == {f"question {number}": 1 for number in range(7)}
    assert place.answers == {
        number: f"re: {question}" for number, question in enumerate(questions, start=1)
    }
    if order == "input":
        assert [row["row"] for row in place.results] == [*range(1, 2001)]


def test_prompts_that_begin_alike_are_asked_one_after_the_other(place: Place) -> None:
    questions = [f"topic {number % 10} case {number}" for number in range(300)]
    place.rows(*questions)
    place.run(width=1)
    # The first block keeps its order, to see what most rows do.
    assert place.asked[:64] == questions[:64]
    assert place.asked[64:] == sorted(questions[64:])


REFUSED = {
    "bad request": BadRequestError("invalid prompt", model="m"),
    "context": ContextWindowError("too long", model="m"),
    "filter": ContentFilterError("no", model="m"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_row_that_is_refused_is_a_failure_and_stays_one(place: Place, name: str) -> None:
    place.reply = lambda question: REFUSED[name] if question == "poison" else "fine"
    place.rows("a", "poison", "c")
    assert place.run().failures == {"refused": 1}
    assert place.answers == {1: "fine", 2: "refused", 3: "fine"}
    done = place.run()
    assert (done.written, done.earlier, done.failed, done.again) == (0, 3, 1, 0)
    assert len(place.asked) == 3
    place.reply = lambda question: "fine"
    done = place.run(retry_failed=True)
    assert (done.written, done.earlier, done.failed) == (1, 2, 0)
    assert place.answers == {1: "fine", 2: "fine", 3: "fine"}


TRANSPORT = {
    "429": RateLimitError("slow", model="m"),
    "500": ServerError("down", model="m"),
    "reset": ConnectError("gone", model="m"),
    "time-out": TimeoutError("late", model="m"),
}


@pytest.mark.parametrize("name", TRANSPORT)
def test_what_failed_for_the_endpoints_fault_is_asked_again(place: Place, name: str) -> None:
    place.reply = lambda question: TRANSPORT[name] if question != "b" else "fine"
    place.rows("a", "b", "c")
    done = place.run()
    assert (done.failures, done.again) == ({"transport": 2}, 2)
    place.reply = lambda question: "fine"
    done = place.run()
    assert (done.written, done.earlier, done.failed) == (2, 1, 0)
    assert sorted(place.answers) == [1, 2, 3] and len(place.results) == 3
    assert Counter(place.asked) == {"a": 2, "b": 1, "c": 2}


def test_a_failure_that_code_of_the_user_wraps_is_still_what_it_was(place: Place) -> None:
    class Wrapping(lp.Module):
        signature = "question -> answer"

        def __init__(self) -> None:
            self.inner = lp.Predict("question -> answer", adapter="chat")

        async def aforward(self, question: str) -> lp.Prediction:
            try:
                return await self.inner.acall(question=question)
            except LangprogError as error:
                raise RuntimeError("it did not work") from error

    place.program = Wrapping()
    errors = {"a": ServerError("down", model="m"), "b": BadRequestError("no", model="m")}
    place.reply = lambda question: errors.get(question, "fine")
    place.rows("a", "b", "c")
    assert place.run().failures == {"transport": 1, "refused": 1}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ParseError("no answer in it"), "parse"),
        (BadRequestError("no such model", model="m"), "refused"),
        (ServerError("down", model="m"), "transport"),
        (ZeroDivisionError("bug in a model's own code"), "transport"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_run_in_which_most_rows_fail_for_one_reason_stops(
    place: Place, error: Exception, kind: str
) -> None:
    place.reply = lambda question: error
    place.rows(*(f"question {number}" for number in range(1000)))
    done = place.run(width=8)
    assert kind in done.stopped and done.failures.keys() == {kind}
    assert 50 <= len(place.results) < 70 and len(place.asked) < 80
    place.reply = lambda question: "fine"
    done = place.run(retry_failed=True)
    assert done.failed == 0 and len(place.results) == 1000


def test_an_outage_in_the_middle_stops_the_run_and_loses_nothing(place: Place) -> None:
    down = ServerError("down", model="m")
    place.reply = lambda question: "fine" if len(place.asked) <= 400 else down
    place.rows(*(f"question {number}" for number in range(2000)))
    done = place.run(width=4)
    assert "transport" in done.stopped and len(place.asked) < 500
    place.reply = lambda question: "fine"
    done = place.run(width=4)
    assert done.failed == 0 and set(place.answers.values()) == {"fine"}
    assert sorted(place.answers) == [*range(1, 2001)]


def test_rows_that_fail_by_themselves_stop_nothing_as_long_as_others_do_not(place: Place) -> None:
    # Sorted, all that fail come together; they are a tenth.
    place.reply = lambda question: (
        BadRequestError("empty", model="m") if question.startswith("a") else "fine"
    )
    questions = [f"{'a' if number % 10 == 0 else 'b'} {number}" for number in range(2000)]
    place.rows(*questions)
    done = place.run()
    assert (done.stopped, done.failures) == ("", {"refused": 200})


def test_a_key_that_is_refused_ends_the_run_and_writes_nothing(place: Place) -> None:
    place.reply = lambda question: AuthError("wrong key", model="m")
    for rows in (1, 5, 500):
        place.rows(*(f"question {number}" for number in range(rows)))
        with pytest.raises(AuthError, match="wrong key"):
            place.run(width=4)
        assert not place.results
    assert len(place.asked) < 30


@pytest.mark.parametrize("poison", [0, 7, 199])
def test_one_row_that_is_answered_403_blocks_nothing(place: Place, poison: int) -> None:
    forbidden = AuthError("HTTP 403", model="m")
    place.reply = lambda question: forbidden if question == f"question {poison}" else "fine"
    place.rows(*(f"question {number}" for number in range(200)))
    done = place.run(width=4)
    assert (done.failures, done.again, done.stopped) == ({"auth": 1}, 1, "")
    assert len(place.results) == 200
    place.reply = lambda question: "fine"
    assert place.run().failed == 0 and len(place.results) == 200


def test_a_key_that_is_revoked_on_the_way_ends_the_run_and_loses_nothing(place: Place) -> None:
    place.reply = lambda question: (
        "fine" if len(place.asked) <= 100 else AuthError("revoked", model="m")
    )
    place.rows(*(f"question {number}" for number in range(500)))
    with pytest.raises(AuthError, match="revoked"):
        place.run(width=4)
    place.reply = lambda question: "fine"
    done = place.run()
    assert done.earlier == 100 and done.written == 400 and len(place.results) == 500


def test_a_budget_ends_the_run_and_the_next_one_goes_on(place: Place) -> None:
    place.rows(*(f"question {number}" for number in range(30)))
    done = place.run(budget=lp.Budget(calls=10), width=4)
    assert "budget" in done.stopped and len(place.asked) == 10
    assert set(place.answers.values()) == {"re: " + question for question in place.asked}
    done = place.run(budget=lp.Budget(calls=100))
    assert (done.written, done.earlier, done.stopped) == (20, 10, "")
    assert Counter(place.asked).most_common(1)[0][1] == 1


def test_no_model_is_an_error_and_not_a_row(place: Place) -> None:
    place.rows("a")
    batch = Batch(place.program, place.source, place.target, "one")
    with pytest.raises(ModelError):
        asyncio.run(run_batch(batch))


@pytest.mark.parametrize("width", [1, 3, 64])
def test_a_slow_row_holds_nobody_up(place: Place, width: int) -> None:
    gate = threading.Event()
    others = width > 1

    class Slow(lp.ScriptedLM):
        async def complete(self, request: lp.Request) -> lp.Completion:
            if question_in(request) == "question 1" and others:
                await asyncio.to_thread(gate.wait, 20)
            return await super().complete(request)

    place.model = Slow(place._answer, name="test/model")
    place.rows(*(f"question {number}" for number in range(300)))

    def told(progress: BatchProgress) -> None:
        if progress.done >= 299:
            gate.set()

    async def work() -> None:
        batch = Batch(place.program, place.source, place.target, "one", width=width)
        with lp.using(lm=place.model):
            task = asyncio.create_task(run_batch(batch, told))
            while not task.done() and (not others or written(place) < 299):
                await asyncio.sleep(0)
            gate.set()
            await task

    asyncio.run(work())
    assert len(place.results) == 300
    assert not others or place.results[-1]["row"] == 2


def test_rows_that_wait_for_a_slow_one_hold_nobody_up_either(place: Place) -> None:
    gate = asyncio.Event()

    class Slow(lp.ScriptedLM):
        async def complete(self, request: lp.Request) -> lp.Completion:
            if question_in(request) == "b slow":
                await gate.wait()
            return await super().complete(request)

    place.model = Slow(place._answer, name="test/model")
    questions = ["b slow"] * 3000 + [f"c {number}" for number in range(200)]
    place.rows(*questions)

    async def work() -> None:
        batch = Batch(place.program, place.source, place.target, "one", width=2)
        with lp.using(lm=place.model):
            task = asyncio.create_task(run_batch(batch))
            while not task.done() and written(place) < 200:
                await asyncio.sleep(0)
            assert set(place.answers) == {*range(3001, 3201)}
            gate.set()
            await task

    asyncio.run(asyncio.wait_for(work(), 60))
    assert len(place.results) == 3200 and place.asked.count("b slow") == 1


def written(place: Place) -> int:
    return place.target.read_bytes().count(b"\n") if place.target.exists() else 0


CHANGES = {
    "the program": {"run": "two"},
    "what passes through": {"keep": ("note",)},
}


@pytest.mark.parametrize("name", CHANGES)
def test_results_of_something_else_are_left_alone(place: Place, name: str) -> None:
    place.reply = lambda question: ServerError("down", model="m") if question == "b" else "fine"
    place.rows("a", "b", note=[1, 2])
    place.run()
    before = place.target.read_bytes()
    with pytest.raises(InputError, match="row 1 is not the result of this program"):
        place.run(**CHANGES[name])
    assert place.target.read_bytes() == before


def test_an_input_that_was_edited_is_told_from_one_that_grew(place: Place) -> None:
    place.rows("a", "b")
    place.run()
    before = place.target.read_bytes()
    place.rows("a", "c")
    with pytest.raises(InputError, match="row 2 is not the result"):
        place.run()
    place.rows("a")
    with pytest.raises(InputError, match="more rows"):
        place.run()
    assert place.target.read_bytes() == before
    place.rows("a", "b", "c")
    done = place.run()
    assert (done.written, done.earlier) == (1, 2)


def test_what_does_not_matter_to_the_answer_may_change(place: Place) -> None:
    place.source.write_text('{"question": "a", "other": 1}\n')
    place.run()
    place.source.write_text('{"other":   2,  "question":"a"}\n')
    assert place.run().earlier == 1


def test_rows_that_cannot_be_read_are_failures_in_their_place(place: Place) -> None:
    lines = [json.dumps({"question": f"question {number}"}) for number in range(100)]
    broken = {
        3: "{",
        50: "[1]",
        70: '{"other": 1}',
        99: '{"question": 7}',
        80: '{"question": NaN}',
    }
    for index, line in broken.items():
        lines[index] = line
    place.source.write_text("\n".join(lines) + "\n")
    done = place.run()
    assert (done.written, done.failures) == (100, {"input": 5})
    assert {row for row, kind in place.answers.items() if kind == "input"} == {
        index + 1 for index in broken
    }
    messages = [row["failure"]["message"] for row in place.results if "failure" in row]
    assert all(str(place.source) in message or "question" in message for message in messages)


def test_keys_do_not_get_into_the_output(place: Place) -> None:
    key = "sk-abcdefghijklmnopqrstuvwx1"
    place.reply = lambda question: (
        BadRequestError(f"the key {key} may not", model="m") if question == "a" else "fine"
    )
    place.rows("a", "b")
    done = place.run()
    assert key not in place.target.read_text() and key not in str(done.first)


def test_progress_says_how_far_it_is(place: Place) -> None:
    told: list[BatchProgress] = []
    place.rows(*(f"question {number}" for number in range(50)))

    async def work() -> None:
        with lp.using(lm=place.model):
            await run_batch(Batch(place.program, place.source, place.target, "one"), told.append)

    asyncio.run(work())
    assert told and told[0].total == 50 and 1 <= told[0].done <= 50
    assert told[0].rate > 0 and told[0].seconds_left is not None


def test_a_program_may_take_and_give_anything(place: Place) -> None:
    class Counting(lp.Module):
        def forward(self, words: list[str], times: int) -> dict[str, object]:
            return {"answer": {"all": words * times, "half": "\ud800", "nan": float("nan")}}

    place.program = Counting()
    place.source.write_text('{"words": ["\\u00fc"], "times": 2}\n')
    place.run()
    [row] = place.results
    assert row["outputs"]["answer"] == {"all": ["\u00fc"] * 2, "half": "\ud800", "nan": "NaN"}


def test_blocks_follow_one_another(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langprog.batch.blocks.MOST_ROWS", 40)
    monkeypatch.setattr("langprog.batch.sorting.MOST_ROWS", 7)
    questions = [f"question {number * 37 % 400}" for number in range(400)]
    place.rows(*questions)
    place.run(width=5, budget=lp.Budget(calls=150))
    place.run(width=5)
    assert place.answers == {
        number: f"re: {question}" for number, question in enumerate(questions, start=1)
    }
    assert Counter(place.asked).most_common(1)[0][1] == 1
