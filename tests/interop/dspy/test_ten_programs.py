"""Ten DSPy programs compile here, and have the certified score in DSPy alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import langprog as lp
from optimizers import Compiler, Structuring
from tests.interop.dspy.programs import (
    Agent,
    Both,
    Brief,
    Hops,
    Steps,
    Typed,
    answer,
    best_of,
    dspy,
    kind_of,
    refined,
    right,
)
from tests.interop.dspy.toy import toy_model, words

# Each with the calls that its compile may take.
PROGRAMS: dict[str, tuple[Callable[[], Any], int]] = {
    "Predict": (lambda: dspy.Predict("word -> kind"), 150),
    "ChainOfThought": (lambda: dspy.ChainOfThought("word -> kind"), 150),
    "several hops": (Hops, 260),
    "ReAct": (Agent, 400),
    "BestOfN": (best_of, 200),
    "Refine": (refined, 260),
    "asynchronous": (Both, 240),
    "nested lists": (Steps, 260),
    "typed": (lambda: dspy.ChainOfThought(Typed), 240),
    "own adapter": (lambda: dspy.Predict("word -> kind"), 150),
}
TRAIN, HELD = 30, 20


def run_plainly(program: Any, word: str) -> Any:
    if "forward" in dir(program):
        return program(word=word)
    return asyncio.run(program.acall(word=word))


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_compiles_and_keeps_its_score_in_dspy_alone(
    name: str, in_plain_dspy: Callable[..., Any]
) -> None:
    data = [lp.Example(word=word, kind=kind_of(word)) for word in words(TRAIN + HELD)]
    holdout = data[TRAIN:]
    model = toy_model(answer)
    make, calls = PROGRAMS[name]
    original = make()
    before = original.dump_state()
    adapter = Brief() if name == "own adapter" else dspy.ChatAdapter()
    program = lp.from_dspy(original, adapter=adapter)
    with lp.using(lm=model):
        compiled = Compiler(rounds=1, structuring=Structuring(share=0)).compile(
            program,
            data[:TRAIN],
            holdout=holdout,
            metric=right,
            budget=lp.Budget(calls=calls),
        )
    certificate = compiled.certificate
    assert certificate.verdict == "certified"
    assert original.dump_state() == before

    exported = lp.to_dspy(compiled)
    assert type(exported) is type(original)
    with in_plain_dspy(model), dspy.context(adapter=adapter):
        scores = [right(row, run_plainly(exported, row.word)) for row in holdout]
    assert sum(scores) / len(scores) == certificate.after.mean
