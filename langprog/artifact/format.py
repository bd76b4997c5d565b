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
    reasoning_effort: str | None = None
    extra: dict[str, Any] | None = None


class PredictNode(_Strict):
    """A predictor with everything that its prompts are made of.

    Args:
        module: Its kind.
        signature: Name, instruction and fields, with their types in full.
        demos: Demonstrations, by field name.
        model: The model's name; null for the ambient one.
        adapter: ``chat``, from an adapter's second version on ``chat@2``; null for the ambient
            one.
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


class VoteNode(_Strict):
    """A module that is asked several times, and the most frequent answer taken.

    Args:
        module: Its kind.
        asks: What is asked.
        k: Samples at most.
        temperature: Used by predictors that say none themselves.
        voted_on: Outputs that are voted on; empty for all but the reasoning.
        keep: What refuses samples; null for nothing.
    """

    module: Literal["Vote"]
    asks: Node
    k: int
    temperature: float
    voted_on: list[str]
    keep: Node | None


class BestOfNode(_Strict):
    """Generators and the judge that picks one of their answers.

    Args:
        module: Its kind.
        generators: They take turns.
        judge: Its first output is a truth value or a number.
        k: Answers at most.
        temperature: Used by predictors that say none themselves.
    """

    module: Literal["BestOf"]
    generators: list[Node]
    judge: Node
    k: int
    temperature: float


class CascadeNode(_Strict):
    """Steps that are asked until an answer is sure enough.

    Args:
        module: Its kind.
        steps: The steps.
        tiers: Which step is asked when: ``[step, threshold]``, null for a step that is the last.
        signal: How sure an answer is: its name and its settings.
        check: The judge of the signal ``check``; null for none.
    """

    module: Literal["Cascade"]
    steps: list[Node]
    tiers: list[tuple[int, float | None]]
    signal: dict[str, Any]
    check: Node | None


class RouteNode(_Strict):
    """Steps of which the input decides which one is asked.

    Args:
        module: Its kind.
        steps: The steps.
        router: What decides: clusters, and what is known of every step in them; null: the last
            step answers everything.
    """

    module: Literal["Route"]
    steps: list[Node]
    router: dict[str, Any] | None


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
    PredictNode
    | ChainOfThoughtNode
    | PipelineNode
    | VoteNode
    | BestOfNode
    | CascadeNode
    | RouteNode
    | SameNode
    | UserNode,
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


for _model in (
    ChainOfThoughtNode,
    Part,
    PipelineNode,
    VoteNode,
    BestOfNode,
    CascadeNode,
    RouteNode,
    UserNode,
    ArtifactData,
):
    _model.model_rebuild()
