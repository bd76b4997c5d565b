"""Predictors in containers of all sorts are found, set and kept; copies share no state."""

from __future__ import annotations

import collections
import copy
import functools
import random
import threading
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

import langprog as lp
from langprog.errors import InputError
from langprog.modules import hidden_modules


def ask() -> lp.Predict:
    return lp.Predict("text -> tag")


class Slotted:
    __slots__ = ("__inside",)

    def __init__(self, inside: object) -> None:
        self.__inside = inside


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass
class Stage:
    ask: Any
    label: str = "first"


@dataclass(frozen=True, slots=True)
class Fixed:
    ask: Any
    inside: list[Any] = field(default_factory=list)


class Steps(list[Any]):
    """A list of a user's own, with something more to it."""

    title = ""


class Tools(dict[str, Any]):
    def __setitem__(self, key: str, value: Any) -> None:
        raise TypeError("tools are fixed")


class Holding(lp.Module):
    """A module with one attribute, ``held``."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def forward(self, text: str) -> Any:
        return {"tag": text}


class Inner(lp.Module):
    def __init__(self) -> None:
        self.ask = ask()


def titled() -> Steps:
    steps = Steps([ask(), 3])
    steps.title = "mine"
    return steps


@pytest.mark.parametrize(
    ("make", "paths"),
    [
        (lambda: [[ask()], [3, ask()]], ["held[0][0]", "held[1][1]"]),
        (lambda: {"a": {"b": ask()}, "c": [ask()]}, ["held[a][b]", "held[c][0]"]),
        (lambda: ((ask(), "x"), ask()), ["held[0][0]", "held[1]"]),
        (lambda: [Inner(), {"x": Inner()}], ["held[0].ask", "held[1][x].ask"]),
        (lambda: Pair(ask(), [ask()]), ["held[0]", "held[1][0]"]),
        (lambda: Stage([ask()]), ["held.ask[0]"]),
        (lambda: Fixed(ask(), [ask()]), ["held.ask", "held.inside[0]"]),
        (lambda: types.SimpleNamespace(a=ask(), b=(ask(),)), ["held.a", "held.b[0]"]),
        (lambda: collections.deque([ask(), ask()], maxlen=5), ["held[0]", "held[1]"]),
        (lambda: collections.OrderedDict(z=ask(), a=ask()), ["held[z]", "held[a]"]),
        (lambda: collections.defaultdict(list, {"x": [ask()]}), ["held[x][0]"]),
        (lambda: types.MappingProxyType({"x": ask()}), ["held[x]"]),
        (lambda: {1: ask(), None: ask()}, ["held[1]", "held[None]"]),
        (titled, ["held[0]"]),
    ],
)
def test_predictors_are_found_set_and_their_containers_kept(
    make: Callable[[], Any], paths: list[str]
) -> None:
    program = Holding(make())
    assert list(program.predictors()) == paths
    before = {path: one.signature.instruction for path, one in program.predictors().items()}
    changed = program.with_parameters({f"{path}.instruction": f"At {path}." for path in paths})
    assert type(changed.held) is type(program.held)
    assert {path: one.signature.instruction for path, one in changed.predictors().items()} == {
        path: f"At {path}." for path in paths
    }
    assert {p: one.signature.instruction for p, one in program.predictors().items()} == before
    assert list(changed.freeze().predictors()) == paths


def test_what_a_container_is_beside_its_items_is_kept() -> None:
    held = [titled(), collections.deque([ask()], maxlen=2), collections.defaultdict(list, a=ask())]
    steps, queue, table = Holding(held).with_parameters({}).held
    assert steps.title == "mine" and steps[1] == 3
    assert queue.maxlen == 2
    assert table["new"] == []
    pair = Holding(Pair(ask(), 1)).with_parameters({}).held
    assert pair.left is not None and pair.right == 1
    ordered = collections.OrderedDict(a=ask(), b=ask())
    ordered.move_to_end("a")
    assert list(Holding(ordered).with_parameters({}).held) == ["b", "a"]


def test_one_object_in_two_places_stays_one() -> None:
    shared = [ask()]
    program = Holding([shared, {"again": shared}])
    copied = program.with_parameters({"held[0][0].instruction": "New."})
    assert copied.held[0] is copied.held[1]["again"]
    assert copied.held[0] is not shared
    assert list(copied.predictors()) == ["held[0][0]"]


def test_a_list_that_parent_and_child_share_is_shared_in_the_copy() -> None:
    log: list[str] = []
    child = Holding(log)
    copied = Holding([child, log]).with_parameters({})
    assert copied.held[0].held is copied.held[1]
    assert copied.held[1] is not log


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: {ask(), ask()}, "held is a set with modules in it"),
        (lambda: [frozenset({(1, ask())})], r"held\[0\] is a set with modules"),
        (lambda: {1: ask(), "1": ask()}, r"both called held\[1\]"),
    ],
)
def test_what_has_no_order_or_no_name_is_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Holding(make()).predictors()


def test_what_holds_itself_is_refused() -> None:
    held: list[Any] = [ask()]
    held.append(held)
    with pytest.raises(InputError, match="contains itself"):
        Holding(held).predictors()
    parent, child = Holding(None), Holding(None)
    parent.held, child.held = child, [parent]
    with pytest.raises(InputError, match="the program contains itself"):
        parent.predictors()


def test_a_module_in_very_many_places_is_met_once() -> None:
    program = Holding(ask())
    for _ in range(60):
        program = Holding([program, program])
    assert len(program.named_modules()) == 62
    assert len(program.with_parameters({}).named_modules()) == 62


def test_data_that_holds_itself_is_copied() -> None:
    graph: dict[str, Any] = {"name": "a"}
    graph["self"] = [graph]
    copied = Holding(graph).with_parameters({}).held
    assert copied["self"][0] is copied and copied is not graph


class Single:
    """Refuses to be copied."""


class Uncopied(list[Any]):
    def __copy__(self) -> Any:
        raise TypeError("there is only one")


def test_a_container_that_cannot_be_copied_is_refused_if_it_has_modules() -> None:
    with pytest.raises(InputError, match="held contains modules in a Uncopied.*there is only one"):
        Holding(Uncopied([ask()])).with_parameters({})
    with pytest.raises(InputError, match="held contains modules in a Tools.*tools are fixed"):
        Holding(Tools({"a": ask()})).with_parameters({})
    data = Uncopied([1])
    assert Holding(data).with_parameters({}).held is data


def test_copies_have_state_of_their_own_and_share_the_rest() -> None:
    lock, client = threading.Lock(), Single()
    state = {
        "seen": ["a"],
        "counts": collections.Counter(a=1),
        "names": {"x"},
        "buffer": bytearray(b"x"),
        "stage": Stage([1]),
        "deep": [{"inner": [[]]}],
    }
    program = Holding({**state, "lock": lock, "client": client, "fixed": (1, ("a",))})
    before = copy.deepcopy(state)
    held = program.with_parameters({}).held
    assert held["lock"] is lock and held["client"] is client
    assert held["fixed"] is program.held["fixed"]
    held["seen"].append("b")
    held["counts"]["a"] += 1
    held["names"].add("y")
    held["buffer"].extend(b"y")
    held["stage"].ask.append(2)
    held["stage"].label = "other"
    held["deep"][0]["inner"][0].append(1)
    held["deep"].append(2)
    assert {name: program.held[name] for name in state} == before


def test_a_copy_draws_what_the_original_would() -> None:
    program = Holding([random.Random(5)])
    copied = program.with_parameters({}).held[0]
    assert copied.random() == copied.__class__(5).random()
    assert program.held[0].random() == random.Random(5).random()


def test_with_children_shares_no_state_either() -> None:
    program = Holding([ask(), []])
    copied = program.with_children(program.children())
    copied.held[1].append("x")
    assert program.held[1] == []


def test_the_order_of_paths_does_not_depend_on_the_run() -> None:
    program = Holding({"b": ask(), "a": [ask()]})
    changed = program.with_parameters({"held[a][0].instruction": "x"})
    assert list(changed.predictors()) == list(program.predictors()) == ["held[b]", "held[a][0]"]


class Box:
    """An object that nothing is known of."""

    def __init__(self, held: Any) -> None:
        self.held = held


class OnClass(lp.Module):
    shared = ask()

    def forward(self, text: str) -> Mapping[str, Any]:
        return self.shared(text=text)


def test_modules_that_are_not_listed_are_named() -> None:
    assert hidden_modules(Holding(Box(ask()))) == ["held (a Box)"]
    assert hidden_modules(Holding([1, Box([Box(ask())])])) == ["held (a list)"]
    assert hidden_modules(Holding({ask(): 1})) == ["held (a dict)"]
    assert hidden_modules(OnClass()) == ["shared (a Predict)"]
    hidden = ask()
    assert hidden_modules(Holding(functools.partial(hidden, text="x"))) == ["held (a partial)"]
    assert hidden_modules(Holding(hidden.acall)) == ["held (a method)"]
    assert hidden_modules(Holding(lambda text: hidden(text=text))) == ["held (a function)"]
    assert hidden_modules(Holding({"a": hidden}.values())) == ["held (a dict_values)"]
    assert hidden_modules(Holding(Slotted(hidden))) == ["held (a Slotted)"]
    nested = Holding([Holding(Box(ask()))])
    assert hidden_modules(nested) == ["held[0].held (a Box)"]
    assert hidden_modules(Holding([ask(), Box(3), threading.Lock()])) == []
    listed = ask()
    assert hidden_modules(Holding([listed, Box(listed)])) == []
