"""One compile in a process of its own, for the tests that kill it.

Usage: python -m tests.optimizers.compile_once MEMBER RUN_DIR CALLS_FILE WIDTH DELAY BUDGET PROGRAM

BUDGET is a number of calls, 0 for no cap; PROGRAM is ``plain`` or ``checked``. The model answers
after DELAY seconds and writes a line to CALLS_FILE for every request that reaches it: ``asked
KEY`` when it comes in, ``done KEY`` when it is answered. The last line on standard output is the
digest of the artifact.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import langprog as lp
from langprog.lm import Completion, LanguageModel, Request, Sampling
from tests.optimizers.checked import Checked, answers_again
from tests.optimizers.members import MEMBERS
from tests.optimizers.simulated import all_right, answers, tickets, two_modules

PROGRAMS: Mapping[str, Any] = MappingProxyType(
    {"plain": (two_modules, answers), "checked": (Checked, answers_again)}
)


class Counted:
    """A model that writes down every request that reaches it."""

    name = "scripted/counted"
    endpoint = "nowhere"
    defaults = Sampling()

    def __init__(self, inner: LanguageModel, path: str, delay: float) -> None:
        self._inner = inner
        self._delay = delay
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def complete(self, request: Request) -> Completion:
        text = repr((request.messages, request.sampling))
        key = hashlib.sha256(text.encode()).hexdigest()
        os.write(self._fd, f"asked {key}\n".encode())
        await asyncio.sleep(self._delay)
        completion = await self._inner.complete(request)
        os.write(self._fd, f"done {key}\n".encode())
        return completion

    async def aclose(self) -> None:
        await self._inner.aclose()


def main(
    member: str,
    run_dir: str,
    calls: str,
    width: str,
    delay: str,
    cap: str,
    program: str = "plain",
) -> str:
    """Compile, save and return the digest of the artifact."""
    make, script = PROGRAMS[program]
    model = Counted(lp.ScriptedLM(script()), calls, float(delay))
    optimizer = MEMBERS[member](concurrency=int(width))
    with lp.using(lm=model):
        compiled = optimizer.compile(
            make(),
            tickets(48),
            metric=all_right,
            run_dir=run_dir,
            seed=5,
            budget=lp.Budget(calls=int(cap) or None),
        )
    return compiled.save(Path(run_dir) / "artifact.json")


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]) + "\n")
