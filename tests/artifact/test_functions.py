"""A program's checks travel in its artifact: built-in ones as data, code by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import digest_of
from langprog.errors import ArtifactError, CheckError


class Team(Enum):
    BILLING = "billing"
    NETWORK = "network"


class Triage(lp.Signature):
    """Route the ticket."""

    ticket: str = lp.Input()
    team: Team = lp.Output()


def not_billing(team: Team) -> bool:
    return team is not Team.BILLING


def is_short(summary: str) -> bool:
    return len(summary) < 10


class Summaries(lp.Module):
    def __init__(self) -> None:
        self.summary = lp.Predict("ticket -> summary", checks=[lp.Check(is_short, "be brief")])

    def forward(self, ticket: str) -> lp.Prediction:
        return self.summary(ticket=ticket)


BUILT_IN = [
    lp.checks.regex("summary", "[a-z ]+"),
    lp.checks.length("summary", most=20, message="be brief", level="suggest"),
    lp.checks.one_of("summary", ["a", "b", "one of"]),
    lp.checks.no_pii("summary"),
    lp.checks.in_range("n", 0, 9.5),
]


def saved(tmp_path: Path, *checks: lp.Check, signature: Any = "ticket -> summary, n: int") -> Path:
    lp.save(lp.Predict(signature, checks=checks, reasks=1), tmp_path / "p.json")
    return tmp_path / "p.json"


def program_in(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())["program"]


def reseal(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(path.read_text())
    del data["digest"]
    change(data["program"])
    path.write_text(json.dumps({**data, "digest": digest_of(data)}))


def test_a_program_without_checks_is_written_as_before(tmp_path: Path) -> None:
    assert not {"checks", "reasks"} & program_in(saved(tmp_path)).keys()


def test_built_in_checks_travel_as_data(tmp_path: Path) -> None:
    path = saved(tmp_path, *BUILT_IN)
    assert program_in(path)["checks"][1] == {
        "kind": "length",
        "field": "summary",
        "options": {"least": None, "most": 20, "unit": "characters"},
        "message": "be brief",
        "level": "suggest",
    }
    loaded = lp.load(path)
    assert [check.name for check in loaded.checks] == [check.name for check in BUILT_IN]
    assert loaded.reasks == 1
    with lp.using(lm=lp.ScriptedLM(["[[summary]]\nA\n[[n]]\n1"] * 2)):
        with pytest.raises(CheckError, match=r"must match the pattern \[a-z \]\+"):
            loaded(ticket="x")
    lp.save(loaded, tmp_path / "again.json")
    assert program_in(tmp_path / "again.json") == program_in(path)


def test_a_check_in_code_has_to_be_handed_over_or_allowed(tmp_path: Path) -> None:
    path = saved(tmp_path, lp.Check(is_short, "be brief"))
    data = program_in(path)["checks"][0]
    assert (data["kind"], data["name"]) == ("code", "is_short")
    assert data["function"] == f"{__name__}:is_short"
    with pytest.raises(ArtifactError) as raised:
        lp.load(path)
    assert "needs your check 'is_short'" in str(raised.value)
    assert "lp.load(path, checks={'is_short': ...})" in str(raised.value)
    assert f"allow_modules=['{__name__}']" in str(raised.value)
    for loaded in (
        lp.load(path, checks={"is_short": is_short}),
        lp.load(path, allow_modules=[__name__]),
    ):
        assert loaded.checks[0].function is is_short
        assert loaded.checks[0].message == "be brief"


def test_loading_imports_nothing_that_is_not_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_checks.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    path = saved(tmp_path, lp.Check(is_short, "be brief"))
    reseal(path, lambda data: data["checks"][0].update(function="evil_checks:is_short"))
    with pytest.raises(ArtifactError, match="needs your check"):
        lp.load(path)
    assert "evil_checks" not in sys.modules


def test_a_handed_class_brings_the_checks_of_its_module(tmp_path: Path) -> None:
    lp.save(Summaries(), tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", classes=[Summaries])
    assert loaded.summary.checks[0].function is is_short


def test_a_check_sees_the_users_own_types(tmp_path: Path) -> None:
    path = saved(tmp_path, lp.Check(not_billing, "not them"), signature=Triage)
    loaded = lp.load(path, checks={"not_billing": not_billing})
    with lp.using(lm=lp.ScriptedLM(["[[team]]\nbilling", "[[team]]\nnetwork"])):
        assert loaded(ticket="x").team is Team.NETWORK


def test_another_function_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, lp.Check(is_short, "be brief"))
    for handed, words in (
        ({"is_short": lambda summary: True}, "has changed since"),
        ({"is_short": 7}, "is a int, not a function"),
        (
            {"is_short": is_short, "more": is_short},
            "checks= has 'more', but the artifact has is_sh",
        ),
        ([is_short], "takes a dict of functions by name"),
    ):
        with pytest.raises(ArtifactError, match=words):
            lp.load(path, checks=handed)  # type: ignore[arg-type]


def below(limit: int) -> Callable[[str], bool]:
    return lambda summary: len(summary) < limit


def test_functions_made_with_other_values_differ(tmp_path: Path) -> None:
    path = saved(tmp_path, lp.Check(below(9), "be brief", name="below"))
    assert lp.load(path, checks={"below": below(9)})
    with pytest.raises(ArtifactError, match="has changed since"):
        lp.load(path, checks={"below": below(99)})
    with pytest.raises(ArtifactError, match="pass the function, lp.load.*'below': ...}\\)$"):
        lp.load(path, allow_modules=[__name__])


def test_what_cannot_be_told_apart_is_not_saved(tmp_path: Path) -> None:
    same = [lp.Check(below(1), "x"), lp.Check(below(2), "y")]
    with pytest.raises(ArtifactError, match="two different checks of the program are called"):
        saved(tmp_path, *same)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "shell"}, "checks"),
        ({"options": {"most": -1}}, "most"),
        ({"options": {"exec": "x"}}, "has no argument 'exec'"),
        ({"options": {"message": "x"}}, "multiple values"),
        ({"field": "nothing"}, "not a field of"),
        ({"field": None}, "needs a field"),
        ({"level": "panic"}, "level"),
        ({"kind": "code"}, "needs a name, a function"),
        ({"kind": "regex", "options": {"pattern": "((a{999}){999}){999}"}}, "size limit"),
        ({"kind": "regex", "options": {"pattern": "(?=x)"}}, "look-ahead"),
        ({"kind": "json_schema", "options": {"schema": {"$ref": "#"}}}, "refers to itself"),
    ],
)
def test_a_check_that_was_tampered_with_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = saved(tmp_path, lp.checks.length("summary", most=3))
    reseal(path, lambda data: data["checks"][0].update(change))
    with pytest.raises(ArtifactError, match=words):
        lp.load(path)


def test_the_number_of_reasks_is_bounded_in_artifacts(tmp_path: Path) -> None:
    path = saved(tmp_path, lp.checks.length("summary", most=3))
    reseal(path, lambda data: data.update(reasks=1_000_000))
    with pytest.raises(ArtifactError, match="reasks"):
        lp.load(path)
