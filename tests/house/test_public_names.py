from __future__ import annotations

import importlib

import pytest

import langprog
import optimizers

ROOMS = [
    "adapters",
    "artifact",
    "cli",
    "evaluation",
    "lm",
    "modules",
    "pocket",
    "runtime",
    "signature",
]


def test_public_names_are_pinned_sorted_and_there() -> None:
    assert langprog.__all__ == [
        "Agreement",
        "Audio",
        "BestOf",
        "Budget",
        "Cascade",
        "ChainOfThought",
        "Checked",
        "Comparison",
        "Completion",
        "Example",
        "File",
        "History",
        "Image",
        "Input",
        "LM",
        "LangprogError",
        "Learned",
        "LogProbability",
        "Message",
        "ModelRef",
        "Module",
        "Output",
        "Parameter",
        "Pipeline",
        "Predict",
        "Prediction",
        "Price",
        "Refine",
        "Report",
        "Request",
        "Route",
        "Router",
        "Sampling",
        "Score",
        "ScriptedLM",
        "Signature",
        "Vote",
        "compare",
        "configure",
        "describe",
        "evaluate",
        "load",
        "load_examples",
        "parallel",
        "record_trace",
        "save",
        "using",
    ]
    for name in langprog.__all__:
        assert getattr(langprog, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Teleprompter'"):
        _ = langprog.Teleprompter


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_list_what_they_have(room: str) -> None:
    module = importlib.import_module(f"langprog.{room}")
    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert name in vars(module), name
    assert module.__doc__


def test_optimizers_list_their_members() -> None:
    assert sorted(optimizers.__all__) == sorted(set(optimizers.__all__))
    for name in optimizers.__all__:
        assert name in vars(optimizers), name
