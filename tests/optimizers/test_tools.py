"""Programs with tools compile: demonstrations are whole conversations, tools are searched."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import read_artifact
from langprog.errors import ArtifactError
from langprog.lm import Capabilities, Completion, Declared, ToolCall
from langprog.lm.chat_body import read_request
from optimizers import GEPA, BootstrapFewShot, Compiler
from optimizers.identity import program_digest
from tests.lm.endpoint import Endpoint, endpoint_in_thread
from tests.modules.tool_endpoint import Body, Reply, answering

ROWS = [lp.Example(question=f"code of item{n}?", code=f"c{n}x") for n in range(120)]


def look_up(item: str) -> str:
    """Look an item's code up."""
    number = item.removeprefix("item")
    return f"c{number}x" if int(number) < 120 else "unknown"


def guess(item: str) -> str:
    """Guess an item's code, quickly."""
    return "c0x"


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.code == prediction.code)


def write(call: tuple[str, dict[str, Any]], native: bool) -> Any:
    tool, given = call
    if native:
        calls = ((ToolCall("x", tool, json.dumps(given)),),)
        return Completion(("",), "scripted/lm", finish_reasons=("tool_calls",), tool_calls=calls)
    listed = json.dumps([{"tool": tool, "arguments": given}])
    return f"[[thought]]\nso be it\n[[tool_calls]]\n{listed}"


def work(request: lp.Request) -> Any:
    """Take the first tool on offer; without a demonstration, answer some rows unasked."""
    messages = request.messages
    system = messages[0].text
    native = bool(request.tools)
    if "[[thought]]" not in system and not native:
        return "[[summary]]\nitems\n[[instruction]]\nFind the code."
    texts = [message.text for message in messages]
    places = [at for at, text in enumerate(texts) if re.search(r"code of item\d+\?", text)]
    item = re.findall(r"code of (item\d+)\?", texts[places[-1]])[-1]
    if places[-1] == len(messages) - 1:  # nothing was done yet
        taught = len(places) > 1
        if not taught and int(item[4:]) % 3:
            return write(("submit", {"code": "cannot tell"}), native)
        offered = native and request.tools[0].name or re.findall(r"^- (\w+):", system, re.M)[0]
        return write((str(offered), {"item": item}), native)
    last = messages[-1].content
    said = last if isinstance(last, str) else last[0].text
    found = re.search(r"c\d+x", said)
    return write(("submit", {"code": found[0] if found else "unknown"}), native)


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_conversations_become_demonstrations_of_an_artifact_that_acts_the_same(
    native: bool, tmp_path: Path
) -> None:
    program = lp.ReAct("question -> code", [look_up], max_steps=3)
    lm = lp.ScriptedLM(work)
    model = Declared(lm, Capabilities(tools=True)) if native else lm
    with lp.using(lm=model):
        result = BootstrapFewShot(bootstrapped=2, labeled=4).compile(
            program, ROWS, metric=right, budget=lp.Budget(calls=2000), seed=1
        )
    assert result.certificate.verdict == "certified"
    assert result.program.step.adapter == ("tools" if native else "chat")
    demos = result.program.step.demos
    assert 1 <= len(demos) <= 2
    for demo in demos:  # the whole conversation: each begins with the question, ends with submit
        assert [call.tool for step in demo["steps"] for call in step.tool_calls] == ["look_up"]
        assert demo["steps"][0].results[0].startswith("c")
        assert [call.tool for call in demo["tool_calls"]] == ["submit"]
    result.save(tmp_path / "p.json")
    held = read_artifact(tmp_path / "p.json").data.program
    assert json.loads(held.model_dump_json())["step"]["demos"][0]["steps"]
    loaded = lp.load(tmp_path / "p.json", tools=[look_up])
    for question in ("code of item7?", "code of item8?"):
        with lp.using(lm=model):
            compiled, again = result.program(question=question), loaded(question=question)
        assert compiled.code == again.code == f"c{question[12:-1]}x"
        assert [step.messages for step in compiled.trace] == [
            step.messages for step in again.trace
        ]
    with pytest.raises(ArtifactError, match="needs your tool 'look_up'"):
        lp.load(tmp_path / "p.json")


def test_which_tools_to_offer_is_searched(tmp_path: Path) -> None:
    program = lp.ReAct("question -> code", [guess, look_up], max_steps=2)
    with lp.using(lm=lp.ScriptedLM(work)):
        result = Compiler(rounds=1).compile(
            program, ROWS, metric=right, budget=lp.Budget(calls=6000), seed=1
        )
    assert result.certificate.verdict == "certified"
    assert result.program.offered == ("look_up",)
    assert [tool.description for tool in result.program.tools] == [
        tool.description for tool in program.tools
    ]
    result.save(tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", tools=[guess, look_up])
    assert loaded.offered == ("look_up",)


def test_other_tools_make_another_program() -> None:
    def program(*tools: Any) -> lp.ReAct:
        return lp.ReAct("question -> code", tools)

    assert program_digest(program(look_up)) == program_digest(program(look_up))
    assert program_digest(program(look_up)) != program_digest(program(guess))
    assert program_digest(program(look_up)) != program_digest(
        program(lp.Tool(look_up, max_result=9))
    )


@pytest.mark.parametrize("tools", [True, False])
def test_whether_an_endpoint_takes_tools_is_found_out_first_and_kept(
    tools: bool, tmp_path: Path
) -> None:
    def reply(body: Body) -> Reply:
        answer = work(read_request(body))
        if isinstance(answer, str):
            return answer
        [call] = answer.first_tool_calls
        return [(call.name, json.loads(call.arguments))]

    def compile_it(served: Endpoint) -> Any:
        lm = lp.LM("openai/x", base_url=served.base_url, api_key="k", cache=False)
        with lp.using(lm=lm):
            return BootstrapFewShot(bootstrapped=1, labeled=0).compile(
                lp.ReAct("question -> code", [look_up], max_steps=2),
                ROWS,
                metric=right,
                budget=lp.Budget(calls=900),
                run_dir=tmp_path,
                seed=1,
            )

    with endpoint_in_thread(answering(reply, tools=tools)) as served:
        first = compile_it(served)
        asked = served.calls
        again = compile_it(served)  # a model that knows nothing of the endpoint
        assert served.calls == asked
    assert (
        first.program.step.adapter == again.program.step.adapter == ("tools" if tools else "chat")
    )
    refused = [body for body in served.requests if body.get("tools")] if not tools else []
    assert len(refused) == (0 if tools else 1)
    assert refused == served.requests[:1][: len(refused)]  # before anything else was asked


def test_an_evolution_is_shown_the_steps_that_led_to_a_wrong_answer() -> None:
    def reply(request: lp.Request) -> Any:
        system = request.messages[0].text
        if "[[tool_calls]]" in system:
            return write(("submit", {"code": "cannot tell"}), native=False)
        return "[[instruction]]\nLook the item up."

    lm = lp.ScriptedLM(reply)
    with lp.using(lm=lm):
        GEPA(rounds=2).compile(
            lp.ReAct("question -> code", [look_up], max_steps=2),
            ROWS,
            metric=right,
            budget=lp.Budget(calls=900),
            seed=1,
        )
    shown = [request.messages[-1].text for request in lm.requests]
    [first, *_] = [text for text in shown if "[[mistakes]]" in text]
    assert 'answered tool_calls: [{"tool": "submit"' in first
    answered = r"code of item(\d+)\?.*the program's code: cannot tell\nwanted: c\1x"
    assert re.search(answered, first, re.DOTALL)
