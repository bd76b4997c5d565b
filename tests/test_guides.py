"""The commands of the guides run as they stand there, on the embedded model."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.cli import serving
from langprog.cli.main import run
from langprog.evaluation import exact
from programs import classify, list_programs
from tests.forking import COMMAND_LINE, Forking

ROOT = Path(__file__).parents[1]
# Pages whose Python runs by itself, and those whose blocks run in the test that is named.
PLAIN = ("artifact", "budgets", "judges", "metrics", "reports", "typing")
ELSEWHERE = {
    "dspy": "interop/dspy/test_guide.py",
    "evolve": "optimizers/reflective/test_evolve.py",
    "install": "stranger.py",
    **dict.fromkeys(("start", "language", "checks", "retrieval", "tools"), "test_readme.py"),
    **dict.fromkeys(("models", "observing", "certificates", "compiling"), "test_readme.py"),
}


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a guide in a language."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(page: str, language: str = "console") -> list[list[str]]:
    """Return the commands of a guide's blocks as words, without ``langprog``."""
    lines = "".join(blocks(page, language)).replace("\\\n", " ").splitlines()
    words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    assert words and all(program == "langprog" for program, *_ in words)
    return [rest for _, *rest in words]


def run_python(page: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run the one block of Python of a guide, as a module would; return its names."""
    (code,) = blocks(page, "python")
    known = {"__name__": page, **(names or {})}
    exec(compile(code, f"{page}.md", "exec", dont_inherit=True), known)
    return known


def test_every_page_with_code_is_run() -> None:
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    coded = {
        page for page in pages if any(blocks(page, kind) for kind in ("python", "console", "sh"))
    }
    source = Path(__file__).read_text()
    here = {page for page in pages if f'"{page}.md"' in source or f'("{page}"' in source}
    assert coded <= {*PLAIN, *ELSEWHERE, *here}
    assert all((ROOT / "tests" / place).is_file() for place in ELSEWHERE.values())


@pytest.mark.parametrize("page", PLAIN)
def test_the_python_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    run_python(page)


def test_the_optimizer_of_the_guide_compiles() -> None:
    names = run_python("extending")
    rows = [lp.Example(ticket=f"ticket {n}", team="ab"[n % 2]) for n in range(120)]
    with lp.using(lm=lp.ScriptedLM(by_parity)):
        compiled = names["FirstRows"](k=2).compile(
            lp.Predict("ticket -> team"), rows, metric=exact("team"), budget=lp.Budget(calls=400)
        )
    assert compiled.certificate.verdict == "certified"
    (predictor,) = compiled.program.predictors().values()
    assert len(predictor.demos) == 2


def by_parity(request: lp.Request) -> str:
    """Know the team of a ticket where demonstrations are shown."""
    number = int(re.findall(r"ticket (\d+)", request.messages[-1].text)[-1])
    shown = len(request.messages) > 2
    return f"[[team]]\n{'ab'[number % 2] if shown else 'none'}"


def test_the_tests_of_the_guide_to_ci_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    certified: Callable[..., lp.Module],
    assert_not_worse: Callable[..., Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    Path("tests").mkdir()
    rows = "".join(
        f'{{"ticket": "the wifi is down, case {n}", "team": "atlas"}}\n' for n in range(60)
    )
    Path("tests", "tickets.jsonl").write_text(rows)
    Path("rows.jsonl").write_text(rows)
    program = lp.Predict("ticket -> team", model="scripted/lm")
    for name in ("triage", "new", "old"):
        evidence = {"certificate": {"verdict": "certified", "reason": "It is."}}
        save_program(program, f"{name}.json", evidence=evidence)
    with lp.using(models=[lp.ScriptedLM(lambda request: "[[team]]\natlas")]):
        names = run_python("ci")
        names["test_what_runs_in_production_is_certified"](certified)
        names["test_the_new_prompt_is_as_good"](certified, assert_not_worse)
        compare, verify = commands("ci", "sh")
        assert run(compare) == 0
        assert run(verify) == 2
    assert "canar" in capsys.readouterr().err


def test_the_commands_of_the_guide_to_formats_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    model = lp.ScriptedLM(lambda request: "[[team]]\nbilling", name="openai/gpt-6-luna")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(model))
    messages = [
        {"role": "system", "content": "Say the capital."},
        {"role": "user", "content": "Italy"},
    ]
    Path("samples.jsonl").write_text(json.dumps({"input": messages, "ideal": "Rome"}) + "\n")
    Path("promptfooconfig.yaml").write_text(PROMPTFOO)
    Path("prompt.txt").write_text("Which team gets this ticket?\n\n{ticket}\n")
    teams = ("billing", "network")
    Path("tickets.jsonl").write_text(
        "".join(f'{{"ticket": "case {n}", "team": "{teams[n % 2]}"}}\n' for n in range(60))
    )
    lp.save(lp.Predict("ticket -> team", model="openai/gpt-6-luna"), "triage.json")
    for words in commands("formats"):
        if words[0] == "compile":  # what a search makes of it is tested elsewhere
            words = [*words, "--optimizer", "labeled", "--accept", "best"]
        assert run(words) == 0, (words, capsys.readouterr().err)
    assert "Which team gets this ticket?" in Path("better.txt").read_text()


PROMPTFOO = """
prompts: ["Say the capital of {{country}}."]
providers: [openai:gpt-6-luna]
tests:
  - vars: {country: Italy}
    assert: [{type: contains, value: Rome}]
"""


def test_the_commands_of_the_guide_to_ports_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "port.md").read_text()
    (block,) = re.findall(r"```console\n(.*?)```", guide, re.DOTALL)
    tickets = ROOT / "programs" / "tickets"
    shutil.copy(tickets / "train.jsonl", tmp_path / "tickets.jsonl")
    # Fewer rows than in the file, as calls take time; enough for the test.
    rows = (tickets / "holdout.jsonl").read_text().splitlines(keepends=True)[:80]
    (tmp_path / "holdout.jsonl").write_text("".join(rows))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    for line in block.splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "langprog" and run(arguments) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "safe: As it is, the program loses n" in said and "artifact new.json" in said
    assert "compiled by port from sha256:" in said


def test_the_commands_of_the_guide_to_verification_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "verify.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (block,) = re.findall(r"```console\n(.*?)```", guide, re.DOTALL)
    shutil.copy(ROOT / "programs" / "tickets" / "train.jsonl", tmp_path / "tickets.jsonl")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "verify.md", "exec"), {})
    for line in block.splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "langprog" and run(arguments) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "recorded 12 canaries with 2 replies each" in said and '"runs": 24' in said


def test_the_code_of_the_guide_to_the_semantic_cache_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "semantic_cache.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(code, "semantic_cache.md", "exec"), names)
    names["cache"].close()
    assert capsys.readouterr().out.endswith(" 0\n") and Path("answers").is_dir()


def test_the_commands_of_the_guide_to_serving_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    processes: Forking,
) -> None:
    guide = (ROOT / "docs" / "serve.md").read_text()
    readme = (ROOT / "README.md").read_text().partition("\n## Three doors\n")[2]
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (console,) = re.findall(r"```console\n(.*?)```", guide, re.DOTALL)
    serve, *trials = "".join(re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)).splitlines()
    own, ask = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)[0].splitlines()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    exec(compile(code, "serve.md", "exec"), {})
    for name in ("new.json", "triage.json"):
        shutil.copy("team.json", name)
    Path("keys.txt").write_text("a-long-key-of-a-client\n")
    with served(processes, [*shlex.split(serve)[1:], "triage.json"]) as address:
        for question in [ask, *(line.removeprefix("$ ") for line in console.splitlines())]:
            done = subprocess.run(
                question.replace("localhost:8000", address.removeprefix("http://")),
                shell=True,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, question
            assert "sha256:" in done.stdout or "openapi" in done.stdout, done.stdout

    async def serve_nothing(server: object) -> None:
        """Take the place of what listens: the rest of the command is run."""

    monkeypatch.setattr(serving, "_serve", serve_nothing)
    for command in (own, *trials):
        assert run(shlex.split(command, comments=True)[1:]) == 0, capsys.readouterr().err


@contextmanager
def served(processes: Forking, arguments: list[str]) -> Iterator[str]:
    """Run ``langprog serve`` on a free port; yields its address."""
    arguments[arguments.index("--port") + 1] = "0"
    command = ["-m", "langprog", *arguments]
    process = processes.start(
        command, imports=(*COMMAND_LINE, "langprog.serving"), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 0


def test_the_commands_of_the_guide_to_programs_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "programs.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (block,) = re.findall(r"```console\n(.*?)```", guide, re.DOTALL)
    # Fewer rows, as calls take time.
    monkeypatch.setattr(classify, "examples", partial(classify.examples, 15))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "programs.md", "exec"), {})
    for line in block.splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "langprog" and run(arguments) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "artifact        classify.json" in said and said.count("metric: ") == 2
    told = set(re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE))
    assert told <= {info.name for info in list_programs()}


def test_the_guide_to_labels_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "labels.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    exec(compile(code, "labels.md", "exec"), {})
    assert "2 rows with a weak label, 1 without" in capsys.readouterr().out
    lines = (ROOT / "programs" / "tickets" / "train.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "known.jsonl").write_text("".join(lines[:10]))
    unlabelled = [json.dumps({"ticket": json.loads(line)["ticket"]}) for line in lines[10:40]]
    (tmp_path / "unlabelled.jsonl").write_text("\n".join(unlabelled))
    rule = "def words(row):\n    return 'harbor' if 'pay' in row.ticket else None\n"
    (tmp_path / "rules.py").write_text(rule)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    for block in re.findall(r"```console\n(.*?)```", guide, re.DOTALL):
        program, *arguments = shlex.split(block.removeprefix("$ "))
        assert program == "langprog" and run(arguments) == 0, capsys.readouterr().err
    assert len(Path("to_label.jsonl").read_text().splitlines()) == 10
    assert "to train on alone" in capsys.readouterr().out


def test_the_guide_to_estimates_runs(capsys: pytest.CaptureFixture[str]) -> None:
    guide = (ROOT / "docs" / "estimates.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    exec(compile(code, "estimates.md", "exec"), {})
    first, second, third, last = capsys.readouterr().out.splitlines()
    assert "150 labels of 2,000 rows" in first and "drawn at random" in first
    assert "150 labels of 2,000 rows" in second and "the oracle is right" in second
    assert "'large': 0.9" in third or "'large': 0.8" in third
    assert last.startswith("(")
