"""A small model advises a big one, and all that is learned is the advice."""

from __future__ import annotations

import langprog as lp
from benchmarks.programs.scripted import load_script
from optimizers import LabeledFewShot
from programs.advise import READERS, examples, metric, program, write_amount


def test_the_big_model_reads_the_advice_and_not_the_reader() -> None:
    small = lp.ScriptedLM(load_script("advise", steady=True), name="scripted/small")
    big = lp.ScriptedLM(load_script("advise", steady=True), name="scripted/big")
    split = program.with_parameters({"advise.model": small, "solve.model": big})
    assert lp.evaluate(split, examples(12), metric).mean == 1.0
    for request in big.requests:
        asked = request.messages[-1].content
        assert any(advice in asked for advice, _ in READERS.values())
        assert not any(reader in asked for reader in READERS)


def test_advice_alone_is_learned_where_the_big_model_is_frozen() -> None:
    with lp.using(lm=lp.ScriptedLM(load_script("advise"))):
        compiled = LabeledFewShot(k=12).compile(
            program.freeze("solve"), examples(60), metric=metric
        )
    certificate = compiled.certificate
    assert certificate.verdict == "certified" and certificate.after.mean == 1.0
    assert list(compiled.candidate.parameters) == ["advise.demos"]


def test_every_reader_wants_another_form() -> None:
    forms = [write_amount(1205, reader) for reader in READERS]
    assert forms == ["EUR 12.05", "12,05 EUR", "12 EUR", "1205 cents"]
