"""A real MCP server, which talks over stdin and stdout when it is run."""

from __future__ import annotations

import asyncio
import os

from mcp.server.mcpserver import MCPServer

server = MCPServer("cities", log_level="CRITICAL")
PEOPLE = {"Paris": 2_048_472, "Lyon": 520_774}


@server.tool()
def population(city: str, year: int = 2024) -> int:
    """Look up how many people live in a city."""
    return PEOPLE[city]


@server.tool()
async def wait() -> str:
    """Wait for ever."""
    await asyncio.Event().wait()
    return ""


@server.tool()
def megabyte() -> str:
    """Return much."""
    return "x" * 1_000_000


@server.tool(name="odd.name")
def odd(value: str) -> list[str]:
    """Return a list."""
    return [value, os.environ.get("GREETING", "no greeting")]


@server.tool()
def leave() -> str:
    """End the process."""
    os._exit(3)


if __name__ == "__main__":
    server.run("stdio")
