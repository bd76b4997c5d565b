"""Engines by name."""

from __future__ import annotations

from typing import Any

from langprog.engines.base import Engine, LocalEngine
from langprog.engines.ray_engine import RayEngine
from langprog.errors import InputError


def engine_named(engine: Any, workers: int | None = None) -> Engine:
    """Return an engine: ``local``, ``ray``, or an engine itself.

    Args:
        engine: The engine or its name.
        workers: Processes of ``ray``; ``None`` for one for each CPU.

    Raises:
        InputError: There is no such engine, or it cannot be used here.
    """
    if isinstance(engine, Engine):
        return engine
    if engine == "ray":
        return RayEngine(workers=workers)
    if engine == "local":
        return LocalEngine()
    raise InputError(
        f"engine={engine!r:.60}: pass 'local', 'ray' or an engine, lp.RayEngine(workers=8)"
    )
