"""The loopback provider is one that the official client of OpenAI works with."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from benchmarks.batch_endpoint import BatchEndpoint, serve
from benchmarks.batch_wire import Row


def line(number: int, **more: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
    url = "/v1/chat/completions"
    return {"custom_id": f"row-{number}", "method": "POST", "url": url, "body": body, **more}


def answer(body: dict[str, Any]) -> str | Row:
    said = body["messages"][-1]["content"]
    return Row({"error": {"message": "no"}}, 400) if said.endswith("3") else f"re: {said}"


def content(*lines: dict[str, Any]) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in lines).encode()


def test_the_official_client_uploads_polls_lists_downloads_and_cancels() -> None:
    endpoint = BatchEndpoint(answer)
    with serve(endpoint) as url, openai.OpenAI(base_url=url, api_key="none") as client:
        lines = content(*map(line, range(5)))
        file = client.files.create(file=("in.jsonl", lines), purpose="batch")
        assert (file.filename, file.bytes, file.purpose) == ("in.jsonl", len(lines), "batch")
        assert client.files.content(file.id).content == lines
        options: Any = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch = client.batches.create(input_file_id=file.id, metadata={"a": "b"}, **options)
        states = [batch.status]
        while states[-1] not in ("completed", "failed"):
            batch = client.batches.retrieve(batch.id)
            states.append(batch.status)
        assert states == ["validating", "in_progress", "finalizing", "completed"]
        assert batch.request_counts is not None and batch.metadata == {"a": "b"}
        assert (batch.request_counts.completed, batch.request_counts.failed) == (4, 1)
        assert batch.output_file_id is not None and batch.error_file_id is not None
        good = client.files.content(batch.output_file_id).text.splitlines()
        texts = {
            reply["custom_id"]: reply["response"]["body"]["choices"][0]["message"]["content"]
            for reply in map(json.loads, good)
        }
        assert texts == {f"row-{number}": f"re: question {number}" for number in (0, 1, 2, 4)}
        [bad] = map(json.loads, client.files.content(batch.error_file_id).text.splitlines())
        assert (bad["custom_id"], bad["response"]["status_code"]) == ("row-3", 400)
        more = [client.batches.create(input_file_id=file.id, **options) for _ in range(3)]
        # Pages of two: the client follows `after` and `has_more`.
        assert [each.id for each in client.batches.list(limit=2)] == [
            *(each.id for each in reversed(more)),
            batch.id,
        ]
        assert client.batches.cancel(more[0].id).status == "cancelling"
        assert client.batches.retrieve(more[0].id).status == "cancelled"
        assert file.id in {each.id for each in client.files.list(purpose="batch")}
        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.batches.retrieve("batch_none")
        with pytest.raises(openai.ConflictError):
            client.batches.cancel(batch.id)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ([line(1), line(1)], "invalid_custom_id"),
        ([line(1, url="/v1/embeddings")], "mismatched_endpoint"),
        ([line(1), line(2, body={"model": "other"})], "mismatched_model"),
        ([], "empty_file"),
    ],
)
def test_a_wrong_file_fails_as_a_whole(wrong: list[dict[str, Any]], code: str) -> None:
    endpoint = BatchEndpoint(answer)
    with serve(endpoint) as url, openai.OpenAI(base_url=url, api_key="none") as client:
        file = client.files.create(file=("in.jsonl", content(*wrong)), purpose="batch")
        options: Any = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch = client.batches.create(input_file_id=file.id, **options)
        batch = client.batches.retrieve(batch.id)
        assert batch.status == "failed" and batch.errors is not None
        assert [error.code for error in batch.errors.data or ()] == [code]
    with serve(endpoint) as url, openai.OpenAI(base_url=url, api_key="x") as client:
        with pytest.raises(openai.AuthenticationError):
            client.batches.retrieve(batch.id)
