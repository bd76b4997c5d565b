"""The OpenAPI document says what the server does: schemathesis tries to prove otherwise."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel

import langprog as lp
from langprog.serving import Trial
from tests.serving.running import running, save


@pytest.fixture(scope="module")
def schemathesis() -> Any:
    """Import it here: it takes a second, which each process that collects tests would pay."""
    return pytest.importorskip("schemathesis", reason="schemathesis is not installed")


class Line(BaseModel):
    name: str
    price: Decimal
    tags: set[str] = set()


class Card(BaseModel):
    number: str


class Transfer(BaseModel):
    account: str
    days: int = 14


class Order(lp.Signature):
    """Decide on the order."""

    text: str = lp.Input(min_length=1, max_length=40)
    day: date = lp.Input()
    at: datetime = lp.Input()
    count: int = lp.Input(ge=0, le=10)
    kind: Literal["new", "old", 3] = lp.Input(default="new")
    payment: Card | Transfer = lp.Input()
    rows: list[Line] = lp.Input(max_length=2)
    table: dict[str, float] | None = lp.Input()
    photo: lp.Image | None = lp.Input()
    earlier: lp.History | None = lp.Input()
    team: Literal["billing", "network"] = lp.Output("the team")
    words: list[str] = lp.Output("words that decided")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve from a thread: schemathesis is synchronous."""
    program = lp.Predict(Order, model="test/model")
    path = save(tmp_path_factory.mktemp("schemathesis") / "triage.json", program=program)
    ready, address = threading.Event(), list[str]()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve(path: Path) -> None:
        async with running(path, trial=Trial(path, share=0.5)) as it:
            it.model.open.set()
            address.append(it.server.base_url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(path)))
    thread.start()
    ready.wait()
    yield address[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.mark.filterwarnings("ignore")  # of schemathesis and what it imports
@pytest.mark.parametrize(
    "path", ["/programs/triage", "/programs/triage/batch", "/programs/triage/feedback"]
)
@pytest.mark.parametrize("wrong", [False, True])
def test_the_server_keeps_to_its_document(
    schemathesis: Any, url: str, path: str, wrong: bool
) -> None:
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operation = document[path]["POST"]
    modes = schemathesis.GenerationMode
    mode = modes.NEGATIVE if wrong else modes.POSITIVE

    @settings(
        max_examples=8,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def try_to_break(case: Any) -> None:
        response = case.call_and_validate(base_url=url)
        assert response.status_code < 500

    try_to_break()


@pytest.mark.filterwarnings("ignore")  # as above
def test_the_document_has_every_address(schemathesis: Any, url: str) -> None:
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    named = {result.ok().path for result in document.get_all_operations()}
    assert named == {f"/programs/triage{end}" for end in ("", "/stream", "/batch", "/feedback")}
