"""Work on workers: who does what, and every model call as if it were made here.

A worker that calls a model asks the driver, which calls its own model object in the context of
whoever waits for the work: journal, cache, retries, dialect, throttle and budgets are those of a
local run, and identical calls of several workers are one. Only the last step differs: what would
have been an HTTP request of this process is leased to the worker.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from typing import Any, TypeVar

from langprog.engines.base import Engine, Work
from langprog.engines.links import Launch, Link, Task, WorkerLink, WorkerLost
from langprog.engines.messages import Answer, Ask, Done, Made, Notice, Start, Stop, Withdraw
from langprog.engines.models import ModelTable, named_models, travels
from langprog.engines.shipping import pack_error, pack_shared, unpack
from langprog.engines.worker import bare
from langprog.errors import LangprogError, ParseError, TransportError
from langprog.lm import Completion, LanguageModel, Request, Sampling
from langprog.runtime import Settings, ask, current, give_notice, use_settings, wait_on

T = TypeVar("T")
# Workers that may die during one piece of work, and in a row without any work done.
_DEATHS, _LAUNCHES = 3, 8


class Driver(Engine):
    """Runs work on workers; a subclass starts them.

    Work whose worker dies begins anew on another one, without the model calls that were answered.
    Calls that the dead worker had leases for may be made again; they count as paid in full.
    """

    together = 1

    def __init__(self) -> None:
        self._workers: list[WorkerLink] = []
        self._waiting: list[Task] = []
        self._models = ModelTable()
        self._named: dict[str, LanguageModel] = {}
        self._numbers = itertools.count(1)
        self._packed: dict[int, bytes] = {}
        self._listening: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._launch: Launch | None = None
        self._died = 0
        # Those of the last piece of work, which are mostly those of the next.
        self._packed_settings: tuple[Settings, bytes] | None = None

    def start(self, launch: Launch, links: Sequence[Link]) -> None:
        """Begin with workers.

        Args:
            launch: Starts another one, in place of one that died.
            links: The workers.
        """
        self._loop = asyncio.get_running_loop()
        self._launch = launch
        for link in links:
            self._add(link)

    def _add(self, link: Link) -> None:
        worker = WorkerLink(link)
        self._workers.append(worker)
        task = asyncio.create_task(self._listen(worker))
        self._listening.add(task)
        task.add_done_callback(self._stop_listening)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            self._assign(each)

    async def stop(self) -> None:
        """End all workers."""
        asking = [task for worker in self._workers for task in worker.asks.values()]
        for task in (*self._listening, *asking):
            task.cancel()
        await asyncio.gather(*self._listening, *asking, return_exceptions=True)
        for worker in self._workers:
            worker.alive = False
            worker.link.kill()
        self._workers.clear()

    # --- work -----------------------------------------------------------------------------------

    @contextmanager
    def sharing(self, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Pickle values once, and send them once to each worker that needs them.

        Raises:
            InputError: A value cannot be pickled.
        """
        self._named.update(named_models(values))
        self._packed_settings = None
        packed = {
            next(self._numbers): pack_shared(value, self._models.describe) for value in values
        }
        self._packed.update(packed)
        try:
            yield tuple(packed)
        finally:
            for number in packed:
                del self._packed[number]
                self._in_loop(self._unshare, number)

    def _unshare(self, number: int) -> None:
        for worker in self._workers:
            worker.unshare(number)

    def _in_loop(self, act: Callable[..., object], *args: Any) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(act, *args)

    async def run(self, work: Work[T], shared: tuple[Any, ...], *args: Any) -> T:
        """Return what ``work(*shared, *args)`` returns on a worker.

        Raises:
            LangprogError: Workers keep dying; or what ``work`` raised.
        """
        assert self._loop is not None, "an engine runs work inside its `async with` block"
        if asyncio.get_running_loop() is not self._loop:
            return await wait_on(self._loop, self.run(work, shared, *args))
        data = pack_shared((work, args), self._models.describe)
        number = next(self._numbers)
        settings = self._settings()
        task = Task(number, shared, data, settings, copy_context(), self._loop.create_future())
        self._assign(task)
        try:
            result: T = await task.result
            return result
        finally:
            self._forget(task)

    def _settings(self) -> bytes:
        """Return the settings in force, without what stays here."""
        now = current()
        if self._packed_settings is None or self._packed_settings[0] is not now:
            sent = Settings(
                lm=now.lm,
                adapter=now.adapter,
                sampling=now.sampling,
                models={**self._named, **now.models},
                draw=now.draw,
                logprobs=now.logprobs,
                schemas=dict(now.schemas),
            )
            self._packed_settings = now, pack_shared(sent, self._models.describe)
        return self._packed_settings[1]

    def _assign(self, task: Task) -> None:
        if not self._workers:
            self._waiting.append(task)
            return
        worker = min(self._workers, key=lambda each: len(each.tasks))
        worker.tasks[task.number] = task
        task.worker = worker
        for number in task.shares:
            worker.share(number, self._packed[number])
        worker.say(Start(task.number, task.shares, task.data, task.settings))

    def _forget(self, task: Task) -> None:
        if task in self._waiting:
            self._waiting.remove(task)
        worker = task.worker
        if worker is not None and worker.tasks.pop(task.number, None) is not None:
            worker.say(Stop(task.number))

    # --- workers --------------------------------------------------------------------------------

    async def _listen(self, worker: WorkerLink) -> None:
        try:
            await worker.listen(self._take)
        except WorkerLost:
            await self._replace(worker)

    async def _replace(self, worker: WorkerLink) -> None:
        """Start another worker, and give it what the dead one had."""
        worker.alive = False
        self._workers.remove(worker)
        asking = list(worker.asks.values())
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        worker.lose_calls()  # of other workers' questions
        self._died += 1
        tasks, worker.tasks = list(worker.tasks.values()), {}
        for task in tasks:
            task.begin_anew()
            if task.deaths >= _DEATHS:
                self._fail(task, f"{_DEATHS} workers died during one piece of work")
            elif not task.result.done():
                self._assign(task)
        if tasks:
            _tell(tasks[0], "a Ray worker died: its work begins anew on another one")
        try:
            if self._died > _LAUNCHES:
                raise LangprogError(f"{self._died} workers died one after the other")
            assert self._launch is not None
            self._add(await self._launch())
        except LangprogError as error:
            for task in self._waiting if not self._workers else ():
                self._fail(task, str(error))

    def _stop_listening(self, listening: asyncio.Task[None]) -> None:
        self._listening.discard(listening)
        if not listening.cancelled() and (error := listening.exception()) is not None:
            # A bug; but nobody may wait for ever.
            for worker in self._workers:
                self._waiting += worker.tasks.values()
            for task in self._waiting:
                if not task.result.done():
                    task.result.set_exception(error)

    def _fail(self, task: Task, why: str) -> None:
        if not task.result.done():
            task.result.set_exception(
                LangprogError(f"{why} (out of memory, or a crash in native code?): Ray's logs say")
            )

    def _take(self, worker: WorkerLink, message: Any) -> None:
        match message:
            case Ask():
                task = worker.tasks.get(message.task)
                if task is not None:
                    # A copy: what one call sets must not show in others.
                    answering = asyncio.get_running_loop().create_task(
                        self._answer(worker, task, message), context=task.context.copy()
                    )
                    worker.asks[message.ask] = answering
            case Withdraw(number):
                if number in worker.asks:
                    worker.asks[number].cancel()
            case Made():
                worker.hear(message)
            case Notice(number, text):
                if number in worker.tasks:
                    _tell(worker.tasks[number], text)
            case Done():
                self._end(worker, message)

    def _end(self, worker: WorkerLink, done: Done) -> None:
        task = worker.tasks.pop(done.task, None)
        if task is None or task.result.done():
            return
        self._died = 0
        if done.error is not None:
            task.result.set_exception(unpack(done.error, self._models.find))
        else:
            assert done.result is not None
            task.result.set_result(unpack(done.result, self._models.find))

    # --- calls of models ------------------------------------------------------------------------

    async def _answer(self, worker: WorkerLink, task: Task, asked: Ask) -> None:
        try:
            completion = task.replay(asked.model, asked.request)
            if completion is None:
                call = _LeasedCall(self._workers, worker, asked)
                request = replace(asked.request, accept=call.accept, sender=call.send)
                # The worker has applied these already.
                settings = replace(current(), sampling=Sampling(), draw=None, logprobs=False)
                with use_settings(settings):
                    completion = await ask(self._models.ref(asked.model), request)
            task.answered.append((asked.model, asked.request, completion))
            worker.say(Answer(asked.ask, completion))
        except Exception as error:  # noqa: BLE001 - raised where the program calls the model
            worker.say(Answer(asked.ask, None, pack_error(error, self._models.describe)))
        finally:
            del worker.asks[asked.ask]


def _tell(task: Task, text: str) -> None:
    """Give the caller of a piece of work a notice, which may be an error there."""
    try:
        task.context.copy().run(give_notice, text)
    except Warning as error:
        if not task.result.done():
            task.result.set_exception(error)


class _LeasedCall:
    """The call that a worker asked for, once nothing here answers it.

    Args:
        workers: Those that are alive.
        worker: The one that asked.
        asked: What it asked.
    """

    def __init__(self, workers: list[WorkerLink], worker: WorkerLink, asked: Ask) -> None:
        self._workers, self._worker, self._asked = workers, worker, asked
        self._usable = True

    def accept(self, completion: Completion) -> None:
        """Refuse a completion that the program cannot read.

        Raises:
            ParseError: It cannot.
        """
        if not self._usable:
            raise ParseError("the program cannot read the reply", text=completion.text)

    async def send(self, client: LanguageModel, request: Request) -> Completion:
        """Have a worker make the call: the one that asked, or any other once that one is dead.

        Raises:
            TransportError: The worker died during the call.
            LMError: The model gave no usable completion.
        """
        if not travels(client):
            return await client.complete(request)
        worker = self._worker if self._worker.alive else next(iter(self._workers), None)
        if worker is None:
            raise TransportError(
                "no worker is left to make a call", model=client.name, charge="nothing"
            )
        own = worker is self._worker
        sent = bare(request)
        if own and request.messages == self._asked.request.messages:
            sent = replace(sent, messages=())
        try:
            made = await worker.make(client, sent, self._asked.ask if own else None)
        except WorkerLost:
            raise TransportError(
                f"{client.name}: the worker that made the call has died",
                model=client.name,
                charge="everything",
            ) from None
        if made.error is not None:
            error: BaseException = unpack(made.error)
            raise error
        assert made.completion is not None
        self._usable = made.usable
        return made.completion
