from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, LangprogError, ParseError

NUMBERS = list(range(6))


def number_in(request: lp.Request) -> int:
    return int(request.messages[1].content.split("[[number]]\n")[1])


def doubling(request: lp.Request) -> str:
    return f"[[double]]\n{2 * number_in(request)}"


class Counting:
    """A model that counts how many calls are under way at the same time."""

    name, endpoint, defaults = "test/counting", "in-process", lp.Sampling()

    def __init__(self) -> None:
        self.under_way = self.most = 0

    async def complete(self, request: lp.Request) -> lp.Completion:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        for _ in range(5):
            await asyncio.sleep(0)
        self.under_way -= 1
        return lp.Completion((doubling(request),), self.name)

    async def aclose(self) -> None: ...


@pytest.fixture
def double() -> lp.Predict:
    lp.configure(lm=lp.ScriptedLM(doubling))
    return lp.Predict("number: int -> double: int")


def test_a_module_gets_its_inputs_and_results_keep_their_order(double: lp.Predict) -> None:
    got = lp.parallel(double, [{"number": number} for number in NUMBERS])
    assert [prediction.double for prediction in got] == [2 * number for number in NUMBERS]


def test_a_function_gets_each_item(double: lp.Predict) -> None:
    assert lp.parallel(lambda n: double(number=n).double, NUMBERS) == [2 * n for n in NUMBERS]
    assert lp.parallel(str, iter(NUMBERS)) == [str(n) for n in NUMBERS]
    assert lp.parallel(str, []) == []


def test_an_asynchronous_function_is_awaited(double: lp.Predict) -> None:
    async def ask(number: int) -> int:
        return int((await double.acall(number=number)).double)

    assert lp.parallel(ask, NUMBERS) == [2 * number for number in NUMBERS]
    assert lp.parallel(lambda number: ask(number), NUMBERS) == [2 * n for n in NUMBERS]


@pytest.mark.parametrize("width", [1, 3])
def test_no_more_than_width_are_under_way(width: int) -> None:
    model = Counting()
    double = lp.Predict("number: int -> double: int", model=model)
    lp.parallel(double, [{"number": number} for number in NUMBERS], width=width)
    assert model.most == width


def test_inside_a_forward_the_calls_are_the_programs_own() -> None:
    class Whole(lp.Module):
        def __init__(self) -> None:
            self.double = lp.Predict("number: int -> double: int")

        def forward(self, count: int) -> dict[str, Any]:
            one = lp.parallel(self.double, [{"number": number} for number in range(count)])
            two = lp.parallel(lambda n: self.double(number=n).double, range(count), width=2)
            return {"total": sum(p.double for p in one) + sum(two)}

    with lp.using(lm=lp.ScriptedLM(doubling)):
        prediction = Whole()(count=3)
    assert prediction.total == 2 * 2 * (0 + 1 + 2)
    assert [step.inputs["number"] for step in prediction.trace] == [0, 1, 2, 0, 1, 2]
    assert {step.path for step in prediction.trace} == {"double"}
    assert prediction.usage.calls == 6


def test_the_first_failure_stops_modules() -> None:
    def answer(request: lp.Request) -> str:
        return "[[double]]\nnone" if number_in(request) == 1 else doubling(request)

    model = lp.ScriptedLM(answer)
    double = lp.Predict("number: int -> double: int", model=model)
    with pytest.raises(ParseError):
        lp.parallel(double, [{"number": number} for number in NUMBERS], width=1)
    assert {number_in(request) for request in model.requests} == {0, 1}


@pytest.mark.parametrize("inside", [True, False])
def test_the_first_failure_refuses_the_next_call_of_a_function(inside: bool) -> None:
    at_work, refused = threading.Event(), []
    double = lp.Predict("number: int -> double: int")
    starts: list[int] = []

    def work(number: int) -> int:
        starts.append(number)
        if number == 1:
            at_work.wait()
            raise ZeroDivisionError
        double(number=number)
        at_work.set()
        try:
            while True:
                double(number=number)
        except LangprogError as error:
            refused.append(error)
            raise

    class Whole(lp.Module):
        def forward(self, count: int) -> dict[str, Any]:
            return {"all": lp.parallel(work, range(count), width=2)}

    with lp.using(lm=lp.ScriptedLM(doubling)), pytest.raises(ZeroDivisionError):
        Whole()(count=6) if inside else lp.parallel(work, range(6), width=2)
    assert len(refused) == 1  # before the failure was raised here
    assert sorted(starts) == [0, 1]


def test_what_cannot_be_is_refused_before_any_call(double: lp.Predict) -> None:
    for width in (0, -1, 1.5, True):
        with pytest.raises(InputError, match="width"):
            lp.parallel(double, [{"number": 1}], width=width)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InputError, match="item 1 is a int"):
        lp.parallel(double, [{"number": 1}, 2])  # type: ignore[list-item]  # on purpose


def test_in_asynchronous_code_it_says_what_to_do(double: lp.Predict) -> None:
    class Whole(lp.Module):
        async def aforward(self, count: int) -> dict[str, Any]:
            return {"all": lp.parallel(str, range(count))}

    with pytest.raises(LangprogError, match="await"):
        Whole()(count=2)
