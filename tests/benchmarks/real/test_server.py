"""Starting and stopping a model's server, with a small one in the place of llama.cpp's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.real.server import (
    Installed,
    ServerFailed,
    explain_missing_server,
    find_server,
    serve,
    start_kept,
    wait_until_healthy,
)

# Takes the options of llama.cpp's server, and answers /health.
SERVER = """#!{python}
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(b"ok")

port = int(sys.argv[sys.argv.index("--port") + 1])
print("listening", flush=True)
HTTPServer(("127.0.0.1", port), Healthy).serve_forever()
"""


def program(folder: Path, text: str) -> Installed:
    path = folder / "server"
    path.write_text(text.format(python=sys.executable))
    path.chmod(0o755)
    return Installed(path, folder / "model.gguf")


def test_a_server_answers_while_it_is_used_and_is_gone_afterwards(tmp_path: Path) -> None:
    installed = program(tmp_path, SERVER)
    with serve(installed, log=tmp_path / "log") as address:
        health = address.removesuffix("/v1") + "/health"
        here = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        assert wait_until_healthy(health, here, 10.0)
        assert not wait_until_healthy(f"{health}-not", here, 0.5)
    assert not wait_until_healthy(health, here, 0.5)
    here.communicate(b"\n")
    assert "listening" in (tmp_path / "log").read_text()


def test_a_server_that_ends_at_once_is_named(tmp_path: Path) -> None:
    installed = program(tmp_path, "#!{python}\nraise SystemExit(3)\n")
    with pytest.raises(ServerFailed, match=f"{tmp_path}/server ended"):
        with serve(installed):
            pass


def test_a_command_ends_with_a_process_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from benchmarks.real.server import start_kept\n"
        "start_kept([sys.executable, '-c', "
        "'import os, time; print(os.getpid(), flush=True); time.sleep(600)'], 1)\n"
        "time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    number = int(starter.stdout.readline())
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    assert starter.stdout.read() == b""  # both ends of the command's output are closed
    starter.stdout.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_a_kept_command_passes_on_what_it_is_told() -> None:
    process = start_kept([sys.executable, "-c", "import time; time.sleep(600)"])
    process.terminate()
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait() != 0


def test_a_missing_server_is_said_with_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGPROG_LLAMA_SERVER", str(tmp_path))
    assert find_server(tmp_path) is None
    assert str(tmp_path) in explain_missing_server()
    assert "--install" in explain_missing_server()
