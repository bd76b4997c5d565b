"""What one step of a program gives, another takes: wherever every value of the one fits."""

from __future__ import annotations

import datetime
import enum
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from typing_extensions import TypeAliasType

import langprog as lp
from langprog.errors import SignatureError
from langprog.signature import FieldSpec, is_assignable


class Color(enum.Enum):
    RED = "red"


class Tone(enum.StrEnum):
    KIND = "kind"


class Size(enum.IntEnum):
    BIG = 3


class Cat(BaseModel):
    lives: int


class Dog(BaseModel):
    name: str


Tree = TypeAliasType("Tree", "list[Tree] | int")
Bush = TypeAliasType("Bush", "list[Bush] | int")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (str, str),
        (int, float),
        (str, str | None),
        (int | None, float | None),
        (Literal["a", "b"], str),
        (Literal["a"], Literal["a", "b"]),
        (Tone, str),
        (Size, int),
        (list[Literal["a"]], list[str]),
        (list[int], list[float]),
        (list[list[Cat]], list),
        (dict[str, int], dict),
        (dict[str, int], dict[str, int | None]),
        (tuple[int, str], tuple[float, str | None]),
        (set[Literal["a"]], set[str]),
        (Cat, Cat | Dog),
        (int | str, str | int | None),
        (Cat | None, Dog | Cat | None),
        (datetime.date, datetime.date | None),
        (Tree, Tree),
        (Tree, Tree | None),
        (list[Tree], list[Any]),
        (list[Cat], list[Cat | Dog]),
    ],
)
def test_what_fits_is_taken(given: Any, taken: Any) -> None:
    assert fits(given, taken)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (int, str),
        (float, int),
        (bool, int),
        (str | None, str),
        (str, Literal["a"]),
        (Literal["a", "b"], Literal["a"]),
        (Literal[1], str),
        (Literal[True], int),
        (Color, str),
        (Color, Tone),
        (list[str], str),
        (list[str], list[Literal["a"]]),
        (list[int], set[int]),
        (list, list[int]),
        (dict[str, str], dict[str, int]),
        (dict[str, int], dict[int, int]),
        (tuple[int, str], tuple[int, str, str]),
        (Cat | Dog, Cat),
        (Cat, Dog),
        (Decimal, float),
        (Tree, Bush),
        (Tree, Bush | None),
    ],
)
def test_what_may_not_fit_is_refused(given: Any, taken: Any) -> None:
    assert not fits(given, taken)


def fits(given: Any, taken: Any) -> bool:
    gives, takes = FieldSpec("f", "output", given), FieldSpec("f", "input", taken)
    return is_assignable(gives.shape, takes.shape)


def test_a_pipeline_hands_on_what_fits() -> None:
    first = lp.Predict("text -> labels: list[Literal['a', 'b']], score: int")
    last = lp.Predict("labels: list[str], score: Optional[float] -> answer")
    replies = ['[[labels]]\n["a"]\n[[score]]\n3', "[[answer]]\nx"]
    with lp.using(lm=lp.ScriptedLM(replies)):
        assert lp.Pipeline(first=first, last=last)(text="t").answer == "x"
    with pytest.raises(SignatureError, match="provides 'labels' as JSON list of one of: a, b"):
        lp.Pipeline(first=first, last=lp.Predict("labels: list[int] -> answer"))
