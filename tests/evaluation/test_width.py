"""Which number decides how many requests are under way."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

import langprog as lp
from langprog.lm import OpenAICompatible
from tests.lm.endpoint import choice, endpoint_in_thread, good

DATA = [lp.Example(city=f"city {number}") for number in range(300)]


class Crowd:
    """Answers nobody before so many requests are open at once, and counts them."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.open = self.most = 0
        self.enough = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.open += 1
        self.most = max(self.most, self.open)
        if self.open == self.wanted:
            self.enough.set()
        await self.enough.wait()
        self.open -= 1
        return web.json_response(good(choice("[[country]]\nnowhere")))


def scored(model: lp.LanguageModel, concurrency: int) -> lp.Report:
    program = lp.Predict("city -> country")
    return lp.evaluate(program, DATA, lambda e, p: True, concurrency=concurrency, lm=model)


@pytest.mark.parametrize("concurrency", [20, 280])
def test_concurrency_decides_where_the_model_has_no_width(concurrency: int) -> None:
    crowd = Crowd(concurrency)
    with endpoint_in_thread(crowd) as seen:
        model = lp.LM("a/b", base_url=seen.base_url, cache=False, timeout=20, attempts=1)
        report = scored(model, concurrency)
    assert report.mean == 1.0 and report.n_scored == 300
    assert crowd.most == concurrency


def test_the_width_of_a_model_decides_where_it_is_smaller() -> None:
    crowd = Crowd(30)
    with endpoint_in_thread(crowd) as seen:
        model = lp.LM("a/b", base_url=seen.base_url, cache=False, timeout=20, width=30)
        assert scored(model, 280).n_scored == 300
    assert crowd.most == 30


def test_the_connections_of_a_client_decide_where_they_were_given() -> None:
    crowd = Crowd(10)
    with endpoint_in_thread(crowd) as seen:
        model = OpenAICompatible("a/b", base_url=seen.base_url, connections=10)
        assert scored(model, 100).n_scored == 300
    assert crowd.most == 10
