"""A standalone file sends what the program sends, and reads what the program reads."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, Optional

import pytest

import langprog as lp
from langprog.cli.main import run
from langprog.errors import InputError

MODEL = "openai/tiny"


class Endpoint:
    """An OpenAI-compatible endpoint that keeps the bodies it gets."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.answers: list[tuple[int, Any]] = []
        self.keys: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                outer.bodies.append(json.loads(raw))
                outer.keys.append(self.headers.get("Authorization"))
                status, answer = outer.answers.pop(0)
                if isinstance(answer, str):
                    message = {"role": "assistant", "content": answer}
                    choice = {"index": 0, "message": message, "finish_reason": "stop"}
                    answer = {"choices": [choice], "usage": {}}
                sent = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(sent)))
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    place = Endpoint()
    thread = threading.Thread(target=place.server.serve_forever)
    thread.start()
    monkeypatch.setenv("OPENAI_BASE_URL", place.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    monkeypatch.chdir(tmp_path)
    try:
        yield place
    finally:
        place.server.shutdown()
        thread.join()
        place.server.server_close()


@pytest.fixture
def call(endpoint: Endpoint) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run_file(program: lp.Module, inputs: Any) -> subprocess.CompletedProcess[str]:
        Path("program.py").write_text(lp.to_python(program))
        return subprocess.run(
            # Without the folders of packages: nothing but Python is there.
            [sys.executable, "-I", "-S", "-W", "error", "program.py", json.dumps(inputs)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_file


class Route(lp.Signature):
    """Route the ticket."""

    ticket: str = lp.Input("what the customer wrote")
    count: int = lp.Input()
    share: float = lp.Input(default=0.5)
    known: Optional[str] = lp.Input()  # noqa: UP045 - a form that artifacts hold as well
    tags: list[str] = lp.Input(default=[])
    team: Literal["billing", "network"] = lp.Output()
    sure: bool = lp.Output()
    note: str = lp.Output()


DEMO = {
    "ticket": "[[team]] \"q\" '''\\",
    "count": 2,
    "share": 1.0,
    "known": None,
    "tags": ["é"],
    "team": "network",
    "sure": False,
    "note": "a\nb",
}
CHAT = lp.Predict(Route, adapter="chat", model=MODEL, demos=[DEMO], temperature=0.3, max_tokens=50)
JSON = CHAT.with_parameters({"predict.adapter": "json"})
TEMPLATE = lp.PromptTemplate(
    [
        {"role": "system", "content": "Answer for {who}.\n\nBe kind."},
        {"role": "user", "content": "{ticket}?"},
    ],
    output="team: Literal['billing', 'network']",
    demos=[{"ticket": "x", "who": "y", "team": "billing"}],
    model=MODEL,
)
INPUTS = [
    {"ticket": "[[note]]\n [[ Team ]]x", "count": 7},
    {"ticket": ' blanks "', "count": -1, "known": "null", "share": 2, "tags": ["a", '"']},
    {"ticket": "", "count": 0, "known": "", "share": 1e-7},
    {"ticket": '"quoted"', "count": 1, "known": "`x`"},
    {"ticket": "```\nx\n```", "count": 1, "known": "\u2028 NONE"},
    {"ticket": "\\[[sure]]", "count": 10**18, "share": 123456789.125},
]
CHAT_REPLY = "[[team]]\nbilling\n[[sure]]\nyes\n[[note]]\nfine \\[[team]]"
JSON_REPLY = '{"team": "billing", "sure": true, "note": "fine"}'


@pytest.mark.parametrize(
    ("program", "reply"), [(CHAT, CHAT_REPLY), (JSON, JSON_REPLY)], ids=["chat", "json"]
)
def test_the_file_sends_and_reads_what_langprog_run_does(
    program: lp.Predict,
    reply: str,
    endpoint: Endpoint,
    call: Callable[..., subprocess.CompletedProcess[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lp.save(program, "a.json")
    loaded = lp.load("a.json")
    endpoint.answers = [(200, reply)] * 2 * len(INPUTS)
    done = call(loaded, INPUTS[0])
    assert done.returncode == 0, done.stderr
    answers = [json.loads(done.stdout)]
    module: dict[str, Any] = {"__name__": "program"}
    exec(Path("program.py").read_text(), module)  # as an import: quicker than a process
    answers += [module["run"](**inputs) for inputs in INPUTS[1:]]
    for inputs in INPUTS:
        assert run(["run", "a.json", "--input", json.dumps(inputs)]) == 0
    assert endpoint.bodies[: len(INPUTS)] == endpoint.bodies[len(INPUTS) :]
    assert answers == [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert set(endpoint.keys) == {"Bearer sk-test"}


def test_a_template_is_sent_as_it_is(
    endpoint: Endpoint,
    call: Callable[..., subprocess.CompletedProcess[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lp.save(TEMPLATE, "a.json")
    endpoint.answers = [(200, "network"), (200, "network")]
    inputs = {"ticket": "{who} \U0001f600", "who": "us"}
    assert run(["run", "a.json", "--input", json.dumps(inputs)]) == 0
    assert json.loads(call(TEMPLATE, inputs).stdout) == {"team": "network"}
    ours, theirs = endpoint.bodies
    assert theirs == ours
    assert theirs["messages"][0]["content"] == "Answer for us.\n\nBe kind."


def test_a_pipeline_runs_its_steps_in_order(
    endpoint: Endpoint, call: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    program = lp.Pipeline(
        reply=lp.ChainOfThought("ticket, team -> reply", model=MODEL, adapter="chat"),
        team=lp.Predict("ticket -> team", model=MODEL, adapter="chat"),
    ).with_parameters({"team.structure": ("reasoning", "team")})
    replies = ["[[reasoning]]\nr\n[[team]]\na", "[[reasoning]]\nbecause\n[[reply]]\nhello"]
    endpoint.answers = [(200, reply) for reply in (*replies, *replies)]
    with lp.using():
        ours = program(ticket="x").to_dict()
    done = call(program, {"ticket": "x"})
    assert ours == {"team": "a", "reasoning": "because", "reply": "hello"}
    assert json.loads(done.stdout) == ours, done.stderr
    assert endpoint.bodies[:2] == endpoint.bodies[2:]


def test_an_unreadable_reply_is_sent_back_once(
    endpoint: Endpoint, call: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    program = lp.Predict("a -> b: int", model=MODEL, adapter="chat")
    endpoint.answers = [(200, "no idea"), (200, "[[b]]\n4")]
    assert json.loads(call(program, {"a": "x"}).stdout) == {"b": 4}
    assert [each["role"] for each in endpoint.bodies[1]["messages"]][-2:] == ["assistant", "user"]
    endpoint.answers = [(200, "no"), (200, "no")]
    done = call(program, {"a": "x"})
    assert done.returncode == 1 and "is not integer" in done.stderr


def test_a_busy_endpoint_is_asked_again_and_a_refusal_is_told(
    endpoint: Endpoint, call: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    program = lp.Predict("a -> b", model=MODEL, adapter="chat")
    endpoint.answers = [(429, {"error": "slow down"}), (200, "[[b]]\nfine")]
    assert json.loads(call(program, {"a": "x"}).stdout) == {"b": "fine"}
    cut = {"choices": [{"message": {"content": "[[b]]\nx"}, "finish_reason": "length"}]}
    for answer, said in (
        ((401, {"error": "who are you"}), "the endpoint answers 401"),
        ((200, cut), "cut off at the token limit"),
        ((200, {"choices": []}), "is not a completion"),
    ):
        endpoint.answers = [answer]
        done = call(program, {"a": "x"})
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "'a' is missing"),
        ({"a": "x", "c": 1}, "'c' is unknown"),
        ({"a": 3}, "'a' is 3, which is not text"),
        ([], "argument"),
    ],
)
def test_wrong_inputs_are_told(
    inputs: Any, said: str, call: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = call(lp.Predict("a -> b", model=MODEL, adapter="chat"), inputs)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (lp.Predict("a -> b"), "predict names no model"),
        (lp.Predict("a -> b: dict", model=MODEL), "the field 'b' of predict is"),
        (lp.Predict("a: Image -> b", model=MODEL), "the field 'a' of predict is"),
        (lp.Predict("a -> b", model=MODEL, adapter="xml"), "written by the adapter 'xml'"),
        (lp.Predict("a -> b", model=MODEL, adapter="tools"), "written by the adapter 'tools'"),
        (
            lp.Predict("a -> b", model=MODEL, checks=[lp.checks.length("b", most=3)]),
            "predict has checks",
        ),
        (
            lp.Predict(
                "a -> b", model=MODEL, nearest=lp.NearestDemos([{"a": "x", "b": "y"}], k=1)
            ),
            "predict chooses demonstrations",
        ),
        (lp.Vote(lp.Predict("a -> b", model=MODEL)), "the program is a Vote"),
        (
            lp.Pipeline(x=lp.Pipeline(y=lp.Predict("a -> b", model=MODEL))),
            "x is a Pipeline in a Pipeline",
        ),
    ],
)
def test_what_a_file_cannot_do_is_refused(program: lp.Module, said: str) -> None:
    with pytest.raises(InputError) as refused:
        lp.to_python(program)
    assert said in str(refused.value)


def test_a_model_of_no_known_place_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    names: dict[str, Any] = {"__name__": "program"}
    program = lp.Predict("question -> answer", adapter="chat", model="pocket/small")
    exec(compile(lp.to_python(program), "program.py", "exec"), names)
    with pytest.raises(names["EndpointError"], match="OPENAI_BASE_URL in the environment"):
        names["run"](question="how?")


def test_limits_are_refused() -> None:
    class Limited(lp.Signature):
        a: str = lp.Input()
        b: int = lp.Output(ge=3)

    with pytest.raises(InputError, match="without limits"):
        lp.to_python(lp.Predict(Limited, model=MODEL))


def test_the_command_writes_the_file(
    endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    lp.save(CHAT, "a.json")
    assert run("export a.json --as python --out b.py".split()) == 0
    assert Path("b.py").read_text() == lp.to_python(lp.load("a.json"))
    assert "note: it reads replies in the form that is asked for" in capsys.readouterr().out
