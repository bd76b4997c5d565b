"""What a driver and its workers tell each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langprog.frozen import quick_init
from langprog.lm import Completion, LanguageModel, Request

# Identifies a model: its number at the driver, or the name under which a program asks for it.
ModelId = int | str
# What stands for a model in a pickle, and the model that something stands for.
Name = Callable[[LanguageModel], Any]
Find = Callable[[Any], LanguageModel]


@quick_init
@dataclass(frozen=True, slots=True)
class Share:
    """To a worker: a value that several pieces of work take; without data, it is to go."""

    share: int
    data: bytes | None


@quick_init
@dataclass(frozen=True, slots=True)
class Client:
    """To a worker: a model's client."""

    client: int
    data: bytes


@quick_init
@dataclass(frozen=True, slots=True)
class Start:
    """To a worker: run a piece of work. ``data`` has the function and its arguments."""

    task: int
    shares: tuple[int, ...]
    data: bytes
    settings: bytes


@quick_init
@dataclass(frozen=True, slots=True)
class Stop:
    """To a worker: nobody waits for this piece of work any more."""

    task: int


@quick_init
@dataclass(frozen=True, slots=True)
class Lease:
    """To a worker: make this call, for which its full cost is reserved.

    Args:
        call: Its number.
        client: The client to make it with.
        ask: The worker's own question that it answers; ``None`` if another worker asked.
        request: The request; without messages if they are those of the question.
    """

    call: int
    client: int
    ask: int | None
    request: Request


@quick_init
@dataclass(frozen=True, slots=True)
class Revoke:
    """To a worker: nobody waits for this call any more."""

    call: int


@quick_init
@dataclass(frozen=True, slots=True)
class Answer:
    """To a worker: the completion it asked for, or the packed error."""

    ask: int
    completion: Completion | None
    error: bytes | None = None


@quick_init
@dataclass(frozen=True, slots=True)
class Ask:
    """To the driver: a piece of work calls a model."""

    ask: int
    task: int
    model: ModelId
    request: Request


@quick_init
@dataclass(frozen=True, slots=True)
class Withdraw:
    """To the driver: the piece of work does not wait for that answer any more."""

    ask: int


@quick_init
@dataclass(frozen=True, slots=True)
class Made:
    """To the driver: a leased call was made, or failed with the packed error.

    Args:
        call: Its number.
        completion: The completion.
        usable: Whether the program can read it.
        error: The packed error.
    """

    call: int
    completion: Completion | None
    usable: bool = False
    error: bytes | None = None


@quick_init
@dataclass(frozen=True, slots=True)
class Notice:
    """To the driver: something to tell the user."""

    task: int
    text: str


@quick_init
@dataclass(frozen=True, slots=True)
class Done:
    """To the driver: a piece of work ended, with its packed result or error."""

    task: int
    result: bytes | None
    error: bytes | None = None


ToWorker = Share | Client | Start | Stop | Lease | Revoke | Answer
ToDriver = Ask | Withdraw | Made | Notice | Done
