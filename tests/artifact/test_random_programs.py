"""Any program that can be built comes back from its artifact, prompt by prompt."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import create_model

import langprog as lp
from langprog.artifact import read_artifact, save_program
from langprog.artifact.digest import canonical_json
from langprog.artifact.proof import difference_of
from langprog.modules import Rule
from langprog.signature import FieldSpec, SignatureSpec
from tests.artifact.comparing import without_lineage

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.sampled_from(["ticket", "context", "team", "hours", "note", "score", "reply", "x_1"])
ROWS: Any = create_model("Row", name=(str, ...), count=(int | None, None))
TYPES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    list[str]: st.lists(TEXTS, max_size=3),
    dict[str, int]: st.dictionaries(TEXTS, st.integers(), max_size=3),
    Literal["a", "b c", "1"]: st.sampled_from(["a", "b c", "1"]),
    str | None: st.none() | TEXTS,
    list[dict[str, float]]: st.lists(
        st.dictionaries(TEXTS, st.floats(allow_nan=False, allow_infinity=False), max_size=2),
        max_size=2,
    ),
    ROWS: st.builds(ROWS, name=TEXTS, count=st.none() | st.integers()),
}


@st.composite
def predictors(draw: st.DrawFn, prefix: str = "") -> lp.Predict:
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    cut = draw(st.integers(1, len(names) - 1))
    fields = tuple(
        FieldSpec(
            f"{prefix}{name}",
            "input" if index < cut else "output",
            draw(st.sampled_from(list(TYPES))),
            draw(TEXTS),
        )
        for index, name in enumerate(names)
    )
    spec = SignatureSpec(draw(TEXTS), draw(TEXTS), fields)
    return lp.Predict(
        spec,
        demos=[draw(demos(spec)) for _ in range(draw(st.integers(0, 2)))],
        model=draw(st.sampled_from([None, "scripted/a", "vllm/some-model"])),
        adapter=draw(st.sampled_from([None, "chat", "json"])),
        temperature=draw(st.none() | st.floats(0, 2)),
        max_tokens=draw(st.none() | st.integers(1, 1000)),
        checks=draw(st.lists(checks(f"{prefix}{names[-1]}"), max_size=3)),
        reasks=draw(st.integers(0, 10)),
    )


@st.composite
def checks(draw: st.DrawFn, field: str) -> lp.Check:
    options: dict[str, Any] = {
        "message": draw(st.none() | TEXTS.filter(str.strip)),
        "level": draw(st.sampled_from(["require", "suggest"])),
    }
    low, high = sorted(draw(st.tuples(st.integers(0, 99), st.integers(0, 99))))
    kind = draw(st.sampled_from(["regex", "in_range", "length", "one_of", "no_pii"]))
    match kind:
        case "regex":
            pattern = draw(st.sampled_from(["[a-z]+", "(a|b){2,3}", r"\d+ \w", ""]))
            return lp.checks.regex(field, pattern, whole=draw(st.booleans()), **options)
        case "in_range":
            return lp.checks.in_range(
                field, low / 2, draw(st.sampled_from([None, high])), **options
            )
        case "length":
            unit = draw(st.sampled_from(["characters", "words", "items"]))
            return lp.checks.length(field, low, high, unit=unit, **options)
        case "one_of":
            values = draw(st.lists(TEXTS | st.integers() | st.booleans(), min_size=1))
            return lp.checks.one_of(field, values, **options)
    return lp.checks.no_pii(field, **options)


@st.composite
def demos(draw: st.DrawFn, spec: SignatureSpec) -> lp.Example:
    kept = {field.name: draw(TYPES[field.annotation]) for field in spec.fields}
    if draw(st.booleans()):
        kept["other_column"] = "not shown"
    return lp.Example(**kept)


@st.composite
def programs(draw: st.DrawFn) -> lp.Module:
    first: lp.Module = draw(predictors("one_"))
    shape = draw(st.sampled_from(["predict", "pipeline", "nested", "several"]))
    if shape == "predict":
        return first
    if shape == "several":
        first = draw(several(first))
    second = draw(predictors("two_"))
    if shape == "pipeline":
        return lp.Pipeline(first=first, second=second)
    return lp.Pipeline(inner=lp.Pipeline(first=first), second=second)


SHARES = st.floats(0, 1)


@st.composite
def several(draw: st.DrawFn, asked: lp.Module) -> lp.Module:
    """Ask a module in one of the ways that take several samples or steps."""
    k = draw(st.integers(1, 9))
    judge = lp.Predict("one_x -> right: bool")
    kind = draw(st.sampled_from(["vote", "filter", "best", "cascade", "learned", "route"]))
    if kind == "vote":
        return lp.Vote(asked, k=k, temperature=draw(st.floats(0.1, 2)), on=["one_x"])
    if kind == "filter":
        return lp.Vote(asked, k=k, keep=judge)
    if kind == "best":
        return lp.BestOf([asked, lp.Vote(asked, k=2)], judge=judge, k=k)
    if kind == "cascade":
        signal = draw(st.sampled_from(["logprob", "agreement", "check"]))
        return lp.Cascade([asked, asked], thresholds=[draw(SHARES)], signal=signal, check=judge)
    if kind == "learned":
        rule = Rule(draw(st.floats(-9, 9)), (), ((3, draw(SHARES)),))
        return lp.Cascade(
            [asked], signal=lp.signals.Learned((rule,), 16), tiers=[[0, draw(SHARES)]]
        )
    center = ((draw(st.integers(0, 15)), 1.0),)
    router = lp.Router((center,), 16, ((draw(SHARES), draw(SHARES)),), (1.0, 2.0), draw(SHARES))
    return lp.Route([asked, lp.Vote(asked, k=3)], router=router)


@settings(max_examples=50, deadline=None)
@given(program=programs())
def test_any_program_comes_back(
    tmp_path_factory: pytest.TempPathFactory, program: lp.Module
) -> None:
    folder = tmp_path_factory.mktemp("random")
    save_program(program, folder / "a.json", evidence={"seed": 1})
    loaded = lp.load(folder / "a.json")
    assert difference_of(program, loaded) is None
    save_program(loaded, folder / "b.json", evidence={"seed": 1})
    assert without_lineage(folder / "a.json") == without_lineage(folder / "b.json")
    assert read_artifact(folder / "b.json").data.lineage[0].how == "saved"
    data = json.loads((folder / "a.json").read_text())
    assert canonical_json(data) == canonical_json(json.loads(json.dumps(data, indent=7)))
