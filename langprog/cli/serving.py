"""``langprog lm serve``: models of this process behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Annotated

import typer

from langprog.cli.terminal import Terminal
from langprog.lm import LanguageModel, Server
from langprog.runtime import LM


def serve(
    models: Annotated[list[str], typer.Argument(help="Models, such as pocket/small.")],
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Serve MODELS behind an OpenAI-compatible endpoint.

    Until interrupted; the first line printed is the base URL, for --base-url, OPENAI_BASE_URL or
    base_url= of lp.LM. Ask for a model by the name that it has here.
    """
    asyncio.run(_serve({name: LM(name, cache=False) for name in models}, host, port))


async def _serve(models: dict[str, LanguageModel], host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not on every system
            loop.add_signal_handler(number, stopped.set)
    async with Server(models, host=host, port=port) as server:
        terminal = Terminal()
        terminal.say(server.base_url)
        terminal.say(f"serving {', '.join(models)}; any key will do; Ctrl-C stops")
        await stopped.wait()
