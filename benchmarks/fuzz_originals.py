"""The real artifacts that mutants are made from: every kind of module, type, check and tool."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pydantic
from pydantic import AfterValidator, BaseModel, Field

import langprog as lp
from langprog.artifact import digest_of, save_program
from langprog.modules import Rule
from langprog.signature import FieldSpec, SignatureSpec


class Team(enum.Enum):
    """A type of the user's own."""

    BILLING = "billing"
    NETWORK = "network"


class Level(enum.IntEnum):
    """Another one."""

    LOW = 1
    HIGH = 9


@dataclasses.dataclass(frozen=True)
class Point:
    """A plain dataclass."""

    x: int
    names: list[str] = dataclasses.field(default_factory=lambda: ["a"])


@pydantic.dataclasses.dataclass
class Pair:
    """A checked dataclass."""

    first: int = Field(ge=0, description="the first")
    second: Level = Level.LOW


class Invoice(BaseModel):
    """A model with limits, defaults and records inside."""

    model_config = pydantic.ConfigDict(extra="forbid", str_strip_whitespace=True)

    code: str = Field(pattern=r"^[A-Z]\d+$", max_length=9)
    total: float = Field(ge=0, description="in euros")
    team: Team | None = None
    points: list[Point] = Field(default_factory=list, max_length=3)


class Options(TypedDict, total=False):
    """A dictionary with known keys."""

    deep: bool
    tags: set[str]


class Range(NamedTuple):
    """A tuple with names."""

    low: Decimal
    high: Decimal = Decimal(9)


class Tree(BaseModel):
    """A type that holds itself."""

    name: str
    children: list[Tree] = []


def even(value: int) -> int:
    """An even number."""
    if value % 2:
        raise ValueError("odd")
    return value


class Counted(lp.Signature):
    """Count."""

    question: str = lp.Input("what is counted", max_length=50)
    count: Annotated[int, AfterValidator(even)] = lp.Output()


class Own(lp.Module):
    """A module of the user's own."""

    signature = "question -> value"

    def __init__(self) -> None:
        self.pick = lp.Predict(_spec(Team))
        self.more = {"count": lp.ChainOfThought(Counted)}
        self.tone = "kind"
        self.limits = {"words": [1, 2.5, None]}

    async def aforward(self, **inputs: Any) -> Any:
        """Ask, and branch on what came."""
        picked = await self.pick.acall(**inputs)
        return {"value": "money" if picked.get("value") is Team.BILLING else "other"}


def count_words(text: str, most: int = 9) -> int:
    """Count the words of a text.

    Args:
        text: What is counted.
        most: Where counting ends.
    """
    return min(most, len(text.split()))


def is_short(answer: str) -> bool:
    """Check an answer."""
    return len(answer) < 99


CORPUS = lp.Corpus(["Paris is the capital of France.", "Rome is the capital of Italy."])


def _spec(annotation: Any, name: str = "Read", output: str = "value") -> SignatureSpec:
    fields = (FieldSpec("question", "input"), FieldSpec(output, "output", annotation, "told"))
    return SignatureSpec(name, "Read it.", fields)


def _old_programs() -> Iterator[lp.Module]:
    """Yield programs that the first format could hold, too."""
    for annotation in (
        str,
        int,
        float,
        bool,
        Literal["a", 1, True, None],
        Team,
        Level | None,
        list[Invoice],
        dict[Team, dict[int, Point]],
        Pair,
        Annotated[list[int], Field(max_length=3)],
        Annotated[str, pydantic.StringConstraints(strip_whitespace=True, min_length=1)],
    ):
        yield lp.Predict(_spec(annotation))
    demo = lp.Example(question="q", value=[Invoice(code="A1", total=2, team=Team.BILLING)])
    several = lp.Predict(_spec(list[Invoice]), demos=[demo], model="openai/m", temperature=0.5)
    yield lp.ChainOfThought(_spec(Team), adapter="json", max_tokens=9)
    yield lp.Predict(Counted)
    yield lp.Pipeline(first=several, second=lp.Predict("note, question -> other"))
    plain = lp.Predict("question -> answer")
    judge = lp.Predict("question, answer -> right: bool")
    yield lp.Vote(plain, k=3, on=["answer"], keep=judge)
    yield lp.BestOf([plain, lp.Vote(plain, k=2)], judge=judge, k=2)
    for signal in ("logprob", "agreement", "check"):
        yield lp.Cascade([plain, plain], thresholds=[0.5], signal=signal, check=judge)
    learned = lp.signals.Learned((Rule(0.5, (), ((3, 0.25),)),), 16)
    yield lp.Cascade([plain], signal=learned, tiers=[[0, 0.5]])
    router = lp.Router((((1, 1.0),),), 16, ((0.5, 0.25),), (1.0, 2.0), 0.5)
    yield lp.Route([plain, lp.ChainOfThought("question -> answer")], router=router)
    yield Own()


def _new_programs() -> Iterator[lp.Module]:
    """Yield programs of what came after the first format."""
    for annotation in (
        datetime.date | None,
        tuple[datetime.datetime, datetime.timedelta, Decimal],
        set[int] | str,
        list[Options],
        dict[str, Range],
        Tree | Point,
    ):
        yield lp.Predict(_spec(annotation))
    yield lp.Predict("question, picture: lp.Image | None, history: lp.History -> answer")
    plain = lp.Predict("question -> answer")
    rows = [{"question": f"q{number}", "answer": "a"} for number in range(3)]
    yield lp.Predict("question -> answer", nearest=lp.NearestDemos(rows, k=2))
    built_in = [
        lp.checks.regex("answer", r"[a-z]+( [a-z]+)*"),
        lp.checks.in_range("size", 0, 9),
        lp.checks.length("answer", most=300, level="suggest"),
        lp.checks.one_of("answer", ["a", "b"]),
        lp.checks.no_pii("answer"),
        lp.checks.json_schema("answer", {"type": "string", "maxLength": 9}),
    ]
    yield lp.Predict("question -> answer, size: int", checks=built_in)
    yield lp.Predict("question -> answer", checks=[lp.Check(is_short, "be short")])
    yield plain.with_parameters({"predict.structure": ("reasoning", "answer")})
    yield lp.ReAct("question -> answer: int", tools=[lp.Tool(count_words, timeout=9)], max_steps=3)
    yield lp.Map(plain, over="questions", at_once=2, on_error="drop")
    judge = lp.Predict("question, steps: list[str] -> promise: float")
    yield lp.StepSearch("question -> answer", judge=judge, width=1, branch=2, depth=2)
    yield lp.StepSearch("question -> answer", judge="logprob", strategy="particles", depth=2)
    advice = lp.Predict("question, answer -> right: bool, feedback")
    yield lp.Refine(plain, judge=advice)
    capitals = lp.BM25Retriever(CORPUS, name="capitals")
    answer = lp.Predict("question, context: list[str] -> answer")
    for kept in (False, True):
        look_up = lp.Retrieve(
            capitals, k=1, query="question", passages="context", keep_corpus=kept
        )
        yield lp.Pipeline(look_up=look_up, answer=answer)


@lru_cache(maxsize=1)
def make_originals() -> tuple[str, ...]:
    """Return the original artifacts, as text, in every format that could hold them."""
    texts = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.json"
        old = len([*_old_programs()])
        for program in (*_old_programs(), *_new_programs()):
            try:
                save_program(program, path, evidence={"seed": 1}, canary=[{"inputs": {}}])
            except lp.InputError as error:  # the fuzz target itself is wrong
                raise RuntimeError(f"{program!r} cannot be saved: {error}") from error
            texts.append(path.read_text())
    return (*texts, *map(_in_format_1, texts[:old]))


def _in_format_1(text: str) -> str:
    """Return an artifact in its old format."""
    data = json.loads(text)
    del data["lineage"], data["digest"]
    data["format"] = 1
    for line in data["models"].values():
        del line["name"], line["schema"], line["refused"]
    for inside, key in list_places(data["program"]):
        if key == "adapter" and isinstance(inside[key], str):
            inside[key] = inside[key].removesuffix("@1")
        elif key in ("reasoning_effort", "extra") and inside[key] is None:
            del inside[key]
    return json.dumps({**data, "digest": digest_of(data)}, indent=2, ensure_ascii=False)


def list_places(data: Any) -> list[tuple[Any, Any]]:
    """Return every place in a document: the container, and the key or index in it."""
    places: list[tuple[Any, Any]] = []
    left = [data]
    while left:
        part = left.pop()
        keys = part if isinstance(part, dict) else range(len(part))
        for key in list(keys):
            places.append((part, key))
            if isinstance(part[key], (dict, list)):
                left.append(part[key])
    return places
