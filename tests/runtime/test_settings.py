from __future__ import annotations

import asyncio
import threading

import pytest

import langprog as lp
from langprog.errors import InputError, ModelError
from langprog.runtime import current, model_named


def fixed(name: str) -> lp.ScriptedLM:
    return lp.ScriptedLM(lambda request: f"[[b]]\n{name}", name=name)


def test_no_model_says_what_to_do() -> None:
    with pytest.raises(ModelError, match="lp.configure"):
        lp.Predict("a -> b")(a="x")


def test_configure_is_seen_by_every_thread() -> None:
    lp.configure(lm=fixed("test/one"))
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.append(lp.Predict("a -> b")(a="x").b))
    thread.start()
    thread.join()
    assert seen == ["test/one"]


def test_using_is_for_the_block_and_the_task_alone() -> None:
    lp.configure(lm=fixed("test/one"))

    async def other(name: str, hurry: asyncio.Event) -> str:
        with lp.using(lm=fixed(name)):
            await hurry.wait()
            return str((await lp.Predict("a -> b").acall(a="x")).b)

    async def both() -> list[str]:
        hurry = asyncio.Event()
        tasks = [asyncio.create_task(other(f"test/{i}", hurry)) for i in range(3)]
        await asyncio.sleep(0)
        hurry.set()
        return list(await asyncio.gather(*tasks))

    assert asyncio.run(both()) == ["test/0", "test/1", "test/2"]
    assert lp.Predict("a -> b")(a="x").b == "test/one"


def test_a_users_forward_in_a_worker_thread_sees_using() -> None:
    class Inner(lp.Module):
        def __init__(self) -> None:
            self.step = lp.Predict("a -> b")

        def forward(self, a: str) -> lp.Prediction:
            return self.step(a=a)

    with lp.using(lm=fixed("test/inside")):
        assert Inner()(a="x").b == "test/inside"


def test_models_are_found_by_name() -> None:
    cheap, dear = fixed("test/cheap"), fixed("test/dear")
    program = lp.Predict("a -> b", model="test/dear")
    with lp.using(lm=cheap, models=[dear]):
        assert program(a="x").b == "test/dear"
        assert model_named("test/cheap") is cheap
    assert lp.Predict("a -> b", model=dear)(a="y").b == "test/dear"


def test_wrappers_go_around_one_another() -> None:
    order: list[str] = []

    class Noting:
        def __init__(self, inner: lp.ScriptedLM, name: str) -> None:
            self.inner, self.note = inner, name
            self.name, self.endpoint, self.defaults = inner.name, inner.endpoint, inner.defaults

        async def complete(self, request: lp.Request) -> lp.Completion:
            order.append(self.note)
            return await self.inner.complete(request)

        async def aclose(self) -> None:
            await self.inner.aclose()

    with (
        lp.using(lm=fixed("test/one"), wrap=lambda model: Noting(model, "inner")),
        lp.using(wrap=lambda model: Noting(model, "outer")),
    ):
        lp.Predict("a -> b")(a="x")
    assert order == ["outer", "inner"]


def test_a_budget_inside_a_budget_has_to_agree_to_both() -> None:
    lm = lp.LM("test/none", base_url="http://127.0.0.1:9/v1", cache=False)
    with lp.using(lm=lm, budget=lp.Budget(calls=0)), pytest.raises(lp.LangprogError):
        lp.Predict("a -> b")(a="x")
    with lp.using(budget=lp.Budget(calls=3)), lp.using(budget=lp.Budget(calls=1)) as settings:
        assert len(settings.ledgers) == 2
    assert current().ledgers == ()


def test_unknown_names_are_refused_at_once() -> None:
    with pytest.raises(InputError, match="chat"):
        lp.configure(adapter="yaml")
    with pytest.raises(ModelError, match="provider/model"):
        lp.configure(lm="gpt-4")
    with pytest.raises(ModelError, match="OPENAI_API_KEY"), pytest.MonkeyPatch.context() as patch:
        patch.delenv("OPENAI_API_KEY", raising=False)
        lp.LM("openai/gpt-4.1-mini")
    with pytest.raises(ModelError, match="no option 'temprature'"):
        lp.LM("openai/x", temprature=1)  # type: ignore[call-arg]  # the mistake under test
