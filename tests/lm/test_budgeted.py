"""A budget holds for any model, also for one of a user's own that knows nothing of budgets."""

from __future__ import annotations

import asyncio
import warnings

import pytest

import langprog as lp
from langprog.errors import BudgetExceeded, LangprogWarning, ModelError, ServerError
from langprog.lm import (
    Budgeted,
    Cached,
    LanguageModel,
    MemoryCache,
    Priced,
    Retry,
    Usage,
    keep_budgets,
)


class House:
    """A model of a user's own, with what a language model needs and no more."""

    name, endpoint, defaults = "house/model", "in-process", lp.Sampling()

    def __init__(self) -> None:
        self.asked: list[lp.Request] = []

    async def complete(self, request: lp.Request) -> lp.Completion:
        self.asked.append(request)
        return lp.Completion(("[[team]]\nharbor",), self.name, Usage(20, 5))

    async def aclose(self) -> None: ...


class Forwarding(House):
    """One that asks another model, without being a Wrapper."""

    def __init__(self, inner: LanguageModel) -> None:
        super().__init__()
        self.inner = inner

    async def complete(self, request: lp.Request) -> lp.Completion:
        return await self.inner.complete(request)


ROWS = [lp.Example(ticket=f"ticket {number}", team="harbor") for number in range(8)]


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.team == prediction.team)


def triage(model: LanguageModel | None = None) -> lp.Predict:
    return lp.Predict("ticket -> team", model=model)


def test_an_evaluation_stops_a_users_own_model_at_the_cap() -> None:
    for bound in (True, False):
        house = House()
        program, lm = (triage(house), None) if bound else (triage(), house)
        report = lp.evaluate(program, ROWS, right, lm=lm, budget=lp.Budget(calls=3))
        assert (len(house.asked), report.n_scored) == (3, 3)
        assert report.failures_by_kind == {"budget": 5}


def test_a_budget_around_calls_stops_a_users_own_model_too() -> None:
    program = triage(House())
    with lp.using(budget=lp.Budget(calls=1)) as settings:
        program(ticket="my bill is wrong")
        with pytest.raises(BudgetExceeded, match="1 calls is used up"):
            program(ticket="my bill is late")
    assert (settings.ledgers[-1].paid.calls, settings.ledgers[-1].paid.tokens) == (1, 25)


def test_a_model_of_ones_own_without_a_price_is_never_free() -> None:
    budget = lp.Budget(dollars=1)
    with pytest.raises(ModelError, match=r"house/model has no known price.*langprog\.lm\.Priced"):
        lp.evaluate(triage(House()), ROWS, right, budget=budget)
    priced = Priced(House(), lp.Price(input=2.0, output=8.0))
    with pytest.warns(LangprogWarning, match="max_tokens=4096"):
        assert lp.evaluate(triage(priced), ROWS, right, budget=budget).n_scored == 8


def test_the_bound_of_replies_is_said_once_for_a_model() -> None:
    program = triage(House())
    with warnings.catch_warnings(record=True) as said, lp.using(budget=lp.Budget(tokens=99_999)):
        warnings.simplefilter("always")
        program(ticket="a")
        program(ticket="b")
    assert len(said) == 1


def test_what_asks_a_model_that_reserves_itself_is_counted_once() -> None:
    house = House()
    program = triage(Forwarding(Budgeted(house)))
    with lp.using(budget=lp.Budget(calls=1)) as settings:
        program(ticket="my bill is wrong")  # two reservations would wait for one another here
        with pytest.raises(BudgetExceeded):
            program(ticket="my bill is late")
    assert settings.ledgers[-1].paid.calls == len(house.asked) == 1


def test_retries_inside_a_model_of_ones_own_count() -> None:
    scripted = lp.ScriptedLM([ServerError("broken"), "[[team]]\natlas"])
    program = triage(Forwarding(Retry(Budgeted(scripted), first_wait=0)))
    with lp.using(budget=lp.Budget(calls=5)) as settings:
        assert program(ticket="no internet").team == "atlas"
    assert settings.ledgers[-1].paid.calls == 2


def test_an_answer_that_was_there_already_is_not_paid() -> None:
    program = triage(Forwarding(Cached(Budgeted(House()), MemoryCache())))
    with lp.using(budget=lp.Budget(calls=1)) as settings:
        program(ticket="my bill is wrong")
    with lp.using(budget=lp.Budget(calls=1)) as again:
        program(ticket="my bill is wrong")
    ledgers = settings.ledgers[-1], again.ledgers[-1]
    assert [ledger.paid.calls for ledger in ledgers] == [1, 0]
    assert [ledger.uncached.calls for ledger in ledgers] == [1, 1]


def test_a_model_that_reserves_is_left_as_it_is() -> None:
    with lp.using(budget=lp.Budget()) as settings:
        ledger = settings.ledgers[-1]
    model = Retry(Budgeted(House()))
    assert keep_budgets(model, ledger) is model
    assert keep_budgets(house := House(), ledger) is keep_budgets(house, ledger)


def test_what_is_no_completion_is_said_in_words() -> None:
    class Wordy(House):
        async def complete(self, request: lp.Request) -> lp.Completion:
            return "harbor"  # type: ignore[return-value] # the mistake that is tested

    with pytest.raises(ModelError, match=r"house/model: complete\(\) returned a str"):
        asyncio.run(triage(Wordy()).acall(ticket="my bill is wrong"))
