from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import read_artifact, save_program
from langprog.errors import ArtifactError

KEY = "sk-abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize(
    ("options", "evidence", "place"),
    [
        ({"instruction": f"Use {KEY}."}, None, "program.signature.instruction"),
        ({"demos": [lp.Example(a="x", b=KEY)]}, None, r"program.demos\[0\].b"),
        ({}, {"knobs": [{"url": "https://me:pass1@host/v1"}]}, r"evidence.knobs\[0\].url"),
        ({}, {"url": "https://host/v1?api_key=12345678"}, "evidence.url"),
        ({}, {"client": {"api-key": "hunter2"}}, "evidence.client.api-key"),
        ({}, {KEY: 1}, "a key of evidence"),
    ],
)
def test_what_looks_like_a_secret_is_never_written(
    tmp_path: Path, options: dict[str, Any], evidence: Any, place: str
) -> None:
    program = lp.Predict("a -> b", **options)
    with pytest.raises(ArtifactError, match=f"^{place} looks like a key") as caught:
        save_program(program, tmp_path / "p.json", evidence=evidence)
    for secret in (KEY, "pass1", "12345678", "hunter2"):
        assert secret not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_model_table_has_prices_and_endpoints_but_no_keys(tmp_path: Path) -> None:
    models = [
        lp.LM(
            "own/model",
            base_url="https://models.example.com/v1",
            api_key=KEY,
            price=lp.Price(1.0, 2.0),
            cache=False,
        ),
        lp.LM("here/model", base_url="http://127.0.0.1:4321/v1", cache=False),
    ]
    program = lp.Pipeline(
        one=lp.Predict("a -> b", model=models[0]),
        two=lp.Predict("b -> c", model=models[1]),
        three=lp.Predict("c -> d", model="groq/some-model"),
        four=lp.Predict("d -> e"),
    )
    save_program(program, tmp_path / "p.json")
    text = (tmp_path / "p.json").read_text()
    assert KEY not in text and "4321" not in text
    table = read_artifact(tmp_path / "p.json").data.models
    assert list(table) == ["groq/some-model", "here/model", "own/model"]
    assert table["own/model"].endpoint == "https://models.example.com/v1"
    assert (table["own/model"].input, table["own/model"].output) == (1.0, 2.0)
    assert table["own/model"].price_source == "given"
    assert table["here/model"].price_source is None
    assert table["here/model"].endpoint == "loopback" and table["here/model"].input is None
