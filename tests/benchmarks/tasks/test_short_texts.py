"""The loaders of short texts, on the public data."""

from __future__ import annotations

import pytest

import langprog as lp
from benchmarks.real.programs import (
    PLAIN,
    TASKS,
    TRAIN,
    VALIDATION,
    WRITTEN,
    load_task,
    metric_of,
    program_of,
)
from benchmarks.tasks.folder import data_folder, explain_missing_data

FOLDER = data_folder()
needs_data = pytest.mark.skipif(FOLDER is None, reason=explain_missing_data())


@needs_data
@pytest.mark.parametrize("name", list(TASKS))
def test_no_text_is_in_two_parts_of_a_task(name: str) -> None:
    assert FOLDER is not None
    task = load_task(name, FOLDER, 0)
    inputs = tuple(task.signature.inputs)
    texts = [
        {tuple(row[key] for key in inputs) for row in part}
        for part in (task.train, task.validation, task.holdout)
    ]
    assert len(task.train) == TRAIN and len(task.validation) == VALIDATION
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]


@needs_data
@pytest.mark.parametrize("name", list(TASKS))
def test_a_task_is_the_same_for_a_seed_and_its_labels_fit_the_signature(name: str) -> None:
    assert FOLDER is not None
    task = load_task(name, FOLDER, 3)
    assert task == load_task(name, FOLDER, 3)
    assert task.train != load_task(name, FOLDER, 4).train
    assert task.signature.instruction == WRITTEN[name][PLAIN]
    (label,) = task.signature.outputs

    def answer(request: lp.Request) -> str:
        return f"[[{label}]]\n{task.train[0][label]}"

    with lp.using(lm=lp.ScriptedLM(answer), adapter="chat"):
        report = lp.evaluate(program_of(task), task.holdout[:50], metric_of(task))
    assert not report.failures_by_kind
    assert report.mean == sum(row[label] == task.train[0][label] for row in task.holdout[:50]) / 50


@pytest.mark.parametrize("name", list(TASKS))
def test_the_written_instructions_differ(name: str) -> None:
    assert len(set(WRITTEN[name])) == len(WRITTEN[name]) == 6
