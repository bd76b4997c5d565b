"""Turn a description into a small checked language: which thing stands where in a scene.

Follows: ScenicNL: Generating Probabilistic Scenario Programs from Natural Language (Elmaaroufi et
al., 2024): what a compiler says of a program goes back to the model, until it compiles.
Differs: the language is our own (three statements, below) with a parser that names line, word and
what could stand there; a re-ask continues the conversation; the descriptions are generated.

    object NAME at X Y
    object NAME left|right|above|below of NAME by N
    turn NAME north|east|south|west
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

import langprog as lp

RELATIONS = ("left", "right", "above", "below")
DIRECTIONS = ("north", "east", "south", "west")
THINGS = ("car", "bus", "tree", "boat", "crane", "house", "van", "tower")
SIZE = 9  # coordinates and distances
NAME = re.compile(r"[a-z]+")
REASKS = 3

LANGUAGE = f"""A statement a line:
object NAME at X Y
object NAME RELATION of NAME by N
turn NAME DIRECTION
RELATION is one of {", ".join(RELATIONS)}; DIRECTION is one of {", ".join(DIRECTIONS)}; X, Y and N
are whole numbers from 0 to {SIZE}. A thing is defined before it is named elsewhere."""

Statement = tuple[str, ...]


class SyntaxProblem(ValueError):
    """What is wrong with a scene, and where; for the model."""


class WriteScene(lp.Signature):
    """Write the scene of the description in the language, and nothing that it does not say."""

    description: str = lp.Input()
    language: str = lp.Input("its grammar")
    scene: str = lp.Output("statements, one a line")


class ToScene(lp.Module):
    """Writes a scene that parses."""

    signature = "description -> scene"

    def __init__(self) -> None:
        self.write = lp.Predict(WriteScene)

    def forward(self, description: str) -> Mapping[str, str]:
        """Write a scene, and write it again as long as the parser objects."""
        scene = self.write(description=description, language=LANGUAGE).scene
        problem = find_problem(scene)
        lp.require(not problem, f"the scene does not parse: {problem}", reasks=REASKS)
        return {"scene": scene.strip()}


program = ToScene()


def find_problem(scene: str) -> str:
    """Return what is wrong with a scene; empty if it parses."""
    try:
        parse(scene)
    except SyntaxProblem as problem:
        return str(problem)
    return ""


def parse(scene: str) -> list[Statement]:
    """Return the statements of a scene, as tuples of their words.

    Raises:
        SyntaxProblem: It is not in the language.
    """
    statements: list[Statement] = []
    defined: set[str] = set()
    for number, line in enumerate(scene.splitlines(), start=1):
        words = line.split()
        if words:
            try:
                statements.append(_parse_statement(words, defined))
            except SyntaxProblem as problem:
                raise SyntaxProblem(f"line {number}: {problem}") from None
    if not statements:
        raise SyntaxProblem("there are no statements")
    return statements


def _parse_statement(words: list[str], defined: set[str]) -> Statement:
    head, rest = words[0], words[1:]
    if head == "turn":
        _expect_count(words, 3)
        _expect_defined(rest[0], defined)
        _expect_word(rest[1], DIRECTIONS)
    elif head == "object":
        if len(rest) < 2:
            raise SyntaxProblem("a name and a place must follow object")
        _expect_new(rest[0], defined)
        if rest[1] == "at":
            _expect_count(words, 5)
            _expect_number(rest[2])
            _expect_number(rest[3])
        else:
            _expect_word(rest[1], ("at", *RELATIONS))
            _expect_count(words, 7)
            _expect_word(rest[2], ("of",))
            _expect_defined(rest[3], defined)
            _expect_word(rest[4], ("by",))
            _expect_number(rest[5])
        defined.add(rest[0])
    else:
        _expect_word(head, ("object", "turn"))
    return tuple(words)


def _expect_count(words: list[str], count: int) -> None:
    if len(words) != count:
        raise SyntaxProblem(f"it has {len(words)} words, and such a statement has {count}")


def _expect_word(word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise SyntaxProblem(f"{word!r:.40} stands where {', '.join(known)} may stand")


def _expect_number(word: str) -> None:
    if not word.isascii() or not word.isdigit() or len(word) > 1 or int(word) > SIZE:
        raise SyntaxProblem(f"{word!r:.40} is not a whole number from 0 to {SIZE}")


def _expect_new(name: str, defined: set[str]) -> None:
    if not NAME.fullmatch(name):
        raise SyntaxProblem(f"{name!r:.40} is not a name: write small letters")
    if name in defined:
        raise SyntaxProblem(f"{name!r:.40} is defined twice")


def _expect_defined(name: str, defined: set[str]) -> None:
    if name not in defined:
        known = ", ".join(sorted(defined)) or "nothing"
        raise SyntaxProblem(f"{name!r:.40} is not defined before; defined are: {known}")


def metric(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score the F1 of the statements; 0 where it does not parse."""
    problem = find_problem(prediction.scene)
    if problem:
        return lp.Score(0.0, problem)
    wanted, given = set(parse(example.scene)), set(parse(prediction.scene))
    missing = [" ".join(each) for each in sorted(wanted - given)]
    wrong = [" ".join(each) for each in sorted(given - wanted)]
    said = [f"missing: {'; '.join(missing)}"] if missing else []
    said += [f"not in the text: {'; '.join(wrong)}"] if wrong else []
    return lp.Score(2 * len(wanted & given) / (len(wanted) + len(given)), ". ".join(said) or None)


def examples(count: int = 60, seed: int = 0) -> list[lp.Example]:
    """Return different scenes with their descriptions.

    Args:
        count: How many.
        seed: Decides them.
    """
    rng = random.Random(f"to_dsl/{seed}")
    rows: dict[str, lp.Example] = {}
    while len(rows) < count:
        description, scene = _draw_scene(rng)
        rows.setdefault(description, lp.Example(description=description, scene=scene))
    return list(rows.values())


def _draw_scene(rng: random.Random) -> tuple[str, str]:
    said, lines = [], []
    names = rng.sample(THINGS, rng.randint(2, 4))
    for at, name in enumerate(names):
        if at == 0:
            x, y = rng.randint(0, SIZE), rng.randint(0, SIZE)
            said.append(f"A {name} stands at {x}, {y}.")
            lines.append(f"object {name} at {x} {y}")
            continue
        other, by, side = rng.choice(names[:at]), rng.randint(1, 5), rng.choice(RELATIONS)
        place = {"left": "to the left of", "right": "to the right of"}.get(side, side)
        said.append(f"A {name} is {by} {place} the {other}.")
        lines.append(f"object {name} {side} of {other} by {by}")
    for name in names:
        if rng.random() < 0.4:
            direction = rng.choice(DIRECTIONS)
            said.append(f"The {name} faces {direction}.")
            lines.append(f"turn {name} {direction}")
    return " ".join(said), "\n".join(lines)
