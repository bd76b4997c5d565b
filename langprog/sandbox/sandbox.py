"""A sandbox with its limits, and the code that runs in it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

from langprog.errors import CodeError, SandboxError
from langprog.knobs import check_knobs, takes_flag, takes_number, takes_whole
from langprog.sandbox.launch import explain_failure, list_packages, start
from langprog.sandbox.worker import LOADS, Channel, ChannelClosed, ChannelEnded

# Wall-clock seconds per second of CPU time, and on top: other processes run as well, and code may
# sleep.
WALL, EXTRA = 10.0, 20.0
# Seconds in which a process ends whose socket is closed.
END = 5.0
MEBIBYTE = 2**20


@cache
def _slots() -> threading.BoundedSemaphore:
    """Return what keeps calls of sandboxes from competing for the machine's cores."""
    return threading.BoundedSemaphore(os.cpu_count() or 1)


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """Runs Python code that nobody has read: generated code, or that of a search.

    Code in a sandbox has the standard library, and arguments that are JSON; it returns JSON. It
    sees no file but those of the interpreter and the system's libraries, can write none, and has
    no network, no other process, no thread and no environment variable. It runs under bubblewrap
    (``apt install bubblewrap``), on Linux, where user namespaces are allowed; elsewhere nothing is
    run::

        with lp.Sandbox(seconds=5).load(source) as code:
            code.call("sort", [3, 1, 2])

    Calls from all threads run on as many cores as there are, the others wait.

    Args:
        seconds: CPU time of a loaded source, over all calls. One that sleeps is stopped as well,
            after ten times as long and twenty seconds.
        memory: Address space of the process, in MiB.
        output: The longest result, in bytes.
        packages: Whether the packages that are installed beside langprog can be imported.

    Raises:
        InputError: A limit is out of range.
    """

    seconds: int = field(default=10, metadata=takes_whole(1, 1_000_000))
    memory: float = field(default=512, metadata=takes_number(64, 1_000_000))
    output: int = field(default=MEBIBYTE, metadata=takes_whole(1000, 2**30))
    packages: bool = field(default=False, metadata=takes_flag())

    def __post_init__(self) -> None:
        check_knobs(self)

    @property
    def wall(self) -> float:
        """Seconds that calls of a loaded source may take altogether."""
        return WALL * self.seconds + EXTRA

    def load(self, source: str) -> Code:
        """Start a process and run ``source`` in it, so that its functions can be called.

        Raises:
            SandboxError: There is no sandbox here; the message says what is missing.
            CodeError: The source cannot be compiled, or fails.
        """
        code = Code(self)
        try:
            code.load(source)
        except BaseException:
            code.close()
            raise
        return code

    def call(self, source: str, function: str, *args: Any, **kwargs: Any) -> Any:
        """Return what one call of a function in ``source`` returns, in a process of its own.

        Raises:
            SandboxError: There is no sandbox here; the message says what is missing.
            CodeError: The code failed, or used more than it may.
        """
        with self.load(source) as code:
            return code.call(function, *args, **kwargs)


class Code:
    """Code in a sandbox; :meth:`Sandbox.load` makes it. Close it, or use it in a ``with``.

    Args:
        sandbox: Its limits.
        peer: A socket to another sandbox, which code here may load code into.
        channel: The other end of that socket, for the process that such code runs in; this
            process then takes no calls from here.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        peer: socket.socket | None = None,
        *,
        channel: socket.socket | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._left = sandbox.wall
        self._process: subprocess.Popen[bytes] | None = None
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._start(channel or theirs, peer)
        self._channel = Channel(self._socket.fileno(), sandbox.output)
        self._number = 0
        self._ready = False

    def _start(self, channel: socket.socket, peer: socket.socket | None) -> None:
        sandbox = self._sandbox
        packages = list_packages() if sandbox.packages else []
        options = {
            "channel": channel.fileno(),
            "peer": None if peer is None else peer.fileno(),
            "seconds": sandbox.seconds,
            "memory": int(sandbox.memory * MEBIBYTE),
            "output": sandbox.output,
            "wall": sandbox.wall,
            "packages": packages,
        }
        channels = [channel.fileno(), *([] if peer is None else [peer.fileno()])]
        try:
            self._process = start(options, channels, packages)
        except BaseException:
            self._socket.close()
            raise

    def load(self, source: str) -> None:
        """Run a source; later calls are of its functions."""
        self._number = self._ask({"source": source})

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """Return what a function of the source returns.

        Args:
            function: Its name.
            *args: Arguments, as JSON.
            **kwargs: Named arguments.

        Raises:
            CodeError: It raised, returned what is not JSON, or used more than it may.
        """
        return self._ask(
            {"code": self._number, "function": function, "args": args, "kwargs": kwargs}
        )

    def call_loading(self, function: str, *args: Any) -> Any:
        """Like :meth:`call`, with a last argument ``load`` that loads code into the peer."""
        return self._ask(
            {
                "code": self._number,
                "function": function,
                "args": args,
                "kwargs": {},
                "loads": True,
            }
        )

    def _ask(self, request: dict[str, Any]) -> Any:
        if self._process is None:
            raise CodeError("the code was closed")
        loaded = False
        with _slots():
            begun = time.monotonic()
            try:
                if not self._ready:
                    self._channel.receive(self._sandbox.wall)
                    self._ready = True
                    begun = time.monotonic()  # a start is not the code's doing
                self._channel.send(request, self._left)
                answer = self._channel.receive(max(0.001, self._left))
                if request.get("loads") and answer.get(LOADS):
                    loaded, left = True, self._left - (time.monotonic() - begun)
                    answer = self._channel.receive(max(0.001, left))
            except TimeoutError:
                self.close()
                said = f"the code took longer than {self._sandbox.wall:g} s"
                raise CodeError(said, loaded=loaded) from None
            except ChannelClosed as error:
                raise self._explain(error, loaded) from None
            except (TypeError, ValueError) as error:
                raise CodeError(f"the arguments cannot be sent: {error}") from None
            finally:
                self._left -= time.monotonic() - begun
        if "value" not in answer:
            said = str(answer.get("error", "the code sent no result"))
            raise CodeError(said, loaded=bool(answer.get("loaded")))
        return answer["value"]

    def _explain(self, error: ChannelClosed, loaded: bool) -> Exception:
        """Return the error of a process that has ended, or is ended now.

        Args:
            error: What was seen of it.
            loaded: Whether it had loaded code.
        """
        code = self.close(wait=isinstance(error, ChannelEnded))
        if not self._ready:
            why = explain_failure() or "its process ended at once"
            return SandboxError(
                f"code cannot be run here, as bubblewrap makes no sandbox ({why}): it needs user "
                "namespaces, which this system or container forbids; without a sandbox nothing "
                "is run"
            )
        if code in (128 + signal.SIGXCPU, 128 + signal.SIGKILL):
            said = f"the code used more than {self._sandbox.seconds} s of CPU time"
            return CodeError(said, loaded=loaded)
        return CodeError(f"the code was stopped: {error}", loaded=loaded)

    def close(self, *, wait: bool = False) -> int | None:
        """End the process; later calls are refused.

        Args:
            wait: Whether it ends by itself.

        Returns:
            Its exit code.
        """
        process, self._process = self._process, None
        if process is None:
            return None
        self._socket.close()
        try:
            if wait:
                process.wait(END)
        except subprocess.TimeoutExpired:
            pass
        process.kill()
        return process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
