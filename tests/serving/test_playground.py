"""The playground: confined to itself, and used in a real browser where there is one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from langprog.serving.playground import playground_page
from tests.serving.running import run, running, save

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


class Links(HTMLParser):
    """Collects what a page would load or run from elsewhere, and inline handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {"src", "href", "action", "style", "srcset", "data"}
        bad = [name for name, _ in attrs if name in names or name.startswith("on")]
        self.bad += [f"<{tag} {name}>" for name in bad]


def test_the_page_has_nothing_from_elsewhere_and_makes_no_html_of_texts() -> None:
    page = playground_page()
    text = page.content.decode()
    links = Links()
    links.feed(text)
    assert not links.bad and "//" not in re.sub(r"// --- \w+ ---", "", text)
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Storage"):
        assert word not in text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    script = text.partition("<script>")[2].partition("</script>")[0].encode()
    assert base64.b64encode(hashlib.sha256(script).digest()).decode() in policy


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Any]:
    """Start a headless browser; yields a function that evaluates JavaScript in its page."""
    assert BROWSER is not None
    process = await asyncio.create_subprocess_exec(
        BROWSER,
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
                yield Tab(socket)
    finally:
        process.kill()
        await process.communicate()


class Tab:
    """A page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0

    async def call(self, method: str, **params: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while (reply := await self._socket.receive_json()).get("id") != self._number:
            pass
        return reply["result"]

    async def value(self, script: str) -> Any:
        result = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, script: str) -> Any:
        while not (value := await self.value(script)):
            await asyncio.sleep(0.02)
        return value


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
def test_a_person_fills_the_form_and_watches_the_answer(tmp_path: Path) -> None:
    path = save(tmp_path / "triage.json")
    evil = "</script><img src=x onerror=alert(1)> charge & wait"
    fill = f"""(() => {{
        document.getElementById("field-ticket").value = {json.dumps(evil)};
        document.getElementById("field-urgency").value = "4";
        document.getElementById("run").click();
    }})()"""

    async def work() -> None:
        async with (
            running(path, traces=True, playground=True) as it,
            browser(tmp_path / "profile") as tab,
        ):
            await tab.call("Page.navigate", url=f"{it.server.base_url}/playground")
            assert await tab.until('document.querySelector("#field-ticket")?.id')
            assert await tab.value('document.getElementById("field-urgency").value') == "3"
            await tab.value(fill)
            await it.model.asked.acquire()
            assert await tab.value('document.getElementById("stop").disabled') is False
            it.model.open.set()
            await tab.until('document.getElementById("cost").textContent')
            body = await tab.value("document.body.innerText")
            assert "billing" in body and "40 tokens" in body and "first words after" in body
            assert evil in body and "test/model" in body  # in the trace, as text
            assert await tab.value('document.querySelectorAll("img").length') == 0
            # A wrong value is named, and a run that is stopped takes its work along.
            it.model.open.clear()
            await tab.value('document.getElementById("run").click()')
            await it.model.asked.acquire()
            await tab.value('document.getElementById("stop").click()')
            await it.model.cancelled.acquire()
            assert await tab.until('document.getElementById("error").textContent') == "stopped"

    run(work)
