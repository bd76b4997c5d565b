"""The artifact file, field by field; README.md in this folder explains it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassData(_Strict):
    """A class of the user's, which the artifact names but does not hold.

    Args:
        class_name: ``package.module:Class``.
        source: Digest of its source.
    """

    class_name: str = Field(alias="class")
    source: str


class SamplingData(_Strict):
    """How completions are drawn; null leaves it to the endpoint."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


class PredictNode(_Strict):
    """A predictor with everything that its prompts are made of.

    Args:
        module: Its kind.
        signature: Name, instruction and fields, with their types in full.
        demos: Demonstrations, by field name.
        model: The model's name; null for the ambient one.
        adapter: ``chat`` or ``json``; null for the ambient one.
        sampling: How completions are drawn.
        checked_by: The Signature class whose types check values with code of their own; left out
            where there is no such code.
    """

    module: Literal["Predict"]
    signature: dict[str, Any]
    demos: list[dict[str, Any]]
    model: str | None
    adapter: str | None
    sampling: SamplingData
    checked_by: ClassData | None = None


class ChainOfThoughtNode(_Strict):
    """A predictor whose signature begins with a ``reasoning`` output."""

    module: Literal["ChainOfThought"]
    predict: Node


class Part(_Strict):
    """A module inside another one, by name."""

    name: str
    program: Node


class PipelineNode(_Strict):
    """Steps wired by field name."""

    module: Literal["Pipeline"]
    steps: list[Part]


class SameNode(_Strict):
    """The very module that stands at an earlier place of the program, too."""

    module: Literal["same"]
    path: str


class ParameterData(_Strict):
    """A parameter that a user's module declares itself."""

    kind: str
    value: Any


class UserNode(_Strict):
    """A module of the user's own class.

    Args:
        module: Its kind.
        class_name: ``package.module:Class``.
        source: Digest of its source.
        settings: Attributes that are plain data, and what they are.
        parameters: Parameters that the class declares itself.
        parts: The modules inside.
    """

    module: Literal["user"]
    class_name: str = Field(alias="class")
    source: str
    settings: dict[str, Any]
    parameters: dict[str, ParameterData]
    parts: list[Part]


Node = Annotated[
    PredictNode | ChainOfThoughtNode | PipelineNode | SameNode | UserNode,
    Field(discriminator="module"),
]


class ModelData(_Strict):
    """A model that the program names, as it was when the artifact was written.

    Args:
        endpoint: Where requests went; ``loopback`` for this very machine, null where not known.
        input: Dollars per million prompt tokens; null where not known.
        output: Dollars per million completion tokens.
        cached_input: Dollars per million prompt tokens that the endpoint had in its own cache.
    """

    endpoint: str | None = None
    input: float | None = None
    output: float | None = None
    cached_input: float | None = None


class ArtifactData(_Strict):
    """The whole file."""

    format: int
    langprog: str
    program: Node
    models: dict[str, ModelData]
    evidence: dict[str, Any] | None = None
    canary: list[dict[str, Any]] = []
    digest: str


for _model in (ChainOfThoughtNode, Part, PipelineNode, UserNode, ArtifactData):
    _model.model_rebuild()
