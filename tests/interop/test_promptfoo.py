from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.cli.main import run
from langprog.errors import InputError, MetricError
from langprog.interop import promptfoo

GOLDEN = Path(__file__).parent / "golden" / "promptfoo"


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def verdict(output: Any, *asserts: Any, threshold: float | None = None) -> float:
    row = lp.Example(**{"assert": list(asserts), "threshold": threshold})
    score = promptfoo()(row, lp.Prediction(answer=output))
    assert bool(score.feedback) == (score.value == 0)
    return score.value


def written(folder: Path, text: str, name: str = "tests.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_golden_configuration_is_examples_with_a_metric_and_a_program() -> None:
    data = lp.from_promptfoo(GOLDEN / "promptfooconfig.yaml")
    assert [dict(row) for row in data.examples] == rows_of(GOLDEN / "rows.jsonl")
    program = data.program
    assert program is not None
    answers = {"France": "Paris", "Norway": "Bergen", "yes": "in Oslo", "Peru": "Lima"}

    def answer(request: lp.Request) -> str:
        return next(answers[name] for name in answers if name in str(request.messages))

    lm = lp.ScriptedLM(answer)
    with lp.using(lm=lm):
        report = lp.evaluate(program, data.examples, data.metrics["promptfoo"])
    prompts = {request.messages[0].content for request in lm.requests}
    assert "Name the capital.\n\nCountry: France\nCapital:\n" in prompts
    assert [row.score and row.score.value for row in report.rows] == [1.0, 0.0, 1.0, 1.0]


def test_tests_are_read_from_csv_jsonl_and_json(tmp_path: Path) -> None:
    data = lp.from_promptfoo(GOLDEN / "tests.csv")
    assert [dict(row) for row in data.examples] == [
        {
            "country": "France",
            "assert": [{"type": "equals", "value": "Paris"}],
            "answer": "Paris",
        },
        {
            "country": "Norway",
            "assert": [
                {"type": "icontains", "value": "oslo"},
                {"type": "contains-any", "value": ["Oslo", "Bergen"]},
            ],
            "threshold": 0.5,
        },
        {
            "country": "Peru",
            "assert": [
                {"type": "not-contains", "value": "Cusco"},
                {"type": "equals", "value": "Lima"},
            ],
            "answer": "Lima",
        },
    ]
    test = {"vars": {"a": "b"}, "assert": [{"type": "contains", "value": 7}]}
    for name, text in (("t.jsonl", json.dumps(test)), ("t.json", json.dumps([test]))):
        (row,) = lp.from_promptfoo(written(tmp_path, text, name)).examples
        assert dict(row) == {"a": "b", "assert": [{"type": "contains", "value": 7}]}
    config = written(tmp_path, "tests: file://t.json\nprompts: ['{{a}}', '{{a}}?']", "c.yaml")
    data = lp.from_promptfoo(config)
    assert (len(data.examples), data.program) == (1, None)
    assert data.notes == (
        "there are several prompts: read the one that is meant with --from template",
    )


@pytest.mark.parametrize(
    ("kind", "value", "holds", "fails"),
    [
        ("equals", "Paris", " Paris\n", "paris"),
        ("equals", {"a": [1]}, '{"a": [1.0]}', "{'a': [1]}"),
        ("equals", 3.0, "3", "3.0"),
        ("equals", True, "true", "True"),
        ("contains", "ari", "Paris", "PARIS"),
        ("contains", 42, "it is 42", "it is 4"),
        ("icontains", "ARI", "Paris", "Prs"),
        ("contains-any", ["a", "b"], "xb", "AB"),
        ("contains-all", "a, b", "b a", "a"),
        ("icontains-any", ["A"], "xa", "b"),
        ("icontains-all", ["A", "B"], "ab", "a"),
        ("starts-with", "Par", "Paris", "in Paris"),
        ("regex", r"^\d{4}-\d\d$", "2024-05", "2024-05\n2024-06"),
        ("is-json", None, '{"a": 1}', "a: 1"),
        ("is-json", {"type": "object", "required": ["a"]}, '{"a": 1}', '{"b": 1}'),
        ("contains-json", None, 'see {x} {"a": 1}.', "see {x}"),
        ("contains-json", {"required": ["b"], "type": "object"}, '[1] {"b": 1}', '{"a": 1}'),
    ],
)
def test_assertions_hold_as_in_promptfoo(kind: str, value: Any, holds: str, fails: str) -> None:
    assert verdict(holds, {"type": kind, "value": value}) == 1
    assert verdict(fails, {"type": kind, "value": value}) == 0
    assert verdict(holds, {"type": f"not-{kind}", "value": value}) == 0
    assert verdict(fails, {"type": f"not-{kind}", "value": value}) == 1


def test_weights_and_thresholds_decide_together() -> None:
    yes, no = {"type": "contains", "value": "a"}, {"type": "contains", "value": "b"}
    assert verdict("a", yes, yes) == 1
    assert verdict("a", yes, no) == 0
    assert verdict("a", yes, no, threshold=0.5) == 1
    assert verdict("a", yes, {**no, "weight": 3}, threshold=0.5) == 0
    assert verdict("a", no, threshold=0) == 1
    both = {"type": "assert-set", "assert": [yes, no]}
    assert verdict("a", both) == 0
    assert verdict("a", {**both, "threshold": 0.5}, yes) == 1
    assert verdict({"a": 1}, {"type": "is-json"}, {"type": "equals", "value": {"a": 1}}) == 1


def test_a_metric_says_what_it_misses() -> None:
    with pytest.raises(MetricError, match="no assertions in 'assert'"):
        promptfoo()(lp.Example(a=1), lp.Prediction(answer="a"))
    row = lp.Example(**{"assert": [{"type": "equals", "value": "a"}]})
    with pytest.raises(MetricError, match="say which is meant, promptfoo:x"):
        promptfoo()(row, lp.Prediction(x="a", y="b"))
    assert promptfoo("y")(row, lp.Prediction(x="b", y="a")).value == 1
    with pytest.raises(MetricError, match="an assertion cannot be read"):
        promptfoo()(lp.Example(**{"assert": [{"type": "mystery"}]}), lp.Prediction(answer="a"))


ONE = "- vars: {a: b}\n  assert:\n  - "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is not a list of tests, and has no 'tests'"),
        ("b: 1\na: ]", "tests.yaml:2: it is not YAML"),
        ("- 1", "tests.yaml: test 1: a test is an object, not 1"),
        ("- {vars: {a: b}}", "there are no tests with assertions in it"),
        ("- vars: 3", "tests.yaml:1: test 1: 'vars' is an object"),
        (ONE + "{type: javascript, value: x}", ":3: test 1: the assertion 'javascript' runs code"),
        (ONE + "{type: not-python, value: x}", "'not-python' runs code"),
        (ONE + "{type: llm-rubric, value: is kind}", "'llm-rubric' asks a model"),
        (ONE + "{type: latency, threshold: 5}", "'latency' asks a model, or measures"),
        (ONE + "{value: x}", "an assertion is an object with a type"),
        (ONE + "{type: equals, value: x, transform: y}", "'transform' of an assertion is"),
        (ONE + "{type: equals}", "equals takes a value"),
        (ONE + "{type: contains, value: ''}", "contains takes a text"),
        (ONE + "{type: contains-any, value: []}", "contains-any takes a list of texts"),
        (ONE + "{type: regex, value: '(?=a)'}", "look-around"),
        (ONE + "{type: regex, value: '('}", "the pattern '(' cannot be used"),
        (ONE + "{type: is-json, value: {type: nothing}}", "the JSON schema is invalid"),
        (ONE + "{type: equals, value: '{{ c }}'}", "its value has 'c', which the test"),
        (ONE + "{type: equals, value: '{{ a | upper }}'}", "is not read"),
        (ONE + "{type: equals, value: 'file://a.txt'}", "is a file, which is not read"),
        (ONE + "{$ref: '#/assertionTemplates/x'}", "there is no assertion template 'x'"),
        (ONE + "{type: equals, value: x, weight: heavy}", "is a number, not 'heavy'"),
        ("- {vars: {a: 'file://x'}, assert: [{type: is-json}]}", "'a' is a file"),
        ("- {vars: {}, options: {transform: x}}", "'transform' of a test is not read"),
        ("- {assertScoringFunction: x}", "'assertScoringFunction' of a test is not read"),
        ("tests: 'file://*.yaml'", "is not a single file of this machine"),
        ("tests: https://example.com/tests.csv", "is not a single file of this machine"),
        ("scenarios: []", "'scenarios' are not read"),
        ("tests: []\ndefaultTest: 'file://a.yaml'", "'defaultTest' is read if it stands in this"),
        ("- !!js/function 'x'", "tests.yaml:1: the tag"),
        ("- !!python/object/apply:os.system ['true']", "tests.yaml:1: the tag"),
        ("a: 1\na: 2", "tests.yaml:2: the key 'a' appears twice"),
        ("&a [*a]", "too large once its aliases are written out"),
        ("".join(f"x{n}: &x{n} [{','.join([f'*x{n - 1}'] * 9) if n else 1}]\n" for n in range(9)),
         "too large once its aliases are written out"),
        ("[" * 5000, "it is"),
        ("- vars: {a: &l [1,2,3,4,5,6,7,8,9,0], b: *l, c: *l, d: *l, e: *l, f: *l, g: *l}",
         "its lists make more than 1,000,000 tests"),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_sentence_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        lp.from_promptfoo(written(tmp_path, text))
    assert said in str(refused.value)
    assert len(str(refused.value)) < 700 and "\n" not in str(refused.value)


def test_yaml_is_what_javascript_reads(tmp_path: Path) -> None:
    text = "- vars: {a: yes, b: 2024-01-31, c: 1e3, d: 0x1F, e: null, f: '7', g: .5, h: on}\n"
    (row,) = lp.from_promptfoo(written(tmp_path, f"{text}  assert: [{{type: is-json}}]")).examples
    assert [row[name] for name in "abcdefgh"] == [
        *("yes", "2024-01-31", 1000.0, 31, None, "7", 0.5, "on")
    ]


def test_what_cannot_be_checked_is_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    text = (
        "- {vars: {a: 1}, assert: [{type: llm-rubric, value: kind}]}\n"
        "- {vars: {a: 2}, assert: [{type: javascript, value: x}, {type: contains, value: y}]}\n"
    )
    data = lp.from_promptfoo(written(tmp_path, text), drop_unsupported=True)
    assert [dict(row) for row in data.examples] == [
        {"a": 2, "assert": [{"type": "contains", "value": "y"}]}
    ]
    assert data.notes == (
        "2 assertions that run code or ask a model were left out (llm-rubric, javascript), and 1 "
        "tests that had no others",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,__expected\nx\n", "tests.csv:2: it has not as many fields"),
        ('a,__expected\n"x', "it is not CSV"),
        ("a,__expected,__prefix\nx,y,z\n", "__prefix, __suffix, __providerOutput are not read"),
        ("a,__expected\nx,javascript: 1\n", "test 1: the assertion 'javascript' runs code"),
        ("a,__expected\nx,grade: is kind\n", "'llm-rubric' asks a model"),
        ("a,__expected\nx,file://a.py\n", "'javascript' runs code"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        lp.from_promptfoo(written(tmp_path, text, "tests.csv"))
    assert said in str(refused.value)


def test_the_command_writes_rows_and_the_prompt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", f"{tmp_path}/rows.jsonl", "--program", f"{tmp_path}/prompt.json"]
    config = str(GOLDEN / "promptfooconfig.yaml")
    assert run(["import", config, "--from", "promptfoo", *out]) == 0
    assert "score them with --metric promptfoo" in capsys.readouterr().out
    assert rows_of(tmp_path / "rows.jsonl") == rows_of(GOLDEN / "rows.jsonl")
    program = lp.load(tmp_path / "prompt.json")
    rows = lp.load_examples(tmp_path / "rows.jsonl", program)
    assert len(rows) == 4
    bad = ["--set", "unsupported=keep"]
    assert run(["import", config, "--from", "promptfoo", *out, *bad]) == 2
    assert "unsupported is 'drop', not 'keep'" in capsys.readouterr().err
