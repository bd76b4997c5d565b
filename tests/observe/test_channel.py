from __future__ import annotations

import asyncio
import threading

import pytest

from langprog.observe import Channel


def test_items_arrive_in_order_and_then_nothing() -> None:
    async def run() -> list[int | None]:
        channel: Channel[int] = Channel(2)

        async def send() -> None:
            for item in range(10):
                await channel.send(item)
            channel.end()

        sending = asyncio.ensure_future(send())
        received = [await channel.receive() for _ in range(12)]
        await sending
        return received

    assert asyncio.run(run()) == [*range(10), None, None]


def test_a_sender_waits_for_room() -> None:
    async def run() -> None:
        channel: Channel[int] = Channel(1)
        await channel.send(1)
        waiting = [asyncio.ensure_future(channel.send(item)) for item in (2, 3)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        assert await channel.receive() == 1
        await waiting[0]
        assert not waiting[1].done()
        # A sender that is cancelled while it has its turn passes it on.
        assert await channel.receive() == 2
        late = asyncio.ensure_future(channel.send(4))
        waiting[1].cancel()
        await late
        assert await channel.receive() == 4

    asyncio.run(run())


def test_closing_drops_what_waits_and_cancels_what_runs() -> None:
    async def run() -> None:
        channel: Channel[int] = Channel(1)
        await channel.send(1)
        waiting = asyncio.ensure_future(channel.send(2))

        async def work() -> None:
            with channel.cancelling():
                with channel.cancelling():
                    pass
                await asyncio.Event().wait()

        working = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        channel.close()
        await waiting
        with pytest.raises(asyncio.CancelledError):
            await working
        await channel.send(3)
        assert await channel.receive() is None
        with pytest.raises(asyncio.CancelledError), channel.cancelling():
            pass

    asyncio.run(run())


def test_senders_on_other_loops() -> None:
    async def run() -> list[int]:
        channel: Channel[int] = Channel(3)

        async def send(first: int) -> None:
            for item in range(first, first + 100):
                await channel.send(item)

        threads = [
            threading.Thread(target=lambda first=first: asyncio.run(send(first)))
            for first in (0, 1000, 2000)
        ]
        for thread in threads:
            thread.start()
        received = []
        for _ in range(300):
            item = await channel.receive()
            assert item is not None
            received.append(item)
        for thread in threads:
            thread.join()
        return received

    received = asyncio.run(run())
    for first in (0, 1000, 2000):
        own = [item for item in received if first <= item < first + 1000]
        assert own == list(range(first, first + 100))
