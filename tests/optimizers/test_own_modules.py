"""Modules of the user's own: what they offer is searched, what they remember is left alone."""

from __future__ import annotations

import array
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, LangprogWarning
from langprog.lm import Request
from optimizers import MIPRO, BootstrapFewShot, Compiler, LabeledFewShot
from optimizers.base import Optimizer
from optimizers.identity import program_digest
from optimizers.report.compiled import Compiled
from optimizers.search.mipro import Demonstrating
from optimizers.search.space import list_module_choices
from tests.optimizers.simulated import WORDS, team_of, tickets

ALONE = MIPRO(instructions=0, demonstrating=Demonstrating(sets=0))


class Styled(lp.Module):
    """Asks in a style that is a parameter of its own."""

    def __init__(self, style: str = "plain", depth: int = 1) -> None:
        self.ask = lp.Predict("ticket, style -> team")
        self.style = style
        self.depth = depth

    def own_parameters(self) -> dict[str, lp.Parameter]:
        return {
            "style": lp.Parameter("choice", self.style),
            "depth": lp.Parameter("choice", self.depth),
        }

    def search_space(self) -> Mapping[str, Any]:
        return {"style": ["plain", "curt", "formal"]}

    def forward(self, ticket: str) -> Mapping[str, Any]:
        return self.ask(ticket=ticket, style=self.style)


def formal_is_right(request: Request) -> str:
    """Know the team where it is asked formally, and guess it from the number elsewhere."""
    text = request.messages[-1].content
    if "[[ticket]]" not in text:
        return "[[summary]]\ntickets\n[[instruction]]\nSay the team."
    team = team_of(text) if "formal" in text else list(WORDS)[0]
    return f"[[team]]\n{team}"


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.team == prediction.team)


def compiled(optimizer: Optimizer, program: lp.Module, calls: int = 600, **more: Any) -> Compiled:
    model = lp.ScriptedLM(formal_is_right)
    with lp.using(lm=model):
        return optimizer.compile(
            program, tickets(90), metric=right, budget=lp.Budget(calls=calls), seed=3, **more
        )


@pytest.mark.parametrize(
    ("optimizer", "calls"),
    [(ALONE, 600), (Compiler(rounds=1), 2000), (Compiler(), 600), (Compiler(), 260)],
    ids=["MIPRO", "a race", "no race", "few calls"],
)
def test_what_a_module_offers_is_searched_saved_and_loaded(
    optimizer: Optimizer, calls: int, tmp_path: Path
) -> None:
    program = lp.Pipeline(first=StageAdvanced())
    result = compiled(optimizer, program, calls)
    assert result.certificate.verdict == "certified"
    assert result.program.parameters()["first.inner[0].style"].value == "formal"
    assert program.parameters()["first.inner[0].style"].value == "plain"
    result.save(tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", classes=[StageAdvanced, Styled])
    assert loaded.parameters()["first.inner[0].style"].value == "formal"
    again = loaded.with_parameters({"first.inner[0].style": "curt"})
    assert again.parameters()["first.inner[0].style"].value == "curt"


class StageAdvanced(lp.Module):
    """A user's module in a list of another one, as a step of a pipeline."""

    signature = "ticket -> team"

    def __init__(self) -> None:
        self.inner = [Styled()]

    def forward(self, ticket: str) -> Mapping[str, Any]:
        return self.inner[0](ticket=ticket)


def test_the_present_value_comes_first_and_every_value_once() -> None:
    (choice,) = list_module_choices(Styled("curt"))
    assert list(choice.values) == ["curt", "plain", "formal"]
    assert choice.label(2) == "formal"
    (votes,) = list_module_choices(lp.Vote(lp.Predict("a -> b"), k=4))
    assert list(votes.values) == [4, 1, 3, 5, 9] and votes.label(1) == "1"


class Offering(Styled):
    def __init__(self, offered: Any) -> None:
        super().__init__()
        self.offered = offered

    def search_space(self) -> Any:
        return self.offered

    def with_own_parameters(self, values: Mapping[str, Any]) -> Any:
        if values.get("depth", 1) < 1:
            raise InputError("depth is 1 or more")
        return super().with_own_parameters(values)


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        ({"colour": ["red"]}, "has 'colour', which is not in its own_parameters"),
        ([("style", ["formal"])], "is a list: return a dict of lists"),
        ({"depth": [None]}, "offers None for 'depth': '<' not supported"),
        ({"style": "formal"}, "needs a list of values for 'style'"),
        ({"style": [object()]}, "not plain data"),
        ({"depth": [2, 0]}, "offers 0 for 'depth': depth is 1 or more"),
    ],
)
@pytest.mark.parametrize("optimizer", [ALONE, Compiler()], ids=["MIPRO", "Compiler"])
def test_what_cannot_be_set_is_refused_before_anything_is_asked(
    optimizer: Optimizer, offered: Any, words: str
) -> None:
    model = lp.ScriptedLM(formal_is_right)
    with lp.using(lm=model), pytest.raises(InputError, match=words):
        optimizer.compile(Offering(offered), tickets(60), metric=right)
    assert model.calls == 0


def test_a_parameter_without_an_attribute_says_what_to_write() -> None:
    class Hidden(Styled):
        def own_parameters(self) -> dict[str, lp.Parameter]:
            return {"tone": lp.Parameter("choice", self.style)}

    with pytest.raises(InputError, match="implement with_own_parameters"):
        Hidden().with_parameters({"program.tone": "x"})


def test_own_values_make_another_program() -> None:
    class Told(Styled):
        def own_parameters(self) -> dict[str, lp.Parameter]:
            return {"style": lp.Parameter("instruction", self.style)}

    assert program_digest(Told("plain")) != program_digest(Told("curt"))
    assert program_digest(Styled("plain")) != program_digest(Styled("curt"))


# --- predictors that are not a part of the program -------------------------------------------

ELSEWHERE = lp.Predict("ticket -> team", instruction="Elsewhere.")


class Passing(lp.Module):
    """Calls a predictor that it does not have, and makes another one on the way."""

    def __init__(self) -> None:
        self.ask = lp.Predict("ticket, style -> team")

    def forward(self, ticket: str) -> Mapping[str, Any]:
        ELSEWHERE(ticket=ticket)
        lp.Predict("ticket -> kind, team")(ticket=ticket)
        return self.ask(ticket=ticket, style="formal")


def answers_all(request: Request) -> str:
    return "[[kind]]\nx\n[[team]]\nbilling"


def test_an_evaluation_says_once_what_is_no_part_of_the_program() -> None:
    with lp.using(lm=lp.ScriptedLM(answers_all)), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        lp.evaluate(Passing(), tickets(12), right)
    said = [str(one.message) for one in heard if one.category is LangprogWarning]
    assert len(said) == 2
    assert "'ticket -> team' was called but is not a part of the program" in said[0]
    assert "'ticket -> kind, team' was called" in said[1]


def test_a_compile_says_it_in_its_notes_and_warns_of_nothing() -> None:
    model = lp.ScriptedLM(answers_all)
    with lp.using(lm=model):
        result = LabeledFewShot().compile(Passing(), tickets(60), metric=right, accept="best")
    notes = [note.text for note in result.report.notes if "not a part" in note.text]
    assert len(notes) == 2 and all("__init__" in note for note in notes)


def test_what_is_called_through_parts_is_a_part() -> None:
    program = lp.Cascade(
        [lp.Vote(lp.Predict("ticket -> team"), k=2)] * 2, thresholds=[2.0], signal="agreement"
    )
    with lp.using(lm=lp.ScriptedLM(answers_all)):
        lp.evaluate(program, tickets(6), right)  # a warning would be an error here


class Box:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.ask = lp.Predict("ticket -> team")


class Boxed(Styled):
    """Holds a predictor, and what it remembers, in an object that nobody looks into."""

    def __init__(self) -> None:
        super().__init__("formal")
        self.box = Box()

    def forward(self, ticket: str) -> Mapping[str, Any]:
        self.box.asked.append(ticket)
        return super().forward(ticket)


def test_modules_in_an_object_are_named_by_compile_and_save(tmp_path: Path) -> None:
    result = compiled(LabeledFewShot(), Boxed(), accept="best")
    assert any("box (a Box) contains modules" in note.text for note in result.report.notes)
    with pytest.warns(LangprogWarning, match=r"box \(a Box\) contains modules"):
        result.save(tmp_path / "p.json")


# --- what a program remembers ----------------------------------------------------------------


class Remembering(Styled):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.teams: dict[str, list[str]] = {"all": []}

    def forward(self, ticket: str) -> Mapping[str, Any]:
        said = super().forward(ticket)
        self.seen.append(ticket)
        self.teams["all"].append(said["team"])
        return said


@pytest.mark.parametrize(
    "optimizer", [ALONE, BootstrapFewShot(), Compiler(rounds=1)], ids=lambda o: type(o).__name__
)
def test_a_compile_leaves_alone_what_the_program_remembers(optimizer: Optimizer) -> None:
    program = Remembering()
    program.seen.append("before")
    result = compiled(optimizer, program)
    assert program.seen == ["before"] and program.teams == {"all": []}
    assert result.program.seen == ["before"] and result.program.teams == {"all": []}
    assert not [note for note in result.report.notes if "changed while" in note.text]


def test_a_shared_object_that_changed_is_named() -> None:
    result = compiled(LabeledFewShot(), Boxed(), accept="best")
    assert any(
        "box (a Box) changed while the program was run" in n.text for n in result.report.notes
    )


class Slots:
    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self) -> None:
        self.seen.append(1)


def make_counter() -> Callable[[], None]:
    seen: list[int] = []
    return lambda: seen.append(1)


def make_array() -> array.array[int]:
    return array.array("i")


@pytest.mark.parametrize("make", [Slots, make_counter, make_array, lambda: Slots().__call__])
def test_a_change_of_a_shared_object_of_any_sort_is_named(make: Callable[[], Any]) -> None:
    class Noting(Styled):
        def __init__(self) -> None:
            super().__init__()
            self.note = make()

        def forward(self, ticket: str) -> Mapping[str, Any]:
            if isinstance(self.note, array.array):
                self.note.append(1)
            else:
                self.note()
            return super().forward(ticket)

    result = compiled(LabeledFewShot(), Noting(), accept="best")
    said = [note.text for note in result.report.notes if note.text.startswith("note (a ")]
    assert len(said) == 1 and "changed while the program was run" in said[0]


def test_an_iterator_is_named() -> None:
    program = Styled("formal")
    program.turns = iter("abc")  # type: ignore[attr-defined]  # found in whatever attribute
    result = compiled(LabeledFewShot(), program, accept="best")
    assert any("turns of program is an iterator" in note.text for note in result.report.notes)


class Counted(Styled):
    asked: list[str] = []

    def forward(self, ticket: str) -> Mapping[str, Any]:
        self.asked.append(ticket)
        return super().forward(ticket)


def test_what_stands_on_the_class_and_changed_is_named() -> None:
    result = compiled(LabeledFewShot(), Counted(), accept="best")
    assert any("asked (on the class) changed" in note.text for note in result.report.notes)


def test_runs_of_a_search_do_not_see_one_another() -> None:
    class Tired(Remembering):
        """Gets worse with every ticket that it has seen."""

        def forward(self, ticket: str) -> Mapping[str, Any]:
            said = super().forward(ticket)
            return said if len(self.seen) < 40 else {"team": "none"}

    once = compiled(ALONE, Tired())
    again = compiled(ALONE, Tired())
    assert once.candidate.digest == again.candidate.digest
    assert once.report.decisions == again.report.decisions
