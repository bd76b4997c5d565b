from __future__ import annotations

import json
from pathlib import Path

import pytest

import langprog as lp
from langprog.cli.main import run
from langprog.errors import InputError
from langprog.interop import to_message_templates

DEMO = {"ticket": "x {{y}}", "n": 3, "team": "a"}
PROGRAM = lp.Predict("ticket, n: int -> team: Literal['a', 'b']", demos=[DEMO], adapter="chat")


def test_messages_are_the_very_prompt() -> None:
    messages = lp.to_messages(PROGRAM, {"ticket": "[[team]] b", "n": "7"})
    sent = PROGRAM.render({"ticket": "[[team]] b", "n": 7})
    assert messages == [{"role": each.role, "content": each.content} for each in sent]
    assert messages[-1]["content"] == "[[ticket]]\n\\[[team]] b\n[[n]]\n7"
    image = lp.Predict("scan: Image -> text")
    parts = lp.to_messages(image, {"scan": lp.Image("https://example.com/a.png")})[-1]["content"]
    assert {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}} in parts


@pytest.mark.parametrize("adapter", ["chat", "json", "xml"])
def test_templates_are_read_as_a_program_with_the_same_prompt(adapter: str) -> None:
    program = PROGRAM.with_parameters({"predict.adapter": adapter})
    (messages,) = to_message_templates(program).values()
    again = lp.PromptTemplate(messages, syntax="jinja", output="team", inputs="n: int")
    ticket = '"a"' if adapter == "json" else "a"
    asked = program.render({"ticket": "a", "n": 7})
    assert again.render({"ticket": ticket, "n": 7}) == asked


def test_a_template_is_written_with_its_demonstrations() -> None:
    program = lp.PromptTemplate("Do {{it}}.\n\n{text}\n", syntax="format", demos=[
        {"text": "{{a}}", "answer": "b"}
    ])  # fmt: skip
    (messages,) = to_message_templates(program).values()
    again = lp.PromptTemplate(messages, syntax="jinja")
    assert again.render({"text": "x"}) == program.render({"text": "x"})


def test_every_predictor_has_its_prompt() -> None:
    program = lp.Pipeline(first=lp.Predict("a -> b"), second=lp.Predict("b -> c"))
    assert list(to_message_templates(program)) == ["first", "second"]
    with pytest.raises(InputError, match="2 predictors .* depend on the replies"):
        lp.to_messages(program, {"a": "x"})


def test_a_prompt_that_is_not_the_same_for_all_inputs_needs_them() -> None:
    nearest = lp.NearestDemos([{"a": "x", "b": "y"}], k=1)
    for program, why in (
        (lp.Predict("scan: Image -> b"), "takes 'scan', which is not text"),
        (lp.Predict("a -> b", nearest=nearest), "chosen for each input"),
        (lp.Predict("a -> b", adapter="tools"), "its adapter tools writes more than text.*"),
    ):
        with pytest.raises(InputError, match=f"{why}: give the inputs"):
            to_message_templates(program)


def test_the_command_writes_messages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lp.save(PROGRAM, tmp_path / "a.json")
    command = ["export", f"{tmp_path}/a.json", "--as", "messages", "--out", f"{tmp_path}/m.json"]
    assert run([*command, "--set", 'input={"ticket": "t", "n": 7}']) == 0
    messages = json.loads((tmp_path / "m.json").read_text())
    assert messages == lp.to_messages(PROGRAM, {"ticket": "t", "n": 7})
    assert run(command) == 0
    messages = json.loads((tmp_path / "m.json").read_text())
    assert messages[-1]["content"] == "[[ticket]]\n{{ ticket }}\n[[n]]\n{{ n }}"
    for option, said in (
        ("input={", "input:1: it is not JSON"),
        ("input=[1]", "input is a JSON object"),
        ('input={"n": 7}', "lacks ticket"),
        ('input={"ticket": "a", "n": "x"}', "'n' does not fit"),
    ):
        assert run([*command, "--set", option]) == 2
        assert said in capsys.readouterr().err
