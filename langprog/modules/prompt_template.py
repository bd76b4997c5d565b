"""A prompt template as a program: what was written for another tool, compiled as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast

from langprog.adapters import (
    ROLES,
    Layout,
    Role,
    Span,
    Syntax,
    Template,
    TemplateAdapter,
    find_instruction,
    guess_syntax,
    versioned_reference,
)
from langprog.errors import ArtifactError, InputError, SignatureError
from langprog.modules.base import Module
from langprog.modules.node import Node, Strict, Types
from langprog.modules.predict import Predict
from langprog.modules.predict_data import PredictNode
from langprog.modules.tree import Parameter
from langprog.signature import SignatureSpec, signature_of


class TemplateData(Strict):
    """A template.

    Args:
        syntax: ``format`` or ``jinja``.
        layout: ``text``, ``messages`` or ``object``.
        messages: Role and source of each message.
        instruction: The message with the instruction, and where in its source it begins and ends.
    """

    syntax: str
    layout: str
    messages: list[tuple[str, str]]
    instruction: tuple[int, int, int]

    def template(self) -> Template:
        """Return the template.

        Raises:
            InputError: It is not valid.
        """
        return Template(
            cast("Syntax", self.syntax),
            cast("Layout", self.layout),
            tuple((cast("Role", role), source) for role, source in self.messages),
            Span(*self.instruction),
        )


class PromptTemplateNode(PredictNode):
    """A predictor whose prompt is a template.

    Args:
        module: Its kind.
        template: The template; the instruction in force is the signature's.
    """

    module: Literal["PromptTemplate"]  # type: ignore[assignment]  # a kind of its own
    template: TemplateData


class PromptTemplate(Predict):
    r"""Call a model with a prompt template, which stays as it is, byte for byte.

    The template has places for values, ``{name}`` or ``{{ name }}``, which are the inputs; nothing
    in it is executed. A compile may change its instruction, which is the part before the
    paragraph with the first place (or the first system message), and the demonstrations, which
    are written as the template writes a call. ``lp.to_template`` writes it as a template again.

    Example::

        import langprog as lp

        program = lp.PromptTemplate(
            "Say which team owns the ticket.\n\nTicket: {ticket}\nTeam:", output="team"
        )
        with lp.using(lm=lp.ScriptedLM(["billing"])):
            assert program(ticket="charged twice").team == "billing"

    Args:
        template: A text, which is the user's message; or messages, each with ``role`` and
            ``content``; or a Template.
        output: The output in the short form: ``"team: Literal['billing', 'network']"``. It is the
            whole reply; several outputs are read from a JSON object.
        inputs: Types of inputs that are not text, in the short form: ``"count: int"``.
        syntax: ``format`` for ``{name}``, ``jinja`` for ``{{ name }}``; by default what is there.
        instruction: The part of the template that a compile may change, if it is another one.
        **options: As for Predict, without ``adapter``.

    Raises:
        InputError: The template is not valid; names message and line.
        SignatureError: A name in it or the output is not valid.
    """

    node: ClassVar[type[Node]] = PromptTemplateNode
    template: Template

    def __init__(
        self,
        template: str | Sequence[Mapping[str, str]] | Template,
        *,
        output: str = "answer",
        inputs: str = "",
        syntax: Syntax | None = None,
        instruction: str | None = None,
        **options: Any,
    ) -> None:
        if "adapter" in options:
            raise InputError("a PromptTemplate takes no adapter: its prompt is the template")
        made = template if isinstance(template, Template) else read_template(template, syntax)
        if instruction is not None:
            made = made.with_instruction_at(_find(made, instruction))
        signature = _signature(made, inputs, output)
        super().__init__(signature, adapter=TemplateAdapter(made), **options)
        self._set(template=made)

    def own_parameters(self) -> dict[str, Parameter]:
        """Return those of a Predict without the adapter, and the template, which stays as it is.

        The template is here so that programs with different templates count as different programs.
        """
        own = {name: each for name, each in super().own_parameters().items() if name != "adapter"}
        return {**own, "template": Parameter("choice", _to_data(self.template))}

    def search_space(self) -> Mapping[str, Sequence[Any]]:
        """Return no other structures: the template says what is asked."""
        return {"structure": []}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with these parameters.

        Raises:
            InputError: An adapter, or another template or structure is given.
        """
        given = dict(values)
        if "adapter" in given:
            raise InputError("a PromptTemplate takes no adapter: its prompt is the template")
        if given.pop("template", _to_data(self.template)) != _to_data(self.template):
            raise InputError("a PromptTemplate keeps its template: make another PromptTemplate")
        if tuple(given.pop("structure", self.signature.outputs)) != tuple(self.signature.outputs):
            raise InputError("the template says what is asked: a PromptTemplate has no structure")
        return super().with_own_parameters(given)

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        data = super().to_node(parts, types)
        return {**data, "module": "PromptTemplate", "template": _to_data(self.template)}

    @classmethod
    def from_node(cls, node: PredictNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        assert isinstance(node, PromptTemplateNode)
        template = node.template.template()
        adapter = TemplateAdapter(template)
        if node.adapter != versioned_reference(adapter):
            raise ArtifactError(
                f"the prompt template is written by {node.adapter!r:.40}, which is not known "
                "here: upgrade langprog"
            )
        # A Predict that has the adapter is what its node describes.
        plain = Predict.from_node(node.model_copy(update={"adapter": None}), parts, types)
        if set(plain.signature.inputs) != set(template.slots):
            raise ArtifactError("the inputs of a prompt template are the names in it")
        new = cls.__new__(cls)
        vars(new).update(vars(plain))
        new._set(adapter=adapter, template=template)
        return new

    def __repr__(self) -> str:
        return super().__repr__().replace("Predict(", "PromptTemplate(", 1)


def read_template(
    template: str | Sequence[Mapping[str, str]], syntax: Syntax | None = None
) -> Template:
    """Return a text or messages as a template, whose instruction is where it most likely stands.

    Raises:
        InputError: It is not valid; names message and line.
    """
    messages: tuple[tuple[Role, str], ...]
    if isinstance(template, str):
        messages = (("user", template),)
    else:
        messages = tuple(_read_message(each, number) for number, each in enumerate(template, 1))
    chosen = syntax or guess_syntax("\n".join(source for _, source in messages))
    layout: Layout = "text" if isinstance(template, str) else "messages"
    made = Template(chosen, layout, messages, Span(0, 0, 0))
    return made.with_instruction_at(find_instruction(made))


def _read_message(message: Any, number: int) -> tuple[Role, str]:
    if not isinstance(message, Mapping) or message.get("role") not in ROLES:
        raise InputError(f"message {number} has no role of {', '.join(ROLES)}")
    extra = sorted(map(str, message.keys() - {"role", "content"}))
    if extra or not isinstance(message.get("content"), str):
        what = (
            f"has {extra[0]!r:.40}, which is not read" if extra else "has no text as its content"
        )
        raise InputError(f"message {number} {what}: a message is a role and a content")
    return message["role"], message["content"]


def _find(template: Template, instruction: str) -> Span:
    """Return where a text stands in a template.

    Raises:
        InputError: It does not stand there, or more than once.
    """
    places = [
        Span(at, source.index(instruction), source.index(instruction) + len(instruction))
        for at, (_, source) in enumerate(template.messages)
        if instruction and instruction in source
    ]
    count = sum(source.count(instruction) for _, source in template.messages) if places else 0
    if count != 1:
        raise InputError(
            f"the instruction {instruction!r:.60} stands {count} times in the template: give a "
            "part that stands there once, as it is written"
        )
    return places[0]


def _signature(template: Template, inputs: str, output: str) -> SignatureSpec:
    typed = dict(signature_of(f"{inputs} -> {output}").inputs) if inputs else {}
    unknown = [name for name in typed if name not in template.slots]
    if unknown:
        raise SignatureError(
            f"{unknown[0]!r} is not in the template, which has {', '.join(template.slots)}"
        )
    wrong = [name for name, field in typed.items() if field.annotation not in (str, int, float)]
    if wrong:
        raise SignatureError(
            f"the input {wrong[0]!r} of a template is a text or a number: str, int or float"
        )
    plain = signature_of(f"{', '.join(template.slots)} -> {output}")
    fields = (
        *(typed.get(name, plain.inputs[name]) for name in plain.inputs),
        *plain.outputs.values(),
    )
    return SignatureSpec("PromptTemplate", template.original_instruction, fields)


def _to_data(template: Template) -> dict[str, Any]:
    span = template.instruction
    return {
        "syntax": template.syntax,
        "layout": template.layout,
        "messages": [list(message) for message in template.messages],
        "instruction": [span.message, span.start, span.end],
    }
