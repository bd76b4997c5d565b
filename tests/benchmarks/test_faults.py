"""The list of faults fits the source, and a fault is found by its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults import (
    Copy,
    Fault,
    FaultError,
    Outcome,
    describe,
    load_faults,
    make_fault,
)

ROOT = Path(__file__).parents[2]
FAULTS = load_faults()

SOURCE = "def is_worse(gain, tolerance):\n    return gain < -tolerance\n"
TESTS = """
from programs import is_worse

def test_a_tie_is_not_worse():
    assert not is_worse(0.0, 0.1)

def test_a_loss_is_worse():
    assert is_worse(-1.0, 0.1)
"""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_fits_the_source(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text(encoding="utf-8")
    assert make_fault(fault, text) != text
    for test in fault.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8") if name else file


def test_no_two_faults_are_the_same() -> None:
    assert len(FAULTS) >= 24
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert len({(fault.file, fault.text, fault.replacement) for fault in FAULTS}) == len(FAULTS)


def test_a_fault_that_does_not_fit_is_an_error() -> None:
    fault = Fault("tie", "programs/__init__.py", "tolerance", "0", ("tests",))
    for source, count in ((SOURCE, 2), ("pass", 0)):
        with pytest.raises(FaultError, match=rf"programs/__init__.py has {count} times"):
            make_fault(fault, source)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy of a source of one function, whose tests need no plugins."""
    root = tmp_path_factory.mktemp("root")
    for name, text in (("programs/__init__.py", SOURCE), ("tests/test_worse.py", TESTS)):
        (root / name).parent.mkdir()
        (root / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        yield Copy(tmp_path_factory.mktemp("copy"), root)


def test_faults_are_made_one_at_a_time_and_found_or_not(copy: Copy) -> None:
    tests = ("tests/test_worse.py",)
    sign = Fault("sign", "programs/__init__.py", "< -tol", "< tol", tests)
    equal = Fault("equal", "programs/__init__.py", "< -tol", "<= -tol", tests)
    by = copy.examine(sign)
    assert by == "tests/test_worse.py::test_a_tie_is_not_worse"
    assert copy.examine(equal) is None  # also: the first fault is gone
    said = describe([Outcome(sign, by), Outcome(equal, None)])
    assert "`test_worse.py::test_a_tie_is_not_worse`" in said and "**nothing**" in said
    broken = Fault("broken", "programs/__init__.py", "def is_worse", "def is worse", tests)
    with pytest.raises(FaultError, match="the tests of 'broken' cannot be run"):
        copy.examine(broken)


def test_tests_that_fail_without_a_fault_show_nothing(copy: Copy) -> None:
    copy.check(["tests/test_worse.py::test_a_loss_is_worse"])
    with pytest.raises(FaultError, match="without any fault, tests have to pass"):
        copy.check(["tests/test_worse.py::test_that_is_not_there"])
