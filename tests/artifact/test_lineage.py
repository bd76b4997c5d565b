"""An artifact names those that its program was made from."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import langprog as lp
from langprog.artifact import read_artifact, save_program
from langprog.modules import origin_of


def lineage(path: Path) -> list[tuple[str, str, str | None]]:
    return [(one.digest, one.how, one.optimizer) for one in read_artifact(path).data.lineage]


class Own(lp.Module):
    """A module of the user's, which knows nothing of where it is from."""

    def __init__(self) -> None:
        self.step = lp.Predict("a -> b")
        self.words = 3

    def forward(self, a: str) -> Any:
        return self.step(a=a)


def test_what_was_made_from_no_artifact_has_no_lineage(tmp_path: Path) -> None:
    assert lp.save(lp.Predict("a -> b"), tmp_path / "p.json") == (
        read_artifact(tmp_path / "p.json").digest
    )
    assert lineage(tmp_path / "p.json") == []


def test_each_artifact_names_all_before_it_and_how_each_was_made(tmp_path: Path) -> None:
    first, second, third, fourth = (tmp_path / f"{name}.json" for name in "abcd")
    one = save_program(lp.Vote(lp.Predict("a -> b")), first, evidence={"certificate": {"n": 9}})
    edited = lp.load(first).with_parameters({"module.instruction": "Do it well."})
    two = lp.save(edited, second)
    assert lineage(second) == [(one, "edited", None)]
    assert read_artifact(second).evidence is None
    three = lp.save(lp.load(second), third)
    assert lineage(third) == [(two, "saved", None), (one, "edited", None)]
    save_program(lp.load(third), fourth, evidence={"x": 1}, optimizer="Labeled")
    (newest, *others) = lineage(fourth)
    assert newest == (three, "compiled", "Labeled") and others == lineage(third)
    assert read_artifact(fourth).data.lineage[0].langprog == lp.__version__


def test_copies_keep_where_a_program_is_from_and_parts_do_not(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    digest = lp.save(Own(), path)
    loaded = lp.load(path, classes=[Own])
    for each in (
        loaded.with_parameters({"step.instruction": "Do it."}),
        loaded.freeze(),
        loaded.with_children(loaded.children()),
        copy.copy(loaded),
        copy.deepcopy(loaded),
        pickle.loads(pickle.dumps(loaded)),
    ):
        origin = origin_of(each)
        assert origin is not None and origin.digest == digest
    assert origin_of(loaded.step) is None
    assert origin_of(lp.Pipeline(x=loaded.step)) is None


def test_it_is_no_setting_of_the_users_module(tmp_path: Path) -> None:
    lp.save(Own(), tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", classes=[Own])
    assert loaded.plain_settings() == Own().plain_settings() == {"words": 3}
    assert loaded.parameters() == Own().parameters()
    lp.save(loaded, tmp_path / "q.json")
    assert '"_artifact_origin"' not in (tmp_path / "q.json").read_text()
