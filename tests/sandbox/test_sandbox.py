"""What code in a sandbox can and cannot do: each limit is tried out by code that breaks it."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import langprog as lp
from langprog.errors import CodeError, InputError, SandboxError

needs_sandbox = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("bwrap") is None,
    reason="bubblewrap is not installed",
)
BOX = lp.Sandbox(seconds=2, memory=256, output=100_000)


def run(*lines: str, box: lp.Sandbox = BOX) -> object:
    return box.call("\n    ".join(["def run():", *lines]), "run")


@needs_sandbox
def test_functions_are_called_with_json_and_keep_what_they_remember() -> None:
    source = "seen = []\ndef add(x, times=1):\n    seen.extend([x] * times)\n    return seen"
    with BOX.load(source) as code:
        assert code.call("add", {"a": [1.5, None]}) == [{"a": [1.5, None]}]
        assert code.call("add", "b", times=2) == [{"a": [1.5, None]}, "b", "b"]
        with pytest.raises(CodeError, match="defines no function 'sub'"):
            code.call("sub")
        with pytest.raises(CodeError, match="type object is not JSON"):
            code.call("add", object())
        with pytest.raises(CodeError, match="line 3, in add") as raised:
            code.call("add", 1, times="many")
        assert "TypeError" in str(raised.value)
        # None of this ends the process.
        assert code.call("add", "c")[-1] == "c"
    with pytest.raises(CodeError, match="closed"):
        code.call("add", 1)


@needs_sandbox
def test_a_source_and_arguments_may_be_longer_than_a_result() -> None:
    source = f"def count(text):\n    return len(text)\n# {'x' * 200_000}"
    with lp.Sandbox(output=1000).load(source) as code:
        assert code.call("count", "x" * 200_000) == 200_000 and code.call("count", "") == 0


@needs_sandbox
@pytest.mark.parametrize(
    ("source", "words"), [("def run(:", "SyntaxError"), ("1 / 0", "ZeroDivisionError")]
)
def test_a_source_that_cannot_be_loaded_is_the_code_s_failure(source: str, words: str) -> None:
    with pytest.raises(CodeError, match=words):
        BOX.load(source)


@needs_sandbox
def test_it_sees_the_interpreter_alone_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    monkeypatch.setenv("API_KEY", "mine")
    listed = run(
        "import os",
        "seen = []",
        f"for path in ('/etc/passwd', '/proc/1/environ', '/dev/null', {str(secret)!r}):",
        "    seen.append(os.path.exists(path))",
        "refused = []",
        "for place in ('/', '/tmp', os.path.dirname(os.__file__)):",
        "    try: open(place + '/new', 'w')",
        "    except OSError as error: refused.append(error.errno)",
        "return [seen, len(refused), 'API_KEY' in os.environ, os.uname().nodename]",
    )
    assert listed == [[False] * 4, 3, False, "sandbox"]
    assert secret.read_text() == "mine"


@needs_sandbox
def test_a_link_out_of_its_files_cannot_be_made_and_leads_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    with pytest.raises(CodeError, match="OSError"):
        run("import os", f"os.symlink({str(secret)!r}, '/link')")
    # /proc would lead out through the root of another process.
    with pytest.raises(CodeError, match="FileNotFoundError"):
        run(f"return open('/proc/1/root{secret}').read()")


@needs_sandbox
def test_it_has_no_network() -> None:
    with pytest.raises(CodeError, match="not permitted"):
        run("import socket", "socket.create_connection(('127.0.0.1', 80))")


@needs_sandbox
@pytest.mark.parametrize(
    "bomb",
    [
        "import os; os.fork()",
        "import subprocess, sys; subprocess.run([sys.executable])",
        "import threading; threading.Thread(target=print).start()",
    ],
)
def test_it_starts_no_process_and_no_thread(bomb: str) -> None:
    with pytest.raises(CodeError, match="not permitted|can't start new thread|No such file"):
        run(bomb)


@needs_sandbox
def test_memory_ends_at_the_limit_also_where_it_counts_towards_no_process() -> None:
    with pytest.raises(CodeError, match="MemoryError"):
        run("return len(bytearray(10 ** 9))")
    with pytest.raises(CodeError, match="not permitted"):
        run("import os", "return os.memfd_create('hidden')")


@needs_sandbox
def test_cpu_time_ends_at_the_limit_also_where_the_signal_is_ignored() -> None:
    with pytest.raises(CodeError, match="more than 1 s of CPU time"):
        run(
            "import signal",
            "signal.signal(signal.SIGXCPU, signal.SIG_IGN)",
            "while True: pass",
            box=lp.Sandbox(seconds=1),
        )


@needs_sandbox
def test_code_that_sleeps_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langprog.sandbox.sandbox.WALL", 0.0)
    monkeypatch.setattr("langprog.sandbox.sandbox.EXTRA", 1.0)
    with BOX.load("import time\ndef run():\n    time.sleep(1000)") as code:
        with pytest.raises(CodeError, match=r"took longer than 1 s"):
            code.call("run")


@needs_sandbox
@pytest.mark.parametrize(
    "flood",
    [
        "return 'x' * 10 ** 6",
        "import os\n    while True: os.write(3, b'x' * 9999)",
        "import os\n    for fd in range(3, 9999):\n        try: os.write(fd, b'x' * 200_000)\n"
        "        except OSError: pass",
    ],
)
def test_endless_output_is_cut(flood: str) -> None:
    with pytest.raises(CodeError, match="sent more than 100000 bytes|CPU time|ended|Bad file"):
        run(flood)


@needs_sandbox
def test_what_is_printed_goes_nowhere() -> None:
    assert run("print('x' * 10 ** 6)", "return 1") == 1


@needs_sandbox
@pytest.mark.parametrize("target", ["os.getppid()", "1", "-1", "the tests"])
def test_it_signals_nobody(target: str) -> None:
    target = str(os.getpid()) if target == "the tests" else target
    with pytest.raises(CodeError, match="not permitted"):
        run("import os", f"os.kill({target}, 9)")


@needs_sandbox
@pytest.mark.parametrize("end", ["import os; os._exit(0)", "import os; os.closerange(0, 9999)"])
def test_a_process_that_ends_itself_is_the_code_s_failure(end: str) -> None:
    with pytest.raises(CodeError, match="stopped"):
        run(end)


@needs_sandbox
def test_it_ends_with_the_process_that_started_it() -> None:
    program = (
        "import sys, langprog as lp\n"
        "code = lp.Sandbox().load('def run():\\n    return 1')\n"
        "print(code._process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None and parent.stdin is not None
    with parent.stdin, parent.stdout:
        ended = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.send_signal(signal.SIGKILL)
            parent.wait()
            assert select.select([ended], [], [], 30)[0], "it outlives the one who started it"
        finally:
            os.close(ended)


@needs_sandbox
def test_where_no_sandbox_can_be_made_nothing_is_run(tmp_path: Path) -> None:
    """Inside a sandbox that forbids further user namespaces, as some containers do."""
    program = (
        "import langprog as lp\n"
        "from langprog.errors import SandboxError\n"
        "try: lp.Sandbox().call('def run():\\n    return 1', 'run')\n"
        "except SandboxError as error: print(error)\n"
    )
    forbidding = ("bwrap", "--unshare-user", "--disable-userns", "--dev-bind", "/", "/")
    done = subprocess.run(
        [*forbidding, "--", sys.executable, "-c", program], capture_output=True, text=True
    )
    assert "code cannot be run here, as bubblewrap makes no sandbox" in done.stdout, done.stderr
    assert "user namespaces" in done.stdout


def test_without_bubblewrap_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxError, match="apt install bubblewrap"):
        BOX.load("def run():\n    return 1")


def test_on_another_machine_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(SandboxError, match="x86_64 and aarch64"):
        BOX.load("def run():\n    return 1")


@pytest.mark.parametrize("limits", [{"seconds": 0}, {"memory": 1}, {"output": -1}])
def test_limits_out_of_range_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(limits))):
        lp.Sandbox(**limits)  # type: ignore[arg-type]  # one knob a time
