"""Programs of DSPy of many kinds, which all say what kind a word is of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Literal

import pydantic
import pytest

dspy: Any = pytest.importorskip("dspy")


def kind_of(word: str) -> str:
    return "vowel" if word[0] in "ae" else "other"


def answer(name: str, inputs: Mapping[str, str], system: str, shown: int) -> str:
    """Write a field; what kind a long word is of, only demonstrations tell."""
    if name == "kind":
        word = inputs.get("word", "-")
        return kind_of(word) if shown or "xxx" not in word else word[0]
    fixed = {
        "query": f"the kind of {inputs.get('word', '-')}",
        "next_tool_name": "finish" if "observation_0" in inputs else "look_up",
        "next_tool_args": "{}",
        "advice": '{"self": "name the kind"}',
        "size": str(len(inputs.get("word", ""))),
    }
    if name == "next_tool_args" and "observation_0" not in inputs:
        return json.dumps({"word": inputs["word"]})
    if name == "letters":
        return json.dumps([{"sign": sign, "place": at} for at, sign in enumerate(inputs["word"])])
    return fixed.get(name, "I look at its first letter.")


class Hops(dspy.Module):
    """Searches twice with queries of its own, then answers from what it has read."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = [dspy.ChainOfThought("context: list[str], word -> query") for _ in range(2)]
        self.answer = dspy.Predict("context: list[str], word -> kind")

    def search(self, query: str) -> str:
        return f"page on {query.rpartition(' ')[2]}"

    def forward(self, word: str) -> Any:
        context: list[str] = []
        for predictor in self.queries:
            context.append(self.search(predictor(context=context, word=word).query))
        return self.answer(context=context, word=word)


class Agent(dspy.Module):
    """A ReAct whose tool is a method of the module."""

    def __init__(self) -> None:
        super().__init__()
        self.react = dspy.ReAct("word -> kind", tools=[self.look_up], max_iters=2)

    def look_up(self, word: str) -> str:
        """Look a word up."""
        return kind_of(word)

    def forward(self, word: str) -> Any:
        return self.react(word=word)


class Both(dspy.Module):
    """Asks two predictors at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.short = dspy.Predict("word -> kind")
        self.long = dspy.ChainOfThought("word -> size: int")

    async def aforward(self, word: str) -> Any:
        kind, size = await asyncio.gather(self.short.acall(word=word), self.long.acall(word=word))
        return dspy.Prediction(kind=kind.kind, size=size.size)


class Step(dspy.Module):
    """A step with a list of predictors."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [dspy.Predict("word -> size: int"), dspy.Predict("word, size: int -> kind")]

    def forward(self, word: str) -> Any:
        return self.parts[1](word=word, size=self.parts[0](word=word).size)


class Steps(dspy.Module):
    """A list and a dict of steps."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = [Step()]
        self.by_name = {"last": dspy.Predict("word -> kind")}

    def forward(self, word: str) -> Any:
        first = self.steps[0](word=word)
        last = self.by_name["last"](word=word)
        return dspy.Prediction(kind=last.kind if last.kind == first.kind else "unclear")


class Letter(pydantic.BaseModel):
    """A letter and its place."""

    sign: str
    place: int = pydantic.Field(ge=0)


class Typed(dspy.Signature):
    """Take a word apart."""

    word: str = dspy.InputField(desc="a word")
    letters: list[Letter] = dspy.OutputField(desc="its letters, in order")
    kind: Literal["vowel", "other"] = dspy.OutputField()


class Brief(dspy.ChatAdapter):
    """An adapter of a user's own: it says more, and reads less strictly."""

    def format_task_description(self, signature: Any) -> str:
        return f"{super().format_task_description(signature)}\nBe brief."

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        return super().parse(signature, completion.lower())


def rewards(inputs: Mapping[str, Any], prediction: Any) -> float:
    return float(prediction.kind in ("vowel", "other"))


def best_of() -> Any:
    return dspy.BestOfN(dspy.Predict("word -> kind"), N=2, reward_fn=rewards, threshold=1.0)


def refined() -> Any:
    return dspy.Refine(dspy.ChainOfThought("word -> kind"), N=2, reward_fn=rewards, threshold=1.0)


def right(example: Any, prediction: Any, trace: Any = None) -> bool:
    return bool(example.kind == prediction.kind)
