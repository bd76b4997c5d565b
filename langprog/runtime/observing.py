"""Telling callbacks about calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from langprog.lm import redact
from langprog.observe import (
    AdapterFinished,
    CallbackEvent,
    CallbackLike,
    CallFailed,
    CallFinished,
    CallKind,
    CallStarted,
    CompileFinished,
    EvaluationFinished,
    ModelFinished,
    ToolFinished,
    Watch,
)
from langprog.runtime.overlay import use_settings
from langprog.runtime.settings import current, give_notice, using

Finish = Callable[[Any], None]

_FINISHED: Mapping[CallKind, Callable[[int, Any], CallFinished]] = MappingProxyType(
    {
        "model": ModelFinished,
        "adapter": AdapterFinished,
        "tool": ToolFinished,
        "evaluation": EvaluationFinished,
        "compile": CompileFinished,
    }
)


@contextmanager
def callbacks(*observers: CallbackLike) -> Iterator[None]:
    """Tell callbacks about every call inside the block, for this thread or task only.

    Modules, models, adapters, tools, evaluations and compiles: the start of each call, and its
    end or its error. They are told in addition to callbacks around the block::

        with lp.callbacks(lp.CallLog("calls.jsonl"), print):
            program(ticket="...")

    Args:
        *observers: An :class:`langprog.Callback`, another object with a method ``on_event``, or
            a function of an event (:mod:`langprog.observe`).

    Raises:
        InputError: One is none of them.
    """
    with using(callbacks=observers):
        yield


def tell(watch: Watch, event: CallbackEvent) -> None:
    """Tell every callback; one that raises is reported once, and loses nothing."""
    for listener in watch.listeners:
        try:
            listener.take(event)
        except Exception as error:  # noqa: BLE001 - a callback of a user's may raise anything
            if not listener.failed:
                listener.failed = True
                give_notice(
                    f"the callback {listener.name} raised {type(error).__name__}: "
                    f"{redact(str(error))}; calls go on, and it is not said again"
                )


@contextmanager
def observe_call(
    kind: CallKind, start: Callable[[int, int | None, str], CallStarted]
) -> Iterator[Finish]:
    """Tell callbacks about the call that the block makes.

    Args:
        kind: What is called.
        start: Makes the first event of the call's number, the number of the call around it, and
            the path of the module around it.

    Yields:
        A function that takes the result.
    """
    settings = current()
    watch = settings.watch
    if watch is None or not watch.listeners:
        yield _ignore
        return
    call = watch.next_call() if watch.number is None else watch.number
    tell(watch, start(call, watch.call, watch.path))
    finished: list[Any] = []
    try:
        with use_settings(replace(settings, watch=watch.inside(call, watch.path))):
            yield finished.append
    except BaseException as error:
        tell(watch, CallFailed(kind, call, error))
        raise
    tell(watch, _FINISHED[kind](call, *finished))


def _ignore(result: Any) -> None:
    """Take the result of a call that nobody is told about."""
