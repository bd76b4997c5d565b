"""Weak labels: the rules, the voters, and what is counted, on texts whose labels are plain."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

import langprog as lp
from benchmarks.measured import Checkpoint
from benchmarks.tasks.generated import make_task
from benchmarks.weak_labels import compiles
from benchmarks.weak_labels.compiles import TRAINED, VOTERS, make_voters, run_compile
from benchmarks.weak_labels.rules import SST2, TREC, make_rules, vote_majority
from benchmarks.weak_labels.texts import (
    ALONE,
    BOTH,
    KNOWN,
    LEAST,
    OLD,
    SETTINGS,
    TASKS,
    Setting,
    format_texts,
    run_texts,
)
from langprog.lm import LanguageModel


def votes(patterns: object, text: str) -> dict[str, str]:
    rules = make_rules(patterns)  # type: ignore[arg-type]
    said = {name: rule(lp.Example(text=text)) for name, rule in rules.items()}
    return {name: label for name, label in said.items() if label is not None}


def test_rules_vote_for_their_label_or_not_at_all() -> None:
    assert votes(TREC, "How many legs has a spider ?") == {"how many": "NUM"}
    assert votes(TREC, "What does NASA stand for ?") == {"short form": "ABBR"}
    assert votes(TREC, "Name a thing .") == {}
    assert votes(SST2, "not funny enough , and too long") == {
        "pleasure": "positive",
        "negation": "negative",
        "reservation": "negative",
    }


def test_the_majority_decides_and_equals_are_drawn() -> None:
    rng = random.Random(0)
    assert vote_majority(["a", "b", "a"], rng) == "a"
    assert vote_majority([], rng) is None
    assert {vote_majority(["a", "b"], rng) for _ in range(20)} == {"a", "b"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of questions of which rules know the label."""
    place = tmp_path_factory.mktemp("data")
    (place / "tasks" / "trec").mkdir(parents=True)
    starts = {"LOC:city": "Where is", "HUM:ind": "Who made", "NUM:date": "When came"}
    for name, count in (("train", 2000), ("test", 60)):
        lines = [
            f"{label} {start} {name} {row} ?"
            for row in range(count // 3 + 1)
            for label, start in starts.items()
        ]
        path = place / "tasks" / "trec" / f"{name}.txt"
        path.write_text("\n".join(lines), encoding="latin-1")
    return place


def test_labels_are_graded_and_a_classifier_is_fitted_to_each_set(folder: Path) -> None:
    counts = SETTINGS[0]
    outcome = run_texts(folder, "trec", counts, 0)
    pool = 2000 - OLD - KNOWN
    assert outcome["labels"]["majority vote"][1] == 1.0
    assert all(0 <= share <= 1 for pair in outcome["labels"].values() for share in pair)
    trained = outcome["trained"]
    assert trained[ALONE][1] == counts[0] and trained[BOTH][1] <= pool + counts[0]
    assert trained["as many rows, all with true labels"][1] == trained[BOTH][1]
    assert trained["as many rows, all with true labels"][0] == 1.0
    assert trained["the same, from rules without the old model"][0] == 1.0
    assert outcome["estimates"]["where"][1] == 1.0


def test_what_is_counted_is_what_label_weakly_gives_by_default(folder: Path) -> None:
    setting = Setting.draw(TASKS["trec"][1](folder, 1), TREC, SETTINGS[1], 1)
    assert not {*setting.old, *setting.known} & set(setting.pool)
    answers = setting.old_answers()
    voters = {**setting.rules, "old model": lambda row: answers[row.text]}
    default = setting.label(voters, labelled=True)
    everything = setting.label(voters, labelled=True, least=0.0)
    assert setting.by_row(everything, LEAST) == setting.by_row(default)
    assert all(row.train_only for row in default.rows)


def test_the_tables_name_every_way(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.weak_labels.texts.TASKS", {"trec": TASKS["trec"]})
    monkeypatch.setattr("benchmarks.weak_labels.texts.SETTINGS", SETTINGS[:1])
    text = format_texts(folder, range(2), Checkpoint(tmp_path / "kept.jsonl"))
    assert re.search(r"\| true labels alone \| 40 \| [\d.]+ \[[\d., ]+\] \| - \|", text)
    assert "| majority vote |" in text and "fitted to 60 others" in text


def test_voters_vote_and_err_as_often_as_they_are_said_to() -> None:
    task = make_task(compiles.TASK, 0)
    (target,) = task.outputs
    for name, vote in make_voters(task, 0).items():
        covers, right = VOTERS[name]
        said = [(vote(row.without(target)), row[target]) for row in task.data]
        given = [label == truth for label, truth in said if label is not None]
        assert len(given) / len(said) == pytest.approx(covers, abs=0.1)
        assert sum(given) / len(given) == pytest.approx(right, abs=0.12)


def learn(request: lp.Request) -> str:
    """Answer with the label of the demonstration that has most words in common."""
    asked = set(request.messages[-1].text.split())
    shown = list(zip(request.messages[1:-1:2], request.messages[2:-1:2], strict=True))
    best = max(
        shown, key=lambda pair: len(asked & set(pair[0].text.split())), default=(None, None)
    )[1]
    return "no label" if best is None else best.text


def test_a_compile_has_weak_rows_in_train_alone() -> None:
    def connect(name: str) -> LanguageModel:
        return lp.ScriptedLM(learn, name=name)

    alone, both = (
        run_compile("KNNDemos", trained, 0, connect) for trained in (TRAINED[0], TRAINED[2])
    )
    assert alone["rows"] == compiles.FEW < both["rows"]
    assert alone["n"] == both["n"] == compiles.HOLDOUT
    assert both["verdict"] == "certified" and both["test"] > alone["test"]
    assert alone["weak"] == both["weak"] and 0.5 < both["weak"][0] < 1
