"""Which model a predictor asks: the object that it was handed, or what its name stands for."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, ModelError
from langprog.runtime import model_in_force

URL = "https://models.example/v1"


def saying(text: str, name: str = "twin/model", **options: Any) -> lp.ScriptedLM:
    return lp.ScriptedLM(lambda request: f"[[b]]\n{text}", name=name, **options)


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_two_models_of_one_name_stay_two() -> None:
    first, other = saying("first"), saying("other")
    pipeline = lp.Pipeline(
        one=lp.Predict("a -> b", model=first),
        two=lp.Predict("a, b -> c", model=lp.ScriptedLM(["[[c]]\nthird"], name=first.name)),
    )
    assert lp.Predict("a -> b", model=other)(a="x").b == "other"
    answer = pipeline(a="x")
    assert (answer.b, answer.c) == ("first", "third")
    with lp.using(lm=other, models=[saying("else", "else/model")]):
        assert pipeline.predictors()["one"](a="y").b == "first"


def test_two_temperatures_of_one_model_stay_two(
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> None:
    server = saying("v", "x/m")
    url = scripted_endpoint(server)
    for temperature in (0.0, 1.0):
        lm = lp.LM("m", base_url=url, cache=False, temperature=temperature)
        lp.Predict("a -> b", model=lm)(a="x")
    assert [request.sampling.temperature for request in server.requests] == [0.0, 1.0]


@pytest.mark.parametrize("where", ["using", "configure"])
def test_two_different_models_of_one_name_are_refused_together(where: str) -> None:
    first, other = saying("first"), saying("other")

    def together() -> None:
        if where == "configure":
            lp.configure(models=[first, other])
        with lp.using(models=[first, other]):
            pass

    with pytest.raises(ModelError, match="two different models named 'twin/model'"):
        together()
    with lp.using(models=[first, first]):
        assert lp.Predict("a -> b", model="twin/model")(a="x").b == "first"
    assert not other.calls


def test_a_name_that_stands_for_two_models_is_refused_where_it_is_asked() -> None:
    first, other = saying("first"), saying("other")
    with lp.using(models=[first]), lp.using(lm=other):
        assert lp.Predict("a -> b")(a="x").b == "other"
        with pytest.raises(ModelError, match="models= and lm= contain two different models"):
            lp.Predict("a -> b", model="twin/model")(a="x")


def test_nothing_is_remembered_of_an_object_but_where_it_was_handed() -> None:
    lp.Predict("a -> b", model=saying("first", "openai/m"))
    with pytest.raises(ModelError, match="no key for openai/m"):
        lp.Predict("a -> b", model="openai/m")(a="x")


def test_a_model_is_a_parameter_like_any_other() -> None:
    lm = saying("first")
    program = lp.Predict("a -> b").with_parameters({"predict.model": lm})
    assert program.model == lp.ModelRef.of(lm) and program.model.lm is lm  # type: ignore[union-attr]  # just compared
    assert program(a="x").b == "first"
    again = lp.Predict("a -> b").with_parameters({"predict.model": program.model})
    assert again(a="y").b == "first"
    for wrong in (5, lp.ScriptedLM, {"twin/model": lm}):
        with pytest.raises(InputError, match=r"model="):
            program.with_parameters({"predict.model": wrong})


def test_a_model_that_lacks_something_is_refused_wherever_it_is_handed_over() -> None:
    class Half:
        name = "half/model"

        async def complete(self, request: lp.Request) -> lp.Completion:
            raise AssertionError("it was asked")

    half: Any = Half()
    rows = [lp.Example(a="x", b="y")]
    hand_over: list[Callable[[], object]] = [
        lambda: lp.Predict("a -> b", model=half),
        lambda: lp.configure(lm=half),
        lambda: lp.configure(models=[half]),
        lambda: lp.using(lm=half).__enter__(),
        lambda: lp.using(models=[half]).__enter__(),
        lambda: lp.evaluate(lp.Predict("a -> b"), rows, lambda e, p: 1.0, lm=half),
        lambda: lp.Cascade.over(lp.Predict("a -> b"), [half]),
        lambda: lp.Route.over(lp.Predict("a -> b"), [half]),
    ]
    for give in hand_over:
        with pytest.raises(ModelError, match=r"Half.*endpoint.*defaults.*langprog\.lm\.Wrapper"):
            give()


def test_a_list_of_models_is_a_list() -> None:
    wrong: list[Any] = ["openai/m", {"a/b": saying("x")}, 5]
    for models in wrong:
        with pytest.raises(InputError, match="it takes a list of models"):
            lp.configure(models=models)


def test_draws_are_the_same_once_a_models_defaults_are_written_into_a_program() -> None:
    defaults = lp.Sampling(temperature=0.9, seed=4)
    lm = saying("first", defaults=defaults)
    for sampling in (lp.Sampling(), defaults):
        lp.Vote(lp.Predict("a -> b", model=lm, sampling=sampling), k=3)(a="x")
    half = lm.calls // 2
    drawn = [request.sampling for request in lm.requests]
    assert drawn[:half] == drawn[half:] and {each.temperature for each in drawn} == {0.9}


def test_a_name_alone_notices_that_the_environment_names_another_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = model_in_force("ollama/m")
    assert model_in_force("ollama/m") is usual
    monkeypatch.setenv("OLLAMA_HOST", "box:1")
    assert model_in_force("ollama/m").endpoint == "http://box:1/v1"
    monkeypatch.delenv("OLLAMA_HOST")
    assert model_in_force("ollama/m") is usual


# --- models that are known by name and place, as after loading -----------------------------------


def test_a_program_out_of_a_pickle_finds_its_model_by_name() -> None:
    lm = saying("first", defaults=lp.Sampling(temperature=0.3))
    again = pickle.loads(pickle.dumps(lp.Predict("a -> b", model=lm)))
    other = saying("other")
    with lp.using(lm=other):
        assert again(a="x").b == "other"
    assert other.requests[0].sampling.temperature == 0.3


@pytest.mark.parametrize(
    ("name", "endpoint", "environment", "goes"),
    [
        ("house/llama", "loopback", {}, None),
        ("house/llama", URL, {}, None),
        ("openai/m", URL, {}, None),
        ("groq/m", "in-process", {}, None),
        ("pocket/small", URL, {}, None),
        ("ollama/m", URL, {}, None),
        ("ollama/m", "loopback", {}, "http://localhost:11434/v1"),
        ("ollama/m", URL, {"OLLAMA_HOST": "box:1"}, "http://box:1/v1"),
        ("openai/m", URL, {"OPENAI_API_KEY": "k"}, None),
        (
            "openai/m",
            "https://evil.example/v1",
            {"OPENAI_BASE_URL": URL, "OPENAI_API_KEY": "k"},
            URL,
        ),
        ("cohere/command", "litellm:cohere", {}, "litellm:cohere"),
        ("pocket/small", "in-process", {}, "in-process"),
    ],
)
def test_a_place_that_comes_from_elsewhere_is_compared_and_never_gone_to(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    endpoint: str,
    environment: dict[str, str],
    goes: str | None,
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    ref = lp.ModelRef(name, endpoint)
    if goes is not None:
        assert model_in_force(ref).endpoint == goes
        return
    with pytest.raises(ModelError) as caught:
        model_in_force(ref)
    for words in (name, repr(endpoint), "models={", "--model NAME=", "--base-url"):
        assert words in str(caught.value)
    handed = saying("x", name)
    with lp.using(lm=handed):
        assert model_in_force(ref) is handed
    with lp.using(models=[handed]):
        assert model_in_force(ref) is handed
