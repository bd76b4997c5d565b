"""What counts as a paid call of a peer."""

from __future__ import annotations

import pytest

import langprog as lp
from benchmarks.real.peers import CallsUsedUp, Metered, as_dspy
from langprog.errors import ContextWindowError

ASKED = [{"role": "user", "content": [{"type": "text", "text": "Name a colour."}]}]
SCHEMA = {"type": "object", "properties": {"colour": {"type": "string"}}}
WISHED = {"type": "json_schema", "json_schema": {"name": "outputs", "schema": SCHEMA}}


def test_an_equal_request_is_paid_once_and_another_rollout_anew() -> None:
    model = lp.ScriptedLM(["red", "blue"])
    metered = Metered(model, None)
    options = {"temperature": 0.0, "max_tokens": 20, "response_format": WISHED}
    assert [metered.answer(ASKED, options).text for _ in range(2)] == ["red", "red"]
    assert metered.answer(ASKED, {**options, "rollout_id": 7}).text == "blue"
    assert metered.paid == 2
    first = model.requests[0]
    assert first.response_schema == SCHEMA
    assert first.messages[0].text == "Name a colour."
    assert (first.sampling.temperature, first.sampling.max_tokens) == (0.0, 20)


def test_no_more_calls_are_made_than_may_be_paid() -> None:
    metered = Metered(lp.ScriptedLM(["red", "blue"]), 1)
    metered.answer(ASKED, {})
    with pytest.raises(CallsUsedUp):
        metered.answer(ASKED, {"temperature": 1.0})
    assert metered.answer(ASKED, {}).text == "red"
    assert metered.paid == 1


@pytest.mark.filterwarnings("ignore:Implementing custom LMs:DeprecationWarning")
def test_a_prompt_that_the_model_cannot_read_is_the_error_that_a_peer_knows() -> None:
    errors = pytest.importorskip("dspy.utils.exceptions")

    def refuse(request: lp.Request) -> str:
        raise ContextWindowError("2262 tokens are too many", model="scripted")

    model = as_dspy(Metered(lp.ScriptedLM(refuse), None), 20)
    with pytest.raises(errors.ContextWindowExceededError, match="2262 tokens"):
        model("Name a colour.")
