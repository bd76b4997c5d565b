"""Fixtures for pytest, so that a team's tests hold its prompts to their evidence.

They are there wherever langprog is installed::

    def test_the_program_in_production_is_certified(certified):
        program = certified("triage.json")
        assert program(ticket="the wifi is down").team == "network"

    def test_the_new_prompt_is_as_good(assert_not_worse):
        assert_not_worse(lp.load("new.json"), lp.load("old.json"), DATA, metric, tolerance=0.05)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # loading the plugin must not import the library into every test run
    from langprog.modules import Module


@pytest.fixture
def certified() -> Callable[..., Module]:
    """Return a function that loads an artifact, and fails the test where it is not certified.

    It takes what ``lp.load`` takes.
    """
    from langprog.artifact import read_artifact  # noqa: PLC0415 - see above

    def load(path: str | os.PathLike[str], **options: Any) -> Module:
        artifact = read_artifact(path)
        certificate = (artifact.evidence or {}).get("certificate") or {}
        verdict = certificate.get("verdict")
        if verdict != "certified":
            said = certificate.get("reason") or "it has no evidence"
            pytest.fail(f"{os.fspath(path)} is not certified ({verdict or 'none'}): {said}")
        return artifact.program(**options)

    return load


@pytest.fixture
def assert_not_worse() -> Callable[..., Any]:
    """Return ``langprog.evaluation.assert_not_worse``."""
    from langprog.evaluation import assert_not_worse as check  # noqa: PLC0415 - see above

    return check
