from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import langprog as lp
from langprog.errors import LangprogError
from langprog.runtime import run_sync
from optimizers import BootstrapFewShot

PARTS = 4


class Pooled(lp.Module):
    """Asks its predictor in a pool of threads."""

    def __init__(self) -> None:
        self.predictor = lp.Predict("text -> words: int")

    def forward(self, text: str) -> dict[str, int]:
        def count(part: int) -> int:
            return int(self.predictor(text=f"{text} {part}").words)

        with ThreadPoolExecutor(2) as pool:
            return {"words": sum(pool.map(count, range(PARTS)))}


def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.words == prediction.words)


def counting() -> lp.ScriptedLM:
    return lp.ScriptedLM(lambda request: "[[words]]\n2")


def rows() -> list[lp.Example]:
    return [lp.Example(text=f"text {number}", words=2 * PARTS) for number in range(40)]


def test_a_compile_goes_on_where_it_was_and_decides_the_same(tmp_path: Path) -> None:
    model = counting()
    results = []
    for _ in range(2):
        with lp.using(lm=model):
            compiled = BootstrapFewShot().compile(
                Pooled(),
                rows(),
                metric=metric,
                budget=lp.Budget(calls=2000),
                run_dir=tmp_path / "run",
            )
        results.append((compiled.candidate, model.calls))
    assert results[0] == results[1]
    assert 0 < results[0][1] <= 2000


def test_a_compile_keeps_its_cap(
    tmp_path: Path, scripted_endpoint: Callable[[lp.ScriptedLM], str]
) -> None:
    served = lp.ScriptedLM(lambda request: "[[words]]\n2", name="served/test/counting")
    model = lp.LM("test/counting", base_url=scripted_endpoint(served), cache=False, attempts=1)
    with lp.using(lm=model), suppress(LangprogError):
        BootstrapFewShot().compile(
            Pooled(), rows(), metric=metric, budget=lp.Budget(calls=100), run_dir=tmp_path / "run"
        )
    run_sync(model.aclose())
    assert 0 < served.calls <= 100
