"""When a person sees the first words of an answer: the playground in headless Chromium.

A part of ``python -m benchmarks.serving``. The model waits, then streams a reply in pieces. The
time from the click to the first text of the output field in the page is measured, by the browser's
own clock; it includes the model's wait.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

import langprog as lp
from langprog.artifact import read_artifact
from langprog.lm import Completed, Completion, Delta, Request, Sampling, TextDelta, Usage
from langprog.serving import Application, Loaded, ProgramServer, Service

# Seconds that the model takes to its first piece, and between two; pieces.
WAIT, BETWEEN, PIECES = 0.1, 0.05, 20
CLICK = """new Promise((resolve) => {
  const answer = document.getElementById("answer");
  let started = 0;
  const watch = new MutationObserver(() => {
    const box = document.getElementById("output-answer");
    if (started && box && box.textContent) {
      watch.disconnect();
      resolve(performance.now() - started);
    }
  });
  watch.observe(answer, {childList: true, characterData: true, subtree: true});
  document.getElementById("field-question").value = "What is the capital of France?";
  started = performance.now();
  document.getElementById("run").click();
})"""
# The whole answer is there, and the next one may be asked for.
DONE = "document.getElementById('cost').textContent && document.getElementById('stop').disabled"


class Streaming:
    """A model in this process that streams."""

    name = "bench/model"
    endpoint = "in-process"
    defaults = Sampling()

    async def complete(self, request: Request) -> Completion:
        """Return the whole reply."""
        text = "[[answer]]\n" + "Paris " * PIECES
        return Completion((text,), self.name, Usage(40, PIECES), ("stop",))

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """Yield the reply in pieces."""
        await asyncio.sleep(WAIT)
        yield TextDelta("[[answer]]\n")
        for _ in range(PIECES):
            yield TextDelta("Paris ")
            await asyncio.sleep(BETWEEN)
        yield Completed(await self.complete(request))

    async def aclose(self) -> None:
        """Do nothing."""


class Page:
    """A page of the browser.

    Args:
        socket: Its debugging connection.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0

    async def call(self, method: str, **params: Any) -> Any:
        """Call a method of the browser's protocol."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while (reply := await self._socket.receive_json()).get("id") != self._number:
            pass
        return reply["result"]

    async def value(self, script: str) -> Any:
        """Return the value of a script, or of its promise."""
        result = await self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until a script gives something."""
        while not await self.value(script):
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _browser(name: str, folder: Path) -> AsyncIterator[Page]:
    process = await asyncio.create_subprocess_exec(
        name,
        *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"),
        *("--disable-dev-shm-usage", f"--user-data-dir={folder}", "about:blank"),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stderr is not None
        line = ""
        while "ws://" not in line:
            line = (await process.stderr.readline()).decode()
        port = re.findall(r":(\d+)/", line)[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as reply:
                pages = await reply.json(content_type=None)
            target = next(page for page in pages if page["type"] == "page")
            async with session.ws_connect(target["webSocketDebuggerUrl"]) as socket:
                yield Page(socket)
    finally:
        process.kill()
        await process.communicate()


def measure_first_delta(path: Path, rounds: int) -> list[float] | None:
    """Return the milliseconds from click to first text; ``None`` without a browser.

    Args:
        path: The artifact.
        rounds: How often it is measured, after once to warm up.
    """
    name = shutil.which("chromium") or shutil.which("google-chrome")
    return None if name is None else asyncio.run(_measure(name, path, rounds))


async def _measure(name: str, path: Path, rounds: int) -> list[float]:
    def load(file: Path) -> Loaded:
        artifact = read_artifact(file)
        model: lp.lm.LanguageModel = Streaming()
        return Loaded(artifact.program(models={"bench/model": model}), artifact.digest)

    app = Application([Service("ask", path, load)], playground=True)
    measured = []
    async with ProgramServer(app) as server, _browser(name, path.parent / "profile") as page:
        await page.call("Page.navigate", url=f"{server.base_url}/playground")
        await page.until("document.querySelector('#field-question')?.id")
        for _ in range(rounds + 1):
            measured.append(float(await page.value(CLICK)))
            await page.until(DONE)
    return measured[1:]
