"""What runs in a worker: pieces of work, and the calls that the driver leases to it."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace
from typing import Any

from langprog.engines.messages import (
    Answer,
    Ask,
    Client,
    Done,
    Lease,
    Made,
    ModelId,
    Notice,
    Revoke,
    Share,
    Start,
    Stop,
    ToDriver,
    ToWorker,
    Withdraw,
)
from langprog.engines.shipping import pack, pack_error, pack_messages, unpack
from langprog.lm import (
    Capabilities,
    Completion,
    Declared,
    LanguageModel,
    Request,
    Sampling,
    layers_of,
)
from langprog.runtime import Settings, current, use_settings, wait_on

# Seconds between two messages to the same process.
PAUSE = 0.02
# A model as the driver describes it: its number, name, endpoint, defaults and capabilities.
Described = tuple[ModelId, str, str, Sampling, Capabilities]


class RemoteModel:
    """A model whose calls are the driver's to grant.

    Args:
        described: What the driver says about it.
        worker: The worker that calls it.
        task: The piece of work that calls it; ``None`` to take it from the settings in force.
    """

    def __init__(self, described: Described, worker: Worker, task: int | None = None) -> None:
        self.described = described
        self.model, self.name, self.endpoint, self.defaults, self.capabilities = described
        self._worker, self._task = worker, task

    def of(self, task: int) -> RemoteModel:
        """Return the model as a piece of work calls it."""
        return RemoteModel(self.described, self._worker, task)

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``: from the driver's journal or cache, or by a call of this worker.

        Raises:
            LMError: The model gave no usable completion.
            BudgetExceeded: The driver's budget does not cover the call.
        """
        task = self._task
        if task is None:
            models = current().wrap
            assert isinstance(models, _ModelsOfTask), "a model is called by a piece of work"
            task = models.task
        return await self._worker.ask(task, self.model, request)

    async def aclose(self) -> None:
        """Do nothing: the worker keeps its clients."""


class _ModelsOfTask:
    """Wraps models for one piece of work."""

    def __init__(self, worker: Worker, task: int) -> None:
        self._worker, self.task = worker, task

    def __call__(self, model: LanguageModel) -> LanguageModel:
        for layer in layers_of(model):
            if isinstance(layer, RemoteModel):
                return layer.of(self.task)
        # It was made here, from its name alone. The driver has one of that name, too.
        described = (model.name, model.name, model.endpoint, model.defaults, Capabilities())
        return RemoteModel(described, self._worker, self.task)


class Worker:
    """Runs pieces of work; one in each worker process.

    The driver calls :meth:`tell` with numbered messages, and has one call of :meth:`poll` waiting
    at all times, which returns what the worker has to say.
    """

    def __init__(self) -> None:
        self._expected = 0
        self._polled = 0.0
        self._last_settings: tuple[bytes, Settings] | None = None
        self._early: dict[int, bytes] = {}
        self._outbox: list[ToDriver] = []
        self._told: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._packed: dict[int, bytes] = {}
        self._shares: dict[int, Any] = {}
        self._clients: dict[int, LanguageModel] = {}
        self._running: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._asks: dict[int, tuple[Request, asyncio.Future[Completion]]] = {}
        self._numbers = itertools.count(1)
        self._models: dict[ModelId, LanguageModel] = {}

    # --- messages -------------------------------------------------------------------------------

    async def tell(self, number: int, data: bytes) -> None:
        """Take messages; calls may overtake each other, so they are numbered."""
        self._loop = asyncio.get_running_loop()
        self._early[number] = data
        while self._expected in self._early:
            messages: list[ToWorker] = unpack(self._early.pop(self._expected))
            self._expected += 1
            for message in messages:
                self._take(message)

    async def ready(self) -> None:
        """Return once the process has started."""

    async def poll(self) -> bytes:
        """Return messages to the driver as soon as there are any."""
        if self._told is None:
            self._told = asyncio.Event()
        while not self._outbox:
            self._told.clear()
            await self._told.wait()
        # What comes within moments of the last message goes together: each has its price.
        early = self._polled + PAUSE - time.monotonic()
        if early > 0:
            await asyncio.sleep(early)
        self._polled = time.monotonic()
        said, self._outbox = self._outbox, []
        return pack_messages(said)

    def _say(self, message: ToDriver) -> None:
        self._outbox.append(message)
        if self._told is not None:
            self._told.set()

    def _take(self, message: ToWorker) -> None:
        match message:
            case Share(share, None):
                self._packed.pop(share, None)
                self._shares.pop(share, None)
            case Share(share, data):
                assert data is not None
                self._packed[share] = data
            case Client(client, data):
                self._clients[client] = unpack(data)
            case Start():
                self._begin(("task", message.task), self._run(message))
            case Stop(task):
                self._end(("task", task))
            case Lease():
                self._begin(("call", message.call), self._call(message))
            case Revoke(call):
                self._end(("call", call))
            case Answer():
                self._hear(message)

    def _begin(self, name: tuple[str, int], work: Any) -> None:
        task = asyncio.create_task(work)
        self._running[name] = task
        task.add_done_callback(lambda _: self._running.pop(name, None))

    def _end(self, name: tuple[str, int]) -> None:
        task = self._running.get(name)
        if task is not None:
            task.cancel()

    # --- work -----------------------------------------------------------------------------------

    async def _run(self, start: Start) -> None:
        task = start.task

        def notice(text: str) -> None:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._say, Notice(task, text))

        try:
            work, args = unpack(start.data, self._remote)
            settings = self._settings(start.settings)
            shared = [self._shared(number) for number in start.shares]
            models = _ModelsOfTask(self, task)
            with use_settings(replace(settings, wrap=models, notice=notice)):
                result = await work(*shared, *args)
            self._say(Done(task, pack(result, _describe)))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again by the driver
            self._say(Done(task, None, pack_error(error, _describe)))

    def _settings(self, data: bytes) -> Settings:
        if self._last_settings is None or self._last_settings[0] != data:
            self._last_settings = data, unpack(data, self._remote)
        return self._last_settings[1]

    def _shared(self, number: int) -> Any:
        # Unpacked once: what a program keeps in itself, it keeps for all its work in a worker.
        if number not in self._shares:
            self._shares[number] = unpack(self._packed[number], self._remote)
        return self._shares[number]

    # --- models ---------------------------------------------------------------------------------

    def _remote(self, described: Described) -> LanguageModel:
        known = self._models.get(described[0])
        if known is None:
            remote = RemoteModel(described, self)
            known = self._models[described[0]] = Declared(remote, remote.capabilities)
        return known

    async def ask(self, task: int, model: ModelId, request: Request) -> Completion:
        """Return what the driver answers to a piece of work that calls a model."""
        assert self._loop is not None
        if asyncio.get_running_loop() is not self._loop:  # a synchronous part of a program
            return await wait_on(self._loop, self.ask(task, model, request))
        number = next(self._numbers)
        answer: asyncio.Future[Completion] = self._loop.create_future()
        self._asks[number] = request, answer
        self._say(Ask(number, task, model, bare(request)))
        try:
            return await answer
        except asyncio.CancelledError:
            self._say(Withdraw(number))
            raise
        finally:
            del self._asks[number]

    def _hear(self, answer: Answer) -> None:
        asked = self._asks.get(answer.ask)
        if asked is None or asked[1].done():
            return
        if answer.error is not None:
            asked[1].set_exception(unpack(answer.error, self._remote))
        else:
            assert answer.completion is not None
            asked[1].set_result(answer.completion)

    async def _call(self, lease: Lease) -> None:
        asked = None if lease.ask is None else self._asks.get(lease.ask)
        request = lease.request
        try:
            if asked is not None and not request.messages:
                request = replace(request, messages=asked[0].messages)
            completion = await self._clients[lease.client].complete(request)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again by the driver
            self._say(Made(lease.call, None, error=pack_error(error)))
            return
        self._say(Made(lease.call, completion, asked is not None and asked[0].accepts(completion)))


def bare(request: Request) -> Request:
    """Return a request without what does not travel: its payers and its callbacks."""
    return replace(request, ledgers=(), accept=None, sender=None)


def _describe(model: LanguageModel) -> Described:
    remote = next(layer for layer in layers_of(model) if isinstance(layer, RemoteModel))
    return remote.described
