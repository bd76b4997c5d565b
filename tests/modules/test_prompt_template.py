from __future__ import annotations

import string
from pathlib import Path

import jinja2.sandbox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import InputError, SignatureError

TICKETS = "Say which team owns the ticket.\n\nTicket: {ticket}\nTeam:"
TEAMS = "team: Literal['billing', 'network']"
NAMES = ["ticket", "text", "x1"]
TEXTS = st.text(alphabet="ab :\n\t{}%#\"'é", max_size=12)


def prompt(program: lp.PromptTemplate, **inputs: object) -> str:
    (message,) = program.render(inputs)
    assert message.role == "user"
    assert isinstance(message.content, str)
    return message.content


def test_the_prompt_is_the_template_and_the_reply_the_answer() -> None:
    program = lp.PromptTemplate(TICKETS, output="team")
    lm = lp.ScriptedLM(["  The billing team.\n"])
    with lp.using(lm=lm):
        assert program(ticket="charged {twice}").team == "The billing team."
    assert lm.requests[0].messages == (
        lp.Message("user", "Say which team owns the ticket.\n\nTicket: charged {twice}\nTeam:"),
    )
    assert lm.requests[0].response_schema is None


def test_the_instruction_is_what_comes_before_the_first_place() -> None:
    program = lp.PromptTemplate(TICKETS, output=TEAMS)
    assert program.signature.instruction == "Say which team owns the ticket."
    changed = program.with_parameters(
        {
            "predict.instruction": "Route it.",
            "predict.demos": [lp.Example(ticket="no {signal}", team="network")],
        }
    )
    assert prompt(changed, ticket="a bill") == (
        "Route it.\n\nTicket: no {signal}\nTeam: network\n\nTicket: a bill\nTeam:"
    )


@pytest.mark.parametrize(
    ("template", "instruction"),
    [
        ("Answer.\n\nUse the context:\n\n{context}\n\nQ: {q}", "Answer."),
        ("Answer.\nContext:\n{context}\nQ: {q}\nA:", "Answer."),
        ("Context:\n{context}\nQ: {q}\nA:", ""),
        ("{text}\n\nSummarize this.\n", "Summarize this."),
        ("{text}\n\nSummary:", ""),
        ("Translate {text} to French", ""),
        ('Use {{"a": 1}}.\n\n{text}', 'Use {"a": 1}.'),
        ("Two parts.\n\nOne more.\n\nText: {text}", "Two parts.\n\nOne more."),
        ("Say it.\n\n{demos}\n\nText: {text}", "Say it."),
    ],
)
def test_where_the_instruction_is(template: str, instruction: str) -> None:
    program = lp.PromptTemplate(template)
    assert program.signature.instruction == instruction
    inputs = dict.fromkeys(program.inputs, "v")
    assert prompt(program, **inputs) == template.format(demos="", **inputs)
    changed = program.with_parameters({"predict.instruction": "New."})
    assert "New." in prompt(changed, **inputs)
    assert not instruction or instruction not in prompt(changed, **inputs)


def test_an_instruction_can_be_named() -> None:
    program = lp.PromptTemplate("You are kind.\nSort it.\n\n{text}", instruction="Sort it.")
    assert program.signature.instruction == "Sort it."
    changed = program.with_parameters({"predict.instruction": "Order it."})
    assert prompt(changed, text="b a") == "You are kind.\nOrder it.\n\nb a"
    with pytest.raises(InputError, match="stands 0 times in the template"):
        lp.PromptTemplate("a {text}", instruction="b")
    with pytest.raises(InputError, match="stands 2 times in the template"):
        lp.PromptTemplate("a a {text}", instruction="a")
    with pytest.raises(InputError, match="has no place for a value"):
        lp.PromptTemplate("a {text} b", instruction="a {text}")


def test_demonstrations_of_messages_are_turns() -> None:
    program = lp.PromptTemplate(
        [
            {"role": "system", "content": "Add {{ kind }} numbers."},
            {"role": "user", "content": "1+1"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": "Add carefully.\n\n{{ sum }}"},
        ],
        output="total: int",
        demos=[{"sum": "2+2", "kind": "x", "total": 4}],
    )
    assert program.signature.instruction == "Add carefully."
    messages = program.render({"sum": "3+3", "kind": "whole"})
    assert [(message.role, message.content) for message in messages] == [
        ("system", "Add whole numbers."),
        ("user", "1+1"),
        ("assistant", "2"),
        ("user", "2+2"),
        ("assistant", "4"),
        ("user", "Add carefully.\n\n3+3"),
    ]
    with lp.using(lm=lp.ScriptedLM(["6."])):
        assert program(sum="3+3", kind="whole").total == 6


def test_several_outputs_are_a_json_object() -> None:
    program = lp.PromptTemplate(
        'As JSON, {{"team": ..., "sure": ...}}: {ticket}',
        output="team, sure: bool",
        demos=[lp.Example(ticket="a", team="b", sure=True)],
    )
    assert '{"team": "b", "sure": true}' in prompt(program, ticket="c")
    with lp.using(lm=lp.ScriptedLM(['```json\n{"team": "x", "sure": false}\n```'])):
        answer = program(ticket="c")
    assert (answer.team, answer.sure) == ("x", False)


def test_a_text_is_the_whole_reply_without_thinking() -> None:
    program = lp.PromptTemplate("{text}")
    code = "```python\nprint('[[answer]]')\n```"
    with lp.using(lm=lp.ScriptedLM([f"<think>hm</think>\n{code}\n", "", "again"])):
        assert program(text="a").answer == code
        answer = program(text="b")
    assert (answer.answer, answer.usage.calls) == ("again", 2)


def test_numbers_are_written_as_python_writes_them() -> None:
    program = lp.PromptTemplate("{n} {x}", inputs="n: int, x: float")
    assert prompt(program, n=7, x=0.5) == "7 0.5"
    with pytest.raises(SignatureError, match="is a text or a number"):
        lp.PromptTemplate("{n}", inputs="n: list[str]")
    with pytest.raises(SignatureError, match="'m' is not in the template, which has n"):
        lp.PromptTemplate("{n}", inputs="m: int")


def test_an_artifact_holds_the_template(tmp_path: Path) -> None:
    program = lp.PromptTemplate(
        TICKETS, output=TEAMS, demos=[{"ticket": "a", "team": "billing"}], temperature=0.0
    ).with_parameters({"predict.instruction": "Route it."})
    lp.save(program, tmp_path / "prompt.json")
    again = lp.load(tmp_path / "prompt.json")
    assert isinstance(again, lp.PromptTemplate)
    assert again.render({"ticket": "x"}) == program.render({"ticket": "x"})
    assert again.parameters() == program.parameters()
    assert lp.to_template(again) == lp.to_template(program)


def test_a_template_stays_what_it_is() -> None:
    program = lp.PromptTemplate(TICKETS)
    with pytest.raises(InputError, match="no parameter"):
        program.with_parameters({"predict.adapter": "json"})
    with pytest.raises(InputError, match="takes no adapter"):
        program.with_own_parameters({"adapter": "json"})
    with pytest.raises(InputError, match="takes no adapter"):
        lp.PromptTemplate(TICKETS, adapter="json")
    with pytest.raises(InputError, match="keeps its template"):
        program.with_parameters({"predict.template": {}})
    with pytest.raises(InputError, match="has no structure"):
        program.with_parameters({"predict.structure": ("reasoning", "answer")})
    with pytest.raises(InputError, match=r"demonstration 1 .* no value for 'ticket'"):
        prompt(lp.PromptTemplate(TICKETS, demos=[{"answer": "a"}]), ticket="b")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{a}" + "b" * 1_000_000, "has at most 1,000,000 characters"),
        ("", "no place for a value: write {name}"),
        ("{ text }", "line 1: '{ text }' is not a name in braces"),
        ("a\n{0}", "line 2: '{0}' is not a name"),
        ("{}", "'{}' is not a name"),
        ("{a.b}", "'{a.b}' is not a name"),
        ("{a!r}", "'{a!r}' is not a name"),
        ("{a:>10}", "'{a:>10}' is not a name"),
        ('{a}\n{"b": 1}', "line 2: '{\"b\": 1}' is not a name"),
        ("{a} }", "a single '}': write }}"),
        ("{a} {", "a single '{': write {{"),
        ("{a} {{ b }}", "say which it is, syntax=format or syntax=jinja"),
        ("{{ a.b }}", "'{{ a.b }}' is not read"),
        ("{{ a|upper }}", "'{{ a|upper }}' is not read"),
        ("{{ a() }}", "'{{ a() }}' is not read"),
        ("{{- a }}", "'{{- a }}' is not read"),
        ("{{ a }}\n{% for b in a %}", "line 2: '{% for b in a %}' is not read"),
        ("{{ a }}{% raw %}", "is not read"),
        ("{{ a }}{#", "the comment {# has no end"),
        ("{{ not }}", "'not' has a meaning of its own"),
        ("{{ self }}", "'self' has a meaning of its own"),
        ("{demos} {demos} {a}", "{demos} may stand once"),
        ([], "a template is one text"),
        ([{"role": "user", "content": 1}], "message 1 has no text"),
        ([{"role": "tool", "content": "{a}"}], "message 1 has no role of"),
        ([{"role": "user", "content": "{a}", "name": "b"}], "has 'name', which is not read"),
        ([{"role": "assistant", "content": "{a}"}], "the last message is not the user's"),
        ([{"role": "user", "content": "b"}, {"role": "user", "content": "{a}\n{"}],
         "message 2, line 2: a single '{'"),
    ],
)  # fmt: skip
def test_what_is_no_template_is_refused(template: object, said: str) -> None:
    with pytest.raises(InputError) as refused:
        lp.PromptTemplate(template)  # type: ignore[arg-type]  # what is refused
    assert said in str(refused.value)


def test_a_template_of_a_stranger_executes_nothing() -> None:
    for attack in (
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ range(10**9)|list }}",
        "{% set x = 'a' * 10**9 %}{{ x }}",
        "{{ lipsum.__globals__ }}",
    ):
        with pytest.raises(InputError, match="is not read"):
            lp.PromptTemplate("{{ a }}" + attack, syntax="jinja")
    with pytest.raises(InputError, match="is not a name"):
        lp.PromptTemplate("{a.__class__.__mro__}")


# --- properties ----------------------------------------------------------------------------------


@st.composite
def formats(draw: st.DrawFn) -> str:
    literal = TEXTS.map(lambda text: text.replace("{", "{{").replace("}", "}}"))
    place = st.sampled_from([f"{{{name}}}" for name in NAMES])
    parts = draw(st.lists(st.one_of(literal, place, st.just("\n\n")), max_size=8))
    return "".join([*parts, "{text}", *draw(st.lists(literal, max_size=2))])


@st.composite
def jinjas(draw: st.DrawFn) -> str:
    literal = st.text(alphabet="ab :\n{}%\r", max_size=8).filter(
        lambda text: not any(sign in text + "{" for sign in ("{{", "{%"))
    )
    special = ["{{ '{' }}", '{{"#"}}', "{# note #}", "{% raw %}{{ x }}\n{% endraw %}"]
    place = st.sampled_from([*special, *(f"{{{{ {name}\t}}}}" for name in NAMES)])
    parts = draw(st.lists(st.one_of(literal, place, st.just("\n\n")), max_size=8))
    return "".join([*parts, "{{ text }}", *draw(st.lists(literal, max_size=1))])


DEMOS = st.lists(st.fixed_dictionaries(dict.fromkeys([*NAMES, "answer"], TEXTS)), max_size=2)


@settings(max_examples=40, deadline=None)
@given(formats(), TEXTS)
def test_a_format_string_renders_as_python_does(template: str, value: str) -> None:
    program = lp.PromptTemplate(template, syntax="format")
    inputs = dict.fromkeys(program.inputs, value)
    assert prompt(program, **inputs) == template.format(**inputs)
    assert lp.to_template(program) == template


@settings(max_examples=40, deadline=None)
@given(jinjas(), TEXTS)
def test_a_jinja_template_renders_as_jinja_does(template: str, value: str) -> None:
    program = lp.PromptTemplate(template, syntax="jinja")
    inputs = dict.fromkeys(program.inputs, value)
    rendered = jinja2.sandbox.ImmutableSandboxedEnvironment().from_string(template).render(inputs)
    assert prompt(program, **inputs) == rendered
    assert lp.to_template(program) == template


@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from(["format", "jinja"]), TEXTS, DEMOS, TEXTS)
def test_a_changed_program_is_a_template_with_the_same_prompt(
    data: st.DataObject, syntax: str, instruction: str, demos: list[dict[str, str]], value: str
) -> None:
    template = data.draw(formats() if syntax == "format" else jinjas())
    program = lp.PromptTemplate(template, syntax=syntax)  # type: ignore[arg-type]  # one of both
    changed = program.with_parameters({"predict.instruction": instruction, "predict.demos": demos})
    again = lp.PromptTemplate(lp.to_template(changed), syntax=syntax)  # type: ignore[arg-type]  # as above
    inputs = dict.fromkeys(program.inputs, value)
    assert prompt(again, **inputs) == prompt(changed, **inputs)
    assert set(again.inputs) == set(program.inputs)


def test_every_character_is_kept() -> None:
    text = string.printable.replace("{", "").replace("}", "") + "\u2028\ufeffé\U0001f600"
    assert prompt(lp.PromptTemplate(text + "{a}"), a=text) == text + text


@pytest.mark.parametrize(
    "text",
    ["{{ a", "{{", "{# ", "a:\n", ":\n\n", "\n \t", "{{ '{' }}", "{% raw %}", "}}", "{a}{{", "\r"],
)
def test_a_long_template_takes_no_time(text: str) -> None:
    long = text * (40_000 // len(text))
    for syntax in (None, "format", "jinja"):
        try:
            lp.PromptTemplate(long + "{{ b }}", syntax=syntax)  # type: ignore[arg-type]  # one of both
        except InputError as error:
            assert len(str(error)) < 400
