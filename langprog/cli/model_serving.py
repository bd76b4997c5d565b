"""``langprog lm serve``: models of this process behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from langprog.cli.signals import StopSignals
from langprog.cli.terminal import Terminal
from langprog.lm import LanguageModel, Server
from langprog.runtime import LM


def serve(
    models: Annotated[list[str], typer.Argument(help="Models, such as pocket/small.")],
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    queue: Annotated[
        int, typer.Option(help="Requests in progress or waiting; more are answered 429.", min=1)
    ] = 256,
    drain: Annotated[
        float, typer.Option(help="Seconds to finish requests when stopping.", min=0)
    ] = 30.0,
) -> None:
    """Serve MODELS behind an OpenAI-compatible endpoint.

    Until interrupted; the first line printed is the base URL, for --base-url, OPENAI_BASE_URL or
    base_url= of lp.LM. Request models by their names here. On Ctrl-C or SIGTERM, requests in
    progress are answered first; a second signal stops at once.
    """
    served = {name: LM(name, cache=False) for name in models}
    asyncio.run(_serve(served, Server(served, host=host, port=port, most=queue, drain=drain)))


async def _serve(models: dict[str, LanguageModel], server: Server) -> None:
    signals = StopSignals()
    terminal = Terminal()
    await server.__aenter__()
    terminal.say(server.base_url)
    terminal.say(f"serving {', '.join(models)}; any key will do; Ctrl-C stops")
    await signals.first.wait()
    await signals.close(server.__aexit__())
