"""Wrong values are told in one plain sentence, whatever the validator says about them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

import langprog as lp
from langprog.errors import InputError
from langprog.signature import FieldSpec


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    price: float

    @field_validator("price")
    def _fits(cls, price: float) -> float:
        if price > 100:
            raise ValueError("prices are at most 100, in euros")
        return price


@pytest.mark.parametrize(
    ("annotation", "given", "said"),
    [
        (int, "x", "it is 'x', but must be an integer"),
        (int, 1.5, "it is 1.5, but must be an integer"),
        (int, None, "it is None, but must be an integer"),
        (str, 3, "it is 3, but must be text: declare it, f: int, or give a text"),
        (str, ["a"], "it is a list, but must be text: declare it, f: list[str], or give a text"),
        (str, [1, "a"], "must be text: declare it, f: list[str], or give a text"),
        (str, [{}], "must be text: declare it, f: list[dict], or give a text"),
        (str, None, "it is None, but must be text"),
        (list[str], [3], "0: it is 3, but must be text"),
        (float, float("inf"), "it is inf, but must be a finite number"),
        (bool, "maybe", "it is 'maybe', but must be a boolean"),
        (date, "someday", "it is 'someday', but must be a date, as 2024-01-31"),
        (Decimal, "x", "it is 'x', but must be a decimal number"),
        (Colour, "green", "it is 'green', but must be 'red' or 'blue'"),
        (Literal["a", "b", "c"], "d", "it is 'd', but must be 'a', 'b' or 'c'"),
        (list[int], [1, "b"], "1: it is 'b', but must be an integer"),
        (list[int], {}, "it is a dict, but must be a list"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "but must have at most 1 item"),
        (Annotated[int, Field(ge=0)], -1, "it is -1, but must be greater than or equal to 0"),
        (Annotated[str, Field(pattern="^a")], "b", "it is 'b', but must match pattern '^a'"),
        (tuple[int, str], (1,), "1: it is missing"),
        (Item, {"name": "", "price": 1}, "name: it is '', but must have at least 1 character"),
        (Item, {"name": "a", "price": 101}, "price: prices are at most 100, in euros"),
        (Item, {"name": "a"}, "price: it is missing"),
        (Item, {"name": "a", "price": 1, "z": 1}, "z: there is no such member"),
        (Item, 3, "it is 3, but must be a dictionary, or an instance of Item"),
        (list[Item], [{}], "0.name: it is missing; 0.price: it is missing"),
    ],
)
def test_a_value_that_does_not_fit(annotation: Any, given: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        FieldSpec("f", "input", annotation).validate(given)
    assert str(caught.value).startswith("'f' does not fit: ")
    assert str(caught.value).endswith(said)


def test_a_long_value_is_quoted_in_part() -> None:
    with pytest.raises(InputError) as caught:
        lp.Predict("n: int -> m")(n="x" * 1_000_000)
    assert len(str(caught.value)) < 140
