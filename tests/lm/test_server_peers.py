"""``lm serve`` driven by other people's clients: litellm and DSPy. Skipped without them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

import langprog as lp
from langprog.lm import Server

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # what these packages warn of is theirs
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # nothing is fetched


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Serve the embedded model on loopback."""
    ready: Future[tuple[str, asyncio.AbstractEventLoop]] = Future()
    stop = asyncio.Event()

    async def serve() -> None:
        async with Server({"pocket/medium": lp.LM("pocket/medium")}) as server:
            ready.set_result((server.base_url, asyncio.get_running_loop()))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    url, loop = ready.result()
    yield url
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def test_litellm_gets_a_completion(served: str) -> None:
    litellm = pytest.importorskip("litellm")
    signature = lp.Predict("ticket -> team")
    messages = [
        {"role": one.role, "content": one.content} for one in signature.render({"ticket": "a"})
    ]
    reply = litellm.completion(
        "openai/pocket/medium", messages=messages, api_base=served, api_key="none", temperature=0
    )
    assert "[[team]]" in reply.choices[0].message.content
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


@pytest.mark.parametrize("adapter", ["ChatAdapter", "JSONAdapter"])
def test_dspy_runs_a_program_with_demonstrations(served: str, adapter: str) -> None:
    dspy: Any = pytest.importorskip("dspy")
    texts = {
        "my card was charged twice": "billing",
        "the wifi is down": "network",
        "I paid the invoice": "billing",
        "no signal on my phone": "network",
    }
    program = dspy.Predict("ticket -> team")
    program.demos = [dspy.Example(ticket=t, team=team) for t, team in texts.items()]
    lm = dspy.LM(
        "openai/pocket/medium", api_base=served, api_key="none", temperature=0, cache=False
    )
    with dspy.context(lm=lm, adapter=getattr(dspy, adapter)()):
        assert program(ticket="the wifi is down again").team == "network"
