"""What a program calls besides its models may be down, too: that is missing data."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import urllib.error
from collections.abc import Callable
from email.message import Message
from typing import Any

import pytest

import langprog as lp
from langprog.adapters import ChatAdapter
from langprog.errors import TransportError
from langprog.lm import Completion
from langprog.runtime import is_outage
from langprog.signature import SignatureSpec

ROWS = [lp.Example(ticket=f"ticket {n}", team="a") for n in range(12)]


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.team == prediction.team)


def http_error(code: int) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://x", code, "said", Message(), None)


OUTAGES: list[Callable[[], BaseException]] = [
    lambda: ConnectionError("vector database is down"),
    lambda: ConnectionResetError(errno.ECONNRESET, "reset"),
    lambda: BrokenPipeError("gone"),
    lambda: TimeoutError("no answer"),
    lambda: socket.gaierror(-2, "Name or service not known"),
    lambda: ssl.SSLError("handshake"),
    lambda: OSError(errno.EHOSTUNREACH, "No route to host"),
    lambda: OSError(errno.EMFILE, "Too many open files"),
    lambda: MemoryError(),
    lambda: http.client.RemoteDisconnected("gone"),
    lambda: http.client.IncompleteRead(b""),
    lambda: urllib.error.URLError(ConnectionRefusedError(111, "refused")),
    lambda: http_error(503),
    lambda: http_error(429),
]
FAULTS: list[Callable[[], BaseException]] = [
    lambda: KeyError("x"),
    lambda: FileNotFoundError(errno.ENOENT, "no such file"),
    lambda: PermissionError(errno.EACCES, "denied"),
    lambda: OSError("something"),
    lambda: urllib.error.URLError("unknown url type"),
    lambda: http_error(404),
    lambda: TransportError("ours has a kind of its own"),
    lambda: ValueError("503"),
]


@pytest.mark.parametrize("make", OUTAGES)
def test_an_outage_is_known(make: Callable[[], BaseException]) -> None:
    assert is_outage(make())


@pytest.mark.parametrize("make", FAULTS)
def test_a_fault_is_not_an_outage(make: Callable[[], BaseException]) -> None:
    assert not is_outage(make())


@pytest.mark.parametrize(
    ("library", "names"),
    [
        ("httpx", ["ConnectError", "ReadTimeout", "RemoteProtocolError"]),
        ("requests.exceptions", ["ConnectionError", "ReadTimeout", "ConnectTimeout", "SSLError"]),
        ("aiohttp", ["ServerDisconnectedError", "ClientOSError", "ServerTimeoutError"]),
        ("urllib3.exceptions", ["ProtocolError", "ReadTimeoutError"]),
    ],
)
def test_libraries_are_known_by_their_classes(library: str, names: list[str]) -> None:
    module = pytest.importorskip(library)
    for name in names:
        kind = getattr(module, name)
        assert is_outage(kind.__new__(kind)), name


def test_a_refusal_of_a_library_is_not_an_outage() -> None:
    requests = pytest.importorskip("requests")
    assert not is_outage(requests.exceptions.MissingSchema("no scheme"))
    for status, outage in ((404, False), (502, True)):
        response = requests.Response()
        response.status_code = status
        assert is_outage(requests.HTTPError("said", response=response)) is outage


class Searching(lp.Module):
    """Looks something up by itself; the error comes for every other ticket."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        self.answer = lp.Predict("ticket -> team")
        self.error = error

    def forward(self, ticket: str) -> lp.Prediction:
        if int(ticket.split()[-1]) % 2:
            self.look_up()
        return self.answer(ticket=ticket)

    def look_up(self) -> None:
        raise self.error()


class Wrapping(Searching):
    def look_up(self) -> None:
        try:
            raise self.error()
        except OSError as error:
            raise RuntimeError("no documents") from error


@pytest.mark.parametrize("kind", [Searching, Wrapping])
def test_rows_that_a_service_of_the_program_lost_have_no_score(kind: type[Searching]) -> None:
    lm = lp.ScriptedLM(lambda request: "[[team]]\na")
    report = lp.evaluate(kind(lambda: ConnectionError("database is down")), ROWS, right, lm=lm)
    assert report.failures_by_kind == {"transport": 6} and report.mean == 1.0
    report = lp.evaluate(Searching(lambda: KeyError("a bug")), ROWS, right, lm=lm)
    assert report.failures_by_kind == {"error": 6} and report.mean == 0.5


class Careful(lp.Module):
    def __init__(self) -> None:
        self.answer = lp.Predict("ticket -> team")

    def forward(self, ticket: str) -> dict[str, str]:
        try:
            return {"team": self.answer(ticket=ticket).team}
        except Exception:  # noqa: BLE001 - what is tested
            return {"team": "unknown"}


@pytest.mark.parametrize("program", [lp.Predict("ticket -> team"), Careful()])
@pytest.mark.parametrize(
    "error",
    [OSError("down"), ConnectionResetError("reset"), MemoryError(), AttributeError("a bug")],
)
def test_what_a_model_of_the_user_raises_is_no_answer(
    program: lp.Module, error: Exception
) -> None:
    def reply(request: lp.Request) -> str | Exception:
        number = int(str(request.messages[-1].content).split()[-1])
        return error if number % 2 else "[[team]]\na"

    report = lp.evaluate(program, ROWS, right, lm=lp.ScriptedLM(reply))
    assert report.failures_by_kind == {"transport": 6} and report.mean == 1.0
    assert type(error).__name__ in report.first_failures["transport"]


def test_a_metric_whose_service_is_down_costs_the_row_and_no_error() -> None:
    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        if example.ticket == "ticket 3":
            raise ConnectionError("judge is down")
        return True

    lm = lp.ScriptedLM(lambda request: "[[team]]\na")
    report = lp.evaluate(lp.Predict("ticket -> team"), ROWS, metric, lm=lm)
    assert report.failures_by_kind == {"transport": 1}
    assert "the metric could not be computed: ConnectionError" in str(report.first_failures)


def test_an_adapter_that_raises_is_not_the_models_failure() -> None:
    class Odd(lp.Signature):
        """Sort."""

        ticket: str = lp.Input("what was written")
        team: str = lp.Output("who owns it")

    class Broken(ChatAdapter):
        name = "broken"

        def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
            raise KeyError("a bug of the adapter")

    program = lp.Predict(Odd, adapter=Broken())
    lm = lp.ScriptedLM(lambda request: "[[team]]\na")
    assert lp.evaluate(program, ROWS, right, lm=lm).failures_by_kind == {"error": 12}
