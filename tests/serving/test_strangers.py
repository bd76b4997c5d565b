"""What strangers send: files and addresses as images, floods, bytes that are not HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.serving import Limits
from tests.serving.running import Running, run, running, save

PIXEL = "data:image/png;base64,iVBORw0KGgo="
SECRET = "the content of a local file"


class See(lp.Signature):
    """Say what is to be seen."""

    photo: lp.Image = lp.Input("the photo")
    papers: list[lp.File] | None = lp.Input("papers")
    earlier: lp.History | None = lp.Input("earlier turns")
    team: str = lp.Output("what it shows")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = lp.Predict(See, model="test/model")
    return save(tmp_path_factory.mktemp("strangers") / "triage.json", program=program)


def turn(image: Any) -> dict[str, Any]:
    return {"photo": PIXEL, "earlier": [{"role": "user", "content": [{"image": image}]}]}


BODIES: list[Callable[[Any], dict[str, Any]]] = [
    lambda place: {"photo": place},
    lambda place: {"photo": {"url": place, "media_type": "image/png"}},
    lambda place: {"photo": PIXEL, "papers": [place]},
    lambda place: {"photo": PIXEL, "papers": [{"url": place, "name": "a.pdf"}]},
    turn,
    lambda place: {"photo": PIXEL, "earlier": [{"photo": place, "team": "a dog"}]},
]


def test_no_string_reads_a_file_or_fetches_an_address(artifact: Path, tmp_path: Path) -> None:
    local = tmp_path / "secret.png"
    local.write_text(SECRET)
    places = [
        str(local),
        f"file://{local}",
        "http://127.0.0.1:1/x.png",
        "https://169.254.169.254/latest/meta-data",
        "https://images.example.com@127.0.0.1/x.png",
        "https://images.example.com.evil.example/x.png",
        "http://images.example.com/x.png",
        "data:image/png,%41",
        "https://[::1",
        "https://",
        {"url": PIXEL, "path": str(local)},
        {"url": PIXEL, "media_type": "image/png", "data": "x"},
        ["a"],
        7,
    ]

    async def work() -> None:
        hosts = frozenset({"images.example.com"})
        async with running(artifact, media_hosts=hosts) as it:
            for place in places:
                for body in BODIES:
                    status, content = await it.post("/programs/triage", body(place))
                    assert status == 422, (place, content)
                    assert content["error"]["field"] in ("photo", "papers", "earlier")
            assert not it.model.prompts
            for place in (PIXEL, "https://images.example.com/x.png"):
                for body in BODIES:
                    status, content = await it.post("/programs/triage", body(place))
                    assert status == 200, content
            assert SECRET not in "".join(it.model.prompts)

    run(work)


def test_the_name_of_a_file_is_for_files_alone(artifact: Path) -> None:
    async def work() -> None:
        async with running(artifact) as it:
            named = {"url": PIXEL, "name": "x"}
            status, content = await it.post("/programs/triage", {"photo": named})
            assert status == 422 and content["error"]["field"] == "photo"
            papers = {"photo": PIXEL, "papers": [named]}
            assert (await it.post("/programs/triage", papers))[0] == 200

    run(work)


async def speak(it: Running, raw: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", it.server.port)
    writer.write(raw)
    writer.write_eof()
    answer = b""
    with suppress(ConnectionError):  # the rest of what was sent is not read
        answer = await reader.read()
    writer.close()
    return answer


def test_bytes_that_are_not_http_hurt_nobody(artifact: Path) -> None:
    head = b"POST /programs/triage HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    strange = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 200_000 + b"\r\n\r\n",
        head + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        head + b"content-length: -1\r\n\r\n",
        head + b"content-length: 5\r\ncontent-length: 6\r\n\r\n{}",
        head + b"transfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"GET /programs/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nhost: a\r\n\r\n",
        head + b"x-request-id: a\r\n b\r\ncontent-length: 2\r\n\r\n{}",
    ]

    async def work() -> None:
        async with running(artifact) as it:
            for raw in strange:
                answer = await speak(it, raw)
                assert b" 500 " not in answer[:40] and b"Traceback" not in answer, raw[:60]
            assert (await it.get("/healthz"))[0] == 200
            assert it.app.calls.admission.count == 0
            assert not it.model.prompts

    run(work)


def test_a_flood_leaves_nothing_behind(artifact: Path) -> None:
    async def work() -> None:
        limits = Limits(concurrency=4, queue=4)
        async with running(artifact, limits=limits) as it:
            it.model.open.set()

            async def ask(number: int) -> int:
                body = {"photo": PIXEL, "earlier": [{"role": "user", "content": str(number)}]}
                return (await it.post("/programs/triage", body))[0]

            statuses = await asyncio.gather(*map(ask, range(200)))
            assert set(statuses) <= {200, 429} and 200 in statuses
            assert it.app.calls.admission.count == it.app.calls.running == 0
            assert await ask(0) == 200

    run(work)


def test_clients_that_are_killed_in_the_middle_leave_nothing_behind(artifact: Path) -> None:
    wait = {"photo": PIXEL, "earlier": [{"role": "user", "content": "wait"}]}
    body = json.dumps(wait).encode()
    head = (
        b"POST /programs/triage/stream HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n" % len(body)
    )

    async def work() -> None:
        async with running(artifact) as it:
            for _ in range(5):
                _, writer = await asyncio.open_connection("127.0.0.1", it.server.port)
                writer.write(head + body)
                await it.model.asked.acquire()
                writer.transport.abort()  # a reset, as when the process is killed
                await it.model.cancelled.acquire()
            while it.app.calls.admission.count:
                await asyncio.sleep(0)
            assert it.app.calls.running == 0

    run(work)
