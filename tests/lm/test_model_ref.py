from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ModelError
from langprog.lm import Wrapper, model_from, model_name, public_address, same_model

URL = "http://127.0.0.1:9/v1"


class Passing:
    """Passes everything on, as a user's own wrapper may do."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.name, self.endpoint, self.defaults = inner.name, inner.endpoint, inner.defaults

    async def complete(self, request: lp.Request) -> lp.Completion:
        return await self.inner.complete(request)  # type: ignore[no-any-return]  # any model's

    async def aclose(self) -> None: ...


def lacking(name: str) -> Any:
    model = Passing(lp.ScriptedLM(["x"]))
    setattr(model, name, None)
    return model


def test_a_reference_says_what_the_object_is_and_where() -> None:
    lm = lp.LM("a/b", base_url=f"{URL}?token=12345", temperature=0.5, price=lp.Price(1.0, 2.0))
    ref = lp.ModelRef.of(lm)
    assert (ref.name, ref.endpoint, ref.sampling) == ("a/b", URL, lp.Sampling(temperature=0.5))
    assert ref.price == lp.Price(1.0, 2.0) and ref.lm is lm and str(ref) == "a/b"
    assert "12345" not in repr(ref)


@pytest.mark.parametrize(
    ("endpoint", "public"),
    [
        ("https://user:word@models.example/v1?key=1#m", "https://models.example/v1#m"),
        ("user:word@models.example", "models.example"),
        ("in-process", "in-process"),
        ("litellm:cohere", "litellm:cohere"),
    ],
)
def test_an_address_is_kept_without_its_secrets(endpoint: str, public: str) -> None:
    assert public_address(endpoint) == public


def test_copies_keep_the_object_and_pickles_leave_it_behind() -> None:
    lm = lp.LM("a/b", base_url=URL, temperature=0.5)
    ref = lp.ModelRef.of(lm)
    assert copy.copy(ref).lm is copy.deepcopy(ref).lm is lm
    again = pickle.loads(pickle.dumps(ref))
    assert again == ref and again.lm is None


def test_names_stay_names() -> None:
    assert model_from("openai/m") == "openai/m"
    assert [model_name(each) for each in (None, "a/b", lp.ModelRef("c/d"))] == [None, "a/b", "c/d"]


@pytest.mark.parametrize("name", ["name", "endpoint", "defaults", "complete", "aclose"])
def test_a_model_of_ones_own_is_told_what_it_lacks(name: str) -> None:
    with pytest.raises(ModelError, match=f"is a Passing.*lacks .*{name}.*langprog.lm.Wrapper"):
        model_from(lacking(name))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "is a int: pass a name"),
        ({"name": "a/b"}, "is a dict: pass a name"),
        (lp.ScriptedLM, "is the class ScriptedLM: pass an instance"),
        ("", "a text such as"),
        ("  ", "a text such as"),
    ],
)
def test_what_is_no_model_is_refused(value: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        model_from(value)


def test_a_complete_that_is_not_asynchronous_is_refused() -> None:
    class Plain(Wrapper):
        def complete(self, request: lp.Request) -> lp.Completion:  # type: ignore[override]  # the mistake under test
            return lp.Completion(("x",), self.name)

    with pytest.raises(ModelError, match="lacks async complete"):
        model_from(Plain(lp.ScriptedLM(["x"])))
    assert model_name(model_from(Wrapper(lp.ScriptedLM(["x"], name="a/b")))) == "a/b"


def test_which_objects_are_one_model() -> None:
    first = lp.LM("a/b", base_url=URL)
    assert same_model(first, first)
    assert same_model(first, lp.LM("a/b", base_url=URL, cache=False))
    assert not same_model(first, lp.LM("a/b", base_url="http://127.0.0.1:10/v1"))
    assert not same_model(first, lp.LM("a/b", base_url=URL, price=lp.Price(1.0, 1.0)))
    warm = lp.LM("a/b", base_url=URL, temperature=1.0)
    assert not same_model(first, warm) and same_model(first, warm, defaults=False)
    assert same_model(lp.LM("pocket/small"), lp.LM("pocket/small"))
    assert not same_model(lp.ScriptedLM(["x"]), lp.ScriptedLM(["y"]))
