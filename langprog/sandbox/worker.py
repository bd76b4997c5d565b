"""The program inside a sandbox: it loads code, calls its functions and sends their results.

Its text is handed to the interpreter in the sandbox, where nothing of langprog is there; so it
uses the standard library alone. Both ends speak JSON, one object a line.
"""

from __future__ import annotations

import json
import linecache
import os
import resource
import select
import sys
import time
import traceback
import types
from typing import Any

CODE = "<code>"
LONGEST_ERROR = 2000
# Bytes that are read or written at once.
PIECE = 1 << 16
# Bytes of a request; memory is what limits it.
LONGEST_REQUEST = sys.maxsize
# The key of the message that says that code is loaded; an answer follows.
LOADS = "loads"


class ChannelClosed(Exception):
    """The other end sends what is not a message."""


class ChannelEnded(ChannelClosed):
    """The other end has ended."""


class Channel:
    """One end of a socket that carries JSON objects.

    Args:
        fd: The socket.
        most: The longest message, in bytes.
    """

    def __init__(self, fd: int, most: int) -> None:
        self.fd = fd
        self._most = most
        self._buffer = bytearray()

    def send(self, message: dict[str, Any], seconds: float | None = None) -> None:
        """Send an object.

        Raises:
            ChannelClosed: Nobody reads any more.
            TimeoutError: It was not taken in time.
            TypeError, ValueError: It is not JSON.
        """
        data = json.dumps(message, default=_plain).encode() + b"\n"
        deadline = None if seconds is None else time.monotonic() + seconds
        os.set_blocking(self.fd, False)
        sent = 0
        while sent < len(data):
            self._wait(deadline, writing=True)
            try:
                sent += os.write(self.fd, data[sent : sent + PIECE])
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChannelEnded(str(error)) from None

    def receive(self, seconds: float | None = None) -> dict[str, Any]:
        """Return the next object.

        Raises:
            ChannelClosed: There is none, or it is too long or no object.
            TimeoutError: None came in time.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        os.set_blocking(self.fd, False)
        seen = 0
        while self._buffer.find(b"\n", seen) < 0:
            seen = len(self._buffer)
            self._wait(deadline, writing=False)
            try:
                piece = os.read(self.fd, PIECE)
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChannelEnded(str(error)) from None
            self._buffer += piece
            if not piece:
                raise ChannelEnded("it has ended")
            if len(self._buffer) > self._most:
                raise ChannelClosed(f"it sent more than {self._most} bytes at once")
        end = self._buffer.index(b"\n", seen)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise ChannelClosed("it sent what is not JSON") from None
        if not isinstance(message, dict):
            raise ChannelClosed("it sent what is not an object")
        return message

    def _wait(self, deadline: float | None, *, writing: bool) -> None:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        fds = [self.fd]
        ready = select.select([] if writing else fds, fds if writing else [], [], left)
        if not any(ready):
            raise TimeoutError


def _plain(value: Any) -> Any:
    """Return numbers and arrays of other libraries as Python's own."""
    to_list = getattr(value, "tolist", None)
    if to_list is None:
        raise TypeError(f"a value of type {type(value).__name__} is not JSON")
    return to_list()


class CodeError(RuntimeError):
    """The code failed: it raised, was stopped, or returned what cannot be sent."""


class LoadedCode:
    """Functions of a source that runs in another sandbox.

    Args:
        channel: Leads there.
        seconds: How long a call may take.
        source: The source.
    """

    def __init__(self, channel: Channel, seconds: float, source: str) -> None:
        self._channel, self._seconds = channel, seconds
        self._number = self._ask({"source": source})

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """Call a function of the source; arguments and result are JSON.

        Raises:
            CodeError: It failed.
        """
        return self._ask(
            {"code": self._number, "function": function, "args": args, "kwargs": kwargs}
        )

    def _ask(self, request: dict[str, Any]) -> Any:
        try:
            self._channel.send(request, self._seconds)
            answer = self._channel.receive(self._seconds)
        except ChannelClosed as error:
            raise CodeError(f"the code was stopped: {error}") from None
        except TimeoutError:
            raise CodeError(f"the code gave no answer within {self._seconds:g} seconds") from None
        if "value" not in answer:
            raise CodeError(str(answer.get("error", "no result"))[:LONGEST_ERROR])
        return answer["value"]


class Loader:
    """Loads code into the other sandbox, for an evaluator.

    Args:
        options: Those of the worker.
        caller: Is told before code is loaded: it can then tell why this process ends.
    """

    def __init__(self, options: dict[str, Any], caller: Channel) -> None:
        self._options = options
        self._caller = caller
        self._peer: Channel | None = None
        self.has_loaded = False

    def load(self, source: str) -> LoadedCode:
        """Return the functions of a source.

        Raises:
            CodeError: It cannot be compiled, or fails.
        """
        if self._peer is None:
            self._peer = Channel(self._options["peer"], self._options["output"])
            self._peer.receive(self._options["wall"])  # that it is ready
        if not self.has_loaded:
            self._caller.send({LOADS: True})
            self.has_loaded = True
        return LoadedCode(self._peer, self._options["wall"], source)


def limit(options: dict[str, Any]) -> None:
    """Set the limits of this process, which it cannot raise again."""
    seconds = int(options["seconds"])
    for kind, most in (
        (resource.RLIMIT_AS, options["memory"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(kind, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def load(source: str) -> dict[str, Any]:
    """Return the names that a source defines."""
    lines = source.splitlines(keepends=True)
    linecache.cache[CODE] = (len(source), None, lines, CODE)
    module = types.ModuleType("code")
    sys.modules["code"] = module  # where dataclasses look for it
    # It inherits this file's future import, so that annotations need not be importable here.
    exec(compile(source, CODE, "exec"), module.__dict__)
    return module.__dict__


def describe(error: BaseException) -> str:
    """Return what the code raised, and where in it."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == CODE
    ]
    lines = [f"line {frame.lineno}, in {frame.name}: {frame.line}" for frame in frames[-5:]]
    said = "".join(traceback.format_exception_only(type(error), error)).strip()
    return "\n".join([said[-LONGEST_ERROR // 2 :], *lines])[:LONGEST_ERROR]


def call(loaded: list[dict[str, Any]], request: dict[str, Any], loader: Loader) -> Any:
    """Return what the function in a request returns."""
    name = request["function"]
    function = loaded[request["code"]].get(name)
    if not callable(function):
        raise LookupError(f"the code defines no function {name!r}")
    kwargs = dict(request["kwargs"])
    if request.get("loads"):
        kwargs["load"] = loader.load
    return function(*request["args"], **kwargs)


def serve(channel: Channel, loader: Loader) -> None:
    """Answer requests until the other end closes."""
    loaded: list[dict[str, Any]] = []
    channel.send({"value": "ready"})
    while True:
        try:
            request = channel.receive()
            if "source" in request:
                loaded.append(load(request["source"]))
                channel.send({"value": len(loaded) - 1})
            else:
                channel.send({"value": call(loaded, request, loader)})
        except ChannelClosed:
            return
        except CodeError as error:
            channel.send({"error": str(error), "loaded": True})
        except BaseException as error:  # noqa: BLE001 - whatever the code raises is told
            channel.send({"error": describe(error), "loaded": loader.has_loaded})


def main(options: dict[str, Any]) -> None:
    """Run what ``options`` say."""
    sys.path += options["packages"]
    limit(options)
    channel = Channel(options["channel"], LONGEST_REQUEST)
    serve(channel, Loader(options, channel))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
