"""Requests to a real server on loopback: typed JSON in and out, errors, streams, batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from langprog.serving import Access, Keys, Limits
from tests.serving.running import Running, run, running, save

DOWN = {"ticket": "the internet is down"}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("serving") / "triage.json")


def error_of(content: Any) -> dict[str, Any]:
    assert content["error"].keys() == {"type", "message", "field", "status", "request_id"}
    return dict(content["error"])


def test_typed_json_goes_in_and_out(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact) as it:
            status, content = await it.post("/programs/triage", DOWN, {"x-request-id": "r-1"})
            assert status == 200 and content["request_id"] == "r-1"
            assert content["outputs"] == {"team": "network", "words": ["down", "now"]}
            assert content["usage"]["calls"] == 1 and content["usage"]["prompt_tokens"] == 30
            status, listed = await it.get("/programs")
            assert listed["programs"][0]["digest"] == content["digest"]
            assert "3" in it.model.prompts[0]  # the default of the input that was left out
            for path in ("/healthz", "/readyz"):
                assert (await it.get(path))[0] == 200

    run(work)


WRONG: list[tuple[bytes, int, str, str | None]] = [
    (b"{", 400, "malformed_json", None),
    (b'{"ticket": "a", "ticket": "b"}', 400, "malformed_json", None),
    (b'{"ticket": NaN}', 400, "malformed_json", None),
    (b"\xff\xfe", 400, "malformed_json", None),
    (b"[" * 100_000, 400, "malformed_json", None),
    (b'{"ticket": ' + b"9" * 5000 + b"}", 400, "malformed_json", None),
    (b"[]", 422, "invalid_input", None),
    (b"{}", 422, "missing_input", "ticket"),
    (b'{"ticket": "a", "color": 1}', 422, "unknown_input", "color"),
    (b'{"ticket": 7}', 422, "invalid_input", "ticket"),
    (b'{"ticket": "a", "urgency": 9}', 422, "invalid_input", "urgency"),
    (b'{"ticket": "a", "urgency": "4"}', 422, "invalid_input", "urgency"),
    (b'{"ticket": "a", "urgency": true}', 422, "invalid_input", "urgency"),
    (b'{"ticket": "a", "calm": 1}', 422, "invalid_input", "calm"),
    (b'{"ticket": "\\ud800"}', 422, "invalid_input", "ticket"),
    (b'{"ticket": "' + b"a" * 5000 + b'"}', 413, "too_large", None),
]


def test_wrong_input_is_named(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact, limits=Limits(body=2**12)) as it:
            for body, status, kind, field in WRONG:
                got, content = await it.post("/programs/triage", body)
                if len(body) > 2**12:
                    status, kind = 413, "too_large"
                error = error_of(content)
                assert (got, error["type"], error["field"]) == (status, kind, field), body[:80]
            got, content = await it.post("/programs/nobody", DOWN)
            assert (got, error_of(content)["type"]) == (404, "unknown_program")
            got, content = await it.post("/programs/triage", b"{}", {"content-type": "text/plain"})
            assert (got, error_of(content)["type"]) == (415, "unsupported_media_type")
            got, content = await it.get("/programs/triage")
            assert (got, error_of(content)["type"]) == (405, "method_not_allowed")
            assert not it.model.prompts  # nothing of this was paid for

    run(work)


def test_deep_nesting_and_long_numbers_are_refused(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact) as it:
            for body in (b"[" * 100_000, b'{"ticket": ' + b"9" * 5000 + b"}"):
                got, content = await it.post("/programs/triage", body)
                assert (got, error_of(content)["type"]) == (400, "malformed_json")

    run(work)


@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [
        ("outage", 502, "transport"),
        ("unreadable", 502, "unreadable_reply"),
        ("bug", 500, "internal"),
    ],
)
def test_failures_are_typed_and_tell_nothing(
    artifact: Path, word: str, status: int, kind: str
) -> None:
    async def work() -> None:
        async with running(artifact) as it:
            for path in ("/programs/triage", "/programs/triage/stream"):
                got, content = await it.post(path, {"ticket": word})
                assert (got, error_of(content)["type"]) == (status, kind)
                for secret in ("10.0.0.7", "sk-abc", "Traceback", "secret", "test/model"):
                    assert secret not in json.dumps(content)
            assert len(it.log) == 2 and all(kind in line for line in it.log)
            assert not any("sk-abc" in line for line in it.log)

    run(work)


async def events_of(it: Running, body: Any, path: str = "/programs/triage/stream") -> list[Any]:
    status, text = await it.post(path, body, {"accept": "text/event-stream"})
    assert status == 200
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    return [(name[len("event: ") :], json.loads(data[len("data: ") :])) for name, data in blocks]


def test_fields_are_streamed(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact, traces=True) as it:
            for path in ("/programs/triage/stream?trace=1", "/programs/triage?trace=1"):
                events = await events_of(it, DOWN, path)
                team = [data["text"] for name, data in events if name == "delta"]
                assert "".join(team).startswith("network")
                name, result = events[-1]
                assert name == "result" and result["outputs"]["words"] == ["down", "now"]
                (step,) = result["trace"]
                assert step["outputs"]["team"] == "network" and step["tokens"] == 40
                assert "messages" not in step

    run(work)


def test_a_batch_is_answered_in_order_with_its_failures(artifact: Path) -> None:
    rows = [DOWN, {"ticket": 3}, {"ticket": "outage"}, {"ticket": "a charge"}]

    async def work() -> None:
        async with running(artifact, limits=Limits(rows=4)) as it:
            path, lines = "/programs/triage/batch", {"content-type": "application/jsonl"}
            status, content = await it.post(path, rows)
            assert status == 200 and content["failed"] == 2
            assert [row["row"] for row in content["results"]] == [0, 1, 2, 3]
            kinds = [row.get("error", {}).get("type") for row in content["results"]]
            assert kinds == [None, "invalid_input", "transport", None]
            assert content["results"][3]["outputs"]["team"] == "billing"
            body = "\n".join([*map(json.dumps, rows[:2]), "{bad", ""]).encode()
            status, text = await it.post(path, body, {**lines, "accept": "application/jsonl"})
            got = [json.loads(line) for line in text.splitlines()]
            assert [row.get("error", {}).get("type") for row in got] == [
                None,
                "invalid_input",
                "malformed_json",
            ]
            for wrong, expected in ((rows * 2, 413), ([], 422), ({}, 422)):
                status, content = await it.post(path, wrong)
                assert status == expected and error_of(content)

    run(work)


def test_keys_are_asked_for(artifact: Path) -> None:
    access = Access(Keys(["correct-horse-battery"]), Keys(["admin-horse-battery"]))

    async def work() -> None:
        async with running(artifact, access=access) as it:
            wrong = [{}, {"authorization": "Bearer wrong"}, {"x-api-key": "corr\xe9ct"}]
            for headers in wrong:
                status, content = await it.post("/programs/triage", DOWN, headers)
                assert (status, error_of(content)["type"]) == (401, "unauthorized")
                for path in ("/programs", "/metrics", "/openapi.json"):
                    assert (await it.get(path, headers))[0] == 401
                assert (await it.get("/healthz", headers))[0] == 200
            right = [
                {"authorization": "Bearer correct-horse-battery"},
                {"x-api-key": "correct-horse-battery"},
            ]
            for headers in right:
                assert (await it.post("/programs/triage", DOWN, headers))[0] == 200
                assert (await it.post("/admin/reload", b"", headers))[0] == 401
            admin = {"x-api-key": "admin-horse-battery"}
            status, content = await it.post("/admin/reload", b"", admin)
            assert status == 200 and content["swaps"][0]["refused"] == ""
            assert "correct-horse" not in repr(vars(access.keys))

    run(work)


def test_metrics_count_requests_and_costs(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact) as it:
            await it.post("/programs/triage", DOWN)
            await it.post("/programs/triage", {})
            await it.post("/programs/no\n{such}", DOWN)
            status, text = await it.get("/metrics")
            digest = it.app.services["triage"].stable.digest
            labels = f'program="triage",digest="{digest}"'
            assert f'langprog_requests_total{{{labels},status="200"}} 1' in text
            assert f'langprog_requests_total{{{labels},status="422"}} 1' in text
            assert 'langprog_requests_total{program="",digest="",status="404"} 1' in text
            assert f"langprog_tokens_total{{{labels}}} 40" in text
            assert f"langprog_request_seconds_count{{{labels}}} 2" in text
            assert "langprog_running 0" in text and "such" not in text

    run(work)


def test_another_sites_name_is_refused(artifact: Path) -> None:
    access = Access(hosts=frozenset({"127.0.0.1"}))

    async def work() -> None:
        async with running(artifact, access=access) as it:
            status, content = await it.post("/programs/triage", DOWN, {"host": "evil.example"})
            assert (status, error_of(content)["type"]) == (421, "misdirected")
            assert (await it.post("/programs/triage", DOWN))[0] == 200
            # Nothing of a client's comes back in a header, unless it is plain.
            status, content = await it.post("/programs/triage", DOWN, {"x-request-id": "a b"})
            assert status == 200 and content["request_id"] != "a b"

    run(work)
