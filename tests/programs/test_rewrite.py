"""A draft is revised while the critic has something to say."""

from __future__ import annotations

import langprog as lp
from benchmarks.programs.scripted import load_script
from langprog.lm import Request
from programs.rewrite import Rewrite, examples, metric

ROW = examples()[0]


def test_it_stops_when_nothing_is_to_be_changed() -> None:
    with lp.using(lm=lp.ScriptedLM(load_script("rewrite", steady=True))):
        prediction = Rewrite()(message=ROW.message)
    assert prediction.usage.calls == 2 and metric(ROW, prediction).value == 1.0


def test_every_revision_reads_the_critique_and_the_text_before() -> None:
    said: list[str] = []

    def reply(request: Request) -> str:
        last = request.messages[-1].content
        if "[[critique]]" in last:
            said.append(last)
            return f"[[revised]]\nversion {len(said)}"
        return "[[critique]]\nshorter" if "[[rewritten]]" in last else "[[rewritten]]\nversion 0"

    with lp.using(lm=lp.ScriptedLM(reply)):
        assert Rewrite(rounds=2)(message=ROW.message).rewritten == "version 2"
        assert "version 0" in said[0] and "version 1" in said[1] and "shorter" in said[1]
        assert Rewrite(rounds=0)(message=ROW.message).rewritten == "version 0"
    assert Rewrite(rounds=2).calls_per_example() == 5


def test_the_score_counts_what_is_kept_and_punishes_length() -> None:
    first = " ".join(ROW.facts[:2])
    assert metric(ROW, lp.Prediction(rewritten=first)).value == 0.5
    long = metric(ROW, lp.Prediction(rewritten=ROW.message))
    assert long.value == 0.5 and "12 are allowed" in (long.feedback or "")
