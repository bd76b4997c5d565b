"""How many passages a prompt gets is searched together with everything else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ArtifactError
from optimizers import MIPRO, Compiler
from optimizers.base import Optimizer
from optimizers.identity import program_digest
from optimizers.search.mipro import Demonstrating

# A short draft that names its item twice ranks above the record, which alone has the code.
CORPUS = lp.Corpus(
    text
    for number in range(120)
    for text in (f"item{number} draft item{number}", f"record: item{number} has code c{number}x")
)
ROWS = [lp.Example(question=f"code of item{n}?", code=f"c{n}x") for n in range(120)]


def read_code(request: lp.Request) -> str:
    text = request.messages[-1].content
    if "[[question]]" not in text:
        return "[[summary]]\nitems\n[[instruction]]\nFind the code."
    item = re.findall(r"code of (item\d+)\?", text)[-1]
    match = re.search(rf"{item} has code (\w+)", text)
    return f"[[code]]\n{match[1] if match else 'unknown'}"


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.code == prediction.code)


def answering(retriever: lp.Retriever) -> lp.Pipeline:
    return lp.Pipeline(
        look_up=lp.Retrieve(retriever, k=1, query="question", passages="context"),
        answer=lp.Predict("question, context: list[str] -> code"),
    )


@pytest.mark.parametrize(
    "optimizer",
    [MIPRO(instructions=0, demonstrating=Demonstrating(sets=0)), Compiler(rounds=1)],
    ids=["MIPRO", "Compiler"],
)
def test_the_number_of_passages_is_compiled_saved_and_loaded(
    optimizer: Optimizer, tmp_path: Path
) -> None:
    retriever = lp.BM25Retriever(CORPUS)
    program = answering(retriever)
    with lp.using(lm=lp.ScriptedLM(read_code)):
        result = optimizer.compile(
            program, ROWS, metric=right, budget=lp.Budget(calls=2000), seed=1
        )
    assert result.certificate.verdict == "certified"
    assert result.program.parameters()["look_up.k"].value > 1
    assert program.parameters()["look_up.k"].value == 1
    result.save(tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", retrievers={"bm25": CORPUS})
    with lp.using(lm=lp.ScriptedLM(read_code)):
        assert loaded(question="code of item7?").code == "c7x"
    with pytest.raises(ArtifactError, match="searches another corpus"):
        lp.load(tmp_path / "p.json", retrievers={"bm25": lp.Corpus(CORPUS.texts[1:])})


def test_another_corpus_makes_another_program() -> None:
    first, same, other = (
        answering(lp.BM25Retriever(texts)) for texts in (CORPUS, CORPUS.texts, ["item"])
    )
    assert program_digest(first) == program_digest(same) != program_digest(other)


def test_what_cannot_be_written_is_refused_before_anything_is_asked() -> None:
    def search(query: str, k: int) -> Any:
        return []

    model = lp.ScriptedLM(read_code)
    with lp.using(lm=model), pytest.raises(ArtifactError, match="does not say which corpus"):
        MIPRO().compile(answering(lp.FunctionRetriever(search)), ROWS, metric=right)
    assert model.calls == 0
