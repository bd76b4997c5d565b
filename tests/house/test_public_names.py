from __future__ import annotations

import importlib
from importlib import resources

import pytest

import langprog
import optimizers

ROOMS = [
    "adapters",
    "artifact",
    "batch",
    "checks",
    "cli",
    "estimation",
    "evaluation",
    "interop",
    "lm",
    "modules",
    "observe",
    "pocket",
    "retrieval",
    "reuse",
    "runtime",
    "sandbox",
    "serving",
    "signature",
    "tools",
    "verification",
]


def test_public_names_are_pinned_sorted_and_there() -> None:
    assert langprog.__all__ == [
        "Audio",
        "BM25Retriever",
        "BestOf",
        "Budget",
        "CallLog",
        "Callback",
        "Cascade",
        "ChainOfThought",
        "Check",
        "CheckError",
        "Comparison",
        "Completion",
        "Corpus",
        "ElementFailure",
        "ElementFinished",
        "EmbeddingEndpoint",
        "EmbeddingRetriever",
        "Evaluator",
        "Example",
        "FieldDelta",
        "File",
        "FunctionRetriever",
        "History",
        "HybridRetriever",
        "Image",
        "Input",
        "LM",
        "LangprogError",
        "LateInteractionRetriever",
        "Map",
        "Message",
        "ModelRef",
        "Module",
        "NearestDemos",
        "OpenTelemetry",
        "Output",
        "Parameter",
        "Passage",
        "Pipeline",
        "Predict",
        "Prediction",
        "Price",
        "PromptTemplate",
        "RayEngine",
        "ReAct",
        "Refine",
        "Report",
        "Request",
        "RerankRetriever",
        "Retrieve",
        "Retriever",
        "Route",
        "Router",
        "Sampling",
        "Sandbox",
        "Score",
        "ScriptedLM",
        "SemanticCache",
        "Signature",
        "StepFailed",
        "StepFinished",
        "StepReset",
        "StepSearch",
        "StepStarted",
        "ThinkingDelta",
        "Tool",
        "Vote",
        "aggregate",
        "agree",
        "callbacks",
        "checks",
        "compare",
        "configure",
        "dataset_metric",
        "describe",
        "diff",
        "estimate_accuracy",
        "estimate_mean",
        "evaluate",
        "from_dspy",
        "from_gepa",
        "from_openai_evals",
        "from_promptfoo",
        "from_template",
        "load",
        "load_corpus",
        "load_examples",
        "mcp_tools",
        "metric",
        "parallel",
        "record_canaries",
        "record_trace",
        "require",
        "save",
        "signals",
        "suggest",
        "to_dspy",
        "to_fine_tuning",
        "to_gepa",
        "to_messages",
        "to_python",
        "to_skill",
        "to_template",
        "using",
        "verify",
    ]
    for name in langprog.__all__:
        assert getattr(langprog, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Teleprompter'"):
        _ = langprog.Teleprompter


def test_signals_have_a_namespace_of_their_own() -> None:
    assert langprog.signals.Agreement is langprog.modules.Agreement
    for name in ("Agreement", "Checked", "Learned"):
        assert not hasattr(langprog, name)


def test_every_package_is_typed() -> None:
    for package in ("langprog", "optimizers", "programs"):
        assert resources.files(package).joinpath("py.typed").is_file(), package


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
