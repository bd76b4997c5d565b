"""Collects the requests of all rows, sends them in waves, and hands the replies to the rows."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterable
from contextlib import aclosing, suppress
from typing import Any

from langprog.batch.provider.carrying import BatchesStopped, Carrier, OnStatus
from langprog.batch.provider.options import ProviderBatches
from langprog.batch.provider.queues import Call, Part, Queue, Reply, parts_of
from langprog.batch.provider.replies import UNANSWERED, answers_in, is_too_much, unanswered_error
from langprog.batch.provider.state import BatchState, SentBatch
from langprog.errors import AuthError, LMError, ModelError
from langprog.lm import (
    BatchAPI,
    BatchReply,
    Cost,
    Ledger,
    OpenAICompatible,
    Price,
    ProviderBatch,
    Request,
    Setting,
)

# Answers that are stored, and handed over, together, and characters of them.
_TOGETHER, _SIZE = 500, 4 * 2**20
# Turns of the event loop in which a row that can go on surely makes its next call.
_TURNS = 50
# Seconds between looks at what takes moments.
_BRIEFLY = 0.02


class Waves:
    """Collects and sends requests; lives in one event loop, and is called from any.

    Args:
        options: How batches are sent.
        state: What was sent before, and is now.
        ledger: The ledger of the run; what earlier processes paid is counted in it.
        on_status: Called with how far each batch is.
        say: Tells the user something that is not an error.
        retry_refused: Whether replies that could not be read are asked for again.
    """

    def __init__(
        self,
        options: ProviderBatches,
        state: BatchState,
        ledger: Ledger,
        *,
        on_status: OnStatus | None = None,
        say: Callable[[str], None] = lambda text: None,
        retry_refused: bool = False,
    ) -> None:
        self.options, self._state, self._ledger = options, state, ledger
        self._on_status, self._say = on_status, say
        self.retry_refused = retry_refused
        self._loop = asyncio.get_running_loop()
        self._queues: dict[str, Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop: asyncio.Future[str] = self._loop.create_future()
        self._activity = 0
        self._said_part = False
        ledger.note_paid(state.paid())
        if retry_refused:
            state.forget_refusals()

    def open(self, client: OpenAICompatible, price: Price | None) -> Queue:
        """Return the queue of a model, and continue the batches of earlier processes.

        Raises:
            ModelError: Another model differs from it only in its key or its headers.
        """
        name = f"{client.endpoint} {client.name}"
        known = self._queues.get(name)
        if known is not None and not known.client.has_credentials_of(client):
            raise ModelError(
                f"the program has two models {client.name} at {client.endpoint} with different "
                "keys or headers, which batches do not tell apart: name one of them differently"
            )
        if known is None:
            api = BatchAPI(client)
            carrier = Carrier(client.name, api, self._state, self.options, self._on_status)
            queue = Queue(client, price, carrier, self.options.requests_per_file)
            self._queues[name] = queue
            self._loop.call_soon_threadsafe(self._start, self._go_on(queue))
        return self._queues[name]

    async def ask(self, queue: Queue, request: Request, most: Cost) -> Reply:
        """Return the reply to a request, once the batch that it is in has been answered.

        Args:
            queue: The model's.
            request: The request as it is to be sent.
            most: The most that it can cost.

        Raises:
            LMError: It was not answered.
        """
        work = self._ask(queue, request, most)
        if asyncio.get_running_loop() is self._loop:
            return await work
        # Synchronous code of a program calls from the loop of another thread.
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _ask(self, queue: Queue, request: Request, most: Cost) -> Reply:
        await queue.ready.wait()
        key = queue.key_of(request, self.options.bytes_per_file)
        known = self._state.answer(queue.name, key)
        if known is not None:
            return Reply(*known, replayed=True)
        call = queue.calls.get(key)
        if call is None:
            future: asyncio.Future[Reply] = self._loop.create_future()
            sent = self._state.is_sent(queue.name, key)
            call = queue.calls[key] = Call(key, request, most, future, sent=sent)
            if not sent:
                queue.waiting[key] = call
        self._activity += 1
        queue.changed.set()
        call.waiters += 1
        try:
            return await asyncio.shield(call.future)
        finally:
            call.waiters -= 1
            if not call.waiters and not call.sent and not call.future.done():
                del queue.calls[key]
                queue.waiting.pop(key, None)

    def spoil(self, queue: Queue, request: Request) -> None:
        """Ask a request again next time: its reply cannot be used."""
        self._state.spoil(queue.name, queue.key_of(request, self.options.bytes_per_file))

    def refused_by(self, queue: Queue) -> set[Setting]:
        """Return the settings that a model's endpoint was found to reject."""
        return self._state.refused(queue.name)

    def note_refused(self, queue: Queue, settings: Iterable[str]) -> None:
        """Remember the settings that a model's endpoint rejects."""
        self._state.set_refused(queue.name, settings)

    async def stopped(self) -> str:
        """Return why nothing more can be sent, once all rows have used what was answered.

        Raises:
            AuthError: The endpoint does not accept the key.
        """
        reason = await asyncio.shield(self._stop)
        await self._settle_down()
        return reason

    def stop(self, reason: str | AuthError) -> None:
        """Send nothing more."""
        if self._stop.done():
            return
        if isinstance(reason, str):
            self._stop.set_result(reason)
        else:
            self._stop.set_exception(reason)

    def note_activity(self) -> None:
        """Note that a row has gone on."""
        self._activity += 1

    async def _settle_down(self) -> None:
        before = -1
        while before != self._activity:
            before = self._activity
            await asyncio.sleep(self.options.gather)

    async def close(self) -> None:
        """Stop waiting; batches at the provider go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._stop.done() and not self._stop.cancelled():
            self._stop.exception()  # or asyncio logs that it was never retrieved

    async def give_up_rest(self) -> None:
        """Cancel batches that nobody needs any more: all rows are written."""
        self.stop("")
        while any(queue.busy for queue in self._queues.values()):
            await asyncio.sleep(_BRIEFLY)
        for sent in self._state.unfinished():
            queue = self._queues.get(sent.model)
            if queue is None and sent.batch:
                self._say(f"nothing was collected from the batch {sent.batch} of {sent.model}")
            elif queue is not None and sent.batch:
                with suppress(LMError):
                    await queue.carrier.cancel(sent, tries=1)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = self._loop.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._stop.done():
            self._stop.set_exception(error)  # the disk is full, say

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except BatchesStopped as reason:
            self.stop(str(reason))
        except AuthError as error:
            self.stop(error)
        except LMError as error:
            self.stop(str(error))

    # --- sending ---------------------------------------------------------------------------------

    async def _go_on(self, queue: Queue) -> None:
        """Continue what earlier processes sent, then send what comes."""
        for sent in self._state.unfinished():
            if sent.model != queue.name:
                continue
            there = await queue.carrier.recover(sent)
            if there is None:
                self._state.drop(sent.tag)
            else:
                queue.earlier += 1
                self._start(self._collect(queue, there, earlier=True))
        queue.ready.set()
        while True:
            await queue.changed.wait()
            await self._gather(queue)
            if not self._stop.done() and self._may_send(queue) and queue.waiting:
                self._send_waiting(queue)

    async def _gather(self, queue: Queue) -> None:
        """Wait until no more requests come, or a batch is full."""
        while True:
            queue.changed.clear()
            before = self._activity
            with suppress(asyncio.TimeoutError):
                if len(queue.waiting) >= queue.most_requests:
                    return
                await asyncio.wait_for(queue.changed.wait(), self.options.gather)
            # Rows that can go on do so first, however slow this machine is.
            turns = 0
            while self._activity == before and turns < _TURNS:
                await asyncio.sleep(0)
                turns += 1
            if self._activity == before:
                return

    def _may_send(self, queue: Queue) -> bool:
        # What earlier processes sent is reserved only where a row asks for it, so that more could
        # exceed a cap.
        budget = self._ledger.budget
        capped = (budget.calls, budget.tokens, budget.dollars) != (None, None, None)
        return not (capped and any(other.earlier for other in self._queues.values()))

    def _send_waiting(self, queue: Queue) -> None:
        calls = list(queue.waiting.values())
        queue.waiting.clear()
        for call in calls:
            call.sent = True
        if self._ledger.waits and not self._said_part:
            self._said_part = True
            self._say(
                f"the budget covers {len(calls):,} requests at a time, reserved at the most that "
                "each can cost: they are sent now, and others wait for what they leave over "
                "(lower max_tokens or raise the budget to send more at a time)"
            )
        for part in parts_of(queue, calls, self.options):
            queue.busy += 1
            self._start(self._carry(queue, part))

    async def _carry(self, queue: Queue, part: Part) -> None:
        try:
            with part.content:
                part.content.flush()
                tag = f"langprog-{uuid.uuid4().hex[:24]}"
                costs = {call.key: call.most for call in part.calls}
                planned = self._state.plan(tag, queue.name, costs)
                sent = await queue.carrier.send(planned, part.content)
        finally:
            queue.busy -= 1
        # A task of its own, because this one holds all requests, and their replies as they come.
        self._start(self._collect(queue, sent))

    # --- receiving -------------------------------------------------------------------------------

    async def _collect(self, queue: Queue, sent: SentBatch, *, earlier: bool = False) -> None:
        batch = await queue.carrier.wait(sent)
        if batch.status == "failed":
            self._send_again(queue, sent, batch)
        else:
            queue.busy += 1
            unreadable = await self._receive(queue, sent, batch)
            queue.busy -= 1
            if batch.status == "cancelled":
                self._end_cancelled(queue, sent, batch, earlier=earlier)
            else:
                self._settle(queue, sent, batch, unreadable)
        if earlier:
            queue.earlier -= 1
            for other in self._queues.values():
                other.changed.set()

    async def _receive(self, queue: Queue, sent: SentBatch, batch: ProviderBatch) -> int:
        """Store and hand over the replies of a batch; return how many lines say nothing."""
        unreadable = 0
        pending: list[BatchReply] = []
        size = 0
        async with aclosing(queue.carrier.replies(sent, batch)) as replies:
            async for reply in replies:
                if reply is None:
                    unreadable += 1
                elif reply.code not in UNANSWERED:
                    pending.append(reply)
                    size += len(reply.body)
                if len(pending) >= _TOGETHER or size >= _SIZE:
                    self._hand_over(queue, sent, pending)
                    pending, size = [], 0
                    for _ in range(_TURNS):  # rows use it before more is read
                        await asyncio.sleep(0)
        self._hand_over(queue, sent, pending)
        return unreadable

    def _hand_over(self, queue: Queue, sent: SentBatch, replies: list[BatchReply]) -> None:
        answers, errors = answers_in(queue, replies)
        for answer in self._state.keep(sent, answers):
            call = queue.calls.pop(answer.key, None)
            if call is None:
                # Sent by an earlier process; its row asks later, and gets it from the state.
                self._ledger.note_paid(answer.cost)
            elif answer.final:
                call.future.set_result(Reply(answer.status, answer.body))
            elif call.waiters:
                call.future.set_exception(errors[answer.key])
            self._activity += 1

    def _settle(
        self, queue: Queue, sent: SentBatch, batch: ProviderBatch, unreadable: int
    ) -> None:
        """Close a batch whose replies are all here; what has no reply is asked again."""
        left = self._state.unanswered(sent.tag)
        self._state.finish(sent.tag)
        for key in left:
            call = queue.calls.pop(key, None)
            if call is not None:
                self._fail(queue, call, unanswered_error(queue, batch, unreadable))

    def _end_cancelled(
        self, queue: Queue, sent: SentBatch, batch: ProviderBatch, *, earlier: bool
    ) -> None:
        left = self._state.unanswered(sent.tag)
        self._state.finish(sent.tag)
        if earlier:  # the same command was given after it
            self._requeue(queue, left)
            return
        self.stop(
            f"the batch {batch.id} was cancelled with {len(left):,} of {sent.requests:,} requests "
            "unanswered"
        )

    def _fail(self, queue: Queue, call: Call, error: LMError) -> None:
        queue.calls.pop(call.key, None)
        if call.waiters and not call.future.done():
            call.future.set_exception(error)
        self._activity += 1

    def _send_again(self, queue: Queue, sent: SentBatch, batch: ProviderBatch) -> None:
        """Send the requests of a batch again that the provider did not begin.

        Raises:
            BatchesStopped: It would not help.
        """
        keys = self._state.unanswered(sent.tag)
        self._state.drop(sent.tag)
        if not is_too_much(batch) or len(keys) < 2:
            raise BatchesStopped(
                f"the endpoint refuses the batch {batch.id}: {batch.problem or 'it says nothing'}"
            )
        queue.most_requests = max(1, len(keys) // 2)
        self._say(
            f"{queue.client.name}: too much is waiting at the provider ({batch.problem}): batches "
            f"have {queue.most_requests:,} requests from now on"
        )
        self._requeue(queue, keys)

    def _requeue(self, queue: Queue, keys: list[str]) -> None:
        for key in keys:
            call = queue.calls.get(key)
            if call is not None and call.waiters:
                call.sent = False
                queue.waiting[key] = call
            else:
                queue.calls.pop(key, None)
        self._activity += 1
        queue.changed.set()
