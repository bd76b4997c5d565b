"""Where a prompt meets a model: also one of a user's own is paid for, and has to answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import langprog as lp
from langprog.errors import BudgetExceeded, ModelError
from langprog.lm import Completion, LanguageModel, Ledger, Request, Usage
from langprog.lm.streaming import stream_completion
from tests.lm.endpoint import asking, endpoint, good, says, sends


class Own:
    """A language model of a user's own, which knows nothing of budgets."""

    name = "own/model"
    endpoint = "in-process"
    defaults = lp.Sampling()

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked = 0

    async def complete(self, request: Request) -> Completion:
        self.asked += 1
        return self.answer  # type: ignore[no-any-return]  # the point of some tests

    async def aclose(self) -> None:
        pass


class HandingOn(Own):
    """Asks another model, which reserves for itself."""

    def __init__(self, *inner: LanguageModel) -> None:
        super().__init__(None)
        self.inner = inner

    async def complete(self, request: Request) -> Completion:
        return await self.inner[0].complete(request)


QA = lp.Predict("q -> a")
GOOD = Completion(("[[a]]\nv",), "own/model")


def test_a_cap_holds_for_a_model_of_a_users_own() -> None:
    own = Own(GOOD)
    with lp.using(lm=own, budget=lp.Budget(calls=2)) as settings:
        assert [QA(q="x").a for _ in range(2)] == ["v", "v"]
        with pytest.raises(BudgetExceeded):
            QA(q="x")
        assert settings.ledgers[-1].paid.calls == 2
    assert own.asked == 2
    with lp.using(lm=own, budget=lp.Budget(dollars=1)), pytest.raises(ModelError, match="price"):
        QA(q="x")
    assert own.asked == 2


@pytest.mark.parametrize("streamed", [False, True])
def test_a_cap_holds_for_a_model_that_is_asked_without_a_predictor(streamed: bool) -> None:
    lm = lp.LM("pocket/small", cache=False, price=lp.Price(1.0, 1.0))

    async def ask(number: int) -> None:
        request = asking(f"prompt {number}", sampling=lp.Sampling(max_tokens=4))
        if streamed:
            async for _ in stream_completion(lm, request):
                pass
        else:
            await lm.complete(request)

    async def ask_often() -> None:
        for number in range(9):
            await ask(number)

    outer = Ledger(lp.Budget(dollars=1.0))
    with lp.using(budget=outer), lp.using(budget=lp.Budget(calls=3)) as settings:
        with pytest.raises(BudgetExceeded):
            asyncio.run(ask_often())
        assert settings.ledgers[-1].paid.calls == outer.paid.calls == 3
        assert outer.paid.dollars > 0


def test_attempts_of_a_remote_model_are_paid_without_a_predictor() -> None:
    async def ask() -> None:
        async with endpoint(sends(b"no json"), says(good())) as served:
            lm = lp.LM("mine/x", base_url=served.base_url, cache=False)
            try:
                await lm.complete(asking())
            finally:
                await lm.aclose()

    with lp.using(budget=lp.Budget(calls=5)) as settings:
        asyncio.run(ask())
    assert settings.ledgers[-1].paid.calls == 2


def test_a_call_that_is_handed_on_is_paid_once() -> None:
    inner = lp.LM("pocket/small", cache=False)
    with lp.using(lm=HandingOn(inner), budget=lp.Budget(calls=10)) as settings:
        QA(q="x")
        assert settings.ledgers[-1].paid.calls == 1


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "[[a]]\nv",
        {"texts": ["v"]},
        Completion((), "m"),
        Completion((5,), "m"),  # type: ignore[arg-type]  # a user's own may be wrong
        Completion("[[a]]\nv", "m"),  # type: ignore[arg-type]  # likewise
        Completion(("[[a]]\nv",), "m", dollars=float("nan")),
        Completion(("[[a]]\nv",), "m", dollars=-0.01),
        Completion(("[[a]]\nv",), "m", dollars="0.01"),  # type: ignore[arg-type]  # likewise
        Completion(("[[a]]\nv",), "m", Usage(-5, 5)),
        Completion(("[[a]]\nv",), "m", Usage(None, 5)),  # type: ignore[arg-type]  # likewise
        Completion(("[[a]]\nv",), "m", None),  # type: ignore[arg-type]  # likewise
    ],
)
def test_what_is_no_completion_is_told(answer: Any) -> None:
    with (
        lp.using(lm=Own(answer)),
        pytest.raises(ModelError, match="own/model: complete"),
    ):
        QA(q="x")
