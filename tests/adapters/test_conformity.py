from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal

import pydantic
import pytest

import langprog as lp
from langprog.adapters import adapter_named, conforms
from tests.adapters.replies import completion_of, said


class Item(pydantic.BaseModel):
    name: str
    tags: list[str] = []


class Form(lp.Signature):
    """Fill it in."""

    page: str = lp.Input()
    kind: Literal["a", "b"] = lp.Output()
    share: float = lp.Output(ge=0)
    count: int = lp.Output()
    sure: bool | None = lp.Output()
    found: list[Item] = lp.Output()


RIGHT: dict[str, Any] = {
    "kind": "a",
    "share": 1,
    "count": 2,
    "sure": None,
    "found": [{"name": "x"}, {"name": "y", "tags": ["z"]}],
}


def test_what_the_adapter_itself_writes_conforms() -> None:
    demo = lp.Example(page="p", **{**RIGHT, "found": [Item(name="x")]})
    rendered = adapter_named("json").render(Form.spec, [demo], {"page": "p"})
    assert conforms(Form.spec, completion_of(rendered[2]))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RIGHT),
        json.dumps(RIGHT, indent=2) + "\n",
        json.dumps(dict(reversed(RIGHT.items()))),
    ],
)
def test_strict_json_conforms(text: str) -> None:
    assert conforms(Form.spec, said(text))


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{json.dumps(RIGHT)}\n```",
        f"Here: {json.dumps(RIGHT)}",
        json.dumps({**RIGHT, "more": 1}),
        json.dumps({**RIGHT, "Kind": "a"}),
        json.dumps({name: value for name, value in RIGHT.items() if name != "sure"}),
        json.dumps({**RIGHT, "kind": "A"}),
        json.dumps({**RIGHT, "kind": "c"}),
        json.dumps({**RIGHT, "share": "1"}),
        json.dumps({**RIGHT, "share": -1}),
        json.dumps({**RIGHT, "count": True}),
        json.dumps({**RIGHT, "count": 2.5}),
        json.dumps({**RIGHT, "sure": "yes"}),
        json.dumps({**RIGHT, "sure": 1}),
        json.dumps({**RIGHT, "found": [{"name": "x", "other": 1}]}),
        json.dumps({**RIGHT, "found": [{"name": 1}]}),
        json.dumps({**RIGHT, "share": float("nan")}),
        json.dumps(RIGHT)[:-1],
        json.dumps(RIGHT)[:-1] + ', "kind": "a"}',
        json.dumps([RIGHT]),
        "[[kind]]\na",
        "",
        "[" * 100_000,
    ],
)
def test_what_only_an_adapter_forgives_does_not(text: str) -> None:
    assert not conforms(Form.spec, said(text))


@pytest.mark.parametrize("reason", ["length", "content_filter", "error", "tool_calls"])
def test_a_reply_that_did_not_end_by_itself_does_not(reason: str) -> None:
    completion = dataclasses.replace(said(json.dumps(RIGHT)), finish_reasons=(reason,))
    assert not conforms(Form.spec, completion)
