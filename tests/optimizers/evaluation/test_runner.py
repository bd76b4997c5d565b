"""Rows of several programs, each reported once, also where it takes a second attempt."""

from __future__ import annotations

import asyncio
from collections import Counter

import langprog as lp
from langprog.errors import ConnectError
from langprog.evaluation import Row
from optimizers.evaluation.runner import Job, run_rows


def test_every_row_is_reported_once_after_its_last_attempt() -> None:
    attempts: Counter[str] = Counter()

    def reply(request: lp.Request) -> str:
        ticket = request.messages[-1].content
        attempts[ticket] += 1
        if "never" in ticket or ("once" in ticket and attempts[ticket] == 1):
            raise ConnectError("nobody answers", model="scripted/lm")
        return "[[team]]\nbilling"

    rows = [lp.Example(ticket=f"{kind} {n}") for n in range(5) for kind in ("at", "once", "never")]
    program, told = lp.Predict("ticket -> team"), list[Row]()
    with lp.using(lm=lp.ScriptedLM(reply)):
        jobs = [Job(program, rows[:8]), Job(program, rows[8:])]
        results = asyncio.run(run_rows(jobs, lambda example, done: 1.0, 4, told.append))
    assert [len(result) for result in results] == [8, 7]
    final = {row.example.ticket: row.score for result in results for row in result}
    assert {row.example.ticket: row.score for row in told} == final
    assert len(told) == 15
    assert sum(score is None for score in final.values()) == 5
