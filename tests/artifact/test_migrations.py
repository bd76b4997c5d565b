"""Artifacts of older formats load through the migrations, and say the same."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import digest_of, read_artifact
from langprog.artifact.format import FORMAT
from langprog.artifact.migrations import STEPS, migrate
from langprog.errors import ArtifactError

GOLDEN = Path(__file__).parent / "golden"


def written(path: Path, data: dict[str, Any]) -> Path:
    data = {key: value for key, value in data.items() if key != "digest"}
    path.write_text(json.dumps({**data, "digest": digest_of(data)}))
    return path


def older() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((GOLDEN / "demo.json").read_text())
    return data


def test_every_format_has_golden_files_and_a_way_to_the_newest() -> None:
    assert set(STEPS) == set(range(1, FORMAT))
    kept = {json.loads(path.read_text())["format"] for path in GOLDEN.rglob("*.json")}
    assert kept == set(range(1, FORMAT + 1))


def test_data_of_an_older_format_stays_as_it_is_and_becomes_the_newest() -> None:
    data = older()
    before = copy.deepcopy(data)
    new = migrate(data)
    assert data == before
    assert new["format"] == FORMAT and new["digest"] == data["digest"]
    assert migrate(new) is new


def test_the_digest_is_that_of_the_file_as_it_was_written(tmp_path: Path) -> None:
    kept = read_artifact(GOLDEN / "demo.json")
    assert kept.format == 1 and kept.data.format == FORMAT
    assert kept.digest == older()["digest"]
    data = {**older(), "langprog": "0.2"}
    (tmp_path / "p.json").write_text(json.dumps(data))
    with pytest.raises(ArtifactError, match="its digest does not match"):
        read_artifact(tmp_path / "p.json")


def test_what_format_1_left_unsaid_is_written_out(tmp_path: Path) -> None:
    predict = {
        "module": "Predict",
        "signature": {
            "name": "x",
            "instruction": "y",
            "fields": [
                {"name": "adapter", "role": "input", "type": "str"},
                {"name": "b", "role": "output", "type": "str"},
            ],
        },
        "demos": [{"adapter": "json", "b": "so"}],
        "model": "openai/m",
        "adapter": "json",
        "sampling": {
            **{"temperature": 0.5, "max_tokens": None, "top_p": None, "stop": [], "seed": None},
            "extra": {"module": "Predict", "adapter": "chat"},
        },
    }
    line = {"endpoint": None, "input": None, "output": None, "cached_input": None}
    data = {
        **{"format": 1, "langprog": "0.1.0", "models": {"openai/m": line}},
        "program": {
            **{"module": "Vote", "asks": predict, "k": 3, "temperature": 0.5},
            **{"voted_on": [], "keep": None},
        },
        **{"evidence": None, "canary": []},
    }
    path = written(tmp_path / "p.json", data)
    found = read_artifact(path)
    (node,) = found.data.program.children().values()
    assert node.adapter == "json@1"  # type: ignore[attr-defined]  # it is a predictor's
    assert node.demos == [{"adapter": "json", "b": "so"}]  # type: ignore[attr-defined]  # as well
    assert found.data.models["openai/m"].refused == () and found.data.lineage == []
    (predictor,) = lp.load(path).predictors().values()
    assert predictor.adapter == "json"
    assert predictor.sampling == lp.Sampling(
        temperature=0.5, extra={"module": "Predict", "adapter": "chat"}
    )
    assert lp.save(lp.load(path), tmp_path / "q.json")
    (parent,) = read_artifact(tmp_path / "q.json").data.lineage
    assert (parent.digest, parent.how) == (found.digest, "saved")


@pytest.mark.parametrize(
    "changes",
    [
        {"program": 7},
        {"program": [["x"]]},
        {"program": {"module": "Predict", "adapter": ["chat"], "sampling": 3}},
        {"program": {"module": "user", "parameters": [1], "parts": {"x": None}}},
        {"program": {"module": "user", "parameters": {"x": 1, "y": {"kind": "adapter"}}}},
        {"program": {"module": ["Predict"], "adapter": {}}},
        {"models": {"openai/m": 3}},
        {"models": [1]},
        {"lineage": 7},
    ],
)
def test_what_is_wrong_in_an_older_file_is_refused_as_ever(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    path = written(tmp_path / "p.json", {**older(), **changes})
    with pytest.raises(ArtifactError):
        read_artifact(path)


def test_a_users_data_is_no_module() -> None:
    settings = {"like": {"module": "Predict", "adapter": "chat", "sampling": {}}}
    own = {
        "form": {"kind": "adapter", "value": "chat"},
        "drawn": {"kind": "sampling", "value": {"seed": 1}},
        "like": {"kind": "threshold", "value": {"module": "Predict", "adapter": "chat"}},
    }
    part = {"module": "Predict", "adapter": "auto", "sampling": {}}
    node = {
        **{"module": "user", "settings": settings, "parameters": own},
        "parts": [{"name": "x", "program": part}],
    }
    new = migrate({"format": 1, "program": node})["program"]
    assert new["settings"] == settings and new["parameters"]["like"] == own["like"]
    assert new["parameters"]["form"]["value"] == "chat@1"
    unset = {"reasoning_effort": None, "extra": None}
    assert new["parameters"]["drawn"]["value"] == {"seed": 1, **unset}
    assert new["parts"][0]["program"] == {**part, "sampling": unset}
