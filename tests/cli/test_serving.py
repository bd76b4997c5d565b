"""``langprog serve``: a real process that is asked, told to reload, and stopped."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

import langprog as lp
from langprog.cli.main import run


class Held:
    """A model that holds up those who say so."""

    def __init__(self) -> None:
        self.asked, self.open = threading.Event(), threading.Event()

    def __call__(self, request: lp.Request) -> str:
        if "wait" in str(request.messages[-1].content):
            self.asked.set()
            self.open.wait(20)
        return "[[answer]]\nfine"


@pytest.fixture(scope="module")
def held() -> Held:
    return Held()


@pytest.fixture(scope="module")
def endpoint(scripted_endpoint: Callable[[lp.ScriptedLM], str], held: Held) -> str:
    return scripted_endpoint(lp.ScriptedLM(held, name="openai/m"))


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "ask.json"
    lp.save(lp.Predict("question -> answer", model="house/m"), path)
    return path


@pytest.fixture
def server(artifact: Path, endpoint: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-m", "langprog", "serve", str(artifact)]
    options = ["--port", "0", "--model", "house/m=openai/m", "--base-url", endpoint]
    process = subprocess.Popen(
        [*command, *options],
        env={"LANGPROG_CACHE": "off", "OPENAI_API_KEY": "none", "PATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def ask(url: str, question: str = "how?") -> str:
    request = urllib.request.Request(
        f"{url}/programs/ask",
        json.dumps({"question": question}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        return str(json.load(reply)["outputs"]["answer"])


def is_listening(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=20).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_server_is_asked_reloaded_and_stopped(
    server: subprocess.Popen[str], artifact: Path, held: Held
) -> None:
    url = line_of(server.stdout)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url), server.communicate()
    assert ask(url) == "fine"
    artifact.write_text("{}")
    server.send_signal(signal.SIGHUP)
    assert "the new stable artifact is refused" in line_of(server.stderr)
    assert ask(url) == "fine"
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, url, "wait")
        assert held.asked.wait(20)
        server.send_signal(signal.SIGTERM)
        while is_listening(url):
            assert server.poll() is None
        held.open.set()
        assert answer.result(20) == "fine"
    assert server.wait(timeout=20) == 0
    assert "Traceback" not in server.communicate()[1]


def bounded(run_loop: Callable[..., object]) -> Callable[..., object]:
    """Return a runner that does not serve for ever what should have been refused."""
    return lambda work: run_loop(asyncio.wait_for(work, 10))


AT = ("--model", "house/m=custom/x", "--base-url", "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["ask.json"], "house/m"),
        (
            ["ask.json", "--model", "house/m=pocket/small", "--model", "other/m=pocket/small"],
            "other/m",
        ),
        (["ask.json", "--model", "house/m=pocket/small", "--lm", "pocket/small"], "--lm"),
        (["ask.json", "ask.json"], "two programs are named 'ask'"),
        (["a b=./ask.json", "--model", "house/m=pocket/small"], "cannot stand in an address"),
        (["ask.json", "--canary", "ask.json"], "--canary"),
        (["ask.json", "--canary", "ask.json=2"], "--canary"),
        (["ask.json", "--canary", "ask.json=0.1", "--shadow", "b.json=0.1"], "two artifacts"),
        (["ask.json", "--metric", "exact"], "add --canary or --shadow"),
        (["ask.json", "--metric", "exact", "--judge", "exact"], "choose one"),
        (["ask.json", "--canary", "ask.json=0.1", "--judge", "exact"], "add --shadow"),
        (["ask.json", *AT, "--dollars", "1"], "custom/x has no known price"),
        (["none.json"], "no such file"),
        (["ask.json", "--keys", "short.txt"], "an API key has 5 characters"),
    ],
)
def test_what_cannot_be_served_is_said_at_the_start(
    options: list[str],
    said: str,
    artifact: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(artifact.parent)
    monkeypatch.setitem(sys.modules, "litellm", None)  # it takes seconds to import
    monkeypatch.setattr(asyncio, "run", bounded(asyncio.run))
    Path("short.txt").write_text("# keys\nshort\n")
    assert run(["serve", "--port", "0", *options]) == 2
    assert said in capsys.readouterr().err
