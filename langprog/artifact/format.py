"""The artifact file, field by field; README.md in this folder explains it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SamplingData(_Strict):
    """How completions are drawn; what is left out is the endpoint's choice."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


class PredictNode(_Strict):
    """A predictor with everything that its prompts are made of."""

    module: Literal["Predict"]
    signature: dict[str, Any]
    demos: list[dict[str, Any]]
    model: str | None
    adapter: str | None
    sampling: SamplingData


class ChainOfThoughtNode(_Strict):
    """A predictor whose signature begins with a ``reasoning`` output."""

    module: Literal["ChainOfThought"]
    predict: PredictNode


class Part(_Strict):
    """A module inside another one, by name."""

    name: str
    program: Node


class PipelineNode(_Strict):
    """Steps wired by field name."""

    module: Literal["Pipeline"]
    steps: list[Part]


class UserNode(_Strict):
    """A module of the user's own class, which the artifact names but does not hold."""

    module: Literal["user"]
    class_name: str = Field(alias="class")
    source: str
    parts: list[Part]


Node = Annotated[
    PredictNode | ChainOfThoughtNode | PipelineNode | UserNode, Field(discriminator="module")
]


class ModelData(_Strict):
    """A model that the program names: its price when the artifact was written."""

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


Part.model_rebuild()
PipelineNode.model_rebuild()
UserNode.model_rebuild()
ArtifactData.model_rebuild()
