"""Engines: where a program's work runs, in this process or on Ray workers.

- ``base``: :class:`Engine`, one verb for all; :class:`LocalEngine`. ``choosing``: engines by name.
- ``ray_engine``: :class:`RayEngine`, which starts Ray, or joins a cluster.
- ``driver``: work on workers, and every policy about their model calls; ``links``: what a driver
  knows about one worker; ``models``: how it describes models to them.
- ``worker``: what runs in a worker. ``shipping``: how values travel; ``messages``: what is said.

A worker runs the program, the metric and the HTTP requests. Everything that is shared stays with
the driver: budget, journal, cache, throttle, retries, dialects. For each model call a worker asks
the driver. It answers from the journal or the cache, or reserves the most that the call can cost
and leases the call to the worker, which makes it and returns the completion. So a killed worker
loses nothing but the calls that it had leases for, and these stay reserved.
"""

from langprog.engines.base import Engine, LocalEngine
from langprog.engines.choosing import engine_named
from langprog.engines.ray_engine import RayEngine

__all__ = ["Engine", "LocalEngine", "RayEngine", "engine_named"]
