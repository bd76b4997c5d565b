"""Write training data: draft freely, refine, verify, and drop what is there already.

Follows: BARE: Leveraging Base Language Models for Few-Shot Synthetic Data Generation (Zhu et al.,
2025): drafts of a base model are diverse, and an instruct model makes them good; and MUSTARD:
Mastering Uniform Synthesis of Theorem and Proof Data (Huang et al., 2024): only data that a
verifier accepts is kept. Differs: draft and refinement are two predictors, which may have two
models;
the verifier is exact arithmetic; near duplicates are dropped; a compile improves what share of the
data is accepted.
"""

from __future__ import annotations

import ast
import operator
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import langprog as lp

OPERATORS: Mapping[type[ast.operator], Callable[[int, int], int]] = MappingProxyType(
    {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
)
TOPICS = ("apples", "stamps", "coins", "shells", "pencils", "marbles", "cards", "buttons")
# Word problems with more than this share of their words in common are the same.
SAME = 0.8
LONGEST = 100
OUTPUTS = ("problem", "expression", "answer")


class Draft(lp.Signature):
    """Think of a short word problem about the topic that takes this calculation."""

    topic: str = lp.Input()
    calculation: str = lp.Input("such as a + b * c, with numbers of your own choice")
    draft: str = lp.Output()


class Refine(lp.Signature):
    """Make a clear word problem of the draft: all numbers named, one question at the end."""

    topic: str = lp.Input()
    calculation: str = lp.Input()
    draft: str = lp.Input()
    problem: str = lp.Output("the problem")
    expression: str = lp.Output("the calculation with the numbers of the problem")
    answer: int = lp.Output("the result")


class Synthesize(lp.Module):
    """Writes a problem with its solution."""

    signature = "topic, calculation -> problem, expression, answer: int"

    def __init__(self) -> None:
        self.draft = lp.Predict(Draft, temperature=1.0)
        self.refine = lp.Predict(Refine)

    async def aforward(self, topic: str, calculation: str) -> Mapping[str, object]:
        """Draft, then refine."""
        draft = (await self.draft.acall(topic=topic, calculation=calculation)).draft
        done = await self.refine.acall(topic=topic, calculation=calculation, draft=draft)
        return {name: done[name] for name in OUTPUTS}


program = Synthesize()


def find_flaw(topic: str, calculation: str, row: Mapping[str, object]) -> str:
    """Return why a problem is not accepted; empty if it is verified.

    Args:
        topic: What it has to be about.
        calculation: What it has to take.
        row: The problem, its expression and its answer.
    """
    problem, expression = str(row["problem"]), str(row["expression"])[:LONGEST]
    if topic.casefold() not in problem.casefold():
        return f"it is not about {topic}"
    shape = re.sub(r"\d+", "n", expression)
    if "".join(shape.split()) != "".join(re.sub(r"[a-z]", "n", calculation).split()):
        return f"{expression} is not of the form {calculation}"
    numbers = re.findall(r"\d+", expression)
    if lacking := [number for number in numbers if number not in re.findall(r"\d+", problem)]:
        return f"the problem does not name {lacking[0]}"
    try:
        result = _work_out(ast.parse(expression, mode="eval").body)
    except SyntaxError as error:  # such as a number that begins with 0
        return f"{expression} cannot be read: {error.msg}"
    return "" if result == row["answer"] else f"{expression} is {result}, not {row['answer']}"


def _work_out(tree: ast.expr) -> int:
    if isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
        return OPERATORS[type(tree.op)](_work_out(tree.left), _work_out(tree.right))
    assert isinstance(tree, ast.Constant) and type(tree.value) is int  # its form was checked
    return tree.value


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score 1 for a problem that is verified."""
    flaw = find_flaw(example.topic, example.calculation, prediction)
    return lp.Score(float(not flaw), flaw or None)


def synthesize(
    module: lp.Module, wanted: Sequence[Mapping[str, str]], known: Sequence[str] = ()
) -> Iterator[lp.Example]:
    """Yield examples that are verified and new.

    Args:
        module: A program such as ``program``, compiled or not.
        wanted: Topics and calculations; each is asked for once.
        known: Problems that there are already.
    """
    kept = [_words(problem) for problem in known]
    for asked, row in zip(wanted, lp.parallel(module, wanted), strict=True):
        words = _words(row.problem)
        if find_flaw(asked["topic"], asked["calculation"], row):
            continue
        if all(len(words & each) <= SAME * len(words | each) for each in kept):
            kept.append(words)
            yield lp.Example(**asked, **{name: row[name] for name in OUTPUTS})


def _words(problem: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", problem.casefold()))


def examples() -> list[lp.Example]:
    """Return different topics and calculations, each with a problem that is verified."""
    rng = random.Random("synthesize")
    forms = ("a + b", "a - b", "a * b", "a + b - c", "a * b + c")
    rows = [_write_example(topic, form, rng) for topic in TOPICS for form in forms]
    rng.shuffle(rows)
    return rows


def _write_example(topic: str, form: str, rng: random.Random) -> lp.Example:
    numbers = {name: rng.randint(2, 9) + 20 * (name == "a") for name in re.findall(r"[a-z]", form)}
    expression = re.sub(r"[a-z]", lambda match: str(numbers[match[0]]), form)
    a, b, c = (numbers.get(name, 0) for name in "abc")
    first = f"Ada has {a} {topic}."
    said = {
        "a + b": f"{first} She finds {b} more.",
        "a - b": f"{first} She loses {b}.",
        "a * b": f"Each of {b} boxes holds {a} {topic}.",
        "a + b - c": f"{first} She finds {b} and then loses {c}.",
        "a * b + c": f"Each of {b} boxes holds {a} {topic}. There are {c} more.",
    }[form]
    return lp.Example(
        topic=topic,
        calculation=form,
        problem=f"{said} How many {topic} are there now?",
        expression=expression,
        answer=_work_out(ast.parse(expression, mode="eval").body),
    )
