"""Against real servers: a process, and one on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import langprog as lp
from langprog.errors import ArtifactError, ConnectError, InputError, ToolError
from langprog.tools import MCPTools
from tests.tools import mcp_server

COMMAND = [sys.executable, str(Path(mcp_server.__file__))]


@pytest.fixture(scope="module")
def process() -> Iterator[MCPTools]:
    with lp.mcp_tools(COMMAND, env={"GREETING": "hi"}) as tools:
        yield tools


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = mcp_server.server.streamable_http_app()
    config = uvicorn.Config(app, log_level="critical", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        thread.join()


def named(tools: MCPTools, name: str) -> lp.Tool:
    return next(tool for tool in tools if tool.name == name)


def run(tool: lp.Tool, **arguments: Any) -> str:
    return asyncio.run(tool.run(arguments))


def test_the_tools_of_a_process_are_described_and_called(process: MCPTools) -> None:
    names = [tool.name for tool in process]
    assert names == ["population", "wait", "megabyte", "odd_name", "leave"]
    tool = process[0]
    assert tool.description == "Look up how many people live in a city."
    assert tool.parameters["properties"]["year"]["default"] == 2024
    assert run(tool, city="Lyon") == "520774"
    assert run(named(process, "odd_name"), value="v") == "v\nhi"
    assert run(named(process, "megabyte")).endswith("first 20,000 of 1,000,000 characters)")


def test_what_goes_wrong_at_the_server_is_an_error_of_the_tool(process: MCPTools) -> None:
    for arguments, words in (
        ({"city": "Bonn"}, "population"),
        ({"city": "Lyon", "year": "x"}, "valid integer"),
        ({}, "the argument 'city' is missing"),
    ):
        with pytest.raises(ToolError, match=words) as caught:
            run(process[0], **arguments)
        assert not caught.value.outage


def test_a_server_on_the_network_is_the_same(address: str) -> None:
    async def main() -> tuple[str, list[str]]:
        async with lp.mcp_tools(
            address, names=["odd.name", "population"], headers={"X-Key": "s3cret"}
        ) as tools:
            assert "s3cret" not in repr(tools) + repr(tools[0])
            return await tools[1].run({"city": "Paris"}), [tool.name for tool in tools]

    assert asyncio.run(main()) == ("2048472", ["odd_name", "population"])


def test_programs_use_them_synchronously_and_in_any_loop(process: MCPTools) -> None:
    replies = iter(
        [
            "[[thought]]\nt\n[[tool_calls]]\n"
            '[{"tool": "population", "arguments": {"city": "Lyon"}}]',
            "[[thought]]\nt\n[[tool_calls]]\n"
            '[{"tool": "submit", "arguments": {"answer": 520774}}]',
        ]
        * 2
    )
    program = lp.ReAct("question -> answer: int", process)
    with lp.using(lm=lp.ScriptedLM(lambda request: next(replies))):
        assert program(question="How many?").answer == 520_774
        assert asyncio.run(program.acall(question="How many?")).answer == 520_774


def test_a_synchronous_call_in_an_asynchronous_function_does_not_lock_up(address: str) -> None:
    async def main() -> Any:
        async with lp.mcp_tools(address) as tools:
            program = lp.ReAct("question -> answer", [tools[0]])
            replies = [
                '[[thought]]\n\n[[tool_calls]]\n[{"tool": "population", '
                '"arguments": {"city": "Paris"}}]',
                '[[thought]]\n\n[[tool_calls]]\n[{"tool": "submit", '
                '"arguments": {"answer": "x"}}]',
            ]
            with lp.using(lm=lp.ScriptedLM(replies)):
                return program(question="How many?")

    assert asyncio.run(main()).trace[1].outputs == {"result": "2048472"}


def test_a_tool_of_a_server_that_hangs_is_given_up(address: str) -> None:
    with lp.mcp_tools(address, timeout=0.05, prefix="my_") as tools:
        with pytest.raises(ToolError, match=r"no result within 0\.05 seconds"):
            run(named(tools, "my_wait"))
        quick = named(tools, "my_population")
        patient = quick.with_changes(
            name=quick.name, description="", timeout=60.0, max_result=quick.max_result
        )
        assert run(patient, city="Lyon") == "520774"  # the server serves on


def test_a_server_that_is_gone_is_an_outage() -> None:
    with lp.mcp_tools(COMMAND) as tools:
        for name, arguments in (("leave", {}), ("population", {"city": "Lyon"})):
            with pytest.raises(ToolError) as caught:
                run(named(tools, name), **arguments)
            assert caught.value.outage
    with pytest.raises(ToolError, match="is not connected any more") as caught:
        run(tools[0], city="Lyon")
    assert caught.value.outage


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (["/nowhere/at/all"], "the MCP server /nowhere/at/all cannot be used: FileNotFoundError"),
        ([sys.executable, "-c", ""], "cannot be used: MCPError: Connection closed"),
        (
            "http://user:s3cret@127.0.0.1:9/mcp?key=s3cret",
            r"server http://127\.0\.0\.1:9/mcp cannot",
        ),
    ],
)
def test_a_server_that_cannot_be_reached_is_told(server: Any, words: str) -> None:
    with pytest.raises(ConnectError, match=words) as caught, lp.mcp_tools(server):
        pass
    assert "s3cret" not in str(caught.value)


def test_a_server_that_says_nothing_is_given_up() -> None:
    silent = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with pytest.raises(ConnectError, match=r"gave no answer within 0\.2 seconds"):
        lp.mcp_tools(silent, connecting=0.2).__enter__()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: lp.mcp_tools("python server.py"), "give an address, https://..., or a command"),
        (lambda: lp.mcp_tools([]), "is not a list of texts"),
        (lambda: lp.mcp_tools(3), "is not a list of texts"),  # type: ignore[arg-type]  # a slip
        (lambda: lp.mcp_tools(["x"], names="look"), "names=\\['look'\\]"),
        (lambda: lp.mcp_tools("http://x", env={}), "env= is for a command"),
        (lambda: lp.mcp_tools(["x"], headers={}), "headers= for an address"),
        (lambda: lp.mcp_tools(["x"], connecting=0), "connecting"),
        (lambda: len(lp.mcp_tools(["x"])), "is not connected yet: write `with lp.mcp_tools"),
        (lambda: lp.ReAct("a -> b", lp.mcp_tools(["x"])), "is not connected yet"),
    ],
)
def test_arguments_are_checked(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_a_tool_that_the_server_lacks_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="has no tool 'search'; it has population, wait"):
        lp.mcp_tools(address, names=["search"]).__enter__()


def test_an_artifact_takes_them_when_it_is_loaded(process: MCPTools, tmp_path: Path) -> None:
    program = lp.ReAct("question -> answer: int", [process[0]])
    lp.save(program, tmp_path / "a.json")
    data = json.loads((tmp_path / "a.json").read_text())["program"]["step"]["tools"]
    assert [(tool["name"], tool["function"]) for tool in data] == [("population", "")]
    loaded = lp.load(tmp_path / "a.json", tools=process)
    assert loaded.tools[0].parameters == process[0].parameters
    with pytest.raises(ArtifactError, match="needs your tool 'population': pass it"):
        lp.load(tmp_path / "a.json")
