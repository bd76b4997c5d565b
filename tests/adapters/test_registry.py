"""Adapters by name, by object and by entry point."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pytest

import langprog as lp
from langprog.adapters import (
    ADAPTERS,
    Adapter,
    ChatAdapter,
    JSONAdapter,
    adapter_named,
    base,
    check_adapter,
    reference_of,
    registry,
)
from langprog.errors import InputError, ParseError
from langprog.lm import Completion, Message
from langprog.signature import SignatureSpec


class Shout(Adapter):
    """Everything in capitals, the answer as it is."""

    name = "shout"

    def render(
        self, signature: SignatureSpec, demos: Sequence[lp.Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        return (Message("user", f"{signature.instruction} {dict(inputs)}".upper()),)

    def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
        return dict.fromkeys(signature.outputs, completion.text)


class Louder(Shout):
    version = 2


class Impostor(ChatAdapter):
    """Calls itself ``chat``."""


class Plain:
    """Has what an adapter has, without being derived from it."""

    name, version = "plain", 1
    render, parse, repair = Shout.render, Shout.parse, Shout.repair
    response_schema, tools, tool_choice = Shout.response_schema, Shout.tools, Shout.tool_choice


class Half:
    name = "half"
    render = Shout.render


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Pretends that packages have these entry points."""

    def install(**values: str) -> None:
        points = [EntryPoint(name, value, registry.GROUP) for name, value in values.items()]
        monkeypatch.setattr(registry, "entry_points", lambda group: points)
        forget()

    def forget() -> None:
        registry._points.cache_clear()
        registry._installed_versions.cache_clear()

    yield install
    forget()


def fixed(text: str = "yes") -> lp.ScriptedLM:
    return lp.ScriptedLM(lambda request: text)


# --- by name -------------------------------------------------------------------------------------


def test_a_name_means_the_first_version() -> None:
    assert adapter_named("chat").version == 1
    assert adapter_named("chat@1") is adapter_named("chat")
    assert lp.Predict("a -> b", adapter="json@1").adapter == "json"
    assert {reference_of(adapter) for adapter in ADAPTERS.values()} == set(ADAPTERS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("yaml", "no adapter 'yaml'; there are chat, json, xml, tools; one of your own is handed"),
        ("chat@7", "the adapter 'chat' has no version 7 here, only 1: upgrade langprog"),
        ("chat@0", "no adapter 'chat@0'"),
        ("", "no adapter ''"),
    ],
)
def test_an_unknown_name_lists_the_known(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        adapter_named(name)
    for hand_over in (lp.configure, lambda adapter: lp.Predict("a -> b", adapter=adapter)):
        with pytest.raises(InputError, match=words):
            hand_over(adapter=name)


# --- by object -----------------------------------------------------------------------------------


def test_the_example_in_the_documentation_works() -> None:
    text = base.__doc__ or ""
    block = text.partition("::\n\n")[2].partition("\n\nPass it as an object")[0]
    space: dict[str, Any] = {}
    exec(textwrap.dedent(block), space)
    signature = "question -> answer, sure: bool"
    demo = lp.Example(question="1 + 1", answer="2", sure=True)
    lm = lp.ScriptedLM(["answer = 4\nsure = yes", "answer = 4", "answer = 4"])
    program = lp.Predict(signature, demos=[demo], adapter=space["Lines"]())
    with lp.using(lm=lm):
        assert program(question="2 + 2").to_dict() == {"answer": "4", "sure": True}
        with pytest.raises(ParseError, match="there is no line for sure"):
            program(question="2 + 2")
    system, *shown, call = [message.text for message in lm.requests[0].messages]
    assert "Reply with a line" in system and "- sure (true or false)" in system
    assert shown == ["question = 1 + 1", "answer = 2\nsure = true"]
    assert call == "question = 2 + 2"


@pytest.mark.parametrize("mine", [Shout(), Plain()])
def test_an_object_is_handed_over_anywhere(mine: Any) -> None:
    lm = fixed()
    program = lp.Predict("a -> b", instruction="Say.", model=lm)
    assert program.with_parameters({"predict.adapter": mine})(a="x").b == "yes"
    assert lp.Predict("a -> b", instruction="Say.", model=lm, adapter=mine)(a="x").b == "yes"
    with lp.using(adapter=mine):
        assert program(a="x").b == "yes"
    lp.configure(adapter=mine)
    assert program(a="x").b == "yes"
    assert {request.messages[0].text for request in lm.requests} == {"SAY. {'A': 'X'}"}


def test_a_built_in_object_is_its_name() -> None:
    assert lp.Predict("a -> b", adapter=JSONAdapter()).adapter == "json"
    assert check_adapter(adapter_named("xml")) == "xml"
    assert check_adapter("auto") == "auto"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            Half(),
            "Half is not an adapter, as it lacks a version, 1 or more, parse, response_schema",
        ),
        (Shout, r"Shout is a class: pass an adapter, Shout\(\)"),
        (7, "int is not an adapter, as it lacks .*: derive it from langprog.adapters.Adapter"),
        (Impostor(), "Impostor calls itself 'chat', as one of langprog's own does"),
        (type("Odd", (Shout,), {"name": "odd@2"})(), "lacks a name of letters, digits"),
        (type("Null", (Shout,), {"version": 0})(), "lacks a version, 1 or more"),
        (type("Auto", (Shout,), {"name": "auto"})(), "calls itself 'auto'"),
    ],
)
def test_what_is_no_adapter_is_refused_when_it_is_handed_over(wrong: Any, words: str) -> None:
    for hand_over in (
        lambda: lp.Predict("a -> b", adapter=wrong),
        lambda: lp.configure(adapter=wrong),
        lambda: lp.Predict("a -> b").with_parameters({"predict.adapter": wrong}),
    ):
        with pytest.raises(InputError, match=words):
            hand_over()
    with pytest.raises(InputError, match=words), lp.using(adapter=wrong):
        pass


# --- by entry point ------------------------------------------------------------------------------


def test_a_package_brings_adapters(installed: Callable[..., None]) -> None:
    installed(shout=f"{__name__}:Shout", both=f"{__name__}:BOTH")
    assert type(adapter_named("shout")) is Shout
    assert adapter_named("shout") is adapter_named("shout")
    assert type(adapter_named("both@2")) is BOTH[1]
    with lp.using(lm=fixed(), adapter="shout"):
        assert lp.Predict("a -> b")(a="x").b == "yes"
    with pytest.raises(InputError, match="'shout' has no version 2 here, only 1: upgrade the"):
        adapter_named("shout@2")
    with pytest.raises(InputError, match="there are chat, json, xml, tools, both, shout"):
        adapter_named("yaml")


BOTH = tuple(type("Both", (kind,), {"name": "both"}) for kind in (Shout, Louder))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            "nowhere.at.all:Thing",
            "the adapter 'mine' .nowhere.at.all:Thing. cannot be loaded .*: No",
        ),
        (f"{__name__}:Missing", "cannot be loaded .*Missing"),
        (f"{__name__}:Half", "Half is not an adapter, as it lacks"),
        (f"{__name__}:Shout", "calls itself 'shout': entry point and adapter have one name"),
    ],
)
def test_a_broken_entry_point_is_an_error_in_a_sentence(
    installed: Callable[..., None], value: str, words: str
) -> None:
    installed(mine=value)
    with pytest.raises(InputError, match=words):
        adapter_named("mine")
    assert adapter_named("chat").name == "chat"


def test_a_package_does_not_replace_a_built_in(installed: Callable[..., None]) -> None:
    installed(chat=f"{__name__}:Impostor")
    assert type(adapter_named("chat")) is ChatAdapter
