"""Programs of DSPy in tests: DSPy calls a scripted model on loopback as it calls any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import langprog as lp

Plain = Callable[[lp.ScriptedLM], Any]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # nothing is fetched


@pytest.fixture
def dspy() -> Any:
    return pytest.importorskip("dspy")


@pytest.fixture
def in_plain_dspy(
    dspy: Any, scripted_endpoint: Callable[[lp.ScriptedLM], str]
) -> Callable[[lp.ScriptedLM], Any]:
    """Return a context in which DSPy calls a model by its own client, at temperature 0."""

    @contextmanager
    def enter(model: lp.ScriptedLM) -> Iterator[Any]:
        name = model.name.partition("/")[2]
        url = scripted_endpoint(model)
        lm = dspy.LM(f"openai/{name}", api_base=url, api_key="-", temperature=0.0, cache=False)
        with dspy.context(lm=lm):
            yield lm

    return enter
