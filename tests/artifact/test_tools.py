"""A loaded program has the tools that the artifact describes, or is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ArtifactError

CODE = """
import langprog as lp
lp.imported = True

def look_up(query: str, k: int = 3) -> str:
    '''Look something up.'''
    return query * k

class Shop:
    @staticmethod
    def count(item: str) -> int:
        return 1

number = 7
"""


def look_up(query: str, k: int = 3) -> str:
    """Look it up, in other words."""
    return f"{k} {query}"


def changed(query: str, k: int = 4) -> str:
    """Look something up."""
    return query


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shelf_here.py").write_text(CODE)
    import shelf_here  # type: ignore[import-not-found]  # noqa: PLC0415 - written above

    yield shelf_here
    sys.modules.pop("shelf_here", None)
    vars(lp).pop("imported", None)


def saved(tool: Any, tmp_path: Path, **options: Any) -> Path:
    program = lp.ReAct("question -> answer: int", [tool], max_steps=4, **options)
    lp.save(program, tmp_path / "p.json")
    return tmp_path / "p.json"


def test_the_artifact_holds_data_and_no_code(shelf: Any, tmp_path: Path) -> None:
    path = saved(lp.Tool(shelf.look_up, timeout=5), tmp_path, model="vllm/x", adapter="json")
    program = json.loads(path.read_text())["program"]
    assert program["module"] == "ReAct" and program["max_steps"] == 4
    step = program["step"]
    assert (step["module"], step["offered"], step["adapter"]) == (
        "NextStep",
        ["look_up"],
        "json@1",
    )
    assert step["tools"] == [
        {
            "name": "look_up",
            "description": "Look something up.",
            "parameters": dict(lp.Tool(shelf.look_up).parameters),
            "function": "shelf_here:look_up",
            "timeout": 5.0,
            "max_result": 20_000,
        }
    ]
    assert [field["name"] for field in step["signature"]["fields"]] == ["question", "answer"]


def test_loading_runs_no_code_that_is_not_allowed(shelf: Any, tmp_path: Path) -> None:
    path = saved(shelf.look_up, tmp_path)
    del sys.modules["shelf_here"], lp.imported
    with pytest.raises(
        ArtifactError,
        match=r"needs your tool 'look_up' \(shelf_here:look_up\): pass it, lp.load\(path, "
        r"tools=\[look_up\]\) or --tool .* or allow its import",
    ):
        lp.load(path)
    assert "imported" not in vars(lp)
    loaded = lp.load(path, allow_modules=["shelf_here"])
    assert vars(lp)["imported"] is True
    assert loaded.tools[0]("x") == "xxx"


@pytest.mark.parametrize(
    "hand",
    [
        lambda: [look_up],
        lambda: {"look_up": look_up},
        lambda: [lp.Tool(look_up, description="another", timeout=1)],
        lambda: {"look_up": lp.Tool(look_up, name="another")},
        lambda: [changed, look_up],
    ],
)
def test_what_is_handed_over_is_seen_as_it_was_certified(
    hand: Callable[[], Any], shelf: Any, tmp_path: Path
) -> None:
    path = saved(lp.Tool(shelf.look_up, timeout=5), tmp_path)
    [tool] = lp.load(path, tools=hand()).tools
    assert (tool.name, tool.description, tool.timeout) == ("look_up", "Look something up.", 5)
    assert tool("x") == "3 x"


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        ([changed], "needs your tool 'look_up'"),
        ({"look_up": changed}, "the tool 'look_up' takes other arguments than those"),
        ({"look_up": look_up, "more": look_up}, "has 'more', but the artifact has look_up"),
        ({"look_up": 7}, "tools=: a Tool is made of a function"),
        ([lambda query: query], "tools=: a tool cannot be called '<lambda>'"),
        (look_up, "tools=: tools= is a list of functions"),
    ],
)
def test_what_does_not_fit_is_refused(tools: Any, words: str, shelf: Any, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=words):
        lp.load(saved(shelf.look_up, tmp_path), tools=tools)


def test_what_an_allowed_module_has_instead_is_refused(shelf: Any, tmp_path: Path) -> None:
    path = saved(shelf.look_up, tmp_path)
    shelf.look_up = changed
    with pytest.raises(ArtifactError, match="takes other arguments"):
        lp.load(path, allow_modules=["shelf_here"])
    shelf.look_up = 7
    with pytest.raises(ArtifactError, match="tool shelf_here:look_up is not a function"):
        lp.load(path, allow_modules=["shelf_here"])
    del shelf.look_up
    with pytest.raises(ArtifactError, match="tool shelf_here:look_up cannot be imported"):
        lp.load(path, allow_modules=["shelf_here"])


def test_functions_in_classes_and_decorated_ones_can_be_imported(
    shelf: Any, tmp_path: Path
) -> None:
    path = saved(shelf.Shop.count, tmp_path)
    assert lp.load(path, allow_modules=["shelf_here"]).tools[0]("x") == 1
    shelf.look_up = lp.Tool(shelf.look_up, max_result=9)
    path = saved(shelf.look_up, tmp_path)
    [tool] = lp.load(path, allow_modules=["shelf_here"]).tools
    assert tool.max_result == 9


def test_two_tools_of_one_name_cannot_be_told_apart(shelf: Any, tmp_path: Path) -> None:
    def program(first: Any, second: Any) -> lp.Pipeline:
        return lp.Pipeline(
            a=lp.ReAct("question -> answer", [first]), b=lp.ReAct("answer -> more", [second])
        )

    with pytest.raises(ArtifactError, match="two different tools of the program are called"):
        lp.save(program(look_up, shelf.look_up), tmp_path / "p.json")
    lp.save(program(look_up, look_up), tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", tools=[look_up])
    modules = loaded.named_modules()
    assert [modules[name].tools[0]("x") for name in ("a", "b")] == ["3 x"] * 2


def test_demonstrations_of_whole_conversations_come_back(shelf: Any, tmp_path: Path) -> None:
    program = lp.ReAct("question -> answer: int", [shelf.look_up], max_steps=4)
    replies = [
        '[[thought]]\nt\n[[tool_calls]]\n[{"tool": "look_up", "arguments": {"query": "a"}}]',
        '[[thought]]\nt\n[[tool_calls]]\n[{"tool": "submit", "arguments": {"answer": 3}}]',
    ]
    with lp.using(lm=lp.ScriptedLM(replies)):
        last = program(question="How many?").trace[-1]
    taught = program.with_parameters(
        {"step.demos": [lp.Example(**last.inputs, **last.outputs)], "program.max_steps": 2}
    )
    lp.save(taught, tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", tools=[shelf.look_up])
    asked = {"question": "And now?"}
    assert loaded.step.render(asked) == taught.step.render(asked)
    assert loaded.step.demos == taught.step.demos
    assert loaded.max_steps == 2
    [demo] = json.loads((tmp_path / "p.json").read_text())["program"]["step"]["demos"]
    assert demo["steps"][0]["results"] == ["aaa"]


def test_all_that_is_missing_is_named_at_once(shelf: Any, tmp_path: Path) -> None:
    first = lp.ReAct("question -> answer", [shelf.look_up, changed, lp.Tool(look_up, name="own")])
    second = lp.ReAct("answer -> more", [lp.Tool(look_up, name="other")])
    program = lp.Pipeline(first=first, second=second)
    lp.save(program, tmp_path / "p.json")
    with pytest.raises(ArtifactError) as caught:
        lp.load(tmp_path / "p.json", tools={"own": look_up})
    said = str(caught.value)
    assert "needs your tools 'look_up' (shelf_here:look_up), 'changed' (" in said
    assert "'other' (" in said and "'own'" not in said
    assert "--tool look_up=shelf_here:look_up --tool changed=" in said
    with pytest.raises(ArtifactError) as caught:
        lp.load(tmp_path / "p.json", tools={"own": look_up}, allow_modules=["shelf_here"])
    assert "'look_up'" not in str(caught.value)
