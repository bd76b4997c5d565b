"""Which parts are frozen is kept in the artifact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import read_artifact
from langprog.artifact.digest import digest_of
from langprog.errors import ArtifactError


def program() -> lp.Module:
    return lp.Pipeline(
        team=lp.Vote(lp.Predict("ticket -> team"), k=3), reply=lp.Predict("ticket, team -> reply")
    )


@pytest.mark.parametrize("whole", [False, True])
def test_frozen_parts_come_back_as_such(tmp_path: Path, whole: bool) -> None:
    given = program().freeze("team")
    lp.save(given.freeze() if whole else given, tmp_path / "a.json")
    loaded = lp.load(tmp_path / "a.json")
    assert loaded.frozen and loaded.frozen_parts() == ("team", "team.module")
    lp.save(loaded, tmp_path / "b.json")
    assert lp.load(tmp_path / "b.json").frozen_parts() == ("team", "team.module")


def test_without_frozen_parts_the_file_is_what_it_was(tmp_path: Path) -> None:
    lp.save(program().freeze(), tmp_path / "a.json")
    assert "frozen_parts" not in json.loads((tmp_path / "a.json").read_text())
    assert lp.load(tmp_path / "a.json").frozen_parts() == ()


def test_a_frozen_part_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    lp.save(program().freeze("team"), path)
    data = json.loads(path.read_text())
    data["frozen_parts"] = ["judge"]
    data["digest"] = digest_of({key: data[key] for key in data if key != "digest"})
    path.write_text(json.dumps(data))
    assert read_artifact(path).data.frozen_parts == ["judge"]
    with pytest.raises(ArtifactError, match="no part 'judge'"):
        lp.load(path)
