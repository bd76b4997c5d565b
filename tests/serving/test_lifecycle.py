"""Clients that leave, floods, time limits, swaps under load, and a server that stops."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import aiohttp
import pytest

import langprog as lp
from langprog.serving import Limits, application
from tests.serving.running import run, running, save

DOWN, WAIT = {"ticket": "the internet is down"}, {"ticket": "wait"}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("serving") / "triage.json")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/programs/triage", WAIT),
        ("/programs/triage/stream", WAIT),
        ("/programs/triage/batch", [WAIT, WAIT]),
    ],
)
def test_a_client_that_leaves_takes_its_work_along(
    artifact: Path, path: str, body: object
) -> None:
    async def work() -> None:
        async with running(artifact) as it:
            asking = asyncio.create_task(it.post(path, body))
            await it.model.asked.acquire()
            asking.cancel()
            await it.model.cancelled.acquire()
            while it.app.calls.admission.count:
                await asyncio.sleep(0)
            assert it.app.calls.running == 0
            assert it.app.metrics.value("langprog_requests_total", status="200") == 0

    run(work)


def test_more_requests_than_fit_are_told_to_come_back(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact, limits=Limits(concurrency=1, queue=1)) as it:
            first = asyncio.create_task(it.post("/programs/triage", WAIT))
            await it.model.asked.acquire()
            second = asyncio.create_task(it.post("/programs/triage", DOWN))
            while it.app.calls.admission.count < 2:
                await asyncio.sleep(0)
            url = f"{it.server.base_url}/programs/triage"
            async with it.client.post(url, json=DOWN) as reply:
                assert reply.status == 429 and int(reply.headers["retry-after"]) >= 1
                assert (await reply.json())["error"]["type"] == "busy"
            assert len(it.model.prompts) == 1  # the second one waits for its turn
            it.model.open.set()
            assert (await first)[0] == (await second)[0] == 200

    run(work)


def test_time_is_limited(artifact: Path) -> None:
    async def work() -> None:
        limits = Limits(seconds=0.05, concurrency=1, upload=0.2)
        async with running(artifact, limits=limits) as it:
            status, content = await it.post("/programs/triage", WAIT)
            assert (status, content["error"]["type"]) == (504, "timeout")
            await it.model.cancelled.acquire()
            # A body that does not come, and a head that does not come.
            reader, writer = await asyncio.open_connection("127.0.0.1", it.server.port)
            head = "POST /programs/triage HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            more = "content-type: application/json\r\ncontent-length: 20\r\n\r\n{"
            writer.write((head + more).encode())
            assert b" 408 " in await reader.readline()
            assert b"upload_timeout" in await reader.read()
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", it.server.port)
            writer.write(head.encode())
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            writer.close()

    run(work)


def test_a_swap_under_load_fails_no_request(tmp_path: Path) -> None:
    path = save(tmp_path / "triage.json", "Number 0.")

    async def work() -> None:
        async with running(path) as it:
            held = asyncio.create_task(it.post("/programs/triage", WAIT))
            await it.model.asked.acquire()
            first = it.app.services["triage"].stable.digest
            done, statuses = asyncio.Event(), list[int]()

            async def ask() -> None:
                while not done.is_set():
                    statuses.append((await it.post("/programs/triage", DOWN))[0])

            clients = [asyncio.create_task(ask()) for _ in range(8)]
            digests = {first}
            for number in range(1, 6):
                save(path, f"Number {number}.")
                (swap,) = await it.app.reload(always=False)
                assert swap.changed and not swap.refused
                digests.add(swap.digest)
            done.set()
            await asyncio.gather(*clients)
            assert set(statuses) == {200} and len(digests) == 6
            it.model.open.set()
            status, content = await held  # answered by the program that it started with
            assert status == 200 and content["digest"] == first
            status, content = await it.post("/programs/triage", DOWN)
            assert content["digest"] == swap.digest and "Number 5." in it.model.prompts[-1]

    run(work)


def test_figures_of_artifacts_replaced_long_ago_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "triage.json", "Number 0.")
    monkeypatch.setattr(application, "REPLACED", 1)

    async def work() -> None:
        async with running(path) as it:
            digests = []
            for number in range(1, 4):
                _, content = await it.post("/programs/triage", DOWN)
                digests.append(content["digest"])
                save(path, f"Number {number}.")
                await it.app.reload()
            text = (await it.get("/metrics"))[1]
            assert [digest in text for digest in digests] == [False, False, True]

    run(work)


def test_a_client_that_does_not_read_is_cut_off(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact, limits=Limits(upload=0.3)) as it:
            body = json.dumps({"ticket": "a long answer"}).encode()
            head = (
                "POST /programs/triage/stream HTTP/1.1\r\nhost: a\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", it.server.port))
            client.sendall(head.encode() + body)
            await it.model.asked.acquire()
            while it.app.calls.admission.count:
                await asyncio.sleep(0.01)
            assert it.app.metrics.value("langprog_in_flight") == 0
            client.close()

    run(work)


def test_a_broken_artifact_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    path = save(tmp_path / "triage.json")
    other = lp.Predict("ticket -> team", model="test/model")

    async def work() -> None:
        async with running(path) as it:
            before = it.app.services["triage"].stable.digest
            text = path.read_text()
            for broken in (text[:100], text.replace("Route", "Send"), "{}"):
                path.write_text(broken)
                (swap,) = await it.app.reload()
                assert swap.refused and str(path) in it.log[-1]
                assert swap.digest == before
            save(path, program=other)
            (swap,) = await it.app.reload()
            assert "takes or returns something else" in swap.refused
            path.unlink()
            (swap,) = await it.app.reload()
            assert "no such file" in swap.refused
            status, content = await it.post("/programs/triage", DOWN)
            assert status == 200 and content["digest"] == before
            _, listed = await it.get("/programs")
            assert "no such file" in listed["programs"][0]["refused"]
            assert 'result="refused"} 5' in (await it.get("/metrics"))[1]
            save(path)
            (swap,) = await it.app.reload()
            assert not swap.refused
            assert (await it.get("/programs"))[1]["programs"][0]["refused"] is None

    run(work)


def test_a_server_that_stops_answers_what_is_under_way(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact) as it:
            asking = asyncio.create_task(it.post("/programs/triage", WAIT))
            await it.model.asked.acquire()
            closing = asyncio.create_task(it.server.__aexit__())
            while it.app.phase.open:
                await asyncio.sleep(0)
            it.model.open.set()
            assert (await asking)[0] == 200
            await closing
            with pytest.raises(aiohttp.ClientConnectionError):
                await it.post("/programs/triage", DOWN)

    run(work)


def test_what_is_not_done_in_time_is_told_so(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact, limits=Limits(drain=0.05)) as it:
            paths = ("/programs/triage", "/programs/triage/stream")
            asking = [asyncio.create_task(it.post(path, WAIT)) for path in paths]
            for _ in paths:
                await it.model.asked.acquire()
            await it.server.__aexit__()
            for answer in asking:
                status, content = await answer
                assert (status, content["error"]["type"]) == (503, "stopped")

    run(work)


def test_a_stopping_server_takes_no_new_work(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact) as it:
            it.app.phase.ready = False  # and for a while it answers those who do not know yet
            url = f"{it.server.base_url}/programs/triage"
            async with it.client.post(url, json=DOWN) as reply:
                assert reply.status == 200 and reply.headers["connection"] == "close"
            it.app.phase.open = False
            status, content = await it.get("/readyz")
            assert (status, content["error"]["type"]) == (503, "draining")
            async with it.client.post(url, json=DOWN) as reply:
                assert reply.status == 503 and reply.headers["connection"] == "close"
                assert json.loads(await reply.text())["error"]["type"] == "draining"

    run(work)
