"""Completions as plain JSON: all of one, or a clear no."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langprog.lm import (
    Completion,
    DiskCache,
    ToolCall,
    Usage,
    completion_from_json,
    completion_to_json,
)
from langprog.lm.finish import FINISH_REASONS

FULL = Completion(
    ("one \U0001f600", "", "\ud800 alone \x00"),
    "test/model",
    Usage(5, 4, 3, 2, 1),
    ("stop", "length", "stop"),
    ((-0.25, -1.5), (), (0.0,)),
    0.125,
    1.5,
)


def test_completions_as_json() -> None:
    data = json.loads(json.dumps(completion_to_json(FULL)))
    assert completion_from_json(data) == replace(FULL, cached=True)


@pytest.mark.parametrize(
    "change",
    [
        {"texts": []},
        {"texts": "abc"},
        {"texts": [1]},
        {"texts": None},
        {"usage": [1, 2, 3, 4, 5, 6]},
        {"usage": ["a"]},
        {"usage": [1e999, 0, 0]},
        {"logprobs": [[None]]},
        {"logprobs": 5},
        {"dollars": "x"},
        {"latency": None},
        {"finish": 3},
        {"model": None},
    ],
)
def test_data_that_is_no_completion(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="."):
        completion_from_json({**completion_to_json(FULL), **change})


TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
COUNTS = st.integers(0, 10**9)
COMPLETIONS = st.integers(1, 3).flatmap(
    lambda n: st.builds(
        Completion,
        st.tuples(*[TEXTS] * n),
        TEXTS,
        st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS),
        st.tuples(*[st.sampled_from(sorted(FINISH_REASONS))] * n),
        st.none() | st.tuples(*[st.lists(st.floats(max_value=0.0)).map(tuple)] * n),
        st.none() | st.floats(0.0, 1e6),
        st.floats(0.0, 1e6),
        st.booleans(),
        st.just(())
        | st.tuples(*[st.lists(st.builds(ToolCall, TEXTS, TEXTS, TEXTS)).map(tuple)] * n),
        st.just(()) | st.tuples(*[TEXTS] * n),
    )
)


@given(COMPLETIONS)
@settings(max_examples=50, deadline=None)
def test_every_completion_comes_back_as_it_was(completion: Completion) -> None:
    data = json.loads(json.dumps(completion_to_json(completion)))
    assert completion_from_json(data) == replace(completion, cached=True)


@pytest.mark.parametrize("version", [None, 0, 1, 3, "2", [2]])
def test_another_version_is_refused_and_is_a_miss(version: Any, tmp_path: Path) -> None:
    data = {**completion_to_json(FULL), "version": version}
    with pytest.raises(ValueError, match="version"):
        completion_from_json(data)
    cache = DiskCache(tmp_path)
    cache.put("k", FULL)
    cache._store().put_all({"k": json.dumps(data)})
    assert cache.get("k") is None
    cache.close()
