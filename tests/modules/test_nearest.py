from __future__ import annotations

import asyncio
import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import ArtifactError, ConnectError, FrozenError, InputError, ServerError
from langprog.runtime import run_sync

POOL = [
    {"ticket": "I was charged twice for my invoice", "team": "billing"},
    {"ticket": "the router in the hall is offline", "team": "network"},
    {"ticket": "my invoice has the wrong address", "team": "billing"},
    {"ticket": "I cannot log in with my password", "team": "accounts"},
    {"ticket": "the wireless router drops packets", "team": "network"},
]
SIGNATURE = "ticket -> team"


def model() -> lp.ScriptedLM:
    return lp.ScriptedLM(lambda request: "[[team]]\nbilling")


def shown(program: lp.Module, **inputs: Any) -> list[str]:
    """Return the tickets of the demonstrations in the prompt, in order."""
    asked = model()
    with lp.using(lm=asked):
        program(**inputs)
    messages = asked.requests[-1].messages[1:-1]
    users = [message.content for message in messages if message.role == "user"]
    return [str(content).split("\n")[1] for content in users]


def letters(texts: list[str]) -> list[list[int]]:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return [[text.lower().count(letter) + 1 for letter in alphabet] for text in texts]


def test_the_nearest_are_shown_in_the_order_of_the_pool() -> None:
    program = lp.Predict(SIGNATURE, nearest=lp.NearestDemos(POOL, k=2))
    assert shown(program, ticket="a router that drops") == [POOL[1]["ticket"], POOL[4]["ticket"]]
    assert shown(program, ticket="charged for an invoice") == [
        POOL[0]["ticket"],
        POOL[2]["ticket"],
    ]


def test_demonstrations_that_all_inputs_share_come_first() -> None:
    fixed = {"ticket": "please call me", "team": "accounts"}
    program = lp.Predict(SIGNATURE, demos=[fixed], nearest=lp.NearestDemos(POOL, k=1))
    assert shown(program, ticket="password") == ["please call me", POOL[3]["ticket"]]
    first, second = (program.render({"ticket": text}) for text in ("password", "router"))
    assert first[:3] == second[:3] and first[3:] != second[3:]


def test_an_example_with_the_inputs_of_the_call_is_not_shown() -> None:
    program = lp.Predict(SIGNATURE, nearest=lp.NearestDemos([*POOL, POOL[1]], k=4))
    for row in POOL:
        tickets = shown(program, ticket=row["ticket"])
        assert len(tickets) == 4 and row["ticket"] not in tickets


def test_where_nothing_is_near_the_first_of_the_pool_are_shown() -> None:
    program = lp.Predict(SIGNATURE, nearest=lp.NearestDemos(POOL, k=2))
    for text in ("xyzzy", "", "  ", "???"):
        assert shown(program, ticket=text) == [POOL[0]["ticket"], POOL[1]["ticket"]]
    assert shown(program, ticket="password") == [POOL[0]["ticket"], POOL[3]["ticket"]]
    few = lp.Predict(SIGNATURE, nearest=lp.NearestDemos(POOL[:2], k=9))
    assert len(shown(few, ticket="password")) == 2


def test_a_pool_without_words_is_shown_in_its_order() -> None:
    pool = [{"ticket": "???", "team": "a"}, {"ticket": "!", "team": "b"}]
    program = lp.Predict(SIGNATURE, nearest=lp.NearestDemos(pool, k=1))
    assert shown(program, ticket="word") == ["???"]


@settings(max_examples=50, deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=8
    ),
    query=st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    k=st.integers(1, 9),
)
def test_any_pool_gives_any_input_its_demonstrations(texts: list[str], query: str, k: int) -> None:
    pool = [{"ticket": text, "team": str(place)} for place, text in enumerate(texts)]
    program = lp.Predict(SIGNATURE, nearest=lp.NearestDemos(pool, k=k))
    chosen = [int(demo.team) for demo in program.demos_for({"ticket": query})]
    others = [place for place, text in enumerate(texts) if text != query]
    assert chosen == sorted(chosen) and set(chosen) <= set(others)
    assert len(chosen) == min(k, len(others))
    assert program.render({"ticket": query}) == program.render({"ticket": query})


@pytest.mark.parametrize("asynchronous", [False, True])
def test_any_embedding_function_chooses(asynchronous: bool) -> None:
    calls: list[int] = []

    def embed(texts: list[str]) -> list[list[int]]:
        calls.append(len(texts))
        return letters(texts)

    async def later(texts: list[str]) -> list[list[int]]:
        await asyncio.sleep(0)
        return embed(texts)

    by = later if asynchronous else embed
    nearest = lp.NearestDemos(POOL, k=1, by=by, embedder="letters 1")
    program = lp.Predict(SIGNATURE, nearest=nearest)
    assert shown(program, ticket="teh roouter in teh halls is offlien") == [POOL[1]["ticket"]]
    assert program.demos_for({"ticket": "pasword with log in"})[0].team == "accounts"
    assert calls == [5, 1, 1]
    briefer = program.with_parameters({"predict.instruction": "Be brief."})
    assert calls == [5, 1, 1] and briefer.nearest is program.nearest


def test_an_embedder_that_fails_is_an_outage() -> None:
    def embed(texts: list[str]) -> list[list[int]]:
        if len(texts) == 1:
            raise ConnectionError("away")
        return letters(texts)

    program = lp.Predict(SIGNATURE, nearest=lp.NearestDemos(POOL, by=embed, embedder="letters 1"))
    with lp.using(lm=model()), pytest.raises(ConnectError, match="away"):
        program(ticket="x")

    def broken(texts: list[str]) -> list[str]:
        return ["no vector"] * len(texts)

    with pytest.raises((InputError, ServerError)):
        lp.Predict(SIGNATURE, nearest=lp.NearestDemos(POOL, by=broken, embedder="b"))


def test_inputs_of_any_type_are_compared() -> None:
    pool = [
        {"tags": ["red", "round"], "size": 3, "kind": "ball"},
        {"tags": ["blue", "flat"], "size": 7, "kind": "plate"},
    ]
    program = lp.Predict("tags: list[str], size: int -> kind", nearest=lp.NearestDemos(pool, k=1))
    assert program.demos_for({"tags": ["flat"], "size": 1})[0].kind == "plate"
    by_size = lp.Predict(
        "tags: list[str], size: int -> kind", nearest=lp.NearestDemos(pool, k=1, on=["size"])
    )
    assert by_size.demos_for({"tags": ["flat"], "size": 3})[0].kind == "ball"


def test_it_is_saved_as_data_and_loads_without_code(tmp_path: Path) -> None:
    path = tmp_path / "program.json"
    program = lp.Pipeline(route=lp.Predict(SIGNATURE, nearest=lp.NearestDemos(POOL, k=2)))
    lp.save(program, path)
    data = json.loads(path.read_text())["program"]["steps"][0]["program"]["nearest"]
    assert data["k"] == 2 and data["embedder"] is None
    assert data["examples"] == POOL
    loaded = lp.load(path)
    assert loaded.frozen and loaded.parameters() == program.parameters()
    for text in ("a router that drops", "password", "xyzzy"):
        assert shown(loaded, ticket=text) == shown(program, ticket=text)


def test_a_program_without_is_saved_as_before(tmp_path: Path) -> None:
    lp.save(lp.Predict(SIGNATURE), tmp_path / "p.json")
    assert "nearest" not in json.loads((tmp_path / "p.json").read_text())["program"]


def test_an_embedder_is_handed_over_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "program.json"
    nearest = lp.NearestDemos(POOL, k=1, by=letters, embedder="letters 1")
    program = lp.Predict(SIGNATURE, nearest=nearest)
    lp.save(program, path)
    loaded = lp.load(path, retrievers={"letters 1": letters})
    assert loaded.parameters() == program.parameters()
    assert loaded.demos_for({"ticket": "roouter"}) == program.demos_for({"ticket": "roouter"})
    with pytest.raises(ArtifactError, match="needs your function 'letters 1', which embeds"):
        lp.load(path)
    with pytest.raises(ArtifactError, match="has a Corpus for 'letters 1'"):
        lp.load(path, retrievers={"letters 1": lp.Corpus(["a"])})
    with pytest.raises(ArtifactError, match="retrievers= has 'other'"):
        lp.load(path, retrievers={"letters 1": letters, "other": letters})


def test_two_embedders_of_one_name_are_not_saved(tmp_path: Path) -> None:
    program = lp.Pipeline(
        one=lp.Predict(
            "a -> b", nearest=lp.NearestDemos([{"a": "x", "b": "y"}], by=letters, embedder="e")
        ),
        two=lp.Predict(
            "b -> c",
            nearest=lp.NearestDemos(
                [{"b": "x", "c": "y"}], by=lambda texts: letters(texts), embedder="e"
            ),
        ),
    )
    with pytest.raises(ArtifactError, match="two different things of the program are called 'e'"):
        lp.save(program, tmp_path / "p.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": 0}, "k has to be a whole number"),
        ({"examples": []}, "pool is empty"),
        ({"examples": [{"ticket": "x"}]}, "lacks any output"),
        ({"examples": [{"ticket": "x", "wrong": "y"}]}, "has the field 'wrong'"),
        ({"on": ["nothing"]}, "has none called nothing"),
        ({"sources": ["a"]}, "one key for each example"),
        ({"k": "many"}, "k"),
    ],
)
def test_damaged_data_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "program.json"
    lp.save(lp.Predict(SIGNATURE, nearest=lp.NearestDemos(POOL)), path)
    content = json.loads(path.read_text())
    content["program"]["nearest"].update(change)
    content.pop("digest", None)
    path.write_text(json.dumps(content))
    with pytest.raises(ArtifactError) as error:
        lp.load(path)
    assert re.search(said, str(error.value)) or "digest" in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"k": 0}, "k has to be a whole number"),
        ({"examples": []}, "its pool is empty"),
        ({"by": letters}, "embedder= of a NearestDemos names"),
        ({"embedder": "letters"}, "give both or none"),
        ({"embedder": 3}, "embedder= of a NearestDemos names"),
        ({"by": "letters", "embedder": "x"}, "by= of a NearestDemos is a function"),
        ({"on": "ticket"}, "on= of a NearestDemos is a list"),
        ({"sources": ["a"]}, "one key for each example"),
        ({"on": ["team"]}, "none called team"),
        (
            {"examples": [{"ticket": "a"}]},
            "example 0 .* lacks any output of team",
        ),
        ({"examples": [{"team": "a"}]}, "example 0 of the NearestDemos lacks ticket"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        lp.Predict(SIGNATURE, nearest=lp.NearestDemos(**{"examples": POOL, **options}))


def test_something_else_is_refused_and_nothing_can_be_changed() -> None:
    with pytest.raises(InputError, match="nearest= takes an lp.NearestDemos, not a list"):
        lp.Predict(SIGNATURE, nearest=POOL)  # type: ignore[arg-type]
    nearest = lp.NearestDemos(POOL)
    with pytest.raises(FrozenError, match="cannot be changed"):
        nearest.k = 3


def test_it_is_a_value() -> None:
    nearest = lp.NearestDemos(POOL, k=2)
    assert nearest == lp.NearestDemos([lp.Example(**row) for row in POOL], k=2)
    assert nearest != nearest.with_k(3) and nearest.with_k(3).with_k(2) == nearest
    assert hash(nearest) == hash(lp.NearestDemos(POOL, k=2))
    assert nearest != lp.NearestDemos(POOL[::-1], k=2)
    program = lp.Predict(SIGNATURE, nearest=nearest)
    assert program.nearest == nearest
    assert "5 examples, k=2, by='bm25'" in repr(nearest)


def test_rows_that_examples_come_from_are_left_out() -> None:
    nearest = lp.NearestDemos(POOL, k=5, sources=["a", "b", "a", "c", "d"])
    program = lp.Predict(SIGNATURE, nearest=nearest)
    assert program.nearest is not None
    left = program.with_parameters({"predict.nearest": program.nearest.without({"a", "d"})})
    assert [demo.team for demo in left.demos_for({"ticket": "router"})] == ["network", "accounts"]
    assert left.nearest != program.nearest


def test_it_can_be_set_and_taken_away() -> None:
    program = lp.Predict(SIGNATURE)
    assert program.parameters()["predict.nearest"].value is None
    nearer = program.with_parameters({"predict.nearest": lp.NearestDemos(POOL, k=1)})
    assert len(shown(nearer, ticket="router")) == 1
    assert shown(nearer.with_parameters({"predict.nearest": None}), ticket="router") == []


def test_a_call_inside_asynchronous_code_chooses_as_well() -> None:
    class Two(lp.Module):
        def __init__(self) -> None:
            self.route = lp.Predict(
                SIGNATURE, nearest=lp.NearestDemos(POOL, k=1, by=letters, embedder="letters 1")
            )

        async def aforward(self, ticket: str) -> lp.Prediction:
            return await self.route.acall(ticket=ticket)

    program = Two()

    async def run() -> lp.Prediction:
        with lp.using(lm=model()):
            return await program.acall(ticket="roouter")

    assert run_sync(run()).team == "billing"


def test_the_example_in_its_docstring_runs() -> None:
    example = re.search(r"Example::\n\n((?:    .*\n|\n)+)", inspect.getdoc(lp.NearestDemos) or "")
    assert example is not None
    exec(textwrap.dedent(example[1]), {})
