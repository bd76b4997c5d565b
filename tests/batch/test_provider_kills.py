"""kill -9 at every request to the provider, before and after it is handled."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import langprog as lp
from benchmarks.batch_wire import Row
from langprog.artifact import save_program
from tests.batch.provider import ProviderPlace, echo, provider, question_in
from tests.forking import COMMAND_LINE, Forked, Forking

ROWS = 12


class Commands:
    """Runs the command line in processes that can be killed."""

    def __init__(self, parent: Forking, folder: Path, environment: dict[str, str]) -> None:
        self._parent, self._folder = parent, folder
        self._environment = {**os.environ, **environment}
        self.child: Forked | None = None

    def start(self, *arguments: str) -> int:
        """Run a command; return its exit code, negative for a signal."""
        with (self._folder / "stderr.txt").open("a") as log:
            self.child = self._parent.start(
                ["-m", "langprog", *arguments],
                imports=COMMAND_LINE,
                folder=self._folder,
                environment=self._environment,
                stderr=log.fileno(),
            )
        return self.child.wait()


class Killer:
    """Signals the process that sends the n-th request, before or after it is handled."""

    def __init__(self, place: ProviderPlace, commands: Commands) -> None:
        self._endpoint, self._commands = place.endpoint, commands
        self.at, self.handled, self.signal = 0, False, signal.SIGKILL
        self.seen = 0
        place.endpoint.interfere = self.interfere

    async def interfere(self, number: int, request: web.Request) -> web.StreamResponse | None:
        self.seen += 1
        if self.seen != self.at:
            return None
        if self.handled:
            await self._handle(request)
        assert self._commands.child is not None
        self._commands.child.send_signal(self.signal)
        return web.Response(status=500)

    async def _handle(self, request: web.Request) -> None:
        if request.method == "POST" and request.path == "/v1/files":
            await self._endpoint._upload(request)
        elif request.method == "POST":
            await self._endpoint._create(request)
        elif "content" in request.path:
            # The first half of the file arrives.
            content = self._endpoint.files[request.match_info["id"]][2]
            response = web.StreamResponse()
            response.content_length = len(content)
            await response.prepare(request)
            await response.write(content[: len(content) // 2])


def flaky(body: dict[str, Any]) -> str | Row:
    refused = question_in(body) == "question 3"
    return Row({"error": {"message": "no such thing"}}, 400) if refused else echo(body)


@pytest.fixture(scope="module")
def ground(processes: Forking) -> Iterator[tuple[ProviderPlace, Commands]]:
    with provider(flaky) as place:
        program = lp.Predict("question -> answer", adapter="chat", model="openai/batched")
        save_program(program, place.source.with_name("a.json"))
        place.rows(*(f"question {number}" for number in range(ROWS)))
        environment = {
            "OPENAI_BASE_URL": place.url,
            "OPENAI_API_KEY": "none",
            "LANGPROG_CACHE": "off",
        }
        yield place, Commands(processes, place.source.parent, environment)


COMMAND = (
    "run a.json --batch in.jsonl --out out.jsonl --engine provider --poll 0.01 --gather 0.05 "
    "--width 8 --order input"
).split()


def steps(log: list[str]) -> Iterator[tuple[int, bool]]:
    """Yield a request of each kind, in both batches, and whether it is handled before the kill."""
    known: set[str] = set()
    for number, text in enumerate(log, start=1):
        method, path = text.split()
        if method == "POST":
            yield from [(number, False), (number, True)]
        elif "content" in path:
            yield number, True
        elif path.startswith("/v1/batches/") and path not in known:
            yield number, False
        known.add(path)


def test_killed_at_any_step_every_row_comes_once_and_is_paid_once(
    ground: tuple[ProviderPlace, Commands],
) -> None:
    place, commands = ground
    killer = Killer(place, commands)
    assert commands.start(*COMMAND) == 1  # a row is refused
    whole = place.target.read_bytes()
    moments = [*steps(place.endpoint.requests)]
    assert len(place.answers) == ROWS and len(moments) == 13
    for killer.at, killer.handled in moments:
        place.target.unlink()
        place.endpoint.answered.clear()
        place.endpoint.batches.clear()
        killer.seen = 0
        assert commands.start(*COMMAND) == -signal.SIGKILL
        assert commands.start(*COMMAND) == 1
        assert place.target.read_bytes() == whole
        assert place.most_paid == 1 and len(place.endpoint.answered) == ROWS - 1
        assert not place.state.exists()


def test_a_cap_holds_over_kills(ground: tuple[ProviderPlace, Commands]) -> None:
    place, commands = ground
    killer = Killer(place, commands)
    place.target.unlink(missing_ok=True)
    command = [*COMMAND, "--calls", "9"]
    for moment in (3, 9, 11):
        place.endpoint.answered.clear()
        place.endpoint.batches.clear()
        killer.seen, killer.at = 0, moment
        assert commands.start(*command) == -signal.SIGKILL
        killer.at = 0
        assert commands.start(*command) == 1
        assert place.most_paid == 1 and len(place.endpoint.answered) == 9
        assert place.state.exists()
        assert commands.start(*command) == 1 and len(place.endpoint.answered) == 9
        assert commands.start(*COMMAND) == 1 and len(place.endpoint.answered) == ROWS - 1
        place.target.unlink()


def test_ctrl_c_says_what_goes_on_and_cancel_ends_it(
    ground: tuple[ProviderPlace, Commands],
) -> None:
    place, commands = ground
    killer = Killer(place, commands)
    place.target.unlink(missing_ok=True)
    place.endpoint.batches.clear()
    place.endpoint.answered.clear()
    place.endpoint.polls = 10**6
    killer.at, killer.signal = 7, signal.SIGINT
    log = place.source.with_name("stderr.txt")
    log.write_text("")
    assert commands.start(*COMMAND) == 130
    [batch] = place.endpoint.batches
    said = log.read_text()
    assert f"{batch} goes on at the provider" in said
    assert said.splitlines()[-1] == (
        "langprog: interrupted; run the same command again to continue"
    )
    log.write_text("")
    assert commands.start(*COMMAND, "--cancel") == 0
    assert f"{batch}: cancelling" in log.read_text()
    place.endpoint.polls = 1
    assert commands.start(*COMMAND) == 1  # as always, a row is refused
    assert len(place.answers) == ROWS and place.most_paid == 1
    assert place.sizes == [8, 8] and len(place.endpoint.answered) == ROWS - 1
    assert commands.start(*COMMAND, "--cancel") == 2
    assert "has no batches at a provider" in log.read_text()
