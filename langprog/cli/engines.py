"""The options that say where programs run."""

from __future__ import annotations

from collections.abc import Sequence

from langprog.engines import Engine, engine_named
from langprog.errors import InputError

WORKERS_HELP = "With --engine ray: processes (one for each CPU)."


def engine_of(engine: str, workers: int | None, known: Sequence[str] = ("local", "ray")) -> Engine:
    """Return the engine that ``--engine`` and ``--workers`` name.

    Args:
        engine: The name; one that is none of this module's runs programs in this process.
        workers: Processes of ``ray``.
        known: The names that the command takes.

    Raises:
        InputError: There is no such engine, or it has no workers, or Ray is not installed.
    """
    if engine not in known:
        *others, last = known
        raise InputError(f"--engine {engine!r}: write {', '.join(others)} or {last}")
    if workers is not None and engine != "ray":
        raise InputError("--workers needs --engine ray")
    return engine_named(engine if engine == "ray" else "local", workers)
