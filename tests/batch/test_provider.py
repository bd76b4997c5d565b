"""Batches at a provider: every row once, nothing paid twice, whatever the provider does."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

import langprog as lp
from benchmarks.batch_wire import Row, completion, refusal
from langprog.batch import Batch, ProviderBatches
from langprog.errors import AuthError, InputError, LangprogWarning, ModelError
from tests.batch.provider import COST, ProviderPlace, echo, provider, question_in

QUESTIONS = tuple(f"question {number}" for number in range(10))
RIGHT = {number: f"re: {question}" for number, question in enumerate(QUESTIONS, start=1)}


@pytest.fixture
def place() -> Iterator[ProviderPlace]:
    with provider() as made:
        made.rows(*QUESTIONS)
        yield made


def test_rows_are_answered_in_one_batch_at_half_price(place: ProviderPlace) -> None:
    done = place.run()
    assert (done.written, done.failed, done.stopped) == (10, 0, "")
    assert place.answers == RIGHT
    assert place.sizes == [10] and place.most_paid == 1
    assert done.dollars == pytest.approx(10 * COST)
    assert [status.status for status in place.statuses] == [
        "validating",
        "in_progress",
        "finalizing",
        "completed",
    ]
    assert "10 of 10 requests done" in str(place.statuses[-1])
    assert {path.name for path in place.source.parent.iterdir()} == {"in.jsonl", "out.jsonl"}


def test_the_file_is_that_of_a_local_run(place: ProviderPlace) -> None:
    questions = [f"question {number % 7}" for number in range(40)]
    random.Random(0).shuffle(questions)
    place.rows(*questions)
    place.run(order="input")
    batched = place.target.read_bytes()
    place.target.unlink()
    place.run(provider=None, order="input")
    assert place.target.read_bytes() == batched


def test_the_discount_can_be_set(place: ProviderPlace) -> None:
    assert place.run(options={"discount": 0.0}).dollars == pytest.approx(20 * COST)


def test_files_are_divided_by_requests_and_by_bytes(place: ProviderPlace) -> None:
    place.run(options={"requests_per_file": 4})
    assert sorted(place.sizes) == [2, 4, 4] and place.answers == RIGHT
    place.target.unlink()
    place.endpoint.batches.clear()
    place.run(options={"bytes_per_file": 2000})
    assert len(place.sizes) > 1 and sum(place.sizes) == 10 and place.answers == RIGHT
    place.rows("x" * 3000, "short")
    place.target.unlink()
    assert place.run(options={"bytes_per_file": 2000}).failures == {"refused": 1}


class Steps(lp.Module):
    """Two predictors in a loop of the program's own."""

    signature = "question -> answer"

    def __init__(self) -> None:
        self.first = lp.Predict("question -> answer", adapter="chat")

    async def aforward(self, question: str) -> lp.Prediction:
        answer = question
        while not answer.startswith("re: re: "):
            answer = (await self.first.acall(question=answer)).answer
        return lp.Prediction(answer=answer)


class Plain(lp.Module):
    """The same in synchronous code, which runs in threads."""

    signature = "question -> answer"

    def __init__(self) -> None:
        self.first = lp.Predict("question -> answer", adapter="chat")

    def forward(self, question: str) -> lp.Prediction:
        return lp.Prediction(
            answer=self.first(question=self.first(question=question).answer).answer
        )


def test_rows_that_hold_a_thread_are_fewer(place: ProviderPlace) -> None:
    def width(program: lp.Module, options: ProviderBatches | None) -> int:
        return Batch(program, place.source, place.target, "run", provider=options).rows_at_once

    nested = lp.Pipeline(a=Plain(), b=lp.Predict("answer -> more"))
    assert width(Steps(), None) == 64 and width(Steps(), ProviderBatches()) == 10_000
    assert width(Plain(), ProviderBatches()) == width(nested, ProviderBatches()) == 1_000


@pytest.mark.parametrize("kind", [Steps, Plain])
def test_a_program_of_several_steps_takes_a_wave_for_each(
    place: ProviderPlace, kind: type[lp.Module]
) -> None:
    place.program = kind()
    assert place.run().failed == 0
    assert place.answers == {number: f"re: {answer}" for number, answer in RIGHT.items()}
    assert sum(place.sizes) == 20 and place.most_paid == 1
    # When threads go on is up to the system.
    assert kind is Plain or place.sizes == [10, 10]


def look_up(city: str) -> int:
    """Return how many people live in a city.

    Args:
        city: The city.
    """
    return len(city)


def in_any_form(body: dict[str, Any]) -> str | Row:
    """Answer in JSON if it is asked for, and call a tool once if there are tools."""
    if "response_format" in body:
        return '{"answer": "fine"}'
    if "tools" not in body:
        return "[[answer]]\nfine"
    used = any(message["role"] == "tool" for message in body["messages"])
    name, given = ("submit", {"answer": "fine"}) if used else ("look_up", {"city": "Rome"})
    call = {"name": name, "arguments": json.dumps(given)}
    reply = completion("")
    reply["choices"][0]["message"]["tool_calls"] = [
        {"id": "call_1", "type": "function", "function": call}
    ]
    return Row(reply)


class Seeing(lp.Signature):
    """Say what it shows."""

    question: str = lp.Input()
    photo: lp.Image = lp.Input()
    answer: str = lp.Output()


PROGRAMS: dict[str, tuple[lp.Module, dict[str, Any], int]] = {
    "json": (lp.Predict("question -> answer"), {"schema": True}, 1),
    "tools": (lp.ReAct("question -> answer", tools=[look_up], max_steps=3), {}, 2),
    "image": (lp.Predict(Seeing, adapter="chat"), {"extra": {"user": "me"}, "stop": ("x",)}, 1),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_bodies_are_those_of_direct_calls(name: str) -> None:
    program, options, waves = PROGRAMS[name]
    with provider(in_any_form) as place:
        place.program = program
        photo = "https://example.com/a.png"
        lines = [json.dumps({"question": question, "photo": photo}) for question in QUESTIONS]
        place.source.write_text("\n".join(lines))
        lm = place.model(**options)
        assert place.run(lm).failed == 0 and len(place.sizes) == waves
        batched, rows = Counter(place.endpoint.answered), place.answers
        place.endpoint.answered.clear()
        place.target.unlink()
        assert place.run(lm, provider=None).failed == 0
        assert place.endpoint.answered == batched and place.answers == rows


def test_a_vote_sends_its_calls_together(place: ProviderPlace) -> None:
    place.program = lp.Vote(lp.Predict("question -> answer", adapter="chat"), k=3)
    assert place.run().failed == 0
    assert place.answers == RIGHT
    # The third call of each is left out, because the first two agree.
    assert place.sizes == [20] and place.most_paid == 1


def test_a_check_that_fails_is_asked_again_in_the_next_wave() -> None:
    def answer(body: dict[str, Any]) -> str:
        first = len(body["messages"]) == 2
        return "[[answer]]\nshort" if first else "[[answer]]\nlong enough"

    with provider(answer) as place:
        place.rows(*QUESTIONS)
        check = lp.Check(lambda answer: len(answer) > 5, "write more")
        place.program = lp.Predict("question -> answer", adapter="chat", checks=[check])
        assert place.run().failed == 0
        assert set(place.answers.values()) == {"long enough"} and place.sizes == [10, 10]


FLAKY = {
    "429": Row({"error": {"message": "slow down"}}, 429),
    "500": Row({"error": {"message": "oops"}}, 500),
    "code": Row("The server had an error.", None, "server_error"),
    "missing": Row(times=0),
    "garbage": Row(raw=b'{"custom_id": "x'),
    "odd": Row("not a completion"),
    "empty": Row(None),
    "null": Row(raw=b"null"),
}


def test_what_fails_for_the_providers_fault_is_asked_again() -> None:
    asked: Counter[str] = Counter()

    def answer(body: dict[str, Any]) -> str | Row:
        question = question_in(body)
        asked[question] += 1
        return FLAKY[question] if question in FLAKY and asked[question] < 3 else echo(body)

    with provider(answer) as place:
        place.rows(*FLAKY, "fine", "too")
        assert place.run().failed == 0
        given = [place.answers[number] for number in range(1, 11)]
        assert given == [f"re: {name}" for name in (*FLAKY, "fine", "too")]
        assert place.sizes == [10, 8, 8]


def test_failed_rows_are_retried_if_asked(place: ProviderPlace) -> None:
    def answer(body: dict[str, Any]) -> str | Row:
        said = str(body["messages"][1]["content"])
        if "question 4" in said:
            return Row({"error": {"message": "invalid prompt"}}, 400)
        return "no marker" if "question 3" in said else f"{echo(body)}\n[[number]]\n7"

    place.endpoint.answer = answer
    place.program = lp.Predict("question -> answer, number: int", adapter="chat")
    # One that cannot be read is asked again; then a wave is cancelled, so that the state stays.
    place.endpoint.fates = ["completed", "completed", "cancelled"]
    assert place.run(width=5).stopped and place.state.exists()
    failed = {number for number, said in place.answers.items() if said in ("parse", "refused")}
    assert failed == {4, 5}
    place.endpoint.answer = lambda body: "[[answer]]\nnow\n[[number]]\n7"
    assert place.run(retry_failed=True).failed == 0
    assert {place.answers[number] for number in failed} == {"now"}


def test_what_always_fails_is_a_failure_that_the_same_command_retries() -> None:
    down = [True]

    def answer(body: dict[str, Any]) -> str | Row:
        return FLAKY["500"] if down[0] and question_in(body).endswith("3") else echo(body)

    with provider(answer) as place:
        place.rows(*QUESTIONS)
        done = place.run(options={"attempts": 3})
        assert (done.failures, done.again) == ({"transport": 1}, 1)
        assert place.sizes == [10, 1, 1]
        down[0] = False
        assert place.run().failed == 0
        assert place.answers == RIGHT and place.most_paid == 1


def test_a_request_that_is_refused_is_a_failure_row() -> None:
    refused = Row({"error": {"message": "invalid prompt", "code": "invalid_prompt"}}, 400)

    def answer(body: dict[str, Any]) -> str | Row:
        return refused if question_in(body).endswith("3") else echo(body)

    with provider(answer) as place:
        place.rows(*QUESTIONS)
        done = place.run()
        assert (done.failures, done.again) == ({"refused": 1}, 0)
        assert "invalid prompt" in done.first["refused"] and place.sizes == [10]


@pytest.mark.filterwarnings("ignore:openai/batched does not accept temperature")
def test_a_setting_that_is_refused_is_left_out_in_the_next_wave() -> None:
    message = "Unsupported value: 'temperature' does not support 0.3 with this model."
    error = {"message": message, "param": "temperature", "code": "unsupported_value"}

    def answer(body: dict[str, Any]) -> str | Row:
        return Row({"error": error}, 400) if "temperature" in body else echo(body)

    with provider(answer) as place:
        place.rows(*QUESTIONS)
        lm = place.model(temperature=0.3)
        # All of the first window learn it together; the rest know it.
        assert place.run(lm, width=6).failed == 0
        assert place.answers == RIGHT and place.sizes == [6, 6, 4]


def test_a_batch_that_expires_is_sent_again_for_the_rest(
    place: ProviderPlace,
) -> None:
    place.endpoint.fates = ["expired", "expired"]
    assert place.run().failed == 0
    assert place.answers == RIGHT and place.sizes == [10, 5, 3] and place.most_paid == 1


def test_batches_that_expire_for_ever_end_in_failures(place: ProviderPlace) -> None:
    place.endpoint.fates = ["expired"] * 9
    place.endpoint.share = 0.0
    done = place.run(options={"attempts": 2})
    assert (done.failures, place.sizes) == ({"transport": 10}, [10, 10])
    assert "expired" in done.first["transport"]
    assert done.dollars == 0.0


def test_a_cancelled_batch_stops_and_keeps_what_was_answered(place: ProviderPlace) -> None:
    place.endpoint.fates = ["cancelled"]
    done = place.run()
    assert "was cancelled with 5 of 10 requests unanswered" in done.stopped
    assert len(place.answers) == 5 and place.state.exists()
    assert done.dollars == pytest.approx(5 * COST)
    assert place.run().stopped == ""
    assert place.answers == RIGHT and place.sizes == [10, 5] and place.most_paid == 1


def test_a_batch_that_is_refused_says_its_first_error(place: ProviderPlace) -> None:
    place.endpoint.fates = ["failed"]
    done = place.run()
    assert "line 1: The file is not to our taste." in done.stopped and not place.answers
    assert place.run().stopped == "" and place.answers == RIGHT


def test_batches_become_smaller_if_the_provider_takes_less(place: ProviderPlace) -> None:
    place.endpoint.most_requests = 4
    with pytest.warns(LangprogWarning) as warned:
        assert place.run().stopped == ""
    assert "batches have 5 requests from now on" in str(warned[0].message)
    assert place.answers == RIGHT and place.most_paid == 1


def test_duplicates_and_strange_lines_change_nothing() -> None:
    strange = b'{"custom_id": "unknown", "response": {"status_code": 200, "body": {}}}'

    def answer(body: dict[str, Any]) -> str | Row:
        good = Row(completion(str(echo(body))), times=2)
        return good if question_in(body) != "strange" else Row(raw=strange + b"\n\n[]\nnull\n7")

    with provider(answer) as place:
        place.rows(*QUESTIONS, "strange")
        done = place.run(options={"attempts": 1})
        assert done.failures == {"transport": 1}
        assert {number: place.answers[number] for number in RIGHT} == RIGHT
        assert "no reply to this request (3 lines cannot be read)" in done.first["transport"]


# --- the budget ----------------------------------------------------------------------------------


def test_only_what_the_budget_covers_is_sent(place: ProviderPlace) -> None:
    with pytest.warns(LangprogWarning, match="the budget covers 4 requests at a time"):
        done = place.run(budget=lp.Budget(calls=4))
    assert "the budget of 4 calls is used up" in done.stopped and done.capped
    assert len(place.answers) == 4 and place.sizes == [4]
    done = place.run(budget=lp.Budget(calls=4))
    assert done.written == 0 and place.sizes == [4]
    done = place.run(budget=lp.Budget(calls=10))
    assert (done.stopped, place.answers, place.sizes) == ("", RIGHT, [4, 6])


def test_a_cap_in_dollars_reserves_whole_files_before_they_are_sent(place: ProviderPlace) -> None:
    cap = 25 * COST  # each reserves several times what it costs
    with pytest.warns(LangprogWarning, match="requests at a time"):
        done = place.run(place.model(max_tokens=20), budget=lp.Budget(dollars=cap))
    assert done.stopped == "" and place.answers == RIGHT and len(place.sizes) > 1
    assert done.dollars is not None and done.dollars <= cap


# --- what stops a run ----------------------------------------------------------------------------


def test_a_key_that_is_refused_ends_the_run(place: ProviderPlace) -> None:
    with pytest.raises(AuthError, match="Incorrect API key"):
        place.run(place.model(api_key="wrong"))
    assert not place.endpoint.files and not place.state.exists()


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/files", 400, "the endpoint refuses the file of requests: .*not today"),
        ("/v1/files", 404, "this endpoint may have no batch API"),
        ("/v1/files", 413, "HTTP 413: .*not today"),
        ("/v1/batches", 400, "the endpoint refuses the batch: .*not today"),
    ],
)
def test_an_endpoint_that_refuses_says_why(
    place: ProviderPlace, path: str, status: int, said: str
) -> None:
    async def refuse(number: int, request: web.Request) -> web.StreamResponse | None:
        return refusal(status, "not today") if request.path == path else None

    place.endpoint.interfere = refuse
    done = place.run()
    assert done.written == 0 and not place.state.exists()
    assert re.search(said, done.stopped), done.stopped
    place.endpoint.interfere = None
    assert place.run().stopped == "" and place.answers == RIGHT


def test_an_endpoint_that_fails_now_and_then_is_asked_again(place: ProviderPlace) -> None:
    async def fail(number: int, request: web.Request) -> web.StreamResponse | None:
        if number % 2:
            return refusal(503 if number % 4 == 1 else 429, "later", headers={"Retry-After": "0"})
        return None

    place.endpoint.interfere = fail
    assert place.run().stopped == "" and place.answers == RIGHT and place.sizes == [10]


def test_a_batch_whose_creation_is_not_confirmed_is_found(place: ProviderPlace) -> None:
    created = place.endpoint._create

    async def lose(number: int, request: web.Request) -> web.StreamResponse | None:
        if (request.method, request.path) == ("POST", "/v1/batches"):
            await created(request)
            return refusal(502, "bad gateway")
        return None

    place.endpoint.interfere = lose
    assert place.run().stopped == "" and place.answers == RIGHT and place.sizes == [10]


def test_without_a_list_an_unconfirmed_batch_is_not_sent_twice(place: ProviderPlace) -> None:
    created = place.endpoint._create

    async def lose(number: int, request: web.Request) -> web.StreamResponse | None:
        if (request.method, request.path) == ("POST", "/v1/batches"):
            await created(request)
            return refusal(502, "bad gateway")
        return refusal(404, "no such route") if request.path == "/v1/batches" else None

    place.endpoint.interfere = lose
    for _ in range(2):
        said = place.run().stopped
        assert "nobody knows whether the batch" in said and "--cancel gives it up" in said
    assert place.sizes == [10]
    place.endpoint.interfere = None
    assert place.run().stopped == "" and place.answers == RIGHT and place.sizes == [10]


def test_an_endpoint_that_takes_no_metadata_is_sent_none(place: ProviderPlace) -> None:
    async def refuse(number: int, request: web.Request) -> web.StreamResponse | None:
        if (request.method, request.path) == ("POST", "/v1/batches"):
            if "metadata" in await request.json():
                return refusal(400, "Unknown parameter: 'metadata'.")
        return None

    place.endpoint.interfere = refuse
    assert place.run().stopped == "" and place.answers == RIGHT and place.sizes == [10]


def test_a_batch_that_is_gone_stops_the_run(place: ProviderPlace) -> None:
    async def lose(number: int, request: web.Request) -> web.StreamResponse | None:
        if request.method == "GET" and request.path.startswith("/v1/batches/"):
            place.endpoint.batches.clear()
        return None

    place.endpoint.interfere = lose
    done = place.run()
    assert "is not there any more, or belongs to another key" in done.stopped


def test_most_rows_failing_for_one_reason_sends_nothing_more() -> None:
    with provider(lambda body: "no markers") as place:
        place.rows(*(f"question {number}" for number in range(300)))
        place.program = lp.Predict("question -> answer: int", adapter="chat")
        done = place.run()
        assert "most rows fail for one reason" in done.stopped
        # What was paid is written; nothing is sent after it.
        assert len(place.answers) >= 100 and place.most_paid == 1


def test_models_that_cannot_be_batched_are_refused(place: ProviderPlace) -> None:
    with pytest.raises(ModelError, match="not a model of an OpenAI-compatible endpoint"):
        place.run(lp.lm.LiteLLM("anthropic/claude"))

    class Logged(lp.lm.Wrapper):
        pass

    with pytest.raises(ModelError, match="wrapped in Logged"):
        place.run(Logged(place.model()))
    one_key, other_key = (place.model(api_key=key) for key in ("none", "other"))
    place.program = lp.Pipeline(
        a=lp.Predict("question -> answer", model=one_key, adapter="chat"),
        b=lp.Predict("question, answer -> more", model=other_key, adapter="chat"),
    )
    with pytest.raises(ModelError, match="with different keys or headers"):
        place.run()


@pytest.mark.parametrize(
    "wrong", [{"poll": 0}, {"discount": 2}, {"attempts": 0}, {"path": "v1"}, {"gather": -1}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        ProviderBatches(**wrong)
