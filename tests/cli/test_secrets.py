"""Keys are nowhere: they are planted in the environment, the address and the data."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.cli.main import run
from langprog.lm import Retry

KEY = "sk-proj-Planted0Key1234567890abcdef"
TOKEN = "4f9a8b7c6d5e4f3a2b1c"
IN_DATA = "sk-InTheData0abcdefghijklmnopqrst"
PROGRAM = """
import langprog as lp

program = lp.Predict("question -> answer")


def metric(example, prediction):
    return len(prediction.answer) > 0
"""


class Echo(BaseHTTPRequestHandler):
    """Repeats the key that it is sent, and the path, in whatever it answers."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = f"{self.headers['authorization']} at {self.path}"
        asked = body["messages"][-1]["content"]
        system = body["messages"][0]["content"]
        status, headers = 200, {}
        if "refuse" in asked:
            status, reply = 400, json.dumps({"error": {"message": f"not with {said}"}})
        elif "page" in asked:
            reply = f"<html>{said}</html>"
        elif "down" in asked:
            status, reply, headers = 503, said, {"Retry-After": "0"}
        elif "moved" in asked:
            status, reply, headers = 307, said, {"Location": f"http://127.0.0.1:9/{said[7:]}"}
        else:
            field = "instruction" if "[[instruction]]" in system.rsplit("\n", 1)[-1] else "answer"
            text = f"[[{field}]]\nIt is {said}."
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
            reply = json.dumps({"choices": [choice], "usage": usage})
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(reply.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.encode())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/{TOKEN}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Retry, "_delay", lambda *_: 0.0)  # nor waits
    yield tmp_path
    server.shutdown()
    thread.join()
    server.server_close()


def planted_in(folder: Path, said: str) -> list[str]:
    """Return where a secret stands: on the screen, or in a file that the user did not write."""
    places = [f"output: {secret}" for secret in (KEY, TOKEN, IN_DATA) if secret in said]
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".py" and path.name not in ("data.jsonl", "in.jsonl"):
            content = path.read_bytes()
            for secret in (KEY, TOKEN, IN_DATA):
                if secret.encode() in content:
                    places.append(f"{path.relative_to(folder)}: {secret}")
    return places


def test_a_planted_key_is_found_nowhere(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "planted.py").write_text(PROGRAM)
    rows = [{"question": f"question {number}", "answer": "four"} for number in range(40)]
    rows[3]["question"] = f"what is {IN_DATA} good for?"
    rows[5]["answer"] = IN_DATA
    (place / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    odd = ["fine", "refuse", "page", "down", "moved"]
    (place / "in.jsonl").write_text("".join(json.dumps({"question": q}) + "\n" for q in odd))
    save_program(lp.Predict("question -> answer", model="openai/m"), place / "a.json")
    data = "--data data.jsonl --metric"
    commands = [
        *(["run", "a.json", "--input", json.dumps({"question": question})] for question in odd),
        "run a.json --batch in.jsonl --out out.jsonl".split(),
        "run a.json --batch in.jsonl --out out.csv".split(),
        ["eval", "a.json", *data.split(), "exact:answer", "--json"],
        ["eval", "planted.py:program", *data.split(), "planted.py:metric", "--lm", "openai/m"],
        "compile planted.py:program --train data.jsonl --metric planted.py:metric --lm openai/m "
        "--optimizer bootstrap --calls 300 --out c.json --accept best --report r.html".split(),
        "show c.json".split(),
    ]
    codes = [run(command) for command in commands]
    captured = capsys.readouterr()
    assert codes == [0, 2, 2, 2, 2, 1, 1, 0, 0, 0, 0], captured.err
    assert "***" in captured.out + captured.err, "the endpoint repeated it, or this shows nothing"
    assert (place / "c.json").exists() and (place / "cache" / "cache.db").exists()
    assert list(place.glob("langprog-runs/*/journal.jsonl")) and (place / "r.html").exists()
    assert planted_in(place, captured.out + captured.err) == []
