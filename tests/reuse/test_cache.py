"""Answers to similar inputs: learned, reused, bounded, kept apart."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ConnectError, InputError, LangprogWarning
from langprog.lm import Request
from langprog.reuse import Reusing
from optimizers import LabeledFewShot

TEAMS = ("billing", "network", "accounts")


def embed(texts: list[str]) -> list[list[float]]:
    """Return vectors that are near each other for tickets of one team."""
    rows = []
    for text in texts:
        team, number = text.split()
        row = [0.0] * 8
        row[TEAMS.index(team)] = 1.0
        row[3 + int(number) % 5] = 0.3
        rows.append(row)
    return rows


class Desk:
    """A model that names the team; ``calls`` counts what reaches it."""

    def __init__(self) -> None:
        self.calls = 0
        self.lm = lp.ScriptedLM(self._reply, name="house/m")

    def _reply(self, request: Request) -> str:
        self.calls += 1
        text = str(request.messages[-1].content)
        return f"[[team]]\n{next(team for team in TEAMS if team in text)}"

    def program(self, instruction: str = "Name the team.") -> lp.Predict[Any]:
        signature = lp.Predict("ticket -> team").signature.with_instruction(instruction)
        return lp.Predict(signature, model=self.lm, adapter="chat")


def ask(answer: Reusing, count: int, start: int = 0) -> list[lp.Prediction]:
    return [answer(ticket=f"{TEAMS[n % 3]} {n}") for n in range(start, start + count)]


def cache_in(folder: Path | None, **more: Any) -> lp.SemanticCache:
    options: dict[str, Any] = {"embed": embed, "embedder": "teams", "max_error": 0.1, "seed": 1}
    return lp.SemanticCache(folder, **{**options, **more})


def test_it_learns_to_reuse_and_says_so() -> None:
    desk = Desk()
    answer = cache_in(None).over(desk.program())
    first = ask(answer, 100)
    assert desk.calls == 100
    later = ask(answer, 60, 100)
    reused = [each for each in later if each.usage.reused]
    assert len(reused) > 40
    assert desk.calls == 160 - sum(each.usage.reused for each in [*first, *later])
    hit = reused[0]
    assert hit.usage.calls == 0 and hit.team in TEAMS
    (step,) = hit.trace
    assert step.similarity is not None and step.similarity > 0.9 and not step.completions
    assert all(each.usage.calls == 1 for each in later if not each.usage.reused)
    assert all(p.team == TEAMS[n % 3] for n, p in enumerate(first))


def test_it_is_kept_for_other_processes_and_apart_by_tenant_and_program(tmp_path: Path) -> None:
    desk = Desk()
    first = cache_in(tmp_path).over(desk.program(), tenant="acme")
    ask(first, 120)
    # Another cache on the folder, as after a restart, knows what was learned.
    calls = desk.calls
    again = cache_in(tmp_path, seed=2)
    assert sum(each.usage.reused for each in ask(again.over(desk.program(), tenant="acme"), 9)) > 5
    assert desk.calls < calls + 4
    others = [
        again.over(desk.program(), tenant="other"),
        again.over(desk.program("Say which team."), tenant="acme"),
        cache_in(tmp_path, embedder="others").over(desk.program(), tenant="acme"),
        cache_in(tmp_path, same=lambda a, b: a == b).over(desk.program(), tenant="acme"),
    ]
    for other in others:
        assert not any(each.usage.reused for each in ask(other, 3))
    # What one adds, the other sees at once, although both are open.
    before = sum(each.usage.reused for each in ask(first, 9))
    assert before and again.clear() > 0
    assert not any(each.usage.reused for each in ask(first, 3, 100))


def test_the_ambient_model_is_part_of_the_scope() -> None:
    desk, other = Desk(), Desk()
    other.lm.name = "house/other"
    answer = cache_in(None).over(lp.Predict("ticket -> team", adapter="chat"))
    with lp.using(lm=desk.lm):
        ask(answer, 120)
    with lp.using(lm=other.lm):
        assert not any(each.usage.reused for each in ask(answer, 3))


def test_wrong_answers_are_not_reused() -> None:
    """A program whose answers differ at any similarity is asked each time."""
    replies = iter(range(10_000))
    lm = lp.ScriptedLM(lambda request: f"[[team]]\nteam {next(replies)}", name="house/m")
    answer = cache_in(None).over(lp.Predict("ticket -> team", model=lm, adapter="chat"))
    assert sum(each.usage.reused for each in ask(answer, 150)) == 0
    # Whoever says that they mean the same gets them again.
    answer = cache_in(None, same=lambda first, second: True).over(
        lp.Predict("ticket -> team", model=lm, adapter="chat")
    )
    assert sum(each.usage.reused for each in ask(answer, 150)) > 30


def test_a_compile_and_a_verification_ask_each_time() -> None:
    desk = Desk()
    answer = cache_in(None).over(desk.program())
    ask(answer, 120)

    class Front(lp.Module):
        inside = lp.Predict("ticket -> team", model=desk.lm, adapter="chat")

        def __init__(self) -> None:
            self.predict = self.inside

        def forward(self, ticket: str) -> Any:
            return answer(ticket=ticket)

    front = Front()
    assert any(front(ticket=f"billing {n}").usage.reused for n in range(9))
    with lp.using(wrap=lambda model: model):
        assert not any(front(ticket=f"billing {n}").usage.reused for n in range(9))
    with pytest.raises(InputError, match="compile takes a module"):
        LabeledFewShot().compile(answer, [{"ticket": "a 1", "team": "b"}], metric=lambda e, p: 1)  # type: ignore[arg-type]


def test_a_damaged_entry_and_a_damaged_row_are_misses(tmp_path: Path) -> None:
    desk = Desk()
    cache = cache_in(tmp_path)
    ask(cache.over(desk.program()), 120)
    cache.close()
    file = sqlite3.connect(tmp_path / "semantic.db")
    with file:
        file.execute("UPDATE answers SET outputs = replace(outputs, 'billing', 'network')")
        file.execute("UPDATE comparisons SET similarity = 'x' WHERE id = 1")
    file.close()
    cache = cache_in(tmp_path)
    later = ask(cache.over(desk.program()), 30)
    cache.close()
    assert all(each.team == TEAMS[n % 3] for n, each in enumerate(later))
    (tmp_path / "semantic.db").write_text("not a database, but long enough to be read as one")
    with pytest.raises(InputError, match="cannot be used"):
        cache_in(tmp_path)


def test_outputs_that_do_not_fit_any_more_are_misses(tmp_path: Path) -> None:
    lm = lp.ScriptedLM(lambda request: "[[size]]\n3", name="house/m")
    answer = cache_in(tmp_path).over(lp.Predict("ticket -> size: int", model=lm, adapter="chat"))
    ask(answer, 120)
    reused = [each for each in ask(answer, 9) if each.usage.reused]
    assert reused and all(each.size == 3 for each in reused)
    answer._cache._store.answer = lambda entry: {"size": "big"}  # type: ignore[method-assign]
    assert [each.size for each in ask(answer, 9)] == [3] * 9


def test_an_embedder_that_fails_costs_the_reuse_alone() -> None:
    desk = Desk()

    async def away(texts: list[str]) -> Any:
        raise ConnectError("the embedder is away")

    answer = cache_in(None, embed=away).over(desk.program())
    with pytest.warns(LangprogWarning, match="not used, as the embedder failed: .*away"):
        assert answer(ticket="billing 1").team == "billing"


def test_many_at_once_and_asynchronous_embedders() -> None:
    desk = Desk()

    async def later(texts: list[str]) -> Any:
        await asyncio.sleep(0)
        return embed(texts)

    answer = cache_in(None, embed=later).over(desk.program())

    async def main() -> list[lp.Prediction]:
        return await asyncio.gather(
            *(answer.acall(ticket=f"{TEAMS[n % 3]} {n}") for n in range(90))
        )

    done = asyncio.run(main())
    assert all(each.team == TEAMS[n % 3] for n, each in enumerate(done))


def test_two_open_files_share_what_they_learn(tmp_path: Path) -> None:
    """Each cache has a connection of its own, as two processes have."""
    desks = Desk(), Desk()
    caches = cache_in(tmp_path, seed=2), cache_in(tmp_path, seed=3)
    with ThreadPoolExecutor(2) as pool:
        answers = [c.over(d.program()) for c, d in zip(caches, desks, strict=True)]
        done = [work.result() for work in [pool.submit(ask, each, 120) for each in answers]]
    for desk, each in zip(desks, done, strict=True):
        assert desk.calls == 120 - sum(prediction.usage.reused for prediction in each)
    assert sum(desk.calls for desk in desks) < 200
    with sqlite3.connect(tmp_path / "semantic.db") as file:
        (right,) = file.execute("SELECT count(*) FROM comparisons WHERE right").fetchone()
        (kept,) = file.execute("SELECT count(*) FROM answers").fetchone()
    file.close()
    # Each call is there: as an answer, or as one that was right.
    assert right + kept == sum(desk.calls for desk in desks)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"max_error": 0}, "max_error"),
        ({"max_error": 1.0}, "max_error"),
        ({"embed": "words"}, "embed="),
        ({"embedder": ""}, "embedder="),
        ({"same": 3}, "same="),
        ({"similarity_threshold": 0.9}, "thresholds are learned"),
    ],
)
def test_bad_arguments_are_one_sentence(more: dict[str, Any], said: str) -> None:
    with pytest.raises((InputError, TypeError), match=said):
        cache_in(None, **more)


def test_programs_without_declared_outputs_are_refused() -> None:
    class Free(lp.Module):
        def forward(self, ticket: str) -> Any:
            return {"team": ticket}

    with pytest.raises(InputError, match="not declared"):
        cache_in(None).over(Free())
