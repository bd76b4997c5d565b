"""Every knob of every public dataclass is checked, and the message says how."""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import langprog as lp
from langprog.errors import InputError, ModelError
from langprog.knobs import (
    KNOB,
    Bounds,
    Items,
    check_knobs,
    check_value,
    takes_number,
    takes_whole,
)
from langprog.lm import Retry, Throttle
from optimizers import GEPA, MIPRO, Compiler, LabeledFewShot, Searching

ROOMS = (
    "langprog",
    "langprog.adapters",
    "langprog.artifact",
    "langprog.evaluation",
    "langprog.lm",
    "langprog.modules",
    "langprog.pocket",
    "langprog.runtime",
    "langprog.signature",
    "optimizers",
)
# What langprog measures or receives and hands to a user: nobody sets these numbers.
RESULTS = {
    "AdapterFinished",
    "AdapterStarted",
    "Artifact",
    "BatchReply",
    "CallFailed",
    "Certificate",
    "Claim",
    "Claims",
    "Cleared",
    "Comparison",
    "CompileFinished",
    "CompileReport",
    "CompileStarted",
    "Completion",
    "Cost",
    "DatasetMetric",
    "ElementFailure",
    "ElementFinished",
    "Estimated",
    "EvaluationFinished",
    "EvaluationStarted",
    "FieldDelta",
    "FieldSpec",
    "FrontPoint",
    "LabelChoice",
    "MeanTest",
    "Member",
    "ModelFinished",
    "ModelStarted",
    "PairedCosts",  # rows of numbers, checked where they are made
    "PairedScores",
    "PartialScores",
    "Passage",
    "Ported",
    "Preflight",
    "ProgramComparison",
    "ProviderBatch",
    "ReasoningDelta",
    "Report",
    "Row",
    "RowToLabel",
    "RunUsage",
    "Score",  # checked by what reads a metric
    "SetComparison",
    "ShareTest",
    "Size",
    "SpendUpdated",
    "Span",  # checked by the template that it is a part of
    "Spread",
    "StageAdvanced",
    "StageStarted",
    "StepFailed",
    "StepFinished",
    "StepReset",
    "StepStarted",
    "Tally",
    "TextDelta",
    "ThinkingDelta",
    "ToolCallDelta",
    "ToolFinished",
    "ToolStarted",
    "TraceStep",
    "Usage",
    "WeakLabels",
}
REQUIRED: dict[str, dict[str, Any]] = {
    "Chain": {},
    "LLMSelector": {"models": ["m/a"]},
    "Price": {"input": 1.0, "output": 1.0},
    "Request": {"messages": ()},
    "Router": {
        "centers": (((0, 1.0),),),
        "buckets": 1,
        "quality": ((1.0,),),
        "cost": (0.0,),
    },
    "Tier": {"step": 0, "threshold": None},
}
NEVER = [math.nan, math.inf, -math.inf, "3", "many", True, [1], 10**30, 1e300, 1j, object()]


def public_dataclasses() -> Iterator[type]:
    seen = set()
    for room in map(importlib.import_module, ROOMS):
        for name in room.__all__:
            kind = getattr(room, name)
            if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in seen:
                seen.add(kind)
                yield kind


def numeric(field: dataclasses.Field[Any]) -> bool:
    return bool(re.search(r"\b(int|float)\b", str(field.type)))


def knobs() -> list[Any]:
    return [
        pytest.param(kind, field, id=f"{kind.__name__}.{field.name}")
        for kind in public_dataclasses()
        for field in dataclasses.fields(kind)
        if KNOB in field.metadata
        and isinstance(field.metadata[KNOB], Bounds)
        and not getattr(kind, "__abstractmethods__", ())
    ]


def make(kind: type, name: str, value: Any) -> Any:
    if kind.__name__ == "Chain":
        return kind(LabeledFewShot(), **{name: value})
    return kind(**{**REQUIRED.get(kind.__name__, {}), name: value})


def test_no_number_of_a_public_dataclass_goes_unchecked() -> None:
    structured = {"Price.tiers", "Router.centers", "Router.quality", "Router.cost"} | {
        "Rule.tokens",
        "Rule.words",
    }
    unchecked = [
        f"{kind.__name__}.{field.name}"
        for kind in public_dataclasses()
        if kind.__name__ not in RESULTS
        for field in dataclasses.fields(kind)
        if numeric(field) and KNOB not in field.metadata
    ]
    assert set(unchecked) <= structured


@pytest.mark.parametrize(("kind", "field"), knobs())
def test_a_number_out_of_range_is_refused_in_one_sentence(
    kind: type, field: dataclasses.Field[Any]
) -> None:
    rule = field.metadata[KNOB]
    bad = [*NEVER, rule.high + 1, rule.low - 1]
    if rule.integral or rule.whole:
        bad.append(rule.low + 0.5)
    if field.default is not None:
        bad.append(None)
    for value in bad:
        with pytest.raises(InputError) as told:
            make(kind, field.name, value)
        text = str(told.value)
        assert text.startswith(f"{kind.__name__}({field.name}={value!r:.60}"[:60])
        assert f"{field.name} has to be {rule}" in text
        assert text.count("\n") == 0 and len(text) < 300


@pytest.mark.parametrize(("kind", "field"), knobs())
def test_the_ends_of_a_range_are_taken(kind: type, field: dataclasses.Field[Any]) -> None:
    rule = field.metadata[KNOB]
    if kind.__name__ == "VoteSize" and field.name in ("samples", "draws"):
        pytest.skip("these two depend on each other")
    low = rule.low if not rule.above else rule.low + 1e-6
    for value in (low, rule.high if not rule.below else rule.high - 1e-6):
        value = int(value) if rule.integral else value
        assert getattr(make(kind, field.name, value), field.name) == value


def test_zero_and_minus_one_mean_nothing_to_a_search() -> None:
    """The bounds themselves: no count that a search divides by or waits for may be 0."""
    for name in ("trials", "round", "first_block", "finalists"):
        for value in (0, -1):
            with pytest.raises(InputError, match=rf"Searching\({name}={value}\)"):
                Searching(**{name: value})
    with pytest.raises(InputError, match="concurrency has to be a whole number from 1"):
        MIPRO(concurrency=0)


def test_a_group_of_knobs_is_not_mistaken_for_another() -> None:
    for make_wrong in (
        lambda: MIPRO(proposing=Searching()),
        lambda: GEPA(proposing="pocket/small"),
        lambda: Compiler(proposing={"max_tokens": 3}),
    ):
        with pytest.raises(InputError, match="proposing has to be a Proposing"):
            make_wrong()
    with pytest.raises(InputError, match="auto has to be one of 'light'"):
        MIPRO(auto="lightest")
    with pytest.raises(InputError, match="merge has to be True or False"):
        GEPA(merge=1)


def test_numbers_of_numpy_are_numbers() -> None:
    assert LabeledFewShot(k=np.int64(3)).k == 3
    assert lp.Sampling(temperature=np.float32(0.5)).temperature == 0.5
    with pytest.raises(InputError):
        LabeledFewShot(k=np.float64(3.0))
    with pytest.raises(InputError):
        LabeledFewShot(k=np.bool_(True))


def test_a_cap_may_be_written_as_a_power_of_ten() -> None:
    assert lp.Budget(calls=1e4).calls == 10_000
    with pytest.raises(InputError, match="whole number from 0"):
        lp.Budget(calls=1.5)


def test_a_price_is_the_error_of_a_model() -> None:
    with pytest.raises(ModelError, match=r"Price\(input=-1\): input has to be a number from 0"):
        lp.Price(-1, 1)


def test_lists_are_checked_item_by_item() -> None:
    rule = Items(Bounds(0, 1, above=True, below=True), 2)
    assert rule.accepts((0.5, 0.25)) and rule.accepts([0.5, 0.25])
    for value in ((0.5,), (0.5, 1.0), (0.0, 0.5), "ab", 0.5, (0.5, "x"), None, {0.5, 0.6}):
        assert not rule.accepts(value)
    assert str(rule) == "a list of 2 values, each a number above 0, below 1"


def test_a_rule_of_a_subclass_counts() -> None:
    @dataclasses.dataclass(frozen=True)
    class Base:
        trials: int = dataclasses.field(default=1, metadata=takes_whole(1))

        def __post_init__(self) -> None:
            check_knobs(self)

    @dataclasses.dataclass(frozen=True)
    class Longer(Base):
        trials: int = dataclasses.field(default=9, metadata=takes_whole(5))
        share: float | None = dataclasses.field(default=None, metadata=takes_number(0, 1))

    assert Base(1).trials == 1 and Longer().share is None
    with pytest.raises(InputError, match=r"Longer\(trials=4\)"):
        Longer(4)
    with pytest.raises(InputError, match="a number from 0 to 1 or None"):
        Longer(share=2)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 2.5, "3", True, 10**30])
def test_wrappers_check_their_numbers_in_the_same_way(value: Any) -> None:
    inner = lp.ScriptedLM(lambda request: "x")
    for name in ("width", "rpm", "tpm"):
        with pytest.raises(InputError, match=rf"Throttle\({name}=.*whole number from 1"):
            Throttle(inner, **{name: value})
    with pytest.raises(InputError, match=r"Retry\(attempts=.*whole number from 1"):
        Retry(inner, attempts=value)
    if value not in (0, 2.5):
        with pytest.raises(InputError, match=r"Retry\(first_wait=.*a number from 0"):
            Retry(inner, first_wait=value)


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "3", True])
def test_options_of_a_model_are_numbers_in_a_range(value: Any) -> None:
    for name in ("temperature", "max_tokens", "top_p", "timeout", "width", "rpm", "attempts"):
        with pytest.raises(ModelError, match=name):
            lp.LM("vllm/m", **{name: value})


def test_a_long_value_is_cut() -> None:
    with pytest.raises(InputError) as told:
        check_value("f", "n", "x" * 5000, Bounds(0, 1))
    assert len(str(told.value)) < 150
