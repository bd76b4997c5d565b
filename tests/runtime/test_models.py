from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, ModelError, ServerError
from langprog.lm import (
    Budgeted,
    Cached,
    DiskCache,
    LanguageModel,
    Ledger,
    LiteLLM,
    MemoryCache,
    Negotiated,
    OpenAICompatible,
    Priced,
    Retry,
    Throttle,
    Wrapper,
)
from tests.lm.endpoint import asking, endpoint, good, refuses, says

URL = "http://127.0.0.1:9/v1"


def layers(model: LanguageModel) -> list[type]:
    kinds: list[type] = []
    while isinstance(model, Wrapper):
        kinds.append(type(model))
        model = model.inner
    return [*kinds, type(model)]


def innermost(model: LanguageModel) -> LanguageModel:
    while isinstance(model, Wrapper):
        model = model.inner
    return model


def priced(model: LanguageModel) -> lp.Price | None:
    while isinstance(model, Wrapper):
        if isinstance(model, Priced):
            return model.price
        model = model.inner
    raise AssertionError("nothing has a price here")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GROQ_API_KEY", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)


def test_a_remote_model_has_every_wrapper_in_its_place() -> None:
    chain = [Cached, Retry, Negotiated, Throttle, Budgeted, Priced]
    assert layers(lp.LM("x/y", base_url=URL)) == [*chain, OpenAICompatible]
    assert layers(lp.LM("x/y", base_url=URL, cache=False)) == [*chain[1:], OpenAICompatible]
    assert layers(lp.LM("cohere/command")) == [*chain, LiteLLM]


def test_an_embedded_model_needs_no_retries() -> None:
    model = lp.LM("pocket/small", temperature=0.5)
    assert layers(model)[:3] == [Cached, Budgeted, Priced]
    assert (model.name, model.endpoint) == ("pocket/small", "in-process")
    assert model.defaults.temperature == 0.5
    assert isinstance(model, Cached)
    assert isinstance(model.cache, MemoryCache)
    assert priced(model) is not None
    assert priced(lp.LM("pocket/small", price=lp.Price(1.0, 2.0))) == lp.Price(1.0, 2.0)


@pytest.mark.parametrize(
    ("name", "options", "environment", "endpoint", "asked"),
    [
        ("ollama/llama3.2", {}, {}, "http://localhost:11434/v1", "llama3.2"),
        ("vllm/org/model", {}, {}, "http://localhost:8000/v1", "org/model"),
        ("openai/m", {"api_key": "sk-1"}, {}, "https://api.openai.com/v1", "m"),
        ("openai/m", {}, {"OPENAI_API_KEY": "sk-2"}, "https://api.openai.com/v1", "m"),
        ("openai/m", {}, {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": f"{URL}/"}, URL, "m"),
        ("openai/m", {"base_url": URL}, {}, URL, "m"),
        ("mine/m", {"base_url": URL}, {}, URL, "mine/m"),
        ("m", {"base_url": URL}, {}, URL, "m"),
        ("pocket/m", {"base_url": URL}, {}, URL, "pocket/m"),
    ],
)
def test_where_a_name_goes(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: dict[str, Any],
    environment: dict[str, str],
    endpoint: str,
    asked: str,
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    model = lp.LM(name, **options)
    client = innermost(model)
    assert isinstance(client, OpenAICompatible)
    assert (model.name, model.endpoint.partition("#")[0]) == (name, endpoint)
    assert client.body(asking())["model"] == asked


def test_sampling_becomes_the_defaults() -> None:
    model = lp.LM(
        "x/y", base_url=URL, temperature=0, max_tokens=5, top_p=0.5, stop=("A", "B"), seed=7
    )
    assert model.defaults == lp.Sampling(0, 5, 0.5, ("A", "B"), 7)
    assert lp.LM("x/y", base_url=URL).defaults == lp.Sampling()


def test_one_stop_is_one_stop() -> None:
    stop: Any = "END"
    assert lp.LM("x/y", base_url=URL, stop=stop).defaults.stop == ("END",)
    listed: Any = ["A", "B"]
    assert lp.LM("x/y", base_url=URL, stop=listed).defaults.stop == ("A", "B")


def test_the_price_is_the_one_given_else_the_one_known() -> None:
    assert priced(lp.LM("x/y", base_url=URL)) is None
    assert priced(lp.LM("x/y", base_url=URL, price=lp.Price(1.0, 2.0))) == lp.Price(1.0, 2.0)
    assert priced(lp.LM("ollama/any")) == lp.Price(0.0, 0.0)
    known = priced(lp.LM("openai/gpt-4.1-mini", api_key="sk-1"))
    assert known is not None and known.input > 0


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("gpt-4", {}, "provider/model"),
        ("", {}, "provider/model"),
        ("openai/", {"api_key": "x"}, "provider/model"),
        ("/model", {}, "provider/model"),
        ("huggingface/https://models.example/m", {}, "base_url="),
        ("cohere/m@models.example", {}, "base_url="),
        ("pocket/gigantic", {}, "pocket/small"),
        ("openai/m", {}, "OPENAI_API_KEY"),
        ("groq/m", {"api_key": ""}, "GROQ_API_KEY"),
        ("x/y", {"base_url": "localhost:8000"}, "base_url of x/y"),
        ("x/y", {"base_url": ""}, "base_url of x/y"),
        ("x/y", {"base_url": "http://user:pw@host/v1"}, "api_key="),
        ("x/y", {"base_url": URL, "api_key": "a\nb"}, "api_key of x/y"),
        ("x/y", {"base_url": URL, "temprature": 1}, "no option 'temprature'"),
        ("x/y", {"base_url": URL, "width": 0}, "width=0"),
        ("x/y", {"base_url": URL, "width": 2.5}, "width=2.5"),
        ("x/y", {"base_url": URL, "rpm": -1}, "rpm=-1"),
        ("x/y", {"base_url": URL, "tpm": "many"}, "tpm='many'"),
        ("x/y", {"base_url": URL, "attempts": 0}, "attempts=0"),
        ("x/y", {"base_url": URL, "timeout": 0}, "timeout=0"),
        ("x/y", {"base_url": URL, "timeout": "soon"}, "timeout='soon'"),
        ("x/y", {"base_url": URL, "temperature": "hot"}, "temperature='hot'"),
        ("x/y", {"base_url": URL, "temperature": -1}, "temperature=-1"),
        ("x/y", {"base_url": URL, "top_p": 1.5}, "top_p=1.5"),
        ("x/y", {"base_url": URL, "max_tokens": 0}, "max_tokens=0"),
        ("x/y", {"base_url": URL, "seed": "x"}, "seed='x'"),
        ("x/y", {"base_url": URL, "stop": 5}, "stop=5"),
        ("x/y", {"base_url": URL, "price": 3.0}, "price=3.0"),
        ("x/y", {"base_url": URL, "cache": 3}, "cache=3"),
        ("x/y", {"base_url": URL, "cache": None}, "cache=None"),
        ("pocket/small", {"cache": 3}, "cache=3"),
        ("pocket/small", {"max_tokens": 0}, "max_tokens=0"),
    ],
)
def test_a_bad_name_or_option_is_refused_at_once(
    name: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        lp.LM(name, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_keeps_answers_for_the_next_process(tmp_path: Path) -> None:
    async def run() -> None:
        async with endpoint(says(good())) as seen:
            for cache in (tmp_path / "mine", str(tmp_path / "mine")):
                model = lp.LM("x/y", base_url=seen.base_url, cache=cache)
                assert (await model.complete(asking())).text == "fine"
                await model.aclose()
            assert seen.calls == 1

    asyncio.run(run())
    assert (tmp_path / "mine" / "cache.db").exists()
    assert not (tmp_path / "cache").exists()


def test_a_cache_of_ones_own_is_used_as_it_is() -> None:
    kept = MemoryCache()
    for model in (lp.LM("x/y", base_url=URL, cache=kept), lp.LM("pocket/small", cache=kept)):
        assert isinstance(model, Cached)
        assert model.cache is kept


@pytest.mark.parametrize("variable", ["LANGPROG_CACHE", "XDG_CACHE_HOME", "HOME"])
def test_the_users_cache_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    for name in ("LANGPROG_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "place"))
    ends = {"LANGPROG_CACHE": "", "XDG_CACHE_HOME": "langprog", "HOME": ".cache/langprog"}

    async def run() -> None:
        async with endpoint() as seen:
            model = lp.LM("x/y", base_url=seen.base_url)
            assert isinstance(model, Cached) and isinstance(model.cache, DiskCache)
            await model.complete(asking())
            await model.aclose()

    asyncio.run(run())
    assert (tmp_path / "place" / ends[variable] / "cache.db").exists()


def test_the_whole_chain_at_work() -> None:
    async def run() -> None:
        async with endpoint(refuses(429, Retry_After="0"), says(good())) as seen:
            model = lp.LM(
                "x/y", base_url=seen.base_url, price=lp.Price(1e6, 1e6), cache=MemoryCache()
            )
            ledger = Ledger(lp.Budget(calls=2))
            first = await model.complete(asking(ledgers=(ledger,)))
            again = await model.complete(asking(ledgers=(ledger,)))
            await model.aclose()
            assert (first.dollars, first.cached, again.cached) == (10.0, False, True)
            assert (seen.calls, ledger.paid.calls) == (2, 1)
            assert ledger.uncached.calls == 2

    asyncio.run(run())


def test_attempts_are_bounded() -> None:
    async def run() -> None:
        async with endpoint(refuses(503, Retry_After="0")) as seen:
            for attempts in (1, 3):
                model = lp.LM("x/y", base_url=seen.base_url, attempts=attempts, cache=False)
                with pytest.raises(ServerError):
                    await model.complete(asking())
                await model.aclose()
            assert seen.calls == 1 + 3

    asyncio.run(run())


def test_asking_for_a_remote_model_loads_nothing_heavy() -> None:
    script = (
        "import sys, langprog as lp; "
        f"lp.LM('x/y', base_url={URL!r}); lp.LM('cohere/command'); "
        "heavy = {'numpy', 'aiohttp', 'litellm', 'diskcache', 'sqlite3', 'optuna', 'torch'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_no_error_of_a_missing_key_names_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-secret")
    with pytest.raises(ModelError) as caught:
        lp.LM("openai/m")
    assert "gsk-secret" not in str(caught.value)


def test_a_header_that_cannot_be_sent_is_refused_without_being_told() -> None:
    with pytest.raises(
        ModelError, match=r"headers=\.\.\. is invalid.*control character"
    ) as caught:
        lp.LM("my/model", base_url="http://localhost:1/v1", headers={"X-Team": "secret\nHost: b"})
    assert "secret" not in str(caught.value)
