"""Completions as plain JSON: all of one, or a clear no."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from langprog.lm import Completion, Usage, completion_from_json, completion_to_json

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
