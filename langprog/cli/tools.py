"""The tools that a command line hands over to an artifact."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from langprog.cli.loading import load_object
from langprog.errors import InputError
from langprog.tools import Tool, make_tools, mcp_tools

TOOL_HELP = (
    "NAME=package.module:name or file.py:name: a tool that the artifact needs; may be repeated."
)
MCP_HELP = (
    "Address or command of an MCP server with tools that the artifact needs; may be repeated."
)


@contextmanager
def open_tools(
    options: list[str] | None, servers: list[str] | None
) -> Iterator[Mapping[str, Tool] | Sequence[Tool]]:
    """Return the tools of ``--tool`` and ``--mcp`` options; servers are connected meanwhile.

    Raises:
        InputError: An option is not of its form, a name is repeated, or there is no such file,
            module or name.
        ConnectError: A server cannot be started or reached.
    """
    named = _read_tools(options or [])
    if not servers:
        yield named
        return
    with ExitStack() as stack:
        tools = list(named.values())
        for server in servers:
            # An address is taken as it is, anything else as a command.
            remote = server.startswith(("http://", "https://"))
            connected = mcp_tools(server if remote else shlex.split(server))
            tools += stack.enter_context(connected)
        yield make_tools(tools)


def _read_tools(options: list[str]) -> dict[str, Tool]:
    named: dict[str, Tool] = {}
    for option in options:
        name, _, place = (part.strip() for part in option.partition("="))
        if not name or ":" not in place:
            raise InputError(
                f"--tool {option!r}: write NAME=package.module:name or NAME=file.py:name"
            )
        if name in named:
            raise InputError(f"--tool: {name!r} is given twice")
        value = load_object(place, "--tool")
        named[name] = value.renamed(name) if isinstance(value, Tool) else Tool(value, name=name)
    return named
