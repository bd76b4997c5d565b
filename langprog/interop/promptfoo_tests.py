"""Tests of promptfoo: YAML, JSON, JSONL or CSV, as examples with a metric."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from langprog.adapters import scan_template
from langprog.errors import InputError
from langprog.example import Example
from langprog.interop.assertions import ASSERT, SET, THRESHOLD, TYPES, check_value, promptfoo
from langprog.interop.contract import Imported
from langprog.interop.csv_assertions import assertion_from_text
from langprog.interop.reading import MOST_ROWS, parse_json, read_json_lines, read_text
from langprog.interop.yaml_text import Located, read_yaml
from langprog.modules import Module, PromptTemplate

LARGEST = 16 * 2**20
READS: Mapping[str, str] = MappingProxyType(
    {"unsupported": "drop: leave out assertions that run code or ask a model, and say how many"}
)
ANSWER = "answer"

_CODE = frozenset("javascript python ruby webhook".split())
_TEST = frozenset("vars assert description threshold metadata options provider providers".split())
# What else a test can say; it is refused, as it would change what is asked or what counts.
_ASSERTION = frozenset("type value weight metric threshold assert description".split())
_SPECIAL = ("__prefix", "__suffix", "__providerOutput")


@dataclass
class _Tests:
    """The tests of a file, while they are read."""

    file: Path
    located: Located
    drop: bool
    templates: Mapping[str, Any] = field(default_factory=dict)
    dropped: int = 0
    kinds: dict[str, None] = field(default_factory=dict)
    without: int = 0

    def refuse(self, part: Any, problem: str, number: int) -> InputError:
        line = self.located.line_of(part)
        place = f"{self.file}" if line is None else f"{self.file}:{line}"
        return InputError(f"{place}: test {number}: {problem}")


def read_promptfoo(path: Path, into: Module | None, options: Mapping[str, str]) -> Imported:
    """Read tests, for ``langprog import``."""
    unsupported = options.get("unsupported")
    if unsupported not in (None, "drop"):
        raise InputError(f"unsupported is 'drop', not {unsupported!r:.40}")
    return from_promptfoo(path, drop_unsupported=unsupported == "drop")


def from_promptfoo(path: str | Path, *, drop_unsupported: bool = False) -> Imported:
    """Read the tests of promptfoo as examples with the metric ``promptfoo``.

    The variables of a test are an example's inputs, its assertions the column ``assert``; a text
    that the output has to equal is the column ``answer`` as well. If the file has one prompt, it
    is the program.

    Args:
        path: A configuration with ``tests``, or a file of tests: YAML, JSON, JSONL or CSV.
        drop_unsupported: Leave out assertions that run code or ask a model, and tests that have
            no others; the notes say how many.

    Raises:
        InputError: The file or a test is not as described, or asserts what cannot be checked
            here; names file, line and test.
    """
    file = Path(path)
    tests = _Tests(file, Located(None), drop_unsupported)
    config, listed, default = _read_file(tests)
    examples = [
        example
        for number, test in enumerate(listed, start=1)
        for example in _examples(test, default, tests, number)
    ]
    if not examples:
        raise InputError(f"{file}: there are no tests with assertions in it")
    program, note = _program(config, file)
    notes = [note] if note else []
    if tests.dropped:
        notes.append(
            f"{tests.dropped} assertions that run code or ask a model were left out "
            f"({', '.join(tests.kinds)})"
            + (f", and {tests.without} tests that had no others" if tests.without else "")
        )
    metrics = MappingProxyType({"promptfoo": promptfoo()})
    return Imported(tuple(examples), metrics, program, tuple(notes))


# --- files ---------------------------------------------------------------------------------------


def _read_file(tests: _Tests) -> tuple[Mapping[str, Any], list[Any], Mapping[str, Any]]:
    """Return the configuration, its tests and what holds for all of them."""
    value = _read_rows(tests.file, tests)
    if isinstance(value, list):
        return {}, value, {}
    if not isinstance(value, dict):
        raise InputError(f"{tests.file}: it is not a list of tests, and has no 'tests'")
    if "scenarios" in value:
        raise InputError(f"{tests.file}: 'scenarios' are not read: write them as tests")
    default = value.get("defaultTest") or {}
    if not isinstance(default, dict):
        raise InputError(f"{tests.file}: 'defaultTest' is read if it stands in this file")
    templates = value.get("assertionTemplates") or {}
    tests.templates = templates if isinstance(templates, dict) else {}
    listed = value.get("tests")
    if isinstance(listed, str):
        listed = _read_rows(_beside(tests.file, listed, "tests"), tests)
    if not isinstance(listed, list):
        raise InputError(f"{tests.file}: 'tests' is a list of tests or the name of a file")
    return value, listed, default


def _read_rows(file: Path, tests: _Tests) -> Any:
    suffix = file.suffix.lower()
    if suffix == ".jsonl":
        return [row for _, row in read_json_lines(file)]
    text = read_text(file, LARGEST)
    if suffix in (".yaml", ".yml"):
        located = read_yaml(text, str(file))
        tests.located.lines |= located.lines
        tests.file = file
        # Lines are known by the identity of objects, which therefore stay alive.
        tests.located.value = (tests.located.value, located.value)
        return located.value
    if suffix == ".json":
        return parse_json(text, str(file))
    if suffix == ".csv":
        return list(_csv_rows(text, file))
    raise InputError(f"{file}: tests are read from .yaml, .yml, .json, .jsonl and .csv")


def _beside(file: Path, reference: str, what: str) -> Path:
    """Return a file that is named in another one."""
    name = reference.removeprefix("file://")
    if "*" in name or "://" in name or "#" in name:
        raise InputError(f"{file}: {what} {reference!r:.80} is not a single file of this machine")
    return file.parent / name


def _csv_rows(text: str, file: Path) -> Iterator[dict[str, Any]]:
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        for row in reader:
            place = f"{file}:{reader.line_num}"
            if None in row or None in row.values():
                raise InputError(f"{place}: it has not as many fields as the header")
            if any(row.get(name) for name in _SPECIAL):
                raise InputError(f"{place}: {', '.join(_SPECIAL)} are not read")
            names = [name for name in row if not name.startswith("__")]
            asserts = [
                assertion_from_text(value)
                for name, value in row.items()
                if name.startswith("__expected") and value.strip()
            ]
            test = {"vars": {name: row[name] for name in names}, "assert": asserts}
            if row.get("__threshold"):
                test["threshold"] = parse_json(row["__threshold"], place)
            yield test
    except csv.Error as error:
        raise InputError(f"{file}: it is not CSV: {error}") from None


# --- tests ---------------------------------------------------------------------------------------


def _examples(
    test: Any, default: Mapping[str, Any], tests: _Tests, number: int
) -> Iterator[Example]:
    if not isinstance(test, dict):
        raise tests.refuse(test, f"a test is an object, not {test!r:.40}", number)
    _check_test(test, default, tests, number)
    given = [part.get("vars") or {} for part in (default, test)]
    if not all(isinstance(part, dict) for part in given):
        raise tests.refuse(test, "'vars' is an object", number)
    asserts = [*(default.get("assert") or ()), *(test.get("assert") or ())]
    threshold = test.get(THRESHOLD, default.get(THRESHOLD))
    for values in _combinations({**given[0], **given[1]}, tests, number):
        before = tests.dropped
        kept = [
            checked
            for each in asserts
            if (checked := _assertion(each, values, tests, number)) is not None
        ]
        if not kept:
            tests.without += tests.dropped > before
            continue
        columns: dict[str, Any] = {**values, ASSERT: kept}
        if threshold is not None:
            columns[THRESHOLD] = _number(threshold, tests, test, number)
        equal = [each["value"] for each in kept if each["type"] == "equals"]
        if len(equal) == 1 and isinstance(equal[0], str):
            columns.setdefault(ANSWER, equal[0])
        yield Example(**columns)


def _check_test(
    test: Mapping[str, Any], default: Mapping[str, Any], tests: _Tests, number: int
) -> None:
    for part in (default, test):
        unknown = sorted(part.keys() - _TEST)
        options = part.get("options") or {}
        changing = [
            name for name in options if name in ("transform", "transformVars", "prefix", "suffix")
        ]
        if unknown or changing:
            raise tests.refuse(
                part, f"{(unknown or changing)[0]!r:.40} of a test is not read", number
            )


def _number(value: Any, tests: _Tests, part: Any, number: int) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise tests.refuse(part, f"a threshold or a weight is a number, not {value!r:.40}", number)
    return float(value)


def _combinations(
    values: Mapping[str, Any], tests: _Tests, number: int
) -> Iterator[dict[str, Any]]:
    """Yield the variables of a test; a list stands for a test with each of its items."""
    for name, value in values.items():
        if isinstance(value, str) and value.startswith("file://"):
            raise tests.refuse(values, f"{name!r:.40} is a file, which is not read", number)
        if name in (ASSERT, THRESHOLD):
            raise tests.refuse(values, f"a variable cannot be named {name!r} here", number)
    lists = [value if isinstance(value, list) else [value] for value in values.values()]
    total = 1
    for items in lists:
        total *= len(items)
    if total > MOST_ROWS:
        raise tests.refuse(values, f"its lists make more than {MOST_ROWS:,} tests", number)
    for chosen in itertools.product(*lists):
        yield dict(zip(values, chosen, strict=True))


# --- assertions ----------------------------------------------------------------------------------


def _assertion(
    given: Any, values: Mapping[str, Any], tests: _Tests, number: int
) -> dict[str, Any] | None:
    """Return an assertion as it is stored; ``None`` if it is left out.

    Raises:
        InputError: It cannot be checked here.
    """
    given = _resolve(given, tests, number)
    kind = given["type"]
    bare = kind.removeprefix("not-")
    if kind != SET and bare not in TYPES:
        if tests.drop:
            tests.dropped += 1
            tests.kinds.setdefault(kind[:40])
            return None
        raise tests.refuse(given, _why_not(kind, bare), number)
    unknown = sorted(given.keys() - _ASSERTION)
    if unknown:
        raise tests.refuse(given, f"{unknown[0]!r:.40} of an assertion is not read", number)
    stored: dict[str, Any] = {"type": kind}
    if given.get("weight", 1) != 1:
        stored["weight"] = _number(given["weight"], tests, given, number)
    if kind == SET:
        return _assertion_set(stored, given, values, tests, number)
    stored["value"] = _fill(given.get("value"), values, tests, given, number)
    if bare.endswith("-json") and isinstance(stored["value"], str) and stored["value"]:
        stored["value"] = read_yaml(stored["value"], f"{tests.file}: the schema").value
    try:
        check_value(bare, stored["value"])
    except InputError as error:
        raise tests.refuse(given, str(error), number) from None
    return stored


def _resolve(given: Any, tests: _Tests, number: int) -> dict[str, Any]:
    """Return an assertion, or the template that it refers to."""
    if isinstance(given, dict) and "$ref" in given:
        name = str(given["$ref"]).removeprefix("#/assertionTemplates/")
        if name not in tests.templates:
            raise tests.refuse(given, f"there is no assertion template {name!r:.60}", number)
        given = tests.templates[name]
    if not isinstance(given, dict) or not isinstance(given.get("type"), str):
        raise tests.refuse(given, "an assertion is an object with a type", number)
    return given


def _assertion_set(
    stored: dict[str, Any],
    given: Mapping[str, Any],
    values: Mapping[str, Any],
    tests: _Tests,
    number: int,
) -> dict[str, Any] | None:
    inner = [_assertion(each, values, tests, number) for each in given.get("assert") or ()]
    stored["assert"] = [each for each in inner if each is not None]
    if given.get(THRESHOLD) is not None:
        stored[THRESHOLD] = _number(given[THRESHOLD], tests, given, number)
    return stored if stored["assert"] else None


def _why_not(kind: str, bare: str) -> str:
    what = (
        f"the assertion {kind!r:.40} runs code, which an imported file never does"
        if bare in _CODE
        else f"the assertion {kind!r:.40} asks a model, or measures what a reply's text does not "
        "tell"
    )
    return (
        f"{what}: write it as a metric of your own, or leave such assertions out "
        f"(unsupported=drop); understood are {', '.join(TYPES)}, each with not-"
    )


def _fill(value: Any, values: Mapping[str, Any], tests: _Tests, part: Any, number: int) -> Any:
    """Return the value of an assertion with the variables in their places."""
    if isinstance(value, list):
        return [_fill(each, values, tests, part, number) for each in value]
    if isinstance(value, dict):
        return {name: _fill(each, values, tests, part, number) for name, each in value.items()}
    if not isinstance(value, str):
        return value
    if value.startswith("file://"):
        raise tests.refuse(part, f"{value!r:.60} is a file, which is not read", number)
    if "{{" not in value and "{%" not in value:
        return value
    try:
        pieces = scan_template(f"{value}\n", "jinja")[:-1]
    except InputError as error:
        raise tests.refuse(part, f"its value, {error}", number) from None
    missing = [piece.slot for piece in pieces if piece.slot and piece.slot not in values]
    if missing:
        raise tests.refuse(
            part, f"its value has {missing[0]!r}, which the test does not have", number
        )
    return "".join(_text(values[piece.slot]) if piece.slot else piece.text for piece in pieces)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# --- the prompt ----------------------------------------------------------------------------------


def _program(config: Mapping[str, Any], file: Path) -> tuple[PromptTemplate | None, str]:
    """Return the program of a configuration with one prompt, and what else has to be said."""
    prompts = config.get("prompts")
    prompts = [prompts] if isinstance(prompts, str) else prompts
    if not isinstance(prompts, list) or not prompts:
        return None, ""
    prompt = prompts[0]
    if isinstance(prompt, dict):
        prompt = prompt.get("raw") or prompt.get("id")
    if len(prompts) > 1 or not isinstance(prompt, str):
        return None, "there are several prompts: read the one that is meant with --from template"
    try:
        return _prompt(prompt, file), ""
    except InputError as error:
        return None, f"the prompt is not read: {error}"


def _prompt(prompt: str, file: Path) -> PromptTemplate:
    text, suffix = prompt, ""
    if prompt.startswith("file://"):
        place = _beside(file, prompt, "prompts")
        text, suffix = read_text(place), place.suffix.lower()
    if suffix in (".js", ".ts", ".py", ".mjs", ".cjs"):
        raise InputError(f"{prompt!r:.60} is code")
    if suffix == ".json" or text.lstrip().startswith("["):
        messages = parse_json(text, f"{file}, its prompt")
        return PromptTemplate(messages, output=ANSWER, syntax="jinja")
    # Unlike Jinja, promptfoo keeps the last line end.
    ends = text.endswith(("\n", "\r"))
    return PromptTemplate(f"{text}\n" if ends else text, output=ANSWER, syntax="jinja")
