from __future__ import annotations

import sys
import warnings
from contextlib import ExitStack

import pytest

from langprog.errors import LangprogWarning
from langprog.lm.connections import ConnectionBound, open_files

resource = pytest.importorskip("resource")


def allow(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (files, resource.RLIM_INFINITY))


def test_the_bound_leaves_a_quarter_of_the_files_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allow(monkeypatch, 1024)
    assert ConnectionBound("a/b").most == 768
    allow(monkeypatch, 1)
    assert ConnectionBound("a/b").most == 1


def test_there_is_no_bound_where_the_process_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, resource.RLIM_INFINITY)
    assert ConnectionBound("a/b").most == 0
    monkeypatch.setitem(sys.modules, "resource", None)  # importing it fails, as on Windows
    assert open_files() is None
    assert ConnectionBound("a/b").most == 0


def test_a_bound_that_bites_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, 4)
    bound = ConnectionBound("a/b")
    with ExitStack() as under_way, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(3):
            under_way.enter_context(bound)
        assert not said
        for _ in range(3):
            under_way.enter_context(bound)
    assert [str(warning.message) for warning in said] == [
        "a/b: more than 3 requests are in flight, and this process may open 4 files: the others "
        "wait for a connection (raise the limit with ulimit -n, or lower width= or concurrency=)"
    ]
    assert said[0].category is LangprogWarning


@pytest.mark.parametrize("given", [0, 2])
def test_a_bound_that_was_given_is_kept_and_not_said(
    monkeypatch: pytest.MonkeyPatch, given: int
) -> None:
    allow(monkeypatch, 4)
    bound = ConnectionBound("a/b", given)
    assert bound.most == given
    with ExitStack() as under_way:
        for _ in range(9):
            under_way.enter_context(bound)  # a warning would be an error here
