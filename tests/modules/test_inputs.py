"""Inputs that may be left out, inputs by name, and inputs that are no text, up to the endpoint."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Optional

import pytest

import langprog as lp
from langprog.errors import InputError
from tests.conftest import served

PNG, WAV, PDF = b"\x89PNG\r\n\x1a\n1", b"RIFF\0\0\0\0WAVE", b"%PDF-1.7"


class Ask(lp.Signature):
    """Answer the question."""

    question: str = lp.Input()
    context: Optional[str] = lp.Input()  # noqa: UP045 - one of the ways to write it
    style: Literal["plain", "formal"] = lp.Input(default="plain")
    tags: list[str] = lp.Input(default_factory=list)
    answer: str = lp.Output()


def model() -> lp.ScriptedLM:
    return lp.ScriptedLM(lambda request: "[[answer]]\nx\n")


def test_inputs_that_may_be_left_out_have_their_default() -> None:
    lm = model()
    with lp.using(lm=lm):
        lp.Predict(Ask)(question="why?")
        lp.Predict(Ask)(question="why?", context=None, style="plain", tags=[])
        lp.ChainOfThought(lp.Predict(Ask).signature).inputs["style"].default_value()
    first, second = lm.requests
    assert first.messages == second.messages
    assert first.messages[-1].text.split("\n")[2:] == [
        "[[context]]",
        "null",
        "[[style]]",
        "plain",
        "[[tags]]",
        "[]",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "the call of Ask lacks question; its inputs are question, context, style, tags"),
        ({"question": "x", "contxt": "y"}, "has unknown contxt"),
        ({"question": "x", "style": "odd"}, "'style' does not fit"),
    ],
)
def test_a_call_that_does_not_fit_is_one_sentence(given: dict[str, Any], said: str) -> None:
    with lp.using(lm=model()), pytest.raises(InputError, match=said):
        lp.Predict(Ask)(**given)


def test_a_pipeline_fills_them_in_too() -> None:
    lm = lp.ScriptedLM(lambda request: "[[answer]]\nx\n[[grade]]\n1")
    pipeline = lp.Pipeline(
        ask=lp.Predict(Ask), grade=lp.Predict("answer, context: Optional[str] -> grade: int")
    )
    with lp.using(lm=lm):
        assert pipeline(question="why?").grade == 1
        with pytest.raises(InputError, match="the call of the Pipeline lacks question"):
            pipeline()
    strict = lp.Pipeline(
        ask=lp.Predict(Ask),
        other=lp.Predict("context: Optional[str] -> a").with_parameters({}),
    )
    assert not strict.inputs["context"].required


def test_values_without_a_name_are_explained() -> None:
    class Own(lp.Module):
        def forward(self, ticket: str, team: str = "a") -> dict[str, Any]:
            return {"a": ticket}

    for program, said in (
        (lp.Predict("ticket, n -> a"), r"by name: write program\(ticket=..., n=...\)"),
        (Own(), r"write program\(ticket=...\)"),
    ):
        with pytest.raises(InputError, match=said):
            program("my ticket")


def test_names_of_another_library_on_a_prediction_are_explained() -> None:
    with pytest.raises(AttributeError, match=r"has no toDict: write to_dict\(\)"):
        _ = lp.Prediction(a=1).toDict
    with pytest.raises(AttributeError, match="the prediction has no output 'b'; it has a"):
        _ = lp.Prediction(a=1).b


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("InputField", r'write lp.Input\("what it means"\)'),
        ("OutputField", "write lp.Output"),
        ("MIPROv2", "from optimizers import MIPRO"),
        ("settings", "lp.configure"),
        ("Evaluate", "lp.evaluate"),
    ],
)
def test_names_of_another_library_are_explained(name: str, said: str) -> None:
    with pytest.raises(AttributeError, match=f"'{name}': .*{said}"):
        getattr(lp, name)


def test_options_of_another_library_are_explained() -> None:
    with pytest.raises(lp.LangprogError, match="no option 'api_base': write base_url="):
        lp.LM("openai/x", api_base="http://localhost")  # type: ignore[call-arg]  # the mistake


# --- up to the endpoint --------------------------------------------------------------------------


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An endpoint that keeps what it is asked."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            message = {"role": "assistant", "content": "[[answer]]\na cat"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            data = json.dumps({"object": "chat.completion", "choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1", bodies
    server.shutdown()
    thread.join()
    server.server_close()


class Look(lp.Signature):
    """Say what it is."""

    history: lp.History = lp.Input()
    photo: lp.Image = lp.Input()
    sound: lp.Audio = lp.Input()
    paper: lp.File = lp.Input()
    answer: str = lp.Output()


GIVEN = {
    "history": lp.History(
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    ),
    "photo": lp.Image(PNG),
    "sound": lp.Audio(WAV),
    "paper": lp.File(PDF, name="a.pdf"),
}


def test_images_sounds_and_files_are_parts_of_the_request(
    endpoint: tuple[str, list[dict[str, Any]]],
) -> None:
    url, bodies = endpoint
    with lp.using(lm=lp.LM("openai/x", base_url=url, api_key="k", cache=False)):
        assert lp.Predict(Look)(**GIVEN).answer == "a cat"
        lp.Predict(Look)(**{**GIVEN, "photo": lp.Image("https://example.org/cat.png")})
    messages = bodies[0]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    parts = messages[-1]["content"]
    assert [part["type"] for part in parts] == [
        *("text", "image_url", "text", "input_audio", "text", "file"),
    ]
    encoded = base64.b64encode(PNG).decode()
    assert parts[1]["image_url"]["url"] == f"data:image/png;base64,{encoded}"
    assert parts[3]["input_audio"] == {"data": base64.b64encode(WAV).decode(), "format": "wav"}
    assert parts[5]["file"]["filename"] == "a.pdf"
    texts = [part["text"] for part in parts if part["type"] == "text"]
    assert "base64" not in str(texts) and encoded not in str(texts)
    assert bodies[1]["messages"][-1]["content"][1]["image_url"]["url"] == (
        "https://example.org/cat.png"
    )


def test_a_server_of_ours_gets_the_very_parts() -> None:
    lm = lp.ScriptedLM(lambda request: "[[answer]]\na cat", name="test/eyes")
    with (
        served(lm) as url,
        lp.using(lm=lp.LM("openai/eyes", base_url=url, api_key="k", cache=False)),
    ):
        lp.Predict(Look)(**GIVEN)
    parts = lm.requests[0].messages[-1].content
    media = [part for part in parts if isinstance(part, (lp.Image, lp.Audio, lp.File))]
    assert media == [GIVEN["photo"], GIVEN["sound"], GIVEN["paper"]]
