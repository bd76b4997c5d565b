"""Runs a command for as long as the process that started this one lives.

Standard input is a pipe from that process, which the system closes when it ends, even by a kill.

Usage: python keeper.py COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

# Seconds that the command has to end by itself.
PATIENCE = 5.0


def main(command: list[str]) -> int:
    """Run ``command`` until it ends, or until standard input does; return its exit code."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def stop(number: int, frame: FrameType | None) -> None:
        process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_stop_with_parent, args=(process,), daemon=True).start()
    return process.wait()


def _stop_with_parent(process: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
