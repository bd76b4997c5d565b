"""Types that no field can have, and what to declare instead."""

from __future__ import annotations

import collections
import pathlib
import sys
import typing
from collections import abc
from collections.abc import Mapping
from types import MappingProxyType, NoneType
from typing import Any, Generic, get_origin

from pydantic import RootModel

from langprog.errors import SignatureError

_ANY = "str, or as a list or a dict, whose parts may be of any type"
# Types that are too vague to read a reply as, or that a model cannot write.
_INSTEAD: Mapping[Any, str] = MappingProxyType(
    {
        abc.Sequence: "list[...]",
        abc.MutableSequence: "list[...]",
        abc.Collection: "list[...]",
        abc.Iterable: "list[...]",
        collections.deque: "list[...]",
        abc.Set: "set[...]",
        abc.MutableSet: "set[...]",
        abc.Mapping: "dict[...]",
        abc.MutableMapping: "dict[...]",
        abc.Callable: "str, or hand the function to lp.ReAct(signature, tools=[...])",
        bytes: "lp.Image, lp.Audio or lp.File, or as str",
        pathlib.Path: "lp.File where the model reads the file, or as str",
        complex: "tuple[float, float]",
        object: _ANY,
        Any: _ANY,
        NoneType: "Optional[...] of a type that it may have",
        typing.LiteralString: "str",
    }
)
# The same for classes of other packages, by package and name: they need not be installed.
_ELSEWHERE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "dspy": MappingProxyType(
            {
                "Image": "lp.Image",
                "Audio": "lp.Audio",
                "File": "lp.File",
                "Document": "lp.File",
                "History": "lp.History",
                "Code": "str",
                "Reasoning": "str, or write lp.ChainOfThought",
                "Tool": "lp.ReAct(signature, tools=[...]), which takes no field for them",
                "ToolCalls": "lp.ReAct(signature, tools=[...]), which calls tools by itself",
            }
        ),
        "pydantic": MappingProxyType(
            {
                "AwareDatetime": "datetime",
                "NaiveDatetime": "datetime",
                "PastDatetime": "datetime",
                "FutureDatetime": "datetime",
                "PastDate": "date",
                "FutureDate": "date",
                "ByteSize": "int",
                "Json": "the type of what the JSON holds",
                "JsonWrapper": "the type of what the JSON holds",
                "SecretBytes": "str",
                "SecretStr": "str",
                "EmailStr": "str",
            }
        ),
        "pandas": MappingProxyType({"DataFrame": "list[dict]", "Series": "list[...]"}),
        "numpy": MappingProxyType({"ndarray": "list[float]"}),
        "PIL": MappingProxyType({"Image": "lp.Image"}),
    }
)


def refuse_type(annotation: Any, name: str) -> SignatureError:
    """Return the error for a type that a field cannot have, with what to declare instead."""
    shown = annotation.__name__ if isinstance(annotation, type) else annotation
    if isinstance(annotation, typing.TypeVar):
        return SignatureError(
            f"field {name!r} has the type variable {shown}: say which type it stands for, as in "
            "Page[int]"
        )
    instead = _find_instead(annotation)
    if instead:
        return SignatureError(f"field {name!r} has the type {shown}: declare it as {instead}")
    return SignatureError(
        f"field {name!r} has the type {shown}; a field can be str, int, float, bool, Literal, "
        "Enum, date, datetime, time, timedelta, Decimal, UUID, Optional, Union, list, tuple, set, "
        "frozenset, dict, a TypedDict, a NamedTuple, a dataclass, a pydantic model, lp.Image, "
        "lp.Audio, lp.File or lp.History"
    )


def _find_instead(annotation: Any) -> str:
    kind = get_origin(annotation) or annotation
    # Some objects that stand for types cannot be looked up.
    known = "" if type(kind).__hash__ is None else _INSTEAD.get(kind, "")
    if known or not isinstance(kind, type):
        return known
    package = kind.__module__.partition(".")[0]
    for base in kind.__mro__:
        words = _ELSEWHERE.get(base.__module__.partition(".")[0], {}).get(base.__name__)
        if words:
            return words
    if package == "pydantic":
        return "str" if "Url" in kind.__name__ or kind.__name__.endswith("Dsn") else ""
    if issubclass(kind, RootModel):
        root = kind.model_fields["root"].annotation
        return root.__name__ if isinstance(root, type) and not get_origin(root) else str(root)
    if kind is not annotation and issubclass(kind, Generic):
        return f"a pydantic model, class {kind.__name__}(BaseModel, Generic[T]): it may be generic"
    own = package not in sys.stdlib_module_names
    return "str, or make the class a dataclass or a pydantic model" if own else ""
