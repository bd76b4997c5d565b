"""What a compile writes down of the adapters that were used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.adapters import ChatAdapter
from langprog.artifact import read_artifact
from langprog.lm import Capabilities, Declared, LanguageModel
from langprog.runtime import assume_schemas
from optimizers.evaluation.binding import bind_program
from optimizers.identity import program_digest


class Mine(ChatAdapter):
    name = "mine"


MINE = Mine()
PLAIN = lp.ScriptedLM([], name="test/plain")
CAPABLE = Declared(lp.ScriptedLM([], name="test/capable"), Capabilities(schema=True))


def adapters_of(program: lp.Module) -> list[Any]:
    return [predictor.adapter for predictor in program.predictors().values()]


@pytest.mark.parametrize(("lm", "form"), [(PLAIN, "chat"), (CAPABLE, "json")])
@pytest.mark.parametrize("adapter", [None, "auto"])
def test_what_auto_stood_for_is_pinned(lm: LanguageModel, form: str, adapter: str | None) -> None:
    program = lp.Pipeline(
        first=lp.Predict("a -> b", adapter=adapter),
        second=lp.Predict("b -> c", adapter=adapter, model="test/plain"),
        third=lp.Predict("c -> d", adapter="xml"),
    )
    with lp.using(lm=lm, models=[PLAIN]):
        assert adapters_of(bind_program(program)) == [form, "chat", "xml"]
    with (
        lp.using(lm=lm, models=[PLAIN]),
        assume_schemas({(PLAIN.name, PLAIN.endpoint): True}),
    ):
        assert adapters_of(bind_program(program)) == ["json", "json", "xml"]


@pytest.mark.parametrize("proven", [None, True, False])
def test_what_was_proven_of_a_model_stands_in_the_artifact(
    proven: bool | None, tmp_path: Path
) -> None:
    known = {} if proven is None else {(PLAIN.name, PLAIN.endpoint): proven}
    with lp.using(lm=PLAIN), assume_schemas(known):
        program = bind_program(lp.Predict("a -> b"))
    for _ in range(2):
        lp.save(program, tmp_path / "p.json")
        line = read_artifact(tmp_path / "p.json").data.models["test/plain"]
        assert line.takes_schema is proven
        program = lp.load(tmp_path / "p.json")


def test_an_adapter_of_ones_own_is_pinned_as_it_is() -> None:
    with lp.using(lm=PLAIN, adapter=MINE):
        assert adapters_of(bind_program(lp.Predict("a -> b"))) == [MINE]
        assert adapters_of(bind_program(lp.Predict("a -> b", adapter="json"))) == ["json"]


def test_a_digest_depends_on_the_adapter_by_its_name_alone() -> None:
    digests = [
        program_digest(lp.Predict("a -> b", adapter=adapter))
        for adapter in (None, "chat", ChatAdapter(), Mine(), MINE, "json")
    ]
    assert digests[1] == digests[2] and digests[3] == digests[4]
    assert len(set(digests)) == 4
