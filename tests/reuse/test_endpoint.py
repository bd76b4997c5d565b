"""Embeddings of a loopback endpoint."""

from __future__ import annotations

from typing import Any

import pytest

import langprog as lp
from langprog.errors import LangprogError, LangprogWarning, ModelError
from langprog.runtime import run_sync
from tests.lm.endpoint import Answer, endpoint_in_thread, refuses, says, sends


def ask(*answers: Answer) -> tuple[Any, dict[str, Any]]:
    with endpoint_in_thread(*answers) as seen:
        embed = lp.EmbeddingEndpoint("house/vectors", base_url=seen.base_url, api_key="k")

        async def both() -> Any:
            try:
                return await embed(["a", "b"])
            finally:
                await embed.aclose()

        return run_sync(both()), seen.requests[0]


def test_vectors_come_in_the_order_of_the_texts() -> None:
    rows = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1.5, 0]}]
    vectors, sent = ask(says({"data": rows}))
    assert vectors == [[1.5, 0.0], [0.0, 1.0]]
    assert sent["input"] == ["a", "b"] and "vectors" in sent["model"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refuses(401, message="who are you"), "who are you"),
        (says({"data": [{"index": 0, "embedding": [1]}]}), "not a list of 2 embeddings"),
        (says({"data": [{"index": 0, "embedding": "ab"}] * 2}), "not a list of 2"),
        (sends(b"<html>"), "not a list of 2"),
    ],
)
def test_what_is_no_list_of_vectors_is_an_error(answer: Answer, said: str) -> None:
    with pytest.raises(LangprogError, match=said):
        ask(answer)


def test_without_an_endpoint_there_is_a_sentence() -> None:
    with pytest.raises(ModelError, match="write a function of texts"):
        lp.EmbeddingEndpoint("pocket/small")


def test_a_semantic_cache_asks_the_program_where_the_endpoint_is_away() -> None:
    lm = lp.ScriptedLM(lambda request: "[[team]]\nbilling", name="house/m")
    with endpoint_in_thread(refuses(503)) as seen:
        embed = lp.EmbeddingEndpoint("house/vectors", base_url=seen.base_url, api_key="k")
        cache = lp.SemanticCache(None, embed=embed, embedder=embed.name)
        answer = cache.over(lp.Predict("ticket -> team", model=lm))
        with pytest.warns(LangprogWarning, match="the embedder failed"):
            assert answer(ticket="my bill").team == "billing"
        run_sync(embed.aclose())
