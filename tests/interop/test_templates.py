from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import langprog as lp
from langprog.cli.main import run
from langprog.errors import InputError
from langprog.interop import format_to_write

GOLDEN = Path(__file__).parent / "golden" / "templates"
INPUTS = {"ticket": "my {card} {{was}} charged twice"}


def read(name: str) -> str:
    return (GOLDEN / name).read_bytes().decode()


@pytest.mark.parametrize("name", ["tickets.txt", "tickets.j2", "chat.json", "object.json"])
def test_a_golden_template_comes_back_as_it_was(name: str) -> None:
    """The prompt stays what it was, and an unchanged program gives the same file."""
    program = lp.from_template(GOLDEN / name, output="team")
    prompt = [f"{message.role}: {message.content}" for message in program.render(INPUTS)]
    assert "\n".join(prompt) + "\n" == read(f"{name}.prompt")
    assert lp.to_template(program) == read(name)


@pytest.mark.parametrize("name", ["tickets.txt", "tickets.j2", "chat.json", "object.json"])
def test_a_golden_template_is_compiled_to_a_template_of_its_kind(
    name: str, tmp_path: Path
) -> None:
    program = lp.from_template(GOLDEN / name, output="team").with_parameters(
        {
            "predict.instruction": 'Route it as {"team": ...} says.',
            "predict.demos": [lp.Example(ticket="no {{signal}}", team="network")],
        }
    )
    text = lp.to_template(program)
    assert text == read(f"compiled.{name}")
    path = tmp_path / name
    path.write_text(text, newline="")
    assert lp.from_template(path, output="team").render(INPUTS) == program.render(INPUTS)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "x\n{a.b}", "a.txt:2: '{a.b}' is not a name"),
        ("a.txt", "hello", "a.txt: it has no place for a value"),
        ("a.j2", "{{ a }}\n{% if b %}", "a.j2:2: '{% if b %}' is not read"),
        ("a.json", "[\n{]", "a.json:2: it is not JSON"),
        ("a.json", "{}", "a.json: a JSON template is a list of messages"),
        ("a.json", '{"messages": [], "tools": []}', "a.json: 'tools' is not read"),
        (
            "a.json",
            '[{"role": "user", "content": "a\\n{"}]',
            "a.json: message 1, line 2: a single",
        ),
        ("a.txt", "x" * 2**21, "is larger than 1 MB"),
    ],
)
def test_a_bad_file_is_named_with_its_line(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as refused:
        lp.from_template(tmp_path / name)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_not_made_from_a_template_is_no_template() -> None:
    with pytest.raises(InputError, match="only a program that was made from a template"):
        lp.to_template(lp.Predict("a -> b"))
    nearest = lp.NearestDemos([{"a": "x", "answer": "y"}], k=1)
    with pytest.raises(InputError, match="cannot choose demonstrations for each input"):
        lp.to_template(lp.PromptTemplate("{a}", nearest=nearest))
    carriage = lp.PromptTemplate("Do it.\n\n{{ a }}").with_parameters(
        {"predict.instruction": "Do\r\nit."}
    )
    with pytest.raises(InputError, match="Jinja renders no carriage returns"):
        lp.to_template(carriage)


def test_the_commands_take_a_template_in_and_out(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    address = scripted_endpoint(lp.ScriptedLM(lambda _: "a", name="openai/tiny"))
    Path("prompt.txt").write_text("Say the team.\n\nTicket: {ticket}\nTeam:")
    command = ["import", "prompt.txt", "--from", "template", "--out", "prompt.json"]
    assert run([*command, "--set", "output=team: Literal['a', 'b']"]) == 0
    assert "a compile may change the instruction: 'Say the team.'" in capsys.readouterr().out
    rows = [{"ticket": f"{number}", "team": "ab"[number % 2]} for number in range(40)]
    Path("rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    options = ["--train", "rows.jsonl", "--metric", "exact:team", "--lm", "openai/tiny"]
    compiling = ["--optimizer", "labeled", "--out", "compiled.json", "--calls", "60"]
    command = ["compile", "prompt.json", *options, *compiling, "--base-url", address]
    assert run(command) == 0
    assert run(["export", "prompt.json", "--as", "template", "--out", "again.txt"]) == 0
    assert Path("again.txt").read_bytes() == Path("prompt.txt").read_bytes()
    assert run(["export", "compiled.json", "--as", "template", "--out", "compiled.txt"]) == 0
    said = capsys.readouterr().out
    assert "note: the template does not say the model openai/tiny" in said
    compiled, again = lp.load("compiled.json"), lp.from_template("compiled.txt", output="team")
    assert isinstance(compiled, lp.PromptTemplate)
    assert again.render(INPUTS) == compiled.render(INPUTS)


def test_a_syntax_that_the_file_does_not_tell_is_said(tmp_path: Path) -> None:
    program = lp.PromptTemplate("{a}", demos=[{"a": "{b}", "answer": "c"}])
    exported = format_to_write("template").write
    assert exported is not None
    written = exported(program, {}, None)
    assert written.notes == (
        "read it again with --set syntax=format, which it does not tell by itself",
    )
    (tmp_path / "a.txt").write_text(written.text)
    with pytest.raises(InputError, match="say which it is, syntax=format or syntax=jinja"):
        lp.from_template(tmp_path / "a.txt")
    again = lp.from_template(tmp_path / "a.txt", syntax="format")
    assert again.render({"a": "x"}) == program.render({"a": "x"})


def test_an_export_that_is_refused_leaves_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lp.save(lp.Predict("a -> b"), tmp_path / "a.json")
    out = tmp_path / "out.txt"
    out.write_text("kept")
    command = ["export", f"{tmp_path}/a.json", "--out", str(out), "--as"]
    assert run([*command, "template"]) == 2
    assert run([*command, "openai-evals"]) == 2
    said = capsys.readouterr().err
    assert "only a program that was made from a template can be written as one" in said
    assert out.read_text() == "kept"
