"""One batch: uploaded, created, waited for, and its replies read."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, TypeVar

from langprog.batch.provider.options import ProviderBatches
from langprog.batch.provider.state import BatchState, SentBatch
from langprog.errors import BadRequestError, LMError, TransportError
from langprog.lm import BatchAPI, BatchReply, ProviderBatch, is_missing, read_reply

T = TypeVar("T")
# How often a step is tried, and how often in a row the endpoint may fail to say how a batch is.
_TRIES, _POLLS = 8, 50
# Seconds of the longest pause between tries, unless the endpoint asks for a longer one, and of the
# longest that it may ask for.
_LONGEST_PAUSE, _LONGEST_ASKED = 60.0, 3600.0
# Seconds after which a list is read again that may not have the newest batch yet.
_SECOND_LOOK = 5.0


class BatchesStopped(Exception):
    """Nothing more can be sent; the message is for users."""


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How far a batch is.

    Args:
        batch: Its id.
        model: The model's name.
        status: Its status, as the provider calls it.
        completed: Requests that were answered.
        failed: Requests that failed.
        requests: Requests altogether.
        sent: When it was sent, in seconds since 1970.
    """

    batch: str
    model: str
    status: str
    completed: int
    failed: int
    requests: int
    sent: float

    def __str__(self) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        clock = time.strftime("%H:%M", time.localtime(self.sent))
        minutes = max(0, round((time.time() - self.sent) / 60))
        return (
            f"{self.batch} {self.status}: {self.completed:,} of {self.requests:,} requests "
            f"done{failed}, sent at {clock} ({minutes} min ago)"
        )


OnStatus = Callable[[BatchStatus], None]


class Carrier:
    """Carries the batches of one model, each step recorded.

    Args:
        name: The model's name.
        api: The endpoint's batch API.
        state: Where each step is recorded.
        options: How batches are sent.
        on_status: Called whenever the endpoint says how far a batch is.
    """

    def __init__(
        self,
        name: str,
        api: BatchAPI,
        state: BatchState,
        options: ProviderBatches,
        on_status: OnStatus | None,
    ) -> None:
        self._name, self._api, self._state = name, api, state
        self._options, self._on_status = options, on_status

    async def send(self, sent: SentBatch, content: IO[bytes]) -> SentBatch:
        """Upload a planned file and create its batch.

        Args:
            sent: The batch as it was planned.
            content: Its requests.

        Raises:
            BatchesStopped: The endpoint does not take it.
            LMError: The endpoint cannot be reached, or does not accept the key.
        """

        async def upload() -> str:
            content.seek(0)
            with os.fdopen(
                os.dup(content.fileno()), "rb"
            ) as copy:  # the client closes what it got
                return await self._api.upload(copy, f"{sent.tag}.jsonl")

        try:
            file = await self._persist(upload)
        except LMError as error:
            self._state.drop(sent.tag)  # without a file there is no batch
            if isinstance(error, BadRequestError):
                raise BatchesStopped(_refused(error, "the file of requests")) from None
            raise
        self._state.set_file(sent.tag, file)
        return await self._create(replace(sent, file=file))

    async def _create(self, sent: SentBatch, *, labelled: bool = True) -> SentBatch:
        async def create() -> ProviderBatch:
            path, window = self._options.path, self._options.window
            try:
                return await self._api.create(sent.file, path, window, sent.tag, labelled=labelled)
            except TransportError as error:
                # It may exist nonetheless, and would be paid twice.
                there = None if error.charge == "nothing" else await self._find(sent)
                if there is None:
                    raise
                return there

        try:
            batch = await self._persist(create)
        except BadRequestError as error:
            if labelled and "metadata" in error.said:  # the file's id will do
                return await self._create(sent, labelled=False)
            self._state.drop(sent.tag)
            raise BatchesStopped(_refused(error, "the batch")) from None
        return self._record(sent, batch)

    def _record(self, sent: SentBatch, batch: ProviderBatch) -> SentBatch:
        self._state.set_batch(sent.tag, batch.id)
        self._tell(sent, batch)
        return replace(sent, batch=batch.id)

    async def recover(self, sent: SentBatch) -> SentBatch | None:
        """Return a batch of an earlier process with its id; ``None`` if it was never created.

        Raises:
            BatchesStopped: The endpoint does not say which batches there are.
            LMError: The endpoint cannot be reached, or does not accept the key.
        """
        if sent.batch or not sent.file:  # a batch is created after its file is recorded
            return sent if sent.batch else None

        async def find() -> ProviderBatch | None:
            return await self._find(sent)

        there = await self._persist(find)
        if there is None:
            # The process may have been killed while the endpoint was creating it.
            await asyncio.sleep(min(self._options.poll, _SECOND_LOOK))
            there = await self._persist(find)
        if there is not None:
            return self._record(sent, there)
        with suppress(LMError):
            await self._api.delete_file(sent.file)
        return None

    async def _find(self, sent: SentBatch) -> ProviderBatch | None:
        """Return the batch at the endpoint, if it was created.

        Raises:
            BatchesStopped: The endpoint does not list its batches.
        """
        try:
            async with aclosing(self._api.batches()) as batches:
                async for batch in batches:
                    if sent.tag in batch.metadata.values() or batch.input_file == sent.file:
                        return batch
        except BadRequestError as error:
            raise BatchesStopped(
                f"{_refused(error, 'a list of batches')}; without it nobody knows whether the "
                f"batch {sent.tag} was created: --cancel gives it up"
            ) from None
        return None

    async def wait(self, sent: SentBatch) -> ProviderBatch:
        """Wait until a batch is final.

        Raises:
            BatchesStopped: The endpoint does not know the batch any more.
            LMError: The endpoint cannot be reached for a long time, or does not accept the key.
        """
        while True:
            batch = await self._ask(sent, partial(self._api.retrieve, sent.batch), _POLLS)
            self._tell(sent, batch)
            if batch.is_final:
                return batch
            await asyncio.sleep(self._options.poll)

    async def _ask(
        self, sent: SentBatch, work: Callable[[], Awaitable[T]], tries: int = _TRIES
    ) -> T:
        try:
            return await self._persist(work, tries)
        except BadRequestError as error:
            raise BatchesStopped(
                f"{error}: the batch {sent.batch} is not there any more, or belongs to another "
                "key: use the key that it was sent with; --cancel gives it up, and its requests "
                "are then sent, and paid, again"
            ) from None

    async def cancel(self, sent: SentBatch, tries: int = _TRIES) -> ProviderBatch:
        """Cancel a batch.

        Args:
            sent: The batch.
            tries: How often to try while the endpoint fails.

        Raises:
            LMError: The endpoint refuses, or cannot be reached.
        """
        return await self._persist(partial(self._api.cancel, sent.batch), tries)

    async def state_of(self, sent: SentBatch) -> ProviderBatch:
        """Return the present state of a batch.

        Raises:
            LMError: The endpoint does not know it, or cannot be reached.
        """
        return await self._persist(partial(self._api.retrieve, sent.batch))

    async def replies(
        self, sent: SentBatch, batch: ProviderBatch
    ) -> AsyncGenerator[BatchReply | None, None]:
        """Yield the replies of a final batch in any order; ``None`` for each unreadable line.

        A file that breaks off is read again from its beginning, so replies may come twice.

        Raises:
            BatchesStopped: A file is not there any more.
            LMError: The endpoint cannot be reached, or does not accept the key.
        """
        for file in dict.fromkeys(filter(None, (batch.output_file, batch.error_file))):
            failures = 0
            while True:
                try:
                    async with aclosing(self._api.lines(file)) as lines:
                        async for line in lines:
                            if line.strip():
                                yield read_reply(line)
                    break
                except TransportError as error:
                    failures += 1
                    if failures >= _TRIES:
                        raise
                    await asyncio.sleep(self._pause(failures, error))
                except BadRequestError as error:
                    raise BatchesStopped(
                        f"{error}: the file {file} with the replies of the batch {sent.batch} is "
                        "not there any more; --cancel gives them up, and the requests are then "
                        "sent, and paid, again"
                    ) from None

    async def _persist(self, work: Callable[[], Awaitable[T]], tries: int = _TRIES) -> T:
        """Try a step again while the endpoint fails."""
        failures = 0
        while True:
            try:
                return await work()
            except TransportError as error:
                failures += 1
                if failures >= tries:
                    raise
                await asyncio.sleep(self._pause(failures, error))

    def _pause(self, failures: int, error: TransportError) -> float:
        if error.retry_after is not None:
            return min(error.retry_after, _LONGEST_ASKED)
        longest = min(self._options.poll * 2.0 ** min(failures, 20), _LONGEST_PAUSE)
        return longest * random.Random().uniform(0.5, 1.0)

    def _tell(self, sent: SentBatch, batch: ProviderBatch) -> None:
        if self._on_status is not None:
            self._on_status(
                BatchStatus(
                    batch.id,
                    self._name,
                    batch.status,
                    batch.completed,
                    batch.failed,
                    batch.total or sent.requests,
                    sent.sent,
                )
            )


def _refused(error: BadRequestError, what: str) -> str:
    hint = ""
    if is_missing(error):
        hint = " (this endpoint may have no batch API: leave out --engine provider)"
    return f"the endpoint refuses {what}: {error}{hint}"
