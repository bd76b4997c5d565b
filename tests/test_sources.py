"""The source of a class is found as Python finds it, and anew where its file has changed."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from langprog.sources import source_of

FILE = "class Own:\n    number = 1\n"


def module_of(path: Path, text: str) -> ModuleType:
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_that_of_inspect() -> None:
    for thing in (Path, int, inspect.Parameter, module_of):
        try:
            wanted = inspect.getsource(thing)
        except (OSError, TypeError) as error:
            with pytest.raises(type(error)):
                source_of(thing)
        else:
            assert source_of(thing) == source_of(thing) == wanted


def test_a_file_that_has_changed_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sourced.py"
    module = module_of(path, FILE)
    monkeypatch.setitem(sys.modules, "sourced", module)
    assert source_of(module.Own) == FILE
    # As where a notebook reloads what was edited: the class stays, with other methods.
    path.write_text(f"import os\n{FILE}    other = 22\n")
    os.utime(path, (1, 1))
    assert source_of(module.Own) == f"{FILE}    other = 22\n"


def test_a_class_without_a_file_has_none() -> None:
    scope: dict[str, type] = {}
    exec("class Own: pass", scope)
    with pytest.raises((OSError, TypeError)):
        source_of(scope["Own"])
