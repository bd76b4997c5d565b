"""The engine that runs work on Ray workers: of this machine, or of a cluster."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from langprog.engines.driver import Driver
from langprog.engines.links import WorkerLost
from langprog.engines.worker import Worker
from langprog.errors import InputError, LangprogError
from langprog.knobs import check_argument, takes_whole
from langprog.runtime import give_notice

# Messages that a worker takes at the same time, of which each takes a moment.
_AT_ONCE = 10_000
# Seconds that Ray may take to start a worker.
_START = 120.0
# Ray gives each of its own processes half a minute, which a busy machine may exceed: how often it
# is started, and the seconds for the one whose limit can be set.
_ATTEMPTS, _PATIENCE = 3, 120


class _NotStarted(Exception):
    def __init__(self, why: str, *, timed_out: bool) -> None:
        super().__init__(why)
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class _RayLink:
    ray: Any
    actor: Any

    def tell(self, number: int, data: bytes) -> None:
        self.actor.tell.remote(number, data)

    async def poll(self) -> bytes:
        try:
            data: bytes = await self.actor.poll.remote()
        except self.ray.exceptions.RayError as error:
            raise WorkerLost(str(error)) from None
        return data

    def kill(self) -> None:
        self.ray.kill(self.actor)


def _interrupt(number: int, frame: object) -> None:
    """End as after Ctrl-C: work is cancelled, and Ray's processes end."""
    raise KeyboardInterrupt


class RayEngine(Driver):
    """Runs programs, metrics and model calls on Ray workers.

    It joins the cluster at ``address``, else the one that ``RAY_ADDRESS`` names or that this
    process is connected to. Without any of them it starts Ray on this machine, and ends it.
    Several compiles share its workers inside ``async with``.

    Args:
        workers: Processes to use; by default one for each CPU of the cluster.
        address: The address of a cluster, such as ``auto`` on one of its machines.

    Raises:
        InputError: Ray is not installed, or the number of workers is out of range.
    """

    def __init__(self, *, workers: int | None = None, address: str | None = None) -> None:
        super().__init__()
        check_argument("RayEngine", "workers", workers, takes_whole(1, 100_000), optional=True)
        self._count, self._address = workers, address
        # Else Ray reports to its makers.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", str(_PATIENCE))
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError:
            raise InputError("the engine 'ray' needs Ray: pip install 'langprog[ray]'") from None
        self._own = False
        self._entered = 0

    async def __aenter__(self) -> Self:
        """Connect to Ray, or start it, and start the workers.

        Raises:
            InputError: The cluster cannot be reached, or starts no worker.
        """
        self._entered += 1
        if self._entered > 1:
            return self
        try:
            self._connect()
            self.start(self._launch_worker, await self._launch_all())
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        """End the workers, and Ray if it was started here."""
        self._entered -= 1
        if self._entered:
            return
        await self.stop()
        if self._own:
            self._own = False
            self._ray.shutdown()
            self._handle_termination(self._terminated)

    def _connect(self) -> None:
        # On this thread, which blocks for some seconds: Ray's processes end with the thread that
        # started them.
        address = self._address or os.environ.get("RAY_ADDRESS")
        if self._ray.is_initialized():
            return
        self._terminated = signal.getsignal(signal.SIGTERM)
        where = f"the Ray cluster at {address}" if address else "Ray on this machine"
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._init(address)
            except _NotStarted as error:
                if address or not error.timed_out or attempt == _ATTEMPTS:
                    tried = f", also when started {attempt} times" if attempt > 1 else ""
                    raise InputError(f"{where} cannot be used{tried}: {error}") from error
                give_notice(
                    "Ray did not start within its own time limit, as the machine is busy: it is "
                    f"started again ({attempt + 1} of {_ATTEMPTS})"
                )
            else:
                break
        self._own = True
        # Ray prints the deaths of workers to standard output, which may be JSON. The driver says
        # what they mean.
        with suppress(ImportError):
            vars(importlib.import_module("ray._private.worker"))["_worker_logs_enabled"] = False
        if self._terminated is signal.SIG_DFL:
            self._handle_termination(_interrupt)  # or Ray's own handler prints its stack

    def _init(self, address: str | None) -> None:
        """Join the cluster at an address, or start Ray.

        Raises:
            _NotStarted: That failed.
        """
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if address:
                self._ray.init(address, **quiet)
            else:
                self._ray.init("local", num_cpus=self._count, include_dashboard=False, **quiet)
        except Exception as error:  # Ray raises all kinds, also bare ones
            self._ray.shutdown()
            late = isinstance(error, TimeoutError) or "timed out" in str(error).lower()
            raise _NotStarted(str(error), timed_out=late) from error

    @staticmethod
    def _handle_termination(handler: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)

    async def _launch_all(self) -> list[_RayLink]:
        cpus = int(self._ray.cluster_resources().get("CPU", 1))
        count = self._count or max(1, cpus)
        launches = [self._launch_worker() for _ in range(count)]
        launched = await asyncio.gather(*launches, return_exceptions=True)
        links = [link for link in launched if isinstance(link, _RayLink)]
        errors = [error for error in launched if isinstance(error, BaseException)]
        if not links:
            raise errors[0]
        if errors:
            give_notice(f"Ray started {len(links)} of {count} workers ({errors[0]})")
        return links

    async def _launch_worker(self) -> _RayLink:
        """Start a worker.

        Raises:
            InputError: Ray does not.
        """
        ray = self._ray
        kind = ray.remote(num_cpus=1, max_restarts=0, max_concurrency=_AT_ONCE)(Worker)
        actor = kind.remote()
        try:
            async with asyncio.timeout(_START):
                await actor.ready.remote()
        except TimeoutError:
            ray.kill(actor)
            raise InputError(
                f"Ray started no worker in {_START:g} s: the cluster has "
                f"{ray.cluster_resources().get('CPU', 0):g} CPUs, of which "
                f"{ray.available_resources().get('CPU', 0):g} are free"
            ) from None
        except ray.exceptions.RayError as error:
            raise LangprogError(f"a Ray worker did not start: {error}") from None
        return _RayLink(ray, actor)
