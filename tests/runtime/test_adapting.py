"""What the adapter ``auto`` stands for."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import ModelError
from langprog.lm import Capabilities, Declared, LanguageModel, Wrapper, capabilities_of
from langprog.runtime import adapter_for, assume_schemas, current, resolve_adapter

AWAY = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI", "MISTRAL", "GROQ"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-none")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def asked(program: lp.Module, lm: LanguageModel) -> str:
    """The adapter by which a program asks a model."""
    with lp.using(lm=lm):
        return adapter_for(program.predictors()["predict"].adapter, None).name


def test_auto_is_the_default_and_chat_where_nothing_is_declared() -> None:
    assert current().adapter == "auto"
    lm = lp.ScriptedLM(lambda request: "[[b]]\nx")
    with lp.using(lm=lm):
        assert lp.Predict("a -> b")(a="x").b == "x"
    (request,) = lm.requests
    assert request.response_schema is None and request.messages[-1].text == "[[a]]\nx"


def test_auto_is_json_where_the_model_keeps_to_a_schema() -> None:
    script = lp.ScriptedLM(lambda request: '{"b": "x"}')
    with lp.using(lm=Wrapper(Declared(script, Capabilities(schema=True)))):
        assert lp.Predict("a -> b")(a="x").b == "x"
    (request,) = script.requests
    assert request.response_schema is not None and request.messages[-1].text == '{"a": "x"}'


@pytest.mark.parametrize("schema", [True, False])
def test_a_user_says_what_a_model_can_do(schema: bool) -> None:
    for name, more in (("test/m", {"base_url": AWAY}), ("openai/m", {}), ("pocket/small", {})):
        lm = lp.LM(name, schema=schema, **more)  # type: ignore[arg-type]  # options as they come
        assert capabilities_of(lm).schema is schema
        assert asked(lp.Predict("a -> b"), lm) == ("json" if schema else "chat")


@pytest.mark.parametrize(
    ("name", "form"),
    [("openai/m", "json"), ("mistral/m", "json"), ("groq/m", "chat"), ("ollama/m", "chat")],
)
def test_a_provider_that_documents_it_is_known(name: str, form: str) -> None:
    assert asked(lp.Predict("a -> b"), lp.LM(name)) == form


def test_a_provider_is_known_at_its_own_address_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(lp.Predict("a -> b"), lp.LM("openai/m", base_url=AWAY)) == "chat"
    monkeypatch.setenv("OPENAI_BASE_URL", AWAY)
    assert asked(lp.Predict("a -> b"), lp.LM("openai/m")) == "chat"


def test_what_a_program_says_itself_goes_before() -> None:
    capable = lp.LM("test/m", base_url=AWAY, schema=True)
    assert asked(lp.Predict("a -> b", adapter="chat"), capable) == "chat"
    with lp.using(adapter="xml"):
        assert asked(lp.Predict("a -> b"), capable) == "xml"
        assert asked(lp.Predict("a -> b", adapter="auto"), capable) == "json"
    with lp.using(adapter="xml"), lp.using(adapter="auto"):
        assert asked(lp.Predict("a -> b"), capable) == "json"


def test_what_was_found_out_goes_before_what_is_declared() -> None:
    here, there = (lp.LM("test/m", base_url=f"{AWAY}/{place}") for place in "ab")
    capable = lp.LM("test/other", base_url=AWAY, schema=True)
    found = {(here.name, here.endpoint): True, (capable.name, capable.endpoint): False}
    with assume_schemas(found):
        assert [resolve_adapter(model).name for model in (here, there, capable)] == [
            "json",
            "chat",
            "chat",
        ]
        with assume_schemas({(there.name, there.endpoint): True}):
            assert resolve_adapter(there).name == resolve_adapter(here).name == "json"
    assert resolve_adapter(here).name == "chat" and resolve_adapter(capable).name == "json"


def test_a_prompt_can_be_looked_at_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert lp.Predict("a -> b").render({"a": "x"})[-1].text == "[[a]]\nx"
    assert lp.Predict("a -> b", model="groq/m").render({"a": "x"})[-1].text == "[[a]]\nx"
    assert lp.Predict("a -> b", model="openai/m").render({"a": "x"})[-1].text == '{"a": "x"}'
    with pytest.raises(ModelError, match="no model is configured"):
        lp.Predict("a -> b")(a="x")


def test_a_wrong_option_is_named_as_it_was_written() -> None:
    with pytest.raises(ModelError, match="lp.LM: schema='yes' is invalid"):
        lp.LM("test/m", base_url=AWAY, schema="yes")  # type: ignore[arg-type]  # under test
    with pytest.raises(ModelError, match="it has .*schema"):
        lp.LM("test/m", base_url=AWAY, schemas=True)  # type: ignore[call-arg]  # under test
