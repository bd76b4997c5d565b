"""The requests of one model that wait for a batch, or for its replies."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from langprog.batch.provider.carrying import Carrier
from langprog.batch.provider.options import ProviderBatches
from langprog.errors import BadRequestError
from langprog.lm import BatchReply, Cost, OpenAICompatible, Price, Request, request_line

# Characters of a request's identity, which is its name in a batch.
_KEY_LENGTH = 40
# Bytes of a line around its body.
_AROUND = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a request.

    Args:
        status: Its HTTP status.
        body: Its body.
        replayed: Whether it was paid for, and counted, before this call.
    """

    status: int
    body: str
    replayed: bool = False


@dataclass(slots=True)
class Call:
    key: str
    request: Request
    most: Cost
    future: asyncio.Future[Reply]
    waiters: int = 0
    sent: bool = False


@dataclass
class Queue:
    """The requests of one model.

    Args:
        client: The client of its endpoint.
        price: The price of a batch's request; ``None`` if unknown.
        carrier: Carries its batches.
        most_requests: Most requests of one batch; lowered if the provider takes less.
    """

    client: OpenAICompatible
    price: Price | None
    carrier: Carrier
    most_requests: int
    calls: dict[str, Call] = field(default_factory=dict)
    waiting: dict[str, Call] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    earlier: int = 0
    busy: int = 0

    @property
    def name(self) -> str:
        """The model, as the state names it."""
        return f"{self.client.endpoint} {self.client.name}"

    def key_of(self, request: Request, most_bytes: int) -> str:
        """Return the identity of a request: all of its body, as it is sent.

        Args:
            request: The request.
            most_bytes: The largest body.

        Raises:
            BadRequestError: The body is larger.
        """
        body = json.dumps([self.name, self.client.body(request)], separators=(",", ":"))
        if len(body) + _AROUND > most_bytes:
            raise BadRequestError(
                f"{self.client.name}: the request has {len(body) / 1e6:,.1f} MB, more than a "
                "whole file of a batch may have",
                model=self.client.name,
            )
        return hashlib.sha256(body.encode()).hexdigest()[:_KEY_LENGTH]

    def cost_of(self, reply: BatchReply) -> Cost:
        """Return what a reply with status 200 costs."""
        dollars = self.price.of(reply.usage) if self.price is not None else 0.0
        return Cost(1, reply.usage.total_tokens, dollars)


@dataclass(frozen=True, slots=True)
class Part:
    """The requests of one batch, and its file."""

    content: IO[bytes]
    calls: tuple[Call, ...]


def parts_of(queue: Queue, calls: list[Call], options: ProviderBatches) -> Iterator[Part]:
    """Divide requests among batches, and write their files.

    Args:
        queue: Their model's.
        calls: The requests.
        options: The limits of a batch.
    """
    taken: list[Call] = []
    content: IO[bytes] = tempfile.TemporaryFile()
    size = 0
    for call in calls:
        line = request_line(call.key, options.path, queue.client.body(call.request))
        full = len(taken) >= queue.most_requests
        if taken and (full or size + len(line) > options.bytes_per_file):
            yield Part(content, tuple(taken))
            content, taken, size = tempfile.TemporaryFile(), [], 0
        content.write(line)
        taken.append(call)
        size += len(line)
    if taken:
        yield Part(content, tuple(taken))
