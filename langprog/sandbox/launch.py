"""Starts the process of a sandbox under bubblewrap.

It has namespaces of its own (no network, no other processes, no host name), a file system with the
interpreter and the system's libraries alone, all of it read-only, no capabilities, no environment,
and a filter of system calls. Where any of this cannot be had, nothing runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from langprog.errors import SandboxError
from langprog.sandbox.seccomp import make_filter

BWRAP = "bwrap"
# What the interpreter and its libraries need of the system.
SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache")
# Numerical libraries start a thread per core when they are imported; there are none here.
ENVIRONMENT: Mapping[str, str] = {
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


@cache
def _worker_text() -> str:
    return Path(__file__).with_name("worker.py").read_text()


def list_packages() -> list[str]:
    """Return the folders of the packages that are installed beside langprog."""
    return sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})


def start(
    options: Mapping[str, Any], channels: Sequence[int], packages: Sequence[str]
) -> subprocess.Popen[bytes]:
    """Start a sandbox whose process has ``options`` and the sockets ``channels``.

    Raises:
        SandboxError: There is no bubblewrap, or no filter for this machine.
    """
    calls = make_filter()
    if calls is None:
        raise SandboxError(
            "code cannot be run here: the sandbox knows the system calls of Linux on x86_64 and "
            "aarch64 alone"
        )
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, calls)  # far less than a pipe holds
        os.close(write_end)
        argv = [*_command(read_end, packages), "-c", _worker_text(), json.dumps(options)]
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(*channels, read_end),
            close_fds=True,
        )
    finally:
        os.close(read_end)


def explain_failure() -> str:
    """Return why no sandbox starts here; empty if one does."""
    read_end, write_end = os.pipe()
    os.write(write_end, make_filter() or b"")
    os.close(write_end)
    try:
        done = subprocess.run(
            [*_command(read_end, ()), "-c", "pass"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=(read_end,),
            timeout=60,
        )
    finally:
        os.close(read_end)
    if done.returncode == 0:
        return ""
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return said[-1] if said else f"exit code {done.returncode}"


def _command(filter_fd: int, packages: Sequence[str]) -> list[str]:
    """Return the command line up to the interpreter's own options.

    Raises:
        SandboxError: There is no bubblewrap.
    """
    bwrap = shutil.which(BWRAP)
    if bwrap is None:
        raise SandboxError(
            "code is run under bubblewrap, and there is no command bwrap here: install it "
            "(apt install bubblewrap); without it nothing is run"
        )
    interpreter = os.path.realpath(sys.executable)
    settings = (part for name, value in ENVIRONMENT.items() for part in ("--setenv", name, value))
    return [
        bwrap,
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"),
        *("--new-session", "--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"),
        *settings,
        *_mounts(interpreter, packages),
        *("--seccomp", str(filter_fd), "--chdir", "/", "--", interpreter),
        *("-I", "-S", "-B", "-X", "utf8"),
    ]


def _mounts(interpreter: str, packages: Sequence[str]) -> Iterator[str]:
    own = Path(os.path.realpath(sys.base_prefix))
    shown = [*SYSTEM, str(own / "lib"), str(own / "lib64"), interpreter]
    for place in dict.fromkeys(shown):
        if os.path.islink(place) and place != interpreter:
            yield from ("--symlink", os.readlink(place), place)
        elif os.path.exists(place):
            yield from ("--ro-bind", place, place)
    for place in packages:
        yield from ("--ro-bind", place, place)
    yield from ("--remount-ro", "/")
