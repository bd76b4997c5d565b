"""Mutants of real artifacts.

Every mutant is determined by a seed and its number alone, so that a harmful one can be made again
by itself.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from benchmarks.fuzz_originals import list_places, make_originals
from langprog.artifact import digest_of

TEXTS = (
    *("", "self", "a.b", "__class__", "__init__", "_x", "mro", "class", "model_config", "None"),
    *("question", "value", "Predict", "user", "same", "list", "any", "int", "model", "enum"),
    *("os:system", "antigravity:fly", "this:d", "benchmarks.fuzz_originals:Own", "..", "a\0b"),
    *("__import__('os').system('true')", "{0.__class__}", "%s%n", "\x1b[31m\n\r\u202e", "é" * 9),
    *("(a+)+$", "(?=a)", r"\w{900}", "[", "(" * 300, "x" * 5000, "http://evil.test/x", "\u2028"),
    *("openai/m@http://evil.test", "sha256:0", "1e999", "-0", "[[value]]", "json", "chat"),
)
NUMBERS = (0, -1, 1, 2, 10**9, 2**63, -(2**64), 10**40, 0.1, -0.0, 1e308, 5e-324, True, False)


def _value(rng: random.Random) -> Any:
    kind = rng.randrange(9)
    if kind <= 2:
        return rng.choice(TEXTS)
    if kind <= 4:
        return rng.choice(NUMBERS)
    if kind == 5:
        return rng.choice([None, [], {}, [[]], [{}], {"": None}, [None, 1, "a"]])
    if kind == 6:
        return _nest(rng, rng.choice([2, 20, 60, 150]))
    if kind == 7:
        return {rng.choice(TEXTS): rng.choice(NUMBERS) for _ in range(rng.randrange(4))}
    return [rng.choice(TEXTS) for _ in range(rng.choice([1, 3, 200]))]


def _nest(rng: random.Random, levels: int) -> Any:
    data: Any = rng.choice(["int", "str", 0, None])
    wrap = rng.randrange(4)
    for _ in range(levels):
        if wrap == 0:
            data = [data]
        elif wrap == 1:
            data = {"kind": rng.choice(["list", "optional"]), "of": data}
        elif wrap == 2:
            data = {"module": "Vote", "asks": data, "k": 1, "temperature": 1.0, "voted_on": []}
            data["keep"] = None
        else:
            data = {"kind": "bounded", "of": data, "limits": {"ge": 0}}
    return data


def _replace(rng: random.Random, data: Any) -> None:
    inside, key = rng.choice(list_places(data))
    inside[key] = _value(rng)


def _delete(rng: random.Random, data: Any) -> None:
    inside, key = rng.choice(list_places(data))
    del inside[key]


def _double(rng: random.Random, data: Any) -> None:
    inside, key = rng.choice(list_places(data))
    if isinstance(inside, list):
        inside.extend([copy.deepcopy(inside[key])] * rng.choice([1, 1, 50]))
    else:
        inside[rng.choice(TEXTS)] = copy.deepcopy(inside[key])


def _swap(rng: random.Random, data: Any) -> None:
    places = list_places(data)
    inside, key = rng.choice(places)
    other, name = rng.choice(places)
    inside[key] = copy.deepcopy(other[name])


def _transplant(rng: random.Random, data: Any) -> None:
    giver = json.loads(rng.choice(make_originals()))
    other, name = rng.choice(list_places(giver["program"]))
    inside, key = rng.choice(list_places(data))
    inside[key] = other[name]


def _tweak(rng: random.Random, data: Any) -> None:
    inside, key = rng.choice(list_places(data))
    value = inside[key]
    if isinstance(value, str):
        place = rng.randrange(len(value) + 1)
        inside[key] = value[:place] + rng.choice(TEXTS) + value[place + rng.randrange(3) :]
    elif isinstance(value, (int, float)):
        inside[key] = rng.choice([value + 1, -value, value * 1000, str(value), [value]])
    else:
        inside[key] = [value]


def _rename(rng: random.Random, data: Any) -> None:
    named = [(inside, key) for inside, key in list_places(data) if isinstance(inside, dict)]
    inside, key = rng.choice(named)
    inside[rng.choice(TEXTS)] = inside.pop(key)


def _same_kind(rng: random.Random, data: Any) -> None:
    """Replace a value by another of the same kind; most such mutants still load."""
    inside, key = rng.choice(list_places(data))
    if isinstance(inside[key], str):
        inside[key] = rng.choice(TEXTS)
    elif isinstance(inside[key], (int, float)):
        inside[key] = rng.choice(NUMBERS)


def _retype(rng: random.Random, data: Any) -> None:
    places = [(inside, key) for inside, key in list_places(data) if key in ("type", "of", "keys")]
    if places:
        inside, key = rng.choice(places)
        inside[key] = _type(rng, rng.randrange(4))


def _type(rng: random.Random, levels: int) -> Any:
    """Return the description of a type, which may not exist."""
    kinds = ["plain", "literal", "enum", "bounded"]
    kind = rng.choice(kinds if levels == 0 else [*kinds, "list", "optional", "dict", "record"])
    if kind == "plain":
        return rng.choice(["str", "int", "float", "bool", "any"])
    if kind == "literal":
        return {"kind": kind, "values": [_label(rng) for _ in range(rng.randrange(4))]}
    if kind == "enum":
        base = rng.choice(["StrEnum", "IntEnum", "str", "int", "plain"])
        members = [[rng.choice([*_NAMES, f"M{n}"]), _label(rng)] for n in range(rng.randrange(4))]
        return {"kind": kind, "name": "Made", "base": base, "members": members}
    if kind == "bounded":
        limits = {rng.choice(_LIMITS): _label(rng) for _ in range(rng.randrange(3))}
        return {"kind": kind, "of": _type(rng, max(0, levels - 1)), "limits": limits}
    if kind == "dict":
        return {"kind": kind, "keys": _type(rng, 0), "of": _type(rng, levels - 1)}
    if kind == "record":
        return _record(rng, levels)
    return {"kind": kind, "of": _type(rng, levels - 1)}


def _record(rng: random.Random, levels: int) -> Any:
    fields: list[dict[str, Any]] = []
    for number in range(rng.randrange(5)):
        member = {"name": rng.choice([*_NAMES, f"m{number}"]), "type": _type(rng, levels - 1)}
        if rng.random() < 0.3:
            member["default"] = _label(rng)
        if rng.random() < 0.2:
            member["description"] = rng.choice(TEXTS)
        fields.append(member)
    settings = {rng.choice(_SETTINGS): _label(rng) for _ in range(rng.choice([0, 0, 1]))}
    rules = [rng.choice(TEXTS) for _ in range(rng.choice([0, 0, 2]))]
    data = {"name": rng.choice(TEXTS), "settings": settings, "fields": fields, "rules": rules}
    if rng.random() < 0.5:
        return {"kind": "model", **data}
    frozen, checked = rng.random() < 0.5, rng.random() < 0.5
    return {"kind": "dataclass", "frozen": frozen, "pydantic": checked, **data}


def _label(rng: random.Random) -> Any:
    return rng.choice(
        [rng.choice(TEXTS), rng.choice(NUMBERS), rng.choice(["a", 1, None, "allow"])]
    )


_NAMES = ("json", "copy", "model_dump", "self", "name", "value", "dict", "_private", "mro", "x")
_LIMITS = (
    *("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern"),
    *("strip_whitespace", "to_lower", "to_upper"),
)
_SETTINGS = ("extra", "frozen", "strict", "str_max_length", "use_enum_values", "allow_inf_nan")
_MUTATIONS: tuple[Callable[[random.Random, Any], None], ...] = (
    *(_replace, _replace, _delete, _double, _swap, _transplant, _tweak, _rename),
    *(_same_kind, _same_kind, _same_kind, _same_kind, _retype, _retype, _retype, _retype),
)


def _change_bytes(rng: random.Random, content: bytearray) -> bytes:
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = rng.randrange(len(content))
        kind = rng.randrange(4)
        if kind == 0:
            content[place] = rng.randrange(256)
        elif kind == 1:
            del content[place : place + rng.choice([1, 9, 500])]
        elif kind == 2:
            content[place:place] = rng.choice([b'"', b"{", b"[", b"\\", b"\xff", b"\0", b","])
        else:
            content[place:place] = content[place : place + rng.choice([1, 40, 900])]
        if not content:
            break
    return bytes(content)


def make_mutant(seed: int, number: int) -> bytes:
    """Return the content of a mutant; nine of ten have a matching digest."""
    rng = random.Random(f"{seed}/{number}")
    text = make_originals()[number % len(make_originals())]
    if rng.random() < 0.1:
        return _change_bytes(rng, bytearray(text.encode()))
    data = json.loads(text)
    inside = data if rng.random() < 0.1 else data["program"]
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        if list_places(inside):
            rng.choice(_MUTATIONS)(rng, inside)
    data.pop("digest", None)
    try:
        data["digest"] = digest_of(data)
        return json.dumps(data, ensure_ascii=rng.random() < 0.5).encode()
    except ValueError:  # too deep to be written at all
        return text.encode()
