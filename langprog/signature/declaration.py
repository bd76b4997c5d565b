"""Signatures as people write them: classes, the short form, and how both become values."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, dataclass_transform

from pydantic.fields import FieldInfo

from langprog.errors import SignatureError
from langprog.hints import HintedType, Words
from langprog.signature.fields import FieldSpec
from langprog.signature.marks import ATTRIBUTES, Input, Marked, Output
from langprog.signature.shorthand import parse_short_form
from langprog.signature.signature import SignatureSpec, default_instruction, field_from_mark

if TYPE_CHECKING:
    # The one name that is looked up against the order of packages, and only by type checkers.
    from langprog.modules import Prediction

T = TypeVar("T")


class _Of(Generic[T]):
    """A part of a Signature class's value, seen at the class."""

    def __init__(self, read: Callable[[SignatureSpec], T]) -> None:
        self._read = read

    def __get__(self, instance: object, owner: type[Signature]) -> T:
        return self._read(signature_of(owner))


if TYPE_CHECKING:

    class _Fields(Prediction):
        # Only what a signature declares can be read, and the reasoning of a ChainOfThought.
        __getattr__: ClassVar[None]  # type: ignore[assignment, misc]  # see above; pyright: ignore[reportIncompatibleMethodOverride]
        reasoning: str

else:

    class _Fields(metaclass=HintedType):
        pass


@dataclass_transform(
    kw_only_default=True, frozen_default=True, eq_default=False, field_specifiers=(Input, Output)
)
class Signature(_Fields):
    """Base class of signatures written as classes.

    The docstring is the instruction; a subclass without one keeps that of its base::

        class Triage(lp.Signature):
            \"\"\"Route the support ticket to the team that owns it.\"\"\"

            ticket: str = lp.Input("what the customer wrote")
            team: Literal["billing", "network"] = lp.Output("the team that owns it")

    ``spec`` is the signature as a value; the methods are those of :class:`SignatureSpec`.

    To a type checker ``Triage`` is also the type of what ``lp.Predict(Triage)`` returns: a
    Prediction with these fields. When a program runs, a Prediction is not an instance of it.
    """

    _elsewhere: ClassVar[Words] = {
        **ATTRIBUTES,
        "fields": "write .inputs and .outputs",
        "instructions": "write .spec.instruction",
    }

    spec: ClassVar[SignatureSpec]
    inputs = _Of(lambda spec: spec.inputs)
    outputs = _Of(lambda spec: spec.outputs)
    digest = _Of(lambda spec: spec.digest)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # A class that was sent by another process comes with its value.
        if not isinstance(vars(cls).get("spec"), SignatureSpec):
            cls.spec = _spec_of(cls, sys._getframe(1))

    if not TYPE_CHECKING:  # to type checkers, calling it declares the inputs of a call

        def __new__(cls, *given: Any, **fields: Any) -> Signature:
            if cls is Signature and given and isinstance(given[0], str):
                more = f", instruction={given[1]!r:.80}" if len(given) > 1 else ""
                raise SignatureError(
                    "the short form of a signature is a text: write "
                    f"lp.Predict({given[0]!r:.80}{more}); its value is "
                    "langprog.signature.signature_of(...)"
                )
            if cls is Signature and given:
                raise SignatureError(
                    "a signature is a text, 'ticket -> team', or a class that derives from "
                    "lp.Signature and has lp.Input and lp.Output fields"
                )
            raise SignatureError(
                f"{cls.__name__} is a signature and holds no values: "
                f"write lp.Predict({cls.__name__})"
            )

    @classmethod
    def with_instruction(cls, instruction: str) -> SignatureSpec:
        """Return the signature's value with this instruction."""
        return signature_of(cls, instruction)

    @classmethod
    def with_field(
        cls,
        field: FieldSpec | str,
        mark: Any = None,
        annotation: Any = str,
        *,
        first: bool = False,
    ) -> SignatureSpec:
        """Return the signature's value with one more field: see :class:`SignatureSpec`."""
        return signature_of(cls).with_field(field, mark, annotation, first=first)

    @classmethod
    def with_order(cls, *names: str) -> SignatureSpec:
        """Return the signature's value with its fields in this order: see SignatureSpec."""
        return signature_of(cls).with_order(*names)

    @classmethod
    def without_field(cls, name: str) -> SignatureSpec:
        """Return the signature's value without that field."""
        return signature_of(cls).without_field(name)

    @classmethod
    def to_json(cls) -> dict[str, Any]:
        """Return the signature as plain JSON, types in full."""
        return signature_of(cls).to_json()

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema of an object with exactly the outputs."""
        return signature_of(cls).json_schema()


def _spec_of(cls: type[Signature], frame: FrameType) -> SignatureSpec:
    specs: dict[str, FieldSpec] = {}
    for base in reversed(cls.__mro__[1:]):
        if issubclass(base, Signature) and base is not Signature:
            specs.update({field.name: field for field in base.spec.fields})
    specs.update(_own_fields(cls, frame))
    if not specs:
        raise SignatureError(
            f"{cls.__name__} has no fields: give it lp.Input and lp.Output fields"
        )
    fields = sorted(specs.values(), key=lambda field: field.role != "input")
    return SignatureSpec(
        cls.__name__, _read_docstring(cls) or default_instruction(fields), tuple(fields)
    )


def _own_fields(cls: type[Signature], frame: FrameType) -> dict[str, FieldSpec]:
    where = cls.__name__
    annotations = inspect.get_annotations(cls)
    for name, value in vars(cls).items():
        if isinstance(value, Marked) and name not in annotations:
            raise SignatureError(f"{where}.{name} has no type: write {name}: str = lp.Input(...)")
    fields = {}
    for name, annotation in annotations.items():
        if _is_class_variable(annotation):
            continue
        mark = vars(cls).get(name)
        if not isinstance(mark, Marked):
            hint = _hint(mark) if name in vars(cls) else ""
            raise SignatureError(f"{where}.{name} must be lp.Input(...) or lp.Output(...){hint}")
        if name in vars(Signature):
            raise SignatureError(f"{where}.{name}: the name is taken by Signature: rename it")
        kind = _resolve_hint(annotation, cls, name, frame)
        try:
            fields[name] = field_from_mark(name, mark, kind)
        except SignatureError as error:
            raise SignatureError(f"{where}: {error}") from None
    return fields


def _hint(given: Any) -> str:
    """Return what to write instead of a value found where a field's mark belongs."""
    extra = given.json_schema_extra if isinstance(given, FieldInfo) else None
    role = extra.get("__dspy_field_type") if isinstance(extra, dict) else None
    if role in ("input", "output"):
        words = str(extra.get("desc") or "") if isinstance(extra, dict) else ""
        told = "" if words.startswith("${") else f"{words!r:.60}" if words else ""
        return f": write lp.{role.capitalize()}({told}) for dspy.{role.capitalize()}Field(...)"
    if isinstance(given, FieldInfo):
        return ": write lp.Input(...) or lp.Output(...) for pydantic's Field(...)"
    return f" (not {given!r:.40}: a field has no default but in lp.Input(default=...))"


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar"))
    return annotation is ClassVar or typing.get_origin(annotation) is ClassVar


def _resolve_hint(annotation: Any, cls: type, name: str, frame: FrameType) -> Any:
    error: Exception | None = None
    # Code run by exec may say that it belongs to a module that is not there.
    module = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    for names in _scopes(cls, frame):
        # Resolved one at a time, so that an error can name the field.
        asked = type("Asked", (), {"__annotations__": {name: annotation}})
        try:
            return typing.get_type_hints(asked, module, names, include_extras=True)[name]
        except (NameError, AttributeError, TypeError, SyntaxError) as wrong:
            error = error or wrong
    raise SignatureError(
        f"the type of {cls.__name__}.{name} cannot be resolved: {error}"
    ) from None


def _scopes(cls: type, frame: FrameType | None) -> Iterator[dict[str, Any]]:
    # A class defined in a function may name types that only this function knows.
    while frame is not None and frame.f_globals.get("__name__") == cls.__module__:
        yield {**frame.f_globals, **frame.f_locals}
        frame = frame.f_back
    yield {}


def _read_docstring(cls: type[Signature]) -> str:
    for base in cls.__mro__:
        if base is Signature:
            return ""
        told = vars(base).get("__doc__")
        if told:
            return inspect.cleandoc(told).strip()
    return ""


def signature_of(
    signature: str | SignatureSpec | Callable[..., Any], instruction: str | None = None
) -> SignatureSpec:
    """Return the value of a signature in any of its forms.

    Args:
        signature: The short form, a Signature class, or a value already.
        instruction: Replaces the signature's own.

    Raises:
        SignatureError: The short form cannot be read.
    """
    if isinstance(signature, str):
        fields = parse_short_form(signature)
        spec = SignatureSpec(" ".join(signature.split()), default_instruction(fields), fields)
    elif isinstance(signature, SignatureSpec):
        spec = signature
    elif isinstance(signature, type) and issubclass(signature, Signature):
        if signature is Signature:
            raise SignatureError("Signature itself has no fields: subclass it")
        spec = signature.spec
    else:
        raise SignatureError(
            f"{signature!r} is not a signature: write 'ticket -> team' or a Signature class"
        )
    return spec if instruction is None else spec.with_instruction(instruction)
