from __future__ import annotations

from pathlib import Path

import langprog as lp
from langprog.artifact import Artifact, diff_artifacts, read_artifact, save_program, word_diff


def saved(program: lp.Module, path: Path) -> Artifact:
    save_program(program, path)
    return read_artifact(path)


def pipeline() -> lp.Pipeline:
    return lp.Pipeline(
        team=lp.Predict("ticket -> team", instruction="Name the team."),
        reply=lp.ChainOfThought("ticket, team -> reply"),
    )


def test_the_same_is_no_difference(tmp_path: Path) -> None:
    one = saved(pipeline(), tmp_path / "a.json")
    two = saved(pipeline(), tmp_path / "b.json")
    assert not diff_artifacts(one, two)


def test_what_a_compile_changed_is_told_by_predictor(tmp_path: Path) -> None:
    demos = [lp.Example(ticket=str(i), team="a") for i in range(3)]
    before = pipeline().with_parameters({"team.demos": demos[:2]})
    after = pipeline().with_parameters(
        {
            "team.instruction": "Name the right team.",
            "team.demos": demos[1:],
            "team.model": "vllm/m",
            "team.sampling": lp.Sampling(temperature=0.5),
        }
    )
    found = diff_artifacts(saved(before, tmp_path / "a.json"), saved(after, tmp_path / "b.json"))
    (team,) = found.changed
    assert team.path == "team" and not found.added and not found.removed
    assert [(one.kind, one.text) for one in team.instruction] == [
        ("same", "Name the "),
        ("added", "right "),
        ("same", "team."),
    ]
    assert team.demos_added == ({"ticket": "2", "team": "a"},)
    assert team.demos_removed == ({"ticket": "0", "team": "a"},)
    assert team.settings == {"model": (None, "vllm/m"), "temperature": (None, 0.5)}


def test_order_and_fields_and_places_count(tmp_path: Path) -> None:
    demos = [lp.Example(ticket=str(i), team="a") for i in range(2)]
    before = lp.Pipeline(team=lp.Predict("ticket -> team", demos=demos))
    after = lp.Pipeline(
        team=lp.Predict("ticket -> team: Literal['a']", demos=demos[::-1]),
        more=lp.Predict("team -> more"),
    )
    found = diff_artifacts(saved(before, tmp_path / "a.json"), saved(after, tmp_path / "b.json"))
    assert found.added == ("more",) and found.changed[0].demos_moved
    assert list(found.changed[0].settings) == ["field team"]


def test_words_are_put_together_again() -> None:
    before, after = "Say it twice.\nThen stop.", "Say it once.\n\nThen really stop."
    pieces = word_diff(before, after)
    assert "".join(one.text for one in pieces if one.kind != "added") == before
    assert "".join(one.text for one in pieces if one.kind != "removed") == after
    assert word_diff("same", "same") == ()


def test_votes_and_cascades_are_compared_too(tmp_path: Path) -> None:
    asked = lp.Predict("ticket -> team")
    before = lp.Pipeline(team=lp.Vote(asked, k=3))
    after = lp.Pipeline(team=lp.Vote(asked, k=5))
    found = diff_artifacts(saved(before, tmp_path / "a.json"), saved(after, tmp_path / "b.json"))
    assert found and found.settings == {"team.k": (3, 5)}
    cascade = lp.Cascade([asked, asked], thresholds=[0.5])
    other = cascade.with_parameters({"program.tiers": [[1, None]]})
    found = diff_artifacts(saved(cascade, tmp_path / "c.json"), saved(other, tmp_path / "d.json"))
    assert found.settings == {"program.tiers": ([(0, 0.5), (1, None)], [(1, None)])}
    assert not diff_artifacts(saved(other, tmp_path / "d.json"), saved(other, tmp_path / "d.json"))


class Toned(lp.Module):
    """A user's module with a setting and a parameter of its own."""

    def __init__(self, tone: str = "kind", limit: int = 3) -> None:
        self.ask = lp.Predict("a -> b")
        self.tone = tone
        self.limit = limit

    def own_parameters(self) -> dict[str, lp.Parameter]:
        return {"tone": lp.Parameter("choice", self.tone)}


def test_what_a_users_module_is_set_to_is_told(tmp_path: Path) -> None:
    before, after = saved(Toned(), tmp_path / "a.json"), saved(Toned("curt", 4), tmp_path / "b")
    found = diff_artifacts(before, after)
    assert found.settings == {"program.tone": ("kind", "curt"), "program.limit": (3, 4)}
