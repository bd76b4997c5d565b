from __future__ import annotations

from typing import Any, Literal

import pytest

from langprog.errors import SignatureError
from langprog.signature import signature_of


def types(short: str) -> dict[str, Any]:
    return {field.name: field.annotation for field in signature_of(short).fields}


def test_fields_types_and_roles() -> None:
    spec = signature_of(" question,context: list[str]->answer: int ,\n confidence:float ")
    assert types(spec.name) == {
        "question": str,
        "context": list[str],
        "answer": int,
        "confidence": float,
    }
    assert list(spec.inputs) == ["question", "context"]
    assert list(spec.outputs) == ["answer", "confidence"]
    assert spec.instruction == "Given question and context, produce answer and confidence."
    assert spec.name == "question,context: list[str]->answer: int , confidence:float"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("bool", bool),
        ("list", list),
        ("dict", dict),
        ("list[list[int]]", list[list[int]]),
        ("dict[str, list[float]]", dict[str, list[float]]),
        ("dict[str, Any]", dict[str, Any]),
        ("Dict[str, List[int]]", dict[str, list[int]]),
        ("Optional[int]", int | None),
        ("int | None", int | None),
        ("None | list[str]", list[str] | None),
        ("Literal['a', \"b\"]", Literal["a", "b"]),
        (
            "Literal['a, b', 'c -> d', 'e]', 'f: g', 'h\\'i']",
            Literal["a, b", "c -> d", "e]", "f: g", "h'i"],
        ),
        ("Literal[1, -2, True, None]", Literal[1, -2, True, None]),
        ("Optional[Literal['x']]", Literal["x"] | None),
        ("list[Literal['x', 'y']]", list[Literal["x", "y"]]),
    ],
)
def test_types(written: str, meant: Any) -> None:
    assert types(f"a: {written}, b -> c: {written}, d") == {
        "a": meant,
        "b": str,
        "c": meant,
        "d": str,
    }


@pytest.mark.parametrize(
    ("short", "message"),
    [
        ("", "write inputs -> outputs, with one '->'"),
        ("a, b", "write inputs -> outputs"),
        ("a -> b -> c", "with one '->'"),
        ("-> b", "has an empty field among its inputs"),
        ("a ->", "has an empty field among its outputs"),
        ("a, -> b", "has an empty field among its inputs"),
        ("a b -> c", "'a b' is not a field name"),
        ("a = 3 -> c", "'a = 3' is not a field name"),
        ("a, a -> b", "has two fields named 'a'"),
        ("a -> a", "has two fields named 'a'"),
        ("a -> usage", "'usage' is taken"),
        (
            "a -> b: complex",
            "the type 'complex' of 'b' is not known in the short form, which has str",
        ),
        ("a -> b: list[", r"the type 'list\[' of 'b' cannot be read"),
        ("a -> b: list[int, str]", "is not known"),
        ("a -> b: dict[str]", "is not known"),
        ("a -> b: Literal[x]", "is not known"),
        ("a -> b: Literal[b'x']", "is not known"),
        ("a -> b: Literal[...]", "is not known"),
        ("a -> b: Optional[int, str]", "is not known"),
        ("a -> b: None", "field 'b' has the type NoneType"),
        ("a -> b: Any", "field 'b' has the type"),
        ("a -> b: __import__('os').system('true')", "is not known"),
        ("a -> b: str if True else int", "is not known"),
        ("a -> b: 'int'", "is not known"),
        ("a -> b: \0", "cannot be read"),
        ("a -> b: " + "(" * 5000, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(short: str, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        signature_of(short)
