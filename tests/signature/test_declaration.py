from __future__ import annotations

import copy
import pickle
import sys
import textwrap
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field

import langprog as lp
from langprog.errors import SignatureError
from langprog.signature import RESERVED, SignatureSpec, signature_of


class Color(Enum):
    RED = "red"


class Triage(lp.Signature):
    """Route the support ticket to the team that owns it."""

    ticket: str = lp.Input("what the customer wrote")
    team: Literal["billing", "network"] = lp.Output("the team that owns it")


def test_a_class_becomes_a_value() -> None:
    spec = signature_of(Triage)
    assert spec is Triage.spec
    assert spec.name == "Triage"
    assert spec.instruction == "Route the support ticket to the team that owns it."
    assert [(f.name, f.role, f.annotation, f.description) for f in spec.fields] == [
        ("ticket", "input", str, "what the customer wrote"),
        ("team", "output", Literal["billing", "network"], "the team that owns it"),
    ]


def test_the_class_shows_what_its_value_has() -> None:
    spec = Triage.spec
    assert Triage.inputs == spec.inputs
    assert Triage.outputs == spec.outputs
    assert Triage.digest == spec.digest
    assert Triage.to_json() == spec.to_json()
    assert Triage.json_schema() == spec.json_schema()
    assert Triage.with_instruction("Else.") == spec.with_instruction("Else.")
    field = signature_of("a -> why").outputs["why"]
    assert Triage.with_field(field, first=True) == spec.with_field(field, first=True)
    assert Triage.with_field(field).without_field("team") == spec.with_field(field).without_field(
        "team"
    )


def test_types_that_only_a_function_knows_are_found() -> None:
    class Inner(BaseModel):
        size: int

    def make() -> type[lp.Signature]:
        Local = Literal["x", "y"]

        class Nested:
            class Made(lp.Signature):
                color: Color = lp.Input()
                inner: list[Inner] = lp.Output()
                local: Local | None = lp.Output()

        return Nested.Made

    outputs = make().outputs
    assert outputs["inner"].annotation == list[Inner]
    assert outputs["local"].annotation == Literal["x", "y"] | None


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_modules_with_and_without_postponed_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, future: str
) -> None:
    name = f"user_module_{len(future)}"
    source = future + textwrap.dedent(
        '''
        from typing import Optional
        import langprog as lp

        class Asked(lp.Signature):
            """Do it."""
            question: str = lp.Input()
            answer: Optional[list[int]] = lp.Output()
        '''
    )
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__(name)
    assert module.Asked.outputs["answer"].annotation == list[int] | None
    del sys.modules[name]


def test_inputs_come_before_outputs_in_the_order_written() -> None:
    class Mixed(lp.Signature):
        b: str = lp.Output()
        d: str = lp.Input()
        a: str = lp.Output()
        c: str = lp.Input()

    assert [f.name for f in Mixed.spec.fields] == ["d", "c", "b", "a"]


def test_without_a_docstring_the_fields_are_the_instruction() -> None:
    class Plain(lp.Signature):
        question: str = lp.Input()
        context: str = lp.Input()
        answer: str = lp.Output()

    assert Plain.spec.instruction == "Given question and context, produce answer."


def test_a_docstring_keeps_its_inner_form() -> None:
    class Listed(lp.Signature):
        """Do it:

        - first
          - then
        """

        a: str = lp.Input()
        b: str = lp.Output()

    assert Listed.spec.instruction == "Do it:\n\n- first\n  - then"


def test_a_subclass_keeps_adds_and_replaces() -> None:
    class More(Triage):
        ticket: str = lp.Input("the whole ticket", max_length=9)
        urgent: bool = lp.Output()

    assert [f.name for f in More.spec.fields] == ["ticket", "team", "urgent"]
    assert More.inputs["ticket"].constraints == {"max_length": 9}
    assert More.spec.instruction == Triage.spec.instruction
    assert [f.name for f in Triage.spec.fields] == ["ticket", "team"]

    class Both(More, Triage):
        """Anew."""

    assert Both.spec.instruction == "Anew."
    assert Both.spec.fields == More.spec.fields


def test_class_variables_and_methods_are_no_fields() -> None:
    class Versioned(Triage):
        version: ClassVar[int] = 3

        def about(self) -> str:
            return "about"

    assert Versioned.spec.fields == Triage.spec.fields
    assert Versioned.version == 3


def test_a_field_may_be_called_like_the_instruction_or_the_name() -> None:
    class Named(lp.Signature):
        name: str = lp.Input()
        spec: str = lp.Input()
        instruction: str = lp.Output()

    class Again(Named):
        more: str = lp.Output()

    assert [f.name for f in Again.spec.fields] == ["name", "spec", "instruction", "more"]


def test_a_signature_holds_no_values() -> None:
    with pytest.raises(SignatureError, match=r"lp\.Predict\(Triage\)"):
        Triage()


def test_signatures_are_copied_and_pickled() -> None:
    spec = Triage.spec
    _ = spec.inputs, spec.digest, hash(spec), spec.inputs["ticket"].adapter
    for again in (pickle.loads(pickle.dumps(spec)), copy.deepcopy(spec), copy.copy(spec)):
        assert again == spec
        assert hash(again) == hash(spec)
        assert again.inputs == spec.inputs


def test_every_name_that_examples_and_predictions_have_is_reserved() -> None:
    own = {name for of in (lp.Example, lp.Prediction) for name in dir(of) if name[0] != "_"}
    assert own <= RESERVED


# --- what is wrong -------------------------------------------------------------------------------


def declared(**fields: Any) -> type[lp.Signature]:
    """Make a class named Wrong with these fields: name -> (type, what is assigned)."""
    body = {name: given[1] for name, given in fields.items() if len(given) > 1}
    annotations = {name: given[0] for name, given in fields.items() if given[0] is not None}
    return type("Wrong", (lp.Signature,), {"__annotations__": annotations, **body})


IN, OUT = (str, lp.Input()), (str, lp.Output())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Wrong has no fields"),
        ({"a": IN}, "Wrong has no output field"),
        ({"a": OUT}, "Wrong has no input field"),
        ({"a": IN, "b": (str,)}, r"Wrong\.b must be lp\.Input\(\.\.\.\) or lp\.Output"),
        ({"a": (str, "x"), "b": OUT}, r"Wrong\.a must be .*not 'x': a field has no default"),
        ({"a": (None, lp.Input()), "b": OUT}, r"Wrong\.a has no type: write a: str = lp\.Input"),
        (
            {"a": (complex, lp.Input()), "b": OUT},
            "Wrong: field 'a' has the type complex: declare it as tuple",
        ),
        ({"a": (Any, lp.Input()), "b": OUT}, "field 'a' has the type .*Any: declare it as str"),
        (
            {"a": ("Missing", lp.Input()), "b": OUT},
            r"the type of Wrong\.a cannot be resolved: .*'Missing'",
        ),
        ({"a": ("list[", lp.Input()), "b": OUT}, r"the type of Wrong\.a cannot be resolved"),
        ({"usage": IN, "b": OUT}, "the field name 'usage' is taken by langprog"),
        ({"inputs": IN, "b": OUT}, r"Wrong\.inputs: the name is taken by Signature"),
        ({"_a": IN, "b": OUT}, "'_a' is not a field name"),
        (
            {"a": (int, lp.Input(desc="x")), "b": OUT},
            "unknown constraint 'desc'; known are ge.*the description comes first",
        ),
        (
            {"a": (str, lp.Input(ge=1)), "b": OUT},
            "field 'a': the constraint 'ge' does not apply to its type",
        ),
        ({"a": (int, lp.Input(ge="1")), "b": OUT}, "field 'a': the constraint 'ge' cannot be '1'"),
        (
            {"a": (str, lp.Input(max_length=-1)), "b": OUT},
            "the constraint 'max_length' cannot be -1",
        ),
        (
            {"a": (str, lp.Input(pattern="(")), "b": OUT},
            r"the constraint 'pattern' cannot be '\('",
        ),
        (
            {"a": (str, lp.Input(pattern="(?=a)")), "b": OUT},
            "field 'a': the constraint 'pattern' cannot be .*look-around",
        ),
        ({"a": (str, lp.Input(3)), "b": OUT}, "the description of field 'a' must be text"),
    ],
)
def test_a_wrong_class_says_which_field_and_what(
    fields: dict[str, tuple[Any, ...]], message: str
) -> None:
    with pytest.raises(SignatureError, match=message) as caught:
        declared(**fields)
    assert "\n" not in str(caught.value)


def test_a_type_that_is_nowhere_is_named_with_class_and_field() -> None:
    with pytest.raises(SignatureError, match=r"Lost\.b cannot be resolved: name 'Nowhere'"):

        class Lost(lp.Signature):
            a: str = lp.Input()
            b: Nowhere = lp.Output()  # type: ignore[name-defined]  # noqa: F821 - the mistake


@pytest.mark.parametrize("wrong", [3, str, lp.Signature, None, object()])
def test_what_is_no_signature_is_refused(wrong: Any) -> None:
    with pytest.raises(SignatureError):
        signature_of(wrong)


def test_limits_may_stand_in_the_type() -> None:
    class Limited(lp.Signature):
        a: Annotated[int, Field(ge=0)] = lp.Input(le=9)
        b: str = lp.Output()

    assert Limited.inputs["a"].type_phrase == "integer, >= 0, <= 9"


def test_signature_of_takes_every_form() -> None:
    assert signature_of("a -> b", "Do it.").instruction == "Do it."
    assert signature_of(Triage, "Do it.") == Triage.with_instruction("Do it.")
    assert isinstance(signature_of(Triage.spec), SignatureSpec)


def test_code_that_belongs_to_no_module_declares_signatures() -> None:
    code = """
from __future__ import annotations
import langprog as lp
class Ask(lp.Signature):
    question: str = lp.Input()
    answers: list[Answer] = lp.Output()
"""
    names: dict[str, Any] = {"__name__": "nowhere", "Answer": Literal["yes", "no"]}
    exec(code, names)
    assert names["Ask"].outputs["answers"].annotation == list[Literal["yes", "no"]]
